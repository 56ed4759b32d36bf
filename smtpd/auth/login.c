/* SPDX-License-Identifier: MIT */
#include "smtpd/auth/login.h"

#include "base/log.h"
#include "smtpd/auth/dovecot.h"
#include "sys/clock.h"

static struct auth_settings settings_of(struct session *session, unsigned security)
{
    const struct conf *conf = session->conf;
    const struct client *client = &session->client;
    struct arena *scratch = &session->scratch;
    struct auth_settings settings = {
        .service = view_cstr(conf_str(conf, P_smtpd_sasl_service)),
        .application = view_cstr(conf_str(conf, P_smtpd_sasl_path)),
        .config_path = view_cstr(conf_str(conf, P_cyrus_sasl_config_path)),
        .realm = view_cstr(conf_str(conf, P_smtpd_sasl_local_domain)),
        .host = view_cstr(conf_str(conf, P_myhostname)),
        .security = security};
    if (*client->port != '\0' && *client->server_port != '\0') {
        settings.local = view_cstr(arena_printf(
            scratch, "%s;%s", client->server_address, client->server_port));
        settings.remote = view_cstr(
            arena_printf(scratch, "%s;%s", client->address_text, client->port));
    }
    return settings;
}

static void log_notes(const struct auth_step *step)
{
    for (size_t i = 0; i < step->note_count; i++) {
        if (step->notes[i].warning) {
            log_warning("%.*s", VIEW_ARG(step->notes[i].text));
        } else {
            log_info("%.*s", VIEW_ARG(step->notes[i].text));
        }
    }
}

/* What clients are told about it is not which file is missing here. */
static void explain_loss(struct session *session, struct auth_step *step)
{
    if (step->lost) {
        log_warning("%s: SASL: %.*s", session->client.shown, VIEW_ARG(step->text));
        step->text = VIEW("Connection lost to authentication server");
    }
}

static void finish_step(struct session *session, struct auth_step *step)
{
    log_notes(step);
    explain_loss(session, step);
}

bool login_begin(struct login *login, struct session *session, struct view mechanism,
                 struct view initial, struct auth_step *step)
{
    const struct mechanisms *mechanisms = mechanisms_of(session);
    *login = (struct login){.service = session->server->auth};
    if (login->service->dovecot != NULL) {
        login->dovecot = dovecot_login_begin(login->service->dovecot, session,
                                             mechanism, initial, step);
    } else {
        struct auth_settings settings = settings_of(session, mechanisms->security);
        login->worker = auth_login_begin(session->conf, &settings, mechanism, initial,
                                         &session->scratch, step);
    }
    finish_step(session, step);
    return step->result == AUTH_MORE;
}

bool login_continue(struct login *login, struct session *session, struct view response,
                    struct auth_step *step)
{
    CHECK((login->worker == NULL) != (login->dovecot == NULL));
    if (login->dovecot != NULL) {
        dovecot_login_continue(&login->dovecot, response, &session->scratch, step);
    } else {
        auth_login_continue(&login->worker, response, &session->scratch, step);
    }
    finish_step(session, step);
    return step->result == AUTH_MORE;
}

void login_abandon(struct login *login)
{
    auth_login_abandon(&login->worker);
    dovecot_login_abandon(&login->dovecot);
}

/* --- mechanisms ---------------------------------------------------------------------
 */

/* Plug-ins and their configuration change rarely; when nobody answers, soon. */
enum { FRESH = 60, FRESH_FAILED = 1 };

bool mechanisms_have(const struct str *list, struct view name)
{
    struct view rest = str_view(list);
    struct view word;
    while (view_next_word(&rest, " ", &word)) {
        if (view_equal_nocase(word, name)) {
            return true;
        }
    }
    return false;
}

void mechanisms_done(struct mechanisms *mechanisms)
{
    str_done(&mechanisms->present);
    str_done(&mechanisms->offered);
}

static void filter(struct auth_service *service, struct mechanisms *mechanisms)
{
    struct view rest = str_view(&mechanisms->present);
    struct view word;
    while (view_next_word(&rest, " ", &word)) {
        struct err err = {0};
        if (match_list_find(service->filter, word, VIEW(""), &err) == MAP_FOUND) {
            str_printf(&mechanisms->offered, "%s%.*s",
                       mechanisms->offered.len > 0 ? " " : "", VIEW_ARG(word));
        }
    }
}

/* What there is, without the filter. */
static enum outcome find(struct session *session, unsigned security,
                         struct str *present, struct err *err)
{
    struct auth_service *service = session->server->auth;
    if (service->dovecot != NULL) {
        return dovecot_mechanisms(service->dovecot, security, present, err);
    }
    struct auth_settings settings = settings_of(session, security);
    struct auth_step step;
    enum outcome outcome =
        auth_mechanisms(session->conf, &settings, &session->scratch, &step, err);
    log_notes(&step);
    str_set(present, outcome == OK ? step.text : VIEW(""));
    return outcome;
}

static void refresh(struct session *session, struct mechanisms *mechanisms)
{
    STR_AUTO struct str present = {0};
    struct err err = {0};
    int64_t fresh = FRESH;
    enum outcome outcome = find(session, mechanisms->security, &present, &err);
    str_clear(&mechanisms->offered);
    str_set(&mechanisms->present, str_view(&present));
    filter(session->server->auth, mechanisms);
    if (mechanisms->offered.len == 0) {
        log_warning("%s", outcome != OK ? err.text : "no applicable SASL mechanisms");
        log_warning("no SASL authentication mechanisms");
        fresh = FRESH_FAILED;
    }
    mechanisms->expiry = clock_now() + fresh * CLOCK_SECOND;
}

const struct mechanisms *mechanisms_of(struct session *session)
{
    struct auth_service *service = session->server->auth;
    struct mechanisms *mechanisms =
        session_is_encrypted(session) ? &service->encrypted : &service->plain;
    if (clock_now() >= mechanisms->expiry) {
        refresh(session, mechanisms);
    }
    return mechanisms;
}
