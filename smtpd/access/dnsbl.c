/* SPDX-License-Identifier: MIT */
/*
 * DNS lists (RFC 5782): reversed client addresses, and the domains of names and
 * addresses, under a list's domain.  "list=127.0.0.[2..4;8]" counts only such answers.
 */
#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/number.h"
#include "mail/address.h"
#include "rpc/deliver_agent.h"
#include "smtpd/access/rules.h"

struct dns_list {
    struct check *check;
    struct view argument; /* as configured */
    struct view domain;
    struct view filter;
    enum subject subject;
    const char *what;   /* what is listed, for the reply */
    const char *reason; /* the list's text, or "" */
};

/* --- the filter ----------------------------------------------------------------------
 */

/* "2", "2..4", or several with ';'. */
static bool set_has(struct view set, unsigned value)
{
    struct view item;
    while (view_next_word(&set, ";", &item)) {
        uint64_t low;
        uint64_t high;
        size_t dots = view_index(item, '.');
        struct view end = view_from(item, dots + 2);
        if (!number_parse_u64(view_first(item, dots), 255, &low)) {
            return false;
        }
        high = low;
        if (dots < item.len && !number_parse_u64(end, 255, &high)) {
            return false;
        }
        if (value >= low && value <= high) {
            return true;
        }
    }
    return false;
}

/* Cut the part for one byte off *REST: digits, or [..]. */
static struct view next_part(struct view *rest)
{
    struct view part;
    if (rest->len > 0 && rest->ptr[0] == '[') {
        size_t end = view_index(*rest, ']');
        part = view_from(view_first(*rest, end), 1);
        *rest = view_from(*rest, end + 2);
    } else {
        size_t end = view_index(*rest, '.');
        part = view_first(*rest, end);
        *rest = view_from(*rest, end + 1);
    }
    return part;
}

static bool matches(struct view filter, const struct net_address *address)
{
    uint32_t bytes;
    if (filter.len == 0) {
        return true;
    }
    if (net_address_is_v6(address)) {
        return false;
    }
    bytes = ntohl(address->sa.v4.sin_addr.s_addr);
    for (int i = 0; i < 4; i++) {
        if (!set_has(next_part(&filter), (bytes >> (24 - 8 * i)) & 0xff)) {
            return false;
        }
    }
    return true;
}

/* --- asking --------------------------------------------------------------------------
 */

/* "9.0.0.127.", or 32 nibbles. */
static void add_reversed(struct str *out, const struct net_address *address)
{
    if (!net_address_is_v6(address)) {
        uint32_t bytes = ntohl(address->sa.v4.sin_addr.s_addr);
        str_printf(out, "%u.%u.%u.%u.", bytes & 0xff, (bytes >> 8) & 0xff,
                   (bytes >> 16) & 0xff, bytes >> 24);
        return;
    }
    const unsigned char *bytes = address->sa.v6.sin6_addr.s6_addr;
    for (int i = 15; i >= 0; i--) {
        str_printf(out, "%x.%x.", bytes[i] & 0xf, bytes[i] >> 4);
    }
}

static struct dns_list list_of(struct check *check, const struct restriction *item,
                               enum subject subject, const char *what)
{
    CHECK(item->argument.len > 0 && what != NULL);
    size_t equals = view_index(item->argument, '=');
    return (struct dns_list){.check = check,
                             .argument = item->argument,
                             .domain = view_first(item->argument, equals),
                             .filter = view_from(item->argument, equals + 1),
                             .subject = subject,
                             .what = what,
                             .reason = ""};
}

/* The same questions come with every recipient. */
struct dns_memo {
    struct dns_memo *next;
    struct view query;
    struct dns_answer answer;
    const char *reason; /* NULL: not asked for yet */
};

enum { MEMO_MAX = 30 }; /* a session may have any number of senders */

/* What the DNS says about QUERY, from the session's memory if it was asked before. */
static struct dns_memo *ask(struct dns_list *list, struct view query)
{
    CHECK(query.len > 0);
    struct session *session = list->check->session;
    struct err err = {0};
    size_t count = 0;
    for (struct dns_memo *memo = session->dns_memos; memo != NULL; memo = memo->next) {
        if (view_equal_nocase(memo->query, query)) {
            return memo;
        }
        count++;
    }
    struct arena *arena = count < MEMO_MAX ? &session->arena : &session->scratch;
    struct dns_memo *memo = arena_alloc(arena, sizeof(*memo));
    memo->query = arena_view(arena, query);
    if (dns_query(arena, query, DNS_A, &memo->answer, &err) == DNS_TEMPFAIL) {
        log_warning("%.*s: RBL lookup error: Host or domain name not found. %s",
                    VIEW_ARG(query), err.text);
    }
    if (count < MEMO_MAX) {
        memo->next = session->dns_memos;
        session->dns_memos = memo;
    }
    return memo;
}

static void get_reason(struct dns_list *list, struct view query)
{
    struct dns_answer answer;
    struct session *session = list->check->session;
    struct dns_memo *memo = ask(list, query);
    if (memo->reason == NULL) {
        memo->reason = "";
        if (dns_query(&session->scratch, query, DNS_TXT, &answer, NULL) == DNS_OK) {
            memo->reason = arena_cstr(&session->arena, answer.records[0].text);
        }
    }
    list->reason = memo->reason;
}

/* MAP_ERROR: cannot tell (logged). */
static enum map_result is_listed(struct dns_list *list, struct view query)
{
    const struct dns_answer *answer = &ask(list, query)->answer;
    if (answer->status == DNS_TEMPFAIL) {
        return MAP_ERROR;
    }
    for (size_t i = 0; answer->status == DNS_OK && i < answer->count; i++) {
        if (answer->records[i].type == DNS_A &&
            matches(list->filter, &answer->records[i].address)) {
            return MAP_FOUND;
        }
    }
    return MAP_MISSING;
}

/* --- the reply -----------------------------------------------------------------------
 */

static const char *reply_name(void *context, const char *name)
{
    const struct dns_list *list = context;
    const struct session *session = list->check->session;
    struct arena *scratch = &list->check->session->scratch;
    const struct {
        const char *name, *value;
    } known[] = {
        {"client", session->client.origin},
        {"client_address", session->client.address_text},
        {"client_name", session->client.name},
        {"helo_name", str_ptr(&session->helo)},
        {"rbl_class", check_class_of(list->subject)},
        {"rbl_reason", list->reason},
        {"rbl_what", list->what},
        {"recipient", check_name_of(list->check, SUBJECT_RECIPIENT)},
        {"reverse_client_name", session->client.reverse_name},
        {"sender", check_name_of(list->check, SUBJECT_SENDER)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].value;
        }
    }
    if (strcmp(name, "rbl_domain") == 0) {
        return arena_cstr(scratch, list->domain);
    }
    if (strcmp(name, "rbl_code") == 0) {
        return arena_printf(scratch, "%d",
                            conf_int(session->conf, P_maps_rbl_reject_code));
    }
    return NULL;
}

/* "554 text" or "554 5.7.1 text", as the site words it. */
static enum access_result refuse_worded(struct dns_list *list, const struct str *line)
{
    struct arena *scratch = &list->check->session->scratch;
    struct view rest = str_view(line);
    struct view word;
    struct view dsn;
    struct view text;
    uint64_t code;
    if (!view_next_word(&rest, " ", &word) || !number_parse_u64(word, 599, &code) ||
        code < 400) {
        log_warning("rbl response code configuration error: %s", str_ptr(line));
        return check_refuse(list->check, 450, "4.7.1", "Service unavailable");
    }
    deliver_split_dsn(view_trim(rest), code >= 500 ? "5.7.1" : "4.7.1", &dsn, &text);
    return check_refuse(list->check, (int)code, arena_cstr(scratch, dsn), "%.*s",
                        VIEW_ARG(text));
}

static enum access_result refuse(struct dns_list *list, struct view query)
{
    struct server *server = list->check->server;
    STR_AUTO struct str wording = {0};
    STR_AUTO struct str line = {0};
    struct err err = {0};
    get_reason(list, query);
    if (maps_find(server->rbl_replies, list->argument, &wording, NULL, &err) !=
        MAP_FOUND) {
        str_set_cstr(&wording, conf_raw(server->conf, P_default_rbl_reply));
    }
    if (conf_expand_with(str_ptr(&wording), reply_name, list, &line, &err) != OK) {
        log_warning("default_rbl_reply: %s", err.text);
        str_clear(&line);
    }
    return refuse_worded(list, &line);
}

/* --- the restrictions ----------------------------------------------------------------
 */

/* The question for the client's address. */
static struct view address_query(const struct dns_list *list)
{
    STR_AUTO struct str query = {0};
    add_reversed(&query, &list->check->session->client.address);
    str_add(&query, list->domain);
    return arena_view(&list->check->session->scratch, str_view(&query));
}

static bool has_argument(const struct restriction *item)
{
    if (item->argument.len > 0) {
        return true;
    }
    log_warning("restriction %s requires domain name argument", item->verb->name);
    return false;
}

enum access_result restrict_reject_rbl_client(struct check *check,
                                              const struct restriction *item)
{
    if (!has_argument(item)) {
        return ACCESS_DUNNO;
    }
    struct dns_list list =
        list_of(check, item, SUBJECT_CLIENT, check->session->client.address_text);
    struct view query = address_query(&list);
    return is_listed(&list, query) == MAP_FOUND ? refuse(&list, query) : ACCESS_DUNNO;
}

/* The question for a domain; empty: there is none to ask about. */
static struct view domain_query(const struct dns_list *list, struct view domain)
{
    if (domain.len == 0 || domain.ptr[0] == '[' || !address_valid_hostname(domain)) {
        return view_of("", 0);
    }
    return view_cstr(arena_printf(&list->check->session->scratch, "%.*s.%.*s",
                                  VIEW_ARG(domain), VIEW_ARG(list->domain)));
}

static enum access_result reject_domain(struct check *check,
                                        const struct restriction *item,
                                        enum subject subject, const char *what,
                                        struct view domain)
{
    if (!has_argument(item)) {
        return ACCESS_DUNNO;
    }
    struct dns_list list = list_of(check, item, subject, what);
    struct view query = domain_query(&list, domain);
    if (query.len == 0 || is_listed(&list, query) != MAP_FOUND) {
        return ACCESS_DUNNO;
    }
    return refuse(&list, query);
}

enum access_result restrict_reject_rhsbl_client(struct check *check,
                                                const struct restriction *item)
{
    const struct client *client = &check->session->client;
    struct view name =
        client->name_status == DNS_OK ? view_cstr(client->name) : view_of("", 0);
    return reject_domain(check, item, SUBJECT_CLIENT, client->name, name);
}

enum access_result restrict_reject_rhsbl_reverse_client(struct check *check,
                                                        const struct restriction *item)
{
    const struct client *client = &check->session->client;
    struct view name = client->reverse_status == DNS_OK
                           ? view_cstr(client->reverse_name)
                           : view_of("", 0);
    return reject_domain(check, item, SUBJECT_CLIENT, client->reverse_name, name);
}

enum access_result restrict_reject_rhsbl_helo(struct check *check,
                                              const struct restriction *item)
{
    struct view helo = str_view(&check->session->helo);
    return reject_domain(check, item, SUBJECT_HELO, str_ptr(&check->session->helo),
                         helo);
}

enum access_result restrict_reject_rhsbl_sender(struct check *check,
                                                const struct restriction *item)
{
    return reject_domain(check, item, SUBJECT_SENDER,
                         check_name_of(check, SUBJECT_SENDER),
                         address_split(check->sender).domain);
}

enum access_result restrict_reject_rhsbl_recipient(struct check *check,
                                                   const struct restriction *item)
{
    return reject_domain(check, item, SUBJECT_RECIPIENT,
                         check_name_of(check, SUBJECT_RECIPIENT),
                         address_split(check->recipient).domain);
}

/* A list of good ones that does not answer must not turn into a refusal. */
static enum access_result permit_listed(struct dns_list *list, struct view query,
                                        const struct restriction *item)
{
    switch (is_listed(list, query)) {
    case MAP_FOUND:
        return check_permit(list->check, item->verb->name, SUBJECT_CLIENT, "");
    case MAP_ERROR:
        check_defer_if_reject(list->check, SUBJECT_CLIENT, "4.7.1",
                              "Service temporarily unavailable");
        break;
    case MAP_MISSING:
        break;
    }
    return ACCESS_DUNNO;
}

enum access_result restrict_permit_dnswl_client(struct check *check,
                                                const struct restriction *item)
{
    if (!has_argument(item)) {
        return ACCESS_DUNNO;
    }
    struct dns_list list =
        list_of(check, item, SUBJECT_CLIENT, check->session->client.address_text);
    return permit_listed(&list, address_query(&list), item);
}

enum access_result restrict_permit_rhswl_client(struct check *check,
                                                const struct restriction *item)
{
    const struct client *client = &check->session->client;
    if (!has_argument(item) || client->name_status != DNS_OK) {
        return ACCESS_DUNNO;
    }
    struct dns_list list = list_of(check, item, SUBJECT_CLIENT, client->name);
    struct view query = domain_query(&list, view_cstr(client->name));
    return query.len > 0 ? permit_listed(&list, query, item) : ACCESS_DUNNO;
}
