/* SPDX-License-Identifier: MIT */
/*
 * The files defer/ID, bounce/ID and trace/ID.  A record is
 *
 *     "PSDL", u32 length, u64 XXH3 of the payload, payload
 *
 * and the payload u8 notify, 3 zero bytes, i64 state offset and nine strings, each
 * a u32 length and bytes; little-endian.  A crash may leave half a record, and
 * later records may follow it: the reader looks for the next mark whose sum is
 * right, so one torn record costs only itself.
 */
#include "mail/delivery_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/str.h"
#include "mail/queue_format.h"
#include "sys/file.h"
#include "task/task.h"

enum {
    RECORD_HEADER = 16,
    PAYLOAD_FIXED = 12,
    PAYLOAD_MAX = 16 * 1024 * 1024,
    STRINGS = 9
};
#define LOG_MAX ((size_t)1024 * 1024 * 1024)
static const char MARK[4] = {'P', 'S', 'D', 'L'};

static void record_strings(struct delivery_record *record,
                           struct view *strings[STRINGS])
{
    struct view *all[STRINGS] = {
        &record->recipient, &record->original,        &record->dsn_orcpt,
        &record->dsn,       &record->action,          &record->reason,
        &record->mta,       &record->diagnostic_type, &record->diagnostic};
    memcpy(strings, all, sizeof(all));
}

static void add_u32(struct str *out, size_t value)
{
    unsigned char bytes[4];
    qf_store32(bytes, (uint32_t)value);
    str_add(out, view_of((const char *)bytes, sizeof(bytes)));
}

static void add_record(struct str *out, const struct delivery_record *source)
{
    struct delivery_record record = *source;
    struct view *strings[STRINGS];
    record_strings(&record, strings);
    size_t start = out->len;
    unsigned char fixed[RECORD_HEADER + PAYLOAD_FIXED] = {0};
    fixed[RECORD_HEADER] = record.dsn_notify;
    qf_store64(fixed + RECORD_HEADER + 4, (uint64_t)record.state_offset);
    str_add(out, view_of((const char *)fixed, sizeof(fixed)));
    for (size_t i = 0; i < STRINGS; i++) {
        add_u32(out, strings[i]->len);
        str_add(out, *strings[i]);
    }
    if (!str_ok(out)) {
        return;
    }
    unsigned char *header = (unsigned char *)out->ptr + start;
    size_t len = out->len - start - RECORD_HEADER;
    memcpy(header, MARK, sizeof(MARK));
    qf_store32(header + 4, (uint32_t)len);
    qf_store64(header + 8, XXH3_64bits(header + RECORD_HEADER, len));
    if (len > PAYLOAD_MAX) {
        out->overflow = true;
    }
}

static int open_log(const struct queue_dirs *dirs, const char *log, const char *id)
{
    const int flags = O_WRONLY | O_APPEND;
    int fd = queue_open(dirs, log, id, flags | O_CREAT);
    if (fd < 0 && errno == ENOENT && queue_make_parents(dirs, log, id)) {
        fd = queue_open(dirs, log, id, flags | O_CREAT);
    }
    return fd;
}

/* What a defer log says is found again by the next attempt; what a bounce log says is
 * not. */
static bool must_be_durable(const char *log)
{
    return strcmp(log, QUEUE_DEFER_LOG) != 0;
}

enum outcome delivery_log_append(const struct queue_dirs *dirs, const char *log,
                                 const char *id, const struct delivery_record *records,
                                 size_t count, struct err *err)
{
    STR_AUTO struct str bytes = {0};
    for (size_t i = 0; i < count; i++) {
        add_record(&bytes, &records[i]);
    }
    if (!str_ok(&bytes)) {
        return err_temp(err, "4.3.0", "%s log of %s: record too large", log, id);
    }
    FD_AUTO int fd = open_log(dirs, log, id);
    if (fd < 0) {
        return err_temp(err, "4.3.0", "open %s log of %s: %m", log, id);
    }
    if (!file_write_all(fd, str_ptr(&bytes), bytes.len)) {
        return err_temp(err, "4.3.0", "write %s log of %s: %m", log, id);
    }
    if (must_be_durable(log) && !task_fsync(fd)) {
        return err_temp(err, "4.3.0", "sync %s log of %s: %m", log, id);
    }
    return OK;
}

static bool parse_payload(const unsigned char *payload, size_t len,
                          struct delivery_record *record)
{
    if (len < PAYLOAD_FIXED) {
        return false;
    }
    *record = (struct delivery_record){.dsn_notify = payload[0]};
    record->state_offset = (int64_t)qf_load64(payload + 4);
    struct view *strings[STRINGS];
    record_strings(record, strings);
    size_t at = PAYLOAD_FIXED;
    for (size_t i = 0; i < STRINGS; i++) {
        if (len - at < 4 || qf_load32(payload + at) > len - at - 4) {
            return false;
        }
        *strings[i] = view_of((const char *)payload + at + 4, qf_load32(payload + at));
        at += 4 + strings[i]->len;
    }
    return at == len;
}

/* The length of the record at BYTES, or 0 when there is none. */
static size_t parse_record(const unsigned char *bytes, size_t left,
                           struct delivery_record *record)
{
    if (left < RECORD_HEADER || memcmp(bytes, MARK, sizeof(MARK)) != 0) {
        return 0;
    }
    size_t len = qf_load32(bytes + 4);
    if (len > left - RECORD_HEADER ||
        XXH3_64bits(bytes + RECORD_HEADER, len) != qf_load64(bytes + 8) ||
        !parse_payload(bytes + RECORD_HEADER, len, record)) {
        return 0;
    }
    return RECORD_HEADER + len;
}

/* Where the search for a mark goes on after a place that held no record. */
static size_t next_mark(const unsigned char *bytes, size_t len, size_t from)
{
    const unsigned char *found =
        from < len ? memmem(bytes + from, len - from, MARK, sizeof(MARK)) : NULL;
    return found != NULL ? (size_t)(found - bytes) : len;
}

static bool same_recipient(const struct delivery_record *a,
                           const struct delivery_record *b)
{
    return a->state_offset == b->state_offset && view_equal(a->recipient, b->recipient);
}

/* A message may have a hundred thousand recipients, and nearly all have one: few are
 * compared with each other, more get a hash table from the recipient (offset and
 * address) to its place. */
enum { FEW = 8 };
struct collection {
    struct delivery_record *records;
    size_t count, capacity;
    struct htab *places; /* NULL: few so far */
    struct arena *arena; /* of the places */
};

static struct view key_of(const struct delivery_record *record, struct str *key)
{
    str_clear(key);
    str_add(key, view_of((const char *)&record->state_offset, sizeof(int64_t)));
    str_add(key, record->recipient);
    return str_view(key);
}

static void note_place(struct collection *all, size_t at)
{
    STR_AUTO struct str key = {0};
    size_t *place = arena_alloc(all->arena, sizeof(*place));
    *place = at;
    (void)htab_put(all->places, key_of(&all->records[at], &key), place);
}

static struct delivery_record *find_collected(const struct collection *all,
                                              const struct delivery_record *record)
{
    if (all->places == NULL) {
        for (size_t i = 0; i < all->count; i++) {
            if (same_recipient(&all->records[i], record)) {
                return &all->records[i];
            }
        }
        return NULL;
    }
    STR_AUTO struct str key = {0};
    const size_t *place = htab_get(all->places, key_of(record, &key));
    if (place == NULL) {
        return NULL;
    }
    CHECK(*place < all->count && same_recipient(&all->records[*place], record));
    return &all->records[*place];
}

static void collect(struct collection *all, const struct delivery_record *record)
{
    struct delivery_record *known = find_collected(all, record);
    if (known != NULL) {
        *known = *record;
        return;
    }
    if (all->count == all->capacity) {
        all->capacity = all->capacity > 0 ? all->capacity * 2 : 16;
        all->records =
            xreallocarray(all->records, all->capacity, sizeof(*all->records));
    }
    all->records[all->count++] = *record;
    if (all->places != NULL) {
        note_place(all, all->count - 1);
    } else if (all->count > FEW) {
        all->places = htab_new();
        for (size_t i = 0; i < all->count; i++) {
            note_place(all, i);
        }
    }
}

static void collect_all(struct view content, struct collection *all)
{
    const unsigned char *bytes = (const unsigned char *)content.ptr;
    for (size_t at = 0; at < content.len;) {
        struct delivery_record record;
        size_t len = parse_record(bytes + at, content.len - at, &record);
        if (len > 0) {
            collect(all, &record);
            at += len;
        } else {
            at = next_mark(bytes, content.len, at + 1);
        }
    }
}

void delivery_log_parse(struct view bytes, struct arena *arena,
                        struct delivery_record **records_out, size_t *count_out)
{
    struct collection all = {.arena = arena};
    collect_all(bytes, &all);
    htab_free(&all.places, NULL);
    *records_out = arena_alloc(arena, (all.count + 1) * sizeof(**records_out));
    if (all.count > 0) {
        memcpy(*records_out, all.records, all.count * sizeof(**records_out));
    }
    *count_out = all.count;
    free(all.records);
}

enum outcome delivery_log_read(const struct queue_dirs *dirs, const char *log,
                               const char *id, struct arena *arena,
                               struct delivery_record **records_out, size_t *count_out,
                               struct err *err)
{
    *records_out = NULL;
    *count_out = 0;
    FD_AUTO int fd = queue_open(dirs, log, id, O_RDONLY);
    struct stat st;
    if (fd < 0 && errno == ENOENT) {
        return OK;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_temp(err, "4.3.0", "open %s log of %s: %m", log, id);
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > LOG_MAX) {
        return err_perm(err, "5.3.0", "%s log of %s: not a log file", log, id);
    }
    char *bytes = arena_alloc(arena, (size_t)st.st_size + 1);
    ssize_t got = file_pread_all(fd, bytes, (size_t)st.st_size, 0);
    if (got < 0) {
        return err_temp(err, "4.3.0", "read %s log of %s: %m", log, id);
    }
    delivery_log_parse(view_of(bytes, (size_t)got), arena, records_out, count_out);
    return OK;
}

bool delivery_log_remove(const struct queue_dirs *dirs, const char *log, const char *id)
{
    return queue_remove(dirs, log, id) || errno == ENOENT;
}
