/* SPDX-License-Identifier: MIT */
/* What every cmocka test includes, in the order cmocka needs. */
#ifndef TESTING_TEST_H
#define TESTING_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"

/* Make a private directory below $TMPDIR; the caller frees the name. */
char *test_make_dir(void);
/* Remove it with all it holds. */
void test_remove_dir(char *path);
/* Write TEXT to DIR/NAME. */
void test_write_file(const char *dir, const char *name, const char *text);

#define assert_view_equal(value, text)                                                 \
    do {                                                                               \
        struct view test_view_ = (value);                                              \
        assert_int_equal(test_view_.len, strlen(text));                                \
        assert_memory_equal(test_view_.ptr, (text), test_view_.len);                   \
    } while (0)

#endif
