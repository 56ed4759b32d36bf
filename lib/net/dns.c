/* SPDX-License-Identifier: MIT */
/*
 * Lookups as the rest of the suite asks for them: one name and type, the addresses
 * of a host, the name of a client.
 */
#include "net/dns.h"

#include "base/check.h"
#include "base/log.h"
#include "net/dns_hosts.h"
#include "net/dns_message.h"
#include "net/dns_resolver.h"

const char *dns_type_text(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_CNAME:
        return "CNAME";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    }
    return "?";
}

static const char *reason_text(enum dns_status status)
{
    switch (status) {
    case DNS_OK:
        break;
    case DNS_NXDOMAIN:
        return "Host not found";
    case DNS_NODATA:
        return "Host found but no data record of requested type";
    case DNS_TEMPFAIL:
        return "Host not found, try again";
    case DNS_INVALID:
        return "Malformed or unexpected name server reply";
    }
    CHECK(false);
}

static enum dns_status fail(struct dns_answer *answer, enum dns_status status,
                            enum dns_type type, struct err *err)
{
    answer->status = status;
    answer->count = 0;
    if (status == DNS_TEMPFAIL) {
        (void)err_temp(err, "4.4.3", "Name service error for name=%s type=%s: %s",
                       answer->name, dns_type_text(type), reason_text(status));
    } else {
        (void)err_perm(err, "5.4.4", "Name service error for name=%s type=%s: %s",
                       answer->name, dns_type_text(type), reason_text(status));
    }
    return status;
}

static enum dns_status fail_name(struct dns_answer *answer, struct err *err)
{
    answer->status = DNS_INVALID;
    (void)err_perm(err, "5.4.4",
                   "Name service error for %.300s: invalid host or domain name",
                   answer->name);
    return DNS_INVALID;
}

/* The answer to a question under way. */
static enum dns_status finish(struct arena *arena, struct dns_request **request,
                              enum dns_type type, struct dns_answer *answer_out,
                              struct err *err)
{
    struct view message;
    const char *name = answer_out->name;
    enum dns_status status = dns_request_wait(*request, &message);
    if (status == DNS_OK) {
        status = dns_message_parse(arena, message, type, answer_out);
    }
    dns_request_free(request);
    if (status != DNS_OK) {
        answer_out->name = name; /* what was asked */
        return fail(answer_out, status, type, err);
    }
    return DNS_OK;
}

enum dns_status dns_query(struct arena *arena, struct view name, enum dns_type type,
                          struct dns_answer *answer_out, struct err *err)
{
    *answer_out = (struct dns_answer){.name = arena_cstr(arena, name)};
    if (!dns_hostname_ok(name)) {
        return fail_name(answer_out, err);
    }
    struct dns_request *request = dns_request_start(answer_out->name, type, false);
    return finish(arena, &request, type, answer_out, err);
}

/* --- addresses of a host ---------------------------------------------------------- */

static bool wanted(const struct net_address *address, unsigned flags)
{
    return (flags & (net_address_is_v6(address) ? DNS_IPV6 : DNS_IPV4)) != 0;
}

static void add_address(struct dns_answer *answer, const struct net_address *address)
{
    bool v6 = net_address_is_v6(address);
    answer->records[answer->count++] =
        (struct dns_record){.type = v6 ? DNS_AAAA : DNS_A, .address = *address};
    answer->status = DNS_OK;
}

static void add_host_entries(struct dns_answer *answer, const struct hosts_entry *first,
                             unsigned family)
{
    for (const struct hosts_entry *e = first; e != NULL; e = e->next) {
        if (wanted(&e->address, family)) {
            CHECK(answer->count < DNS_ANSWER_MAX); /* hosts_refresh() keeps no more */
            add_address(answer, &e->address);
        }
    }
}

/* From the hosts file; false when it has no such name with a wanted family. */
static bool addresses_from_hosts(struct arena *arena, struct view name, unsigned flags,
                                 struct dns_answer *out)
{
    const struct hosts_entry *first = hosts_by_name(dns_hosts(), name);
    if (first == NULL) {
        return false;
    }
    out->records = arena_alloc(arena, DNS_ANSWER_MAX * sizeof(struct dns_record));
    add_host_entries(out, first, flags & DNS_IPV4);
    add_host_entries(out, first, flags & DNS_IPV6);
    return out->count > 0;
}

/* Put the records of both families into one answer. */
static void merge(struct arena *arena, const struct dns_answer *v4,
                  const struct dns_answer *v6, struct dns_answer *out)
{
    const struct dns_answer *parts[] = {v4, v6};
    out->records =
        arena_alloc(arena, (v4->count + v6->count) * sizeof(struct dns_record));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i]->count > 0) {
            memcpy(out->records + out->count, parts[i]->records,
                   parts[i]->count * sizeof(struct dns_record));
            out->count += parts[i]->count;
            out->name = parts[i]->name;
            out->status = DNS_OK;
        }
        out->truncated = out->truncated || parts[i]->truncated;
    }
}

/* When neither family has records: what may change tomorrow must not look final, and
 * a name with no data must not look absent. */
static bool says_more(enum dns_status a, enum dns_status b)
{
    static const int weight[] = {[DNS_OK] = 4,
                                 [DNS_TEMPFAIL] = 3,
                                 [DNS_INVALID] = 2,
                                 [DNS_NODATA] = 1,
                                 [DNS_NXDOMAIN] = 0};
    return weight[a] > weight[b];
}

static enum dns_status addresses_from_dns(struct arena *arena, unsigned flags,
                                          struct dns_answer *out, struct err *err)
{
    bool search = (flags & DNS_NATIVE) != 0;
    static const unsigned families[] = {DNS_IPV4, DNS_IPV6};
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    struct dns_request *requests[ARRAY_SIZE(types)] = {0};
    struct dns_answer answers[ARRAY_SIZE(types)] = {0};
    struct err errs[ARRAY_SIZE(types)];
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if ((flags & families[i]) != 0) {
            requests[i] = dns_request_start(out->name, types[i], search);
        }
    }
    size_t best = (flags & DNS_IPV4) != 0 ? 0 : 1;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (requests[i] == NULL) {
            continue;
        }
        answers[i].name = out->name;
        (void)finish(arena, &requests[i], types[i], &answers[i], &errs[i]);
        /* Of two equal reasons the later one is told, as Postfix does. */
        if (!says_more(answers[best].status, answers[i].status)) {
            best = i;
        }
    }
    if (answers[best].status == DNS_OK) {
        merge(arena, &answers[0], &answers[1], out);
        return DNS_OK;
    }
    if (err != NULL) {
        *err = errs[best];
    }
    out->status = answers[best].status;
    return out->status;
}

enum dns_status dns_host_addresses(struct arena *arena, struct view name,
                                   unsigned flags, struct dns_answer *answer_out,
                                   struct err *err)
{
    CHECK((flags & (DNS_IPV4 | DNS_IPV6)) != 0);
    *answer_out = (struct dns_answer){.name = arena_cstr(arena, name)};
    struct net_address numeric;
    if (net_address_parse(name, 0, &numeric)) {
        answer_out->records = arena_alloc(arena, sizeof(struct dns_record));
        if (!wanted(&numeric, flags)) {
            bool v6 = net_address_is_v6(&numeric);
            return fail(answer_out, DNS_NODATA, v6 ? DNS_A : DNS_AAAA, err);
        }
        add_address(answer_out, &numeric);
        return DNS_OK;
    }
    if (!dns_hostname_ok(name)) {
        return fail_name(answer_out, err);
    }
    if ((flags & DNS_NATIVE) != 0 &&
        addresses_from_hosts(arena, name, flags, answer_out)) {
        return DNS_OK;
    }
    return addresses_from_dns(arena, flags, answer_out, err);
}

/* --- the name of a client ------------------------------------------------------------
 */

/* "4.3.2.1.in-addr.arpa", or the 32 nibbles below ip6.arpa (RFC 3596 2.5). */
static const char *reverse_question(struct arena *arena,
                                    const struct net_address *address)
{
    if (!net_address_is_v6(address)) {
        uint32_t bits = ntohl(address->sa.v4.sin_addr.s_addr);
        return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", bits & 255,
                            bits >> 8 & 255, bits >> 16 & 255, bits >> 24);
    }
    static const char suffix[] = "ip6.arpa";
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = address->sa.v6.sin6_addr.s6_addr;
    enum { BYTES = sizeof(address->sa.v6.sin6_addr) };
    const size_t text_per_byte = sizeof("0.0.") - 1;
    char *text = arena_alloc(arena, BYTES * text_per_byte + sizeof(suffix));
    char *next = text;
    for (size_t i = BYTES; i-- > 0;) {
        *next++ = digits[bytes[i] & 15];
        *next++ = '.';
        *next++ = digits[bytes[i] >> 4];
        *next++ = '.';
    }
    memcpy(next, suffix, sizeof(suffix));
    return text;
}

static enum dns_status find_reverse_name(struct arena *arena,
                                         const struct net_address *address,
                                         const char **name_out)
{
    const char *known = hosts_name_of(dns_hosts(), address);
    if (known != NULL && dns_hostname_ok(view_cstr(known))) {
        *name_out = arena_strdup(arena, known);
        return DNS_OK;
    }
    struct dns_answer answer;
    struct view question = view_cstr(reverse_question(arena, address));
    enum dns_status status = dns_query(arena, question, DNS_PTR, &answer, NULL);
    if (status == DNS_OK) {
        *name_out = answer.records[0].text.ptr;
    }
    return status;
}

/* The texts are those of getaddrinfo(), which log readers know. */
static const char *mismatch_text(enum dns_status status)
{
    switch (status) {
    case DNS_OK:
        return "";
    case DNS_NXDOMAIN:
    case DNS_INVALID:
        return ": Name or service not known";
    case DNS_NODATA:
        return ": No address associated with hostname";
    case DNS_TEMPFAIL:
        return ": Temporary failure in name resolution";
    }
    CHECK(false);
}

static bool has_address(const struct dns_answer *answer,
                        const struct net_address *address)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (net_address_equal(&answer->records[i].address, address)) {
            return true;
        }
    }
    return false;
}

/* Does OUT's reverse name lead back to ADDRESS? */
static void confirm(struct arena *arena, const struct net_address *address,
                    struct dns_client_name *out)
{
    struct dns_answer answer = {0};
    struct view name = view_cstr(out->reverse_name);
    unsigned family = net_address_is_v6(address) ? DNS_IPV6 : DNS_IPV4;
    /* Not DNS_NATIVE: the search list must not complete a name that a client chose. */
    enum dns_status status = DNS_OK;
    if (!addresses_from_hosts(arena, name, family, &answer)) {
        status = dns_host_addresses(arena, name, family, &answer, NULL);
    }
    if (status == DNS_OK && has_address(&answer, address)) {
        out->status = DNS_OK;
        out->name = out->reverse_name;
        return;
    }
    char text[NET_ADDRESS_TEXT];
    net_address_text(address, text);
    log_warning("hostname %s does not resolve to address %s%s", out->reverse_name, text,
                mismatch_text(status));
    out->forged = status == DNS_OK;
    out->status = status == DNS_OK ? DNS_NODATA : status;
}

void dns_reverse(struct arena *arena, const struct net_address *address,
                 struct dns_client_name *out)
{
    *out = (struct dns_client_name){.name = "unknown", .reverse_name = "unknown"};
    out->reverse_status = find_reverse_name(arena, address, &out->reverse_name);
    out->status = out->reverse_status;
    if (out->reverse_status == DNS_OK) {
        confirm(arena, address, out);
    }
}
