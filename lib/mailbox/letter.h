/* SPDX-License-Identifier: MIT */
/*
 * A message as one recipient gets it: an optional From_ line, Return-Path,
 * X-Original-To and Delivered-To, then the content of the queue file.
 */
#ifndef MAILBOX_LETTER_H
#define MAILBOX_LETTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "rpc/deliver.h"

struct letter {
    const struct deliver_request *request;
    const struct queue_recipient *recipient;
    struct view sender;  /* may be another one than the request's */
    int fd;              /* queue file */
    struct view content; /* of a small message; of others, PTR is NULL */
    dev_t device;        /* of the queue file */
};

enum letter_style {
    LETTER_FROM_LINE = 1, /* "From sender  date" */
    LETTER_QUOTE = 2,     /* >From in the body */
    LETTER_BLANK = 4,     /* empty line at the end */
    LETTER_DELIVERED = 8  /* Delivered-To */
};
/* Write it to FD; false with errno. */
bool letter_write(const struct letter *letter, int fd, unsigned style);
/* LETTER_DELIVERED or 0: is KIND ("command", "file", "forward") in
 * prepend_delivered_header? */
unsigned letter_delivered_style(const struct conf *conf, const char *kind);

#endif
