/* SPDX-License-Identifier: MIT */
/*
 * One delivery request: the servers of the next hop are tried in turn until every
 * recipient has its answer, a limit is reached or there are no more.
 */
#include "base/log.h"
#include "smtp/smtp.h"
#include "sys/clock.h"
#include "sys/file.h"

/* Where the walk through the targets is. */
struct walk {
    const struct targets *targets;
    size_t next;
    int sessions_left; /* of the present next hop; 0: no limit */
    int session_limit;
};

/* The next hop's limit is used up: go on with the following one. */
static void skip_hop(struct walk *walk, size_t hop)
{
    while (walk->next < walk->targets->count &&
           walk->targets->list[walk->next].hop == hop) {
        walk->next++;
    }
}

/* Will nobody be tried after INDEX, if it comes to a session there? */
static bool is_last(const struct walk *walk, size_t index)
{
    const struct targets *targets = walk->targets;
    if (index + 1 == targets->count) {
        return true;
    }
    bool limit_reached = walk->sessions_left == 1;
    return limit_reached &&
           targets->list[targets->count - 1].hop == targets->list[index].hop;
}

/* On a kept connection, if there is one that is still good; else on a new one. */
static void use_target(struct delivery *delivery, const struct target *target,
                       struct session *session)
{
    while (session_reopen(session, delivery, target)) {
        transaction_run(session);
        if (!session->stale) {
            return;
        }
        session_close(session);
        delivery->times.connected = 0;
    }
    if (session_open(session, delivery, target)) {
        transaction_run(session);
    }
}

static void try_target(struct delivery *delivery, struct walk *walk)
{
    const struct target *target = &walk->targets->list[walk->next];
    struct session session;
    if (walk->next == 0 || target->hop != target[-1].hop) {
        walk->sessions_left = walk->session_limit;
    }
    delivery->last_address = walk->next + 1 == walk->targets->count;
    delivery->last_target = is_last(walk, walk->next);
    walk->next++;
    use_target(delivery, target, &session);
    /* Who did not even accept the connection does not count. */
    if (session.stream != NULL) {
        session_close(&session);
        if (walk->sessions_left > 0 && --walk->sessions_left == 0) {
            skip_hop(walk, target->hop);
        }
    }
}

static void try_targets(struct delivery *delivery, const struct targets *targets)
{
    struct walk walk = {.targets = targets};
    walk.session_limit = conf_int(delivery->smtp->conf, P_smtp_mx_session_limit);
    while (walk.next < targets->count && delivery->unfinished > 0) {
        try_target(delivery, &walk);
    }
    if (delivery->unfinished > 0) {
        outcome_site_down(delivery, "none", "4.3.0",
                          VIEW("no server could take the message"));
    }
}

/* There is nobody to ask. */
static void no_targets(struct delivery *delivery, const struct targets *targets)
{
    struct view reason = view_cstr(targets->err.text);
    if (targets->outcome == PERMFAIL) {
        outcome_all(delivery, "none", DELIVER_BOUNCED, targets->err.dsn, reason);
    } else {
        outcome_site_down(delivery, "none", targets->err.dsn, reason);
    }
}

void delivery_run(const struct smtp *smtp, const struct deliver_request *request,
                  struct arena *arena, struct deliver_reply *reply)
{
    struct err err;
    struct targets targets = {0};
    const size_t count = request->recipient_count;
    struct delivery delivery = {
        .smtp = smtp,
        .request = request,
        .arena = arena,
        .unfinished = count,
        .times = {.arrival = request->arrival_time,
                  .active = request->active_time,
                  .handed = clock_wall()},
        .reply = reply,
    };
    FD_AUTO int fd = deliver_open_message(smtp->dirs, request, &err);
    if (fd < 0) {
        deliver_refuse(smtp->conf, request, "none", &err, arena, reply);
        return;
    }
    *reply = (struct deliver_reply){.count = count};
    reply->outcomes = delivery.outcomes =
        arena_alloc(arena, count * sizeof(*delivery.outcomes));
    delivery.finished = arena_alloc(arena, count * sizeof(*delivery.finished));
    delivery.fd = fd;
    targets_find(smtp, request->nexthop, arena, &targets);
    if (targets.count == 0) {
        no_targets(&delivery, &targets);
    } else {
        try_targets(&delivery, &targets);
    }
}
