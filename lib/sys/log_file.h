/* SPDX-License-Identifier: MIT */
/* Where maillog_file may lie, and opening it. */
#ifndef SYS_LOG_FILE_H
#define SYS_LOG_FILE_H

#include <stdbool.h>

#include "base/err.h"

/* Is PATH below one of PREFIXES (a list; a prefix ends at a component)?  ".." is
 * refused. */
bool log_file_allowed(const char *path, const char *prefixes);
/* Open PATH for appending, made with mode 0600 if absent; "/dev/stdout" is the
 * process's own standard output.  -1 with ERR. */
int log_file_open(const char *path, struct err *err);

#endif
