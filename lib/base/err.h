/* SPDX-License-Identifier: MIT */
/*
 * What went wrong in the world outside: temporary or permanent, with the
 * RFC 3463 status code and a text for the log.  An operation returns enum
 * outcome and fills a struct err that the caller owns; ERR may be NULL where
 * nobody wants the text.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#include "base/check.h"

enum outcome { OK = 0, TEMPFAIL, PERMFAIL };

struct err {
    enum outcome outcome;
    int code;     /* errno at the time of the call, or 0 */
    char dsn[12]; /* RFC 3463, such as "4.3.0" */
    char text[500];
};

/* Fill ERR and return its outcome, so that `return err_temp(...)` is one line.
 * errno is kept in err->code; write "%m" to have its text. */
enum outcome err_temp(struct err *err, const char *dsn, const char *format, ...)
    PRINTF_LIKE(3, 4);
enum outcome err_perm(struct err *err, const char *dsn, const char *format, ...)
    PRINTF_LIKE(3, 4);
void err_clear(struct err *err);

#endif
