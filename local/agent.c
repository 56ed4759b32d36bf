/* SPDX-License-Identifier: MIT */
/* One process's tables, and requests one after the other. */
#include "local/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/unnamed.h"

enum { HOST_MAX = 256 };

/* With such limits every mailbox would refuse legal mail. */
static void check_limits(const struct conf *conf)
{
    int64_t mailbox = conf_long(conf, P_mailbox_size_limit);
    int64_t message = conf_long(conf, P_message_size_limit);
    if (mailbox > 0 && (message == 0 || mailbox < message)) {
        log_fatal("main.cf configuration error: mailbox_size_limit is smaller than "
                  "message_size_limit");
    }
}

static struct maps *open_maps(const struct conf *conf, const char *title,
                              enum param param)
{
    return maps_open(conf, title, conf_str(conf, param), MAP_FOLD | MAP_NO_REGSUB);
}

struct local *local_agent_open(struct service_context *context)
{
    struct local *local = xcalloc(1, sizeof(*local));
    const struct conf *conf = context->conf;
    local->conf = conf;
    local->service = context;
    check_limits(conf);
    local->alias_maps = open_maps(conf, "alias_maps", P_alias_maps);
    local->mailbox_command_maps =
        open_maps(conf, "mailbox_command_maps", P_mailbox_command_maps);
    local->mailbox_transport_maps =
        open_maps(conf, "mailbox_transport_maps", P_mailbox_transport_maps);
    local->fallback_transport_maps =
        open_maps(conf, "fallback_transport_maps", P_fallback_transport_maps);
    local->route = route_open(conf);
    local->delimiters = conf_str(conf, P_recipient_delimiter);
    return local;
}

/* The name of this machine without what cannot stand in a file name. */
static char *host_name(void)
{
    char host[HOST_MAX] = "";
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') {
        return xstrdup("localhost");
    }
    for (char *p = host; *p != '\0'; p++) {
        *p = *p == '/' || *p == ':' ? '_' : *p;
    }
    return xstrdup(host);
}

void local_agent_ready(struct local *local)
{
    local->dirs = queue_dirs_new(local->conf);
    local->submit = submit_client_new(local->conf, NULL);
    local->host = host_name();
    local->accounts = account_cache_new();
    local->proc_fd = unnamed_open_proc();
    local->own = (struct identity){.uid = geteuid(), .gid = getegid()};
}

bool local_agent_outdated(const struct local *local)
{
    return maps_changed(local->alias_maps) ||
           maps_changed(local->mailbox_command_maps) ||
           maps_changed(local->mailbox_transport_maps) ||
           maps_changed(local->fallback_transport_maps) || route_changed(local->route);
}

void local_agent_close(struct local **local)
{
    struct local *l = *local;
    *local = NULL;
    maps_close(&l->alias_maps);
    maps_close(&l->mailbox_command_maps);
    maps_close(&l->mailbox_transport_maps);
    maps_close(&l->fallback_transport_maps);
    route_close(&l->route);
    submit_client_free(&l->submit);
    queue_dirs_free(&l->dirs);
    free(l->host);
    account_cache_free(&l->accounts);
    fd_close(&l->proc_fd);
    free(l);
}
