/* SPDX-License-Identifier: MIT */
/*
 * Reading queue files, and the two changes that are made to them in place.
 *
 * The file may be damaged or made by an enemy: every length is checked against
 * what is there before it is used, records must fill their sections exactly, and
 * nothing is believed before its sum was right.  Messages are only those that
 * pass all of it.
 */
#include "mail/queue_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "mail/queue_format.h"
#include "sys/file.h"

enum { CONTENT_CHUNK = 256 * 1024 };

struct header {
    uint32_t recipients;
    uint64_t envelope_len, content_len, extracted_len;
    uint64_t record_sum;
};

/* Walks the records of the two sections. */
struct parser {
    unsigned char *bytes;
    size_t len, at;
    size_t envelope_len;
    int64_t envelope_offset, extracted_offset; /* in the file */
};

static enum outcome damaged(struct err *err, const char *what)
{
    return err_perm(err, "5.3.0", "damaged queue file: %s", what);
}

/* Still being written (then its writer holds the lock), or left by a process that died
 * while it wrote: nobody was promised anything about it. */
static enum outcome incomplete(int fd, struct err *err)
{
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return err_perm(err, "5.3.0", "queue file was never completed");
    }
    errno = EAGAIN;
    return err_temp(err, "4.3.0", "queue file is still being written");
}

static enum outcome parse_header(const unsigned char *bytes,
                                 struct queue_message *message, struct header *header,
                                 struct err *err)
{
    if (XXH3_64bits(bytes, QF_AT_HEADER_SUM) != qf_load64(bytes + QF_AT_HEADER_SUM)) {
        return damaged(err, "header sum");
    }
    if (qf_load32(bytes + QF_AT_VERSION) != QF_VERSION ||
        qf_load32(bytes + QF_AT_HEADER_SIZE) != QF_HEADER_SIZE) {
        return damaged(err, "unknown version");
    }
    for (size_t i = QF_AT_RESERVED; i < QF_HEADER_SIZE; i++) {
        if (bytes[i] != 0) {
            return damaged(err, "reserved bytes");
        }
    }
    uint32_t state = qf_load32(bytes + QF_AT_STATE);
    if (state != qf_state_word(state)) {
        return damaged(err, "state word");
    }
    message->state = state & 0xffffU;
    message->flags = qf_load32(bytes + QF_AT_FLAGS);
    message->arrival_time = (int64_t)qf_load64(bytes + QF_AT_ARRIVAL);
    message->create_time = (int64_t)qf_load64(bytes + QF_AT_CREATED);
    message->content_sum = qf_load64(bytes + QF_AT_CONTENT_SUM);
    header->recipients = qf_load32(bytes + QF_AT_RECIPIENTS);
    header->envelope_len = qf_load64(bytes + QF_AT_ENVELOPE_LEN);
    header->content_len = qf_load64(bytes + QF_AT_CONTENT_LEN);
    header->extracted_len = qf_load64(bytes + QF_AT_EXTRACTED_LEN);
    header->record_sum = qf_load64(bytes + QF_AT_RECORD_SUM);
    return OK;
}

/* The three extents must follow each other without gaps and end with the file. */
static enum outcome check_layout(const unsigned char *bytes,
                                 const struct header *header,
                                 struct queue_message *message, int64_t file_size,
                                 struct err *err)
{
    if (header->envelope_len > QF_RECORDS_MAX ||
        header->extracted_len > QF_RECORDS_MAX ||
        header->envelope_len + header->extracted_len > QF_RECORDS_MAX ||
        header->content_len > QF_CONTENT_MAX) {
        return damaged(err, "impossible section length");
    }
    uint64_t content = QF_HEADER_SIZE + header->envelope_len;
    uint64_t extracted = content + header->content_len;
    uint64_t end = extracted + header->extracted_len;
    if (qf_load64(bytes + QF_AT_ENVELOPE) != QF_HEADER_SIZE ||
        qf_load64(bytes + QF_AT_CONTENT) != content ||
        qf_load64(bytes + QF_AT_EXTRACTED) != extracted) {
        return damaged(err, "section offsets");
    }
    if ((uint64_t)file_size > end) {
        return damaged(err, "trailing bytes");
    }
    message->content_offset = (int64_t)content;
    message->content_size = (int64_t)header->content_len;
    message->file_size = (int64_t)end;
    return OK;
}

static void parser_init(struct parser *parser, struct arena *arena,
                        const struct header *header,
                        const struct queue_message *message)
{
    parser->at = 0;
    parser->envelope_len = (size_t)header->envelope_len;
    parser->len = (size_t)(header->envelope_len + header->extracted_len);
    parser->bytes = arena_alloc(arena, parser->len + 1);
    parser->envelope_offset = QF_HEADER_SIZE;
    parser->extracted_offset = message->content_offset + message->content_size;
}

/* What a file is read from: its first bytes, its last records, and, for the rest, the
 * file itself. */
struct source {
    int fd; /* -1: there is no rest */
    const struct queue_file_start *start;
};

/* LEN bytes at OFFSET of the file, to TO; LATE: its last records.  False with errno. */
static bool take_extent(const struct source *source, unsigned char *to, size_t len,
                        int64_t offset, bool late)
{
    const struct queue_file_start *start = source->start;
    if (offset + (int64_t)len <= (int64_t)start->len) {
        memcpy(to, start->bytes + offset, len);
        return true;
    }
    if (late && len == start->tail_len) {
        memcpy(to, start->tail, len);
        return true;
    }
    if (source->fd < 0) {
        errno = ENODATA;
        return false;
    }
    errno = EIO; /* unless the system knows better: the file is shorter than it was */
    return file_pread_all(source->fd, to, len, offset) == (ssize_t)len;
}

/* Both sections, one after the other, in the arena. */
static enum outcome load_records(const struct source *source, struct arena *arena,
                                 const struct header *header,
                                 const struct queue_message *message,
                                 struct parser *parser, struct err *err)
{
    parser_init(parser, arena, header, message);
    const size_t late = (size_t)header->extracted_len;
    if (!take_extent(source, parser->bytes, parser->envelope_len, QF_HEADER_SIZE,
                     false) ||
        !take_extent(source, parser->bytes + parser->envelope_len, late,
                     parser->extracted_offset, true)) {
        errno =
            errno == EAGAIN ? EIO : errno; /* EAGAIN is our word for "not complete" */
        return err_temp(err, "4.3.0", "read queue file: %m");
    }
    return OK;
}

static bool take_length(const unsigned char *field, size_t *left, size_t *out)
{
    *out = qf_load32(field);
    if (*out > *left) {
        return false;
    }
    *left -= *out;
    return true;
}

static bool parse_recipient(const unsigned char *payload, size_t len,
                            struct queue_recipient *recipient)
{
    if (len < QF_RECIPIENT_FIXED || payload[1] != 0 || payload[2] != 0 ||
        payload[3] != 0) {
        return false;
    }
    size_t left = len - QF_RECIPIENT_FIXED;
    size_t address, original, orcpt;
    if (!take_length(payload + 4, &left, &address) ||
        !take_length(payload + 8, &left, &original) ||
        !take_length(payload + 12, &left, &orcpt) || left != 0) {
        return false;
    }
    const char *text = (const char *)payload + QF_RECIPIENT_FIXED;
    recipient->dsn_notify = payload[0];
    recipient->address = view_of(text, address);
    recipient->original = view_of(text + address, original);
    recipient->dsn_orcpt = view_of(text + address + original, orcpt);
    return true;
}

static bool parse_attribute(const unsigned char *payload, size_t len,
                            struct queue_attribute *attribute)
{
    if (len < QF_ATTRIBUTE_FIXED) {
        return false;
    }
    size_t left = len - QF_ATTRIBUTE_FIXED, name;
    if (!take_length(payload, &left, &name)) {
        return false;
    }
    const char *text = (const char *)payload + QF_ATTRIBUTE_FIXED;
    attribute->name = view_of(text, name);
    attribute->value = view_of(text + name, left);
    return true;
}

static bool parse_payload(struct queue_record *record, const unsigned char *payload,
                          size_t len)
{
    switch (record->type) {
    case QUEUE_RECORD_SENDER:
    case QUEUE_RECORD_FULLNAME:
        record->text = view_of((const char *)payload, len);
        return true;
    case QUEUE_RECORD_RECIPIENT:
        return parse_recipient(payload, len, &record->recipient);
    case QUEUE_RECORD_ATTRIBUTE:
        return parse_attribute(payload, len, &record->attribute);
    default:
        return false;
    }
}

/*
 * The next record.  A recipient's state byte is taken out of the loaded copy, so
 * that afterwards the sum can be computed over the copy as it stands.  RECORD may
 * be NULL (counting).
 */
static bool parse_record(struct parser *parser, struct queue_record *record)
{
    bool late = parser->at >= parser->envelope_len;
    size_t end = late ? parser->len : parser->envelope_len;
    size_t left = end - parser->at;
    unsigned char *bytes = parser->bytes + parser->at;
    if (left < QF_RECORD_HEADER_SIZE || bytes[2] != 0 || bytes[3] != 0 ||
        qf_load32(bytes + 4) > left - QF_RECORD_HEADER_SIZE) {
        return false;
    }
    size_t len = qf_load32(bytes + 4);
    size_t at = parser->at;
    parser->at += QF_RECORD_HEADER_SIZE + len;
    if (record == NULL) {
        return true;
    }
    *record = (struct queue_record){.type = (enum queue_record_type)bytes[0],
                                    .after_content = late};
    uint8_t state = bytes[1];
    if (record->type != QUEUE_RECORD_RECIPIENT) {
        return state == 0 && parse_payload(record, bytes + QF_RECORD_HEADER_SIZE, len);
    }
    record->recipient.state = state;
    record->recipient.state_offset =
        late ? parser->extracted_offset + (int64_t)(at - parser->envelope_len) + 1
             : parser->envelope_offset + (int64_t)at + 1;
    bytes[1] = 0;
    return (state == RECIPIENT_PENDING || state == RECIPIENT_DONE) &&
           parse_payload(record, bytes + QF_RECORD_HEADER_SIZE, len);
}

/* Where the record after the one at AT starts does not depend on its content, so
 * counting is a cheap first walk; it also keeps the array from being larger than the
 * file justifies. */
static bool count_records(struct parser parser, size_t *count_out)
{
    *count_out = 0;
    while (parser.at < parser.len) {
        if (!parse_record(&parser, NULL)) {
            return false;
        }
        (*count_out)++;
    }
    return true;
}

static void note_record(struct queue_message *message,
                        const struct queue_record *record)
{
    if (record->type == QUEUE_RECORD_RECIPIENT) {
        message->recipient_count++;
        message->recipients_pending += record->recipient.state == RECIPIENT_PENDING;
    } else if (record->type == QUEUE_RECORD_SENDER) {
        message->sender = record->text;
    } else if (record->type == QUEUE_RECORD_FULLNAME) {
        message->fullname = record->text;
    }
}

static enum outcome parse_records(struct parser *parser, struct arena *arena,
                                  const struct header *header,
                                  struct queue_message *message, struct err *err)
{
    size_t count;
    if (!count_records(*parser, &count)) {
        return damaged(err, "record structure");
    }
    message->records = arena_alloc(arena, (count + 1) * sizeof(*message->records));
    message->record_count = count;
    size_t senders = 0;
    for (size_t i = 0; i < count; i++) {
        struct queue_record *record = &message->records[i];
        if (!parse_record(parser, record)) {
            return damaged(err, "record");
        }
        note_record(message, record);
        senders += record->type == QUEUE_RECORD_SENDER;
    }
    CHECK(parser->at == parser->len);
    if (XXH3_64bits(parser->bytes, parser->len) != header->record_sum) {
        return damaged(err, "envelope sum");
    }
    if (senders != 1 || message->recipient_count != header->recipients) {
        return damaged(err, "sender or recipient count");
    }
    return OK;
}

static bool all_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* OK when the header is there; anything else is no message, or none yet. */
static enum outcome check_start(int fd, const struct queue_file_start *start,
                                struct err *err)
{
    if (!start->regular) {
        return damaged(err, "not a regular file");
    }
    if (start->error != 0) {
        errno = start->error;
        return err_temp(err, "4.3.0", "read queue file: %m");
    }
    size_t got = start->len < QF_HEADER_SIZE ? start->len : QF_HEADER_SIZE;
    if (all_zero(start->bytes, got)) {
        return incomplete(fd, err);
    }
    size_t known = got < QF_MAGIC_SIZE ? got : QF_MAGIC_SIZE;
    if (memcmp(start->bytes, QF_MAGIC, known) != 0) {
        return damaged(err, "not a queue file");
    }
    return got < QF_HEADER_SIZE ? incomplete(fd, err) : OK;
}

enum outcome queue_file_parse(int fd, const struct queue_file_start *start,
                              struct arena *arena, struct queue_message *message,
                              struct err *err)
{
    struct header header = {0};
    struct parser parser = {0};
    struct source source = {.fd = fd, .start = start};
    *message = (struct queue_message){0};
    enum outcome outcome = check_start(fd, start, err);
    if (outcome == OK) {
        outcome = parse_header(start->bytes, message, &header, err);
    }
    if (outcome == OK) {
        outcome = check_layout(start->bytes, &header, message, start->size, err);
    }
    if (outcome == OK && start->size < message->file_size) {
        outcome = incomplete(fd, err);
    }
    if (outcome == OK) {
        outcome = load_records(&source, arena, &header, message, &parser, err);
    }
    return outcome != OK ? outcome
                         : parse_records(&parser, arena, &header, message, err);
}

enum outcome queue_file_read(int fd, struct arena *arena, struct queue_message *message,
                             struct err *err)
{
    CHECK(fd >= 0);
    struct queue_file_start start;
    queue_file_read_start(fd, &start);
    return queue_file_parse(fd, &start, arena, message, err);
}

static void copy_bytes(unsigned char *to, struct view from)
{
    if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
}

enum outcome queue_envelope_parse(struct view head, struct view tail,
                                  struct arena *arena, struct queue_message *message,
                                  struct err *err)
{
    struct header header = {0};
    struct parser parser;
    unsigned char bytes[QF_HEADER_SIZE];
    *message = (struct queue_message){0};
    if (head.len < sizeof(bytes) || memcmp(head.ptr, QF_MAGIC, QF_MAGIC_SIZE) != 0) {
        return damaged(err, "not a queue file");
    }
    memcpy(bytes, head.ptr, sizeof(bytes));
    enum outcome outcome = parse_header(bytes, message, &header, err);
    if (outcome == OK) {
        /* As large as it says: nobody has looked at the file. */
        outcome = check_layout(bytes, &header, message, 0, err);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct view envelope = view_from(head, sizeof(bytes));
    if (envelope.len != header.envelope_len || tail.len != header.extracted_len) {
        return damaged(err, "envelope is cut off");
    }
    parser_init(&parser, arena, &header, message);
    copy_bytes(parser.bytes, envelope);
    copy_bytes(parser.bytes + envelope.len, tail);
    return parse_records(&parser, arena, &header, message, err);
}

struct view queue_message_attribute(const struct queue_message *message,
                                    const char *name)
{
    for (size_t i = 0; i < message->record_count; i++) {
        const struct queue_record *record = &message->records[i];
        if (record->type == QUEUE_RECORD_ATTRIBUTE &&
            view_equal_cstr(record->attribute.name, name)) {
            return record->attribute.value;
        }
    }
    return VIEW("");
}

enum outcome queue_file_verify_content(int fd, const struct queue_message *message,
                                       struct err *err)
{
    XXH3_state_t *sum = XXH3_createState();
    CHECK(sum != NULL && XXH3_64bits_reset(sum) == XXH_OK);
    size_t capacity = message->content_size < CONTENT_CHUNK
                          ? (size_t)message->content_size
                          : CONTENT_CHUNK;
    char *chunk = xmalloc(capacity + 1);
    enum outcome outcome = OK;
    for (int64_t done = 0; done < message->content_size && outcome == OK;) {
        int64_t left = message->content_size - done;
        size_t want = left < (int64_t)capacity ? (size_t)left : capacity;
        ssize_t got = file_pread_all(fd, chunk, want, message->content_offset + done);
        if (got != (ssize_t)want) {
            outcome = got < 0 ? err_temp(err, "4.3.0", "read queue file: %m")
                              : damaged(err, "content is cut off");
            break;
        }
        (void)XXH3_64bits_update(sum, chunk, want); /* fails for NULL only */
        done += got;
    }
    if (outcome == OK && XXH3_64bits_digest(sum) != message->content_sum) {
        outcome = damaged(err, "content sum");
    }
    free(chunk);
    (void)XXH3_freeState(sum);
    return outcome;
}

bool queue_content_matches(struct view content, uint64_t sum)
{
    return XXH3_64bits(content.len > 0 ? content.ptr : "", content.len) == sum;
}

bool queue_file_mark_done(int fd, int64_t state_offset)
{
    CHECK(state_offset > QF_HEADER_SIZE);
    const unsigned char done = RECIPIENT_DONE;
    return file_pwrite_all(fd, &done, 1, state_offset);
}

bool queue_file_set_state(int fd, unsigned state)
{
    CHECK(state <= 0xffffU);
    unsigned char word[4];
    qf_store32(word, qf_state_word(state));
    return file_pwrite_all(fd, word, sizeof(word), QF_AT_STATE);
}

bool queue_file_get_state(int fd, unsigned *state_out)
{
    unsigned char bytes[QF_HEADER_SIZE];
    if (file_pread_all(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes) ||
        memcmp(bytes, QF_MAGIC, QF_MAGIC_SIZE) != 0) {
        return false;
    }
    uint32_t word = qf_load32(bytes + QF_AT_STATE);
    *state_out = word & 0xffffU;
    return word == qf_state_word(word);
}
