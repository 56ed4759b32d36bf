/* SPDX-License-Identifier: MIT */
/*
 * One notice: a multipart/report of three parts (RFC 3462, 3464), namely a text, the
 * fields for programs, and the message or its headers.
 */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "bounce/bounce.h"
#include "mail/address.h"
#include "mail/date.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { CHUNK_BYTES = 64 * 1024 };

struct draft {
    const struct notice *notice;
    const struct conf *conf;
    struct submit *submit;
    struct str text; /* not submitted yet */
    char boundary[256];
    bool utf8;      /* the report names addresses or texts that are not ASCII */
    bool eight_bit; /* parts are announced as 8bit */
};

static void flush(struct draft *draft)
{
    submit_content(draft->submit, str_view(&draft->text));
    str_clear(&draft->text);
}

/* --- envelope and headers --------------------------------------------------------- */

static bool needs_utf8(const struct notice *notice)
{
    bool ascii = (notice->message->flags & QUEUE_FILE_SMTPUTF8) == 0 &&
                 view_is_ascii(notice->sender);
    for (size_t i = 0; i < notice->record_count && ascii; i++) {
        ascii = view_is_ascii(notice->records[i].recipient) &&
                view_is_ascii(notice->records[i].dsn_orcpt);
    }
    return !ascii;
}

static void send_envelope(struct draft *draft)
{
    const struct notice *notice = draft->notice;
    struct view sender = notice->to_postmaster
                             ? view_cstr(conf_str(draft->conf, P_double_bounce_sender))
                             : view_of("", 0);
    struct queue_recipient recipient = {.address = notice->recipient,
                                        .original = notice->recipient};
    submit_attribute(draft->submit, "log_message_origin", VIEW("local"));
    submit_sender(draft->submit, sender);
    if (draft->utf8) {
        submit_set_file_flags(draft->submit, QUEUE_FILE_SMTPUTF8);
    }
    submit_recipient(draft->submit, &recipient);
}

static void add_headers(struct draft *draft)
{
    const struct notice *notice = draft->notice;
    const struct notice_template *template =
        &notice->bouncer->templates.of[notice->template];
    const char *host = conf_str(draft->conf, P_myhostname);
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str recipient = {0};
    struct str *out = &draft->text;
    mail_date(clock_wall(), date);
    address_quote(notice->recipient, &recipient);
    struct view subject =
        notice->to_postmaster ? template->postmaster_subject : template->subject;
    str_printf(out, "Received: by %s (%s)\n\tid %s; %s\n", host,
               conf_str(draft->conf, P_mail_name), submit_queue_id(draft->submit),
               date);
    str_printf(out, "Date: %s\nFrom: %.*s\nSubject: %.*s\nTo: %s\n", date,
               VIEW_ARG(template->from), VIEW_ARG(subject), str_ptr(&recipient));
    str_printf(out, "Auto-Submitted: %s\nMIME-Version: 1.0\n",
               notice->to_postmaster ? "auto-generated" : "auto-replied");
    str_printf(out,
               "Content-Type: multipart/report; report-type=delivery-status;\n"
               "\tboundary=\"%s\"\n",
               draft->boundary);
    if (draft->eight_bit) {
        str_add_cstr(out, "Content-Transfer-Encoding: 8bit\n");
    }
    str_add_cstr(out, "\nThis is a MIME-encapsulated message.\n");
}

static void begin_part(struct draft *draft, const char *description, const char *suffix,
                       const char *type, bool eight_bit)
{
    str_printf(&draft->text,
               "\n--%s\nContent-Description: %s%s\nContent-Type: %s\n%s\n",
               draft->boundary, description, suffix, type,
               eight_bit ? "Content-Transfer-Encoding: 8bit\n" : "");
}

/* --- the three parts -------------------------------------------------------------- */

static void add_text_part(struct draft *draft)
{
    const struct notice *notice = draft->notice;
    const struct notice_template *template =
        &notice->bouncer->templates.of[notice->template];
    STR_AUTO struct str type = {0};
    bool utf8 = conf_bool(draft->conf, P_smtputf8_enable);
    str_add_cstr(&type, "text/plain; charset=");
    str_add(&type, utf8 ? VIEW("utf-8") : template->charset);
    begin_part(draft, "Notification", "", str_ptr(&type), draft->eight_bit);
    if (!notice->to_postmaster) {
        notice_template_expand(template, notice->template, draft->conf, &draft->text);
    }
    for (size_t i = 0; i < notice->record_count; i++) {
        str_add_byte(&draft->text, '\n');
        report_text(&notice->records[i], &draft->text);
        flush(draft);
    }
}

static void add_fields_part(struct draft *draft)
{
    const struct notice *notice = draft->notice;
    struct str *out = &draft->text;
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str sender = {0};
    int64_t retry_until = 0;
    if (notice->kind == BOUNCE_DELAYED) {
        retry_until = notice->message->arrival_time +
                      conf_time(draft->conf, P_maximal_queue_lifetime);
    }
    begin_part(draft, "Delivery report", "",
               draft->utf8 ? "message/global-delivery-status"
                           : "message/delivery-status",
               draft->utf8);
    str_printf(out, "Reporting-MTA: dns; %s\n", conf_str(draft->conf, P_myhostname));
    if (notice->envelope_id.len > 0) {
        str_printf(out, "Original-Envelope-Id: %.*s\n", VIEW_ARG(notice->envelope_id));
    }
    address_quote(notice->sender, &sender);
    mail_date(notice->message->arrival_time, date);
    str_printf(out, "X-Postfix-Queue-ID: %s\nX-Postfix-Sender: %s; %s\n",
               notice->queue_id, view_is_ascii(notice->sender) ? "rfc822" : "utf-8",
               str_ptr(&sender));
    str_printf(out, "Arrival-Date: %s\n", date);
    for (size_t i = 0; i < notice->record_count; i++) {
        str_add_byte(out, '\n');
        report_fields(&notice->records[i], retry_until, out);
        flush(draft);
    }
}

static const char *returned_type(const struct draft *draft)
{
    if (draft->notice->content == CONTENT_HEADERS) {
        return draft->utf8 ? "message/global-headers" : "text/rfc822-headers";
    }
    return draft->utf8 ? "message/global" : "message/rfc822";
}

/* Length of the header section in TEXT, or text.len when its end is not in it. */
static size_t header_length(struct view text)
{
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] == '\n') {
            return at;
        }
        at += view_index(view_from(text, at), '\n') + 1;
    }
    return text.len;
}

/* Headers above CHUNK_BYTES are cut: who needs them has the message. */
static enum outcome copy_content(struct draft *draft, struct err *err)
{
    const struct notice *notice = draft->notice;
    bool headers_only = notice->content == CONTENT_HEADERS;
    CHECK(notice->fd >= 0);
    int64_t offset = notice->message->content_offset;
    int64_t rest = notice->message->content_size;
    STR_AUTO struct str chunk = {0};
    while (rest > 0 && submit_ok(draft->submit)) {
        size_t wanted = rest < CHUNK_BYTES ? (size_t)rest : CHUNK_BYTES;
        str_clear(&chunk);
        char *room = str_reserve(&chunk, wanted);
        CHECK(room != NULL);
        if (file_pread_all(notice->fd, room, wanted, offset) != (ssize_t)wanted) {
            return err_temp(err, "4.3.0", "read message %s: %m", notice->queue_id);
        }
        struct view data = view_of(room, wanted);
        submit_content(draft->submit,
                       headers_only ? view_first(data, header_length(data)) : data);
        offset += (int64_t)wanted;
        rest = headers_only ? 0 : rest - (int64_t)wanted;
    }
    return OK;
}

static enum outcome add_returned_part(struct draft *draft, struct err *err)
{
    const struct notice *notice = draft->notice;
    STR_AUTO struct str sender = {0};
    address_quote(notice->sender, &sender);
    begin_part(draft, notice->description,
               notice->content == CONTENT_HEADERS ? " Headers" : "",
               returned_type(draft), draft->eight_bit);
    str_printf(&draft->text, "Return-Path: <%s>\n", str_ptr(&sender));
    flush(draft);
    enum outcome outcome = copy_content(draft, err);
    str_printf(&draft->text, "\n--%s--\n", draft->boundary);
    flush(draft);
    return outcome;
}

/* --- sending ---------------------------------------------------------------------- */

static enum outcome finish(struct draft *draft, struct err *err)
{
    char id[QUEUE_ID_MAX];
    struct submit_result result;
    (void)snprintf(id, sizeof(id), "%s", submit_queue_id(draft->submit));
    submit_finish(draft->submit, &result);
    if (result.status != SUBMIT_OK) {
        return err_temp(err, "4.3.0", "submit notice: %s", result.text);
    }
    log_info("%s: %s: %s", draft->notice->queue_id, draft->notice->what, id);
    return OK;
}

static enum outcome compose(struct draft *draft, struct err *err)
{
    send_envelope(draft);
    add_headers(draft);
    add_text_part(draft);
    add_fields_part(draft);
    if (add_returned_part(draft, err) != OK) {
        submit_abort(draft->submit);
        return TEMPFAIL;
    }
    return finish(draft, err);
}

enum outcome notice_send(const struct notice *notice, struct err *err)
{
    struct draft draft = {.notice = notice, .conf = notice->bouncer->conf};
    CHECK(notice->record_count > 0 && notice->what != NULL);
    draft.utf8 = needs_utf8(notice);
    draft.eight_bit = conf_bool(draft.conf, P_smtputf8_enable) || draft.utf8 ||
                      (notice->message->flags & QUEUE_FILE_8BITMIME) != 0;
    (void)snprintf(draft.boundary, sizeof(draft.boundary), "%s.%lld/%s",
                   notice->queue_id, (long long)time(NULL),
                   conf_str(draft.conf, P_myhostname));
    draft.submit =
        submit_begin(notice->bouncer->cleanup,
                     SUBMIT_LOCAL_CONTEXT | SUBMIT_INTERNAL | SUBMIT_MAP, err);
    if (draft.submit == NULL) {
        return TEMPFAIL;
    }
    enum outcome outcome = compose(&draft, err);
    str_done(&draft.text);
    return outcome;
}
