/* SPDX-License-Identifier: MIT */
/*
 * Nobody of that name: fallback_transport(_maps), then luser_relay, whose value is
 * expanded for each recipient, then a bounce.
 */
#include <string.h>

#include "base/log.h"
#include "local/local.h"

static const char *lookup(void *context, const char *name)
{
    const struct node *node = context;
    struct arena *arena = node->tree->message->arena;
    const struct {
        const char *name;
        struct view value;
    } values[] = {
        {"user", node->user},         {"local", node->local_part},
        {"domain", node->domain},     {"extension", node->extension},
        {"recipient", node->address},
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (strcmp(name, values[i].name) == 0) {
            return values[i].value.len > 0 ? arena_cstr(arena, values[i].value) : NULL;
        }
    }
    if (strcmp(name, "recipient_delimiter") == 0 && node->extension.len > 0) {
        return arena_cstr(arena, view_of(node->extension.ptr - 1, 1));
    }
    return NULL; /* home and shell: an unknown user has none */
}

static bool relay_to_luser(struct node *node)
{
    struct local_message *message = node->tree->message;
    const char *luser = conf_raw(message->local->conf, P_luser_relay);
    STR_AUTO struct str expanded = {0};
    struct err err;
    if (luser[0] == '\0') {
        return false;
    }
    for (const struct node *above = node; above != NULL; above = above->parent) {
        if (above->origin == FROM_LUSER) {
            return false; /* luser_relay itself is unknown */
        }
    }
    if (conf_expand_with(luser, lookup, node, &expanded, &err) != OK) {
        log_warning("luser_relay: %s", err.text);
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
        return true;
    }
    expand_list(node, arena_view(message->arena, str_view(&expanded)), FROM_LUSER);
    return true;
}

void unknown_deliver(struct node *node)
{
    const struct local *local = node->tree->message->local;
    if (pass_to_maps(node, local->fallback_transport_maps,
                     conf_str(local->conf, P_fallback_transport))) {
        return;
    }
    if (relay_to_luser(node)) {
        return;
    }
    tree_failed(node, PERMFAIL, "5.1.1", "unknown user: \"%.*s\"",
                VIEW_ARG(node->user));
}
