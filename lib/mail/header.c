/* SPDX-License-Identifier: MIT */
/*
 * Finding headers by the lines they stand on.  Works on bytes: values may hold
 * any character set, names only ASCII.
 */
#include "mail/header.h"

#include "base/ascii.h"
#include "base/check.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool header_split(struct view line, struct view *name_out, struct view *value_out)
{
    size_t name = 0;
    while (name < line.len && line.ptr[name] > ' ' && line.ptr[name] < 0x7f &&
           line.ptr[name] != ':') {
        name++;
    }
    size_t colon = name;
    while (colon < line.len && is_blank(line.ptr[colon])) {
        colon++;
    }
    if (name == 0 || colon == line.len || line.ptr[colon] != ':') {
        return false;
    }
    *name_out = view_first(line, name);
    *value_out = view_from(line, colon + 1);
    return true;
}

enum header_line header_classify(struct view line, bool in_header)
{
    struct view name, value;
    if (line.len == 0) {
        return HEADER_END;
    }
    if (is_blank(line.ptr[0])) {
        return in_header ? HEADER_CONTINUATION : HEADER_BODY;
    }
    return header_split(line, &name, &value) ? HEADER_START : HEADER_BODY;
}

bool header_is_mailbox_line(struct view line)
{
    size_t i = 0;
    while (i < line.len && line.ptr[i] == '>') {
        i++;
    }
    return view_starts(view_from(line, i), VIEW("From "));
}

/* The first line of V without its end; *LEN_OUT counts the end in. */
static struct view first_line(struct view v, size_t *len_out)
{
    size_t len = view_index(v, '\n');
    *len_out = len < v.len ? len + 1 : len;
    return view_first(v,
                      len > 0 && len < v.len && v.ptr[len - 1] == '\r' ? len - 1 : len);
}

bool header_next(struct view *message, struct header *header_out)
{
    size_t len;
    struct view line = first_line(*message, &len);
    if (!header_split(line, &header_out->name, &header_out->value)) {
        return false;
    }
    while (len < message->len && is_blank(message->ptr[len])) {
        size_t more;
        line = first_line(view_from(*message, len), &more);
        len += more;
    }
    const char *start = header_out->value.ptr;
    CHECK(start >= message->ptr && line.ptr + line.len >= start);
    header_out->value = view_of(start, (size_t)(line.ptr + line.len - start));
    header_out->text = view_first(*message, len);
    *message = view_from(*message, len);
    return true;
}

struct view header_skip_mailbox_lines(struct view message)
{
    size_t len;
    while (message.len > 0 && header_is_mailbox_line(first_line(message, &len))) {
        message = view_from(message, len);
    }
    return message;
}

void header_unfold(struct view value, struct str *out)
{
    value = view_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n') {
            str_add_byte(out, value.ptr[i]);
        }
    }
}

void header_add_safe(struct str *out, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool control = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f;
        str_add(out, control ? VIEW("?") : view_of(text.ptr + i, 1));
    }
}
