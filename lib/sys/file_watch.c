/* SPDX-License-Identifier: MIT */
/*
 * What is watched are directory entries, not files: a file is replaced by renaming
 * another one over it, which its own descriptor never notices.
 */
#include "sys/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/str.h"
#include "sys/clock.h"
#include "sys/file.h"

enum {
    LINKS_MOST = 40, /* as the kernel has it */
    SETTLED = CLOCK_SECOND,
    LOOK_EVERY = CLOCK_SECOND,
    EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO
};

/* One name in one directory. */
struct entry {
    int directory; /* inotify's number; -1: looked at by stat() */
    char *name;
    char *path;
    struct stat seen;
};

struct file_watch {
    int fd; /* -1: no inotify */
    struct entry *entries;
    size_t count;
    int64_t changed; /* when the last change was noticed; 0: none */
    int64_t looked;
};

struct file_watch *file_watch_new(void)
{
    struct file_watch *watch = xcalloc(1, sizeof(*watch));
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return watch;
}

void file_watch_free(struct file_watch **watch)
{
    struct file_watch *old = *watch;
    if (old == NULL) {
        return;
    }
    for (size_t i = 0; i < old->count; i++) {
        free(old->entries[i].name);
        free(old->entries[i].path);
    }
    fd_close(&old->fd);
    free(old->entries);
    free(old);
    *watch = NULL;
}

int file_watch_fd(const struct file_watch *watch)
{
    return watch->fd;
}

/* --- adding ------------------------------------------------------------------- */

static void look_at(const char *path, struct stat *out)
{
    if (stat(path, out) != 0) {
        memset(out, 0, sizeof(*out));
    }
}

/* DIRECTORY is "" for the present one, else it ends with a slash. */
static void add_entry(struct file_watch *watch, const char *directory, const char *name)
{
    const char *place = *directory != '\0' ? directory : ".";
    struct entry entry = {.directory = -1};
    entry.path = xasprintf("%s%s", directory, name);
    for (size_t i = 0; i < watch->count; i++) {
        if (strcmp(watch->entries[i].path, entry.path) == 0) {
            free(entry.path);
            return;
        }
    }
    if (watch->fd >= 0) {
        entry.directory = inotify_add_watch(watch->fd, place, EVENTS | IN_ONLYDIR);
    }
    entry.name = xstrdup(name);
    look_at(entry.path, &entry.seen);
    watch->entries =
        xreallocarray(watch->entries, watch->count + 1, sizeof(*watch->entries));
    watch->entries[watch->count++] = entry;
}

/* Where the link DIRECTORY NAME points to, in TARGET; false: it is no link. */
static bool read_link(const struct str *directory, const char *name, char *target)
{
    char *path = xasprintf("%s%s", str_ptr(directory), name);
    ssize_t len = readlink(path, target, PATH_MAX - 1);
    free(path);
    target[len > 0 ? len : 0] = '\0';
    return len > 0;
}

/* REST is still to be walked from DIRECTORY on. */
struct walk {
    struct file_watch *watch;
    struct str directory, rest;
    int links;
};

/* The next component; false at the end. */
static bool walk_on(struct walk *walk)
{
    char target[PATH_MAX];
    struct view rest = str_view(&walk->rest);
    struct view name;
    if (rest.len > 0 && rest.ptr[0] == '/') {
        str_set_cstr(&walk->directory, "/");
    }
    if (!view_next_word(&rest, "/", &name)) {
        return false;
    }
    char *component = xviewdup(name);
    char *after = xviewdup(rest);
    bool last = strspn(after, "/") == strlen(after);
    bool link =
        walk->links < LINKS_MOST && read_link(&walk->directory, component, target);
    if (link || last) {
        add_entry(walk->watch, str_ptr(&walk->directory), component);
    }
    str_clear(&walk->rest);
    if (link) {
        walk->links++;
        str_printf(&walk->rest, "%s/%s", target, after);
    } else {
        str_printf(&walk->directory, "%s/", component);
        str_add_cstr(&walk->rest, after + strspn(after, "/"));
    }
    free(component);
    free(after);
    return link || !last;
}

void file_watch_add(struct file_watch *watch, const char *path)
{
    CHECK(*path != '\0');
    struct walk walk = {.watch = watch};
    str_set_cstr(&walk.rest, path);
    while (walk_on(&walk)) {
        continue;
    }
    str_done(&walk.directory);
    str_done(&walk.rest);
}

/* --- noticing ------------------------------------------------------------------ */

static bool is_watched(const struct file_watch *watch,
                       const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        return true; /* nobody knows what was lost */
    }
    for (size_t i = 0; i < watch->count; i++) {
        const struct entry *entry = &watch->entries[i];
        if (entry->directory == event->wd && event->len > 0 &&
            strcmp(entry->name, event->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_events(struct file_watch *watch)
{
    _Alignas(struct inotify_event) char buffer[4096];
    bool found = false;
    ssize_t got;
    while ((got = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        const char *at = buffer;
        while (at < buffer + got) {
            const struct inotify_event *event = (const void *)at;
            found = is_watched(watch, event) || found;
            at += sizeof(*event) + event->len;
        }
    }
    return found;
}

static bool differs(const struct stat *a, const struct stat *b)
{
    return a->st_dev != b->st_dev || a->st_ino != b->st_ino ||
           a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* Entries without notices.  One that cannot be looked at (any more) stays as it was. */
static bool look_at_entries(struct file_watch *watch, int64_t now)
{
    bool found = false;
    if (now - watch->looked < LOOK_EVERY) {
        return false;
    }
    watch->looked = now;
    for (size_t i = 0; i < watch->count; i++) {
        struct entry *entry = &watch->entries[i];
        struct stat st;
        if (entry->directory < 0 && stat(entry->path, &st) == 0 &&
            differs(&st, &entry->seen)) {
            entry->seen = st;
            found = true;
        }
    }
    return found;
}

bool file_watch_changed(struct file_watch *watch)
{
    int64_t now = clock_now();
    bool noticed = watch->fd >= 0 && read_events(watch);
    noticed = look_at_entries(watch, now) || noticed;
    if (noticed) {
        watch->changed = now;
    }
    return watch->changed != 0 && now - watch->changed >= SETTLED;
}
