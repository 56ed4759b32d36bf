/* SPDX-License-Identifier: MIT */
/*
 * Keys in lower case.  Table files are shared with Postfix, which folds the
 * letters of other scripts as well, so "É" and "é" must be one key here too.  ASCII
 * is folded here; other characters one by one with the C library's table for UTF-8,
 * whatever the locale of the process.  Bytes that are not UTF-8 stay as they are.
 */
#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/ascii.h"
#include "base/check.h"
#include "map/map_private.h"

static bool is_ascii(struct view text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.len; i++) {
        all |= (unsigned char)text.ptr[i];
    }
    return all < 0x80;
}

/* One UTF-8 character at the start of TEXT (RFC 3629); its length, or 0 if there is
 * none. */
static size_t utf8_decode(struct view text, wint_t *out)
{
    static const unsigned char lead_mask[] = {0, 0, 0x1f, 0x0f, 0x07};
    static const wint_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    CHECK(text.len > 0);
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.len < len) {
        return 0;
    }
    wint_t value = lead & lead_mask[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)text.ptr[i];
        if ((next & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (next & 0x3f);
    }
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest[len] || value > 0x10ffff || surrogate) {
        return 0;
    }
    *out = value;
    return len;
}

static void utf8_add(struct str *out, wint_t value)
{
    if (value < 0x80) {
        str_add_byte(out, (char)value);
    } else if (value < 0x800) {
        str_add_byte(out, (char)(0xc0 | value >> 6));
        str_add_byte(out, (char)(0x80 | (value & 0x3f)));
    } else if (value < 0x10000) {
        str_add_byte(out, (char)(0xe0 | value >> 12));
        str_add_byte(out, (char)(0x80 | (value >> 6 & 0x3f)));
        str_add_byte(out, (char)(0x80 | (value & 0x3f)));
    } else {
        str_add_byte(out, (char)(0xf0 | value >> 18));
        str_add_byte(out, (char)(0x80 | (value >> 12 & 0x3f)));
        str_add_byte(out, (char)(0x80 | (value >> 6 & 0x3f)));
        str_add_byte(out, (char)(0x80 | (value & 0x3f)));
    }
}

enum {
    SHARP_S = 0xdf,    /* the one letter of names whose folding is two letters */
    DOTLESS_I = 0x131, /* stays itself, although its capital is "I" */
};

/* By way of the capital, because some letters have two small forms (Greek sigma). */
static wint_t fold_letter(wint_t c, locale_t locale)
{
    return c == DOTLESS_I ? c : towlower_l(towupper_l(c, locale), locale);
}

static void fold_utf8(struct view key, locale_t locale, struct str *out)
{
    while (key.len > 0) {
        wint_t c = 0;
        size_t len = (unsigned char)key.ptr[0] < 0x80 ? 0 : utf8_decode(key, &c);
        if (len == 0) {
            str_add_byte(out, ascii_lower(key.ptr[0]));
            key = view_from(key, 1);
            continue;
        }
        if (c == SHARP_S) {
            str_add_cstr(out, "ss");
        } else {
            utf8_add(out, fold_letter(c, locale));
        }
        key = view_from(key, len);
    }
}

bool map_key_needs_folding(struct view key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if ((c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80) {
            return true;
        }
    }
    return false;
}

void map_fold_key(struct view key, struct str *out)
{
    str_clear(out);
    if (is_ascii(key)) {
        str_add_lower(out, key);
        return;
    }
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (locale == (locale_t)0) {
        str_add_lower(out, key); /* a C library without it */
        return;
    }
    fold_utf8(key, locale, out);
    freelocale(locale);
}
