/* SPDX-License-Identifier: MIT */
/* What postconf tells about the programs rather than about the configuration. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <openssl/opensslv.h>

#include "base/check.h"
#include "base/log.h"
#include "mail/notice_template.h"
#include "postconf/show.h"

/* --- texts of bounces ------------------------------------------------------------- */

static void print_header(const char *name, struct view value)
{
    if (value.len > 0) {
        (void)printf("%s: %.*s\n", name, VIEW_ARG(value));
    }
}

static void print_template(const struct notice_template *template,
                           enum template_kind kind)
{
    (void)printf("%s = <<EOF\n", notice_template_name(kind));
    print_header("Charset", template->charset);
    print_header("From", template->from);
    print_header("Subject", template->subject);
    print_header("Postmaster-Subject", template->postmaster_subject);
    (void)printf("\n%.*s", VIEW_ARG(template->body));
}

static void print_expanded(const struct notice_template *template,
                           enum template_kind kind, const struct conf *conf)
{
    STR_AUTO struct str text = {0};
    struct err err;
    if (notice_template_check(template, kind, conf, &text, &err) != OK) {
        log_fatal("%s", err.text);
    }
    (void)printf("expanded_%s_text = <<EOF\n%s", notice_template_title(kind),
                 str_ptr(&text));
}

void show_templates(const struct request *request, const struct conf *conf)
{
    struct notice_templates templates;
    struct err err;
    if (request->operand_count > 1) {
        log_fatal("options -b and -t require at most one template file");
    }
    const char *file = request->operand_count == 1
                           ? request->operands[0]
                           : conf_str(conf, P_bounce_template_file);
    if (notice_templates_read(&templates, file, &err) != OK) {
        log_fatal("%s", err.text);
    }
    for (int i = 0; i < TEMPLATE_COUNT; i++) {
        enum template_kind kind = (enum template_kind)i;
        (void)fputs(i > 0 ? "\n" : "", stdout);
        if (request->mode == MODE_TEMPLATES) {
            print_template(&templates.of[i], kind);
        } else {
            print_expanded(&templates.of[i], kind, conf);
        }
        (void)fputs("EOF\n", stdout);
    }
    notice_templates_free(&templates);
}

/* --- TLS -------------------------------------------------------------------------- */

/* Loaded when asked for: no other use of this command needs the library, which takes
 * longer to load than everything else together. */
static void *find_function(const char *name)
{
#define LIBRARY_NAME(version) "libcrypto.so." #version
#define LIBRARY(version) LIBRARY_NAME(version)
    void *library = dlopen(LIBRARY(OPENSSL_SHLIB_VERSION), RTLD_NOW);
    void *function = library != NULL ? dlsym(library, name) : NULL;
    if (function == NULL) {
        log_fatal("TLS library: %s", dlerror());
    }
    return function;
}

static void show_run_version(void)
{
    enum { OPENSSL_VERSION_TEXT_OF_LIBRARY = 0 };
    const char *(*version)(int);
    void *function = find_function("OpenSSL_version");
    memcpy(&version, &function, sizeof(version));
    (void)puts(version(OPENSSL_VERSION_TEXT_OF_LIBRARY));
}

/* The kinds of keys that a server certificate may have. */
static void show_algorithms(void)
{
    static const struct {
        const char *name, *internal;
    } algorithms[] = {{"dsa", "DSA"}, {"ecdsa", "EC"}, {"rsa", "RSA"}};
    const void *(*find)(void **engine, const char *name, int len);
    void *function = find_function("EVP_PKEY_asn1_find_str");
    memcpy(&find, &function, sizeof(find));
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        void *engine = NULL;
        if (find(&engine, algorithms[i].internal, -1) != NULL) {
            (void)puts(algorithms[i].name);
        }
    }
}

bool show_tls(const char *query)
{
    if (strcmp(query, "compile-version") == 0) {
        (void)puts(OPENSSL_VERSION_TEXT);
    } else if (strcmp(query, "run-version") == 0) {
        show_run_version();
    } else if (strcmp(query, "public-key-algorithms") == 0) {
        show_algorithms();
    } else {
        log_warning("unknown 'postconf -T' mode: %s", query);
        log_hint("specify one of compile-version, run-version, public-key-algorithms");
        return false;
    }
    return true;
}
