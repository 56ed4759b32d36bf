/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>

#include "base/err.h"
#include "base/list.h"

static void test_fill(void **state)
{
    (void)state;
    struct err err;
    errno = ENOSPC;
    assert_int_equal(err_temp(&err, "4.3.0", "write %s: %m", "file"), TEMPFAIL);
    assert_int_equal(err.outcome, TEMPFAIL);
    assert_int_equal(err.code, ENOSPC);
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(err.dsn, "4.3.0");
    assert_string_equal(err.text, "write file: No space left on device");
    assert_int_equal(err_perm(&err, "5.1.1", "unknown user"), PERMFAIL);
    assert_int_equal(err.outcome, PERMFAIL);
    err_clear(&err);
    assert_int_equal(err.outcome, OK);
    assert_string_equal(err.text, "");
    assert_int_equal(err_perm(NULL, "5.0.0", "nobody asks"), PERMFAIL);
}

static void test_bounded(void **state)
{
    (void)state;
    struct err err;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)err_temp(&err, "4.3.0 much too long", "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strlen(err.dsn), sizeof(err.dsn) - 1);
}

struct item {
    int number;
    struct list node;
};

static void test_list(void **state)
{
    (void)state;
    struct list head;
    struct item items[4];
    int sum = 0;
    list_init(&head);
    assert_true(list_empty(&head) && list_first(&head) == NULL);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_add_tail(&head, &items[i].node);
    }
    LIST_EACH(&head, node)
    {
        struct item *item = LIST_ITEM(node, struct item, node);
        sum = sum * 10 + item->number;
        if (item->number % 2 == 0) {
            list_remove(node); /* the current one may go */
        }
    }
    assert_int_equal(sum, 123);
    list_remove(&items[0].node); /* twice is harmless */
    assert_int_equal(LIST_ITEM(list_first(&head), struct item, node)->number, 1);
    list_add_head(&head, &items[2].node);
    assert_int_equal(LIST_ITEM(list_first(&head), struct item, node)->number, 2);
    assert_ptr_equal(head.prev, &items[3].node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
