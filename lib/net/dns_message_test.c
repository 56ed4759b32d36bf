/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "net/dns_message.h"
#include "testing/dns_server.h"

static const char zone[] = "host.test A 192.0.2.1\n"
                           "host.test A 192.0.2.2\n"
                           "host.test AAAA 2001:db8::1\n"
                           "host.test MX 10 mx1.test\n"
                           "host.test MX 20 mx2.sub.test\n"
                           "host.test TXT v=spf1 |-all\n"
                           "host.test PTR name.test\n"
                           "null.test MX 0 .\n"
                           "numeric.test MX 0 192.0.2.1\n"
                           "mixed.test MX 0 bad/name.test\n"
                           "mixed.test MX 5 good.test\n"
                           "alias.test CNAME middle.test\n"
                           "middle.test CNAME host.test\n"
                           "loop.test CNAME loop.test\n"
                           "ring.test CNAME gnir.test\n"
                           "gnir.test CNAME ring.test\n"
                           "void.test CNAME nothing.test\n"
                           "nothing.test TXT x\n";

/* The zone's reply to the question, as the resolver would receive it. */
static void reply_to(const char *name, enum dns_type type, struct str *reply)
{
    STR_AUTO struct str question = {0};
    test_dns_question(name, (unsigned)type, &question);
    assert_true(test_dns_reply(zone, str_view(&question), false, reply));
}

static enum dns_status ask(struct arena *arena, const char *name, enum dns_type type,
                           struct dns_answer *answer)
{
    STR_AUTO struct str reply = {0};
    reply_to(name, type, &reply);
    return dns_message_parse(arena, str_view(&reply), type, answer);
}

static void test_types(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dns_answer answer;
    char text[NET_ADDRESS_TEXT];

    assert_int_equal(ask(&arena, "Host.Test", DNS_A, &answer), DNS_OK);
    assert_int_equal(answer.count, 2);
    net_address_text(&answer.records[1].address, text);
    assert_string_equal(text, "192.0.2.2");
    assert_int_equal(answer.records[1].ttl, 300);
    assert_int_equal(net_address_port(&answer.records[1].address), 0);

    assert_int_equal(ask(&arena, "host.test", DNS_AAAA, &answer), DNS_OK);
    net_address_text(&answer.records[0].address, text);
    assert_string_equal(text, "2001:db8::1");

    assert_int_equal(ask(&arena, "host.test", DNS_MX, &answer), DNS_OK);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.records[1].preference, 20);
    assert_view_equal(answer.records[1].text, "mx2.sub.test");

    assert_int_equal(ask(&arena, "host.test", DNS_TXT, &answer), DNS_OK);
    assert_view_equal(answer.records[0].text, "v=spf1 -all");
    assert_int_equal(ask(&arena, "host.test", DNS_PTR, &answer), DNS_OK);
    assert_view_equal(answer.records[0].text, "name.test");
    assert_int_equal(ask(&arena, "host.test", DNS_CNAME, &answer), DNS_NODATA);
    arena_clear(&arena);
}

static void test_aliases(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dns_answer answer;
    assert_int_equal(ask(&arena, "alias.test", DNS_A, &answer), DNS_OK);
    assert_int_equal(answer.count, 2);
    assert_string_equal(answer.name, "host.test");
    assert_int_equal(ask(&arena, "alias.test", DNS_CNAME, &answer), DNS_OK);
    assert_int_equal(answer.count, 1);
    assert_view_equal(answer.records[0].text, "middle.test");
    assert_int_equal(ask(&arena, "loop.test", DNS_A, &answer), DNS_NODATA);
    assert_int_equal(ask(&arena, "ring.test", DNS_A, &answer), DNS_NODATA);
    assert_int_equal(ask(&arena, "void.test", DNS_A, &answer), DNS_NODATA);
    arena_clear(&arena);
}

static void note(enum log_level level, const char *text, void *context)
{
    (void)level;
    str_add_cstr(context, text);
    str_add_byte(context, '\n');
}

static void test_host_names_in_answers(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dns_answer answer;
    STR_AUTO struct str log = {0};
    log_set_stderr(false);
    log_set_hook(note, &log);
    assert_int_equal(ask(&arena, "null.test", DNS_MX, &answer), DNS_OK);
    assert_int_equal(answer.records[0].text.len, 0);
    assert_string_equal(str_ptr(&log), "");
    assert_int_equal(ask(&arena, "numeric.test", DNS_MX, &answer), DNS_INVALID);
    assert_int_equal(answer.count, 0);
    assert_non_null(strstr(str_ptr(&log),
                           "warning: numeric domain name in resource data of MX record "
                           "for numeric.test: 192.0.2.1\n"));
    assert_int_equal(ask(&arena, "mixed.test", DNS_MX, &answer), DNS_OK);
    assert_int_equal(answer.count, 1);
    assert_view_equal(answer.records[0].text, "good.test");
    assert_non_null(strstr(str_ptr(&log), "warning: malformed domain name in resource "
                                          "data of MX record for mixed.test: "
                                          "bad/name.test\n"));
    log_set_hook(NULL, NULL);
    arena_clear(&arena);
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    static const enum dns_type types[] = {DNS_A,   DNS_AAAA, DNS_MX,
                                          DNS_TXT, DNS_PTR,  DNS_CNAME};
    static const char *const names[] = {"host.test", "alias.test", "null.test"};
    for (size_t i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(names); i++) {
        enum dns_type type = types[i % ARRAY_SIZE(types)];
        STR_AUTO struct str reply = {0};
        reply_to(names[i / ARRAY_SIZE(types)], type, &reply);
        for (size_t len = 0; len < reply.len; len++) {
            struct arena arena = {0};
            struct dns_answer answer;
            char *exact = xmalloc(len > 0 ? len : 1);
            memcpy(exact, reply.ptr, len);
            assert_int_equal(
                dns_message_parse(&arena, view_of(exact, len), type, &answer),
                DNS_TEMPFAIL);
            assert_int_equal(answer.count, 0);
            free(exact);
            arena_clear(&arena);
        }
    }
}

/* A message with one question for "a" and one answer, both given as wire bytes. */
static enum dns_status parse_answer(struct view record, enum dns_type type)
{
    struct arena arena = {0};
    struct dns_answer answer;
    STR_AUTO struct str message = {0};
    str_add(&message, VIEW("\0\0\x81\x80\0\1\0\1\0\0\0\0"));
    str_add(&message, VIEW("\1a\0\0\1\0\1"));
    str_add(&message, record);
    enum dns_status status =
        dns_message_parse(&arena, str_view(&message), type, &answer);
    arena_clear(&arena);
    return status;
}

static void test_hostile_messages(void **state)
{
    (void)state;
    static const struct {
        struct view record;
        enum dns_type type;
        enum dns_status status;
    } cases[] = {
        /* Sound, with a pointer to the question. */
        {VIEW("\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_OK},
        /* Pointers to themselves, ahead, and in a circle. */
        {VIEW("\xc0\x13\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        {VIEW("\xc0\x20\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        {VIEW("\1x\xc0\x13\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        /* Label types that do not exist. */
        {VIEW("\x40xx\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        {VIEW("\x80xx\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        /* Data longer than the message; addresses of a wrong length. */
        {VIEW("\xc0\x0c\0\1\0\1\0\0\0\1\0\5\1\2\3\4"), DNS_A, DNS_TEMPFAIL},
        {VIEW("\xc0\x0c\0\1\0\1\0\0\0\1\0\3\1\2\3"), DNS_A, DNS_INVALID},
        {VIEW("\xc0\x0c\0\x1c\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_AAAA, DNS_INVALID},
        /* A text string that is longer than its record. */
        {VIEW("\xc0\x0c\0\x10\0\1\0\0\0\1\0\3\4ab"), DNS_TXT, DNS_INVALID},
        {VIEW("\xc0\x0c\0\x10\0\1\0\0\0\1\0\0"), DNS_TXT, DNS_OK},
        /* Of another owner, class, or with a NUL or a dot in a label. */
        {VIEW("\1b\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_NODATA},
        {VIEW("\xc0\x0c\0\1\0\3\0\0\0\1\0\4\1\2\3\4"), DNS_A, DNS_NODATA},
        {VIEW("\xc0\x0c\0\5\0\1\0\0\0\1\0\5\3a.b\0"), DNS_CNAME, DNS_INVALID},
        {VIEW("\xc0\x0c\0\5\0\1\0\0\0\1\0\5\3a\0b\0"), DNS_CNAME, DNS_INVALID},
        {VIEW("\xc0\x0c\0\x0f\0\1\0\0\0\1\0\1\0"), DNS_MX, DNS_INVALID},
    };
    log_set_stderr(false);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum dns_status status = parse_answer(cases[i].record, cases[i].type);
        if (status != cases[i].status) {
            fail_msg("case %zu: %d", i, (int)status);
        }
    }
}

static void test_bounded(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dns_answer answer;
    STR_AUTO struct str message = {0};
    str_add(&message, VIEW("\0\0\x81\x80\0\1\0\x96\0\0\0\0"));
    str_add(&message, VIEW("\1a\0\0\1\0\1"));
    for (int i = 0; i < 150; i++) {
        str_add(&message, VIEW("\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"));
    }
    assert_int_equal(dns_message_parse(&arena, str_view(&message), DNS_A, &answer),
                     DNS_OK);
    assert_int_equal(answer.count, DNS_ANSWER_MAX);
    assert_true(answer.truncated);
    arena_clear(&arena);
}

static void test_hostname(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"example.test", true},
        {"a", true},
        {"_dmarc.a-b.c1", true},
        {"1a", true},
        {"1.0.0.127.in-addr.arpa", true},
        {"", false},
        {".", false},
        {"a.", false},
        {".a", false},
        {"a..b", false},
        {"-a.b", false},
        {"a-.b", false},
        {"a b", false},
        {"a/b", false},
        {"127.0.0.1", false},
        {"12345", false},
        {"m\xc3\xbcller.test", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(dns_hostname_ok(view_cstr(cases[i].name)), cases[i].ok);
    }
    STR_AUTO struct str name = {0};
    for (int i = 0; i < 63; i++) {
        str_add_byte(&name, 'a');
    }
    assert_true(dns_hostname_ok(str_view(&name)));
    str_add_byte(&name, 'a');
    assert_false(dns_hostname_ok(str_view(&name)));
    str_clear(&name);
    while (name.len < 254) {
        str_add_cstr(&name, "a.");
    }
    str_add_byte(&name, 'a');
    assert_true(dns_hostname_ok(str_view(&name)));
    str_add_byte(&name, 'a');
    assert_false(dns_hostname_ok(str_view(&name)));
    assert_false(dns_hostname_ok(view_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_host_names_in_answers),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_hostile_messages),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_hostname),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
