/* SPDX-License-Identifier: MIT */
/*
 * Both ends of the auth worker's socket.  Connections are not kept: a worker that waits
 * for one process's next login could not serve another's.
 */
#include "rpc/auth.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/connect.h"
#include "net/frame.h"
#include "sys/clock.h"

/* The worker gives up first, so that its death tells what has happened. */
static const int64_t GRACE = INT64_C(5) * CLOCK_SECOND;

struct auth_login {
    struct stream *stream;
    int64_t timeout;
    char *path; /* for messages */
};

bool auth_security_parse(struct view text, unsigned *set_out, struct view *bad_out)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"noplaintext", AUTH_NO_PLAINTEXT},        {"noactive", AUTH_NO_ACTIVE},
        {"nodictionary", AUTH_NO_DICTIONARY},      {"noanonymous", AUTH_NO_ANONYMOUS},
        {"forward_secrecy", AUTH_FORWARD_SECRECY}, {"mutual_auth", AUTH_MUTUAL}};
    *set_out = 0;
    while (conf_list_next(&text, bad_out)) {
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
            if (view_equal_nocase_cstr(*bad_out, known[i].name)) {
                bit = known[i].bit;
            }
        }
        if (bit == 0) {
            return false;
        }
        *set_out |= bit;
    }
    return true;
}

/* --- client's side ------------------------------------------------------------ */

static void set_lost(struct arena *arena, struct auth_step *step, const char *text)
{
    *step = (struct auth_step){.result = AUTH_TROUBLE,
                               .lost = true,
                               .text = view_cstr(arena_strdup(arena, text))};
}

static struct auth_login *connect_worker(const struct conf *conf, struct err *err)
{
    struct err why = {0};
    int64_t timeout = conf_time(conf, P_auth_timeout);
    char *path = xasprintf("private/%s", conf_str(conf, P_auth_service_name));
    int fd = connect_unix(path, clock_now() + timeout, &why);
    if (fd < 0) {
        (void)err_temp(err, "4.7.0", "connect to %s: %s", path, why.text);
        free(path);
        return NULL;
    }
    struct auth_login *login = xcalloc(1, sizeof(*login));
    login->stream = stream_new(fd);
    login->timeout = timeout;
    login->path = path;
    return login;
}

void auth_login_abandon(struct auth_login **login)
{
    if (*login != NULL) {
        stream_free(&(*login)->stream);
        free((*login)->path);
        free(*login);
        *login = NULL;
    }
}

/* Send FRAME, have the answer. */
static enum outcome ask(struct auth_login *login, struct str *frame,
                        struct arena *arena, struct auth_step *step, struct err *err)
{
    struct frame_reader reader;
    uint8_t kind;
    stream_set_deadline(login->stream, clock_now() + login->timeout + GRACE);
    if (!frame_send_now(login->stream, frame) ||
        !frame_receive(login->stream, &kind, &reader)) {
        return err_temp(err, "4.7.0", "%s: %s", login->path,
                        stream_problem(login->stream));
    }
    if (kind != AUTH_FRAME_STEP || !auth_step_parse(reader.rest, arena, step)) {
        return err_temp(err, "4.7.0", "%s: malformed answer", login->path);
    }
    return OK;
}

static void put_settings(struct str *frame, const struct auth_settings *settings)
{
    frame_put_view(frame, settings->service);
    frame_put_view(frame, settings->application);
    frame_put_view(frame, settings->config_path);
    frame_put_view(frame, settings->realm);
    frame_put_view(frame, settings->host);
    frame_put_view(frame, settings->local);
    frame_put_view(frame, settings->remote);
    frame_put_u64(frame, settings->security);
}

/* One more step; a login that has come to its end is closed. */
static void take_step(struct auth_login **login, struct str *frame, struct arena *arena,
                      struct auth_step *step)
{
    struct err err = {0};
    if (ask(*login, frame, arena, step, &err) != OK) {
        set_lost(arena, step, err.text);
    }
    if (step->result != AUTH_MORE) {
        auth_login_abandon(login);
    }
}

struct auth_login *auth_login_begin(const struct conf *conf,
                                    const struct auth_settings *settings,
                                    struct view mechanism, struct view initial,
                                    struct arena *arena, struct auth_step *step_out)
{
    STR_AUTO struct str frame = {0};
    struct err err = {0};
    struct auth_login *login = connect_worker(conf, &err);
    if (login == NULL) {
        set_lost(arena, step_out, err.text);
        return NULL;
    }
    frame_begin(&frame, AUTH_FRAME_BEGIN);
    put_settings(&frame, settings);
    frame_put_view(&frame, mechanism);
    frame_put_u8(&frame, initial.ptr != NULL);
    frame_put_view(&frame, initial);
    take_step(&login, &frame, arena, step_out);
    return login;
}

void auth_login_continue(struct auth_login **login, struct view response,
                         struct arena *arena, struct auth_step *step_out)
{
    STR_AUTO struct str frame = {0};
    CHECK(*login != NULL);
    frame_begin(&frame, AUTH_FRAME_RESPONSE);
    frame_put_view(&frame, response);
    take_step(login, &frame, arena, step_out);
}

enum outcome auth_mechanisms(const struct conf *conf,
                             const struct auth_settings *settings, struct arena *arena,
                             struct auth_step *step_out, struct err *err)
{
    STR_AUTO struct str frame = {0};
    *step_out = (struct auth_step){.result = AUTH_TROUBLE};
    struct auth_login *connection = connect_worker(conf, err);
    if (connection == NULL) {
        return TEMPFAIL;
    }
    frame_begin(&frame, AUTH_FRAME_MECHANISMS);
    put_settings(&frame, settings);
    enum outcome outcome = ask(connection, &frame, arena, step_out, err);
    auth_login_abandon(&connection);
    if (outcome == OK && step_out->result != AUTH_DONE) {
        return err_perm(err, "4.7.0", "%.*s", VIEW_ARG(step_out->text));
    }
    return outcome;
}

bool auth_step_parse(struct view fields, struct arena *arena, struct auth_step *out)
{
    enum { NOTES_MOST = 1000 };
    struct frame_reader reader;
    frame_reader_init(&reader, fields);
    *out = (struct auth_step){.result = (enum auth_result)frame_get_u8(&reader)};
    out->text = arena_view(arena, frame_get_view(&reader));
    out->user = arena_view(arena, frame_get_view(&reader));
    uint64_t count = frame_get_u64(&reader);
    bool known = out->result == AUTH_MORE || out->result == AUTH_DONE ||
                 out->result == AUTH_REFUSED || out->result == AUTH_TROUBLE;
    if (!known || reader.failed || count > NOTES_MOST) {
        return false;
    }
    out->notes = arena_alloc(arena, (count + 1) * sizeof(*out->notes));
    for (; out->note_count < count; out->note_count++) {
        struct auth_note *note = &out->notes[out->note_count];
        note->warning = frame_get_u8(&reader) != 0;
        note->text = arena_view(arena, frame_get_view(&reader));
    }
    return frame_reader_ok(&reader);
}

/* --- worker's side ---------------------------------------------------------------- */

static void get_settings(struct frame_reader *reader, struct auth_settings *settings)
{
    settings->service = frame_get_view(reader);
    settings->application = frame_get_view(reader);
    settings->config_path = frame_get_view(reader);
    settings->realm = frame_get_view(reader);
    settings->host = frame_get_view(reader);
    settings->local = frame_get_view(reader);
    settings->remote = frame_get_view(reader);
    settings->security = (unsigned)frame_get_u64(reader);
}

bool auth_request_parse(uint8_t kind, struct view fields, struct auth_request *out)
{
    struct frame_reader reader;
    frame_reader_init(&reader, fields);
    *out = (struct auth_request){.kind = (enum auth_frame)kind};
    if (kind == AUTH_FRAME_RESPONSE) {
        out->response = frame_get_view(&reader);
        return frame_reader_ok(&reader);
    }
    if (kind != AUTH_FRAME_MECHANISMS && kind != AUTH_FRAME_BEGIN) {
        return false;
    }
    get_settings(&reader, &out->settings);
    if (kind == AUTH_FRAME_BEGIN) {
        out->mechanism = frame_get_view(&reader);
        bool has_initial = frame_get_u8(&reader) != 0;
        struct view initial = frame_get_view(&reader);
        out->initial = has_initial ? initial : view_of(NULL, 0);
    }
    return frame_reader_ok(&reader);
}

bool auth_receive(struct stream *client, struct arena *arena,
                  struct auth_request *request_out)
{
    struct frame_reader reader;
    uint8_t kind;
    *request_out = (struct auth_request){0};
    if (!frame_receive(client, &kind, &reader)) {
        return false;
    }
    if (!auth_request_parse(kind, arena_view(arena, reader.rest), request_out)) {
        stream_fail(client, EPROTO);
        return false;
    }
    return true;
}

bool auth_send_step(struct stream *client, const struct auth_step *step)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, AUTH_FRAME_STEP);
    frame_put_u8(&frame, (uint8_t)step->result);
    frame_put_view(&frame, step->text);
    frame_put_view(&frame, step->user);
    frame_put_u64(&frame, step->note_count);
    for (size_t i = 0; i < step->note_count; i++) {
        frame_put_u8(&frame, step->notes[i].warning);
        frame_put_view(&frame, step->notes[i].text);
    }
    return frame_send_now(client, &frame);
}
