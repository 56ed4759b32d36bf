/* SPDX-License-Identifier: MIT */
/*
 * proxymap: looks into tables for processes that must not block or may not open them.
 * One request at a time.  Only tables that proxy_read_maps names are served, whatever
 * a client asks for.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"
#include "map/map.h"
#include "map/proxy.h"
#include "service/service.h"
#include "sys/clock.h"
#include "task/task.h"

struct proxymap {
    const struct conf *conf;
    struct htab *allowed; /* "unix:passwd.byname" -> itself */
    struct htab *tables;  /* flags and name -> struct map, opened at first use */
    bool read_only_service;
};

/* The parts of proxy_read_maps that begin with "proxy:"; everything else in it is there
 * because the values of whole parameters are listed. */
static struct htab *read_allowed(const struct conf *conf)
{
    struct htab *allowed = htab_new();
    struct view rest = view_cstr(conf_str(conf, P_proxy_read_maps));
    struct view word;
    const struct view prefix = VIEW("proxy:");
    while (conf_list_next(&rest, &word)) {
        if (view_starts(word, prefix)) {
            (void)htab_put(allowed, view_from(word, prefix.len), allowed);
        }
    }
    return allowed;
}

static void proxymap_ready(struct service_context *context)
{
    struct proxymap *proxymap = xcalloc(1, sizeof(*proxymap));
    context->state = proxymap;
    proxymap->conf = context->conf;
    proxymap->allowed = read_allowed(context->conf);
    proxymap->tables = htab_new();
    proxymap->read_only_service =
        !view_equal_cstr(view_cstr(context->name), "proxywrite");
}

static struct map *find_table(struct proxymap *proxymap,
                              const struct proxy_request *request)
{
    const unsigned honoured = MAP_FOLD | MAP_NO_REGSUB | MAP_NO_UNAUTH | MAP_ASCII |
                              MAP_UTF8 | MAP_FILE_VALUES;
    unsigned flags = request->flags & honoured;
    STR_AUTO struct str key = {0};
    str_printf(&key, "%u ", flags);
    str_add(&key, request->table);
    struct map *map = htab_get(proxymap->tables, str_view(&key));
    if (map == NULL) {
        map = map_open(proxymap->conf, request->table, flags);
        (void)htab_put(proxymap->tables, str_view(&key), map);
    }
    return map;
}

static enum proxy_kind look_up(struct proxymap *proxymap,
                               const struct proxy_request *request, struct str *text)
{
    struct err err;
    if (!proxymap->read_only_service) {
        str_set_cstr(text, "updates through proxywrite are not built");
        return PROXY_DENIED;
    }
    if (htab_get(proxymap->allowed, request->table) == NULL) {
        str_printf(text, "proxy_read_maps does not list proxy:%.*s",
                   VIEW_ARG(request->table));
        log_warning("request for unapproved table: \"%.*s\"", VIEW_ARG(request->table));
        log_warning("to approve this table for read-only access, list proxy:%.*s in "
                    "main.cf:proxy_read_maps",
                    VIEW_ARG(request->table));
        return PROXY_DENIED;
    }
    switch (map_find(find_table(proxymap, request), request->key, text, &err)) {
    case MAP_FOUND:
        return PROXY_FOUND;
    case MAP_MISSING:
        return PROXY_MISSING;
    case MAP_ERROR:
        break;
    }
    str_set_cstr(text, err.text);
    return PROXY_FAILED;
}

static bool proxymap_outdated(struct service_context *context)
{
    const struct proxymap *proxymap = context->state;
    size_t cursor = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(proxymap->tables, &cursor, &key, &value)) {
        if (map_changed(value)) {
            return true;
        }
    }
    return false;
}

/* A client that has nothing to ask for a while comes back when it has: it must not keep
 * this process, which serves nobody else meanwhile. */
static bool await_request(struct service_context *context, struct stream *client)
{
    int64_t idle = conf_time(context->conf, P_ipc_idle);
    if (!context->stand_alone && stream_pending(client) == 0 &&
        task_wait(stream_fd(client), TASK_READ, clock_now() + idle) != TASK_READY) {
        return false;
    }
    return service_await(context, client);
}

static void proxymap_session(struct service_context *context, struct stream *client)
{
    struct proxymap *proxymap = context->state;
    struct proxy_request request;
    STR_AUTO struct str scratch = {0};
    STR_AUTO struct str text = {0};
    bool more = true;
    while (more && await_request(context, client) &&
           proxy_request_receive(client, &request)) {
        str_clear(&text);
        enum proxy_kind kind = look_up(proxymap, &request, &text);
        /* Connections are kept: a busy client would never see a table's new content. */
        more = proxy_reply_send(client, &scratch, kind, str_view(&text)) &&
               !proxymap_outdated(context);
    }
}

static void close_table(void *table)
{
    struct map *map = table;
    map_close(&map);
}

static void proxymap_close(struct service_context *context)
{
    struct proxymap *proxymap = context->state;
    htab_free(&proxymap->tables, close_table);
    htab_free(&proxymap->allowed, NULL);
    free(proxymap);
    context->state = NULL;
}

static const struct service proxymap_service = {
    .name = "proxymap",
    .kind = SERVICE_EXCLUSIVE,
    .ready = proxymap_ready,
    .session = proxymap_session,
    .outdated = proxymap_outdated,
    .close = proxymap_close,
};

int main(int argc, char **argv)
{
    return service_main(&proxymap_service, argc, argv);
}
