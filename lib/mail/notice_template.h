/* SPDX-License-Identifier: MIT */
/*
 * The texts of non-delivery reports and other notices: built in, or from the file that
 * bounce_template_file names.
 */
#ifndef MAIL_NOTICE_TEMPLATE_H
#define MAIL_NOTICE_TEMPLATE_H

#include "base/arena.h"
#include "base/str.h"
#include "conf/conf.h"

enum template_kind {
    TEMPLATE_FAILURE,
    TEMPLATE_DELAY,
    TEMPLATE_SUCCESS,
    TEMPLATE_VERIFY,
    TEMPLATE_COUNT
};

struct notice_template {
    struct view charset, from, subject;
    struct view postmaster_subject; /* empty: the postmaster gets no copy */
    struct view body;               /* lines, not expanded */
    const char *origin;             /* file, or "[built-in]" */
};

struct notice_templates {
    struct arena arena;
    struct notice_template of[TEMPLATE_COUNT];
};

/* The built-in texts, replaced by those that the file named by bounce_template_file
 * has.  What cannot be used is reported and ignored: notices must go out. */
void notice_templates_load(struct notice_templates *templates, const struct conf *conf);
/* The same from FILE, "" for none; a file that cannot be read to its end is an error.
 * TEMPLATES must be freed in any case. */
NODISCARD enum outcome notice_templates_read(struct notice_templates *templates,
                                             const char *file, struct err *err);
void notice_templates_free(struct notice_templates *templates);

/* The body with its $names expanded; one that makes no sense goes out as it is. */
void notice_template_expand(const struct notice_template *template,
                            enum template_kind kind, const struct conf *conf,
                            struct str *out);
/* The same for those who can refuse: the line that makes no sense is in ERR. */
NODISCARD enum outcome notice_template_check(const struct notice_template *template,
                                             enum template_kind kind,
                                             const struct conf *conf, struct str *out,
                                             struct err *err);

/* "failure_template", and what messages call it: "failure". */
const char *notice_template_name(enum template_kind kind);
const char *notice_template_title(enum template_kind kind);

#endif
