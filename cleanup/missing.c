/* SPDX-License-Identifier: MIT */
/*
 * Headers that RFC 5322 asks for and that the message does not have: added behind
 * the others for our own users, or wherever always_add_missing_headers says so.
 */
#include <stdio.h>

#include "base/log.h"
#include "cleanup/cleanup.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header_address.h"
#include "sys/clock.h"

static bool may_add(const struct message *message)
{
    const struct conf *conf = message->settings->conf;
    return (message->flags & SUBMIT_LOCAL_CONTEXT) != 0 ||
           conf_bool(conf, P_always_add_missing_headers) ||
           conf_str(conf, P_remote_header_rewrite_domain)[0] != '\0';
}

static void add_line(struct message *message, const struct str *line)
{
    queue_writer_content(message->writer, str_view(line));
    queue_writer_content(message->writer, VIEW("\n"));
}

/* "<20261122084132.307D1A90021@mail.example.com>"; a long queue ID is unique by itself.
 */
static void make_message_id(const struct message *message, struct str *out)
{
    const struct conf *conf = message->settings->conf;
    const char *host = conf_str(conf, P_myhostname);
    if (conf_bool(conf, P_enable_long_queue_ids)) {
        str_printf(out, "<%s@%s>", message->id, host);
        return;
    }
    char stamp[MAIL_DATE_MAX];
    mail_date_stamp(clock_wall(), stamp);
    str_printf(out, "<%s.%s@%s>", stamp, message->id, host);
}

static void add_message_id(struct message *message, const char *prefix,
                           const char *log_name)
{
    STR_AUTO struct str id = {0};
    STR_AUTO struct str line = {0};
    make_message_id(message, &id);
    str_printf(&line, "%sMessage-Id: %s", prefix, str_ptr(&id));
    add_line(message, &line);
    log_info("%s: %s=%s", message->id, log_name, str_ptr(&id));
}

static void add_date(struct message *message, const char *prefix)
{
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str line = {0};
    mail_date(message->arrival_time, date);
    str_printf(&line, "%sDate: %s", prefix, date);
    add_line(message, &line);
}

/* "Name <address>", or "address (Name)" with header_from_format = obsolete. */
static void add_from(struct message *message, const char *prefix)
{
    STR_AUTO struct str address = {0};
    STR_AUTO struct str line = {0};
    const char *format = conf_str(message->settings->conf, P_header_from_format);
    str_printf(&line, "%sFrom: ", prefix);
    if (message->sender.len == 0) {
        str_add_cstr(&line, "MAILER-DAEMON");
        add_line(message, &line);
        return;
    }
    address_quote(message->sender, &address);
    if (message->fullname.len == 0) {
        str_add(&line, str_view(&address));
    } else if (strcmp(format, "obsolete") == 0) {
        str_printf(&line, "%s (%.*s)", str_ptr(&address), VIEW_ARG(message->fullname));
    } else {
        header_phrase_quote(message->fullname, &line);
        str_printf(&line, " <%s>", str_ptr(&address));
    }
    add_line(message, &line);
}

static void add_undisclosed_recipients(struct message *message)
{
    const char *header =
        conf_str(message->settings->conf, P_undisclosed_recipients_header);
    if (header[0] == '\0' || (message->headers.seen & SEEN_RECIPIENT) != 0) {
        return;
    }
    STR_AUTO struct str line = {0};
    str_add_cstr(&line, header);
    add_line(message, &line);
}

void missing_add(struct message *message)
{
    unsigned seen = message->headers.seen;
    bool resent = (seen & SEEN_RESENT) != 0;
    bool add = may_add(message);
    const char *prefix = resent ? "Resent-" : "";
    if ((seen & SEEN_MESSAGE_ID) == 0 && (resent || !add)) {
        log_info("%s: message-id=<>", message->id);
    }
    if (!add) {
        return;
    }
    if ((seen & (resent ? SEEN_RESENT_MESSAGE_ID : SEEN_MESSAGE_ID)) == 0) {
        add_message_id(message, prefix, resent ? "resent-message-id" : "message-id");
    }
    if ((seen & (resent ? SEEN_RESENT_DATE : SEEN_DATE)) == 0) {
        add_date(message, prefix);
    }
    if ((seen & (resent ? SEEN_RESENT_FROM : SEEN_FROM)) == 0) {
        add_from(message, prefix);
    }
    add_undisclosed_recipients(message);
}
