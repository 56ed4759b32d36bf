/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { GROUP = 3, QUAD = 4, BITS = 6, MASK = 63 };

void base64_encode(struct view bytes, struct str *out)
{
    for (size_t i = 0; i < bytes.len; i += GROUP) {
        size_t count = bytes.len - i < GROUP ? bytes.len - i : GROUP;
        uint32_t group = 0;
        for (size_t k = 0; k < GROUP; k++) {
            group = group << 8 | (k < count ? (unsigned char)bytes.ptr[i + k] : 0);
        }
        char quad[QUAD] = {alphabet[group >> 18 & MASK], alphabet[group >> 12 & MASK],
                           count > 1 ? alphabet[group >> BITS & MASK] : '=',
                           count > 2 ? alphabet[group & MASK] : '='};
        str_add(out, view_of(quad, QUAD));
    }
}

/* The value of a character; false: it is not one of the alphabet. */
static bool value_of(char c, uint32_t *out)
{
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    *out = at != NULL ? (uint32_t)(at - alphabet) : 0;
    return at != NULL;
}

/* Bytes that a group of four characters stands for; 0: it is not valid. */
static size_t decode_quad(const char *quad, bool last, char *bytes_out)
{
    size_t digits = QUAD;
    while (last && digits > 2 && quad[digits - 1] == '=') {
        digits--;
    }
    uint32_t group = 0;
    for (size_t i = 0; i < QUAD; i++) {
        uint32_t value = 0;
        if (i < digits && !value_of(quad[i], &value)) {
            return 0;
        }
        group = group << BITS | value;
    }
    size_t count = digits - 1;
    for (size_t i = 0; i < GROUP; i++) {
        bytes_out[i] = (char)(group >> (8 * (GROUP - 1 - i)) & 0xff);
    }
    return count < GROUP && bytes_out[count] != 0 ? 0 : count;
}

bool base64_decode(struct view text, struct str *out)
{
    size_t before = out->len;
    bool good = text.len % QUAD == 0;
    for (size_t i = 0; good && i < text.len; i += QUAD) {
        char bytes[GROUP];
        size_t count = decode_quad(text.ptr + i, i + QUAD == text.len, bytes);
        str_add(out, view_of(bytes, count));
        good = count > 0;
    }
    if (!good) {
        str_truncate(out, before);
    }
    return good;
}
