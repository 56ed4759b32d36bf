/* SPDX-License-Identifier: MIT */
/*
 * tcp: tables.  A question is a line "get KEY", the answer a line with a status and a
 * text, both with %XX for what would not survive in a line (tcp_table(5)).
 */
#include "map/tcp_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "map/map_private.h"
#include "map/peer.h"
#include "sys/clock.h"
#include "task/task.h"

/* A server that is being started anew gets this long. */
enum { TRIES = 10, TRY_PAUSE = CLOCK_SECOND };

struct tcp_map {
    struct map map;
    struct peer *peer;
};

/* --- the protocol ------------------------------------------------------------ */

static void add_encoded(struct str *out, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (ascii_printable(c) && c != ' ' && c != '%') {
            str_add_byte(out, c);
        } else {
            str_printf(out, "%%%02X", (unsigned char)c);
        }
    }
}

static bool add_decoded(struct str *out, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? ascii_hex(text.ptr[i + 2]) : -1;
            if (low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') { /* ends strings elsewhere: half an answer is a wrong one */
            return false;
        }
        str_add_byte(out, c);
    }
    return true;
}

enum map_result tcp_reply_parse(struct view line, struct str *value_out,
                                struct err *err)
{
    struct view status = view_first(line, 3);
    STR_AUTO struct str text = {0};
    if (line.len < 4 || line.ptr[3] != ' ' || !add_decoded(&text, view_from(line, 4))) {
        (void)err_temp(err, "4.3.0", "malformed reply: %.*s",
                       VIEW_ARG(view_first(line, 100)));
        return MAP_ERROR;
    }
    if (view_equal(status, VIEW("200"))) {
        str_add(value_out, str_view(&text));
        return MAP_FOUND;
    }
    if (view_equal(status, VIEW("500"))) {
        return MAP_MISSING;
    }
    bool later = view_equal(status, VIEW("400"));
    (void)err_temp(err, "4.3.0", "%s: %.*s", later ? "server says" : "bad status code",
                   VIEW_ARG(view_first(later ? str_view(&text) : line, 100)));
    return MAP_ERROR;
}

/* --- lookups ----------------------------------------------------------------- */

struct question {
    struct view key;
    struct str *value_out;
    struct err *err;
    enum map_result result;
};

static bool exchange(void *context, struct stream *stream)
{
    struct question *question = context;
    STR_AUTO struct str request = {0};
    str_add_cstr(&request, "get ");
    add_encoded(&request, question->key);
    str_add_byte(&request, '\n');
    if (!str_ok(&request)) {
        stream_fail(stream, EMSGSIZE);
        return false;
    }
    stream_write(stream, str_view(&request));
    struct view line;
    bool complete = false;
    if (!stream_flush(stream) ||
        !stream_read_line(stream, TCP_REPLY_MAX - 1, &line, &complete)) {
        return false;
    }
    if (!complete) {
        stream_fail(stream, EMSGSIZE); /* EOF stays what it is */
        return false;
    }
    question->result = tcp_reply_parse(line, question->value_out, question->err);
    return true;
}

static bool ask_again(const struct tcp_map *self, int tries)
{
    return tries < TRIES && peer_failures(self->peer) < TRIES &&
           task_sleep_until(clock_now() + TRY_PAUSE) != TASK_CANCELLED;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct tcp_map *self = (struct tcp_map *)map;
    struct question question = {key, value_out, err, MAP_ERROR};
    int tries = 0;
    enum outcome outcome;
    do {
        outcome = peer_ask(self->peer, exchange, &question, err);
        if (outcome != OK) {
            log_warning("table %s lookup error: %s", map->title, err->text);
        }
    } while (outcome != OK && ask_again(self, ++tries));
    if (outcome == OK && question.result == MAP_ERROR) {
        log_warning("table %s lookup error: %s", map->title, err->text);
    }
    return question.result;
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct tcp_map *self = (struct tcp_map *)map;
    peer_close(&self->peer);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    if (!map_check_authentic(spec, err)) {
        return NULL;
    }
    char *endpoint = xasprintf("inet:%s", spec->name);
    struct peer *peer =
        peer_open(view_cstr(endpoint), conf_time(spec->conf, P_tcp_table_timeout), err);
    free(endpoint);
    if (peer == NULL) {
        return NULL;
    }
    struct tcp_map *self = xcalloc(1, sizeof(*self));
    self->peer = peer;
    return &self->map;
}

/* The server does what it likes with keys: no partial ones, as with patterns. */
const struct map_type map_type_tcp = {.name = "tcp",
                                      .properties = MAP_TYPE_PATTERN,
                                      .open = open_map,
                                      .close = close_map,
                                      .find = find};
