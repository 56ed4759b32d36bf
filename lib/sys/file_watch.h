/* SPDX-License-Identifier: MIT */
/*
 * Files that may be replaced while a process runs.  The kernel's notices reach a
 * process that has given up the right to look into the directories meanwhile (keys of
 * root), so everything must be added before.  Where there are no notices left (inotify
 * has limits) the files themselves are looked at.
 */
#ifndef SYS_FILE_WATCH_H
#define SYS_FILE_WATCH_H

#include <stdbool.h>

struct file_watch;

struct file_watch *file_watch_new(void);
void file_watch_free(struct file_watch **watch);
/* PATH, which need not exist, and every symbolic link on the way to it: a certificate
 * is often replaced by pointing a link somewhere else. */
void file_watch_add(struct file_watch *watch, const char *path);
/* True, and so for ever, when something was replaced and a second has passed without
 * further changes (who replaces one file often replaces two).  Costs a system call. */
bool file_watch_changed(struct file_watch *watch);
/* Becomes readable when something happens: who calls file_watch_changed() then lets the
 * second begin in time.  -1: nothing to wait for. */
int file_watch_fd(const struct file_watch *watch);

#endif
