/* SPDX-License-Identifier: MIT */
/* Names of days and months are those of the RFCs, whatever the locale says. */
#include "mail/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "sys/clock.h"

static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static time_t whole_seconds(int64_t time)
{
    int64_t seconds = time / CLOCK_SECOND;
    return (time_t)(time % CLOCK_SECOND < 0 ? seconds - 1 : seconds);
}

static struct tm local_time(int64_t time)
{
    time_t seconds = whole_seconds(time);
    struct tm tm = {0};
    /* Fails for years beyond int only; the epoch is as good as any other answer. */
    if (localtime_r(&seconds, &tm) == NULL) {
        tm = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    }
    CHECK(tm.tm_wday >= 0 && tm.tm_wday < 7 && tm.tm_mon >= 0 && tm.tm_mon < 12);
    return tm;
}

void mail_date(int64_t time, char text[MAIL_DATE_MAX])
{
    struct tm tm = local_time(time);
    long minutes = tm.tm_gmtoff / 60;
    char sign = minutes < 0 ? '-' : '+';
    minutes = labs(minutes);
    (void)snprintf(text, MAIL_DATE_MAX,
                   "%s, %2d %s %d %02d:%02d:%02d %c%02ld%02ld (%.16s)",
                   DAYS[tm.tm_wday], tm.tm_mday, MONTHS[tm.tm_mon], tm.tm_year + 1900,
                   tm.tm_hour, tm.tm_min, tm.tm_sec, sign, minutes / 60, minutes % 60,
                   tm.tm_zone != NULL ? tm.tm_zone : "");
}

void mail_date_ctime(int64_t time, char text[MAIL_DATE_MAX])
{
    struct tm tm = local_time(time);
    (void)snprintf(text, MAIL_DATE_MAX, "%s %s %2d %02d:%02d:%02d %d", DAYS[tm.tm_wday],
                   MONTHS[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                   tm.tm_year + 1900);
}

void mail_date_stamp(int64_t time, char text[MAIL_DATE_MAX])
{
    time_t seconds = whole_seconds(time);
    struct tm tm = {0};
    if (gmtime_r(&seconds, &tm) == NULL) {
        tm = (struct tm){.tm_mday = 1, .tm_year = 70};
    }
    (void)snprintf(text, MAIL_DATE_MAX, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
