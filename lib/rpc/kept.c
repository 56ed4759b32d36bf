/* SPDX-License-Identifier: MIT */
/*
 * The pool of kept connections.  The most recently used connection is taken first,
 * so that those that a burst has left behind grow old and are closed by the server.
 */
#include "rpc/kept.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/connect.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { KEPT_LIMIT = 32 };

void kept_pool_init(struct kept_pool *pool, const char *class, const char *service,
                    int64_t timeout)
{
    CHECK(timeout > 0);
    *pool = (struct kept_pool){
        .timeout = timeout, .limit = KEPT_LIMIT, .max_idle = CLOCK_NEVER};
    pool->path = xasprintf("%s/%s", class, service);
    list_init(&pool->idle);
}

void kept_pool_init_program(struct kept_pool *pool, const char *program,
                            int64_t timeout)
{
    kept_pool_init(pool, "", "", timeout);
    free(pool->path);
    pool->path = xstrdup(program);
    pool->program = true;
}

/* --- making connections ----------------------------------------------------------- */

/* Run PATH with SOCKET as standard input and output. */
static int spawn_on_socket(const char *path, int socket, pid_t *child_out)
{
    posix_spawn_file_actions_t actions;
    char *arguments[] = {xstrdup(path), NULL};
    CHECK(posix_spawn_file_actions_init(&actions) ==
          0); /* fails for lack of memory only */
    int error = posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
    }
    if (error == 0) {
        error = posix_spawn(child_out, path, &actions, NULL, arguments, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    free(arguments[0]);
    return error;
}

static int start_program(const struct kept_pool *pool, pid_t *child_out,
                         struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)err_temp(err, "4.3.0", "socketpair: %m");
        return -1;
    }
    int error = spawn_on_socket(pool->path, pair[1], child_out);
    fd_close(&pair[1]);
    if (error != 0) {
        errno = error;
        (void)err_temp(err, "4.3.0", "execute %s: %m", pool->path);
        fd_close(&pair[0]);
    }
    return pair[0];
}

static int connect_service(const struct kept_pool *pool, struct err *err)
{
    int64_t now = clock_now();
    int64_t deadline =
        pool->timeout < CLOCK_NEVER - now ? now + pool->timeout : CLOCK_NEVER;
    struct err why = {0};
    int fd = connect_unix(pool->path, deadline, &why);
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "connect to %s: %s", pool->path, why.text);
    }
    return fd;
}

/* --- the pool -----------------------------------------------------------------------
 */

static struct kept *take_idle(struct kept_pool *pool)
{
    struct list *node = list_first(&pool->idle);
    if (node == NULL) {
        return NULL;
    }
    CHECK(pool->idle_count > 0);
    list_remove(node);
    pool->idle_count--;
    return LIST_ITEM(node, struct kept, node);
}

static void drop_idle(struct kept_pool *pool)
{
    struct kept *kept;
    while ((kept = take_idle(pool)) != NULL) {
        kept_drop(kept);
    }
    CHECK(pool->idle_count == 0);
}

void kept_pool_done(struct kept_pool *pool)
{
    drop_idle(pool);
    free(pool->path);
    pool->path = NULL;
}

struct kept *kept_take(struct kept_pool *pool, bool fresh, struct err *err)
{
    CHECK(pool->path != NULL);
    if (fresh) {
        drop_idle(pool);
    }
    struct kept *kept = take_idle(pool);
    if (kept != NULL) {
        kept->reused = true;
        return kept;
    }
    pid_t child = 0;
    int fd =
        pool->program ? start_program(pool, &child, err) : connect_service(pool, err);
    if (fd < 0) {
        return NULL;
    }
    kept = xcalloc(1, sizeof(*kept));
    kept->child = child;
    list_init(&kept->node);
    kept->stream = stream_new(fd);
    stream_set_timeout(kept->stream, pool->timeout);
    return kept;
}

/* The one at the end, if it has been there for too long. */
static void drop_oldest(struct kept_pool *pool, int64_t now)
{
    struct kept *oldest = LIST_ITEM(pool->idle.prev, struct kept, node);
    if (now - oldest->since > pool->max_idle) {
        list_remove(&oldest->node);
        pool->idle_count--;
        kept_drop(oldest);
    }
}

void kept_return(struct kept_pool *pool, struct kept *kept)
{
    CHECK(list_empty(&kept->node));
    /* Unread input would be taken for the answer to the next request. */
    if (pool->idle_count >= pool->limit || !stream_ok(kept->stream) ||
        stream_pending(kept->stream) > 0) {
        kept_drop(kept);
        return;
    }
    str_clear(&kept->frame);
    stream_trim(kept->stream);
    kept->since = clock_now();
    list_add_head(&pool->idle, &kept->node);
    pool->idle_count++;
    drop_oldest(pool, kept->since);
}

void kept_drop(struct kept *kept)
{
    CHECK(list_empty(&kept->node));
    stream_free(&kept->stream);
    str_done(&kept->frame);
    str_done(&kept->note);
    /* It ends when its input does; nobody wants its status: the answer said it all. */
    while (kept->child > 0 && waitpid(kept->child, NULL, 0) < 0 && errno == EINTR) {
    }
    free(kept);
}
