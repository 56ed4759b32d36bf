/* SPDX-License-Identifier: MIT */
/*
 * A plug-in may wait for a server that does not answer.  When a call into the library
 * takes longer than auth_timeout, this process ends: it is the one thing that ends such
 * a wait for certain, and it costs one login.
 */
#ifndef AUTH_WATCHDOG_H
#define AUTH_WATCHDOG_H

#include <stdint.h>

/* Once: TIMEOUT in microseconds. */
void watchdog_init(int64_t timeout);
void watchdog_start(void);
void watchdog_stop(void);

#endif
