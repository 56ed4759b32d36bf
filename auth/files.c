/* SPDX-License-Identifier: MIT */
/*
 * Permissions are the usual reason why logins do not work: saslpasswd2 makes its file
 * for root, saslauthd its directory for a group.
 */
#include "auth/files.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "sys/file.h"

enum { CONFIG_MOST = 256 * 1024 };
static const char DEFAULT_SASLDB[] = "/etc/sasldb2";
static const char DEFAULT_SASLAUTHD[] = "/var/run/saslauthd"; /* of the library */

/* --- the configuration ---------------------------------------------------------- */

static char *find_config(struct view path, struct view application,
                         struct timespec *changed)
{
    struct view directory;
    while (view_next_word(&path, ":", &directory)) {
        struct stat st;
        char *file =
            xasprintf("%.*s/%.*s.conf", VIEW_ARG(directory), VIEW_ARG(application));
        if (stat(file, &st) == 0) {
            *changed = st.st_mtim;
            return file;
        }
        free(file);
    }
    return NULL;
}

/* The value of "NAME: value", the last one; empty when TEXT has none. */
static struct view option(struct view text, const char *name)
{
    struct view found = view_of("", 0);
    struct view line;
    while (view_next_word(&text, "\n", &line)) {
        line = view_trim(line);
        size_t colon = view_index(line, ':');
        if (colon < line.len && line.ptr[0] != '#' &&
            view_equal_nocase_cstr(view_trim(view_first(line, colon)), name)) {
            found = view_trim(view_from(line, colon + 1));
        }
    }
    return found;
}

static bool has_word(struct view list, const char *word)
{
    struct view item;
    while (view_next_word(&list, " \t,", &item)) {
        if (view_equal_nocase_cstr(item, word)) {
            return true;
        }
    }
    return false;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 || errno != ENOENT;
}

/* PATH, or its twin below QUEUE when only that one is there. */
static char *place(const char *path, const char *queue)
{
    char *twin = xasprintf("%s%s", queue, path);
    if (!exists(path) && exists(twin)) {
        return twin;
    }
    free(twin);
    return xstrdup(path);
}

/* A bare "/var/run" is "/run" in a chroot as well as outside. */
static char *place_saslauthd(const char *path, const char *queue)
{
    const struct view var = VIEW("/var");
    char *found = place(path, queue);
    if (!exists(found) && view_starts(view_cstr(path), VIEW("/var/run/"))) {
        free(found);
        found = place(path + var.len, queue);
    }
    return found;
}

void auth_files_find(struct auth_files *files, struct view config_path,
                     struct view application, const char *queue)
{
    STR_AUTO struct str text = {0};
    struct err err = {0};
    *files = (struct auth_files){0};
    files->config = find_config(config_path, application, &files->changed);
    if (files->config != NULL) {
        /* What cannot be read is the library's to complain about. */
        (void)(file_read(files->config, CONFIG_MOST, &text, &err) == OK);
    }
    struct view methods = option(str_view(&text), "pwcheck_method");
    struct view plugins = option(str_view(&text), "auxprop_plugin");
    struct view sasldb = option(str_view(&text), "sasldb_path");
    struct view saslauthd = option(str_view(&text), "saslauthd_path");
    files->use_saslauthd = has_word(methods, "saslauthd");
    files->use_sasldb = (methods.len == 0 || has_word(methods, "auxprop")) &&
                        (plugins.len == 0 || has_word(plugins, "sasldb"));
    files->sasldb_named = sasldb.len > 0 ? xviewdup(sasldb) : xstrdup(DEFAULT_SASLDB);
    files->saslauthd_named = saslauthd.len > 0 ? xviewdup(saslauthd)
                                               : xasprintf("%s/mux", DEFAULT_SASLAUTHD);
    files->sasldb = place(files->sasldb_named, queue);
    files->saslauthd = place_saslauthd(files->saslauthd_named, queue);
}

void auth_files_done(struct auth_files *files)
{
    free(files->config);
    free(files->saslauthd);
    free(files->sasldb);
    free(files->saslauthd_named);
    free(files->sasldb_named);
    *files = (struct auth_files){0};
}

bool auth_files_changed(const struct auth_files *files)
{
    struct stat st;
    if (files->config == NULL) {
        return false;
    }
    return stat(files->config, &st) != 0 ||
           st.st_mtim.tv_sec != files->changed.tv_sec ||
           st.st_mtim.tv_nsec != files->changed.tv_nsec;
}

/* --- the diagnosis -------------------------------------------------------------- */

static void add_user(struct str *out)
{
    const struct passwd *user = getpwuid(geteuid());
    if (user != NULL) {
        str_printf(out, "user %s", user->pw_name);
    } else {
        str_printf(out, "user ID %ld", (long)geteuid());
    }
}

static void add_group_of(struct str *out, gid_t gid)
{
    const struct group *group = getgrgid(gid);
    if (group != NULL) {
        str_add_cstr(out, group->gr_name);
    } else {
        str_printf(out, "%ld", (long)gid);
    }
}

/* The first directory on the way to PATH that we may not pass; false: we may pass. */
static bool find_closed_directory(const char *path, struct str *directory,
                                  struct stat *st)
{
    for (const char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        str_set(directory, view_of(path, (size_t)(slash - path)));
        if (stat(str_ptr(directory), st) == 0 &&
            access(str_ptr(directory), X_OK) != 0) {
            return true;
        }
    }
    return false;
}

/* "user postfix may not ...". */
static void add_closed_directory(struct str *out, const char *path)
{
    STR_AUTO struct str directory = {0};
    struct stat st;
    if (!find_closed_directory(path, &directory, &st)) {
        return;
    }
    add_user(out);
    str_printf(out, " may not enter %s, where %s is; remedy: usermod -a -G ",
               str_ptr(&directory), path);
    add_group_of(out, st.st_gid);
    const struct passwd *user = getpwuid(geteuid());
    str_printf(out, " %s && postfix reload\n", user != NULL ? user->pw_name : "USER");
}

static void diagnose_sasldb(const char *path, struct str *out)
{
    if (access(path, R_OK) == 0) {
        return;
    }
    if (errno == ENOENT) {
        str_printf(out,
                   "%s does not exist; remedy: make users with \"saslpasswd2 -c -u "
                   "REALM USER\"\n",
                   path);
        return;
    }
    size_t before = out->len;
    add_closed_directory(out, path);
    if (out->len == before) {
        add_user(out);
        str_printf(out, " may not read %s; remedy: chgrp ", path);
        add_group_of(out, getegid());
        str_printf(out, " %s && chmod 640 %s\n", path, path);
    }
}

static void diagnose_saslauthd(const char *path, struct str *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        str_printf(out, "the path of saslauthd's socket is too long: %s\n", path);
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
        errno == EAGAIN) {
        return;
    }
    if (errno == ENOENT || errno == ECONNREFUSED) {
        str_printf(
            out,
            "saslauthd does not listen at %s (%s); remedy: start it, with \"-m\" "
            "and this directory, or set saslauthd_path\n",
            path, errno == ENOENT ? "no such file" : "connection refused");
        return;
    }
    size_t before = out->len;
    add_closed_directory(out, path);
    if (out->len == before) {
        add_user(out);
        str_printf(out,
                   " may not write to saslauthd's socket %s; remedy: chmod 777 %s\n",
                   path, path);
    }
}

static void diagnose_config(const char *path, struct str *out)
{
    if (access(path, R_OK) != 0) {
        add_user(out);
        str_printf(out, " may not read %s; remedy: chmod 644 %s\n", path, path);
    }
}

void auth_files_diagnose(const struct auth_files *files, struct str *out)
{
    CHECK(files->sasldb != NULL && files->saslauthd != NULL);
    if (files->config != NULL) {
        diagnose_config(files->config, out);
    }
    if (files->use_sasldb) {
        diagnose_sasldb(files->sasldb, out);
    }
    if (files->use_saslauthd) {
        diagnose_saslauthd(files->saslauthd, out);
    }
}
