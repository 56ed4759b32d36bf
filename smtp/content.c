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
};

/* Part of one line, without its end. */
static void write_part(struct writer *writer, struct view part)
{
    while (part.len > 0) {
        if (writer->at_line_start && part.ptr[0] == '.') {
            stream_write(writer->stream, VIEW("."));
        }
        writer->at_line_start = false;
        size_t room =
            writer->line_limit > 0 ? writer->line_limit - writer->line_len : part.len;
        struct view now = view_first(part, room);
        size_t cr = view_index(now, '\r');
        stream_write(writer->stream, view_first(now, cr));
        if (cr < now.len) {
            stream_write(writer->stream, VIEW(" "));
            now.len = cr + 1;
        }
        writer->line_len += now.len;
        part = view_from(part, now.len);
        if (writer->line_limit > 0 && writer->line_len >= writer->line_limit &&
            part.len > 0) {
            stream_write(writer->stream, VIEW("\r\n "));
            writer->line_len = 1;
        }
    }
}

static void write_chunk(struct writer *writer, struct view data)
{
    while (data.len > 0) {
        size_t end = view_index(data, '\n');
        struct view part = view_first(data, end);
        bool ends = end < data.len;
        /* CRLF in the file: one line end. */
        if (ends && part.len > 0 && part.ptr[part.len - 1] == '\r') {
            part.len--;
        }
        write_part(writer, part);
        if (ends) {
            stream_write(writer->stream, VIEW("\r\n"));
            writer->at_line_start = true;
            writer->line_len = 0;
            end++;
        }
        data = view_from(data, end);
    }
}

bool content_send(struct session *session)
{
    const struct delivery *delivery = session->delivery;
    const struct conf *conf = delivery->smtp->conf;
    int limit = conf_int(conf, P_smtp_line_length_limit);
    struct writer writer = {.stream = session->stream,
                            .line_limit = limit > 0 ? (size_t)limit : 0,
                            .at_line_start = true};
    int64_t offset = delivery->request->content_offset;
    const int64_t end = offset + delivery->request->content_size;
    STR_AUTO struct str chunk = {0};
    stream_set_timeout(session->stream, conf_time(conf, P_smtp_data_xfer_timeout));
    while (offset < end && stream_ok(session->stream)) {
        size_t want = (size_t)(end - offset < CHUNK_BYTES ? end - offset : CHUNK_BYTES);
        str_clear(&chunk);
        char *room = str_reserve(&chunk, want);
        if (room == NULL ||
            file_pread_all(delivery->fd, room, want, offset) != (ssize_t)want) {
            return false; /* never end a message that is not whole */
        }
        str_commit(&chunk, want);
        write_chunk(&writer, str_view(&chunk));
        offset += (int64_t)want;
    }
    if (!writer.at_line_start) {
        stream_write(session->stream, VIEW("\r\n"));
    }
    return stream_ok(session->stream);
}
