/* SPDX-License-Identifier: MIT */
#include "service/worker_arguments.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "service/master_protocol.h"

static int parse_count(const char *text)
{
    uint64_t count = 0;
    if (!number_parse_u64(view_cstr(text), MASTER_LISTENERS_MAX, &count) ||
        count == 0) {
        log_fatal("invalid socket_count: %s", text);
    }
    return (int)count;
}

static void add_override(struct worker_arguments *arguments, char *setting)
{
    if (arguments->override_count == WORKER_OVERRIDES_MAX) {
        log_fatal("more than %d -o options", WORKER_OVERRIDES_MAX);
    }
    if (strchr(setting, '=') == NULL) {
        log_fatal("missing '=' after attribute name: \"%s\"", setting);
    }
    arguments->overrides[arguments->override_count++] = setting;
}

static void parse_option(struct worker_arguments *out, int option)
{
    switch (option) {
    case 'c':
        out->chroot = true;
        break;
    case 'l':
        out->one_client = true;
        break;
    case 'n':
        out->name = optarg;
        break;
    case 'o':
        add_override(out, optarg);
        break;
    case 's':
        out->listeners = parse_count(optarg);
        break;
    case 'S':
        out->stand_alone = true;
        break;
    case 't':
        out->type = optarg;
        break;
    case 'u':
        out->unprivileged = true;
        break;
    case 'v':
        out->verbose++;
        break;
    case 'z':
        out->no_limit = true;
        break;
    default:
        log_fatal("usage: [-cluvzS] [-n service] [-t type] [-s socket_count] "
                  "[-o name=value]");
    }
}

void worker_arguments_parse(const char *program, int argc, char **argv,
                            struct worker_arguments *out)
{
    int option;
    *out = (struct worker_arguments){.name = program, .type = "unix", .listeners = 1};
    optind = 1;
    /* '+': what follows the first word belongs to the program (pipe, spawn). */
    while ((option = getopt(argc, argv, "+cln:o:s:St:uvz")) != -1) {
        parse_option(out, option);
    }
    out->rest = argv + optind;
}

static void apply_override(struct conf *conf, const char *setting)
{
    size_t name_len = strcspn(setting, "=");
    CHECK(setting[name_len] == '=');
    char *name = xviewdup(view_trim(view_of(setting, name_len)));
    char *value = xviewdup(view_trim(view_cstr(setting + name_len + 1)));
    conf_override(conf, name, value);
    free(name);
    free(value);
}

void worker_arguments_apply(const struct worker_arguments *arguments,
                            const char *program, struct conf *conf)
{
    conf_override(conf, "process_name", program);
    conf_override(conf, "service_name", arguments->name);
    for (int i = 0; i < arguments->override_count; i++) {
        apply_override(conf, arguments->overrides[i]);
    }
}
