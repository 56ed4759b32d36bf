/* SPDX-License-Identifier: MIT */
#include "tls/server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file_watch.h"
#include "tls/connection.h"
#include "tls/context.h"
#include "tls/library.h"
#include "tls/server_keys.h"
#include "tls/sni.h"
#include "tls/tickets.h"

enum {
    RETRY = 30 * CLOCK_SECOND, /* when something is wrong */
    TICKET_LIFETIME_LEAST = 120,
    EXPIRY_WARNED_EVERY = 24 * 60 * 60
};

struct tls_server {
    const struct conf *conf;
    enum tls_level level;
    bool ask, require;
    bool usable;
    bool checking; /* nobody will be served */
    int loglevel;
    struct str cipher_list;
    int64_t opened;
    SSL_CTX *ctx;
    EVP_MD *digest; /* of fingerprints */
    struct tls_tickets *tickets;
    struct tls_ticket_keys *ticket_keys; /* of TICKETS */
    struct tls_sni *sni;                 /* NULL: one certificate for all names */
    struct file_watch *files;
    struct tls_server_keys keys;
};

/* --- level ------------------------------------------------------------------------ */

static bool find_level(const char *name, enum tls_level *out)
{
    static const char *const NAMES[] = {"none",        "may",    "encrypt",
                                        "fingerprint", "dane",   "half-dane",
                                        "dane-only",   "verify", "secure"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (view_equal_nocase_cstr(view_cstr(name), NAMES[i])) {
            *out = i < TLS_LEVEL_ENCRYPT ? (enum tls_level)i : TLS_LEVEL_ENCRYPT;
            return true;
        }
    }
    return false;
}

static bool is_for_clients(const char *name)
{
    return !view_equal_nocase_cstr(view_cstr(name), "none") &&
           !view_equal_nocase_cstr(view_cstr(name), "may") &&
           !view_equal_nocase_cstr(view_cstr(name), "encrypt");
}

static bool level_by_name(const char *name, enum tls_level *out,
                          struct tls_report *report)
{
    if (!find_level(name, out)) {
        char *text = xasprintf("Invalid TLS level \"%s\"", name);
        tls_report(report,
                   &(struct tls_mistake){.parameter = "smtpd_tls_security_level",
                                         .text = text,
                                         .hint = "allowed are none, may and "
                                                 "encrypt"});
        free(text);
        return false;
    }
    if (is_for_clients(name)) {
        char *text =
            xasprintf("smtpd_tls_security_level: unsupported TLS level \"%s\", "
                      "using \"encrypt\"",
                      name);
        tls_report(report,
                   &(struct tls_mistake){.parameter = "smtpd_tls_security_level",
                                         .harmless = true,
                                         .text = text});
        free(text);
    }
    return true;
}

bool tls_server_level(const struct conf *conf, enum tls_level *out,
                      struct tls_report *report)
{
    const char *name = conf_str(conf, P_smtpd_tls_security_level);
    *out = TLS_LEVEL_NONE;
    if (*name != '\0') {
        if (!level_by_name(name, out, report)) {
            return false;
        }
    } else if (conf_bool(conf, P_smtpd_enforce_tls)) {
        *out = TLS_LEVEL_ENCRYPT;
    } else if (conf_bool(conf, P_smtpd_use_tls)) {
        *out = TLS_LEVEL_MAY;
    }
    if (conf_bool(conf, P_smtpd_tls_wrappermode)) {
        *out = TLS_LEVEL_ENCRYPT; /* there is no other way in */
    }
    return true;
}

/* --- the context --------------------------------------------------------------------
 */

static void set_protocols(struct tls_server *server, struct tls_report *report)
{
    const struct conf *conf = server->conf;
    bool mandatory = server->level == TLS_LEVEL_ENCRYPT;
    tls_context_protocols(server->ctx,
                          mandatory ? "smtpd_tls_mandatory_protocols"
                                    : "smtpd_tls_protocols",
                          conf_str(conf, mandatory ? P_smtpd_tls_mandatory_protocols
                                                   : P_smtpd_tls_protocols),
                          report);
}

static void set_ciphers(struct tls_server *server, struct tls_report *report)
{
    const struct conf *conf = server->conf;
    bool mandatory = server->level == TLS_LEVEL_ENCRYPT;
    const char *excluded[3];
    size_t count = 0;
    if (server->ask) {
        excluded[count++] = "aNULL"; /* there is no client certificate without ours */
    }
    excluded[count++] = conf_str(conf, P_smtpd_tls_exclude_ciphers);
    if (mandatory) {
        excluded[count++] = conf_str(conf, P_smtpd_tls_mandatory_exclude_ciphers);
    }
    struct tls_cipher_choice choice = {
        .grade_name = mandatory ? "smtpd_tls_mandatory_ciphers" : "smtpd_tls_ciphers",
        .grade = conf_str(conf, mandatory ? P_smtpd_tls_mandatory_ciphers
                                          : P_smtpd_tls_ciphers),
        .exclude_name = "smtpd_tls_exclude_ciphers",
        .excluded = excluded,
        .excluded_count = count,
    };
    tls_context_ciphers(server->ctx, conf, &choice, &server->cipher_list, report);
    if (conf_bool(conf, P_tls_preempt_cipherlist)) {
        (void)SSL_CTX_set_options(server->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
}

/* A file that holds other parameters than OpenSSL's own choice is a thing of the past,
 * but it may be there. */
static void set_dh(struct tls_server *server, struct tls_report *report)
{
    const char *path = conf_str(server->conf, P_smtpd_tls_dh1024_param_file);
    if (*path == '\0' || strcmp(path, "auto") == 0) {
        return;
    }
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *parameters = file != NULL ? PEM_read_bio_Parameters(file, NULL) : NULL;
    BIO_free(file);
    if (parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(server->ctx, parameters) == 1) {
        return;
    }
    EVP_PKEY_free(parameters);
    STR_AUTO struct str reason = {0};
    tls_take_reason(&reason);
    char *text = xasprintf(
        "cannot load DH parameter file \"%s\": %s -- using compiled-in defaults", path,
        str_ptr(&reason));
    tls_report(report, &(struct tls_mistake){.parameter = "smtpd_tls_dh1024_param_file",
                                             .harmless = true,
                                             .text = text,
                                             .hint = "\"auto\" needs no file"});
    free(text);
}

static void set_verification(struct tls_server *server, struct tls_report *report)
{
    const struct conf *conf = server->conf;
    const char *file = conf_str(conf, P_smtpd_tls_CAfile);
    struct tls_authorities authorities = {
        .file_name = "smtpd_tls_CAfile",
        .file = file,
        .path_name = "smtpd_tls_CApath",
        .path = conf_str(conf, P_smtpd_tls_CApath),
    };
    tls_context_authorities(server->ctx, conf, &authorities, report);
    SSL_CTX_set_verify_depth(server->ctx,
                             conf_int(conf, P_smtpd_tls_ccert_verifydepth));
    if (server->ask) {
        /* Never "fail if there is none": the client is told why in words. */
        SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER,
                           SSL_CTX_get_verify_callback(server->ctx));
        if (*file != '\0') {
            SSL_CTX_set_client_CA_list(server->ctx, SSL_load_client_CA_file(file));
        }
    }
    tls_forget_errors();
}

/* A session may be resumed only where it could have begun: the same service, and the
 * same rules for ciphers and clients. */
static void set_session_scope(struct tls_server *server, const char *service)
{
    const struct conf *conf = server->conf;
    STR_AUTO struct str scope = {0};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    str_printf(&scope, "%s\n%d %d %d\n%s\n%s\n%s\n%s %s\n",
               service != NULL ? service : "", (int)server->level, server->ask,
               server->require, str_ptr(&server->cipher_list),
               conf_str(conf, P_smtpd_tls_protocols),
               conf_str(conf, P_smtpd_tls_mandatory_protocols),
               conf_str(conf, P_smtpd_tls_CAfile), conf_str(conf, P_smtpd_tls_CApath));
    (void)SHA256((const unsigned char *)str_ptr(&scope), scope.len, digest);
    CHECK(SSL_CTX_set_session_id_context(server->ctx, digest, sizeof(digest)) == 1);
}

static void set_resumption(struct tls_server *server, int ticket_fd,
                           struct tls_report *report)
{
    const struct conf *conf = server->conf;
    int64_t lifetime =
        conf_time(conf, P_smtpd_tls_session_cache_timeout) / CLOCK_SECOND;
    bool ids = conf_bool(conf, P_smtpd_tls_always_issue_session_ids);
    if (lifetime > 0) {
        lifetime = lifetime > TICKET_LIFETIME_LEAST ? lifetime : TICKET_LIFETIME_LEAST;
        server->ticket_keys = tls_ticket_keys_open(ticket_fd, lifetime);
        if (server->ticket_keys == NULL) {
            log_warning("TLS session ticket keys: %m; session tickets disabled");
        }
        (void)SSL_CTX_set_timeout(server->ctx, (long)lifetime);
    }
    server->tickets =
        tls_tickets_new(server->ctx, server->ticket_keys, 2 * lifetime, conf, report);
    /* Tickets are all there is: no session stays in this process. */
    (void)SSL_CTX_set_session_cache_mode(
        server->ctx,
        ids ? SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
}

/* Raw public keys (RFC 7250) came with OpenSSL 3.2. */
static void check_raw_keys(const struct tls_server *server, struct tls_report *report)
{
    if (conf_bool(server->conf, P_smtpd_tls_enable_rpk)) {
        tls_report(report, &(struct tls_mistake){
                               .parameter = "smtpd_tls_enable_rpk",
                               .harmless = true,
                               .text = "smtpd_tls_enable_rpk = yes: raw public "
                                       "keys are not built, certificates are "
                                       "used"});
    }
}

static void read_requirements(struct tls_server *server, struct tls_report *report)
{
    const struct conf *conf = server->conf;
    server->require = conf_bool(conf, P_smtpd_tls_req_ccert);
    if (server->require && server->level != TLS_LEVEL_ENCRYPT) {
        server->require = false;
        tls_report(report,
                   &(struct tls_mistake){
                       .parameter = "smtpd_tls_req_ccert",
                       .harmless = true,
                       .text = "Can't require client certs unless TLS is required",
                       .hint = "specify smtpd_tls_security_level = encrypt, or "
                               "smtpd_tls_ask_ccert = yes"});
    }
    server->ask = server->require || conf_bool(conf, P_smtpd_tls_ask_ccert);
}

static void watch_files(struct tls_server *server)
{
    static const enum param PARAMS[] = {
        P_smtpd_tls_chain_files, P_smtpd_tls_cert_file,  P_smtpd_tls_key_file,
        P_smtpd_tls_eccert_file, P_smtpd_tls_eckey_file, P_smtpd_tls_dcert_file,
        P_smtpd_tls_dkey_file,   P_smtpd_tls_CAfile,     P_smtpd_tls_dh1024_param_file};
    server->files = file_watch_new();
    for (size_t i = 0; i < ARRAY_SIZE(PARAMS); i++) {
        struct view rest = view_cstr(conf_str(server->conf, PARAMS[i]));
        struct view word;
        while (view_next_word(&rest, ", \t\r\n", &word)) {
            if (word.ptr[0] == '/') {
                char *path = xviewdup(word);
                file_watch_add(server->files, path);
                free(path);
            }
        }
    }
}

static void set_up_context(struct tls_server *server, const char *service,
                           int ticket_fd, struct tls_report *report)
{
    const struct conf *conf = server->conf;
    const char *names = conf_str(conf, P_tls_server_sni_maps);
    server->ctx = tls_context_new(conf, TLS_server_method(), report);
    read_requirements(server, report);
    check_raw_keys(server, report);
    set_protocols(server, report);
    set_ciphers(server, report);
    set_dh(server, report);
    set_verification(server, report);
    set_session_scope(server, service);
    set_resumption(server, ticket_fd, report);
    tls_server_keys_load(&server->keys, conf, server->ctx, report);
    server->digest =
        tls_context_digest("smtpd_tls_fingerprint_digest",
                           conf_str(conf, P_smtpd_tls_fingerprint_digest), report);
    server->sni = tls_sni_open(conf, names);
    if (server->sni != NULL && server->checking) {
        tls_sni_inspect(server->sni, names, report);
    }
}

/* --- life ---------------------------------------------------------------------------
 */

/* SERVICE NULL: to see whether it could be opened. */
static struct tls_server *open_server(const struct conf *conf, const char *service,
                                      int ticket_fd, struct tls_report *report)
{
    enum tls_level level;
    if (!tls_server_level(conf, &level, report) || level == TLS_LEVEL_NONE) {
        return NULL;
    }
    struct tls_server *server = xcalloc(1, sizeof(*server));
    server->conf = conf;
    server->level = level;
    server->checking = service == NULL;
    server->loglevel = conf_int(conf, P_smtpd_tls_loglevel);
    server->opened = clock_now();
    if (server->loglevel >= 2 && !server->checking) {
        log_info("initializing the server-side TLS engine");
    }
    watch_files(server); /* first: what changes while it is read is read again */
    report->failed = false;
    if (tls_library_start(conf, report)) {
        set_up_context(server, service, ticket_fd, report);
    }
    server->usable = !report->failed;
    return server;
}

struct tls_server *tls_server_open(const struct conf *conf, const char *service,
                                   int ticket_fd, struct tls_report *report)
{
    CHECK(service != NULL);
    return open_server(conf, service, ticket_fd, report);
}

void tls_server_close(struct tls_server **server)
{
    struct tls_server *old = *server;
    if (old == NULL) {
        return;
    }
    tls_sni_close(&old->sni);
    tls_server_keys_done(&old->keys);
    SSL_CTX_free(old->ctx);
    tls_tickets_free(&old->tickets);
    EVP_MD_free(old->digest);
    file_watch_free(&old->files);
    str_done(&old->cipher_list);
    free(old);
    *server = NULL;
}

bool tls_server_usable(const struct tls_server *server)
{
    return server->usable;
}

enum tls_level tls_server_security(const struct tls_server *server)
{
    return server->level;
}

bool tls_server_asks(const struct tls_server *server)
{
    return server->ask;
}

bool tls_server_requires(const struct tls_server *server)
{
    return server->require;
}

int tls_server_watch_fd(const struct tls_server *server)
{
    return file_watch_fd(server->files);
}

/* One process says it for all, once a day. */
static void warn_of_expiry(struct tls_server *server)
{
    if (server->ticket_keys == NULL ||
        tls_ticket_keys_turn(server->ticket_keys, clock_wall() / CLOCK_SECOND,
                             EXPIRY_WARNED_EVERY)) {
        struct tls_report report = {.say = tls_log_mistake};
        tls_server_keys_check_expiry(&server->keys, server->conf, &report);
    }
}

bool tls_server_outdated(struct tls_server *server)
{
    if (!server->usable && clock_now() - server->opened > RETRY) {
        return true;
    }
    if (tls_server_keys_expire_soon(&server->keys, server->conf)) {
        warn_of_expiry(server);
    }
    return file_watch_changed(server->files) ||
           (server->sni != NULL && tls_sni_changed(server->sni));
}

bool tls_server_check(const struct conf *conf, struct tls_report *report)
{
    report->failed = false;
    struct tls_server *server = open_server(conf, NULL, -1, report);
    bool good = !report->failed;
    if (server != NULL && good) {
        tls_server_keys_check_expiry(&server->keys, conf, report);
        good = !report->failed;
    }
    tls_server_close(&server);
    return good;
}

/* --- sessions ------------------------------------------------------------------------
 */

static bool choose(struct tls_handshake *handshake, const char *name)
{
    struct tls_server *server = handshake->context;
    const struct tls_chains *chains = NULL;
    struct err err = {0};
    switch (tls_sni_find(server->sni, name, &chains, &err)) {
    case MAP_FOUND:
        if (tls_chains_use_once(chains, handshake->ssl)) {
            handshake->facts->sni = name;
            return true;
        }
        tls_log_errors();
        break;
    case MAP_MISSING:
        if (server->loglevel >= 1) {
            log_info("TLS SNI %s from %s not matched, using default chain", name,
                     handshake->peer);
        }
        return true;
    case MAP_ERROR:
        log_warning("%s", err.text);
        break;
    }
    log_warning("error loading private keys and certificates from: SNI data for %s: "
                "aborting TLS handshake",
                name);
    return false;
}

bool tls_server_accept(struct tls_server *server, struct stream *stream,
                       const char *peer, struct arena *arena, struct tls_facts *facts)
{
    CHECK(server->usable);
    SSL *ssl = SSL_new(server->ctx);
    CHECK(ssl != NULL);
    struct tls_handshake handshake = {
        .ssl = ssl,
        .peer = peer,
        .loglevel = server->loglevel,
        .is_server = true,
        .log_untrusted = server->require || server->loglevel >= 3,
        .choose = server->sni != NULL ? choose : NULL,
        .context = server,
        .digest = server->digest,
        .legacy_fingerprints =
            conf_bool(server->conf, P_tls_legacy_public_key_fingerprints),
        .arena = arena,
        .facts = facts,
    };
    if (server->loglevel >= 2) {
        log_info("setting up TLS connection from %s", peer);
        log_info("%s: TLS cipher list \"%s\"", peer, str_ptr(&server->cipher_list));
    }
    stream_set_deadline(stream, clock_now() +
                                    conf_time(server->conf, P_smtpd_starttls_timeout));
    bool encrypted = tls_connection_start(stream, &handshake);
    stream_set_deadline(stream, CLOCK_NEVER);
    return encrypted;
}
