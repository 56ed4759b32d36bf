/* SPDX-License-Identifier: MIT */
/*
 * What stands on the right-hand side of an access table: an action with a text, a
 * reply code with a text, or restrictions.
 */
#include "base/ascii.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/header.h"
#include "rpc/deliver_agent.h"
#include "smtpd/access/rules.h"

struct action {
    struct check *check;
    const char *table;
    struct view key;
    enum subject subject;
    struct view value; /* all of it */
    struct view text;  /* behind the first word */
};

/* "5.1.1 text" -> the two; without text it is "Access denied". */
static enum access_result refuse(struct action *a, int code)
{
    CHECK(code >= 400 && code <= 599);
    struct arena *scratch = &a->check->session->scratch;
    struct view dsn;
    struct view text;
    deliver_split_dsn(a->text, code >= 500 ? "5.7.1" : "4.7.1", &dsn, &text);
    text = view_trim(text);
    if (text.len == 0) {
        text = VIEW("Access denied");
    }
    return check_refuse_subject(a->check, a->subject, code, arena_cstr(scratch, dsn),
                                "%.*s", VIEW_ARG(text));
}

static void defer(struct action *a, void (*when)(struct check *, enum subject,
                                                 const char *, const char *))
{
    struct arena *scratch = &a->check->session->scratch;
    struct view dsn;
    struct view text;
    deliver_split_dsn(a->text, "4.7.1", &dsn, &text);
    text = view_trim(text);
    when(a->check, a->subject, arena_cstr(scratch, dsn),
         text.len > 0 ? arena_cstr(scratch, text) : "Service unavailable");
}

/* "<name>: Sender address TEXT" */
static void log_action(struct action *a, const char *name, const char *text)
{
    STR_AUTO struct str line = {0};
    str_printf(&line, "<%s>: %s %s", check_name_of(a->check, a->subject),
               check_class_of(a->subject), text);
    check_log(a->check, name, str_ptr(&line));
}

static void log_text_or(struct action *a, const char *name, const char *otherwise)
{
    struct arena *scratch = &a->check->session->scratch;
    log_action(a, name, a->text.len > 0 ? arena_cstr(scratch, a->text) : otherwise);
}

static enum access_result act_reject(struct action *a)
{
    return refuse(a, conf_int(a->check->session->conf, P_access_map_reject_code));
}

static enum access_result act_defer(struct action *a)
{
    return refuse(a, conf_int(a->check->session->conf, P_access_map_defer_code));
}

static enum access_result act_defer_if_permit(struct action *a)
{
    defer(a, check_defer_if_permit);
    return ACCESS_DUNNO;
}

static enum access_result act_defer_if_reject(struct action *a)
{
    defer(a, check_defer_if_reject);
    return ACCESS_DUNNO;
}

static enum access_result act_dunno(struct action *a)
{
    (void)a;
    return ACCESS_DUNNO;
}

static enum access_result act_ok(struct action *a)
{
    char *source = arena_printf(&a->check->session->scratch, "from %s", a->table);
    return check_permit(a->check, "OK", a->subject, source);
}

static enum access_result act_warn(struct action *a)
{
    check_log(a->check, "warn", arena_cstr(&a->check->session->scratch, a->text));
    return ACCESS_DUNNO;
}

static enum access_result act_info(struct action *a)
{
    check_log(a->check, "info", arena_cstr(&a->check->session->scratch, a->text));
    return ACCESS_DUNNO;
}

/* --- actions on the message ------------------------------------------------------- */

/* NULL, with a warning: there is none at this stage. */
static struct message *message_of(struct action *a, const char *name)
{
    struct message *message = a->check->session->message;
    if (message == NULL) {
        log_warning("access table %s: action %s is not possible before MAIL", a->table,
                    name);
    }
    return message;
}

static enum access_result act_hold(struct action *a)
{
    struct message *message = message_of(a, "HOLD");
    if (message != NULL && !message->hold) {
        log_text_or(a, "hold", "triggers HOLD action");
        message->hold = true;
    }
    return ACCESS_DUNNO;
}

static enum access_result act_discard(struct action *a)
{
    struct message *message = message_of(a, "DISCARD");
    if (message == NULL) {
        return ACCESS_DUNNO;
    }
    log_text_or(a, "discard", "triggers DISCARD action");
    message->discard = true;
    return ACCESS_PERMIT;
}

/* The text as an address; empty, with a warning: it is none. */
static struct view target(struct action *a)
{
    if (view_index(a->text, '@') >= a->text.len) {
        log_warning("access table %s entry \"%.*s\" requires user@domain target",
                    a->table, VIEW_ARG(a->key));
        return view_of("", 0);
    }
    return a->text;
}

static enum access_result act_redirect(struct action *a)
{
    struct message *message = message_of(a, "REDIRECT");
    struct view address = target(a);
    if (message != NULL && address.len > 0) {
        log_action(a, "redirect",
                   arena_printf(&a->check->session->scratch, "triggers REDIRECT %.*s",
                                VIEW_ARG(address)));
        message->redirect = arena_view(&message->arena, address);
    }
    return ACCESS_DUNNO;
}

static enum access_result act_bcc(struct action *a)
{
    struct message *message = message_of(a, "BCC");
    struct view address = target(a);
    if (message != NULL && address.len > 0) {
        log_action(a, "bcc",
                   arena_printf(&a->check->session->scratch, "triggers BCC %.*s",
                                VIEW_ARG(address)));
        message_add_copy(message, address);
    }
    return ACCESS_DUNNO;
}

static enum access_result act_prepend(struct action *a)
{
    struct view name;
    struct view value;
    struct message *message = message_of(a, "PREPEND");
    if (message == NULL) {
        return ACCESS_DUNNO;
    }
    if (message->headed) {
        log_warning("access table %s: action PREPEND must be used before "
                    "smtpd_end_of_data_restrictions",
                    a->table);
    } else if (!header_split(a->text, &name, &value)) {
        log_warning("access table %s entry \"%.*s\" requires header: text", a->table,
                    VIEW_ARG(a->key));
    } else {
        str_add(&message->prepended, a->text);
        str_add_byte(&message->prepended, '\n');
    }
    return ACCESS_DUNNO;
}

static enum access_result act_filter(struct action *a)
{
    log_warning("access table %s entry \"%.*s\": action FILTER is not built yet",
                a->table, VIEW_ARG(a->key));
    return check_refuse_config(a->check);
}

/* --- which one ----------------------------------------------------------------------
 */

struct action_row {
    const char *name;
    enum access_result (*apply)(struct action *);
};

static const struct action_row ACTIONS[] = {
    {"BCC", act_bcc},
    {"DEFER", act_defer},
    {"DEFER_IF_PERMIT", act_defer_if_permit},
    {"DEFER_IF_REJECT", act_defer_if_reject},
    {"DISCARD", act_discard},
    {"DUNNO", act_dunno},
    {"FILTER", act_filter},
    {"HOLD", act_hold},
    {"INFO", act_info},
    {"OK", act_ok},
    {"PREPEND", act_prepend},
    {"REDIRECT", act_redirect},
    {"REJECT", act_reject},
    {"WARN", act_warn},
};

static const struct action_row *find_action(struct view word)
{
    for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++) {
        if (view_equal_nocase_cstr(word, ACTIONS[i].name)) {
            return &ACTIONS[i];
        }
    }
    return NULL;
}

static bool is_number(struct view word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!ascii_digit(word.ptr[i])) {
            return false;
        }
    }
    return word.len > 0;
}

/* 4xx or 5xx, or 0. */
static int reply_code(struct view word)
{
    if (word.len != 3 || !is_number(word) ||
        (word.ptr[0] != '4' && word.ptr[0] != '5')) {
        return 0;
    }
    return (word.ptr[0] - '0') * 100 + (word.ptr[1] - '0') * 10 + (word.ptr[2] - '0');
}

static enum access_result run_restrictions(struct action *a)
{
    struct restriction_list list;
    if (view_index(a->value, ':') < a->value.len) {
        log_warning("access table %s has entry with lookup table: %.*s", a->table,
                    VIEW_ARG(a->value));
        log_warning("do not specify lookup tables inside SMTPD access maps");
        log_warning("define a restriction class and specify its name instead.");
        return check_refuse_config(a->check);
    }
    restriction_list_parse(NULL, &a->check->session->scratch, a->value,
                           "check_recipient_access", &list);
    list.title = a->table;
    return check_nested(a->check, &list);
}

enum access_result action_apply(struct check *check, const char *table, struct view key,
                                struct view text, enum subject subject)
{
    CHECK(subject < SUBJECT_COUNT && table != NULL);
    struct action action = {.check = check,
                            .table = table,
                            .key = key,
                            .subject = subject,
                            .value = view_trim(text)};
    struct view rest = action.value;
    struct view word;
    if (!view_next_word(&rest, " \t\r\n", &word)) {
        return ACCESS_DUNNO;
    }
    action.text = view_trim(rest);
    const struct action_row *row = find_action(word);
    if (row != NULL) {
        return row->apply(&action);
    }
    int code = reply_code(word);
    if (code != 0 && action.text.len > 0) {
        return refuse(&action, code);
    }
    if (is_number(word) && action.text.len == 0) {
        return act_ok(&action); /* as sendmail's RELAY tables have it */
    }
    return run_restrictions(&action);
}
