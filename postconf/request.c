/* SPDX-License-Identifier: MIT */
/* The command line of postconf: one mode, and options that this mode knows. */
#include "postconf/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"

static const char usage[] =
    "usage: postconf [-a (server SASL types)] [-A (client SASL types)] "
    "[-b (bounce templates)] [-c config_dir] [-c param_class] [-d (parameter "
    "defaults)] "
    "[-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] "
    "[-h (no names)] [-H (no values)] [-l (lock types)] [-m (map types)] "
    "[-M (master.cf)] [-n (non-default parameters)] "
    "[-o name=value (override parameter value)] [-p (main.cf, default)] "
    "[-P (master.cf parameters)] [-t (bounce templates)] "
    "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] "
    "[-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]";

/* Everything below is in the order in which messages name options. */
static const char mode_options[] = "aAbFlmMpPtT";
static const char other_options[] = "defhHjnoxX#";
/* Of each group at most one may be given. */
static const char *const exclusive[] = {mode_options, "denX#", "efX#",
                                        "exX#",       "deoX#", "ehHX#"};
static const char message_order[] = "aAbdefFhHjlmMnopPtTxX#";
/* What each mode, and -j, lets stand beside itself. */
static const struct {
    char option;
    const char *allowed;
} allows[] = {
    {'p', other_options},
    {'M', "efjoxX#"},
    {'F', "efhHjox"},
    {'P', "efhHjoxX"},
    {'a', ""},
    {'A', ""},
    {'b', ""},
    {'l', ""},
    {'m', ""},
    {'t', ""},
    {'T', ""},
    {'j', "djnox"},
};

struct seen {
    bool option[128];
};

static bool has(const struct seen *seen, char option)
{
    return seen->option[(unsigned char)option & 127];
}

/* " -x" for each option that is in OPTIONS and was given. */
static int list_options(const struct seen *seen, const char *options, struct str *out)
{
    int count = 0;
    str_clear(out);
    for (const char *at = message_order; *at != '\0'; at++) {
        if (has(seen, *at) && strchr(options, *at) != NULL) {
            str_printf(out, " -%c", *at);
            count++;
        }
    }
    return count;
}

static void check_exclusive(const struct seen *seen)
{
    STR_AUTO struct str given = {0};
    for (size_t i = 0; i < ARRAY_SIZE(exclusive); i++) {
        if (list_options(seen, exclusive[i], &given) > 1) {
            log_fatal("specify one of%s", str_ptr(&given));
        }
    }
}

static enum postconf_mode find_mode(const struct seen *seen)
{
    for (const char *at = mode_options; *at != '\0'; at++) {
        if (has(seen, *at)) {
            return (enum postconf_mode) * at;
        }
    }
    return MODE_MAIN;
}

/* What stands beside OPTION and must not. */
static void check_allowed(const struct seen *seen, char option)
{
    STR_AUTO struct str given = {0};
    char others[sizeof(other_options)];
    size_t i = 0;
    while (allows[i].option != option) {
        i++;
        CHECK(i < ARRAY_SIZE(allows));
    }
    size_t count = 0;
    for (const char *at = other_options; *at != '\0'; at++) {
        if (strchr(allows[i].allowed, *at) == NULL) {
            others[count++] = *at;
        }
    }
    others[count] = '\0';
    if (list_options(seen, others, &given) > 0) {
        log_fatal("with option -%c, do not specify%s", option, str_ptr(&given));
    }
}

static unsigned parse_classes(const char *text)
{
    static const struct {
        const char *name;
        unsigned mask;
    } classes[] = {{"builtin", CLASS_BUILTIN},
                   {"service", CLASS_SERVICE},
                   {"user", CLASS_USER},
                   {"all", CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER}};
    unsigned mask = 0;
    struct view rest = view_cstr(text);
    struct view word;
    while (conf_list_next(&rest, &word)) {
        unsigned found = 0;
        for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
            found |=
                view_equal_nocase_cstr(word, classes[i].name) ? classes[i].mask : 0;
        }
        if (found == 0) {
            log_fatal("unknown -C option value \"%.*s\" in \"%s\"", VIEW_ARG(word),
                      text);
        }
        mask |= found;
    }
    return mask;
}

static void add_override(struct request *request, const char *text)
{
    request->overrides = xreallocarray(
        request->overrides, (size_t)request->override_count + 2, sizeof(char *));
    request->overrides[request->override_count++] = text;
    request->overrides[request->override_count] = NULL;
}

static void take_option(struct request *request, struct seen *seen, int option)
{
    switch (option) {
    case 'c':
        request->directory = optarg;
        break;
    case 'C':
        request->classes = parse_classes(optarg);
        break;
    case 'o':
        add_override(request, optarg);
        break;
    case 'v':
        log_set_verbose(log_verbose() + 1);
        break;
    case 'T':
        if (request->tls_query != NULL) {
            log_fatal("At most one -T <mode> option may be specified");
        }
        request->tls_query = optarg;
        break;
    case '?':
        log_fatal("%s", usage);
    default:
        break;
    }
    seen->option[option & 127] = true;
    if (has(seen, 'b') && has(seen, 't')) {
        log_fatal("specify one of -b and -t");
    }
}

/* An operand with '=' is an edit, where there is something to edit. */
static bool has_edit_operand(const struct request *request)
{
    bool editable = request->mode == MODE_MAIN || request->mode == MODE_SERVICES ||
                    request->mode == MODE_FIELDS || request->mode == MODE_OPTIONS;
    return editable && request->operand_count > 0 &&
           strchr(request->operands[0], '=') != NULL;
}

void request_parse(int argc, char **argv, struct request *out)
{
    struct seen seen = {{false}};
    int option;
    *out = (struct request){.classes = CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER};
    while ((option = getopt(argc, argv, "+aAbc:C:defFhHjlmMno:pPtT:vxX#")) != -1) {
        take_option(out, &seen, option);
    }
    out->operands = argv + optind;
    out->operand_count = argc - optind;
    out->mode = find_mode(&seen);
    if (has_edit_operand(out)) {
        seen.option['e'] = true;
    }
    check_exclusive(&seen);
    check_allowed(&seen, (char)out->mode);
    if (has(&seen, 'j')) {
        check_allowed(&seen, 'j');
    }
    out->defaults = has(&seen, 'd');
    out->edit = has(&seen, 'e');
    out->fold = has(&seen, 'f');
    out->json = has(&seen, 'j');
    out->hide_names = has(&seen, 'h');
    out->hide_values = has(&seen, 'H');
    out->only_set = has(&seen, 'n');
    out->expand = has(&seen, 'x');
    out->remove = has(&seen, 'X');
    out->comment_out = has(&seen, '#');
}

void request_done(struct request *request)
{
    free(request->overrides);
    *request = (struct request){.mode = MODE_MAIN};
}
