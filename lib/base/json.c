/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"

static void add_character(struct str *out, struct view character)
{
    static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
    char c = character.ptr[0];
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    if (found != NULL) {
        str_add_byte(out, '\\');
        str_add_byte(out, escaped[found - plain]);
    } else if (character.len == 1 && !ascii_printable(c)) {
        str_printf(out, "\\u%04X", (unsigned)(unsigned char)c);
    } else {
        str_add(out, character);
    }
}

/* What stands for itself, which is nearly always all of it. */
static void add_plain(struct str *out, struct view *text)
{
    size_t len = 0;
    while (len < text->len && ascii_printable(text->ptr[len]) &&
           text->ptr[len] != '"' && text->ptr[len] != '\\') {
        len++;
    }
    str_add(out, view_first(*text, len));
    *text = view_from(*text, len);
}

void json_add_string(struct str *out, struct view text)
{
    str_add_byte(out, '"');
    for (add_plain(out, &text); text.len > 0; add_plain(out, &text)) {
        size_t len = utf8_sequence_length(text);
        if (len > 0) {
            add_character(out, view_first(text, len));
        } else {
            str_add_cstr(out, "\\uFFFD");
        }
        text = view_from(text, len > 0 ? len : 1);
    }
    str_add_byte(out, '"');
}
