/* SPDX-License-Identifier: MIT */
/*
 * Replies of a server that may be hostile: bounded line length, bounded number of
 * lines, control characters kept out of the log.
 */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "smtp/smtp.h"

enum { LINE_MAX_BYTES = 2048, LINES_MAX = 200, TEXT_MAX_BYTES = 1600 };

/* RFC 3463 code behind the reply code, if it agrees with it; else class.0.0. */
static void find_dsn(struct smtp_reply *reply, struct view line)
{
    struct view rest = view_from(line, 4);
    struct view word = view_first(rest, view_index(rest, ' '));
    unsigned dots = 0;
    bool good = word.len >= 5 && word.len < sizeof(reply->dsn) && word.ptr[1] == '.' &&
                word.ptr[0] == line.ptr[0];
    for (size_t i = 0; good && i < word.len; i++) {
        good = ascii_digit(word.ptr[i]) || word.ptr[i] == '.';
        dots += word.ptr[i] == '.';
    }
    if (good && dots == 2 && ascii_digit(word.ptr[word.len - 1])) {
        (void)snprintf(reply->dsn, sizeof(reply->dsn), "%.*s", VIEW_ARG(word));
    } else {
        (void)snprintf(reply->dsn, sizeof(reply->dsn), "%c.0.0", line.ptr[0]);
    }
}

static void add_line(struct str *text, struct view line)
{
    if (text->len + line.len > TEXT_MAX_BYTES) {
        line = view_first(line,
                          text->len < TEXT_MAX_BYTES ? TEXT_MAX_BYTES - text->len : 0);
    }
    if (text->len > 0 && line.len > 0) {
        str_add_byte(text, ' ');
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        str_add_byte(text, c < ' ' || c == 0x7f ? '?' : line.ptr[i]);
    }
}

static bool has_code(struct view line)
{
    return line.len >= 3 && line.ptr[0] >= '2' && line.ptr[0] <= '5' &&
           ascii_digit(line.ptr[1]) && ascii_digit(line.ptr[2]) &&
           (line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '-');
}

static void finish(struct smtp_reply *reply, struct arena *arena,
                   const struct str *text, struct view last)
{
    reply->code =
        (last.ptr[0] - '0') * 100 + (last.ptr[1] - '0') * 10 + last.ptr[2] - '0';
    find_dsn(reply, last);
    reply->text = arena_view(arena, str_view(text));
}

bool reply_read(struct session *session, struct arena *arena, struct smtp_reply *reply)
{
    STR_AUTO struct str text = {0};
    struct view line;
    bool whole = false;
    *reply = (struct smtp_reply){0};
    for (int lines = 0; lines < LINES_MAX; lines++) {
        if (!stream_read_line(session->stream, LINE_MAX_BYTES, &line, &whole)) {
            break;
        }
        if (!whole || !has_code(line)) {
            continue; /* the tail of an endless line, or noise */
        }
        add_line(&text, line);
        if (line.len == 3 || line.ptr[3] == ' ') {
            finish(reply, arena, &text, line);
            return true;
        }
    }
    session->broken = true;
    return false;
}
