/* SPDX-License-Identifier: MIT */
/*
 * The pool of kept connections.  The most recently used connection is taken first,
 * so that those that a burst has left behind grow old and are closed by the server.
 */
#include "rpc/kept.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "net/connect.h"
#include "sys/clock.h"

enum { KEPT_LIMIT = 32 };

void kept_pool_init(struct kept_pool *pool, const char *class, const char *service,
                    int64_t timeout)
{
    CHECK(timeout > 0);
    *pool = (struct kept_pool){.timeout = timeout, .limit = KEPT_LIMIT};
    pool->path = xasprintf("%s/%s", class, service);
    list_init(&pool->idle);
}

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
    int64_t now = clock_now();
    int64_t deadline =
        pool->timeout < CLOCK_NEVER - now ? now + pool->timeout : CLOCK_NEVER;
    struct err why = {0};
    int fd = connect_unix(pool->path, deadline, &why);
    if (fd < 0) {
        (void)err_temp(err, "4.3.0", "connect to %s: %s", pool->path, why.text);
        return NULL;
    }
    kept = xcalloc(1, sizeof(*kept));
    list_init(&kept->node);
    kept->stream = stream_new(fd);
    stream_set_timeout(kept->stream, pool->timeout);
    return kept;
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
    list_add_head(&pool->idle, &kept->node);
    pool->idle_count++;
}

void kept_drop(struct kept *kept)
{
    CHECK(list_empty(&kept->node));
    stream_free(&kept->stream);
    str_done(&kept->frame);
    free(kept);
}
