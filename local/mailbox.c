/* SPDX-License-Identifier: MIT */
/*
 * A user's mailbox: mailbox_command_maps, mailbox_command, home_mailbox, or a file
 * in mail_spool_directory, whichever is set first.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "local/local.h"

static void run_command(struct node *node, const char *command)
{
    struct identity identity = node->identity;
    const char *dsn = "";
    STR_AUTO struct str reason = {0};
    if (tree_is_probe(node->tree)) {
        tree_sent(node, node->address, "delivers to command: %s", command);
        return;
    }
    if (!identity_drop_root(node->tree->message->local, &identity)) {
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
        return;
    }
    enum outcome outcome = command_run(node, command, &identity, &dsn, &reason);
    if (outcome == OK) {
        tree_sent(node, node->address, "delivered to command: %s", command);
    } else {
        tree_failed(node, outcome, dsn, "%s", str_ptr(&reason));
    }
}

/* True when mailbox_command_maps or mailbox_command took it. */
static bool deliver_by_command(struct node *node)
{
    struct local *local = node->tree->message->local;
    STR_AUTO struct str command = {0};
    struct err err;
    if (maps_empty(local->mailbox_command_maps) &&
        conf_raw(local->conf, P_mailbox_command)[0] == '\0') {
        return false;
    }
    rights_settle(&local->rights);
    switch (maps_find(local->mailbox_command_maps, view_cstr(node->account->pw_name),
                      &command, NULL, &err)) {
    case MAP_FOUND:
        break;
    case MAP_ERROR:
        log_warning("%s", err.text);
        tree_failed(node, TEMPFAIL, "4.3.0", "mailbox_command_maps lookup error");
        return true;
    case MAP_MISSING:
        str_set_cstr(&command, conf_raw(local->conf, P_mailbox_command));
        break;
    }
    if (command.len == 0) {
        return false;
    }
    run_command(node, str_ptr(&command));
    return true;
}

static void deliver_to_maildir(struct node *node, const char *path)
{
    if (tree_is_probe(node->tree)) {
        tree_sent(node, node->address, "delivers to maildir");
    } else {
        store_in_maildir(node, path, &node->identity);
    }
}

static void deliver_to_mbox(struct node *node, const char *path,
                            const struct identity *spooler)
{
    struct err err;
    enum outcome outcome = OK;
    const struct store store = {.path = path,
                                .owner = node->account->pw_name,
                                .user = &node->identity,
                                .spooler = spooler};
    if (tree_is_probe(node->tree)) {
        tree_sent(node, node->address, "delivers to mailbox");
    } else if ((outcome = store_in_mbox(node, &store, &err)) == OK) {
        tree_sent(node, node->address, "delivered to mailbox");
    } else {
        tree_failed_err(node, outcome, &err);
    }
}

/* Who may make files in the spool directory: everybody in one with mode 1777, else root
 * with the directory's group. */
static struct identity spooler_of(const struct node *node, const char *spool)
{
    struct stat st;
    if (!node->tree->message->local->service->privileged || stat(spool, &st) != 0 ||
        (st.st_mode & S_IWOTH) != 0) {
        return node->identity;
    }
    return (struct identity){.uid = 0, .gid = st.st_gid};
}

static void deliver_to_spool(struct node *node)
{
    const char *spool =
        conf_str(node->tree->message->local->conf, P_mail_spool_directory);
    rights_settle(&node->tree->message->local->rights);
    struct identity spooler = spooler_of(node, spool);
    STR_AUTO struct str path = {0};
    /* A spool directory with a slash at its end holds Maildirs. */
    bool maildirs = view_ends_nocase(view_cstr(spool), VIEW("/"));
    str_printf(&path, "%s%s%s%s", spool, maildirs ? "" : "/", node->account->pw_name,
               maildirs ? "/" : "");
    if (maildirs) {
        deliver_to_maildir(node, str_ptr(&path));
    } else {
        deliver_to_mbox(node, str_ptr(&path), &spooler);
    }
}

static void deliver_to_home(struct node *node, const char *home_mailbox)
{
    STR_AUTO struct str path = {0};
    str_printf(&path, "%s/%s", node->account->pw_dir, home_mailbox);
    if (view_ends_nocase(str_view(&path), VIEW("/"))) {
        deliver_to_maildir(node, str_ptr(&path));
    } else {
        deliver_to_mbox(node, str_ptr(&path), &node->identity);
    }
}

/* require_home_directory: a file server that is away must not lose mail to a mailbox
 * elsewhere. */
static bool has_home(struct node *node)
{
    struct local *local = node->tree->message->local;
    const char *home = node->account->pw_dir;
    struct stat st;
    if (!conf_bool(local->conf, P_require_home_directory)) {
        return true;
    }
    if (!rights_assume(&local->rights, &node->identity)) {
        return true; /* told by the delivery */
    }
    int error = stat(home, &st) == 0 ? 0 : errno;
    rights_restore(&local->rights);
    if (error != 0) {
        tree_failed(node, TEMPFAIL, "4.3.0", "cannot access home directory %s: %s",
                    home, strerror(error));
    }
    return error == 0;
}

void mailbox_deliver(struct node *node)
{
    const char *home_mailbox =
        conf_str(node->tree->message->local->conf, P_home_mailbox);
    if (!has_home(node) || deliver_by_command(node)) {
        return;
    }
    if (home_mailbox[0] != '\0') {
        deliver_to_home(node, home_mailbox);
    } else {
        deliver_to_spool(node);
    }
}
