/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "anvil/tally.h"

#include <stdio.h>

#include "base/str.h"
#include "sys/clock.h"

static const int64_t UNIT = INT64_C(60) * CLOCK_SECOND;

static struct anvil_total report(struct tally *tally, struct reporter *reporter,
                                 const char *ident, uint64_t sessions,
                                 enum anvil_event event, uint64_t times, int64_t now)
{
    struct anvil_item item = {
        .ident = view_cstr(ident), .sessions = sessions, .most = sessions};
    struct anvil_total total;
    item.events[event] = times;
    tally_take(tally, reporter, &item, now, &total);
    return total;
}

/* Sessions are the sum over processes, and end with their process. */
static void test_sessions(void **state)
{
    struct tally *tally = tally_new(UNIT, 10 * UNIT);
    struct reporter *a = reporter_new(tally);
    struct reporter *b = reporter_new(tally);
    (void)state;
    assert_int_equal(report(tally, a, "x", 3, ANVIL_CONNECTION, 3, UNIT).sessions, 3);
    assert_int_equal(report(tally, b, "x", 2, ANVIL_CONNECTION, 2, UNIT).sessions, 5);
    assert_int_equal(report(tally, a, "x", 1, ANVIL_CONNECTION, 0, UNIT).sessions, 3);
    assert_int_equal(report(tally, b, "y", 7, ANVIL_CONNECTION, 7, UNIT).sessions, 7);
    reporter_free(&b);
    assert_int_equal(report(tally, a, "x", 1, ANVIL_CONNECTION, 0, UNIT).sessions, 1);
    assert_int_equal(report(tally, a, "y", 0, ANVIL_CONNECTION, 0, UNIT).sessions, 0);
    reporter_free(&a);
    tally_free(&tally);
}

/* A time unit begins with the first event after the last one. */
static void test_rates(void **state)
{
    struct tally *tally = tally_new(UNIT, 10 * UNIT);
    struct reporter *a = reporter_new(tally);
    const int64_t start = 100 * UNIT;
    (void)state;
    assert_int_equal(
        report(tally, a, "x", 1, ANVIL_MESSAGE, 2, start).rates[ANVIL_MESSAGE], 2);
    assert_int_equal(report(tally, a, "x", 1, ANVIL_MESSAGE, 1, start + UNIT - 1)
                         .rates[ANVIL_MESSAGE],
                     3);
    (void)report(tally, a, "x", 1, ANVIL_LOGIN_FAILURE, 4, start + UNIT - 1);
    struct anvil_total later = report(tally, a, "x", 1, ANVIL_MESSAGE, 1, start + UNIT);
    assert_int_equal(later.rates[ANVIL_MESSAGE], 1);
    assert_int_equal(later.rates[ANVIL_LOGIN_FAILURE], 4);
    later = report(tally, a, "x", 1, ANVIL_MESSAGE, 0, start + 11 * UNIT);
    assert_int_equal(later.rates[ANVIL_LOGIN_FAILURE], 0);
    reporter_free(&a);
    tally_free(&tally);
}

static struct str lines;

static void add_line(const char *text)
{
    str_printf(&lines, "%s\n", text);
}

static void test_statistics(void **state)
{
    struct tally *tally = tally_new(UNIT, 10 * UNIT);
    struct reporter *a = reporter_new(tally);
    (void)state;
    tally_statistics(tally, add_line);
    assert_string_equal(str_ptr(&lines), "");
    (void)report(tally, a, "smtp:1.2.3.4", 2, ANVIL_CONNECTION, 5, UNIT);
    (void)report(tally, a, "smtp:1.2.3.5", 1, ANVIL_AUTH, 2, UNIT);
    /* Gone before the report, and counted all the same. */
    struct anvil_item item = {.ident = VIEW("smtp:1.2.3.6"), .sessions = 0, .most = 9};
    struct anvil_total total;
    tally_take(tally, a, &item, UNIT, &total);
    assert_int_equal(total.sessions, 0);
    tally_statistics(tally, add_line);
    const char *text = str_ptr(&lines);
    assert_non_null(strstr(text, "max connection rate 5/60s for (smtp:1.2.3.4) at "));
    assert_non_null(strstr(text, "max connection count 9 for (smtp:1.2.3.6) at "));
    assert_non_null(strstr(text, "max auth rate 2/60s for (smtp:1.2.3.5) at "));
    assert_non_null(strstr(text, "max cache size 3 at "));
    assert_null(strstr(text, "message rate"));
    str_clear(&lines);
    tally_statistics(tally, add_line); /* since the last time */
    assert_string_equal(str_ptr(&lines), "");
    str_done(&lines);
    reporter_free(&a);
    tally_free(&tally);
}

/* Who does nothing any more is forgotten; who is here, or not forgiven, is not. */
static void test_forget(void **state)
{
    struct tally *tally = tally_new(UNIT, 10 * UNIT);
    struct reporter *a = reporter_new(tally);
    (void)state;
    for (int i = 0; i < 500; i++) {
        char ident[20];
        (void)snprintf(ident, sizeof(ident), "gone%d", i);
        (void)report(tally, a, ident, 0, ANVIL_CONNECTION, 1, UNIT);
    }
    (void)report(tally, a, "here", 1, ANVIL_CONNECTION, 1, UNIT);
    (void)report(tally, a, "bad", 0, ANVIL_LOGIN_FAILURE, 3, UNIT);
    tally_forget(tally, 3 * UNIT);
    str_clear(&lines);
    tally_statistics(tally, add_line);
    str_clear(&lines);
    assert_int_equal(
        report(tally, a, "here", 1, ANVIL_CONNECTION, 0, 3 * UNIT).sessions, 1);
    assert_int_equal(report(tally, a, "bad", 0, ANVIL_CONNECTION, 0, 3 * UNIT)
                         .rates[ANVIL_LOGIN_FAILURE],
                     3);
    tally_statistics(tally, add_line);
    assert_non_null(strstr(str_ptr(&lines), "max cache size 2 at "));
    str_done(&lines);
    reporter_free(&a);
    tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_forget)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
