/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include "map/query.h"

/* Puts what it quotes into brackets; refuses "no". */
static bool quote(void *context, struct view raw, struct str *out)
{
    (void)context;
    str_printf(out, "[%.*s]", VIEW_ARG(raw));
    return !view_equal_cstr(raw, "no");
}

static const char *fill(const char *text, const char *key, struct str *out)
{
    struct map_key parts;
    struct map_format *format = map_format_new(text);
    str_clear(out);
    if (format == NULL) {
        return "(malformed)";
    }
    map_key_split(view_cstr(key), &parts);
    bool ok = map_format_fill(format, &parts, quote, NULL, out);
    map_format_free(&format);
    return ok ? str_ptr(out) : "(none)";
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *format, *key, *expected;
    } cases[] = {
        {"%s|%u|%d", "u@a.b", "[u@a.b]|[u]|[a.b]"},
        {"%S|%U|%D", "u@a.b", "[u@a.b]|[u]|[a.b]"},
        {"%1 %2 %3", "u@a.b.c", "[c] [b] [a]"},
        {"%1 %2", "u@a..b.", "[b] [a]"},
        {"100%%", "x", "100%"},
        {"no key", "x", "no key"},
        {"", "x", ""},
        {"%u", "plain", "[plain]"},
        {"%u", "@dom", "(none)"},
        {"%d", "@dom", "[dom]"},
        {"%d", "plain", "(none)"},
        {"%d", "u@", "(none)"},
        {"%u", "u@", "[u]"},
        {"%u|%d", "a@b@c", "[a@b]|[c]"},
        {"%3", "u@a.b", "(none)"},
        {"%1", "dom.only", "(none)"},
        /* What was put in is not looked at again. */
        {"%s", "%s%d", "[%s%d]"},
        {"%s %u", "no", "(none)"},
        {"%x", "x", "(malformed)"},
        {"%0", "x", "(malformed)"},
        {"50%", "x", "(malformed)"},
    };
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(fill(cases[i].format, cases[i].key, &out),
                            cases[i].expected);
    }
}

/* A table's settings in a file. */
static struct map_settings *open_settings(struct bench *bench, const char *text)
{
    test_write_file(bench->directory, "t.cf", text);
    char *path = xasprintf("%s/t.cf", bench->directory);
    const struct map_spec spec = {.conf = bench->conf, .title = "x:y", .name = path};
    struct map_settings *settings = map_settings_open(&spec, &bench->err);
    free(path);
    return settings;
}

/* The results VALUES (separated by "/") of a lookup of KEY, "(missing)" or "(error)".
 */
static const char *answer(struct bench *bench, struct map_query *query, const char *key,
                          const char *values)
{
    struct map_key parts;
    switch (map_query_admits(query, view_cstr(key), &parts, &bench->err)) {
    case MAP_MISSING:
        return "(missing)";
    case MAP_ERROR:
        return "(error)";
    case MAP_FOUND:
        break;
    }
    str_clear(&bench->value);
    struct map_answer answer = {.key = &parts, .text = &bench->value};
    struct view rest = view_cstr(values);
    while (rest.len > 0) {
        size_t slash = view_index(rest, '/');
        if (!map_query_add(query, &answer, view_first(rest, slash), &bench->err)) {
            return "(error)";
        }
        rest = view_from(rest, slash + 1);
    }
    return str_ptr(&bench->value);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *key, *values, *expected;
    } cases[] = {
        {"", "k", "a", "a"},
        {"", "k", "a/b@c", "a,b@c"},
        {"", "k", "a//b", "a,b"},
        {"", "", "a", "(missing)"},
        {"result_format = smtp:[%s]\n", "k", "a/b", "smtp:[a],smtp:[b]"},
        {"result_format = %u\n", "k", "v@w.x/plain/@none/nodom@", "v,plain,nodom"},
        {"result_format = %d\n", "k", "v@w.x/plain/@only", "w.x,only"},
        {"result_format = %s:%u:%d:%S:%U:%D:%1:%2\n", "u@a.b", "v@w.x",
         "v@w.x:v:w.x:u@a.b:u:a.b:b:a"},
        {"result_format = %D\n", "plain", "x", "(missing)"},
        {"result_format = %9\n", "u@a.b", "x", "(missing)"},
        {"result_format = always\n", "k", "x/y", "always,always"},
        {"result_format = %s\n", "k", "%s%D", "%s%D"},
        {"expansion_limit = 2\n", "k", "a/b", "a,b"},
        {"expansion_limit = 2\n", "k", "a/b/c", "(error)"},
        {"expansion_limit = -1\n", "k", "a/b/c", "a,b,c"},
        {"domain = example.com, x.org\n", "u@EXAMPLE.com", "a", "a"},
        {"domain = example.com\n", "u@sub.example.com", "a", "(missing)"},
        {"domain = example.com\n", "@example.com", "a", "(missing)"},
        {"domain = example.com\n", "example.com", "a", "(missing)"},
        {"domain = inline:{b.c=x}\n", "u@b.c", "a", "a"},
        {"domain = fail:x\n", "u@b.c", "a", "(error)"},
    };
    struct bench *bench = bench_new("");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map_settings *settings = open_settings(bench, cases[i].settings);
        struct map_query query = {0};
        assert_non_null(settings);
        map_query_init(&query, bench->conf, settings, "%s");
        assert_true(map_settings_ok(settings, &bench->err));
        assert_string_equal(answer(bench, &query, cases[i].key, cases[i].values),
                            cases[i].expected);
        map_query_done(&query);
        map_settings_close(&settings);
    }
    char *log = bench_take(bench);
    assert_non_null(strstr(log, "D/t.cf: Expansion limit exceeded for key 'k'\n"));
    free(log);
    bench_free(bench);
}

static void test_bad_formats(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map_settings *settings = open_settings(bench, "result_format = %q\n");
    struct map_query query = {0};
    map_query_init(&query, bench->conf, settings, "%s");
    assert_false(map_settings_ok(settings, &bench->err));
    assert_non_null(strstr(bench->err.text, "/t.cf: Invalid result template: %q"));
    map_query_done(&query);
    map_settings_close(&settings);
    bench_free(bench);
}

/* --- settings ---------------------------------------------------------------- */

static void test_file(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct map_settings *settings =
        open_settings(bench, "# comment\n"
                             "user = me\n"
                             "password = pa$$w$mydomain = #x\n"
                             "query = SELECT a\n"
                             "    FROM b\n"
                             "empty =\n"
                             "user=you\n"
                             "yes = YES\n"
                             "port = 25\n"
                             "misspelt = 1\n");
    assert_non_null(settings);
    assert_string_equal(map_settings_str(settings, "user", "x"), "you");
    /* As it stands: whoever chose the password knows nothing of "$". */
    assert_string_equal(map_settings_need(settings, "password"), "pa$$w$mydomain = #x");
    assert_string_equal(map_settings_need(settings, "query"), "SELECT a    FROM b");
    assert_string_equal(map_settings_str(settings, "empty", "x"), "");
    assert_string_equal(map_settings_str(settings, "other", "fallback"), "fallback");
    assert_null(map_settings_str(settings, "other", NULL));
    assert_true(map_settings_bool(settings, "yes", false));
    assert_false(map_settings_bool(settings, "other", false));
    assert_int_equal(map_settings_int(settings, "port", 1, 0, 100), 25);
    assert_int_equal(map_settings_int(settings, "other", 7, 0, 100), 7);
    assert_true(map_settings_is_set(settings, "empty"));
    assert_false(map_settings_is_set(settings, "other"));
    assert_true(map_settings_ok(settings, &bench->err));
    assert_log(bench, "warning: D/t.cf, line 7: overriding earlier entry: user=me\n"
                      "warning: D/t.cf, line 10: unused parameter: misspelt\n");
    map_settings_close(&settings);
    bench_free(bench);
}

static void test_main_cf(void **state)
{
    (void)state;
    struct bench *bench = bench_new("src_user = me@$myhostname\nsrc_port = x");
    const struct map_spec spec = {.conf = bench->conf, .title = "x:src", .name = "src"};
    struct map_settings *settings = map_settings_open(&spec, &bench->err);
    assert_non_null(settings);
    assert_string_equal(map_settings_need(settings, "user"), "me@mail.example.com");
    assert_int_equal(map_settings_int(settings, "port", 1, 0, 100), 1);
    assert_string_equal(map_settings_need(settings, "other"), "");
    assert_false(map_settings_ok(settings, &bench->err));
    assert_string_equal(bench->err.text, "bad numerical configuration: src_port = x");
    map_settings_close(&settings);
    bench_free(bench);
}

static void test_mistakes(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a = 1\nb\n", "/t.cf, line 2: missing '=' after attribute name: \"b\""},
        {"= 1\n", "/t.cf, line 1: missing attribute name: \"= 1\""},
        {"port = 101\n", "/t.cf: invalid parameter value, too large: port = 101"},
        {"port = -1\n", "/t.cf: invalid parameter value, too small: port = -1"},
        {"port = 3s\n", "/t.cf: bad numerical configuration: port = 3s"},
        {"yes = maybe\n", "/t.cf: bad boolean configuration: yes = maybe"},
        {"needed =\n", "/t.cf: bad string length 0 < 1: needed = "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map_settings *settings = open_settings(bench, cases[i].text);
        bool read = settings != NULL;
        assert_int_equal(read, i > 1);
        if (read) {
            (void)map_settings_int(settings, "port", 1, 0, 100);
            (void)map_settings_bool(settings, "yes", false);
            if (map_settings_is_set(settings, "needed")) {
                (void)map_settings_need(settings, "needed");
            }
            assert_false(map_settings_ok(settings, &bench->err));
        }
        assert_non_null(strstr(bench->err.text, cases[i].error));
        map_settings_close(&settings);
    }
    const struct map_spec spec = {
        .conf = bench->conf, .title = "x:/nonexistent", .name = "/nonexistent"};
    assert_null(map_settings_open(&spec, &bench->err));
    assert_non_null(strstr(bench->err.text, "/nonexistent: No such file or directory"));
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),     cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bad_formats), cmocka_unit_test(test_file),
        cmocka_unit_test(test_main_cf),     cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
