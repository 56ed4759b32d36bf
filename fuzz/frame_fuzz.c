/* SPDX-License-Identifier: MIT */
/*
 * Frames: the input as bytes received from a peer, and as the fields of one frame
 * whose getters are chosen by the input itself.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "fuzz/fuzz.h"
#include "net/frame.h"
#include "sys/file.h"

/* Fits into the buffer of a socket, so that the write does not block. */
enum { RECEIVE_MOST = 32 * 1024 };

/* Read all fields, choosing each getter by the bits of STEPS. */
static void read_fields(struct frame_reader *reader, unsigned steps)
{
    for (unsigned i = 0; i < 64 && !reader->failed && reader->rest.len > 0; i++) {
        switch (steps >> (i % 16) & 3) {
        case 0:
            (void)frame_get_u8(reader);
            break;
        case 1:
            (void)frame_get_u64(reader);
            break;
        default: {
            struct view value = frame_get_view(reader);
            CHECK(value.len == 0 ||
                  value.ptr[value.len - 1] == value.ptr[value.len - 1]);
        }
        }
    }
    CHECK(!reader->failed || !frame_reader_ok(reader));
    if (reader->failed) {
        CHECK(frame_get_u64(reader) == 0 && frame_get_view(reader).len == 0);
    }
}

static void receive_all(struct view bytes)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(file_write_all(fds[1], bytes.ptr, bytes.len));
    fd_close(&fds[1]);
    struct stream *stream = stream_new(fds[0]);
    uint8_t kind;
    struct frame_reader reader;
    size_t total = 0;
    while (frame_receive(stream, &kind, &reader)) {
        total += 5 + reader.rest.len;
        read_fields(&reader, kind);
    }
    CHECK(total <= bytes.len && !stream_ok(stream));
    stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view bytes = view_of((const char *)data, size);
    struct frame_reader reader;
    if (size >= 2) {
        frame_reader_init(&reader, view_from(bytes, 2));
        read_fields(&reader, data[0] | (unsigned)data[1] << 8);
    }
    receive_all(view_first(bytes, RECEIVE_MOST));
    return 0;
}
