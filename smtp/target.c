/* SPDX-License-Identifier: MIT */
/*
 * From a next hop to the servers to try (RFC 5321 5.1): [host] is that host's
 * addresses; a domain is its MX hosts by preference, or its own addresses when it has
 * none.  When we are an MX host ourselves, hosts of our preference and worse would
 * loop and are left out.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"
#include "net/dns.h"
#include "smtp/smtp.h"

enum { TARGETS_MAX = 200, SMTP_PORT = 25 };

struct hop {
    struct view host;
    uint16_t port;
    bool bracketed;
};

/* The search for the servers of one next hop. */
struct finder {
    const struct smtp *smtp;
    struct arena *arena;
    struct targets *targets;
    const struct hop *hop;
    size_t first; /* of its targets */
    bool use_dns; /* MX records, and addresses from the DNS */
};

/* --- syntax ---------------------------------------------------------------------- */

/* A number, or a name that everybody knows, or one of services(5). */
static bool parse_port(struct arena *arena, struct view text, uint16_t *port)
{
    static const struct {
        const char *name;
        uint16_t port;
    } known[] = {
        {"smtp", SMTP_PORT}, {"submission", 587}, {"lmtp", 24}, {"smtps", 465}};
    uint64_t number = 0;
    if (number_parse_u64(text, UINT16_MAX, &number)) {
        *port = (uint16_t)number;
        return number > 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (view_equal_cstr(text, known[i].name)) {
            *port = known[i].port;
            return true;
        }
    }
    const struct servent *service = getservbyname(arena_cstr(arena, text), "tcp");
    if (service == NULL) {
        return false;
    }
    *port = ntohs((uint16_t)service->s_port);
    return true;
}

static struct view after_prefix(struct view host)
{
    struct view prefix = VIEW("ipv6:");
    return view_starts_nocase(host, prefix) ? view_from(host, prefix.len) : host;
}

/* "[host]:port", "host:port"; NULL, or what is wrong with it. */
static const char *parse_hop(const struct smtp *smtp, struct arena *arena,
                             struct view text, struct hop *hop)
{
    struct view port;
    *hop = (struct hop){.bracketed = text.len > 0 && text.ptr[0] == '['};
    if (hop->bracketed) {
        size_t end = view_index(text, ']');
        if (end == text.len) {
            return "missing \"]\" in server description";
        }
        hop->host = after_prefix(view_first(view_from(text, 1), end - 1));
        port = view_from(text, end + 1);
        if (port.len > 0 && port.ptr[0] != ':') {
            return "garbage after \"]\" in server description";
        }
        port = view_from(port, 1);
    } else {
        size_t colon = view_last_index(text, ':');
        hop->host = view_first(text, colon);
        port = view_from(text, colon + 1);
    }
    if (hop->host.len == 0) {
        return "valid hostname or network address required in server description";
    }
    if (port.len == 0) {
        port = view_cstr(conf_str(smtp->conf, P_smtp_tcp_port));
    }
    return parse_port(arena, port, &hop->port) ? NULL
                                               : "bad network port for destination";
}

/* --- addresses ------------------------------------------------------------------- */

static void add_target(struct finder *f, struct view host,
                       const struct net_address *address, unsigned preference)
{
    struct targets *targets = f->targets;
    if (targets->list == NULL) {
        targets->list = arena_alloc(f->arena, TARGETS_MAX * sizeof(*targets->list));
    }
    if (targets->count < TARGETS_MAX) {
        struct target *target = &targets->list[targets->count++];
        *target = (struct target){.host = arena_cstr(f->arena, host),
                                  .address = *address,
                                  .preference = preference,
                                  .hop = f->first};
        net_address_set_port(&target->address, f->hop->port);
    }
}

/* No server, and why.  What may change by itself is not hidden by what will not. */
static void no_target(struct targets *targets, enum outcome outcome,
                      const struct err *err)
{
    if (targets->outcome != TEMPFAIL || outcome == TEMPFAIL) {
        targets->outcome = outcome;
        targets->err = *err;
    }
}

static void dns_failed(struct targets *targets, enum dns_status status,
                       const struct err *cause)
{
    struct err err;
    if (status == DNS_TEMPFAIL) {
        (void)err_temp(&err, cause->dsn, "Host or domain name not found. %s",
                       cause->text);
    } else {
        (void)err_perm(&err, cause->dsn, "Host or domain name not found. %s",
                       cause->text);
    }
    no_target(targets, status == DNS_TEMPFAIL ? TEMPFAIL : PERMFAIL, &err);
}

/* The words are those of getaddrinfo(), which log readers know. */
static void native_failed(struct targets *targets, enum dns_status status,
                          struct view host)
{
    struct err err;
    if (status == DNS_TEMPFAIL) {
        (void)err_temp(&err, "4.4.4",
                       "unable to look up host %.*s: Temporary failure in name "
                       "resolution",
                       VIEW_ARG(host));
    } else if (status == DNS_NODATA) {
        (void)err_perm(&err, "5.3.0",
                       "unable to look up host %.*s: No address associated with "
                       "hostname",
                       VIEW_ARG(host));
    } else {
        (void)err_perm(&err, "5.4.4",
                       "unable to look up host %.*s: Name or service not known",
                       VIEW_ARG(host));
    }
    no_target(targets, status == DNS_TEMPFAIL ? TEMPFAIL : PERMFAIL, &err);
}

static bool is_listed(const char *list, const char *word)
{
    struct view rest = view_cstr(list);
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_cstr(item, word)) {
            return true;
        }
    }
    return false;
}

/* By the means that smtp_host_lookup names, the DNS before the hosts file. */
static enum dns_status look_up(struct finder *f, struct view host,
                               struct dns_answer *answer)
{
    const char *means = conf_str(f->smtp->conf, P_smtp_host_lookup);
    enum dns_status status = DNS_NXDOMAIN;
    struct err err;
    if (f->use_dns && is_listed(means, "dns")) {
        status = dns_host_addresses(f->arena, host, f->smtp->families, answer, &err);
        if (status != DNS_OK) {
            dns_failed(f->targets, status, &err);
        }
    }
    if (status != DNS_OK && (!f->use_dns || is_listed(means, "native"))) {
        status = dns_host_addresses(f->arena, host, f->smtp->families | DNS_NATIVE,
                                    answer, &err);
        if (status != DNS_OK) {
            native_failed(f->targets, status, host);
        }
    }
    return status;
}

static enum dns_status add_host(struct finder *f, struct view host, unsigned preference)
{
    struct dns_answer answer;
    enum dns_status status = look_up(f, host, &answer);
    for (size_t i = 0; status == DNS_OK && i < answer.count; i++) {
        add_target(f, host, &answer.records[i].address, preference);
    }
    return status;
}

/* --- loops ----------------------------------------------------------------------- */

/* Only the port where we listen ourselves can be a loop. */
static bool is_own(const struct finder *f, const struct target *target)
{
    return f->hop->port == SMTP_PORT &&
           own_addresses_any(f->smtp->own, &target->address);
}

static void loops_back(struct finder *f)
{
    struct err err;
    (void)err_perm(&err, "5.4.6", "mail for %.*s loops back to myself",
                   VIEW_ARG(f->hop->host));
    f->targets->outcome = PERMFAIL; /* whatever else went wrong */
    f->targets->err = err;
}

/* Keep targets that are better than ourselves. */
static void cut_at_myself(struct finder *f)
{
    struct targets *targets = f->targets;
    for (size_t i = f->first; i < targets->count; i++) {
        if (!is_own(f, &targets->list[i])) {
            continue;
        }
        size_t keep = i;
        while (keep > f->first &&
               targets->list[keep - 1].preference == targets->list[i].preference) {
            keep--;
        }
        targets->count = keep;
        if (keep == f->first) {
            loops_back(f);
        }
        return;
    }
}

/* --- MX -------------------------------------------------------------------------- */

static int compare_preference(const void *a, const void *b)
{
    const struct dns_record *x = a;
    const struct dns_record *y = b;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

static bool is_null_mx(const struct dns_answer *answer)
{
    return answer->count == 1 && answer->records[0].text.len == 0;
}

/* Are there enough targets of better preference than RECORD's? */
static bool has_enough(const struct finder *f, const struct dns_record *record)
{
    int limit = conf_int(f->smtp->conf, P_smtp_mx_address_limit);
    size_t count = f->targets->count - f->first;
    return limit > 0 && count >= (size_t)limit &&
           f->targets->list[f->targets->count - 1].preference < record->preference;
}

static void no_mx_address(struct finder *f)
{
    log_warning("no MX host for %.*s has a valid address record",
                VIEW_ARG(f->hop->host));
    if (conf_bool(f->smtp->conf, P_smtp_defer_if_no_mx_address_found) &&
        f->targets->outcome == PERMFAIL) {
        f->targets->outcome = TEMPFAIL;
        f->targets->err.dsn[0] = '4';
    }
}

static void add_mx_hosts(struct finder *f, struct dns_answer *answer)
{
    if (is_null_mx(answer)) {
        struct err err;
        (void)err_perm(&err, "5.1.0", "Domain %.*s does not accept mail (nullMX)",
                       VIEW_ARG(f->hop->host));
        no_target(f->targets, PERMFAIL, &err);
        return;
    }
    qsort(answer->records, answer->count, sizeof(*answer->records), compare_preference);
    for (size_t i = 0; i < answer->count && !has_enough(f, &answer->records[i]); i++) {
        (void)add_host(f, answer->records[i].text, answer->records[i].preference);
    }
    if (f->targets->count == f->first) {
        no_mx_address(f);
    }
}

static void add_domain(struct finder *f)
{
    struct dns_answer answer;
    struct err err;
    switch (dns_query(f->arena, f->hop->host, DNS_MX, &answer, &err)) {
    case DNS_OK:
        add_mx_hosts(f, &answer);
        break;
    case DNS_NODATA:
    case DNS_NXDOMAIN: /* said once more by the address lookup, in its own words */
        (void)add_host(f, f->hop->host, 0);
        break;
    case DNS_TEMPFAIL:
        dns_failed(f->targets, DNS_TEMPFAIL, &err);
        if (conf_bool(f->smtp->conf, P_ignore_mx_lookup_error)) {
            (void)add_host(f, f->hop->host, 0);
        }
        break;
    case DNS_INVALID:
        dns_failed(f->targets, DNS_INVALID, &err);
        break;
    }
}

/* --- next hops ------------------------------------------------------------------- */

static bool dns_is_used(const struct conf *conf)
{
    const char *level = conf_str(conf, P_smtp_dns_support_level);
    if (level[0] == '\0') {
        return !conf_bool(conf, P_disable_dns_lookups);
    }
    return strcmp(level, "disabled") != 0;
}

static void add_hop(struct finder *f)
{
    if (f->hop->bracketed || !f->use_dns) {
        (void)add_host(f, f->hop->host, 0);
    } else {
        add_domain(f);
    }
    cut_at_myself(f);
    if (f->targets->count > f->first) {
        targets_order(f->smtp->conf, f->targets, f->first);
    }
}

void targets_find(const struct smtp *smtp, struct view nexthop, struct arena *arena,
                  struct targets *out)
{
    struct view rest = nexthop;
    struct view word;
    *out = (struct targets){.outcome = PERMFAIL};
    (void)err_perm(&out->err, "5.4.4", "no next hop");
    while (conf_list_next(&rest, &word)) {
        struct hop hop;
        struct err err;
        const char *mistake = parse_hop(smtp, arena, word, &hop);
        if (mistake != NULL) {
            log_warning("%s: %.*s", mistake, VIEW_ARG(word));
            (void)err_temp(&err, "4.3.5", "%s: %.*s", mistake, VIEW_ARG(word));
            no_target(out, TEMPFAIL, &err);
            continue;
        }
        struct finder finder = {.smtp = smtp,
                                .arena = arena,
                                .targets = out,
                                .hop = &hop,
                                .first = out->count,
                                .use_dns = dns_is_used(smtp->conf)};
        add_hop(&finder);
    }
}
