/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include "base/ascii.h"

static bool parse(struct view text, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (!ascii_digit(text.ptr[i]) || digit >= base ||
            __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool number_parse_u64(struct view text, uint64_t max, uint64_t *out)
{
    return parse(text, 10, max, out);
}

bool number_parse_octal(struct view text, uint64_t max, uint64_t *out)
{
    return parse(text, 8, max, out);
}

bool number_parse_i64(struct view text, int64_t min, int64_t max, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t magnitude = 0;
    if (!parse(view_from(text, negative ? 1 : 0), 10, INT64_MAX, &magnitude)) {
        return false;
    }
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}
