/* SPDX-License-Identifier: MIT */
/*
 * The client of Dovecot's protocol.  A kept connection may be dead without anybody's
 * fault, so a request that got no answer on one is made again, once, on a new one.
 */
#include "smtpd/auth/dovecot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "net/dial.h"
#include "smtpd/auth/dovecot_wire.h"
#include "smtpd/auth/login.h"
#include "sys/clock.h"

enum { LINE_MOST = 64 * 1024, HELLO_LINES_MOST = 1000, IDLE_MOST = 8 };

struct dovecot {
    const struct conf *conf;
    struct dial_target target;
    struct list idle; /* of struct line, the most recently used first */
    unsigned idle_count;
    unsigned serial; /* of connections, for the number that we give ourselves */
};

struct line {
    struct list node;
    struct stream *stream;
    uint64_t request; /* number of the last one */
    bool reused;
    struct dovecot_mechanisms mechanisms;
};

struct dovecot_login {
    struct dovecot *dovecot;
    struct line *line;
};

struct dovecot *dovecot_new(const struct conf *conf, struct err *err)
{
    struct view path = view_cstr(conf_str(conf, P_smtpd_sasl_path));
    STR_AUTO struct str text = {0};
    bool prefixed =
        view_starts(path, VIEW("unix:")) || view_starts(path, VIEW("inet:"));
    str_printf(&text, "%s%.*s", prefixed ? "" : "unix:", VIEW_ARG(path));
    struct dovecot *dovecot = xcalloc(1, sizeof(*dovecot));
    dovecot->conf = conf;
    list_init(&dovecot->idle);
    if (dial_target_parse(str_view(&text), &dovecot->target, err) != OK) {
        dovecot_free(&dovecot);
    }
    return dovecot;
}

/* --- connections
 * ---------------------------------------------------------------------- */

static void drop(struct line *line)
{
    CHECK(list_empty(&line->node));
    stream_free(&line->stream);
    free(line);
}

static struct line *take_idle(struct dovecot *dovecot)
{
    struct list *node = list_first(&dovecot->idle);
    if (node == NULL) {
        return NULL;
    }
    CHECK(dovecot->idle_count > 0);
    list_remove(node);
    dovecot->idle_count--;
    return LIST_ITEM(node, struct line, node);
}

static void drop_idle(struct dovecot *dovecot)
{
    struct line *line;
    while ((line = take_idle(dovecot)) != NULL) {
        drop(line);
    }
}

void dovecot_free(struct dovecot **dovecot_ptr)
{
    struct dovecot *dovecot = *dovecot_ptr;
    if (dovecot != NULL) {
        drop_idle(dovecot);
        dial_target_done(&dovecot->target);
        free(dovecot);
        *dovecot_ptr = NULL;
    }
}

static void give_back(struct dovecot *dovecot, struct line *line)
{
    if (dovecot->idle_count >= IDLE_MOST || !stream_ok(line->stream) ||
        stream_pending(line->stream) > 0) {
        drop(line);
        return;
    }
    stream_trim(line->stream);
    list_add_head(&dovecot->idle, &line->node);
    dovecot->idle_count++;
}

/* Unique among the connections of this machine: the server takes two with the same
 * number for one. */
static unsigned own_number(struct dovecot *dovecot)
{
    enum { PID_BITS = 22, SERIALS = 1 << (32 - PID_BITS) };
    unsigned serial = dovecot->serial++ % SERIALS;
    return serial << PID_BITS | ((unsigned)getpid() & ((1U << PID_BITS) - 1));
}

static enum outcome shake_hands(struct dovecot *dovecot, struct line *line,
                                struct err *err)
{
    struct dovecot_hello hello = {0};
    struct view text;
    bool whole = false;
    stream_printf(line->stream, "VERSION\t1\t1\nCPID\t%u\n", own_number(dovecot));
    (void)stream_flush(line->stream); /* the stream knows */
    for (int i = 0; i < HELLO_LINES_MOST && !hello.complete && hello.error == NULL;
         i++) {
        if (!stream_read_line(line->stream, LINE_MOST, &text, &whole) || !whole) {
            return err_temp(err, "4.7.0", "SASL: Dovecot auth socket '%s': %s",
                            dovecot->target.name, stream_problem(line->stream));
        }
        dovecot_hello_take(&hello, &line->mechanisms, text);
    }
    if (hello.error != NULL || !hello.complete) {
        return err_temp(err, "4.7.0", "SASL: the server at '%s' %s",
                        dovecot->target.name,
                        hello.error != NULL ? hello.error : "talks too much");
    }
    return OK;
}

static void set_deadline(const struct dovecot *dovecot, struct line *line)
{
    stream_set_deadline(line->stream,
                        clock_now() + conf_time(dovecot->conf, P_auth_timeout));
}

/* NULL with ERR. */
static struct line *connect_line(struct dovecot *dovecot, struct err *err)
{
    struct err why = {0};
    int64_t deadline = clock_now() + conf_time(dovecot->conf, P_auth_timeout);
    int fd = dial(&dovecot->target, deadline, &why);
    if (fd < 0) {
        (void)err_temp(err, "4.7.0",
                       "SASL: Connect to Dovecot auth socket '%s' failed: %s",
                       dovecot->target.name, why.text);
        return NULL;
    }
    struct line *line = xcalloc(1, sizeof(*line));
    list_init(&line->node);
    line->stream = stream_new(fd);
    set_deadline(dovecot, line);
    if (shake_hands(dovecot, line, err) != OK) {
        drop(line);
        return NULL;
    }
    return line;
}

/* What can be read on an idle connection is its end. */
static struct line *take(struct dovecot *dovecot, struct err *err)
{
    struct line *line;
    while ((line = take_idle(dovecot)) != NULL) {
        if (!stream_readable_now(line->stream)) {
            line->reused = true;
            return line;
        }
        drop(line);
    }
    return connect_line(dovecot, err);
}

enum outcome dovecot_mechanisms(struct dovecot *dovecot, unsigned security,
                                struct str *out, struct err *err)
{
    struct line *line = take(dovecot, err);
    str_clear(out);
    if (line == NULL) {
        return TEMPFAIL;
    }
    dovecot_mechanisms_list(&line->mechanisms, security, out);
    give_back(dovecot, line);
    return OK;
}

/* --- logins
 * --------------------------------------------------------------------------- */

static void set_lost(struct dovecot *dovecot, const char *problem, struct arena *arena,
                     struct auth_step *step)
{
    *step = (struct auth_step){
        .result = AUTH_TROUBLE,
        .lost = true,
        .text = view_cstr(arena_printf(arena, "Dovecot auth socket '%s': %s",
                                       dovecot->target.name, problem))};
}

/* Send REQUEST and have the answer.  False: the connection is of no use. */
static bool ask(struct dovecot *dovecot, struct line *line, struct view request,
                struct arena *arena, struct auth_step *step)
{
    struct view text;
    bool whole = false;
    set_deadline(dovecot, line);
    stream_write(line->stream, request);
    if (!stream_flush(line->stream) ||
        !stream_read_line(line->stream, LINE_MOST, &text, &whole) || !whole) {
        set_lost(dovecot, stream_problem(line->stream), arena, step);
        return false;
    }
    if (!dovecot_reply_parse(text, line->request, arena, step)) {
        set_lost(dovecot, "malformed answer", arena, step);
        return false;
    }
    return true;
}

static void add_request(const struct dovecot *dovecot, struct session *session,
                        struct view mechanism, struct view initial, uint64_t number,
                        struct str *out)
{
    const struct client *client = &session->client;
    str_printf(out, "AUTH\t%" PRIu64 "\t", number);
    dovecot_add_escaped(out, mechanism);
    str_add_cstr(out, "\tservice=");
    dovecot_add_escaped(out, view_cstr(conf_str(dovecot->conf, P_smtpd_sasl_service)));
    str_printf(out, "\tnologin\tlip=%s\trip=%s", client->server_address,
               client->address_text);
    if (*client->port != '\0' && *client->server_port != '\0') {
        str_printf(out, "\tlport=%s\trport=%s", client->server_port, client->port);
    }
    if (session_is_encrypted(session)) {
        str_add_cstr(out, "\tsecured");
    }
    if (initial.ptr != NULL) {
        str_printf(out, "\tresp=%.*s", VIEW_ARG(initial));
    }
    str_add_byte(out, '\n');
}

/* What the server does not have, or would not understand.  It knows nothing of our
 * security options. */
static bool is_out_of_question(struct session *session, struct view mechanism,
                               struct view *initial, struct auth_step *step)
{
    *step = (struct auth_step){.result = AUTH_REFUSED};
    if (!mechanisms_have(&mechanisms_of(session)->present, mechanism)) {
        step->text = VIEW("Invalid authentication mechanism");
    } else if (initial->ptr != NULL && !dovecot_is_base64(*initial)) {
        step->text = VIEW("Invalid base64 data in initial response");
    }
    if (initial->ptr != NULL && view_equal_cstr(*initial, "=")) {
        *initial = view_of("", 0);
    }
    return step->text.len > 0;
}

static struct dovecot_login *finish_or_go_on(struct dovecot *dovecot, struct line *line,
                                             const struct auth_step *step)
{
    if (step->result != AUTH_MORE) {
        give_back(dovecot, line);
        return NULL;
    }
    struct dovecot_login *login = xcalloc(1, sizeof(*login));
    login->dovecot = dovecot;
    login->line = line;
    return login;
}

struct dovecot_login *dovecot_login_begin(struct dovecot *dovecot,
                                          struct session *session,
                                          struct view mechanism, struct view initial,
                                          struct auth_step *step)
{
    STR_AUTO struct str request = {0};
    struct err err = {0};
    if (is_out_of_question(session, mechanism, &initial, step)) {
        return NULL;
    }
    for (;;) {
        struct line *line = take(dovecot, &err);
        if (line == NULL) {
            set_lost(dovecot, err.text, &session->scratch, step);
            return NULL;
        }
        str_clear(&request);
        add_request(dovecot, session, mechanism, initial, ++line->request, &request);
        if (ask(dovecot, line, str_view(&request), &session->scratch, step)) {
            return finish_or_go_on(dovecot, line, step);
        }
        bool again = line->reused && stream_state(line->stream) == STREAM_EOF;
        drop(line);
        if (!again) {
            return NULL;
        }
        drop_idle(dovecot); /* they will not have fared better */
    }
}

static void end(struct dovecot_login **login)
{
    free(*login);
    *login = NULL;
}

/* Without the connection the server forgets the request, and no late answer to it can
 * be taken for another's. */
void dovecot_login_abandon(struct dovecot_login **login)
{
    if (*login != NULL) {
        drop((*login)->line);
        end(login);
    }
}

void dovecot_login_continue(struct dovecot_login **login, struct view response,
                            struct arena *arena, struct auth_step *step)
{
    struct dovecot *dovecot = (*login)->dovecot;
    struct line *line = (*login)->line;
    STR_AUTO struct str request = {0};
    if (!dovecot_is_base64(response)) {
        *step = (struct auth_step){
            .result = AUTH_REFUSED,
            .text = VIEW("Invalid base64 data in continued response")};
        dovecot_login_abandon(login);
        return;
    }
    str_printf(&request, "CONT\t%" PRIu64 "\t%.*s\n", line->request,
               VIEW_ARG(view_equal_cstr(response, "=") ? VIEW("") : response));
    if (!ask(dovecot, line, str_view(&request), arena, step)) {
        drop(line);
        end(login);
    } else if (step->result != AUTH_MORE) {
        give_back(dovecot, line);
        end(login);
    }
}
