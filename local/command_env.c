/* SPDX-License-Identifier: MIT */
/* The environment of commands: nothing of ours but what export_environment names. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "local/local.h"

enum { OWN_VARIABLES_MAX = 30 };

struct environment {
    const struct node *node;
    struct arena *arena;
    char **values;
    size_t count, capacity;
};

static void set(struct environment *env, const char *name, const char *value)
{
    if (value != NULL) {
        CHECK(env->count + 1 < env->capacity);
        env->values[env->count++] = arena_printf(env->arena, "%s=%s", name, value);
    }
}

/* Values from outside: only the characters of command_expansion_filter. */
static void set_view(struct environment *env, const char *name, struct view value)
{
    const char *allowed =
        conf_raw(env->node->tree->message->local->conf, P_command_expansion_filter);
    char *copy = arena_cstr(env->arena, value);
    for (char *p = copy; *p != '\0'; p++) {
        *p = strchr(allowed, *p) != NULL ? *p : '_';
    }
    set(env, name, copy);
}

static void set_unless_empty(struct environment *env, const char *name,
                             struct view value)
{
    if (value.len > 0) {
        set_view(env, name, value);
    }
}

static void add_user(struct environment *env)
{
    const struct passwd *account = env->node->account;
    if (account != NULL) {
        set(env, "HOME", account->pw_dir);
        set(env, "SHELL", account->pw_shell);
    }
    set_view(env, "USER", env->node->user);
    set_view(env, "LOGNAME", env->node->user);
}

static void add_envelope(struct environment *env)
{
    const struct node *node = env->node;
    const struct deliver_request *request = node->tree->message->request;
    const struct queue_recipient *rcpt = &request->recipients[node->tree->index];
    set_view(env, "LOCAL", node->local_part);
    set_unless_empty(env, "DOMAIN", node->domain);
    set_unless_empty(env, "EXTENSION", node->extension);
    set_view(env, "RECIPIENT", node->address);
    set_view(env, "ORIGINAL_RECIPIENT",
             rcpt->original.len > 0 ? rcpt->original : rcpt->address);
    set_view(env, "SENDER", node->sender);
    set_unless_empty(env, "ENVID", request->dsn_envid);
}

static void add_client(struct environment *env)
{
    static const char *const names[][2] = {
        {"CLIENT_ADDRESS", "client_address"}, {"CLIENT_HELO", "helo_name"},
        {"CLIENT_HOSTNAME", "client_name"},   {"CLIENT_PROTOCOL", "protocol_name"},
        {"SASL_METHOD", "sasl_method"},       {"SASL_SENDER", "sasl_sender"},
        {"SASL_USERNAME", "sasl_username"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        set_unless_empty(
            env, names[i][0],
            deliver_attribute(env->node->tree->message->request, names[i][1]));
    }
}

/* "NAME" is taken over from ours, "NAME=value" is set. */
static void add_exported(struct environment *env)
{
    const struct conf *conf = env->node->tree->message->local->conf;
    struct view rest = view_cstr(conf_str(conf, P_export_environment));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        size_t equal = view_index(word, '=');
        const char *name = arena_cstr(env->arena, view_first(word, equal));
        const char *value = equal < word.len
                                ? arena_cstr(env->arena, view_from(word, equal + 1))
                                : getenv(name);
        set(env, name, value);
    }
}

char **command_environment(const struct node *node)
{
    const char *exported =
        conf_str(node->tree->message->local->conf, P_export_environment);
    struct environment env = {.node = node,
                              .arena = node->tree->message->arena,
                              .capacity = OWN_VARIABLES_MAX + strlen(exported) / 2 + 1};
    env.values = arena_alloc(env.arena, env.capacity * sizeof(*env.values));
    set(&env, "PATH", "/usr/bin:/bin");
    add_user(&env);
    add_envelope(&env);
    add_client(&env);
    add_exported(&env);
    return env.values;
}
