/* SPDX-License-Identifier: MIT */
/* One table of EHLO keywords serves the offer and the hiding. */
#include "smtpd/ehlo.h"

#include <inttypes.h>

#include "base/log.h"
#include "smtpd/reply.h"
#include "smtpd/tls.h"

struct keyword {
    const char *name;
    enum ehlo_keyword bit;
};

/* In the order of the offer; the rest cannot be offered (yet). */
static const struct keyword OFFERED[] = {
    {"PIPELINING", EHLO_PIPELINING},
    {"SIZE", EHLO_SIZE},
    {"VRFY", EHLO_VRFY},
    {"ETRN", EHLO_ETRN},
    {"STARTTLS", EHLO_STARTTLS},
    {"AUTH", EHLO_AUTH},
    {"ENHANCEDSTATUSCODES", EHLO_ENHANCEDSTATUSCODES},
    {"8BITMIME", EHLO_8BITMIME},
    {"DSN", EHLO_DSN},
    {"SMTPUTF8", EHLO_SMTPUTF8},
    {"CHUNKING", EHLO_CHUNKING},
};
static const struct keyword OTHERS[] = {
    {"XCLIENT", EHLO_XCLIENT},
    {"XFORWARD", EHLO_XFORWARD},
    {"silent-discard", EHLO_SILENT_DISCARD},
};

static unsigned find(const struct keyword *table, size_t count, struct view name)
{
    for (size_t i = 0; i < count; i++) {
        if (view_equal_nocase_cstr(name, table[i].name)) {
            return table[i].bit;
        }
    }
    return 0;
}

unsigned ehlo_parse_keywords(struct view text)
{
    unsigned set = 0;
    struct view name;
    while (conf_list_next(&text, &name)) {
        set |= find(OFFERED, ARRAY_SIZE(OFFERED), name) |
               find(OTHERS, ARRAY_SIZE(OTHERS), name);
    }
    return set;
}

static void log_discarded(unsigned set)
{
    STR_AUTO struct str names = {0};
    for (size_t i = 0; i < ARRAY_SIZE(OFFERED); i++) {
        if ((set & OFFERED[i].bit) != 0) {
            str_printf(&names, " %s", OFFERED[i].name);
        }
    }
    if (names.len > 0) {
        log_info("discarding EHLO keywords:%s", str_ptr(&names));
    }
}

unsigned ehlo_discarded(struct session *session)
{
    struct view list =
        view_cstr(conf_str(session->conf, P_smtpd_discard_ehlo_keywords));
    STR_AUTO struct str value = {0};
    struct err err = {0};
    enum map_result result =
        maps_find(session->server->ehlo_keyword_maps,
                  view_cstr(session->client.address_text), &value, NULL, &err);
    if (result == MAP_FOUND) {
        list = str_view(&value);
    }
    unsigned set = ehlo_parse_keywords(list);
    if (result == MAP_ERROR) {
        /* Nobody knows what this client can stand: offer as little as possible. */
        set = ~0U;
    }
    if ((set & EHLO_SILENT_DISCARD) == 0) {
        log_discarded(set);
    }
    return set;
}

static bool is_on(const struct session *session, enum ehlo_keyword bit)
{
    if ((session->discarded_keywords & (unsigned)bit) != 0) {
        return false;
    }
    if (bit == EHLO_STARTTLS) {
        return tls_offered(session);
    }
    if (bit == EHLO_VRFY) {
        return !conf_bool(session->conf, P_disable_vrfy_command);
    }
    return bit != EHLO_SMTPUTF8 || conf_bool(session->conf, P_smtputf8_enable);
}

/* What there is to log in with, and again as some old clients look for it. */
static void add_auth(struct session *session, struct str *line)
{
    const char *mechanisms = auth_offer(session);
    if (*mechanisms == '\0') {
        return;
    }
    reply_line(session, "250-%s", str_ptr(line));
    if (conf_bool(session->conf, P_broken_sasl_auth_clients)) {
        reply_line(session, "250-AUTH %s", mechanisms);
        str_set_cstr(line, "AUTH=");
    } else {
        str_set_cstr(line, "AUTH ");
    }
    str_add_cstr(line, mechanisms);
}

/* The last line differs from the others, so each is sent when the next one is known. */
void ehlo_reply(struct session *session)
{
    int64_t limit = conf_long(session->conf, P_message_size_limit);
    STR_AUTO struct str line = {0};
    str_add_cstr(&line, conf_str(session->conf, P_myhostname));
    for (size_t i = 0; i < ARRAY_SIZE(OFFERED); i++) {
        if (!is_on(session, OFFERED[i].bit)) {
            continue;
        }
        if (OFFERED[i].bit == EHLO_AUTH) {
            add_auth(session, &line);
            continue;
        }
        reply_line(session, "250-%s", str_ptr(&line));
        str_set_cstr(&line, OFFERED[i].name);
        if (OFFERED[i].bit == EHLO_SIZE && limit > 0) {
            str_printf(&line, " %" PRId64, limit);
        }
    }
    reply_line(session, "250 %s", str_ptr(&line));
}
