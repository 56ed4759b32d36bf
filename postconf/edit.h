/* SPDX-License-Identifier: MIT */
/* Changing main.cf and master.cf in place: a new file replaces the old one in one step,
 * everything that was not asked for stays as it was. */
#ifndef POSTCONF_EDIT_H
#define POSTCONF_EDIT_H

#include "base/str.h"
#include "postconf/request.h"

/* -e, -X, -# of main.cf in DIRECTORY. */
void edit_parameters(const struct request *request, const char *directory);
/* -M, -F, -P with -e, -X or -# of master.cf in DIRECTORY. */
void edit_services(const struct request *request, const char *directory);

/* A file that is being changed; others who change it the same way wait. */
struct edited_file {
    char *path; /* symbolic links resolved */
    int lock;
    struct str old, new;
};
/* Read DIRECTORY/NAME and lock it, or fatal. */
void edited_file_open(struct edited_file *file, const char *directory,
                      const char *name);
/* Replace the file by file->new, or fatal; then forget it. */
void edited_file_close(struct edited_file *file);

/* Ends the process unless OPERAND is one line and no comment. */
void edit_check_operand(const char *operand);
/* Add LINE and a line end. */
void edit_add_line(struct str *out, struct view line);

#endif
