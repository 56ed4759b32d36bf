/* SPDX-License-Identifier: MIT */
/*
 * The decision for one address that is delivered here, in local(8)'s order:
 * alias, then .forward and mailbox of a known user, then the unknown.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"

bool local_allows(const char *list, enum origin origin)
{
    static const char *const words[] = {"", "alias", "include", "forward", ""};
    struct view rest = view_cstr(list);
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, words[origin])) {
            return true;
        }
    }
    return false;
}

struct node recipient_node(struct tree *tree, struct node *parent, enum origin origin,
                           struct view address)
{
    struct arena *arena = tree->message->arena;
    struct node node = {.tree = tree,
                        .parent = parent,
                        .origin = origin,
                        .address = arena_view(arena, address),
                        .sender = tree->message->request->sender};
    if (parent != NULL) {
        node.sender = parent->sender;
        node.depth = parent->depth + 1;
        node.indirect = parent->indirect || parent->owner_changed;
    }
    struct address_parts parts = address_split(node.address);
    STR_AUTO struct str folded = {0};
    str_add_lower(&folded, parts.local);
    node.local_part = arena_view(arena, str_view(&folded));
    node.domain = parts.domain;
    node.user = node.local_part;
    (void)address_split_extension(node.local_part, tree->message->local->delimiters,
                                  &node.user, &node.extension);
    return node;
}

/* The account NAME; NULL with *ERROR set when the lookup itself failed. */
static const struct passwd *find_user(struct local *local, struct arena *arena,
                                      struct view name, int *error)
{
    const char *text = arena_cstr(arena, name);
    if (strlen(text) != name.len || name.len == 0) {
        return NULL; /* an embedded NUL is nobody's name */
    }
    const struct passwd *user = account_by_name(local->rights.accounts, text, error);
    if (user == NULL) {
        return NULL;
    }
    struct passwd *copy = arena_alloc(arena, sizeof(*copy));
    *copy = *user;
    copy->pw_name = arena_strdup(arena, user->pw_name);
    copy->pw_dir = arena_strdup(arena, user->pw_dir);
    copy->pw_shell = arena_strdup(arena, user->pw_shell);
    return copy;
}

/* The whole local part may be an account, or what stands before the extension. */
static const struct passwd *find_account(struct node *node, int *error)
{
    struct arena *arena = node->tree->message->arena;
    struct local *local = node->tree->message->local;
    const struct passwd *account = find_user(local, arena, node->local_part, error);
    if (account != NULL) {
        node->user = node->local_part;
        node->extension = VIEW("");
    } else if (*error == 0 && node->extension.len > 0) {
        account = find_user(local, arena, node->user, error);
    }
    return account;
}

static void use_rights_of(struct node *node, const struct passwd *account)
{
    node->account = account;
    node->identity = (struct identity){
        .uid = account->pw_uid, .gid = account->pw_gid, .name = account->pw_name};
    node->has_identity = true;
    node->reader = node->identity;
}

/* mailbox_transport takes known and unknown users alike, before any mailbox. */
static bool mailbox_transport(struct node *node)
{
    const struct local *local = node->tree->message->local;
    return pass_to_maps(node, local->mailbox_transport_maps,
                        conf_str(local->conf, P_mailbox_transport));
}

static void deliver_to_account(struct node *node)
{
    use_rights_of(node, node->account);
    if (!node->no_forward && forward_deliver(node)) {
        return;
    }
    if (tree_seen(node->tree, "mailbox", node->account->pw_uid,
                  view_cstr(node->account->pw_name))) {
        return;
    }
    if (!mailbox_transport(node)) {
        mailbox_deliver(node);
    }
}

/* Everything but an alias. */
static void deliver_to_name(struct node *node)
{
    int error = 0;
    if (node->indirect) {
        resend_add(node, node->address);
        return;
    }
    node->account = find_account(node, &error);
    if (error != 0) {
        tree_failed(node, TEMPFAIL, "4.3.0", "user lookup error: %s", strerror(error));
    } else if (node->account != NULL) {
        deliver_to_account(node);
    } else if (!mailbox_transport(node)) {
        unknown_deliver(node);
    }
}

void recipient_deliver(struct node *node)
{
    rights_settle(
        &node->tree->message->local->rights); /* tables are asked with our own rights */
    if (node->depth > LOCAL_MAX_DEPTH) {
        tree_failed(node, PERMFAIL, "5.4.6", "alias expansion is too deep");
    } else if (loop_found(node->tree->message, node->address)) {
        tree_failed(node, PERMFAIL, "5.4.6", "mail forwarding loop for %.*s",
                    VIEW_ARG(node->address));
    } else if (node->no_forward || !alias_deliver(node)) {
        deliver_to_name(node);
    }
}
