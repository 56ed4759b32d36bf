/* SPDX-License-Identifier: MIT */
/*
 * A user's mailbox: mailbox_command_maps, mailbox_command, home_mailbox, or a file
 * in mail_spool_directory, whichever is set first.
 */
#include <pwd.h>
#include <string.h>

#include "base/log.h"
#include "local/local.h"

static void run_command(struct node *node, const struct passwd *user,
                        const char *command)
{
    struct err err;
    struct command_env env = {.home = user->pw_dir,
                              .shell = user->pw_shell,
                              .user = user->pw_name,
                              .directory = user->pw_dir};
    if (IS_PROBE(node)) {
        tree_sent(node, node->address, "delivers to command: %s", command);
        return;
    }
    struct identity identity = node->identity;
    /* Commands never run as root, whoever the mail is for. */
    if (identity.uid == 0 &&
        !identity_of_file_owner(node->tree->message->local, "/", &identity)) {
        tree_failed(node, TEMPFAIL, "4.3.5", "mail system configuration error");
        return;
    }
    enum outcome outcome = command_run(node, command, &identity, &env, &err);
    if (outcome == OK) {
        tree_sent(node, node->address, "delivered to command: %s", command);
    } else {
        tree_failed_err(node, outcome, &err);
    }
}

/* True when mailbox_command_maps or mailbox_command took it. */
static bool deliver_by_command(struct node *node, const struct passwd *user)
{
    struct local *local = node->tree->message->local;
    STR_AUTO struct str command = {0};
    struct err err;
    switch (maps_find(local->mailbox_command_maps, view_cstr(user->pw_name), &command,
                      NULL, &err)) {
    case MAP_FOUND:
        break;
    case MAP_ERROR:
        tree_failed(node, TEMPFAIL, "4.3.0", "mailbox_command_maps lookup error");
        return true;
    case MAP_MISSING:
        str_set_cstr(&command, conf_raw(local->conf, P_mailbox_command));
        break;
    }
    if (command.len == 0) {
        return false;
    }
    run_command(node, user, str_ptr(&command));
    return true;
}

static void deliver_to_maildir(struct node *node, const char *path)
{
    struct err err;
    enum outcome outcome = OK;
    if (IS_PROBE(node)) {
        tree_sent(node, node->address, "delivers to maildir");
    } else if ((outcome = maildir_write(node, path, &node->identity, &err)) == OK) {
        tree_sent(node, node->address, "delivered to maildir");
    } else {
        tree_failed_err(node, outcome, &err);
    }
}

static void deliver_to_mbox(struct node *node, const char *path)
{
    struct err err;
    enum outcome outcome = OK;
    if (IS_PROBE(node)) {
        tree_sent(node, node->address, "delivers to mailbox");
    } else if ((outcome = mbox_append(node, path, &node->identity, true, &err)) == OK) {
        tree_sent(node, node->address, "delivered to mailbox");
    } else {
        tree_failed_err(node, outcome, &err);
    }
}

void mailbox_deliver(struct node *node, const struct passwd *user)
{
    const struct conf *conf = node->tree->message->local->conf;
    const char *home_mailbox = conf_str(conf, P_home_mailbox);
    STR_AUTO struct str path = {0};
    if (node->limited && node->limit_uid != user->pw_uid) {
        resend_add(node,
                   node->address); /* with its own rights, in a message of its own */
        return;
    }
    if (deliver_by_command(node, user)) {
        return;
    }
    if (home_mailbox[0] != '\0') {
        str_printf(&path, "%s/%s", user->pw_dir, home_mailbox);
    } else {
        /* A spool directory with a slash at its end holds Maildirs. */
        const char *spool = conf_str(conf, P_mail_spool_directory);
        size_t len = strlen(spool);
        bool slash = len > 0 && spool[len - 1] == '/';
        str_printf(&path, "%s%s%s%s", spool, slash ? "" : "/", user->pw_name,
                   slash ? "/" : "");
    }
    if (path.len > 0 && str_ptr(&path)[path.len - 1] == '/') {
        deliver_to_maildir(node, str_ptr(&path));
    } else {
        deliver_to_mbox(node, str_ptr(&path));
    }
}
