/* SPDX-License-Identifier: MIT */
#include "rpc/deliver_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "mail/queue_file.h"
#include "sys/clock.h"
#include "sys/file.h"

/* Content up to this size is read once and kept, for checking and for copying. */
enum { CONTENT_LOAD_MAX = 64 * 1024 };

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

/* A file that was damaged on the disk must not reach anybody. */
static enum outcome verify_content(int fd, const struct deliver_request *request,
                                   struct err *err)
{
    const struct queue_message message = {.content_offset = request->content_offset,
                                          .content_size = request->content_size,
                                          .content_sum = request->content_sum};
    return queue_file_verify_content(fd, &message, err);
}

static int open_locked(const struct queue_dirs *dirs,
                       const struct deliver_request *request, struct err *err)
{
    const char *queue = known_queue(request->queue_name);
    if (queue == NULL || !queue_id_valid(request->queue_id) ||
        request->content_offset < 0 || request->content_size < 0) {
        (void)err_temp(err, "4.3.0", "malformed delivery request");
        return -1;
    }
    char id[QUEUE_ID_MAX];
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    int fd = queue_open(dirs, queue, id, O_RDWR);
    if (fd < 0 && errno == ENOENT && strcmp(queue, QUEUE_INCOMING) == 0) {
        /* The queue manager has moved it since. */
        fd = queue_open(dirs, QUEUE_ACTIVE, id, O_RDWR);
    }
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "open queue file %s/%s: %m", queue, id);
        return -1;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        (void)err_temp(err, "4.3.0", "lock queue file %s/%s: %m", queue, id);
        fd_close(&fd);
    }
    return fd;
}

int deliver_open_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct err *err)
{
    int fd = open_locked(dirs, request, err);
    if (fd >= 0 && verify_content(fd, request, err) != OK) {
        fd_close(&fd);
    }
    return fd;
}

static enum outcome load_content(int fd, const struct deliver_request *request,
                                 struct arena *arena, struct view *content_out,
                                 struct err *err)
{
    size_t size = (size_t)request->content_size;
    char *bytes = arena_alloc(arena, size + 1);
    ssize_t got = file_pread_all(fd, bytes, size, request->content_offset);
    *content_out = view_of(bytes, size);
    if (got < 0) {
        return err_temp(err, "4.3.0", "read queue file: %m");
    }
    if ((size_t)got < size ||
        !queue_content_matches(*content_out, request->content_sum)) {
        return err_perm(err, "5.3.0", "damaged queue file: content sum");
    }
    return OK;
}

int deliver_load_message(const struct queue_dirs *dirs,
                         const struct deliver_request *request, struct arena *arena,
                         struct view *content_out, struct err *err)
{
    *content_out = view_of(NULL, 0);
    if (request->content_size > CONTENT_LOAD_MAX) {
        return deliver_open_message(dirs, request, err);
    }
    int fd = open_locked(dirs, request, err);
    if (fd >= 0 && load_content(fd, request, arena, content_out, err) != OK) {
        fd_close(&fd);
    }
    return fd;
}

static bool all_sent(const struct deliver_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++) {
        if (reply->outcomes[i].status != DELIVER_SENT) {
            return false;
        }
    }
    return true;
}

static bool remove_file(const struct queue_dirs *dirs,
                        const struct deliver_request *request)
{
    char id[QUEUE_ID_MAX];
    const char *queue = known_queue(request->queue_name);
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    return queue_remove(dirs, queue, id) ||
           (errno == ENOENT && strcmp(queue, QUEUE_INCOMING) == 0 &&
            queue_remove(dirs, QUEUE_ACTIVE, id));
}

void deliver_conclude(const struct queue_dirs *dirs,
                      const struct deliver_request *request, int fd,
                      struct deliver_reply *reply)
{
    CHECK(reply->count == request->recipient_count);
    if ((request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0) {
        return; /* it was only asked whether it could be done */
    }
    if (request->may_remove && all_sent(reply) && remove_file(dirs, request)) {
        reply->removed = true;
        return;
    }
    for (size_t i = 0; i < reply->count; i++) {
        if (reply->outcomes[i].status == DELIVER_SENT &&
            !queue_file_mark_done(fd, request->recipients[i].state_offset)) {
            log_warning("%.*s: mark recipient as done: %m",
                        VIEW_ARG(request->queue_id));
        }
    }
}

void deliver_refuse(const struct conf *conf, const struct deliver_request *request,
                    const char *relay, const struct err *err, struct arena *arena,
                    struct deliver_reply *reply)
{
    int64_t now = clock_wall();
    const struct delivery_times times = {.arrival = request->arrival_time,
                                         .active = request->active_time,
                                         .handed = now,
                                         .done = now};
    *reply = (struct deliver_reply){.count = request->recipient_count,
                                    .damaged = err->outcome == PERMFAIL};
    reply->outcomes = arena_alloc(arena, reply->count * sizeof(*reply->outcomes));
    for (size_t i = 0; i < reply->count; i++) {
        reply->outcomes[i] =
            (struct deliver_outcome){.status = DELIVER_DEFERRED,
                                     .dsn = arena_view(arena, view_cstr(err->dsn)),
                                     .reason = arena_view(arena, view_cstr(err->text)),
                                     .diagnostic_type = VIEW("X-Postfix")};
        deliver_report(conf, request, i, relay, &times, arena, &reply->outcomes[i]);
    }
}

/* Digits at the start of TEXT: 1 to 3 of them, or 0. */
static size_t dsn_number(struct view text)
{
    size_t len = 0;
    while (len < text.len && ascii_digit(text.ptr[len])) {
        len++;
    }
    return len <= 3 ? len : 0;
}

size_t deliver_dsn_length(struct view text)
{
    char class = text.len >= 5 ? text.ptr[0] : '\0';
    if ((class != '2' && class != '4' && class != '5') || text.ptr[1] != '.') {
        return 0;
    }
    size_t subject = dsn_number(view_from(text, 2));
    size_t at = 2 + subject;
    if (subject == 0 || at == text.len || text.ptr[at] != '.') {
        return 0;
    }
    size_t detail = dsn_number(view_from(text, at + 1));
    at += 1 + detail;
    bool ends = at == text.len || ascii_space(text.ptr[at]);
    return detail > 0 && ends ? at : 0;
}

void deliver_split_dsn(struct view text, const char *default_dsn, struct view *dsn_out,
                       struct view *text_out)
{
    size_t len = deliver_dsn_length(text);
    *dsn_out = len > 0 ? view_first(text, len) : view_cstr(default_dsn);
    *text_out = view_trim(view_from(text, len));
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

/* soft_bounce keeps the detail of a code and makes it temporary (RFC 3463 2). */
static void soften(struct deliver_outcome *outcome, struct arena *arena)
{
    if (outcome->status == DELIVER_DEFERRED && outcome->dsn.len > 0 &&
        outcome->dsn.ptr[0] == '5') {
        outcome->dsn = view_cstr(
            arena_printf(arena, "4%.*s", VIEW_ARG(view_from(outcome->dsn, 1))));
    }
}

void deliver_report(const struct conf *conf, const struct deliver_request *request,
                    size_t index, const char *relay, const struct delivery_times *times,
                    struct arena *arena, struct deliver_outcome *outcome)
{
    char id[QUEUE_ID_MAX];
    char dsn[16];
    const struct queue_recipient *recipient = &request->recipients[index];
    CHECK(index < request->recipient_count);
    const char *word = status_word(conf, request, outcome);
    soften(outcome, arena);
    (void)snprintf(id, sizeof(id), "%.*s", VIEW_ARG(request->queue_id));
    (void)snprintf(dsn, sizeof(dsn), "%.*s", VIEW_ARG(outcome->dsn));
    outcome->relay = view_cstr(arena_strdup(arena, relay));
    if (outcome->reason.len == 0) {
        outcome->reason = VIEW("?"); /* the log line's form asks for something */
    }
    STR_AUTO struct str text = {0};
    str_add(&text, outcome->reason);
    struct delivery_times final = *times;
    if (final.done == 0) {
        final.done = clock_wall();
    }
    delivery_status_log(id, recipient->address, recipient->original, relay, &final, dsn,
                        word, str_ptr(&text));
}
