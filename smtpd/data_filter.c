/* SPDX-License-Identifier: MIT */
/*
 * One pass over the input: memchr() finds line ends, the text between them is copied
 * as it is.
 *
 * Only <CR><LF>.<CR><LF> ends the data, unless the site asks otherwise: who accepts
 * other endings can be made to see two messages where a filter before it saw one.
 * A bare LF ends a line all the same, since people type them; all CRs before an LF
 * belong to the line end.
 */
#include "smtpd/data_filter.h"

#include <string.h>

#include "base/check.h"

void data_filter_init(struct data_filter *filter, bool dots, bool lenient)
{
    *filter = (struct data_filter){
        .dots = dots, .lenient = lenient, .at_start = true, .after_cr = true};
}

static void add_held(struct data_filter *filter, struct str *out)
{
    for (; filter->held > 0; filter->held--) {
        str_add_byte(out, '\r');
    }
}

/* The line ends here; its CRs are in filter->held. */
static void end_line(struct data_filter *filter, struct str *out)
{
    CHECK(!filter->at_start);
    bool lone_dot = filter->after_dot;
    bool strict = filter->after_cr && filter->held == 1;
    filter->after_cr = filter->held > 0;
    filter->held = 0;
    filter->at_start = true;
    filter->after_dot = false;
    if (lone_dot && (strict || filter->lenient)) {
        filter->ended = true;
        return;
    }
    str_add_byte(out, '\n');
}

/* Text of one line, without its LF; its trailing CRs are held back. */
static void add_text(struct data_filter *filter, struct view text, struct str *out)
{
    size_t len = text.len;
    while (len > 0 && text.ptr[len - 1] == '\r') {
        len--;
    }
    if (len > 0) {
        add_held(filter, out);
        str_add(out, view_first(text, len));
        filter->after_dot = false;
    }
    filter->held += text.len - len;
}

size_t data_filter_feed(struct data_filter *filter, struct view in, struct str *out)
{
    CHECK(!filter->ended);
    size_t used = 0;
    while (used < in.len && !filter->ended) {
        if (filter->at_start) {
            filter->at_start = false;
            if (filter->dots && in.ptr[used] == '.') {
                filter->after_dot = true;
                used++;
                continue;
            }
        }
        const char *start = in.ptr + used;
        const char *lf = memchr(start, '\n', in.len - used);
        size_t len = lf != NULL ? (size_t)(lf - start) : in.len - used;
        add_text(filter, view_of(start, len), out);
        used += len;
        if (lf != NULL) {
            used++;
            end_line(filter, out);
        }
    }
    return used;
}

void data_filter_finish(struct data_filter *filter, struct str *out)
{
    CHECK(!filter->dots);
    add_held(filter, out);
    if (!filter->at_start) {
        str_add_byte(out, '\n');
        filter->at_start = true;
    }
}
