/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "mail/date.h"
#include "mail/delivery_status.h"

static void set_zone(const char *zone)
{
    CHECK(setenv("TZ", zone, 1) == 0);
    tzset();
}

static void test_dates(void **state)
{
    (void)state;
    const int64_t time = 1795336892123456;
    char text[MAIL_DATE_MAX];
    set_zone("UTC0");
    mail_date(time, text);
    assert_string_equal(text, "Sun, 22 Nov 2026 08:41:32 +0000 (UTC)");
    mail_date_ctime(time, text);
    assert_string_equal(text, "Sun Nov 22 08:41:32 2026");
    mail_date_stamp(time, text);
    assert_string_equal(text, "20261122084132");
    set_zone("NST3:30");
    mail_date(0, text);
    assert_string_equal(text, "Wed, 31 Dec 1969 20:30:00 -0330 (NST)");
    set_zone("JST-9");
    mail_date(0, text);
    assert_string_equal(text, "Thu,  1 Jan 1970 09:00:00 +0900 (JST)");
    mail_date_ctime(-1, text);
    assert_string_equal(text, "Thu Jan  1 08:59:59 1970");
    mail_date_stamp(0, text);
    assert_string_equal(text, "19700101000000");
}

static void test_absurd_times(void **state)
{
    (void)state;
    char text[MAIL_DATE_MAX];
    static const int64_t TIMES[] = {INT64_MIN, INT64_MAX, -1, INT64_MIN + 1};
    for (size_t i = 0; i < ARRAY_SIZE(TIMES); i++) {
        mail_date(TIMES[i], text);
        mail_date_ctime(TIMES[i], text);
        mail_date_stamp(TIMES[i], text);
    }
}

static void test_delays(void **state)
{
    (void)state;
    static const struct {
        int64_t time;
        const char *text;
    } CASES[] = {
        {-5, "0"},        {0, "0"},          {4999, "0"},        {5000, "0.01"},
        {80000, "0.08"},  {100000, "0.1"},   {123456, "0.12"},   {995000, "1"},
        {1200000, "1.2"}, {1000000, "1"},    {1049999, "1"},     {9960000, "10"},
        {12400000, "12"}, {99600000, "100"}, {123400000, "123"}, {3600000000, "3600"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char text[24];
        delivery_delay_text(CASES[i].time, text);
        assert_string_equal(text, CASES[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_absurd_times),
        cmocka_unit_test(test_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
