/* SPDX-License-Identifier: MIT */
/*
 * The directories of a mail system: made when missing, put right on request
 * (set-permissions).  One table says how they must be.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/postfix_command.h"
#include "sys/file.h"
#include "sys/privilege.h"

static const struct {
    const char *name;
    mode_t mode;
    bool mail_owner; /* else root */
    bool setgid_group;
} table[] = {
    {"", 0755, false, false},        {"active", 0700, true, false},
    {"bounce", 0700, true, false},   {"corrupt", 0700, true, false},
    {"defer", 0700, true, false},    {"deferred", 0700, true, false},
    {"flush", 0700, true, false},    {"hold", 0700, true, false},
    {"incoming", 0700, true, false}, {"maildrop", 01730, true, true},
    {"pid", 0755, false, false},     {"private", 0700, true, false},
    {"public", 02710, true, true},   {"saved", 0700, true, false},
    {"trace", 0700, true, false},
};

struct owners owners_find(const struct control *control)
{
    struct err err;
    struct privilege_user user;
    struct owners owners = {.root = geteuid() == 0};
    if (!owners.root) {
        owners.mail_owner = geteuid();
        owners.mail_group = owners.setgid_group = getegid();
        return owners;
    }
    if (privilege_find_user(conf_str(control->conf, P_mail_owner), &user, &err) != OK) {
        log_fatal("file %s/main.cf: parameter mail_owner: %s",
                  control->config_directory, err.text);
    }
    if (privilege_find_group(conf_str(control->conf, P_setgid_group),
                             &owners.setgid_group, &err) != OK) {
        log_fatal("file %s/main.cf: parameter setgid_group: %s",
                  control->config_directory, err.text);
    }
    owners.mail_owner = user.uid;
    owners.mail_group = user.gid;
    return owners;
}

static char *directory_path(const struct control *control, size_t i)
{
    return xasprintf("%s%s%s", control->queue_directory,
                     table[i].name[0] != '\0' ? "/" : "", table[i].name);
}

static bool put_right(const char *path, size_t i, const struct owners *owners)
{
    uid_t uid = table[i].mail_owner ? owners->mail_owner : 0;
    gid_t gid = table[i].setgid_group ? owners->setgid_group
                : table[i].mail_owner ? owners->mail_group
                                      : 0;
    if (owners->root && chown(path, uid, gid) != 0) {
        return false;
    }
    /* Without root nobody else takes part: the group bits would mean nothing. */
    return chmod(path, owners->root ? table[i].mode : 0700) == 0;
}

static bool make_one(const struct control *control, size_t i,
                     const struct owners *owners)
{
    struct stat st;
    char *path = directory_path(control, i);
    bool good = stat(path, &st) == 0;
    if (!good) {
        bool made = table[i].name[0] == '\0' ? file_make_dirs(path, 0755)
                                             : mkdir(path, 0700) == 0;
        good = made && put_right(path, i, owners);
        if (!good) {
            log_error("cannot make directory %s: %m", path);
        }
    }
    free(path);
    return good;
}

static bool make_data_directory(const struct control *control,
                                const struct owners *owners)
{
    const char *data = conf_str(control->conf, P_data_directory);
    struct stat st;
    if (stat(data, &st) == 0) {
        return true;
    }
    /* Parents are not private: others may live beside us. */
    if (!file_make_dirs(data, 0755) || chmod(data, 0700) != 0 ||
        (owners->root && chown(data, owners->mail_owner, owners->mail_group) != 0)) {
        log_error("cannot make directory %s: %m", data);
        return false;
    }
    return true;
}

bool directories_make(const struct control *control)
{
    struct owners owners = owners_find(control);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (!make_one(control, i, &owners)) {
            return false;
        }
    }
    return make_data_directory(control, &owners);
}

/* --- set-permissions -------------------------------------------------------- */

static bool set_group_bit(const struct control *control, const struct owners *owners,
                          const char *command)
{
    char *path =
        xasprintf("%s/%s", conf_str(control->conf, P_command_directory), command);
    /* chown clears the bit, so it comes first. */
    bool good = chown(path, 0, owners->setgid_group) == 0 && chmod(path, 02755) == 0;
    if (!good) {
        log_error("cannot set owner and mode of %s: %m", path);
    }
    free(path);
    return good;
}

static bool set_data_directory(const struct control *control,
                               const struct owners *owners)
{
    const char *data = conf_str(control->conf, P_data_directory);
    if (chown(data, owners->mail_owner, owners->mail_group) != 0 ||
        chmod(data, 0700) != 0) {
        log_error("cannot set owner and mode of %s: %m", data);
        return false;
    }
    return true;
}

int directories_set_permissions(struct control *control)
{
    static const char *const set_gid[] = {"postdrop", "postqueue", "postlog"};
    control_need_config(control, false);
    struct owners owners = owners_find(control);
    if (!owners.root) {
        log_fatal("set-permissions needs root: without it all belongs to the caller");
    }
    bool good = directories_make(control);
    for (size_t i = 0; good && i < ARRAY_SIZE(table); i++) {
        char *path = directory_path(control, i);
        if (!put_right(path, i, &owners)) {
            log_error("cannot set owner and mode of %s: %m", path);
            good = false;
        }
        free(path);
    }
    good = good && set_data_directory(control, &owners);
    for (size_t i = 0; i < ARRAY_SIZE(set_gid); i++) {
        good = set_group_bit(control, &owners, set_gid[i]) && good;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
