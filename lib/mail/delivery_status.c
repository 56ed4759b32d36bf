/* SPDX-License-Identifier: MIT */
/* The "to=<..>, relay=.., delay=.." line of the log; log readers depend on every byte.
 */
#include "mail/delivery_status.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "mail/address.h"
#include "sys/clock.h"

enum { MILLION = 1000000, DELAY_DIGITS = 2 };

/* Round to UNIT microseconds, halves up. */
static int64_t round_to(int64_t microseconds, int64_t unit)
{
    return (microseconds + unit / 2) / unit * unit;
}

void delivery_delay_text(int64_t microseconds, char text[24])
{
    enum { CENTI = MILLION / 100, DECI = MILLION / 10 };
    int64_t t = microseconds > 0 ? microseconds : 0;
    /* Two digits from the first one that is not zero, and never more than two decimals.
     */
    t = round_to(t, t < MILLION ? CENTI : t < 10 * (int64_t)MILLION ? DECI : MILLION);
    int64_t seconds = t / MILLION;
    int hundredths = (int)(t % MILLION / CENTI);
    if (hundredths == 0) {
        (void)snprintf(text, 24, "%lld", (long long)seconds);
    } else if (hundredths % 10 == 0) {
        (void)snprintf(text, 24, "%lld.%d", (long long)seconds, hundredths / 10);
    } else {
        (void)snprintf(text, 24, "%lld.%02d", (long long)seconds, hundredths);
    }
}

/* From one point to the next; a point that did not happen takes no time. */
static int64_t between(int64_t from, int64_t to)
{
    return from > 0 && to > from ? to - from : 0;
}

static void delays_text(const struct delivery_times *times, char total[24],
                        char four[100])
{
    /* Without a connection the time before the end counts as transmission. */
    int64_t active = times->active > 0 ? times->active : times->arrival;
    int64_t handed = times->handed > 0 ? times->handed : active;
    int64_t connected = times->connected > 0 ? times->connected : handed;
    char part[4][24];
    delivery_delay_text(between(times->arrival, active), part[0]);
    delivery_delay_text(between(active, handed), part[1]);
    delivery_delay_text(between(handed, connected), part[2]);
    delivery_delay_text(between(connected, times->done), part[3]);
    (void)snprintf(four, 100, "%s/%s/%s/%s", part[0], part[1], part[2], part[3]);
    delivery_delay_text(between(times->arrival, times->done), total);
}

/* NOLINTNEXTLINE(readability-function-size): the parts of one line */
void delivery_status_log(const char *queue_id, struct view to, struct view original,
                         const char *relay, const struct delivery_times *times,
                         const char *dsn, const char *status, const char *text)
{
    char delay[24], delays[100];
    delays_text(times, delay, delays);
    STR_AUTO struct str line = {0};
    str_printf(&line, "%s: to=<", queue_id);
    address_quote(to, &line);
    if (original.len > 0 && !view_equal_nocase(to, original)) {
        str_add_cstr(&line, ">, orig_to=<");
        address_quote(original, &line);
    }
    log_info("%s>, relay=%s, delay=%s, delays=%s, dsn=%s, status=%s (%s)",
             str_ptr(&line), relay, delay, delays, dsn, status, text);
}
