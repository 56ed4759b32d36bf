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
    REASON_COLUMNS = 76, /* inside the parentheses; they end in column 78 */
    KBYTE = 1024
};

static void add_printable(struct str *out, struct view text)
{
    while (text.len > 0) {
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

static void write_json(const struct report *report,
                       const struct queue_list_entry *entry)
{
    STR_AUTO struct str line = {0};
    str_add_cstr(&line, "{\"queue_name\": ");
    json_add_string(&line, entry->queue_name);
    str_add_cstr(&line, ", \"queue_id\": ");
    json_add_string(&line, entry->queue_id);
    str_printf(&line,
               ", \"arrival_time\": %" PRId64 ", \"message_size\": %" PRId64
               ", \"forced_expire\": %s, \"sender\": ",
               entry->arrival_time / CLOCK_SECOND, entry->size,
               entry->forced_expire ? "true" : "false");
    json_add_string(&line, sender_name(entry));
    str_add_cstr(&line, ", \"recipients\": [");
    add_json_recipients(&line, entry);
    str_add_cstr(&line, "]}\n");
    (void)fwrite(str_ptr(&line), 1, line.len, report->out);
}

static void write_title(const struct report *report)
{
    (void)fputs(report->long_ids ? "----Queue ID----- --Size-- ---Arrival Time---- "
                                   "--Sender/Recipient------\n"
                                 : "-Queue ID-  --Size-- ----Arrival Time---- "
                                   "-Sender/Recipient-------\n",
                report->out);
}

static void add_first_line(const struct report *report,
                           const struct queue_list_entry *entry, struct str *lines)
{
    STR_AUTO struct str id = {0};
    add_printable(&id, entry->queue_id);
    if (view_equal_cstr(entry->queue_name, QUEUE_ACTIVE)) {
        str_add_byte(&id, '*');
    } else if (view_equal_cstr(entry->queue_name, QUEUE_HOLD)) {
        str_add_byte(&id, '!');
    }
    if (entry->forced_expire) {
        str_add_byte(&id, '#');
    }
    char date[MAIL_DATE_MAX];
    mail_date_ctime(entry->arrival_time, date);
    *strrchr(date, ' ') = '\0'; /* no year */
    str_printf(lines, "%-*s %*" PRId64 " %s %s",
               report->long_ids ? LONG_ID_COLUMNS : SHORT_ID_COLUMNS, str_ptr(&id),
               report->long_ids ? LONG_SIZE_COLUMNS : SHORT_SIZE_COLUMNS, entry->size,
               date, report->long_ids ? "" : " ");
    add_printable(lines, sender_name(entry));
    str_add_byte(lines, '\n');
}

static void write_text(const struct report *report,
                       const struct queue_list_entry *entry)
{
    STR_AUTO struct str lines = {0};
    STR_AUTO struct str reason = {0};
    add_first_line(report, entry, &lines);
    for (size_t i = 0; i < entry->recipient_count; i++) {
        const struct queue_list_recipient *recipient = &entry->recipients[i];
        /* Said once for neighbours that wait for the same reason. */
        if (recipient->reason.len > 0 &&
            (i == 0 || !view_equal(recipient->reason, recipient[-1].reason))) {
            str_clear(&reason);
            add_printable(&reason, recipient->reason);
            size_t room = reason.len < REASON_COLUMNS ? REASON_COLUMNS - reason.len : 0;
            str_printf(&lines, "%*s(%s)\n", (int)room, "", str_ptr(&reason));
        }
        str_printf(&lines, "%*s", report->long_ids ? 47 : 41, "");
        add_printable(&lines, recipient->address);
        str_add_byte(&lines, '\n');
    }
    str_add_byte(&lines, '\n');
    (void)fwrite(str_ptr(&lines), 1, lines.len, report->out);
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

void report_end(const struct report *report)
{
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
