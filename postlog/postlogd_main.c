/* SPDX-License-Identifier: MIT */
/*
 * Writes the log lines of those who may not open the mail log: commands of
 * ordinary users, and set-gid commands.  Workers need it not: they inherit the log.
 */
#include <string.h>

#include "base/log.h"
#include "service/command_log.h"
#include "service/service.h"

enum { TAG_MAX = 128 };

/* log.h asks a function for the number of each line: here the sender's process ID. */
static uint64_t sender_number;

static uint64_t number_of_sender(void)
{
    return sender_number;
}

static void write_line(struct service_context *context, struct view packet)
{
    struct log_packet line;
    char tag[TAG_MAX + 1];
    /* The wake-up of a timer, or something that is none of ours. */
    if (!log_packet_parse(packet, &line) || line.tag.len > TAG_MAX) {
        return;
    }
    (void)context;
    memcpy(tag, line.tag.ptr, line.tag.len);
    tag[line.tag.len] = '\0';
    log_set_tag(tag);
    sender_number = line.number;
    log_info("%.*s", VIEW_ARG(line.text));
}

static void take_log(struct service_context *context)
{
    (void)context;
    log_set_number(number_of_sender);
}

static const struct service postlogd_service = {
    .name = "postlogd",
    .kind = SERVICE_DATAGRAM,
    .ready = take_log,
    .datagram = write_line,
};

int main(int argc, char **argv)
{
    return service_main(&postlogd_service, argc, argv);
}
