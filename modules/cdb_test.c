/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "modules/module_testing.h"

static void test_build(void **state)
{
    (void)state;
    indexed_test_build("cdb", MAP_NUL_DEFAULT);
    indexed_test_build("cdb", MAP_NUL_ADD);
}

static void test_change(void **state)
{
    (void)state;
    indexed_test_change("cdb", "a=1 d=4 c=changed ");
}

static void test_errors(void **state)
{
    (void)state;
    indexed_test_errors("cdb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
