/* SPDX-License-Identifier: MIT */
/*
 * Virtual aliases.  An address that has an entry is replaced by the entry's
 * addresses, which are looked up in their turn.  An entry that contains the
 * address itself delivers to it; other loops, and alias sets without end, are
 * stopped by limits: the message is refused for now, so that it is there when
 * the tables have been mended.
 */
#include "base/log.h"
#include "cleanup/cleanup.h"

struct candidate {
    struct view address;
    int depth; /* entries that led to it */
    bool is_final;
};

struct expansion {
    struct message *message;
    struct view start;
    struct candidate *items;
    size_t count, capacity;
};

static const char TITLE[] = "virtual_alias_maps";

static bool give_up(struct expansion *expansion, const char *what)
{
    log_warning("%s: unreasonable %s map %s for %.*s -- message not accepted, "
                "try again later",
                expansion->message->id, TITLE, what, VIEW_ARG(expansion->start));
    message_fail(expansion->message, SUBMIT_ALIAS_ERROR, "4.6.0",
                 "Alias expansion error");
    return false;
}

static void add(struct expansion *expansion, const struct candidate *candidate)
{
    if (expansion->count == expansion->capacity) {
        size_t larger = expansion->capacity > 0 ? expansion->capacity * 2 : 8;
        struct candidate *items =
            arena_alloc(&expansion->message->arena, larger * sizeof(*items));
        if (expansion->count > 0) {
            memcpy(items, expansion->items, expansion->count * sizeof(*items));
        }
        expansion->items = items;
        expansion->capacity = larger;
    }
    expansion->items[expansion->count++] = *candidate;
}

/* Put the COUNT ADDRESSES of an entry in the place of item AT. */
static bool replace(struct expansion *expansion, size_t at,
                    const struct view *addresses, size_t count)
{
    const struct conf *conf = expansion->message->settings->conf;
    struct candidate old = expansion->items[at];
    size_t longest = (size_t)conf_int(conf, P_virtual_alias_address_length_limit);
    CHECK(count > 0 && at < expansion->count && !old.is_final);
    if (old.depth + 1 >= conf_int(conf, P_virtual_alias_recursion_limit)) {
        return give_up(expansion, "nesting");
    }
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].len > longest) {
            return give_up(expansion, "address length");
        }
        struct candidate next = {.address = addresses[i],
                                 .depth = old.depth + 1,
                                 .is_final =
                                     view_equal_nocase(addresses[i], old.address)};
        if (i == 0) {
            expansion->items[at] = next;
        } else {
            add(expansion, &next);
        }
    }
    size_t limit = (size_t)conf_int(conf, P_virtual_alias_expansion_limit);
    return expansion->count <= limit || give_up(expansion, "expansion size");
}

/* Look item AT up once; *FOUND_OUT tells whether it had an entry. */
static bool look_up(struct expansion *expansion, size_t at, bool *found_out)
{
    struct message *message = expansion->message;
    const struct settings *settings = message->settings;
    struct view address = expansion->items[at].address;
    struct err err = {0};
    STR_AUTO struct str value = {0};
    STR_AUTO struct str extension = {0};
    struct view *results;
    size_t count;
    *found_out = false;
    switch (maps_find_address(settings->virtual_alias, address, settings->delimiters,
                              rewrite_lookup_flags(message, address), &value,
                              &extension, &err)) {
    case MAP_MISSING:
        return true;
    case MAP_ERROR:
        rewrite_lookup_failed(message, TITLE, address);
        return false;
    case MAP_FOUND:
        break;
    }
    *found_out = true;
    if (!settings->propagate_virtual) {
        str_clear(&extension);
    }
    return rewrite_result(message, TITLE, address, str_view(&value),
                          str_view(&extension), &results, &count) &&
           replace(expansion, at, results, count);
}

bool alias_expand(struct message *message, struct view address,
                  struct view **addresses_out, size_t *count_out)
{
    struct expansion expansion = {.message = message, .start = address};
    CHECK(address.len > 0);
    struct candidate first = {.address = address};
    add(&expansion, &first);
    for (size_t at = 0; at < expansion.count;) {
        bool found = false;
        if (!expansion.items[at].is_final && !look_up(&expansion, at, &found)) {
            return false;
        }
        if (!found) {
            at++;
        }
    }
    struct view *addresses =
        arena_alloc(&message->arena, expansion.count * sizeof(*addresses));
    for (size_t i = 0; i < expansion.count; i++) {
        addresses[i] = expansion.items[i].address;
    }
    *addresses_out = addresses;
    *count_out = expansion.count;
    return true;
}
