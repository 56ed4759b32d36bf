/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum outcome fill(struct err *err, enum outcome outcome, const char *dsn,
                         const char *format, va_list args) PRINTF_LIKE(4, 0);

static enum outcome fill(struct err *err, enum outcome outcome, const char *dsn,
                         const char *format, va_list args)
{
    if (err != NULL) {
        err->outcome = outcome;
        err->code = errno;
        (void)snprintf(err->dsn, sizeof(err->dsn), "%s", dsn);
        errno = err->code; /* for %m */
        (void)vsnprintf(err->text, sizeof(err->text), format, args);
        errno = err->code;
    }
    return outcome;
}

enum outcome err_temp(struct err *err, const char *dsn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum outcome outcome = fill(err, TEMPFAIL, dsn, format, args);
    va_end(args);
    return outcome;
}

enum outcome err_perm(struct err *err, const char *dsn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum outcome outcome = fill(err, PERMFAIL, dsn, format, args);
    va_end(args);
    return outcome;
}

void err_clear(struct err *err)
{
    *err = (struct err){.outcome = OK};
}
