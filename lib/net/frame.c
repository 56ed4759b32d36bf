/* SPDX-License-Identifier: MIT */
/*
 * Frames between our own processes.  The peer may be a process that has been
 * taken over by somebody outside, so nothing it says about lengths is believed
 * before it was compared with what is there.
 */
#include "net/frame.h"

#include <errno.h>

#include "base/check.h"

enum { LENGTH_BYTES = sizeof(uint32_t) };

static void put_length(struct str *frame, size_t len)
{
    uint32_t wire = (uint32_t)len;
    str_add(frame, view_of((const char *)&wire, sizeof(wire)));
}

/* --- building ------------------------------------------------------------------ */

void frame_begin(struct str *frame, uint8_t kind)
{
    str_clear(frame);
    put_length(frame, 0); /* filled in by frame_send() */
    frame_put_u8(frame, kind);
}

void frame_put_u8(struct str *frame, uint8_t value)
{
    str_add_byte(frame, (char)value);
}

void frame_put_u64(struct str *frame, uint64_t value)
{
    str_add(frame, view_of((const char *)&value, sizeof(value)));
}

void frame_put_view(struct str *frame, struct view value)
{
    if (value.len > FRAME_MAX_BYTES) {
        frame->overflow = true; /* sticky, as if the string had grown too long */
        return;
    }
    put_length(frame, value.len);
    str_add(frame, value);
}

void frame_put_cstr(struct str *frame, const char *value)
{
    frame_put_view(frame, view_cstr(value));
}

bool frame_seal(struct str *frame)
{
    if (!str_ok(frame)) {
        return false;
    }
    CHECK(frame->len > LENGTH_BYTES);
    size_t len = frame->len - LENGTH_BYTES;
    if (len > FRAME_MAX_BYTES) {
        return false;
    }
    uint32_t wire = (uint32_t)len;
    memcpy(frame->ptr, &wire, sizeof(wire));
    return true;
}

bool frame_send(struct stream *stream, struct str *frame)
{
    if (!frame_seal(frame) || !stream_ok(stream)) {
        return false;
    }
    stream_write(stream, str_view(frame));
    return stream_ok(stream);
}

bool frame_send_now(struct stream *stream, struct str *frame)
{
    return frame_send(stream, frame) && stream_flush(stream);
}

bool frame_send_data(struct stream *stream, uint8_t kind, struct view data)
{
    struct {
        uint32_t frame_len;
        uint8_t kind;
        uint32_t data_len;
    } __attribute__((packed)) head;
    size_t len = sizeof(head) - LENGTH_BYTES;
    if (data.len > FRAME_MAX_BYTES - len) {
        return false;
    }
    head.frame_len = (uint32_t)(len + data.len);
    head.kind = kind;
    head.data_len = (uint32_t)data.len;
    stream_write(stream, view_of((const char *)&head, sizeof(head)));
    stream_write(stream, data);
    return stream_ok(stream);
}

/* --- reading -------------------------------------------------------------------- */

bool frame_receive(struct stream *stream, uint8_t *kind_out,
                   struct frame_reader *reader_out)
{
    struct view bytes;
    uint32_t len;
    *kind_out = 0;
    frame_reader_init(reader_out, view_of("", 0));
    if (!stream_read_exact(stream, LENGTH_BYTES, &bytes)) {
        return false;
    }
    memcpy(&len, bytes.ptr, sizeof(len));
    if (len == 0 || len > FRAME_MAX_BYTES) {
        stream_fail(stream, len == 0 ? EPROTO : EMSGSIZE);
        return false;
    }
    if (!stream_read_exact(stream, len, &bytes)) {
        return false;
    }
    frame_reader_init(reader_out, bytes);
    *kind_out = frame_get_u8(reader_out);
    return true;
}

void frame_reader_init(struct frame_reader *reader, struct view fields)
{
    *reader = (struct frame_reader){.rest = fields};
}

/* The next LEN bytes; false, for good, when there are fewer. */
static bool take(struct frame_reader *reader, size_t len, struct view *out)
{
    if (reader->failed || reader->rest.len < len) {
        reader->failed = true;
        return false;
    }
    *out = view_first(reader->rest, len);
    reader->rest = view_from(reader->rest, len);
    return true;
}

uint8_t frame_get_u8(struct frame_reader *reader)
{
    struct view bytes;
    return take(reader, 1, &bytes) ? (uint8_t)bytes.ptr[0] : 0;
}

uint64_t frame_get_u64(struct frame_reader *reader)
{
    struct view bytes;
    uint64_t value;
    if (!take(reader, sizeof(value), &bytes)) {
        return 0;
    }
    memcpy(&value, bytes.ptr, sizeof(value));
    return value;
}

struct view frame_get_view(struct frame_reader *reader)
{
    struct view bytes;
    uint32_t len;
    if (!take(reader, sizeof(len), &bytes)) {
        return view_of("", 0);
    }
    memcpy(&len, bytes.ptr, sizeof(len));
    return take(reader, len, &bytes) ? bytes : view_of("", 0);
}

bool frame_reader_ok(const struct frame_reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}
