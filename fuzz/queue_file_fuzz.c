/* SPDX-License-Identifier: MIT */
/*
 * Queue files: as they come, and with sums that are right, because random bytes
 * never get past those.  For the second reading the first byte of the input says
 * how much of the rest is envelope and how much comes after the content.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "mail/queue_file.h"
#include "mail/queue_format.h"
#include "sys/file.h"

static void touch_view(struct view v)
{
    unsigned sum = 0;
    for (size_t i = 0; i < v.len; i++) {
        sum += (unsigned char)v.ptr[i];
    }
    CHECK(sum <= 255 * v.len);
}

static void read_file(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    CHECK(fd >= 0 && file_write_all(fd, bytes, len));
    struct arena arena = {0};
    struct queue_message message;
    struct err err;
    if (queue_file_read(fd, &arena, &message, &err) == OK) {
        CHECK((size_t)message.file_size == len);
        for (size_t i = 0; i < message.record_count; i++) {
            const struct queue_record *record = &message.records[i];
            touch_view(record->text);
            touch_view(record->attribute.name);
            touch_view(record->attribute.value);
            touch_view(record->recipient.address);
            touch_view(record->recipient.original);
            touch_view(record->recipient.dsn_orcpt);
            CHECK((size_t)record->recipient.state_offset < len);
        }
        if (queue_file_verify_content(fd, &message, &err) != OK) {
            CHECK(err.outcome == PERMFAIL);
        }
    }
    /* What is understood without the file must be the same. */
    struct queue_file_start start;
    struct queue_message again;
    queue_file_read_start(fd, &start);
    if (queue_file_parse(-1, &start, &arena, &again, &err) == OK) {
        CHECK(again.record_count == message.record_count &&
              again.recipients_pending == message.recipients_pending &&
              again.file_size == message.file_size);
    }
    arena_clear(&arena);
    fd_close(&fd);
}

/* Adds the records of one section to SUM as the reader will: without recipient states.
 */
static uint32_t sum_section(XXH3_state_t *sum, const uint8_t *bytes, size_t len)
{
    uint32_t recipients = 0;
    uint8_t *copy = xmalloc(len + 1);
    memcpy(copy, bytes, len);
    for (size_t at = 0; len - at >= QF_RECORD_HEADER_SIZE;) {
        size_t payload = qf_load32(copy + at + 4);
        if (copy[at] == QUEUE_RECORD_RECIPIENT) {
            copy[at + 1] = 0;
            recipients++;
        }
        if (payload > len - at - QF_RECORD_HEADER_SIZE) {
            break;
        }
        at += QF_RECORD_HEADER_SIZE + payload;
    }
    (void)XXH3_64bits_update(sum, copy, len);
    free(copy);
    return recipients;
}

static void read_repaired(const uint8_t *data, size_t size)
{
    size_t body = size - 1;
    size_t envelope = body * (data[0] >> 4) / 15;
    size_t late = (body - envelope) * (data[0] & 15) / 15;
    size_t content = body - envelope - late;
    uint8_t *file = xcalloc(1, QF_HEADER_SIZE + body);
    memcpy(file + QF_HEADER_SIZE, data + 1, body);
    XXH3_state_t *sum = XXH3_createState();
    CHECK(sum != NULL && XXH3_64bits_reset(sum) == XXH_OK);
    uint32_t recipients = sum_section(sum, file + QF_HEADER_SIZE, envelope);
    recipients += sum_section(sum, file + QF_HEADER_SIZE + envelope + content, late);
    memcpy(file, QF_MAGIC, QF_MAGIC_SIZE);
    qf_store32(file + QF_AT_VERSION, QF_VERSION);
    qf_store32(file + QF_AT_HEADER_SIZE, QF_HEADER_SIZE);
    qf_store32(file + QF_AT_RECIPIENTS, recipients);
    qf_store64(file + QF_AT_ENVELOPE, QF_HEADER_SIZE);
    qf_store64(file + QF_AT_ENVELOPE_LEN, envelope);
    qf_store64(file + QF_AT_CONTENT, QF_HEADER_SIZE + envelope);
    qf_store64(file + QF_AT_CONTENT_LEN, content);
    qf_store64(file + QF_AT_EXTRACTED, QF_HEADER_SIZE + envelope + content);
    qf_store64(file + QF_AT_EXTRACTED_LEN, late);
    qf_store64(file + QF_AT_RECORD_SUM, XXH3_64bits_digest(sum));
    qf_store64(file + QF_AT_HEADER_SUM, XXH3_64bits(file, QF_AT_HEADER_SUM));
    qf_store32(file + QF_AT_STATE, qf_state_word(0));
    read_file(file, QF_HEADER_SIZE + body);
    (void)XXH3_freeState(sum);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_file(data, size);
    if (size > 0) {
        read_repaired(data, size);
    }
    return 0;
}
