/* SPDX-License-Identifier: MIT */
/*
 * The directories of a mail system: made when missing, owners and modes looked at
 * (check) or put right (set-permissions).  One table says how they must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/postfix_command.h"
#include "sys/file.h"

static const struct {
    const char *name;
    mode_t mode;
    bool mail_owner; /* else root */
    bool setgid_group;
} queue_directories[] = {
    {"", 0755, false, false},        {"active", 0700, true, false},
    {"bounce", 0700, true, false},   {"corrupt", 0700, true, false},
    {"defer", 0700, true, false},    {"deferred", 0700, true, false},
    {"flush", 0700, true, false},    {"hold", 0700, true, false},
    {"incoming", 0700, true, false}, {"maildrop", 01730, true, true},
    {"pid", 0755, false, false},     {"private", 0700, true, false},
    {"public", 02710, true, true},   {"saved", 0700, true, false},
    {"trace", 0700, true, false},
};

struct owners {
    uid_t mail_owner;
    gid_t mail_group, setgid_group;
    bool root; /* else everything belongs to the caller */
};

static struct owners find_owners(const struct control *control)
{
    struct owners owners = {.root = geteuid() == 0};
    if (!owners.root) {
        owners.mail_owner = geteuid();
        owners.mail_group = owners.setgid_group = getegid();
        return owners;
    }
    const char *user_name = conf_str(control->conf, P_mail_owner);
    const char *group_name = conf_str(control->conf, P_setgid_group);
    const struct passwd *user = getpwnam(user_name);
    const struct group *group = getgrnam(group_name);
    if (user == NULL) {
        script_fatal("mail_owner = %s: no such user", user_name);
    }
    if (group == NULL) {
        script_fatal("setgid_group = %s: no such group", group_name);
    }
    owners.mail_owner = user->pw_uid;
    owners.mail_group = user->pw_gid;
    owners.setgid_group = group->gr_gid;
    return owners;
}

static bool put_right(const char *path, size_t i, const struct owners *owners)
{
    bool mine = queue_directories[i].mail_owner;
    uid_t uid = mine ? owners->mail_owner : 0;
    gid_t gid = queue_directories[i].setgid_group ? owners->setgid_group
                : mine                            ? owners->mail_group
                                                  : 0;
    if (owners->root && chown(path, uid, gid) != 0) {
        return false;
    }
    /* Without root nobody else takes part: the group bits would mean nothing. */
    mode_t mode = owners->root ? queue_directories[i].mode : 0700;
    return chmod(path, mode) == 0;
}

static bool make_queue_directory(const struct control *control, size_t i,
                                 const struct owners *owners)
{
    STR_AUTO struct str path = {0};
    str_printf(&path, "%s%s%s", control->queue_directory,
               queue_directories[i].name[0] != '\0' ? "/" : "",
               queue_directories[i].name);
    struct stat st;
    if (stat(str_ptr(&path), &st) == 0) {
        return true;
    }
    bool made = i == 0 ? file_make_dirs(str_ptr(&path), 0755)
                       : mkdir(str_ptr(&path), 0700) == 0;
    if (!made || !put_right(str_ptr(&path), i, owners)) {
        script_warning("cannot make directory %s: %s", str_ptr(&path), strerror(errno));
        return false;
    }
    return true;
}

bool check_make_directories(const struct control *control)
{
    struct owners owners = find_owners(control);
    const char *data = conf_str(control->conf, P_data_directory);
    struct stat st;
    for (size_t i = 0; i < ARRAY_SIZE(queue_directories); i++) {
        if (!make_queue_directory(control, i, &owners)) {
            return false;
        }
    }
    if (stat(data, &st) != 0 &&
        (!file_make_dirs(data, 0700) ||
         (owners.root && chown(data, owners.mail_owner, owners.mail_group) != 0))) {
        script_warning("cannot make directory %s: %s", data, strerror(errno));
        return false;
    }
    return true;
}

/* --- warnings ------------------------------------------------------------------- */

static void warn_about_queue(const struct control *control, const struct owners *owners)
{
    STR_AUTO struct str path = {0};
    for (size_t i = 0; i < ARRAY_SIZE(queue_directories); i++) {
        struct stat st;
        str_clear(&path);
        str_printf(&path, "%s%s%s", control->queue_directory,
                   queue_directories[i].name[0] != '\0' ? "/" : "",
                   queue_directories[i].name);
        if (stat(str_ptr(&path), &st) != 0) {
            continue;
        }
        uid_t wanted = queue_directories[i].mail_owner ? owners->mail_owner : 0;
        if (st.st_uid != wanted) {
            script_warning("not owned by %s: %s",
                           queue_directories[i].mail_owner
                               ? conf_str(control->conf, P_mail_owner)
                               : "root",
                           str_ptr(&path));
        }
        mode_t writable =
            queue_directories[i].setgid_group ? S_IWOTH : S_IWGRP | S_IWOTH;
        if ((st.st_mode & writable) != 0 &&
            strcmp(queue_directories[i].name, "maildrop") != 0) {
            script_warning("group or other writable: %s", str_ptr(&path));
        }
    }
}

/* Files below TOP (listed as TOP/./name, as find(1) would): owner and write bits. */
static void warn_about_tree(const char *top, uid_t owner, const char *owner_name)
{
    char *start = xasprintf("%s/.", top);
    char *const tops[] = {start, NULL};
    FTS *tree = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *entry = NULL;
    while (tree != NULL && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_DP || entry->fts_info == FTS_SL ||
            entry->fts_statp == NULL || entry->fts_info == FTS_NS) {
            continue;
        }
        if (entry->fts_statp->st_uid != owner) {
            script_warning("not owned by %s: %s", owner_name, entry->fts_path);
        }
        if ((entry->fts_statp->st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
            !S_ISSOCK(entry->fts_statp->st_mode)) {
            script_warning("group or other writable: %s", entry->fts_path);
        }
    }
    if (tree != NULL) {
        (void)fts_close(tree);
    }
    free(start);
}

void check_permissions(const struct control *control)
{
    struct owners owners = find_owners(control);
    if (!owners.root) {
        return; /* one user owns all of it */
    }
    warn_about_tree(control->config_directory, 0, "root");
    warn_about_tree(conf_str(control->conf, P_data_directory), owners.mail_owner,
                    conf_str(control->conf, P_mail_owner));
    warn_about_queue(control, &owners);
}

/* --- set-permissions ---------------------------------------------------------------
 */

static bool set_group_bit(const struct control *control, const struct owners *owners,
                          const char *command)
{
    STR_AUTO struct str path = {0};
    str_printf(&path, "%s/%s", conf_str(control->conf, P_command_directory), command);
    /* chown clears the bit, so it comes first. */
    if (chown(str_ptr(&path), 0, owners->setgid_group) != 0 ||
        chmod(str_ptr(&path), 02755) != 0) {
        script_warning("cannot set owner and mode of %s: %s", str_ptr(&path),
                       strerror(errno));
        return false;
    }
    return true;
}

bool check_set_permissions(const struct control *control)
{
    static const char *const set_gid[] = {"postdrop", "postqueue", "postlog"};
    struct owners owners = find_owners(control);
    if (!owners.root) {
        script_warning(
            "set-permissions: without root everything belongs to the caller");
        return false;
    }
    bool good = true;
    STR_AUTO struct str path = {0};
    for (size_t i = 0; i < ARRAY_SIZE(queue_directories); i++) {
        str_clear(&path);
        str_printf(&path, "%s/%s", control->queue_directory, queue_directories[i].name);
        if (!put_right(str_ptr(&path), i, &owners)) {
            script_warning("cannot set owner and mode of %s: %s", str_ptr(&path),
                           strerror(errno));
            good = false;
        }
    }
    const char *data = conf_str(control->conf, P_data_directory);
    if (chown(data, owners.mail_owner, owners.mail_group) != 0 ||
        chmod(data, 0700) != 0) {
        script_warning("cannot set owner and mode of %s: %s", data, strerror(errno));
        good = false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(set_gid); i++) {
        good = set_group_bit(control, &owners, set_gid[i]) && good;
    }
    return good;
}
