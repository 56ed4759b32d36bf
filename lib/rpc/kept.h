/* SPDX-License-Identifier: MIT */
/*
 * Kept connections to one of our own services, shared by the fibers of a
 * process: each request takes a connection out of the pool and puts it back when
 * the answer is complete.  Private to lib/rpc.
 *
 * A kept connection may have been closed by its server meanwhile (idle, reload,
 * crash).  Who finds that before any answer came drops it and asks for a FRESH one.
 */
#ifndef RPC_KEPT_H
#define RPC_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "net/stream.h"

struct kept_pool {
    char *path;       /* "public/cleanup", or the program that answers */
    bool program;     /* PATH is a command to run, with a socket for standard input and
                         output */
    int64_t timeout;  /* of every wait */
    size_t limit;     /* idle connections kept at most */
    int64_t max_idle; /* those idle for longer are closed when another comes back */
    size_t idle_count;
    struct list idle; /* the most recently used first */
};

struct kept {
    struct list node;
    struct stream *stream;
    struct str frame; /* for building requests */
    pid_t child;      /* of a program; 0: none */
    bool reused;      /* came from the pool: may be dead without anybody's fault */
    struct str note;  /* what the client remembers about the connection */
    int64_t since;    /* idle since then */
};

/* CLASS is "public" or "private". */
void kept_pool_init(struct kept_pool *pool, const char *class, const char *service,
                    int64_t timeout);
/* Each connection runs PROGRAM anew. */
void kept_pool_init_program(struct kept_pool *pool, const char *program,
                            int64_t timeout);
/* Closes the idle connections; none may be in use. */
void kept_pool_done(struct kept_pool *pool);
/* A connection; FRESH: close what was idle and connect anew.  NULL with ERR.  Waits. */
struct kept *kept_take(struct kept_pool *pool, bool fresh, struct err *err);
/* The exchange is complete: keep the connection unless there are enough. */
void kept_return(struct kept_pool *pool, struct kept *kept);
/* The connection is unusable or in an unknown state.  Waits for a program's end. */
void kept_drop(struct kept *kept);

#endif
