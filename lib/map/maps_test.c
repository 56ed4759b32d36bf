/* SPDX-License-Identifier: MIT */
#include "map/maps_private.h"
#include "testing/test.h"

#include "map/map_testing.h"

static void test_list(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct maps *maps =
        maps_open(bench->conf, "virtual_alias_maps",
                  "inline:{ {a = first one} }, inline:{a=2 b=3}, fail:x,"
                  "static:rest",
                  MAP_FOLD);
    const struct map *matched;
    assert_false(maps_empty(maps));
    assert_int_equal(maps_find(maps, VIEW("A"), &bench->value, &matched, &bench->err),
                     MAP_FOUND);
    assert_string_equal(str_ptr(&bench->value), "first one");
    assert_string_equal(map_name(matched), "inline:{ {a = first one} }");
    assert_int_equal(maps_find(maps, VIEW("b"), &bench->value, NULL, NULL), MAP_FOUND);
    assert_string_equal(str_ptr(&bench->value), "3");
    assert_int_equal(maps_find(maps, VIEW("c"), &bench->value, &matched, &bench->err),
                     MAP_ERROR);
    assert_string_equal(map_name(matched), "fail:x");
    assert_log(bench, "warning: fail:x lookup error for \"c\"\n");
    assert_int_equal(maps_find(maps, VIEW(""), &bench->value, &matched, &bench->err),
                     MAP_MISSING);
    assert_null(matched);
    assert_false(maps_changed(maps));
    maps_close(&maps);
    assert_null(maps);

    maps = maps_open(bench->conf, "t", " , ", 0);
    assert_true(maps_empty(maps));
    assert_int_equal(maps_find(maps, VIEW("a"), &bench->value, NULL, NULL),
                     MAP_MISSING);
    maps_close(&maps);
    bench_free(bench);
}

static void test_empty_result(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct maps *maps =
        maps_open(bench->conf, "virtual_alias_maps", "inline:{e@x=}", MAP_FOLD);
    assert_int_equal(maps_find(maps, VIEW("e@x"), &bench->value, NULL, &bench->err),
                     MAP_ERROR);
    assert_string_equal(bench->err.dsn, "4.3.5");
    assert_log(bench,
               "warning: virtual_alias_maps lookup of e@x returns an empty string "
               "result\nwarning: virtual_alias_maps should return NO RESULT in case "
               "of NOT FOUND\n");
    maps_close(&maps);
    bench_free(bench);
}

enum {
    VIRTUAL = MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN,
    LOCAL = VIRTUAL | MAPS_ADDRESS_LOCALPART,
    TRANSPORT = MAPS_ADDRESS_FULL | MAPS_ADDRESS_BARE_DOMAIN | MAPS_ADDRESS_DOT_PARENTS,
    ACCESS = MAPS_ADDRESS_FULL | MAPS_ADDRESS_BARE_DOMAIN | MAPS_ADDRESS_PARENTS |
             MAPS_ADDRESS_AT_LOCALPART
};

struct address_case {
    const char *table, *address, *delimiters;
    unsigned flags;
    const char *answer, *extension;
};

static void check_address(struct bench *bench, const struct address_case *c)
{
    STR_AUTO struct str extension = {0};
    struct maps *maps = maps_open(bench->conf, "m", c->table, MAP_FOLD);
    enum map_result result =
        maps_find_address(maps, view_cstr(c->address), c->delimiters, c->flags,
                          &bench->value, &extension, &bench->err);
    const char *answer = result == MAP_FOUND     ? str_ptr(&bench->value)
                         : result == MAP_MISSING ? "(missing)"
                                                 : "(error)";
    assert_string_equal(answer, c->answer);
    assert_string_equal(str_ptr(&extension), c->extension);
    maps_close(&maps);
}

static void test_addresses(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct address_case cases[] = {
        {"inline:{u+e@d.x=1 u@d.x=2 @d.x=3}", "u+e@d.x", "+", VIRTUAL, "1", ""},
        {"inline:{u@d.x=2 @d.x=3}", "U+E@D.x", "+", VIRTUAL, "2", "+E"},
        {"inline:{@d.x=3}", "u+e@d.x", "+", VIRTUAL, "3", ""},
        {"inline:{u@d.x=2}", "u+e@d.x", "", VIRTUAL, "(missing)", ""},
        {"inline:{u@d.x=2}", "u-e@d.x", "+", VIRTUAL, "(missing)", ""},
        {"inline:{u@d.x=2}", "u-e+f@d.x", "+-", VIRTUAL, "2", "-e+f"},
        {"inline:{u=2}", "u@d.x", "", VIRTUAL, "(missing)", ""},
        {"inline:{u=2}", "u@d.x", "", LOCAL, "2", ""},
        {"inline:{u=2 u+e=4}", "u+e@d.x", "+", LOCAL, "4", ""},
        {"inline:{u=2}", "u+e@d.x", "+", LOCAL, "2", "+e"},
        {"inline:{u=2 @d.x=3}", "u+e@d.x", "+", LOCAL, "2", "+e"},
        {"inline:{u+e@d.x=1 u@d.x=2 u=3}", "u+e", "+", VIRTUAL, "3", "+e"},
        {"inline:{=1 @d.x=3}", "+e@d.x", "+", VIRTUAL, "3", ""},
        {"inline:{owner=1}", "owner-x@d.x", "-", LOCAL, "(missing)", ""},
        {"inline:{x=1}", "x-request@d.x", "-", LOCAL, "(missing)", ""},
        {"inline:{owner=1}", "owner+x@d.x", "+", LOCAL, "1", "+x"},
        {"inline:{mailer=1}", "MAILER-DAEMON@d.x", "-", LOCAL, "(missing)", ""},
        {"inline:{double=1}", "double-bounce@d.x", "-", LOCAL, "(missing)", ""},
        {"inline:{d.x=5}", "u+e@d.x", "+", TRANSPORT, "5", ""},
        {"inline:{.d.x=6 d.x=5}", "u@s.d.x", "", TRANSPORT, "6", ""},
        {"inline:{.x=7}", "u@s.d.x", "", TRANSPORT, "7", ""},
        {"inline:{x=7 d.x=6}", "u@s.d.x", "", TRANSPORT, "(missing)", ""},
        {"inline:{x=7 d.x=6}", "u@s.d.x", "", ACCESS, "6", ""},
        {"inline:{d.x=5 u@=8}", "u+e@d.x", "+", ACCESS, "5", ""},
        {"inline:{u@=8}", "u+e@d.x", "+", ACCESS, "8", "+e"},
        {"inline:{u+e@=9 u@=8}", "u+e@d.x", "+", ACCESS, "9", ""},
        {"inline:{2.3.4]=7 .4]=7}", "u@[1.2.3.4]", "", ACCESS, "(missing)", ""},
        {"inline:{.=7 x.=8}", "u@d.x.", "", ACCESS, "8", ""},
        {"inline:{u=2}", "u", "", VIRTUAL, "2", ""},
        {"inline:{@=2}", "u@", "", VIRTUAL, "(missing)", ""},
        {"inline:{{a@b@d.x=2}}", "a@b@d.x", "", VIRTUAL, "2", ""},
        {"inline:{@d.x=2}", "a@b@d.x", "", VIRTUAL, "2", ""},
        /* Pattern tables are asked for the whole address, once. */
        {"pcre:{{/^(.*)$/ [$1]}}", "U+E@D.x", "+", LOCAL, "[U+E@D.x]", ""},
        {"pcre:{{/^u@/ two}} inline:{u@d.x=2}", "u+e@d.x", "+", LOCAL, "2", "+e"},
        {"pcre:{{/^@/ domain}}", "u+e@d.x", "+", LOCAL, "(missing)", ""},
        {"fail:x", "u@d.x", "+", LOCAL, "(error)", ""},
        {"unionmap:{inline:{u+e@d.x=1},inline:{u@d.x=2}}", "u+e@d.x", "+", LOCAL, "1",
         ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check_address(bench, &cases[i]);
    }
    bench_free(bench);
}

static void test_owner_not_special(void **state)
{
    (void)state;
    struct bench *bench = bench_new("owner_request_special = no");
    static const struct address_case special = {
        "inline:{owner=1}", "owner-x@d.x", "-", LOCAL, "1", "-x"};
    check_address(bench, &special);
    bench_free(bench);
}

/* What was found a moment ago, under any of its keys, is not looked up again. */
static void test_has_address(void **state)
{
    (void)state;
    struct err err = {0};
    struct conf *conf = conf_open_text(".", "", &err);
    struct maps *maps = maps_open(conf, "test", "inline:{ann=x}", 0);
    const unsigned flags = MAPS_ADDRESS_FULL | MAPS_ADDRESS_LOCALPART;
    assert_false(maps_remember(maps, VIEW("ann")));
    assert_int_equal(maps_has_address(maps, VIEW("bob@a.test"), "+", flags, &err),
                     MAP_MISSING);
    assert_int_equal(maps_has_address(maps, VIEW("ann+1@a.test"), "+", flags, &err),
                     MAP_FOUND);
    assert_true(maps_remember(maps, VIEW("ann")));
    assert_false(maps_remember(maps, VIEW("bob")));
    /* Known by a note alone: the table would say no. */
    maps_note(maps, VIEW("eve"));
    assert_int_equal(maps_has_address(maps, VIEW("eve+2@a.test"), "+", flags, &err),
                     MAP_FOUND);
    maps_close(&maps);
    conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_empty_result),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_has_address),
        cmocka_unit_test(test_owner_not_special),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
