/* SPDX-License-Identifier: MIT */
/*
 * Forwarding: the addresses of a tree that are not delivered in place go out in
 * one new message, which carries Delivered-To so that circles are found.
 */
#include <errno.h>

#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"
#include "mail/date.h"
#include "sys/file.h"

enum { CHUNK_BYTES = 64 * 1024, FIRST_CAPACITY = 8 };

struct resend {
    struct view *addresses;
    size_t count, capacity;
};

/* Who collects for NODE: the request's address, or the alias that has an owner. */
static struct node *collector(struct node *node)
{
    while (node->parent != NULL && !node->owner_changed) {
        node = node->parent;
    }
    return node;
}

void resend_add(struct node *node, struct view address)
{
    struct arena *arena = node->tree->message->arena;
    struct node *top = collector(node);
    if (top->resend == NULL) {
        top->resend = arena_alloc(arena, sizeof(*top->resend));
    }
    struct resend *resend = top->resend;
    for (size_t i = 0; i < resend->count; i++) {
        if (view_equal_nocase(resend->addresses[i], address)) {
            return;
        }
    }
    if (resend->count == resend->capacity) {
        size_t capacity = resend->capacity > 0 ? resend->capacity * 2 : FIRST_CAPACITY;
        struct view *more = arena_alloc(arena, capacity * sizeof(*more));
        for (size_t i = 0; i < resend->count; i++) {
            more[i] = resend->addresses[i];
        }
        resend->addresses = more;
        resend->capacity = capacity;
    }
    resend->addresses[resend->count++] = arena_view(arena, address);
}

static void send_envelope(struct node *node, struct submit *submit)
{
    const struct deliver_request *request = node->tree->message->request;
    const struct queue_recipient *rcpt = &request->recipients[node->tree->index];
    submit_set_file_flags(submit, request->file_flags);
    submit_attribute(submit, "rewrite_context", VIEW("local"));
    submit_sender(submit, node->sender);
    for (size_t i = 0; i < node->resend->count; i++) {
        struct queue_recipient recipient = {.address = node->resend->addresses[i]};
        if (node->owner_changed) {
            recipient.original =
                recipient.address; /* the list owner's mail from here on */
        } else {
            recipient.original =
                rcpt->original.len > 0 ? rcpt->original : rcpt->address;
            recipient.dsn_orcpt = rcpt->dsn_orcpt;
            recipient.dsn_notify = rcpt->dsn_notify;
        }
        submit_recipient(submit, &recipient);
    }
}

static void send_headers(struct node *node, struct submit *submit)
{
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str text = {0};
    STR_AUTO struct str folded = {0};
    const struct conf *conf = node->tree->message->local->conf;
    mail_date(clock_wall(), date);
    str_printf(&text, "Received: by %s (%s)\n\tid %s; %s\nDelivered-To: ",
               conf_str(conf, P_myhostname), conf_str(conf, P_mail_name),
               submit_queue_id(submit), date);
    str_add_lower(&folded, node->address);
    address_quote(str_view(&folded), &text);
    str_add_byte(&text, '\n');
    submit_content(submit, str_view(&text));
}

static bool send_content(struct node *node, struct submit *submit)
{
    const struct local_message *message = node->tree->message;
    int64_t offset = message->request->content_offset;
    int64_t end = offset + message->request->content_size;
    STR_AUTO struct str chunk = {0};
    while (offset < end) {
        size_t want = (size_t)(end - offset < CHUNK_BYTES ? end - offset : CHUNK_BYTES);
        str_clear(&chunk);
        char *room = str_reserve(&chunk, want);
        if (room == NULL ||
            file_pread_all(message->fd, room, want, offset) != (ssize_t)want) {
            return false;
        }
        str_commit(&chunk, want);
        submit_content(submit, str_view(&chunk));
        offset += (int64_t)want;
    }
    return true;
}

static void forward_message(struct node *node)
{
    struct local_message *message = node->tree->message;
    struct submit_result result;
    struct err err;
    struct submit *submit =
        submit_begin(message->local->submit, SUBMIT_INTERNAL | SUBMIT_MAP, &err);
    if (submit == NULL) {
        tree_failed(node, TEMPFAIL, "4.3.0", "unable to forward message");
        return;
    }
    const char *id = arena_strdup(message->arena, submit_queue_id(submit));
    send_envelope(node, submit);
    send_headers(node, submit);
    if (!send_content(node, submit)) {
        submit_abort(submit);
        tree_failed(node, TEMPFAIL, "4.3.0", "unable to read the queue file: %m");
        return;
    }
    submit_finish(submit, &result);
    if (result.status == SUBMIT_OK) {
        tree_sent(node, node->address, "forwarded as %s", id);
    } else if (result.status == SUBMIT_TOO_MANY_HOPS) {
        tree_failed(node, PERMFAIL, "5.4.6",
                    "unable to forward message: too many hops");
    } else {
        tree_failed(node, TEMPFAIL, "4.3.0", "unable to forward message");
    }
}

void resend_flush(struct node *node)
{
    if (node->resend == NULL || node->resend->count == 0) {
        return;
    }
    if (IS_PROBE(node)) {
        tree_sent(node, node->address, "forwards to %zu addresses",
                  node->resend->count);
    } else {
        forward_message(node);
    }
    node->resend = NULL;
}
