/* SPDX-License-Identifier: MIT */
/*
 * Opening what services listen on.  Names in the file system are made with the
 * rights of the mail owner, in whose directories they are: root following a link
 * there would be the mail owner's way to root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/interfaces.h"
#include "master/master.h"
#include "sys/file.h"

enum { BACKLOG = 4096 };

static char *local_path(const struct master_entry *entry)
{
    return xasprintf("%s/%s", entry->private_socket ? "private" : "public",
                     entry->name);
}

enum outcome endpoint_describe(const struct conf *conf,
                               const struct master_entry *entry,
                               struct str *address_out, struct err *err)
{
    str_clear(address_out);
    str_printf(address_out, "%s", service_type_name(entry->type));
    if (entry->type != SERVICE_INET) {
        char *path = local_path(entry);
        str_printf(address_out, " %s", path);
        free(path);
        return OK;
    }
    struct address_list list;
    enum outcome outcome = interfaces_resolve(conf, entry->name, &list, err);
    for (int i = 0; outcome == OK && i < list.count; i++) {
        str_add_byte(address_out, ' ');
        interfaces_describe(&list.addresses[i], address_out);
    }
    return outcome;
}

static int open_inet(const union socket_address *address)
{
    int on = 1;
    int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    bool v6 = address->any.sa_family == AF_INET6;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, &address->any, interfaces_address_size(address)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        fd_close(&fd);
    }
    return fd;
}

/* A host may have IPv6 names and no IPv6: that one address less is no reason to fail.
 */
static bool can_do_without(const union socket_address *address, int error,
                           const struct address_list *list)
{
    bool has_v4 = false;
    for (int i = 0; i < list->count; i++) {
        has_v4 |= list->addresses[i].any.sa_family == AF_INET;
    }
    return has_v4 && address->any.sa_family == AF_INET6 &&
           (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static enum outcome open_all_inet(const struct conf *conf,
                                  const struct master_entry *entry,
                                  struct endpoint *out, struct err *err)
{
    struct address_list list;
    enum outcome outcome = interfaces_resolve(conf, entry->name, &list, err);
    for (int i = 0; outcome == OK && i < list.count; i++) {
        int fd = open_inet(&list.addresses[i]);
        int error = errno;
        if (fd >= 0) {
            out->fds[out->count++] = fd;
        } else if (!can_do_without(&list.addresses[i], error, &list)) {
            STR_AUTO struct str text = {0};
            interfaces_describe(&list.addresses[i], &text);
            errno = error;
            outcome = err_temp(err, "4.3.0", "bind %s: %m", str_ptr(&text));
        }
    }
    return outcome;
}

static bool set_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out->sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(out->sun_path, path, strlen(path));
    return true;
}

static int open_unix(const char *path, int type)
{
    struct sockaddr_un address;
    if (!set_address(path, &address)) {
        return -1;
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* Left by a master that is gone: the lock file says that there is no other. */
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) !=
            0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        fd_close(&fd);
    }
    return fd;
}

/* Open for writing too, so that it never reports end of file. */
static int open_fifo(const char *path)
{
    struct stat st;
    if (mkfifo(path, 0666) != 0 && errno != EEXIST) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))) {
        fd_close(&fd);
        errno = ENOTUNIQ;
    }
    return fd;
}

static int open_path(const char *path, enum service_type type)
{
    switch (type) {
    case SERVICE_UNIX:
    case SERVICE_PASS:
        return open_unix(path, SOCK_STREAM);
    case SERVICE_UNIX_DGRAM:
        return open_unix(path, SOCK_DGRAM);
    case SERVICE_FIFO:
        return open_fifo(path);
    case SERVICE_INET:
        break;
    }
    CHECK(type != SERVICE_INET);
    return -1;
}

static enum outcome open_local(const struct master_entry *entry,
                               const struct privilege_user *owner, struct endpoint *out,
                               struct err *err)
{
    mode_t old_mask;
    bool switch_user = owner != NULL && geteuid() == 0;
    out->path = local_path(entry);
    if (switch_user && privilege_lower(owner, err) != OK) {
        return TEMPFAIL;
    }
    /* The directory says who may connect; the socket lets everybody. */
    old_mask = umask(0111);
    int fd = open_path(out->path, entry->type);
    int error = errno;
    (void)umask(old_mask);
    if (switch_user) {
        CHECK(privilege_raise());
    }
    if (fd < 0) {
        errno = error;
        return err_temp(err, "4.3.0", "bind %s: %m", out->path);
    }
    out->fds[out->count++] = fd;
    return OK;
}

enum outcome endpoint_open(const struct conf *conf, const struct master_entry *entry,
                           const struct privilege_user *owner, struct endpoint *out,
                           struct err *err)
{
    STR_AUTO struct str address = {0};
    *out = (struct endpoint){0};
    enum outcome outcome = endpoint_describe(conf, entry, &address, err);
    if (outcome == OK) {
        outcome = entry->type == SERVICE_INET ? open_all_inet(conf, entry, out, err)
                                              : open_local(entry, owner, out, err);
    }
    out->address = str_steal(&address);
    if (outcome != OK) {
        endpoint_close(out, false);
    }
    return outcome;
}

void endpoint_close(struct endpoint *endpoint, bool unlink_path)
{
    for (int i = 0; i < endpoint->count; i++) {
        fd_close(&endpoint->fds[i]);
    }
    endpoint->count = 0;
    if (endpoint->path != NULL && unlink_path) {
        (void)unlink(endpoint->path);
    }
    free(endpoint->path);
    free(endpoint->address);
    endpoint->path = NULL;
    endpoint->address = NULL;
}

enum { WAKEUP_BYTES = sizeof(uint32_t) + 1 };

/* A frame (net/frame.h) of the one byte NOTIFY_WAKEUP (rpc/notify.h). */
static void make_wakeup(char wakeup[WAKEUP_BYTES])
{
    uint32_t length = 1;
    memcpy(wakeup, &length, sizeof(length));
    wakeup[sizeof(length)] = 'W';
}

/* The address that a client would use, from the listener itself. */
static void wake_socket(int listener, int type)
{
    char wakeup[WAKEUP_BYTES];
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        return;
    }
    FD_AUTO int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    make_wakeup(wakeup);
    /* A full backlog means that the service has been woken already. */
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, len) == 0) {
        (void)send(fd, wakeup, sizeof(wakeup), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

void endpoint_wake(const struct endpoint *endpoint, enum service_type type)
{
    char wakeup[WAKEUP_BYTES];
    CHECK(endpoint->count > 0);
    switch (type) {
    case SERVICE_UNIX:
        wake_socket(endpoint->fds[0], SOCK_STREAM);
        break;
    case SERVICE_UNIX_DGRAM:
        wake_socket(endpoint->fds[0], SOCK_DGRAM);
        break;
    case SERVICE_FIFO:
        make_wakeup(wakeup);
        if (write(endpoint->fds[0], wakeup, sizeof(wakeup)) < 0) {
            log_debug("wake %s: %m", endpoint->address);
        }
        break;
    case SERVICE_INET:
    case SERVICE_PASS:
        CHECK(type != SERVICE_INET && type != SERVICE_PASS); /* settings.c */
    }
}
