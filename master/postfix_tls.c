/* SPDX-License-Identifier: MIT */
/*
 * Mistakes in TLS settings, before a worker finds them: every smtpd of master.cf, with
 * its own -o settings, reads keys and lists as it would at its start.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"
#include "conf/master_cf.h"
#include "conf/settings.h"
#include "master/postfix_command.h"
#include "tls/server.h"

struct tls_check {
    const struct conf *conf; /* of the present service */
    const struct master_entry *entry;
    char *master_cf;
    struct htab *said; /* what several services have in common is said once */
};

/* "FILE, line N: " of the setting, wherever it was made. */
static void add_place(const struct tls_check *check, const char *parameter,
                      struct str *out)
{
    for (int i = 0; i < check->entry->option_count; i++) {
        if (strcmp(check->entry->options[i].name, parameter) == 0) {
            str_printf(out, "%s, line %d: ", check->master_cf, check->entry->line);
            return;
        }
    }
    const struct conf_setting *setting =
        conf_find_setting(check->conf, view_cstr(parameter));
    if (setting != NULL && setting->line > 0) {
        str_printf(out, "%s, line %d: ", conf_file(check->conf), setting->line);
    }
}

static void say(void *context, const struct tls_mistake *mistake)
{
    struct tls_check *check = context;
    STR_AUTO struct str text = {0};
    add_place(check, mistake->parameter, &text);
    str_printf(&text, "%s: %s", mistake->parameter,
               *mistake->reason != '\0' ? mistake->reason : mistake->text);
    if (htab_put(check->said, str_view(&text), check) != NULL) {
        return;
    }
    if (mistake->harmless) {
        log_warning("%s", str_ptr(&text));
    } else {
        log_error("%s", str_ptr(&text));
    }
    if (*mistake->hint != '\0') {
        log_hint("%s", mistake->hint);
    }
}

static bool check_entry(struct tls_check *check, const struct control *control)
{
    struct err err;
    struct tls_report report = {.say = say, .context = check};
    struct conf *conf = conf_open(control->config_directory, false, &err);
    if (conf == NULL) {
        log_fatal("%s", err.text);
    }
    for (int i = 0; i < check->entry->option_count; i++) {
        conf_override(conf, check->entry->options[i].name,
                      check->entry->options[i].value);
    }
    check->conf = conf;
    bool good = tls_server_check(conf, &report);
    check->conf = NULL;
    conf_free(&conf);
    return good;
}

bool check_tls(const struct control *control)
{
    struct master_cf services;
    struct err err;
    bool good = true;
    if (master_cf_read(control->config_directory, &services, &err) != OK) {
        log_fatal("%s", err.text);
    }
    struct tls_check check = {.master_cf =
                                  xasprintf("%s/master.cf", control->config_directory),
                              .said = htab_new()};
    for (int i = 0; i < services.count; i++) {
        check.entry = &services.entries[i];
        if (strcmp(check.entry->program, "smtpd") == 0) {
            good = check_entry(&check, control) && good;
        }
    }
    htab_free(&check.said, NULL);
    free(check.master_cf);
    master_cf_done(&services);
    return good;
}
