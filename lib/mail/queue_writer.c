/* SPDX-License-Identifier: MIT */
/*
 * Writing queue files.  What is built is a byte buffer that begins with room for
 * the header.  A message that fits the buffer reaches the disk in one write; a
 * larger one is written as it comes, behind a header of zeros, and its header is
 * written last.  So a file without its header is known to be unfinished.
 *
 * Errors of the disk are kept until the commit: callers have one place to look.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/queue_file.h"
#include "mail/queue_format.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"

enum {
    MEMORY_LIMIT = 256 * 1024 /* buffered bytes; above it the message is streamed */
};

enum section { SECTION_ENVELOPE, SECTION_CONTENT, SECTION_EXTRACTED };

struct queue_writer {
    int fd;
    int errno_sticky; /* first failed write */
    bool too_large;   /* records beyond what a reader accepts */
    bool committed;
    bool streamed; /* the buffer does not hold the whole file */
    enum section section;
    unsigned flags;
    int64_t arrival_time;
    uint64_t envelope_len, content_len, extracted_len;
    uint64_t recipients;
    bool has_sender;
    struct str buffer;        /* not written yet; starts at file offset flushed */
    int64_t flushed;          /* bytes on disk, header included */
    XXH3_state_t *record_sum; /* of the records so far */
    XXH3_state_t *content_sum;
};

struct queue_writer *queue_writer_new(int fd, int64_t arrival_time)
{
    CHECK(fd >= 0);
    struct queue_writer *writer = xcalloc(1, sizeof(*writer));
    writer->fd = fd;
    writer->arrival_time = arrival_time;
    writer->record_sum = XXH3_createState();
    writer->content_sum = XXH3_createState();
    CHECK(writer->record_sum != NULL && writer->content_sum != NULL);
    (void)XXH3_64bits_reset(writer->record_sum); /* fails for NULL only */
    (void)XXH3_64bits_reset(writer->content_sum);
    static const char zeros[QF_HEADER_SIZE];
    str_add(&writer->buffer, view_of(zeros, sizeof(zeros)));
    return writer;
}

void queue_writer_free(struct queue_writer **writer)
{
    struct queue_writer *w = *writer;
    if (w == NULL) {
        return;
    }
    *writer = NULL;
    fd_close(&w->fd);
    str_done(&w->buffer);
    (void)XXH3_freeState(w->record_sum);
    (void)XXH3_freeState(w->content_sum);
    free(w);
}

static void put(struct queue_writer *writer, const void *data, size_t len)
{
    if (writer->errno_sticky == 0 &&
        !file_pwrite_all(writer->fd, data, len, writer->flushed)) {
        writer->errno_sticky = errno;
    }
    writer->flushed += (int64_t)len;
}

static void write_out(struct queue_writer *writer)
{
    put(writer, str_ptr(&writer->buffer), writer->buffer.len);
    str_clear(&writer->buffer);
    writer->streamed = true;
}

static void add_bytes(struct queue_writer *writer, const void *data, size_t len)
{
    if (len > MEMORY_LIMIT) { /* not worth a copy */
        write_out(writer);
        put(writer, data, len);
        return;
    }
    str_add(&writer->buffer, view_of(data, len));
    if (writer->buffer.len > MEMORY_LIMIT) {
        write_out(writer);
    }
}

void queue_writer_set_flags(struct queue_writer *writer, unsigned flags)
{
    writer->flags |= flags;
}

/* Begin a record: its header and the fixed part of its payload, LEN bytes of payload in
 * all. */
static void start_record(struct queue_writer *writer, enum queue_record_type type,
                         const unsigned char *fixed, size_t fixed_len, size_t len)
{
    CHECK(!writer->committed);
    CHECK(fixed_len <= QF_RECIPIENT_FIXED && fixed_len <= len);
    if (writer->section == SECTION_CONTENT) {
        writer->section = SECTION_EXTRACTED;
    }
    uint64_t *section = writer->section == SECTION_ENVELOPE ? &writer->envelope_len
                                                            : &writer->extracted_len;
    *section += QF_RECORD_HEADER_SIZE + len;
    if (writer->envelope_len + writer->extracted_len > QF_RECORDS_MAX) {
        writer->too_large = true;
    }
    unsigned char bytes[QF_RECORD_HEADER_SIZE + QF_RECIPIENT_FIXED] = {
        (unsigned char)type};
    qf_store32(bytes + 4, (uint32_t)len);
    if (fixed_len > 0) {
        memcpy(bytes + QF_RECORD_HEADER_SIZE, fixed, fixed_len);
    }
    (void)XXH3_64bits_update(writer->record_sum, bytes,
                             QF_RECORD_HEADER_SIZE + fixed_len);
    add_bytes(writer, bytes, QF_RECORD_HEADER_SIZE + fixed_len);
}

static void continue_record(struct queue_writer *writer, struct view text)
{
    if (text.len > 0) {
        (void)XXH3_64bits_update(writer->record_sum, text.ptr, text.len);
        add_bytes(writer, text.ptr, text.len);
    }
}

void queue_writer_sender(struct queue_writer *writer, struct view sender)
{
    CHECK(!writer->has_sender);
    writer->has_sender = true;
    start_record(writer, QUEUE_RECORD_SENDER, NULL, 0, sender.len);
    continue_record(writer, sender);
}

void queue_writer_fullname(struct queue_writer *writer, struct view name)
{
    start_record(writer, QUEUE_RECORD_FULLNAME, NULL, 0, name.len);
    continue_record(writer, name);
}

void queue_writer_attribute(struct queue_writer *writer, const char *name,
                            struct view value)
{
    struct view key = view_cstr(name);
    unsigned char fixed[QF_ATTRIBUTE_FIXED];
    qf_store32(fixed, (uint32_t)key.len);
    start_record(writer, QUEUE_RECORD_ATTRIBUTE, fixed, sizeof(fixed),
                 sizeof(fixed) + key.len + value.len);
    continue_record(writer, key);
    continue_record(writer, value);
}

void queue_writer_recipient(struct queue_writer *writer,
                            const struct queue_recipient *recipient)
{
    unsigned char fixed[QF_RECIPIENT_FIXED] = {recipient->dsn_notify};
    qf_store32(fixed + 4, (uint32_t)recipient->address.len);
    qf_store32(fixed + 8, (uint32_t)recipient->original.len);
    qf_store32(fixed + 12, (uint32_t)recipient->dsn_orcpt.len);
    start_record(writer, QUEUE_RECORD_RECIPIENT, fixed, sizeof(fixed),
                 sizeof(fixed) + recipient->address.len + recipient->original.len +
                     recipient->dsn_orcpt.len);
    continue_record(writer, recipient->address);
    continue_record(writer, recipient->original);
    continue_record(writer, recipient->dsn_orcpt);
    writer->recipients++;
}

void queue_writer_content(struct queue_writer *writer, struct view data)
{
    CHECK(!writer->committed && writer->section != SECTION_EXTRACTED);
    writer->section = SECTION_CONTENT;
    if (data.len == 0) {
        return;
    }
    (void)XXH3_64bits_update(writer->content_sum, data.ptr, data.len);
    writer->content_len += data.len;
    add_bytes(writer, data.ptr, data.len);
}

int64_t queue_writer_content_size(const struct queue_writer *writer)
{
    return (int64_t)writer->content_len;
}

int64_t queue_writer_size(const struct queue_writer *writer)
{
    return writer->flushed + (int64_t)writer->buffer.len;
}

size_t queue_writer_recipients(const struct queue_writer *writer)
{
    return (size_t)writer->recipients;
}

static void fill_header(const struct queue_writer *writer, unsigned char *bytes)
{
    uint64_t content = QF_HEADER_SIZE + writer->envelope_len;
    memcpy(bytes, QF_MAGIC, QF_MAGIC_SIZE);
    qf_store32(bytes + QF_AT_VERSION, QF_VERSION);
    qf_store32(bytes + QF_AT_HEADER_SIZE, QF_HEADER_SIZE);
    qf_store32(bytes + QF_AT_FLAGS, writer->flags);
    qf_store32(bytes + QF_AT_RECIPIENTS, (uint32_t)writer->recipients);
    qf_store64(bytes + QF_AT_ARRIVAL, (uint64_t)writer->arrival_time);
    qf_store64(bytes + QF_AT_CREATED, (uint64_t)clock_wall());
    qf_store64(bytes + QF_AT_ENVELOPE, QF_HEADER_SIZE);
    qf_store64(bytes + QF_AT_ENVELOPE_LEN, writer->envelope_len);
    qf_store64(bytes + QF_AT_CONTENT, content);
    qf_store64(bytes + QF_AT_CONTENT_LEN, writer->content_len);
    qf_store64(bytes + QF_AT_EXTRACTED, content + writer->content_len);
    qf_store64(bytes + QF_AT_EXTRACTED_LEN, writer->extracted_len);
    qf_store64(bytes + QF_AT_RECORD_SUM, XXH3_64bits_digest(writer->record_sum));
    qf_store64(bytes + QF_AT_CONTENT_SUM, XXH3_64bits_digest(writer->content_sum));
    qf_store64(bytes + QF_AT_HEADER_SUM, XXH3_64bits(bytes, QF_AT_HEADER_SUM));
    qf_store32(bytes + QF_AT_STATE, qf_state_word(0));
}

/* One write with the header in place, or the rest and then the header. */
static void write_header(struct queue_writer *writer)
{
    unsigned char header[QF_HEADER_SIZE] = {0};
    fill_header(writer, header);
    if (!writer->streamed) {
        memcpy(writer->buffer.ptr, header, sizeof(header));
        put(writer, writer->buffer.ptr, writer->buffer.len);
        return;
    }
    write_out(writer);
    if (writer->errno_sticky == 0 &&
        !file_pwrite_all(writer->fd, header, sizeof(header), 0)) {
        writer->errno_sticky = errno;
    }
}

enum outcome queue_writer_complete(struct queue_writer *writer, struct err *err)
{
    CHECK(!writer->committed && writer->has_sender);
    writer->committed = true;
    if (writer->too_large || writer->recipients > UINT32_MAX ||
        writer->content_len > QF_CONTENT_MAX) {
        return err_perm(err, "5.3.4", "queue file too large");
    }
    write_header(writer);
    if (writer->errno_sticky != 0) {
        errno = writer->errno_sticky;
        return err_temp(err, "4.3.0", "write queue file: %m");
    }
    return OK;
}

int queue_writer_fd(const struct queue_writer *writer)
{
    return writer->fd;
}

enum outcome queue_writer_commit(struct queue_writer *writer, bool sync,
                                 struct err *err)
{
    if (!writer->committed) {
        enum outcome outcome = queue_writer_complete(writer, err);
        if (outcome != OK) {
            return outcome;
        }
    }
    if (sync && !task_fsync(writer->fd)) {
        return err_temp(err, "4.3.0", "sync queue file: %m");
    }
    /* The lock that says "still being written" (queue_create) must go before anybody is
     * told of the message. */
    fd_close(&writer->fd);
    return OK;
}

bool queue_writer_envelope(const struct queue_writer *writer, struct view *head_out,
                           struct view *tail_out)
{
    CHECK(writer->committed);
    if (writer->streamed) {
        return false;
    }
    struct view all = str_view(&writer->buffer);
    size_t head = QF_HEADER_SIZE + (size_t)writer->envelope_len;
    *head_out = view_first(all, head);
    *tail_out = view_from(all, head + (size_t)writer->content_len);
    return true;
}
