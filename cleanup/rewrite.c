/* SPDX-License-Identifier: MIT */
/*
 * One address: completed (route_rewrite), mapped by the canonical tables that
 * serve its place, masqueraded.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/header_address.h"

void rewrite_complete(struct message *message, struct view address, struct str *out)
{
    route_rewrite(message->settings->route, false, address, out);
}

void rewrite_lookup_failed(struct message *message, const char *table,
                           struct view address)
{
    log_warning("%s: %s map lookup problem for %.*s -- message not accepted, "
                "try again later",
                message->id, table, VIEW_ARG(address));
    message_fail(message, SUBMIT_LOOKUP_ERROR, "4.3.0", "table lookup problem");
}

unsigned rewrite_lookup_flags(struct message *message, struct view address)
{
    struct address_parts parts = address_split(address);
    unsigned flags = MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN;
    if (!parts.has_domain || route_is_local_domain(message->settings->route,
                                                   parts.domain, NULL) == MAP_FOUND) {
        flags |= MAPS_ADDRESS_LOCALPART;
    }
    return flags;
}

/* --- right-hand sides ------------------------------------------------------------- */

/* "@other.example" stands for the same user there; EXTENSION comes back behind the
 * user. */
static struct view complete_result(struct message *message, struct view address,
                                   struct view result, struct view extension)
{
    STR_AUTO struct str text = {0};
    STR_AUTO struct str completed = {0};
    struct address_parts parts = address_split(result);
    if (parts.has_domain && parts.local.len == 0) {
        parts.local = address_split(address).local;
        extension = view_of("", 0);
    }
    str_add(&text, parts.local);
    str_add(&text, extension);
    if (parts.has_domain) {
        str_add_byte(&text, '@');
        str_add(&text, parts.domain);
    }
    rewrite_complete(message, str_view(&text), &completed);
    return arena_view(&message->arena, str_view(&completed));
}

bool rewrite_result(struct message *message, const char *table, struct view address,
                    struct view text, struct view extension,
                    struct view **addresses_out, size_t *count_out)
{
    struct header_addresses list;
    size_t count = 0;
    header_addresses_parse(&message->arena, text, SIZE_MAX, &list);
    *addresses_out =
        arena_alloc(&message->arena, (list.count + 1) * sizeof(**addresses_out));
    for (size_t i = 0; i < list.count; i++) {
        if (list.parts[i].is_address && list.parts[i].address.len > 0) {
            (*addresses_out)[count++] =
                complete_result(message, address, list.parts[i].address, extension);
        }
    }
    *count_out = count;
    if (count > 0) {
        return true;
    }
    log_warning("%s lookup of %.*s returns non-address result \"%.*s\"", table,
                VIEW_ARG(address), VIEW_ARG(text));
    rewrite_lookup_failed(message, table, address);
    return false;
}

/* --- canonical tables ------------------------------------------------------------- */

static bool map_canonical(struct message *message, struct maps *maps, const char *table,
                          struct str *address)
{
    struct err err = {0};
    STR_AUTO struct str value = {0};
    STR_AUTO struct str extension = {0};
    struct view *results;
    size_t count;
    switch (maps_find_address(maps, str_view(address), message->settings->delimiters,
                              rewrite_lookup_flags(message, str_view(address)), &value,
                              &extension, &err)) {
    case MAP_MISSING:
        return true;
    case MAP_ERROR:
        rewrite_lookup_failed(message, table, str_view(address));
        return false;
    case MAP_FOUND:
        break;
    }
    if (!message->settings->propagate_canonical) {
        str_clear(&extension);
    }
    if (!rewrite_result(message, table, str_view(address), str_view(&value),
                        str_view(&extension), &results, &count)) {
        return false;
    }
    if (count > 1) {
        log_warning("%s: multi-valued %s entry for %.*s", message->id, table,
                    VIEW_ARG(str_view(address)));
    }
    str_set(address, results[0]);
    return true;
}

static bool map_all_canonical(struct message *message, enum address_place place,
                              struct str *address)
{
    const struct settings *settings = message->settings;
    bool is_sender = place == PLACE_ENVELOPE_SENDER || place == PLACE_HEADER_SENDER;
    struct maps *first =
        is_sender ? settings->sender_canonical : settings->recipient_canonical;
    unsigned first_places = is_sender ? settings->sender_canonical_places
                                      : settings->recipient_canonical_places;
    const char *title =
        is_sender ? "sender_canonical_maps" : "recipient_canonical_maps";
    if (!maps_empty(first) && (first_places & place) != 0 &&
        !map_canonical(message, first, title, address)) {
        return false;
    }
    return maps_empty(settings->canonical) ||
           (settings->canonical_places & place) == 0 ||
           map_canonical(message, settings->canonical, "canonical_maps", address);
}

/* --- masquerading ----------------------------------------------------------------- */

static bool is_below(struct view domain, struct view parent)
{
    return domain.len > parent.len + 1 && view_ends_nocase(domain, parent) &&
           domain.ptr[domain.len - parent.len - 1] == '.';
}

static bool is_exempt(const struct conf *conf, struct view user)
{
    struct view rest = view_cstr(conf_str(conf, P_masquerade_exceptions));
    struct view name;
    while (conf_list_next(&rest, &name)) {
        if (view_equal_nocase(name, user)) {
            return true;
        }
    }
    return false;
}

/* masquerade_domains: hosts below a listed domain appear as the domain; "!domain" first
 * keeps what is in and below it. */
static void masquerade(struct message *message, struct str *address)
{
    const struct conf *conf = message->settings->conf;
    struct address_parts parts = address_split(str_view(address));
    if (!parts.has_domain || is_exempt(conf, parts.local)) {
        return;
    }
    struct view rest = view_cstr(conf_str(conf, P_masquerade_domains));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        bool keep = item.len > 0 && item.ptr[0] == '!';
        struct view domain = view_from(item, keep ? 1 : 0);
        if (!is_below(parts.domain, domain) &&
            !view_equal_nocase(parts.domain, domain)) {
            continue;
        }
        if (!keep) {
            str_truncate(address, address->len - parts.domain.len);
            str_add_lower(address, domain);
        }
        return;
    }
}

bool rewrite_map(struct message *message, enum address_place place, struct str *address)
{
    if (!map_all_canonical(message, place, address)) {
        return false;
    }
    if ((message->settings->masquerade_places & place) != 0) {
        masquerade(message, address);
    }
    return true;
}

bool rewrite_address(struct message *message, struct view address,
                     enum address_place place, bool remote, struct str *out)
{
    CHECK(address.len > 0);
    str_clear(out);
    route_rewrite(message->settings->route, remote, address, out);
    return (message->flags & SUBMIT_MAP) == 0 || rewrite_map(message, place, out);
}
