/* SPDX-License-Identifier: MIT */
/*
 * From SASL's results to ours.  Whatever is wrong with our side (files, servers,
 * memory) is trouble, which a client may try again; everything else is its own fault.
 */
#include "auth/login.h"

#include <sasl/sasl.h>
#include <sasl/saslutil.h>
#include <stdlib.h>

#include "auth/watchdog.h"
#include "base/alloc.h"
#include "base/check.h"

struct login {
    struct library *library;
    sasl_conn_t *connection;
};

/* --- results ---------------------------------------------------------------------- */

static bool is_trouble(int status)
{
    return status == SASL_FAIL || status == SASL_NOMEM || status == SASL_CONFIGERR ||
           status == SASL_TRYAGAIN || status == SASL_UNAVAIL;
}

static void refuse(struct login *login, int status, struct auth_step *step)
{
    step->result = is_trouble(status) ? AUTH_TROUBLE : AUTH_REFUSED;
    /* Clients must not learn which users there are. */
    int told = status == SASL_NOUSER ? SASL_BADAUTH : status;
    step->text = view_cstr(sasl_errstring(told, NULL, NULL));
    if (step->result == AUTH_TROUBLE) {
        library_diagnose(login->library);
    }
}

/* As far as the mechanism has found out. */
static struct view user_of(const struct login *login, struct arena *arena)
{
    const void *name = NULL;
    if (sasl_getprop(login->connection, SASL_USERNAME, &name) != SASL_OK ||
        name == NULL) {
        return view_of("", 0);
    }
    return view_cstr(arena_strdup(arena, name));
}

static struct view encode(const char *data, unsigned len, struct arena *arena)
{
    unsigned encoded;
    unsigned room = (len + 2) / 3 * 4 + 1;
    char *text = arena_alloc(arena, room);
    int status = len > 0 ? sasl_encode64(data, len, text, room, &encoded) : SASL_OK;
    CHECK(status == SASL_OK); /* the room suffices */
    return view_cstr(text);
}

/* Over: STATUS says how. */
static void finish(struct login *login, int status, struct arena *arena,
                   struct auth_step *step)
{
    *step = (struct auth_step){.result = AUTH_DONE, .user = user_of(login, arena)};
    if (status != SASL_OK) {
        refuse(login, status, step);
    }
    library_take_notes(login->library, arena, step);
}

/* Status of the library's last call, with what it wants to send. */
static void conclude(struct login *login, int status, struct view out,
                     struct arena *arena, struct auth_step *step)
{
    if (status != SASL_CONTINUE) {
        finish(login, status, arena, step);
        return;
    }
    *step = (struct auth_step){.result = AUTH_MORE,
                               .text = encode(out.ptr, (unsigned)out.len, arena)};
    library_take_notes(login->library, arena, step);
}

/* BASE64 into ARENA; not SASL_OK: it is none, or a piece is missing. */
static int decode(struct view base64, struct arena *arena, struct view *out)
{
    unsigned len = 0;
    char *data = arena_alloc(arena, base64.len + 1);
    int status = SASL_OK;
    if (base64.len > 0) {
        status = sasl_decode64(base64.ptr, (unsigned)base64.len, data,
                               (unsigned)base64.len + 1, &len);
    }
    *out = view_of(data, len);
    return status;
}

/* --- steps ------------------------------------------------------------------------ */

static void start(struct login *login, const struct auth_request *request,
                  struct arena *arena, struct auth_step *step)
{
    struct view initial = view_of(NULL, 0);
    const char *out = "";
    unsigned len = 0;
    if (request->initial.ptr != NULL && view_equal_cstr(request->initial, "=")) {
        initial = view_of("", 0); /* RFC 4954, section 4: there, and empty */
    } else if (request->initial.ptr != NULL) {
        int status = decode(request->initial, arena, &initial);
        if (status != SASL_OK) {
            finish(login, status, arena, step);
            return;
        }
    }
    watchdog_start();
    int status =
        sasl_server_start(login->connection, arena_cstr(arena, request->mechanism),
                          initial.ptr, (unsigned)initial.len, &out, &len);
    watchdog_stop();
    conclude(login, status, view_of(out, len), arena, step);
}

static sasl_security_properties_t properties(unsigned security)
{
    static const struct {
        unsigned ours, theirs;
    } flags[] = {{AUTH_NO_PLAINTEXT, SASL_SEC_NOPLAINTEXT},
                 {AUTH_NO_ACTIVE, SASL_SEC_NOACTIVE},
                 {AUTH_NO_DICTIONARY, SASL_SEC_NODICTIONARY},
                 {AUTH_NO_ANONYMOUS, SASL_SEC_NOANONYMOUS},
                 {AUTH_FORWARD_SECRECY, SASL_SEC_FORWARD_SECRECY},
                 {AUTH_MUTUAL, SASL_SEC_MUTUAL_AUTH}};
    /* No security layer: SMTP has TLS for that. */
    sasl_security_properties_t properties = {.min_ssf = 0, .max_ssf = 0};
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if ((security & flags[i].ours) != 0) {
            properties.security_flags |= flags[i].theirs;
        }
    }
    return properties;
}

static const char *text_or_null(struct view text, struct arena *arena)
{
    return text.len > 0 ? arena_cstr(arena, text) : NULL;
}

static int connect_library(struct login *login, const struct auth_settings *settings,
                           struct arena *arena)
{
    if (!library_configure(login->library, settings)) {
        return SASL_FAIL;
    }
    int status = sasl_server_new(
        arena_cstr(arena, settings->service), text_or_null(settings->host, arena),
        text_or_null(settings->realm, arena), text_or_null(settings->local, arena),
        text_or_null(settings->remote, arena), NULL, 0, &login->connection);
    if (status != SASL_OK) {
        return status;
    }
    sasl_security_properties_t wanted = properties(settings->security);
    return sasl_setprop(login->connection, SASL_SEC_PROPS, &wanted);
}

/* A login on which a mechanism can be started; NULL: STEP says why not. */
static struct login *login_new(struct library *library,
                               const struct auth_settings *settings,
                               struct arena *arena, struct auth_step *step)
{
    struct login *login = xcalloc(1, sizeof(*login));
    login->library = library;
    watchdog_start();
    int status = connect_library(login, settings, arena);
    watchdog_stop();
    if (status != SASL_OK) {
        *step =
            (struct auth_step){.result = AUTH_TROUBLE,
                               .text = view_cstr(sasl_errstring(status, NULL, NULL))};
        library_take_notes(library, arena, step);
        login_end(&login);
    }
    return login;
}

struct login *login_begin(struct library *library, const struct auth_request *request,
                          struct arena *arena, struct auth_step *step)
{
    struct login *login = login_new(library, &request->settings, arena, step);
    if (login != NULL) {
        start(login, request, arena, step);
        if (step->result != AUTH_MORE) {
            login_end(&login);
        }
    }
    return login;
}

static void respond(struct login *login, struct view response, struct arena *arena,
                    struct auth_step *step)
{
    struct view data;
    const char *out = "";
    unsigned len = 0;
    int status = decode(response, arena, &data);
    if (status != SASL_OK) {
        finish(login, status, arena, step);
        return;
    }
    watchdog_start();
    status =
        sasl_server_step(login->connection, data.ptr, (unsigned)data.len, &out, &len);
    watchdog_stop();
    conclude(login, status, view_of(out, len), arena, step);
}

void login_continue(struct login **login, struct view response, struct arena *arena,
                    struct auth_step *step)
{
    respond(*login, response, arena, step);
    if (step->result != AUTH_MORE) {
        login_end(login);
    }
}

void login_end(struct login **login)
{
    if (*login != NULL) {
        if ((*login)->connection != NULL) {
            sasl_dispose(&(*login)->connection);
        }
        free(*login);
        *login = NULL;
    }
}

void login_mechanisms(struct library *library, const struct auth_settings *settings,
                      struct arena *arena, struct auth_step *step)
{
    const char *list = "";
    struct login *login = login_new(library, settings, arena, step);
    if (login == NULL) {
        return;
    }
    int status = sasl_listmech(login->connection, NULL, "", " ", "", &list, NULL, NULL);
    *step = (struct auth_step){.result = AUTH_DONE};
    if (status == SASL_OK && list != NULL && *list != '\0') {
        step->text = view_cstr(arena_strdup(arena, list));
    } else {
        step->result = AUTH_TROUBLE;
        step->text = VIEW("no applicable SASL mechanisms");
    }
    library_take_notes(library, arena, step);
    login_end(&login);
}
