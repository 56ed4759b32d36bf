/* SPDX-License-Identifier: MIT */
/*
 * The message on the wire (RFC 5321 4.5.2, 4.5.3.1.6): CRLF line ends, a dot in front
 * of lines that begin with one, lines above smtp_line_length_limit broken.  The queue
 * file holds LF lines; a bare CR inside becomes a space, so that no server can see
 * a line end where we have none.
 */
#include <string.h>

#include "smtp/smtp.h"
#include "sys/file.h"

enum { CHUNK_BYTES = 64 * 1024 };

struct writer {
    struct stream *stream;
    size_t line_limit; /* 0: none */
    size_t line_len;
    bool at_line_start;
    bool cr_pending; /* the chunk ended in CR: is it part of a line end? */
};

/* Bytes of one line, without its end and without CR. */
static void write_text(struct writer *writer, struct view text)
{
    while (text.len > 0) {
        if (writer->line_limit > 0 && writer->line_len >= writer->line_limit) {
            stream_write(writer->stream, VIEW("\r\n "));
            writer->line_len = 1;
        }
        if (writer->at_line_start && text.ptr[0] == '.') {
            stream_write(writer->stream, VIEW("."));
        }
        size_t room =
            writer->line_limit > 0 ? writer->line_limit - writer->line_len : text.len;
        struct view now = view_first(text, room);
        stream_write(writer->stream, now);
        writer->at_line_start = false;
        writer->line_len += now.len;
        text = view_from(text, now.len);
    }
}

/* Bytes of one line without its LF; ENDS: the LF comes next. */
static void write_part(struct writer *writer, struct view part, bool ends)
{
    while (part.len > 0) {
        if (writer->cr_pending) {
            write_text(writer, VIEW(" "));
            writer->cr_pending = false;
        }
        size_t cr = view_index(part, '\r');
        write_text(writer, view_first(part, cr));
        writer->cr_pending = cr < part.len;
        part = view_from(part, cr + 1);
    }
    if (ends) { /* a CR right before LF is part of the line end */
        stream_write(writer->stream, VIEW("\r\n"));
        writer->cr_pending = false;
        writer->at_line_start = true;
        writer->line_len = 0;
    }
}

static void write_chunk(struct writer *writer, struct view data)
{
    while (data.len > 0) {
        size_t end = view_index(data, '\n');
        write_part(writer, view_first(data, end), end < data.len);
        data = view_from(data, end + 1);
    }
}

static void finish(struct writer *writer)
{
    if (writer->cr_pending || !writer->at_line_start) {
        write_part(writer, VIEW(""), true);
    }
}

enum content_result content_send(struct session *session)
{
    const struct delivery *delivery = session->delivery;
    int limit = conf_int(delivery->smtp->conf, P_smtp_line_length_limit);
    struct writer writer = {.stream = session->stream,
                            .line_limit = limit > 0 ? (size_t)limit : 0,
                            .at_line_start = true};
    int64_t offset = delivery->request->content_offset;
    const int64_t end = offset + delivery->request->content_size;
    STR_AUTO struct str chunk = {0};
    session_set_timeout(session, P_smtp_data_xfer_timeout);
    while (offset < end && stream_ok(session->stream)) {
        size_t want = (size_t)(end - offset < CHUNK_BYTES ? end - offset : CHUNK_BYTES);
        str_clear(&chunk);
        char *room = str_reserve(&chunk, want);
        if (file_pread_all(delivery->fd, room, want, offset) != (ssize_t)want) {
            return CONTENT_UNREADABLE;
        }
        str_commit(&chunk, want);
        write_chunk(&writer, str_view(&chunk));
        offset += (int64_t)want;
    }
    finish(&writer);
    return stream_ok(session->stream) ? CONTENT_SENT : CONTENT_LOST;
}
