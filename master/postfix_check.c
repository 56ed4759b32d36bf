/* SPDX-License-Identifier: MIT */
/*
 * postfix check: owners and modes that let somebody do what he should not.  Warns
 * in the words, and about the places, that administrators know; changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/postfix_command.h"
#include "sys/file.h"

enum { COPY_MOST = 1024 * 1024 };

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

typedef void check_function(const char *path, const struct stat *st,
                            const void *context);

/* Everything below DIRECTORY, named DIRECTORY/./NAME as find(1) would; links and
 * devices of other file systems are left out. */
static void for_each_below(const char *directory, check_function *check,
                           const void *context)
{
    char *start = xasprintf("%s/.", directory);
    char *const tops[] = {start, NULL};
    FTS *tree = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, by_name);
    const FTSENT *entry;
    while (tree != NULL && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_F) {
            check(entry->fts_path, entry->fts_statp, context);
        }
    }
    if (tree != NULL) {
        (void)fts_close(tree);
    }
    free(start);
}

struct owner {
    uid_t uid;
    const char *name;
};

static void check_owner(const char *path, const struct stat *st, const void *context)
{
    const struct owner *owner = context;
    if (st->st_uid != owner->uid) {
        log_warning("not owned by %s: %s", owner->name, path);
    }
}

static void check_writable(const char *path, const struct stat *st, const void *context)
{
    (void)context;
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        log_warning("group or other writable: %s", path);
    }
}

static void check_one(const char *path, check_function *check, const void *context)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        check(path, &st, context);
    }
}

/* What root relies on. */
static void check_roots_own(const struct control *control)
{
    static const struct owner root = {0, "root"};
    const char *trees[] = {control->config_directory,
                           conf_str(control->conf, P_daemon_directory)};
    char *queue = xasprintf("%s/.", control->queue_directory);
    char *pid = xasprintf("%s/%s", control->queue_directory,
                          conf_str(control->conf, P_process_id_directory));
    check_one(queue, check_owner, &root);
    check_one(pid, check_owner, &root);
    check_one(queue, check_writable, NULL);
    check_one(pid, check_writable, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
        for_each_below(trees[i], check_owner, &root);
    }
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
        for_each_below(trees[i], check_writable, NULL);
    }
    free(queue);
    free(pid);
}

/* Sockets in public/ and private/ too: their owner is who is listened to. */
static void check_entries(const char *directory, const struct owner *owner)
{
    struct dirent **names = NULL;
    int count = scandir(directory, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            char *path = xasprintf("%s/%s", directory, names[i]->d_name);
            check_one(path, check_owner, owner);
            free(path);
        }
        free(names[i]);
    }
    free(names);
}

static void check_queue(const struct control *control, const struct owner *owner)
{
    static const char *const directories[] = {
        "active",   "bounce",   "corrupt", "defer",  "deferred", "flush", "hold",
        "incoming", "maildrop", "private", "public", "saved",    "trace"};
    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        const char *name = directories[i];
        char *path = xasprintf("%s/%s", control->queue_directory, name);
        check_one(path, check_owner, owner);
        if (strcmp(name, "public") == 0 || strcmp(name, "private") == 0) {
            check_entries(path, owner);
        }
        free(path);
    }
}

/* --- set-gid ----------------------------------------------------------------- */

struct group {
    gid_t gid;
    const char *name;
};

static void check_group(const char *path, const struct stat *st, const void *context)
{
    const struct group *group = context;
    if (st->st_gid != group->gid) {
        log_warning("not owned by group %s: %s", group->name, path);
    }
}

static void check_set_gid(const char *path, const struct stat *st, const void *context)
{
    const struct group *group = context;
    if ((st->st_mode & 02111) != 02111 || st->st_gid != group->gid) {
        log_warning("not set-gid or not owner+group+world executable: %s", path);
    }
}

static void check_set_gid_group(const struct control *control,
                                const struct group *group)
{
    const char *commands = conf_str(control->conf, P_command_directory);
    char *public_directory = xasprintf("%s/public", control->queue_directory);
    char *maildrop = xasprintf("%s/maildrop", control->queue_directory);
    char *postqueue = xasprintf("%s/postqueue", commands);
    char *postdrop = xasprintf("%s/postdrop", commands);
    check_one(public_directory, check_group, group);
    check_one(maildrop, check_group, group);
    check_one(postqueue, check_set_gid, group);
    check_one(postdrop, check_set_gid, group);
    free(public_directory);
    free(maildrop);
    free(postqueue);
    free(postdrop);
}

/* --- copies for the chroot ----------------------------------------------------- */

static void check_copy(const char *path, const struct stat *st, const void *context)
{
    const struct control *control = context;
    STR_AUTO struct str copy = {0};
    STR_AUTO struct str original = {0};
    struct err err;
    /* QUEUE/./etc/hosts is the copy of /etc/hosts. */
    const char *place = path + strlen(control->queue_directory) + strlen("/etc/.");
    STR_AUTO struct str original_path = {0};
    str_printf(&original_path, "/etc%s", place);
    if (!S_ISREG(st->st_mode) || access(str_ptr(&original_path), F_OK) != 0) {
        return;
    }
    if (file_read(path, COPY_MOST, &copy, &err) != OK ||
        file_read(str_ptr(&original_path), COPY_MOST, &original, &err) != OK ||
        !view_equal(str_view(&copy), str_view(&original))) {
        log_warning("%s/etc%s and %s differ", control->queue_directory, place,
                    str_ptr(&original_path));
    }
}

static void check_copies(const struct control *control)
{
    struct stat st;
    char *etc = xasprintf("%s/etc", control->queue_directory);
    if (stat(etc, &st) == 0 && S_ISDIR(st.st_mode)) {
        for_each_below(etc, check_copy, control);
    }
    free(etc);
}

void check_permissions(const struct control *control)
{
    struct owners owners = owners_find(control);
    if (!owners.root) {
        return; /* all of it belongs to one user */
    }
    struct owner mail_owner = {owners.mail_owner,
                               conf_str(control->conf, P_mail_owner)};
    struct group group = {owners.setgid_group, conf_str(control->conf, P_setgid_group)};
    const char *data = conf_str(control->conf, P_data_directory);
    check_roots_own(control);
    for_each_below(data, check_owner, &mail_owner);
    for_each_below(data, check_writable, NULL);
    check_queue(control, &mail_owner);
    check_set_gid_group(control, &group);
    check_copies(control);
}
