/* SPDX-License-Identifier: MIT */
/*
 * Cuts a message into headers and body lines.  A header that is not followed by an
 * empty line ends all the same where a line is none.
 */
#include "postmap/message.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "mail/header.h"
#include "postmap/mime_type.h"

enum { MAX_NESTING = 100 };

struct boundary {
    char *text;
    bool digest; /* its parts are messages unless they say otherwise */
};

struct message {
    const struct message_reader *reader;
    bool in_body, past_first_headers;
    struct str header;
    struct boundary boundaries[MAX_NESTING];
    size_t nesting;
    bool message_follows; /* the body of this part is a message */
};

/* --- MIME -------------------------------------------------------------------- */

static void pop_boundaries(struct message *message, size_t keep)
{
    while (message->nesting > keep) {
        free(message->boundaries[--message->nesting].text);
    }
}

static void note_content_type(struct message *message)
{
    enum mime_kind kind;
    STR_AUTO struct str boundary = {0};
    if (!mime_type_parse(str_view(&message->header), &kind, &boundary)) {
        return;
    }
    message->message_follows = kind == MIME_MESSAGE;
    if (boundary.len > 0 && message->nesting < MAX_NESTING) {
        struct boundary *top = &message->boundaries[message->nesting++];
        *top = (struct boundary){xviewdup(str_view(&boundary)), kind == MIME_DIGEST};
    }
}

/* Is LINE "--boundary" or "--boundary--"?  The headers of a part follow the first. */
static bool crosses_boundary(struct message *message, struct view line)
{
    if (!view_starts(line, VIEW("--"))) {
        return false;
    }
    for (size_t i = message->nesting; i-- > 0;) {
        const struct boundary *boundary = &message->boundaries[i];
        struct view text = view_cstr(boundary->text);
        if (!view_starts(view_from(line, 2), text)) {
            continue;
        }
        bool last = view_starts(view_from(line, 2 + text.len), VIEW("--"));
        message->message_follows = boundary->digest && !last;
        message->in_body = last;
        pop_boundaries(message, last ? i : i + 1);
        return true;
    }
    return false;
}

/* --- lines ------------------------------------------------------------------- */

static void finish_header(struct message *message)
{
    if (message->header.len == 0) {
        return;
    }
    if (message->reader->headers) {
        message->reader->found(message->reader->context, str_view(&message->header));
    }
    if (message->reader->mime) {
        note_content_type(message);
    }
    str_clear(&message->header);
}

static void give_body_line(const struct message *message, struct view line)
{
    if (message->reader->body) {
        message->reader->found(message->reader->context, line);
    }
}

/* The line after the last header: empty, or the first of a body without a separator. */
static void end_headers(struct message *message, struct view line)
{
    /* A message always has its separator; a part may lack it. */
    if (line.len == 0 || !message->past_first_headers) {
        give_body_line(message, view_of("", 0));
    }
    message->past_first_headers = true;
    bool message_follows = message->message_follows;
    message->message_follows = false;
    message->in_body = true;
    if (line.len > 0) {
        (void)crosses_boundary(message, line);
        give_body_line(message, line);
    } else if (message_follows) {
        message->in_body = false;
    }
}

static void take_header_line(struct message *message, struct view line)
{
    if (message->header.len > 0 && line.len > 0 && ascii_space(line.ptr[0])) {
        str_add_byte(&message->header, '\n');
        str_add(&message->header, line);
        return;
    }
    finish_header(message);
    struct view name, value;
    if (!header_split(line, &name, &value)) {
        end_headers(message, line);
        return;
    }
    str_set(&message->header, name);
    str_add_byte(&message->header, ':');
    str_add(&message->header, value);
}

static void take_line(struct message *message, struct view line)
{
    if (!message->in_body) {
        take_header_line(message, line);
        return;
    }
    (void)crosses_boundary(message, line);
    give_body_line(message, line);
}

void message_read(const struct message_reader *reader, FILE *file)
{
    struct message *message = xcalloc(1, sizeof(*message));
    message->reader = reader;
    char *buffer = NULL;
    size_t capacity = 0;
    ssize_t got;
    while ((got = getline(&buffer, &capacity, file)) >= 0) {
        bool has_lf = got > 0 && buffer[got - 1] == '\n';
        take_line(message, view_of(buffer, (size_t)got - has_lf));
    }
    finish_header(message);
    pop_boundaries(message, 0);
    str_done(&message->header);
    free(buffer);
    free(message);
}
