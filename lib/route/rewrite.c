/* SPDX-License-Identifier: MIT */
/*
 * Completing an address: from what people and old systems write to local@domain.
 *
 * Addresses are in internal form.  A local part that would need quotes on the wire
 * is text: its '!' and '%' say nothing about routing.
 */
#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "route/route_private.h"

bool route_needs_quotes(struct view local)
{
    bool after_dot =
        true; /* a dot may neither start nor end the local part, nor be doubled */
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        if (c == '.' && after_dot) {
            return true;
        }
        after_dot = c == '.';
        if ((unsigned char)c <= ' ' || c == 127 ||
            strchr("()<>@,;:\\\"[]", c) != NULL) {
            return true;
        }
    }
    return after_dot && local.len > 0;
}

/* "@a,@b:user@dom" -> "user@dom".  A colon inside [] belongs to an IPv6 literal. */
static struct view without_source_route(struct view address)
{
    if (address.len == 0 || address.ptr[0] != '@') {
        return address;
    }
    bool in_literal = false;
    for (size_t i = 1; i < address.len; i++) {
        char c = address.ptr[i];
        if (c == '[') {
            in_literal = true;
        } else if (c == ']') {
            in_literal = false;
        } else if (c == ':' && !in_literal) {
            return view_from(address, i + 1);
        }
    }
    return address;
}

/* One trailing dot is the root of the DNS; "." and ".." at the end are mistakes to be
 * kept. */
static struct view without_trailing_dot(struct view domain)
{
    if (domain.len > 1 && domain.ptr[domain.len - 1] == '.' &&
        domain.ptr[domain.len - 2] != '.') {
        domain.len--;
    }
    return domain;
}

static struct address_parts split_by_operators(const struct route *route,
                                               const char *origin, bool dequoted,
                                               struct view address)
{
    struct address_parts parts = {.local = address};
    size_t bang = view_index(address, '!');
    size_t percent = view_last_index(address, '%');
    bool routed = dequoted || !route_needs_quotes(address);
    if (route->swap_bangpath && bang < address.len && routed) {
        parts.domain = view_first(address, bang);
        parts.local = view_from(address, bang + 1);
        parts.has_domain = true;
    } else if (route->percent_hack && percent < address.len && routed) {
        parts.local = view_first(address, percent);
        parts.domain = view_from(address, percent + 1);
        parts.has_domain = true;
    } else if (*origin != '\0') {
        parts.domain = view_cstr(origin);
        parts.has_domain = true;
    }
    return parts;
}

void route_complete(const struct route *route, bool remote, bool dequoted,
                    struct view address, struct str *out)
{
    CHECK(out->ptr == NULL || out->ptr != address.ptr);
    const char *origin = remote ? route->remote_domain : route->myorigin;
    const char *parent = remote ? route->remote_domain : route->mydomain;
    if (!route->append_myorigin && !remote) {
        origin = "";
    }
    str_clear(out);
    address = without_source_route(address);
    if (address.len == 0) {
        return;
    }
    struct address_parts parts = address_split(address);
    if (!parts.has_domain) {
        parts = split_by_operators(route, origin, dequoted, address);
    }
    if (parts.local.len == 0 && parts.domain.len == 0) {
        return; /* "@" */
    }
    str_add(out, parts.local);
    if (!parts.has_domain) {
        return;
    }
    struct view domain = without_trailing_dot(parts.domain);
    str_add_byte(out, '@');
    str_add(out, domain);
    bool bare =
        domain.len > 0 && domain.ptr[0] != '[' && view_index(domain, '.') == domain.len;
    if (bare && route->append_mydomain && *parent != '\0') {
        str_add_byte(out, '.');
        str_add_cstr(out, parent);
        if (route->tell_append) {
            log_info("using backwards-compatible default setting "
                     "append_dot_mydomain=yes to rewrite \"%.*s\" to \"%.*s.%s\"",
                     VIEW_ARG(domain), VIEW_ARG(domain), parent);
        }
    }
}

void route_rewrite(struct route *route, bool remote, struct view address,
                   struct str *out)
{
    route_complete(route, remote, false, address, out);
}
