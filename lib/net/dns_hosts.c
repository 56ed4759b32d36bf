/* SPDX-License-Identifier: MIT */
/*
 * The hosts file, read by ourselves: the C library's way blocks, loads modules and
 * does not say which of its sources answered.
 */
#include "net/dns_hosts.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { HOSTS_MOST = 4 * 1024 * 1024, NAME_MOST = 255 };

bool file_stamp_renew(struct file_stamp *stamp, const char *path)
{
    int64_t now = clock_now();
    if (stamp->checked_at != 0 && now - stamp->checked_at < CLOCK_SECOND) {
        return false;
    }
    struct stat st;
    struct file_stamp found = {.checked_at = now};
    if (stat(path, &st) == 0) {
        found.device = st.st_dev;
        found.inode = st.st_ino;
        found.size = st.st_size;
        found.changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    bool same = stamp->checked_at != 0 && stamp->device == found.device &&
                stamp->inode == found.inode && stamp->size == found.size &&
                stamp->changed == found.changed;
    *stamp = found;
    return !same;
}

/* --- reading ------------------------------------------------------------------ */

/* NAME in lower case in BUFFER; the empty view when it is no host name. */
static struct view name_key(struct view name, char buffer[NAME_MOST])
{
    if (name.len > NAME_MOST) {
        return view_of("", 0);
    }
    for (size_t i = 0; i < name.len; i++) {
        buffer[i] = ascii_lower(name.ptr[i]);
    }
    return view_of(buffer, name.len);
}

static void add_name(struct hosts *hosts, struct view name,
                     const struct hosts_entry *line)
{
    char buffer[NAME_MOST];
    struct view key = name_key(name, buffer);
    if (key.len == 0) {
        return;
    }
    struct hosts_entry *last = NULL;
    struct hosts_entry *next = htab_get(hosts->by_name, key);
    for (unsigned count = 0; next != NULL; next = next->next) {
        last = next;
        if (++count == DNS_ANSWER_MAX ||
            net_address_equal(&next->address, &line->address)) {
            return;
        }
    }
    struct hosts_entry *entry = arena_alloc(&hosts->arena, sizeof(*entry));
    *entry = *line;
    if (last != NULL) {
        last->next = entry;
    } else {
        (void)htab_put(hosts->by_name, key, entry);
    }
}

static void add_line(struct hosts *hosts, struct view line)
{
    struct hosts_entry entry = {0};
    struct view rest = view_first(line, view_index(line, '#'));
    struct view word;
    if (!view_next_word(&rest, " \t\r", &word) ||
        !net_address_parse(word, 0, &entry.address) ||
        !view_next_word(&rest, " \t\r", &word)) {
        return;
    }
    entry.name = arena_cstr(&hosts->arena, word);

    char text[NET_ADDRESS_TEXT];
    net_address_text(&entry.address, text);
    if (htab_get(hosts->by_address, view_cstr(text)) == NULL) {
        struct hosts_entry *first = arena_alloc(&hosts->arena, sizeof(*first));
        *first = entry;
        (void)htab_put(hosts->by_address, view_cstr(text), first);
    }
    do {
        add_name(hosts, word, &entry);
    } while (view_next_word(&rest, " \t\r", &word));
}

static void forget(struct hosts *hosts)
{
    htab_free(&hosts->by_name, NULL);
    htab_free(&hosts->by_address, NULL);
    arena_clear(&hosts->arena);
}

void hosts_refresh(struct hosts *hosts, const char *path)
{
    if (!file_stamp_renew(&hosts->stamp, path) && hosts->by_name != NULL) {
        return;
    }
    STR_AUTO struct str text = {0};
    struct err err;
    if (file_read(path, HOSTS_MOST, &text, &err) != OK) {
        str_clear(&text);
        if (err.code != ENOENT) {
            log_warning("hosts file not used: %s", err.text);
        }
    }
    forget(hosts);
    hosts->by_name = htab_new();
    hosts->by_address = htab_new();
    struct view rest = str_view(&text);
    struct view line;
    while (view_next_word(&rest, "\n", &line)) {
        add_line(hosts, line);
    }
}

/* --- looking up ----------------------------------------------------------------- */

const struct hosts_entry *hosts_by_name(const struct hosts *hosts, struct view name)
{
    char buffer[NAME_MOST];
    struct view key = name_key(name, buffer);
    return key.len > 0 ? htab_get(hosts->by_name, key) : NULL;
}

const char *hosts_name_of(const struct hosts *hosts, const struct net_address *address)
{
    char text[NET_ADDRESS_TEXT];
    net_address_text(address, text);
    const struct hosts_entry *entry = htab_get(hosts->by_address, view_cstr(text));
    return entry != NULL ? entry->name : NULL;
}

void hosts_done(struct hosts *hosts)
{
    forget(hosts);
    *hosts = (struct hosts){0};
}
