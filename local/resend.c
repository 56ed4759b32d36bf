/* SPDX-License-Identifier: MIT */
/*
 * Forwarding: the addresses of a tree that are not delivered in place go out in
 * one new message, which carries Delivered-To so that circles are found.  Those below
 * an owner- alias have an envelope sender, and so a message, of their own.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"
#include "mail/date.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { CHUNK_BYTES = 64 * 1024, FIRST_CAPACITY = 8 };

/* --- collecting ------------------------------------------------------------------ */

static bool has_owner(const struct node *node)
{
    for (; node != NULL; node = node->parent) {
        if (node->owner_changed) {
            return true;
        }
    }
    return false;
}

/* The message that NODE's addresses belong to. */
static struct resend *find_resend(struct node *node)
{
    struct tree *tree = node->tree;
    bool owner = has_owner(node);
    struct resend **last = &tree->resends;
    for (; *last != NULL; last = &(*last)->next) {
        if ((*last)->owner_changed == owner &&
            view_equal((*last)->sender, node->sender)) {
            return *last;
        }
    }
    *last = arena_alloc(tree->message->arena, sizeof(**last));
    (*last)->sender = node->sender;
    (*last)->owner_changed = owner;
    return *last;
}

static void grow(struct arena *arena, struct resend *resend)
{
    size_t capacity = resend->capacity > 0 ? resend->capacity * 2 : FIRST_CAPACITY;
    struct view *more = arena_alloc(arena, capacity * sizeof(*more));
    for (size_t i = 0; i < resend->count; i++) {
        more[i] = resend->addresses[i];
    }
    resend->addresses = more;
    resend->capacity = capacity;
}

void resend_add(struct node *node, struct view address)
{
    struct tree *tree = node->tree;
    struct arena *arena = tree->message->arena;
    struct resend *resend = find_resend(node);
    STR_AUTO struct str key = {0};
    str_add_lower(&key, address);
    if (tree_seen(tree, resend->owner_changed ? "resend as owner" : "resend", 0,
                  str_view(&key))) {
        return;
    }
    if (tree_is_probe(tree)) {
        tree_sent(node, arena_view(arena, address), "forwards to %.*s",
                  VIEW_ARG(address));
        return;
    }
    if (resend->count == resend->capacity) {
        grow(arena, resend);
    }
    resend->addresses[resend->count++] = arena_view(arena, address);
}

/* --- the new message ------------------------------------------------------------- */

/* What the sender asked for about reports holds on, unless a list owner is the sender
 * now. */
static void send_dsn_of_message(const struct deliver_request *request,
                                struct submit *submit)
{
    static const char *const ret[] = {"", "1", "2"};
    if (request->dsn_envid.len > 0) {
        submit_attribute(submit, "envelope_id", request->dsn_envid);
    }
    if (request->dsn_ret > 0 && request->dsn_ret < ARRAY_SIZE(ret)) {
        submit_attribute(submit, "ret_flags", view_cstr(ret[request->dsn_ret]));
    }
}

static void send_envelope(const struct node *root, const struct resend *resend,
                          struct submit *submit)
{
    const struct deliver_request *request = root->tree->message->request;
    const struct queue_recipient *rcpt = &request->recipients[root->tree->index];
    submit_set_file_flags(submit, request->file_flags);
    submit_attribute(submit, "rewrite_context", VIEW("local"));
    if (!resend->owner_changed) {
        send_dsn_of_message(request, submit);
    }
    submit_sender(submit, resend->sender);
    for (size_t i = 0; i < resend->count; i++) {
        struct queue_recipient recipient = {.address = resend->addresses[i]};
        if (resend->owner_changed) {
            recipient.original = recipient.address;
        } else {
            recipient.original =
                rcpt->original.len > 0 ? rcpt->original : rcpt->address;
            recipient.dsn_orcpt = rcpt->dsn_orcpt;
            recipient.dsn_notify = rcpt->dsn_notify;
        }
        submit_recipient(submit, &recipient);
    }
}

static void send_headers(const struct node *root, struct submit *submit)
{
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str text = {0};
    STR_AUTO struct str folded = {0};
    const struct conf *conf = root->tree->message->local->conf;
    mail_date(clock_wall(), date);
    str_printf(&text, "Received: by %s (%s)\n\tid %s; %s\n",
               conf_str(conf, P_myhostname), conf_str(conf, P_mail_name),
               submit_queue_id(submit), date);
    if (letter_delivered_style(conf, "forward") != 0) {
        str_add_cstr(&text, "Delivered-To: ");
        str_add_lower(&folded, root->address);
        address_quote(str_view(&folded), &text);
        str_add_byte(&text, '\n');
    }
    submit_content(submit, str_view(&text));
}

static bool send_content(const struct node *root, struct submit *submit)
{
    const struct local_message *message = root->tree->message;
    int64_t offset = message->request->content_offset;
    int64_t end = offset + message->request->content_size;
    STR_AUTO struct str chunk = {0};
    while (offset < end) {
        size_t want = (size_t)(end - offset < CHUNK_BYTES ? end - offset : CHUNK_BYTES);
        str_clear(&chunk);
        char *room = str_reserve(&chunk, want);
        ssize_t got = file_pread_all(message->fd, room, want, offset);
        if (got != (ssize_t)want) {
            errno = got >= 0 ? EIO : errno;
            return false;
        }
        str_commit(&chunk, want);
        submit_content(submit, str_view(&chunk));
        offset += (int64_t)want;
    }
    return true;
}

static void report(struct node *root, const char *id,
                   const struct submit_result *result)
{
    switch (result->status) {
    case SUBMIT_OK:
        tree_sent(root, root->address, "forwarded as %s", id);
        return;
    case SUBMIT_TOO_MANY_HOPS:
        tree_failed(root, PERMFAIL, "5.4.6",
                    "unable to forward message: too many hops");
        return;
    case SUBMIT_TOO_BIG:
    case SUBMIT_REJECTED:
        tree_failed(root, PERMFAIL, result->dsn[0] == '5' ? result->dsn : "5.3.0",
                    "unable to forward message: %s", result->text);
        return;
    case SUBMIT_NO_RECIPIENTS:
    case SUBMIT_BAD_ADDRESS:
    case SUBMIT_ALIAS_ERROR:
    case SUBMIT_LOOKUP_ERROR:
    case SUBMIT_WRITE_ERROR:
    case SUBMIT_LOST:
        break;
    }
    tree_failed(root, TEMPFAIL, "4.3.0", "unable to forward message");
}

static void send_one(struct node *root, const struct resend *resend)
{
    struct local_message *message = root->tree->message;
    struct submit_result result;
    struct err err;
    struct submit *submit =
        submit_begin(message->local->submit, SUBMIT_INTERNAL | SUBMIT_MAP, &err);
    if (submit == NULL) {
        log_warning("unable to forward message: %s", err.text);
        tree_failed(root, TEMPFAIL, "4.3.0", "unable to forward message");
        return;
    }
    const char *id = arena_strdup(message->arena, submit_queue_id(submit));
    send_envelope(root, resend, submit);
    send_headers(root, submit);
    if (!send_content(root, submit)) {
        int error = errno;
        submit_abort(submit);
        tree_failed(root, TEMPFAIL, "4.3.0", "unable to read the queue file: %s",
                    strerror(error));
        return;
    }
    submit_finish(submit, &result);
    report(root, id, &result);
}

void resend_flush(struct node *root)
{
    struct tree *tree = root->tree;
    for (struct resend *resend = tree->resends; resend != NULL; resend = resend->next) {
        /* It would be forwarded again with the next attempt. */
        bool deferred = tree->failed && tree->outcome.status == DELIVER_DEFERRED;
        if (resend->count > 0 && !deferred) {
            send_one(root, resend);
        }
    }
}
