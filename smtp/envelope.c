/* SPDX-License-Identifier: MIT */
/* MAIL and RCPT with the parameters that the server has offered (RFC 1870, 3461, 6152,
 * 6531). */
#include "base/ascii.h"
#include "mail/address.h"
#include "smtp/smtp.h"

static void write_xtext(struct stream *stream, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 33 || c > 126 || c == '+' || c == '=') {
            stream_printf(stream, "+%02X", c);
        } else {
            stream_write(stream, view_of(text.ptr + i, 1));
        }
    }
}

static bool is_ascii(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 126) {
            return false;
        }
    }
    return true;
}

/* Line ends cannot come from cleanup; if they do, they must not become commands. */
static void write_address(struct stream *stream, struct view internal)
{
    STR_AUTO struct str external = {0};
    address_quote(internal, &external);
    for (size_t i = 0; i < external.len; i++) {
        char c = external.ptr[i];
        external.ptr[i] = c == '\r' || c == '\n' || c == '\0' ? '?' : c;
    }
    stream_write_cstr(stream, "<");
    stream_write(stream, str_view(&external));
    stream_write_cstr(stream, ">");
}

bool envelope_needs_utf8(const struct deliver_request *request)
{
    bool ascii = is_ascii(request->sender);
    for (size_t i = 0; ascii && i < request->recipient_count; i++) {
        ascii = is_ascii(request->recipients[i].address);
    }
    return !ascii;
}

static void write_dsn_of_message(struct stream *stream,
                                 const struct deliver_request *request)
{
    static const char *const ret[] = {"", " RET=FULL", " RET=HDRS"};
    if (request->dsn_envid.len > 0) {
        stream_write_cstr(stream, " ENVID=");
        write_xtext(stream, request->dsn_envid);
    }
    if (request->dsn_ret < ARRAY_SIZE(ret)) {
        stream_write_cstr(stream, ret[request->dsn_ret]);
    }
}

void envelope_write_mail(const struct session *session)
{
    const struct deliver_request *request = session->delivery->request;
    struct stream *stream = session->stream;
    stream_write_cstr(stream, "MAIL FROM:");
    write_address(stream, request->sender);
    if ((session->features & SMTP_SIZE) != 0) {
        stream_printf(stream, " SIZE=%lld", (long long)request->content_size);
    }
    if ((session->features & SMTP_8BITMIME) != 0) {
        if ((request->file_flags & QUEUE_FILE_8BITMIME) != 0) {
            stream_write_cstr(stream, " BODY=8BITMIME");
        } else if ((request->file_flags & QUEUE_FILE_7BIT) != 0) {
            stream_write_cstr(stream, " BODY=7BIT");
        }
    }
    if ((session->features & SMTP_UTF8) != 0 &&
        ((request->file_flags & QUEUE_FILE_SMTPUTF8) != 0 ||
         envelope_needs_utf8(request))) {
        stream_write_cstr(stream, " SMTPUTF8");
    }
    if ((session->features & SMTP_DSN) != 0) {
        write_dsn_of_message(stream, request);
    }
    stream_write_cstr(stream, "\r\n");
}

static void write_notify(struct stream *stream, uint8_t notify)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } words[] = {{DSN_NOTIFY_NEVER, "NEVER"},
                 {DSN_NOTIFY_SUCCESS, "SUCCESS"},
                 {DSN_NOTIFY_FAILURE, "FAILURE"},
                 {DSN_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if ((notify & words[i].bit) != 0) {
            stream_printf(stream, "%s%s", before, words[i].word);
            before = ",";
        }
    }
}

/* "rfc822": a type that is no atom is none. */
static bool is_address_type(struct view type)
{
    for (size_t i = 0; i < type.len; i++) {
        if (!ascii_alnum(type.ptr[i]) && type.ptr[i] != '-') {
            return false;
        }
    }
    return type.len > 0;
}

static void write_original(struct stream *stream, struct view orcpt)
{
    size_t semicolon = view_index(orcpt, ';');
    struct view type = view_first(orcpt, semicolon);
    if (semicolon < orcpt.len && is_address_type(type)) {
        stream_printf(stream, " ORCPT=%.*s;", VIEW_ARG(type));
        write_xtext(stream, view_from(orcpt, semicolon + 1));
    }
}

void envelope_write_rcpt(const struct session *session,
                         const struct queue_recipient *recipient)
{
    struct stream *stream = session->stream;
    stream_write_cstr(stream, "RCPT TO:");
    write_address(stream, recipient->address);
    if ((session->features & SMTP_DSN) != 0) {
        write_original(stream, recipient->dsn_orcpt);
        write_notify(stream, recipient->dsn_notify);
    }
    stream_write_cstr(stream, "\r\n");
}
