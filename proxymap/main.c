/* SPDX-License-Identifier: MIT */
/*
 * proxymap: looks into tables for processes that must not block or may not open them.
 * One request at a time.  Only tables that the administrator has named are served,
 * whatever a client asks for.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"
#include "map/map.h"
#include "map/proxy.h"
#include "proxymap/proxymap.h"
#include "service/service.h"
#include "sys/clock.h"

struct proxymap {
    const struct conf *conf;
    struct approved *approved;
    const char *list;    /* the parameter that names what is approved */
    struct htab *tables; /* flags and name -> struct map, opened at first use */
    bool writes;         /* this is proxywrite */
    struct str key;      /* scratch */
};

/* Read master.cf while we have the rights. */
static void proxymap_open(struct service_context *context)
{
    const struct conf *conf = context->conf;
    struct proxymap *proxymap = xcalloc(1, sizeof(*proxymap));
    context->state = proxymap;
    proxymap->conf = conf;
    proxymap->tables = htab_new();
    proxymap->writes = view_equal_cstr(view_cstr(context->name),
                                       conf_str(conf, P_proxywrite_service_name));
    if (proxymap->writes) {
        proxymap->list = "proxy_write_maps";
        proxymap->approved = approved_new(conf, conf_str(conf, P_proxy_write_maps));
    } else {
        proxymap->list = "proxy_read_maps";
        proxymap->approved = approved_new(conf, conf_str(conf, P_proxy_read_maps));
        approved_add_carried(proxymap->approved);
    }
}

/* --- requests ---------------------------------------------------------------- */

/* Open REQUEST's table, or find it open.  One that cannot be opened is tried again with
 * the next request. */
static struct map *find_table(struct proxymap *proxymap,
                              const struct proxy_request *request, struct err *err)
{
    const unsigned honoured =
        MAP_FOLD | MAP_NO_REGSUB | MAP_ASCII | MAP_UTF8 | MAP_FILE_VALUES;
    unsigned flags = (request->flags & honoured) | (proxymap->writes ? MAP_WRITE : 0);
    str_clear(&proxymap->key);
    str_printf(&proxymap->key, "%u ", flags);
    str_add(&proxymap->key, request->table);
    struct map *map = htab_get(proxymap->tables, str_view(&proxymap->key));
    if (map != NULL) {
        return map;
    }
    map = map_open(proxymap->conf, request->table, flags);
    if (map_open_error(map) != NULL) {
        (void)err_temp(err, "4.3.0", "%s", map_open_error(map));
        map_close(&map);
        return NULL;
    }
    (void)htab_put(proxymap->tables, str_view(&proxymap->key), map);
    return map;
}

static bool is_approved(const struct proxymap *proxymap,
                        const struct proxy_request *request, struct str *text)
{
    if (approved_has(proxymap->approved, request->table)) {
        return true;
    }
    const char *access = proxymap->writes ? "read-write" : "read-only";
    str_printf(text, "%s does not list proxy:%.*s", proxymap->list,
               VIEW_ARG(request->table));
    log_warning("request for unapproved table: \"%.*s\"", VIEW_ARG(request->table));
    log_warning("to approve this table for %s access, list proxy:%.*s in main.cf:%s",
                access, VIEW_ARG(request->table), proxymap->list);
    return false;
}

struct walk {
    struct stream *client;
    struct str *scratch;
};

static bool send_entry(void *context, struct view key, struct view value)
{
    const struct walk *walk = context;
    const struct proxy_reply reply = {PROXY_ENTRY, key, value};
    return proxy_reply_send(walk->client, walk->scratch, &reply);
}

static enum proxy_kind kind_of(enum map_result result, const struct err *err,
                               struct str *text)
{
    switch (result) {
    case MAP_FOUND:
        return PROXY_FOUND;
    case MAP_MISSING:
        return PROXY_MISSING;
    case MAP_ERROR:
        break;
    }
    str_set_cstr(text, err->text);
    return PROXY_FAILED;
}

static enum proxy_kind answer(struct proxymap *proxymap,
                              const struct proxy_request *request,
                              struct stream *client, struct str *scratch,
                              struct str *text)
{
    struct err err = {0};
    struct map *map = find_table(proxymap, request, &err);
    if (map == NULL) {
        return kind_of(MAP_ERROR, &err, text);
    }
    struct walk walk = {client, scratch};
    enum outcome outcome = TEMPFAIL;
    switch ((int)request->kind) {
    case PROXY_UPDATE:
        outcome = map_put(map, request->key, request->value, &err);
        return kind_of(outcome == OK ? MAP_FOUND : MAP_ERROR, &err, text);
    case PROXY_DELETE:
        return kind_of(map_remove(map, request->key, &err), &err, text);
    case PROXY_WALK:
        outcome = map_walk(map, send_entry, &walk, &err);
        return kind_of(outcome == OK ? MAP_MISSING : MAP_ERROR, &err, text);
    default:
        return kind_of(map_find(map, request->key, text, &err), &err, text);
    }
}

static enum proxy_kind serve(struct proxymap *proxymap,
                             const struct proxy_request *request, struct stream *client,
                             struct str *scratch, struct str *text)
{
    bool changes = request->kind == PROXY_UPDATE || request->kind == PROXY_DELETE;
    if (changes && !proxymap->writes) {
        str_set_cstr(text, "this service only reads");
        return PROXY_DENIED;
    }
    return is_approved(proxymap, request, text)
               ? answer(proxymap, request, client, scratch, text)
               : PROXY_DENIED;
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

static void proxymap_session(struct service_context *context, struct stream *client)
{
    struct proxymap *proxymap = context->state;
    struct proxy_request request;
    /* A client that has nothing to ask for a while comes back when it has: it must not
     * keep this process, which serves nobody else meanwhile. */
    int64_t idle = conf_time(context->conf, P_ipc_idle);
    STR_AUTO struct str scratch = {0};
    STR_AUTO struct str text = {0};
    bool more = true;
    stream_set_timeout(client, conf_time(context->conf, P_ipc_timeout));
    while (more && service_await_until(context, client, clock_now() + idle) &&
           proxy_request_receive(client, &request)) {
        str_clear(&text);
        struct proxy_reply reply = {0};
        reply.kind = serve(proxymap, &request, client, &scratch, &text);
        reply.text = str_view(&text);
        /* Connections are kept: a busy client would never see a table's new content. */
        more =
            proxy_reply_send(client, &scratch, &reply) && !proxymap_outdated(context);
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
    approved_free(&proxymap->approved);
    str_done(&proxymap->key);
    free(proxymap);
    context->state = NULL;
}

static const struct service proxymap_service = {
    .name = "proxymap",
    .kind = SERVICE_EXCLUSIVE,
    .open = proxymap_open,
    .session = proxymap_session,
    .outdated = proxymap_outdated,
    .close = proxymap_close,
};

int main(int argc, char **argv)
{
    return service_main(&proxymap_service, argc, argv);
}
