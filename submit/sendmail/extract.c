/* SPDX-License-Identifier: MIT */
/*
 * Recipients from the headers To:, Cc:, Bcc: and their Resent- forms.  The headers
 * stay as they are; cleanup takes Bcc: out.
 */
#include "mail/header.h"
#include "mail/header_address.h"
#include "submit/sendmail/sendmail.h"

/* A header with more tokens than this is no address list. */
enum { TOKENS_MAX = 1024 * 1024 };

static void append(struct arena *arena, struct view **list, size_t *count,
                   struct view address)
{
    /* Doubled whenever the count is a power of two. */
    if ((*count & (*count - 1)) == 0) {
        size_t larger = *count > 0 ? *count * 2 : 1;
        struct view *items = arena_alloc(arena, larger * sizeof(*items));
        if (*count > 0) {
            memcpy(items, *list, *count * sizeof(*items));
        }
        *list = items;
    }
    (*list)[(*count)++] = arena_view(arena, address);
}

void extract_addresses(struct arena *arena, struct view text, struct view **list,
                       size_t *count)
{
    struct header_addresses addresses;
    header_addresses_parse(arena, text, TOKENS_MAX, &addresses);
    for (size_t i = 0; i < addresses.count; i++) {
        if (addresses.parts[i].is_address && addresses.parts[i].address.len > 0) {
            append(arena, list, count, addresses.parts[i].address);
        }
    }
}

static bool is_one_of(struct view name, const char *const *names)
{
    while (*names != NULL && !view_equal_nocase_cstr(name, *names)) {
        names++;
    }
    return *names != NULL;
}

static void end_header(struct extraction *extraction)
{
    static const char *const plain[] = {"To", "Cc", "Bcc", NULL};
    static const char *const resent[] = {"Resent-To", "Resent-Cc", "Resent-Bcc", NULL};
    struct view text = str_view(&extraction->header);
    struct view name;
    struct view value;
    if (header_split(text, &name, &value)) {
        if (is_one_of(name, plain)) {
            extract_addresses(&extraction->arena, value, &extraction->plain,
                              &extraction->plain_count);
        } else if (is_one_of(name, resent)) {
            extract_addresses(&extraction->arena, value, &extraction->resent,
                              &extraction->resent_count);
        }
    }
    str_clear(&extraction->header);
}

void extract_line(struct extraction *extraction, struct view line)
{
    if (extraction->in_body) {
        return;
    }
    enum header_line what = header_classify(line, extraction->header.len > 0);
    if (what != HEADER_CONTINUATION && extraction->header.len > 0) {
        end_header(extraction);
    }
    if (what == HEADER_END || what == HEADER_BODY) {
        extraction->in_body = true;
        return;
    }
    str_add(&extraction->header, line);
    str_add_byte(&extraction->header, '\n');
}

size_t extract_recipients(struct extraction *extraction, struct view **addresses_out)
{
    if (extraction->header.len > 0) {
        end_header(extraction);
    }
    bool resent = extraction->resent_count > 0;
    *addresses_out = resent ? extraction->resent : extraction->plain;
    return resent ? extraction->resent_count : extraction->plain_count;
}

void extract_done(struct extraction *extraction)
{
    str_done(&extraction->header);
    arena_clear(&extraction->arena);
}
