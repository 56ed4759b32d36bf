/* SPDX-License-Identifier: MIT */
/* Servers as main.cf describes them, and real handshakes with them over socket pairs.
 */
#include "testing/test.h"

#include <openssl/err.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "conf/conf.h"
#include "sys/clock.h"
#include "task/task.h"
#include "tls/connection.h"
#include "tls/context.h"
#include "tls/server.h"
#include "tls/tls_testing.h"

struct world {
    char *dir;
    struct identity authority, ec, rsa, client, stranger, late;
    struct str log;
};

static void take_log(enum log_level level, const char *text, void *context)
{
    struct world *w = context;
    (void)level;
    str_printf(&w->log, "%s\n", text);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->dir = test_make_dir();
    w->authority = identity_new(IDENTITY_EC, "Authority", NULL, 100);
    w->ec = identity_new(IDENTITY_EC, "ec.example.com", &w->authority, 60);
    w->rsa = identity_new(IDENTITY_RSA, "rsa.example.com", &w->authority, 60);
    w->client = identity_new(IDENTITY_EC, "client.example.com", &w->authority, 60);
    w->stranger = identity_new(IDENTITY_EC, "stranger", NULL, 60);
    w->late = identity_new(IDENTITY_EC, "late.example.com", &w->authority, -1);
    identity_write(&w->authority, w->dir, "ca");
    identity_write(&w->ec, w->dir, "ec");
    identity_write(&w->rsa, w->dir, "rsa");
    identity_write(&w->late, w->dir, "late");
    test_write_file(w->dir, "junk", "junk\n");
    log_set_stderr(false);
    log_set_hook(take_log, w);
    task_init();
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    task_done();
    log_set_hook(NULL, NULL);
    struct identity *all[] = {&w->authority, &w->ec,       &w->rsa,
                              &w->client,    &w->stranger, &w->late};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        identity_done(all[i]);
    }
    str_done(&w->log);
    test_remove_dir(w->dir);
    free(w);
    return 0;
}

/* SETTINGS with D for the directory, on top of a server with the EC certificate. */
static struct conf *settings(const struct world *w, const char *text)
{
    static const char BASE[] =
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = D/ec.key D/ec.pem\n"
        "smtpd_tls_loglevel = 1\ncompatibility_level = 3.6\n";
    STR_AUTO struct str all = {0};
    struct err err;
    const char *parts[] = {BASE, text};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        for (const char *c = parts[i]; *c != '\0'; c++) {
            bool alone = (c == parts[i] || strchr(" ={", c[-1]) != NULL) && c[1] == '/';
            if (*c == 'D' && alone) {
                str_add_cstr(&all, w->dir);
            } else {
                str_add_byte(&all, *c);
            }
        }
    }
    struct conf *conf = conf_open_text("/nonexistent", str_ptr(&all), &err);
    assert_non_null(conf);
    return conf;
}

/* --- settings ------------------------------------------------------------------------
 */

struct mistakes {
    struct str text; /* "PARAMETER[!]: TEXT; REASON; HINT" lines; !: it matters */
};

static void note_mistake(void *context, const struct tls_mistake *mistake)
{
    struct mistakes *mistakes = context;
    str_printf(&mistakes->text, "%s%s: %s; %s; %s\n", mistake->parameter,
               mistake->harmless ? "" : "!", mistake->text, mistake->reason,
               mistake->hint);
}

static void assert_check(const struct world *w, const char *text,
                         const char *const *words)
{
    struct mistakes mistakes = {0};
    struct tls_report report = {.say = note_mistake, .context = &mistakes};
    struct conf *conf = settings(w, text);
    bool good = tls_server_check(conf, &report);
    bool matters = strstr(str_ptr(&mistakes.text), "!:") != NULL;
    if (good == matters) {
        fail_msg("%s: good %d with %s", text, good, str_ptr(&mistakes.text));
    }
    if (words[0] == NULL && mistakes.text.len > 0) {
        fail_msg("%s: %s", text, str_ptr(&mistakes.text));
    }
    for (; *words != NULL; words++) {
        if (strstr(str_ptr(&mistakes.text), *words) == NULL) {
            fail_msg("%s: no \"%s\" in: %s", text, *words, str_ptr(&mistakes.text));
        }
    }
    str_done(&mistakes.text);
    conf_free(&conf);
}

/* A configuration that is right, however unusual, draws no word. */
static void test_right_settings(void **state)
{
    const struct world *w = *state;
    static const char *const rows[] = {
        "",
        "smtpd_tls_security_level = none\nsmtpd_tls_chain_files = /nonexistent\n",
        "smtpd_tls_security_level =\n",
        "smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\n"
        "smtpd_tls_CAfile = D/ca.pem\n",
        "smtpd_tls_chain_files =\nsmtpd_tls_cert_file = none\n",
        "smtpd_tls_chain_files =\nsmtpd_tls_cert_file = D/rsa.pem\n"
        "smtpd_tls_key_file = D/rsa.key\nsmtpd_tls_eccert_file = D/ec.pem\n"
        "smtpd_tls_eckey_file = D/ec.key\n",
        "smtpd_tls_protocols = !SSLv2, !SSLv3\nsmtpd_tls_ciphers = high\n"
        "smtpd_tls_exclude_ciphers = aNULL, MD5\ntls_preempt_cipherlist = yes\n",
        "smtpd_tls_dh1024_param_file = auto\ntls_ssl_options = NO_TICKET 0x40000000\n",
        "tls_server_sni_maps = inline:{{x.example=D/rsa.key D/rsa.pem}}\n",
        "smtpd_tls_CApath = D/\ntls_append_default_CA = yes\n",
        /* Nobody is served at this level by these. */
        "smtpd_tls_mandatory_protocols = nonsense\nsmtpd_tls_mandatory_ciphers = x\n",
        "smtpd_tls_session_cache_timeout = 0\n",
        "smtpd_tls_security_level =\nsmtpd_use_tls = yes\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_check(w, rows[i], (const char *const[]){NULL});
    }
}

static void test_wrong_settings(void **state)
{
    const struct world *w = *state;
    static const struct {
        const char *settings;
        const char *words[4];
    } rows[] = {
        {"smtpd_tls_security_level = foo\n",
         {"smtpd_tls_security_level!: Invalid TLS level \"foo\"", "may and encrypt"}},
        {"smtpd_tls_security_level = secure\n",
         {"smtpd_tls_security_level: ", "unsupported TLS level \"secure\", using"}},
        {"smtpd_tls_chain_files =\n",
         {"No server certs available. TLS won't be enabled"}},
        {"smtpd_tls_chain_files = D/none\n",
         {"smtpd_tls_chain_files!: error loading private keys and certificates from",
          "none: No such file"}},
        {"smtpd_tls_chain_files = D/ec.pem D/ec.key\n", {"ec.pem: key not first"}},
        {"smtpd_tls_chain_files = D/ec.key D/rsa.pem\n",
         {"does not match next certificate", "index 1 in"}},
        {"smtpd_tls_chain_files = D/junk\n", {"no keys and certificates in"}},
        {"smtpd_tls_chain_files =\nsmtpd_tls_cert_file = D/rsa.pem\n"
         "smtpd_tls_key_file = D/ec.key\n",
         {"smtpd_tls_key_file!: cannot get RSA private key from file",
          "ec.key does not belong to the first certificate in"}},
        {"smtpd_tls_chain_files =\nsmtpd_tls_eccert_file = D/junk\n",
         {"smtpd_tls_eccert_file!: cannot get ECDSA certificate from file",
          "no certificate in"}},
        {"smtpd_tls_cert_file = D/rsa.pem\n",
         {"smtpd_tls_cert_file: Both smtpd_tls_chain_files and one or more"}},
        {"smtpd_tls_chain_files = D/late.key D/late.pem\n",
         {"smtpd_tls_chain_files: the certificate of the server, "
          "/O=Test/CN=late.example.com, has expired"}},
        {"tls_expiry_warning_time = 61d\n", {"ec.example.com, expires in "}},
        {"smtpd_tls_protocols = TLSv1.9\n",
         {"smtpd_tls_protocols!: Invalid TLS protocol list \"TLSv1.9\"",
          "allowed are SSLv3"}},
        {"smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_protocols = x\n",
         {"smtpd_tls_mandatory_protocols!: "}},
        {"smtpd_tls_ciphers = best\n",
         {"smtpd_tls_ciphers!: invalid cipher grade: \"best\"", "high, medium"}},
        {"smtpd_tls_exclude_ciphers = !MD5\n",
         {"smtpd_tls_exclude_ciphers!: invalid unary"}},
        {"smtpd_tls_exclude_ciphers = HIGH MEDIUM\n",
         {"smtpd_tls_ciphers!: error setting cipher grade: \"medium\"",
          "no cipher that matches"}},
        {"tls_ssl_options = FOO\n",
         {"tls_ssl_options: unknown tls_ssl_options value \"FOO\" in \"FOO\"",
          "NO_TICKET"}},
        {"tls_eecdh_auto_curves = nocurve X25519\n",
         {"ignoring unknown ECDHE curve \"nocurve\""}},
        {"smtpd_tls_fingerprint_digest = nodigest\n",
         {"smtpd_tls_fingerprint_digest!: Digest algorithm \"nodigest\" not found"}},
        {"smtpd_tls_CAfile = D/none\n",
         {"smtpd_tls_CAfile!: cannot load Certification Authority data, CAfile=",
          "No such file"}},
        {"smtpd_tls_CAfile = D/junk\n", {"smtpd_tls_CAfile!: "}},
        {"smtpd_tls_CApath = D/junk\n", {"smtpd_tls_CApath!: ", "Not a directory"}},
        {"smtpd_tls_req_ccert = yes\n",
         {"smtpd_tls_req_ccert: Can't require client certs unless TLS is required"}},
        {"tls_session_ticket_cipher = aes-256-gcm\n",
         {"tls_session_ticket_cipher: invalid value: aes-256-gcm"}},
        {"smtpd_tls_dh1024_param_file = D/junk\n",
         {"smtpd_tls_dh1024_param_file: cannot load", "using compiled-in defaults"}},
        {"tls_server_sni_maps = inline:{{x.example=D/ec.key D/rsa.pem}}\n",
         {"tls_server_sni_maps: error loading private keys", "SNI data for x.example",
          "does not match"}},
        {"tls_server_sni_maps = hash:D/none\n", {"tls_server_sni_maps: "}},
        {"tls_ffdhe_auto_groups = ffdhe2048, ffdhe1\n",
         {"tls_ffdhe_auto_groups: ignoring unknown ECDHE curve \"ffdhe1\""}},
        {"smtpd_tls_enable_rpk = yes\n", {"smtpd_tls_enable_rpk: "}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_check(w, rows[i].settings, rows[i].words);
    }
}

/* --- sessions
 * ------------------------------------------------------------------------- */

/* What one client does, and what came of it. */
struct meeting {
    struct world *world;
    struct tls_server *server;
    int server_fd, client_fd;
    const char *name;              /* SNI */
    const struct identity *client; /* its certificate */
    int highest;                   /* protocol; 0: any */
    SSL_SESSION *session;          /* to be resumed, and the new one */
    size_t bulk;                   /* bytes there and back */
    const char *plain;             /* sent instead of a handshake */
    bool server_done, client_done;
    struct arena arena;
    struct tls_facts facts, client_facts;
};

static void run_server(void *context)
{
    struct meeting *m = context;
    struct stream *stream = stream_new(m->server_fd);
    struct view line;
    stream_set_timeout(stream, 10 * CLOCK_SECOND);
    m->server_done = tls_server_accept(m->server, stream, "peer", &m->arena, &m->facts);
    assert_int_equal(m->server_done, stream_ok(stream));
    if (m->server_done && stream_read_line(stream, 100, &line, NULL)) {
        assert_view_equal(line, "hello");
        stream_write_cstr(stream, "welcome\r\n");
        assert_true(stream_flush(stream));
    }
    size_t left = m->server_done ? m->bulk : 0;
    while (left > 0) {
        struct view some;
        assert_true(stream_peek_some(stream, &some));
        stream_write(stream, some);
        left -= some.len;
        stream_consume(stream, some.len);
    }
    (void)stream_flush(stream);
    /* The client's farewell is an orderly end. */
    if (m->server_done) {
        assert_false(stream_read_line(stream, 100, &line, NULL));
        assert_int_equal(stream_state(stream), STREAM_EOF);
    }
    stream_free(&stream);
}

static SSL *new_client(struct meeting *m, SSL_CTX *ctx)
{
    tls_connection_prepare(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    if (m->highest != 0) {
        SSL_CTX_set_max_proto_version(ctx, m->highest);
    }
    if (m->client != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, m->client->certificate), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, m->client->key), 1);
    }
    SSL *ssl = SSL_new(ctx);
    if (m->name != NULL) {
        char *name = xstrdup(m->name); /* OpenSSL wants it without const */
        assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
        free(name);
    }
    if (m->session != NULL) {
        assert_int_equal(SSL_set_session(ssl, m->session), 1);
    }
    return ssl;
}

static void send_bulk(void *context)
{
    struct stream *stream = context;
    char block[1000];
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 1000; i++) {
        stream_write(stream, view_of(block, sizeof(block)));
    }
    assert_true(stream_flush(stream));
}

static void talk(struct meeting *m, struct stream *stream)
{
    struct view line;
    stream_write_cstr(stream, "hello\r\n");
    if (!stream_flush(stream) || !stream_read_line(stream, 100, &line, NULL)) {
        return;
    }
    assert_view_equal(line, "welcome");
    m->client_done = true;
    if (m->bulk > 0) {
        assert_int_equal(m->bulk, 1000 * 1000);
        (void)task_spawn("bulk", send_bulk, stream);
    }
    for (size_t got = 0; got < m->bulk;) {
        struct view some;
        assert_true(stream_peek_some(stream, &some));
        got += some.len;
        stream_consume(stream, some.len);
    }
}

static void run_client(void *context)
{
    struct meeting *m = context;
    struct stream *stream = stream_new(m->client_fd);
    stream_set_timeout(stream, 10 * CLOCK_SECOND);
    if (m->plain != NULL) {
        stream_write_cstr(stream, m->plain);
        (void)stream_flush(stream);
        stream_free(&stream);
        return;
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = new_client(m, ctx);
    struct tls_handshake handshake = {.ssl = ssl,
                                      .peer = "server",
                                      .arena = &m->arena,
                                      .digest = EVP_sha256(),
                                      .facts = &m->client_facts};
    (void)SSL_up_ref(ssl);
    if (tls_connection_start(stream, &handshake)) {
        talk(m, stream);
        SSL_SESSION_free(m->session);
        m->session = SSL_get1_session(ssl);
    }
    SSL_free(ssl);
    stream_free(&stream);
    SSL_CTX_free(ctx);
}

static void meet(struct meeting *m)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    m->server_fd = pair[0];
    m->client_fd = pair[1];
    m->server_done = m->client_done = false;
    str_clear(&m->world->log);
    (void)task_spawn("server", run_server, m);
    (void)task_spawn("client", run_client, m);
    task_run(true);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for others to find */
}

static struct tls_server *open_server(struct world *w, struct conf **conf,
                                      const char *text, int fd)
{
    struct tls_report report = {.say = tls_log_mistake};
    *conf = settings(w, text);
    str_clear(&w->log);
    struct tls_server *server = tls_server_open(*conf, "smtp", fd, &report);
    assert_non_null(server);
    if (!tls_server_usable(server)) {
        fail_msg("%s", str_ptr(&w->log));
    }
    return server;
}

static void close_server(struct tls_server **server, struct conf **conf)
{
    tls_server_close(server);
    conf_free(conf);
}

static void done(struct meeting *m)
{
    SSL_SESSION_free(m->session);
    m->session = NULL;
    arena_clear(&m->arena);
}

static void assert_logged(const struct world *w, const char *words)
{
    if (strstr(str_ptr(&w->log), words) == NULL) {
        fail_msg("no \"%s\" in: %s", words, str_ptr(&w->log));
    }
}

static void test_session(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    struct meeting m = {.world = w, .bulk = 1000 * 1000};
    m.server = open_server(w, &conf, "", -1);
    meet(&m);
    assert_true(m.server_done && m.client_done);
    assert_string_equal(m.facts.protocol, "TLSv1.3");
    assert_int_equal(m.facts.used_bits, 256);
    assert_string_equal(m.facts.key_exchange, "X25519");
    assert_string_equal(m.facts.server_signature, "ECDSA (prime256v1)");
    assert_string_equal(m.facts.server_digest, "SHA256");
    assert_string_equal(m.facts.client_signature, "");
    assert_false(m.facts.reused || m.facts.asked || m.facts.peer.present);
    assert_string_equal(m.client_facts.peer.subject_cn, "ec.example.com");
    assert_string_equal(m.client_facts.peer.issuer_cn, "Authority");
    assert_int_equal(strlen(m.client_facts.peer.fingerprint), 95);
    assert_logged(w,
                  "Anonymous TLS connection established from peer: TLSv1.3 with cipher "
                  "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
                  "server-signature ECDSA (prime256v1) server-digest SHA256");
    done(&m);
    close_server(&m.server, &conf);
}

static void test_protocols_and_keys(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    struct meeting m = {.world = w, .highest = TLS1_2_VERSION};
    m.server = open_server(w, &conf, "", -1);
    meet(&m);
    assert_string_equal(m.facts.protocol, "TLSv1.2");
    assert_string_equal(m.facts.key_exchange, "");
    done(&m);
    close_server(&m.server, &conf);

    m.server = open_server(w, &conf, "smtpd_tls_protocols = >=TLSv1.3\n", -1);
    meet(&m);
    assert_false(m.server_done || m.client_done);
    assert_logged(w, "SSL_accept error from peer: -1");
    assert_logged(w, "TLS library problem: error:0A000102:SSL routines::unsupported");
    done(&m);
    close_server(&m.server, &conf);

    /* Both kinds of keys, for clients that know one of them. */
    m.server = open_server(w, &conf,
                           "smtpd_tls_chain_files = D/rsa.key D/rsa.pem D/ec.key "
                           "D/ec.pem\n",
                           -1);
    m.highest = 0;
    meet(&m);
    assert_string_equal(m.facts.server_signature, "ECDSA (prime256v1)");
    done(&m);
    close_server(&m.server, &conf);
}

/* No client, half a client, and a client that speaks something else. */
static void test_broken_handshakes(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    struct meeting m = {.world = w};
    static const struct {
        const char *plain, *words;
    } rows[] = {
        {"", "SSL_accept error from peer: lost connection"},
        {"\x16\x03\x01", "SSL_accept error from peer: lost connection"},
        {"EHLO again\r\n", "SSL routines::wrong version number"},
        {"\x16\x03\x01\x02\x01garbage", "SSL_accept error from peer: lost connection"},
        {"\x15\x03\x01\x02\x02\x02\x28", "SSL_accept error from peer: "},
    };
    m.server = open_server(w, &conf, "", -1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m.plain = rows[i].plain;
        meet(&m);
        assert_false(m.server_done);
        assert_logged(w, rows[i].words);
    }
    done(&m);
    close_server(&m.server, &conf);
}

static void run_silent_client(void *context)
{
    struct meeting *m = context;
    struct stream *stream = stream_new(m->client_fd);
    struct view some;
    stream_set_timeout(stream, 10 * CLOCK_SECOND);
    assert_false(stream_peek_some(stream, &some)); /* until the server gives up */
    stream_free(&stream);
}

static void test_handshake_timeout(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    int pair[2];
    struct meeting m = {.world = w};
    m.server = open_server(w, &conf, "smtpd_starttls_timeout = 1s\n", -1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    m.server_fd = pair[0];
    m.client_fd = pair[1];
    (void)task_spawn("server", run_server, &m);
    (void)task_spawn("client", run_silent_client, &m);
    task_run(true);
    assert_false(m.server_done);
    assert_logged(w, "SSL_accept error from peer: Connection timed out");
    done(&m);
    close_server(&m.server, &conf);
}

static void test_client_certificates(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    struct meeting m = {.world = w, .client = &w->client};
    m.server = open_server(w, &conf,
                           "smtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = "
                           "D/ca.pem\n",
                           -1);
    meet(&m);
    assert_true(m.facts.asked && m.facts.peer.present && m.facts.peer.trusted);
    assert_string_equal(m.facts.peer.subject_cn, "client.example.com");
    assert_string_equal(m.facts.peer.subject, "/O=Test/CN=client.example.com");
    assert_int_equal(strlen(m.facts.peer.fingerprint), 95);
    assert_int_equal(strlen(m.facts.peer.pubkey_fingerprint), 95);
    assert_string_not_equal(m.facts.peer.fingerprint, m.facts.peer.pubkey_fingerprint);
    assert_string_equal(m.facts.client_signature, "ECDSA (prime256v1)");
    assert_logged(w, "Trusted TLS connection established from peer");
    /* The certificate comes back with the ticket. */
    meet(&m);
    assert_true(m.facts.reused && m.facts.peer.trusted);
    assert_string_equal(m.facts.peer.subject_cn, "client.example.com");
    done(&m);

    m.client = &w->stranger;
    meet(&m);
    assert_true(m.server_done && m.facts.peer.present && !m.facts.peer.trusted);
    assert_logged(w, "Untrusted TLS connection established from peer");
    meet(&m);
    assert_true(m.facts.reused && !m.facts.peer.trusted);
    done(&m);

    m.client = NULL;
    meet(&m);
    assert_true(m.server_done && m.facts.asked && !m.facts.peer.present);
    done(&m);
    close_server(&m.server, &conf);
}

static void test_reasons_of_distrust(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    struct identity expired =
        identity_new(IDENTITY_EC, "expired.example.com", &w->authority, -1);
    struct identity unknown = identity_new(IDENTITY_EC, "Unknown CA", NULL, 60);
    struct identity theirs = identity_new(IDENTITY_EC, "theirs", &unknown, 60);
    const struct {
        const struct identity *client;
        const char *words;
    } rows[] = {
        {&w->stranger,
         "certificate verification failed for peer: self-signed certificate"},
        {&expired,
         "client certificate verification failed for peer: certificate has expired"},
        {&theirs, "certificate verification failed for peer: untrusted issuer "
                  "/O=Test/CN=Unknown CA"},
    };
    struct meeting m = {.world = w};
    m.server = open_server(w, &conf,
                           "smtpd_tls_security_level = encrypt\n"
                           "smtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = "
                           "D/ca.pem\n",
                           -1);
    assert_true(tls_server_requires(m.server) && tls_server_asks(m.server));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m.client = rows[i].client;
        meet(&m);
        assert_false(m.facts.peer.trusted);
        assert_logged(w, rows[i].words);
        done(&m);
    }
    close_server(&m.server, &conf);
    identity_done(&expired);
    identity_done(&unknown);
    identity_done(&theirs);
}

/* A ticket is good at another process of the instance, in both protocols, but not at
 * another service, and not under other rules. */
static void test_resumption(void **state)
{
    struct world *w = *state;
    static const int PROTOCOLS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct conf *conf_a, *conf_b, *conf_c;
    int fd = memfd_create("keys", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 4096), 0);
    struct tls_server *a = open_server(w, &conf_a, "", fd);
    struct tls_server *b = open_server(w, &conf_b, "", fd);
    struct tls_server *strict = open_server(
        w, &conf_c, "smtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = D/ca.pem\n", fd);
    for (size_t i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
        struct meeting m = {.world = w, .server = a, .highest = PROTOCOLS[i]};
        meet(&m);
        assert_true(m.client_done && !m.facts.reused);
        m.server = b;
        meet(&m);
        assert_true(m.client_done && m.facts.reused);
        m.server = strict;
        meet(&m);
        assert_true(m.client_done && !m.facts.reused);
        done(&m);
    }
    close_server(&a, &conf_a);
    close_server(&b, &conf_b);
    close_server(&strict, &conf_c);
    (void)close(fd);
}

static void test_no_resumption(void **state)
{
    struct world *w = *state;
    static const char *const rows[] = {"smtpd_tls_session_cache_timeout = 0\n",
                                       "tls_ssl_options = NO_TICKET\n",
                                       "tls_session_ticket_cipher = aes-256-gcm\n"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int protocol = TLS1_2_VERSION; protocol <= TLS1_3_VERSION; protocol++) {
            struct conf *conf;
            struct meeting m = {.world = w, .highest = protocol};
            m.server = open_server(w, &conf, rows[i], -1);
            meet(&m);
            meet(&m);
            assert_true(m.client_done && !m.facts.reused);
            done(&m);
            close_server(&m.server, &conf);
        }
    }
}

static void test_server_names(void **state)
{
    struct world *w = *state;
    struct conf *conf;
    static const struct {
        const char *name, *subject, *sni;
    } rows[] = {
        {"one.example", "rsa.example.com", "one.example"},
        {"ONE.example", "rsa.example.com", "ONE.example"},
        {"a.b.two.example", "late.example.com", "a.b.two.example"},
        {"two.example", "ec.example.com", ""},
        {"three.example", "ec.example.com", ""},
        {NULL, "ec.example.com", ""},
    };
    struct meeting m = {.world = w};
    m.server = open_server(
        w, &conf,
        "tls_server_sni_maps = inline:{{one.example=D/rsa.key D/rsa.pem}, "
        "{.two.example=D/late.key D/late.pem}, {bad.example=D/ec.key D/rsa.pem}}\n",
        -1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m.name = rows[i].name;
        meet(&m);
        assert_true(m.client_done);
        assert_string_equal(m.client_facts.peer.subject_cn, rows[i].subject);
        assert_string_equal(m.facts.sni, rows[i].sni);
        done(&m);
    }
    m.name = "three.example";
    meet(&m);
    assert_logged(w,
                  "TLS SNI three.example from peer not matched, using default chain");
    done(&m);
    m.name = "bad.example";
    meet(&m);
    assert_false(m.server_done || m.client_done);
    assert_logged(w, "SNI data for bad.example: aborting TLS handshake");
    done(&m);
    close_server(&m.server, &conf);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_right_settings),
        TEST(test_wrong_settings),
        TEST(test_session),
        TEST(test_protocols_and_keys),
        TEST(test_broken_handshakes),
        TEST(test_handshake_timeout),
        TEST(test_client_certificates),
        TEST(test_reasons_of_distrust),
        TEST(test_resumption),
        TEST(test_no_resumption),
        TEST(test_server_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
