/* SPDX-License-Identifier: MIT */
/*
 * Keys in lower case.  Table files are shared with Postfix, which folds the
 * letters of other scripts as well, so "É" and "é" must be one key here too.  ASCII
 * is folded here; other characters one by one with the C library's table for UTF-8,
 * whatever the locale of the process.  Bytes that are not UTF-8 stay as they are.
 */
#include "map/fold.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/ascii.h"
#include "base/check.h"
#include "map/map.h"

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
    DOTLESS_I = 0x131, /* stays itself, although its capital is "I" */
};

/* Letters of which folding makes two. */
static const struct {
    wint_t letter;
    const char *folded;
} long_foldings[] = {
    {0xdf, "ss"},         /* sharp s */
    {0x1e9e, "ss"},       /* its capital */
    {0x130, "i\xcc\x87"}, /* I with a dot above */
};

/* By way of the capital, because some letters have two small forms (Greek sigma). */
static wint_t fold_letter(wint_t c, locale_t locale)
{
    return c == DOTLESS_I ? c : towlower_l(towupper_l(c, locale), locale);
}

static void add_folded(wint_t c, locale_t locale, struct str *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(long_foldings); i++) {
        if (long_foldings[i].letter == c) {
            str_add_cstr(out, long_foldings[i].folded);
            return;
        }
    }
    utf8_add(out, fold_letter(c, locale));
}

static void fold_letters(struct view key, locale_t locale, struct str *out)
{
    while (key.len > 0) {
        wint_t c = 0;
        size_t len = (unsigned char)key.ptr[0] < 0x80 ? 0 : utf8_decode(key, &c);
        if (len == 0) {
            str_add_byte(out, ascii_lower(key.ptr[0]));
            key = view_from(key, 1);
            continue;
        }
        add_folded(c, locale, out);
        key = view_from(key, len);
    }
}

bool fold_utf8_wanted(const struct conf *conf, unsigned flags)
{
    if ((flags & (MAP_ASCII | MAP_UTF8)) != 0) {
        return (flags & MAP_UTF8) != 0;
    }
    return conf_bool(conf, P_smtputf8_enable);
}

bool fold_is_needed(struct view key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if ((c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80) {
            return true;
        }
    }
    return false;
}

/* The C library's table of letters; 0 where it has none. */
static locale_t utf8_locale(void)
{
    static locale_t locale; /* loading it for every key is too much */
    static bool tried;
    if (!tried) {
        tried = true;
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    }
    return locale;
}

void fold_key(struct view key, bool utf8, struct str *out)
{
    str_clear(out);
    locale_t locale = utf8 && !is_ascii(key) ? utf8_locale() : (locale_t)0;
    if (locale == (locale_t)0) {
        str_add_lower(out, key);
    } else {
        fold_letters(key, locale, out);
    }
}
