/* SPDX-License-Identifier: MIT */
#include "service/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

void channel_init(struct channel *channel, int fd, uint32_t generation)
{
    *channel = (struct channel){.fd = fd, .generation = generation};
}

static int passed_descriptor(struct msghdr *message)
{
    int fd = -1;
    struct cmsghdr *part = CMSG_FIRSTHDR(message);
    if (part != NULL && part->cmsg_level == SOL_SOCKET &&
        part->cmsg_type == SCM_RIGHTS && part->cmsg_len == CMSG_LEN(sizeof(fd))) {
        memcpy(&fd, CMSG_DATA(part), sizeof(fd));
    }
    return fd;
}

static void replace_log(int fd)
{
    if (fd >= 0) {
        (void)dup3(fd, MASTER_LOG_FD, O_CLOEXEC);
        (void)close(fd);
    }
}

/* One order; false when there is none. */
static bool receive_one(struct channel *channel)
{
    char order = 0;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = &order, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(channel->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (len == 0 || (len < 0 && errno == ECONNRESET)) {
        channel->orphaned = 1;
        return false;
    }
    if (len < 0) {
        return errno == EINTR;
    }
    if (order == MASTER_RETIRE) {
        channel->retire = 1;
    } else if (order == MASTER_LOG) {
        replace_log(passed_descriptor(&message));
    }
    return true;
}

void channel_receive(struct channel *channel)
{
    int saved_errno = errno;
    while (receive_one(channel)) {
    }
    errno = saved_errno;
}

bool channel_report(const struct channel *channel, enum worker_state state,
                    unsigned clients, bool served)
{
    struct master_report report = {.pid = (uint32_t)getpid(),
                                   .generation = channel->generation,
                                   .state = state,
                                   .clients = clients,
                                   .served = served ? 1 : 0};
    return send(channel->fd, &report, sizeof(report), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)sizeof(report);
}
