/* SPDX-License-Identifier: MIT */
/* -S: one session on standard input and output, without master (sendmail -bs, tests).
 */
#include <stdlib.h>
#include <unistd.h>

#include "service/worker.h"
#include "task/task.h"

static void serve(void *argument)
{
    struct worker *worker = argument;
    struct stream *client = stream_new_pair(STDIN_FILENO, STDOUT_FILENO);
    worker->service->session(&worker->context, client);
    stream_free(&client);
    task_stop();
}

void worker_run_stand_alone(struct worker *worker)
{
    CHECK(worker->service->session != NULL);
    if (worker->service->kind == SERVICE_EXCLUSIVE) {
        struct stream *client = stream_new_pair(STDIN_FILENO, STDOUT_FILENO);
        worker->service->session(&worker->context, client);
        stream_free(&client);
        return;
    }
    (void)task_spawn("session", serve, worker);
    task_run(false);
}
