/* SPDX-License-Identifier: MIT */
/*
 * Lines of Dovecot's authentication protocol (version 1), as its clients see them:
 * fields separated by tabs.  Everything that comes in is checked: the server may be
 * another program's.
 */
#ifndef SMTPD_AUTH_DOVECOT_WIRE_H
#define SMTPD_AUTH_DOVECOT_WIRE_H

#include <stdint.h>

#include "rpc/auth.h"

/* What a server says before it takes questions. */
struct dovecot_hello {
    bool versioned;    /* VERSION was right */
    bool complete;     /* DONE */
    const char *error; /* NULL: so far, so good */
};

enum { DOVECOT_MECHANISMS_MAX = 100, DOVECOT_NAME_MAX = 32 };

struct dovecot_mechanism {
    char name[DOVECOT_NAME_MAX];
    unsigned flags; /* enum dovecot_flag */
};
enum dovecot_flag {
    DOVECOT_ANONYMOUS = 1,
    DOVECOT_PLAINTEXT = 2,
    DOVECOT_DICTIONARY = 4,
    DOVECOT_ACTIVE = 8,
    DOVECOT_FORWARD_SECRECY = 16,
    DOVECOT_MUTUAL = 32,
    DOVECOT_PRIVATE = 64 /* not for remote clients */
};
struct dovecot_mechanisms {
    struct dovecot_mechanism list[DOVECOT_MECHANISMS_MAX];
    size_t count;
};

/* Take one line of the handshake. */
void dovecot_hello_take(struct dovecot_hello *hello, struct dovecot_mechanisms *found,
                        struct view line);
/* Those that SECURITY (enum auth_security) lets pass, separated by spaces. */
void dovecot_mechanisms_list(const struct dovecot_mechanisms *found, unsigned security,
                             struct str *out);

/* The answer LINE to request ID; texts in ARENA, unescaped.  False: it is for another
 * request, or malformed. */
bool dovecot_reply_parse(struct view line, uint64_t id, struct arena *arena,
                         struct auth_step *out);

/* Can TEXT be base64, "=" (nothing) included?  Only such text is passed on. */
bool dovecot_is_base64(struct view text);
/* RFC 4422: letters, digits, '-' and '_'. */
bool dovecot_is_mechanism(struct view name);
/* VALUE as a field. */
void dovecot_add_escaped(struct str *out, struct view value);

#endif
