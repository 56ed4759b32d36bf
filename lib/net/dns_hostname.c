/* SPDX-License-Identifier: MIT */
/* What we accept as a host name, in questions and in answers (RFC 1123 2.1, plus the
 * underscore that real names contain). */
#include "base/ascii.h"
#include "net/dns.h"

enum { NAME_MOST = 255, LABEL_MOST = 63 };

static bool label_ok(struct view label, bool *numeric)
{
    if (label.len == 0 || label.len > LABEL_MOST || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!ascii_alnum(c) && c != '-' && c != '_') {
            return false;
        }
        *numeric = *numeric && ascii_digit(c);
    }
    return true;
}

bool dns_hostname_ok(struct view name)
{
    bool numeric = true;
    if (name.len > NAME_MOST) {
        return false;
    }
    for (;;) {
        size_t dot = view_index(name, '.');
        if (!label_ok(view_first(name, dot), &numeric)) {
            return false;
        }
        if (dot == name.len) {
            return !numeric;
        }
        name = view_from(name, dot + 1);
    }
}
