/* SPDX-License-Identifier: MIT */
/*
 * The decision for one address that is delivered here, in local(8)'s order:
 * alias, then .forward and mailbox of a known user, then the unknown.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/log.h"
#include "local/local.h"

bool local_allows(const char *list, enum origin origin)
{
    static const char *const words[] = {"", "alias", "include", "forward", "alias"};
    struct view rest = view_cstr(list);
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, words[origin])) {
            return true;
        }
    }
    return false;
}

/* The account NAME; NULL with *FAILED set when the lookup itself failed. */
static const struct passwd *find_user(struct arena *arena, struct view name,
                                      bool *failed)
{
    const char *text = arena_cstr(arena, name);
    if (strlen(text) != name.len || name.len == 0) {
        return NULL; /* an embedded NUL is nobody's name */
    }
    errno = 0;
    const struct passwd *user = getpwnam(text);
    *failed = user == NULL && errno != 0 && errno != ENOENT && errno != ESRCH;
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

static void use_rights_of(struct node *node, const struct passwd *user)
{
    node->identity = (struct identity){
        .uid = user->pw_uid, .gid = user->pw_gid, .name = user->pw_name};
    node->has_identity = true;
}

/* mailbox_transport takes known and unknown users alike, before any mailbox. */
static bool mailbox_transport(struct node *node)
{
    const struct local *local = node->tree->message->local;
    return pass_to_maps(node, local->mailbox_transport_maps,
                        conf_str(local->conf, P_mailbox_transport));
}

void recipient_deliver(struct node *node)
{
    struct arena *arena = node->tree->message->arena;
    if (node->depth > LOCAL_MAX_DEPTH ||
        ++node->tree->expansions > LOCAL_MAX_EXPANSIONS) {
        tree_failed(node, PERMFAIL, "5.4.6",
                    "alias expansion is too large or too deep");
        return;
    }
    if (!node->no_forward && alias_deliver(node)) {
        return;
    }
    bool failed = false;
    const struct passwd *user = find_user(arena, node->local_part, &failed);
    if (user == NULL && !failed && node->extension.len > 0) {
        user = find_user(arena, node->user, &failed);
    } else if (user != NULL) {
        node->user = node->local_part; /* the whole name is an account */
        node->extension = VIEW("");
    }
    if (failed) {
        tree_failed(node, TEMPFAIL, "4.3.0", "user lookup error: %s", strerror(errno));
        return;
    }
    if (user != NULL) {
        use_rights_of(node, user);
        if (!node->no_forward && forward_deliver(node, user)) {
            return;
        }
    }
    if (mailbox_transport(node)) {
        return;
    }
    if (user == NULL) {
        unknown_deliver(node);
    } else {
        mailbox_deliver(node, user);
    }
}
