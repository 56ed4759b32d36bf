/* SPDX-License-Identifier: MIT */
/* Getting the next client of a worker, whatever the type of its endpoint is. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "service/worker.h"
#include "sys/file.h"
#include "task/task.h"

enum { FIFO_CHUNK = 4096, PASS_TIMEOUT = 10 * CLOCK_SECOND };

/* Clients may leave, and other processes may be faster, between poll and accept. */
static bool is_ordinary(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED ||
           error == EPROTO || error == ENETDOWN || error == EHOSTDOWN ||
           error == EHOSTUNREACH || error == ENETUNREACH || error == ENONET ||
           error == ENOPROTOOPT;
}

static bool is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int report_failure(const char *what)
{
    int error = errno;
    if (is_ordinary(error)) {
        return ACCEPT_NONE;
    }
    log_warning("%s: %m", what);
    return is_exhaustion(error) ? ACCEPT_EXHAUSTED : ACCEPT_NONE;
}

/* What is written to a FIFO becomes a connection that ends after it. */
static int accept_from_fifo(int listener)
{
    char data[FIFO_CHUNK];
    int pair[2];
    ssize_t len = read(listener, data, sizeof(data));
    if (len <= 0) {
        return ACCEPT_NONE;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return report_failure("socketpair");
    }
    if (send(pair[0], data, (size_t)len, MSG_NOSIGNAL) != len) {
        log_warning("pass on data of a FIFO: %m");
        fd_close(&pair[1]);
    }
    fd_close(&pair[0]);
    return pair[1];
}

int worker_accept(const struct worker *worker, int listener)
{
    if (strcmp(worker->arguments.type, "fifo") == 0) {
        return accept_from_fifo(listener);
    }
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd >= 0 ? fd : report_failure("accept connection");
}

int worker_receive_client(int connection)
{
    char byte;
    int fd = -1;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    if (task_wait(connection, TASK_READ, clock_now() + PASS_TIMEOUT) == TASK_READY &&
        recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) >= 0) {
        const struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        if (part != NULL && part->cmsg_level == SOL_SOCKET &&
            part->cmsg_type == SCM_RIGHTS && part->cmsg_len == CMSG_LEN(sizeof(fd))) {
            memcpy(&fd, CMSG_DATA(part), sizeof(fd));
        }
    }
    if (fd < 0) {
        log_warning("no client came with a passed connection");
    }
    fd_close(&connection);
    return fd;
}
