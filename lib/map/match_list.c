/* SPDX-License-Identifier: MIT */
/*
 * Match lists: mynetworks, mydestination, relay_domains, debug_peer_list ...  The
 * first pattern that matches decides; "!" in front of it makes the decision "no".
 * "/file" stands for the patterns in that file, "type:table" for the table's keys.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "map/block_text.h"
#include "map/map.h"
#include "map/source.h"
#include "net/address.h"

enum item_kind { ITEM_WORD, ITEM_BLOCK, ITEM_TABLE, ITEM_BROKEN };

struct item {
    enum item_kind kind;
    bool negated;
    char *text; /* the pattern, or why it cannot be used */
    struct net_block block;
    struct map *table;
};

struct match_list {
    const struct conf *conf;
    char *title;
    enum match_kind kind;
    struct item *items;
    size_t count, capacity;
};

enum { MAX_FILE_DEPTH = 10 }; /* a file may name another one */

/* --- reading ----------------------------------------------------------------- */

static struct item *add_item(struct match_list *list, enum item_kind kind, bool negated)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : 8;
        list->items =
            xreallocarray(list->items, list->capacity, sizeof(list->items[0]));
    }
    struct item *item = &list->items[list->count++];
    *item = (struct item){.kind = kind, .negated = negated};
    return item;
}

/* A list with a mistake in it must not quietly mean something else: from this place
 * on every lookup fails, with this reason. */
static void add_broken(struct match_list *list, const char *reason)
{
    struct item *item = add_item(list, ITEM_BROKEN, false);
    item->text = xasprintf("%s: %s", list->title, reason);
}

/* "type:name", but not "[2001:db8::1]" or "[::1]/128". */
static bool is_table(struct view pattern)
{
    return pattern.ptr[0] != '[' && view_index(pattern, ':') < pattern.len;
}

/* An address or a network, well formed or not, as opposed to a host name. */
static bool is_block(struct view pattern)
{
    struct view address = view_first(pattern, view_index(pattern, '/'));
    if (address.len >= 2 && address.ptr[0] == '[') {
        address = view_of(address.ptr + 1, address.len - 2);
    }
    struct net_address parsed;
    return net_address_parse(address, 0, &parsed);
}

static void add_block(struct match_list *list, struct view pattern, bool negated)
{
    STR_AUTO struct str reason = {0};
    struct net_block block;
    if (!block_text_parse(pattern, &block, &reason)) {
        add_broken(list, str_ptr(&reason));
        return;
    }
    struct item *item = add_item(list, ITEM_BLOCK, negated);
    item->block = block;
    item->text = xviewdup(pattern);
}

/* Meant as an address, to all appearances. */
static bool looks_numeric(struct view pattern)
{
    size_t digits = 0;
    while (digits < pattern.len && (ascii_digit(pattern.ptr[digits]) ||
                                    strchr("./", pattern.ptr[digits]) != NULL)) {
        digits++;
    }
    return digits == pattern.len || pattern.ptr[0] == '[';
}

static void add_word(struct match_list *list, struct view pattern, bool negated)
{
    if (list->kind == MATCH_ADDRESS && looks_numeric(pattern)) {
        log_warning("%s: bad address pattern: \"%.*s\"", list->title,
                    VIEW_ARG(pattern));
    }
    struct item *item = add_item(list, ITEM_WORD, negated);
    item->text = xviewdup(pattern);
}

static void add_patterns(struct match_list *list, struct view patterns, bool negated,
                         int depth);

static void add_file(struct match_list *list, struct view name, bool negated, int depth)
{
    struct source source;
    struct err err = {0};
    char *path = xviewdup(name);
    if (depth >= MAX_FILE_DEPTH) {
        add_broken(list, "too many files within files");
    } else if (source_open(&source, path, &err) != OK) {
        char *reason = xasprintf("open file %s: %s", path, strerror(err.code));
        log_error("%s", reason);
        add_broken(list, reason);
        free(reason);
    } else {
        struct view line;
        int number;
        while (source_next(&source, &line, &number)) {
            add_patterns(list, line, negated, depth + 1);
        }
        if (source_failed(&source)) {
            add_broken(list, "cannot read all of a file of patterns");
        }
        source_done(&source);
    }
    free(path);
}

static void add_pattern(struct match_list *list, struct view pattern, bool negated,
                        int depth)
{
    while (pattern.len > 0 && pattern.ptr[0] == '!') {
        negated = !negated;
        pattern = view_trim(view_from(pattern, 1));
    }
    if (pattern.len == 0) {
        add_broken(list, "no pattern after '!'");
    } else if (pattern.ptr[0] == '/') {
        add_file(list, pattern, negated, depth);
    } else if (is_table(pattern)) {
        struct item *item = add_item(list, ITEM_TABLE, negated);
        item->table = map_open(list->conf, pattern, MAP_FOLD);
        item->text = xviewdup(pattern);
    } else if (list->kind == MATCH_ADDRESS && is_block(pattern)) {
        add_block(list, pattern, negated);
    } else {
        add_word(list, pattern, negated);
    }
}

static void add_patterns(struct match_list *list, struct view patterns, bool negated,
                         int depth)
{
    struct view pattern;
    while (conf_list_next(&patterns, &pattern)) {
        add_pattern(list, pattern, negated, depth);
    }
}

struct match_list *match_list_open(const struct conf *conf, const char *title,
                                   const char *list, enum match_kind kind)
{
    CHECK(conf != NULL && title != NULL && list != NULL);
    struct match_list *out = xcalloc(1, sizeof(*out));
    out->conf = conf;
    out->title = xstrdup(title);
    out->kind = kind;
    add_patterns(out, view_cstr(list), false, 0);
    return out;
}

void match_list_close(struct match_list **list)
{
    if (*list == NULL) {
        return;
    }
    for (size_t i = 0; i < (*list)->count; i++) {
        struct item *item = &(*list)->items[i];
        free(item->text);
        map_close(&item->table);
    }
    free((*list)->items);
    free((*list)->title);
    free(*list);
    *list = NULL;
}

bool match_list_changed(const struct match_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].table != NULL && map_changed(list->items[i].table)) {
            return true;
        }
    }
    return false;
}

/* --- matching ---------------------------------------------------------------- */

/* NAME is the domain DOMAIN, or, as KIND has it, below it. */
static bool domain_matches(struct view name, struct view domain, enum match_kind kind)
{
    if (view_equal_nocase(name, domain)) {
        return true;
    }
    if (name.len <= domain.len || !view_ends_nocase(name, domain)) {
        return false;
    }
    bool has_dot = domain.len > 0 && domain.ptr[0] == '.';
    if (kind == MATCH_DOMAIN_PARENTS) {
        return !has_dot && name.ptr[name.len - domain.len - 1] == '.';
    }
    return has_dot && kind != MATCH_STRING;
}

static enum map_result table_find(struct item *item, struct view key, struct err *err)
{
    STR_AUTO struct str value = {0};
    return map_find(item->table, key, &value, err);
}

/* NAME, then its parents: "parent" or ".parent". */
static enum map_result table_find_domain(struct item *item, struct view name,
                                         enum match_kind kind, struct err *err)
{
    enum map_result result = table_find(item, name, err);
    if (kind == MATCH_STRING || map_is_pattern(item->table)) {
        return result;
    }
    while (result == MAP_MISSING) {
        size_t dot = view_index(view_from(name, name.len > 0), '.') + 1;
        if (dot + 1 >= name.len) {
            break;
        }
        struct view parent = view_from(name, dot);
        name = view_from(name, dot + 1);
        result = table_find(item, kind == MATCH_DOMAIN_PARENTS ? name : parent, err);
    }
    return result;
}

static enum map_result table_matches(const struct match_list *list, struct item *item,
                                     struct view text, struct view name,
                                     struct err *err)
{
    enum map_result result = MAP_MISSING;
    if (list->kind != MATCH_ADDRESS) {
        result = table_find_domain(item, text, list->kind, err);
    } else {
        if (name.len > 0) {
            result = table_find_domain(item, name, MATCH_DOMAIN_PARENTS, err);
        }
        if (result == MAP_MISSING) {
            result = table_find(item, text, err);
        }
    }
    if (result == MAP_ERROR) {
        log_warning("%s: %s: table lookup problem", list->title, map_name(item->table));
    }
    return result;
}

static enum map_result item_matches(const struct match_list *list, struct item *item,
                                    struct view text, struct view name, struct err *err)
{
    bool hit = false;
    switch (item->kind) {
    case ITEM_BROKEN:
        log_warning("%s", item->text);
        (void)err_temp(err, "4.3.0", "%s", item->text);
        return MAP_ERROR;
    case ITEM_TABLE:
        return table_matches(list, item, text, name, err);
    case ITEM_BLOCK: {
        struct net_address address;
        hit = net_address_parse(text, 0, &address) &&
              net_block_contains(&item->block, &address);
        break;
    }
    case ITEM_WORD:
        hit = list->kind == MATCH_ADDRESS
                  ? name.len > 0 && domain_matches(name, view_cstr(item->text),
                                                   MATCH_DOMAIN_PARENTS)
                  : domain_matches(text, view_cstr(item->text), list->kind);
        break;
    }
    return hit ? MAP_FOUND : MAP_MISSING;
}

enum map_result match_list_find(struct match_list *list, struct view text,
                                struct view name, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct item *item = &list->items[i];
        enum map_result result = item_matches(list, item, text, name, err);
        if (result == MAP_FOUND) {
            return item->negated ? MAP_MISSING : MAP_FOUND;
        }
        if (result == MAP_ERROR) {
            return MAP_ERROR;
        }
    }
    return MAP_MISSING;
}
