/* SPDX-License-Identifier: MIT */
/*
 * Internal addresses: taking them apart, writing them in external form, and the
 * syntax of what may stand behind the '@'.
 */
#include "mail/address.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "mail/address_lexer.h"
#include "net/address.h"

enum { HOSTNAME_MAX = 255, LABEL_MAX = 63 };

struct address_parts address_split(struct view internal)
{
    size_t at = view_last_index(internal, '@');
    struct address_parts parts = {.local = view_first(internal, at)};
    parts.has_domain = at < internal.len;
    parts.domain = view_from(internal, at + 1);
    return parts;
}

/* Names whose '-' belongs to the name. */
static bool keeps_hyphen(struct view local)
{
    static const struct view NAMES[] = {
        {"mailer-daemon", 13}, {"postmaster", 10}, {"double-bounce", 13}};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (view_equal_nocase(local, NAMES[i])) {
            return true;
        }
    }
    return view_starts_nocase(local, VIEW("owner-")) ||
           view_ends_nocase(local, VIEW("-request"));
}

bool address_split_extension(struct view local, const char *delimiters,
                             struct view *user_out, struct view *extension_out)
{
    *user_out = local;
    *extension_out = VIEW("");
    for (size_t i = 1; i < local.len; i++) {
        if (local.ptr[i] == '\0' || strchr(delimiters, local.ptr[i]) == NULL) {
            continue;
        }
        if (local.ptr[i] == '-' && keeps_hyphen(local)) {
            return false;
        }
        *user_out = view_first(local, i);
        *extension_out = view_from(local, i + 1);
        return true;
    }
    return false;
}

/* RFC 5321 dot-string: atoms with single dots between them. */
static bool is_dot_string(struct view local)
{
    for (size_t i = 0; i < local.len; i++) {
        unsigned char c = (unsigned char)local.ptr[i];
        if (c == '.' && (i == 0 || i + 1 == local.len || local.ptr[i + 1] == '.')) {
            return false;
        }
        if (c != '.' &&
            (c <= ' ' || c == 0x7f || strchr("()<>[]:;@\\,\"", c) != NULL)) {
            return false;
        }
    }
    return local.len > 0;
}

void address_quote(struct view internal, struct str *external_out)
{
    struct address_parts parts = address_split(internal);
    if (internal.len == 0 || is_dot_string(parts.local)) {
        str_add(external_out, internal);
        return;
    }
    str_add_byte(external_out, '"');
    for (size_t i = 0; i < parts.local.len; i++) {
        char c = parts.local.ptr[i];
        if (c == '"' || c == '\\' || c == '\r') {
            str_add_byte(external_out, '\\');
        }
        str_add_byte(external_out, c);
    }
    str_add_byte(external_out, '"');
    str_add(external_out, view_from(internal, parts.local.len));
}

/* One label; *NUMERIC is cleared when it is not all digits. */
static bool valid_label(struct view label, bool utf8, bool *numeric)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!ascii_alnum(c) && c != '-' && c != '_' && !(utf8 && (c & 0x80) != 0)) {
            return false;
        }
        *numeric = *numeric && ascii_digit(c);
    }
    return true;
}

static bool valid_name(struct view name, bool utf8)
{
    bool numeric = true; /* digits and dots look like an address and are none */
    if (name.len == 0 || name.len > HOSTNAME_MAX) {
        return false;
    }
    for (;;) {
        size_t dot = view_index(name, '.');
        if (!valid_label(view_first(name, dot), utf8, &numeric)) {
            return false;
        }
        if (dot == name.len) {
            return !numeric;
        }
        name = view_from(name, dot + 1);
    }
}

bool address_valid_hostname(struct view name)
{
    return valid_name(name, false);
}

bool address_valid_literal(struct view bracketed)
{
    if (bracketed.len < 3 || bracketed.ptr[0] != '[' ||
        bracketed.ptr[bracketed.len - 1] != ']') {
        return false;
    }
    struct view inside = view_first(view_from(bracketed, 1), bracketed.len - 2);
    bool v6 = view_starts_nocase(inside, VIEW("IPv6:"));
    if (v6) {
        inside = view_from(inside, 5);
    }
    struct net_address address;
    return net_address_parse(inside, 0, &address) &&
           v6 == (view_index(inside, ':') < inside.len);
}

bool address_valid_domain(struct view domain)
{
    if (domain.len > 0 && domain.ptr[0] == '[') {
        return address_valid_literal(domain);
    }
    if (domain.len > 1 && domain.ptr[domain.len - 1] == '.') {
        domain.len--; /* the root may be written */
    }
    return valid_name(domain, true);
}

void address_fold_domain(struct view internal, struct str *out)
{
    size_t at = view_last_index(internal, '@');
    str_add(out, view_first(internal, at));
    str_add_lower(out, view_from(internal, at));
}
