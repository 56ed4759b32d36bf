/* SPDX-License-Identifier: MIT */
/*
 * One mail transaction (RFC 5321 3.3) for the recipients that have no answer yet.
 * With PIPELINING (RFC 2920) MAIL, the RCPTs and DATA go out together, a bounded
 * number at a time, so that neither side's buffers can fill up in both directions.
 *
 * A probe (sendmail -bv) ends after RCPT: nothing is sent.
 */
#include "base/log.h"
#include "smtp/smtp.h"

enum { PIPELINE_MAX = 100 };

struct transaction {
    struct session *session;
    size_t *indexes; /* recipients offered, in order */
    bool *accepted;  /* parallel */
    size_t count, accepted_count;
    bool sender_ok;
    bool probe;
};

/* What comes next in a transaction. */
enum next_step { NEXT_CONTENT, NEXT_RESET, NEXT_NOTHING };

static const struct deliver_request *request_of(const struct transaction *t)
{
    return t->session->delivery->request;
}

static void write_rcpt(const struct transaction *t, size_t i)
{
    envelope_write_rcpt(t->session, &request_of(t)->recipients[t->indexes[i]]);
}

/* The answer to a step; false: the connection broke while STEP. */
static bool read_answer(struct transaction *t, enum param timeout, const char *step,
                        struct smtp_reply *reply)
{
    struct session *session = t->session;
    session_set_timeout(session, timeout);
    /* After a line that was no reply nobody knows what answers what. */
    bool answered = !session->confused && session_exchange(session, reply);
    if (session->uses > 1 && !session->replied &&
        (answered ? reply->code == 421 : stream_state(session->stream) == STREAM_EOF)) {
        session->stale = session->broken = true; /* it had closed meanwhile */
        return false;
    }
    session->replied = session->replied || answered;
    if (!answered) {
        outcome_lost(session, step);
    }
    return answered;
}

static bool read_mail_reply(struct transaction *t)
{
    struct smtp_reply reply;
    if (!read_answer(t, P_smtp_mail_timeout, "sending MAIL FROM", &reply)) {
        return false;
    }
    t->sender_ok = reply.code / 100 == 2;
    if (!t->sender_ok) {
        outcome_refused(t->session, t->indexes, t->count, &reply, "MAIL FROM command");
    }
    return true;
}

static bool read_rcpt_reply(struct transaction *t, size_t i)
{
    struct smtp_reply reply;
    if (!read_answer(t, P_smtp_rcpt_timeout, "sending RCPT TO", &reply)) {
        return false;
    }
    if (!t->sender_ok) {
        return true;
    }
    t->accepted[i] = reply.code / 100 == 2;
    if (!t->accepted[i]) {
        outcome_refused(t->session, &t->indexes[i], 1, &reply, "RCPT TO command");
    } else if (t->probe) {
        outcome_sent(t->session, t->indexes[i], &reply);
    } else {
        t->accepted_count++;
    }
    return true;
}

/* Give REPLY, which is not a yes, to all who had been accepted. */
static void refuse_accepted(struct transaction *t, const struct smtp_reply *reply,
                            const char *step)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->accepted[i]) {
            t->indexes[kept++] = t->indexes[i];
        }
    }
    if (kept > 0) {
        outcome_refused(t->session, t->indexes, kept, reply, step);
    }
    t->count = 0; /* their order is gone */
}

/* DATA has been sent: may the content follow? */
static enum next_step read_data_reply(struct transaction *t)
{
    struct smtp_reply reply;
    if (!read_answer(t, P_smtp_data_init_timeout, "sending DATA command", &reply)) {
        return NEXT_NOTHING;
    }
    if (reply.code / 100 == 3) {
        return NEXT_CONTENT;
    }
    refuse_accepted(t, &reply, "DATA command");
    return NEXT_RESET;
}

static enum next_step envelope_step_by_step(struct transaction *t)
{
    envelope_write_mail(t->session);
    if (!read_mail_reply(t)) {
        return NEXT_NOTHING;
    }
    for (size_t i = 0; t->sender_ok && i < t->count; i++) {
        write_rcpt(t, i);
        if (!read_rcpt_reply(t, i)) {
            return NEXT_NOTHING;
        }
    }
    if (t->accepted_count == 0) {
        return NEXT_RESET;
    }
    stream_write_cstr(t->session->stream, "DATA\r\n");
    return read_data_reply(t);
}

/* The server accepted DATA for nobody: end it at once (RFC 2920 3.1). */
static void end_empty_data(struct session *session)
{
    struct smtp_reply reply;
    if (session->broken) {
        return;
    }
    session_set_timeout(session, P_smtp_data_done_timeout);
    stream_write_cstr(session->stream, ".\r\n");
    (void)session_exchange(session, &reply);
}

/* Recipients FROM .. TO go out together, MAIL in front of the first ones and DATA
 * behind the last. */
static bool send_batch(struct transaction *t, size_t from, size_t to)
{
    if (from == 0) {
        envelope_write_mail(t->session);
    }
    for (size_t i = from; i < to; i++) {
        write_rcpt(t, i);
    }
    if (to == t->count && !t->probe) {
        stream_write_cstr(t->session->stream, "DATA\r\n");
    }
    if (from == 0 && !read_mail_reply(t)) {
        return false;
    }
    for (size_t i = from; i < to; i++) {
        if (!read_rcpt_reply(t, i)) {
            return false;
        }
    }
    return true;
}

static enum next_step envelope_pipelined(struct transaction *t)
{
    for (size_t done = 0; done < t->count;) {
        size_t end = done + PIPELINE_MAX < t->count ? done + PIPELINE_MAX : t->count;
        if (!send_batch(t, done, end)) {
            return NEXT_NOTHING;
        }
        done = end;
    }
    if (t->probe) {
        return NEXT_RESET;
    }
    enum next_step next = read_data_reply(t);
    if (next == NEXT_CONTENT && t->accepted_count == 0) {
        end_empty_data(t->session);
        return NEXT_NOTHING;
    }
    return next;
}

static void send_message(struct transaction *t)
{
    struct session *session = t->session;
    struct smtp_reply reply;
    switch (content_send(session)) {
    case CONTENT_SENT:
        break;
    case CONTENT_UNREADABLE: /* never end a message that is not whole */
        session->broken = true;
        outcome_all(session->delivery, session->relay, DELIVER_DEFERRED, "4.3.0",
                    VIEW("cannot read the queue file"));
        return;
    case CONTENT_LOST:
        outcome_lost(session, "sending message body");
        return;
    }
    stream_write_cstr(session->stream, ".\r\n");
    if (!read_answer(t, P_smtp_data_done_timeout,
                     "sending end of data -- message may be sent more than once",
                     &reply)) {
        return;
    }
    session->clean =
        reply.code / 100 == 2; /* RFC 5321 4.1.1.4: its buffers are empty */
    if (reply.code / 100 != 2) {
        refuse_accepted(t, &reply, "end of DATA command");
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (t->accepted[i]) {
            outcome_sent(session, t->indexes[i], &reply);
        }
    }
}

/* What this server can never take; true: recipients have their answer. */
static bool is_impossible(struct session *session)
{
    struct delivery *delivery = session->delivery;
    const struct deliver_request *request = delivery->request;
    const char *reason = NULL;
    const char *dsn = "5.3.4";
    if (session->size_limit > 0 && request->content_size > session->size_limit) {
        reason = arena_printf(delivery->arena,
                              "message size %lld exceeds size limit %lld of server %s",
                              (long long)request->content_size,
                              (long long)session->size_limit, session->peer);
    } else if ((session->features & SMTP_UTF8) == 0 && envelope_needs_utf8(request)) {
        dsn = "5.6.7";
        reason = arena_printf(delivery->arena,
                              "SMTPUTF8 is required, but was not offered by host %s",
                              session->peer);
    }
    if (reason != NULL) {
        outcome_all(delivery, session->relay, DELIVER_BOUNCED, dsn, view_cstr(reason));
    }
    return reason != NULL;
}

/* The recipients without an answer. */
static void collect_unfinished(const struct delivery *delivery, struct transaction *t)
{
    const size_t all = delivery->request->recipient_count;
    t->indexes = arena_alloc(delivery->arena, all * sizeof(*t->indexes));
    t->accepted = arena_alloc(delivery->arena, all * sizeof(*t->accepted));
    for (size_t i = 0; i < all; i++) {
        if (!delivery->finished[i]) {
            t->indexes[t->count++] = i;
        }
    }
}

void transaction_run(struct session *session)
{
    const struct delivery *delivery = session->delivery;
    struct transaction t = {.session = session};
    if (is_impossible(session)) {
        return;
    }
    t.probe = (delivery->request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    collect_unfinished(delivery, &t);
    session->clean = false;
    /* For writes; each answer has its own. */
    session_set_timeout(session, P_smtp_rcpt_timeout);
    enum next_step next = (session->features & SMTP_PIPELINING) != 0
                              ? envelope_pipelined(&t)
                              : envelope_step_by_step(&t);
    if (next == NEXT_CONTENT) {
        send_message(&t);
    } else if (next == NEXT_RESET) {
        session_reset(session);
    }
}
