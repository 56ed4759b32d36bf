/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

struct match_case {
    enum match_kind kind;
    const char *list, *text, *name, *answer;
};

static const char *ask(struct bench *bench, const struct match_case *c)
{
    struct match_list *list =
        match_list_open(bench->conf, "mynetworks", c->list, c->kind);
    enum map_result result =
        match_list_find(list, view_cstr(c->text), view_cstr(c->name), &bench->err);
    assert_false(match_list_changed(list));
    match_list_close(&list);
    assert_null(list);
    return result == MAP_FOUND ? "yes" : result == MAP_MISSING ? "no" : "error";
}

static void test_matching(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct match_case cases[] = {
        {MATCH_STRING, "", "a", "", "no"},
        {MATCH_STRING, "b, a c", "A", "", "yes"},
        {MATCH_STRING, "a.b", "x.a.b", "", "no"},
        {MATCH_STRING, ".a.b", "x.a.b", "", "no"},
        {MATCH_STRING, "!a, static:all", "a", "", "no"},
        {MATCH_STRING, "!a, static:all", "b", "", "yes"},
        {MATCH_STRING, "!!a", "a", "", "yes"},
        {MATCH_DOMAIN, "a.b", "a.B", "", "yes"},
        {MATCH_DOMAIN, "a.b", "x.a.b", "", "no"},
        {MATCH_DOMAIN, ".a.b", "x.a.b", "", "yes"},
        {MATCH_DOMAIN, ".a.b", "a.b", "", "no"},
        {MATCH_DOMAIN, "inline:{a.b=1}", "x.a.b", "", "no"},
        {MATCH_DOMAIN, "inline:{.a.b=1}", "y.x.A.b", "", "yes"},
        {MATCH_DOMAIN, "inline:{.=1}", "a.", "", "no"},
        {MATCH_DOMAIN, "[1.2.3.4]", "[1.2.3.4]", "", "yes"},
        {MATCH_DOMAIN_PARENTS, "a.b", "x.a.b", "", "yes"},
        {MATCH_DOMAIN_PARENTS, "a.b", "xa.b", "", "no"},
        {MATCH_DOMAIN_PARENTS, ".a.b", "x.a.b", "", "no"},
        {MATCH_DOMAIN_PARENTS, "inline:{a.b=1}", "y.x.a.b", "", "yes"},
        {MATCH_DOMAIN_PARENTS, "inline:{.a.b=1}", "x.a.b", "", "no"},
        {MATCH_DOMAIN_PARENTS, "pcre:{{/^a\\.b$/ x}}", "y.a.b", "", "no"},
        {MATCH_DOMAIN, "fail:x, a", "a", "", "error"},
        {MATCH_DOMAIN, "a, fail:x", "a", "", "yes"},
        {MATCH_DOMAIN, "netinfo:x", "a", "", "error"},
        {MATCH_DOMAIN, "/nonexistent/list", "a", "", "error"},
        {MATCH_DOMAIN, "a !", "b", "", "error"},
        {MATCH_ADDRESS, "10.0.0.0/8, 127.0.0.1", "10.1.2.3", "", "yes"},
        {MATCH_ADDRESS, "10.0.0.0/8, 127.0.0.1", "127.0.0.1", "", "yes"},
        {MATCH_ADDRESS, "10.0.0.0/8, 127.0.0.1", "127.0.0.2", "", "no"},
        {MATCH_ADDRESS, "!10.0.0.1, 10.0.0.0/8", "10.0.0.1", "", "no"},
        {MATCH_ADDRESS, "!10.0.0.1, 10.0.0.0/8", "10.0.0.2", "", "yes"},
        {MATCH_ADDRESS, "[::1]/128 [2001:db8::]/32", "2001:db8::1", "", "yes"},
        {MATCH_ADDRESS, "[::1]", "::1", "", "yes"},
        {MATCH_ADDRESS, "[127.0.0.1]", "127.0.0.1", "", "yes"},
        {MATCH_ADDRESS, "::1", "::1", "", "error"}, /* a table of type ""? */
        {MATCH_ADDRESS, "10.0.0.1/8", "10.0.0.1", "", "error"},
        {MATCH_ADDRESS, "10.0.0.0/33", "10.0.0.1", "", "error"},
        {MATCH_ADDRESS, "127.0.0.1.2 10.0.0.1", "10.0.0.1", "", "yes"},
        {MATCH_ADDRESS, "cidr:{{10.0.0.0/8 x}}", "10.0.0.1", "", "yes"},
        {MATCH_ADDRESS, "inline:{10.0.0.1=x}", "10.0.0.1", "", "yes"},
        {MATCH_ADDRESS, "a.b", "10.0.0.1", "x.a.b", "yes"},
        {MATCH_ADDRESS, "a.b", "10.0.0.1", "", "no"},
        {MATCH_ADDRESS, "inline:{a.b=1}", "10.0.0.1", "x.a.b", "yes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(ask(bench, &cases[i]), cases[i].answer);
    }
    bench_free(bench);
}

static void test_files(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    char *all = xasprintf("x.y !%s/no %s/yes", bench->directory, bench->directory);
    char *nested =
        xasprintf("10.0.0.0/8\n# comment\n%s/more, 1.1.1.1 \n", bench->directory);
    char *loop = xasprintf("%s/loop\n", bench->directory);
    test_write_file(bench->directory, "no", "10.0.0.1\n!10.0.0.2\n");
    test_write_file(bench->directory, "yes", nested);
    test_write_file(bench->directory, "more", "11.0.0.0/8\n  12.0.0.0/8\n");
    test_write_file(bench->directory, "loop", loop);
    const struct match_case cases[] = {
        {MATCH_ADDRESS, all, "10.0.0.1", "", "no"},
        {MATCH_ADDRESS, all, "10.0.0.2", "", "yes"},
        {MATCH_ADDRESS, all, "10.0.0.3", "", "yes"},
        {MATCH_ADDRESS, all, "12.1.1.1", "", "yes"},
        {MATCH_ADDRESS, all, "1.1.1.1", "", "yes"},
        {MATCH_ADDRESS, all, "1.1.1.2", "", "no"},
        {MATCH_ADDRESS, loop, "1.1.1.2", "", "error"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(ask(bench, &cases[i]), cases[i].answer);
    }
    free(all);
    free(nested);
    free(loop);
    bench_free(bench);
}

static void test_log(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct {
        const char *list, *log;
    } cases[] = {
        {"10.0.0.1/8",
         "warning: mynetworks: non-null host address bits in "
         "\"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" instead\n"},
        {"fail:x", "warning: mynetworks: fail:x: table lookup problem\n"},
        {"fe80::1",
         "error: unsupported dictionary type: fe80\n"
         "warning: fe80::1 is unavailable. unsupported dictionary type: fe80\n"
         "warning: mynetworks: fe80::1: table lookup problem\n"},
        {"/nonexistent/f",
         "error: open file /nonexistent/f: No such file or directory\n"
         "warning: mynetworks: open file /nonexistent/f: No such file or directory\n"},
        {"127.0.0.1.2", "warning: mynetworks: bad address pattern: \"127.0.0.1.2\"\n"},
        {"163.com", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct match_case c = {MATCH_ADDRESS, cases[i].list, "10.0.0.2", "", ""};
        (void)ask(bench, &c);
        assert_log(bench, cases[i].log);
    }
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
