/* SPDX-License-Identifier: MIT */
/* The service lines of master.cf as postconf sees them. */
#ifndef POSTCONF_SERVICES_H
#define POSTCONF_SERVICES_H

#include <stdbool.h>

#include "base/arena.h"
#include "conf/master_line.h"

struct services {
    struct arena arena;
    char *file;
    struct master_line *lines;
    int count;
};

/* Read DIRECTORY/master.cf.  A missing file is fatal, or with MAY_MISS a warning and an
 * empty list; a broken one is fatal. */
void services_read(const char *directory, bool may_miss, struct services *out);
void services_done(struct services *services);

/* "smtp", "smtp/inet", "smtp/inet/chroot", with "*" for any whole part. */
struct service_pattern {
    struct view parts[3];
    int count;
};
/* Slashes at the end do not count.  False when TEXT has none or more than MOST parts,
 * or a "*" inside a part. */
bool service_pattern_parse(struct view text, int most, struct service_pattern *out);
/* Parts that PATTERN does not have match anything. */
bool service_pattern_part(const struct service_pattern *pattern, int part,
                          struct view text);
bool service_pattern_matches(const struct service_pattern *pattern,
                             const struct master_line *line);

#endif
