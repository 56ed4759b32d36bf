/* SPDX-License-Identifier: MIT */
/*
 * What a client, or a user by way of postdrop, may send: the first byte is the
 * kind of a frame, the rest its fields.  A record that passes is fit for a queue file.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "rpc/submit_server.h"

static void check_clean(struct view text)
{
    CHECK(view_index(text, '\n') == text.len && view_index(text, '\0') == text.len &&
          view_index(text, '\r') == text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct submit_record record;
    if (size == 0) {
        return 0;
    }
    struct view fields = view_of((const char *)data + 1, size - 1);
    if (!submit_record_parse(data[0], fields, &record)) {
        return 0;
    }
    switch ((int)record.kind) {
    case SUBMIT_FRAME_ATTRIBUTE:
        CHECK(record.attribute.name.len > 0);
        check_clean(record.attribute.name);
        check_clean(record.attribute.value);
        break;
    case SUBMIT_FRAME_RECIPIENT:
        check_clean(record.recipient.address);
        check_clean(record.recipient.original);
        check_clean(record.recipient.dsn_orcpt);
        break;
    case SUBMIT_FRAME_SENDER:
    case SUBMIT_FRAME_FULLNAME:
        check_clean(record.text);
        break;
    default:
        break;
    }
    return 0;
}
