/* SPDX-License-Identifier: MIT */
/*
 * Compiling restriction lists.  A mistake in a list does not keep the server from
 * starting: the restriction refuses everything with "451 4.3.5" when it is reached,
 * and says why in the log, so that neither mail is lost nor the door left open.
 */
#include "smtpd/access/rules.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "smtpd/access/policy_service.h"

/* --- lists ---------------------------------------------------------------------------
 */

/* "{ text }" -> "text" */
static struct view without_braces(struct view word)
{
    if (word.len >= 2 && word.ptr[0] == '{' && word.ptr[word.len - 1] == '}') {
        return view_trim(view_of(word.ptr + 1, word.len - 2));
    }
    return word;
}

static struct maps *open_table(struct access_rules *rules, const char *title,
                               struct view name)
{
    char *list = arena_cstr(&rules->arena, name);
    struct maps *maps = maps_open(rules->conf, title, list, MAP_FOLD);
    rules->tables =
        xreallocarray(rules->tables, rules->table_count + 1, sizeof(struct maps *));
    rules->tables[rules->table_count++] = maps;
    return maps;
}

struct parsing {
    struct access_rules *rules; /* NULL: no tables */
    struct arena *arena;
    struct view rest;
    const char *table_verb;
};

/* The word after the verb.  None: "" */
static struct view next_argument(struct parsing *parsing)
{
    struct view word;
    if (!conf_list_next(&parsing->rest, &word)) {
        return view_of("", 0);
    }
    return without_braces(word);
}

static void set_table(struct parsing *parsing, struct restriction *item,
                      struct view name)
{
    CHECK(item->verb != NULL && (item->verb->argument == ARGUMENT_TABLE ||
                                 item->verb->argument == ARGUMENT_CCERT));
    if (item->verb->argument == ARGUMENT_CCERT &&
        !ccert_parse_argument(parsing->arena, name, &name, &item->order,
                              &item->problem)) {
        return;
    }
    if (view_index(name, ':') >= name.len) {
        item->problem = arena_printf(
            parsing->arena,
            "restriction %.*s: bad argument \"%.*s\": need maptype:mapname",
            VIEW_ARG(item->word), VIEW_ARG(name.len > 0 ? name : item->word));
        return;
    }
    item->argument = arena_view(parsing->arena, name);
    if (parsing->rules != NULL) {
        item->table = open_table(parsing->rules, item->verb->name, name);
    } else {
        item->problem = "do not specify lookup tables inside SMTPD access maps";
    }
}

static void set_service(struct parsing *parsing, struct restriction *item)
{
    struct access_rules *rules = parsing->rules;
    struct view word;
    struct err err = {0};
    if (!conf_list_next(&parsing->rest, &word)) {
        word = view_of("", 0);
    }
    if (rules == NULL) {
        item->problem = "do not specify policy services inside SMTPD access maps";
        return;
    }
    item->service = policy_service_new(rules->conf, word, &err);
    if (item->service == NULL) {
        item->problem = arena_strdup(parsing->arena, err.text);
        return;
    }
    rules->services = xreallocarray(rules->services, rules->service_count + 1,
                                    sizeof(struct policy_service *));
    rules->services[rules->service_count++] = item->service;
}

static void set_argument(struct parsing *parsing, struct restriction *item)
{
    if (item->verb->argument == ARGUMENT_NONE) {
        return;
    }
    if (item->verb->argument == ARGUMENT_SERVICE) {
        set_service(parsing, item);
        return;
    }
    struct view argument = next_argument(parsing);
    if (item->verb->argument == ARGUMENT_TABLE ||
        item->verb->argument == ARGUMENT_CCERT) {
        set_table(parsing, item, argument);
        return;
    }
    item->argument = arena_view(parsing->arena, argument);
    if (argument.len == 0 && item->verb->argument == ARGUMENT_NUMBER) {
        item->problem = "restriction sleep requires a number of seconds";
    }
}

static void parse_item(struct parsing *parsing, struct view word,
                       struct restriction *item)
{
    item->word = arena_view(parsing->arena, without_braces(word));
    item->verb = verb_find(item->word);
    if (item->verb != NULL) {
        set_argument(parsing, item);
    } else if (view_index(item->word, ':') < item->word.len) {
        item->verb = verb_find(view_cstr(parsing->table_verb));
        set_table(parsing, item, item->word);
    }
}

void restriction_list_parse(struct access_rules *rules, struct arena *arena,
                            struct view text, const char *table_verb,
                            struct restriction_list *out)
{
    struct parsing parsing = {
        .rules = rules, .arena = arena, .rest = text, .table_verb = table_verb};
    struct view rest = text;
    struct view word;
    size_t most = 0;
    while (conf_list_next(&rest, &word)) {
        most++;
    }
    *out = (struct restriction_list){.title = "restriction"};
    out->items = arena_alloc(arena, (most + 1) * sizeof(*out->items));
    while (conf_list_next(&parsing.rest, &word)) {
        CHECK(out->count < most);
        parse_item(&parsing, word, &out->items[out->count++]);
    }
}

static bool list_guards(const struct access_rules *rules,
                        const struct restriction_list *list, int depth)
{
    enum { DEPTH_MAX = 20 };
    bool only_warned = false;
    for (size_t i = 0; i < list->count && depth < DEPTH_MAX; i++) {
        const struct restriction *item = &list->items[i];
        const struct restriction_list *class =
            item->verb == NULL ? htab_get(rules->classes, item->word) : NULL;
        bool guards = (item->verb != NULL && (item->verb->flags & VERB_GUARD) != 0) ||
                      (class != NULL && list_guards(rules, class, depth + 1));
        if (guards && !only_warned) {
            return true;
        }
        only_warned = item->verb != NULL && (item->verb->flags & VERB_MODIFIER) != 0;
    }
    return false;
}

bool restriction_list_guards(const struct access_rules *rules,
                             const struct restriction_list *list)
{
    return list_guards(rules, list, 0);
}

/* --- all of them ------------------------------------------------------------------ */

static void parse_parameters(struct access_rules *rules)
{
    const struct {
        enum param param;
        const char *title, *table_verb;
        struct restriction_list *list;
    } rows[] = {
        {P_smtpd_client_restrictions, "smtpd_client_restrictions",
         "check_client_access", &rules->client},
        {P_smtpd_helo_restrictions, "smtpd_helo_restrictions", "check_helo_access",
         &rules->helo},
        {P_smtpd_sender_restrictions, "smtpd_sender_restrictions",
         "check_sender_access", &rules->sender},
        {P_smtpd_relay_restrictions, "smtpd_relay_restrictions",
         "check_recipient_access", &rules->relay},
        {P_smtpd_recipient_restrictions, "smtpd_recipient_restrictions",
         "check_recipient_access", &rules->recipient},
        {P_smtpd_data_restrictions, "smtpd_data_restrictions", "check_recipient_access",
         &rules->data},
        {P_smtpd_end_of_data_restrictions, "smtpd_end_of_data_restrictions",
         "check_recipient_access", &rules->end_of_data},
        {P_smtpd_etrn_restrictions, "smtpd_etrn_restrictions", "check_etrn_access",
         &rules->etrn},
        {P_local_header_rewrite_clients, "local_header_rewrite_clients",
         "check_address_map", &rules->local_rewrite},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        restriction_list_parse(rules, &rules->arena,
                               view_cstr(conf_str(rules->conf, rows[i].param)),
                               rows[i].table_verb, rows[i].list);
        rows[i].list->title = rows[i].title;
    }
}

/* A class is a parameter of the site's own. */
static void parse_classes(struct access_rules *rules)
{
    struct view rest = view_cstr(conf_str(rules->conf, P_smtpd_restriction_classes));
    struct view name;
    while (conf_list_next(&rest, &name)) {
        char *title = arena_cstr(&rules->arena, name);
        const char *text = conf_lookup(rules->conf, title);
        if (text == NULL || *text == '\0') {
            log_fatal("restriction class `%s' needs a definition", title);
        }
        struct restriction_list *class = arena_alloc(&rules->arena, sizeof(*class));
        restriction_list_parse(rules, &rules->arena, view_cstr(text),
                               "check_recipient_access", class);
        class->title = title;
        (void)htab_put(rules->classes, name, class);
    }
}

static void insist_on_guard(const struct access_rules *rules)
{
    CHECK(rules->classes != NULL);
    if (!restriction_list_guards(rules, &rules->relay) &&
        !restriction_list_guards(rules, &rules->recipient)) {
        log_fatal(
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, "
            "specify at least one working instance of: reject_unauth_destination, "
            "defer_unauth_destination, reject, defer, defer_if_permit or "
            "check_relay_domains");
    }
}

struct access_rules *access_rules_new(const struct conf *conf)
{
    struct access_rules *rules = xcalloc(1, sizeof(*rules));
    rules->conf = conf;
    rules->classes = htab_new();
    parse_classes(rules);
    parse_parameters(rules);
    insist_on_guard(rules);
    return rules;
}

void access_rules_free(struct access_rules **rules_ptr)
{
    struct access_rules *rules = *rules_ptr;
    if (rules == NULL) {
        return;
    }
    for (size_t i = 0; i < rules->table_count; i++) {
        maps_close(&rules->tables[i]);
    }
    for (size_t i = 0; i < rules->service_count; i++) {
        policy_service_free(&rules->services[i]);
    }
    free(rules->services);
    free(rules->tables);
    htab_free(&rules->classes, NULL);
    arena_clear(&rules->arena);
    free(rules);
    *rules_ptr = NULL;
}

bool access_rules_changed(const struct access_rules *rules)
{
    for (size_t i = 0; i < rules->table_count; i++) {
        if (maps_changed(rules->tables[i])) {
            return true;
        }
    }
    return false;
}
