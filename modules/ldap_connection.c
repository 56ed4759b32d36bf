/* SPDX-License-Identifier: MIT */
/* Connecting to a directory server: options, TLS, and the ways to say who we are. */
#include <sasl/sasl.h>
#include <stdlib.h>

#include "base/log.h"
#include "modules/ldap_table.h"

bool ldap_table_is_dead(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR ||
           code == LDAP_TIMEOUT || code == LDAP_UNAVAILABLE || code == LDAP_BUSY ||
           code == LDAP_DECODING_ERROR || code == LDAP_ENCODING_ERROR ||
           code == LDAP_OTHER || code == LDAP_LOCAL_ERROR;
}

void ldap_table_problem(struct ldap_map *self, const char *what, int code,
                        struct err *err)
{
    char *detail = NULL;
    (void)ldap_get_option(self->server, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
    bool more = detail != NULL && detail[0] != '\0';
    (void)err_temp(err, "4.3.0", "%s: %s%s%s%s", what, ldap_err2string(code),
                   more ? " (" : "", more ? detail : "", more ? ")" : "");
    ldap_memfree(detail);
}

static struct timeval seconds_of(int64_t time)
{
    return (struct timeval){.tv_sec = time / CLOCK_SECOND,
                            .tv_usec = time % CLOCK_SECOND};
}

/* --- options ----------------------------------------------------------------- */

struct option {
    int name;
    const void *value;
    const char *text; /* for messages */
};

static bool set_option(struct ldap_map *self, const struct option *option,
                       struct err *err)
{
    int code = ldap_set_option(self->server, option->name, option->value);
    if (code != LDAP_OPT_SUCCESS) {
        (void)err_perm(err, "4.3.0", "set %s: %s", option->text, ldap_err2string(code));
        return false;
    }
    return true;
}

static bool set_options(struct ldap_map *self, struct err *err)
{
    const struct timeval limit = seconds_of(self->timeout);
    int seconds = (int)limit.tv_sec;
    const struct option options[] = {
        {LDAP_OPT_PROTOCOL_VERSION, &self->version, "version"},
        {LDAP_OPT_NETWORK_TIMEOUT, &limit, "timeout"},
        {LDAP_OPT_TIMEOUT, &limit, "timeout"},
        {LDAP_OPT_TIMELIMIT, &seconds, "timeout"},
        {LDAP_OPT_SIZELIMIT, &self->size_limit, "size_limit"},
        {LDAP_OPT_DEREF, &self->dereference, "dereference"},
        {LDAP_OPT_REFERRALS, self->chase_referrals ? LDAP_OPT_ON : LDAP_OPT_OFF,
         "chase_referrals"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!set_option(self, &options[i], err)) {
            return false;
        }
    }
    /* The library has one level for all its connections. */
    if (self->debug_level > 0 && ldap_set_option(NULL, LDAP_OPT_DEBUG_LEVEL,
                                                 &self->debug_level) != LDAP_SUCCESS) {
        log_warning("%s: cannot set debuglevel", self->query.title);
    }
    return true;
}

static bool set_tls_options(struct ldap_map *self, struct err *err)
{
    int require = self->require_cert ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
    int as_client = 0;
    const struct option texts[] = {
        {LDAP_OPT_X_TLS_CACERTDIR, self->tls_ca_dir, "tls_ca_cert_dir"},
        {LDAP_OPT_X_TLS_CACERTFILE, self->tls_ca_file, "tls_ca_cert_file"},
        {LDAP_OPT_X_TLS_CERTFILE, self->tls_cert, "tls_cert"},
        {LDAP_OPT_X_TLS_KEYFILE, self->tls_key, "tls_key"},
        {LDAP_OPT_X_TLS_RANDOM_FILE, self->tls_random, "tls_random_file"},
        {LDAP_OPT_X_TLS_CIPHER_SUITE, self->tls_ciphers, "tls_cipher_suite"},
    };
    const struct option last[] = {
        {LDAP_OPT_X_TLS_REQUIRE_CERT, &require, "tls_require_cert"},
        {LDAP_OPT_X_TLS_NEWCTX, &as_client, "TLS settings"}, /* takes them all up */
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (((const char *)texts[i].value)[0] != '\0' &&
            !set_option(self, &texts[i], err)) {
            return false;
        }
    }
    return set_option(self, &last[0], err) && set_option(self, &last[1], err);
}

/* --- binding ----------------------------------------------------------------- */

static int bind_simply(struct ldap_map *self)
{
    struct timeval limit = seconds_of(self->timeout);
    struct view password = view_cstr(self->bind_password);
    /* The library only reads it. */
    struct berval credentials = {.bv_val = (char *)(uintptr_t)password.ptr,
                                 .bv_len = password.len};
    int id = -1;
    LDAPMessage *reply = NULL;
    int code = ldap_sasl_bind(self->server, self->bind_dn, LDAP_SASL_SIMPLE,
                              &credentials, NULL, NULL, &id);
    if (code != LDAP_SUCCESS) {
        return code;
    }
    int kind = ldap_result(self->server, id, LDAP_MSG_ALL, &limit, &reply);
    if (kind <= 0) {
        return kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
    }
    int parsed =
        ldap_parse_result(self->server, reply, &code, NULL, NULL, NULL, NULL, 1);
    return parsed != LDAP_SUCCESS ? parsed : code;
}

/* Answers to what SASL mechanisms ask. */
static int answer_sasl(LDAP *server, unsigned flags, void *context, void *questions)
{
    (void)server;
    (void)flags;
    const struct ldap_map *self = context;
    for (sasl_interact_t *question = questions; question->id != SASL_CB_LIST_END;
         question++) {
        const char *answer = "";
        switch (question->id) {
        case SASL_CB_GETREALM:
            answer = self->sasl_realm;
            break;
        case SASL_CB_USER:
            answer = self->sasl_authorization;
            break;
        case SASL_CB_AUTHNAME:
            answer = self->bind_dn;
            break;
        case SASL_CB_PASS:
            answer = self->bind_password;
            break;
        default:
            break;
        }
        bool use_default = answer[0] == '\0' && question->defresult != NULL;
        question->result = use_default ? question->defresult : answer;
        question->len = (unsigned)view_cstr(question->result).len;
    }
    return LDAP_SUCCESS;
}

static int bind_with_sasl(struct ldap_map *self)
{
    ber_len_t min_ssf = (ber_len_t)self->sasl_min_ssf;
    int code = ldap_set_option(self->server, LDAP_OPT_X_SASL_SSF_MIN, &min_ssf);
    if (code != LDAP_OPT_SUCCESS) {
        return code;
    }
    return ldap_sasl_interactive_bind_s(
        self->server, NULL,
        self->sasl_mechanisms[0] != '\0' ? self->sasl_mechanisms : NULL, NULL, NULL,
        LDAP_SASL_QUIET, answer_sasl, self);
}

static bool bind_server(struct ldap_map *self, struct err *err)
{
    int code = LDAP_SUCCESS;
    switch (self->bind) {
    case BIND_NONE:
        break;
    case BIND_SIMPLE:
        code = bind_simply(self);
        break;
    case BIND_SASL:
        code = bind_with_sasl(self);
        break;
    }
    if (code != LDAP_SUCCESS) {
        STR_AUTO struct str what = {0};
        str_printf(&what, "Unable to bind to server %s as \"%s\"", self->urls,
                   self->bind_dn);
        ldap_table_problem(self, str_ptr(&what), code, err);
        return false;
    }
    return true;
}

/* --- connecting -------------------------------------------------------------- */

static bool start_tls(struct ldap_map *self, struct err *err)
{
    int code = ldap_start_tls_s(self->server, NULL, NULL);
    if (code != LDAP_SUCCESS) {
        ldap_table_problem(self, "Unable to set STARTTLS", code, err);
        return false;
    }
    return true;
}

bool ldap_table_connect(struct ldap_map *self, struct err *err)
{
    int code = ldap_initialize(&self->server, self->urls);
    if (code != LDAP_SUCCESS) {
        self->server = NULL;
        (void)err_temp(err, "4.3.0", "Unable to create session with %s: %s", self->urls,
                       ldap_err2string(code));
        return false;
    }
    if (!set_options(self, err) || !set_tls_options(self, err) ||
        (self->start_tls && !start_tls(self, err)) || !bind_server(self, err)) {
        ldap_table_disconnect(self);
        return false;
    }
    return true;
}

void ldap_table_disconnect(struct ldap_map *self)
{
    if (self->server != NULL) {
        (void)ldap_unbind_ext_s(self->server, NULL, NULL); /* frees in any case */
        self->server = NULL;
    }
}
