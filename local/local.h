/* SPDX-License-Identifier: MIT */
/*
 * What the parts of local(8) share.  A delivery request names one or more
 * recipients; each recipient grows a tree: aliases and .forward files expand to
 * addresses, files and commands.  A recipient is done when its whole tree is.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/htab.h"
#include "conf/conf.h"
#include "mailbox/batch.h"
#include "mailbox/mbox.h"
#include "map/map.h"
#include "route/route.h"
#include "rpc/deliver.h"
#include "rpc/deliver_agent.h"
#include "rpc/submit.h"
#include "service/service.h"

/* Opened once per process. */
struct local {
    const struct conf *conf;
    struct service_context *service;
    struct queue_dirs *dirs;
    struct maps *alias_maps;
    struct maps *mailbox_command_maps, *mailbox_transport_maps,
        *fallback_transport_maps;
    struct route *route;
    struct submit_client *submit;
    const char *delimiters;  /* recipient_delimiter */
    struct mbox_locks locks; /* mailbox_delivery_lock */
    struct rights rights;
    struct maildirs maildirs;
    struct batch_agent batch;
};

/* One request's message. */
struct local_message {
    struct local *local;
    const struct deliver_request *request;
    struct arena *arena; /* freed after the request */
    int fd;
    struct view content; /* of a small message; of others, PTR is NULL */
    dev_t device;        /* of the queue file */
    int64_t handed;      /* when the request came */
    struct deliver_leaf *leaves;
    size_t leaf_count, leaf_capacity;
    struct view *delivered_to; /* addresses that the message has passed */
    size_t delivered_to_count;
};

/* Addresses that get the message anew, with one envelope sender. */
struct resend {
    struct resend *next;
    struct view sender;
    bool
        owner_changed; /* an owner- alias has set it: the list owner's mail from here */
    struct view *addresses;
    size_t count, capacity;
};

/* What has become of a recipient's tree so far: the worst of its parts. */
struct tree {
    struct local_message *message;
    size_t index; /* recipient in the request */
    struct deliver_outcome outcome;
    size_t leaves;     /* parts that have an outcome */
    bool failed;       /* outcome is not a success */
    struct htab *done; /* what has been delivered, or expanded to its end */
    struct resend *resends;
};

/* How an address came into the tree. */
enum origin { FROM_REQUEST, FROM_ALIAS, FROM_INCLUDE, FROM_FORWARD, FROM_LUSER };

/* A node of the tree: an address that is being delivered here. */
struct node {
    struct tree *tree;
    struct node *parent;
    enum origin origin;
    struct view address;            /* user+ext@domain, for the log */
    struct view local_part, domain; /* local_part is folded to lower case */
    struct view user, extension;    /* of local_part, split at recipient_delimiter */
    const char *alias;              /* name under which this node's alias was found */
    struct view unmatched; /* "+ext" that the alias or .forward was found without */
    struct view sender;    /* envelope sender; an owner- alias changes it */
    bool owner_changed;
    struct identity identity; /* for files and commands in its expansion */
    bool has_identity;
    struct identity reader; /* for :include: files in it */
    const struct passwd *account;
    bool forwarding; /* the account's .forward is being expanded */
    /* The list it comes from gives no right to other users' mailboxes: whoever is no
     * alias gets a message of his own. */
    bool indirect;
    unsigned depth;
    bool no_forward; /* straight to the mailbox */
};

enum { LOCAL_MAX_DEPTH = 100 };

/* recipient.c: deliver NODE here: alias, user or unknown. */
void recipient_deliver(struct node *node);
/* The node of ADDRESS; PARENT may be NULL (the request itself). */
struct node recipient_node(struct tree *tree, struct node *parent, enum origin origin,
                           struct view address);

/* tree.c: what has become of the recipients. */
void tree_init(struct tree *tree, struct local_message *message, size_t index);
void tree_done(struct tree *tree);
/* Finish one leaf: log it for ADDRESS, fold it into the tree's outcome. */
void tree_sent(struct node *node, struct view address, const char *format, ...)
    PRINTF_LIKE(3, 4);
void tree_failed(struct node *node, enum outcome outcome, const char *dsn,
                 const char *format, ...) PRINTF_LIKE(4, 5);
/* The same from an err. */
void tree_failed_err(struct node *node, enum outcome outcome, const struct err *err);
/* The same with an outcome that another agent has logged. */
void tree_take(struct node *node, const struct deliver_outcome *outcome);
/* Has this been done for the recipient already?  If not it is noted. */
bool tree_seen(struct tree *tree, const char *kind, uid_t uid, struct view name);
/* The same without noting it. */
bool tree_knows(const struct tree *tree, const char *kind, uid_t uid, struct view name);
/* Only looking (sendmail -bv): nothing is written. */
bool tree_is_probe(const struct tree *tree);

/* alias.c: true when an alias took the node over (whatever came of it). */
bool alias_deliver(struct node *node);
/* member.c: cut the next member of an alias, .forward or :include: line off *REST.
 * False: no more. */
struct member {
    struct view text;  /* as written */
    struct view plain; /* quotes removed; in the arena */
    bool phrase;       /* with a name or comment: certainly an address */
};
bool member_next(struct arena *arena, struct view *rest, struct member *member_out);
/* expand.c: deliver the members of LINE, part of an alias value; how many there were.
 */
size_t expand_list(struct node *node, struct view line, enum origin origin);
/* The lines of a file; those that begin with '#' are comments. */
size_t expand_lines(struct node *node, struct view text, enum origin origin);
/* One address in internal form; ESCAPED: \user, straight to the mailbox. */
void expand_address(struct node *node, struct view address, bool escaped,
                    enum origin origin);
/* include.c: the members of :include:PATH. */
void include_deliver(struct node *node, struct view path);
/* forward.c: true when a .forward file took the node over. */
bool forward_deliver(struct node *node);
/* unknown.c: nobody of that name: fallback_transport, luser_relay, or bounce. */
void unknown_deliver(struct node *node);
/* pass.c: hand the recipient to another delivery agent, "transport:nexthop". */
bool pass_to_maps(struct node *node, struct maps *maps, const char *fixed);
/* mailbox.c: the user's mailbox, as configured. */
void mailbox_deliver(struct node *node);

/* names.c: expand $user, $home, $extension ... in TEXT; characters outside FILTER
 * (NULL: none) become '_'.  *USED_EXTENSION_OUT (may be NULL): the address extension is
 * part of the result. */
NODISCARD enum outcome names_expand(const struct node *node, const char *text,
                                    const char *filter, struct str *out,
                                    bool *used_extension_out, struct err *err);

/* resend.c: one new message for all addresses that are not delivered in place, and one
 * for each owner- alias above some of them. */
void resend_add(struct node *node, struct view address);
/* Send what was collected below ROOT, unless the recipient will be tried again as a
 * whole. */
void resend_flush(struct node *root);

/* loop.c: collect the message's Delivered-To: headers, once. */
void loop_prepare(struct local_message *message);
/* Has the message been at ADDRESS before? */
bool loop_found(const struct local_message *message, struct view address);

/* store.c: NODE's message as it is written. */
struct letter store_letter(const struct node *node);
/* Write it to the Maildir PATH as IDENTITY.  The outcome is logged, now or when all
 * files are finished. */
void store_in_maildir(struct node *node, const char *path,
                      const struct identity *identity);
/* Append it to a file in mbox format. */
struct store {
    const char *path;
    const char *owner;              /* a mailbox of this user, or NULL: just a file */
    const struct identity *user;    /* who writes */
    const struct identity *spooler; /* who locks and creates */
};
NODISCARD enum outcome store_in_mbox(const struct node *node, const struct store *store,
                                     struct err *err);
/* command.c: run COMMAND with the message on its standard input.  REASON_OUT gets the
 * text of a failure, which may be long. */
NODISCARD enum outcome command_run(const struct node *node, const char *command,
                                   const struct identity *identity,
                                   const char **dsn_out, struct str *reason_out);
/* command_env.c: environment of commands, in the message's arena. */
char **command_environment(const struct node *node);
/* command_exit.c: what a wait status and the output mean. */
enum outcome command_result(const char *command, int status, struct view output,
                            struct arena *arena, const char **dsn_out,
                            struct str *reason_out);

/* identity.c: commands and files that others name never get root's rights: put those of
 * default_privs in their place.  False: there are none; told in the log. */
NODISCARD bool identity_drop_root(const struct local *local, struct identity *identity);
/* Rights for commands and files in a list that OWNER wrote, without root's. */
bool identity_of_list_owner(const struct local *local, uid_t owner,
                            struct identity *out);
/* Rights for reading what a list of OWNER includes: the owner's, root's too. */
struct identity identity_of_reader(const struct local *local, uid_t owner);

/* Does LIST ("alias, forward, include") name ORIGIN? */
bool local_allows(const char *list, enum origin origin);

#endif
