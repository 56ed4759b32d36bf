/* SPDX-License-Identifier: MIT */
/* One request: each recipient's copy, and what has become of it. */
#include "virtual/deliver.h"

#include <string.h>

#include "base/log.h"
#include "rpc/deliver_agent.h"

/* One recipient of a request. */
struct delivery {
    struct virtual *agent;
    struct batch_item *item;
    size_t index;
    struct view address; /* folded, for tables and messages */
    struct mailbox mailbox;
};

static void report(const struct delivery *delivery, enum deliver_status status,
                   const char *dsn, struct view reason)
{
    struct batch_item *item = delivery->item;
    struct deliver_outcome *outcome = &item->reply.outcomes[delivery->index];
    const struct delivery_times times = {.arrival = item->request.arrival_time,
                                         .active = item->request.active_time,
                                         .handed = item->handed};
    *outcome = (struct deliver_outcome){
        .status = status,
        .dsn = arena_view(item->arena, view_cstr(dsn)),
        .action = status == DELIVER_SENT ? VIEW("delivered") : VIEW(""),
        .reason = arena_view(item->arena, reason),
        .diagnostic_type = VIEW("X-Postfix"),
    };
    deliver_report(delivery->agent->conf, &item->request, delivery->index, "virtual",
                   &times, item->arena, outcome);
}

static void sent(const struct delivery *delivery, const char *how)
{
    report(delivery, DELIVER_SENT, "2.0.0", view_cstr(how));
}

static void failed(const struct delivery *delivery, enum outcome outcome,
                   const struct err *err)
{
    report(delivery, outcome == PERMFAIL ? DELIVER_BOUNCED : DELIVER_DEFERRED, err->dsn,
           view_cstr(err->text));
}

/* Users have nobody to ask but the administrator, who should have the time to mend it:
 * only a full mailbox is final. */
static enum outcome soften(enum outcome outcome, const struct err *err,
                           struct err *softened)
{
    *softened = *err;
    if (outcome == PERMFAIL && strcmp(err->dsn, "5.2.2") != 0) {
        softened->dsn[0] = '4';
        return TEMPFAIL;
    }
    return outcome;
}

/* --- Maildir --------------------------------------------------------------------- */

static void maildir_done(void *context, enum outcome outcome, const struct err *err)
{
    struct delivery *delivery = context;
    struct err softened;
    if (outcome == OK) {
        sent(delivery, "delivered to maildir");
        return;
    }
    outcome = soften(outcome, err, &softened);
    failed(delivery, outcome, &softened);
}

static void deliver_to_maildir(struct delivery *delivery)
{
    struct virtual *agent = delivery->agent;
    struct batch_item *item = delivery->item;
    const struct letter letter = batch_letter(item, delivery->index);
    const struct maildir maildir = {.path = delivery->mailbox.path,
                                    .user = delivery->mailbox.owner,
                                    .delivered = LETTER_DELIVERED,
                                    .size_limit = agent->size_limit,
                                    .done = maildir_done,
                                    .context = delivery};
    maildirs_write(&agent->maildirs, &letter, &maildir, item->arena);
}

/* --- mbox ------------------------------------------------------------------------ */

static void mbox_failed(const struct delivery *delivery, enum outcome outcome,
                        const struct err *why)
{
    struct err err;
    struct err softened;
    const char *path = delivery->mailbox.path;
    if (strcmp(why->dsn, "5.3.5") == 0) {
        log_warning("recipient %.*s: destination %s is %s", VIEW_ARG(delivery->address),
                    path, why->text);
        outcome = err_perm(&err, "5.3.5",
                           "delivery failed to mailbox %s: mail system "
                           "configuration error",
                           path);
        failed(delivery, outcome, &err);
        return;
    }
    outcome = soften(outcome, why, &softened);
    (void)err_temp(&err, softened.dsn, "delivery failed to mailbox %s: %s", path,
                   softened.text);
    failed(delivery, outcome, &err);
}

static void deliver_to_mbox(struct delivery *delivery)
{
    struct virtual *agent = delivery->agent;
    struct err err;
    const struct letter letter = batch_letter(delivery->item, delivery->index);
    const struct mbox mbox = {.path = delivery->mailbox.path,
                              .user = &delivery->mailbox.owner,
                              .spooler = &delivery->mailbox.owner,
                              .locks = agent->locks,
                              .size_limit = agent->size_limit,
                              .delivered = LETTER_DELIVERED,
                              .is_mailbox = true,
                              .regular = true};
    batch_before_slow(&agent->batch);
    enum outcome outcome =
        mbox_append(&agent->rights, agent->conf, &letter, &mbox, &err);
    if (outcome == OK) {
        sent(delivery, "delivered to mailbox");
    } else {
        mbox_failed(delivery, outcome, &err);
    }
}

/* --- recipients ------------------------------------------------------------------ */

static void deliver_recipient(struct delivery *delivery)
{
    struct err err;
    struct mailbox *mailbox = &delivery->mailbox;
    bool probe = (delivery->item->request.file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    rights_settle(&delivery->agent->rights); /* tables are asked with our own rights */
    enum outcome outcome = mailbox_find(delivery->agent, delivery->address,
                                        delivery->item->arena, mailbox, &err);
    if (outcome != OK) {
        failed(delivery, outcome, &err);
    } else if (probe) {
        sent(delivery,
             mailbox->is_maildir ? "delivers to maildir" : "delivers to mailbox");
    } else if (mailbox->is_maildir) {
        deliver_to_maildir(delivery);
    } else {
        deliver_to_mbox(delivery);
    }
}

void virtual_deliver(void *context, struct batch_item *item)
{
    for (size_t i = 0; i < item->request.recipient_count; i++) {
        STR_AUTO struct str folded = {0};
        str_add_lower(&folded, item->request.recipients[i].address);
        struct delivery *delivery = arena_alloc(item->arena, sizeof(*delivery));
        *delivery = (struct delivery){.agent = context, .item = item, .index = i};
        delivery->address = arena_view(item->arena, str_view(&folded));
        deliver_recipient(delivery);
    }
}
