/* SPDX-License-Identifier: MIT */
/* Choosing a server, and asking it. */
#include "modules/sql_hosts.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "sys/clock.h"

/* "host", "host:port", "[address]:port", a path, or a URI. */
static void split_port(struct sql_host *host)
{
    struct view text = view_cstr(host->name);
    size_t colon = view_last_index(text, ':');
    struct view address = view_first(text, colon);
    struct view port = view_from(text, colon + 1);
    uint64_t number;
    bool bare_address = view_index(address, ':') < address.len && text.ptr[0] != '[';
    bool has_port =
        !host->is_path && !bare_address && number_parse_u64(port, UINT16_MAX, &number);
    address = has_port ? address : text;
    if (address.len > 2 && address.ptr[0] == '[' &&
        address.ptr[address.len - 1] == ']') {
        address = view_of(address.ptr + 1, address.len - 2);
    }
    host->address = xviewdup(address);
    host->port = xviewdup(has_port ? port : view_of("", 0));
}

static void add_host(struct sql_server_map *map, struct view name)
{
    map->hosts = xreallocarray(map->hosts, map->count + 1, sizeof(map->hosts[0]));
    struct sql_host *host = &map->hosts[map->count++];
    *host = (struct sql_host){0};
    host->is_path = view_starts(name, VIEW("unix:"));
    if (host->is_path || view_starts(name, VIEW("inet:"))) {
        name = view_from(name, VIEW("inet:").len);
    }
    host->name = xviewdup(name);
    split_port(host);
}

void sql_server_init(struct sql_server_map *map, const struct map_spec *spec,
                     const struct sql_driver *driver)
{
    struct map_settings *settings = map->sql.settings;
    map->driver = driver;
    sql_init(&map->sql, spec, driver->name, driver->dialect);
    struct view rest = view_cstr(map_settings_str(settings, "hosts", ""));
    struct view name;
    while (conf_list_next(&rest, &name)) {
        add_host(map, name);
    }
    if (map->count == 0) {
        add_host(map, VIEW("localhost"));
    }
    map->idle_most = map_settings_int(settings, "idle_interval", 60, 1, INT32_MAX) *
                     (int64_t)CLOCK_SECOND;
    map->pause_most = map_settings_int(settings, "retry_interval", 60, 1, INT32_MAX) *
                      (int64_t)CLOCK_SECOND;
}

static void drop(const struct sql_server_map *map, struct sql_host *host)
{
    if (host->connection != NULL) {
        map->driver->close(host->connection);
        host->connection = NULL;
    }
}

void sql_server_done(struct sql_server_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        drop(map, &map->hosts[i]);
        free(map->hosts[i].name);
        free(map->hosts[i].address);
        free(map->hosts[i].port);
    }
    free(map->hosts);
    sql_done(&map->sql);
}

/* --- choosing ---------------------------------------------------------------- */

static unsigned chance(unsigned below)
{
    unsigned number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number)) {
        number = 0; /* as good a choice as any */
    }
    return number % below;
}

/* How gladly HOST would be asked; 0: not at all. */
static int rank(const struct sql_host *host, int64_t now)
{
    if (host->connection != NULL) {
        return host->is_path ? 6 : 5;
    }
    if (host->backoff.pause == 0) {
        return host->is_path ? 4 : 3;
    }
    if (backoff_must_wait(&host->backoff, now)) {
        return 0;
    }
    return host->is_path ? 2 : 1;
}

/* The one to ask now, or NULL: none is to be tried at present. */
static struct sql_host *pick(const struct sql_server_map *map)
{
    int64_t now = clock_now();
    int best = 0;
    unsigned equals = 0;
    struct sql_host *picked = NULL;
    for (size_t i = 0; i < map->count; i++) {
        struct sql_host *host = &map->hosts[i];
        if (now - host->used_at > map->idle_most) {
            drop(map, host);
        }
        int its = rank(host, now);
        if (its == 0 || its < best) {
            continue;
        }
        equals = its == best ? equals + 1 : 1;
        best = its;
        if (chance(equals) == 0) {
            picked = host;
        }
    }
    return picked;
}

static void note_success(struct sql_host *host)
{
    backoff_success(&host->backoff);
    host->used_at = clock_now();
}

static void note_failure(const struct sql_server_map *map, struct sql_host *host)
{
    drop(map, host);
    backoff_failure(&host->backoff, map->pause_most);
}

/* --- asking ------------------------------------------------------------------ */

void sql_server_problem(const struct sql_server_map *map, struct view message,
                        struct err *err)
{
    message = view_trim(message);
    (void)err_temp(err, "4.3.0", "%s query failed: %.*s", map->driver->name,
                   VIEW_ARG(message));
    log_warning("%s: %s", map->sql.map.title, err->text);
}

static bool connect_host(const struct sql_server_map *map, struct sql_host *host,
                         struct err *err)
{
    if (!map->driver->connect(map, host, err)) {
        log_warning("%s: %s", map->sql.map.title, err->text);
        return false;
    }
    return true;
}

/* The query depends on the connection, because quoting does. */
static enum sql_attempt ask_once(const struct sql_server_map *map,
                                 const struct sql_host *host, struct map_answer *answer,
                                 enum map_result *result_out, struct err *err)
{
    STR_AUTO struct str query = {0};
    str_clear(answer->text);
    answer->count = 0;
    if (!map_format_fill(map->sql.text, answer->key, map->driver->quote,
                         host->connection, &query)) {
        *result_out = MAP_MISSING;
        return SQL_DONE;
    }
    return map->driver->ask(map, host->connection, str_view(&query), answer, result_out,
                            err);
}

/* A connection that was kept may be dead without anybody's fault. */
static enum sql_attempt ask_host(const struct sql_server_map *map,
                                 struct sql_host *host, struct map_answer *answer,
                                 enum map_result *result_out, struct err *err)
{
    int64_t start = clock_now();
    bool kept = host->connection != NULL;
    if (!kept && !connect_host(map, host, err)) {
        return SQL_DEAD;
    }
    enum sql_attempt attempt = ask_once(map, host, answer, result_out, err);
    bool was_closed =
        attempt == SQL_DEAD && kept && clock_now() - start < map->sql.timeout;
    if (!was_closed) {
        return attempt;
    }
    drop(map, host);
    return connect_host(map, host, err) ? ask_once(map, host, answer, result_out, err)
                                        : SQL_DEAD;
}

static enum map_result ask(const struct sql_server_map *map, struct map_answer *answer,
                           struct err *err)
{
    enum map_result result = MAP_ERROR;
    (void)err_temp(err, "4.3.0", "%s: no server answers", map->sql.query.title);
    for (size_t tries = 0; tries < map->count; tries++) {
        struct sql_host *host = pick(map);
        if (host == NULL) {
            return MAP_ERROR;
        }
        switch (ask_host(map, host, answer, &result, err)) {
        case SQL_DONE:
            note_success(host);
            return result;
        case SQL_FAULTY:
            note_success(host);
            return MAP_ERROR;
        case SQL_DEAD:
            note_failure(map, host);
            break;
        }
    }
    return MAP_ERROR;
}

enum map_result sql_server_find(struct map *map, struct view key, struct str *value_out,
                                struct err *err)
{
    struct sql_server_map *self = (struct sql_server_map *)map;
    struct map_key parts;
    enum map_result result = sql_admits(&self->sql, key, &parts, err);
    if (result != MAP_FOUND) {
        return result;
    }
    struct map_answer answer = {.key = &parts, .text = value_out};
    return ask(self, &answer, err);
}
