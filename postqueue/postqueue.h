/* SPDX-License-Identifier: MIT */
#ifndef POSTQUEUE_POSTQUEUE_H
#define POSTQUEUE_POSTQUEUE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"
#include "conf/conf.h"
#include "mail/queue_list.h"

/* report.c: how a listing looks. */
struct report {
    FILE *out;
    bool json;
    bool long_ids; /* column widths */
    size_t messages;
    int64_t bytes;
    struct str text, scratch; /* of the entry at hand: their memory is kept */
};
void report_entry(struct report *report, const struct queue_list_entry *entry);
/* The last line, or "Mail queue is empty". */
void report_end(struct report *report);

/* listing.c: -p and -j */
void listing_show(const struct conf *conf, bool json);

/* flush.c: -f, -i and -s */
void flush_all(const struct conf *conf);
void flush_id(const struct conf *conf, const char *id);
void flush_site(const struct conf *conf, const char *site);

#endif
