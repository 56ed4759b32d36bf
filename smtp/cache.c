/* SPDX-License-Identifier: MIT */
/*
 * Connections to servers, kept after a message for the next one.  They are this
 * process's, and used by whatever delivery comes next for the same address; the queue
 * manager says when there is one to come (smtp_connection_cache_on_demand), or the
 * administrator does (smtp_connection_cache_destinations).
 *
 * A server may close a kept connection at any time: who finds that before any reply
 * connects anew, and nobody is told (session->stale).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "smtp/smtp.h"
#include "sys/clock.h"
#include "task/task.h"

enum { KEPT_MOST = 200 };

struct kept_session {
    struct list node;
    struct kept_connection connection;
    int64_t until;
};

struct smtp_cache {
    struct list kept; /* in the order in which they end */
    size_t count;
    struct task_timer timer;
    int64_t keep_time, reuse_time;
    int reuse_limit; /* deliveries; 0: no limit */
    bool on_demand;
    struct match_list *destinations;
};

/* The last word, for which nobody waits. */
static void say_goodbye(struct kept_session *kept)
{
    stream_set_timeout(kept->connection.stream, 0);
    stream_write_cstr(kept->connection.stream, "QUIT\r\n");
    (void)stream_flush(kept->connection.stream);
    stream_free(&kept->connection.stream);
    free(kept);
}

static void drop_first(struct smtp_cache *cache)
{
    struct kept_session *kept =
        LIST_ITEM(list_first(&cache->kept), struct kept_session, node);
    list_remove(&kept->node);
    cache->count--;
    say_goodbye(kept);
}

static void goodbye_fiber(void *context)
{
    struct smtp_cache *cache = context;
    const int64_t now = clock_now();
    while (!list_empty(&cache->kept)) {
        struct kept_session *first =
            LIST_ITEM(list_first(&cache->kept), struct kept_session, node);
        if (first->until > now) {
            task_timer_set(&cache->timer, first->until);
            return;
        }
        drop_first(cache);
    }
}

/* Streams are written in fibers. */
static void on_timer(void *context)
{
    (void)task_spawn("goodbye", goodbye_fiber, context);
}

struct smtp_cache *cache_new(const struct conf *conf)
{
    struct smtp_cache *cache = xcalloc(1, sizeof(*cache));
    list_init(&cache->kept);
    task_timer_init(&cache->timer, on_timer, cache);
    cache->keep_time = conf_time(conf, P_smtp_connection_cache_time_limit);
    cache->reuse_time = conf_time(conf, P_smtp_connection_reuse_time_limit);
    cache->reuse_limit = conf_int(conf, P_smtp_connection_reuse_count_limit);
    cache->on_demand = conf_bool(conf, P_smtp_connection_cache_on_demand);
    cache->destinations = match_list_open(
        conf, "smtp_connection_cache_destinations",
        conf_str(conf, P_smtp_connection_cache_destinations), MATCH_DOMAIN);
    return cache;
}

void cache_free(struct smtp_cache **cache)
{
    struct smtp_cache *c = *cache;
    *cache = NULL;
    while (!list_empty(&c->kept)) {
        drop_first(c);
    }
    task_timer_done(&c->timer);
    match_list_close(&c->destinations);
    free(c);
}

/* A next hop as the parameter has it: without brackets and port. */
static struct view plain_name(struct view nexthop)
{
    bool bracketed = nexthop.len > 0 && nexthop.ptr[0] == '[';
    struct view rest = view_from(nexthop, bracketed ? 1 : 0);
    return view_first(rest, view_index(rest, bracketed ? ']' : ':'));
}

bool cache_wants(const struct smtp_cache *cache, const struct deliver_request *request)
{
    struct err err;
    return (cache->on_demand && request->more_follows) ||
           match_list_find(cache->destinations, plain_name(request->nexthop), VIEW(""),
                           &err) == MAP_FOUND;
}

static bool is_for(const struct kept_session *kept, const struct target *target)
{
    return strcmp(kept->connection.host, target->host) == 0 &&
           net_address_equal(&kept->connection.address, &target->address) &&
           net_address_port(&kept->connection.address) ==
               net_address_port(&target->address);
}

bool cache_take(struct smtp_cache *cache, const struct target *target,
                struct kept_connection *connection_out)
{
    LIST_EACH(&cache->kept, node)
    {
        struct kept_session *kept = LIST_ITEM(node, struct kept_session, node);
        if (!is_for(kept, target)) {
            continue;
        }
        list_remove(&kept->node);
        cache->count--;
        /* Nobody has asked it anything: what it says now is a farewell. */
        bool alive = stream_ok(kept->connection.stream) &&
                     !stream_readable_now(kept->connection.stream);
        if (!alive) {
            stream_free(&kept->connection.stream);
            free(kept);
            continue;
        }
        *connection_out = kept->connection;
        free(kept);
        return true;
    }
    return false;
}

bool cache_put(struct smtp_cache *cache, const struct kept_connection *connection)
{
    int64_t now = clock_now();
    bool used_up = (cache->reuse_limit > 0 && connection->uses >= cache->reuse_limit) ||
                   now - connection->opened >= cache->reuse_time;
    if (used_up || cache->count >= KEPT_MOST) {
        return false;
    }
    struct kept_session *kept = xcalloc(1, sizeof(*kept));
    kept->connection = *connection;
    kept->until = now + cache->keep_time;
    list_init(&kept->node);
    if (list_empty(&cache->kept)) {
        task_timer_set(&cache->timer, kept->until);
    }
    list_add_tail(&cache->kept, &kept->node);
    cache->count++;
    return true;
}
