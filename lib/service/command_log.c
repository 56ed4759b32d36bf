/* SPDX-License-Identifier: MIT */
#include "service/command_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/number.h"

enum { TAG_MAX = 128 };

/* The log calls back without a context of ours: one log, one socket per process. */
static struct {
    int fd;
    char tag[TAG_MAX];
} postlog = {.fd = -1};

bool log_packet_parse(struct view packet, struct log_packet *out)
{
    size_t open = view_index(packet, '[');
    struct view rest = view_from(packet, open + 1);
    size_t close = view_index(rest, ']');
    out->tag = view_first(packet, open);
    out->text = view_from(rest, close + 1);
    if (open == 0 || open > TAG_MAX || !view_starts(out->text, VIEW(": ")) ||
        !number_parse_u64(view_first(rest, close), UINT64_MAX, &out->number)) {
        return false;
    }
    out->text = view_from(out->text, 2);
    return true;
}

/* A log that cannot be written must not stop the command: errors are ignored. */
static void send_line(enum log_level level, const char *text, void *context)
{
    char packet[LOG_PACKET_MAX];
    (void)level;
    (void)context;
    int len = snprintf(packet, sizeof(packet), "%s[%ld]: %s", postlog.tag,
                       (long)getpid(), text);
    if (len > 0) {
        size_t size = len < (int)sizeof(packet) ? (size_t)len : sizeof(packet) - 1;
        (void)send(postlog.fd, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

bool log_to_socket(const char *path, const char *tag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) !=
        0) {
        int saved_errno = errno;
        (void)close(fd);
        errno = saved_errno;
        return false;
    }
    CHECK(postlog.fd < 0);
    postlog.fd = fd;
    (void)snprintf(postlog.tag, sizeof(postlog.tag), "%s", tag);
    log_set_hook(send_line, NULL);
    return true;
}
