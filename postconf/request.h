/* SPDX-License-Identifier: MIT */
/* What the command line asks for. */
#ifndef POSTCONF_REQUEST_H
#define POSTCONF_REQUEST_H

#include <stdbool.h>

/* What is shown or changed; one of them. */
enum postconf_mode {
    MODE_MAIN = 'p',     /* main.cf */
    MODE_SERVICES = 'M', /* lines of master.cf */
    MODE_FIELDS = 'F',   /* their fields */
    MODE_OPTIONS = 'P',  /* their "-o name=value" */
    MODE_MAP_TYPES = 'm',
    MODE_LOCK_TYPES = 'l',
    MODE_SERVER_SASL = 'a',
    MODE_CLIENT_SASL = 'A',
    MODE_TEMPLATES = 't',      /* texts of bounces */
    MODE_TEMPLATE_TEXTS = 'b', /* the same, $names expanded */
    MODE_TLS = 'T'
};

enum postconf_class { CLASS_BUILTIN = 1, CLASS_SERVICE = 2, CLASS_USER = 4 };

struct request {
    enum postconf_mode mode;
    bool defaults;          /* -d */
    bool edit;              /* -e, or an operand with '=' */
    bool fold;              /* -f */
    bool json;              /* -j */
    bool hide_names;        /* -h */
    bool hide_values;       /* -H */
    bool only_set;          /* -n */
    bool expand;            /* -x */
    bool remove;            /* -X */
    bool comment_out;       /* -# */
    const char *directory;  /* -c, or NULL */
    const char *tls_query;  /* -T */
    unsigned classes;       /* -C */
    const char **overrides; /* -o, NULL-terminated */
    int override_count;
    char **operands; /* NULL-terminated */
    int operand_count;
};

/* Read the command line or end with a usage message. */
void request_parse(int argc, char **argv, struct request *out);
void request_done(struct request *request);

#endif
