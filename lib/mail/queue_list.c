/* SPDX-License-Identifier: MIT */
/*
 * Listing the queue straight from its files, which are read in batches ahead of the
 * one who asks.  Recipients come in the order in which their deferral was recorded, and
 * after them those that were not tried.
 */
#include "mail/queue_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "mail/address.h"
#include "mail/delivery_log.h"
#include "mail/queue_batch.h"
#include "mail/queue_file.h"
#include "sys/file.h"
#include "task/task.h"

/* In the order of the listing. */
static const char *const QUEUES[] = {QUEUE_MAILDROP, QUEUE_ACTIVE, QUEUE_INCOMING,
                                     QUEUE_DEFERRED, QUEUE_HOLD,   NULL};

/* Outside of fibers there is one batch, and it is read in place. */
enum { BATCHES = 3, READERS = 2 };

/* A ring of batches: readers, fibers that wait for the pool, fill it ahead of who asks
 * for entries.  Each holds a reference, because nobody may wait for a reader that ends
 * after the listing. */
struct queue_list {
    unsigned references;
    const struct queue_dirs *dirs;
    size_t queue;
    struct queue_scan *scan;
    struct queue_batch *batches[BATCHES];
    bool ready[BATCHES];  /* read */
    size_t filled, taken; /* batches so far; number N is in place N % BATCHES */
    size_t at;            /* the next file of the batch that is taken */
    bool ended;           /* no name is left */
    bool closed;
    bool readers_started;
    struct task_cond changed; /* a batch was read or given back */
};

struct queue_list *queue_list_open(const struct queue_dirs *dirs)
{
    struct queue_list *list = xcalloc(1, sizeof(*list));
    list->references = 1;
    list->dirs = dirs;
    task_cond_init(&list->changed);
    return list;
}

static void drop(struct queue_list *list)
{
    CHECK(list->references > 0);
    if (--list->references > 0) {
        return;
    }
    for (size_t i = 0; i < BATCHES; i++) {
        free(list->batches[i]);
    }
    free(list);
}

void queue_list_close(struct queue_list **list)
{
    struct queue_list *l = *list;
    if (l == NULL) {
        return;
    }
    *list = NULL;
    l->closed = true;
    queue_scan_close(&l->scan);
    task_cond_broadcast(&l->changed);
    drop(l);
}

/* --- reading ahead ---------------------------------------------------------------- */

static bool fill(struct queue_list *list, struct queue_batch *batch)
{
    for (; QUEUES[list->queue] != NULL; list->queue++) {
        const char *queue = QUEUES[list->queue];
        if (list->scan == NULL) {
            list->scan = queue_scan_open(list->dirs, queue);
        }
        if (queue_batch_fill(batch, list->scan, list->dirs, queue)) {
            return true;
        }
        queue_scan_close(&list->scan);
    }
    return false;
}

/* Claim a free place and put names there; its number to *NUMBER_OUT.  False: no name is
 * left. */
static bool claim(struct queue_list *list, size_t *number_out)
{
    size_t place = list->filled % BATCHES;
    CHECK(list->filled - list->taken < BATCHES);
    if (list->batches[place] == NULL) {
        list->batches[place] = xmalloc(sizeof(struct queue_batch));
    }
    if (list->ended || !fill(list, list->batches[place])) {
        list->ended = true;
        return false;
    }
    list->ready[place] = false;
    *number_out = list->filled++;
    return true;
}

static void read_ahead(void *context)
{
    struct queue_list *list = context;
    while (!list->closed && !list->ended) {
        size_t number;
        if (list->filled - list->taken == BATCHES) {
            if (task_cond_wait(&list->changed, CLOCK_NEVER) == TASK_CANCELLED) {
                break;
            }
        } else if (claim(list, &number)) {
            task_offload(queue_batch_read, list->batches[number % BATCHES]);
            list->ready[number % BATCHES] = true;
            task_cond_broadcast(&list->changed);
        }
    }
    task_cond_broadcast(&list->changed);
    drop(list);
}

static void start_readers(struct queue_list *list)
{
    list->readers_started = true;
    for (int i = 0; i < READERS; i++) {
        list->references++;
        (void)task_spawn("list", read_ahead, list);
    }
}

/* The batch whose files come next.  NULL: there is none, or the fiber was cancelled. */
static struct queue_batch *present_batch(struct queue_list *list)
{
    size_t place = list->taken % BATCHES, number;
    if (task_current() == NULL) {
        if (list->filled == list->taken && claim(list, &number)) {
            queue_batch_read(list->batches[place]);
            list->ready[place] = true;
        }
    } else if (!list->readers_started) {
        start_readers(list);
    }
    while (list->filled == list->taken ? !list->ended : !list->ready[place]) {
        if (task_cond_wait(&list->changed, CLOCK_NEVER) == TASK_CANCELLED) {
            return NULL;
        }
    }
    return list->filled > list->taken ? list->batches[place] : NULL;
}

/* The next file that was there when it was read. */
static const struct queue_batch_file *next_file(struct queue_list *list,
                                                const char **queue_out)
{
    const struct queue_batch *batch;
    while ((batch = present_batch(list)) != NULL) {
        while (list->at < batch->count) {
            const struct queue_batch_file *file = &batch->files[list->at++];
            if (file->found) {
                *queue_out = batch->queue;
                return file;
            }
        }
        list->at = 0;
        list->taken++;
        task_cond_broadcast(&list->changed);
    }
    return NULL;
}

/* --- entries ---------------------------------------------------------------------- */

static struct view external(struct arena *arena, struct view internal)
{
    STR_AUTO struct str text = {0};
    address_quote(internal, &text);
    return arena_view(arena, str_view(&text));
}

static void add_recipient(struct arena *arena, struct queue_list_entry *entry,
                          struct view address, struct view reason)
{
    entry->recipients[entry->recipient_count++] = (struct queue_list_recipient){
        .address = external(arena, address), .reason = reason};
}

/* The state offset names a recipient of one message. */
static struct view key_of(const int64_t *state_offset)
{
    return view_of((const char *)state_offset, sizeof(*state_offset));
}

static bool is_pending(const struct queue_record *record)
{
    return record->type == QUEUE_RECORD_RECIPIENT &&
           record->recipient.state == RECIPIENT_PENDING;
}

/* The pending recipients, so that each can be found by its offset and is listed once.
 * Nearly all messages have a few: then that is a walk through the records. */
struct pending {
    struct queue_message *message;
    struct htab *table; /* NULL: walk */
    bool *listed;       /* by record, for the walk */
};

enum { FEW_RECORDS = 64, FEW_REASONS = 8 };

static void pending_init(struct pending *pending, struct queue_message *message,
                         struct arena *arena, size_t reasons)
{
    *pending = (struct pending){.message = message};
    if (message->record_count <= FEW_RECORDS || reasons <= FEW_REASONS) {
        pending->listed = arena_alloc(arena, message->record_count + 1);
        return;
    }
    pending->table = htab_new();
    for (size_t i = 0; i < message->record_count; i++) {
        struct queue_record *record = &message->records[i];
        if (is_pending(record)) {
            (void)htab_put(pending->table, key_of(&record->recipient.state_offset),
                           record);
        }
    }
}

/* The record of the recipient at STATE_OFFSET, unless it was taken before. */
static const struct queue_record *pending_take(struct pending *pending,
                                               int64_t state_offset)
{
    if (pending->table != NULL) {
        return htab_remove(pending->table, key_of(&state_offset));
    }
    for (size_t i = 0; i < pending->message->record_count; i++) {
        const struct queue_record *record = &pending->message->records[i];
        if (is_pending(record) && record->recipient.state_offset == state_offset) {
            bool first = !pending->listed[i];
            pending->listed[i] = true;
            return first ? record : NULL;
        }
    }
    return NULL;
}

static bool pending_is_left(const struct pending *pending, size_t i)
{
    const struct queue_record *record = &pending->message->records[i];
    if (!is_pending(record)) {
        return false;
    }
    return pending->table == NULL
               ? !pending->listed[i]
               : htab_get(pending->table, key_of(&record->recipient.state_offset)) !=
                     NULL;
}

/* Those for whom the log has a reason, in its order, and then the others. */
static void add_recipients(struct arena *arena, struct queue_list_entry *entry,
                           struct queue_message *message,
                           const struct delivery_record *log, size_t count)
{
    struct pending pending;
    pending_init(&pending, message, arena, count);
    entry->recipients = arena_alloc(arena, (message->recipients_pending + 1) *
                                               sizeof(*entry->recipients));
    for (size_t i = 0; i < count; i++) {
        const struct queue_record *record = pending_take(&pending, log[i].state_offset);
        if (record != NULL) {
            add_recipient(arena, entry, record->recipient.address, log[i].reason);
        }
    }
    for (size_t i = 0; i < message->record_count; i++) {
        if (pending_is_left(&pending, i)) {
            add_recipient(arena, entry, message->records[i].recipient.address,
                          VIEW(""));
        }
    }
    htab_free(&pending.table, NULL);
}

static void read_log(const struct queue_list *list, const struct queue_batch_file *file,
                     struct arena *arena, struct delivery_record **log,
                     size_t *count_out)
{
    if (file->log_complete) {
        delivery_log_parse(view_of(file->log, file->log_len), arena, log, count_out);
    } else if (delivery_log_read(list->dirs, QUEUE_DEFER_LOG, file->id, arena, log,
                                 count_out, NULL) != OK) {
        *count_out = 0; /* the reasons are a courtesy */
    }
}

/* What did not fit into the batch is read here and now. */
static bool read_message(const struct queue_batch_file *file, struct arena *arena,
                         struct queue_message *message)
{
    struct err err;
    if (queue_file_parse(-1, &file->start, arena, message, &err) == OK) {
        return true;
    }
    if (err.outcome != TEMPFAIL || err.code != ENODATA) {
        return false;
    }
    FD_AUTO int fd = queue_open_path(file->path, O_RDONLY);
    return fd >= 0 && queue_file_read(fd, arena, message, NULL) == OK;
}

static bool make_entry(const struct queue_list *list, const char *queue,
                       const struct queue_batch_file *file, struct arena *arena,
                       struct queue_list_entry *entry)
{
    struct queue_message message;
    struct delivery_record *log;
    size_t count;
    if (!read_message(file, arena, &message)) {
        return false;
    }
    read_log(list, file, arena, &log, &count);
    *entry = (struct queue_list_entry){
        .queue_name = view_cstr(queue),
        .queue_id = view_cstr(file->id),
        .arrival_time = message.arrival_time,
        .size = message.content_size,
        .forced_expire = (message.state & QUEUE_STATE_FORCE_EXPIRE) != 0,
        .sender = external(arena, message.sender),
    };
    add_recipients(arena, entry, &message, log, count);
    return true;
}

bool queue_list_next(struct queue_list *list, struct arena *arena,
                     struct queue_list_entry *entry_out)
{
    const struct queue_batch_file *file;
    const char *queue;
    while ((file = next_file(list, &queue)) != NULL) {
        if (make_entry(list, queue, file, arena, entry_out)) {
            return true;
        }
    }
    return false;
}
