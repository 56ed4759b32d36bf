/* SPDX-License-Identifier: MIT */
/*
 * aliases(5): the key is the local part, first with its address extension, then
 * without.  A name that is being expanded right above is not expanded again (so
 * "ann: ann, bob" delivers to ann herself); a longer circle is a loop.
 */
#include "base/log.h"
#include "local/local.h"

static bool equal_alias(const char *alias, struct view name)
{
    return alias != NULL && view_equal_cstr(name, alias);
}

/* Was NAME expanded somewhere above, not counting the request itself? */
static bool expanded_above(const struct node *node, struct view name)
{
    for (const struct node *above = node->parent;
         above != NULL && above->parent != NULL; above = above->parent) {
        if (equal_alias(above->alias, name)) {
            return true;
        }
    }
    return false;
}

struct alias_hit {
    struct str value;
    const struct map *map;
    struct map_origin origin;
};

static enum map_result find_alias(struct local *local, struct view name,
                                  struct alias_hit *hit, struct err *err)
{
    enum map_result result =
        maps_find(local->alias_maps, name, &hit->value, &hit->map, err);
    if (result == MAP_FOUND) {
        hit->origin = map_last_origin(hit->map);
    }
    return result;
}

static void unavailable(struct node *node)
{
    tree_failed(node, TEMPFAIL, "4.3.0", "alias database unavailable");
}

/* --- owner ----------------------------------------------------------------------- */

/*
 * A pattern that answers for every name answers for "owner-NAME" too: that echo of a
 * catch-all names no list owner (owner_alias_echo; docs/deviations.md).
 */
static bool is_echo(const struct local *local, const struct alias_hit *alias,
                    const struct alias_hit *owner)
{
    return !conf_bool(local->conf, P_owner_alias_echo) && owner->map == alias->map &&
           map_is_pattern(owner->map) && owner->origin.line == alias->origin.line;
}

/* expand_owner_alias: the owner's own address instead of the alias, if it is one. */
static struct view owner_address(const struct local *local, struct view name,
                                 struct view value)
{
    bool expand = conf_bool(local->conf, P_expand_owner_alias) &&
                  view_index(value, ',') == value.len;
    return expand ? view_trim(value) : name;
}

/* The sender becomes owner-NAME@origin where such an alias exists.  False: lookup
 * failed. */
static bool apply_owner(struct node *node, struct view name,
                        const struct alias_hit *alias)
{
    struct local_message *message = node->tree->message;
    struct local *local = message->local;
    struct alias_hit owner = {0};
    struct err err;
    STR_AUTO struct str key = {0};
    str_printf(&key, "owner-%.*s", VIEW_ARG(name));
    enum map_result result = find_alias(local, str_view(&key), &owner, &err);
    if (result == MAP_FOUND && !is_echo(local, alias, &owner)) {
        STR_AUTO struct str sender = {0};
        route_rewrite(local->route, false,
                      owner_address(local, str_view(&key), str_view(&owner.value)),
                      &sender);
        node->sender = arena_view(message->arena, str_view(&sender));
        node->owner_changed = true;
    }
    str_done(&owner.value);
    return result != MAP_ERROR;
}

/* --- expansion ------------------------------------------------------------------- */

static void use_rights_of_table(struct node *node, const struct map *map)
{
    const struct local *local = node->tree->message->local;
    uid_t owner = map_owner(map);
    node->has_identity = identity_of_list_owner(local, owner, &node->identity);
    node->reader = identity_of_reader(local, owner);
}

/* "+ext" of the address, when the alias was found without it. */
static struct view unmatched_extension(const struct node *node, struct view name)
{
    if (node->extension.len == 0 || name.len == node->local_part.len) {
        return VIEW("");
    }
    return view_of(node->extension.ptr - 1, node->extension.len + 1);
}

static void expand_members(struct node *node, struct view name,
                           const struct alias_hit *alias)
{
    if (expand_list(node, str_view(&alias->value), FROM_ALIAS) == 0) {
        log_warning("no recipient in alias lookup result for %.*s", VIEW_ARG(name));
        unavailable(node);
    }
}

static void expand_alias(struct node *node, struct view name,
                         const struct alias_hit *alias)
{
    if (expanded_above(node, name)) {
        log_warning("alias database loop for %.*s", VIEW_ARG(name));
        tree_failed(node, PERMFAIL, "5.4.6", "alias database loop for %.*s",
                    VIEW_ARG(name));
        return;
    }
    if (!apply_owner(node, name, alias)) {
        unavailable(node);
        return;
    }
    node->alias = arena_cstr(node->tree->message->arena, name);
    node->unmatched = unmatched_extension(node, name);
    use_rights_of_table(node, alias->map);
    expand_members(node, name, alias);
    /* Only now: inside itself it is a loop, which has to be told. */
    (void)tree_seen(node->tree, "alias", 0, node->local_part);
}

static bool try_name(struct node *node, struct view name)
{
    struct alias_hit hit = {0};
    struct err err;
    bool taken = true;
    /* Its own member: not an alias this time. */
    if (node->parent != NULL && equal_alias(node->parent->alias, name)) {
        return false;
    }
    switch (find_alias(node->tree->message->local, name, &hit, &err)) {
    case MAP_FOUND:
        expand_alias(node, name, &hit);
        break;
    case MAP_ERROR:
        unavailable(node);
        break;
    case MAP_MISSING:
        taken = false;
        break;
    }
    str_done(&hit.value);
    return taken;
}

bool alias_deliver(struct node *node)
{
    if (maps_empty(node->tree->message->local->alias_maps)) {
        return false;
    }
    bool own_member =
        node->parent != NULL && (equal_alias(node->parent->alias, node->local_part) ||
                                 equal_alias(node->parent->alias, node->user));
    /* What has been expanded to its end for this recipient gives nothing new. */
    if (!own_member && tree_knows(node->tree, "alias", 0, node->local_part)) {
        return true;
    }
    return try_name(node, node->local_part) ||
           (node->extension.len > 0 && try_name(node, node->user));
}
