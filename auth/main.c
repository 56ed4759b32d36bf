/* SPDX-License-Identifier: MIT */
/*
 * auth: checks logins with Cyrus SASL for processes that must not block, crash or read
 * passwords.  One login at a time.
 */
#include "auth/library.h"
#include "auth/login.h"
#include "auth/watchdog.h"
#include "service/service.h"

/* What most logins will ask for is loaded before the first of them. */
static void load(struct service_context *context)
{
    const struct conf *conf = context->conf;
    struct auth_settings settings = {
        .application = view_cstr(conf_str(conf, P_smtpd_sasl_path)),
        .config_path = view_cstr(conf_str(conf, P_cyrus_sasl_config_path))};
    if (view_equal_nocase_cstr(view_cstr(conf_str(conf, P_smtpd_sasl_type)), "cyrus")) {
        (void)library_configure(context->state,
                                &settings); /* the first login will tell */
    }
}

/* In a chroot there are no plug-ins. */
static void auth_open(struct service_context *context)
{
    context->state = library_new(context->conf);
    if (context->confined) {
        load(context);
    }
}

/* Otherwise nobody's code runs as root. */
static void auth_ready(struct service_context *context)
{
    watchdog_init(conf_time(context->conf, P_auth_timeout));
    if (!context->confined) {
        load(context);
    }
}

/* The answers to a login that has begun. */
static void converse(struct stream *client, struct login *login)
{
    bool more = login != NULL;
    while (more) {
        struct arena arena = {0};
        struct auth_request request;
        struct auth_step step;
        more = auth_receive(client, &arena, &request);
        if (more && request.kind != AUTH_FRAME_RESPONSE) {
            more = false;
        } else if (more) {
            login_continue(&login, request.response, &arena, &step);
            more = auth_send_step(client, &step) && login != NULL;
        }
        arena_clear(&arena);
    }
    login_end(&login);
}

static void auth_session(struct service_context *context, struct stream *client)
{
    struct library *library = context->state;
    struct arena arena = {0};
    struct auth_request request;
    struct auth_step step;
    struct login *login = NULL;
    bool good = service_await(context, client) &&
                auth_receive(client, &arena, &request) &&
                request.kind != AUTH_FRAME_RESPONSE;
    if (good) {
        if (request.kind == AUTH_FRAME_MECHANISMS) {
            login_mechanisms(library, &request.settings, &arena, &step);
        } else {
            login = login_begin(library, &request, &arena, &step);
        }
        good = auth_send_step(client, &step);
    }
    arena_clear(&arena);
    if (good) {
        converse(client, login);
    } else {
        login_end(&login);
    }
}

static bool auth_outdated(struct service_context *context)
{
    return library_outdated(context->state);
}

static void auth_close(struct service_context *context)
{
    struct library *library = context->state;
    library_free(&library);
    context->state = NULL;
}

static const struct service auth_service = {
    .name = "auth",
    .kind = SERVICE_EXCLUSIVE,
    .fragile = true,
    .open = auth_open,
    .ready = auth_ready,
    .session = auth_session,
    .outdated = auth_outdated,
    .close = auth_close,
};

int main(int argc, char **argv)
{
    return service_main(&auth_service, argc, argv);
}
