/* SPDX-License-Identifier: MIT */
/* Whose rights lists give to the files and commands in them. */
#include <pwd.h>

#include "base/log.h"
#include "local/local.h"

enum { NOBODYS_GROUP = 65534 };

static bool use_default_privs(const struct local *local, struct identity *out)
{
    const char *name = conf_str(local->conf, P_default_privs);
    const struct passwd *user = getpwnam(name);
    if (user == NULL || user->pw_uid == 0) {
        log_warning("default_privs: unknown or privileged user: %s", name);
        return false;
    }
    *out = (struct identity){.uid = user->pw_uid, .gid = user->pw_gid};
    return true;
}

/* An owner without an account belongs to no group. */
static struct identity of_uid(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    return (struct identity){.uid = uid,
                             .gid = user != NULL ? user->pw_gid : NOBODYS_GROUP};
}

bool identity_drop_root(const struct local *local, struct identity *identity)
{
    return !local->service->privileged || identity->uid != 0 ||
           use_default_privs(local, identity);
}

bool identity_of_list_owner(const struct local *local, uid_t owner,
                            struct identity *out)
{
    *out = local->service->privileged ? of_uid(owner) : local->rights.own;
    return identity_drop_root(local, out);
}

struct identity identity_of_reader(const struct local *local, uid_t owner)
{
    if (!local->service->privileged) {
        return local->rights.own;
    }
    return owner == 0 ? (struct identity){0} : of_uid(owner);
}
