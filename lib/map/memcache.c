/* SPDX-License-Identifier: MIT */
/*
 * memcache: tables (memcache_table(5)).  memcached forgets; a backup table does not.
 * What is found there is put into memcached, and what is written is written to both.
 */
#include "map/memcache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"
#include "map/map_private.h"
#include "map/peer.h"
#include "map/query.h"
#include "sys/clock.h"
#include "task/task.h"

enum { KEY_MAX = 250 }; /* what memcached takes */

struct memcache_map {
    struct map map;
    struct map_settings *settings;
    struct map_query query;
    struct map_format *key_format;
    struct peer *peer;
    struct map *backup; /* NULL: none */
    struct memcache_limits limits;
    int flags, ttl;
    int tries;
    int64_t pause;
};

/* --- the protocol ------------------------------------------------------------ */

/* A complete line; a longer one is none. */
static bool read_line(struct stream *stream, const struct memcache_limits *limits,
                      struct view *line_out)
{
    bool complete = false;
    if (!stream_read_line(stream, limits->line_max, line_out, &complete)) {
        return false;
    }
    if (!complete) {
        stream_fail(stream, EMSGSIZE); /* EOF stays what it is */
    }
    return complete;
}

static bool not_understood(struct stream *stream, struct view line,
                           struct str *problem_out)
{
    str_printf(problem_out, "unexpected memcache server reply: %.*s",
               VIEW_ARG(view_first(line, 100)));
    stream_fail(stream, EPROTO);
    return false;
}

/* "VALUE KEY FLAGS LENGTH", for the KEY that was asked for. */
static bool parse_value_line(struct view line, struct view key, size_t max,
                             size_t *length_out)
{
    enum { WORD, KEY, FLAGS, LENGTH, MOST };
    struct view words[MOST + 1];
    size_t count = 0;
    while (count <= MOST && view_next_word(&line, " ", &words[count])) {
        count++;
    }
    uint64_t length = 0;
    if (count < MOST || !view_equal(words[WORD], VIEW("VALUE")) ||
        !view_equal(words[KEY], key) ||
        !number_parse_u64(words[LENGTH], max, &length)) {
        return false;
    }
    *length_out = (size_t)length;
    return true;
}

bool memcache_read_value(struct stream *stream, struct view key,
                         const struct memcache_limits *limits,
                         enum map_result *result_out, struct str *value_out,
                         struct str *problem_out)
{
    struct view line;
    struct view data;
    size_t length = 0;
    if (!read_line(stream, limits, &line)) {
        return false;
    }
    if (view_equal(line, VIEW("END"))) {
        *result_out = MAP_MISSING;
        return true;
    }
    if (!parse_value_line(line, key, limits->data_max, &length)) {
        return not_understood(stream, line, problem_out);
    }
    if (!stream_read_exact(stream, length + 2, &data)) {
        return false;
    }
    struct view value = view_first(data, length);
    /* A NUL ends strings elsewhere: half an answer is a wrong one. */
    if (!view_equal(view_from(data, length), VIEW("\r\n")) ||
        view_index(value, '\0') < length) {
        return not_understood(stream, value, problem_out);
    }
    str_set(value_out, value);
    if (!read_line(stream, limits, &line)) {
        return false;
    }
    if (!view_equal(line, VIEW("END"))) {
        return not_understood(stream, line, problem_out);
    }
    *result_out = MAP_FOUND;
    return true;
}

bool memcache_read_word(struct stream *stream, const struct memcache_limits *limits,
                        const char *yes, const char *no, bool *yes_out,
                        struct str *problem_out)
{
    struct view line;
    if (!read_line(stream, limits, &line)) {
        return false;
    }
    *yes_out = view_equal_cstr(line, yes);
    return *yes_out || view_equal_cstr(line, no) ||
           not_understood(stream, line, problem_out);
}

/* --- questions --------------------------------------------------------------- */

enum verb { GET, SET, DELETE };

struct question {
    const struct memcache_map *self;
    enum verb verb;
    struct view key;
    struct view value;     /* of SET */
    struct str *value_out; /* of GET */
    enum map_result result;
    struct str problem;
};

static bool exchange(void *context, struct stream *stream)
{
    struct question *question = context;
    const struct memcache_map *self = question->self;
    const struct memcache_limits *limits = &self->limits;
    bool yes = false;
    str_clear(&question->problem);
    switch (question->verb) {
    case GET:
        stream_printf(stream, "get %.*s\r\n", VIEW_ARG(question->key));
        return stream_flush(stream) &&
               memcache_read_value(stream, question->key, limits, &question->result,
                                   question->value_out, &question->problem);
    case SET:
        stream_printf(stream, "set %.*s %d %d %zu\r\n", VIEW_ARG(question->key),
                      self->flags, self->ttl, question->value.len);
        stream_write(stream, question->value);
        stream_write_cstr(stream, "\r\n");
        question->result = MAP_FOUND;
        return stream_flush(stream) &&
               memcache_read_word(stream, limits, "STORED", "STORED", &yes,
                                  &question->problem);
    case DELETE:
        break;
    }
    stream_printf(stream, "delete %.*s\r\n", VIEW_ARG(question->key));
    bool ok = stream_flush(stream) &&
              memcache_read_word(stream, limits, "DELETED", "NOT_FOUND", &yes,
                                 &question->problem);
    question->result = yes ? MAP_FOUND : MAP_MISSING;
    return ok;
}

/* Up to "max_try" times; a server that does not let us in gets no second chance. */
static enum outcome ask(const struct memcache_map *self, struct question *question,
                        struct err *err)
{
    for (int left = self->tries; left > 0; left--) {
        if (peer_ask(self->peer, exchange, question, err) == OK) {
            return OK;
        }
        if (peer_failures(self->peer) > 0 ||
            (left > 1 &&
             task_sleep_until(clock_now() + self->pause) == TASK_CANCELLED)) {
            break;
        }
    }
    if (question->problem.len > 0) {
        (void)err_temp(err, "4.3.0", "%s", str_ptr(&question->problem));
    }
    log_warning("table %s: %s", self->map.title, err->text);
    return TEMPFAIL;
}

static bool take_as_it_is(void *context, struct view raw, struct str *out)
{
    (void)context;
    str_add(out, raw);
    return true;
}

/* memcached's words for KEY.  MAP_MISSING: there are none, or it is not to be asked. */
static enum map_result cache_key(struct memcache_map *self, struct view key,
                                 struct str *out, struct err *err)
{
    struct map_key parts;
    enum map_result result = map_query_admits(&self->query, key, &parts, err);
    if (result != MAP_FOUND) {
        return result;
    }
    if (!map_format_fill(self->key_format, &parts, take_as_it_is, NULL, out) ||
        out->len == 0 || out->len > KEY_MAX) {
        return MAP_MISSING;
    }
    for (size_t i = 0; i < out->len; i++) {
        char c = out->ptr[i];
        bool ends_key = c == ' ' || (unsigned char)c < 0x20 || c == 0x7f;
        if (ends_key) {
            return MAP_MISSING;
        }
    }
    return MAP_FOUND;
}

/* --- lookups ----------------------------------------------------------------- */

/* Whatever memcached says now, the next one will find it there or ask again. */
static void put_into_cache(struct memcache_map *self, struct view key,
                           struct view value)
{
    struct err ignored = {0};
    struct question question = {.self = self, .verb = SET, .key = key, .value = value};
    (void)ask(self, &question, &ignored);
    str_done(&question.problem);
}

static enum map_result find_in_backup(struct memcache_map *self, struct view key,
                                      struct view name, struct str *value_out,
                                      struct err *err)
{
    enum map_result result = map_find(self->backup, key, value_out, err);
    if (result == MAP_FOUND && name.len > 0) {
        put_into_cache(self, name, str_view(value_out));
    }
    return result;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct memcache_map *self = (struct memcache_map *)map;
    STR_AUTO struct str name = {0};
    enum map_result result = cache_key(self, key, &name, err);
    if (result == MAP_ERROR) {
        return MAP_ERROR;
    }
    if (result == MAP_FOUND) {
        struct question question = {
            .self = self, .verb = GET, .key = str_view(&name), .value_out = value_out};
        result = ask(self, &question, err) == OK ? question.result : MAP_ERROR;
        str_done(&question.problem);
        if (result == MAP_FOUND) {
            return MAP_FOUND;
        }
    } else {
        str_clear(&name);
    }
    str_clear(value_out);
    return self->backup == NULL
               ? result
               : find_in_backup(self, key, str_view(&name), value_out, err);
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    const struct memcache_map *self = (const struct memcache_map *)map;
    if (self->backup == NULL) {
        return err_perm(err, "4.3.0",
                        "database %s: first/next support requires backup database",
                        map->title);
    }
    return map_walk(self->backup, visit, context, err);
}

/* --- changes ----------------------------------------------------------------- */

static void warn_skipped(const struct map *map, const char *what, struct view key)
{
    log_warning(
        "table %s: skipping %s for key \"%.*s\": domain mismatch, or key is not "
        "possible in memcached",
        map->title, what, VIEW_ARG(key));
}

static enum outcome put(struct map *map, struct view key, struct view value,
                        struct err *err)
{
    struct memcache_map *self = (struct memcache_map *)map;
    STR_AUTO struct str name = {0};
    enum map_result possible = cache_key(self, key, &name, err);
    if (possible == MAP_ERROR) {
        return TEMPFAIL;
    }
    if (possible == MAP_MISSING) {
        warn_skipped(map, "update", key);
    }
    enum outcome outcome =
        self->backup != NULL ? map_put(self->backup, key, value, err) : OK;
    if (outcome != OK || possible == MAP_MISSING) {
        return outcome;
    }
    struct question question = {
        .self = self, .verb = SET, .key = str_view(&name), .value = value};
    outcome = ask(self, &question, err);
    str_done(&question.problem);
    return self->backup != NULL ? OK : outcome;
}

static enum map_result remove_key(struct map *map, struct view key, struct err *err)
{
    struct memcache_map *self = (struct memcache_map *)map;
    STR_AUTO struct str name = {0};
    enum map_result result = MAP_MISSING;
    enum map_result possible = cache_key(self, key, &name, err);
    if (possible == MAP_ERROR) {
        return MAP_ERROR;
    }
    if (self->backup != NULL &&
        (result = map_remove(self->backup, key, err)) == MAP_ERROR) {
        return MAP_ERROR;
    }
    if (possible == MAP_MISSING) {
        warn_skipped(map, "delete", key);
        return result;
    }
    struct question question = {.self = self, .verb = DELETE, .key = str_view(&name)};
    /* What is still in memcached would be found again. */
    if (ask(self, &question, err) != OK) {
        result = MAP_ERROR;
    } else if (question.result == MAP_FOUND) {
        result = MAP_FOUND;
    }
    str_done(&question.problem);
    return result;
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct memcache_map *self = (struct memcache_map *)map;
    peer_close(&self->peer);
    map_close(&self->backup);
    map_format_free(&self->key_format);
    map_query_done(&self->query);
    map_settings_close(&self->settings);
    free(self);
}

static void read_settings(struct memcache_map *self, const struct conf *conf,
                          int *timeout_out)
{
    struct map_settings *settings = self->settings;
    map_query_init(&self->query, conf, settings, "%s");
    self->key_format = map_query_format(settings, "key",
                                        map_settings_str(settings, "key_format", "%s"));
    self->flags = map_settings_int(settings, "flags", 0, 0, INT32_MAX);
    self->ttl = map_settings_int(settings, "ttl", 3600, 0, INT32_MAX);
    self->tries = map_settings_int(settings, "max_try", 2, 1, INT32_MAX);
    self->pause =
        map_settings_int(settings, "retry_pause", 1, 1, 86400) * (int64_t)CLOCK_SECOND;
    self->limits.line_max =
        (size_t)map_settings_int(settings, "line_size_limit", 1024, 1, INT32_MAX);
    self->limits.data_max =
        (size_t)map_settings_int(settings, "data_size_limit", 10240, 1, INT32_MAX);
    if (map_settings_is_set(settings, "key_digest")) {
        map_settings_fail(settings, "%s: key_digest is not supported",
                          map_settings_title(settings));
    }
    *timeout_out = map_settings_int(settings, "timeout", 2, 1, 86400);
}

/* ERR has what is wrong with the backup. */
static bool open_backup(struct memcache_map *self, const struct map_spec *spec,
                        const char *name, struct err *err)
{
    if (name[0] == '\0') {
        return true;
    }
    self->backup = map_open(spec->conf, view_cstr(name), spec->flags | MAP_QUIET);
    if (map_open_error(self->backup) != NULL) {
        (void)err_perm(err, "4.3.0", "%s", map_open_error(self->backup));
        return false;
    }
    return true;
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings =
        map_check_authentic(spec, err) ? map_settings_open(spec, err) : NULL;
    if (settings == NULL) {
        return NULL;
    }
    struct memcache_map *self = xcalloc(1, sizeof(*self));
    self->settings = settings;
    self->map.owner = map_settings_owner(settings);
    int timeout = 0;
    read_settings(self, spec->conf, &timeout);
    const char *server = map_settings_str(settings, "memcache", "inet:localhost:11211");
    const char *backup = map_settings_str(settings, "backup", "");
    if (!map_settings_ok(settings, err) ||
        (self->peer = peer_open(view_cstr(server), timeout * (int64_t)CLOCK_SECOND,
                                err)) == NULL ||
        !open_backup(self, spec, backup, err)) {
        close_map(&self->map);
        return NULL;
    }
    return &self->map;
}

const struct map_type map_type_memcache = {.name = "memcache",
                                           .properties = MAP_TYPE_FOLDS,
                                           .open = open_map,
                                           .close = close_map,
                                           .find = find,
                                           .put = put,
                                           .remove = remove_key,
                                           .walk = walk};
