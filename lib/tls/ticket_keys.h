/* SPDX-License-Identifier: MIT */
/*
 * The keys that session tickets are sealed with, in a page of memory that all processes
 * of an instance share: a ticket of one process is good at another, after a reload too.
 * Whoever needs a key and finds the present one too old makes the next; the one before
 * it still opens tickets for as long again, and then it is gone.
 */
#ifndef TLS_TICKET_KEYS_H
#define TLS_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum { TLS_TICKET_NAME = 16, TLS_TICKET_SECRET = 32 };

struct tls_ticket_key {
    unsigned char name[TLS_TICKET_NAME];
    unsigned char cipher[TLS_TICKET_SECRET];
    unsigned char mac[TLS_TICKET_SECRET];
    int64_t made; /* seconds since 1970 */
};

struct tls_ticket_keys;

/* The page behind FD, a memory file of at least a page, which stays the caller's and
 * must stay open; -1 for keys of this process alone.  A key is used to seal for PERIOD
 * seconds. NULL with errno: FD cannot be mapped. */
struct tls_ticket_keys *tls_ticket_keys_open(int fd, int64_t period);
void tls_ticket_keys_close(struct tls_ticket_keys **keys);

/* The key to seal with at NOW (seconds since 1970); valid until the next call.  NULL:
 * there is none at the moment, and tickets have to wait. */
const struct tls_ticket_key *tls_ticket_keys_current(struct tls_ticket_keys *keys,
                                                     int64_t now);
/* The key called NAME (TLS_TICKET_NAME bytes), or NULL.  *OLD_OUT: no longer the one to
 * seal with. */
const struct tls_ticket_key *tls_ticket_keys_find(struct tls_ticket_keys *keys,
                                                  const unsigned char *name,
                                                  int64_t now, bool *old_out);

/* True for one caller among all processes per PERIOD seconds: for warnings that one
 * process should give for all. */
bool tls_ticket_keys_turn(struct tls_ticket_keys *keys, int64_t now, int64_t period);

#endif
