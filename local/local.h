/* SPDX-License-Identifier: MIT */
/*
 * What the parts of local(8) share.  A delivery request names one or more
 * recipients; each recipient grows a tree: aliases and .forward files expand to
 * addresses, files and commands.  A recipient is done when its whole tree is.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "map/map.h"
#include "route/route.h"
#include "rpc/deliver.h"
#include "rpc/deliver_agent.h"
#include "rpc/submit.h"
#include "service/service.h"
#include "sys/clock.h"

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
    const char *delimiters; /* recipient_delimiter */
};

/* A request to look only (sendmail -bv): nothing is written. */
#define IS_PROBE(node)                                                                 \
    (((node)->tree->message->request->file_flags & QUEUE_FILE_VERIFY_ONLY) != 0)

/* Whose rights a mailbox, file or command delivery uses. */
struct identity {
    uid_t uid;
    gid_t gid;
    const char *name; /* for initgroups; NULL: only GID */
};

/* One request's message. */
struct local_message {
    struct local *local;
    const struct deliver_request *request;
    struct arena *arena; /* freed after the request */
    int fd;
    dev_t device;   /* of the queue file */
    int64_t handed; /* when the request came */
};

/* What has become of a recipient's tree so far: the worst of its parts. */
struct tree {
    struct local_message *message;
    size_t index; /* recipient in the request */
    struct deliver_outcome outcome;
    bool failed;    /* outcome is not a success */
    int expansions; /* guards against explosion */
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
    struct view sender;             /* envelope sender; an owner- alias changes it */
    bool owner_changed;
    struct identity identity; /* for files and commands in its expansion */
    bool has_identity;
    bool limited;    /* it came from a list whose owner has LIMIT_UID's rights only: */
    uid_t limit_uid; /* no other user's mailbox is written in place */
    bool forwarded;  /* its .forward was used */
    unsigned depth;
    struct resend *resend; /* addresses to forward in one new message */
    bool no_forward;       /* \user: straight to the mailbox */
};

enum { LOCAL_MAX_DEPTH = 100, LOCAL_MAX_EXPANSIONS = 1000 };

/* recipient.c: deliver NODE here: alias, user or unknown. */
void recipient_deliver(struct node *node);

/* tree.c: finish one leaf: log it, fold it into the tree's outcome. */
void tree_sent(struct node *node, struct view address, const char *format, ...)
    PRINTF_LIKE(3, 4);
void tree_failed(struct node *node, enum outcome outcome, const char *dsn,
                 const char *format, ...) PRINTF_LIKE(4, 5);
/* The same from an err. */
void tree_failed_err(struct node *node, enum outcome outcome, const struct err *err);

/* alias.c: true when an alias took the node over (whatever came of it). */
bool alias_deliver(struct node *node);
/* expand.c: deliver the list TEXT (alias value, .forward or :include: content). */
void expand_list(struct node *node, struct view text, enum origin origin);
/* forward.c: true when a .forward file took the node over. */
struct passwd;
bool forward_deliver(struct node *node, const struct passwd *user);
/* unknown.c: nobody of that name: fallback_transport, luser_relay, or bounce. */
void unknown_deliver(struct node *node);
/* pass.c: hand the recipient to another delivery agent, "transport:nexthop". */
bool pass_to_maps(struct node *node, struct maps *maps, const char *fixed);
/* mailbox.c: the user's mailbox, as configured. */
void mailbox_deliver(struct node *node, const struct passwd *user);

/* resend.c: one new message for all addresses that are not delivered in place. */
struct resend;
void resend_add(struct node *node, struct view address);
/* Send what NODE itself collected (nodes below pass theirs up, unless an owner- alias
 * gave them a sender of their own). */
void resend_flush(struct node *node);

/* copy.c: the message with its delivery headers. */
enum copy_style {
    COPY_FROM_LINE = 1, /* "From sender  date" */
    COPY_QUOTE = 2,     /* >From in the body */
    COPY_BLANK = 4      /* empty line at the end */
};
/* Write the message to FD; false with errno. */
bool copy_message(const struct node *node, int fd, unsigned style);
/* Delivered-To: ADDRESS among the message's headers? */
bool copy_has_delivered_to(const struct local_message *message, struct view address);

/* maildir.c, mbox.c: as IDENTITY.  OK, or ERR filled. */
NODISCARD enum outcome maildir_write(const struct node *node, const char *path,
                                     const struct identity *identity, struct err *err);
NODISCARD enum outcome mbox_append(const struct node *node, const char *path,
                                   const struct identity *identity, bool is_mailbox,
                                   struct err *err);
/* command.c: run COMMAND with the message on its standard input. */
struct command_env {
    const char *home, *shell, *user; /* may be NULL */
    const char *directory;           /* working directory, may be NULL */
};
NODISCARD enum outcome command_run(const struct node *node, const char *command,
                                   const struct identity *identity,
                                   const struct command_env *env, struct err *err);

/* identity.c: switch effective rights and back; false: not possible (no root). */
NODISCARD bool identity_assume(const struct local *local,
                               const struct identity *identity);
void identity_restore(const struct local *local);
/* For good, in a child before exec. */
NODISCARD bool identity_become(const struct identity *identity);
/* default_privs, or OWNER of an alias file unless that is root. */
bool identity_of_file_owner(const struct local *local, const char *file,
                            struct identity *out);

/* Does LIST ("alias, forward, include") allow ORIGIN? */
bool local_allows(const char *list, enum origin origin);

#endif
