/* SPDX-License-Identifier: MIT */
/* The files of database clients: "mysql:/file" and kin. */
#ifndef POSTCONF_TABLE_FILES_H
#define POSTCONF_TABLE_FILES_H

#include "base/htab.h"
#include "base/view.h"

/* Warn about files named by tables in the list VALUE that cannot be opened, and about
 * settings in them that such a table does not have.  Each "type:file" once: SEEN has
 * those that were looked at, with any value. */
void table_files_check(struct view value, struct htab *seen);

#endif
