/* SPDX-License-Identifier: MIT */
/*
 * Stack switch by ucontext, for processors without an assembly file, and on request
 * (POSTERN_UCONTEXT).  Slower, because it saves the signal mask with a system call.
 * A context is a ucontext_t that lies on the stack it describes.
 */
#include "task/switch.h"

#if defined(TASK_SWITCH_UCONTEXT) || (!defined(__x86_64__) && !defined(__aarch64__))

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "base/check.h"
#include "base/log.h"

struct first_frame {
    ucontext_t context;
    void (*entry)(void *);
    void *argument;
};

/* makecontext() passes ints only: the pointer comes in two halves. */
static void start(unsigned high, unsigned low)
{
    struct first_frame *first =
        (void *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);
    first->entry(first->argument);
    log_panic("the entry function of a fiber returned");
}

void *task_switch_prepare(void *top, void (*entry)(void *), void *argument)
{
    /* The size given to makecontext() only has to end at the frame's place; the real
     * lower end of the stack is watched by its guard page. */
    enum { SMALL = 4096 };
    uintptr_t place = ((uintptr_t)top - sizeof(struct first_frame)) & ~(uintptr_t)63;
    struct first_frame *first = (void *)place;
    CHECK(getcontext(&first->context) == 0);
    first->entry = entry;
    first->argument = argument;
    first->context.uc_stack.ss_sp = (void *)(place - SMALL);
    first->context.uc_stack.ss_size = SMALL;
    first->context.uc_link = NULL;
    makecontext(&first->context, (void (*)(void))start, 2,
                (unsigned)((uint64_t)place >> 32), (unsigned)place);
    return &first->context;
}

void task_switch_to(void **from_out, void *to)
{
    ucontext_t here;
    *from_out = &here;
    CHECK(swapcontext(&here, to) == 0);
}

#endif
