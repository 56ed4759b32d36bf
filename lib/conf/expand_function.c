/* SPDX-License-Identifier: MIT */
/*
 * domain_to_ascii and domain_to_utf8 (IDNA 2008): a table's key or a certificate's name
 * has one form, and a domain in main.cf may be written in the other.
 */
#include "conf/expand_function.h"

#include <stdlib.h>

#include <idn2.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"

typedef int convert(const char *domain, char **converted, int flags);

static int to_ascii(const char *domain, char **converted, int flags)
{
    return idn2_to_ascii_8z(domain, converted, flags);
}

static int to_utf8(const char *domain, char **converted, int flags)
{
    (void)flags;
    return idn2_to_unicode_8z8z(domain, converted, 0);
}

static const struct {
    const char *name;
    convert *convert;
} functions[] = {{"domain_to_ascii", to_ascii}, {"domain_to_utf8", to_utf8}};

static convert *find(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        if (view_equal_cstr(name, functions[i].name)) {
            return functions[i].convert;
        }
    }
    return NULL;
}

bool expand_function_exists(struct view name)
{
    return find(name) != NULL;
}

/* Nothing that a conversion would change, apart from letters' case. */
static bool is_plain(struct view domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        if ((unsigned char)domain.ptr[i] >= 0x80 ||
            view_starts_nocase(view_from(domain, i), VIEW("xn--"))) {
            return false;
        }
    }
    return true;
}

bool expand_function_call(struct view name, struct view argument, struct str *out,
                          struct str *mistake)
{
    convert *function = find(name);
    CHECK(function != NULL);
    if (argument.len > 0 && is_plain(argument)) {
        str_add(out, argument);
        return true;
    }
    char *domain = xviewdup(argument);
    char *converted = NULL;
    int status = argument.len > 0 ? function(domain, &converted,
                                             IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL)
                                  : IDN2_ENCODING_ERROR;
    if (status == IDN2_OK) {
        str_add_cstr(out, converted);
    } else {
        str_clear(mistake);
        str_printf(mistake, "bad domain argument in: '%.*s{%s}'", VIEW_ARG(name),
                   domain);
        if (argument.len > 0) {
            str_printf(mistake, ": %s", idn2_strerror(status));
        }
    }
    idn2_free(converted);
    free(domain);
    return status == IDN2_OK;
}
