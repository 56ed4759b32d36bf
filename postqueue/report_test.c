/* SPDX-License-Identifier: MIT */
/* The listing, column by column. */
#include "testing/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "postqueue/postqueue.h"

static struct queue_list_recipient recipients[] = {
    {{"one@a.example", 13}, {"reason a", 8}},
    {{"two@a.example", 13}, {"", 0}},
};

static struct queue_list_entry entry_of(const char *queue, const char *id)
{
    return (struct queue_list_entry){.queue_name = view_cstr(queue),
                                     .queue_id = view_cstr(id),
                                     .arrival_time = (int64_t)1795336892123456,
                                     .size = 1262,
                                     .sender = VIEW("alpha@example.org"),
                                     .recipients = recipients,
                                     .recipient_count = 2};
}

static void check_output(struct report *report, const struct queue_list_entry *entries,
                         size_t count, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    CHECK(setenv("TZ", "UTC0", 1) == 0);
    tzset();
    report->out = open_memstream(&text, &len);
    for (size_t i = 0; i < count; i++) {
        report_entry(report, &entries[i]);
    }
    report_end(report);
    (void)fclose(report->out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_short_ids(void **state)
{
    (void)state;
    struct queue_list_entry entries[] = {entry_of("deferred", "23794A9001C"),
                                         entry_of("active", "6F5E1"),
                                         entry_of("hold", "307D1A90021")};
    entries[1].sender = VIEW("");
    entries[1].recipient_count = 0;
    entries[2].forced_expire = true;
    entries[2].size = 12345678;
    entries[2].recipient_count = 0;
    struct report report = {0};
    check_output(&report, entries, 3,
                 "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                 "23794A9001C    1262 Sun Nov 22 08:41:32  alpha@example.org\n"
                 "                                                                    "
                 "(reason a)\n"
                 "                                         one@a.example\n"
                 "                                         two@a.example\n"
                 "\n"
                 "6F5E1*         1262 Sun Nov 22 08:41:32  MAILER-DAEMON\n"
                 "\n"
                 "307D1A90021!# 12345678 Sun Nov 22 08:41:32  alpha@example.org\n"
                 "\n"
                 "-- 12058 Kbytes in 3 Requests.\n");
}

static void test_long_ids(void **state)
{
    (void)state;
    struct queue_list_entry entry = entry_of("deferred", "4jXMxT63H7z1cTBy");
    struct report report = {.long_ids = true};
    check_output(
        &report, &entry, 1,
        "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
        "4jXMxT63H7z1cTBy      1262 Sun Nov 22 08:41:32 alpha@example.org\n"
        "                                                                    (reason "
        "a)\n"
        "                                               one@a.example\n"
        "                                               two@a.example\n"
        "\n"
        "-- 1 Kbytes in 1 Request.\n");
}

static void test_empty(void **state)
{
    (void)state;
    struct report text = {0}, json = {.json = true};
    check_output(&text, NULL, 0, "Mail queue is empty\n");
    check_output(&json, NULL, 0, "");
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    struct queue_list_recipient bad[] = {
        {{"a\x1b\"\\\n\xc3\xbc\xff@x", 10}, {"\xed\xa0\x80\t", 4}}};
    struct queue_list_entry entry = entry_of("deferred", "6F5E1");
    entry.recipients = bad;
    entry.recipient_count = 1;
    struct report json = {.json = true}, text = {0};
    check_output(&json, &entry, 1,
                 "{\"queue_name\": \"deferred\", \"queue_id\": \"6F5E1\", "
                 "\"arrival_time\": 1795336892, \"message_size\": 1262, "
                 "\"forced_expire\": false, \"sender\": \"alpha@example.org\", "
                 "\"recipients\": [{\"address\": "
                 "\"a\\u001B\\\"\\\\\\n\xc3\xbc\\uFFFD@x\", "
                 "\"delay_reason\": \"\\uFFFD\\uFFFD\\uFFFD\\t\"}]}\n");
    check_output(&text, &entry, 1,
                 "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                 "6F5E1          1262 Sun Nov 22 08:41:32  alpha@example.org\n"
                 "                                                                     "
                 "   (???\?)\n"
                 "                                         a?\"\\?\xc3\xbc?@x\n"
                 "\n"
                 "-- 1 Kbytes in 1 Request.\n");
}

static void test_long_reason(void **state)
{
    (void)state;
    char reason[90];
    memset(reason, 'r', sizeof(reason));
    struct queue_list_recipient recipient = {{"a@x", 3}, {reason, 77}};
    struct queue_list_entry entry = entry_of("deferred", "6F5E1");
    entry.recipients = &recipient;
    entry.recipient_count = 1;
    char *text = NULL;
    size_t len = 0;
    struct report report = {.out = open_memstream(&text, &len)};
    report_entry(&report, &entry);
    report_end(&report);
    (void)fclose(report.out);
    assert_non_null(strstr(text, "\n(rrr"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_ids),   cmocka_unit_test(test_long_ids),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_long_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
