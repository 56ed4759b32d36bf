/* SPDX-License-Identifier: MIT */
/*
 * Outcomes: every leaf of a recipient's tree writes its own log line; the
 * recipient as a whole is as good as its worst leaf.  A temporary failure wins
 * over a permanent one, because the recipient will be tried again anyway.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "local/local.h"

void tree_init(struct tree *tree, struct local_message *message, size_t index)
{
    *tree = (struct tree){.message = message,
                          .index = index,
                          .outcome = {.status = DELIVER_SENT,
                                      .dsn = VIEW("2.0.0"),
                                      .diagnostic_type = VIEW("X-Postfix")},
                          .done = htab_new()};
}

void tree_done(struct tree *tree)
{
    htab_free(&tree->done, NULL);
}

bool tree_is_probe(const struct tree *tree)
{
    return (tree->message->request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
}

static void make_key(struct str *key, const char *kind, uid_t uid, struct view name)
{
    str_printf(key, "%s %ld ", kind, (long)uid);
    str_add(key, name);
}

bool tree_seen(struct tree *tree, const char *kind, uid_t uid, struct view name)
{
    STR_AUTO struct str key = {0};
    make_key(&key, kind, uid, name);
    return htab_put(tree->done, str_view(&key), tree) != NULL;
}

bool tree_knows(const struct tree *tree, const char *kind, uid_t uid, struct view name)
{
    STR_AUTO struct str key = {0};
    make_key(&key, kind, uid, name);
    return htab_get(tree->done, str_view(&key)) != NULL;
}

/* Remembered for the notices: they name the addresses that failed. */
static void add_leaf(struct tree *tree, struct view address,
                     const struct deliver_outcome *outcome)
{
    struct local_message *message = tree->message;
    if (message->leaf_count == message->leaf_capacity) {
        size_t capacity = message->leaf_capacity > 0 ? message->leaf_capacity * 2 : 8;
        struct deliver_leaf *more =
            arena_alloc(message->arena, capacity * sizeof(*more));
        if (message->leaf_count > 0) {
            memcpy(more, message->leaves, message->leaf_count * sizeof(*more));
        }
        message->leaves = more;
        message->leaf_capacity = capacity;
    }
    message->leaves[message->leaf_count++] =
        (struct deliver_leaf){tree->index, address, *outcome};
}

static void fold_in(struct tree *tree, struct view address,
                    const struct deliver_outcome *outcome)
{
    bool worse = !tree->failed || (tree->outcome.status == DELIVER_BOUNCED &&
                                   outcome->status == DELIVER_DEFERRED);
    add_leaf(tree, address, outcome);
    tree->leaves++;
    if (worse) {
        tree->outcome = *outcome;
        tree->failed = outcome->status != DELIVER_SENT;
    }
}

/* The log names the leaf, not the address of the request. */
static void report(struct node *node, struct view address,
                   struct deliver_outcome *outcome)
{
    struct tree *tree = node->tree;
    struct local_message *message = tree->message;
    maildirs_finish(
        &message->local->maildirs); /* the log tells things in their order */
    const struct delivery_times times = {.arrival = message->request->arrival_time,
                                         .active = message->request->active_time,
                                         .handed = message->handed};
    struct deliver_request request = *message->request;
    struct queue_recipient recipient = request.recipients[tree->index];
    recipient.address = address;
    request.recipients = &recipient;
    request.recipient_count = 1;
    deliver_report(message->local->conf, &request, 0, "local", &times, message->arena,
                   outcome);
    fold_in(tree, address, outcome);
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

void tree_take(struct node *node, const struct deliver_outcome *outcome)
{
    fold_in(node->tree, node->address, outcome);
}
