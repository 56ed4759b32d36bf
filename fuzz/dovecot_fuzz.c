/* SPDX-License-Identifier: MIT */
/* What a server may say that takes itself for Dovecot: a handshake, then answers. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "smtpd/auth/dovecot_wire.h"

static void check_reply(struct view line)
{
    struct arena arena = {0};
    struct auth_step step;
    if (dovecot_reply_parse(line, 1, &arena, &step)) {
        CHECK(step.result != AUTH_MORE || dovecot_is_base64(step.text));
        CHECK(step.result != AUTH_DONE || step.user.len > 0);
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dovecot_hello hello = {0};
    struct dovecot_mechanisms found = {0};
    STR_AUTO struct str list = {0};
    STR_AUTO struct str escaped = {0};
    struct view rest = view_of((const char *)data, size);
    while (rest.len > 0) {
        struct view line = view_first(rest, view_index(rest, '\n'));
        rest = view_from(rest, line.len + 1);
        if (!hello.complete && hello.error == NULL) {
            dovecot_hello_take(&hello, &found, line);
        }
        check_reply(line);
    }
    CHECK(found.count <= DOVECOT_MECHANISMS_MAX);
    dovecot_mechanisms_list(&found, AUTH_NO_ANONYMOUS, &list);
    dovecot_add_escaped(&escaped, view_of((const char *)data, size));
    CHECK(view_index(str_view(&escaped), '\t') == escaped.len &&
          view_index(str_view(&escaped), '\n') == escaped.len);
    return 0;
}
