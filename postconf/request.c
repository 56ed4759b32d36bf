/* SPDX-License-Identifier: MIT */
/*
 * The command line of postconf: one mode, and options that this mode knows.  What is
 * not built is refused by name.
 */
#include "postconf/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
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

/* Options that choose a mode, and what each mode lets stand beside itself. */
static const char mode_options[] = "aAFlmMpP";
static const struct {
    char mode;
    const char *allowed;
} mode_allows[] = {
    {'p', "defhHnxX#"}, {'M', "efxX#"}, {'F', "efhHx"}, {'P', "efhHxX"},
    {'a', ""},          {'A', ""},      {'l', ""},      {'m', ""},
};
static const char other_options[] = "defhHnxX#";
/* Pairs that exclude each other, whatever the mode. */
static const char *const exclusive[] = {"de", "dn", "dX", "d#", "ef", "eh", "eH", "en",
                                        "ex", "eX", "e#", "fX", "f#", "hH", "hX", "h#",
                                        "HX", "H#", "nX", "n#", "xX", "x#", "X#"};

struct seen {
    bool option[128];
};

static bool has(const struct seen *seen, char option)
{
    return seen->option[(unsigned char)option & 127];
}

static void check_modes(const struct seen *seen, struct request *request)
{
    char found = '\0';
    for (const char *at = mode_options; *at != '\0'; at++) {
        if (has(seen, *at)) {
            if (found != '\0') {
                log_fatal("specify one of -%c -%c", found, *at);
            }
            found = *at;
        }
    }
    request->mode = found != '\0' ? (enum postconf_mode)found : MODE_MAIN;
}

static void check_pairs(const struct seen *seen)
{
    for (size_t i = 0; i < ARRAY_SIZE(exclusive); i++) {
        if (has(seen, exclusive[i][0]) && has(seen, exclusive[i][1])) {
            log_fatal("specify one of -%c -%c", exclusive[i][0], exclusive[i][1]);
        }
    }
}

static void check_allowed(const struct seen *seen, enum postconf_mode mode)
{
    const char *allowed = "";
    CHECK(strchr(mode_options, (char)mode) != NULL);
    for (size_t i = 0; i < ARRAY_SIZE(mode_allows); i++) {
        if (mode_allows[i].mode == (char)mode) {
            allowed = mode_allows[i].allowed;
        }
    }
    for (const char *at = other_options; *at != '\0'; at++) {
        if (has(seen, *at) && strchr(allowed, *at) == NULL) {
            log_fatal("with option -%c, do not specify -%c", (char)mode, *at);
        }
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
    case 'b':
    case 't':
    case 'T':
        log_fatal("option -%c is not built", option);
    case '?':
        log_fatal("%s", usage);
    default:
        seen->option[option & 127] = true;
    }
}

void request_parse(int argc, char **argv, struct request *out)
{
    struct seen seen = {{false}};
    int option;
    *out = (struct request){.classes = CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER};
    while ((option = getopt(argc, argv, "aAbc:C:defFhHlmMno:pPtT:vxX#")) != -1) {
        take_option(out, &seen, option);
    }
    out->operands = argv + optind;
    out->operand_count = argc - optind;
    check_modes(&seen, out);
    if (out->operand_count > 0 && strchr(out->operands[0], '=') != NULL) {
        seen.option['e'] = true;
    }
    check_pairs(&seen);
    check_allowed(&seen, out->mode);
    out->defaults = has(&seen, 'd');
    out->edit = has(&seen, 'e');
    out->fold = has(&seen, 'f');
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
