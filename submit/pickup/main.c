/* SPDX-License-Identifier: MIT */
/*
 * pickup: takes what postdrop has put into maildrop/ and gives it to cleanup.  It
 * is woken up by postdrop and, once a minute, by master.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "rpc/notify.h"
#include "service/service.h"
#include "submit/pickup/pickup.h"
#include "sys/clock.h"

/* A caller that has connected and says nothing keeps others waiting. */
enum { CALLER_TIME = 5 * CLOCK_SECOND };

static bool has_option(const char *list, const char *name)
{
    struct view rest = view_cstr(list);
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_nocase_cstr(item, name)) {
            return true;
        }
    }
    return false;
}

static void pickup_ready(struct service_context *context)
{
    struct pickup *pickup = xcalloc(1, sizeof(*pickup));
    pickup->conf = context->conf;
    pickup->dirs = queue_dirs_new(context->conf);
    pickup->cleanup = submit_client_new(context->conf, NULL);
    pickup->map_addresses = !has_option(
        conf_str(context->conf, P_receive_override_options), "no_address_mappings");
    context->state = pickup;
}

static void pickup_session(struct service_context *context, struct stream *client)
{
    enum notify_frame kind;
    struct view text;
    stream_set_timeout(client, CALLER_TIME);
    while (!context->stopping && notify_receive(client, &kind, &text)) {
        if (kind != NOTIFY_WAKEUP) {
            log_warning("unexpected notification %d", (int)kind);
            return;
        }
        scan_maildrop(context->state);
    }
}

static void pickup_close(struct service_context *context)
{
    struct pickup *pickup = context->state;
    if (pickup == NULL) {
        return;
    }
    submit_client_free(&pickup->cleanup);
    queue_dirs_free(&pickup->dirs);
    free(pickup);
    context->state = NULL;
}

int main(int argc, char **argv)
{
    static const struct service pickup_service = {
        .name = "pickup",
        .kind = SERVICE_EXCLUSIVE,
        .ready = pickup_ready,
        .session = pickup_session,
        .close = pickup_close,
    };
    return service_main(&pickup_service, argc, argv);
}
