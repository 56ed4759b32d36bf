/* SPDX-License-Identifier: MIT */
/* OpenSSL as a whole: its start, and what it says when something fails. */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include "base/str.h"
#include "conf/conf.h"
#include "tls/report.h"

/* Once per process; later calls do nothing.  Reads what tls_config_file and
 * tls_config_name say; false, with a report, when that cannot be done. */
bool tls_library_start(const struct conf *conf, struct tls_report *report);

/*
 * OpenSSL collects errors per thread.  They must be taken before the next wait, or they
 * are blamed on another session.
 */
void tls_forget_errors(void);
/* All of them as "warning: TLS library problem: ...". */
void tls_log_errors(void);
/* The reason of the first one in words, "" if there is none; all are forgotten. */
void tls_take_reason(struct str *out);

#endif
