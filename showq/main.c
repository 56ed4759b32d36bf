/* SPDX-License-Identifier: MIT */
/*
 * showq: tells postqueue what is in the queue, for users who cannot read the queue
 * files.  It reads them as they are and asks nobody, so a listing costs the queue
 * manager nothing; one message is in memory at a time.
 */
#include "mail/queue_list.h"
#include "rpc/showq.h"
#include "service/service.h"
#include "task/task.h"

enum { ENTRIES_PER_TURN = 32 }; /* then other clients get theirs */

static const int64_t WRITE_TIME = (int64_t)3600 * CLOCK_SECOND;

static void showq_ready(struct service_context *context)
{
    context->state = queue_dirs_new(context->conf);
}

static void showq_close(struct service_context *context)
{
    struct queue_dirs *dirs = context->state;
    queue_dirs_free(&dirs);
}

static void showq_session(struct service_context *context, struct stream *client)
{
    struct queue_list *list = queue_list_open(context->state);
    struct arena arena = {0};
    struct queue_list_entry entry;
    stream_set_timeout(client, WRITE_TIME);
    size_t count = 0;
    while (queue_list_next(list, &arena, &entry) && showq_send_entry(client, &entry)) {
        arena_clear(&arena);
        if (++count % ENTRIES_PER_TURN == 0) {
            task_yield();
        }
    }
    arena_clear(&arena);
    queue_list_close(&list);
    (void)showq_send_end(client); /* a client that left needs none */
}

static const struct service showq_service = {
    .name = "showq",
    .kind = SERVICE_CONCURRENT,
    .ready = showq_ready,
    .session = showq_session,
    .close = showq_close,
};

int main(int argc, char **argv)
{
    return service_main(&showq_service, argc, argv);
}
