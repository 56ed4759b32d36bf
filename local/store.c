/* SPDX-License-Identifier: MIT */
/* A node's message into a mailbox or file: what mailbox/ does, in local(8)'s words. */
#include "local/local.h"
#include "mailbox/mbox.h"

struct letter store_letter(const struct node *node)
{
    const struct local_message *message = node->tree->message;
    return (struct letter){.request = message->request,
                           .recipient =
                               &message->request->recipients[node->tree->index],
                           .sender = node->sender,
                           .fd = message->fd,
                           .content = message->content,
                           .device = message->device};
}

static void maildir_done(void *context, enum outcome outcome, const struct err *err)
{
    struct node *node = context;
    if (outcome == OK) {
        tree_sent(node, node->address, "delivered to maildir");
    } else {
        tree_failed_err(node, outcome, err);
    }
}

void store_in_maildir(struct node *node, const char *path,
                      const struct identity *identity)
{
    struct local_message *message = node->tree->message;
    struct local *local = message->local;
    const struct letter letter = store_letter(node);
    struct node *kept = arena_alloc(message->arena, sizeof(*kept));
    *kept = *node;
    kept->parent = NULL; /* it will not be there any more */
    const struct maildir maildir = {
        .path = path,
        .user = *identity,
        .delivered = letter_delivered_style(local->conf, "file"),
        .size_limit = conf_long(local->conf, P_mailbox_size_limit),
        .done = maildir_done,
        .context = kept};
    maildirs_write(&local->maildirs, &letter, &maildir, message->arena);
}

enum outcome store_in_mbox(const struct node *node, const struct store *store,
                           struct err *err)
{
    struct local *local = node->tree->message->local;
    const struct letter letter = store_letter(node);
    const struct mbox mbox = {.path = store->path,
                              .user = store->user,
                              .spooler = store->spooler,
                              .locks = local->locks,
                              .size_limit =
                                  conf_long(local->conf, P_mailbox_size_limit),
                              .delivered = letter_delivered_style(local->conf, "file"),
                              .is_mailbox = store->owner != NULL};
    struct err why;
    batch_before_slow(&local->batch);
    enum outcome outcome =
        mbox_append(&local->rights, local->conf, &letter, &mbox, &why);
    if (outcome == OK) {
        return OK;
    }
    STR_AUTO struct str text = {0};
    if (store->owner != NULL) {
        str_printf(&text, "cannot update mailbox %s for user %s. %s", store->path,
                   store->owner, why.text);
    } else {
        str_printf(&text, "cannot append message to file %s: %s", store->path,
                   why.text);
    }
    return outcome == TEMPFAIL ? err_temp(err, why.dsn, "%s", str_ptr(&text))
                               : err_perm(err, why.dsn, "%s", str_ptr(&text));
}
