/* SPDX-License-Identifier: MIT */
#include "sys/account.h"

#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "testing/test.h"

static void test_by_name(void **state)
{
    (void)state;
    int error = -1;
    struct account_cache *cache = account_cache_new();
    const struct passwd *root = account_by_name(cache, "root", &error);
    assert_non_null(root);
    assert_int_equal(root->pw_uid, 0);
    assert_string_equal(root->pw_name, "root");
    /* Remembered: the same entry again. */
    assert_ptr_equal(account_by_name(cache, "root", &error), root);
    assert_null(account_by_name(cache, "no-such-user-here", &error));
    assert_int_equal(error, 0);
    account_cache_free(&cache);
    assert_null(cache);
}

static void test_groups(void **state)
{
    (void)state;
    struct account_cache *cache = account_cache_new();
    if (geteuid() != 0) {
        assert_false(account_set_groups(cache, "daemon", 1));
        account_cache_free(&cache);
        return;
    }
    gid_t before[256], now[256];
    int count = getgroups(256, before);
    assert_true(count >= 0);
    for (gid_t gid = 7; gid < 9; gid++) { /* another group than remembered */
        assert_true(account_set_groups(cache, "daemon", gid));
        int n = getgroups(256, now);
        bool found = false;
        for (int i = 0; i < n; i++) {
            found = found || now[i] == gid;
        }
        assert_true(found);
    }
    assert_int_equal(setgroups((size_t)count, before), 0);
    account_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
