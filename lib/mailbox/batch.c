/* SPDX-License-Identifier: MIT */
#include "mailbox/batch.h"

#include <sys/stat.h>

#include "base/log.h"
#include "rpc/deliver_agent.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { BATCH_MOST = 16 };

struct batch {
    struct arena *arena;
    struct stream *client; /* gets the replies; may be NULL */
    struct batch_item items[BATCH_MOST];
    size_t count;
    size_t current;   /* the one being delivered */
    size_t concluded; /* so many have their replies */
};

static void open_item(struct batch_agent *agent, struct batch_item *item)
{
    struct deliver_request *request = &item->request;
    struct err err;
    struct stat st;
    item->arena = agent->batch->arena;
    item->handed = clock_wall();
    item->fd =
        deliver_load_message(agent->dirs, request, item->arena, &item->content, &err);
    if (item->fd >= 0 && fstat(item->fd, &st) != 0) {
        (void)err_temp(&err, "4.3.0", "queue file: %m");
        fd_close(&item->fd);
    }
    if (item->fd < 0) {
        deliver_refuse(agent->conf, request, agent->relay, &err, item->arena,
                       &item->reply);
        return;
    }
    item->device = st.st_dev;
    item->reply.count = request->recipient_count;
    item->reply.outcomes =
        arena_alloc(item->arena, item->reply.count * sizeof(*item->reply.outcomes));
    if (agent->prepare != NULL) {
        agent->prepare(agent->context, item);
    }
}

static void conclude_item(struct batch_agent *agent, struct batch_item *item)
{
    item->reply.batch = BATCH_MOST;
    if (item->fd < 0) {
        return;
    }
    if (agent->conclude != NULL) {
        agent->conclude(agent->context, item);
    }
    CHECK(item->reply.count == item->request.recipient_count);
    deliver_conclude(agent->dirs, &item->request, item->fd, &item->reply);
    fd_close(&item->fd);
}

/* Those before END get their replies. */
static void conclude(struct batch_agent *agent, size_t end)
{
    struct batch *batch = agent->batch;
    rights_settle(agent->maildirs->rights);
    if (batch->concluded == end) {
        return;
    }
    for (; batch->concluded < end; batch->concluded++) {
        struct batch_item *item = &batch->items[batch->concluded];
        conclude_item(agent, item);
        if (batch->client != NULL) {
            (void)deliver_put_reply(batch->client, &item->reply); /* the stream tells */
        }
    }
    if (batch->client != NULL) {
        (void)stream_flush(batch->client);
    }
}

void batch_before_slow(struct batch_agent *agent)
{
    maildirs_finish(agent->maildirs);
    conclude(agent, agent->batch->current);
    agent->slow = true;
}

static void deliver_item(struct batch_agent *agent, size_t index)
{
    struct batch_item *item = &agent->batch->items[index];
    agent->batch->current = index;
    agent->slow = false;
    if (item->fd >= 0) {
        agent->deliver(agent->context, item);
    }
    if (agent->slow) {
        maildirs_finish(agent->maildirs);
        conclude(agent, index + 1);
    }
}

static void deliver_all(struct batch_agent *agent, struct batch *batch)
{
    agent->batch = batch;
    for (size_t i = 0; i < batch->count; i++) {
        open_item(agent, &batch->items[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        deliver_item(agent, i);
    }
    maildirs_finish(agent->maildirs);
    conclude(agent, batch->count);
    agent->batch = NULL;
}

void batch_deliver(struct batch_agent *agent, const struct deliver_request *request,
                   struct arena *arena, struct deliver_reply *reply)
{
    struct batch batch = {.arena = arena, .count = 1};
    batch.items[0].request = *request;
    deliver_all(agent, &batch);
    *reply = batch.items[0].reply;
}

bool batch_serve(struct batch_agent *agent, struct stream *client)
{
    struct arena arena = {0};
    struct batch batch = {.arena = &arena, .client = client};
    while (batch.count < BATCH_MOST &&
           (batch.count == 0 || stream_pending(client) > 0 ||
            stream_readable_now(client)) &&
           deliver_receive_request(client, &arena, &batch.items[batch.count].request)) {
        batch.count++;
    }
    deliver_all(agent, &batch);
    arena_clear(&arena);
    return batch.count > 0 && stream_ok(client);
}

struct letter batch_letter(const struct batch_item *item, size_t index)
{
    CHECK(index < item->request.recipient_count && item->fd >= 0);
    return (struct letter){.request = &item->request,
                           .recipient = &item->request.recipients[index],
                           .sender = item->request.sender,
                           .fd = item->fd,
                           .content = item->content,
                           .device = item->device};
}
