/* SPDX-License-Identifier: MIT */
/*
 * The change from one stack to another: assembly where we have it
 * (switch_x86_64.S, switch_aarch64.S), else ucontext (switch_ucontext.c).  Private
 * to this layer.
 */
#ifndef TASK_SWITCH_H
#define TASK_SWITCH_H

/* Lay out the first frame below TOP, so that the first switch to the result calls
 * ENTRY(ARGUMENT) there.  ENTRY must never return. */
void *task_switch_prepare(void *top, void (*entry)(void *), void *argument);

/* Leave the running context, stored in *FROM_OUT, and go on with TO.  Returns when
 * somebody switches back.  What a function call must preserve is preserved, with the
 * floating-point control words; the signal mask and errno are not. */
void task_switch_to(void **from_out, void *to);

#endif
