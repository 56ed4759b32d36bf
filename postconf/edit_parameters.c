/* SPDX-License-Identifier: MIT */
/*
 * main.cf: settings that are there are changed where they are, others are added at the
 * end.  Comments stay, also those between a line and its continuation.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/log.h"
#include "conf/logical_line.h"
#include "conf/settings.h"
#include "postconf/edit.h"

struct change {
    struct view name, value;
    int found;      /* how many lines of the file it changed */
    bool forgotten; /* a later operand is about the same name */
};

struct changes {
    const struct request *request;
    const char *file;
    struct change *items;
    int count;
};

static struct change *find_change(const struct changes *changes, struct view name)
{
    for (int i = 0; i < changes->count; i++) {
        if (!changes->items[i].forgotten && view_equal(changes->items[i].name, name)) {
            return &changes->items[i];
        }
    }
    return NULL;
}

static void add_change(struct changes *changes, const char *operand)
{
    struct change change = {.found = 0};
    struct err err;
    edit_check_operand(operand);
    if (!changes->request->edit) {
        change.name = view_trim(view_cstr(operand));
        if (strchr(operand, '=') != NULL) {
            log_fatal("-X or -# requires parameter names without value");
        }
        if (change.name.len == 0) {
            log_fatal("-X or -# requires non-blank parameter names");
        }
    } else if (!conf_split_setting(view_cstr(operand), &change.name, &change.value,
                                   &err)) {
        log_fatal("%s", err.text);
    }
    struct change *earlier = find_change(changes, change.name);
    if (earlier != NULL) {
        earlier->forgotten = true;
        if (changes->request->edit) {
            log_warning("ignoring earlier request: '%.*s = %.*s'",
                        VIEW_ARG(earlier->name), VIEW_ARG(earlier->value));
        }
    }
    changes->items[changes->count++] = change;
}

static void read_changes(const struct request *request, struct changes *out)
{
    *out = (struct changes){.request = request};
    if (request->operand_count == 0) {
        log_fatal(request->edit ? "-e requires name=value argument"
                                : "missing service argument");
    }
    out->items = xcalloc((size_t)request->operand_count, sizeof(out->items[0]));
    for (int i = 0; i < request->operand_count; i++) {
        add_change(out, request->operands[i]);
    }
}

static void add_setting(struct str *out, const struct change *change)
{
    str_printf(out, "%.*s = %.*s\n", VIEW_ARG(change->name), VIEW_ARG(change->value));
}

static struct view name_of(struct view line)
{
    size_t end = 0;
    while (end < line.len && line.ptr[end] != '=' && !ascii_space(line.ptr[end])) {
        end++;
    }
    return view_first(line, end);
}

/* The first physical line of a setting that CHANGE is about. */
static void change_line(const struct changes *changes, struct change *change,
                        struct view line, struct str *out)
{
    if (++change->found == 2) {
        log_warning("%s: multiple entries for \"%.*s\"", changes->file,
                    VIEW_ARG(change->name));
    }
    if (changes->request->edit) {
        add_setting(out, change);
    } else if (changes->request->comment_out) {
        str_add_byte(out, '#');
        edit_add_line(out, line);
    }
}

static void rewrite(struct changes *changes, struct edited_file *file)
{
    struct view rest = str_view(&file->old);
    struct view line;
    struct change *change = NULL; /* of the logical line that LINE is part of */
    while (physical_line_next(&rest, &line)) {
        if (physical_line_is_filler(line)) {
            edit_add_line(&file->new, line);
        } else if (!physical_line_continues(line)) {
            change = find_change(changes, name_of(line));
            if (change != NULL) {
                change_line(changes, change, line, &file->new);
            } else {
                edit_add_line(&file->new, line);
            }
        } else if (change == NULL || changes->request->comment_out) {
            str_add_cstr(&file->new, change != NULL ? "#" : "");
            edit_add_line(&file->new, line);
        }
    }
}

void edit_parameters(const struct request *request, const char *directory)
{
    struct changes changes;
    struct edited_file file;
    read_changes(request, &changes);
    edited_file_open(&file, directory, "main.cf");
    char *path = xasprintf("%s/main.cf", directory);
    changes.file = path;
    rewrite(&changes, &file);
    for (int i = 0; request->edit && i < changes.count; i++) {
        if (changes.items[i].found == 0 && !changes.items[i].forgotten) {
            add_setting(&file.new, &changes.items[i]);
        }
    }
    edited_file_close(&file);
    free(path);
    free(changes.items);
}
