/* SPDX-License-Identifier: MIT */
/*
 * Mail that comes back: every forwarded copy says in Delivered-To: whose it was, and
 * whoever finds his own address there has seen it before.
 */
#include "local/local.h"
#include "mail/address.h"
#include "mail/header.h"
#include "sys/file.h"

enum { HEADERS_MAX_BYTES = 1024 * 1024, FIRST_STEP = 4096 };

/* The header section as far as it matters: more is read only while no empty line was
 * seen. */
static void read_headers(const struct local_message *message, struct str *text)
{
    int64_t size = message->request->content_size;
    size_t want = (size_t)(size < HEADERS_MAX_BYTES ? size : HEADERS_MAX_BYTES);
    for (size_t step = FIRST_STEP; text->len < want; step *= 4) {
        size_t more = want - text->len < step ? want - text->len : step;
        char *room = str_reserve(text, more);
        ssize_t n =
            file_pread_all(message->fd, room, more,
                           message->request->content_offset + (int64_t)text->len);
        if (n <= 0) {
            break;
        }
        str_commit(text, (size_t)n);
        if (memmem(str_ptr(text), text->len, "\n\n", 2) != NULL) {
            break;
        }
    }
}

static void add_address(struct local_message *message, struct view value)
{
    STR_AUTO struct str plain = {0};
    STR_AUTO struct str address = {0};
    size_t count = message->delivered_to_count;
    header_unfold(value, &plain);
    if (!address_unquote(str_view(&plain), &address)) {
        str_set(&address, str_view(&plain));
    }
    if ((count & (count - 1)) == 0) { /* grow by doubling */
        size_t capacity = count == 0 ? 1 : count * 2;
        struct view *more = arena_alloc(message->arena, capacity * sizeof(*more));
        for (size_t i = 0; i < count; i++) {
            more[i] = message->delivered_to[i];
        }
        message->delivered_to = more;
    }
    message->delivered_to[message->delivered_to_count++] =
        arena_view(message->arena, str_view(&address));
}

void loop_prepare(struct local_message *message)
{
    STR_AUTO struct str text = {0};
    struct header header;
    struct view rest = message->content;
    if (rest.ptr == NULL) {
        read_headers(message, &text);
        rest = str_view(&text);
    }
    while (header_next(&rest, &header)) {
        if (view_equal_nocase_cstr(header.name, "Delivered-To")) {
            add_address(message, header.value);
        }
    }
}

bool loop_found(const struct local_message *message, struct view address)
{
    for (size_t i = 0; i < message->delivered_to_count; i++) {
        if (view_equal_nocase(message->delivered_to[i], address)) {
            return true;
        }
    }
    return false;
}
