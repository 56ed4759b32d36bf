/* SPDX-License-Identifier: MIT */
/*
 * Mistakes in TLS settings.  The same code reads them in a worker, which logs what it
 * finds and goes on as well as it can, and in "postfix check", which shows it.
 */
#ifndef TLS_REPORT_H
#define TLS_REPORT_H

#include <stdbool.h>

#include "base/check.h"

struct tls_mistake {
    const char *parameter; /* that is to be changed */
    bool harmless;         /* TLS works all the same */
    const char *text;      /* as Postfix has it in the log */
    const char *reason;    /* what exactly is wrong, with the file; "": TEXT says it */
    const char *hint;      /* the remedy; "": none */
};

struct tls_report {
    void (*say)(void *context, const struct tls_mistake *mistake);
    void *context;
    bool failed; /* a mistake that is not harmless was reported */
};

void tls_report(struct tls_report *report, const struct tls_mistake *mistake);
/* For tls_report.say: warnings in the log. */
void tls_log_mistake(void *context, const struct tls_mistake *mistake);

#endif
