/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a queue file that a reader of many wants, for as few system calls as
 * possible: one for a small file.  Runs on pool threads: nothing here allocates, logs,
 * or believes a length before it was compared with the room there is.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/queue_file.h"
#include "mail/queue_format.h"
#include "sys/file.h"

/* Where the file ends, if its header is right. */
static uint64_t claimed_end(const struct queue_file_start *start)
{
    uint64_t offset = qf_load64(start->bytes + QF_AT_EXTRACTED);
    uint64_t late = qf_load64(start->bytes + QF_AT_EXTRACTED_LEN);
    return offset < QF_CONTENT_MAX && late < QF_RECORDS_MAX ? offset + late : 0;
}

static void read_tail(int fd, struct queue_file_start *start)
{
    uint64_t late = qf_load64(start->bytes + QF_AT_EXTRACTED_LEN);
    uint64_t end = claimed_end(start);
    if (end > start->len && late > 0 && late <= sizeof(start->tail) &&
        file_pread_all(fd, start->tail, (size_t)late, (int64_t)(end - late)) ==
            (ssize_t)late) {
        start->tail_len = (size_t)late;
    }
}

void queue_file_read_start(int fd, struct queue_file_start *start_out)
{
    struct stat st;
    start_out->regular = true;
    start_out->error = 0;
    start_out->tail_len = 0;
    ssize_t got = pread(fd, start_out->bytes, sizeof(start_out->bytes), 0);
    start_out->len = got > 0 ? (size_t)got : 0;
    start_out->size = got;
    if (got >= QF_HEADER_SIZE && (uint64_t)got == claimed_end(start_out)) {
        return; /* a small file, and all of it */
    }
    /* Larger, or not what it should be: then no short read may be taken for its end. */
    if (fstat(fd, &st) != 0) {
        start_out->error = errno;
        return;
    }
    start_out->regular = S_ISREG(st.st_mode);
    start_out->size = st.st_size;
    got = got == sizeof(start_out->bytes)
              ? got
              : file_pread_all(fd, start_out->bytes, sizeof(start_out->bytes), 0);
    start_out->error = got < 0 ? errno : 0;
    start_out->len = got > 0 ? (size_t)got : 0;
    if (got == sizeof(start_out->bytes)) {
        read_tail(fd, start_out);
    }
}
