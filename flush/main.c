/* SPDX-License-Identifier: MIT */
/*
 * flush: finds the deferred mail for one site (ETRN, postqueue -s) and has the queue
 * manager try that, and nothing else, now.  It keeps no books: which message is for
 * whom stands in the queue files, and reading their envelopes takes seconds where a
 * site's list could be wrong for days.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "rpc/notify.h"
#include "service/service.h"
#include "sys/file.h"

struct flush {
    struct queue_dirs *dirs;
    struct notify_channel *qmgr;
};

static bool is_for_site(const struct queue_message *message, struct view site)
{
    for (size_t i = 0; i < message->record_count; i++) {
        const struct queue_record *record = &message->records[i];
        if (record->type == QUEUE_RECORD_RECIPIENT &&
            record->recipient.state == RECIPIENT_PENDING &&
            view_equal_nocase(address_split(record->recipient.address).domain, site)) {
            return true;
        }
    }
    return false;
}

static void tell_qmgr(struct flush *flush, struct view id)
{
    if (!notify_channel_send(flush->qmgr, NOTIFY_FLUSH_ID, id)) {
        log_warning("cannot reach the queue manager to flush %.*s", VIEW_ARG(id));
    }
}

static void flush_site(struct flush *flush, struct view site)
{
    char id[QUEUE_ID_MAX];
    struct queue_scan *scan = queue_scan_open(flush->dirs, QUEUE_DEFERRED);
    while (queue_scan_next(scan, id)) {
        FD_AUTO int fd = queue_open(flush->dirs, QUEUE_DEFERRED, id, O_RDONLY);
        struct arena arena = {0};
        struct queue_message message;
        if (fd >= 0 && queue_file_read(fd, &arena, &message, NULL) == OK &&
            is_for_site(&message, site)) {
            tell_qmgr(flush, view_cstr(id));
        }
        arena_clear(&arena);
    }
    queue_scan_close(&scan);
}

static void flush_ready(struct service_context *context)
{
    struct flush *flush = xcalloc(1, sizeof(*flush));
    STR_AUTO struct str path = {0};
    str_printf(&path, "public/%s", conf_str(context->conf, P_queue_service_name));
    flush->dirs = queue_dirs_new(context->conf);
    flush->qmgr = notify_channel_new(str_ptr(&path));
    context->state = flush;
}

static void flush_close(struct service_context *context)
{
    struct flush *flush = context->state;
    notify_channel_free(&flush->qmgr);
    queue_dirs_free(&flush->dirs);
    free(flush);
}

static void flush_session(struct service_context *context, struct stream *client)
{
    enum notify_frame kind;
    struct view text;
    while (notify_receive(client, &kind, &text)) {
        if (kind == NOTIFY_FLUSH_SITE) {
            STR_AUTO struct str site = {0}; /* TEXT does not outlive the next read */
            str_set(&site, text);
            flush_site(context->state, str_view(&site));
        } else if (kind == NOTIFY_FLUSH_ID && queue_id_valid(text)) {
            tell_qmgr(context->state, text);
        } else if (kind != NOTIFY_WAKEUP && kind != NOTIFY_FLUSH_ID) {
            log_warning("request of unknown kind %d ignored", (int)kind);
        }
    }
}

static const struct service flush_service = {
    .name = "flush",
    .kind = SERVICE_EXCLUSIVE,
    .ready = flush_ready,
    .session = flush_session,
    .close = flush_close,
};

int main(int argc, char **argv)
{
    return service_main(&flush_service, argc, argv);
}
