/* SPDX-License-Identifier: MIT */
#include "mail/queue_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/file.h"

static bool copy_path(char to[QUEUE_BATCH_PATH_BYTES], const struct str *path)
{
    if (path->len >= QUEUE_BATCH_PATH_BYTES) {
        return false; /* twenty levels of hash directories, made by hand */
    }
    memcpy(to, str_ptr(path), path->len + 1);
    return true;
}

bool queue_batch_fill(struct queue_batch *batch, struct queue_scan *scan,
                      const struct queue_dirs *dirs, const char *queue)
{
    STR_AUTO struct str path = {0};
    STR_AUTO struct str log_path = {0};
    struct queue_entry entry;
    batch->queue = queue;
    batch->count = 0;
    while (batch->count < QUEUE_BATCH_FILES && queue_scan_next_entry(scan, &entry)) {
        struct queue_batch_file *file = &batch->files[batch->count];
        struct view name = view_cstr(entry.name);
        if (!queue_id_valid(name)) {
            continue;
        }
        memcpy(file->id, name.ptr, name.len + 1);
        str_set_cstr(&path, entry.directory);
        str_add_byte(&path, '/');
        str_add(&path, name);
        queue_path(dirs, QUEUE_DEFER_LOG, file->id, &log_path);
        batch->count +=
            copy_path(file->path, &path) && copy_path(file->log_path, &log_path);
    }
    return batch->count > 0;
}

static void read_log(struct queue_batch_file *file)
{
    file->log_len = 0;
    int fd = queue_open_path(file->log_path, O_RDONLY);
    if (fd < 0) {
        file->log_complete = errno == ENOENT;
        return;
    }
    ssize_t got = pread(fd, file->log, sizeof(file->log), 0);
    file->log_complete = got >= 0 && (size_t)got < sizeof(file->log);
    file->log_len = got > 0 ? (size_t)got : 0;
    fd_close(&fd);
}

void queue_batch_read(void *batch)
{
    struct queue_batch *all = batch;
    for (size_t i = 0; i < all->count; i++) {
        struct queue_batch_file *file = &all->files[i];
        int fd = queue_open_path(file->path, O_RDONLY);
        file->found = fd >= 0;
        if (file->found) {
            queue_file_read_start(fd, &file->start);
            fd_close(&fd);
            read_log(file);
        }
    }
}
