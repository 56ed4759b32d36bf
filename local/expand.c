/* SPDX-License-Identifier: MIT */
/*
 * The members of an alias, a .forward file or an :include: list: addresses,
 * "|command", /file/name and :include:/file/name.
 *
 * An address that is ours is expanded in place; where that ends in a mailbox that the
 * list's owner has no rights to, and for every other address, the message is forwarded
 * in a new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"
#include "mail/address.h"
#include "sys/file.h"

enum { INCLUDE_MAX_BYTES = 16 * 1024 * 1024 };

/* --- one member ------------------------------------------------------------ */

/* Who owns a list decides whose rights its members may use: an alias is the
 * administrator's; an :include: file and a .forward file have owners. */
static void limit_rights(struct node *child, const struct node *node,
                         enum origin origin)
{
    child->limited = node->limited;
    child->limit_uid = node->limit_uid;
    if ((origin == FROM_FORWARD || origin == FROM_INCLUDE) && node->has_identity) {
        child->limited = true;
        child->limit_uid = node->identity.uid;
    }
}

static struct node child_of(struct node *node, enum origin origin, struct view address)
{
    struct arena *arena = node->tree->message->arena;
    struct address_parts parts = address_split(address);
    STR_AUTO struct str folded = {0};
    str_add_lower(&folded, parts.local);
    struct node child = {
        .tree = node->tree,
        .parent = node,
        .origin = origin,
        .address = arena_view(arena, address),
        .local_part = arena_view(arena, str_view(&folded)),
        .domain = arena_view(arena, parts.domain),
        .sender = node->sender,
        .depth = node->depth + 1,
    };
    child.user = child.local_part;
    (void)address_split_extension(child.local_part,
                                  node->tree->message->local->delimiters, &child.user,
                                  &child.extension);
    limit_rights(&child, node, origin);
    return child;
}

static void expand_address(struct node *node, struct view address, enum origin origin)
{
    struct local_message *message = node->tree->message;
    struct local *local = message->local;
    bool escaped = address.len > 1 && address.ptr[0] == '\\';
    STR_AUTO struct str complete = {0};
    struct resolve_reply reply;
    route_rewrite(local->route, false, view_from(address, escaped ? 1 : 0), &complete);
    route_resolve(local->route, node->sender, str_view(&complete), message->arena,
                  &reply);
    if (reply.outcome != OK) {
        tree_failed(node, TEMPFAIL, "4.3.0", "address resolver failure");
        return;
    }
    bool ours = view_equal_cstr(reply.transport, local->service->name);
    if (!ours || node->owner_changed) {
        resend_add(node, reply.recipient);
        return;
    }
    struct node child = child_of(node, origin, reply.recipient);
    child.no_forward = escaped;
    recipient_deliver(&child);
}

static bool has_rights(struct node *node)
{
    if (!node->has_identity) {
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
    }
    return node->has_identity;
}

static void expand_command(struct node *node, struct view command, enum origin origin)
{
    struct local_message *message = node->tree->message;
    const char *text = arena_cstr(message->arena, view_trim(command));
    if (!local_allows(conf_str(message->local->conf, P_allow_mail_to_commands),
                      origin)) {
        tree_failed(node, PERMFAIL, "5.7.1", "mail to command is restricted");
    } else if (IS_PROBE(node)) {
        tree_sent(node, node->address, "delivers to command: %s", text);
    } else if (has_rights(node)) {
        struct err err;
        struct command_env env = {.user = node->identity.name};
        enum outcome outcome = command_run(node, text, &node->identity, &env, &err);
        if (outcome == OK) {
            tree_sent(node, node->address, "delivered to command: %s", text);
        } else {
            tree_failed_err(node, outcome, &err);
        }
    }
}

static void expand_file(struct node *node, struct view path, enum origin origin)
{
    struct local_message *message = node->tree->message;
    const char *text = arena_cstr(message->arena, path);
    if (!local_allows(conf_str(message->local->conf, P_allow_mail_to_files), origin)) {
        tree_failed(node, PERMFAIL, "5.7.1", "mail to file is restricted");
    } else if (IS_PROBE(node)) {
        tree_sent(node, node->address, "delivers to file: %s", text);
    } else if (has_rights(node)) {
        struct err err;
        bool maildir = path.len > 0 && path.ptr[path.len - 1] == '/';
        enum outcome outcome =
            maildir ? maildir_write(node, text, &node->identity, &err)
                    : mbox_append(node, text, &node->identity, false, &err);
        if (outcome != OK) {
            tree_failed_err(node, outcome, &err);
        } else if (maildir) {
            tree_sent(node, node->address, "delivered to maildir");
        } else {
            tree_sent(node, node->address, "delivered to file: %s", text);
        }
    }
}

/* --- :include: --------------------------------------------------------------- */

static bool read_include(struct node *node, const char *path, struct str *text,
                         struct stat *st)
{
    struct err err;
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) != 0) {
        log_warning("unable to lookup :include: file %s: %m", path);
        tree_failed(node, PERMFAIL, "5.3.5", "mail system configuration error");
        return false;
    }
    if (!S_ISREG(st->st_mode) || (st->st_mode & S_IWOTH) != 0) {
        log_warning(":include: file %s is %s", path,
                    S_ISREG(st->st_mode) ? "world writable" : "not a regular file");
        tree_failed(node, PERMFAIL, "5.3.5", "mail system configuration error");
        return false;
    }
    if (file_read(path, INCLUDE_MAX_BYTES, text, &err) != OK) {
        log_warning(":include: file: %s", err.text);
        tree_failed(node, TEMPFAIL, "4.3.0", "unable to read :include: file");
        return false;
    }
    return true;
}

static void expand_include(struct node *node, struct view path, enum origin origin)
{
    struct local_message *message = node->tree->message;
    const char *name = arena_cstr(message->arena, path);
    STR_AUTO struct str text = {0};
    struct stat st;
    if (origin == FROM_FORWARD || path.len == 0 || path.ptr[0] != '/') {
        tree_failed(node, PERMFAIL, "5.7.1", "mail to :include: is restricted");
        return;
    }
    if (node->depth + 1 > LOCAL_MAX_DEPTH ||
        ++node->tree->expansions > LOCAL_MAX_EXPANSIONS) {
        tree_failed(node, PERMFAIL, "5.4.6", ":include: recursion in %s", name);
        return;
    }
    if (!read_include(node, name, &text, &st)) {
        return;
    }
    struct identity saved = node->identity;
    bool had = node->has_identity;
    unsigned depth = node->depth;
    node->depth++;
    node->has_identity = identity_of_file_owner(message->local, name, &node->identity);
    expand_list(node, arena_view(message->arena, str_view(&text)), FROM_INCLUDE);
    node->identity = saved;
    node->has_identity = had;
    node->depth = depth;
}

/* --- the list ------------------------------------------------------------------ */

/* End of the member that starts at TEXT: a comma or line end outside quotes. */
static size_t member_length(struct view text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len) {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ',' || c == '\n')) {
            return i;
        }
    }
    return text.len;
}

/* "\"|command\"" -> |command, with \" and \\ undone. */
static struct view unquote(struct arena *arena, struct view member)
{
    if (member.len < 2 || member.ptr[0] != '"' || member.ptr[member.len - 1] != '"') {
        return member;
    }
    char *copy = arena_cstr(arena, view_of(member.ptr + 1, member.len - 2));
    size_t len = 0;
    for (size_t i = 0; i < member.len - 2; i++) {
        if (copy[i] == '\\' && i + 1 < member.len - 2) {
            i++;
        }
        copy[len++] = copy[i];
    }
    return view_of(copy, len);
}

static void expand_member(struct node *node, struct view member, enum origin origin)
{
    struct arena *arena = node->tree->message->arena;
    struct view plain = unquote(arena, member);
    if (view_starts(plain, VIEW("|"))) {
        expand_command(node, view_from(plain, 1), origin);
    } else if (view_starts(plain, VIEW("/"))) {
        expand_file(node, plain, origin);
    } else if (view_starts_nocase(plain, VIEW(":include:"))) {
        expand_include(node, view_from(plain, strlen(":include:")), origin);
    } else {
        struct address_token *tokens = NULL;
        size_t count = address_list_parse(arena, member, &tokens);
        for (size_t i = 0; i < count; i++) {
            if (tokens[i].is_address && tokens[i].address.len > 0) {
                expand_address(node, tokens[i].address, origin);
            }
        }
    }
}

void expand_list(struct node *node, struct view text, enum origin origin)
{
    while (text.len > 0) {
        struct view member = view_first(text, member_length(text));
        text = view_from(text, member.len + 1);
        member = view_trim(member);
        if (member.len > 0 && member.ptr[0] != '#') {
            expand_member(node, member, origin);
        }
    }
}
