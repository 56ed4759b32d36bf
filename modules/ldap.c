/* SPDX-License-Identifier: MIT */
/* ldap: tables (ldap_table(5)). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/utf8.h"
#include "map/module.h"
#include "modules/ldap_table.h"

MAP_MODULE;

/* Pauses between attempts to connect grow to this. */
enum { PAUSE_MOST = 60 * CLOCK_SECOND };

/* --- attributes -------------------------------------------------------------- */

void attributes_add(struct attributes *attributes, struct view name,
                    enum attribute_use use)
{
    size_t count = attributes->count++;
    attributes->list =
        xreallocarray(attributes->list, count + 1, sizeof(attributes->list[0]));
    attributes->names =
        xreallocarray(attributes->names, count + 2, sizeof(attributes->names[0]));
    attributes->list[count] = (struct attribute){xviewdup(name), use};
    attributes->names[count] = attributes->list[count].name;
    attributes->names[count + 1] = NULL;
}

void attributes_done(struct attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        free(attributes->list[i].name);
    }
    free(attributes->list);
    free(attributes->names);
    *attributes = (struct attributes){0};
}

static void read_attributes(struct ldap_map *self, const char *parameter,
                            const char *fallback, enum attribute_use use)
{
    struct view rest = view_cstr(map_settings_str(self->settings, parameter, fallback));
    struct view name;
    while (conf_list_next(&rest, &name)) {
        attributes_add(&self->attributes, name, use);
    }
}

/* --- quoting ----------------------------------------------------------------- */

/* RFC 4515: "*" and parentheses would be a part of the filter. */
static bool quote_in_filter(void *context, struct view raw, struct str *out)
{
    (void)context;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (strchr("*()\\", c) != NULL) { /* NUL is one of them too */
            str_printf(out, "\\%02X", (unsigned char)c);
        } else {
            str_add_byte(out, c);
        }
    }
    return true;
}

/* RFC 4514: what is neither letter nor digit may mean something in a name. */
static bool quote_in_name(void *context, struct view raw, struct str *out)
{
    (void)context;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (ascii_alnum(c) || (unsigned char)c >= 0x80 || strchr("@.-_", c) != NULL) {
            str_add_byte(out, c);
        } else {
            str_printf(out, "\\%02X", (unsigned char)c);
        }
    }
    return true;
}

/* --- lookups ----------------------------------------------------------------- */

static enum map_result ask(struct ldap_map *self, const char *base, const char *filter,
                           struct map_answer *answer, struct err *err)
{
    bool kept = self->server != NULL;
    int code = LDAP_SERVER_DOWN;
    if (backoff_must_wait(&self->backoff, clock_now())) {
        (void)err_temp(err, "4.3.0", "%s: server does not answer", self->query.title);
        return MAP_ERROR;
    }
    if (kept || ldap_table_connect(self, err)) {
        code = ldap_table_search(self, base, filter, answer, err);
    }
    /* A connection that was kept may be dead without anybody's fault. */
    if (kept && ldap_table_is_dead(code) && code != LDAP_TIMEOUT) {
        ldap_table_disconnect(self);
        str_clear(answer->text);
        answer->count = 0;
        if (ldap_table_connect(self, err)) {
            code = ldap_table_search(self, base, filter, answer, err);
        }
    }
    if (ldap_table_is_dead(code)) {
        ldap_table_disconnect(self);
        backoff_failure(&self->backoff, PAUSE_MOST);
    } else {
        backoff_success(&self->backoff);
    }
    if (code != LDAP_SUCCESS) {
        log_warning("%s: %s", self->map.title, err->text);
        return MAP_ERROR;
    }
    return answer->count > 0 ? MAP_FOUND : MAP_MISSING;
}

static enum map_result find(struct map *map, struct view key, struct str *value_out,
                            struct err *err)
{
    struct ldap_map *self = (struct ldap_map *)map;
    STR_AUTO struct str base = {0};
    STR_AUTO struct str filter = {0};
    struct map_key parts;
    if (!utf8_valid(key) || view_index(key, '\0') < key.len) {
        log_warning("%s: non-UTF-8 key \"%.*s\"", map->title, VIEW_ARG(key));
        return MAP_MISSING;
    }
    enum map_result result = map_query_admits(&self->query, key, &parts, err);
    if (result != MAP_FOUND) {
        return result;
    }
    if (!map_format_fill(self->base, &parts, quote_in_name, NULL, &base) ||
        !map_format_fill(self->filter, &parts, quote_in_filter, NULL, &filter)) {
        return MAP_MISSING;
    }
    struct map_answer answer = {.key = &parts, .text = value_out};
    return ask(self, str_ptr(&base), str_ptr(&filter), &answer, err);
}

/* --- opening ----------------------------------------------------------------- */

static void close_map(struct map *map)
{
    struct ldap_map *self = (struct ldap_map *)map;
    ldap_table_disconnect(self);
    attributes_done(&self->attributes);
    map_format_free(&self->base);
    map_format_free(&self->filter);
    map_query_done(&self->query);
    map_settings_close(&self->settings);
    free(self->urls);
    free(self);
}

static int read_scope(struct map_settings *settings)
{
    static const struct {
        const char *name;
        int scope;
    } scopes[] = {{"sub", LDAP_SCOPE_SUBTREE},
                  {"base", LDAP_SCOPE_BASE},
                  {"one", LDAP_SCOPE_ONELEVEL}};
    struct view text = view_cstr(map_settings_str(settings, "scope", "sub"));
    for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
        if (view_equal_nocase_cstr(text, scopes[i].name)) {
            return scopes[i].scope;
        }
    }
    map_settings_fail(settings, "%s: unrecognized value for scope: %.*s",
                      map_settings_title(settings), VIEW_ARG(text));
    return LDAP_SCOPE_SUBTREE;
}

static enum bind_kind read_bind(struct map_settings *settings)
{
    static const struct {
        const char *name;
        enum bind_kind kind;
    } kinds[] = {{"no", BIND_NONE},
                 {"none", BIND_NONE},
                 {"yes", BIND_SIMPLE},
                 {"simple", BIND_SIMPLE},
                 {"sasl", BIND_SASL}};
    struct view text = view_cstr(map_settings_str(settings, "bind", "yes"));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (view_equal_nocase_cstr(text, kinds[i].name)) {
            return kinds[i].kind;
        }
    }
    map_settings_fail(settings, "%s: unsupported bind method: %.*s",
                      map_settings_title(settings), VIEW_ARG(text));
    return BIND_NONE;
}

/* "host", "host:port" and URLs become URLs. */
static void add_url(struct map_settings *settings, struct view host, int port,
                    struct str *urls)
{
    static const char *const schemes[] = {"ldap://", "ldaps://", "ldapi://"};
    bool is_url = false;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        is_url = is_url || view_starts_nocase(host, view_cstr(schemes[i]));
    }
    /* "[2001:db8::1]:389" has its last colon behind the bracket. */
    size_t colon = view_last_index(host, ':');
    size_t bracket = view_last_index(host, ']');
    bool has_port = colon < host.len && (bracket == host.len || colon > bracket);
    str_add_cstr(urls, urls->len > 0 ? " " : "");
    size_t start = urls->len;
    str_printf(urls, "%s%.*s", is_url ? "" : "ldap://", VIEW_ARG(host));
    if (!is_url && !has_port) {
        str_printf(urls, ":%d", port);
    }
    LDAPURLDesc *url = NULL;
    if (ldap_url_parse(str_ptr(urls) + start, &url) != LDAP_URL_SUCCESS) {
        map_settings_fail(settings, "%s: server_host is no LDAP URL: %.*s",
                          map_settings_title(settings), VIEW_ARG(host));
    }
    ldap_free_urldesc(url);
}

static char *read_urls(struct map_settings *settings)
{
    struct view rest = view_cstr(map_settings_str(settings, "server_host", ""));
    int port = map_settings_int(settings, "server_port", LDAP_PORT, 1, UINT16_MAX);
    struct view host;
    struct str urls = {0};
    if (view_trim(rest).len == 0) {
        rest = VIEW("localhost");
    }
    while (conf_list_next(&rest, &host)) {
        add_url(settings, host, port, &urls);
    }
    return str_steal(&urls);
}

static void read_connection_settings(struct ldap_map *self)
{
    struct map_settings *settings = self->settings;
    self->urls = read_urls(settings);
    self->version = map_settings_int(settings, "version", 3, 2, 3);
    self->bind = read_bind(settings);
    self->bind_dn = map_settings_str(settings, "bind_dn", "");
    self->bind_password = map_settings_str(settings, "bind_pw", "");
    self->sasl_mechanisms = map_settings_str(settings, "sasl_mechs", "");
    self->sasl_realm = map_settings_str(settings, "sasl_realm", "");
    self->sasl_authorization = map_settings_str(settings, "sasl_authz_id", "");
    self->sasl_min_ssf = map_settings_int(settings, "sasl_minssf", 0, 0, 4096);
    self->start_tls = map_settings_bool(settings, "start_tls", false);
    self->tls_ca_dir = map_settings_str(settings, "tls_ca_cert_dir", "");
    self->tls_ca_file = map_settings_str(settings, "tls_ca_cert_file", "");
    self->tls_cert = map_settings_str(settings, "tls_cert", "");
    self->tls_key = map_settings_str(settings, "tls_key", "");
    self->require_cert = map_settings_bool(settings, "tls_require_cert", false);
    self->tls_random = map_settings_str(settings, "tls_random_file", "");
    self->tls_ciphers = map_settings_str(settings, "tls_cipher_suite", "");
    self->dereference = map_settings_int(settings, "dereference", 0, 0, 3);
    self->chase_referrals = map_settings_int(settings, "chase_referrals", 0, 0, 1) != 0;
    self->debug_level = map_settings_int(settings, "debuglevel", 0, 0, INT32_MAX);
    if (self->version < 3 && (self->start_tls || self->bind == BIND_SASL)) {
        map_settings_fail(settings, "%s: %s needs version = 3",
                          map_settings_title(settings),
                          self->start_tls ? "start_tls = yes" : "bind = sasl");
    }
}

static void read_search_settings(struct ldap_map *self, const struct conf *conf)
{
    struct map_settings *settings = self->settings;
    map_query_init(&self->query, conf, settings,
                   map_settings_str(settings, "result_filter", "%s"));
    self->base = map_query_format(settings, "search_base",
                                  map_settings_need(settings, "search_base"));
    self->filter = map_query_format(
        settings, "query_filter",
        map_settings_str(settings, "query_filter", "mailacceptinggeneralid=%s"));
    self->base_is_fixed = self->base != NULL && map_format_is_fixed(self->base);
    if (self->filter != NULL && self->base_is_fixed &&
        map_format_is_fixed(self->filter)) {
        log_warning("%s: Fixed query_filter %s is probably useless", self->query.title,
                    map_settings_str(settings, "query_filter", ""));
    }
    read_attributes(self, "result_attribute", "maildrop", USE_RESULT);
    read_attributes(self, "special_result_attribute", "", USE_SPECIAL);
    read_attributes(self, "terminal_result_attribute", "", USE_TERMINAL);
    read_attributes(self, "leaf_result_attribute", "", USE_LEAF);
    if (self->attributes.count == 0) {
        map_settings_fail(settings, "%s: no result attribute", self->query.title);
    }
    self->scope = read_scope(settings);
    self->timeout =
        map_settings_int(settings, "timeout", 10, 1, 86400) * (int64_t)CLOCK_SECOND;
    self->recursion_limit =
        map_settings_int(settings, "recursion_limit", 1000, 1, INT32_MAX);
    self->size_limit =
        map_settings_int(settings, "size_limit",
                         self->query.limit > 0 ? self->query.limit : 0, 0, INT32_MAX);
    static const char *const gone[] = {"cache", "cache_expiry", "cache_size"};
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        if (map_settings_is_set(settings, gone[i])) {
            log_warning("%s: %s ignored: LDAP libraries have no cache any more",
                        self->query.title, gone[i]);
        }
    }
}

/* The library writes to connections that the server has closed.  Whoever handles the
 * signal, or ignores it, goes on to do so. */
static void survive_closed_connections(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        (void)sigaction(SIGPIPE, &action, NULL);
    }
}

static const struct map_type ldap_type = {.name = "ldap",
                                          .properties =
                                              MAP_TYPE_FOLDS | MAP_TYPE_BLOCKS,
                                          .close = close_map,
                                          .find = find};

map_module_open_function dict_ldap_open;

struct map *dict_ldap_open(const struct map_spec *spec, struct err *err)
{
    struct map_settings *settings = map_settings_open(spec, err);
    if (settings == NULL) {
        return NULL;
    }
    struct ldap_map *self = xcalloc(1, sizeof(*self));
    self->settings = settings;
    self->map.type = &ldap_type;
    self->map.owner = map_settings_owner(settings);
    read_search_settings(self, spec->conf);
    read_connection_settings(self);
    survive_closed_connections();
    if (!map_settings_ok(settings, err)) {
        close_map(&self->map);
        return NULL;
    }
    return &self->map;
}
