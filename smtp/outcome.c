/* SPDX-License-Identifier: MIT */
/*
 * What becomes of recipients.  A temporary refusal is final only at the last server;
 * a permanent one at once.  A delivered recipient is marked in the queue file before
 * anything else happens, so that a crash cannot send it twice.
 */
#include <stdio.h>

#include "base/log.h"
#include "smtp/smtp.h"
#include "sys/clock.h"

static void finish(struct delivery *delivery, size_t index, const char *relay,
                   const struct deliver_outcome *outcome)
{
    CHECK(!delivery->finished[index]);
    delivery->finished[index] = true;
    delivery->unfinished--;
    delivery->outcomes[index] = *outcome;
    delivery->times.done = clock_wall();
    struct delivery_times times = delivery->times;
    if (times.connected == 0) {
        times.connected = times.done; /* all the time went into connecting */
    }
    deliver_report(delivery->smtp->conf, delivery->request, index, relay, &times,
                   delivery->arena, &delivery->outcomes[index]);
}

/* The same for an answer of SESSION's server, which is named with the number of
 * messages on this connection, if there were others. */
static void finish_at(struct session *session, size_t index,
                      const struct deliver_outcome *outcome)
{
    struct delivery *delivery = session->delivery;
    const char *relay = session->relay;
    if (session->uses > 1) {
        relay = arena_printf(delivery->arena, "%s, conn_use=%d", relay, session->uses);
    }
    finish(delivery, index, relay, outcome);
    delivery->outcomes[index].relay =
        arena_view(delivery->arena, view_cstr(session->relay));
}

void outcome_all(struct delivery *delivery, const char *relay,
                 enum deliver_status status, const char *dsn, struct view reason)
{
    const struct deliver_outcome outcome = {
        .status = status,
        .dsn = arena_view(delivery->arena, view_cstr(dsn)),
        .reason = arena_view(delivery->arena, reason),
        .diagnostic_type = VIEW("X-Postfix"),
    };
    for (size_t i = 0; i < delivery->request->recipient_count; i++) {
        if (!delivery->finished[i]) {
            finish(delivery, i, relay, &outcome);
        }
    }
}

void outcome_site_down(struct delivery *delivery, const char *relay, const char *dsn,
                       struct view reason)
{
    delivery->reply->site = DELIVER_SITE_DOWN;
    delivery->reply->site_dsn = arena_view(delivery->arena, view_cstr(dsn));
    delivery->reply->site_reason = arena_view(delivery->arena, reason);
    outcome_all(delivery, relay, DELIVER_DEFERRED, dsn, reason);
}

void outcome_sent(struct session *session, size_t index, const struct smtp_reply *reply)
{
    struct delivery *delivery = session->delivery;
    const struct deliver_request *request = delivery->request;
    bool probe = (request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    /* A server that knows DSN has taken over NOTIFY=SUCCESS (RFC 3461 5.2.1). */
    bool report = (session->features & SMTP_DSN) == 0;
    const struct deliver_outcome outcome = {
        .status = DELIVER_SENT,
        .dsn = arena_view(delivery->arena, view_cstr(reply->dsn)),
        .action = report ? VIEW("relayed") : VIEW(""),
        .reason = reply->text,
        .mta = view_cstr(session->target->host),
        .diagnostic_type = VIEW("smtp"),
        .diagnostic = reply->text,
    };
    if (!probe &&
        !queue_file_mark_done(delivery->fd, request->recipients[index].state_offset)) {
        log_warning("%.*s: mark recipient as done: %m", VIEW_ARG(request->queue_id));
    }
    finish_at(session, index, &outcome);
}

/* --- refusals -------------------------------------------------------------------- */

/* What is neither yes nor 4xx is a no for good (RFC 5321 4.3.2 knows no other). */
static bool is_temporary(const struct smtp_reply *reply)
{
    return reply->code / 100 == 4;
}

/* The code to report; replies of other classes than 4 and 5 have none of their own. */
static struct view refusal_dsn(struct delivery *delivery,
                               const struct smtp_reply *reply)
{
    bool usable = reply->code / 100 == 4 || reply->code / 100 == 5;
    return arena_view(delivery->arena, view_cstr(usable ? reply->dsn : "5.5.0"));
}

static struct deliver_outcome
refusal(struct session *session, const struct smtp_reply *reply, const char *reason)
{
    return (struct deliver_outcome){
        .status = is_temporary(reply) ? DELIVER_DEFERRED : DELIVER_BOUNCED,
        .dsn = refusal_dsn(session->delivery, reply),
        .reason = view_cstr(reason),
        .mta = view_cstr(session->target->host),
        .diagnostic_type = VIEW("smtp"),
        .diagnostic = reply->text,
    };
}

void outcome_refused(struct session *session, const size_t *indexes, size_t count,
                     const struct smtp_reply *reply, const char *step)
{
    struct delivery *delivery = session->delivery;
    if (reply->code == 421) {
        session->broken = true; /* it is closing the connection (RFC 5321 3.8) */
    }
    const char *reason =
        arena_printf(delivery->arena, "%shost %s said: %.*s (in reply to %s)",
                     reply->code / 100 == 2 ? "Protocol error: " : "", session->peer,
                     VIEW_ARG(reply->text), step);
    if (is_temporary(reply) && !delivery->last_target) {
        log_info("%.*s: %s", VIEW_ARG(delivery->request->queue_id), reason);
        return;
    }
    const struct deliver_outcome outcome = refusal(session, reply, reason);
    for (size_t i = 0; i < count; i++) {
        if (!delivery->finished[indexes[i]]) {
            finish_at(session, indexes[i], &outcome);
        }
    }
}

void outcome_unwelcome(struct session *session, const struct smtp_reply *reply)
{
    struct delivery *delivery = session->delivery;
    const char *reason =
        arena_printf(delivery->arena, "host %s refused to talk to me: %.*s",
                     session->peer, VIEW_ARG(reply->text));
    if (!is_temporary(reply)) {
        const struct deliver_outcome outcome = refusal(session, reply, reason);
        for (size_t i = 0; i < delivery->request->recipient_count; i++) {
            if (!delivery->finished[i]) {
                finish(delivery, i, session->relay, &outcome);
            }
        }
    } else if (delivery->last_target) {
        outcome_site_down(delivery, session->relay, reply->dsn, view_cstr(reason));
    } else {
        log_info("%.*s: %s", VIEW_ARG(delivery->request->queue_id), reason);
    }
}

/* --- trouble with the connection ------------------------------------------------- */

void outcome_lost(struct session *session, const char *step)
{
    struct delivery *delivery = session->delivery;
    bool late = stream_state(session->stream) == STREAM_TIMEOUT;
    const char *reason = arena_printf(delivery->arena,
                                      late ? "conversation with %s timed out while %s"
                                           : "lost connection with %s while %s",
                                      session->peer, step);
    session->broken = true;
    if (delivery->unfinished == 0) {
        return; /* nobody is concerned */
    }
    if (delivery->last_target) {
        outcome_site_down(delivery, session->relay, "4.4.2", view_cstr(reason));
    } else {
        log_info("%.*s: %s", VIEW_ARG(delivery->request->queue_id), reason);
    }
}

void outcome_unreachable(struct session *session, const char *reason)
{
    struct delivery *delivery = session->delivery;
    const char *text =
        arena_printf(delivery->arena, "connect to %s: %s", session->relay, reason);
    log_info("%s", text);
    if (delivery->last_address) {
        outcome_site_down(delivery, "none", "4.4.1", view_cstr(text));
    }
}
