/* SPDX-License-Identifier: MIT */
/*
 * Saying no: the reply, its line in the log, and the refusals that are kept back
 * until the others are known.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "mail/address.h"
#include "smtpd/access/rules.h"
#include "smtpd/reply.h"

/* --- the log ------------------------------------------------------------------------
 */

static void add_address(struct str *out, const char *name, struct view internal)
{
    str_printf(out, " %s=<", name);
    address_quote(internal, out);
    str_add_byte(out, '>');
}

static struct view shown_recipient(const struct check *check)
{
    if (check->recipient.ptr != NULL) {
        return check->recipient;
    }
    const struct message *message = check->session->message;
    if (message == NULL || message->recipient_count == 0) {
        return view_of(NULL, 0);
    }
    bool content =
        check->subject == SUBJECT_DATA || check->subject == SUBJECT_END_OF_DATA;
    if (content && message->recipient_count != 1) {
        return view_of(NULL, 0);
    }
    return message->recipients[0].address;
}

void check_log(const struct check *check, const char *action, const char *text)
{
    CHECK(check->session->where != NULL);
    const struct session *session = check->session;
    struct view recipient = shown_recipient(check);
    STR_AUTO struct str line = {0};
    str_printf(&line, "%s: %s: %s from %s: %s;", session_queue_id(session), action,
               session->where, session->client.shown, text);
    if (check->sender.ptr != NULL) {
        add_address(&line, "from", check->sender);
    }
    if (recipient.ptr != NULL) {
        add_address(&line, "to", recipient);
    }
    str_printf(&line, " proto=%s", session->esmtp ? "ESMTP" : "SMTP");
    if (session->helo.len > 0) {
        str_printf(&line, " helo=<%s>", str_ptr(&session->helo));
    }
    log_info("%s", str_ptr(&line));
}

enum access_result check_permit(struct check *check, const char *action,
                                enum subject subject, const char *source)
{
    CHECK(subject < SUBJECT_COUNT);
    struct err err = {0};
    if (check->quiet || match_list_find(check->server->permit_log, view_cstr(action),
                                        VIEW(""), &err) != MAP_FOUND) {
        return ACCESS_PERMIT;
    }
    STR_AUTO struct str text = {0};
    str_printf(&text, "action=%s for %s=%s %s", action, check_class_of(subject),
               check_name_of(check, subject), source);
    check_log(check, "permit", str_ptr(&text));
    return ACCESS_PERMIT;
}

/* --- status codes ------------------------------------------------------------------
 */

/* RFC 3463 X.1.Y speaks of a sender or of a recipient; said of the other one the
 * nearest status takes its place.  '\0': SUBJECT is no address at all. */
static char mapped_detail(enum subject subject, char detail)
{
    if (subject == SUBJECT_SENDER) {
        /* of detail:                0    1    2    3    4    5    6    7    8 */
        static const char FITTING[] = {'0', '7', '8', '7', '7', '0', '7', '7', '8'};
        return (char)(detail >= '0' && detail <= '8' ? FITTING[detail - '0'] : '0');
    }
    if (subject == SUBJECT_RECIPIENT) {
        static const char FITTING[] = {'0', '1', '2', '3', '4', '5', '6', '3', '2'};
        return (char)(detail >= '0' && detail <= '8' ? FITTING[detail - '0'] : '0');
    }
    return '\0';
}

/* Status DSN for a refusal of SUBJECT with CODE, whose class it must have. */
static void fit_dsn(enum subject subject, int code, const char *dsn, char out[12])
{
    CHECK(code >= 400 && code <= 599 && strlen(dsn) < 12);
    (void)snprintf(out, 12, "%s", dsn);
    out[0] = (char)('0' + code / 100);
    if (strncmp(out + 1, ".1.", 3) != 0 || out[5] != '\0') {
        return;
    }
    char detail = mapped_detail(subject, out[4]);
    if (detail == out[4]) {
        return;
    }
    char before[12];
    memcpy(before, out, sizeof(before));
    if (detail == '\0') {
        out[2] = out[4] = '0';
    } else {
        out[4] = detail;
    }
    log_info("mapping DSN status %s into %s status %s", before, check_class_of(subject),
             out);
}

/* --- refusing ----------------------------------------------------------------------
 */

static enum access_result refuse_text(struct check *check, int code, const char *dsn,
                                      const char *text)
{
    CHECK(code >= 400 && code <= 599 && strlen(dsn) >= 5);
    struct str *verdict = &check->session->verdict;
    const struct deferral *instead = &check->defer_if_reject;
    str_clear(verdict);
    if (code >= 500 && instead->active && !check->warn_only) {
        code = instead->code;
        dsn = instead->dsn;
        text = str_ptr(&instead->text);
    }
    str_printf(verdict, "%d %s %s", code, dsn, text);
    if (conf_bool(check->session->conf, P_soft_bounce)) {
        reply_soften(verdict->ptr); /* the log shows what the client sees */
    }
    if (check->warn_only) {
        check_log(check, "reject_warning", str_ptr(verdict));
        return ACCESS_DUNNO;
    }
    check_log(check, "reject", str_ptr(verdict));
    return ACCESS_REJECT;
}

static void PRINTF_LIKE(2, 0) format(struct str *out, const char *pattern, va_list args)
{
    str_vprintf(out, pattern, args);
}

enum access_result check_refuse(struct check *check, int code, const char *dsn,
                                const char *pattern, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, pattern);
    format(&text, pattern, args);
    va_end(args);
    return refuse_text(check, code, dsn, str_ptr(&text));
}

enum access_result check_refuse_subject(struct check *check, enum subject subject,
                                        int code, const char *dsn, const char *pattern,
                                        ...)
{
    char fitting[12];
    STR_AUTO struct str text = {0};
    va_list args;
    str_printf(&text, "<%s>: %s rejected: ", check_name_of(check, subject),
               check_class_of(subject));
    va_start(args, pattern);
    format(&text, pattern, args);
    va_end(args);
    fit_dsn(subject, code, dsn, fitting);
    return refuse_text(check, code, fitting, str_ptr(&text));
}

enum access_result check_refuse_config(struct check *check)
{
    check->warn_only = false;
    check->defer_if_reject.active = false;
    return refuse_text(check, 451, "4.3.5", "Server configuration error");
}

enum access_result check_refuse_table(struct check *check, enum subject subject)
{
    check->warn_only = false;
    return check_refuse_subject(check, subject, 451, "4.3.5",
                                "Server configuration error");
}

/* --- later --------------------------------------------------------------------------
 */

static void set_deferral(struct check *check, struct deferral *deferral,
                         enum subject subject, const char *dsn, const char *text)
{
    if (deferral->active) {
        return; /* the first reason counts */
    }
    deferral->active = true;
    deferral->code = conf_int(check->session->conf, P_defer_code);
    fit_dsn(subject, deferral->code, dsn, deferral->dsn);
    str_clear(&deferral->text);
    str_printf(&deferral->text, "<%s>: %s rejected: %s", check_name_of(check, subject),
               check_class_of(subject), text);
}

void check_defer_if_permit(struct check *check, enum subject subject, const char *dsn,
                           const char *text)
{
    if (check->warn_only) {
        (void)check_refuse_subject(check, subject, 450, dsn, "%s", text);
        return;
    }
    set_deferral(check, &check->defer_if_permit, subject, dsn, text);
}

void check_defer_if_reject(struct check *check, enum subject subject, const char *dsn,
                           const char *text)
{
    set_deferral(check, &check->defer_if_reject, subject, dsn, text);
}

void deferral_done(struct deferral *deferral)
{
    str_done(&deferral->text);
    deferral->active = false;
}

void deferral_copy(struct deferral *to, const struct deferral *from)
{
    CHECK(to != from);
    to->active = from->active;
    to->code = from->code;
    memcpy(to->dsn, from->dsn, sizeof(to->dsn));
    str_set(&to->text, str_view(&from->text));
}
