/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a queue file, shared by reader and writer (docs/queue-file.md).
 * All integers are little-endian and unsigned.  Private to lib/mail.
 */
#ifndef MAIL_QUEUE_FORMAT_H
#define MAIL_QUEUE_FORMAT_H

#include <stdint.h>

enum {
    QF_MAGIC_SIZE = 8,
    QF_VERSION = 1,
    QF_HEADER_SIZE = 128,
    QF_RECORD_HEADER_SIZE = 8,
    QF_RECIPIENT_FIXED = 16, /* notify, 3 zero bytes, three lengths */
    QF_ATTRIBUTE_FIXED = 4   /* length of the name */
};

#define QF_MAGIC "PSTNQF1\n"

/* Offsets of the header's fields. */
enum {
    QF_AT_MAGIC = 0,
    QF_AT_VERSION = 8,
    QF_AT_HEADER_SIZE = 12,
    QF_AT_FLAGS = 16,
    QF_AT_RECIPIENTS = 20,
    QF_AT_ARRIVAL = 24,
    QF_AT_CREATED = 32,
    QF_AT_ENVELOPE = 40,
    QF_AT_ENVELOPE_LEN = 48,
    QF_AT_CONTENT = 56,
    QF_AT_CONTENT_LEN = 64,
    QF_AT_EXTRACTED = 72,
    QF_AT_EXTRACTED_LEN = 80,
    QF_AT_RECORD_SUM = 88,
    QF_AT_CONTENT_SUM = 96,
    QF_AT_HEADER_SUM = 104, /* of everything before it */
    QF_AT_STATE = 112,      /* changes: not summed, but stored with its complement */
    QF_AT_RESERVED = 116    /* zero up to the end of the header */
};

/* Envelope and extracted records together; a hostile length must not become an
 * allocation. */
#define QF_RECORDS_MAX ((uint64_t)512 * 1024 * 1024)
/* Content; keeps sums of offsets far from overflow. */
#define QF_CONTENT_MAX ((uint64_t)1 << 48)

static inline uint32_t qf_load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t qf_load64(const unsigned char *p)
{
    return (uint64_t)qf_load32(p) | (uint64_t)qf_load32(p + 4) << 32;
}

static inline void qf_store32(unsigned char *p, uint32_t value)
{
    p[0] = (unsigned char)value;
    p[1] = (unsigned char)(value >> 8);
    p[2] = (unsigned char)(value >> 16);
    p[3] = (unsigned char)(value >> 24);
}

static inline void qf_store64(unsigned char *p, uint64_t value)
{
    qf_store32(p, (uint32_t)value);
    qf_store32(p + 4, (uint32_t)(value >> 32));
}

/* The state word: 16 bits of state below their complement, so that a flipped bit shows.
 */
static inline uint32_t qf_state_word(unsigned state)
{
    return (state & 0xffffU) | (~state & 0xffffU) << 16;
}

#endif
