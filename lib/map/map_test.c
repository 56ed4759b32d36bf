/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_literal_types(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct {
        const char *table, *key, *answer;
    } cases[] = {
        {"static:whatever", "any", "whatever"},
        {"static:{ two  words }", "any", "two  words"},
        {"static: x ", "any", " x "},
        {"inline:{a=1, {b = two words}}", "a", "1"},
        {"inline:{a=1, {b = two words}}", "b", "two words"},
        {"inline:{a=1, {b = two words}}", "c", "(missing)"},
        {"inline:{A=1}", "a", "1"},
        {"inline:{a=1}", "A", "1"},
        {"inline:{a=1,,b=2,a=3}", "a", "3"},
        {"inline:{ {a@b.c = x@y.z, {q}} }", "a@b.c", "x@y.z, {q}"},
        {"inline:{a=}", "a", ""},
        {"fail:broken", "x", "(error)"},
        {"environ:x", "nosuchvariable", "(missing)"},
        {"environ:x", "test_of_environ", "value"},
        {"unix:passwd.byname", "no such user", "(missing)"},
        {"unix:group.byname", "no such group", "(missing)"},
        {"unionmap:{inline:{a=1},inline:{b=9},inline:{a=2}}", "a", "1,2"},
        {"unionmap:{inline:{a=1},static:s}", "b", "s"},
        {"unionmap:{inline:{a=1}}", "b", "(missing)"},
        {"unionmap:{inline:{a=1},fail:x}", "a", "(error)"},
        {"pipemap:{inline:{a=b},inline:{b=c},inline:{c=d}}", "A", "d"},
        {"pipemap:{inline:{a=b},static:z}", "x", "(missing)"},
        {"pipemap:{inline:{a=b},fail:z}", "a", "(error)"},
        {"randmap:{only}", "any", "only"},
        {"randmap:{{two words}}", "any", "two words"},
    };
    assert_int_equal(setenv("test_of_environ", "value", 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map *map = map_open(bench->conf, view_cstr(cases[i].table), MAP_FOLD);
        assert_null(map_open_error(map));
        assert_string_equal(bench_ask(bench, map, cases[i].key), cases[i].answer);
        assert_false(map_is_pattern(map));
        assert_false(map_changed(map));
        assert_int_equal(map_last_origin(map).line, 0);
        map_close(&map);
        assert_null(map);
    }
    assert_log(bench, "");
    bench_free(bench);
}

static void test_unusable(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct {
        const char *table, *reason;
    } cases[] = {
        {"netinfo:/aliases", "unsupported dictionary type: netinfo"},
        {"hash:/nonexistent/x",
         "open database /nonexistent/x.db: No such file or directory"},
        {"/nonexistent/x",
         "open database /nonexistent/x.db: No such file or directory"},
        {"btree:/nonexistent/x",
         "open database /nonexistent/x.db: No such file or directory"},
        {"texthash:/nonexistent/x",
         "open database /nonexistent/x: No such file or directory"},
        {"regexp:/nonexistent/x", "open /nonexistent/x: No such file or directory"},
        {"pcre:/nonexistent/x", "open /nonexistent/x: No such file or directory"},
        {"cidr:/nonexistent/x", "open /nonexistent/x: No such file or directory"},
        {"", "open dictionary: expecting \"type:name\" form instead of \"hash:\""},
        {"hash:", "open dictionary: expecting \"type:name\" form instead of \"hash:\""},
        {":x", "open dictionary: expecting \"type:name\" form instead of \":x\""},
        {"static:{a", "bad static:name syntax: missing '}' in \"{a\""},
        {"unix:passwd.byuid", "unknown table: unix:passwd.byuid"},
        {"inline:{}", "bad syntax: \"inline:{}\"; need \"inline:{name=value...}\""},
        {"inline:a=b", "bad syntax: \"inline:a=b\"; need \"inline:{name=value...}\""},
        {"inline:{x}", "missing '=' after attribute name: \"inline:{x}\"; need "
                       "\"inline:{name=value...}\""},
        {"inline:{{a=1}y=2}", "syntax error after '}' in \"{a=1}y=2\": "
                              "\"inline:{{a=1}y=2}\"; need \"inline:{name=value...}\""},
        {"randmap:{}", "bad syntax: \"randmap:{}\"; need \"randmap:{value...}\""},
        {"pipemap:x", "bad syntax: \"pipemap:x\"; need \"pipemap:{type:name...}\""},
        {"debug:x", "bad syntax: \"debug:x\"; need \"debug:type:name\""},
        {"debug:hash:/nonexistent/x",
         "open database /nonexistent/x.db: No such file or directory"},
        {"unionmap:{nosuch:x}", "unsupported dictionary type: nosuch"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map *map =
            map_open(bench->conf, view_cstr(cases[i].table), MAP_FOLD | MAP_QUIET);
        assert_string_equal(map_open_error(map), cases[i].reason);
        assert_string_equal(bench_ask(bench, map, "x"), "(error)");
        assert_int_equal(bench->err.outcome, TEMPFAIL);
        assert_string_equal(bench->err.text, cases[i].reason);
        map_close(&map);
    }
    bench_free(bench);
}

/* Reported when it is opened, and at every lookup. */
static void test_unusable_log(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = map_open(bench->conf, VIEW("netinfo:/aliases"), MAP_FOLD);
    struct map *same = map_open(bench->conf, VIEW("netinfo:/aliases"), MAP_FOLD);
    assert_ptr_equal(map, same);
    assert_log(bench, "error: unsupported dictionary type: netinfo\n");
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_log(bench,
               "warning: netinfo:/aliases is unavailable. unsupported dictionary "
               "type: netinfo\n");
    map_close(&map);
    assert_string_equal(bench_ask(bench, same, "x"), "(error)");
    map_close(&same);
    bench_free(bench);
}

static void test_no_proxy(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = map_open(bench->conf, VIEW("proxy:static:x"), MAP_NO_PROXY);
    assert_string_equal(map_name(map), "static:x");
    assert_string_equal(bench_ask(bench, map, "any"), "x");
    map_close(&map);
    map = map_open(bench->conf, VIEW("pipemap:{proxy:static:x, proxy:static:y}"),
                   MAP_NO_PROXY);
    assert_string_equal(bench_ask(bench, map, "any"), "y");
    map_close(&map);
    bench_free(bench);
}

static void test_sharing(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *plain = map_open(bench->conf, VIEW("inline:{A=1}"), 0);
    struct map *folded = map_open(bench->conf, VIEW("inline:{A=1}"), MAP_FOLD);
    struct map *again = map_open(bench->conf, VIEW("inline:{A=1}"), 0);
    assert_ptr_not_equal(plain, folded);
    assert_ptr_equal(plain, again);
    map_close(&plain);
    assert_string_equal(bench_ask(bench, again, "A"), "1");
    assert_string_equal(bench_ask(bench, again, "a"), "(missing)");
    assert_string_equal(bench_ask(bench, folded, "a"), "1");
    map_close(&again);
    map_close(&folded);
    bench_free(bench);
}

static void test_texthash(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    test_write_file(bench->directory, "t",
                    "# c\nUser@Example.com   x y\ntwo\twords here\ntwo\tagain\nbad\n");
    struct map *map = bench_open_file(bench, "texthash", "t", MAP_FOLD);
    assert_log(bench, "warning: D/t, line 4: duplicate entry: \"two\"\n"
                      "warning: D/t, line 5: expected format: key whitespace value -- "
                      "ignoring this line\n");
    assert_string_equal(bench_ask(bench, map, "USER@example.com"), "x y");
    assert_int_equal(map_last_origin(map).line, 2);
    assert_string_equal(bench_ask(bench, map, "two"), "words here");
    assert_int_equal(map_last_origin(map).line, 3);
    assert_string_equal(bench_ask(bench, map, "three"), "(missing)");
    assert_int_equal(map_owner(map), geteuid());
    map_close(&map);
    bench_free(bench);
}

static bool collect(void *context, struct view key, struct view value)
{
    struct str *out = context;
    str_add(out, key);
    str_add_byte(out, '=');
    str_add(out, value);
    str_add_byte(out, ' ');
    return value.len < 3; /* "stop" stops */
}

static void test_walk(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    STR_AUTO struct str out = {0};
    struct map *map =
        map_open(bench->conf, VIEW("inline:{z=1 b=2 a=3 b=4 s=stop y=5}"), 0);
    assert_int_equal(map_walk(map, collect, &out, &bench->err), OK);
    assert_string_equal(str_ptr(&out), "z=1 b=4 a=3 s=stop ");
    map_close(&map);

    map = map_open(bench->conf, VIEW("static:a"), 0);
    assert_int_equal(map_walk(map, collect, &out, &bench->err), PERMFAIL);
    assert_string_equal(bench->err.text,
                        "table static:a: sequence operation is not supported");
    map_close(&map);
    bench_free(bench);
}

static void test_users(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = map_open(bench->conf, VIEW("unix:passwd.byname"), MAP_FOLD);
    struct passwd *self = getpwuid(0);
    assert_non_null(self);
    char *line = xasprintf("%s:%s:0:%lu:%s:%s:%s", self->pw_name, self->pw_passwd,
                           (unsigned long)self->pw_gid, self->pw_gecos, self->pw_dir,
                           self->pw_shell);
    assert_string_equal(bench_ask(bench, map, self->pw_name), line);
    assert_int_equal(map_find(map, view_of("root\0x", 6), &bench->value, &bench->err),
                     MAP_MISSING);
    assert_int_equal(map_find(map, VIEW(""), &bench->value, &bench->err), MAP_MISSING);
    free(line);
    map_close(&map);
    bench_free(bench);
}

static void test_internal(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = map_open(bench->conf, VIEW("internal:x"), MAP_FOLD | MAP_WRITE);
    assert_string_equal(bench_ask(bench, map, "Key"), "(missing)");
    assert_int_equal(map_put(map, VIEW("Key"), VIEW("one"), &bench->err), OK);
    assert_int_equal(map_put(map, VIEW("kEY"), VIEW("two"), &bench->err), OK);
    struct map *same = map_open(bench->conf, VIEW("internal:x"), MAP_FOLD | MAP_WRITE);
    assert_string_equal(bench_ask(bench, same, "key"), "two");
    map_close(&same);
    struct map *other = map_open(bench->conf, VIEW("internal:y"), MAP_FOLD | MAP_WRITE);
    assert_string_equal(bench_ask(bench, other, "key"), "(missing)");
    map_close(&other);
    assert_int_equal(map_remove(map, VIEW("KEY"), &bench->err), MAP_FOUND);
    assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_MISSING);
    assert_int_equal(map_put(map, VIEW("k"), VIEW(""), &bench->err), OK);
    assert_string_equal(bench_ask(bench, map, "k"), "");
    map_close(&map);
    bench_free(bench);
}

static void test_debug(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map *map = map_open(bench->conf, VIEW("debug:inline:{a=b}"), MAP_FOLD);
    assert_string_equal(bench_ask(bench, map, "A"), "b");
    assert_string_equal(bench_ask(bench, map, "x"), "(missing)");
    assert_false(map_is_pattern(map));
    map_close(&map);
    assert_log(bench, "debug:inline:{a=b} lookup: \"A\" = \"b\"\n"
                      "debug:inline:{a=b} lookup: \"x\" = not found\n");
    map = map_open(bench->conf, VIEW("debug:fail:x"), MAP_FOLD);
    assert_string_equal(bench_ask(bench, map, "A"), "(error)");
    map_close(&map);
    assert_log(bench, "debug:fail:x lookup: \"A\" = error: Application error\n");
    map = map_open(bench->conf, VIEW("debug:pcre:{{/x/ y}}"), MAP_FOLD);
    assert_true(map_is_pattern(map));
    assert_string_equal(bench_ask(bench, map, "X"), "y");
    assert_int_equal(map_last_origin(map).line, 1);
    map_close(&map);
    bench_free(bench);
}

struct seen_types {
    struct bench *bench;
    char last[32];
};

static void see_type(void *context, const char *type)
{
    struct seen_types *seen = context;
    assert_true(strcmp(seen->last, type) < 0);
    (void)snprintf(seen->last, sizeof(seen->last), "%s", type);
    assert_true(map_type_is_known(seen->bench->conf, view_cstr(type)));
    char *title = xasprintf("%s:{x=y}", type);
    struct map *map = map_open(seen->bench->conf, view_cstr(title), MAP_QUIET);
    const char *error = map_open_error(map);
    assert_true(error == NULL || strstr(error, "unsupported") == NULL);
    map_close(&map);
    free(title);
}

static void test_types(void **state)
{
    (void)state;
    struct bench *bench = bench_new("meta_directory = /nonexistent");
    struct seen_types seen = {.bench = bench};
    map_types_each(bench->conf, see_type, &seen);
    assert_string_equal(seen.last, "unix");
    assert_false(map_type_is_known(bench->conf, VIEW("nosuch")));
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal_types), cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_unusable_log),  cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_texthash),      cmocka_unit_test(test_walk),
        cmocka_unit_test(test_users),         cmocka_unit_test(test_debug),
        cmocka_unit_test(test_internal),      cmocka_unit_test(test_no_proxy),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
