/* SPDX-License-Identifier: MIT */
/* One process's tables, and what is done with each request. */
#include "local/agent.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

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
    return maps_open(conf, title, conf_str(conf, param),
                     MAP_FOLD | MAP_NO_REGSUB | MAP_NO_PROXY | MAP_FRESH);
}

struct local *local_agent_open(struct service_context *context)
{
    struct local *local = xcalloc(1, sizeof(*local));
    const struct conf *conf = context->conf;
    local->conf = conf;
    local->service = context;
    check_limits(conf);
    local->locks = mbox_locks_read("mailbox_delivery_lock",
                                   conf_str(conf, P_mailbox_delivery_lock));
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

/* --- requests ----------------------------------------------------------------------
 */

/* What is kept of a request while it is being delivered. */
struct work {
    struct local_message message;
    struct tree *trees; /* one for each recipient */
    struct node *roots;
};

static void prepare(void *context, struct batch_item *item)
{
    const struct deliver_request *request = &item->request;
    struct work *work = arena_alloc(item->arena, sizeof(*work));
    size_t count = request->recipient_count;
    work->message = (struct local_message){.local = context,
                                           .request = request,
                                           .arena = item->arena,
                                           .fd = item->fd,
                                           .content = item->content,
                                           .device = item->device,
                                           .handed = item->handed};
    item->state = work;
    loop_prepare(&work->message);
    work->trees = arena_alloc(item->arena, count * sizeof(*work->trees));
    work->roots = arena_alloc(item->arena, count * sizeof(*work->roots));
    for (size_t i = 0; i < count; i++) {
        tree_init(&work->trees[i], &work->message, i);
        work->roots[i] = recipient_node(&work->trees[i], NULL, FROM_REQUEST,
                                        request->recipients[i].address);
    }
}

static void deliver(void *context, struct batch_item *item)
{
    struct work *work = item->state;
    (void)context;
    for (size_t i = 0; i < item->request.recipient_count; i++) {
        recipient_deliver(&work->roots[i]);
    }
}

static void conclude(void *context, struct batch_item *item)
{
    struct work *work = item->state;
    (void)context;
    for (size_t i = 0; i < item->reply.count; i++) {
        struct tree *tree = &work->trees[i];
        struct node *root = &work->roots[i];
        resend_flush(root);
        if (tree->leaves == 0) { /* a list with nobody on it */
            tree_sent(root, root->address, "discarded");
        }
        item->reply.outcomes[i] = tree->outcome;
        tree_done(tree);
    }
    item->reply.leaves = work->message.leaves;
    item->reply.leaf_count = work->message.leaf_count;
}

void local_agent_deliver(struct local *local, const struct deliver_request *request,
                         struct arena *arena, struct deliver_reply *reply)
{
    batch_deliver(&local->batch, request, arena, reply);
}

bool local_agent_serve(struct local *local, struct stream *client)
{
    return batch_serve(&local->batch, client);
}

/* --- life ---------------------------------------------------------------------- */

void local_agent_ready(struct local *local)
{
    local->dirs = queue_dirs_new(local->conf);
    local->submit = submit_client_new(local->conf, NULL);
    rights_init(&local->rights, local->service->privileged);
    maildirs_init(&local->maildirs, &local->rights);
    local->batch = (struct batch_agent){.conf = local->conf,
                                        .dirs = local->dirs,
                                        .relay = "local",
                                        .maildirs = &local->maildirs,
                                        .context = local,
                                        .prepare = prepare,
                                        .deliver = deliver,
                                        .conclude = conclude};
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
    maildirs_done(&l->maildirs);
    rights_done(&l->rights);
    free(l);
}
