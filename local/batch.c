/* SPDX-License-Identifier: MIT */
/*
 * Requests that came together: the queue manager sends what would have had to wait.
 * Maildir files of all of them are written first and then synced together, because a
 * file system makes one commit for many; each message is concluded and answered as if
 * it had come alone, and in order.
 *
 * Nobody waits for somebody else's command or lock: before anything that may take its
 * time, what has been written so far is concluded.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "local/agent.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { BATCH_MOST = 16 };

struct item {
    struct deliver_request request;
    struct local_message message;
    struct deliver_reply reply;
    int fd; /* queue file; -1: refused */
    struct tree *trees;
    struct node *roots;
};

struct batch {
    struct local *local;
    struct arena *arena;
    struct stream *client; /* gets the replies; may be NULL */
    struct item items[BATCH_MOST];
    size_t count;
    size_t current;   /* the one being delivered */
    size_t concluded; /* so many have their replies */
};

static void open_item(struct batch *batch, struct item *item)
{
    struct local *local = batch->local;
    struct local_message *message = &item->message;
    struct deliver_request *request = &item->request;
    struct err err;
    struct stat st;
    *message = (struct local_message){.local = local,
                                      .request = request,
                                      .arena = batch->arena,
                                      .handed = clock_wall()};
    item->fd = deliver_load_message(local->dirs, request, batch->arena,
                                    &message->content, &err);
    if (item->fd >= 0 && fstat(item->fd, &st) != 0) {
        (void)err_temp(&err, "4.3.0", "queue file: %m");
        fd_close(&item->fd);
    }
    if (item->fd < 0) {
        deliver_refuse(local->conf, request, "local", &err, batch->arena, &item->reply);
        return;
    }
    message->fd = item->fd;
    message->device = st.st_dev;
    loop_prepare(message);
    item->trees =
        arena_alloc(batch->arena, request->recipient_count * sizeof(*item->trees));
    item->roots =
        arena_alloc(batch->arena, request->recipient_count * sizeof(*item->roots));
    for (size_t i = 0; i < request->recipient_count; i++) {
        tree_init(&item->trees[i], message, i);
        item->roots[i] = recipient_node(&item->trees[i], NULL, FROM_REQUEST,
                                        request->recipients[i].address);
    }
}

static void conclude_item(struct batch *batch, struct item *item)
{
    const struct deliver_request *request = &item->request;
    struct deliver_reply *reply = &item->reply;
    reply->batch = BATCH_MOST;
    if (item->fd < 0) {
        return;
    }
    reply->count = request->recipient_count;
    reply->outcomes =
        arena_alloc(batch->arena, reply->count * sizeof(*reply->outcomes));
    for (size_t i = 0; i < reply->count; i++) {
        struct tree *tree = &item->trees[i];
        resend_flush(&item->roots[i]);
        if (tree->leaves == 0) { /* a list with nobody on it */
            tree_sent(&item->roots[i], item->roots[i].address, "discarded");
        }
        reply->outcomes[i] = tree->outcome;
        tree_done(tree);
    }
    reply->leaves = item->message.leaves;
    reply->leaf_count = item->message.leaf_count;
    deliver_conclude(batch->local->dirs, request, item->fd, reply);
    fd_close(&item->fd);
}

/* Those before END get their replies. */
static void conclude(struct batch *batch, size_t end)
{
    identity_settle(batch->local);
    if (batch->concluded == end) {
        return;
    }
    for (; batch->concluded < end; batch->concluded++) {
        struct item *item = &batch->items[batch->concluded];
        conclude_item(batch, item);
        if (batch->client != NULL) {
            (void)deliver_put_reply(batch->client, &item->reply); /* the stream tells */
        }
    }
    if (batch->client != NULL) {
        (void)stream_flush(batch->client);
    }
}

void batch_before_slow(struct local *local)
{
    maildir_finish(local);
    conclude(local->batch, local->batch->current);
    local->slow = true;
}

static void deliver_item(struct batch *batch, size_t index)
{
    struct item *item = &batch->items[index];
    batch->current = index;
    batch->local->slow = false;
    for (size_t i = 0; item->fd >= 0 && i < item->request.recipient_count; i++) {
        recipient_deliver(&item->roots[i]);
    }
    if (batch->local->slow) {
        maildir_finish(batch->local);
        conclude(batch, index + 1);
    }
}

static void deliver_batch(struct batch *batch)
{
    batch->local->batch = batch;
    for (size_t i = 0; i < batch->count; i++) {
        open_item(batch, &batch->items[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        deliver_item(batch, i);
    }
    maildir_finish(batch->local);
    conclude(batch, batch->count);
    batch->local->batch = NULL;
}

void local_agent_deliver(struct local *local, const struct deliver_request *request,
                         struct arena *arena, struct deliver_reply *reply)
{
    struct batch batch = {.local = local, .arena = arena, .count = 1};
    batch.items[0].request = *request;
    deliver_batch(&batch);
    *reply = batch.items[0].reply;
}

bool local_agent_serve(struct local *local, struct stream *client)
{
    struct arena arena = {0};
    struct batch batch = {.local = local, .arena = &arena, .client = client};
    while (batch.count < BATCH_MOST &&
           (batch.count == 0 || stream_pending(client) > 0 ||
            stream_readable_now(client)) &&
           deliver_receive_request(client, &arena, &batch.items[batch.count].request)) {
        batch.count++;
    }
    deliver_batch(&batch);
    arena_clear(&arena);
    return batch.count > 0 && stream_ok(client);
}
