/* SPDX-License-Identifier: MIT */
/*
 * socketmap: tables.  A question is a netstring "NAME KEY", the answer a netstring with
 * a word and a text (socketmap_table(5)).
 */
#include "map/socketmap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "map/map_private.h"
#include "map/peer.h"

struct socketmap {
    struct map map;
    struct peer *peer;
    char *name; /* of the table, as the server knows it */
    size_t reply_max;
};

/* --- the protocol ------------------------------------------------------------ */

/* The digits of a length and the colon. */
static bool read_length(struct stream *stream, size_t max, size_t *length_out)
{
    size_t length = 0;
    struct view byte;
    enum { DIGITS_MOST = 10 };
    for (size_t digits = 0; stream_read_exact(stream, 1, &byte); digits++) {
        char c = byte.ptr[0];
        if (c == ':' && digits > 0) {
            *length_out = length;
            return true;
        }
        if (!ascii_digit(c) || digits == DIGITS_MOST) {
            stream_fail(stream, EPROTO);
            return false;
        }
        length = length * 10 + (size_t)(c - '0');
        if (length > max) {
            stream_fail(stream, EMSGSIZE);
            return false;
        }
    }
    return false;
}

bool socketmap_read(struct stream *stream, size_t max, struct view *reply_out)
{
    size_t length = 0;
    struct view bytes;
    if (!read_length(stream, max, &length) ||
        !stream_read_exact(stream, length + 1, &bytes)) {
        return false;
    }
    if (bytes.ptr[length] != ',') {
        stream_fail(stream, EPROTO);
        return false;
    }
    *reply_out = view_first(bytes, length);
    return true;
}

static const char *error_kind(struct view word)
{
    if (view_equal(word, VIEW("TEMP"))) {
        return "temporary";
    }
    if (view_equal(word, VIEW("TIMEOUT"))) {
        return "timeout";
    }
    return view_equal(word, VIEW("PERM")) ? "permanent" : "unknown";
}

enum map_result socketmap_reply_parse(struct view reply, struct str *value_out,
                                      struct err *err)
{
    size_t space = view_index(reply, ' ');
    struct view word = view_first(reply, space);
    struct view text = view_from(reply, space + 1);
    if (view_equal(word, VIEW("NOTFOUND"))) {
        return MAP_MISSING;
    }
    /* A NUL ends strings elsewhere: half an answer is a wrong one. */
    if (view_equal(word, VIEW("OK")) && space < reply.len &&
        view_index(text, '\0') == text.len) {
        str_add(value_out, text);
        return MAP_FOUND;
    }
    text = view_first(text, 200);
    (void)err_temp(err, "4.3.0", "socketmap server %s error%s%.*s", error_kind(word),
                   text.len > 0 ? ": " : "", VIEW_ARG(text));
    return MAP_ERROR;
}

/* --- lookups ----------------------------------------------------------------- */

struct question {
    const struct socketmap *self;
    struct view key;
    struct str *value_out;
    struct err *err;
    enum map_result result;
};

static bool exchange(void *context, struct stream *stream)
{
    struct question *question = context;
    struct view name = view_cstr(question->self->name);
    stream_printf(stream, "%zu:", name.len + 1 + question->key.len);
    stream_write(stream, name);
    stream_write_cstr(stream, " ");
    stream_write(stream, question->key);
    stream_write_cstr(stream, ",");
    struct view reply;
    if (!stream_flush(stream) ||
        !socketmap_read(stream, question->self->reply_max, &reply)) {
        return false;
    }
    question->result = socketmap_reply_parse(reply, question->value_out, question->err);
    return true;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    const struct socketmap *self = (const struct socketmap *)map;
    struct question question = {self, key, value_out, err, MAP_ERROR};
    if (peer_ask(self->peer, exchange, &question, err) != OK) {
        question.result = MAP_ERROR;
    }
    if (question.result == MAP_ERROR) {
        log_warning("table %s lookup error: %s", map->title, err->text);
    }
    return question.result;
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct socketmap *self = (struct socketmap *)map;
    peer_close(&self->peer);
    free(self->name);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    struct view text = view_cstr(spec->name);
    size_t colon = view_last_index(text, ':');
    if (!map_check_authentic(spec, err)) {
        return NULL;
    }
    if (colon == text.len) {
        (void)err_perm(err, "4.3.0", "%s requires server:socketmap argument",
                       spec->type);
        return NULL;
    }
    struct peer *peer = peer_open(view_first(text, colon),
                                  conf_time(spec->conf, P_socketmap_timeout), err);
    if (peer == NULL) {
        return NULL;
    }
    struct socketmap *self = xcalloc(1, sizeof(*self));
    self->peer = peer;
    self->name = xviewdup(view_from(text, colon + 1));
    self->reply_max = (size_t)conf_int(spec->conf, P_socketmap_max_reply_size);
    return &self->map;
}

/* The server does what it likes with keys: no partial ones, as with patterns. */
const struct map_type map_type_socketmap = {.name = "socketmap",
                                            .properties = MAP_TYPE_PATTERN,
                                            .open = open_map,
                                            .close = close_map,
                                            .find = find};
