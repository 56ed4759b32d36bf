/* SPDX-License-Identifier: MIT */
/*
 * Connections to policy services.  They are kept for a while, for who asks next.  A
 * request that gets no answer is made again, on another connection, a few times.
 */
#include "smtpd/access/policy_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/number.h"
#include "net/dial.h"
#include "net/stream.h"
#include "sys/clock.h"
#include "task/task.h"

enum { IDLE_MOST = 20, LINE_MOST = 32 * 1024, LINES_MOST = 100 };

struct policy_service {
    char *name;
    struct dial_target target;
    int64_t timeout, max_idle, max_ttl, retry_delay;
    int try_limit, request_limit;
    char *default_action, *context;
    struct list idle; /* of struct line, the most recently used first */
    size_t idle_count;
    struct task_timer sweep;
    bool sweeping;
};

struct line {
    struct list node;
    struct stream *stream;
    int64_t born, idle_since;
    int requests;
    bool reused; /* the server may have closed it meanwhile */
};

/* --- settings ------------------------------------------------------------------------
 */

static bool set_time(int64_t *out, struct view value, struct err *err)
{
    if (conf_parse_time(value, 's', out) && *out > 0) {
        return true;
    }
    (void)err_perm(err, "5.3.5", "bad time value or unit: %.*s", VIEW_ARG(value));
    return false;
}

static bool set_number(int *out, struct view value, struct err *err)
{
    uint64_t number;
    if (number_parse_u64(value, INT32_MAX, &number)) {
        *out = (int)number;
        return true;
    }
    (void)err_perm(err, "5.3.5", "bad numerical value: %.*s", VIEW_ARG(value));
    return false;
}

static bool set_text(char **out, struct view value)
{
    free(*out);
    *out = xviewdup(value);
    return true;
}

static bool set_option(struct policy_service *service, struct view name,
                       struct view value, struct err *err)
{
    if (view_equal_cstr(name, "timeout")) {
        return set_time(&service->timeout, value, err);
    }
    if (view_equal_cstr(name, "max_idle")) {
        return set_time(&service->max_idle, value, err);
    }
    if (view_equal_cstr(name, "max_ttl")) {
        return set_time(&service->max_ttl, value, err);
    }
    if (view_equal_cstr(name, "retry_delay")) {
        return set_time(&service->retry_delay, value, err);
    }
    if (view_equal_cstr(name, "try_limit")) {
        return set_number(&service->try_limit, value, err);
    }
    if (view_equal_cstr(name, "request_limit")) {
        return set_number(&service->request_limit, value, err);
    }
    if (view_equal_cstr(name, "default_action")) {
        return set_text(&service->default_action, value);
    }
    if (view_equal_cstr(name, "policy_context")) {
        return set_text(&service->context, value);
    }
    (void)err_perm(err, "5.3.5", "unknown option: \"%.*s = %.*s\"", VIEW_ARG(name),
                   VIEW_ARG(value));
    return false;
}

static bool is_braced(struct view text)
{
    return text.len >= 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}';
}

static struct view without_braces(struct view text)
{
    return is_braced(text) ? view_trim(view_of(text.ptr + 1, text.len - 2)) : text;
}

/* "name=value", or "{ name = value with spaces }". */
static bool parse_option(struct policy_service *service, struct view item,
                         struct err *err)
{
    struct view text = without_braces(item);
    size_t equals = view_index(text, '=');
    if (equals == 0 || equals == text.len) {
        (void)err_perm(err, "5.3.5", "malformed option \"%.*s\": need name=value",
                       VIEW_ARG(item));
        return false;
    }
    return set_option(service, view_trim(view_first(text, equals)),
                      view_trim(view_from(text, equals + 1)), err);
}

static void set_defaults(struct policy_service *service, const struct conf *conf)
{
    service->timeout = conf_time(conf, P_smtpd_policy_service_timeout);
    service->max_idle = conf_time(conf, P_smtpd_policy_service_max_idle);
    service->max_ttl = conf_time(conf, P_smtpd_policy_service_max_ttl);
    service->retry_delay = conf_time(conf, P_smtpd_policy_service_retry_delay);
    service->try_limit = conf_int(conf, P_smtpd_policy_service_try_limit);
    service->request_limit = conf_int(conf, P_smtpd_policy_service_request_limit);
    service->default_action =
        xstrdup(conf_str(conf, P_smtpd_policy_service_default_action));
    service->context = xstrdup(conf_str(conf, P_smtpd_policy_service_policy_context));
    list_init(&service->idle);
}

static bool parse(struct policy_service *service, struct view text, struct err *err)
{
    struct view rest = without_braces(text);
    struct view item;
    if (!conf_list_next(&rest, &item)) {
        (void)err_perm(
            err, "5.3.5",
            "restriction check_policy_service must be followed by transport:server");
        return false;
    }
    service->name = xviewdup(item);
    if (dial_target_parse(item, &service->target, err) != OK) {
        return false;
    }
    while (is_braced(text) && conf_list_next(&rest, &item)) {
        if (!parse_option(service, item, err)) {
            return false;
        }
    }
    return true;
}

struct policy_service *policy_service_new(const struct conf *conf, struct view text,
                                          struct err *err)
{
    struct policy_service *service = xcalloc(1, sizeof(*service));
    set_defaults(service, conf);
    if (!parse(service, text, err)) {
        policy_service_free(&service);
    }
    return service;
}

const char *policy_service_name(const struct policy_service *service)
{
    return service->name;
}

const char *policy_service_default_action(const struct policy_service *service)
{
    return service->default_action;
}

const char *policy_service_context(const struct policy_service *service)
{
    return service->context;
}

/* --- connections
 * ---------------------------------------------------------------------- */

static void drop(struct line *line)
{
    CHECK(list_empty(&line->node));
    stream_free(&line->stream);
    free(line);
}

static void unlink_idle(struct policy_service *service, struct line *line)
{
    CHECK(service->idle_count > 0);
    list_remove(&line->node);
    service->idle_count--;
}

void policy_service_free(struct policy_service **service_ptr)
{
    struct policy_service *service = *service_ptr;
    if (service == NULL) {
        return;
    }
    LIST_EACH(&service->idle, node)
    {
        struct line *line = LIST_ITEM(node, struct line, node);
        unlink_idle(service, line);
        drop(line);
    }
    if (service->sweeping) {
        task_timer_done(&service->sweep);
    }
    dial_target_done(&service->target);
    free(service->name);
    free(service->default_action);
    free(service->context);
    free(service);
    *service_ptr = NULL;
}

static bool is_old(const struct policy_service *service, const struct line *line,
                   int64_t now)
{
    return now - line->idle_since >= service->max_idle ||
           now - line->born >= service->max_ttl;
}

/* Close what has been idle for too long, and come again when the next one will be. */
static void sweep(void *context)
{
    struct policy_service *service = context;
    int64_t now = clock_now();
    int64_t next = CLOCK_NEVER;
    LIST_EACH(&service->idle, node)
    {
        struct line *line = LIST_ITEM(node, struct line, node);
        if (is_old(service, line, now)) {
            unlink_idle(service, line);
            drop(line);
        } else if (line->idle_since + service->max_idle < next) {
            next = line->idle_since + service->max_idle;
        }
    }
    if (next != CLOCK_NEVER) {
        task_timer_set(&service->sweep, next);
    }
}

static void keep(struct policy_service *service, struct line *line)
{
    bool used_up =
        service->request_limit > 0 && line->requests >= service->request_limit;
    line->idle_since = clock_now();
    if (used_up || service->idle_count >= IDLE_MOST || !stream_ok(line->stream) ||
        stream_pending(line->stream) > 0 || is_old(service, line, line->idle_since)) {
        drop(line);
        return;
    }
    stream_trim(line->stream);
    list_add_head(&service->idle, &line->node);
    service->idle_count++;
    if (!service->sweeping) {
        service->sweeping = true;
        task_timer_init(&service->sweep, sweep, service);
    }
    if (service->idle_count == 1) {
        task_timer_set(&service->sweep, line->idle_since + service->max_idle);
    }
}

/* One that is fit for use: what can be read on it is its end, or no answer to what we
 * will ask. */
static struct line *take_idle(struct policy_service *service)
{
    int64_t now = clock_now();
    LIST_EACH(&service->idle, node)
    {
        struct line *line = LIST_ITEM(node, struct line, node);
        unlink_idle(service, line);
        if (!is_old(service, line, now) && !stream_readable_now(line->stream)) {
            line->reused = true;
            return line;
        }
        drop(line);
    }
    return NULL;
}

/* NULL with errno. */
static struct line *connect_line(struct policy_service *service)
{
    struct err err = {0};
    int fd = dial(&service->target, clock_now() + service->timeout, &err);
    if (fd < 0) {
        log_warning("connect to %s: %s", service->target.name, err.text);
        errno = err.code;
        return NULL;
    }
    struct line *line = xcalloc(1, sizeof(*line));
    list_init(&line->node);
    line->stream = stream_new(fd);
    line->born = clock_now();
    return line;
}

/* --- requests
 * ------------------------------------------------------------------------- */

enum policy_line policy_line_parse(struct view line, struct view *value_out)
{
    size_t equals = view_index(line, '=');
    if (line.len == 0) {
        return POLICY_LINE_END;
    }
    if (equals == 0 || equals == line.len) {
        return POLICY_LINE_BAD;
    }
    *value_out = view_trim(view_from(line, equals + 1));
    return view_equal_cstr(view_trim(view_first(line, equals)), "action")
               ? POLICY_LINE_ACTION
               : POLICY_LINE_OTHER;
}

/* Read up to the empty line.  False: the stream has come to its end, or what is in it
 * is no answer. */
bool policy_answer_read(struct stream *stream, const char *name, struct str *action_out)
{
    bool found = false;
    for (int i = 0; i < LINES_MOST; i++) {
        struct view text;
        struct view value;
        bool whole = false;
        if (!stream_read_line(stream, LINE_MOST, &text, &whole) || !whole) {
            return false;
        }
        switch (policy_line_parse(text, &value)) {
        case POLICY_LINE_ACTION:
            if (!found) {
                str_set(action_out, value);
            }
            found = true;
            break;
        case POLICY_LINE_OTHER:
            break;
        case POLICY_LINE_END:
            if (!found) {
                log_warning("missing attribute action in input from %s", name);
            }
            return found;
        case POLICY_LINE_BAD:
            log_warning("malformed line in input from %s: %.*s", name,
                        VIEW_ARG(view_first(text, 100)));
            return false;
        }
    }
    log_warning("too many lines in input from %s", name);
    return false;
}

/* errno: why there is no answer; 0: it is none of the system's reasons. */
static void set_errno(const struct stream *stream)
{
    switch (stream_state(stream)) {
    case STREAM_TIMEOUT:
        errno = ETIMEDOUT;
        break;
    case STREAM_CANCELLED:
        errno = ECANCELED;
        break;
    case STREAM_ERROR:
    case STREAM_EOF:
        errno = stream_errno(stream);
        break;
    case STREAM_OK:
        errno = 0;
        break;
    }
}

enum attempt { ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_STALE };

static enum attempt attempt(struct policy_service *service, struct view request,
                            struct str *action)
{
    struct line *line = take_idle(service);
    if (line == NULL && (line = connect_line(service)) == NULL) {
        return ATTEMPT_FAILED;
    }
    line->requests++;
    stream_set_deadline(line->stream, clock_now() + service->timeout);
    stream_write(line->stream, request);
    stream_write(line->stream, VIEW("\n"));
    if (stream_flush(line->stream) &&
        policy_answer_read(line->stream, service->target.name, action)) {
        keep(service, line);
        return ATTEMPT_DONE;
    }
    bool stale = line->reused && stream_state(line->stream) == STREAM_EOF;
    set_errno(line->stream);
    int reason = errno;
    drop(line);
    errno = reason;
    return stale ? ATTEMPT_STALE : ATTEMPT_FAILED;
}

/* A server that is being started again is news only when it does not come back. */
static void warn(const struct policy_service *service, bool last)
{
    int reason = errno;
    if (reason == 0) {
        if (last) {
            log_warning("problem talking to server %s: Application error",
                        service->target.name);
        }
    } else if (last || (reason != ENOENT && reason != ECONNRESET && reason != EPIPE)) {
        log_warning("problem talking to server %s: %s", service->target.name,
                    strerror(reason));
    }
}

bool policy_service_ask(struct policy_service *service, struct view request,
                        struct str *action_out)
{
    int tries = 0;
    for (;;) {
        enum attempt result = attempt(service, request, action_out);
        if (result == ATTEMPT_DONE) {
            return true;
        }
        if (result == ATTEMPT_STALE) {
            continue; /* its time had come: nobody's failure */
        }
        bool last = ++tries >= service->try_limit;
        warn(service, last);
        if (last ||
            task_sleep_until(clock_now() + service->retry_delay) == TASK_CANCELLED) {
            return false;
        }
    }
}
