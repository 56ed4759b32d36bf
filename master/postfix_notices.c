/* SPDX-License-Identifier: MIT */
/*
 * What an administrator should know about a configuration that is good: defaults of an
 * old release that it asks for, and settings that nothing acts on.  A setting is
 * pointed out once, wherever and however often it stands.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/htab.h"
#include "base/log.h"
#include "conf/expand.h"
#include "conf/master_cf.h"
#include "conf/param_table.h"
#include "conf/settings.h"
#include "master/postfix_command.h"

/* The newest level whose defaults differ from those of the level before. */
#define LATEST_LEVEL "3.6"

void notice_compatibility(const struct control *control)
{
    uint64_t level, latest;
    bool known = expand_parse_level(VIEW(LATEST_LEVEL), &latest);
    CHECK(known);
    if (control->problems.len > 0 ||
        !expand_parse_level(view_cstr(conf_str(control->conf, P_compatibility_level)),
                            &level) ||
        level >= latest) {
        return;
    }
    /* Programs that read logs know these lines as postfix's own. */
    const char *name = conf_str(control->conf, P_syslog_name);
    log_init(name);
    log_set_tag(name);
    log_info("Postfix is using backwards-compatible default settings");
    log_info("See http://www.postfix.org/COMPATIBILITY_README.html for details");
    log_info("To disable backwards compatibility use \"postconf "
             "compatibility_level=" LATEST_LEVEL "\" and \"postfix reload\"");
    control_tag(control);
}

struct unread {
    struct htab *seen; /* names that were pointed out */
    int count;
};

/* Not only for the eyes of who sits at a terminal: it may be a container's log that is
 * read. */
static void warn_unread(void *context, const char *file, int line, const char *name)
{
    struct unread *unread = context;
    static const char format[] =
        "%s, line %d: parameter %s has no effect: it is known, but not built yet";
    if (htab_put(unread->seen, view_cstr(name), unread) != NULL) {
        return;
    }
    unread->count++;
    log_warning(format, file, line, name);
    if (isatty(STDERR_FILENO) == 0) {
        (void)fputs("postfix: warning: ", stderr);
        (void)fprintf(stderr, format, file, line, name);
        (void)fputc('\n', stderr);
    }
}

int notice_unread(const struct control *control, const struct master_cf *services)
{
    struct unread unread = {.seen = htab_new()};
    STR_AUTO struct str file = {0};
    conf_each_unread(control->conf, warn_unread, &unread);
    str_printf(&file, "%s/master.cf", control->config_directory);
    for (int i = 0; i < services->count; i++) {
        const struct master_entry *entry = &services->entries[i];
        for (int k = 0; k < entry->option_count; k++) {
            if (conf_is_without_effect(control->conf, entry->options[k].name,
                                       entry->options[k].value)) {
                warn_unread(&unread, str_ptr(&file), entry->line,
                            entry->options[k].name);
            }
        }
    }
    htab_free(&unread.seen, NULL);
    return unread.count;
}
