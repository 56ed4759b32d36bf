/* SPDX-License-Identifier: MIT */
/*
 * The members of an alias, a .forward file or an :include: list: addresses,
 * "|command", /file/name and :include:/file/name.
 *
 * An address that is ours is expanded in place as long as it is an alias; whose mailbox
 * may be written in place depends on whose list it is.
 */
#include <string.h>

#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"

/* --- addresses ------------------------------------------------------------------- */

/* "ann" below ann's own .forward: her mailbox, whatever the extension. */
static bool is_own_forward(const struct node *node, struct view user)
{
    for (; node != NULL; node = node->parent) {
        if (node->forwarding && view_equal_nocase_cstr(user, node->account->pw_name)) {
            return true;
        }
    }
    return false;
}

/* propagate_unmatched_extensions: user+ext@domain. */
static void add_extension(const struct node *node, enum origin origin,
                          struct str *address)
{
    const struct conf *conf = node->tree->message->local->conf;
    if (node->unmatched.len == 0 ||
        !local_allows(conf_str(conf, P_propagate_unmatched_extensions), origin)) {
        return;
    }
    STR_AUTO struct str extended = {0};
    struct address_parts parts = address_split(str_view(address));
    str_add(&extended, parts.local);
    str_add(&extended, node->unmatched);
    if (parts.has_domain) {
        str_add_byte(&extended, '@');
        str_add(&extended, parts.domain);
    }
    str_set(address, str_view(&extended));
}

static void deliver_here(struct node *node, struct view address, bool escaped,
                         enum origin origin)
{
    struct node child = recipient_node(node->tree, node, origin, address);
    bool self = is_own_forward(node, child.user);
    if (self) {
        child.indirect = false;
    } else if (origin == FROM_FORWARD || origin == FROM_INCLUDE) {
        child.indirect = true;
    }
    child.no_forward = self || (escaped && !child.indirect);
    recipient_deliver(&child);
}

void expand_address(struct node *node, struct view address, bool escaped,
                    enum origin origin)
{
    struct local_message *message = node->tree->message;
    struct local *local = message->local;
    STR_AUTO struct str complete = {0};
    struct resolve_reply reply;
    route_rewrite(local->route, false, address, &complete);
    add_extension(node, origin, &complete);
    route_resolve(local->route, node->sender, str_view(&complete), message->arena,
                  &reply);
    if (reply.outcome != OK) {
        tree_failed(node, TEMPFAIL, "4.3.0", "address resolver failure");
    } else if (view_equal_cstr(reply.transport, local->service->name)) {
        deliver_here(node, reply.recipient, escaped, origin);
    } else {
        resend_add(node, reply.recipient);
    }
}

/* --- commands and files ---------------------------------------------------------- */

static bool has_rights(struct node *node)
{
    if (!node->has_identity) {
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
    }
    return node->has_identity;
}

static void expand_command(struct node *node, struct view command, enum origin origin)
{
    struct tree *tree = node->tree;
    const struct conf *conf = tree->message->local->conf;
    const char *text = arena_cstr(tree->message->arena, view_trim(command));
    const char *dsn = "";
    STR_AUTO struct str reason = {0};
    if (!local_allows(conf_str(conf, P_allow_mail_to_commands), origin)) {
        tree_failed(node, PERMFAIL, "5.7.1", "mail to command is restricted");
    } else if (tree_is_probe(tree)) {
        tree_sent(node, node->address, "delivers to command: %s", text);
    } else if (has_rights(node) &&
               !tree_seen(tree, "command", node->identity.uid, view_cstr(text))) {
        enum outcome outcome = command_run(node, text, &node->identity, &dsn, &reason);
        if (outcome == OK) {
            tree_sent(node, node->address, "delivered to command: %s", text);
        } else {
            tree_failed(node, outcome, dsn, "%s", str_ptr(&reason));
        }
    }
}

static void write_file(struct node *node, const char *path)
{
    struct err err;
    const struct store store = {
        .path = path, .user = &node->identity, .spooler = &node->identity};
    if (path[strlen(path) - 1] == '/') {
        store_in_maildir(node, path, &node->identity);
        return;
    }
    enum outcome outcome = store_in_mbox(node, &store, &err);
    if (outcome != OK) {
        tree_failed_err(node, outcome, &err);
    } else {
        tree_sent(node, node->address, "delivered to file: %s", path);
    }
}

static void expand_file(struct node *node, struct view path, enum origin origin)
{
    struct tree *tree = node->tree;
    const struct conf *conf = tree->message->local->conf;
    const char *text = arena_cstr(tree->message->arena, path);
    if (!local_allows(conf_str(conf, P_allow_mail_to_files), origin)) {
        tree_failed(node, PERMFAIL, "5.7.1", "mail to file is restricted");
    } else if (tree_is_probe(tree)) {
        tree_sent(node, node->address, "delivers to file: %s", text);
    } else if (has_rights(node) && !tree_seen(tree, "file", node->identity.uid, path)) {
        write_file(node, text);
    }
}

/* --- lists ----------------------------------------------------------------------- */

/* One or more addresses; false when there is none in TEXT. */
static bool expand_addresses(struct node *node, struct view text, enum origin origin)
{
    struct arena *arena = node->tree->message->arena;
    struct address_token *tokens = NULL;
    bool escaped = text.len > 1 && text.ptr[0] == '\\';
    bool found = false;
    size_t count = address_list_parse(arena, view_from(text, escaped ? 1 : 0), &tokens);
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].is_address && tokens[i].address.len > 0) {
            expand_address(node, tokens[i].address, escaped, origin);
            found = true;
        }
    }
    return found;
}

/* "~/copy" names a file in the home directory. */
static bool is_in_home(const struct node *node, struct view plain, enum origin origin)
{
    return origin == FROM_FORWARD && node->account != NULL &&
           view_starts(plain, VIEW("~/"));
}

static bool expand_member(struct node *node, const struct member *member,
                          enum origin origin)
{
    struct arena *arena = node->tree->message->arena;
    struct view plain = member->plain;
    const struct view include = VIEW(":include:");
    if (member->phrase) {
        return expand_addresses(node, member->text, origin);
    }
    if (view_starts(plain, VIEW("|"))) {
        expand_command(node, view_from(plain, 1), origin);
    } else if (view_starts(plain, VIEW("/"))) {
        expand_file(node, plain, origin);
    } else if (is_in_home(node, plain, origin)) {
        expand_file(node,
                    view_cstr(arena_printf(arena, "%s%.*s", node->account->pw_dir,
                                           VIEW_ARG(view_from(plain, 1)))),
                    origin);
    } else if (view_starts_nocase(plain, include)) {
        include_deliver(node, view_from(plain, include.len));
    } else {
        return expand_addresses(node, member->text, origin);
    }
    return true;
}

size_t expand_list(struct node *node, struct view line, enum origin origin)
{
    struct member member;
    size_t count = 0;
    while (member_next(node->tree->message->arena, &line, &member)) {
        count += expand_member(node, &member, origin) ? 1 : 0;
    }
    return count;
}

size_t expand_lines(struct node *node, struct view text, enum origin origin)
{
    struct view line;
    size_t count = 0;
    while (view_next_word(&text, "\n", &line)) {
        count += line.ptr[0] == '#' ? 0 : expand_list(node, line, origin);
    }
    return count;
}
