/* SPDX-License-Identifier: MIT */
/* The hosts file, and noticing that a small configuration file has changed. */
#ifndef NET_DNS_HOSTS_H
#define NET_DNS_HOSTS_H

#include <sys/types.h>

#include "base/htab.h"
#include "net/dns.h"

/* Which version of a file was read; zeroed: none. */
struct file_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t changed;    /* nanoseconds */
    int64_t checked_at; /* clock_now() */
};
/* Is PATH another file than when STAMP was last brought up to date?  Brings it up to
 * date.  Looks at the file at most once a second. */
bool file_stamp_renew(struct file_stamp *stamp, const char *path);

/* One line of the file for one name. */
struct hosts_entry {
    struct hosts_entry *next; /* more addresses of the same name */
    struct net_address address;
    const char *name; /* the first name of the line: what the address is called */
};

struct hosts {
    struct file_stamp stamp;
    struct arena arena;
    struct htab *by_name;    /* lower-case name to its list of struct hosts_entry */
    struct htab *by_address; /* numeric text to struct hosts_entry */
};

/* Bring HOSTS (zeroed before the first call) up to date with PATH.  Lines that are no
 * "ADDRESS NAME..." are skipped; a file that cannot be read is empty. */
void hosts_refresh(struct hosts *hosts, const char *path);
/* NULL when there is none. */
const struct hosts_entry *hosts_by_name(const struct hosts *hosts, struct view name);
const char *hosts_name_of(const struct hosts *hosts, const struct net_address *address);
void hosts_done(struct hosts *hosts);

#endif
