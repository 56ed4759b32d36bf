/* SPDX-License-Identifier: MIT */
#include "testing/unix_server.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"
#include "testing/test.h"

struct unix_client {
    struct unix_server *server;
    size_t number;
    int fd;
};

static void serve_client(void *context)
{
    struct unix_client *client = context;
    struct unix_server *server = client->server;
    struct stream *stream = stream_new(client->fd);
    server->session(server->context, client->number, stream);
    stream_free(&stream);
    server->under_way--;
    free(client);
}

static void serve(void *context)
{
    struct unix_server *server = context;
    for (size_t i = 0; i < server->connections; i++) {
        int fd;
        while ((fd = net_accept(server->fd)) < 0) {
            assert_int_equal(task_wait(server->fd, TASK_READ, CLOCK_NEVER), TASK_READY);
        }
        struct unix_client *client = xcalloc(1, sizeof(*client));
        *client = (struct unix_client){server, i, fd};
        server->under_way++;
        if (server->parallel) {
            (void)task_spawn("test client", serve_client, client);
        } else {
            serve_client(client);
        }
    }
    if (server->path != NULL) {
        assert_int_equal(unlink(server->path), 0);
    }
    fd_close(&server->fd);
}

static int listen_anywhere(uint16_t *port_out)
{
    struct net_address address;
    assert_true(net_address_parse(VIEW("127.0.0.1"), 0, &address));
    int fd = listen_tcp(&address, 64, NULL);
    assert_true(fd >= 0 && net_address_local(fd, &address));
    *port_out = net_address_port(&address);
    return fd;
}

void unix_server_start(struct unix_server *server)
{
    server->fd = server->path != NULL ? listen_unix(server->path, 64, NULL)
                                      : listen_anywhere(&server->port);
    assert_true(server->fd >= 0);
    (void)task_spawn("test server", serve, server);
}

void unix_server_wait(struct unix_server *server)
{
    while (server->fd >= 0 || server->under_way > 0) {
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
