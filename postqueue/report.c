/* SPDX-License-Identifier: MIT */
/*
 * The listing as text and as JSON.  Scripts cut both into pieces, so columns and
 * names are fixed.  Whatever bytes an address holds, the terminal gets printable
 * characters and JSON stays JSON.
 */
#include <inttypes.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/utf8.h"
#include "mail/date.h"
#include "postqueue/postqueue.h"
#include "sys/clock.h"

enum {
    SHORT_ID_COLUMNS = 11,
    SHORT_SIZE_COLUMNS = 7,
    LONG_ID_COLUMNS = 17,
    LONG_SIZE_COLUMNS = 8,
    SHORT_ADDRESS_COLUMN = 41,
    LONG_ADDRESS_COLUMN = 47,
    REASON_COLUMNS = 76, /* inside the parentheses; they end in column 78 */
    KBYTE = 1024
};

/* Bytes at the start of TEXT that stand for themselves, which is nearly always all of
 * it. */
static void add_plain(struct str *out, struct view *text)
{
    size_t len = 0;
    while (len < text->len && ascii_printable(text->ptr[len])) {
        len++;
    }
    str_add(out, view_first(*text, len));
    *text = view_from(*text, len);
}

static void add_printable(struct str *out, struct view text)
{
    for (add_plain(out, &text); text.len > 0; add_plain(out, &text)) {
        size_t len = utf8_sequence_length(text);
        bool printable = len > 1 || (len == 1 && ascii_printable(text.ptr[0]));
        str_add(out, printable ? view_first(text, len) : VIEW("?"));
        text = view_from(text, len > 0 ? len : 1);
    }
}

static struct view sender_name(const struct queue_list_entry *entry)
{
    return entry->sender.len > 0 ? entry->sender : VIEW("MAILER-DAEMON");
}

static void add_json_recipients(struct str *line, const struct queue_list_entry *entry)
{
    for (size_t i = 0; i < entry->recipient_count; i++) {
        str_add_cstr(line, i > 0 ? ", {\"address\": " : "{\"address\": ");
        json_add_string(line, entry->recipients[i].address);
        if (entry->recipients[i].reason.len > 0) {
            str_add_cstr(line, ", \"delay_reason\": ");
            json_add_string(line, entry->recipients[i].reason);
        }
        str_add_byte(line, '}');
    }
}

static void write_json(struct report *report, const struct queue_list_entry *entry)
{
    struct str *line = &report->text;
    str_clear(line);
    str_add_cstr(line, "{\"queue_name\": ");
    json_add_string(line, entry->queue_name);
    str_add_cstr(line, ", \"queue_id\": ");
    json_add_string(line, entry->queue_id);
    str_printf(line,
               ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRId64
               ", \"forced_expire\": %s, \"sender\": ",
               entry->arrival_time / CLOCK_SECOND, entry->size,
               entry->forced_expire ? "true" : "false");
    json_add_string(line, sender_name(entry));
    str_add_cstr(line, ", \"recipients\": [");
    add_json_recipients(line, entry);
    str_add_cstr(line, "]}\n");
    (void)fwrite(str_ptr(line), 1, line->len, report->out);
}

static void write_title(const struct report *report)
{
    (void)fputs(report->long_ids ? "----Queue ID----- --Size-- ---Arrival Time---- "
                                   "--Sender/Recipient------\n"
                                 : "-Queue ID-  --Size-- ----Arrival Time---- "
                                   "-Sender/Recipient-------\n",
                report->out);
}

static void pad_to(struct str *out, size_t column)
{
    while (out->len < column) {
        str_add(out, view_first(VIEW("                                "),
                                column - out->len));
    }
}

/* Queue ID, size and date. */
static void add_columns(const struct report *report,
                        const struct queue_list_entry *entry, struct str *out)
{
    size_t start = out->len;
    add_printable(out, entry->queue_id);
    if (view_equal_cstr(entry->queue_name, QUEUE_ACTIVE)) {
        str_add_byte(out, '*');
    } else if (view_equal_cstr(entry->queue_name, QUEUE_HOLD)) {
        str_add_byte(out, '!');
    }
    if (entry->forced_expire) {
        str_add_byte(out, '#');
    }
    pad_to(out, start + (report->long_ids ? LONG_ID_COLUMNS : SHORT_ID_COLUMNS));
    char date[MAIL_DATE_MAX];
    mail_date_ctime(entry->arrival_time, date);
    *strrchr(date, ' ') = '\0'; /* no year */
    str_printf(out, " %*" PRId64 " %s %s",
               report->long_ids ? LONG_SIZE_COLUMNS : SHORT_SIZE_COLUMNS, entry->size,
               date, report->long_ids ? "" : " ");
}

/* "(REASON)", right-aligned as long as it fits. */
static void add_reason(struct str *out, struct view reason, struct str *scratch)
{
    str_clear(scratch);
    add_printable(scratch, reason);
    size_t room = scratch->len < REASON_COLUMNS ? REASON_COLUMNS - scratch->len : 0;
    pad_to(out, out->len + room);
    str_add_byte(out, '(');
    str_add(out, str_view(scratch));
    str_add_cstr(out, ")\n");
}

static void write_text(struct report *report, const struct queue_list_entry *entry)
{
    struct str *lines = &report->text;
    str_clear(lines);
    add_columns(report, entry, lines);
    add_printable(lines, sender_name(entry));
    str_add_byte(lines, '\n');
    for (size_t i = 0; i < entry->recipient_count; i++) {
        const struct queue_list_recipient *recipient = &entry->recipients[i];
        /* Said once for neighbours that wait for the same reason. */
        if (recipient->reason.len > 0 &&
            (i == 0 || !view_equal(recipient->reason, recipient[-1].reason))) {
            add_reason(lines, recipient->reason, &report->scratch);
        }
        pad_to(lines, lines->len + (report->long_ids ? LONG_ADDRESS_COLUMN
                                                     : SHORT_ADDRESS_COLUMN));
        add_printable(lines, recipient->address);
        str_add_byte(lines, '\n');
    }
    str_add_byte(lines, '\n');
    (void)fwrite(str_ptr(lines), 1, lines->len, report->out);
}

void report_entry(struct report *report, const struct queue_list_entry *entry)
{
    if (report->json) {
        write_json(report, entry);
    } else {
        if (report->messages == 0) {
            write_title(report);
        }
        write_text(report, entry);
    }
    report->messages++;
    report->bytes += entry->size;
}

void report_end(struct report *report)
{
    str_done(&report->text);
    str_done(&report->scratch);
    if (report->json) {
        return;
    }
    if (report->messages == 0) {
        (void)fputs("Mail queue is empty\n", report->out);
        return;
    }
    (void)fprintf(report->out, "-- %" PRId64 " Kbytes in %zu Request%s.\n",
                  report->bytes / KBYTE, report->messages,
                  report->messages == 1 ? "" : "s");
}
