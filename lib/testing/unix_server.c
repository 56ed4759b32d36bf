/* SPDX-License-Identifier: MIT */
#include "testing/unix_server.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/connect.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"
#include "testing/test.h"

static void serve(void *context)
{
    struct unix_server *server = context;
    for (size_t i = 0; i < server->connections; i++) {
        int fd;
        while ((fd = net_accept(server->fd)) < 0) {
            assert_int_equal(task_wait(server->fd, TASK_READ, CLOCK_NEVER), TASK_READY);
        }
        struct stream *client = stream_new(fd);
        server->session(server->context, i, client);
        stream_free(&client);
    }
    assert_int_equal(unlink(server->path), 0);
    fd_close(&server->fd);
}

void unix_server_start(struct unix_server *server)
{
    server->fd = listen_unix(server->path, 10, NULL);
    assert_true(server->fd >= 0);
    (void)task_spawn("test server", serve, server);
}

void unix_server_wait(struct unix_server *server)
{
    while (server->fd >= 0) {
        (void)task_sleep_until(clock_now() + CLOCK_MILLISECOND);
    }
}

void test_run_in_spool(void (*body)(void *), void *context)
{
    char *dir = test_make_dir();
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("public", 0755), 0);
    assert_int_equal(mkdir("private", 0755), 0);
    task_init();
    (void)task_spawn("test", body, context);
    task_run(true);
    task_done();
    assert_int_equal(chdir(before), 0);
    free(before);
    test_remove_dir(dir);
}
