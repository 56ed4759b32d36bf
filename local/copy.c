/* SPDX-License-Identifier: MIT */
/*
 * The message as it is delivered: an optional From_ line, Return-Path,
 * X-Original-To and Delivered-To, then the content of the queue file.  A small
 * message is written with one call.
 */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "local/local.h"
#include "mail/address.h"
#include "mail/date.h"
#include "sys/file.h"

enum { BUFFER_BYTES = 64 * 1024, HEADERS_MAX_BYTES = 1024 * 1024 };

static void add_headers(const struct node *node, unsigned style, struct str *out)
{
    const struct tree *tree = node->tree;
    const struct deliver_request *request = tree->message->request;
    const struct queue_recipient *rcpt = &request->recipients[tree->index];
    STR_AUTO struct str sender = {0};
    address_quote(node->sender, &sender);
    if ((style & COPY_FROM_LINE) != 0) {
        char date[MAIL_DATE_MAX];
        mail_date_ctime(clock_wall(), date);
        str_printf(out, "From %s  %s\n",
                   sender.len > 0 ? str_ptr(&sender) : "MAILER-DAEMON", date);
    }
    str_printf(out, "Return-Path: <%s>\n", str_ptr(&sender));
    STR_AUTO struct str quoted = {0};
    if (rcpt->original.len > 0) {
        address_quote(rcpt->original, &quoted);
        str_printf(out, "X-Original-To: %s\n", str_ptr(&quoted));
        str_clear(&quoted);
    }
    address_quote(rcpt->address, &quoted);
    str_printf(out, "Delivered-To: %s\n", str_ptr(&quoted));
}

/* State of the line scanner that quotes "From " in mailboxes (mbox(5)). */
struct quoter {
    bool at_line_start;
};

static void add_quoted(struct quoter *quoter, struct view data, struct str *out)
{
    while (data.len > 0) {
        size_t line = view_index(data, '\n');
        line = line < data.len ? line + 1 : data.len;
        if (quoter->at_line_start && view_starts(data, VIEW("From "))) {
            str_add_byte(out, '>');
        }
        str_add(out, view_first(data, line));
        quoter->at_line_start = data.ptr[line - 1] == '\n';
        data = view_from(data, line);
    }
}

/* The rest of the content, without passing it through our memory. */
static bool send_rest(int in, int out, off_t offset, int64_t left)
{
    while (left > 0) {
        ssize_t n =
            sendfile(out, in, &offset, left > INT32_MAX ? INT32_MAX : (size_t)left);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* the queue file shrank */
            return false;
        }
        left -= n;
    }
    return true;
}

/* Append up to BUFFER_BYTES of the content at *OFFSET to OUT. */
static bool read_chunk(const struct local_message *message, int64_t *offset,
                       int64_t end, struct str *out)
{
    size_t want = (size_t)(end - *offset < BUFFER_BYTES ? end - *offset : BUFFER_BYTES);
    char *room = str_reserve(out, want);
    if (room == NULL ||
        file_pread_all(message->fd, room, want, *offset) != (ssize_t)want) {
        errno = errno != 0 ? errno : EIO;
        return false;
    }
    str_commit(out, want);
    *offset += (int64_t)want;
    return true;
}

static bool copy_plain(const struct local_message *message, int fd, struct str *head)
{
    int64_t offset = message->request->content_offset;
    int64_t end = offset + message->request->content_size;
    return read_chunk(message, &offset, end, head) &&
           file_write_all(fd, str_ptr(head), head->len) &&
           send_rest(message->fd, fd, offset, end - offset);
}

static bool copy_quoted(const struct local_message *message, int fd, unsigned style,
                        struct str *out)
{
    int64_t offset = message->request->content_offset;
    int64_t end = offset + message->request->content_size;
    struct quoter quoter = {.at_line_start = true};
    STR_AUTO struct str chunk = {0};
    while (offset < end) {
        str_clear(&chunk);
        if (!read_chunk(message, &offset, end, &chunk)) {
            return false;
        }
        add_quoted(&quoter, str_view(&chunk), out);
        if (!file_write_all(fd, str_ptr(out), out->len)) {
            return false;
        }
        str_clear(out);
    }
    if (!quoter.at_line_start) {
        str_add_byte(out, '\n');
    }
    if ((style & COPY_BLANK) != 0) {
        str_add_byte(out, '\n');
    }
    return file_write_all(fd, str_ptr(out), out->len);
}

bool copy_message(const struct node *node, int fd, unsigned style)
{
    STR_AUTO struct str head = {0};
    add_headers(node, style, &head);
    errno = 0;
    return (style & COPY_QUOTE) != 0
               ? copy_quoted(node->tree->message, fd, style, &head)
               : copy_plain(node->tree->message, fd, &head);
}

bool copy_has_delivered_to(const struct local_message *message, struct view address)
{
    STR_AUTO struct str text = {0};
    int64_t size = message->request->content_size;
    size_t want = (size_t)(size < HEADERS_MAX_BYTES ? size : HEADERS_MAX_BYTES);
    /* Headers are short as a rule: read more only while no empty line was seen. */
    for (size_t step = 4096; text.len < want; step *= 4) {
        size_t more = want - text.len < step ? want - text.len : step;
        char *room = str_reserve(&text, more);
        ssize_t n =
            room != NULL
                ? file_pread_all(message->fd, room, more,
                                 message->request->content_offset + (int64_t)text.len)
                : -1;
        if (n <= 0) {
            break;
        }
        str_commit(&text, (size_t)n);
        if (memmem(str_ptr(&text), text.len, "\n\n", 2) != NULL) {
            break;
        }
    }
    struct view rest = str_view(&text);
    STR_AUTO struct str value = {0};
    while (rest.len > 0 && rest.ptr[0] != '\n') {
        size_t line = view_index(rest, '\n');
        struct view header = view_first(rest, line);
        if (view_starts_nocase(header, VIEW("Delivered-To:"))) {
            str_clear(&value);
            (void)address_unquote(view_trim(view_from(header, strlen("Delivered-To:"))),
                                  &value);
            if (view_equal_nocase(str_view(&value), address)) {
                return true;
            }
        }
        rest = view_from(rest, line + 1);
    }
    return false;
}
