/* SPDX-License-Identifier: MIT */
/*
 * Questions and their waits, and the choice of the channel that asks: when
 * resolv.conf or a setting has changed a new one is made, and the old one goes after
 * its last question was answered.
 */
#include "net/dns_resolver.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "net/dns_channel.h"
#include "net/dns_hosts.h"
#include "sys/clock.h"
#include "task/task.h"

enum { CLASS_IN = 1 };

struct dns_request {
    struct dns_channel *channel;
    struct task_cond answered;
    bool done;
    bool abandoned; /* the one who asked has left */
    int status;
    struct str message;
};

struct resolver {
    bool ready;
    struct dns_channel *current;
    struct list stale; /* channels with questions of before */
    struct file_stamp resolv_conf_stamp;
    struct dns_settings settings;
    char *hosts_path;
    struct hosts hosts;
};

/* One per process, like the loop and like the files it mirrors. */
static struct resolver resolver;

enum { DEFAULT_PATIENCE = 5 * CLOCK_SECOND, DEFAULT_ROUNDS = 2 };

static void resolver_init(void)
{
    if (!resolver.ready) {
        CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
        list_init(&resolver.stale);
        resolver.settings.patience = DEFAULT_PATIENCE;
        resolver.settings.rounds = DEFAULT_ROUNDS;
        resolver.ready = true;
    }
}

/* --- choosing the channel -------------------------------------------------------- */

static void free_idle_stale(void)
{
    LIST_EACH(&resolver.stale, node)
    {
        struct dns_channel *channel = LIST_ITEM(node, struct dns_channel, node);
        if (channel->pending == 0) {
            list_remove(&channel->node);
            dns_channel_free(&channel);
        }
    }
}

/* The settings have changed: the next question makes a new channel. */
static void retire_channel(void)
{
    if (resolver.ready && resolver.current != NULL) {
        list_add_tail(&resolver.stale, &resolver.current->node);
        resolver.current = NULL;
    }
}

static struct dns_channel *current_channel(void)
{
    resolver_init();
    const char *path = resolver.settings.resolv_conf != NULL
                           ? resolver.settings.resolv_conf
                           : "/etc/resolv.conf";
    if (file_stamp_renew(&resolver.resolv_conf_stamp, path)) {
        retire_channel();
    }
    free_idle_stale();
    if (resolver.current == NULL) {
        resolver.current = dns_channel_new(&resolver.settings);
    }
    return resolver.current;
}

/* --- requests ------------------------------------------------------------------ */

static void free_request(struct dns_request *request)
{
    str_done(&request->message);
    free(request);
}

static void on_answer(void *context, int status, int timeouts, unsigned char *bytes,
                      int len)
{
    (void)timeouts;
    struct dns_request *request = context;
    CHECK(!request->done && request->channel->pending > 0);
    request->channel->pending--;
    if (request->abandoned) {
        free_request(request);
        return;
    }
    request->done = true;
    request->status = status;
    if (status == ARES_SUCCESS && len > 0) {
        str_add(&request->message, view_of((const char *)bytes, (size_t)len));
    }
    task_cond_broadcast(&request->answered);
}

struct dns_request *dns_request_start(const char *name, enum dns_type type, bool search)
{
    struct dns_request *request = xcalloc(1, sizeof(*request));
    task_cond_init(&request->answered);
    request->channel = current_channel();
    if (request->channel == NULL) {
        request->done = true;
        request->status = ARES_ENOTINITIALIZED;
        return request;
    }
    request->channel->pending++;
    ares_channel ares = request->channel->ares;
    if (search) {
        ares_search(ares, name, CLASS_IN, (int)type, on_answer, request);
    } else {
        ares_query(ares, name, CLASS_IN, (int)type, on_answer, request);
    }
    if (task_current() != NULL) {
        dns_channel_follow(request->channel);
    }
    return request;
}

enum dns_status dns_request_wait(struct dns_request *request, struct view *message_out)
{
    *message_out = view_of("", 0);
    while (!request->done) {
        if (task_current() == NULL) {
            dns_channel_poll(request->channel);
        } else if (task_cond_wait(&request->answered, CLOCK_NEVER) == TASK_CANCELLED) {
            return DNS_TEMPFAIL;
        }
    }
    switch (request->status) {
    case ARES_SUCCESS:
        *message_out = str_view(&request->message);
        return DNS_OK;
    case ARES_ENOTFOUND:
        return DNS_NXDOMAIN;
    case ARES_ENODATA:
        return DNS_NODATA;
    case ARES_EBADNAME:
        return DNS_INVALID;
    default:
        return DNS_TEMPFAIL;
    }
}

void dns_request_free(struct dns_request **request)
{
    struct dns_request *r = *request;
    *request = NULL;
    if (r == NULL) {
        return;
    }
    if (r->done) {
        free_request(r);
    } else {
        r->abandoned = true; /* c-ares cannot forget one question: on_answer() frees */
    }
}

/* --- settings ------------------------------------------------------------------- */

static void set_text(char **place, const char *text)
{
    resolver_init();
    free(*place);
    *place = text != NULL ? xstrdup(text) : NULL;
    retire_channel();
}

bool dns_set_servers(const char *list)
{
    set_text(&resolver.settings.servers, list);
    resolver.resolv_conf_stamp = (struct file_stamp){0};
    return list == NULL || current_channel() != NULL;
}

void dns_set_resolv_conf(const char *path)
{
    set_text(&resolver.settings.resolv_conf, path);
    resolver.resolv_conf_stamp = (struct file_stamp){0};
}

void dns_set_hosts_file(const char *path)
{
    set_text(&resolver.hosts_path, path);
    resolver.hosts.stamp = (struct file_stamp){0};
}

void dns_set_patience(int64_t microseconds, unsigned rounds)
{
    CHECK(microseconds >= CLOCK_MILLISECOND && rounds > 0);
    resolver_init();
    resolver.settings.patience = microseconds;
    resolver.settings.rounds = rounds;
    retire_channel();
}

struct hosts *dns_hosts(void)
{
    resolver_init();
    hosts_refresh(&resolver.hosts,
                  resolver.hosts_path != NULL ? resolver.hosts_path : "/etc/hosts");
    return &resolver.hosts;
}

void dns_done(void)
{
    if (!resolver.ready) {
        return;
    }
    retire_channel();
    LIST_EACH(&resolver.stale, node)
    {
        struct dns_channel *channel = LIST_ITEM(node, struct dns_channel, node);
        list_remove(&channel->node);
        dns_channel_free(&channel);
    }
    hosts_done(&resolver.hosts);
    free(resolver.settings.servers);
    free(resolver.settings.resolv_conf);
    free(resolver.hosts_path);
    ares_library_cleanup();
    resolver = (struct resolver){0};
}
