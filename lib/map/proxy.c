/* SPDX-License-Identifier: MIT */
/*
 * proxy: tables.  The lookup happens in the proxymap worker, which may open what this
 * process may not, and may block while this one must not.
 */
#include "map/proxy.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "map/peer.h"

struct proxy_map {
    struct map map;
    struct peer *peer;
    char *table; /* "unix:passwd.byname" */
    const char *service;
};

/* --- questions --------------------------------------------------------------- */

struct question {
    struct proxy_request request;
    struct str scratch;
    /* Of PROXY_WALK; NULL: the visitor has seen enough. */
    bool (*visit)(void *context, struct view key, struct view value);
    void *context;
    bool visited;
    struct str *text_out; /* what the answer says */
    enum proxy_kind answer;
};

/* Entries up to the last one.  True: REPLY is the answer behind them. */
static bool take_entries(struct question *question, struct stream *stream,
                         struct proxy_reply *reply)
{
    while (question->visit != NULL && reply->kind == PROXY_ENTRY) {
        question->visited = true;
        if (!question->visit(question->context, reply->text, reply->value)) {
            question->visit = NULL;
            return false; /* the rest is not wanted, nor the connection it is on */
        }
        if (!proxy_reply_receive(stream, reply)) {
            return false;
        }
    }
    return true;
}

static bool exchange(void *context, struct stream *stream)
{
    struct question *question = context;
    struct proxy_reply reply;
    /* A walk that broke off cannot be begun again: entries would come twice. */
    if (question->visited ||
        !proxy_request_send(stream, &question->scratch, &question->request) ||
        !proxy_reply_receive(stream, &reply) ||
        !take_entries(question, stream, &reply)) {
        return false;
    }
    question->answer = reply.kind;
    str_set(question->text_out, reply.text);
    return true;
}

/* MAP_FOUND with what the answer says, MAP_MISSING, or MAP_ERROR with ERR. */
static enum map_result ask(struct map *map, struct question *question, struct err *err)
{
    const struct proxy_map *self = (const struct proxy_map *)map;
    question->request.table = view_cstr(self->table);
    question->request.flags = map->flags;
    enum outcome outcome = peer_ask(self->peer, exchange, question, err);
    str_done(&question->scratch);
    if (outcome != OK) {
        if (question->request.kind == PROXY_WALK && question->visit == NULL) {
            return MAP_MISSING; /* stopped by us */
        }
        char *problem = xstrdup(err->text);
        (void)err_temp(err, "4.3.0", "private/%s service: %s", self->service, problem);
        free(problem);
        return MAP_ERROR;
    }
    switch ((int)question->answer) {
    case PROXY_FOUND:
        return MAP_FOUND;
    case PROXY_MISSING:
        return MAP_MISSING;
    case PROXY_DENIED:
        (void)err_perm(err, "4.3.0", "%s service is not configured for table \"%s\"",
                       self->service, self->table);
        return MAP_ERROR;
    default:
        (void)err_temp(err, "4.3.0", "%s", str_ptr(question->text_out));
        return MAP_ERROR;
    }
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct question question = {.request = {.kind = PROXY_LOOKUP, .key = key},
                                .text_out = value_out};
    return ask(map, &question, err);
}

static enum outcome put(struct map *map, struct view key, struct view value,
                        struct err *err)
{
    STR_AUTO struct str text = {0};
    struct question question = {
        .request = {.kind = PROXY_UPDATE, .key = key, .value = value},
        .text_out = &text};
    return ask(map, &question, err) == MAP_FOUND ? OK : TEMPFAIL;
}

static enum map_result remove_key(struct map *map, struct view key, struct err *err)
{
    STR_AUTO struct str text = {0};
    struct question question = {.request = {.kind = PROXY_DELETE, .key = key},
                                .text_out = &text};
    return ask(map, &question, err);
}

static enum outcome
walk(struct map *map, bool (*visit)(void *context, struct view key, struct view value),
     void *context, struct err *err)
{
    STR_AUTO struct str text = {0};
    struct question question = {.request = {.kind = PROXY_WALK},
                                .visit = visit,
                                .context = context,
                                .text_out = &text};
    return ask(map, &question, err) == MAP_ERROR ? TEMPFAIL : OK;
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct proxy_map *self = (struct proxy_map *)map;
    peer_close(&self->peer);
    free(self->table);
    free(self);
}

static struct map *open_map(const struct map_spec *spec, struct err *err)
{
    if (!map_check_authentic(spec, err)) {
        return NULL;
    }
    struct proxy_map *self = xcalloc(1, sizeof(*self));
    self->service =
        conf_str(spec->conf, (spec->flags & MAP_WRITE) != 0 ? P_proxywrite_service_name
                                                            : P_proxymap_service_name);
    self->table = xstrdup(spec->name);
    /* In a chroot the queue directory is "/", and workers are in it anyway. */
    char *relative = xasprintf("private/%s", self->service);
    char *path = xasprintf("%s/%s", conf_str(spec->conf, P_queue_directory), relative);
    self->peer = peer_open_unix(path, relative, conf_time(spec->conf, P_ipc_timeout));
    free(path);
    free(relative);
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
                                        .find = find,
                                        .put = put,
                                        .remove = remove_key,
                                        .walk = walk};

struct map *proxy_open_carried(const struct map_spec *spec, struct err *err)
{
    struct map *map = open_map(spec, err);
    if (map != NULL) {
        map->type = &map_type_proxy;
    }
    return map;
}
