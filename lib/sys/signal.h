/* SPDX-License-Identifier: MIT */
/* Signal dispositions; nothing here allocates or logs. */
#ifndef SYS_SIGNAL_H
#define SYS_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

/* Call HANDLER on NUMBER.  System calls are restarted (poll and sleep are not: kernel).
 */
void signal_handle(int number, void (*handler)(int));
void signal_ignore(int number);
/* Block or unblock NUMBER; returns whether it was blocked before. */
bool signal_block(int number, bool block);
/* Everything as a program expects it after exec: default actions, nothing blocked. */
void signal_reset_all(void);

#endif
