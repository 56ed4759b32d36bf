/* SPDX-License-Identifier: MIT */
/*
 * The header section, while the content streams through.  Lines are collected
 * until a header is complete; then it is written as it was, changed, or dropped.
 * From the first line that belongs to no header on, everything is body and copied
 * in bulk.
 *
 * Stray carriage returns become spaces (cleanup_replace_stray_cr_lf): what follows
 * one would look like a line of its own, even like the end of the message, to some
 * receivers.
 */
#include "mail/header.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "mail/header_address.h"

/* --- what is known about a header ------------------------------------------------- */

enum header_kind { HEADER_PLAIN, HEADER_SENDER, HEADER_RECIPIENT };

struct header_row {
    const char *name; /* lower case */
    enum header_kind kind;
    unsigned seen;
};

static const struct header_row HEADERS[] = {
    {"apparently-to", HEADER_RECIPIENT, SEEN_RECIPIENT},
    {"bcc", HEADER_RECIPIENT, 0},
    {"cc", HEADER_RECIPIENT, SEEN_RECIPIENT},
    {"date", HEADER_PLAIN, SEEN_DATE},
    {"disposition-notification-to", HEADER_SENDER, 0},
    {"errors-to", HEADER_SENDER, 0},
    {"from", HEADER_SENDER, SEEN_FROM},
    {"mail-followup-to", HEADER_SENDER, 0},
    {"message-id", HEADER_PLAIN, SEEN_MESSAGE_ID},
    {"reply-to", HEADER_SENDER, 0},
    {"resent-bcc", HEADER_RECIPIENT, SEEN_RESENT},
    {"resent-cc", HEADER_RECIPIENT, SEEN_RESENT | SEEN_RECIPIENT},
    {"resent-date", HEADER_PLAIN, SEEN_RESENT | SEEN_RESENT_DATE},
    {"resent-from", HEADER_SENDER, SEEN_RESENT | SEEN_RESENT_FROM},
    {"resent-message-id", HEADER_PLAIN, SEEN_RESENT | SEEN_RESENT_MESSAGE_ID},
    {"resent-reply-to", HEADER_RECIPIENT, SEEN_RESENT},
    {"resent-sender", HEADER_SENDER, SEEN_RESENT},
    {"resent-to", HEADER_RECIPIENT, SEEN_RESENT | SEEN_RECIPIENT},
    {"return-receipt-to", HEADER_SENDER, 0},
    {"sender", HEADER_SENDER, 0},
    {"to", HEADER_RECIPIENT, SEEN_RECIPIENT},
};

static const struct header_row *find_row(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++) {
        if (view_equal_nocase_cstr(name, HEADERS[i].name)) {
            return &HEADERS[i];
        }
    }
    return NULL;
}

/* --- one complete header ---------------------------------------------------------- */

static void write_unchanged(struct message *message, const struct header *header)
{
    size_t colon = view_index(header->text, ':');
    /* White space before the colon is no longer legal, and hides headers from others.
     */
    queue_writer_content(message->writer, header->name);
    queue_writer_content(message->writer, view_from(header->text, colon));
}

/* Rewrite what can be rewritten; false when nothing changed or the message failed. */
static bool rewrite_parts(struct message *message, struct header_addresses *addresses,
                          enum address_place place)
{
    bool remote = (message->flags & SUBMIT_LOCAL_CONTEXT) == 0;
    bool changed = false;
    STR_AUTO struct str text = {0};
    for (size_t i = 0; i < addresses->count; i++) {
        struct header_part *part = &addresses->parts[i];
        if (!part->is_address || part->address.len == 0) {
            continue;
        }
        if (!rewrite_address(message, part->address, place, remote, &text)) {
            return false;
        }
        if (!view_equal(part->address, str_view(&text))) {
            part->address = arena_view(&message->arena, str_view(&text));
            changed = true;
        }
    }
    return changed;
}

/* Headers of remote clients are left alone unless remote_header_rewrite_domain is set.
 */
static bool may_rewrite(const struct message *message)
{
    const struct conf *conf = message->settings->conf;
    return (message->flags & SUBMIT_LOCAL_CONTEXT) != 0 ||
           conf_str(conf, P_remote_header_rewrite_domain)[0] != '\0';
}

static void write_addresses(struct message *message, const struct header *header,
                            enum header_kind kind)
{
    int limit = conf_int(message->settings->conf, P_header_address_token_limit);
    enum address_place place =
        kind == HEADER_SENDER ? PLACE_HEADER_SENDER : PLACE_HEADER_RECIPIENT;
    struct header_addresses addresses;
    if (!may_rewrite(message)) {
        write_unchanged(message, header);
        return;
    }
    header_addresses_parse(&message->arena, header->value,
                           limit > 0 ? (size_t)limit : SIZE_MAX, &addresses);
    if (!rewrite_parts(message, &addresses, place)) {
        write_unchanged(message, header);
        return;
    }
    STR_AUTO struct str text = {0};
    header_addresses_print(header->name, &addresses, &text);
    str_add_byte(&text, '\n');
    queue_writer_content(message->writer, str_view(&text));
}

static void log_message_id(const struct message *message, const struct header *header,
                           const char *log_name)
{
    struct view id = view_trim(header->value);
    log_info("%s: %s=%.*s", message->id, log_name, VIEW_ARG(id));
}

static void count_received(struct message *message, const struct header *header)
{
    int limit = conf_int(message->settings->conf, P_hopcount_limit);
    message->headers.received_count++;
    if (message->headers.received_count == 1 && message->headers.header_count == 1) {
        /* The one on top is our own server's; the client is not charged for it. */
        message->client_size -= (int64_t)header->text.len;
    }
    if (message->headers.received_count >= limit) {
        log_warning("%s: message rejected: hopcount exceeded", message->id);
        message_fail(message, SUBMIT_TOO_MANY_HOPS, "5.4.0", "too many hops");
    }
}

/* An 8-bit body must be announced as such to the next hop; the client may have said so.
 */
static void note_encoding(struct message *message, const struct header *header)
{
    if (message->encoding.len == 0 &&
        view_equal_nocase_cstr(view_trim(header->value), "8bit")) {
        message->encoding = VIEW("8bit");
        queue_writer_set_flags(message->writer, QUEUE_FILE_8BITMIME);
    }
}

static bool is_dropped(const struct message *message, struct view name)
{
    STR_AUTO struct str lower = {0};
    str_add_lower(&lower, name);
    return htab_get(message->settings->dropped_headers, str_view(&lower)) != NULL;
}

static void process_header(struct message *message, struct view text)
{
    struct header header;
    bool found = header_next(&text, &header);
    CHECK(found && text.len == 0); /* nothing else was collected */
    const struct header_row *row = find_row(header.name);
    message->headers.header_count++;
    if (row != NULL) {
        message->headers.seen |= row->seen;
        if (row->seen == SEEN_MESSAGE_ID) {
            log_message_id(message, &header, "message-id");
        } else if ((row->seen & SEEN_RESENT_MESSAGE_ID) != 0) {
            log_message_id(message, &header, "resent-message-id");
        }
    } else if (view_equal_nocase_cstr(header.name, "received")) {
        count_received(message, &header);
    } else if (view_equal_nocase_cstr(header.name, "content-transfer-encoding")) {
        note_encoding(message, &header);
    }
    if (is_dropped(message, header.name) || !message_ok(message)) {
        return;
    }
    if (row != NULL && row->kind != HEADER_PLAIN) {
        write_addresses(message, &header, row->kind);
    } else {
        write_unchanged(message, &header);
    }
}

/* --- lines ------------------------------------------------------------------------ */

static void flush_header(struct message *message)
{
    struct header_pass *pass = &message->headers;
    if (pass->header.len > 0) {
        process_header(message, str_view(&pass->header));
        str_clear(&pass->header);
    }
}

static void end_headers(struct message *message)
{
    CHECK(!message->headers.in_body);
    flush_header(message);
    message->headers.in_body = true;
    str_done(&message->headers.header);
    if (message_ok(message)) {
        missing_add(message);
    }
}

static struct view without_lf(struct view line)
{
    bool has_lf = line.len > 0 && line.ptr[line.len - 1] == '\n';
    return view_first(line, line.len - (has_lf ? 1 : 0));
}

/* A mailbox's "From " line on top of the headers (but for the Received: of our own
 * server) would make the headers look like body. */
static bool is_stray_mailbox_line(const struct header_pass *pass, struct view line)
{
    return pass->header_count <= 1 && pass->received_count == pass->header_count &&
           header_is_mailbox_line(line);
}

/* One line of the header section with its LF (the very last may lack it). */
static void take_line(struct message *message, struct view line)
{
    struct header_pass *pass = &message->headers;
    size_t limit = (size_t)conf_int(message->settings->conf, P_header_size_limit);
    CHECK(line.len > 0 && !pass->in_body);
    enum header_line what = header_classify(without_lf(line), pass->header.len > 0);
    bool continues = what == HEADER_CONTINUATION;
    if (continues && pass->header.len + line.len > limit) {
        return; /* the rest of a header without end is of no use to anybody */
    }
    if (!continues) {
        flush_header(message);
    }
    if (!message_ok(message)) {
        return;
    }
    if (continues || what == HEADER_START) {
        str_add(&pass->header, line);
        return;
    }
    if (what == HEADER_BODY && is_stray_mailbox_line(pass, line)) {
        queue_writer_content(message->writer, VIEW("X-Mailbox-Line: "));
        queue_writer_content(message->writer, line);
        return;
    }
    end_headers(message);
    if (what != HEADER_END) {
        queue_writer_content(message->writer, VIEW("\n"));
    }
    queue_writer_content(message->writer, line);
}

/* A line has grown beyond header_size_limit before its end came. */
static void cut_long_line(struct message *message)
{
    struct header_pass *pass = &message->headers;
    struct view line = str_view(&pass->line);
    enum header_line what = header_classify(line, pass->header.len > 0);
    bool is_header = what == HEADER_START || what == HEADER_CONTINUATION;
    if (is_header) {
        str_add_byte(&pass->line, '\n');
        pass->skipping = true;
        line = str_view(&pass->line);
    }
    take_line(message, line);
    str_clear(&pass->line);
}

/* Take the header section's part of *DATA off it. */
static void feed_headers(struct message *message, struct view *data)
{
    struct header_pass *pass = &message->headers;
    size_t limit = (size_t)conf_int(message->settings->conf, P_header_size_limit);
    while (!pass->in_body && data->len > 0 && message_ok(message)) {
        size_t lf = view_index(*data, '\n');
        bool whole = lf < data->len;
        struct view part = view_first(*data, whole ? lf + 1 : lf);
        *data = view_from(*data, part.len);
        if (!pass->skipping) {
            str_add(&pass->line, part);
        }
        if (whole && pass->line.len > 0) {
            take_line(message, str_view(&pass->line));
            str_clear(&pass->line);
        } else if (!whole && pass->line.len > limit) {
            cut_long_line(message);
        }
        if (whole) {
            pass->skipping = false;
        }
    }
}

static void feed(struct message *message, struct view data)
{
    struct header_pass *pass = &message->headers;
    if (data.len == 0) {
        return;
    }
    pass->ended_in_lf = data.ptr[data.len - 1] == '\n';
    if (!pass->in_body) {
        feed_headers(message, &data);
    }
    if (message_ok(message) && data.len > 0) {
        queue_writer_content(message->writer, data);
    }
}

void header_pass_feed(struct message *message, struct view data)
{
    message->headers.any = true;
    bool replace = conf_bool(message->settings->conf, P_cleanup_replace_stray_cr_lf);
    while (replace && data.len > 0 && message_ok(message)) {
        size_t cr = view_index(data, '\r');
        if (cr == data.len) {
            break;
        }
        feed(message, view_first(data, cr));
        feed(message, VIEW(" "));
        data = view_from(data, cr + 1);
    }
    feed(message, data);
}

void header_pass_end(struct message *message)
{
    struct header_pass *pass = &message->headers;
    if (!message_ok(message)) {
        return;
    }
    if (pass->any && !pass->ended_in_lf && (pass->in_body || pass->line.len > 0)) {
        feed(message, VIEW("\n"));
    }
    if (!pass->in_body && message_ok(message)) {
        CHECK(pass->line.len == 0);
        end_headers(message);
    }
}

void header_pass_done(struct header_pass *pass)
{
    str_done(&pass->line);
    str_done(&pass->header);
}
