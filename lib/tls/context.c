/* SPDX-License-Identifier: MIT */
#include "tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "tls/ciphers.h"
#include "tls/connection.h"
#include "tls/library.h"
#include "tls/options.h"
#include "tls/protocols.h"

/* --- options ---------------------------------------------------------------------- */

static void report_option(const char *parameter, const char *value, struct view bad,
                          const char *hint, struct tls_report *report)
{
    char *text = xasprintf("unknown %s value \"%.*s\" in \"%s\"", parameter,
                           VIEW_ARG(bad), value);
    tls_report(report, &(struct tls_mistake){.parameter = parameter,
                                             .harmless = true,
                                             .text = text,
                                             .hint = hint});
    free(text);
}

static void set_options(SSL_CTX *ctx, const struct conf *conf,
                        struct tls_report *report)
{
    uint64_t on;
    uint64_t off;
    struct view bad;
    const char *options = conf_str(conf, P_tls_ssl_options);
    const char *workarounds = conf_str(conf, P_tls_disable_workarounds);
    if (!tls_options_parse(view_cstr(options), &on, &bad)) {
        char *hint = xasprintf("allowed are %s", tls_options_names());
        report_option("tls_ssl_options", options, bad, hint, report);
        free(hint);
    }
    if (!tls_workarounds_parse(view_cstr(workarounds), &off, &bad)) {
        report_option("tls_disable_workarounds", workarounds, bad, NULL, report);
    }
    /* Nobody who sends mail negotiates twice; who does wants to keep us busy. */
    (void)SSL_CTX_set_options(ctx, (SSL_OP_ALL & ~off) | SSL_OP_NO_RENEGOTIATION | on);
}

/* --- curves ----------------------------------------------------------------------- */

/* The names that this OpenSSL knows, in its form. */
static void known_groups(const char *parameter, const char *text, struct str *out,
                         struct tls_report *report)
{
    struct view rest = view_cstr(text);
    struct view word;
    SSL_CTX *trial = SSL_CTX_new(TLS_method());
    CHECK(trial != NULL);
    while (view_next_word(&rest, ", :\t\r\n", &word)) {
        char *name = xviewdup(word);
        if (SSL_CTX_set1_groups_list(trial, name) == 1) {
            str_printf(out, "%s%s", out->len > 0 ? ":" : "", name);
        } else {
            char *text_out = xasprintf("ignoring unknown ECDHE curve \"%s\"", name);
            tls_report(report, &(struct tls_mistake){.parameter = parameter,
                                                     .harmless = true,
                                                     .text = text_out});
            free(text_out);
        }
        free(name);
    }
    SSL_CTX_free(trial);
    tls_forget_errors();
}

/* Like Postfix since 3.6, every grade but the default is history. */
static void set_groups(SSL_CTX *ctx, const struct conf *conf, struct tls_report *report)
{
    STR_AUTO struct str list = {0};
    known_groups("tls_eecdh_auto_curves", conf_str(conf, P_tls_eecdh_auto_curves),
                 &list, report);
    known_groups("tls_ffdhe_auto_groups", conf_str(conf, P_tls_ffdhe_auto_groups),
                 &list, report);
    if (list.len > 0) {
        CHECK(SSL_CTX_set1_groups_list(ctx, list.ptr) == 1);
    }
}

SSL_CTX *tls_context_new(const struct conf *conf, const SSL_METHOD *method,
                         struct tls_report *report)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    CHECK(ctx != NULL);
    /* What is weak is decided by the parameters below: a weak cipher is better than the
     * clear text that the other side will use instead. */
    SSL_CTX_set_security_level(ctx, 0);
    (void)SSL_CTX_set_min_proto_version(ctx, 0);
    (void)SSL_CTX_set_max_proto_version(ctx, 0);
    (void)SSL_CTX_set_dh_auto(ctx, 1);
    set_options(ctx, conf, report);
    set_groups(ctx, conf, report);
    tls_connection_prepare(ctx);
    return ctx;
}

/* --- protocols and ciphers ----------------------------------------------------------
 */

void tls_context_protocols(SSL_CTX *ctx, const char *parameter, const char *text,
                           struct tls_report *report)
{
    struct tls_protocols protocols;
    struct err err;
    if (tls_protocols_parse(view_cstr(text), &protocols, &err) != OK) {
        char *message =
            xasprintf("Invalid TLS protocol list \"%s\": disabling TLS support", text);
        tls_report(report, &(struct tls_mistake){.parameter = parameter,
                                                 .text = message,
                                                 .reason = err.text});
        free(message);
        return;
    }
    (void)SSL_CTX_set_options(ctx, protocols.excluded);
    CHECK(SSL_CTX_set_min_proto_version(ctx, protocols.lowest) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ctx, protocols.highest) == 1);
}

void tls_context_ciphers(SSL_CTX *ctx, const struct conf *conf,
                         const struct tls_cipher_choice *choice, struct str *list_out,
                         struct tls_report *report)
{
    struct err err;
    if (tls_ciphers_list(conf, choice->grade, choice->excluded, choice->excluded_count,
                         list_out, &err) != OK) {
        bool grade = strstr(err.text, "grade") != NULL;
        char *text = xasprintf("%s: disabling TLS support", err.text);
        tls_report(report,
                   &(struct tls_mistake){
                       .parameter = grade ? choice->grade_name : choice->exclude_name,
                       .text = text,
                       .hint = grade ? "allowed are high, medium, low, export and null"
                                     : "name what is to be left out"});
        free(text);
        return;
    }
    if (SSL_CTX_set_cipher_list(ctx, str_ptr(list_out)) != 1) {
        char *text = xasprintf(
            "error setting cipher grade: \"%s\": disabling TLS support", choice->grade);
        char *reason =
            xasprintf("OpenSSL has no cipher that matches \"%s\"", str_ptr(list_out));
        tls_report(report, &(struct tls_mistake){.parameter = choice->grade_name,
                                                 .text = text,
                                                 .reason = reason});
        free(text);
        free(reason);
        tls_forget_errors();
    }
}

/* --- authorities --------------------------------------------------------------------
 */

static void report_authorities(const struct tls_authorities *authorities, bool file,
                               const char *reason, struct tls_report *report)
{
    char *text = xasprintf(
        "cannot load Certification Authority data, %s=\"%s\": disabling TLS support",
        file ? "CAfile" : "CApath", file ? authorities->file : authorities->path);
    tls_report(report,
               &(struct tls_mistake){
                   .parameter = file ? authorities->file_name : authorities->path_name,
                   .text = text,
                   .reason = reason,
                   .hint = file ? "specify a readable PEM file"
                                : "specify a directory that \"openssl rehash\" "
                                  "has indexed"});
    free(text);
}

/* OpenSSL looks into the directory when it needs to, and then says nothing. */
static const char *problem_of_directory(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return strerror(errno);
    }
    return S_ISDIR(st.st_mode) ? NULL : strerror(ENOTDIR);
}

void tls_context_authorities(SSL_CTX *ctx, const struct conf *conf,
                             const struct tls_authorities *authorities,
                             struct tls_report *report)
{
    const char *file = authorities->file;
    const char *path = authorities->path;
    const char *problem;
    if (*file != '\0' && SSL_CTX_load_verify_file(ctx, file) != 1) {
        STR_AUTO struct str reason = {0};
        tls_take_reason(&reason);
        report_authorities(authorities, true, str_ptr(&reason), report);
    }
    if (*path != '\0' && (problem = problem_of_directory(path)) != NULL) {
        char *reason = xasprintf("%s: %s", path, problem);
        report_authorities(authorities, false, reason, report);
        free(reason);
    } else if (*path != '\0') {
        (void)SSL_CTX_load_verify_dir(ctx, path);
    }
    if (conf_bool(conf, P_tls_append_default_CA)) {
        (void)SSL_CTX_set_default_verify_paths(ctx);
    }
    tls_forget_errors();
}

EVP_MD *tls_context_digest(const char *name, const char *value,
                           struct tls_report *report)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, value, NULL);
    if (digest == NULL) {
        char *text = xasprintf(
            "Digest algorithm \"%s\" not found: disabling TLS support", value);
        tls_forget_errors();
        tls_report(report,
                   &(struct tls_mistake){
                       .parameter = name,
                       .text = text,
                       .hint = "specify a digest that OpenSSL knows, such as sha256"});
        free(text);
    }
    return digest;
}
