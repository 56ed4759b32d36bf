/* SPDX-License-Identifier: MIT */
/* Host and domain names: their form, and whether the DNS knows them. */
#include "base/log.h"
#include "mail/address.h"
#include "smtpd/access/rules.h"

/* "host." names the same host. */
static struct view without_dot(struct view name)
{
    if (name.len > 1 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

static bool is_literal(struct view name)
{
    return name.len > 0 && name.ptr[0] == '[';
}

/* --- form ---------------------------------------------------------------------------
 */

static enum access_result check_fqdn_address(struct check *check, enum subject subject,
                                             struct view address)
{
    struct view domain = without_dot(address_split(address).domain);
    size_t dot = view_index(domain, '.');
    if (address.len == 0 || is_literal(domain) || (dot > 0 && dot + 1 < domain.len)) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(check, subject,
                                conf_int(check->session->conf, P_non_fqdn_reject_code),
                                "5.5.2", "need fully-qualified address");
}

enum access_result restrict_reject_non_fqdn_sender(struct check *check,
                                                   const struct restriction *item)
{
    (void)item;
    return check_fqdn_address(check, SUBJECT_SENDER, check->sender);
}

enum access_result restrict_reject_non_fqdn_recipient(struct check *check,
                                                      const struct restriction *item)
{
    (void)item;
    return check_fqdn_address(check, SUBJECT_RECIPIENT, check->recipient);
}

static enum access_result refuse_literal(struct check *check, struct view helo)
{
    if (address_valid_literal(helo)) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(
        check, SUBJECT_HELO,
        conf_int(check->session->conf, P_invalid_hostname_reject_code), "5.5.2",
        "invalid ip address");
}

enum access_result restrict_reject_non_fqdn_helo(struct check *check,
                                                 const struct restriction *item)
{
    (void)item;
    struct view helo = without_dot(str_view(&check->session->helo));
    if (helo.len == 0) {
        return ACCESS_DUNNO;
    }
    if (is_literal(helo)) {
        return refuse_literal(check, helo);
    }
    if (address_valid_hostname(helo) && view_index(helo, '.') < helo.len) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(check, SUBJECT_HELO,
                                conf_int(check->session->conf, P_non_fqdn_reject_code),
                                "5.5.2", "need fully-qualified hostname");
}

enum access_result restrict_reject_invalid_helo(struct check *check,
                                                const struct restriction *item)
{
    (void)item;
    struct view helo = without_dot(str_view(&check->session->helo));
    struct net_address address;
    if (helo.len == 0) {
        return ACCESS_DUNNO;
    }
    if (is_literal(helo)) {
        return refuse_literal(check, helo);
    }
    if (address_valid_hostname(helo) || net_address_parse(helo, 0, &address)) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(
        check, SUBJECT_HELO,
        conf_int(check->session->conf, P_invalid_hostname_reject_code), "5.5.2",
        "Invalid name");
}

/* --- the client's name ---------------------------------------------------------------
 */

/* A name server that does not answer is not the client's fault. */
static int client_code(struct check *check, enum dns_status status)
{
    return status == DNS_TEMPFAIL
               ? 450
               : conf_int(check->session->conf, P_unknown_client_reject_code);
}

enum access_result restrict_reject_unknown_client(struct check *check,
                                                  const struct restriction *item)
{
    (void)item;
    const struct client *client = &check->session->client;
    if (client->name_status == DNS_OK) {
        return ACCESS_DUNNO;
    }
    int code = client_code(check, client->name_status);
    return check_refuse(check, code, code >= 500 ? "5.7.25" : "4.7.25",
                        "Client host rejected: cannot find your hostname, [%s]",
                        client->address_text);
}

enum access_result
restrict_reject_unknown_reverse_client(struct check *check,
                                       const struct restriction *item)
{
    (void)item;
    const struct client *client = &check->session->client;
    if (client->reverse_status == DNS_OK) {
        return ACCESS_DUNNO;
    }
    int code = client_code(check, client->reverse_status);
    return check_refuse(check, code, code >= 500 ? "5.7.1" : "4.7.1",
                        "Client host rejected: cannot find your reverse hostname, [%s]",
                        client->address_text);
}

/* --- the DNS -------------------------------------------------------------------------
 */

enum known { KNOWN, UNKNOWN, CANNOT_TELL, NO_MAIL };

static enum known of_status(enum dns_status status)
{
    return status == DNS_OK ? KNOWN : status == DNS_TEMPFAIL ? CANNOT_TELL : UNKNOWN;
}

/* Has NAME an MX record, or an address? */
static enum known look_up(struct check *check, struct view name)
{
    CHECK(name.len > 0);
    struct dns_answer answer;
    struct arena *scratch = &check->session->scratch;
    enum known mx = of_status(dns_query(scratch, name, DNS_MX, &answer, NULL));
    if (mx == KNOWN) {
        bool null_mx = answer.count == 1 && answer.records[0].text.len == 0;
        return null_mx ? NO_MAIL : KNOWN;
    }
    enum known host = of_status(
        dns_host_addresses(scratch, name, DNS_IPV4 | DNS_IPV6, &answer, NULL));
    return host == KNOWN || mx != CANNOT_TELL ? host : CANNOT_TELL;
}

/* *_tempfail_action: "defer_if_permit", "defer_if_reject", "defer", "permit"... */
static enum access_result cannot_tell(struct check *check, enum subject subject,
                                      enum param action, const char *dsn,
                                      const char *text)
{
    struct view word = view_cstr(conf_str(check->session->conf, action));
    if (view_equal_nocase_cstr(word, "defer_if_permit")) {
        check_defer_if_permit(check, subject, dsn, text);
        return ACCESS_DUNNO;
    }
    if (view_equal_nocase_cstr(word, "defer_if_reject")) {
        check_defer_if_reject(check, subject, dsn, text);
        return ACCESS_DUNNO;
    }
    if (view_equal_nocase_cstr(word, "permit")) {
        return ACCESS_DUNNO;
    }
    if (view_equal_nocase_cstr(word, "defer")) {
        return check_refuse_subject(check, subject, 450, dsn, "%s", text);
    }
    log_warning("unknown action after a failed DNS lookup: \"%.*s\"", VIEW_ARG(word));
    return check_refuse_config(check);
}

enum access_result restrict_reject_unknown_helo(struct check *check,
                                                const struct restriction *item)
{
    (void)item;
    struct view helo = without_dot(str_view(&check->session->helo));
    if (helo.len == 0) {
        return ACCESS_DUNNO;
    }
    if (is_literal(helo)) {
        return refuse_literal(check, helo);
    }
    int code = conf_int(check->session->conf, P_unknown_hostname_reject_code);
    enum known known = address_valid_hostname(helo) ? look_up(check, helo) : UNKNOWN;
    if (known == CANNOT_TELL) {
        return cannot_tell(check, SUBJECT_HELO, P_unknown_helo_hostname_tempfail_action,
                           "4.7.1", "Host not found");
    }
    if (known != UNKNOWN) {
        return ACCESS_DUNNO;
    }
    return check_refuse_subject(check, SUBJECT_HELO, code, "5.7.1", "Host not found");
}

static enum access_result refuse_null_mx(struct check *check, enum subject subject,
                                         struct view domain)
{
    bool sender = subject == SUBJECT_SENDER;
    return check_refuse_subject(
        check, subject, sender ? 550 : 556, sender ? "5.7.27" : "5.1.10",
        "Domain %.*s does not accept mail (nullMX)", VIEW_ARG(domain));
}

static enum access_result check_domain(struct check *check, enum subject subject,
                                       const struct resolve_reply *resolved)
{
    struct view domain = without_dot(address_split(resolved->recipient).domain);
    const char *dsn = subject == SUBJECT_SENDER ? "4.1.8" : "4.1.2";
    if (resolved->address_class != CLASS_DEFAULT || is_literal(domain) ||
        domain.len == 0) {
        return ACCESS_DUNNO; /* ours, or not a name */
    }
    switch (look_up(check, domain)) {
    case KNOWN:
        break;
    case NO_MAIL:
        return refuse_null_mx(check, subject, domain);
    case CANNOT_TELL:
        return cannot_tell(check, subject, P_unknown_address_tempfail_action, dsn,
                           "Domain not found");
    case UNKNOWN:
        return check_refuse_subject(
            check, subject,
            conf_int(check->session->conf, P_unknown_address_reject_code), dsn,
            "Domain not found");
    }
    return ACCESS_DUNNO;
}

enum access_result restrict_reject_unknown_sender(struct check *check,
                                                  const struct restriction *item)
{
    (void)item;
    struct resolve_reply resolved;
    if (check->sender.len == 0) {
        return ACCESS_DUNNO;
    }
    route_resolve(check->server->route, check->sender, check->sender,
                  &check->session->scratch, &resolved);
    return check_domain(check, SUBJECT_SENDER, &resolved);
}

enum access_result restrict_reject_unknown_recipient(struct check *check,
                                                     const struct restriction *item)
{
    (void)item;
    if (check->recipient.ptr == NULL || !check_resolve(check)) {
        return ACCESS_DUNNO;
    }
    return check_domain(check, SUBJECT_RECIPIENT, &check->resolved);
}
