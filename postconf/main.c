/* SPDX-License-Identifier: MIT */
/* postconf: show and change main.cf and master.cf. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "conf/settings.h"
#include "map/map.h"
#include "postconf/edit.h"
#include "postconf/request.h"
#include "postconf/show.h"
#include "service/command.h"

static const char *find_directory(const struct request *request)
{
    return request->directory != NULL ? request->directory : getenv("MAIL_CONFIG");
}

static void apply_overrides(const struct request *request, struct conf *conf)
{
    for (int i = 0; i < request->override_count; i++) {
        struct view name, value;
        struct err err;
        const char *text = request->overrides[i];
        if (!conf_split_setting(view_cstr(text), &name, &value, &err)) {
            /* What is wrong, without the text that is quoted after it. */
            log_fatal("invalid parameter override: %s: %.*s", text,
                      VIEW_ARG(view_first(view_cstr(err.text),
                                          view_index(view_cstr(err.text), ':'))));
        }
        struct arena arena = {0};
        conf_override(conf, arena_cstr(&arena, name), arena_cstr(&arena, value));
        arena_clear(&arena);
    }
}

/* With -d main.cf is not read: defaults hold whatever it says. */
static struct conf *open_conf(const struct request *request)
{
    struct err err;
    const char *directory = find_directory(request);
    struct conf *conf = request->defaults ? conf_open_text(directory, NULL, &err)
                                          : conf_open(directory, true, &err);
    if (conf == NULL) {
        log_fatal("%s", err.text);
    }
    apply_overrides(request, conf);
    return conf;
}

static void show(const struct request *request)
{
    struct services services;
    struct conf *conf = open_conf(request);
    services_read(conf_directory(conf), request->mode == MODE_MAIN, &services);
    struct known *known = known_new(conf, &services, !request->defaults);
    if (!request->defaults) {
        show_check_settings(conf);
    }
    if (request->mode == MODE_MAIN) {
        show_parameters(request, conf, known);
    } else {
        show_services(request, conf, &services);
    }
    if (!request->defaults) {
        known_report_unused(known, request->mode == MODE_MAIN);
    }
    known_free(&known);
    services_done(&services);
    conf_free(&conf);
}

static void edit(const struct request *request)
{
    struct err err;
    const char *directory = find_directory(request);
    struct conf *conf = conf_open_text(directory, NULL, &err);
    if (conf == NULL) {
        log_fatal("%s", err.text);
    }
    if (request->mode == MODE_MAIN) {
        edit_parameters(request, conf_directory(conf));
    } else {
        edit_services(request, conf_directory(conf));
    }
    conf_free(&conf);
}

static void show_type(void *context, const char *type)
{
    (void)context;
    (void)puts(type);
}

static void show_map_types(const struct request *request)
{
    struct conf *conf = open_conf(request);
    map_types_each(conf, show_type, NULL);
    conf_free(&conf);
}

static void show_names(const char *const *names)
{
    for (; *names != NULL; names++) {
        (void)puts(*names);
    }
}

static void show_texts(const struct request *request)
{
    struct conf *conf = open_conf(request);
    show_templates(request, conf);
    conf_free(&conf);
}

static int run(const struct request *request)
{
    /* mailbox_delivery_lock, in the order of the local delivery agent's table */
    static const char *const locks[] = {"flock", "fcntl", "dotlock", NULL};
    switch (request->mode) {
    case MODE_MAP_TYPES:
        show_map_types(request);
        break;
    case MODE_LOCK_TYPES:
        show_names(locks);
        break;
    case MODE_SERVER_SASL:
    case MODE_CLIENT_SASL:
        /* No SASL implementation is built yet: the list is empty. */
        break;
    case MODE_TEMPLATES:
    case MODE_TEMPLATE_TEXTS:
        show_texts(request);
        break;
    case MODE_TLS:
        return show_tls(request->tls_query) ? EXIT_SUCCESS : EXIT_FAILURE;
    case MODE_MAIN:
    case MODE_SERVICES:
    case MODE_FIELDS:
    case MODE_OPTIONS:
        if (request->edit || request->remove || request->comment_out) {
            edit(request);
        } else {
            show(request);
        }
        break;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct request request;
    (void)command_init(argc, argv);
    request_parse(argc, argv, &request);
    int status = run(&request);
    request_done(&request);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_fatal("write standard output: %m");
    }
    return status;
}
