/* SPDX-License-Identifier: MIT */
/*
 * What every client does, over all processes that report: sessions at present, and
 * events within the time unit, which begins with a client's first event after the last
 * one. Plain data; no waiting.
 */
#ifndef ANVIL_TALLY_H
#define ANVIL_TALLY_H

#include "rpc/anvil.h"

struct tally;
/* One process that reports. */
struct reporter;

/* Times in microseconds; FAILURE_TIME is the time unit of ANVIL_LOGIN_FAILURE. */
struct tally *tally_new(int64_t time_unit, int64_t failure_time);
void tally_free(struct tally **tally);

struct reporter *reporter_new(struct tally *tally);
/* It is gone, and so are its sessions. */
void reporter_free(struct reporter **reporter);

/* Add what REPORTER has to say about a client, at the time NOW. */
void tally_take(struct tally *tally, struct reporter *reporter,
                const struct anvil_item *item, int64_t now, struct anvil_total *out);
/* Forget clients that have no sessions and no recent events. */
void tally_forget(struct tally *tally, int64_t now);

/* The highest values since the last call, one line each: "max connection rate 3/60s for
 * (smtp:192.0.2.1) at Nov 27 23:12:48".  Nothing for what did not happen. */
void tally_statistics(struct tally *tally, void (*line)(const char *text));

#endif
