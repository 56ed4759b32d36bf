/* SPDX-License-Identifier: MIT */
/*
 * What becomes of recipients.  A temporary refusal is final only at the last server;
 * a permanent one at once.  A delivered recipient is marked in the queue file before
 * anything else happens, so that a crash cannot send it twice.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "smtp/smtp.h"

static void finish(struct delivery *delivery, size_t index, const char *relay,
                   const struct deliver_outcome *outcome)
{
    CHECK(!delivery->finished[index]);
    delivery->finished[index] = true;
    delivery->unfinished--;
    delivery->outcomes[index] = *outcome;
    delivery->times.done = clock_wall();
    deliver_report(delivery->smtp->conf, delivery->request, index, relay,
                   &delivery->times, delivery->arena, &delivery->outcomes[index]);
}

void outcome_final(struct delivery *delivery, size_t index, const char *relay,
                   enum deliver_status status, const char *dsn, struct view reason)
{
    struct deliver_outcome outcome = {
        .status = status,
        .dsn = arena_view(delivery->arena, view_cstr(dsn)),
        .action = status == DELIVER_BOUNCED ? VIEW("failed") : VIEW("delayed"),
        .reason = reason,
        .diagnostic_type = VIEW("X-Postfix"),
    };
    finish(delivery, index, relay, &outcome);
}

void outcome_sent(struct session *session, size_t index, const struct smtp_reply *reply)
{
    struct delivery *delivery = session->delivery;
    /* A server that knows DSN has taken over NOTIFY=SUCCESS (RFC 3461 5.2.1). */
    bool report = (session->features & SMTP_DSN) == 0;
    struct deliver_outcome outcome = {
        .status = DELIVER_SENT,
        .dsn = arena_view(delivery->arena, view_cstr(reply->dsn)),
        .action = report ? VIEW("relayed") : VIEW(""),
        .reason = reply->text,
        .mta = view_cstr(session->target->host),
        .diagnostic_type = VIEW("smtp"),
        .diagnostic = reply->text,
    };
    if (!queue_file_mark_done(delivery->fd,
                              delivery->request->recipients[index].state_offset)) {
        log_warning("%.*s: mark recipient as done: %m",
                    VIEW_ARG(delivery->request->queue_id));
    }
    finish(delivery, index, session->relay, &outcome);
}

void outcome_refused(struct session *session, size_t index,
                     const struct smtp_reply *reply, const char *step)
{
    struct delivery *delivery = session->delivery;
    bool permanent = reply->code / 100 == 5;
    if (delivery->finished[index]) {
        return;
    }
    if (reply->code == 421) {
        session->broken = true; /* it is closing the connection (RFC 5321 3.8) */
    }
    if (!permanent && !delivery->last_target) {
        log_info("%.*s: host %s said: %.*s (in reply to %s)",
                 VIEW_ARG(delivery->request->queue_id), session->peer,
                 VIEW_ARG(reply->text), step);
        return;
    }
    struct deliver_outcome outcome = {
        .status = permanent ? DELIVER_BOUNCED : DELIVER_DEFERRED,
        .dsn = arena_view(delivery->arena,
                          view_cstr(reply->dsn[0] == '2' || reply->dsn[0] == '3'
                                        ? "4.0.0"
                                        : reply->dsn)),
        .action = permanent ? VIEW("failed") : VIEW("delayed"),
        .reason = view_cstr(arena_printf(delivery->arena,
                                         "host %s said: %.*s (in reply to %s)",
                                         session->peer, VIEW_ARG(reply->text), step)),
        .mta = view_cstr(session->target->host),
        .diagnostic_type = VIEW("smtp"),
        .diagnostic = reply->text,
    };
    finish(delivery, index, session->relay, &outcome);
}

void outcome_site(struct delivery *delivery, const char *dsn, const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    delivery->reply->site = DELIVER_SITE_DOWN;
    delivery->reply->site_dsn = arena_view(delivery->arena, view_cstr(dsn));
    delivery->reply->site_reason = arena_view(delivery->arena, str_view(&text));
}

void outcome_lost(struct session *session, const char *step)
{
    struct delivery *delivery = session->delivery;
    STR_AUTO struct str text = {0};
    session->broken = true;
    if (stream_state(session->stream) == STREAM_TIMEOUT) {
        str_printf(&text, "conversation with %s timed out while %s", session->peer,
                   step);
    } else {
        str_printf(&text, "lost connection with %s while %s", session->peer, step);
    }
    outcome_site(delivery, "4.4.2", "%s", str_ptr(&text));
    log_info("%.*s: %s", VIEW_ARG(delivery->request->queue_id), str_ptr(&text));
    if (!delivery->last_target) {
        return;
    }
    for (size_t i = 0; i < delivery->request->recipient_count; i++) {
        if (!delivery->finished[i]) {
            outcome_final(delivery, i, session->relay, DELIVER_DEFERRED, "4.4.2",
                          delivery->reply->site_reason);
        }
    }
}
