/* SPDX-License-Identifier: MIT */
/* One recipient's outcome: the log line that every delivery agent writes. */
#ifndef MAIL_DELIVERY_STATUS_H
#define MAIL_DELIVERY_STATUS_H

#include <stdint.h>

#include "base/view.h"

/* Points in a delivery, microseconds since 1970 (clock_wall); 0: did not happen. */
struct delivery_times {
    int64_t arrival;   /* message arrived */
    int64_t active;    /* queue manager took it up */
    int64_t handed;    /* agent got the request */
    int64_t connected; /* connection set up (smtp) */
    int64_t done;
};

/* TO and ORIGINAL in internal form:
 * "ID: to=<a>, orig_to=<b>, relay=r, delay=1.2, delays=0.1/0/1/0.1, dsn=2.0.0,
 * status=sent (text)". orig_to is left out when empty or equal to TO, whatever the
 * case of letters. */
void delivery_status_log(const char *queue_id, struct view to, struct view original,
                         const char *relay, const struct delivery_times *times,
                         const char *dsn, const char *status, const char *text);
/* "0.08", "1.2", "12" : two significant digits below 100 s, as Postfix prints them. */
void delivery_delay_text(int64_t microseconds, char text[24]);

#endif
