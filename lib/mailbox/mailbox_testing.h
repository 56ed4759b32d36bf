/* SPDX-License-Identifier: MIT */
/* For the tests of delivery agents: a message in the queue, what the log says of its
 * delivery, and a look at what was written.  Comes behind testing/test.h. */
#ifndef MAILBOX_MAILBOX_TESTING_H
#define MAILBOX_MAILBOX_TESTING_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "mailbox/letter.h"
#include "sys/clock.h"
#include "sys/file.h"

/* CONTENT becomes a message of REQUEST's sender for RECIPIENTS, in ID; REQUEST and
 * RECIPIENTS are told where it is. */
static inline void mail_write(struct queue_dirs *dirs, struct arena *arena,
                              struct deliver_request *request,
                              struct queue_recipient *recipients, char id[QUEUE_ID_MAX],
                              struct view content)
{
    struct err err;
    struct queue_message message;
    int fd = queue_create(dirs, QUEUE_ACTIVE, false, id, &err);
    assert_true(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, clock_wall());
    queue_writer_sender(writer, request->sender);
    for (size_t i = 0; i < request->recipient_count; i++) {
        queue_writer_recipient(writer, &recipients[i]);
    }
    queue_writer_content(writer, content);
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    queue_writer_free(&writer);
    FD_AUTO int in = queue_open(dirs, QUEUE_ACTIVE, id, O_RDONLY);
    assert_int_equal(queue_file_read(in, arena, &message, &err), OK);
    size_t next = 0;
    for (size_t i = 0; i < message.record_count; i++) {
        if (message.records[i].type == QUEUE_RECORD_RECIPIENT) {
            recipients[next++].state_offset = message.records[i].recipient.state_offset;
        }
    }
    request->content_offset = message.content_offset;
    request->content_size = message.content_size;
    request->content_sum = message.content_sum;
    request->queue_id = view_cstr(id);
}

/* Append a line of the log to LOG: of a delivery only who, and how it ended. */
static inline void mail_remember(struct str *log, enum log_level level,
                                 const char *text)
{
    const char *to = strstr(text, ": to=<");
    const char *dsn = strstr(text, "dsn=");
    if (level >= LOG_LEVEL_FATAL) {
        (void)fprintf(stderr, "%s\n", text);
    }
    if (to != NULL && dsn != NULL) {
        str_printf(log, "%.*s %s\n", (int)(strchr(to, '>') - to - 6), to + 6, dsn + 4);
    } else {
        str_printf(log, "%s\n", text);
    }
}

/* Is the recipient marked as done in the queue file? */
static inline bool mail_is_marked(const struct queue_dirs *dirs, const char *id,
                                  const struct queue_recipient *recipient)
{
    uint8_t state = 0;
    FD_AUTO int fd = queue_open(dirs, QUEUE_ACTIVE, id, O_RDONLY);
    assert_int_equal(file_pread_all(fd, &state, 1, recipient->state_offset), 1);
    return state == RECIPIENT_DONE;
}

/* Content of a file, "" when it is not there. */
static inline const char *mail_file(struct arena *arena, const char *path)
{
    STR_AUTO struct str text = {0};
    struct err err;
    if (file_read(path, 10000000, &text, &err) != OK) {
        return "";
    }
    return arena_strdup(arena, str_ptr(&text));
}

static inline size_t files_in(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static inline mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* TEXT with the date of each From_ line replaced by "DATE". */
static inline const char *without_dates(struct arena *arena, const char *text)
{
    enum { DATE_BYTES = 24 };
    STR_AUTO struct str out = {0};
    struct view rest = view_cstr(text);
    while (rest.len > 0) {
        size_t len = view_index(rest, '\n');
        struct view line = view_first(rest, len);
        if (view_starts(line, VIEW("From ")) && line.len > DATE_BYTES) {
            str_add(&out, view_first(line, line.len - DATE_BYTES));
            str_add_cstr(&out, "DATE");
        } else {
            str_add(&out, line);
        }
        str_add_cstr(&out, len < rest.len ? "\n" : "");
        rest = view_from(rest, len + 1);
    }
    return arena_strdup(arena, str_ptr(&out));
}

#endif
