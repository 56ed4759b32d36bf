/* SPDX-License-Identifier: MIT */
/* What a notice says about one recipient: a text for people, fields for programs. */
#include "bounce/bounce.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

enum { LINE_MOST = 79 };
static const char INDENT[] = "    ";

/* How much of TEXT goes into a line with ROOM characters: up to the last space that
 * fits, or, when the first word is too long, that word. */
static size_t line_length(struct view text, size_t room)
{
    CHECK(room > 0 && text.len > 0);
    if (text.len <= room) {
        return text.len;
    }
    size_t space = view_last_index(view_first(text, room + 1), ' ');
    if (space > 0 && space <= room) {
        return space;
    }
    size_t first = view_index(view_from(text, 1), ' ') + 1;
    return first < text.len ? first : text.len;
}

void report_wrap(struct view text, struct str *out)
{
    bool first = true;
    text = view_trim(text);
    while (text.len > 0) {
        size_t indent = first ? 0 : sizeof(INDENT) - 1;
        size_t len = line_length(text, LINE_MOST - indent);
        str_add_cstr(out, first ? "" : INDENT);
        header_add_safe(out, view_first(text, len)); /* peers send control characters */
        str_add_byte(out, '\n');
        text = view_trim(view_from(text, len));
        first = false;
    }
}

void report_text(const struct delivery_record *record, struct str *out)
{
    STR_AUTO struct str line = {0};
    STR_AUTO struct str address = {0};
    STR_AUTO struct str original = {0};
    address_quote(record->recipient, &address);
    str_printf(&line, "<%s>", str_ptr(&address));
    if (record->original.len > 0 &&
        !view_equal_nocase(record->original, record->recipient)) {
        address_quote(record->original, &original);
        str_printf(&line, " (expanded from <%s>)", str_ptr(&original));
    }
    str_add_cstr(&line, ": ");
    str_add(&line, record->reason);
    report_wrap(str_view(&line), out);
}

/* "Name: value", safe and wrapped. */
static void add_field(struct str *out, const char *name, const char *type,
                      struct view value)
{
    STR_AUTO struct str line = {0};
    str_printf(&line, "%s: %s", name, type);
    str_add(&line, value);
    report_wrap(str_view(&line), out);
}

void report_fields(const struct delivery_record *record, int64_t retry_until,
                   struct str *out)
{
    STR_AUTO struct str address = {0};
    STR_AUTO struct str type = {0};
    address_quote(record->recipient, &address);
    add_field(out, "Final-Recipient",
              view_is_ascii(record->recipient) ? "rfc822; " : "utf-8; ",
              str_view(&address));
    if (record->dsn_orcpt.len > 0) {
        add_field(out, "Original-Recipient", "", record->dsn_orcpt);
    }
    add_field(out, "Action", "", record->action);
    add_field(out, "Status", "", record->dsn);
    if (record->mta.len > 0) {
        add_field(out, "Remote-MTA", "dns; ", record->mta);
    }
    bool has_own = record->diagnostic.len > 0 && record->diagnostic_type.len > 0;
    str_add(&type, has_own ? record->diagnostic_type : VIEW("X-Postfix"));
    str_add_cstr(&type, "; ");
    add_field(out, "Diagnostic-Code", str_ptr(&type),
              has_own ? record->diagnostic : record->reason);
    if (retry_until > 0) {
        char date[MAIL_DATE_MAX];
        mail_date(retry_until, date);
        add_field(out, "Will-Retry-Until", "", view_cstr(date));
    }
}
