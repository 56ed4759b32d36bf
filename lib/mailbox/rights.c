/* SPDX-License-Identifier: MIT */
#include "mailbox/rights.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

void rights_init(struct rights *rights, bool privileged)
{
    *rights = (struct rights){.privileged = privileged,
                              .accounts = account_cache_new(),
                              .own = {.uid = geteuid(), .gid = getegid()}};
}

void rights_done(struct rights *rights)
{
    CHECK(!rights->unsettled);
    account_cache_free(&rights->accounts);
}

static bool set_groups(struct rights *rights, const struct identity *identity)
{
    return identity->name != NULL
               ? account_set_groups(rights->accounts, identity->name, identity->gid)
               : setgroups(1, &identity->gid) == 0;
}

static bool same_rights(const struct identity *a, const struct identity *b)
{
    bool same_groups = a->name == NULL || b->name == NULL
                           ? a->name == b->name
                           : strcmp(a->name, b->name) == 0;
    return a->uid == b->uid && a->gid == b->gid && same_groups;
}

bool rights_assume(struct rights *rights, const struct identity *identity)
{
    if (!rights->privileged) {
        errno = EPERM;
        return identity->uid == geteuid();
    }
    if (rights->unsettled && same_rights(&rights->assumed, identity)) {
        return true;
    }
    if (seteuid(0) != 0) {
        return false;
    }
    if (set_groups(rights, identity) && setegid(identity->gid) == 0 &&
        seteuid(identity->uid) == 0) {
        rights->assumed = *identity;
        rights->unsettled = true;
        return true;
    }
    int saved_errno = errno;
    rights_restore(rights);
    errno = saved_errno;
    return false;
}

void rights_restore(struct rights *rights)
{
    const struct identity *own = &rights->own;
    if (!rights->privileged) {
        return;
    }
    int saved_errno = errno;
    /* Going on with the wrong rights is worse than ending. */
    if (seteuid(0) != 0 || setgroups(1, &own->gid) != 0 || setegid(own->gid) != 0 ||
        seteuid(own->uid) != 0) {
        log_fatal("cannot return to the rights of uid %ld: %m", (long)own->uid);
    }
    rights->unsettled = false;
    errno = saved_errno;
}

void rights_settle(struct rights *rights)
{
    if (rights->unsettled) {
        rights_restore(rights);
    }
}

bool rights_become(struct rights *rights, const struct identity *identity)
{
    if (getuid() != 0) {
        return identity->uid == getuid();
    }
    return seteuid(0) == 0 && set_groups(rights, identity) &&
           setgid(identity->gid) == 0 && setuid(identity->uid) == 0 &&
           (identity->uid == 0 || setuid(0) != 0);
}

void rights_kill(struct rights *rights, pid_t pid, int signal_number)
{
    bool raised = rights->privileged && seteuid(0) == 0;
    (void)kill(pid, signal_number); /* gone already: all the better */
    if (raised) {
        rights_restore(rights);
    }
}
