/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include "map/module.h"

/* A bench whose meta_directory is its own. */
static struct bench *bench_with_list(const char *list)
{
    struct bench *bench = bench_new("meta_directory = $config_directory\n"
                                    "shlib_directory = $config_directory");
    if (list != NULL) {
        test_write_file(bench->directory, "dynamicmaps.cf", list);
    }
    return bench;
}

static void add_name(void *context, const char *type)
{
    str_printf(context, "%s ", type);
}

static void assert_listed(struct bench *bench, const char *expected)
{
    STR_AUTO struct str names = {0};
    map_module_each(bench->conf, add_name, &names);
    assert_string_equal(str_ptr(&names), expected);
}

static void assert_cannot_open(struct bench *bench, const char *title, const char *log)
{
    struct map *map = map_open(bench->conf, view_cstr(title), 0);
    assert_non_null(map_open_error(map));
    assert_log(bench, log);
    assert_string_equal(bench_ask(bench, map, "key"), "(error)");
    map_close(&map);
    free(bench_take(bench));
}

static void test_lists(void **state)
{
    (void)state;
    struct bench *bench = bench_with_list("# comment\n\n"
                                          "aaa a.so a_open\n"
                                          "bbb  b.so\tb_open   b_mkmap\n"
                                          "aaa c.so c_open\n"
                                          "ccc c.so\n"
                                          "ddd d.so d_open d_mkmap more\n");
    char *path = xasprintf("%s/dynamicmaps.cf.d", bench->directory);
    assert_int_equal(mkdir(path, 0755), 0);
    test_write_file(path, "2.cf", "fff /f.so f_open\n");
    test_write_file(path, "1.cf", "eee e.so e_open\n");
    test_write_file(path, ".hidden", "ggg g.so g_open\n");
    free(path);
    assert_listed(bench, "fff eee bbb aaa ");
    assert_log(bench,
               "warning: D/dynamicmaps.cf: ignoring duplicate entry for \"aaa\"\n"
               "warning: D/dynamicmaps.cf, line 6: Expected \"dict-type .so-name "
               "dict-function [mkmap-function]\"\n"
               "warning: D/dynamicmaps.cf, line 7: Expected \"dict-type .so-name "
               "dict-function [mkmap-function]\"\n");
    assert_true(map_type_is_known(bench->conf, VIEW("fff")));
    assert_false(map_type_is_known(bench->conf, VIEW("ccc")));
    assert_log(bench, ""); /* the lists are read once */
    bench_free(bench);
}

static void test_no_list(void **state)
{
    (void)state;
    struct bench *bench = bench_with_list(NULL);
    assert_listed(bench, "");
    assert_cannot_open(bench, "aaa:x", "error: unsupported dictionary type: aaa\n");
    bench_free(bench);
}

static void test_broken_modules(void **state)
{
    (void)state;
    struct bench *bench = bench_with_list("none none.so none_open\n"
                                          "text dynamicmaps.cf text_open\n"
                                          "inline none.so none_open\n");
    assert_cannot_open(bench, "none:x",
                       "warning: unsupported dictionary type: none (D/none.so: No such "
                       "file or directory)\n"
                       "error: unsupported dictionary type: none\n");
    assert_cannot_open(bench, "text:x",
                       "warning: unsupported dictionary type: text (D/dynamicmaps.cf: "
                       "invalid ELF header)\n"
                       "error: unsupported dictionary type: text\n");
    /* What is built in wins. */
    struct map *map = map_open(bench->conf, VIEW("inline:{a=b}"), 0);
    assert_string_equal(bench_ask(bench, map, "a"), "b");
    map_close(&map);
    bench_free(bench);
}

/* A shared object that is not ours, such as a module of Postfix, is not called. */
static void test_foreign_module(void **state)
{
    (void)state;
    Dl_info info;
    void *anything = dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests");
    assert_true(anything != NULL && dladdr(anything, &info) != 0);
    char *list = xasprintf("foreign %s _cmocka_run_group_tests\n", info.dli_fname);
    struct bench *bench = bench_with_list(list);
    char *log = xasprintf("warning: unsupported dictionary type: foreign (%s: not a "
                          "module of this mail system)\n"
                          "error: unsupported dictionary type: foreign\n",
                          info.dli_fname);
    assert_cannot_open(bench, "foreign:x", log);
    free(log);
    free(list);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_no_list),
        cmocka_unit_test(test_broken_modules),
        cmocka_unit_test(test_foreign_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
