/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>

#include "base/arena.h"

static void test_alignment_and_zero(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t size = 0; size < 300; size++) {
        unsigned char *block = arena_alloc(&arena, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xff, size);
    }
    arena_clear(&arena);
}

/* Blocks larger than a chunk, and small ones after them. */
static void test_large(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *small = arena_strdup(&arena, "before");
    char *large = arena_alloc(&arena, 1000000);
    char *after = arena_strdup(&arena, "after");
    memset(large, 'x', 1000000);
    assert_string_equal(small, "before");
    assert_string_equal(after, "after");
    arena_clear(&arena);
    assert_null(arena.chunks);
}

static void test_text(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct view copy = arena_view(&arena, VIEW("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b", 4);
    assert_string_equal(arena_cstr(&arena, (struct view){0}), "");
    errno = EACCES;
    assert_string_equal(arena_printf(&arena, "%03d %m", 7), "007 Permission denied");
    assert_int_equal(errno, EACCES);
    arena_clear(&arena);
}

struct order {
    char text[16];
    struct arena *arena;
};

static void note(void *context)
{
    const char *letter = context;
    struct order *order = *(struct order *const *)(const void *)(letter + 8);
    size_t len = strlen(order->text);
    order->text[len] = letter[0];
    order->text[len + 1] = '\0';
}

static char *letter_of(struct order *order, char letter)
{
    char *block = arena_alloc(order->arena, 16);
    block[0] = letter;
    memcpy(block + 8, &order, sizeof(order));
    return block;
}

static void note_and_add(void *context)
{
    const char *letter = context;
    struct order *order = *(struct order *const *)(const void *)(letter + 8);
    note(context);
    arena_on_clear(order->arena, note, letter_of(order, 'z'));
}

static void test_cleanups(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct order order = {.arena = &arena};
    arena_on_clear(&arena, note, letter_of(&order, 'a'));
    arena_on_clear(&arena, note_and_add, letter_of(&order, 'b'));
    arena_on_clear(&arena, note, letter_of(&order, 'c'));
    arena_clear(&arena);
    assert_string_equal(order.text, "cbza");
    arena_clear(&arena);
    assert_string_equal(order.text, "cbza");
    (void)arena_alloc(&arena, 1);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_zero),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_cleanups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
