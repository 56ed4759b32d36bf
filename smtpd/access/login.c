/* SPDX-License-Identifier: MIT */
/*
 * Who has logged in, and who owns a sender address.  smtpd_sender_login_maps names the
 * owners of an address: whoever is none of them may not use it.
 */
#include "base/log.h"
#include "smtpd/access/rules.h"

static const char *user_of(const struct check *check)
{
    return check->session->auth.user;
}

enum access_result restrict_permit_sasl(struct check *check,
                                        const struct restriction *item)
{
    (void)item;
    return user_of(check) != NULL
               ? check_permit(check, "permit_sasl_authenticated", SUBJECT_CLIENT, "")
               : ACCESS_DUNNO;
}

enum access_result restrict_check_sasl(struct check *check,
                                       const struct restriction *item)
{
    if (user_of(check) == NULL) {
        return ACCESS_DUNNO;
    }
    enum access_result result;
    (void)check_table(check, item, SUBJECT_LOGIN, view_cstr(user_of(check)), &result);
    return result;
}

/* --- owners
 * --------------------------------------------------------------------------- */

enum mismatch {
    MISMATCH_LOGGED_IN = 1, /* a login that does not own the sender */
    MISMATCH_NOBODY = 2,    /* no login, but the sender is somebody's */
    MISMATCH_KNOWN_ONLY = 4 /* senders without owners are everybody's */
};

static enum access_result refuse(struct check *check, const char *user)
{
    if (user == NULL) {
        return check_refuse_subject(check, SUBJECT_SENDER, 553, "5.7.1",
                                    "not logged in");
    }
    return check_refuse_subject(check, SUBJECT_SENDER, 553, "5.7.1",
                                "not owned by user %s", user);
}

static bool is_listed(struct view owners, const char *user)
{
    struct view owner;
    while (conf_list_next(&owners, &owner)) {
        if (view_equal_nocase_cstr(owner, user)) {
            return true;
        }
    }
    return false;
}

/* The owners of the sender, who is known as joe@our.domain even if he says "joe". */
static enum map_result find_owners(struct check *check, struct str *owners)
{
    struct resolve_reply resolved;
    struct err err = {0};
    struct arena *scratch = &check->session->scratch;
    route_resolve(check->server->route, check->sender, check->sender, scratch,
                  &resolved);
    if (resolved.outcome == TEMPFAIL) {
        return MAP_ERROR;
    }
    unsigned local = resolved.address_class == CLASS_LOCAL ? MAPS_ADDRESS_LOCALPART : 0;
    return maps_find_address(check->server->sender_logins, resolved.recipient,
                             conf_str(check->session->conf, P_recipient_delimiter),
                             MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN | local, owners,
                             NULL, &err);
}

static enum access_result check_owner(struct check *check, unsigned mismatch)
{
    STR_AUTO struct str owners = {0};
    const char *user = user_of(check);
    if (check->sender.len == 0 ||
        (mismatch & (user != NULL ? MISMATCH_LOGGED_IN : MISMATCH_NOBODY)) == 0) {
        return ACCESS_DUNNO;
    }
    switch (find_owners(check, &owners)) {
    case MAP_ERROR:
        return check_refuse(check, 451, "4.3.0", "<%.*s>: Temporary lookup failure",
                            VIEW_ARG(check->sender));
    case MAP_MISSING:
        return user == NULL || (mismatch & MISMATCH_KNOWN_ONLY) != 0
                   ? ACCESS_DUNNO
                   : refuse(check, user);
    case MAP_FOUND:
        break;
    }
    return user != NULL && is_listed(str_view(&owners), user) ? ACCESS_DUNNO
                                                              : refuse(check, user);
}

/* Without logins nobody can own anything: mail would be refused for lack of a feature.
 */
static bool is_possible(struct check *check, const char *name)
{
    if (!auth_is_enabled(check->session)) {
        log_warning("restriction `%s' ignored: no SASL support", name);
        return false;
    }
    return true;
}

enum access_result restrict_reject_login_mismatch(struct check *check,
                                                  const struct restriction *item)
{
    return is_possible(check, item->verb->name) ? check_owner(check, MISMATCH_LOGGED_IN)
                                                : ACCESS_DUNNO;
}

enum access_result restrict_reject_nologin_mismatch(struct check *check,
                                                    const struct restriction *item)
{
    return is_possible(check, item->verb->name) ? check_owner(check, MISMATCH_NOBODY)
                                                : ACCESS_DUNNO;
}

enum access_result restrict_reject_known_mismatch(struct check *check,
                                                  const struct restriction *item)
{
    return is_possible(check, item->verb->name)
               ? check_owner(check,
                             MISMATCH_LOGGED_IN | MISMATCH_NOBODY | MISMATCH_KNOWN_ONLY)
               : ACCESS_DUNNO;
}

/* It is the sum of two, and is named by them. */
enum access_result restrict_reject_sender_login_mismatch(struct check *check,
                                                         const struct restriction *item)
{
    bool possible = is_possible(check, "reject_authenticated_sender_login_mismatch");
    (void)item;
    if (!is_possible(check, "reject_unauthenticated_sender_login_mismatch") ||
        !possible) {
        return ACCESS_DUNNO;
    }
    return check_owner(check, MISMATCH_LOGGED_IN | MISMATCH_NOBODY);
}
