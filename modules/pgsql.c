/* SPDX-License-Identifier: MIT */
/* pgsql: tables, for PostgreSQL (pgsql_table(5)). */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "map/module.h"
#include "modules/sql_hosts.h"
#include "sys/clock.h"

MAP_MODULE;

struct pgsql_map {
    struct sql_server_map server;
    const char *user, *password, *database, *encoding;
};

/* --- connecting -------------------------------------------------------------- */

static void close_connection(void *connection)
{
    PQfinish(connection);
}

/* What the server has to say besides answers is of no interest. */
static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

struct parameters {
    const char *names[8];
    const char *values[8];
    size_t count;
};

static void add_parameter(struct parameters *list, const char *name, const char *value)
{
    if (value[0] != '\0') {
        CHECK(list->count + 1 < ARRAY_SIZE(list->names));
        list->names[list->count] = name;
        list->values[list->count++] = value;
    }
}

static bool is_uri(const char *name)
{
    return view_starts(view_cstr(name), VIEW("postgresql://")) ||
           view_starts(view_cstr(name), VIEW("postgres://"));
}

static PGconn *start_connection(const struct pgsql_map *self,
                                const struct sql_host *host)
{
    struct parameters list = {0};
    char timeout[32];
    (void)snprintf(timeout, sizeof(timeout), "%lld",
                   (long long)(self->server.sql.timeout / CLOCK_SECOND));
    if (is_uri(host->name)) {
        add_parameter(&list, "dbname", host->name);
    } else {
        add_parameter(&list, "host", host->address);
        add_parameter(&list, "port", host->port);
        add_parameter(&list, "dbname", self->database);
    }
    add_parameter(&list, "user", self->user);
    add_parameter(&list, "password", self->password);
    add_parameter(&list, "connect_timeout", timeout);
    add_parameter(&list, "client_encoding", self->encoding);
    return PQconnectdbParams(list.names, list.values, 1);
}

static bool connect_host(const struct sql_server_map *map, struct sql_host *host,
                         struct err *err)
{
    PGconn *connection = start_connection((const struct pgsql_map *)map, host);
    CHECK(connection != NULL); /* fails for lack of memory only */
    if (PQstatus(connection) != CONNECTION_OK) {
        /* The name may be a URI with a password in it. */
        const char *shown = is_uri(host->name) ? PQhost(connection) : host->name;
        struct view message = view_trim(view_cstr(PQerrorMessage(connection)));
        (void)err_temp(err, "4.3.0", "connect to pgsql server %s: %.*s",
                       shown != NULL ? shown : "", VIEW_ARG(message));
        PQfinish(connection);
        return false;
    }
    (void)PQsetNoticeReceiver(connection, ignore_notice, NULL);
    host->connection = connection;
    return true;
}

/* --- asking ------------------------------------------------------------------ */

static bool quote(void *context, struct view raw, struct str *out)
{
    PGconn *connection = context;
    int problem = 0;
    char *room = str_reserve(out, 2 * raw.len + 1);
    if (room == NULL) {
        return false;
    }
    size_t len = PQescapeStringConn(connection, room, raw.ptr, raw.len, &problem);
    if (problem != 0) {
        return false;
    }
    str_commit(out, len);
    return true;
}

/* False: the connection is dead or the time is over. */
static bool await_result(PGconn *connection, int64_t deadline)
{
    while (PQisBusy(connection) != 0) {
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        int64_t left = (deadline - clock_now()) / CLOCK_MILLISECOND;
        if (left <= 0 ||
            (poll(&fd, 1, (int)left) > 0 && PQconsumeInput(connection) == 0)) {
            return false;
        }
    }
    return true;
}

static enum sql_attempt fail(const struct sql_server_map *map, PGconn *connection,
                             const char *message, struct err *err)
{
    sql_server_problem(map, view_cstr(message), err);
    return PQstatus(connection) != CONNECTION_OK ? SQL_DEAD : SQL_FAULTY;
}

/* All columns of all rows. */
static bool read_rows(const struct sql_server_map *map, const PGresult *rows,
                      struct map_answer *answer, struct err *err)
{
    int columns = PQnfields(rows);
    int count = PQntuples(rows);
    bool ok = true;
    for (int row = 0; ok && row < count; row++) {
        for (int i = 0; ok && i < columns; i++) {
            struct view value =
                view_of(PQgetvalue(rows, row, i), (size_t)PQgetlength(rows, row, i));
            ok = PQgetisnull(rows, row, i) != 0 ||
                 sql_add(&map->sql, answer, value, err);
        }
    }
    return ok;
}

static enum sql_attempt take_result(const struct sql_server_map *map,
                                    PGconn *connection, const PGresult *result,
                                    struct map_answer *answer,
                                    enum map_result *result_out, struct err *err)
{
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        return fail(map, connection, "query returned no result", err);
    }
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return fail(map, connection, PQresultErrorMessage(result), err);
    }
    bool fits = read_rows(map, result, answer, err);
    *result_out = !fits ? MAP_ERROR : answer->count > 0 ? MAP_FOUND : MAP_MISSING;
    return SQL_DONE;
}

static enum sql_attempt ask(const struct sql_server_map *map, void *connection,
                            struct view query, struct map_answer *answer,
                            enum map_result *result_out, struct err *err)
{
    int64_t deadline = clock_now() + map->sql.timeout;
    enum sql_attempt attempt = SQL_DONE;
    *result_out = MAP_ERROR;
    /* This form of the call takes one statement and no more. */
    if (PQsendQueryParams(connection, query.ptr, 0, NULL, NULL, NULL, NULL, 0) == 0) {
        (void)fail(map, connection, PQerrorMessage(connection), err);
        return SQL_DEAD;
    }
    for (;;) {
        if (!await_result(connection, deadline)) {
            bool late = clock_now() >= deadline;
            (void)fail(map, connection,
                       late ? "Connection timed out" : PQerrorMessage(connection), err);
            return SQL_DEAD; /* an answer that comes late would be another's */
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            return attempt;
        }
        attempt = take_result(map, connection, result, answer, result_out, err);
        PQclear(result);
    }
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct pgsql_map *self = (struct pgsql_map *)map;
    sql_server_done(&self->server);
    free(self);
}

/* A URI may have the name of the database in it. */
static void read_settings(struct pgsql_map *self)
{
    struct map_settings *settings = self->server.sql.settings;
    bool in_uri = is_uri(map_settings_str(settings, "hosts", ""));
    self->user = map_settings_str(settings, "user", "");
    self->password = map_settings_str(settings, "password", "");
    self->database = in_uri ? map_settings_str(settings, "dbname", "")
                            : map_settings_need(settings, "dbname");
    self->encoding = map_settings_str(settings, "encoding", "UTF8");
}

static const struct sql_driver driver = {.name = "pgsql",
                                         .dialect = SQL_FUNCTIONS,
                                         .connect = connect_host,
                                         .close = close_connection,
                                         .ask = ask,
                                         .quote = quote};

static const struct map_type pgsql_type = {.name = "pgsql",
                                           .properties =
                                               MAP_TYPE_FOLDS | MAP_TYPE_BLOCKS,
                                           .close = close_map,
                                           .find = sql_server_find};

map_module_open_function dict_pgsql_open;

struct map *dict_pgsql_open(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings = map_settings_open(spec, err);
    if (settings == NULL) {
        return NULL;
    }
    struct pgsql_map *self = xcalloc(1, sizeof(*self));
    self->server.sql.settings = settings;
    self->server.sql.map.type = &pgsql_type;
    read_settings(self);
    sql_server_init(&self->server, spec, &driver);
    if (!map_settings_ok(settings, err)) {
        close_map(&self->server.sql.map);
        return NULL;
    }
    return &self->server.sql.map;
}
