/* SPDX-License-Identifier: MIT */
#include "postmap/mime_type.h"

#include <string.h>

#include "base/ascii.h"

/* White space and comments, which nest. */
static void skip_space(struct view *rest)
{
    size_t depth = 0;
    while (rest->len > 0) {
        char c = rest->ptr[0];
        if (c == '(') {
            depth++;
        } else if (c == ')' && depth > 0) {
            depth--;
        } else if (c == '\\' && depth > 0) {
            *rest = view_from(*rest, 1);
        } else if (depth == 0 && !ascii_space(c)) {
            return;
        }
        *rest = view_from(*rest, 1);
    }
}

static bool skip_byte(struct view *rest, char byte)
{
    skip_space(rest);
    bool there = rest->len > 0 && rest->ptr[0] == byte;
    *rest = view_from(*rest, there);
    return there;
}

static struct view take_token(struct view *rest)
{
    skip_space(rest);
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] > ' ' &&
           strchr("()<>@,;:\\\"/[]?=", rest->ptr[len]) == NULL) {
        len++;
    }
    struct view token = view_first(*rest, len);
    *rest = view_from(*rest, len);
    return token;
}

/* A token or a quoted string. */
static void take_value(struct view *rest, struct str *out)
{
    str_clear(out);
    if (!skip_byte(rest, '"')) {
        str_add(out, take_token(rest));
        return;
    }
    while (rest->len > 0 && rest->ptr[0] != '"') {
        if (rest->ptr[0] == '\\' && rest->len > 1) {
            *rest = view_from(*rest, 1);
        }
        str_add_byte(out, rest->ptr[0]);
        *rest = view_from(*rest, 1);
    }
    *rest = view_from(*rest, 1);
}

static void find_boundary(struct view rest, struct str *out)
{
    STR_AUTO struct str value = {0};
    while (rest.len > 0) {
        if (!skip_byte(&rest, ';')) {
            rest = view_from(rest, 1); /* something that should not be there */
            continue;
        }
        struct view name = take_token(&rest);
        if (!skip_byte(&rest, '=')) {
            continue;
        }
        take_value(&rest, &value);
        if (view_equal_nocase_cstr(name, "boundary")) {
            str_set(out, str_view(&value));
            return;
        }
    }
}

bool mime_type_parse(struct view header, enum mime_kind *kind_out,
                     struct str *boundary_out)
{
    size_t colon = view_index(header, ':');
    if (!view_equal_nocase_cstr(view_first(header, colon), "content-type")) {
        return false;
    }
    str_clear(boundary_out);
    *kind_out = MIME_OTHER;
    struct view rest = view_from(header, colon + 1);
    struct view type = take_token(&rest);
    struct view subtype = skip_byte(&rest, '/') ? take_token(&rest) : view_of("", 0);
    if (view_equal_nocase_cstr(type, "multipart")) {
        bool digest = view_equal_nocase_cstr(subtype, "digest");
        *kind_out = digest ? MIME_DIGEST : MIME_MULTIPART;
        find_boundary(rest, boundary_out);
    } else if (view_equal_nocase_cstr(type, "message") &&
               (view_equal_nocase_cstr(subtype, "rfc822") ||
                view_equal_nocase_cstr(subtype, "global"))) {
        *kind_out = MIME_MESSAGE;
    }
    return true;
}
