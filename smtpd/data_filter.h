/* SPDX-License-Identifier: MIT */
/*
 * Message content on its way in: CRLF becomes LF, the extra dot of RFC 5321 section
 * 4.5.2 goes away, and the end of data is found.  Input may be cut anywhere.
 */
#ifndef SMTPD_DATA_FILTER_H
#define SMTPD_DATA_FILTER_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

struct data_filter {
    bool dots;      /* DATA: dots count; BDAT: they are content */
    bool lenient;   /* <LF>.<LF> ends the data as <CR><LF>.<CR><LF> does */
    bool at_start;  /* of a line */
    bool after_cr;  /* the line end before this line was CRLF */
    bool after_dot; /* the line began with a dot, which was taken off */
    bool ended;     /* the end of data was seen */
    size_t held;    /* CRs that may be the beginning of a line end */
};

void data_filter_init(struct data_filter *filter, bool dots, bool lenient);
/* Append to OUT what IN means; returns how much of IN was used: all of it, or less when
 * the end of data was seen. */
size_t data_filter_feed(struct data_filter *filter, struct view in, struct str *out);
/* At the end of a BDAT message: what was held back, and the end of the last line. */
void data_filter_finish(struct data_filter *filter, struct str *out);

#endif
