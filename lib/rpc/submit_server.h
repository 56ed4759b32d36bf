/* SPDX-License-Identifier: MIT */
/*
 * The receiving side of a submission: cleanup and postdrop read the frames of
 * rpc/submit.h through this parser, which is all that looks at their bytes.
 */
#ifndef RPC_SUBMIT_SERVER_H
#define RPC_SUBMIT_SERVER_H

#include "net/stream.h"
#include "rpc/submit.h"

/* One frame; the views point into the stream's buffer until the next read. */
struct submit_record {
    enum submit_frame kind;
    uint64_t number;                  /* OPEN, ARRIVAL, FILE_FLAGS */
    struct view text;                 /* SENDER, FULLNAME, CONTENT */
    struct queue_attribute attribute; /* ATTRIBUTE */
    struct queue_recipient recipient; /* RECIPIENT */
};

/* False: the sender has left, or broke the protocol (then the stream is in error).
 * Envelope text with a NUL or a line break in it breaks the protocol.  Waits. */
bool submit_receive(struct stream *client, struct submit_record *record_out);
/* The same for bytes that are there: KIND and FIELDS of one frame. */
bool submit_record_parse(uint8_t kind, struct view fields,
                         struct submit_record *record_out);

/* Answers.  Wait. */
bool submit_send_opened(struct stream *client, bool ok, struct view id_or_text);
bool submit_send_result(struct stream *client, const struct submit_result *result);
/* Both in one write: the next message has been opened ahead (SUBMIT_AHEAD).  Waits. */
bool submit_send_result_and_opened(struct stream *client,
                                   const struct submit_result *result, bool ok,
                                   struct view id_or_text);

/* Put an envelope record (SENDER, FULLNAME, ATTRIBUTE, RECIPIENT) or content into
 * WRITER unchanged. */
void submit_record_write(const struct submit_record *record,
                         struct queue_writer *writer);

#endif
