/* SPDX-License-Identifier: MIT */
/* Restrictions that need nothing but the session. */
#include "base/log.h"
#include "base/number.h"
#include "smtpd/access/rules.h"
#include "smtpd/old_defaults.h"
#include "sys/clock.h"
#include "task/task.h"

enum access_result restrict_permit(struct check *check, const struct restriction *item)
{
    (void)item;
    return check_permit(check, "permit", check->subject, "");
}

enum access_result restrict_reject(struct check *check, const struct restriction *item)
{
    (void)item;
    return check_refuse_subject(check, check->subject,
                                conf_int(check->session->conf, P_reject_code), "5.7.1",
                                "Access denied");
}

enum access_result restrict_defer(struct check *check, const struct restriction *item)
{
    (void)item;
    return check_refuse_subject(check, check->subject,
                                conf_int(check->session->conf, P_defer_code), "4.3.2",
                                "Try again later");
}

enum access_result restrict_defer_if_permit(struct check *check,
                                            const struct restriction *item)
{
    (void)item;
    check_defer_if_permit(check, check->subject, "4.7.0", "defer_if_permit requested");
    return ACCESS_DUNNO;
}

enum access_result restrict_defer_if_reject(struct check *check,
                                            const struct restriction *item)
{
    (void)item;
    check_defer_if_reject(check, check->subject, "4.7.0", "defer_if_reject requested");
    return ACCESS_DUNNO;
}

enum access_result restrict_warn_if_reject(struct check *check,
                                           const struct restriction *item)
{
    (void)item;
    check->warn_only = true;
    return ACCESS_DUNNO;
}

enum access_result restrict_sleep(struct check *check, const struct restriction *item)
{
    uint64_t seconds;
    enum { MOST = 3600 };
    if (!number_parse_u64(item->argument, MOST, &seconds)) {
        log_warning("restriction sleep: bad number of seconds: %.*s",
                    VIEW_ARG(item->argument));
        return check_refuse_config(check);
    }
    /* Cancelled: the stream knows. */
    (void)task_sleep_until(clock_now() + (int64_t)seconds * CLOCK_SECOND);
    return ACCESS_DUNNO;
}

enum access_result restrict_permit_mynetworks(struct check *check,
                                              const struct restriction *item)
{
    (void)item;
    if (!check->session->client.trusted) {
        return ACCESS_DUNNO;
    }
    old_default_networks(check->session);
    return check_permit(check, "permit_mynetworks", SUBJECT_CLIENT, "");
}

enum access_result restrict_permit_inet_interfaces(struct check *check,
                                                   const struct restriction *item)
{
    (void)item;
    const struct own_addresses *own = route_own_addresses(check->server->route);
    return own_addresses_interface(own, &check->session->client.address)
               ? check_permit(check, "permit_inet_interfaces", SUBJECT_CLIENT, "")
               : ACCESS_DUNNO;
}

/* Nobody has logged in, as that is not offered. */
enum access_result restrict_permit_sasl_authenticated(struct check *check,
                                                      const struct restriction *item)
{
    (void)check;
    (void)item;
    return ACCESS_DUNNO;
}

static void warn_no_sasl(const char *name)
{
    log_warning("restriction `%s' ignored: no SASL support", name);
}

enum access_result restrict_ignored_without_sasl(struct check *check,
                                                 const struct restriction *item)
{
    (void)check;
    warn_no_sasl(item->verb->name);
    return ACCESS_DUNNO;
}

enum access_result restrict_reject_sender_login_mismatch(struct check *check,
                                                         const struct restriction *item)
{
    (void)check;
    (void)item;
    warn_no_sasl("reject_authenticated_sender_login_mismatch");
    warn_no_sasl("reject_unauthenticated_sender_login_mismatch");
    return ACCESS_DUNNO;
}

enum access_result restrict_reject_plaintext_session(struct check *check,
                                                     const struct restriction *item)
{
    (void)item;
    if (check->session->tls != NULL) {
        return ACCESS_DUNNO;
    }
    return check_refuse(check, conf_int(check->session->conf, P_plaintext_reject_code),
                        "4.7.1", "Session encryption is required");
}

enum access_result restrict_reject_unauth_pipelining(struct check *check,
                                                     const struct restriction *item)
{
    (void)item;
    if (!check->session->pipelining_noticed) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(check, check->subject, 503, "5.5.0",
                                "Improper use of SMTP command pipelining");
}

/* A bounce goes to one sender; only at DATA is it known how many it goes to. */
enum access_result
restrict_reject_multi_recipient_bounce(struct check *check,
                                       const struct restriction *item)
{
    (void)item;
    const struct message *message = check->session->message;
    bool content =
        check->subject == SUBJECT_DATA || check->subject == SUBJECT_END_OF_DATA;
    if (message == NULL || *message->sender != '\0' || !content ||
        message->recipient_count <= 1) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(
        check, check->subject,
        conf_int(check->session->conf, P_multi_recipient_bounce_reject_code), "5.5.3",
        "Multi-recipient bounce");
}
