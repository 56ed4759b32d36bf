/* SPDX-License-Identifier: MIT */
/* A small message is written with one call, and a large one not through our memory. */
#include "mailbox/letter.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "mail/address.h"
#include "mail/date.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { BUFFER_BYTES = 64 * 1024 };

unsigned letter_delivered_style(const struct conf *conf, const char *kind)
{
    struct view rest = view_cstr(conf_str(conf, P_prepend_delivered_header));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        if (view_equal_cstr(word, kind)) {
            return LETTER_DELIVERED;
        }
    }
    return 0;
}

static void add_address_header(struct str *out, const char *name, struct view address)
{
    str_printf(out, "%s: ", name);
    address_quote(address, out);
    str_add_byte(out, '\n');
}

static void add_headers(const struct letter *letter, unsigned style, struct str *out)
{
    const struct queue_recipient *rcpt = letter->recipient;
    STR_AUTO struct str sender = {0};
    address_quote(letter->sender, &sender);
    if ((style & LETTER_FROM_LINE) != 0) {
        char date[MAIL_DATE_MAX];
        mail_date_ctime(clock_wall(), date);
        str_printf(out, "From %s  %s\n",
                   sender.len > 0 ? str_ptr(&sender) : "MAILER-DAEMON", date);
    }
    str_printf(out, "Return-Path: <%s>\n", str_ptr(&sender));
    if (rcpt->original.len > 0) {
        add_address_header(out, "X-Original-To", rcpt->original);
    }
    if ((style & LETTER_DELIVERED) != 0) {
        add_address_header(out, "Delivered-To", rcpt->address);
    }
}

/* --- lines that would divide a mailbox ------------------------------------------- */

/* Quotes "From " at the start of lines (mbox(5)).  The pieces of a line come one after
 * the other, and the first five bytes may be in two of them. */
struct quoter {
    bool at_line_start;
    size_t matched; /* bytes of "From " seen at the start of this line and held back */
};

static const struct view FROM = {"From ", 5};

/* The start of a line: true when it is decided, with *DATA behind it. */
static bool match_from(struct quoter *quoter, struct view *data, struct str *out)
{
    while (data->len > 0 && quoter->matched < FROM.len &&
           data->ptr[0] == FROM.ptr[quoter->matched]) {
        quoter->matched++;
        *data = view_from(*data, 1);
    }
    if (data->len == 0 && quoter->matched < FROM.len) {
        return false;
    }
    str_add_cstr(out, quoter->matched == FROM.len ? ">" : "");
    str_add(out, view_first(FROM, quoter->matched));
    quoter->at_line_start = false;
    quoter->matched = 0;
    return true;
}

static void add_quoted(struct quoter *quoter, struct view data, struct str *out)
{
    while (data.len > 0) {
        if (quoter->at_line_start && !match_from(quoter, &data, out)) {
            return;
        }
        size_t line = view_index(data, '\n');
        bool ends = line < data.len;
        line += ends ? 1 : 0;
        str_add(out, view_first(data, line));
        quoter->at_line_start = ends;
        data = view_from(data, line);
    }
}

/* What was held back at the end of the message; its last line ends in any case. */
static void finish_quoted(struct quoter *quoter, unsigned style, struct str *out)
{
    if (!quoter->at_line_start || quoter->matched > 0) {
        str_add(out, view_first(FROM, quoter->matched));
        str_add_byte(out, '\n');
    }
    if ((style & LETTER_BLANK) != 0) {
        str_add_byte(out, '\n');
    }
}

/* --- content --------------------------------------------------------------------- */

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
static bool read_chunk(const struct letter *letter, int64_t *offset, int64_t end,
                       struct str *out)
{
    size_t want = (size_t)(end - *offset < BUFFER_BYTES ? end - *offset : BUFFER_BYTES);
    if (letter->content.ptr != NULL) {
        size_t at = (size_t)(*offset - letter->request->content_offset);
        str_add(out, view_first(view_from(letter->content, at), want));
        *offset += (int64_t)want;
        return true;
    }
    char *room = str_reserve(out, want);
    ssize_t got = file_pread_all(letter->fd, room, want, *offset);
    if (got != (ssize_t)want) {
        errno = got >= 0 ? EIO : errno;
        return false;
    }
    str_commit(out, want);
    *offset += (int64_t)want;
    return true;
}

static bool copy_plain(const struct letter *letter, int fd, struct str *head)
{
    int64_t offset = letter->request->content_offset;
    int64_t end = offset + letter->request->content_size;
    return read_chunk(letter, &offset, end, head) &&
           file_write_all(fd, str_ptr(head), head->len) &&
           send_rest(letter->fd, fd, offset, end - offset);
}

static bool copy_quoted(const struct letter *letter, int fd, unsigned style,
                        struct str *out)
{
    int64_t offset = letter->request->content_offset;
    int64_t end = offset + letter->request->content_size;
    struct quoter quoter = {.at_line_start = true};
    STR_AUTO struct str chunk = {0};
    while (offset < end) {
        str_clear(&chunk);
        if (!read_chunk(letter, &offset, end, &chunk)) {
            return false;
        }
        add_quoted(&quoter, str_view(&chunk), out);
        if (offset < end) {
            if (!file_write_all(fd, str_ptr(out), out->len)) {
                return false;
            }
            str_clear(out);
        }
    }
    finish_quoted(&quoter, style, out);
    return file_write_all(fd, str_ptr(out), out->len);
}

bool letter_write(const struct letter *letter, int fd, unsigned style)
{
    STR_AUTO struct str head = {0};
    add_headers(letter, style, &head);
    return (style & LETTER_QUOTE) != 0 ? copy_quoted(letter, fd, style, &head)
                                       : copy_plain(letter, fd, &head);
}
