/* SPDX-License-Identifier: MIT */
/*
 * Who is told what.
 *
 *   failed    the sender; postmaster, too, with "bounce" in notify_classes
 *   failed    and no sender to tell: postmaster, with "2bounce" in notify_classes
 *   delayed   the sender; postmaster, too, with "delay"
 *   trace     the sender
 *
 * What postmaster cannot be told is dropped: somewhere it must end.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "bounce/bounce.h"
#include "mail/address.h"
#include "sys/file.h"

struct request {
    const struct bouncer *bouncer;
    const struct bounce_request *asked;
    struct arena arena;
    struct queue_message message;
    struct delivery_record *records;
    struct notice notice; /* what all notices of this request have in common */
};

static bool has_class(const struct conf *conf, const char *name)
{
    struct view rest = view_cstr(conf_str(conf, P_notify_classes));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_nocase_cstr(item, name)) {
            return true;
        }
    }
    return false;
}

/* Is ADDRESS the sender of our notices to postmaster? */
static bool is_double_bounce(const struct conf *conf, struct view address)
{
    struct address_parts own =
        address_split(view_cstr(conf_str(conf, P_double_bounce_sender)));
    struct address_parts parts = address_split(address);
    struct view domain =
        own.has_domain ? own.domain : view_cstr(conf_str(conf, P_myorigin));
    return view_equal_nocase(parts.local, own.local) &&
           (!parts.has_domain || view_equal_nocase(parts.domain, domain));
}

/* --- the records ------------------------------------------------------------------ */

static const char *log_name(enum bounce_kind kind)
{
    switch (kind) {
    case BOUNCE_FAILED:
        return QUEUE_BOUNCE_LOG;
    case BOUNCE_DELAYED:
        return QUEUE_DEFER_LOG;
    case BOUNCE_TRACE:
        break;
    }
    return QUEUE_TRACE_LOG;
}

/* Without NOTIFY= failures and delays are reported. */
static bool is_wanted(enum bounce_kind kind, uint8_t notify)
{
    switch (kind) {
    case BOUNCE_FAILED:
        return notify == 0 || (notify & DSN_NOTIFY_FAILURE) != 0;
    case BOUNCE_DELAYED:
        return notify == 0 || (notify & DSN_NOTIFY_DELAY) != 0;
    case BOUNCE_TRACE:
        break;
    }
    return true;
}

static enum outcome read_records(struct request *request, struct err *err)
{
    struct notice *notice = &request->notice;
    struct delivery_record *records;
    size_t count;
    enum outcome outcome =
        delivery_log_read(request->bouncer->dirs, log_name(request->asked->kind),
                          notice->queue_id, &request->arena, &records, &count, err);
    if (outcome != OK) {
        return outcome;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(request->asked->kind, records[i].dsn_notify)) {
            records[kept++] = records[i];
        }
    }
    request->records = records;
    notice->records = records;
    notice->record_count = kept;
    return OK;
}

static enum outcome open_message(struct request *request, struct err *err)
{
    struct notice *notice = &request->notice;
    char *queue = arena_cstr(&request->arena, request->asked->queue_name);
    notice->fd = queue_open(request->bouncer->dirs, queue, notice->queue_id, O_RDONLY);
    if (notice->fd < 0) {
        return err_temp(err, "4.3.0", "open %s/%s: %m", queue, notice->queue_id);
    }
    return queue_file_read(notice->fd, &request->arena, &request->message, err);
}

/* A null sender is shown as the address that its replies would have. */
static struct view shown_sender(struct request *request)
{
    if (request->message.sender.len > 0) {
        return request->message.sender;
    }
    return view_cstr(arena_printf(&request->arena, "MAILER-DAEMON@%s",
                                  conf_str(request->bouncer->conf, P_myorigin)));
}

/* --- notices ---------------------------------------------------------------------- */

static bool is_large(const struct request *request)
{
    return request->message.content_size >
           conf_int(request->bouncer->conf, P_bounce_size_limit);
}

static enum outcome tell_postmaster(struct request *request, const char *what,
                                    enum param recipient, enum notice_content content,
                                    struct err *err)
{
    struct notice notice = request->notice;
    notice.to_postmaster = true;
    notice.recipient = view_cstr(conf_str(request->bouncer->conf, recipient));
    notice.what = what;
    notice.content = content;
    return notice_send(&notice, err);
}

static enum outcome tell_sender(struct request *request, const char *what,
                                enum notice_content content, struct err *err)
{
    struct notice notice = request->notice;
    notice.recipient = request->message.sender;
    notice.what = what;
    notice.content = content;
    return notice_send(&notice, err);
}

static enum outcome serve_failed(struct request *request, struct err *err)
{
    const struct conf *conf = request->bouncer->conf;
    enum notice_content content = is_large(request) ? CONTENT_HEADERS : CONTENT_FULL;
    request->notice.template = TEMPLATE_FAILURE;
    request->notice.description = "Undelivered Message";
    if (request->message.sender.len == 0) {
        return has_class(conf, "2bounce")
                   ? tell_postmaster(request, "postmaster non-delivery notification",
                                     P_2bounce_notice_recipient, content, err)
                   : OK;
    }
    if (request->asked->dsn_ret == DSN_RET_HDRS) {
        content = CONTENT_HEADERS;
    }
    enum outcome outcome =
        tell_sender(request, "sender non-delivery notification", content, err);
    if (outcome == OK && has_class(conf, "bounce")) {
        outcome = tell_postmaster(request, "postmaster non-delivery notification",
                                  P_bounce_notice_recipient, CONTENT_HEADERS, err);
    }
    return outcome;
}

static enum outcome serve_delayed(struct request *request, struct err *err)
{
    enum outcome outcome = OK;
    request->notice.template = TEMPLATE_DELAY;
    request->notice.description = "Undelivered Message";
    if (request->message.sender.len > 0) {
        outcome =
            tell_sender(request, "sender delay notification", CONTENT_HEADERS, err);
    }
    if (outcome == OK && has_class(request->bouncer->conf, "delay")) {
        outcome = tell_postmaster(request, "postmaster delay notification",
                                  P_delay_notice_recipient, CONTENT_HEADERS, err);
    }
    return outcome;
}

/* What would have become of a recipient, had this been more than a question. */
static void mark_as_verified(struct request *request, struct delivery_record *records)
{
    for (size_t i = 0; i < request->notice.record_count; i++) {
        bool failed = records[i].dsn.len == 0 || records[i].dsn.ptr[0] != '2';
        records[i].action = failed ? VIEW("undeliverable") : VIEW("deliverable");
    }
}

static enum outcome serve_trace(struct request *request, struct err *err)
{
    unsigned on_request = QUEUE_FILE_VERIFY_ONLY | QUEUE_FILE_RECORD_TRACE;
    if (request->message.sender.len == 0) {
        return OK;
    }
    request->notice.template =
        (request->message.flags & on_request) != 0 ? TEMPLATE_VERIFY : TEMPLATE_SUCCESS;
    request->notice.description = "Message";
    if ((request->message.flags & QUEUE_FILE_VERIFY_ONLY) != 0) {
        mark_as_verified(request, request->records);
    }
    return tell_sender(request, "sender delivery status notification", CONTENT_HEADERS,
                       err);
}

static enum outcome serve(struct request *request, struct err *err)
{
    if (is_double_bounce(request->bouncer->conf, request->message.sender)) {
        if (request->asked->kind == BOUNCE_FAILED) {
            log_warning("%s: undeliverable postmaster notification discarded",
                        request->notice.queue_id);
        }
        return OK;
    }
    switch (request->asked->kind) {
    case BOUNCE_FAILED:
        return serve_failed(request, err);
    case BOUNCE_DELAYED:
        return serve_delayed(request, err);
    case BOUNCE_TRACE:
        break;
    }
    return serve_trace(request, err);
}

enum outcome request_serve(const struct bouncer *bouncer,
                           const struct bounce_request *asked, struct err *err)
{
    struct request request = {.bouncer = bouncer, .asked = asked};
    struct notice *notice = &request.notice;
    notice->bouncer = bouncer;
    notice->kind = asked->kind;
    notice->fd = -1;
    notice->envelope_id = asked->dsn_envid;
    notice->message = &request.message;
    notice->queue_id = arena_cstr(&request.arena, asked->queue_id);
    enum outcome outcome = read_records(&request, err);
    if (outcome == OK && notice->record_count > 0) {
        outcome = open_message(&request, err);
        if (outcome == OK) {
            notice->sender = shown_sender(&request);
            outcome = serve(&request, err);
        }
    }
    fd_close(&notice->fd);
    arena_clear(&request.arena);
    return outcome;
}
