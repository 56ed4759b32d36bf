/* SPDX-License-Identifier: MIT */
/*
 * The wire format between our own processes: a frame is a 4-byte length (host
 * order; both ends are on one machine), then that many bytes of fields written
 * one after the other: a byte, 8 bytes of integer, or a 4-byte length and bytes.
 * The first byte of every frame is its kind (docs/ipc.md).
 *
 * Reading past the end, or a length that lies, is sticky in struct frame_reader:
 * getters return 0 or the empty view, and frame_reader_ok() tells at the end.
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/view.h"
#include "net/stream.h"

enum { FRAME_MAX_BYTES = 16 * 1024 * 1024 };

/* Building: the frame accumulates in a str, which may be kept and reused. */
void frame_begin(struct str *frame, uint8_t kind);
void frame_put_u8(struct str *frame, uint8_t value);
void frame_put_u64(struct str *frame, uint64_t value);
void frame_put_view(struct str *frame, struct view value);
void frame_put_cstr(struct str *frame, const char *value);
/* Fill in the length: the bytes of FRAME are what goes over the wire.  False: too
 * large. */
bool frame_seal(struct str *frame);
/* Fill in the length and buffer the frame in STREAM (no flush); false when the
 * frame is too large or the stream is not OK. */
bool frame_send(struct stream *stream, struct str *frame);
/* frame_send and flush.  Waits. */
bool frame_send_now(struct stream *stream, struct str *frame);
/* A frame of kind KIND whose single field is DATA, without building it in between. */
bool frame_send_data(struct stream *stream, uint8_t kind, struct view data);

struct frame_reader {
    struct view rest;
    bool failed;
};
/* Next frame from STREAM: its kind, and a reader on its fields, which point into
 * the stream's buffer until the next read.  False: end, error, or a length above
 * FRAME_MAX_BYTES (then the stream is put into error).  Waits. */
bool frame_receive(struct stream *stream, uint8_t *kind_out,
                   struct frame_reader *reader_out);
/* A reader on bytes from elsewhere (a file, a test). */
void frame_reader_init(struct frame_reader *reader, struct view fields);
uint8_t frame_get_u8(struct frame_reader *reader);
uint64_t frame_get_u64(struct frame_reader *reader);
struct view frame_get_view(struct frame_reader *reader);
/* No getter failed and nothing is left over. */
bool frame_reader_ok(const struct frame_reader *reader);

#endif
