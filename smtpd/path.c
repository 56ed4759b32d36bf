/* SPDX-License-Identifier: MIT */
/* Finding the path in MAIL, RCPT and VRFY. */
#include "smtpd/path.h"

#include "base/log.h"
#include "mail/address.h"
#include "smtpd/reply.h"

bool path_find(struct view arguments, const char *keyword, struct view *text_out)
{
    struct view name = view_cstr(keyword);
    if (!view_starts_nocase(arguments, name) || arguments.len <= name.len ||
        arguments.ptr[name.len] != ':') {
        return false;
    }
    *text_out = view_trim(view_from(arguments, name.len + 1));
    return text_out->len > 0;
}

/* "<a@b" has no end to speak of: there is no path that could be shown. */
static bool is_closed(struct view text)
{
    size_t open = 0;
    for (size_t i = 0; i < text.len; i++) {
        open += text.ptr[i] == '<';
        open -= text.ptr[i] == '>' && open > 0;
    }
    return open == 0;
}

void path_log_illegal(const struct session *session, const char *verb, struct view text)
{
    log_warning("Illegal address syntax from %s in %s command: %.*s",
                session->client.shown, verb, VIEW_ARG(text));
}

bool path_is_ascii(struct view address)
{
    for (size_t i = 0; i < address.len; i++) {
        if ((unsigned char)address.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Without SMTPUTF8 a domain is ASCII; local parts are left to whoever knows them. */
static bool domain_allowed(const struct session *session, struct view address)
{
    return conf_bool(session->conf, P_smtputf8_enable) ||
           path_is_ascii(address_split(address).domain);
}

bool path_parse(struct session *session, const char *verb, struct view text,
                struct view *address_out, struct view *rest_out)
{
    STR_AUTO struct str address = {0};
    str_init(&address, 2048);
    bool strict = conf_bool(session->conf, P_strict_rfc821_envelopes);
    if (!address_parse_path(text, strict, &address, rest_out) ||
        !domain_allowed(session, str_view(&address))) {
        if (is_closed(text)) {
            path_log_illegal(session, verb, text);
        }
        return false;
    }
    *address_out = arena_view(&session->scratch, str_view(&address));
    return true;
}

bool path_parse_recipient(struct session *session, const char *verb, struct view text,
                          struct view *address_out, struct view *rest_out)
{
    if (!path_parse(session, verb, text, address_out, rest_out)) {
        return false;
    }
    if (address_out->len == 0) {
        path_log_illegal(session, verb, text);
        return false;
    }
    return true;
}

bool path_check_utf8(struct session *session, struct view address, bool declared)
{
    if (declared || !conf_bool(session->conf, P_strict_smtputf8) ||
        path_is_ascii(address)) {
        return true;
    }
    reply(session, "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    return false;
}
