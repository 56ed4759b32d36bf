/* SPDX-License-Identifier: MIT */
/*
 * From a next hop to the servers to try (RFC 5321 5.1): [host] is that host's
 * addresses; a domain is its MX hosts by preference, or its own addresses when it has
 * none.  Servers of equal preference are shuffled.  When we are an MX host ourselves,
 * hosts of our preference and worse would loop and are left out.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "net/dns.h"
#include "smtp/smtp.h"

enum { TARGETS_MAX = 200 };

struct hop {
    struct view host;
    uint16_t port;
    bool bracketed;
};

static bool parse_port(const struct smtp *smtp, struct view text, uint16_t *port)
{
    uint64_t number = 0;
    (void)smtp;
    if (view_equal_cstr(text, "smtp")) {
        number = 25;
    } else if (view_equal_cstr(text, "submission")) {
        number = 587;
    } else if (view_equal_cstr(text, "lmtp")) {
        number = 24;
    } else if (!number_parse_u64(text, UINT16_MAX, &number) || number == 0) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static bool parse_hop(const struct smtp *smtp, struct view text, struct hop *hop)
{
    struct view port = VIEW("");
    text = view_trim(text);
    *hop = (struct hop){.bracketed = text.len > 0 && text.ptr[0] == '['};
    if (hop->bracketed) {
        size_t end = view_index(text, ']');
        if (end == text.len) {
            return false;
        }
        hop->host = view_first(view_from(text, 1), end - 1);
        if (view_starts_nocase(hop->host, VIEW("ipv6:"))) {
            hop->host = view_from(hop->host, strlen("ipv6:"));
        }
        port = view_from(text, end + 1);
        if (port.len > 0 && port.ptr[0] != ':') {
            return false;
        }
        port = view_from(port, 1);
    } else {
        size_t colon = view_last_index(text, ':');
        hop->host = view_first(text, colon);
        port = view_from(text, colon + 1);
    }
    if (port.len == 0) {
        port = view_cstr(conf_str(smtp->conf, P_smtp_tcp_port));
    }
    return hop->host.len > 0 && parse_port(smtp, port, &hop->port);
}

static void add_target(struct targets *targets, struct arena *arena, struct view host,
                       const struct net_address *address, uint16_t port,
                       unsigned preference)
{
    if (targets->list == NULL) {
        targets->list = arena_alloc(arena, TARGETS_MAX * sizeof(*targets->list));
    }
    if (targets->count < TARGETS_MAX) {
        struct target *target = &targets->list[targets->count++];
        target->host = arena_cstr(arena, host);
        target->address = *address;
        target->preference = preference;
        net_address_set_port(&target->address, port);
    }
}

/* No server, and why; the last reason stays. */
static void no_target(struct targets *targets, enum dns_status status,
                      const struct err *err)
{
    targets->outcome = status == DNS_TEMPFAIL ? TEMPFAIL : PERMFAIL;
    targets->err = *err;
    targets->err.outcome = targets->outcome;
}

static enum dns_status add_host(const struct smtp *smtp, struct arena *arena,
                                struct view host, uint16_t port, unsigned preference,
                                struct targets *targets)
{
    struct dns_answer answer;
    struct err err;
    unsigned flags = smtp->families;
    const char *level = conf_str(smtp->conf, P_smtp_dns_support_level);
    const char *lookup = conf_str(smtp->conf, P_smtp_host_lookup);
    if (strcmp(level, "disabled") == 0 || strstr(lookup, "native") != NULL) {
        flags |= DNS_NATIVE;
    }
    enum dns_status status = dns_host_addresses(arena, host, flags, &answer, &err);
    if (status != DNS_OK) {
        no_target(targets, status, &err);
        return status;
    }
    for (size_t i = 0; i < answer.count; i++) {
        add_target(targets, arena, host, &answer.records[i].address, port, preference);
    }
    return DNS_OK;
}

/* --- MX --------------------------------------------------------------------- */

static int compare_preference(const void *a, const void *b)
{
    const struct dns_record *x = a;
    const struct dns_record *y = b;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

static bool is_myself(const struct smtp *smtp, struct view host)
{
    return view_equal_nocase(host, view_cstr(conf_str(smtp->conf, P_myhostname)));
}

/* Keep hosts better than ourselves. */
static size_t cut_at_myself(const struct smtp *smtp, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (is_myself(smtp, answer->records[i].text)) {
            size_t keep = i;
            while (keep > 0 && answer->records[keep - 1].preference ==
                                   answer->records[i].preference) {
                keep--;
            }
            return keep;
        }
    }
    return answer->count;
}

static void add_mx_hosts(const struct smtp *smtp, struct arena *arena,
                         const struct hop *hop, struct dns_answer *answer,
                         struct targets *targets)
{
    qsort(answer->records, answer->count, sizeof(*answer->records), compare_preference);
    if (answer->count == 1 && answer->records[0].text.len == 0) {
        (void)err_perm(&targets->err, "5.1.10",
                       "Domain %.*s does not accept mail (nullMX)",
                       VIEW_ARG(hop->host));
        targets->outcome = PERMFAIL;
        return;
    }
    size_t usable = cut_at_myself(smtp, answer);
    if (usable == 0) {
        (void)err_perm(&targets->err, "5.4.6", "mail for %.*s loops back to myself",
                       VIEW_ARG(hop->host));
        targets->outcome = PERMFAIL;
        return;
    }
    bool later = false;
    for (size_t i = 0; i < usable; i++) {
        if (add_host(smtp, arena, answer->records[i].text, hop->port,
                     answer->records[i].preference, targets) == DNS_TEMPFAIL) {
            later = true;
        }
    }
    if (targets->count == 0 && later) {
        targets->outcome = TEMPFAIL; /* one host's address may turn up */
    }
}

static void add_domain(const struct smtp *smtp, struct arena *arena,
                       const struct hop *hop, struct targets *targets)
{
    struct dns_answer answer;
    struct err err;
    switch (dns_query(arena, hop->host, DNS_MX, &answer, &err)) {
    case DNS_OK:
        add_mx_hosts(smtp, arena, hop, &answer, targets);
        break;
    case DNS_NODATA:
        (void)add_host(smtp, arena, hop->host, hop->port, 0, targets);
        break;
    case DNS_TEMPFAIL:
        no_target(targets, DNS_TEMPFAIL, &err);
        if (conf_bool(smtp->conf, P_ignore_mx_lookup_error)) {
            (void)add_host(smtp, arena, hop->host, hop->port, 0, targets);
        }
        break;
    case DNS_NXDOMAIN:
    case DNS_INVALID:
        no_target(targets, DNS_NXDOMAIN, &err);
        break;
    }
}

/* --- order -------------------------------------------------------------------- */

static void shuffle(struct target *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t number = 0;
        if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
            return;
        }
        size_t j = number % i;
        struct target swap = list[i - 1];
        list[i - 1] = list[j];
        list[j] = swap;
    }
}

static void shuffle_equals(struct targets *targets, size_t from)
{
    while (from < targets->count) {
        size_t end = from + 1;
        while (end < targets->count &&
               targets->list[end].preference == targets->list[from].preference) {
            end++;
        }
        shuffle(targets->list + from, end - from);
        from = end;
    }
}

void targets_find(const struct smtp *smtp, struct view nexthop, struct arena *arena,
                  struct targets *out)
{
    struct view rest = nexthop;
    struct view word;
    const bool use_dns =
        strcmp(conf_str(smtp->conf, P_smtp_dns_support_level), "disabled") != 0 &&
        strstr(conf_str(smtp->conf, P_smtp_host_lookup), "dns") != NULL;
    *out = (struct targets){.outcome = TEMPFAIL};
    (void)err_temp(&out->err, "4.3.5", "no next hop");
    while (conf_list_next(&rest, &word)) {
        struct hop hop;
        size_t first = out->count;
        if (!parse_hop(smtp, word, &hop)) {
            out->outcome = err_temp(&out->err, "4.3.5", "bad next hop syntax: %.*s",
                                    VIEW_ARG(word));
        } else if (hop.bracketed || !use_dns) {
            (void)add_host(smtp, arena, hop.host, hop.port, 0, out);
        } else {
            add_domain(smtp, arena, &hop, out);
        }
        if (conf_bool(smtp->conf, P_smtp_randomize_addresses)) {
            shuffle_equals(out, first);
        }
    }
}
