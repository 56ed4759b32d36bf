/* SPDX-License-Identifier: MIT */
/*
 * What the parts of cleanup share.
 *
 *   settings.c   parameters and tables of the process
 *   session.c    one connection: frames in, answers out
 *   message.c    one message: its queue file from OPEN to the commit
 *   envelope.c   sender and recipients
 *   rewrite.c    what is done to one address: completing, canonical, masquerading
 *   alias.c      virtual aliases
 *   header.c     the header section of the content, in a stream
 *   missing.c    headers that the message should have had
 *   announce.c   what the queue manager is told
 */
#ifndef CLEANUP_CLEANUP_H
#define CLEANUP_CLEANUP_H

#include "base/arena.h"
#include "base/htab.h"
#include "base/str.h"
#include "conf/conf.h"
#include "mail/queue_dir.h"
#include "mail/queue_file.h"
#include "map/map.h"
#include "net/stream.h"
#include "route/route.h"
#include "rpc/notify.h"
#include "rpc/submit_server.h"

/* --- settings.c ------------------------------------------------------------------- */

/* Where an address stands; sets of these are what *_classes parameters name. */
enum address_place {
    PLACE_ENVELOPE_SENDER = 1,
    PLACE_ENVELOPE_RECIPIENT = 2,
    PLACE_HEADER_SENDER = 4,
    PLACE_HEADER_RECIPIENT = 8
};

struct settings {
    const struct conf *conf;
    struct queue_dirs *dirs;
    struct route *route;
    struct maps *canonical, *sender_canonical, *recipient_canonical;
    unsigned canonical_places, sender_canonical_places, recipient_canonical_places;
    unsigned masquerade_places;
    struct maps *virtual_alias;
    struct maps *sender_bcc, *recipient_bcc;
    const char *delimiters;                      /* recipient_delimiter */
    bool propagate_canonical, propagate_virtual; /* unmatched address extensions */
    struct htab *dropped_headers;                /* lower-case names */
    int64_t size_limit;                          /* 0: none */
    struct notify_channel *qmgr;
};

/* Open everything; ends the process when a parameter asks for what is not built. */
struct settings *settings_new(const struct conf *conf);
void settings_free(struct settings **settings);
bool settings_outdated(const struct settings *settings);

/* --- message.c -------------------------------------------------------------------- */

/* The header section while it passes through; see header.c. */
struct header_pass {
    bool in_body;
    bool skipping;     /* the rest of an over-long line goes nowhere */
    struct str line;   /* the beginning of a line whose end has not come */
    struct str header; /* complete lines of the header that is being collected */
    unsigned seen;     /* enum header_seen */
    int received_count, header_count;
    bool ended_in_lf; /* of all content */
    bool any;         /* some content has come */
};

struct message {
    struct settings *settings;
    struct arena arena;
    unsigned flags; /* enum submit_flags */
    char id[QUEUE_ID_MAX];
    int fd;            /* until the writer takes it over */
    const char *queue; /* where the file has its name; NULL: nowhere yet */
    int64_t arrival_time;
    struct queue_writer *writer;
    bool late; /* content has ended */
    struct view sender, fullname;
    struct view encoding; /* "8bit", "7bit"; empty: nobody said */
    bool has_sender;
    struct htab *recipients; /* the duplicate filter */
    struct view *addresses;  /* the recipients as written, to be resolved; the first
                                HANDOVER_RECIPIENTS_MAX */
    size_t address_count;
    struct resolve_reply *routes; /* of ADDRESSES; NULL: the queue manager finds out */
    struct view first_recipient;
    int64_t envelope_size; /* queue file bytes before the content */
    int64_t client_size;   /* content bytes that count for message_size_limit */
    struct header_pass headers;
    struct submit_result result; /* SUBMIT_OK until something is wrong */
};

/* Create the queue file.  NULL with ERR. */
struct message *message_new(struct settings *settings, unsigned flags, struct err *err);
/* A message that was made ahead of time begins now. */
void message_begin(struct message *message, unsigned flags);
/* Removes the queue file unless it was committed. */
void message_free(struct message **message);
/* Take in one record.  False: it may not come here (protocol error).  What is wrong
 * with the message itself shows in message->result.  May wait. */
bool message_record(struct message *message, const struct submit_record *record);
/* All has come: finish the file, make it durable, tell the queue manager.  Waits. */
void message_commit(struct message *message);
/* The first trouble is what the sender is told. */
void message_fail(struct message *message, enum submit_status status, const char *dsn,
                  const char *text);
static inline bool message_ok(const struct message *message)
{
    return message->result.status == SUBMIT_OK;
}

/* --- announce.c ------------------------------------------------------------------- */

/* ADDRESS, in the message's arena, has been written as a recipient. */
void announce_note(struct message *message, struct view address);
/* Find out where the recipients go, while nobody waits for it alone.  Waits on tables.
 */
void announce_resolve(struct message *message);
/* Tell the queue manager of the message, which is in incoming/ and durable. */
void announce_send(struct message *message);

/* --- envelope.c ------------------------------------------------------------------- */

void envelope_sender(struct message *message, struct view sender);
void envelope_recipient(struct message *message,
                        const struct queue_recipient *recipient);
/* always_bcc, sender_bcc_maps: when all recipients are known. */
void envelope_add_copies(struct message *message);

/* --- rewrite.c -------------------------------------------------------------------- */

/* Complete ADDRESS (not empty) and map it as its PLACE asks; REMOTE: as in headers of
 * remote clients.  *CHANGED_BY_MAP_OUT may be NULL.  False: a table failed, the message
 * has the error. */
bool rewrite_address(struct message *message, struct view address,
                     enum address_place place, bool remote, struct str *out);
/* Only complete it, with the domains of local mail. */
void rewrite_complete(struct message *message, struct view address, struct str *out);
/* What canonical and masquerade tables make of a complete address. */
bool rewrite_map(struct message *message, enum address_place place,
                 struct str *address);
/* Lookup flags for ADDRESS: the bare local part counts when the domain is ours. */
unsigned rewrite_lookup_flags(struct message *message, struct view address);
/* "X map lookup problem for ADDRESS": log and fail the message. */
void rewrite_lookup_failed(struct message *message, const char *table,
                           struct view address);
/* The addresses in TEXT, a right-hand side for ADDRESS, completed and with EXTENSION
 * put back.  False: no address in it (logged, message failed). */
bool rewrite_result(struct message *message, const char *table, struct view address,
                    struct view text, struct view extension,
                    struct view **addresses_out, size_t *count_out);

/* --- alias.c ---------------------------------------------------------------------- */

/* Expand ADDRESS recursively; without an alias the result is ADDRESS.  False: the
 * message has the error. */
bool alias_expand(struct message *message, struct view address,
                  struct view **addresses_out, size_t *count_out);

/* --- header.c, missing.c ---------------------------------------------------------- */

enum header_seen {
    SEEN_MESSAGE_ID = 1,
    SEEN_DATE = 2,
    SEEN_FROM = 4,
    SEEN_RECIPIENT = 8, /* To:, Cc: and their like */
    SEEN_RESENT = 16,
    SEEN_RESENT_MESSAGE_ID = 32,
    SEEN_RESENT_DATE = 64,
    SEEN_RESENT_FROM = 128
};

void header_pass_feed(struct message *message, struct view data);
/* No more content will come. */
void header_pass_end(struct message *message);
void header_pass_done(struct header_pass *pass);

/* At the end of the headers. */
void missing_add(struct message *message);

#endif
