/* SPDX-License-Identifier: MIT */
/* Reading master.cf line by line, and choosing lines by name and type. */
#include "postconf/services.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/logical_line.h"
#include "sys/file.h"

enum { MASTER_CF_MOST = 4 * 1024 * 1024 };

static void add_line(struct services *services, struct view text, int number)
{
    struct err err;
    enum { SHOWN = 30 };
    if (ascii_space(text.ptr[0])) {
        log_warning("%s: logical line must not start with whitespace: \"%.*s%s\"",
                    services->file, VIEW_ARG(view_first(text, SHOWN)),
                    text.len > SHOWN ? "..." : "");
        return;
    }
    services->lines = xreallocarray(services->lines, (size_t)services->count + 1,
                                    sizeof(services->lines[0]));
    if (master_line_parse(&services->arena, text, services->file, number,
                          &services->lines[services->count], &err) != OK) {
        log_hint("%s, line %d", services->file, number);
        log_fatal("%s", err.text);
    }
    services->count++;
}

void services_read(const char *directory, bool may_miss, struct services *out)
{
    STR_AUTO struct str text = {0};
    struct err err;
    *out = (struct services){.file = xasprintf("%s/master.cf", directory)};
    if (file_read(out->file, MASTER_CF_MOST, &text, &err) != OK) {
        if (!may_miss || err.code != ENOENT) {
            log_fatal("%s", err.text);
        }
        log_warning("%s", err.text);
        return;
    }
    struct logical_line reader = {.rest = str_view(&text)};
    while (logical_line_next(&reader)) {
        add_line(out, str_view(&reader.text), reader.line);
    }
    logical_line_done(&reader);
}

void services_done(struct services *services)
{
    arena_clear(&services->arena);
    free(services->lines);
    free(services->file);
    *services = (struct services){0};
}

bool service_pattern_parse(struct view text, int most, struct service_pattern *out)
{
    CHECK(most > 0 && (size_t)most <= ARRAY_SIZE(out->parts));
    *out = (struct service_pattern){.count = 0};
    if (text.len == 0 || text.ptr[0] == '/') {
        return false;
    }
    while (text.len > 0) {
        size_t slash = view_index(text, '/');
        struct view part = view_first(text, slash);
        text = view_from(text, slash + 1);
        if (part.len == 0) {
            continue;
        }
        bool wild_inside = view_index(part, '*') < part.len && part.len > 1;
        if (out->count == most || wild_inside) {
            return false;
        }
        out->parts[out->count++] = part;
    }
    return true;
}

bool service_pattern_part(const struct service_pattern *pattern, int part,
                          struct view text)
{
    return part >= pattern->count || view_equal_cstr(pattern->parts[part], "*") ||
           view_equal(pattern->parts[part], text);
}

bool service_pattern_matches(const struct service_pattern *pattern,
                             const struct master_line *line)
{
    return service_pattern_part(pattern, 0, view_cstr(line->fields[FIELD_SERVICE])) &&
           service_pattern_part(pattern, 1, view_cstr(line->fields[FIELD_TYPE]));
}
