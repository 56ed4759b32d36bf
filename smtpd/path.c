/* SPDX-License-Identifier: MIT */
/* Finding the path in MAIL, RCPT and VRFY. */
#include "smtpd/path.h"

#include "base/log.h"
#include "mail/address.h"
#include "smtpd/old_defaults.h"
#include "smtpd/reply.h"

bool path_find(struct view arguments, const char *keyword, struct view *text_out)
{
    CHECK(*keyword != '\0');
    struct view name = view_cstr(keyword);
    if (!view_starts_nocase(arguments, name) || arguments.len <= name.len ||
        arguments.ptr[name.len] != ':') {
        return false;
    }
    *text_out = view_trim(view_from(arguments, name.len + 1));
    return text_out->len > 0;
}

/* The path at the start of TEXT, without the parameters REST behind it. */
static struct view path_itself(struct view text, struct view rest)
{
    return view_trim(view_first(text, (size_t)(rest.ptr - text.ptr)));
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

/* A name like "-f" would be taken for an option by the programs that mail is given to.
 */
static bool local_allowed(const struct session *session, struct view address)
{
    return address.len == 0 || address.ptr[0] != '-' ||
           conf_bool(session->conf, P_allow_min_user);
}

bool path_parse(struct session *session, const char *verb, struct view text,
                struct view *address_out, struct view *rest_out)
{
    CHECK(text.len > 0);
    STR_AUTO struct str address = {0};
    str_init(&address, 2048);
    bool strict = conf_bool(session->conf, P_strict_rfc821_envelopes);
    if (!address_parse_path(text, strict, &address, rest_out) ||
        !domain_allowed(session, str_view(&address)) ||
        !local_allowed(session, str_view(&address))) {
        if (rest_out->ptr != NULL) { /* else it has no end: nothing to show */
            path_log_illegal(session, verb, path_itself(text, *rest_out));
        }
        return false;
    }
    *address_out = arena_view(&session->scratch, str_view(&address));
    if (!path_is_ascii(*address_out)) {
        old_default_utf8(session, verb, *address_out);
    }
    return true;
}

bool path_parse_recipient(struct session *session, const char *verb, struct view text,
                          struct view *address_out, struct view *rest_out)
{
    if (!path_parse(session, verb, text, address_out, rest_out)) {
        return false;
    }
    if (address_out->len == 0) {
        path_log_illegal(session, verb, path_itself(text, *rest_out));
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
