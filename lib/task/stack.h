/* SPDX-License-Identifier: MIT */
/* Stacks of fibers: guarded, touched lazily, recycled.  Private to this layer. */
#ifndef TASK_STACK_H
#define TASK_STACK_H

#include <stddef.h>

#include "base/list.h"

/* Lies at the upper end of the mapping it describes. */
struct stack {
    struct list node; /* in the pool */
    char *low;        /* lowest usable byte; the guard page is below */
    size_t size;      /* usable bytes from LOW up to this struct */
    unsigned hook_id;
};

struct stack_pool {
    struct list free;
    size_t count;
};

void stack_pool_init(struct stack_pool *pool);
void stack_pool_done(struct stack_pool *pool);
/* A stack with unspecified content.  Fatal when the system has no more memory. */
struct stack *stack_take(struct stack_pool *pool);
/* Not while running on it. */
void stack_give_back(struct stack_pool *pool, struct stack *stack);

#endif
