/* SPDX-License-Identifier: MIT */
#include "tls/library.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/log.h"

static bool start_with_file(const char *file, const char *name)
{
    OPENSSL_INIT_SETTINGS *settings = OPENSSL_INIT_new();
    CHECK(settings != NULL);
    bool named =
        OPENSSL_INIT_set_config_filename(settings, file) == 1 &&
        (*name == '\0' || OPENSSL_INIT_set_config_appname(settings, name) == 1);
    /* No flags: a file that is not there is an error. */
    OPENSSL_INIT_set_config_file_flags(settings, 0);
    bool started = named && OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, settings) == 1;
    OPENSSL_INIT_free(settings);
    return started;
}

static bool start_with_default(const char *name)
{
    OPENSSL_INIT_SETTINGS *settings = OPENSSL_INIT_new();
    CHECK(settings != NULL);
    bool named = *name == '\0' || OPENSSL_INIT_set_config_appname(settings, name) == 1;
    bool started = named && OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, settings) == 1;
    OPENSSL_INIT_free(settings);
    return started;
}

bool tls_library_start(const struct conf *conf, struct tls_report *report)
{
    static bool started; /* OpenSSL can be started once */
    const char *file = conf_str(conf, P_tls_config_file);
    const char *name = conf_str(conf, P_tls_config_name);
    if (started) {
        return true;
    }
    if (strcmp(file, "none") == 0) {
        started = OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
    } else if (strcmp(file, "default") == 0 || *file == '\0') {
        started = start_with_default(name);
    } else {
        started = start_with_file(file, name);
    }
    if (!started) {
        STR_AUTO struct str text = {0};
        STR_AUTO struct str reason = {0};
        str_printf(&text,
                   "cannot load OpenSSL configuration \"%s\": disabling TLS support",
                   file);
        tls_take_reason(&reason);
        tls_report(report,
                   &(struct tls_mistake){
                       .parameter = "tls_config_file",
                       .text = str_ptr(&text),
                       .reason = str_ptr(&reason),
                       .hint = "specify \"default\", \"none\", or a readable file"});
    }
    return started;
}

void tls_forget_errors(void)
{
    ERR_clear_error();
}

void tls_log_errors(void)
{
    const char *file, *function, *data;
    int line, flags;
    unsigned long code;
    while ((code = ERR_get_error_all(&file, &line, &function, &data, &flags)) != 0) {
        char text[256];
        bool more = (flags & ERR_TXT_STRING) != 0 && *data != '\0';
        ERR_error_string_n(code, text, sizeof(text));
        log_warning("TLS library problem: %s:%s:%d:%s%s", text, file, line,
                    more ? data : "", more ? ":" : "");
    }
}

void tls_take_reason(struct str *out)
{
    const char *data = "";
    int flags = 0;
    unsigned long code = ERR_peek_error_data(&data, &flags);
    str_clear(out);
    if (code != 0) {
        const char *reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                    : ERR_reason_error_string(code);
        str_add_cstr(out, reason != NULL ? reason : "unknown error");
        if ((flags & ERR_TXT_STRING) != 0 && *data != '\0') {
            str_printf(out, " (%s)", data);
        }
    }
    ERR_clear_error();
}
