/* SPDX-License-Identifier: MIT */
/*
 * The files behind a login: APPLICATION.conf of Cyrus SASL, and the user database or
 * the saslauthd socket that it names.  The library reads them itself; we read them too,
 * to say in words what is in the way, and to find what lies in the queue directory
 * because another mail system ran in a chroot there.
 */
#ifndef AUTH_FILES_H
#define AUTH_FILES_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/str.h"
#include "base/view.h"

struct auth_files {
    char *config;            /* the configuration file; NULL: there is none */
    struct timespec changed; /* its time of modification */
    bool use_saslauthd, use_sasldb;
    char *saslauthd, *sasldb;             /* where they are */
    char *saslauthd_named, *sasldb_named; /* where the configuration has them */
};

/* CONFIG_PATH: directories separated by ':'.  QUEUE: the queue directory. */
void auth_files_find(struct auth_files *files, struct view config_path,
                     struct view application, const char *queue);
void auth_files_done(struct auth_files *files);
/* The configuration file is not the one that was read. */
bool auth_files_changed(const struct auth_files *files);
/* What keeps this process from checking passwords, with the remedy: "" when nothing is
 * seen.  One line for each obstacle. */
void auth_files_diagnose(const struct auth_files *files, struct str *out);

#endif
