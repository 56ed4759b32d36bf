/* SPDX-License-Identifier: MIT */
/*
 * Reading the frames of a submission.  The sender may be hostile (postdrop is
 * called by every user of the machine), so nothing that could not be written into
 * a queue file or into a line of the log passes: no NUL and no line break in the
 * envelope, attribute names of letters, digits and '_' only.
 */
#include "rpc/submit_server.h"

#include <errno.h>

#include "base/ascii.h"
#include "base/check.h"
#include "net/frame.h"

static bool is_clean(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || text.ptr[i] == '\n' || text.ptr[i] == '\r') {
            return false;
        }
    }
    return true;
}

/* Longer than any attribute name of ours. */
enum { NAME_MAX_LEN = 63 };

static bool is_name(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_alnum(text.ptr[i]) && text.ptr[i] != '_') {
            return false;
        }
    }
    return text.len > 0 && text.len <= NAME_MAX_LEN;
}

static bool get_attribute(struct frame_reader *reader,
                          struct queue_attribute *attribute)
{
    attribute->name = frame_get_view(reader);
    attribute->value = frame_get_view(reader);
    return is_name(attribute->name) && is_clean(attribute->value);
}

static bool get_recipient(struct frame_reader *reader,
                          struct queue_recipient *recipient)
{
    recipient->address = frame_get_view(reader);
    recipient->original = frame_get_view(reader);
    recipient->dsn_orcpt = frame_get_view(reader);
    recipient->dsn_notify = frame_get_u8(reader);
    return is_clean(recipient->address) && is_clean(recipient->original) &&
           is_clean(recipient->dsn_orcpt);
}

bool submit_record_parse(uint8_t kind, struct view fields,
                         struct submit_record *record_out)
{
    struct frame_reader reader;
    bool sane = true;
    frame_reader_init(&reader, fields);
    *record_out = (struct submit_record){.kind = (enum submit_frame)kind};
    switch (kind) {
    case SUBMIT_FRAME_OPEN:
    case SUBMIT_FRAME_ARRIVAL:
    case SUBMIT_FRAME_FILE_FLAGS:
        record_out->number = frame_get_u64(&reader);
        break;
    case SUBMIT_FRAME_ATTRIBUTE:
        sane = get_attribute(&reader, &record_out->attribute);
        break;
    case SUBMIT_FRAME_SENDER:
    case SUBMIT_FRAME_FULLNAME:
        record_out->text = frame_get_view(&reader);
        sane = is_clean(record_out->text);
        break;
    case SUBMIT_FRAME_RECIPIENT:
        sane = get_recipient(&reader, &record_out->recipient);
        break;
    case SUBMIT_FRAME_CONTENT:
        record_out->text = frame_get_view(&reader);
        break;
    case SUBMIT_FRAME_FINISH:
    case SUBMIT_FRAME_ABORT:
    case SUBMIT_FRAME_HOLD:
        break;
    default:
        return false;
    }
    return sane && frame_reader_ok(&reader);
}

bool submit_receive(struct stream *client, struct submit_record *record_out)
{
    struct frame_reader reader;
    uint8_t kind;
    if (!frame_receive(client, &kind, &reader)) {
        return false;
    }
    if (!submit_record_parse(kind, reader.rest, record_out)) {
        stream_fail(client, EPROTO);
        return false;
    }
    return true;
}

bool submit_send_opened(struct stream *client, bool ok, struct view id_or_text)
{
    STR_AUTO struct str frame = {0};
    frame_begin(&frame, SUBMIT_FRAME_OPENED);
    frame_put_u8(&frame, ok ? 1 : 0);
    frame_put_view(&frame, id_or_text);
    return frame_send_now(client, &frame);
}

static bool put_result(struct stream *client, const struct submit_result *result)
{
    STR_AUTO struct str frame = {0};
    CHECK(result->status < SUBMIT_LOST);
    frame_begin(&frame, SUBMIT_FRAME_RESULT);
    frame_put_u8(&frame, (uint8_t)result->status);
    frame_put_cstr(&frame, result->dsn);
    frame_put_cstr(&frame, result->text);
    frame_put_u64(&frame, (uint64_t)result->size);
    return frame_send(client, &frame);
}

bool submit_send_result(struct stream *client, const struct submit_result *result)
{
    return put_result(client, result) && stream_flush(client);
}

bool submit_send_result_and_opened(struct stream *client,
                                   const struct submit_result *result, bool ok,
                                   struct view id_or_text)
{
    return put_result(client, result) && submit_send_opened(client, ok, id_or_text);
}

static void write_attribute(const struct queue_attribute *attribute,
                            struct queue_writer *writer)
{
    char name[NAME_MAX_LEN + 1] = {0};
    CHECK(attribute->name.len <= NAME_MAX_LEN);
    memcpy(name, attribute->name.ptr, attribute->name.len);
    queue_writer_attribute(writer, name, attribute->value);
}

void submit_record_write(const struct submit_record *record,
                         struct queue_writer *writer)
{
    switch ((int)record->kind) {
    case SUBMIT_FRAME_ATTRIBUTE:
        write_attribute(&record->attribute, writer);
        break;
    case SUBMIT_FRAME_SENDER:
        queue_writer_sender(writer, record->text);
        break;
    case SUBMIT_FRAME_FULLNAME:
        queue_writer_fullname(writer, record->text);
        break;
    case SUBMIT_FRAME_RECIPIENT:
        queue_writer_recipient(writer, &record->recipient);
        break;
    case SUBMIT_FRAME_CONTENT:
        queue_writer_content(writer, record->text);
        break;
    default:
        CHECK(record->kind ==
              SUBMIT_FRAME_CONTENT); /* others are no part of a message */
    }
}
