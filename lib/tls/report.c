/* SPDX-License-Identifier: MIT */
#include "tls/report.h"

#include <stddef.h>

#include "base/log.h"

void tls_report(struct tls_report *report, const struct tls_mistake *mistake)
{
    struct tls_mistake complete = *mistake;
    CHECK(mistake->parameter != NULL && mistake->text != NULL);
    complete.reason = mistake->reason != NULL ? mistake->reason : "";
    complete.hint = mistake->hint != NULL ? mistake->hint : "";
    report->failed = report->failed || !mistake->harmless;
    report->say(report->context, &complete);
}

void tls_log_mistake(void *context, const struct tls_mistake *mistake)
{
    (void)context;
    log_warning("%s", mistake->text);
    if (*mistake->reason != '\0' || *mistake->hint != '\0') {
        const char *between =
            *mistake->reason != '\0' && *mistake->hint != '\0' ? "; " : "";
        log_warning("%s: %s%s%s", mistake->parameter, mistake->reason, between,
                    mistake->hint);
    }
}
