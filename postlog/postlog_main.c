/* SPDX-License-Identifier: MIT */
/*
 * postlog(1): a line into the mail log, for scripts.  Installed set-gid, so that
 * ordinary users reach postlogd; they cannot choose the tag, because log readers
 * believe what it says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "net/stream.h"
#include "service/command.h"
#include "sys/clock.h"

enum { LINE_MOST = 2000 };

struct options {
    const char *directory; /* -c */
    const char *tag;       /* -t */
    enum log_level level;  /* -p */
};

NORETURN static void usage(void)
{
    log_fatal("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]");
}

static enum log_level parse_priority(const char *name)
{
    static const struct {
        const char *name;
        enum log_level level;
    } priorities[] = {
        {"info", LOG_LEVEL_INFO},       {"warn", LOG_LEVEL_WARNING},
        {"warning", LOG_LEVEL_WARNING}, {"error", LOG_LEVEL_ERROR},
        {"fatal", LOG_LEVEL_FATAL},     {"panic", LOG_LEVEL_PANIC},
    };
    for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
        if (strcmp(priorities[i].name, name) == 0) {
            return priorities[i].level;
        }
    }
    log_fatal("invalid severity name: %s", name);
}

static struct options parse_options(int argc, char **argv)
{
    int option;
    struct options options = {.level = LOG_LEVEL_INFO};
    while ((option = getopt(argc, argv, "+c:ip:t:v")) != -1) {
        switch (option) {
        case 'c':
            options.directory = optarg;
            break;
        case 'i':
            break; /* every line has the process ID anyway */
        case 'p':
            options.level = parse_priority(optarg);
            break;
        case 't':
            options.tag = optarg;
            break;
        case 'v':
            log_set_verbose(log_verbose() + 1);
            break;
        default:
            usage();
        }
    }
    return options;
}

static void log_words(enum log_level level, char **words)
{
    STR_AUTO struct str text = {0};
    for (; *words != NULL; words++) {
        str_add_cstr(&text, *words);
        str_add_cstr(&text, words[1] != NULL ? " " : "");
    }
    log_at(level, "%s", str_ptr(&text));
}

static void log_input(enum log_level level)
{
    struct view line;
    struct stream *input = stream_new_pair(STDIN_FILENO, STDOUT_FILENO);
    stream_set_timeout(input, CLOCK_NEVER);
    while (stream_read_line(input, LINE_MOST, &line, NULL)) {
        log_at(level, "%.*s", VIEW_ARG(line));
    }
    stream_free(&input);
}

int main(int argc, char **argv)
{
    (void)command_init(argc, argv);
    log_set_stderr(isatty(STDERR_FILENO) != 0);
    struct options options = parse_options(argc, argv);
    if (options.tag != NULL && command_is_privileged() && getuid() != 0) {
        log_fatal("the superuser alone may choose the tag");
    }
    struct conf *conf = command_conf(options.directory, false);
    char *tag = options.tag != NULL
                    ? xstrdup(options.tag)
                    : xasprintf("%s/postlog", conf_str(conf, P_syslog_name));
    command_set_full_tag(tag);
    command_log_to_maillog(conf);
    if (optind < argc) {
        log_words(options.level, argv + optind);
    } else {
        log_input(options.level);
    }
    log_init("postlog");
    free(tag);
    conf_free(&conf);
    return EXIT_SUCCESS;
}
