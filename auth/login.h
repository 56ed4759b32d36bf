/* SPDX-License-Identifier: MIT */
/* One login with Cyrus SASL, step by step. */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth/library.h"

struct login;

/* Start with REQUEST (BEGIN).  NULL: STEP, whose texts live in ARENA, is the last one.
 * Blocks in the library; see watchdog.h. */
struct login *login_begin(struct library *library, const struct auth_request *request,
                          struct arena *arena, struct auth_step *step);
/* The next response, in base64; *LOGIN becomes NULL with the last step. */
void login_continue(struct login **login, struct view response, struct arena *arena,
                    struct auth_step *step);
void login_end(struct login **login);
/* MECHANISMS: DONE with the list, or TROUBLE. */
void login_mechanisms(struct library *library, const struct auth_settings *settings,
                      struct arena *arena, struct auth_step *step);

#endif
