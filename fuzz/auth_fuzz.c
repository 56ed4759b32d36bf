/* SPDX-License-Identifier: MIT */
/*
 * Both directions of the auth worker's socket: the first byte is the kind of a frame,
 * the rest its fields.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "rpc/auth.h"

static size_t total; /* so that nothing is optimized away */

static void touch(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        total += (unsigned char)text.ptr[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct auth_request request;
    struct auth_step step;
    struct view bad;
    unsigned set;
    if (size == 0) {
        return 0;
    }
    struct view fields = view_of((const char *)data + 1, size - 1);
    if (auth_request_parse(data[0], fields, &request)) {
        CHECK(request.kind == AUTH_FRAME_BEGIN || request.kind == AUTH_FRAME_RESPONSE ||
              request.kind == AUTH_FRAME_MECHANISMS);
        touch(request.settings.remote);
        touch(request.mechanism);
        touch(request.initial);
        touch(request.response);
    }
    if (auth_step_parse(fields, &arena, &step)) {
        touch(step.user);
        for (size_t i = 0; i < step.note_count; i++) {
            touch(step.notes[i].text);
        }
    }
    (void)auth_security_parse(fields, &set, &bad);
    arena_clear(&arena);
    return 0;
}
