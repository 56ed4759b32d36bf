/* SPDX-License-Identifier: MIT */
/*
 * A template is a few headers, an empty line, and a body in which $names of parameters
 * stand for their values; $name_hours and the like give a time in that unit.  The
 * built-in ones are kept in the form that bounce_template_file has, and read by the
 * same code:
 *
 *     failure_template = <<EOF
 *     Charset: us-ascii
 *     From: Mail Delivery System <MAILER-DAEMON>
 *     Subject: ...
 *     Postmaster-Subject: ...
 *
 *     text
 *     EOF
 */
#include "mail/notice_template.h"

#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "conf/settings.h"
#include "mail/header.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const struct {
    const char *name, *title;
} kinds[TEMPLATE_COUNT] = {
    [TEMPLATE_FAILURE] = {"failure_template", "failure"},
    [TEMPLATE_DELAY] = {"delay_template", "delay"},
    [TEMPLATE_SUCCESS] = {"success_template", "success"},
    [TEMPLATE_VERIFY] = {"verify_template", "verify"},
};

const char *notice_template_name(enum template_kind kind)
{
    CHECK(kind < TEMPLATE_COUNT);
    return kinds[kind].name;
}

const char *notice_template_title(enum template_kind kind)
{
    CHECK(kind < TEMPLATE_COUNT);
    return kinds[kind].title;
}

static const char BUILT_IN[] =
    "failure_template = <<EOF\n"
    "Charset: us-ascii\n"
    "From: Mail Delivery System <MAILER-DAEMON>\n"
    "Subject: Undelivered Mail Returned to Sender\n"
    "Postmaster-Subject: Postmaster Copy: Undelivered Mail\n"
    "\n"
    "This is the mail system at host $myhostname.\n"
    "\n"
    "I'm sorry to have to inform you that your message could not\n"
    "be delivered to one or more recipients. It's attached below.\n"
    "\n"
    "For further assistance, please send mail to postmaster.\n"
    "\n"
    "If you do so, please include this problem report. You can\n"
    "delete your own text from the attached returned message.\n"
    "\n"
    "                   The mail system\n"
    "EOF\n"
    "delay_template = <<EOF\n"
    "Charset: us-ascii\n"
    "From: Mail Delivery System <MAILER-DAEMON>\n"
    "Subject: Delayed Mail (still being retried)\n"
    "Postmaster-Subject: Postmaster Warning: Delayed Mail\n"
    "\n"
    "This is the mail system at host $myhostname.\n"
    "\n"
    "####################################################################\n"
    "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
    "####################################################################\n"
    "\n"
    "Your message could not be delivered for more than $delay_warning_time_hours "
    "hour(s).\n"
    "It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n"
    "\n"
    "For further assistance, please send mail to postmaster.\n"
    "\n"
    "If you do so, please include this problem report. You can\n"
    "delete your own text from the attached returned message.\n"
    "\n"
    "                   The mail system\n"
    "EOF\n"
    "success_template = <<EOF\n"
    "Charset: us-ascii\n"
    "From: Mail Delivery System <MAILER-DAEMON>\n"
    "Subject: Successful Mail Delivery Report\n"
    "\n"
    "This is the mail system at host $myhostname.\n"
    "\n"
    "Your message was successfully delivered to the destination(s)\n"
    "listed below. If the message was delivered to mailbox you will\n"
    "receive no further notifications. Otherwise you may still receive\n"
    "notifications of mail delivery errors from other systems.\n"
    "\n"
    "                   The mail system\n"
    "EOF\n"
    "verify_template = <<EOF\n"
    "Charset: us-ascii\n"
    "From: Mail Delivery System <MAILER-DAEMON>\n"
    "Subject: Mail Delivery Status Report\n"
    "\n"
    "This is the mail system at host $myhostname.\n"
    "\n"
    "Enclosed is the mail delivery report that you requested.\n"
    "\n"
    "                   The mail system\n"
    "EOF\n";

/* --- one template ----------------------------------------------------------------- */

static bool has_8bit(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (((unsigned char)text.ptr[i] & 0x80) != 0) {
            return true;
        }
    }
    return false;
}

static bool set_header(struct notice_template *template, const struct header *header,
                       const char *origin, const char *title)
{
    const struct {
        const char *name;
        struct view *value;
    } headers[] = {{"Charset", &template->charset},
                   {"From", &template->from},
                   {"Subject", &template->subject},
                   {"Postmaster-Subject", &template->postmaster_subject}};
    struct view value = view_trim(header->value);
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        if (!view_equal_nocase_cstr(header->name, headers[i].name)) {
            continue;
        }
        if (value.len == 0) {
            log_warning("%s: empty \"%.*s\" header value in %s template -- ignoring "
                        "this template",
                        origin, VIEW_ARG(header->name), title);
            return false;
        }
        *headers[i].value = value;
        return true;
    }
    log_warning("%s: unknown \"%.*s\" header label in %s template -- ignoring this "
                "template",
                origin, VIEW_ARG(header->name), title);
    return false;
}

/* Headers that BLOCK does not have stay what they are.  One bad line, and the whole
 * template stays. */
static void take_block(struct notice_template *template, struct view block,
                       const char *origin, const char *title)
{
    struct notice_template new = *template;
    struct header header;
    new.origin = origin;
    while (header_next(&block, &header)) {
        if (!set_header(&new, &header, origin, title)) {
            return;
        }
    }
    if (block.len > 0 && block.ptr[0] == '\n') {
        block = view_from(block, 1);
    }
    new.body = block;
    if (block.len == 0) {
        log_warning("%s: missing message text in %s template -- ignoring this template",
                    origin, title);
    } else if (has_8bit(block) && view_equal_nocase_cstr(new.charset, "us-ascii")) {
        log_warning("%s: 8-bit message text in %s template", origin, title);
        log_warning("please specify a charset value other than us-ascii");
        log_warning("-- ignoring this template for now");
    } else {
        *template = new;
    }
}

/* --- a file of templates ---------------------------------------------------------- */

struct reader {
    struct view rest;
    int line; /* of what was read last */
    const char *origin;
};

static bool next_line(struct reader *reader, struct view *line_out)
{
    if (reader->rest.len == 0) {
        return false;
    }
    size_t lf = view_index(reader->rest, '\n');
    *line_out = view_first(reader->rest, lf);
    reader->rest = view_from(reader->rest, lf + 1);
    reader->line++;
    return true;
}

/* Everything up to the line MARK. */
static struct view cut_block(struct reader *reader, struct view mark)
{
    const char *start = reader->rest.ptr;
    struct view line;
    while (next_line(reader, &line)) {
        if (view_equal(line, mark)) {
            return view_of(start, (size_t)(line.ptr - start));
        }
    }
    log_warning("%s, line %d: missing \"%.*s\" end marker", reader->origin,
                reader->line, VIEW_ARG(mark));
    return view_of(start, (size_t)(reader->rest.ptr - start));
}

/* "name = <<MARK" and what follows, or "name = text". */
static enum outcome read_template(struct notice_templates *templates,
                                  struct reader *reader, struct view line,
                                  struct err *err)
{
    struct view name, value;
    struct err mistake;
    int number = reader->line;
    if (!conf_split_setting(line, &name, &value, &mistake)) {
        return err_perm(err, "5.3.0", "%s, line %d: %s", reader->origin, number,
                        mistake.text);
    }
    if (view_starts(value, VIEW("<<"))) {
        struct view mark = view_trim(view_from(value, 2));
        if (mark.len == 0) {
            return err_perm(err, "5.3.0", "%s, line %d: missing end marker after <<",
                            reader->origin, number);
        }
        value = cut_block(reader, mark);
    }
    for (int kind = 0; kind < TEMPLATE_COUNT; kind++) {
        if (view_equal_cstr(name, kinds[kind].name)) {
            take_block(&templates->of[kind], value, reader->origin, kinds[kind].title);
            return OK;
        }
    }
    log_warning("%s, line %d: unknown template name: %.*s -- ignoring this template",
                reader->origin, number, VIEW_ARG(name));
    return OK;
}

/* TEXT and ORIGIN live as long as TEMPLATES. */
static enum outcome parse(struct notice_templates *templates, struct view text,
                          const char *origin, struct err *err)
{
    struct reader reader = {.rest = text, .origin = origin};
    enum outcome outcome = OK;
    struct view line;
    while (outcome == OK && next_line(&reader, &line)) {
        struct view trimmed = view_trim(line);
        if (trimmed.len > 0 && trimmed.ptr[0] != '#') {
            outcome = read_template(templates, &reader, trimmed, err);
        }
    }
    return outcome;
}

enum outcome notice_templates_read(struct notice_templates *templates, const char *file,
                                   struct err *err)
{
    STR_AUTO struct str text = {0};
    *templates = (struct notice_templates){0};
    enum outcome built_in = parse(templates, view_cstr(BUILT_IN), "[built-in]", err);
    CHECK(built_in == OK);
    if (file[0] == '\0') {
        return OK;
    }
    if (file_read(file, FILE_MAX_BYTES, &text, err) != OK) {
        return PERMFAIL;
    }
    return parse(templates, arena_view(&templates->arena, str_view(&text)),
                 arena_strdup(&templates->arena, file), err);
}

void notice_templates_load(struct notice_templates *templates, const struct conf *conf)
{
    struct err err = {0};
    const char *file = conf_str(conf, P_bounce_template_file);
    if (notice_templates_read(templates, file, &err) != OK) {
        log_warning("%s: what follows, or all of it, is ignored: bounce templates are "
                    "the built-in ones",
                    err.text);
    }
}

void notice_templates_free(struct notice_templates *templates)
{
    arena_clear(&templates->arena);
}

/* --- expanding -------------------------------------------------------------------- */

struct expansion {
    const struct notice_template *template;
    enum template_kind kind;
    const struct conf *conf;
    struct arena arena; /* of the values handed out */
    bool undefined;     /* a name that nobody defines was asked for */
};

/* Times whose bare numbers are not seconds. */
static int64_t time_value(const struct conf *conf, const char *name, bool *found_out)
{
    int64_t value = 0;
    *found_out = true;
    if (strcmp(name, "delay_warning_time") == 0) {
        return conf_time(conf, P_delay_warning_time);
    }
    if (strcmp(name, "maximal_queue_lifetime") == 0) {
        return conf_time(conf, P_maximal_queue_lifetime);
    }
    if (strcmp(name, "bounce_queue_lifetime") == 0) {
        return conf_time(conf, P_bounce_queue_lifetime);
    }
    const char *text = conf_lookup(conf, name);
    *found_out = text != NULL && conf_parse_time(view_cstr(text), 's', &value);
    return value;
}

static const char *time_in_unit(struct expansion *expansion, const char *name,
                                const char *unit, int64_t seconds)
{
    size_t base = strlen(name) - strlen(unit) - 1; /* "_" and the unit go */
    bool found;
    char *parameter = arena_cstr(&expansion->arena, view_of(name, base));
    int64_t value = time_value(expansion->conf, parameter, &found);
    if (!found) {
        return NULL;
    }
    int64_t result = value / (seconds * CLOCK_SECOND);
    if (result == 0 && value > 0) {
        log_warning("%s: zero result in %s template conversion of parameter \"%s\"",
                    expansion->template->origin, kinds[expansion->kind].title, name);
        log_warning("please reduce time unit \"%s\" of \"%s\" in %s template", unit,
                    name, kinds[expansion->kind].title);
    }
    return arena_printf(&expansion->arena, "%lld", (long long)result);
}

static const char *look_up(void *context, const char *name)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"seconds", 1},
                 {"minutes", 60},
                 {"hours", 3600},
                 {"days", 86400},
                 {"weeks", INT64_C(604800)}};
    struct expansion *expansion = context;
    const char *last = strrchr(name, '_');
    for (size_t i = 0; last != NULL && i < ARRAY_SIZE(units); i++) {
        if (strcmp(last + 1, units[i].unit) == 0) {
            const char *value =
                time_in_unit(expansion, name, units[i].unit, units[i].seconds);
            if (value != NULL) {
                return value;
            }
        }
    }
    const char *value = conf_lookup(expansion->conf, name);
    expansion->undefined = expansion->undefined || value == NULL;
    return value;
}

/* By lines, so that a mistake has a place. */
static enum outcome expand_line(struct expansion *expansion, struct view line,
                                struct str *out, struct err *err)
{
    struct err mistake = {0};
    STR_AUTO struct str text = {0};
    expansion->undefined = false;
    bool good = conf_expand_with(arena_cstr(&expansion->arena, line), look_up,
                                 expansion, &text, &mistake) == OK;
    if (good) {
        str_add(out, str_view(&text));
    } else {
        str_add(out, line);
    }
    str_add_byte(out, '\n');
    if (good && !expansion->undefined) {
        return OK;
    }
    return err_perm(err, "5.3.0", "%s: %s in %s template: %.*s",
                    expansion->template->origin,
                    good ? "undefined $name" : "bad $name syntax",
                    kinds[expansion->kind].title, VIEW_ARG(line));
}

static enum outcome expand(const struct notice_template *template,
                           enum template_kind kind, const struct conf *conf,
                           bool strict, struct str *out, struct err *err)
{
    struct expansion expansion = {.template = template, .kind = kind, .conf = conf};
    struct reader reader = {.rest = template->body, .origin = template->origin};
    struct view line;
    enum outcome outcome = OK;
    while ((outcome == OK || !strict) && next_line(&reader, &line)) {
        outcome = expand_line(&expansion, line, out, err);
        if (outcome != OK && !strict) {
            log_warning("%s", err->text);
        }
    }
    arena_clear(&expansion.arena);
    return outcome;
}

void notice_template_expand(const struct notice_template *template,
                            enum template_kind kind, const struct conf *conf,
                            struct str *out)
{
    struct err err = {0};
    (void)expand(template, kind, conf, false, out, &err); /* logged line by line */
}

enum outcome notice_template_check(const struct notice_template *template,
                                   enum template_kind kind, const struct conf *conf,
                                   struct str *out, struct err *err)
{
    return expand(template, kind, conf, true, out, err);
}
