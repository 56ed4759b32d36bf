/* SPDX-License-Identifier: MIT */
/*
 * KEYWORD[=VALUE] after the path.  A keyword that nobody knows, and one that was hidden
 * from the client, are refused alike: what was asked for cannot be promised.
 */
#include "smtpd/esmtp_parameters.h"

#include "base/ascii.h"
#include "base/number.h"
#include "mail/queue_file.h"
#include "smtpd/ehlo.h"

struct parameter {
    struct view text; /* as given, for the reply */
    struct view name, value;
    bool has_value;
    unsigned hidden;
    struct arena *arena;
    const char *error;
};

static bool next_parameter(struct view *rest, struct parameter *p)
{
    if (!view_next_word(rest, " \t\r\n\v\f", &p->text)) {
        return false;
    }
    size_t equals = view_index(p->text, '=');
    p->name = view_first(p->text, equals);
    p->value = view_from(p->text, equals + 1);
    p->has_value = equals < p->text.len;
    return true;
}

static bool is_named(const struct parameter *p, const char *name, bool with_value)
{
    return p->has_value == with_value && view_equal_nocase_cstr(p->name, name);
}

static bool refuse(struct parameter *p, const char *reply)
{
    CHECK(reply[0] == '5');
    p->error = reply;
    return false;
}

static bool refuse_unknown(struct parameter *p)
{
    return refuse(p, arena_printf(p->arena, "555 5.5.4 Unsupported option: %.*s",
                                  VIEW_ARG(p->text)));
}

bool xtext_decode(struct view text, struct str *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '+') {
            str_add_byte(out, c);
            continue;
        }
        int high = i + 1 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? ascii_hex(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return false;
        }
        str_add_byte(out, (char)(high * 16 + low));
        i += 2;
    }
    return text.len > 0;
}

/* Decoded, and fit for a record and a header: printable ASCII.  NULL: malformed. */
static const char *decode(struct parameter *p, struct view text)
{
    STR_AUTO struct str value = {0};
    if (!xtext_decode(text, &value)) {
        return NULL;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!ascii_printable(value.ptr[i])) {
            return NULL;
        }
    }
    return arena_cstr(p->arena, str_view(&value));
}

/* --- MAIL ---------------------------------------------------------------------------
 */

static bool take_size(struct parameter *p, struct mail_parameters *out)
{
    uint64_t size;
    for (size_t i = 0; i < p->value.len; i++) {
        if (!ascii_digit(p->value.ptr[i])) {
            return refuse(p, "501 5.5.4 Bad message size syntax");
        }
    }
    if (p->value.len == 0) {
        return refuse(p, "501 5.5.4 Bad message size syntax");
    }
    if (!number_parse_u64(p->value, INT64_MAX, &size)) {
        return refuse(p, "552 5.3.4 Message size exceeds file system imposed limit");
    }
    out->size = (int64_t)size;
    return true;
}

static bool take_body(struct parameter *p, struct mail_parameters *out)
{
    if (view_equal_nocase_cstr(p->value, "8BITMIME")) {
        out->body = BODY_8BITMIME;
    } else if (view_equal_nocase_cstr(p->value, "7BIT")) {
        out->body = BODY_7BIT;
    } else {
        return refuse_unknown(p);
    }
    return true;
}

static bool take_ret(struct parameter *p, struct mail_parameters *out)
{
    if ((p->hidden & EHLO_DSN) != 0) {
        return refuse(p, "501 5.7.1 DSN support is disabled");
    }
    bool first = out->ret == DSN_RET_NONE;
    if (first && view_equal_nocase_cstr(p->value, "FULL")) {
        out->ret = DSN_RET_FULL;
    } else if (first && view_equal_nocase_cstr(p->value, "HDRS")) {
        out->ret = DSN_RET_HDRS;
    } else {
        return refuse(p, "501 5.5.4 Bad RET parameter syntax");
    }
    return true;
}

static bool take_envid(struct parameter *p, struct mail_parameters *out)
{
    if ((p->hidden & EHLO_DSN) != 0) {
        return refuse(p, "501 5.7.1 DSN support is disabled");
    }
    const char *value = decode(p, p->value);
    if (out->envid.len > 0 || value == NULL) {
        return refuse(p, "501 5.5.4 Bad ENVID parameter syntax");
    }
    out->envid = view_cstr(value);
    return true;
}

/* RFC 4954 section 5: somebody else's claim, passed on as it came (in xtext) and
 * believed by nobody. */
static bool take_auth(struct parameter *p, struct mail_parameters *out)
{
    if (p->value.len > 0 && decode(p, p->value) == NULL) {
        return refuse(p, "501 5.5.4 Error: bad AUTH= parameter");
    }
    bool nobody = view_equal_cstr(p->value, "<>");
    out->auth_sender = nobody ? view_of("", 0) : arena_view(p->arena, p->value);
    return true;
}

static bool take_mail(struct parameter *p, struct mail_parameters *out)
{
    if (is_named(p, "BODY", true) && (p->hidden & EHLO_8BITMIME) == 0) {
        return take_body(p, out);
    }
    if (is_named(p, "SIZE", true)) {
        return take_size(p, out);
    }
    if (is_named(p, "AUTH", true)) {
        return take_auth(p, out);
    }
    if (is_named(p, "RET", true)) {
        return take_ret(p, out);
    }
    if (is_named(p, "ENVID", true)) {
        return take_envid(p, out);
    }
    if (is_named(p, "SMTPUTF8", false) && (p->hidden & EHLO_SMTPUTF8) == 0) {
        out->smtputf8 = true;
        return true;
    }
    return refuse_unknown(p);
}

bool mail_parameters_parse(struct view text, unsigned hidden, struct arena *arena,
                           struct mail_parameters *out, const char **error_out)
{
    CHECK(error_out != NULL && out != NULL);
    struct parameter p = {.hidden = hidden, .arena = arena};
    *out = (struct mail_parameters){.size = -1};
    while (next_parameter(&text, &p)) {
        if (!take_mail(&p, out)) {
            *error_out = p.error;
            return false;
        }
    }
    return true;
}

/* --- RCPT ---------------------------------------------------------------------------
 */

static bool notify_bits(struct view list, uint8_t *out)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } known[] = {{"NEVER", DSN_NOTIFY_NEVER},
                 {"SUCCESS", DSN_NOTIFY_SUCCESS},
                 {"FAILURE", DSN_NOTIFY_FAILURE},
                 {"DELAY", DSN_NOTIFY_DELAY}};
    uint8_t bits = 0;
    struct view word;
    while (view_next_word(&list, ",", &word)) {
        uint8_t bit = 0;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
            if (view_equal_nocase_cstr(word, known[i].name)) {
                bit = known[i].bit;
            }
        }
        if (bit == 0) {
            return false;
        }
        bits |= bit;
    }
    *out = bits;
    return bits != 0 && ((bits & DSN_NOTIFY_NEVER) == 0 || bits == DSN_NOTIFY_NEVER);
}

static bool take_notify(struct parameter *p, struct rcpt_parameters *out)
{
    if ((p->hidden & EHLO_DSN) != 0) {
        return refuse(p, "501 5.7.1 DSN support is disabled");
    }
    if (out->notify != 0 || !notify_bits(p->value, &out->notify)) {
        return refuse(p, "501 5.5.4 Error: Bad NOTIFY parameter syntax");
    }
    return true;
}

/* "type;xtext" becomes "type;text". */
static bool take_orcpt(struct parameter *p, struct rcpt_parameters *out)
{
    if ((p->hidden & EHLO_DSN) != 0) {
        return refuse(p, "501 5.7.1 DSN support is disabled");
    }
    size_t semicolon = view_index(p->value, ';');
    struct view encoded = view_from(p->value, semicolon + 1);
    const char *value = encoded.len > 0 ? decode(p, encoded) : "";
    if (out->orcpt.len > 0 || semicolon == 0 || semicolon >= p->value.len ||
        value == NULL) {
        return refuse(p, "501 5.5.4 Error: Bad ORCPT parameter syntax");
    }
    out->orcpt = view_cstr(
        arena_printf(p->arena, "%.*s;%s", (int)semicolon, p->value.ptr, value));
    return true;
}

bool rcpt_parameters_parse(struct view text, unsigned hidden, struct arena *arena,
                           struct rcpt_parameters *out, const char **error_out)
{
    CHECK(error_out != NULL && out != NULL);
    struct parameter p = {.hidden = hidden, .arena = arena};
    *out = (struct rcpt_parameters){0};
    while (next_parameter(&text, &p)) {
        bool taken = is_named(&p, "NOTIFY", true)  ? take_notify(&p, out)
                     : is_named(&p, "ORCPT", true) ? take_orcpt(&p, out)
                                                   : refuse_unknown(&p);
        if (!taken) {
            *error_out = p.error;
            return false;
        }
    }
    return true;
}
