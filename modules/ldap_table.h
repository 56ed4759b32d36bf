/* SPDX-License-Identifier: MIT */
/* ldap: tables: settings, the connection to the server, and searches. */
#ifndef MODULES_LDAP_TABLE_H
#define MODULES_LDAP_TABLE_H

#include <ldap.h>

#include "map/query.h"
#include "modules/backoff.h"

/* What becomes of the values of an attribute. */
enum attribute_use {
    USE_RESULT,   /* a result */
    USE_SPECIAL,  /* the name of another entry, or a URL */
    USE_TERMINAL, /* a result, and then the only kind */
    USE_LEAF      /* a result where the entry has no USE_SPECIAL */
};
struct attribute {
    char *name;
    enum attribute_use use;
};
/* What a search asks for; NAMES is what the library wants, NULL-terminated. */
struct attributes {
    struct attribute *list;
    char **names;
    size_t count;
};
void attributes_add(struct attributes *attributes, struct view name,
                    enum attribute_use use);
void attributes_done(struct attributes *attributes);

enum bind_kind { BIND_NONE, BIND_SIMPLE, BIND_SASL };

struct ldap_map {
    struct map map;
    struct map_settings *settings;
    struct map_query query;
    struct map_format *base, *filter;
    bool base_is_fixed; /* then it must exist */
    struct attributes attributes;
    int scope;
    int64_t timeout;
    int recursion_limit, size_limit;
    /* connection */
    char *urls;
    enum bind_kind bind;
    const char *bind_dn, *bind_password;
    const char *sasl_mechanisms, *sasl_realm, *sasl_authorization;
    int sasl_min_ssf;
    bool start_tls, require_cert, chase_referrals;
    const char *tls_ca_dir, *tls_ca_file, *tls_cert, *tls_key, *tls_random,
        *tls_ciphers;
    int version, dereference, debug_level;
    LDAP *server; /* NULL: not connected */
    int64_t used_at;
    struct backoff backoff;
};

/* Connect and bind.  False: ERR says why, and the log. */
bool ldap_table_connect(struct ldap_map *self, struct err *err);
void ldap_table_disconnect(struct ldap_map *self);
/* CODE of the library, in words, with what the server says. */
void ldap_table_problem(struct ldap_map *self, const char *what, int code,
                        struct err *err);

/* Search, and follow what special attributes name; results go to ANSWER.  The code of
 * the library: LDAP_SUCCESS, or ERR says why not. */
int ldap_table_search(struct ldap_map *self, const char *base, const char *filter,
                      struct map_answer *answer, struct err *err);
/* Is the library's CODE a reason to connect anew? */
bool ldap_table_is_dead(int code);

#endif
