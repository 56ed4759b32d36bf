/* SPDX-License-Identifier: MIT */
/* One process's tables and settings. */
#include "virtual/agent.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "virtual/deliver.h"

/* With such settings no mail could ever be delivered. */
static void check_settings(const struct conf *conf)
{
    int64_t mailbox = conf_long(conf, P_virtual_mailbox_limit);
    int64_t message = conf_long(conf, P_message_size_limit);
    if (*conf_str(conf, P_virtual_mailbox_base) == '\0') {
        log_fatal("bad string length 0 < 1: virtual_mailbox_base = ");
    }
    if (mailbox > 0 && (message == 0 || mailbox < message)) {
        log_fatal("configuration error: virtual_mailbox_limit is smaller than "
                  "message_size_limit");
    }
}

/* Whose rights are used depends on these tables: nothing of the address may become part
 * of an answer, and nobody else may answer. */
static struct maps *open_maps(const struct conf *conf, const char *title,
                              enum param param)
{
    return maps_open(conf, title, conf_str(conf, param),
                     MAP_FOLD | MAP_NO_REGSUB | MAP_NO_PROXY | MAP_FRESH);
}

struct virtual *virtual_agent_open(struct service_context *context)
{
    struct virtual *agent = xcalloc(1, sizeof(*agent));
    const struct conf *conf = context->conf;
    check_settings(conf);
    agent->conf = conf;
    agent->service = context;
    agent->mailboxes = open_maps(conf, "virtual_mailbox_maps", P_virtual_mailbox_maps);
    agent->uids = open_maps(conf, "virtual_uid_maps", P_virtual_uid_maps);
    agent->gids = open_maps(conf, "virtual_gid_maps", P_virtual_gid_maps);
    agent->base = conf_str(conf, P_virtual_mailbox_base);
    agent->delimiters = conf_str(conf, P_recipient_delimiter);
    agent->size_limit = conf_long(conf, P_virtual_mailbox_limit);
    agent->locks =
        mbox_locks_read("virtual_mailbox_lock", conf_str(conf, P_virtual_mailbox_lock));
    return agent;
}

void virtual_agent_ready(struct virtual *agent)
{
    agent->dirs = queue_dirs_new(agent->conf);
    rights_init(&agent->rights, agent->service->privileged);
    maildirs_init(&agent->maildirs, &agent->rights);
    agent->batch = (struct batch_agent){.conf = agent->conf,
                                        .dirs = agent->dirs,
                                        .relay = "virtual",
                                        .maildirs = &agent->maildirs,
                                        .context = agent,
                                        .deliver = virtual_deliver};
}

bool virtual_agent_outdated(const struct virtual *agent)
{
    return maps_changed(agent->mailboxes) || maps_changed(agent->uids) ||
           maps_changed(agent->gids);
}

void virtual_agent_close(struct virtual **agent_ptr)
{
    struct virtual *agent = *agent_ptr;
    *agent_ptr = NULL;
    maps_close(&agent->mailboxes);
    maps_close(&agent->uids);
    maps_close(&agent->gids);
    queue_dirs_free(&agent->dirs);
    maildirs_done(&agent->maildirs);
    rights_done(&agent->rights);
    free(agent);
}
