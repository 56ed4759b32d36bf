/* SPDX-License-Identifier: MIT */
/*
 * The text form of a queue file.  The names of records and their numbers with -d
 * are those that administrators' scripts know; they have nothing to do with the
 * bytes in the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/queue_format.h"
#include "postcat/postcat.h"
#include "sys/file.h"

enum { CHUNK = 64 * 1024 };

/* Numbers for -d. */
enum record_number {
    NUMBER_SIZE = 'C',
    NUMBER_TIME = 'T',
    NUMBER_ATTRIBUTE = 'A',
    NUMBER_FULLNAME = 'F',
    NUMBER_SENDER = 'S',
    NUMBER_ORIGINAL = 'O',
    NUMBER_RECIPIENT = 'R',
    NUMBER_DONE = 'D',
    NUMBER_CONTENT = 'M',
    NUMBER_TEXT = 'N',
    NUMBER_EXTRACTED = 'X',
    NUMBER_END = 'E'
};

struct printer {
    const struct postcat_options *options;
    const struct queue_message *message;
    const char *name;
    int fd;
    FILE *out;
};

static void print_prefix(const struct printer *printer, int64_t offset,
                         enum record_number number)
{
    if (printer->options->offsets) {
        (void)fprintf(printer->out, "%9" PRId64 " ", offset);
    }
    if (printer->options->types) {
        (void)fprintf(printer->out, "%3d ", (int)number);
    }
}

static void print_view(const struct printer *printer, struct view text)
{
    (void)fwrite(text.ptr, 1, text.len, printer->out);
}

static void print_field(const struct printer *printer, int64_t offset,
                        enum record_number number, const char *label, struct view text)
{
    if (offset < printer->options->start) {
        return;
    }
    print_prefix(printer, offset, number);
    (void)fprintf(printer->out, "%s: ", label);
    print_view(printer, text);
    (void)fputc('\n', printer->out);
}

static void print_named(const struct printer *printer, int64_t offset, const char *name,
                        struct view value)
{
    STR_AUTO struct str text = {0};
    str_printf(&text, "%s=%.*s", name, VIEW_ARG(value));
    print_field(printer, offset, NUMBER_ATTRIBUTE, "named_attribute", str_view(&text));
}

static void print_marker(const struct printer *printer, int64_t offset,
                         enum record_number number, const char *title)
{
    if ((printer->options->show & SHOW_ENVELOPE) == 0) {
        return;
    }
    if (number != 0) {
        print_prefix(printer, offset, number);
    }
    (void)fprintf(printer->out, "*** %s %s ***\n", title, printer->name);
}

static void print_header_fields(const struct printer *printer)
{
    const struct queue_message *message = printer->message;
    char text[120];
    (void)snprintf(
        text, sizeof(text), "%15" PRId64 " %15" PRId64 " %15zu %15d %15" PRId64 " %15d",
        message->content_size, message->content_offset, message->recipient_count, 0,
        message->content_size, (message->flags & QUEUE_FILE_SMTPUTF8) != 0);
    print_field(printer, QF_AT_CONTENT_LEN, NUMBER_SIZE, "message_size",
                view_cstr(text));
    char date[MAIL_DATE_MAX];
    mail_date_ctime(message->arrival_time, date);
    print_field(printer, QF_AT_ARRIVAL, NUMBER_TIME, "message_arrival_time",
                view_cstr(date));
    mail_date_ctime(message->create_time, date);
    print_field(printer, QF_AT_CREATED, NUMBER_ATTRIBUTE, "create_time",
                view_cstr(date));
}

static void print_recipient(const struct printer *printer, int64_t offset,
                            const struct queue_recipient *recipient)
{
    if (recipient->dsn_notify != 0) {
        char number[8];
        (void)snprintf(number, sizeof(number), "%u", recipient->dsn_notify);
        print_named(printer, offset, "notify_flags", view_cstr(number));
    }
    if (recipient->dsn_orcpt.len > 0) {
        print_named(printer, offset, "dsn_orig_rcpt", recipient->dsn_orcpt);
    }
    if (recipient->original.len > 0) {
        print_field(printer, offset, NUMBER_ORIGINAL, "original_recipient",
                    recipient->original);
    }
    bool done = recipient->state == RECIPIENT_DONE;
    print_field(printer, offset, done ? NUMBER_DONE : NUMBER_RECIPIENT,
                done ? "done_recipient" : "recipient", recipient->address);
}

static void print_record(const struct printer *printer, int64_t offset,
                         const struct queue_record *record)
{
    switch (record->type) {
    case QUEUE_RECORD_SENDER:
        print_field(printer, offset, NUMBER_SENDER, "sender", record->text);
        return;
    case QUEUE_RECORD_FULLNAME:
        print_field(printer, offset, NUMBER_FULLNAME, "sender_fullname", record->text);
        return;
    case QUEUE_RECORD_RECIPIENT:
        print_recipient(printer, offset, &record->recipient);
        return;
    case QUEUE_RECORD_ATTRIBUTE: {
        STR_AUTO struct str name = {0};
        str_set(&name, record->attribute.name);
        print_named(printer, offset, str_ptr(&name), record->attribute.value);
        return;
    }
    }
}

static int64_t record_size(const struct queue_record *record)
{
    size_t payload = record->text.len;
    if (record->type == QUEUE_RECORD_ATTRIBUTE) {
        payload = QF_ATTRIBUTE_FIXED + record->attribute.name.len +
                  record->attribute.value.len;
    } else if (record->type == QUEUE_RECORD_RECIPIENT) {
        payload = QF_RECIPIENT_FIXED + record->recipient.address.len +
                  record->recipient.original.len + record->recipient.dsn_orcpt.len;
    }
    return (int64_t)(QF_RECORD_HEADER_SIZE + payload);
}

/* The records before the content, or those after it. */
static void print_records(const struct printer *printer, bool after_content)
{
    const struct queue_message *message = printer->message;
    int64_t offset = after_content ? message->content_offset + message->content_size
                                   : QF_HEADER_SIZE;
    if ((printer->options->show & SHOW_ENVELOPE) == 0) {
        return;
    }
    for (size_t i = 0; i < message->record_count; i++) {
        if (message->records[i].after_content == after_content) {
            print_record(printer, offset, &message->records[i]);
            offset += record_size(&message->records[i]);
        }
    }
}

/* A walk through the content by lines. */
struct content {
    int64_t at; /* file offset of what is in the buffer */
    int64_t end;
    struct str buffer;
    size_t used; /* bytes of the buffer that were given out */
};

static bool fill(const struct printer *printer, struct content *content)
{
    if (content->used > 0) {
        CHECK(content->buffer.ptr != NULL);
        memmove(content->buffer.ptr, content->buffer.ptr + content->used,
                content->buffer.len - content->used);
        str_truncate(&content->buffer, content->buffer.len - content->used);
        content->at += (int64_t)content->used;
        content->used = 0;
    }
    int64_t from = content->at + (int64_t)content->buffer.len;
    size_t want = content->end - from < CHUNK ? (size_t)(content->end - from) : CHUNK;
    char *room = str_reserve(&content->buffer, want);
    if (room == NULL ||
        file_pread_all(printer->fd, room, want, from) != (ssize_t)want) {
        return false;
    }
    str_commit(&content->buffer, want);
    return true;
}

/* The next line without its LF, and where it is.  False: end, or *FAILED. */
static bool next_line(const struct printer *printer, struct content *content,
                      struct view *line_out, int64_t *offset_out, bool *failed)
{
    for (;;) {
        struct view rest = view_from(str_view(&content->buffer), content->used);
        size_t len = view_index(rest, '\n');
        bool last = content->at + (int64_t)content->buffer.len == content->end;
        if (len < rest.len || (last && rest.len > 0)) {
            *line_out = view_first(rest, len);
            *offset_out = content->at + (int64_t)content->used;
            content->used += len + (len < rest.len);
            return true;
        }
        if (last) {
            return false;
        }
        if (!fill(printer, content)) {
            *failed = true;
            return false;
        }
    }
}

static void print_line(const struct printer *printer, int64_t offset, struct view line)
{
    if (offset < printer->options->start) {
        return;
    }
    print_prefix(printer, offset, NUMBER_TEXT);
    if (printer->options->names) {
        (void)fputs("regular_text: ", printer->out);
    }
    print_view(printer, line);
    (void)fputc('\n', printer->out);
}

static enum outcome print_content(const struct printer *printer, struct err *err)
{
    const struct queue_message *message = printer->message;
    struct content content = {.at = message->content_offset,
                              .end = message->content_offset + message->content_size};
    bool failed = false, in_body = false, in_header = false;
    struct view line;
    int64_t offset;
    while (next_line(printer, &content, &line, &offset, &failed)) {
        if (!in_body) {
            enum header_line kind = header_classify(line, in_header);
            in_body = kind == HEADER_END || kind == HEADER_BODY;
            in_header = true;
        }
        if ((printer->options->show & (in_body ? SHOW_BODY : SHOW_HEADER)) != 0) {
            print_line(printer, offset, line);
        }
        if (in_body && (printer->options->show & SHOW_BODY) == 0) {
            break;
        }
    }
    str_done(&content.buffer);
    return failed ? err_temp(err, "4.3.0", "read content: %m") : OK;
}

static enum outcome print_message(const struct printer *printer, struct err *err)
{
    int64_t end = printer->message->file_size;
    int64_t content = printer->message->content_offset;
    int64_t start = printer->options->start;
    if (start == 0) {
        print_marker(printer, 0, 0, "ENVELOPE RECORDS");
    }
    if ((printer->options->show & SHOW_ENVELOPE) != 0) {
        print_header_fields(printer);
    }
    print_records(printer, false);
    if (start <= content) {
        print_marker(printer, content, NUMBER_CONTENT, "MESSAGE CONTENTS");
    }
    if ((printer->options->show & (SHOW_HEADER | SHOW_BODY)) != 0) {
        enum outcome outcome = print_content(printer, err);
        if (outcome != OK) {
            return outcome;
        }
    }
    int64_t extracted = content + printer->message->content_size;
    if (start <= extracted) {
        print_marker(printer, extracted, NUMBER_EXTRACTED, "HEADER EXTRACTED");
    }
    print_records(printer, true);
    if (start <= end) {
        print_marker(printer, end, NUMBER_END, "MESSAGE FILE END");
    }
    return OK;
}

enum outcome postcat_print(int fd, const char *name,
                           const struct postcat_options *options, FILE *out,
                           struct err *err)
{
    struct arena arena = {0};
    struct queue_message message;
    struct printer printer = {
        .options = options, .message = &message, .name = name, .fd = fd, .out = out};
    enum outcome outcome = queue_file_read(fd, &arena, &message, err);
    if (outcome == OK) {
        outcome = print_message(&printer, err);
    }
    arena_clear(&arena);
    return outcome;
}
