/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"

enum { MANY = 3000 };

static struct view key_of(int i, char text[16])
{
    return view_of(text, (size_t)snprintf(text, 16, "k%d", i));
}

static int *number(int i)
{
    int *n = xmalloc(sizeof(*n));
    *n = i;
    return n;
}

static void test_put_get_remove(void **state)
{
    (void)state;
    struct htab *table = htab_new();
    char text[16];
    int one = 1, two = 2;
    assert_null(htab_get(table, VIEW("a")));
    assert_null(htab_remove(table, VIEW("a")));
    assert_null(htab_put(table, VIEW("a"), &one));
    assert_null(htab_put(table, VIEW(""), &two));
    assert_null(htab_put(table, VIEW("a\0b"), &two));
    assert_ptr_equal(htab_put(table, VIEW("a"), &two), &one);
    assert_ptr_equal(htab_get(table, (struct view){0}), &two);
    assert_null(htab_get(table, VIEW("a\0")));
    assert_int_equal(htab_count(table), 3);
    assert_ptr_equal(htab_remove(table, VIEW("a")), &two);
    assert_null(htab_get(table, VIEW("a")));
    key_of(1, text);
    assert_null(htab_put(table, view_cstr(text), &one));
    text[0] = 'x'; /* the table has its own copy */
    assert_ptr_equal(htab_get(table, VIEW("k1")), &one);
    htab_free(&table, NULL);
    assert_null(table);
    htab_free(&table, NULL);
}

/* Against a plain array, with deletions that make the probing chains shift. */
static void test_many(void **state)
{
    (void)state;
    struct htab *table = htab_new();
    char text[16];
    bool there[MANY] = {0};
    size_t count = 0;
    unsigned random = 12345;
    for (int step = 0; step < 10 * MANY; step++) {
        random = random * 1103515245U + 12345U;
        int i = (int)(random >> 8) % MANY;
        if (there[i]) {
            int *old = htab_remove(table, key_of(i, text));
            assert_non_null(old);
            assert_int_equal(*old, i);
            free(old);
            count--;
        } else {
            assert_null(htab_put(table, key_of(i, text), number(i)));
            count++;
        }
        there[i] = !there[i];
        assert_int_equal(htab_count(table), count);
    }
    for (int i = 0; i < MANY; i++) {
        const int *found = htab_get(table, key_of(i, text));
        assert_true(there[i] == (found != NULL && *found == i));
    }
    htab_free(&table, free);
}

static void test_walk(void **state)
{
    (void)state;
    struct htab *table = htab_new();
    char text[16];
    int seen[MANY] = {0};
    for (int i = 0; i < MANY; i++) {
        (void)htab_put(table, key_of(i, text), number(i));
    }
    size_t cursor = 0, count = 0;
    struct view key;
    void *value = NULL;
    while (htab_next(table, &cursor, &key, &value)) {
        assert_true(view_equal(key, key_of(*(int *)value, text)));
        seen[*(int *)value]++;
        count++;
    }
    assert_int_equal(count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
    }
    htab_free(&table, free);
}

/* Removing what is odd while walking: what stays is whole, and nothing that was to go
 * is left after a second walk. */
static void test_remove_while_walking(void **state)
{
    (void)state;
    struct htab *table = htab_new();
    char text[16];
    for (int i = 0; i < MANY; i++) {
        (void)htab_put(table, key_of(i, text), number(i));
    }
    for (int walk = 0; walk < 2; walk++) {
        size_t cursor = 0;
        struct view key;
        void *value = NULL;
        while (htab_next(table, &cursor, &key, &value)) {
            int i = *(int *)value;
            if (i % 2 == 1) {
                assert_ptr_equal(htab_remove(table, key_of(i, text)), value);
                free(value);
                cursor--;
            }
        }
    }
    assert_int_equal(htab_count(table), MANY / 2);
    for (int i = 0; i < MANY; i++) {
        assert_true((htab_get(table, key_of(i, text)) != NULL) == (i % 2 == 0));
    }
    htab_free(&table, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_remove_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
