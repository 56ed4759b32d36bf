/* SPDX-License-Identifier: MIT */
/*
 * Queue IDs.  The short form is the microseconds of the moment, five hexadecimal
 * digits, and the inode; it is unique while the file exists.  The long form adds
 * the seconds, so that it is not used again later.
 */
#include "mail/queue_dir.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"
#include "sys/clock.h"

enum {
    TIME_BASE = 52,
    INODE_BASE = 51, /* without the separator 'z' */
    LONG_SECONDS_DIGITS = 6,
    LONG_MICROSECONDS_DIGITS = 4,
    SHORT_MICROSECONDS_DIGITS = 5
};
static const char SEPARATOR = 'z';
/* No vowels: IDs must not spell words. */
static const char ALPHABET[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

bool queue_id_plausible(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_alnum(text.ptr[i]) && text.ptr[i] != '_') {
            return false;
        }
    }
    return text.len > 0;
}

bool queue_id_valid(struct view text)
{
    /* One character is a hash directory. */
    if (text.len < 2 || text.len >= QUEUE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_alnum(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* VALUE in BASE with at least WIDTH digits, at TEXT; returns their number. */
static size_t encode(uint64_t value, unsigned base, size_t width, char *text)
{
    char reversed[64];
    size_t count = 0;
    do {
        reversed[count++] = ALPHABET[value % base];
        value /= base;
    } while (value > 0 || count < width);
    for (size_t i = 0; i < count; i++) {
        text[i] = reversed[count - 1 - i];
    }
    return count;
}

static bool decode(struct view text, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(ALPHABET, text.ptr[i], base);
        if (digit == NULL ||
            value > (UINT64_MAX - (uint64_t)(digit - ALPHABET)) / base) {
            return false;
        }
        value = value * base + (uint64_t)(digit - ALPHABET);
    }
    *out = value;
    return text.len > 0;
}

void queue_id_make(bool long_form, int64_t wall_time, uint64_t inode,
                   char id[QUEUE_ID_MAX])
{
    CHECK(wall_time >= 0);
    uint64_t seconds = (uint64_t)(wall_time / CLOCK_SECOND);
    uint64_t microseconds = (uint64_t)(wall_time % CLOCK_SECOND);
    if (!long_form) {
        int n = snprintf(id, QUEUE_ID_MAX, "%05llX%llX",
                         (unsigned long long)microseconds, (unsigned long long)inode);
        CHECK(n > 0 && n < QUEUE_ID_MAX);
        return;
    }
    char text[2 * 64];
    size_t len = encode(seconds, TIME_BASE, LONG_SECONDS_DIGITS, text);
    len += encode(microseconds, TIME_BASE, LONG_MICROSECONDS_DIGITS, text + len);
    text[len++] = SEPARATOR;
    len += encode(inode, INODE_BASE, 1, text + len);
    CHECK(len < QUEUE_ID_MAX);
    memcpy(id, text, len);
    id[len] = '\0';
}

/* Microseconds and inode of a long ID. */
static bool parse_long(struct view id, uint64_t *microseconds_out, uint64_t *inode_out)
{
    size_t at = view_last_index(id, SEPARATOR);
    if (at == id.len || at < LONG_SECONDS_DIGITS + LONG_MICROSECONDS_DIGITS) {
        return false;
    }
    struct view digits = view_first(view_from(id, at - LONG_MICROSECONDS_DIGITS),
                                    LONG_MICROSECONDS_DIGITS);
    uint64_t seconds;
    return decode(view_first(id, at - LONG_MICROSECONDS_DIGITS), TIME_BASE, &seconds) &&
           decode(digits, TIME_BASE, microseconds_out) &&
           *microseconds_out < CLOCK_SECOND &&
           decode(view_from(id, at + 1), INODE_BASE, inode_out);
}

/* The two forms cannot be confused: 'z' is no hexadecimal digit. */
static bool parse_short(struct view id, uint64_t *inode_out)
{
    if (id.len <= SHORT_MICROSECONDS_DIGITS ||
        id.len > SHORT_MICROSECONDS_DIGITS + 2 * sizeof(uint64_t)) {
        return false;
    }
    uint64_t inode = 0;
    for (size_t i = 0; i < id.len; i++) {
        int digit = ascii_hex(id.ptr[i]);
        if (digit < 0 || ascii_upper(id.ptr[i]) != id.ptr[i]) {
            return false;
        }
        inode = i < SHORT_MICROSECONDS_DIGITS ? 0 : inode << 4 | (uint64_t)digit;
    }
    *inode_out = inode;
    return true;
}

bool queue_id_inode(const char *id, uint64_t *inode_out)
{
    uint64_t microseconds;
    struct view text = view_cstr(id);
    return parse_long(text, &microseconds, inode_out) || parse_short(text, inode_out);
}

bool queue_id_is_long(const char *id)
{
    uint64_t microseconds, inode;
    return parse_long(view_cstr(id), &microseconds, &inode);
}

void queue_id_with_inode(const char *id, uint64_t inode, char id_out[QUEUE_ID_MAX])
{
    struct view text = view_cstr(id);
    uint64_t microseconds, old_inode;
    char made[QUEUE_ID_MAX + 64]; /* ID and ID_OUT may be the same */
    bool is_long = parse_long(text, &microseconds, &old_inode);
    CHECK(is_long || parse_short(text, &old_inode));
    size_t len = is_long ? view_last_index(text, SEPARATOR) + 1
                         : (size_t)SHORT_MICROSECONDS_DIGITS;
    memcpy(made, id, len);
    if (is_long) {
        len += encode(inode, INODE_BASE, 1, made + len);
        made[len] = '\0';
    } else {
        (void)snprintf(made + len, sizeof(made) - len, "%llX",
                       (unsigned long long)inode);
    }
    CHECK(queue_id_valid(view_cstr(made)));
    memcpy(id_out, made, strlen(made) + 1);
}

void queue_id_hash_text(const char *id, char text[QUEUE_ID_MAX])
{
    uint64_t microseconds, inode;
    if (parse_long(view_cstr(id), &microseconds, &inode)) {
        (void)snprintf(text, QUEUE_ID_MAX, "%05llX", (unsigned long long)microseconds);
    } else {
        (void)snprintf(text, QUEUE_ID_MAX, "%s", id);
    }
}
