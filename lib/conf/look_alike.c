/* SPDX-License-Identifier: MIT */
/*
 * What comes with text that is copied from a web page or typed with an input method
 * switched on: spaces that are none, quotes and commas of prose, full-width forms of
 * ASCII.
 */
#include "conf/look_alike.h"

#include <stdint.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
    FULL_WIDTH_FIRST = 0xff01,
    FULL_WIDTH_LAST = 0xff5e,
    FULL_WIDTH_TO_ASCII = 0xfee0
};

static uint32_t code_point(struct view sequence)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    CHECK(sequence.len >= 1 && sequence.len <= 4);
    uint32_t code = (unsigned char)sequence.ptr[0] & masks[sequence.len];
    for (size_t i = 1; i < sequence.len; i++) {
        code = code << 6 | ((unsigned char)sequence.ptr[i] & 0x3f);
    }
    return code;
}

static const char *name_of(uint32_t code)
{
    static const struct {
        uint32_t first, last;
        const char *name;
    } names[] = {
        {0x00a0, 0x00a0, "a no-break space"},
        {0x1680, 0x1680, "an Ogham space"},
        {0x2000, 0x200a, "a space of typesetters"},
        {0x200b, 0x200d, "an invisible character"},
        {0x2010, 0x2015, "a dash"},
        {0x2018, 0x201f, "a quotation mark"},
        {0x2028, 0x2029, "a separator of lines"},
        {0x202f, 0x202f, "a narrow no-break space"},
        {0x205f, 0x2060, "an invisible character"},
        {0x2190, 0x21ff, "an arrow"},
        {0x3000, 0x3000, "an ideographic space"},
        {0x3001, 0x3002, "an ideographic comma or full stop"},
        {0xfeff, 0xfeff, "a byte order mark"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (code >= names[i].first && code <= names[i].last) {
            return names[i].name;
        }
    }
    return NULL;
}

/* Is CODE one of them?  Then WHAT it is. */
static bool describe(uint32_t code, struct str *what)
{
    const char *name = name_of(code);
    if (name != NULL) {
        str_printf(what, "U+%04X, %s,", (unsigned)code, name);
        return true;
    }
    if (code >= FULL_WIDTH_FIRST && code <= FULL_WIDTH_LAST) {
        str_printf(what, "U+%04X, a full-width %c,", (unsigned)code,
                   (char)(code - FULL_WIDTH_TO_ASCII));
        return true;
    }
    return false;
}

bool look_alike_find(struct view line, int *column_out, struct str *what)
{
    *column_out = 0;
    str_clear(what);
    while (line.len > 0) {
        size_t len = utf8_sequence_length(line);
        (*column_out)++;
        if (len > 1 && describe(code_point(view_first(line, len)), what)) {
            return true;
        }
        line = view_from(line, len > 0 ? len : 1);
    }
    return false;
}
