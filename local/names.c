/* SPDX-License-Identifier: MIT */
/* $user, $home, $extension and their kin in forward_path, luser_relay and others. */
#include <string.h>

#include "local/local.h"

struct names {
    const struct node *node;
    const char *filter; /* characters that may come from an address; NULL: all */
    bool used_extension;
};

/* What comes from outside: only harmless characters. */
static const char *filtered(const struct names *names, struct view value)
{
    if (value.len == 0) {
        return NULL;
    }
    char *copy = arena_cstr(names->node->tree->message->arena, value);
    for (char *p = copy; names->filter != NULL && *p != '\0'; p++) {
        *p = strchr(names->filter, *p) != NULL ? *p : '_';
    }
    return copy;
}

static struct view delimiter_of(const struct node *node)
{
    return node->extension.len > 0 ? view_of(node->extension.ptr - 1, 1) : VIEW("");
}

static const char *of_account(const struct passwd *account, const char *name)
{
    if (account == NULL) {
        return NULL;
    }
    return strcmp(name, "home") == 0 ? account->pw_dir : account->pw_shell;
}

static const char *lookup(void *context, const char *name)
{
    struct names *names = context;
    const struct node *node = names->node;
    const struct {
        const char *name;
        struct view value;
    } values[] = {
        {"user", node->user},         {"local", node->local_part},
        {"domain", node->domain},     {"extension", node->extension},
        {"recipient", node->address}, {"recipient_delimiter", delimiter_of(node)},
    };
    if (strcmp(name, "home") == 0 || strcmp(name, "shell") == 0) {
        return of_account(node->account, name);
    }
    if (strcmp(name, "extension") == 0 && node->extension.len > 0) {
        names->used_extension = true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (strcmp(name, values[i].name) == 0) {
            return filtered(names, values[i].value);
        }
    }
    return NULL;
}

enum outcome names_expand(const struct node *node, const char *text, const char *filter,
                          struct str *out, bool *used_extension_out, struct err *err)
{
    struct names names = {.node = node, .filter = filter};
    enum outcome outcome = conf_expand_with(text, lookup, &names, out, err);
    if (used_extension_out != NULL) {
        *used_extension_out = names.used_extension;
    }
    return outcome;
}
