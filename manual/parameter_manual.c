/* SPDX-License-Identifier: MIT */
/*
 * Writes the manual page of main.cf: a text by hand, and in the place of its line
 * "@PARAMETERS@" every row of the parameter table.
 *
 *     parameter_manual TEMPLATE OUTPUT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "conf/logical_line.h"
#include "conf/param_table.h"
#include "conf/value.h"
#include "sys/file.h"

enum { TEMPLATE_MOST = 1024 * 1024, WIDTH = 76, PAGE_MODE = 0644 };

static const char white[] = " \t\r\n";

/* A word that mdoc shows as it is, whatever it starts with. */
static void add_word(struct str *out, struct view word)
{
    if (word.len > 0 && (word.ptr[0] == '.' || word.ptr[0] == '\'')) {
        str_add_cstr(out, "\\&");
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\\') {
            str_add_cstr(out, "\\e");
        } else if (word.ptr[i] == '-') {
            str_add_cstr(out, "\\-");
        } else {
            str_add_byte(out, word.ptr[i]);
        }
    }
}

/* TEXT in lines of moderate length, each sentence on new ones. */
static void add_text(struct str *out, struct view text)
{
    struct view word;
    size_t line_start = out->len;
    bool sentence_ended = false;
    while (view_next_word(&text, white, &word)) {
        size_t used = out->len - line_start;
        if (used > 0 && (sentence_ended || used + 1 + word.len > WIDTH)) {
            str_add_byte(out, '\n');
            line_start = out->len;
        } else if (used > 0) {
            str_add_byte(out, ' ');
        }
        add_word(out, word);
        sentence_ended = strchr(".?!", word.ptr[word.len - 1]) != NULL;
    }
    str_add_byte(out, '\n');
}

/* What a program's manual page is called: "rewrite" is short for trivial-rewrite. */
static void add_reader(struct str *out, struct view reader, bool more)
{
    static const char *const commands[] = {
        "newaliases", "postalias", "postcat",   "postconf",  "postdrop",  "postfix",
        "postlog",    "postmap",   "postmulti", "postqueue", "postsuper", "sendmail"};
    int section = 8;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        section = view_equal_cstr(reader, commands[i]) ? 1 : section;
    }
    if (view_equal_cstr(reader, "rewrite")) {
        reader = VIEW("trivial-rewrite");
    }
    str_printf(out, ".Xr %.*s %d%s\n", VIEW_ARG(reader), section, more ? " ," : " .");
}

static void add_readers(struct str *out, const struct param_row *row)
{
    struct view rest = view_cstr(row->readers);
    struct view reader;
    if (rest.len == 0) {
        str_add_cstr(out, "Known, but nothing acts on it yet.\n");
        return;
    }
    if (view_equal_cstr(rest, "*")) {
        return; /* everything reads it, or as good as */
    }
    str_add_cstr(out, "Read by\n");
    while (view_next_word(&rest, white, &reader)) {
        add_reader(out, reader, view_trim(rest).len > 0);
    }
}

static void add_default(struct str *out, enum param param)
{
    STR_AUTO struct str text = {0};
    const struct param_row *row = param_row(param);
    bool computed = param == P_myhostname || param == P_mydomain ||
                    param == P_mynetworks || param == P_process_id ||
                    param == P_process_name;
    if (computed) {
        str_add_cstr(&text, "Default: found out when a program starts.");
    } else if (row->value[0] == '\0') {
        str_add_cstr(&text, "Default: nothing.");
    } else {
        str_printf(&text, "Default: %s", row->value);
    }
    add_text(out, str_view(&text));
}

static void add_allowed(struct str *out, const struct param_row *row)
{
    STR_AUTO struct str text = {0};
    STR_AUTO struct str allowed = {0};
    value_allowed(row, &allowed);
    /* How times are written is explained once. */
    struct view first =
        view_first(str_view(&allowed), view_index(str_view(&allowed), ':'));
    if (row->type == PARAM_RAW) {
        str_add_cstr(&text, "Its $names are filled in for each message");
    } else {
        str_printf(&text, "Takes %.*s", VIEW_ARG(first));
    }
    if (row->type == PARAM_TIME) {
        str_printf(&text, " (without a unit, in %c)", value_default_unit(row));
    }
    str_add_byte(&text, '.');
    add_text(out, str_view(&text));
}

static void add_parameter(struct str *out, enum param param)
{
    const struct param_row *row = param_row(param);
    const char *note = param_note(param);
    str_printf(out, ".It Cm %s\n", row->name);
    add_text(out, view_cstr(row->help));
    if (note != NULL) {
        add_text(out, view_cstr(note));
    }
    if (row->type != PARAM_STR) {
        add_allowed(out, row);
    }
    add_readers(out, row);
    str_add_cstr(out, ".Pp\n");
    add_default(out, param);
}

static void add_families(struct str *out)
{
    size_t count;
    const struct param_family *families = param_families(&count);
    for (size_t i = 0; i < count; i++) {
        str_printf(out, ".It Ar name Ns Cm %s\n", families[i].suffix);
        str_printf(out, "Instead of\n.Cm %s\n", param_row(families[i].param)->name);
        str_add_cstr(out, "for the service of this name.\n");
    }
}

static void add_parameters(struct str *out)
{
    const enum param *order = param_sorted();
    str_add_cstr(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        add_parameter(out, order[i]);
    }
    str_add_cstr(out, ".El\n");
}

int main(int argc, char **argv)
{
    STR_AUTO struct str template = {0};
    STR_AUTO struct str page = {0};
    struct err err;
    struct view rest;
    struct view line;
    log_init("parameter_manual");
    if (argc != 3) {
        log_fatal("usage: parameter_manual template output");
    }
    if (file_read(argv[1], TEMPLATE_MOST, &template, &err) != OK) {
        log_fatal("%s", err.text);
    }
    rest = str_view(&template);
    while (physical_line_next(&rest, &line)) {
        if (view_equal_cstr(line, "@PARAMETERS@")) {
            add_parameters(&page);
        } else if (view_equal_cstr(line, "@FAMILIES@")) {
            add_families(&page);
        } else {
            str_add(&page, line);
            str_add_byte(&page, '\n');
        }
    }
    if (file_replace(argv[2], str_view(&page), PAGE_MODE, &err) != OK) {
        log_fatal("%s", err.text);
    }
    return 0;
}
