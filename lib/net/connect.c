/* SPDX-License-Identifier: MIT */
/*
 * Making sockets.  Everything is close-on-exec and non-blocking from birth: a
 * descriptor that leaks into a command run for a user, or that stalls a process
 * full of sessions, is a defect nobody sees in a test.
 */
#include "net/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"

enum { SOCKET_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC };
/* How long to sleep when a UNIX-domain listener's queue is full: from .. to. */
enum { RETRY_FIRST = 2 * CLOCK_MILLISECOND, RETRY_MOST = 100 * CLOCK_MILLISECOND };

/* Close FD and report errno as it is now. */
static int give_up(int fd, struct err *err)
{
    fd_close(&fd);
    (void)err_temp(err, "4.4.1", "%m");
    return -1;
}

/* True when WAITED means "go on"; else errno says why not. */
static bool wait_succeeded(enum task_result waited)
{
    switch (waited) {
    case TASK_READY:
        return true;
    case TASK_TIMEOUT:
        errno = ETIMEDOUT;
        return false;
    case TASK_CANCELLED:
        break;
    }
    errno = ECANCELED;
    return false;
}

/* --- UNIX domain -------------------------------------------------------- */

static bool unix_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(out->sun_path)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return false;
    }
    memcpy(out->sun_path, path, len + 1);
    return true;
}

/* A full queue answers EAGAIN at once and cannot be waited for, so try again. */
static bool connect_when_queue_has_room(int fd, const struct sockaddr_un *address,
                                        int64_t deadline)
{
    int64_t pause = RETRY_FIRST;
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return false;
        }
        int64_t now = clock_now();
        if (now >= deadline) {
            errno = ETIMEDOUT;
            return false;
        }
        int64_t until = deadline - now < pause ? deadline : now + pause;
        if (task_sleep_until(until) == TASK_CANCELLED) {
            errno = ECANCELED;
            return false;
        }
        pause = pause * 2 < RETRY_MOST ? pause * 2 : RETRY_MOST;
    }
    return true;
}

int connect_unix(const char *path, int64_t deadline, struct err *err)
{
    struct sockaddr_un address;
    if (!unix_address(path, &address)) {
        return give_up(-1, err);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0);
    if (fd < 0 || !connect_when_queue_has_room(fd, &address, deadline)) {
        return give_up(fd, err);
    }
    return fd;
}

static int bind_unix(const char *path, int type, struct err *err)
{
    struct sockaddr_un address;
    int fd = -1;
    if (!unix_address(path, &address) || (unlink(path) != 0 && errno != ENOENT) ||
        (fd = socket(AF_UNIX, type | SOCKET_FLAGS, 0)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0666) != 0) {
        fd_close(&fd);
        (void)err_temp(err, "4.3.0", "%s: %m", path);
        return -1;
    }
    return fd;
}

int listen_unix(const char *path, int backlog, struct err *err)
{
    int fd = bind_unix(path, SOCK_STREAM, err);
    if (fd >= 0 && listen(fd, backlog) != 0) {
        fd_close(&fd);
        (void)err_temp(err, "4.3.0", "%s: %m", path);
    }
    return fd;
}

int listen_unix_datagram(const char *path, struct err *err)
{
    return bind_unix(path, SOCK_DGRAM, err);
}

/* --- TCP ------------------------------------------------------------------ */

static bool set_option(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

static bool finish_connect(int fd, int64_t deadline)
{
    if (!wait_succeeded(task_wait(fd, TASK_WRITE, deadline))) {
        return false;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return false;
    }
    errno = error;
    return error == 0;
}

int connect_tcp(const struct net_address *address, const struct net_address *source,
                int64_t deadline, struct err *err)
{
    int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCKET_FLAGS, 0);
    if (fd < 0) {
        return give_up(fd, err);
    }
    /* Streams write whole batches, so Nagle's delay only ever costs. */
    if (!set_option(fd, IPPROTO_TCP, TCP_NODELAY)) {
        return give_up(fd, err);
    }
    if (source != NULL && bind(fd, &source->sa.any, source->len) != 0) {
        return give_up(fd, err);
    }
    if (connect(fd, &address->sa.any, address->len) == 0) {
        return fd;
    }
    /* An interrupted connect goes on in the background like one in progress. */
    if ((errno != EINPROGRESS && errno != EINTR) || !finish_connect(fd, deadline)) {
        return give_up(fd, err);
    }
    return fd;
}

/* TCP_NODELAY is inherited by the connections that are accepted. */
static bool prepare_listener(int fd, const struct net_address *address)
{
    return set_option(fd, SOL_SOCKET, SO_REUSEADDR) &&
           set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
           (!net_address_is_v6(address) || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
}

int listen_tcp(const struct net_address *address, int backlog, struct err *err)
{
    int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCKET_FLAGS, 0);
    if (fd < 0 || !prepare_listener(fd, address) ||
        bind(fd, &address->sa.any, address->len) != 0 || listen(fd, backlog) != 0) {
        return give_up(fd, err);
    }
    return fd;
}

int net_accept(int listen_fd)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCKET_FLAGS);
        /* A client that left while it was queued is no news. */
        if (fd >= 0 || (errno != EINTR && errno != ECONNABORTED)) {
            return fd;
        }
    }
}
