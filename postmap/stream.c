/* SPDX-License-Identifier: MIT */
#include "postmap/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/file.h"

enum { OUTPUT_BYTES = 64 * 1024, INPUT_STEP = 64 * 1024 };

/* --- output ------------------------------------------------------------------ */

void output_add(struct output *output, struct view bytes)
{
    if (output->text.len + bytes.len > OUTPUT_BYTES) {
        output_flush(output);
    }
    str_add(&output->text, bytes);
}

void output_flush(struct output *output)
{
    if (output->text.len > 0 &&
        !file_write_all(STDOUT_FILENO, output->text.ptr, output->text.len)) {
        log_fatal("write standard output: %m");
    }
    str_clear(&output->text);
}

void output_done(struct output *output)
{
    str_done(&output->text);
}

/* --- input ------------------------------------------------------------------- */

/* Have more bytes in the buffer, or know that there are none. */
static void fill(struct key_reader *reader)
{
    struct str *buffer = &reader->buffer;
    if (reader->at > 0) {
        size_t left = buffer->len - reader->at;
        memmove(buffer->ptr, buffer->ptr + reader->at, left);
        str_truncate(buffer, left);
        reader->at = 0;
    }
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (reader->output != NULL && poll(&input, 1, 0) == 0) {
        output_flush(reader->output);
    }
    char *to = str_reserve(buffer, INPUT_STEP);
    if (to == NULL) {
        log_fatal("standard input: line is too long");
    }
    ssize_t got;
    do {
        got = read(STDIN_FILENO, to, INPUT_STEP);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        log_fatal("read standard input: %m");
    }
    reader->ended = got == 0;
    str_commit(buffer, (size_t)got);
}

bool key_reader_next(struct key_reader *reader, struct view *key_out)
{
    size_t searched = 0;
    for (;;) {
        struct view rest = view_from(str_view(&reader->buffer), reader->at);
        size_t len = searched + view_index(view_from(rest, searched), '\n');
        if (len < rest.len || (reader->ended && rest.len > 0)) {
            *key_out = view_first(rest, len);
            reader->at += len + (len < rest.len);
            return true;
        }
        if (reader->ended) {
            return false;
        }
        searched = rest.len;
        fill(reader);
    }
}

void key_reader_done(struct key_reader *reader)
{
    str_done(&reader->buffer);
}
