/* SPDX-License-Identifier: MIT */
/* mysql: tables, for MySQL and MariaDB (mysql_table(5)). */
#include <mysql.h>
#include <mysqld_error.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/number.h"
#include "map/module.h"
#include "modules/sql_hosts.h"
#include "sys/clock.h"

MAP_MODULE;

struct mysql_map {
    struct sql_server_map server;
    const char *user, *password, *database, *charset;
    const char *option_file, *option_group;
    const char *tls_key, *tls_cert, *tls_ca_file, *tls_ca_path, *tls_ciphers;
    bool tls_verify;
    bool require_result_set;
};

/* --- connecting -------------------------------------------------------------- */

static void close_connection(void *connection)
{
    mysql_close(connection);
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void set_tls(const struct mysql_map *self, MYSQL *mysql)
{
    bool wanted = self->tls_key[0] != '\0' || self->tls_cert[0] != '\0' ||
                  self->tls_ca_file[0] != '\0' || self->tls_ca_path[0] != '\0' ||
                  self->tls_ciphers[0] != '\0' || self->tls_verify;
    if (!wanted) {
        return;
    }
    my_bool yes = 1;
    my_bool verify = self->tls_verify;
    (void)mysql_ssl_set(mysql, or_null(self->tls_key), or_null(self->tls_cert),
                        or_null(self->tls_ca_file), or_null(self->tls_ca_path),
                        or_null(self->tls_ciphers));
    /* Who asks for TLS does not want the password to go without. */
    (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void set_options(const struct mysql_map *self, MYSQL *mysql)
{
    unsigned seconds = (unsigned)(self->server.sql.timeout / CLOCK_SECOND);
    my_bool no = 0;
    if (self->option_file[0] != '\0') {
        (void)mysql_options(mysql, MYSQL_READ_DEFAULT_FILE, self->option_file);
    }
    if (self->option_group[0] != '\0') {
        (void)mysql_options(mysql, MYSQL_READ_DEFAULT_GROUP, self->option_group);
    }
    (void)mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    (void)mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
    (void)mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    (void)mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
    /* A server must not ask for files of this machine. */
    (void)mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
    (void)mysql_options(mysql, MYSQL_SET_CHARSET_NAME, self->charset);
    set_tls(self, mysql);
}

static bool connect_host(const struct sql_server_map *map, struct sql_host *host,
                         struct err *err)
{
    const struct mysql_map *self = (const struct mysql_map *)map;
    MYSQL *mysql = mysql_init(NULL);
    CHECK(mysql != NULL); /* fails for lack of memory only */
    set_options(self, mysql);
    uint64_t port = 0;
    (void)number_parse_u64(view_cstr(host->port), UINT16_MAX, &port); /* or none */
    const char *path = host->is_path ? host->address : NULL;
    if (mysql_real_connect(mysql, path == NULL ? host->address : NULL,
                           or_null(self->user), or_null(self->password), self->database,
                           (unsigned)port, path, CLIENT_MULTI_RESULTS) == NULL) {
        (void)err_temp(err, "4.3.0", "connect to mysql server %s: %s", host->name,
                       mysql_error(mysql));
        mysql_close(mysql);
        return false;
    }
    host->connection = mysql;
    return true;
}

/* --- asking ------------------------------------------------------------------ */

static bool quote(void *context, struct view raw, struct str *out)
{
    MYSQL *mysql = context;
    char *room = str_reserve(out, 2 * raw.len + 1);
    if (room == NULL) {
        return false;
    }
    unsigned long len = mysql_real_escape_string(mysql, room, raw.ptr, raw.len);
    if (len > 2 * raw.len) { /* how it says that it cannot */
        return false;
    }
    str_commit(out, len);
    return true;
}

/* The server, not the question, is at fault. */
static bool is_server_trouble(unsigned code)
{
    enum { CLIENT_ERRORS = 2000, CLIENT_ERRORS_END = 3000, CONNECTOR_ERRORS = 5000 };
    return (code >= CLIENT_ERRORS && code < CLIENT_ERRORS_END) ||
           code >= CONNECTOR_ERRORS || code == ER_SERVER_SHUTDOWN ||
           code == ER_CONNECTION_KILLED || code == ER_NEW_ABORTING_CONNECTION;
}

static enum sql_attempt take_error(const struct sql_server_map *map, MYSQL *mysql,
                                   struct err *err)
{
    sql_server_problem(map, view_cstr(mysql_error(mysql)), err);
    return is_server_trouble(mysql_errno(mysql)) ? SQL_DEAD : SQL_FAULTY;
}

/* All columns of all rows. */
static bool read_rows(const struct sql_server_map *map, MYSQL_RES *rows,
                      struct map_answer *answer, struct err *err)
{
    unsigned columns = mysql_num_fields(rows);
    MYSQL_ROW row;
    bool ok = true;
    while (ok && (row = mysql_fetch_row(rows)) != NULL) {
        const unsigned long *lengths = mysql_fetch_lengths(rows);
        for (unsigned i = 0; ok && i < columns; i++) {
            ok = row[i] == NULL ||
                 sql_add(&map->sql, answer, view_of(row[i], lengths[i]), err);
        }
    }
    return ok;
}

/* A stored procedure ends with a result that is none, behind the one of its SELECT. */
static enum sql_attempt read_results(const struct sql_server_map *map, MYSQL *mysql,
                                     struct map_answer *answer, unsigned *sets_out,
                                     bool *fits_out, struct err *err)
{
    int more;
    do {
        MYSQL_RES *rows = mysql_store_result(mysql);
        if (rows == NULL && mysql_errno(mysql) != 0) {
            return take_error(map, mysql, err);
        }
        if (rows != NULL && (*sets_out)++ == 0) {
            *fits_out = read_rows(map, rows, answer, err);
        }
        mysql_free_result(rows);
        more = mysql_next_result(mysql);
    } while (more == 0);
    return more > 0 ? take_error(map, mysql, err) : SQL_DONE;
}

static enum sql_attempt ask(const struct sql_server_map *map, void *connection,
                            struct view query, struct map_answer *answer,
                            enum map_result *result_out, struct err *err)
{
    const struct mysql_map *self = (const struct mysql_map *)map;
    MYSQL *mysql = connection;
    unsigned sets = 0;
    bool fits = true;
    if (mysql_real_query(mysql, query.ptr, query.len) != 0) {
        return take_error(map, mysql, err);
    }
    enum sql_attempt attempt = read_results(map, mysql, answer, &sets, &fits, err);
    if (attempt != SQL_DONE) {
        return attempt;
    }
    if (sets > 1) {
        sql_server_problem(
            map, VIEW("multiple result sets returning data are not supported"), err);
        return SQL_FAULTY;
    }
    if (sets == 0 && self->require_result_set) {
        sql_server_problem(
            map, VIEW("query returned no result set (require_result_set = yes)"), err);
        return SQL_FAULTY;
    }
    *result_out = !fits ? MAP_ERROR : answer->count > 0 ? MAP_FOUND : MAP_MISSING;
    return SQL_DONE;
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct mysql_map *self = (struct mysql_map *)map;
    sql_server_done(&self->server);
    free(self);
}

static void read_settings(struct mysql_map *self)
{
    struct map_settings *settings = self->server.sql.settings;
    self->user = map_settings_str(settings, "user", "");
    self->password = map_settings_str(settings, "password", "");
    self->database = map_settings_need(settings, "dbname");
    self->charset = map_settings_str(settings, "charset", "utf8mb4");
    self->option_file = map_settings_str(settings, "option_file", "");
    self->option_group = map_settings_str(settings, "option_group", "client");
    self->tls_key = map_settings_str(settings, "tls_key_file", "");
    self->tls_cert = map_settings_str(settings, "tls_cert_file", "");
    self->tls_ca_file = map_settings_str(settings, "tls_CAfile", "");
    self->tls_ca_path = map_settings_str(settings, "tls_CApath", "");
    self->tls_ciphers = map_settings_str(settings, "tls_ciphers", "");
    self->tls_verify = map_settings_bool(settings, "tls_verify_cert", false);
    self->require_result_set = map_settings_bool(settings, "require_result_set", true);
}

static const struct sql_driver driver = {.name = "mysql",
                                         .dialect = SQL_DOUBLE_QUOTES,
                                         .connect = connect_host,
                                         .close = close_connection,
                                         .ask = ask,
                                         .quote = quote};

static const struct map_type mysql_type = {.name = "mysql",
                                           .properties =
                                               MAP_TYPE_FOLDS | MAP_TYPE_BLOCKS,
                                           .close = close_map,
                                           .find = sql_server_find};

map_module_open_function dict_mysql_open;

struct map *dict_mysql_open(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings = map_settings_open(spec, err);
    if (settings == NULL) {
        return NULL;
    }
    struct mysql_map *self = xcalloc(1, sizeof(*self));
    self->server.sql.settings = settings;
    self->server.sql.map.type = &mysql_type;
    read_settings(self);
    sql_server_init(&self->server, spec, &driver);
    if (!map_settings_ok(settings, err)) {
        close_map(&self->server.sql.map);
        return NULL;
    }
    return &self->server.sql.map;
}
