/* SPDX-License-Identifier: MIT */
/*
 * Outcomes: every leaf of a recipient's tree writes its own log line; the
 * recipient as a whole is as good as its worst leaf.  A temporary failure wins
 * over a permanent one, because the recipient will be tried again anyway.
 */
#include <stdarg.h>

#include "local/local.h"

static void report(struct node *node, struct view address,
                   struct deliver_outcome *outcome)
{
    struct tree *tree = node->tree;
    struct local_message *message = tree->message;
    struct delivery_times times = {.arrival = message->request->arrival_time,
                                   .active = message->request->active_time,
                                   .handed = message->handed};
    /* The log names the leaf, not the address of the request. */
    struct deliver_request request = *message->request;
    struct queue_recipient recipient = request.recipients[tree->index];
    recipient.address = address;
    request.recipients = &recipient;
    deliver_report(message->local->conf, &request, 0, "local", &times, message->arena,
                   outcome);
}

static void fold_in(struct tree *tree, const struct deliver_outcome *outcome)
{
    bool worse = !tree->failed || (tree->outcome.status == DELIVER_BOUNCED &&
                                   outcome->status == DELIVER_DEFERRED);
    if (worse) {
        tree->outcome = *outcome;
        tree->failed = outcome->status != DELIVER_SENT;
    }
}

void tree_sent(struct node *node, struct view address, const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    struct deliver_outcome outcome = {
        .status = DELIVER_SENT,
        .dsn = VIEW("2.0.0"),
        .action = VIEW("delivered"),
        .reason = arena_view(node->tree->message->arena, str_view(&text)),
        .diagnostic_type = VIEW("X-Postfix"),
    };
    report(node, address, &outcome);
    fold_in(node->tree, &outcome);
}

static void fail(struct node *node, enum outcome kind, const char *dsn,
                 struct view text)
{
    struct arena *arena = node->tree->message->arena;
    CHECK(kind != OK);
    struct deliver_outcome outcome = {
        .status = kind == PERMFAIL ? DELIVER_BOUNCED : DELIVER_DEFERRED,
        .dsn = arena_view(arena, view_cstr(dsn)),
        .reason = arena_view(arena, text),
        .diagnostic_type = VIEW("X-Postfix"),
    };
    report(node, node->address, &outcome);
    fold_in(node->tree, &outcome);
}

void tree_failed(struct node *node, enum outcome outcome, const char *dsn,
                 const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    fail(node, outcome, dsn, str_view(&text));
}

void tree_failed_err(struct node *node, enum outcome outcome, const struct err *err)
{
    fail(node, outcome, err->dsn, view_cstr(err->text));
}
