/* SPDX-License-Identifier: MIT */
/* sendmail, mailq and newaliases: the commands that other programs know. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "service/command.h"
#include "submit/sendmail/sendmail.h"

/* -C names the directory, or main.cf in it; the programs we run must see it too. */
static const char *config_directory(const char *config)
{
    struct view path = view_cstr(config);
    struct view file = VIEW("/main.cf");
    if (view_ends_nocase(path, file)) {
        path = view_first(path, path.len - file.len);
    }
    char *directory = xviewdup(path);
    if (setenv("MAIL_CONFIG", directory, 1) != 0) {
        log_fatal("set MAIL_CONFIG: %m");
    }
    free(directory);
    return getenv("MAIL_CONFIG"); /* the environment keeps its own copy */
}

int main(int argc, char **argv)
{
    const char *program = command_init(argc, argv);
    struct options options;
    options_parse(program, argc, argv, &options);
    log_set_verbose(options.verbose > 1 ? options.verbose - 1 : 0);
    const char *directory =
        options.config != NULL ? config_directory(options.config) : NULL;
    struct conf *conf = command_conf(directory, false);
    command_log_to_maillog(conf);
    if (options.log_label != NULL) {
        log_set_tag(xasprintf("%s/%s", options.log_label, program));
    }
    if (options.mode == MODE_ALIASES) {
        run_mode(conf,
                 &options); /* a new installation has aliases before it has a queue */
    }
    command_enter_queue(conf);
    if (options.mode != MODE_DELIVER && options.mode != MODE_VERIFY) {
        run_mode(conf, &options);
    }
    deliver_message(conf, &options);
    conf_free(&conf);
    return EXIT_SUCCESS;
}
