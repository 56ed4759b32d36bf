/* SPDX-License-Identifier: MIT */
/*
 * Replies of a server that may be hostile (RFC 5321 4.2): bounded lines, a bounded
 * number of them, all within the time of one step, control characters kept out of the
 * log.  Lines that are no reply make the answer an error: after them nobody can say
 * which answer belongs to which command.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "smtp/smtp.h"
#include "sys/clock.h"

enum { LINE_MAX_BYTES = 2048, LINES_MAX = 200, TEXT_MAX_BYTES = 16 * 1024 };
enum { CODE_LENGTH = 3, LONG_LINE_SHOWN = 30 };

/* RFC 3463 code behind the reply code, if it agrees with it; else class.0.0. */
static void find_dsn(struct smtp_reply *reply, struct view line)
{
    struct view rest = view_from(line, CODE_LENGTH + 1);
    size_t len = deliver_dsn_length(rest);
    if (len > 0 && len < sizeof(reply->dsn) && rest.ptr[0] == line.ptr[0]) {
        (void)snprintf(reply->dsn, sizeof(reply->dsn), "%.*s", (int)len, rest.ptr);
    } else {
        (void)snprintf(reply->dsn, sizeof(reply->dsn), "%c.0.0", line.ptr[0]);
    }
}

static void add_line(struct str *text, struct view line, char separator)
{
    size_t room = text->len < TEXT_MAX_BYTES ? TEXT_MAX_BYTES - text->len : 0;
    line = view_first(line, room);
    if (text->len > 0 && line.len > 0) {
        str_add_byte(text, separator);
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        str_add_byte(text, c < ' ' || c == 0x7f ? '?' : line.ptr[i]);
    }
}

static bool has_code(struct view line)
{
    return line.len >= CODE_LENGTH && ascii_digit(line.ptr[0]) &&
           ascii_digit(line.ptr[1]) && ascii_digit(line.ptr[2]) &&
           (line.len == CODE_LENGTH || line.ptr[CODE_LENGTH] == ' ' ||
            line.ptr[CODE_LENGTH] == '-');
}

static bool is_last(struct view line)
{
    return line.len == CODE_LENGTH || line.ptr[CODE_LENGTH] == ' ';
}

/* One line; what is above the limit is thrown away.  False: the connection broke. */
static bool read_line(struct session *session, struct str *line)
{
    struct view piece;
    bool whole = false;
    str_clear(line);
    if (!stream_read_line(session->stream, LINE_MAX_BYTES, &piece, &whole)) {
        return false;
    }
    str_add(line, piece);
    if (!whole && stream_ok(session->stream)) {
        log_warning("%s: response longer than %d: %.*s...", session->relay,
                    LINE_MAX_BYTES, LONG_LINE_SHOWN, str_ptr(line));
    }
    while (!whole &&
           stream_read_line(session->stream, LINE_MAX_BYTES, &piece, &whole)) {
    }
    return whole;
}

/* The lines of one reply, the last one in LINE.  False: the connection broke, or the
 * reply has no end. */
static bool read_lines(struct session *session, bool greeting, struct str *line,
                       struct str *all, bool *noise)
{
    for (int lines = 0; lines < LINES_MAX && read_line(session, line); lines++) {
        if (has_code(str_view(line))) {
            add_line(all, str_view(line), '\n');
            if (is_last(str_view(line))) {
                return true;
            }
        } else if (!greeting) {
            log_warning("%.*s: non-ESMTP response from %s: %.100s",
                        VIEW_ARG(session->delivery->request->queue_id), session->relay,
                        str_ptr(line));
            add_line(all, str_view(line), '\n');
            *noise = true;
        }
    }
    return false;
}

static void finish(struct session *session, const struct str *all, struct view last,
                   bool noise, struct smtp_reply *reply)
{
    struct arena *arena = session->delivery->arena;
    reply->lines = arena_view(arena, str_view(all));
    char *text = arena_cstr(arena, str_view(all));
    for (size_t i = 0; i < all->len; i++) {
        text[i] = text[i] == '\n' ? ' ' : text[i];
    }
    reply->text = view_of(text, all->len);
    if (noise) {
        session->broken = session->confused = true;
        (void)snprintf(reply->dsn, sizeof(reply->dsn), "5.5.0");
        return;
    }
    reply->code =
        (last.ptr[0] - '0') * 100 + (last.ptr[1] - '0') * 10 + last.ptr[2] - '0';
    find_dsn(reply, last);
}

bool reply_read(struct session *session, bool greeting, struct smtp_reply *reply)
{
    STR_AUTO struct str all = {0};
    STR_AUTO struct str line = {0};
    bool noise = false;
    *reply = (struct smtp_reply){0};
    /* A server that sends a byte now and then does not hold us for ever. */
    stream_set_deadline(session->stream, clock_now() + session->timeout);
    bool got = read_lines(session, greeting, &line, &all, &noise);
    stream_set_deadline(session->stream, CLOCK_NEVER);
    if (got) {
        finish(session, &all, str_view(&line), noise, reply);
    } else {
        session->broken = true;
    }
    return got;
}
