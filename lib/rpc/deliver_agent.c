/* SPDX-License-Identifier: MIT */
#include "rpc/deliver_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/ascii.h"
#include "sys/clock.h"
#include "sys/file.h"

/* Queue names come from the queue manager, but a path is never built from unchecked
 * bytes. */
static const char *known_queue(struct view name)
{
    static const char *const queues[] = {QUEUE_ACTIVE, QUEUE_INCOMING, QUEUE_DEFERRED};
    for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
        if (view_equal_cstr(name, queues[i])) {
            return queues[i];
        }
    }
    return NULL;
}

int deliver_open_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct err *err)
{
    const char *queue = known_queue(request->queue_name);
    if (queue == NULL || !queue_id_valid(request->queue_id)) {
        (void)err_temp(err, "4.3.0", "malformed delivery request");
        return -1;
    }
    char id[QUEUE_ID_MAX];
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    int fd = queue_open(dirs, queue, id, O_RDWR);
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "open queue file %s/%s: %m", queue, id);
        return -1;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        (void)err_temp(err, "4.3.0", "lock queue file %s/%s: %m", queue, id);
        fd_close(&fd);
        return -1;
    }
    return fd;
}

void deliver_split_dsn(struct view text, const char *default_dsn, struct view *dsn_out,
                       struct view *text_out)
{
    size_t len = 0;
    unsigned dots = 0;
    while (len < text.len && (ascii_digit(text.ptr[len]) || text.ptr[len] == '.')) {
        dots += text.ptr[len] == '.';
        len++;
    }
    bool is_code = dots == 2 && len >= 5 && len <= 9 &&
                   (len == text.len || ascii_space(text.ptr[len])) &&
                   (text.ptr[0] == '2' || text.ptr[0] == '4' || text.ptr[0] == '5');
    *dsn_out = is_code ? view_first(text, len) : view_cstr(default_dsn);
    *text_out = view_trim(is_code ? view_from(text, len) : text);
}

static const char *status_word(const struct conf *conf,
                               const struct deliver_request *request,
                               struct deliver_outcome *outcome)
{
    bool probe = (request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    switch (outcome->status) {
    case DELIVER_SENT:
        return probe ? "deliverable" : "sent";
    case DELIVER_BOUNCED:
        if (!probe && conf_bool(conf, P_soft_bounce)) {
            outcome->status = DELIVER_DEFERRED;
            return "SOFTBOUNCE";
        }
        return probe ? "undeliverable" : "bounced";
    case DELIVER_DEFERRED:
        break;
    }
    return probe ? "undeliverable" : "deferred";
}

void deliver_report(const struct conf *conf, const struct deliver_request *request,
                    size_t index, const char *relay, const struct delivery_times *times,
                    struct arena *arena, struct deliver_outcome *outcome)
{
    char id[QUEUE_ID_MAX];
    char dsn[16];
    const struct queue_recipient *recipient = &request->recipients[index];
    const char *word = status_word(conf, request, outcome);
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    (void)snprintf(dsn, sizeof(dsn), "%.*s", VIEW_ARG(outcome->dsn));
    if (outcome->status == DELIVER_DEFERRED && dsn[0] == '5') {
        dsn[0] = '4'; /* soft_bounce: the same detail, but temporary (RFC 3463 2) */
        outcome->dsn = arena_view(arena, view_cstr(dsn));
    }
    STR_AUTO struct str text = {0};
    str_add(&text, outcome->reason);
    struct delivery_times final = *times;
    if (final.done == 0) {
        final.done = clock_wall();
    }
    delivery_status_log(id, recipient->address, recipient->original, relay, &final, dsn,
                        word, str_ptr(&text));
    if (outcome->status == DELIVER_SENT) {
        /* For success reports, which say how it went (RFC 3464 2.3.3). */
        outcome->reason = view_cstr(
            arena_printf(arena, "delivery via %s: %s", relay, str_ptr(&text)));
    }
}
