/* SPDX-License-Identifier: MIT */
/*
 * Which lists belong to which command.  What a refusal that was kept back is worth is
 * decided at the end of each command.
 */
#include <sys/statvfs.h>

#include <inttypes.h>

#include "base/log.h"
#include "smtpd/access/rules.h"
#include "smtpd/path.h"
#include "sys/clock.h"

/* The free space does not change by much meanwhile. */
enum { SPACE_AGE = 1 * CLOCK_SECOND };

static void begin(struct check *check, struct session *session)
{
    *check = (struct check){.session = session,
                            .server = session->server,
                            .rules = session->server->access,
                            .subject = SUBJECT_CLIENT};
    if (session->message != NULL) {
        check->sender = view_cstr(session->message->sender);
    }
}

/* All lists have been asked: is there a refusal that waited for this? */
static enum access_result conclude(struct check *check, enum access_result result)
{
    const struct deferral *deferral = &check->defer_if_permit;
    if (result != ACCESS_REJECT && deferral->active) {
        result = check_refuse(check, deferral->code, deferral->dsn, "%s",
                              str_ptr(&deferral->text));
    }
    return result;
}

static bool end(struct check *check, enum access_result result)
{
    deferral_done(&check->defer_if_permit);
    deferral_done(&check->defer_if_reject);
    return result != ACCESS_REJECT;
}

/* --- the early stages ---------------------------------------------------------------
 */

static enum access_result check_client(struct check *check)
{
    return check_list(check, &check->rules->client, SUBJECT_CLIENT);
}

static enum access_result check_helo(struct check *check)
{
    if (check->session->helo.len == 0) {
        return ACCESS_DUNNO;
    }
    return check_list(check, &check->rules->helo, SUBJECT_HELO);
}

static enum access_result check_sender(struct check *check)
{
    if (check->sender.ptr == NULL) {
        return ACCESS_DUNNO;
    }
    enum access_result result =
        check_list(check, &check->rules->sender, SUBJECT_SENDER);
    if (result != ACCESS_REJECT && !check->sender_checked &&
        conf_bool(check->session->conf, P_smtpd_reject_unlisted_sender)) {
        check->warn_only = false;
        result = unlisted_check_sender(check);
    }
    return result;
}

/* smtpd_delay_reject = no: what is kept back waits for RCPT. */
static bool run_early(struct session *session,
                      enum access_result (*stage)(struct check *),
                      struct deferral *kept)
{
    struct check check;
    if (session->server->standalone) {
        return true;
    }
    begin(&check, session);
    enum access_result result = stage(&check);
    deferral_copy(kept, &check.defer_if_permit);
    return end(&check, result);
}

bool access_connect(struct session *session)
{
    return run_early(session, check_client, &session->at_connect);
}

bool access_helo(struct session *session)
{
    return run_early(session, check_helo, &session->at_helo);
}

bool access_mail(struct session *session)
{
    CHECK(session->message != NULL);
    return run_early(session, check_sender, &session->at_mail);
}

/* The stages before the one that CHECK is for.  False: refused. */
static bool pass_earlier(struct check *check, bool with_sender)
{
    const struct session *session = check->session;
    if (conf_bool(session->conf, P_smtpd_delay_reject)) {
        return check_client(check) != ACCESS_REJECT &&
               check_helo(check) != ACCESS_REJECT &&
               (!with_sender || check_sender(check) != ACCESS_REJECT);
    }
    const struct deferral *kept[] = {&session->at_connect, &session->at_helo,
                                     with_sender ? &session->at_mail : NULL};
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (kept[i] != NULL && kept[i]->active && !check->defer_if_permit.active) {
            deferral_copy(&check->defer_if_permit, kept[i]);
        }
    }
    return true;
}

/* --- RCPT ---------------------------------------------------------------------------
 */

/* Relaying is decided by one list, unwanted mail by the other. */
static enum access_result check_destination(struct check *check)
{
    const struct access_rules *rules = check->rules;
    bool relay_first =
        conf_bool(check->session->conf, P_smtpd_relay_before_recipient_restrictions);
    const struct restriction_list *order[] = {
        relay_first ? &rules->relay : &rules->recipient,
        relay_first ? &rules->recipient : &rules->relay};
    enum access_result result = ACCESS_DUNNO;
    for (size_t i = 0; i < ARRAY_SIZE(order) && result != ACCESS_REJECT; i++) {
        result = check_list(check, order[i], SUBJECT_RECIPIENT);
    }
    return result;
}

static enum access_result check_rcpt(struct check *check)
{
    const struct message *message = check->session->message;
    if (message != NULL && message->discard) {
        return ACCESS_PERMIT; /* it goes nowhere anyway */
    }
    if (!pass_earlier(check, true)) {
        return ACCESS_REJECT;
    }
    enum access_result result = check_destination(check);
    bool discard = message != NULL && message->discard;
    if (result != ACCESS_REJECT && !check->recipient_checked && !discard &&
        conf_bool(check->session->conf, P_smtpd_reject_unlisted_recipient)) {
        check->warn_only = false;
        result = unlisted_check_recipient(check);
    }
    if (result != ACCESS_REJECT) {
        check_tell_relaying(check);
    }
    return result;
}

/* An address that says it is for one host, and by its local part for another, can turn
 * out to be none. */
static bool refuse_syntax(struct check *check)
{
    path_log_illegal(check->session, check->session->where, check->recipient);
    str_clear(&check->session->verdict);
    str_add_cstr(&check->session->verdict, "501 5.1.3 Bad recipient address syntax");
    return end(check, ACCESS_REJECT);
}

bool access_rcpt(struct session *session, struct view address)
{
    CHECK(address.len > 0);
    struct check check;
    if (session->server->standalone) {
        return true;
    }
    begin(&check, session);
    check.recipient = arena_view(&session->scratch, address);
    if (!check_resolve(&check)) {
        (void)check_refuse(&check, 451, "4.3.0", "<%s>: Temporary lookup failure",
                           check.recipient.ptr);
        return end(&check, ACCESS_REJECT);
    }
    if ((check.resolved.flags & RESOLVE_BAD_SYNTAX) != 0) {
        return refuse_syntax(&check);
    }
    return end(&check, conclude(&check, check_rcpt(&check)));
}

/* --- the others ----------------------------------------------------------------------
 */

bool access_data(struct session *session)
{
    CHECK(session->message != NULL && session->message->recipient_count > 0);
    struct check check;
    if (session->server->standalone || session->message->discard) {
        return true;
    }
    begin(&check, session);
    enum access_result result = check_list(&check, &check.rules->data, SUBJECT_DATA);
    return end(&check, conclude(&check, result));
}

bool access_end_of_data(struct session *session)
{
    struct check check;
    if (session->server->standalone || session->message->discard) {
        return true;
    }
    begin(&check, session);
    enum access_result result =
        check_list(&check, &check.rules->end_of_data, SUBJECT_END_OF_DATA);
    return end(&check, conclude(&check, result));
}

bool access_etrn(struct session *session, struct view domain)
{
    struct check check;
    enum access_result result = ACCESS_REJECT;
    if (session->server->standalone) {
        return true;
    }
    begin(&check, session);
    check.etrn_domain = arena_view(&session->scratch, domain);
    if (pass_earlier(&check, false)) {
        result = check_list(&check, &check.rules->etrn, SUBJECT_ETRN);
    }
    return end(&check, conclude(&check, result));
}

/* --- size ----------------------------------------------------------------------------
 */

/* Bytes in the queue's file system, not older than SPACE_AGE. */
static int64_t free_space(struct server *server)
{
    struct statvfs fs;
    int64_t now = clock_now();
    if (server->space_time != 0 && now - server->space_time < SPACE_AGE) {
        return server->space;
    }
    if (statvfs(".", &fs) != 0) {
        log_warning("cannot tell the free space of the mail queue: %m");
        return INT64_MAX; /* cleanup will see */
    }
    server->space = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    server->space_time = now;
    return server->space;
}

/* Room for this message, and half as much again for what comes meanwhile. */
static bool has_room(struct session *session)
{
    int64_t limit = conf_long(session->conf, P_message_size_limit);
    int64_t floor = conf_long(session->conf, P_queue_minfree);
    int64_t space = free_space(session->server);
    if (space >= floor && (limit <= 0 || space / 3 * 2 >= limit)) {
        return true;
    }
    struct check check;
    begin(&check, session);
    check.sender = view_of(NULL, 0);
    (void)check_refuse(&check, 452, "4.3.1", "Insufficient system storage");
    log_warning("not enough free space in mail queue: %" PRId64
                " bytes < 1.5*message size limit",
                space);
    return end(&check, ACCESS_REJECT);
}

bool access_size(struct session *session)
{
    struct check check;
    int64_t limit = conf_long(session->conf, P_message_size_limit);
    if (limit > 0 && session->declared_size > limit) {
        begin(&check, session);
        (void)check_refuse(&check, 552, "5.3.4", "Message size exceeds fixed limit");
        return end(&check, ACCESS_REJECT);
    }
    return session->server->standalone || has_room(session);
}

bool access_is_local(struct session *session)
{
    if (session->local_rewrite == 0) {
        struct check check;
        begin(&check, session);
        check.quiet = true;
        enum access_result result =
            check_list(&check, &check.rules->local_rewrite, SUBJECT_CLIENT);
        (void)end(&check, result);
        session->local_rewrite = result == ACCESS_PERMIT ? 1 : -1;
    }
    return session->local_rewrite > 0;
}
