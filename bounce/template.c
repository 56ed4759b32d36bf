/* SPDX-License-Identifier: MIT */
/*
 * The texts of notices.  A template is a few headers, an empty line, and a body in
 * which $names of parameters stand for their values; $name_hours and the like give
 * a time in that unit.  The built-in ones are kept in the form that
 * bounce_template_file has, and read by the same code:
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
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bounce/bounce.h"
#include "mail/header.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

static const char *const NAMES[TEMPLATE_COUNT] = {
    [TEMPLATE_FAILURE] = "failure_template",
    [TEMPLATE_DELAY] = "delay_template",
    [TEMPLATE_SUCCESS] = "success_template",
    [TEMPLATE_VERIFY] = "verify_template",
};
/* What warnings call them. */
static const char *const TITLES[TEMPLATE_COUNT] = {
    [TEMPLATE_FAILURE] = "failure",
    [TEMPLATE_DELAY] = "delay",
    [TEMPLATE_SUCCESS] = "success",
    [TEMPLATE_VERIFY] = "verify",
};

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

/* --- reading ---------------------------------------------------------------------- */

static bool next_line(struct view *rest, struct view *line_out)
{
    if (rest->len == 0) {
        return false;
    }
    size_t lf = view_index(*rest, '\n');
    *line_out = view_first(*rest, lf);
    *rest = view_from(*rest, lf + 1);
    return true;
}

/* "name = <<MARK"; false: something else. */
static bool parse_start(struct view line, enum template_kind *kind_out,
                        struct view *mark_out)
{
    size_t equals = view_index(line, '=');
    struct view name = view_trim(view_first(line, equals));
    struct view value = view_trim(view_from(line, equals + 1));
    if (!view_starts(value, VIEW("<<"))) {
        return false;
    }
    *mark_out = view_trim(view_from(value, 2));
    for (int kind = 0; kind < TEMPLATE_COUNT; kind++) {
        if (view_equal_cstr(name, NAMES[kind])) {
            *kind_out = (enum template_kind)kind;
            return mark_out->len > 0;
        }
    }
    return false;
}

/* Everything up to the line MARK; false: it is missing. */
static bool cut_block(struct view *rest, struct view mark, struct view *block_out)
{
    const char *start = rest->ptr;
    struct view line;
    while (next_line(rest, &line)) {
        if (view_equal(view_trim(line), mark)) {
            *block_out = view_of(start, (size_t)(line.ptr - start));
            return true;
        }
    }
    return false;
}

static bool set_header(struct template *template, const struct header *header)
{
    struct view value = view_trim(header->value);
    if (view_equal_nocase_cstr(header->name, "Charset")) {
        template->charset = value;
    } else if (view_equal_nocase_cstr(header->name, "From")) {
        template->from = value;
    } else if (view_equal_nocase_cstr(header->name, "Subject")) {
        template->subject = value;
    } else if (view_equal_nocase_cstr(header->name, "Postmaster-Subject")) {
        template->postmaster_subject = value;
    } else {
        return false;
    }
    return true;
}

static void parse_block(struct template *template, struct view block,
                        const char *origin, const char *title)
{
    struct header header;
    template->origin = origin;
    while (header_next(&block, &header)) {
        if (!set_header(template, &header)) {
            log_warning("%s: unknown \"%.*s\" header in %s template", origin,
                        VIEW_ARG(header.name), title);
        }
    }
    if (block.len > 0 && block.ptr[0] == '\n') {
        block = view_from(block, 1);
    }
    template->body = block;
}

/* TEXT lives as long as TEMPLATES. */
static bool parse(struct templates *templates, struct view text, const char *origin)
{
    struct view line;
    while (next_line(&text, &line)) {
        struct view trimmed = view_trim(line);
        enum template_kind kind;
        struct view mark;
        struct view block;
        if (trimmed.len == 0 || trimmed.ptr[0] == '#') {
            continue;
        }
        if (!parse_start(trimmed, &kind, &mark) || !cut_block(&text, mark, &block)) {
            log_warning(
                "%s: bad template near \"%.*s\" -- ignoring the rest of the file",
                origin, VIEW_ARG(trimmed));
            return false;
        }
        parse_block(&templates->of[kind], block, origin, TITLES[kind]);
    }
    return true;
}

void templates_load(struct templates *templates, const struct conf *conf)
{
    *templates = (struct templates){0};
    bool built_in_is_good = parse(templates, view_cstr(BUILT_IN), "[built-in]");
    CHECK(built_in_is_good);
    const char *file = conf_str(conf, P_bounce_template_file);
    if (file[0] == '\0') {
        return;
    }
    STR_AUTO struct str text = {0};
    struct err err = {0};
    if (file_read(file, FILE_MAX_BYTES, &text, &err) != OK) {
        log_warning("%s: %s -- using built-in bounce templates", file, err.text);
        return;
    }
    (void)parse(templates, arena_view(&templates->arena, str_view(&text)), file);
}

void templates_free(struct templates *templates)
{
    arena_clear(&templates->arena);
}

/* --- expanding -------------------------------------------------------------------- */

struct expansion {
    const struct template *template;
    enum template_kind kind;
    const struct conf *conf;
    struct arena arena; /* of the values handed out */
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
                    expansion->template->origin, TITLES[expansion->kind], name);
        log_warning("please reduce time unit \"%s\" of \"%s\" in %s template", unit,
                    name, TITLES[expansion->kind]);
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
    return conf_lookup(expansion->conf, name);
}

void template_expand(const struct template *template, enum template_kind kind,
                     const struct conf *conf, struct str *out)
{
    struct expansion expansion = {.template = template, .kind = kind, .conf = conf};
    struct err err = {0};
    STR_AUTO struct str text = {0};
    const char *body = arena_cstr(&expansion.arena, template->body);
    if (conf_expand_with(body, look_up, &expansion, &text, &err) == OK) {
        str_add(out, str_view(&text));
    } else {
        log_warning("%s: %s template: %s", template->origin, TITLES[kind], err.text);
        str_add(out, template->body);
    }
    arena_clear(&expansion.arena);
}
