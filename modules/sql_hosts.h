/* SPDX-License-Identifier: MIT */
/*
 * The servers of a table, one of which is asked.  Those on this machine come first, and
 * among equals chance decides.  A server that does not answer is left alone for a time
 * that grows; when all are, lookups fail at once.
 */
#ifndef MODULES_SQL_HOSTS_H
#define MODULES_SQL_HOSTS_H

#include "modules/backoff.h"
#include "modules/sql.h"

struct sql_host {
    char *name; /* without "inet:" or "unix:" */
    bool is_path;
    char *address;    /* NAME without port and brackets; the whole of a URI or path */
    char *port;       /* "": none */
    void *connection; /* of the driver; NULL: none */
    int64_t used_at;
    struct backoff backoff;
};

enum sql_attempt {
    SQL_DONE,   /* there is a result, which may be MAP_ERROR */
    SQL_FAULTY, /* the server refuses the question: another one would not fare better */
    SQL_DEAD    /* the server does not answer */
};

struct sql_server_map;
/* What the modules differ in. */
struct sql_driver {
    const char *name; /* of the table type */
    unsigned dialect;
    /* Set HOST->connection, or fill ERR. */
    bool (*connect)(const struct sql_server_map *map, struct sql_host *host,
                    struct err *err);
    void (*close)(void *connection);
    /* Ask QUERY and put what comes into ANSWER.  ERR is filled unless the result is
     * MAP_FOUND or MAP_MISSING. */
    enum sql_attempt (*ask)(const struct sql_server_map *map, void *connection,
                            struct view query, struct map_answer *answer,
                            enum map_result *result_out, struct err *err);
    map_quote_function *quote; /* gets the connection */
};

/* A table with servers; the first member of the modules' own structs. */
struct sql_server_map {
    struct sql_map sql;
    const struct sql_driver *driver;
    struct sql_host *hosts;
    size_t count;
    int64_t idle_most;  /* connections that were not used for so long are closed */
    int64_t pause_most; /* between attempts to connect */
};

/* sql_init(), and "hosts", "idle_interval" and "retry_interval". */
void sql_server_init(struct sql_server_map *map, const struct map_spec *spec,
                     const struct sql_driver *driver);
void sql_server_done(struct sql_server_map *map);
/* The find() of the table types. */
enum map_result sql_server_find(struct map *map, struct view key, struct str *value_out,
                                struct err *err);
/* Fill ERR with "NAME query failed: MESSAGE", and log it. */
void sql_server_problem(const struct sql_server_map *map, struct view message,
                        struct err *err);

#endif
