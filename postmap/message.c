/* SPDX-License-Identifier: MIT */
/* Cuts a message into headers and body lines.  MIME parts belong to the body. */
#include "postmap/message.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/str.h"

/* "Name: value", RFC 5322 2.2. */
static bool starts_header(struct view line)
{
    size_t colon = view_index(line, ':');
    if (colon == 0 || colon == line.len) {
        return false;
    }
    for (size_t i = 0; i < colon; i++) {
        if (!ascii_printable(line.ptr[i]) || line.ptr[i] == ' ') {
            return false;
        }
    }
    return true;
}

void message_each_key(FILE *file, bool headers, bool body,
                      void (*found)(void *context, struct view key), void *context)
{
    STR_AUTO struct str header = {0};
    bool in_body = false;
    char *buffer = NULL;
    size_t capacity = 0;
    ssize_t got;
    while ((got = getline(&buffer, &capacity, file)) >= 0) {
        bool has_lf = got > 0 && buffer[got - 1] == '\n';
        struct view line = view_of(buffer, (size_t)got - has_lf);
        if (!in_body && header.len > 0 && line.len > 0 && ascii_space(line.ptr[0])) {
            str_add_byte(&header, '\n');
            str_add(&header, line);
            continue;
        }
        if (headers && header.len > 0) {
            found(context, str_view(&header));
        }
        str_clear(&header);
        if (in_body || !starts_header(line)) {
            bool separator = !in_body && line.len == 0;
            in_body = true;
            if (body && !separator) {
                found(context, line);
            }
            continue;
        }
        str_set(&header, line);
    }
    if (headers && header.len > 0) {
        found(context, str_view(&header));
    }
    free(buffer);
}
