/* SPDX-License-Identifier: MIT */
/*
 * anvil: counts what clients do over all processes of a service.  One process, because
 * what several know apart is what nobody knows.
 */
#include "anvil/tally.h"
#include "base/log.h"
#include "net/frame.h"
#include "service/service.h"
#include "sys/clock.h"
#include "task/task.h"

/* Every process of a service keeps a connection. */
enum { CLIENTS_MOST = 1000 };

static void log_statistics(const char *text)
{
    log_info("statistics: %s", text);
}

/* The housekeeping. */
static void keep_house(void *argument)
{
    struct service_context *context = argument;
    int64_t unit = conf_time(context->conf, P_anvil_rate_time_unit);
    int64_t update = conf_time(context->conf, P_anvil_status_update_time);
    int64_t next = clock_now() + update;
    for (;;) {
        int64_t now = clock_now();
        int64_t until = now + unit < next ? now + unit : next;
        if (task_sleep_until(until) == TASK_CANCELLED) {
            return;
        }
        tally_forget(context->state, clock_now());
        if (clock_now() >= next) {
            tally_statistics(context->state, log_statistics);
            next = clock_now() + update;
        }
    }
}

static void anvil_ready(struct service_context *context)
{
    const struct conf *conf = context->conf;
    context->state = tally_new(conf_time(conf, P_anvil_rate_time_unit),
                               conf_time(conf, P_smtpd_client_login_failure_time));
    (void)task_spawn("anvil housekeeping", keep_house, context);
}

/* One report.  False: the process has gone, or does not keep to the protocol. */
static bool serve(struct tally *tally, struct reporter *reporter, struct stream *client)
{
    struct arena arena = {0};
    struct frame_reader reader;
    struct anvil_item *items;
    size_t count;
    uint8_t kind;
    bool good = frame_receive(client, &kind, &reader) &&
                anvil_report_parse(kind, reader.rest, &arena, &items, &count);
    if (good) {
        struct anvil_total *totals = arena_alloc(&arena, (count + 1) * sizeof(*totals));
        for (size_t i = 0; i < count; i++) {
            tally_take(tally, reporter, &items[i], clock_now(), &totals[i]);
        }
        good = anvil_send_totals(client, totals, count);
    }
    arena_clear(&arena);
    return good;
}

static void anvil_session(struct service_context *context, struct stream *client)
{
    struct reporter *reporter = reporter_new(context->state);
    stream_set_timeout(client, CLOCK_NEVER); /* its end has a meaning */
    while (service_await(context, client) && serve(context->state, reporter, client)) {
        continue;
    }
    reporter_free(&reporter);
}

static void anvil_close(struct service_context *context)
{
    tally_statistics(context->state, log_statistics);
}

static const struct service anvil_service = {
    .name = "anvil",
    .kind = SERVICE_CONCURRENT,
    .single = true,
    .ready = anvil_ready,
    .session = anvil_session,
    .close = anvil_close,
    .client_limit = CLIENTS_MOST,
};

int main(int argc, char **argv)
{
    return service_main(&anvil_service, argc, argv);
}
