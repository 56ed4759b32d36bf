/* SPDX-License-Identifier: MIT */
/* The tables that the administrator has named. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"
#include "conf/logical_line.h"
#include "conf/master_cf.h"
#include "map/map_private.h"
#include "proxymap/proxymap.h"

struct approved {
    const struct conf *conf;
    struct htab *tables; /* "unix:passwd.byname" -> itself */
};

static void add(struct approved *approved, struct view table)
{
    (void)htab_put(approved->tables, table, approved);
}

/* What does not begin with "proxy:" is in the list because the values of whole
 * parameters are. */
struct approved *approved_new(const struct conf *conf, const char *list)
{
    struct approved *approved = xcalloc(1, sizeof(*approved));
    approved->conf = conf;
    approved->tables = htab_new();
    const struct view prefix = VIEW("proxy:");
    struct view rest = view_cstr(list);
    struct view word;
    /* Braces hold restrictions with options, and tables made of tables. */
    while (view_next_word(&rest, ", \t\r\n{}", &word)) {
        if (view_starts(word, prefix)) {
            add(approved, view_from(word, prefix.len));
        }
    }
    return approved;
}

void approved_free(struct approved **approved)
{
    if (*approved != NULL) {
        htab_free(&(*approved)->tables, NULL);
        free(*approved);
        *approved = NULL;
    }
}

bool approved_has(const struct approved *approved, struct view table)
{
    return htab_get(approved->tables, table) != NULL;
}

/* --- tables that are carried ------------------------------------------------- */

static void add_carried_of(struct approved *approved, const char *value)
{
    struct view rest = view_cstr(value);
    struct view word;
    while (view_next_word(&rest, ", \t\r\n{}", &word)) {
        size_t colon = view_index(word, ':');
        /* "!type:name" in lists. */
        size_t marks = 0;
        while (marks < colon && word.ptr[marks] == '!') {
            marks++;
        }
        struct view type = view_from(view_first(word, colon), marks);
        if (colon + 1 < word.len && map_type_blocks(type)) {
            add(approved, view_from(word, marks));
        }
    }
}

/* Every name that main.cf sets: restriction classes and kin are among them. */
static void add_main_cf(struct approved *approved)
{
    struct logical_line reader = {.rest = conf_text(approved->conf)};
    while (logical_line_next(&reader)) {
        struct view line = str_view(&reader.text);
        char *name = xviewdup(view_trim(view_first(line, view_index(line, '='))));
        const char *value = conf_lookup(approved->conf, name);
        free(name);
        if (value != NULL) {
            add_carried_of(approved, value);
        }
    }
    logical_line_done(&reader);
}

static void add_options(struct approved *approved, const struct master_entry *entry)
{
    STR_AUTO struct str value = {0};
    for (int i = 0; i < entry->option_count; i++) {
        struct err err = {0};
        str_clear(&value);
        if (conf_expand(approved->conf, entry->options[i].value, &value, &err) == OK) {
            add_carried_of(approved, str_ptr(&value));
        }
    }
}

/* "-o name=value" of all services. */
static void add_master_cf(struct approved *approved)
{
    struct master_cf cf = {0};
    struct err err = {0};
    if (master_cf_read(conf_directory(approved->conf), &cf, &err) != OK) {
        /* Somebody is editing it, or we may not read it. */
        log_warning("tables that only master.cf names are not served: %s", err.text);
    }
    for (int i = 0; i < cf.count; i++) {
        add_options(approved, &cf.entries[i]);
    }
    master_cf_done(&cf);
}

void approved_add_carried(struct approved *approved)
{
    add_main_cf(approved);
    add_master_cf(approved);
}
