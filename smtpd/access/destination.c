/* SPDX-License-Identifier: MIT */
/*
 * Is the recipient ours to deliver?  Everything else is relaying.  An address that
 * carries another destination in its local part is relaying too: whoever gets it may
 * take it for an instruction.
 */
#include "mail/address.h"
#include "smtpd/access/rules.h"
#include "smtpd/old_defaults.h"

bool check_resolve(struct check *check)
{
    CHECK(check->recipient.ptr != NULL);
    if (!check->is_resolved) {
        route_resolve(check->server->route, check->sender, check->recipient,
                      &check->session->scratch, &check->resolved);
        check->is_resolved = true;
    }
    return check->resolved.outcome != TEMPFAIL;
}

static bool is_ours(struct check *check)
{
    CHECK(check->is_resolved);
    const struct resolve_reply *resolved = &check->resolved;
    if ((resolved->flags & RESOLVE_ROUTED) != 0 &&
        !conf_bool(check->session->conf, P_allow_untrusted_routing)) {
        return false;
    }
    if (resolved->address_class == CLASS_RELAY) {
        old_default_relay_domain(check->session, "domain",
                                 address_split(resolved->recipient).domain);
    }
    return resolved->address_class != CLASS_DEFAULT;
}

void check_tell_relaying(struct check *check)
{
    if (check->recipient.ptr != NULL && !check->session->client.trusted &&
        old_default_relay_holds(check->session) && check_resolve(check) &&
        !is_ours(check)) {
        old_default_relay(check->session, check->recipient);
    }
}

enum access_result restrict_permit_auth_destination(struct check *check,
                                                    const struct restriction *item)
{
    (void)item;
    if (check->recipient.ptr == NULL || !is_ours(check)) {
        return ACCESS_DUNNO;
    }
    return check_permit(check, "permit_auth_destination", SUBJECT_RECIPIENT, "");
}

static enum access_result refuse_relay(struct check *check, int code, const char *dsn)
{
    if (check->recipient.ptr == NULL || is_ours(check)) {
        return ACCESS_DUNNO;
    }
    return check_refuse(check, code, dsn, "<%s>: Relay access denied",
                        check->recipient.ptr);
}

enum access_result restrict_reject_unauth_destination(struct check *check,
                                                      const struct restriction *item)
{
    (void)item;
    return refuse_relay(
        check, conf_int(check->session->conf, P_relay_domains_reject_code), "5.7.1");
}

enum access_result restrict_defer_unauth_destination(struct check *check,
                                                     const struct restriction *item)
{
    (void)item;
    int code = conf_int(check->session->conf, P_relay_domains_reject_code);
    return refuse_relay(check, code >= 500 ? code - 100 : code, "4.7.1");
}
