/* SPDX-License-Identifier: MIT */
/* One change of an LMDB database, for those who change it in place and for those who
 * build a new one. */
#ifndef MODULES_LMDB_CHANGE_H
#define MODULES_LMDB_CHANGE_H

#include <lmdb.h>

#include "base/view.h"

enum lmdb_change_kind { LMDB_ADD, LMDB_REPLACE, LMDB_REMOVE };

/* 0 or the library's code; MDB_KEYEXIST and MDB_NOTFOUND change nothing. */
int lmdb_change(MDB_txn *txn, MDB_dbi dbi, enum lmdb_change_kind kind, struct view key,
                struct view value);

#endif
