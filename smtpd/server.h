/* SPDX-License-Identifier: MIT */
/* What all sessions of a process share: settings, open tables, the way to cleanup. */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "conf/conf.h"
#include "map/map.h"
#include "route/route.h"
#include "rpc/submit.h"
#include "tls/server.h"

enum bare_newline { BARE_NEWLINE_END, BARE_NEWLINE_NORMALIZE, BARE_NEWLINE_REJECT };

struct server {
    const struct conf *conf;
    bool standalone; /* -S: for sendmail -bs, mail goes through postdrop */
    struct route *route;
    struct submit_client *submit;
    int64_t space, space_time; /* free bytes of the queue's file system, and when */
    struct access_rules *access;
    struct match_list *mynetworks;
    struct match_list *todays_networks;    /* NULL: mynetworks is not an old default */
    struct match_list *permit_log;         /* smtpd_log_access_permit_actions */
    struct match_list *fast_flush_domains; /* who may be flushed by ETRN */
    struct match_list *noop_commands;
    struct match_list *forbidden_commands;
    struct maps *ehlo_keyword_maps;
    bool expansion_allowed[256]; /* smtpd_expansion_filter */
    enum bare_newline bare_newline;
    struct match_list *bare_newline_exclusions; /* NULL: nobody is exempt */
    struct maps *rbl_replies;                   /* rbl_reply_maps */
    struct maps *relay_clientcerts;
    const char *service;          /* its name in master.cf */
    struct tls_server *tls;       /* NULL: not offered; see tls.h */
    struct task_watch *tls_watch; /* of its files */
    /* Who is a valid user, by address class; see access/unlisted.c. */
    struct maps *recipient_canonical, *sender_canonical, *canonical, *virtual_alias,
        *local_recipients, *relay_recipients, *virtual_mailbox;
};

/* Ends the process with "fatal: ..." when the configuration is unsafe, or asks for what
 * is not built.  May ask the resolver. */
struct server *server_open(const struct conf *conf, bool standalone);
void server_close(struct server **server);
/* A table was replaced since it was opened. */
bool server_outdated(const struct server *server);

#endif
