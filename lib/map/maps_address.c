/* SPDX-License-Identifier: MIT */
/*
 * Lookups of mail addresses: the address, the address without its extension, then
 * parts of it, from the most to the least specific.  Only the first question goes to
 * pattern tables, which see the whole address and decide for themselves.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "map/maps_private.h"

struct search {
    struct maps *maps;
    unsigned flags;
    struct view local, domain; /* of "local@domain" */
    struct view user;          /* local without extension */
    struct view extension;     /* "+ext", or empty */
    struct str question;
    struct str *value_out;
    struct err *err;
    enum { ASK_TABLES, ASK_TABLES_AND_NOTE, ASK_NOTES } mode;
};

/* --- extension --------------------------------------------------------------- */

/* Names that contain a delimiter and mean what they say. */
static bool is_unsplittable(const struct conf *conf, struct view local, char delimiter)
{
    if (view_equal_nocase_cstr(local, "mailer-daemon") ||
        view_equal_nocase_cstr(local, "postmaster") ||
        view_equal_nocase_cstr(local, conf_str(conf, P_double_bounce_sender))) {
        return true;
    }
    return delimiter == '-' && conf_bool(conf, P_owner_request_special) &&
           (view_starts_nocase(local, VIEW("owner-")) ||
            view_ends_nocase(local, VIEW("-request")));
}

static void split_extension(struct search *search, const char *delimiters)
{
    struct view local = search->local;
    size_t at = 0;
    while (at < local.len &&
           (local.ptr[at] == '\0' || strchr(delimiters, local.ptr[at]) == NULL)) {
        at++;
    }
    search->user = local;
    search->extension = view_of("", 0);
    if (at > 0 && at < local.len &&
        !is_unsplittable(maps_conf(search->maps), local, local.ptr[at])) {
        search->user = view_first(local, at);
        search->extension = view_from(local, at);
    }
}

/* --- questions --------------------------------------------------------------- */

static enum map_result ask_key(struct search *search, struct view key, bool partial)
{
    if (search->mode == ASK_NOTES) {
        return maps_remember(search->maps, key) ? MAP_FOUND : MAP_MISSING;
    }
    enum map_result result = maps_find_some(search->maps, key, partial,
                                            search->value_out, NULL, search->err);
    if (result == MAP_FOUND && search->mode == ASK_TABLES_AND_NOTE) {
        maps_note(search->maps, key);
    }
    return result;
}

static enum map_result ask(struct search *search, struct view before, const char *at,
                           struct view after)
{
    str_set(&search->question, before);
    str_add_cstr(&search->question, at);
    str_add(&search->question, after);
    return ask_key(search, str_view(&search->question), true);
}

/* "USER@DOMAIN" and, for USER with an extension, nothing else: the caller asks twice.
 */
static enum map_result ask_user(struct search *search, struct view user)
{
    enum map_result result = MAP_MISSING;
    if ((search->flags & MAPS_ADDRESS_LOCALPART) != 0) {
        result = ask(search, user, "", view_of("", 0));
    }
    return result;
}

static enum map_result ask_at_user(struct search *search, struct view user)
{
    enum map_result result = MAP_MISSING;
    if ((search->flags & MAPS_ADDRESS_AT_LOCALPART) != 0) {
        result = ask(search, user, "@", view_of("", 0));
    }
    return result;
}

static enum map_result ask_parents(struct search *search)
{
    bool dot = (search->flags & MAPS_ADDRESS_DOT_PARENTS) != 0;
    bool plain = (search->flags & MAPS_ADDRESS_PARENTS) != 0;
    struct view name = search->domain;
    enum map_result result = MAP_MISSING;
    if (name.len > 0 && name.ptr[0] == '[') {
        return MAP_MISSING; /* an address has no parent domain */
    }
    while ((dot || plain) && result == MAP_MISSING) {
        size_t next = view_index(name, '.');
        if (next >= name.len || next + 1 == name.len) {
            break;
        }
        struct view with_dot = view_from(name, next);
        name = view_from(name, next + 1);
        result = ask(search, dot ? with_dot : name, "", view_of("", 0));
    }
    return result;
}

static enum map_result ask_domain(struct search *search)
{
    enum map_result result = MAP_MISSING;
    if ((search->flags & MAPS_ADDRESS_DOMAIN) != 0) {
        result = ask(search, view_of("", 0), "@", search->domain);
    }
    if (result == MAP_MISSING && (search->flags & MAPS_ADDRESS_BARE_DOMAIN) != 0) {
        result = ask(search, search->domain, "", view_of("", 0));
        if (result == MAP_MISSING) {
            result = ask_parents(search);
        }
    }
    return result;
}

/* A question about the local part: first with, then without the extension. */
static enum map_result
ask_both(struct search *search,
         enum map_result (*question)(struct search *, struct view), bool *without_out)
{
    enum map_result result = question(search, search->local);
    if (result == MAP_MISSING && search->extension.len > 0) {
        result = question(search, search->user);
        *without_out = true;
    }
    return result;
}

/* All but the whole address.  *WITHOUT_OUT: the answer did not see the extension. */
static enum map_result ask_parts(struct search *search, bool has_domain,
                                 bool *without_out)
{
    enum map_result result = MAP_MISSING;
    *without_out = false;
    if ((search->flags & MAPS_ADDRESS_FULL) != 0 && search->extension.len > 0) {
        *without_out = true;
        result = ask(search, search->user, has_domain ? "@" : "", search->domain);
    }
    if (result == MAP_MISSING && has_domain) {
        *without_out = false;
        result = ask_both(search, ask_user, without_out);
    }
    if (result == MAP_MISSING && has_domain && search->domain.len > 0) {
        *without_out =
            false; /* such an entry is for all users: nothing is propagated */
        result = ask_domain(search);
    }
    if (result == MAP_MISSING) {
        *without_out = false;
        result = ask_both(search, ask_at_user, without_out);
    }
    return result;
}

/* *WITHOUT_OUT: the answer did not see the extension. */
static enum map_result ask_all(struct search *search, struct view address,
                               const char *delimiters, bool *without_out)
{
    enum map_result result = MAP_MISSING;
    *without_out = false;
    if ((search->flags & MAPS_ADDRESS_FULL) != 0) {
        result = ask_key(search, address, false);
    }
    if (result != MAP_MISSING) {
        return result;
    }
    size_t at = view_last_index(address, '@');
    bool has_domain = at < address.len;
    search->local = view_first(address, at);
    search->domain = view_from(address, at + 1);
    split_extension(search, delimiters);
    return ask_parts(search, has_domain, without_out);
}

enum map_result maps_find_address(struct maps *maps, struct view address,
                                  const char *delimiters, unsigned flags,
                                  struct str *value_out, struct str *extension_out,
                                  struct err *err)
{
    CHECK(delimiters != NULL);
    if (extension_out != NULL) {
        str_clear(extension_out);
    }
    str_clear(value_out);
    struct search search = {
        .maps = maps, .flags = flags, .value_out = value_out, .err = err};
    bool without;
    enum map_result result = ask_all(&search, address, delimiters, &without);
    if (result == MAP_FOUND && without && extension_out != NULL) {
        str_set(extension_out, search.extension);
    }
    str_done(&search.question);
    return result;
}

enum map_result maps_has_address(struct maps *maps, struct view address,
                                 const char *delimiters, unsigned flags,
                                 struct err *err)
{
    STR_AUTO struct str value = {0};
    struct search search = {.maps = maps,
                            .flags = flags,
                            .value_out = &value,
                            .err = err,
                            .mode = ASK_NOTES};
    bool without;
    enum map_result result = ask_all(&search, address, delimiters, &without);
    if (result == MAP_MISSING) {
        search.mode = ASK_TABLES_AND_NOTE;
        result = ask_all(&search, address, delimiters, &without);
    }
    str_done(&search.question);
    return result;
}
