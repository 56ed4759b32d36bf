/* SPDX-License-Identifier: MIT */
#include "smtpd/auth/dovecot_wire.h"

#include "base/ascii.h"
#include "base/number.h"

enum { ESCAPE = 1 };

static bool next_field(struct view *rest, struct view *field)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t end = view_index(*rest, '\t');
    *field = view_first(*rest, end);
    *rest = end < rest->len ? view_from(*rest, end + 1) : view_of(NULL, 0);
    return true;
}

/* --- escapes ------------------------------------------------------------------------
 */

static const struct {
    char raw, escaped;
} ESCAPES[] = {{'\0', '0'}, {ESCAPE, '1'}, {'\t', 't'}, {'\r', 'r'}, {'\n', 'n'}};

void dovecot_add_escaped(struct str *out, struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        char escaped = '\0';
        for (size_t k = 0; k < ARRAY_SIZE(ESCAPES); k++) {
            if (value.ptr[i] == ESCAPES[k].raw) {
                escaped = ESCAPES[k].escaped;
            }
        }
        if (escaped != '\0') {
            str_add_byte(out, ESCAPE);
        }
        str_add_byte(out, (char)(escaped != '\0' ? escaped : value.ptr[i]));
    }
}

static struct view unescape(struct view field, struct arena *arena)
{
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < field.len; i++) {
        char c = field.ptr[i];
        if (c == ESCAPE && i + 1 < field.len) {
            c = field.ptr[++i];
            for (size_t k = 0; k < ARRAY_SIZE(ESCAPES); k++) {
                if (c == ESCAPES[k].escaped) {
                    c = ESCAPES[k].raw;
                    break;
                }
            }
        }
        str_add_byte(&out, c);
    }
    return arena_view(arena, str_view(&out));
}

bool dovecot_is_base64(struct view text)
{
    size_t len = text.len;
    while (len > 0 && text.len - len < 2 && text.ptr[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        if (!ascii_alnum(c) && c != '+' && c != '/') {
            return false;
        }
    }
    return text.len % 4 == 0 || view_equal_cstr(text, "=");
}

bool dovecot_is_mechanism(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len < DOVECOT_NAME_MAX;
}

/* --- the handshake
 * -------------------------------------------------------------------- */

static void take_version(struct dovecot_hello *hello, struct view rest)
{
    struct view major;
    struct view minor;
    if (!next_field(&rest, &major) || !next_field(&rest, &minor) ||
        !view_equal_cstr(major, "1")) {
        hello->error = "speaks another version of the protocol";
    }
    hello->versioned = true;
}

static void take_mechanism(struct dovecot_hello *hello,
                           struct dovecot_mechanisms *found, struct view rest)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {{"anonymous", DOVECOT_ANONYMOUS},
                 {"plaintext", DOVECOT_PLAINTEXT},
                 {"dictionary", DOVECOT_DICTIONARY},
                 {"active", DOVECOT_ACTIVE},
                 {"forward-secrecy", DOVECOT_FORWARD_SECRECY},
                 {"mutual-auth", DOVECOT_MUTUAL},
                 {"private", DOVECOT_PRIVATE}};
    struct view field;
    if (found->count == DOVECOT_MECHANISMS_MAX || !next_field(&rest, &field) ||
        !dovecot_is_mechanism(field)) {
        hello->error = "offers a strange mechanism";
        return;
    }
    struct dovecot_mechanism *mechanism = &found->list[found->count++];
    *mechanism = (struct dovecot_mechanism){0};
    memcpy(mechanism->name, field.ptr, field.len);
    while (next_field(&rest, &field)) {
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
            if (view_equal_cstr(field, known[i].name)) {
                mechanism->flags |= known[i].flag;
            }
        }
    }
}

void dovecot_hello_take(struct dovecot_hello *hello, struct dovecot_mechanisms *found,
                        struct view line)
{
    struct view command;
    if (!next_field(&line, &command)) {
        return;
    }
    if (view_equal_cstr(command, "VERSION")) {
        take_version(hello, line);
    } else if (!hello->versioned) {
        hello->error = "does not begin with a version";
    } else if (view_equal_cstr(command, "MECH")) {
        take_mechanism(hello, found, line);
    } else if (view_equal_cstr(command, "DONE")) {
        hello->complete = true;
    } /* SPID, CUID, COOKIE are for others */
}

static bool is_suitable(const struct dovecot_mechanism *mechanism, unsigned security)
{
    static const struct {
        unsigned security, flag;
        bool wanted;
    } rules[] = {{AUTH_NO_PLAINTEXT, DOVECOT_PLAINTEXT, false},
                 {AUTH_NO_ACTIVE, DOVECOT_ACTIVE, false},
                 {AUTH_NO_DICTIONARY, DOVECOT_DICTIONARY, false},
                 {AUTH_NO_ANONYMOUS, DOVECOT_ANONYMOUS, false},
                 {AUTH_FORWARD_SECRECY, DOVECOT_FORWARD_SECRECY, true},
                 {AUTH_MUTUAL, DOVECOT_MUTUAL, true}};
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        bool has = (mechanism->flags & rules[i].flag) != 0;
        if ((security & rules[i].security) != 0 && has != rules[i].wanted) {
            return false;
        }
    }
    return (mechanism->flags & DOVECOT_PRIVATE) == 0;
}

void dovecot_mechanisms_list(const struct dovecot_mechanisms *found, unsigned security,
                             struct str *out)
{
    for (size_t i = 0; i < found->count; i++) {
        if (is_suitable(&found->list[i], security)) {
            str_printf(out, "%s%s", out->len > 0 ? " " : "", found->list[i].name);
        }
    }
}

/* --- replies
 * -------------------------------------------------------------------------- */

static void take_parameter(struct view field, struct arena *arena,
                           struct auth_step *out)
{
    const struct view user = VIEW("user=");
    const struct view reason = VIEW("reason=");
    const struct view code = VIEW("code=temp_fail");
    if (view_starts(field, user)) {
        out->user = unescape(view_from(field, user.len), arena);
    } else if (out->result == AUTH_DONE) {
        return;
    } else if (view_starts(field, reason)) {
        out->text = unescape(view_from(field, reason.len), arena);
    } else if (view_equal_cstr(field, "temp") || view_equal(field, code)) {
        out->result = AUTH_TROUBLE;
    }
}

bool dovecot_reply_parse(struct view line, uint64_t id, struct arena *arena,
                         struct auth_step *out)
{
    struct view command;
    struct view number;
    struct view field;
    uint64_t answered;
    *out = (struct auth_step){0};
    if (!next_field(&line, &command) || !next_field(&line, &number) ||
        !number_parse_u64(number, UINT32_MAX, &answered) || answered != id) {
        return false;
    }
    if (view_equal_cstr(command, "CONT")) {
        out->result = AUTH_MORE;
        bool has_text = next_field(&line, &field) && dovecot_is_base64(field);
        out->text = has_text ? arena_view(arena, field) : view_of("", 0);
        return has_text;
    }
    bool done = view_equal_cstr(command, "OK");
    if (!done && !view_equal_cstr(command, "FAIL")) {
        return false;
    }
    out->result = done ? AUTH_DONE : AUTH_REFUSED;
    out->text = VIEW("(reason unavailable)");
    while (next_field(&line, &field)) {
        take_parameter(field, arena, out);
    }
    return !done || out->user.len > 0;
}
