/* SPDX-License-Identifier: MIT */
/*
 * Cyrus SASL as this process has set it up.  The library has one configuration per
 * process; who asks for another one gets it by starting over.
 */
#ifndef AUTH_LIBRARY_H
#define AUTH_LIBRARY_H

#include "auth/files.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "rpc/auth.h"

struct library;

struct library *library_new(const struct conf *conf);
void library_free(struct library **library);
/* Make SETTINGS's application and path the present ones.  False: why is in the
 * notes. */
bool library_configure(struct library *library, const struct auth_settings *settings);
/* The configuration file has changed since it was read. */
bool library_outdated(const struct library *library);
/* Why logins do not work, as notes. */
void library_diagnose(struct library *library);
/* The notes since the last call; they live in ARENA. */
void library_take_notes(struct library *library, struct arena *arena,
                        struct auth_step *step);

#endif
