/* SPDX-License-Identifier: MIT */
/*
 * The line structure that main.cf and master.cf share.  Knows nothing of what the
 * lines mean; keeps count of physical lines for messages.
 */
#include "conf/logical_line.h"

#include "base/ascii.h"
#include "base/check.h"

bool physical_line_next(struct view *rest, struct view *line_out)
{
    if (rest->len == 0) {
        return false;
    }
    size_t end = view_index(*rest, '\n');
    *line_out = view_first(*rest, end);
    *rest = view_from(*rest, end + 1);
    return true;
}

bool physical_line_is_filler(struct view line)
{
    line = view_trim(line);
    return line.len == 0 || line.ptr[0] == '#';
}

bool physical_line_continues(struct view line)
{
    return line.len > 0 && ascii_space(line.ptr[0]) && !physical_line_is_filler(line);
}

bool logical_line_next(struct logical_line *reader)
{
    CHECK(reader->next_line >= 0);
    str_clear(&reader->text);
    reader->line = 0;
    struct view ahead = reader->rest;
    struct view line;
    int number = reader->next_line;
    while (physical_line_next(&ahead, &line)) {
        number++;
        if (!physical_line_is_filler(line)) {
            if (reader->line != 0 && !physical_line_continues(line)) {
                break;
            }
            if (reader->line == 0) {
                reader->line = number;
            }
            str_add(&reader->text, line);
        }
        reader->rest = ahead;
        reader->next_line = number;
    }
    return reader->line != 0;
}

void logical_line_done(struct logical_line *reader)
{
    str_done(&reader->text);
}
