/* SPDX-License-Identifier: MIT */
/* The command line.  The usage lines are those of Postfix 3.7; what is newer is in the
 * help. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "map/map.h"
#include "postmap/postmap.h"

static const char map_usage[] = "postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] "
                                "[-q key] [map_type:]file...";
static const char alias_usage[] = "postalias [-Nfinoprsuvw] [-c config_dir] [-d key] "
                                  "[-q key] [map_type:]file...";

static const char help[] =
    "  -q key   look the key up (\"-\": keys from standard input)\n"
    "  -d key   delete the key (\"-\": keys from standard input)\n"
    "  -s       print all entries\n"
    "  -j       with -q and -s: print a JSON object per entry\n"
    "  -i       add entries from standard input\n"
    "  -r       replace entries that exist      -w  keep them without a warning\n"
    "  -f       do not fold keys to lower case  -u  fold ASCII letters only\n"
    "  -N, -n   store keys and values with, without a terminating NUL\n"
    "  -o       do not take on the rights of the source file's owner\n"
    "  -p       mode 0644 for a new file, whatever the source file's mode\n"
    "  -c dir   configuration directory         -v  verbose\n"
    "  --no-progress  do not show how far a long build is\n";

static const char message_help[] =
    "  -F       values are names of files: take the content of these\n"
    "  -h, -b   with -q -: the keys are headers, body lines of a message\n"
    "  -m       together with these: of its MIME parts too\n";

enum { OPTION_NO_PROGRESS = 256 }; /* no letter: those are Postfix's */

static const char *usage(const struct options *options)
{
    return options->aliases ? alias_usage : map_usage;
}

static void print_help_if_asked(const struct options *options, int argc, char **argv)
{
    if (argc == 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--usage") == 0)) {
        printf("usage: %s\n%s%s", usage(options), help,
               options->aliases ? "" : message_help);
        exit(EXIT_SUCCESS);
    }
}

static void set_action(struct options *options, enum action action, const char *key)
{
    bool taken = options->action != ACTION_BUILD && options->action != ACTION_UPDATE;
    if (taken && (options->action != ACTION_DUMP || action != ACTION_DUMP)) {
        log_fatal("specify only one of -s -q or -d");
    }
    options->action = action;
    options->key = key;
}

/* What concerns all actions. */
static bool take_common(struct options *options, int option)
{
    switch (option) {
    case 'c':
        options->directory = optarg;
        return true;
    case 'v':
        log_set_verbose(log_verbose() + 1);
        return true;
    case 'f':
        options->no_fold = true;
        return true;
    case 'u':
        options->fold_flags = MAP_ASCII;
        return true;
    case 'U':
        options->fold_flags = MAP_UTF8;
        return true;
    case 'q':
        set_action(options, ACTION_QUERY, optarg);
        return true;
    case 'd':
        set_action(options, ACTION_DELETE, optarg);
        return true;
    case 's':
        set_action(options, ACTION_DUMP, NULL);
        return true;
    case 'F':
        options->file_values = true;
        return true;
    case 'j':
        options->json = true;
        return true;
    default:
        return false;
    }
}

static bool take_build(struct options *options, int option)
{
    switch (option) {
    case 'i':
        if (options->action == ACTION_BUILD) {
            options->action = ACTION_UPDATE;
        }
        return true;
    case 'n':
    case 'N':
        options->nul = option == 'n' ? MAP_NUL_NONE : MAP_NUL_ADD;
        return true;
    case 'o':
        options->keep_root = true;
        return true;
    case 'p':
        options->default_mode = true;
        return true;
    case 'r':
        options->duplicates = DUPLICATES_REPLACE;
        return true;
    case 'w':
        options->duplicates = DUPLICATES_IGNORE;
        return true;
    default:
        return false;
    }
}

/* Looking up the lines of a message. */
static bool take_message(struct options *options, int option)
{
    switch (option) {
    case 'h':
        options->headers = true;
        return true;
    case 'b':
        options->body = true;
        return true;
    case 'm':
        options->mime = true;
        return true;
    default:
        return false;
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    print_help_if_asked(options, argc, argv);
    const char *letters =
        options->aliases ? "+Nc:d:fijnopq:rsuvw" : "+bc:d:fFhijmnNopq:rsuUvw";
    static const struct option long_options[] = {
        {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS}, {0}};
    int option;
    while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        if (option == OPTION_NO_PROGRESS) {
            options->no_progress = true;
        } else if (!take_common(options, option) && !take_build(options, option) &&
                   !take_message(options, option)) {
            log_fatal("usage: %s", usage(options));
        }
    }
    options->tables = argv + optind;
    bool key_is_stdin = options->key != NULL && strcmp(options->key, "-") == 0;
    if ((options->headers || options->body) &&
        (options->action != ACTION_QUERY || !key_is_stdin)) {
        log_fatal("specify -b -h or -m only with \"-q -\"");
    }
    if (options->json && options->action != ACTION_QUERY &&
        options->action != ACTION_DUMP) {
        log_fatal("specify -j only with -q or -s");
    }
    if (options->mime && !options->headers && !options->body) {
        log_warning("ignoring -m option without -b or -h");
    }
    if (options->tables[0] == NULL) {
        log_fatal("usage: %s", usage(options));
    }
}

unsigned options_map_flags(const struct options *options)
{
    bool many = options->key != NULL && strcmp(options->key, "-") == 0;
    return MAP_QUIET | options->fold_flags | (options->no_fold ? 0 : MAP_FOLD) |
           (options->file_values ? MAP_FILE_VALUES : 0) | (many ? MAP_BULK : 0);
}
