/* SPDX-License-Identifier: MIT */
/*
 * A whole SMTP session with whatever the client likes to send.  Cleanup is played by
 * this file, which insists on what it may rely on: records without line breaks, and
 * content between MAIL's and the end of data only.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "rpc/auth.h"
#include "smtpd/session.h"
#include "sys/file.h"

/* --- cleanup -----------------------------------------------------------------------
 */

struct submit_client {
    int messages;
};

struct submit {
    bool has_sender, has_content;
    int recipients;
};

static void check_clean(struct view text)
{
    CHECK(view_index(text, '\n') == text.len && view_index(text, '\0') == text.len &&
          view_index(text, '\r') == text.len);
}

struct submit_client *submit_client_new(const struct conf *conf, const char *service)
{
    (void)conf;
    (void)service;
    return xcalloc(1, sizeof(struct submit_client));
}

struct submit_client *submit_client_new_postdrop(const struct conf *conf)
{
    return submit_client_new(conf, NULL);
}

void submit_client_expect_more(struct submit_client *client)
{
    (void)client;
}

void submit_client_free(struct submit_client **client)
{
    free(*client);
    *client = NULL;
}

struct submit *submit_begin(struct submit_client *client, unsigned flags,
                            struct err *err)
{
    (void)flags;
    if (client->messages++ % 7 == 6) {
        (void)err_temp(err, "4.3.0", "no cleanup today");
        return NULL;
    }
    return xcalloc(1, sizeof(struct submit));
}

const char *submit_queue_id(const struct submit *submit)
{
    (void)submit;
    return "4DEADBEEF";
}

void submit_set_file_flags(struct submit *submit, unsigned queue_file_flags)
{
    CHECK(!submit->has_content && queue_file_flags != 0);
}

void submit_arrival_time(struct submit *submit, int64_t wall_time)
{
    CHECK(!submit->has_sender && wall_time > 0);
}

void submit_attribute(struct submit *submit, const char *name, struct view value)
{
    CHECK(!submit->has_content && *name != '\0');
    check_clean(value);
}

void submit_sender(struct submit *submit, struct view sender)
{
    CHECK(!submit->has_sender);
    submit->has_sender = true;
    check_clean(sender);
}

void submit_fullname(struct submit *submit, struct view name)
{
    (void)submit;
    check_clean(name);
}

void submit_recipient(struct submit *submit, const struct queue_recipient *recipient)
{
    CHECK(submit->has_sender && recipient->address.len > 0);
    submit->recipients++;
    check_clean(recipient->address);
    check_clean(recipient->original);
    check_clean(recipient->dsn_orcpt);
}

void submit_content(struct submit *submit, struct view data)
{
    CHECK(submit->has_sender && data.len > 0);
    submit->has_content = true;
}

void submit_hold(struct submit *submit)
{
    CHECK(submit->has_content);
}

void submit_finish(struct submit *submit, struct submit_result *result_out)
{
    CHECK(submit->has_content && submit->recipients > 0);
    *result_out = (struct submit_result){.status = SUBMIT_OK};
    free(submit);
}

void submit_abort(struct submit *submit)
{
    free(submit);
}

bool submit_ok(struct submit *submit)
{
    (void)submit;
    return true;
}

/* --- the auth worker
 * ------------------------------------------------------------------
 *
 * It wants three more answers, and lets in who has given them; it insists on text
 * without line ends.
 */

struct auth_login {
    int steps;
};

bool auth_security_parse(struct view text, unsigned *set_out, struct view *bad_out)
{
    *bad_out = text;
    *set_out = 0;
    return true;
}

static void next_step(struct auth_login **login, struct auth_step *step)
{
    *step = (struct auth_step){.result = AUTH_MORE, .text = VIEW("YQ==")};
    if (*login == NULL || (*login)->steps-- == 0) {
        step->result = *login == NULL ? AUTH_REFUSED : AUTH_DONE;
        step->user = VIEW("joe\t\r\n");
        auth_login_abandon(login);
    }
}

struct auth_login *auth_login_begin(const struct conf *conf,
                                    const struct auth_settings *settings,
                                    struct view mechanism, struct view initial,
                                    struct arena *arena, struct auth_step *step_out)
{
    struct auth_login *login = NULL;
    (void)conf;
    (void)arena;
    CHECK(settings->service.len > 0 && mechanism.len > 0);
    check_clean(mechanism);
    check_clean(initial);
    if (view_equal_nocase_cstr(mechanism, "LOGIN")) {
        login = xcalloc(1, sizeof(*login));
        login->steps = initial.ptr != NULL ? 1 : 2;
    }
    next_step(&login, step_out);
    return login;
}

void auth_login_continue(struct auth_login **login, struct view response,
                         struct arena *arena, struct auth_step *step_out)
{
    (void)arena;
    CHECK(*login != NULL && view_index(response, '\n') == response.len);
    next_step(login, step_out);
}

void auth_login_abandon(struct auth_login **login)
{
    free(*login);
    *login = NULL;
}

enum outcome auth_mechanisms(const struct conf *conf,
                             const struct auth_settings *settings, struct arena *arena,
                             struct auth_step *step_out, struct err *err)
{
    (void)conf;
    (void)settings;
    (void)arena;
    (void)err;
    *step_out = (struct auth_step){.result = AUTH_DONE, .text = VIEW("PLAIN LOGIN X")};
    return OK;
}

/* --- the session --------------------------------------------------------------------
 */

static const char SETTINGS[] =
    "compatibility_level = 3.6\nmyhostname = mail.example.com\nmynetworks = "
    "127.0.0.0/8\n"
    "inet_interfaces = 127.0.0.1\nalias_maps =\nlocal_recipient_maps =\n"
    "smtpd_error_sleep_time = 0\nmessage_size_limit = 100000\n"
    "smtpd_reject_footer = see $client\n"
    "smtpd_helo_restrictions = reject_invalid_helo_hostname, "
    "reject_non_fqdn_helo_hostname,"
    " check_helo_access inline:{x=DUNNO, y=REJECT}\n"
    "smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access "
    "inline:{a@b.c=OK, {d=550 5.1.1 no}, {e@=PREPEND X: y}}\n"
    "smtpd_recipient_restrictions = check_recipient_access "
    "inline:{h@mail.example.com=HOLD,"
    " {b@mail.example.com=BCC c@d}, d@mail.example.com=DISCARD, {r=REDIRECT a@b}}\n"
    "smtpd_end_of_data_restrictions = check_sender_access inline:{a@b.c=HOLD}\n"
    "smtpd_etrn_restrictions = reject\nsmtpd_sasl_auth_enable = yes\n"
    "smtpd_sasl_mechanism_filter = !x, static:rest\nbroken_sasl_auth_clients = yes\n"
    "smtpd_sasl_authenticated_header = yes\nsmtpd_sasl_response_limit = 100\n"
    "smtpd_data_restrictions = check_sasl_access inline:{joe=HOLD}\n";

static struct server *open_server(void)
{
    struct err err = {0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_set_fd(null);
    log_set_stderr(false);
    struct conf *conf = conf_open_text("/nonexistent", SETTINGS, &err);
    CHECK(conf != NULL);
    return server_open(conf, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server *server; /* opened once: the input is the client's */
    if (server == NULL) {
        server = open_server();
    }
    FD_AUTO int in = memfd_create("client", MFD_CLOEXEC);
    FD_AUTO int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(in >= 0 && out >= 0 && file_pwrite_all(in, data, size, 0));
    struct stream *stream = stream_new_pair(in, out);
    session_run(server, stream);
    stream_free(&stream);
    return 0;
}
