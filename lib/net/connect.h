/* SPDX-License-Identifier: MIT */
/* Sockets: connect and listen, UNIX and TCP.  All descriptors are close-on-exec. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include <stdint.h>

#include "base/err.h"
#include "net/address.h"

/* Connect to the UNIX-domain stream socket PATH.  Waits.  -1 with ERR filled. */
int connect_unix(const char *path, int64_t deadline, struct err *err);
/* Connect to ADDRESS; SOURCE may be NULL.  Waits.  -1 with ERR filled: text is the
 * errno's text alone ("Connection refused"). */
int connect_tcp(const struct net_address *address, const struct net_address *source,
                int64_t deadline, struct err *err);
/* Bind and listen.  UNIX: unlinks what was there, creates PATH with mode 0666 (the
 * directory guards it).  -1 with ERR. */
int listen_unix(const char *path, int backlog, struct err *err);
int listen_tcp(const struct net_address *address, int backlog, struct err *err);
/* Datagram socket bound at PATH (postlog). */
int listen_unix_datagram(const char *path, struct err *err);
/* Accept one client; never blocks.  -1 with errno: EAGAIN when there is none, or the
 * reason (EMFILE, ENFILE, ENOBUFS, ENOMEM: try later). */
int net_accept(int listen_fd);

#endif
