/* SPDX-License-Identifier: MIT */
/*
 * Names and addresses from the DNS and the hosts file.  Lookups wait in a fiber and
 * poll outside; one resolver (c-ares) serves the process.  The first lookup must come
 * after the last fork.
 *
 * "No such name", "name without such data" and "cannot tell now" are different
 * answers with different consequences (bounce or retry), so they are never mixed.
 * Nothing is cached here: that is the name server's work.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "net/address.h"

enum dns_status {
    DNS_OK,       /* at least one record */
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_NODATA,   /* it exists, without a record of this type */
    DNS_TEMPFAIL, /* server failure, time-out, cancelled: try later */
    DNS_INVALID   /* the name, or every record of the answer, is malformed: permanent */
};

/* The values are those of the protocol. */
enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28
};

/* Records above this many are dropped. */
enum { DNS_ANSWER_MAX = 100 };

struct dns_record {
    enum dns_type type;
    uint32_t ttl;               /* seconds; 0 when not from the DNS */
    uint16_t preference;        /* MX */
    struct net_address address; /* A, AAAA; port 0 */
    /* MX, PTR, CNAME: the host name, no final dot; empty for MX ".": accepts no mail
     * (RFC 7505).  TXT: its strings joined, may hold any byte.  NUL-terminated. */
    struct view text;
};

struct dns_answer {
    enum dns_status status;
    struct dns_record *records;
    size_t count;
    const char *name; /* the name the records belong to, after any CNAMEs */
    bool truncated;   /* there were more than DNS_ANSWER_MAX */
};

/*
 * Records of TYPE for NAME, as it stands (no search list).  ANSWER lives in ARENA.
 * When the status is not DNS_OK, ERR (may be NULL) holds "Name service error for
 * name=... type=...: REASON", its code 5.4.4 or 4.4.3.  Waits.
 */
enum dns_status dns_query(struct arena *arena, struct view name, enum dns_type type,
                          struct dns_answer *answer_out, struct err *err);

enum dns_lookup_flags {
    DNS_IPV4 = 1,
    DNS_IPV6 = 2,
    DNS_NATIVE =
        4 /* as the system's resolver: hosts file first, then the search list */
};

/*
 * Addresses of a host, both families asked for at the same time; IPv4 comes first in
 * the answer.  A numeric NAME (no brackets) is its own address.  One family's records
 * are enough for DNS_OK.  Waits.
 */
enum dns_status dns_host_addresses(struct arena *arena, struct view name,
                                   unsigned flags, struct dns_answer *answer_out,
                                   struct err *err);

/* What a client may be called.  Names are never NULL: "unknown" when there is none. */
struct dns_client_name {
    enum dns_status reverse_status;
    const char *reverse_name; /* what the address says, not confirmed */
    enum dns_status status;
    const char *name; /* the reverse name, if it maps back to the address */
    bool forged;      /* it maps, but to other addresses (then status is DNS_NODATA) */
};
/* Looks in the hosts file first.  Logs a warning when the name does not map back.
 * Strings live in ARENA or are literals.  Waits. */
void dns_reverse(struct arena *arena, const struct net_address *address,
                 struct dns_client_name *out);

/* May NAME be a host name: labels of letters, digits, "-" and "_", not all numeric. */
bool dns_hostname_ok(struct view name);
/* "MX", "AAAA", ... */
const char *dns_type_text(enum dns_type type);

/* --- settings ------------------------------------------------------------- */

/* Ask these servers ("127.0.0.1:5353,[::1]:53") instead of those in resolv.conf; NULL
 * goes back to them.  False: malformed; then lookups fail.  The file's other settings
 * (search, options) hold in any case, and it is read again when it has changed. */
bool dns_set_servers(const char *list);
/* Other files than those in /etc; NULL goes back. */
void dns_set_resolv_conf(const char *path);
void dns_set_hosts_file(const char *path);
/* First wait for an answer (it doubles with every round), and rounds per server. */
void dns_set_patience(int64_t microseconds, unsigned rounds);
/* Free everything and forget the settings.  No lookup may be running. */
void dns_done(void);

#endif
