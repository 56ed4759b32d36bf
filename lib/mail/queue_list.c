/* SPDX-License-Identifier: MIT */
/*
 * Listing the queue straight from its files.  Recipients come in the order in
 * which their deferral was recorded, and after them those that were not tried.
 */
#include "mail/queue_list.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "mail/address.h"
#include "mail/delivery_log.h"
#include "mail/queue_file.h"
#include "sys/file.h"

/* In the order of the listing. */
static const char *const QUEUES[] = {QUEUE_MAILDROP, QUEUE_ACTIVE, QUEUE_INCOMING,
                                     QUEUE_DEFERRED, QUEUE_HOLD,   NULL};

struct queue_list {
    const struct queue_dirs *dirs;
    size_t queue;
    struct queue_scan *scan;
};

struct queue_list *queue_list_open(const struct queue_dirs *dirs)
{
    struct queue_list *list = xcalloc(1, sizeof(*list));
    list->dirs = dirs;
    return list;
}

void queue_list_close(struct queue_list **list)
{
    if (*list != NULL) {
        queue_scan_close(&(*list)->scan);
        free(*list);
        *list = NULL;
    }
}

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

/* Recipients for whom LOG has a reason, in its order; they are taken out of PENDING. */
static void add_logged(struct arena *arena, struct queue_list_entry *entry,
                       struct htab *pending, const struct delivery_record *log,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct queue_record *record =
            htab_remove(pending, key_of(&log[i].state_offset));
        if (record != NULL) {
            add_recipient(arena, entry, record->recipient.address, log[i].reason);
        }
    }
}

static void add_recipients(struct arena *arena, struct queue_list_entry *entry,
                           struct queue_message *message,
                           const struct delivery_record *log, size_t count)
{
    struct htab *pending = htab_new();
    entry->recipients = arena_alloc(arena, (message->recipients_pending + 1) *
                                               sizeof(*entry->recipients));
    for (size_t i = 0; i < message->record_count && count > 0; i++) {
        struct queue_record *record = &message->records[i];
        if (is_pending(record)) {
            (void)htab_put(pending, key_of(&record->recipient.state_offset), record);
        }
    }
    add_logged(arena, entry, pending, log, count);
    for (size_t i = 0; i < message->record_count; i++) {
        const struct queue_record *record = &message->records[i];
        if (is_pending(record) &&
            (count == 0 ||
             htab_get(pending, key_of(&record->recipient.state_offset)) != NULL)) {
            add_recipient(arena, entry, record->recipient.address, VIEW(""));
        }
    }
    htab_free(&pending, NULL);
}

static bool read_entry(const struct queue_list *list, const char *id,
                       struct arena *arena, struct queue_list_entry *entry)
{
    const char *queue = QUEUES[list->queue];
    FD_AUTO int fd = queue_open(list->dirs, queue, id, O_RDONLY);
    struct queue_message message;
    if (fd < 0 || queue_file_read(fd, arena, &message, NULL) != OK) {
        return false;
    }
    struct delivery_record *log;
    size_t count;
    if (delivery_log_read(list->dirs, QUEUE_DEFER_LOG, id, arena, &log, &count, NULL) !=
        OK) {
        count = 0; /* the reasons are a courtesy */
    }
    *entry = (struct queue_list_entry){
        .queue_name = view_cstr(queue),
        .queue_id = arena_view(arena, view_cstr(id)),
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
    char id[QUEUE_ID_MAX];
    for (; QUEUES[list->queue] != NULL; list->queue++) {
        if (list->scan == NULL) {
            list->scan = queue_scan_open(list->dirs, QUEUES[list->queue]);
        }
        while (queue_scan_next(list->scan, id)) {
            if (read_entry(list, id, arena, entry_out)) {
                return true;
            }
        }
        queue_scan_close(&list->scan);
    }
    return false;
}
