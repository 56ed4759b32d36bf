/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <errno.h>
#include <sys/stat.h>

#include "map/source.h"

/* All logical lines as "NUMBER:TEXT|". */
static char *read_all(struct source *source)
{
    struct str out = {0};
    struct view line;
    int number;
    while (source_next(source, &line, &number)) {
        str_printf(&out, "%d:", number);
        str_add(&out, line);
        str_add_byte(&out, '|');
    }
    assert_false(source_failed(source));
    return str_steal(&out);
}

static void check_file(struct bench *bench, const char *text, const char *lines,
                       const char *log)
{
    test_write_file(bench->directory, "f", text);
    char *path = xasprintf("%s/f", bench->directory);
    struct source source;
    assert_int_equal(source_open(&source, path, &bench->err), OK);
    char *got = read_all(&source);
    assert_string_equal(got, lines);
    assert_log(bench, log);
    free(got);
    source_done(&source);
    free(path);
}

static void test_lines(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    static const struct {
        const char *text, *lines, *log;
    } cases[] = {
        {"", "", ""},
        {"\n\n  \n# x\n", "", ""},
        {"a 1\nb 2\n", "1:a 1|2:b 2|", ""},
        {"a 1", "1:a 1|", ""},
        {"a 1\n  b\n\tc\n", "1:a 1  b\tc|", ""},
        {"a\n# in between\n\n   \n  b\nc\n", "1:a  b|6:c|", ""},
        {"# a\n\nx y   \r\n z \r\n", "3:x y   \r z|", ""},
        {"  # indented comment\na\n", "2:a|", ""},
        {"a\n # comment, not continuation\nb\n", "1:a|3:b|", ""},
        {"   lost\nk v\n", "2:k v|",
         "warning: D/f: logical line must not start with whitespace: \"   lost\"\n"},
        {"  3456789012345678901234567890123\n", "",
         "warning: D/f: logical line must not start with whitespace: "
         "\"  3456789012345678901234567890...\"\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check_file(bench, cases[i].text, cases[i].lines, cases[i].log);
    }
    bench_free(bench);
}

static void test_long_lines(void **state)
{
    (void)state;
    enum { BYTES = 1024 * 1024 };
    struct bench *bench = bench_new("");
    STR_AUTO struct str text = {0};
    for (int i = 0; i < BYTES; i++) {
        str_add_byte(&text, i % 100 == 99 ? '\n' : i % 100 == 0 && i > 0 ? ' ' : 'x');
    }
    test_write_file(bench->directory, "f", str_ptr(&text));
    char *path = xasprintf("%s/f", bench->directory);
    struct source source;
    struct view line;
    int number;
    assert_int_equal(source_open(&source, path, &bench->err), OK);
    assert_true(source_next(&source, &line, &number));
    assert_true(line.len > BYTES - BYTES / 50);
    assert_false(source_next(&source, &line, &number));
    source_done(&source);
    free(path);
    bench_free(bench);
}

static void test_open_errors(void **state)
{
    (void)state;
    struct source source;
    struct err err = {0};
    assert_int_equal(source_open(&source, "/nonexistent/f", &err), TEMPFAIL);
    assert_string_equal(err.text, "open /nonexistent/f: No such file or directory");
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(source_open(&source, "/", &err), TEMPFAIL);
    assert_string_equal(err.text, "open /: Is a directory");
}

static void test_inline(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines, *error;
    } cases[] = {
        {"{{/x/ y}, {a {b} c}}", "1:/x/ y|2:a {b} c|", NULL},
        {"{ { x } { } {y} }", "1:x|3:y|", NULL},
        {"{}", "", NULL},
        {"{/x/ y}", NULL, "no '{' at start of text in \"/x/\""},
        {"{{x} ", NULL, "missing '}' in \"{{x}\""},
        {"{{x}y}", NULL, "syntax error after '}' in \"{x}y\""},
        {"x", NULL, "no '{' at start of text in \"x\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct source source;
        struct err err = {0};
        enum outcome outcome = source_open_inline(&source, cases[i].text, &err);
        assert_int_equal(outcome == OK, cases[i].error == NULL);
        if (outcome != OK) {
            assert_string_equal(err.text, cases[i].error);
            continue;
        }
        assert_int_equal(source_owner(&source), 0);
        char *got = read_all(&source);
        assert_string_equal(got, cases[i].lines);
        free(got);
        source_done(&source);
    }
}

static void test_split_entry(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    struct source source;
    source_open_stream(&source, stdin, "f");
    static const struct {
        const char *line, *key, *value, *log; /* KEY NULL: refused */
    } cases[] = {
        {"a b", "a", "b", ""},
        {"a\tb  c", "a", "b  c", ""},
        {"\"a b\" c", "\"a b\"", "c", ""},
        {"\"a\\\" b\" c", "\"a\\\" b\"", "c", ""},
        {"a\\ b c", "a\\ b", "c", ""},
        {"novalue", NULL, NULL,
         "warning: f, line 7: expected format: key whitespace value -- T\n"},
        {"\"a b", NULL, NULL,
         "warning: f, line 7: unbalanced '\"' in '\"a b' -- ignoring this line\n"},
        {"a: b", "a:", "b",
         "warning: f, line 7: record is in \"key: value\" format; is this an alias "
         "file?\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct view key, value;
        bool ok = source_split_entry(&source, 7, view_cstr(cases[i].line), " -- T",
                                     &key, &value);
        assert_int_equal(ok, cases[i].key != NULL);
        assert_log(bench, cases[i].log);
        if (ok) {
            assert_view_equal(key, cases[i].key);
            assert_view_equal(value, cases[i].value);
        }
    }
    source_done(&source);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_open_errors), cmocka_unit_test(test_inline),
        cmocka_unit_test(test_split_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
