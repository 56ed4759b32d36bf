/* SPDX-License-Identifier: MIT */
/*
 * Local delivery: one request at a time, with the right to act as the recipient.
 * Everything that a user controls (mailboxes, .forward, commands) is touched with
 * that user's rights only.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"
#include "sys/file.h"

/* S30: with such limits every mailbox would refuse legal mail. */
static void check_limits(const struct conf *conf)
{
    int64_t mailbox = conf_long(conf, P_mailbox_size_limit);
    int64_t message = conf_long(conf, P_message_size_limit);
    if (mailbox > 0 && (message == 0 || mailbox < message)) {
        log_fatal("configuration error: mailbox_size_limit is smaller than "
                  "message_size_limit");
    }
}

static void local_open(struct service_context *context)
{
    struct local *local = xcalloc(1, sizeof(*local));
    const struct conf *conf = context->conf;
    context->state = local;
    local->conf = conf;
    local->service = context;
    check_limits(conf);
    local->alias_maps = maps_open(conf, "alias_maps", conf_str(conf, P_alias_maps),
                                  MAP_FOLD | MAP_NO_REGSUB);
    local->mailbox_command_maps =
        maps_open(conf, "mailbox_command_maps", conf_str(conf, P_mailbox_command_maps),
                  MAP_FOLD | MAP_NO_REGSUB);
    local->mailbox_transport_maps =
        maps_open(conf, "mailbox_transport_maps",
                  conf_str(conf, P_mailbox_transport_maps), MAP_FOLD | MAP_NO_REGSUB);
    local->fallback_transport_maps =
        maps_open(conf, "fallback_transport_maps",
                  conf_str(conf, P_fallback_transport_maps), MAP_FOLD | MAP_NO_REGSUB);
    local->route = route_open(conf);
    local->delimiters = conf_str(conf, P_recipient_delimiter);
}

static void local_ready(struct service_context *context)
{
    struct local *local = context->state;
    local->dirs = queue_dirs_new(context->conf);
    local->submit = submit_client_new(context->conf, NULL);
}

static bool local_outdated(struct service_context *context)
{
    const struct local *local = context->state;
    return maps_changed(local->alias_maps) ||
           maps_changed(local->mailbox_command_maps) ||
           maps_changed(local->mailbox_transport_maps) ||
           maps_changed(local->fallback_transport_maps) || route_changed(local->route);
}

static void local_close(struct service_context *context)
{
    struct local *local = context->state;
    maps_close(&local->alias_maps);
    maps_close(&local->mailbox_command_maps);
    maps_close(&local->mailbox_transport_maps);
    maps_close(&local->fallback_transport_maps);
    route_close(&local->route);
    submit_client_free(&local->submit);
    queue_dirs_free(&local->dirs);
    free(local);
    context->state = NULL;
}

static bool is_loop(const struct local_message *message, struct view address)
{
    return copy_has_delivered_to(message, address);
}

static struct node root_node(struct tree *tree)
{
    struct local_message *message = tree->message;
    const struct queue_recipient *rcpt = &message->request->recipients[tree->index];
    struct address_parts parts = address_split(rcpt->address);
    STR_AUTO struct str folded = {0};
    str_add_lower(&folded, parts.local);
    struct node node = {
        .tree = tree,
        .origin = FROM_REQUEST,
        .address = rcpt->address,
        .local_part = arena_view(message->arena, str_view(&folded)),
        .domain = parts.domain,
        .sender = message->request->sender,
    };
    node.user = node.local_part;
    (void)address_split_extension(node.local_part, message->local->delimiters,
                                  &node.user, &node.extension);
    return node;
}

static void deliver_one(struct local_message *message, size_t index,
                        struct deliver_outcome *outcome)
{
    const struct queue_recipient *rcpt = &message->request->recipients[index];
    struct tree tree = {
        .message = message,
        .index = index,
        .outcome = {.status = DELIVER_SENT,
                    .dsn = VIEW("2.0.0"),
                    .action = VIEW("delivered"),
                    .reason = VIEW("delivered"),
                    .diagnostic_type = VIEW("X-Postfix")},
    };
    struct node node = root_node(&tree);
    if (is_loop(message, rcpt->address)) {
        tree_failed(&node, PERMFAIL, "5.4.6", "mail forwarding loop for %.*s",
                    VIEW_ARG(rcpt->address));
    } else {
        recipient_deliver(&node);
        resend_flush(&node);
    }
    *outcome = tree.outcome;
    bool probe = (message->request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0;
    if (outcome->status == DELIVER_SENT && !probe &&
        !queue_file_mark_done(message->fd, rcpt->state_offset)) {
        log_warning("%.*s: mark recipient as done: %m",
                    VIEW_ARG(message->request->queue_id));
    }
}

static void defer_all(struct local_message *message, const struct err *err,
                      struct deliver_reply *reply)
{
    struct delivery_times times = {.arrival = message->request->arrival_time,
                                   .active = message->request->active_time,
                                   .handed = message->handed};
    for (size_t i = 0; i < reply->count; i++) {
        reply->outcomes[i] = (struct deliver_outcome){
            .status = DELIVER_DEFERRED,
            .dsn = arena_view(message->arena, view_cstr(err->dsn)),
            .reason = arena_view(message->arena, view_cstr(err->text)),
            .diagnostic_type = VIEW("X-Postfix")};
        deliver_report(message->local->conf, message->request, i, "local", &times,
                       message->arena, &reply->outcomes[i]);
    }
}

static void deliver_all(struct local *local, const struct deliver_request *request,
                        struct arena *arena, struct deliver_reply *reply)
{
    struct err err;
    struct stat st;
    struct local_message message = {
        .local = local, .request = request, .arena = arena, .handed = clock_wall()};
    reply->count = request->recipient_count;
    reply->outcomes = arena_alloc(arena, reply->count * sizeof(*reply->outcomes));
    FD_AUTO int fd = deliver_open_message(local->dirs, request, &err);
    if (fd >= 0 && fstat(fd, &st) != 0) {
        (void)err_temp(&err, "4.3.0", "queue file: %m");
        fd_close(&fd);
    }
    if (fd < 0) {
        defer_all(&message, &err, reply);
        return;
    }
    message.fd = fd;
    message.device = st.st_dev;
    for (size_t i = 0; i < reply->count; i++) {
        deliver_one(&message, i, &reply->outcomes[i]);
    }
}

static void local_session(struct service_context *context, struct stream *client)
{
    struct arena arena = {0};
    struct deliver_request request;
    stream_set_timeout(client, CLOCK_NEVER);
    while (service_await(context, client) &&
           deliver_receive_request(client, &arena, &request)) {
        struct deliver_reply reply = {0};
        deliver_all(context->state, &request, &arena, &reply);
        if (!deliver_send_reply(client, &reply)) {
            break;
        }
        arena_clear(&arena);
    }
    arena_clear(&arena);
}

static const struct service local_service = {
    .name = "local",
    .kind = SERVICE_EXCLUSIVE,
    .keep_root = true,
    .open = local_open,
    .ready = local_ready,
    .session = local_session,
    .outdated = local_outdated,
    .close = local_close,
};

int main(int argc, char **argv)
{
    return service_main(&local_service, argc, argv);
}
