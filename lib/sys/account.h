/* SPDX-License-Identifier: MIT */
/*
 * The system's accounts, remembered for a second: name services read files, or ask
 * other machines, for every question, and mail comes in bursts for the same users.
 * What was not found is asked for again each time.
 */
#ifndef SYS_ACCOUNT_H
#define SYS_ACCOUNT_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"

struct account_cache;
struct account_cache *account_cache_new(void);
void account_cache_free(struct account_cache **cache);
/* The account NAME, valid until the next call (without password and full name).  NULL:
 * there is none, or, with *ERROR_OUT an errno and not 0, nobody can tell now. */
const struct passwd *account_by_name(struct account_cache *cache, const char *name,
                                     int *error_out);
/* initgroups(3): the groups of NAME, and GID, become this process's supplementary
 * groups.  False with errno. */
NODISCARD bool account_set_groups(struct account_cache *cache, const char *name,
                                  gid_t gid);

#endif
