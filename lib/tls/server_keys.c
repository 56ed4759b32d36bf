/* SPDX-License-Identifier: MIT */
#include "tls/server_keys.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sys/clock.h"
#include "tls/library.h"

static const struct pair {
    const char *algorithm;
    const char *cert_name, *key_name;
    enum param cert, key;
} PAIRS[] = {
    {"RSA", "smtpd_tls_cert_file", "smtpd_tls_key_file", P_smtpd_tls_cert_file,
     P_smtpd_tls_key_file},
    {"DSA", "smtpd_tls_dcert_file", "smtpd_tls_dkey_file", P_smtpd_tls_dcert_file,
     P_smtpd_tls_dkey_file},
    {"ECDSA", "smtpd_tls_eccert_file", "smtpd_tls_eckey_file", P_smtpd_tls_eccert_file,
     P_smtpd_tls_eckey_file},
};

static const char *hint_for(const struct err *err)
{
    switch (err->code) {
    case EACCES:
        return "smtpd reads it before it gives up the rights of who started the mail "
               "system (root, normally): check the owner and mode of the file and of "
               "the "
               "directories above it";
    case ENOENT:
        return "check the path";
    default:
        break;
    }
    return err->outcome == PERMFAIL
               ? "a key and the certificate made for it are needed, both in PEM format"
               : "";
}

/* --- the older parameters ------------------------------------------------------------
 */

static void load_pair(struct tls_server_keys *keys, const struct conf *conf,
                      const struct pair *pair, struct tls_report *report)
{
    struct err err = {0};
    bool key_at_fault;
    const char *cert_file = conf_str(conf, pair->cert);
    const char *key_file = conf_str(conf, pair->key);
    if (tls_chains_read_pair(cert_file, key_file, &key_at_fault, &keys->chains, &err) ==
        OK) {
        return;
    }
    char *text =
        xasprintf("cannot get %s %s from file \"%s\": disabling TLS support",
                  pair->algorithm, key_at_fault ? "private key" : "certificate",
                  key_at_fault ? key_file : cert_file);
    tls_report(report, &(struct tls_mistake){
                           .parameter = key_at_fault ? pair->key_name : pair->cert_name,
                           .text = text,
                           .reason = err.text,
                           .hint = hint_for(&err)});
    free(text);
}

static bool is_named(const char *file)
{
    return *file != '\0' && !view_equal_nocase_cstr(view_cstr(file), "none");
}

static void load_pairs(struct tls_server_keys *keys, const struct conf *conf,
                       struct tls_report *report)
{
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
        const char *file = conf_str(conf, PAIRS[i].cert);
        /* "none" stands for a server without certificates, not for no decision. */
        any = any || *file != '\0';
        if (is_named(file)) {
            load_pair(keys, conf, &PAIRS[i], report);
        }
    }
    if (!any) {
        tls_report(report,
                   &(struct tls_mistake){
                       .parameter = "smtpd_tls_chain_files",
                       .text = "No server certs available. TLS won't be enabled",
                       .hint =
                           "name a key and a certificate with smtpd_tls_chain_files, "
                           "or say smtpd_tls_cert_file = none"});
    }
}

/* --- chain files
 * ---------------------------------------------------------------------- */

static void load_chain_files(struct tls_server_keys *keys, const struct conf *conf,
                             const char *list, struct tls_report *report)
{
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
        if (*conf_str(conf, PAIRS[i].cert) != '\0') {
            tls_report(report,
                       &(struct tls_mistake){
                           .parameter = PAIRS[i].cert_name,
                           .harmless = true,
                           .text =
                               "Both smtpd_tls_chain_files and one or more of the "
                               "legacy  smtpd_tls_cert_file, smtpd_tls_eccert_file or "
                               "smtpd_tls_dcert_file are non-empty; the legacy  "
                               "parameters will be ignored"});
            break;
        }
    }
    if (tls_chains_read(view_cstr(list), &keys->chains, &err) == OK) {
        return;
    }
    char *text = xasprintf("error loading private keys and certificates from: %s: "
                           "disabling TLS support",
                           list);
    tls_report(report, &(struct tls_mistake){.parameter = "smtpd_tls_chain_files",
                                             .text = text,
                                             .reason = err.text,
                                             .hint = hint_for(&err)});
    free(text);
}

void tls_server_keys_load(struct tls_server_keys *keys, const struct conf *conf,
                          SSL_CTX *ctx, struct tls_report *report)
{
    STR_AUTO struct str reason = {0};
    STR_AUTO struct str subject = {0};
    const char *list = conf_str(conf, P_smtpd_tls_chain_files);
    keys->expires = INT64_MAX;
    if (*list != '\0') {
        load_chain_files(keys, conf, list, report);
    } else {
        load_pairs(keys, conf, report);
    }
    if (report->failed) {
        return;
    }
    if (!tls_chains_use(&keys->chains, ctx)) {
        tls_take_reason(&reason);
        tls_report(report, &(struct tls_mistake){
                               .parameter = *list != '\0' ? "smtpd_tls_chain_files"
                                                          : "smtpd_tls_cert_file",
                               .text = "OpenSSL refuses the server's key or "
                                       "certificate: disabling TLS support",
                               .reason = str_ptr(&reason)});
        return;
    }
    int64_t left = tls_chains_lifetime(&keys->chains, &subject);
    if (left != INT64_MAX) {
        keys->expires = clock_wall() / CLOCK_SECOND + left;
    }
}

void tls_server_keys_done(struct tls_server_keys *keys)
{
    tls_chains_free(&keys->chains);
}

/* --- expiry
 * ---------------------------------------------------------------------------- */

bool tls_server_keys_expire_soon(const struct tls_server_keys *keys,
                                 const struct conf *conf)
{
    int64_t notice = conf_time(conf, P_tls_expiry_warning_time) / CLOCK_SECOND;
    return keys->expires != INT64_MAX && notice > 0 &&
           keys->expires - clock_wall() / CLOCK_SECOND < notice;
}

void tls_server_keys_check_expiry(const struct tls_server_keys *keys,
                                  const struct conf *conf, struct tls_report *report)
{
    enum { DAY = 24 * 60 * 60 };
    STR_AUTO struct str subject = {0};
    STR_AUTO struct str text = {0};
    if (!tls_server_keys_expire_soon(keys, conf)) {
        return;
    }
    int64_t left = tls_chains_lifetime(&keys->chains, &subject);
    bool chain_files = *conf_str(conf, P_smtpd_tls_chain_files) != '\0';
    if (left < 0) {
        str_printf(&text, "the certificate of the server, %s, has expired",
                   str_ptr(&subject));
    } else {
        str_printf(&text,
                   "the certificate of the server, %s, expires in %" PRId64 " days",
                   str_ptr(&subject), left / DAY);
    }
    tls_report(report,
               &(struct tls_mistake){.parameter = chain_files ? "smtpd_tls_chain_files"
                                                              : "smtpd_tls_cert_file",
                                     .harmless = true,
                                     .text = str_ptr(&text)});
}
