/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: it owns the listeners, starts workers when somebody knocks and
 * none is free, and tells them when the configuration has changed.  A plain loop
 * on poll(2), without fibers, tables or anything a client has sent.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "conf/conf.h"
#include "conf/master_cf.h"
#include "service/master_protocol.h"
#include "sys/privilege.h"

/* --- configuration ---------------------------------------------------- */

/* One good reading of main.cf and master.cf, and the text that workers get. */
struct settings {
    struct conf *conf;
    struct master_cf services;
    int snapshot_fd;     /* memory file with the text of main.cf, sealed */
    unsigned processors; /* that we may run on; counting them opens files */
};

/* Read and check everything; says each mistake through the log.  NULL when there is
 * one. */
struct settings *settings_read(const char *config_directory);
void settings_free(struct settings **settings);

/* --- endpoints -------------------------------------------------------- */

/* The open listeners of one service. */
struct endpoint {
    int fds[MASTER_LISTENERS_MAX];
    int count;
    char *address; /* what it is bound to, in words: equal words, same endpoint */
    char *path;    /* of a socket or FIFO below queue_directory, else NULL */
};

/* Where ENTRY is to listen, in words, without binding anything. */
NODISCARD enum outcome endpoint_describe(const struct conf *conf,
                                         const struct master_entry *entry,
                                         struct str *address_out, struct err *err);
/* Bind and listen.  OWNER (NULL: the caller) owns sockets in the file system. */
NODISCARD enum outcome endpoint_open(const struct conf *conf,
                                     const struct master_entry *entry,
                                     const struct privilege_user *owner,
                                     struct endpoint *out, struct err *err);
/* Close; UNLINK also removes the socket's name. */
void endpoint_close(struct endpoint *endpoint, bool unlink_path);
/* Wake a worker through its own endpoint; best effort. */
void endpoint_wake(const struct endpoint *endpoint, enum service_type type);

/* --- services and workers --------------------------------------------- */

struct worker_process {
    struct list node;
    struct service *service;
    pid_t pid;
    int channel;
    uint32_t generation;
    enum worker_state state;
    unsigned clients; /* it serves at most, or, retiring, still has */
    bool served;      /* has done something useful */
};

struct service {
    struct list node;
    struct master *master;
    const struct master_entry *entry; /* of the present settings; NULL: removed */
    char *name;                       /* survives the entry, for messages */
    struct endpoint endpoint;
    struct list workers;
    int64_t throttled_until; /* clock_now() scale; 0: not throttled */
    int64_t next_wakeup;     /* CLOCK_NEVER: none */
    int64_t limit_warned;    /* when the process limit was last complained about */
    int64_t stressed_until;  /* reached its limit lately: new workers get stress=yes */
    bool used;               /* some worker was started */
};

struct master {
    char *config_directory;
    struct settings *settings;
    struct list services;
    struct privilege_user owner;
    bool unprivileged; /* not started by root */
    bool stopping;
    int verbose;
    int log_fd;         /* -1: syslog */
    int ticket_fd;      /* of MASTER_TICKET_FD; never read here */
    int pid_lock;       /* pid/master.pid */
    int data_lock;      /* data_directory/master.lock */
    char **environment; /* of workers, without what differs between them */
    uint32_t generation;
};

/* Make the services of NEXT the present ones: keep what listens at the same place, open
 * what is new, close what is gone.  When something cannot be opened nothing changes. */
NODISCARD enum outcome services_apply(struct master *master, struct settings *next,
                                      struct err *err);
/* Does SERVICE need one more worker, should somebody knock? */
bool service_wants_worker(struct service *service);
void service_start_worker(struct service *service);
/* maxproc of SERVICE; 0: no limit. */
unsigned service_process_limit(const struct service *service);
/* How many clients one more worker may have; 0: no limit. */
unsigned service_next_clients(const struct service *service);
/* Start none for service_throttle_time. */
void service_throttle(struct service *service);
/* When the next timer of any service runs out, and doing what is due. */
int64_t services_next_timer(const struct master *master);
void services_run_timers(struct master *master);
/* Tell all workers to finish and leave, or to use the present log. */
void services_order(struct master *master, enum master_order order);
void services_signal(struct master *master, int number);
/* Somebody is still there. */
bool services_have_workers(const struct master *master);
void services_close_endpoints(struct master *master);
void services_free(struct master *master);

/* Take the reports of WORKER that are waiting. */
void worker_receive(struct worker_process *worker);
/* Give an order; LOG_FD goes with MASTER_LOG.  A worker that cannot be told is on its
 * way out. */
void worker_order(struct worker_process *worker, enum master_order order, int log_fd);
/* Forget WORKER, dead or not. */
void worker_free(struct worker_process *worker);
/* Collect all dead children and say how they died. */
void workers_reap(struct master *master);

/* --- life cycle -------------------------------------------------------- */

/* From main.cf's import_environment; freed by environment_free(). */
char **environment_make(const struct conf *conf);
void environment_free(char ***environment);
/* The memory behind MASTER_TICKET_FD: it lives as long as this process, so that clients
 * resume their sessions after a reload.  -1: there is none, and keys are not shared. */
int ticket_memory_make(void);
/* Both lock files, or fatal. */
void locks_take(struct master *master);
/* Open what maillog_file and syslog_facility say and log there. */
NODISCARD enum outcome log_open(struct master *master, const struct conf *conf,
                                bool foreground, struct err *err);
/* Serve until told to stop; END is a deadline (-e). */
void loop_run(struct master *master, int64_t end);
void loop_catch_signals(void);

#endif
