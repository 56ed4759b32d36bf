/* SPDX-License-Identifier: MIT */
/* Dates in mail: RFC 5322, ctime (mbox, mailq) and the stamp of generated Message-Ids.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stdint.h>

enum { MAIL_DATE_MAX = 64 };

/* "Sun, 22 Nov 2026 08:41:32 +0000 (UTC)".  TIME in microseconds since 1970. */
void mail_date(int64_t time, char text[MAIL_DATE_MAX]);
/* "Sun Nov 22 08:41:32 2026" */
void mail_date_ctime(int64_t time, char text[MAIL_DATE_MAX]);
/* "20261122084132" (UTC) */
void mail_date_stamp(int64_t time, char text[MAIL_DATE_MAX]);

#endif
