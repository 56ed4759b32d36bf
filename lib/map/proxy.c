/* SPDX-License-Identifier: MIT */
/*
 * proxy: tables.  The lookup happens in the proxymap worker, which may open what this
 * process may not, and may block while this one must not.
 */
#include "map/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/map_private.h"
#include "net/connect.h"
#include "sys/clock.h"

enum { MAX_IDLE = 4 };

/* Connections that nobody uses at the moment.  One set for the process, because all of
 * its tables have one and the same proxymap. */
static struct {
    struct stream *idle[MAX_IDLE];
    size_t count;
    char *path; /* they lead there */
} pool;

struct proxy_map {
    struct map map;
    char *table; /* "unix:passwd.byname" */
    char *path;  /* of the socket */
    char *relative_path;
};

static struct stream *take_idle(const char *path)
{
    if (pool.path == NULL || strcmp(pool.path, path) != 0) {
        while (pool.count > 0) {
            stream_free(&pool.idle[--pool.count]);
        }
        free(pool.path);
        pool.path = xstrdup(path);
    }
    return pool.count > 0 ? pool.idle[--pool.count] : NULL;
}

static void give_back(const char *path, struct stream *stream)
{
    bool keep = stream_ok(stream) && stream_pending(stream) == 0 &&
                pool.count < MAX_IDLE && pool.path != NULL &&
                strcmp(pool.path, path) == 0;
    if (!keep) {
        stream_free(&stream);
        return;
    }
    pool.idle[pool.count++] = stream;
}

static struct stream *connect_proxymap(const struct proxy_map *self, struct err *err)
{
    int64_t timeout = conf_time(self->map.conf, P_ipc_timeout);
    int64_t deadline = clock_now() + timeout;
    struct err why = {0};
    int fd = connect_unix(self->path, deadline, &why);
    if (fd < 0 && why.code == ENOENT) { /* in a chroot the queue directory is "/" */
        fd = connect_unix(self->relative_path, deadline, &why);
    }
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "connect to subsystem %s: %s", self->relative_path,
                       why.text);
        return NULL;
    }
    struct stream *stream = stream_new(fd);
    stream_set_timeout(stream, timeout);
    return stream;
}

static enum map_result take_reply(const struct proxy_map *self, enum proxy_kind kind,
                                  struct view text, struct str *value_out,
                                  struct err *err)
{
    switch (kind) {
    case PROXY_FOUND:
        str_add(value_out, text);
        return MAP_FOUND;
    case PROXY_MISSING:
        return MAP_MISSING;
    case PROXY_DENIED:
        (void)err_perm(err, "4.3.0",
                       "proxymap service is not configured for table \"%s\"",
                       self->table);
        return MAP_ERROR;
    case PROXY_FAILED:
    case PROXY_LOOKUP:
        break;
    }
    (void)err_temp(err, "4.3.0", "%.*s", VIEW_ARG(text));
    return MAP_ERROR;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct proxy_map *self = (struct proxy_map *)map;
    struct proxy_request request = {view_cstr(self->table), map->flags, key};
    STR_AUTO struct str scratch = {0};
    for (;;) {
        struct stream *stream = take_idle(self->path);
        bool was_idle = stream != NULL;
        if (!was_idle && (stream = connect_proxymap(self, err)) == NULL) {
            return MAP_ERROR;
        }
        enum proxy_kind kind;
        struct view text;
        if (proxy_request_send(stream, &scratch, &request) &&
            proxy_reply_receive(stream, &kind, &text)) {
            enum map_result result = take_reply(self, kind, text, value_out, err);
            give_back(self->path, stream);
            return result;
        }
        /* A worker may retire at any time, so an idle connection may be a dead one. */
        bool retry = was_idle && stream_state(stream) != STREAM_TIMEOUT &&
                     stream_state(stream) != STREAM_CANCELLED;
        (void)err_temp(err, "4.3.0", "%s service: %s", self->relative_path,
                       stream_problem(stream));
        stream_free(&stream);
        if (!retry) {
            return MAP_ERROR;
        }
    }
}

static void close_map(struct map *map)
{
    struct proxy_map *self = (struct proxy_map *)map;
    free(self->table);
    free(self->path);
    free(self->relative_path);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    if ((spec->flags & MAP_NO_UNAUTH) != 0) {
        (void)err_perm(err, "4.3.0",
                       "%s map is not allowed for security-sensitive data",
                       spec->title);
        return NULL;
    }
    struct proxy_map *self = xcalloc(1, sizeof(*self));
    const char *service = conf_str(spec->conf, P_proxymap_service_name);
    self->table = xstrdup(spec->name);
    self->relative_path = xasprintf("private/%s", service);
    self->path =
        xasprintf("%s/private/%s", conf_str(spec->conf, P_queue_directory), service);
    struct view type = view_cstr(spec->name);
    const struct map_type *inner =
        map_type_find(view_first(type, view_index(type, ':')));
    if (inner != NULL) {
        self->map.properties = inner->properties & MAP_TYPE_PATTERN;
    }
    return &self->map;
}

/* Keys are folded, and files loaded, if at all, where the table is. */
const struct map_type map_type_proxy = {.name = "proxy",
                                        .properties = MAP_TYPE_LOADS,
                                        .open = open_map,
                                        .close = close_map,
                                        .find = find};
