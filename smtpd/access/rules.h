/* SPDX-License-Identifier: MIT */
/*
 * Restriction lists, and one evaluation of them.  Private to smtpd/access.
 *
 * A list is compiled once; what an access table returns is compiled when it is
 * returned, with the same function.
 */
#ifndef SMTPD_ACCESS_RULES_H
#define SMTPD_ACCESS_RULES_H

#include "base/htab.h"
#include "smtpd/access/access.h"
#include "smtpd/message.h"

enum access_result { ACCESS_DUNNO, ACCESS_PERMIT, ACCESS_REJECT };

struct check;
struct restriction;
typedef enum access_result restriction_function(struct check *check,
                                                const struct restriction *restriction);

enum restriction_argument {
    ARGUMENT_NONE,
    ARGUMENT_TABLE,   /* maptype:mapname */
    ARGUMENT_CCERT,   /* the same, or { maptype:mapname, { search_order = ... } } */
    ARGUMENT_DOMAIN,  /* of a DNS list */
    ARGUMENT_SERVICE, /* of policies */
    ARGUMENT_NUMBER
};

enum verb_flags {
    VERB_FINAL = 1,   /* nothing after it matters */
    VERB_GUARD = 2,   /* keeps strangers from relaying */
    VERB_MODIFIER = 4 /* says how to take the next one: warn_if_reject */
};

struct verb {
    const char *name;
    restriction_function *run;
    enum restriction_argument argument;
    unsigned flags; /* enum verb_flags */
};
/* The restriction called NAME in any case, or NULL. */
const struct verb *verb_find(struct view name);

struct restriction {
    const struct verb *verb; /* NULL: WORD is a class, or unknown */
    struct view word;        /* as written, for the log */
    struct view argument;
    struct maps *table;             /* ARGUMENT_TABLE, of a list in main.cf */
    const char *order;              /* ARGUMENT_CCERT: what to look for, CCERT_BY_... */
    struct policy_service *service; /* likewise */
    const char *problem; /* in the log when it is evaluated: it cannot be done */
};

struct restriction_list {
    const char *title; /* parameter, class or table: for the log */
    struct restriction *items;
    size_t count;
};

/* What a list is about: how a bare table is used, and what plain words refer to. */
enum subject {
    SUBJECT_CLIENT,
    SUBJECT_CCERT, /* the client's certificate */
    SUBJECT_HELO,
    SUBJECT_SENDER,
    SUBJECT_RECIPIENT,
    SUBJECT_DATA,
    SUBJECT_END_OF_DATA,
    SUBJECT_ETRN,
    SUBJECT_LOGIN, /* never a list's own */
    SUBJECT_COUNT
};

struct access_rules {
    const struct conf *conf;
    struct arena arena; /* the lists in main.cf */
    struct restriction_list client, helo, sender, relay, recipient, data, end_of_data,
        etrn, local_rewrite;
    struct htab *classes; /* name -> struct restriction_list */
    struct maps **tables; /* all that were opened */
    size_t table_count;
    struct policy_service **services; /* likewise */
    size_t service_count;
};

/* Compile TEXT into ARENA.  A table without a verb is for TABLE_VERB.  With RULES NULL
 * no table may be named. */
void restriction_list_parse(struct access_rules *rules, struct arena *arena,
                            struct view text, const char *table_verb,
                            struct restriction_list *out);
/* Does LIST, or a class that it names, hold a guard that always works? */
bool restriction_list_guards(const struct access_rules *rules,
                             const struct restriction_list *list);

/* One evaluation: everything that belongs to one command. */
struct check {
    struct session *session;
    struct server *server;
    struct access_rules *rules;
    enum subject subject;  /* of the list being evaluated */
    struct view sender;    /* internal form; ptr NULL: not known at this stage */
    struct view recipient; /* likewise */
    struct view etrn_domain;
    struct resolve_reply resolved; /* of RECIPIENT */
    bool is_resolved;
    bool recipient_checked, sender_checked; /* against the tables of users */
    bool warn_only;                         /* the next refusal is only logged */
    bool quiet;                             /* permit actions are not logged */
    struct deferral defer_if_permit, defer_if_reject;
    int depth; /* of classes and table results */
};

/* --- evaluate.c ------------------------------------------------------------------- */

/* The list, and the subject's name for logs and replies. */
enum access_result check_list(struct check *check, const struct restriction_list *list,
                              enum subject subject);
/* A list within a list. */
enum access_result check_nested(struct check *check,
                                const struct restriction_list *list);
/* "Sender address" */
const char *check_class_of(enum subject subject);
/* "localhost[127.0.0.1]", the HELO name, the sender ..., of SUBJECT; never NULL. */
const char *check_name_of(const struct check *check, enum subject subject);

/* --- refuse.c --------------------------------------------------------------------- */

/* Refuse with CODE, DSN and the formatted text, which is complete: log it, put it into
 * the verdict.  Only a warning (DUNNO) after warn_if_reject. */
enum access_result check_refuse(struct check *check, int code, const char *dsn,
                                const char *format, ...) PRINTF_LIKE(4, 5);
/* The same with "<name>: Sender address rejected: " of SUBJECT in front.  A status of
 * another subject's kind is changed into one of its own. */
enum access_result check_refuse_subject(struct check *check, enum subject subject,
                                        int code, const char *dsn, const char *format,
                                        ...) PRINTF_LIKE(5, 6);
/* The configuration is at fault; never turned into a warning. */
enum access_result check_refuse_config(struct check *check);
/* A table failed. */
enum access_result check_refuse_table(struct check *check, enum subject subject);
/* Refuse later, if nobody else does (PERMIT) or somebody else does (REJECT). */
void check_defer_if_permit(struct check *check, enum subject subject, const char *dsn,
                           const char *text);
void check_defer_if_reject(struct check *check, enum subject subject, const char *dsn,
                           const char *text);
/* "ID: ACTION: RCPT from client: TEXT; from=<> to=<> proto= helo=<>" */
void check_log(const struct check *check, const char *action, const char *text);
/* smtpd_log_access_permit_actions; SOURCE: "from TABLE", or "". */
enum access_result check_permit(struct check *check, const char *action,
                                enum subject subject, const char *source);
void deferral_done(struct deferral *deferral);
void deferral_copy(struct deferral *to, const struct deferral *from);

/* --- the families ------------------------------------------------------------------
 */

/* Resolve the recipient, once.  False: a table failed. */
bool check_resolve(struct check *check);
/* Tell when the recipient is accepted only because relaying is restricted as of old. */
void check_tell_relaying(struct check *check);
/* What TEXT, found in TABLE under KEY, says about SUBJECT. */
enum access_result action_apply(struct check *check, const char *table, struct view key,
                                struct view text, enum subject subject);
/* Is it a known user?  Used by the restrictions and after them. */
enum access_result unlisted_check_recipient(struct check *check);
enum access_result unlisted_check_sender(struct check *check);

/* Ask the table of ITEM for exactly KEY; true: it had something to say, *RESULT_OUT. */
bool check_table(struct check *check, const struct restriction *item,
                 enum subject subject, struct view key, enum access_result *result_out);

/* What a client certificate is looked up by. */
enum ccert_key { CCERT_BY_CERTIFICATE = 'c', CCERT_BY_KEY = 'k' };
/* ARGUMENT (of check_ccert_access, without its braces) into the table's name and the
 * order of the lookups, CCERT_BY_... each.  False: *PROBLEM_OUT. */
bool ccert_parse_argument(struct arena *arena, struct view argument,
                          struct view *table_out, const char **order_out,
                          const char **problem_out);

restriction_function restrict_permit_tls_clientcerts,
    restrict_permit_tls_all_clientcerts, restrict_check_ccert;
restriction_function restrict_permit, restrict_reject, restrict_defer,
    restrict_defer_if_permit, restrict_defer_if_reject, restrict_warn_if_reject,
    restrict_sleep, restrict_permit_mynetworks, restrict_permit_inet_interfaces,
    restrict_reject_plaintext_session, restrict_reject_unauth_pipelining,
    restrict_reject_multi_recipient_bounce;
restriction_function restrict_check_policy;
restriction_function restrict_permit_sasl, restrict_check_sasl,
    restrict_reject_login_mismatch, restrict_reject_nologin_mismatch,
    restrict_reject_known_mismatch, restrict_reject_sender_login_mismatch;
restriction_function restrict_permit_auth_destination,
    restrict_reject_unauth_destination, restrict_defer_unauth_destination;
restriction_function restrict_reject_unlisted_recipient,
    restrict_reject_unlisted_sender;
restriction_function restrict_reject_non_fqdn_sender,
    restrict_reject_non_fqdn_recipient, restrict_reject_non_fqdn_helo,
    restrict_reject_invalid_helo;
restriction_function restrict_reject_unknown_client,
    restrict_reject_unknown_reverse_client, restrict_reject_unknown_helo,
    restrict_reject_unknown_sender, restrict_reject_unknown_recipient;
restriction_function restrict_check_client, restrict_check_reverse_client,
    restrict_check_helo, restrict_check_sender, restrict_check_recipient,
    restrict_check_etrn, restrict_check_address;
restriction_function restrict_reject_rbl_client, restrict_reject_rhsbl_client,
    restrict_reject_rhsbl_reverse_client, restrict_reject_rhsbl_helo,
    restrict_reject_rhsbl_sender, restrict_reject_rhsbl_recipient,
    restrict_permit_dnswl_client, restrict_permit_rhswl_client;

#endif
