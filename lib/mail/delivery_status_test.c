/* SPDX-License-Identifier: MIT */
/* The log line of a delivery, byte by byte. */
#include "testing/test.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "mail/delivery_status.h"
#include "sys/clock.h"

static char seen[500];

static void remember(enum log_level level, const char *text, void *context)
{
    (void)level;
    (void)context;
    (void)snprintf(seen, sizeof(seen), "%s", text);
}

static void log_one(const char *to, const char *original,
                    const struct delivery_times *times)
{
    log_set_stderr(false);
    log_set_hook(remember, NULL);
    delivery_status_log("307D1A90021", view_cstr(to), view_cstr(original), "none",
                        times, "4.0.1", "deferred", "reason a");
    log_set_hook(NULL, NULL);
}

static void test_line(void **state)
{
    (void)state;
    const int64_t t = (int64_t)1795336892 * CLOCK_SECOND;
    struct delivery_times times = {.arrival = t,
                                   .active = t + 1100000,
                                   .handed = t + 1110000,
                                   .connected = t + 3110000,
                                   .done = t + 15110000};
    log_one("one@a.example", "", &times);
    assert_string_equal(seen,
                        "307D1A90021: to=<one@a.example>, relay=none, delay=15, "
                        "delays=1.1/0.01/2/12, dsn=4.0.1, status=deferred (reason a)");
    times.connected = 0; /* nothing was connected to */
    log_one("one@a.example", "list@a.example", &times);
    assert_string_equal(seen,
                        "307D1A90021: to=<one@a.example>, orig_to=<list@a.example>, "
                        "relay=none, delay=15, delays=1.1/0.01/0/14, dsn=4.0.1, "
                        "status=deferred (reason a)");
}

static void test_original(void **state)
{
    (void)state;
    struct delivery_times none = {0};
    log_one("K@a.example", "k@A.example", &none);
    assert_string_equal(seen, "307D1A90021: to=<K@a.example>, relay=none, delay=0, "
                              "delays=0/0/0/0, dsn=4.0.1, status=deferred (reason a)");
    log_one("k@a", "kk@a", &none);
    assert_non_null(strstr(seen, " orig_to=<kk@a>,"));
    log_one("a b@c", "a..b@c", &none);
    assert_non_null(strstr(seen, " to=<\"a b\"@c>, orig_to=<\"a..b\"@c>, relay=none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
