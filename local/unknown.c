/* SPDX-License-Identifier: MIT */
/*
 * Nobody of that name: fallback_transport(_maps), then luser_relay, whose value is
 * expanded for each recipient, then a bounce.
 */
#include <string.h>

#include "base/log.h"
#include "local/local.h"

/* luser_relay is one address.  What looks like a list, a command or a file is refused,
 * because names from outside are filled in. */
static bool is_address(const char *luser)
{
    return strpbrk(luser, ",\"\\<>|") == NULL && luser[0] != '/' && luser[0] != ':';
}

static bool came_from_luser(const struct node *node)
{
    for (; node != NULL; node = node->parent) {
        if (node->origin == FROM_LUSER) {
            return true;
        }
    }
    return false;
}

static void relay_to_luser(struct node *node, const char *luser)
{
    STR_AUTO struct str address = {0};
    struct err err;
    if (!is_address(luser)) {
        log_warning("luser_relay must be one address: %s", luser);
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
    } else if (names_expand(node, luser, NULL, &address, NULL, &err) != OK) {
        log_warning("luser_relay: %s", err.text);
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
    } else {
        /* In internal form: whatever the unknown name holds, it is part of a name. */
        expand_address(node, str_view(&address), false, FROM_LUSER);
    }
}

/* Addresses that must work, but whose mail nobody misses when they do not. */
static bool discard_required(struct node *node)
{
    const char *double_bounce =
        conf_str(node->tree->message->local->conf, P_double_bounce_sender);
    if (view_equal_nocase_cstr(node->user, double_bounce)) {
        tree_sent(node, node->address,
                  "undeliverable postmaster notification discarded");
        return true;
    }
    if (view_equal_cstr(node->user, "mailer-daemon") ||
        view_equal_cstr(node->user, "postmaster")) {
        log_warning("required alias not found: %.*s", VIEW_ARG(node->user));
        tree_sent(node, node->address, "discarded");
        return true;
    }
    return false;
}

void unknown_deliver(struct node *node)
{
    const struct local *local = node->tree->message->local;
    const char *luser = conf_raw(local->conf, P_luser_relay);
    if (pass_to_maps(node, local->fallback_transport_maps,
                     conf_str(local->conf, P_fallback_transport))) {
        return;
    }
    if (luser[0] != '\0' && !came_from_luser(node)) {
        relay_to_luser(node, luser);
        return;
    }
    if (luser[0] == '\0' && discard_required(node)) {
        return;
    }
    tree_failed(node, PERMFAIL, "5.1.1", "unknown user: \"%.*s\"",
                VIEW_ARG(node->user));
}
