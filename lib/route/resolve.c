/* SPDX-License-Identifier: MIT */
/*
 * From a recipient to address class, transport and next hop.
 *
 * First the address is reduced: as long as its domain is ours and the local part
 * still says where to go (user%other@ours, other!user@ours), our domain is taken
 * off.  What remains decides the class, the class gives transport and next hop,
 * and tables override them.
 */
#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "route/route_private.h"

/* Strips of our own domain; an address that needs more is not worth understanding. */
enum { REDUCE_MAX = 100 };

struct resolving {
    struct route *route;
    struct arena *arena;
    struct view sender;
    struct view address; /* reduced so far, in the arena */
    struct address_parts parts;
    bool local; /* the domain is ours */
    struct resolve_reply *reply;
    struct err err;
};

static void set_hop(struct resolve_reply *reply, struct view transport,
                    struct view nexthop)
{
    reply->transport = transport;
    reply->nexthop = nexthop;
}

/* A table could not answer, and has said why: whoever asked defers. */
static void fail(struct resolving *r, const char *what)
{
    log_warning("%s lookup failure", what);
    r->reply->outcome = TEMPFAIL;
}

static void set_address(struct resolving *r, struct view address)
{
    r->address = address;
    r->parts = address_split(address);
    size_t len = r->parts.domain.len;
    if (len > 1 && r->parts.domain.ptr[len - 1] == '.' &&
        r->parts.domain.ptr[len - 2] != '.') {
        r->parts.domain.len--;
        r->address.len--;
    }
}

/* Does the local part say where the mail should go next? */
static bool has_operators(const struct route *route, struct view local)
{
    if (!route->dequoted_address && route_needs_quotes(local)) {
        return false;
    }
    return view_index(local, '@') < local.len ||
           (route->swap_bangpath && view_index(local, '!') < local.len) ||
           (route->percent_hack && view_index(local, '%') < local.len);
}

/* Sets r->local.  False: a table failed. */
static bool domain_is_ours(struct resolving *r)
{
    if (!r->parts.has_domain) {
        r->local = true;
        return true;
    }
    if (r->parts.domain.len == 0) {
        r->local = r->route->null_domain;
        return true;
    }
    enum map_result result = route_is_local_domain(r->route, r->parts.domain, &r->err);
    r->local = result == MAP_FOUND;
    return result != MAP_ERROR;
}

/* False: a table failed. */
static bool reduce(struct resolving *r)
{
    STR_AUTO struct str next = {0};
    for (int i = 0; i < REDUCE_MAX; i++) {
        if (!domain_is_ours(r)) {
            return false;
        }
        if (!r->local || !has_operators(r->route, r->parts.local)) {
            return true;
        }
        route_complete(r->route, false, r->route->dequoted_address, r->parts.local,
                       &next);
        set_address(r, arena_view(r->arena, str_view(&next)));
    }
    return true;
}

static struct view join(struct resolving *r, struct view local, const char *domain)
{
    return view_cstr(arena_printf(r->arena, "%.*s@%s", VIEW_ARG(local), domain));
}

/* Ours, but without a user or without a domain: fill in what the parameters say. */
static void fill_local(struct resolving *r)
{
    CHECK(r->local);
    const struct route *route = r->route;
    struct view local = r->parts.local;
    if (local.len == 0) {
        local = view_cstr(conf_str(route->conf, P_empty_address_recipient));
    }
    if (r->parts.domain.len == 0) {
        set_address(r, join(r, local, route->myhostname));
    } else if (r->parts.local.len == 0) {
        set_address(r, join(r, local, arena_cstr(r->arena, r->parts.domain)));
    }
}

/* Host name syntax; bytes above ASCII pass as letters where SMTPUTF8 is on. */
static bool domain_syntax_ok(const struct route *route, struct view domain)
{
    char ascii[256];
    if (domain.len == 0 || domain.len >= sizeof(ascii)) {
        return false;
    }
    if (domain.ptr[0] == '[') {
        return address_valid_literal(domain);
    }
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        ascii[i] = (char)(route->utf8 && (unsigned char)c >= 0x80 ? 'x' : c);
    }
    return address_valid_hostname(view_of(ascii, domain.len));
}

/* user@1.2.3.4 can be taken for user@[1.2.3.4]. */
static void bracket_numeric(struct resolving *r)
{
    struct view domain = r->parts.domain;
    struct net_address address;
    if (r->route->numeric_domain && net_address_parse(domain, 0, &address) &&
        !net_address_is_v6(&address)) {
        set_address(
            r, view_cstr(arena_printf(r->arena, "%.*s@[%.*s]", VIEW_ARG(r->parts.local),
                                      VIEW_ARG(domain))));
    }
}

static void warn_both(struct view domain, const char *first, const char *second)
{
    log_warning("do not list domain %.*s in BOTH %s and %s", VIEW_ARG(domain), first,
                second);
}

/* --- classes ---------------------------------------------------------------- */

/* "transport:nexthop" into REPLY; parts that are not given stay. */
static void apply_spec(struct resolving *r, struct view spec)
{
    CHECK(r->reply->outcome == OK);
    size_t colon = view_index(spec, ':');
    struct view transport = view_first(spec, colon);
    struct view nexthop = view_from(spec, colon + 1);
    if (transport.len > 0) {
        r->reply->transport = transport;
    }
    if (nexthop.len > 0) {
        r->reply->nexthop = nexthop;
    }
}

static void use_parameter(struct resolving *r, enum param param)
{
    apply_spec(r, view_cstr(conf_str(r->route->conf, param)));
}

/* What a table chooses by SENDER: "" when nothing does.  False: it failed. */
static bool find_by_sender(struct resolving *r, struct maps *maps, enum param null_key,
                           const char *title, struct view *value_out)
{
    *value_out = view_of("", 0);
    if (maps_empty(maps)) {
        return true;
    }
    STR_AUTO struct str value = {0};
    struct view key = r->sender;
    if (key.len == 0) {
        key = view_cstr(conf_str(r->route->conf, null_key));
    }
    enum map_result result = maps_find_address(maps, key, r->route->delimiters,
                                               MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN,
                                               &value, NULL, &r->err);
    if (result == MAP_ERROR) {
        fail(r, title);
        return false;
    }
    if (result == MAP_FOUND && !view_equal_nocase_cstr(str_view(&value), "DUNNO")) {
        *value_out = arena_view(r->arena, str_view(&value));
    }
    return true;
}

/* Next hop of mail that leaves: what the transport's parameter says, or relayhost. */
static void use_relayhost(struct resolving *r)
{
    struct view relayhost;
    if (r->reply->nexthop.len > 0 ||
        !find_by_sender(r, r->route->relayhost_maps,
                        P_empty_address_relayhost_maps_lookup_key,
                        "sender_dependent_relayhost_maps", &relayhost)) {
        return;
    }
    if (relayhost.len == 0) {
        relayhost = view_cstr(conf_str(r->route->conf, P_relayhost));
    }
    r->reply->nexthop = relayhost;
}

static void route_default(struct resolving *r)
{
    struct view spec;
    r->reply->address_class = CLASS_DEFAULT;
    if (!find_by_sender(r, r->route->default_transport_maps,
                        P_empty_address_default_transport_maps_lookup_key,
                        "sender_dependent_default_transport_maps", &spec)) {
        return;
    }
    if (spec.len > 0 && spec.ptr[0] == ':') {
        log_warning("sender_dependent_default_transport_maps: null transport for %.*s",
                    VIEW_ARG(r->sender));
        fail(r, "sender_dependent_default_transport_maps");
        return;
    }
    if (spec.len > 0) {
        apply_spec(r, spec);
    } else {
        use_parameter(r, P_default_transport);
    }
    use_relayhost(r);
}

static void route_virtual_alias(struct resolving *r)
{
    bool named = conf_bool(r->route->conf, P_show_user_unknown_table_name);
    r->reply->address_class = CLASS_VIRTUAL_ALIAS;
    set_hop(r->reply, view_cstr(conf_str(r->route->conf, P_error_service_name)),
            named ? VIEW("5.1.1 User unknown in virtual alias table")
                  : VIEW("5.1.1 User unknown"));
}

static void route_local(struct resolving *r)
{
    r->reply->address_class = CLASS_LOCAL;
    use_parameter(r, P_local_transport);
    struct view domain = r->parts.domain;
    if (route_is_virtual_alias_domain(r->route, domain, NULL) == MAP_FOUND) {
        warn_both(domain, "mydestination", "virtual_alias_domains");
    }
    if (route_is_virtual_mailbox_domain(r->route, domain, NULL) == MAP_FOUND) {
        warn_both(domain, "mydestination", "virtual_mailbox_domains");
    }
}

/* The list TITLE has the domain.  A list that failed settles the class, too. */
static bool is_class(struct resolving *r, enum map_result result, const char *title)
{
    if (result == MAP_ERROR) {
        fail(r, title);
    }
    return result == MAP_FOUND;
}

static void route_foreign(struct resolving *r)
{
    struct view domain = r->parts.domain;
    if (is_class(r, route_is_virtual_alias_domain(r->route, domain, &r->err),
                 "virtual_alias_domains")) {
        route_virtual_alias(r);
    } else if (r->reply->outcome == OK &&
               is_class(r, route_is_virtual_mailbox_domain(r->route, domain, &r->err),
                        "virtual_mailbox_domains")) {
        r->reply->address_class = CLASS_VIRTUAL_MAILBOX;
        use_parameter(r, P_virtual_transport);
    } else if (r->reply->outcome == OK &&
               is_class(r, route_is_relay_domain(r->route, domain, &r->err),
                        "relay_domains")) {
        r->reply->address_class = CLASS_RELAY;
        use_parameter(r, P_relay_transport);
        use_relayhost(r);
    } else if (r->reply->outcome == OK) {
        route_default(r);
    }
}

static void route_by_class(struct resolving *r)
{
    CHECK(r->parts.domain.len > 0);
    if (r->local) {
        route_local(r);
    } else {
        route_foreign(r);
    }
}

/* --- tables ----------------------------------------------------------------- */

static void override_transport(struct resolving *r)
{
    CHECK(r->reply->transport.len > 0);
    STR_AUTO struct str value = {0};
    if (r->reply->address_class == CLASS_VIRTUAL_ALIAS) {
        return; /* such an address exists only as an alias, it is never delivered */
    }
    enum map_result result =
        route_find_transport(r->route, r->address, &value, &r->err);
    if (result == MAP_ERROR) {
        fail(r, "transport_maps");
    }
    if (result != MAP_FOUND) {
        return;
    }
    struct view spec = arena_view(r->arena, str_view(&value));
    if (spec.ptr[0] != ':') {
        r->reply->nexthop = view_of("", 0); /* the recipient's domain, unless given */
    }
    apply_spec(r, spec);
}

static void apply_relocated(struct resolving *r)
{
    STR_AUTO struct str value = {0};
    if (maps_empty(r->route->relocated_maps)) {
        return;
    }
    bool ours = r->local || view_equal_nocase_cstr(r->parts.domain, r->route->myorigin);
    unsigned flags = MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN |
                     (ours ? (unsigned)MAPS_ADDRESS_LOCALPART : 0);
    enum map_result result =
        maps_find_address(r->route->relocated_maps, r->address, r->route->delimiters,
                          flags, &value, NULL, &r->err);
    if (result == MAP_ERROR) {
        fail(r, "relocated_maps");
    } else if (result == MAP_FOUND) {
        char *text =
            arena_printf(r->arena, "5.1.6 User has moved to %s", str_ptr(&value));
        set_hop(r->reply, view_cstr(conf_str(r->route->conf, P_error_service_name)),
                view_cstr(text));
    }
}

static void refuse_syntax(struct resolving *r)
{
    r->reply->address_class = CLASS_DEFAULT;
    r->reply->flags |= RESOLVE_BAD_SYNTAX;
    set_hop(r->reply, view_cstr(conf_str(r->route->conf, P_error_service_name)),
            VIEW("5.1.3 bad address syntax"));
}

static void finish(struct resolving *r)
{
    if (r->reply->outcome == OK && r->reply->nexthop.len == 0) {
        r->reply->nexthop = r->parts.domain;
    }
    r->reply->recipient = r->address;
}

void route_resolve(struct route *route, struct view sender, struct view recipient,
                   struct arena *arena, struct resolve_reply *reply_out)
{
    CHECK(route != NULL && arena != NULL && reply_out != NULL);
    struct resolving r = {
        .route = route, .arena = arena, .sender = sender, .reply = reply_out};
    *reply_out = (struct resolve_reply){.address_class = CLASS_DEFAULT, .outcome = OK};
    set_address(&r, arena_view(arena, recipient));
    if (!reduce(&r)) {
        fail(&r, "mydestination");
        finish(&r);
        return;
    }
    struct view local = r.parts.local;
    if (view_index(local, '@') < local.len || view_index(local, '!') < local.len ||
        view_index(local, '%') < local.len) {
        reply_out->flags |= RESOLVE_ROUTED;
    }
    if (r.local) {
        fill_local(&r);
    } else {
        bracket_numeric(&r);
        if (!domain_syntax_ok(route, r.parts.domain)) {
            refuse_syntax(&r);
            finish(&r);
            return;
        }
    }
    route_by_class(&r);
    if (reply_out->outcome == OK) {
        override_transport(&r);
    }
    if (reply_out->outcome == OK) {
        apply_relocated(&r);
    }
    finish(&r);
}
