/* SPDX-License-Identifier: MIT */
/*
 * The command line.  Many of the options exist for callers that were written for
 * other mail systems; those that mean nothing here are listed in sendmail(1).
 */
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "submit/sendmail/sendmail.h"

static const char SHORT_OPTIONS[] = "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx";

/* Every mistake of the caller ends with this status, "try again later": whoever calls
 * from a program keeps the message then. */
enum { USAGE_STATUS = EX_TEMPFAIL };

static void set_mode(struct options *options, const char *argument)
{
    switch (argument[0]) {
    case 'm':
        options->mode = MODE_DELIVER;
        break;
    case 'v':
        options->mode = MODE_VERIFY;
        break;
    case 's':
        options->mode = MODE_SMTP;
        break;
    case 'p':
        options->mode = MODE_LIST_QUEUE;
        break;
    case 'i':
        options->mode = MODE_ALIASES;
        break;
    case 'd':
    case 'l':
        options->mode = MODE_DAEMON;
        break;
    case 'h':
    case 'H':
        options->mode = MODE_NOTHING;
        break;
    default:
        log_fatal_status(USAGE_STATUS, "unsupported: -b%c", argument[0]);
    }
}

/* -q, -qRsite, -qIid, -qinterval. */
static void set_queue_run(struct options *options, const char *argument)
{
    if (argument == NULL || argument[0] == '\0') {
        options->mode = MODE_FLUSH;
    } else if (ascii_digit(argument[0])) {
        options->mode = MODE_NOTHING; /* queue_run_delay rules */
    } else if (argument[0] == 'R') {
        options->mode = MODE_FLUSH;
        options->flush_site = argument + 1;
    } else if (argument[0] == 'I') {
        options->mode = MODE_FLUSH;
        options->flush_id = argument + 1;
    } else {
        log_fatal_status(USAGE_STATUS, "-q%c is not implemented", argument[0]);
    }
}

static void set_old_option(struct options *options, const char *argument)
{
    switch (argument[0]) {
    case 'A':
        if (argument[1] == '\0') {
            log_fatal_status(USAGE_STATUS, "-oA requires pathname");
        }
        options->alias_file = argument + 1;
        break;
    case '7':
        options->encoding = "7bit";
        break;
    case '8':
        options->encoding = "8bit";
        break;
    case 'i':
        options->ignore_dots = true;
        break;
    default:
        break; /* of no meaning here */
    }
}

/* -O name=value: only the alias file means something here. */
static void set_long_option(struct options *options, const char *argument)
{
    static const char alias_file[] = "AliasFile=";
    if (strncasecmp(argument, alias_file, sizeof(alias_file) - 1) == 0) {
        options->alias_file = argument + sizeof(alias_file) - 1;
    }
}

static void set_body_type(struct options *options, const char *argument)
{
    if (strcasecmp(argument, "8BITMIME") == 0) {
        options->encoding = "8bit";
    } else if (strcasecmp(argument, "7BIT") == 0) {
        options->encoding = "7bit";
    } else {
        log_fatal_status(USAGE_STATUS, "-B option needs 8BITMIME or 7BIT");
    }
}

static uint8_t notify_bit(struct view word, const char *argument)
{
    static const struct {
        const char *name;
        enum dsn_notify bit;
    } words[] = {{"NEVER", DSN_NOTIFY_NEVER},
                 {"SUCCESS", DSN_NOTIFY_SUCCESS},
                 {"FAILURE", DSN_NOTIFY_FAILURE},
                 {"DELAY", DSN_NOTIFY_DELAY}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (view_equal_nocase_cstr(word, words[i].name)) {
            return (uint8_t)words[i].bit;
        }
    }
    log_warning("unknown DSN NOTIFY command value \"%.*s\" in \"%s\"", VIEW_ARG(word),
                argument);
    return 0;
}

static void set_dsn_notify(struct options *options, const char *argument)
{
    uint8_t set = 0;
    bool valid = true;
    struct view rest = view_cstr(argument);
    struct view word;
    while (valid && view_next_word(&rest, ", \t", &word)) {
        uint8_t bit = notify_bit(word, argument);
        valid = bit != 0;
        set |= bit;
    }
    bool never_and_more = (set & DSN_NOTIFY_NEVER) != 0 && set != DSN_NOTIFY_NEVER;
    if (!valid || set == 0 || never_and_more) {
        log_warning("bad -N option value -- ignored");
        return;
    }
    options->dsn_notify = set;
}

static void set_dsn_ret(struct options *options, const char *argument)
{
    if (strcasecmp(argument, "full") == 0) {
        options->dsn_ret = DSN_RET_FULL;
    } else if (strcasecmp(argument, "hdrs") == 0) {
        options->dsn_ret = DSN_RET_HDRS;
    } else {
        log_warning("bad -R option value -- ignored");
    }
}

static void set_envelope_id(struct options *options, const char *argument)
{
    bool valid = argument[0] != '\0';
    for (const char *p = argument; *p != '\0' && valid; p++) {
        valid = ascii_printable(*p);
    }
    if (!valid) {
        log_warning("bad syntax in -V option value -- ignored");
        return;
    }
    options->envelope_id = argument;
}

/* Options with an argument that is stored. */
static void set_value(struct options *options, int option, const char *argument)
{
    switch (option) {
    case 'B':
        set_body_type(options, argument);
        break;
    case 'F':
        options->fullname = argument;
        break;
    case 'L':
        options->log_label = argument;
        break;
    case 'N':
        set_dsn_notify(options, argument);
        break;
    case 'O':
        set_long_option(options, argument);
        break;
    case 'R':
        set_dsn_ret(options, argument);
        break;
    case 'V':
        set_envelope_id(options, argument);
        break;
    case 'b':
        set_mode(options, argument);
        break;
    case 'f':
    case 'r':
        options->sender = argument;
        break;
    case 'o':
        set_old_option(options, argument);
        break;
    default: /* A, C (read before), e, h, p */
        break;
    }
}

static void set_option(struct options *options, int option, const char *argument)
{
    switch (option) {
    case 'I':
        options->mode = MODE_ALIASES;
        break;
    case 'X':
        log_fatal_status(USAGE_STATUS, "unsupported: -X%c", argument[0]);
    case 'i':
        options->ignore_dots = true;
        break;
    case 'n':
        log_fatal_status(USAGE_STATUS, "-n option not supported");
    case 'q':
        set_queue_run(options, argument);
        break;
    case 't':
        options->extract_recipients = true;
        break;
    case 'G':
    case 'U':
    case 'c':
    case 'm':
    case 'v': /* counted before */
    case 'x':
        break;
    case '?':
        log_fatal_status(USAGE_STATUS, "usage: %s [options]", "sendmail");
    default:
        set_value(options, option, argument);
    }
}

static enum mode mode_of_name(const char *program)
{
    if (strcmp(program, "mailq") == 0) {
        return MODE_LIST_QUEUE;
    }
    return strcmp(program, "newaliases") == 0 ? MODE_ALIASES : MODE_DELIVER;
}

/* Which modes take no recipients, and how the refusal calls them. */
static void check_recipients(const struct options *options)
{
    static const char *const names[] = {
        [MODE_SMTP] = "stand-alone",
        [MODE_LIST_QUEUE] = "display queue",
        [MODE_ALIASES] = "alias initialization",
        [MODE_DAEMON] = "daemon",
        [MODE_FLUSH] = "flush queue",
        [MODE_NOTHING] = NULL,
    };
    const char *name = options->mode != MODE_DELIVER && options->mode != MODE_VERIFY
                           ? names[options->mode]
                           : NULL;
    if (name != NULL && options->recipients[0] != NULL) {
        log_fatal_status(USAGE_STATUS, "%s mode requires no recipient", name);
    }
}

void options_parse(const char *program, int argc, char **argv, struct options *out)
{
    *out = (struct options){.mode = mode_of_name(program)};
    int option;
    /* Configuration and verbosity hold for what the other options say, too. */
    while ((option = getopt(argc, argv, SHORT_OPTIONS)) != -1) {
        out->verbose += option == 'v' ? 1 : 0;
        out->config = option == 'C' ? optarg : out->config;
    }
    optind = 1;
    while ((option = getopt(argc, argv, SHORT_OPTIONS)) != -1) {
        set_option(out, option, optarg);
    }
    out->recipients = argv + optind;
    if (out->extract_recipients && out->mode == MODE_VERIFY) {
        log_fatal_status(USAGE_STATUS, "-t option cannot be used with -bv");
    }
    if (out->extract_recipients && out->mode != MODE_DELIVER) {
        log_fatal_status(USAGE_STATUS, "-t can be used only in delivery mode");
    }
    check_recipients(out);
}
