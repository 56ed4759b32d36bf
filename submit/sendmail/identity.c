/* SPDX-License-Identifier: MIT */
/* Who is sending, and may they. */
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "map/map.h"
#include "submit/sendmail/sendmail.h"

/* The login name of the caller, or the number when there is none. */
static struct view login_name(struct arena *arena, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    if (user != NULL) {
        return view_cstr(arena_strdup(arena, user->pw_name));
    }
    return view_cstr(arena_printf(arena, "%ld", (long)uid));
}

/* The gecos field up to the first comma; "&" stands for the capitalised login name. */
static struct view gecos_name(struct arena *arena, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    STR_AUTO struct str name = {0};
    if (user == NULL) {
        return view_of("", 0);
    }
    for (const char *p = user->pw_gecos; *p != '\0' && *p != ',' && *p != ';'; p++) {
        if (*p != '&') {
            str_add_byte(&name, *p);
        } else if (user->pw_name[0] != '\0') {
            str_add_byte(&name, ascii_upper(user->pw_name[0]));
            str_add_cstr(&name, user->pw_name + 1);
        }
    }
    return arena_view(arena, view_trim(str_view(&name)));
}

/* Line breaks and NULs end here; the rest of a name is anything. */
static struct view clean(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *p = copy; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\r') {
            *p = ' ';
        }
    }
    return view_cstr(copy);
}

static struct view given_sender(const char *text, struct arena *arena)
{
    struct view *addresses = NULL;
    size_t count = 0;
    struct view trimmed = view_trim(view_cstr(text));
    if (trimmed.len == 0 || view_equal_cstr(trimmed, "<>")) {
        return view_of("", 0);
    }
    extract_addresses(arena, trimmed, &addresses, &count);
    if (count != 1) {
        log_warning("-f option specified malformed sender: %s", text);
    }
    return count > 0 ? addresses[0] : view_of("", 0);
}

void identity_find(const struct options *options, struct arena *arena,
                   struct identity *out)
{
    uid_t uid = getuid();
    const char *environment = getenv("NAME");
    out->uid = (long)uid;
    out->address = options->sender != NULL ? given_sender(options->sender, arena)
                                           : login_name(arena, uid);
    if (options->fullname != NULL) {
        out->fullname = clean(arena, options->fullname);
    } else if (environment != NULL) {
        out->fullname = clean(arena, environment);
    } else {
        out->fullname = gecos_name(arena, uid);
    }
}

void identity_check_authorized(const struct conf *conf)
{
    struct arena arena = {0};
    struct err err = {0};
    struct view name = login_name(&arena, getuid());
    struct match_list *list =
        match_list_open(conf, "authorized_submit_users",
                        conf_str(conf, P_authorized_submit_users), MATCH_STRING);
    if (match_list_find(list, name, view_of("", 0), &err) != MAP_FOUND) {
        log_fatal_status(EX_TEMPFAIL, "User %.*s(%ld) is not allowed to submit mail",
                         VIEW_ARG(name), (long)getuid());
    }
    match_list_close(&list);
    arena_clear(&arena);
}

void identity_fatal(const struct identity *who, const char *format, ...)
{
    STR_AUTO struct str text = {0};
    va_list args;
    va_start(args, format);
    str_vprintf(&text, format, args);
    va_end(args);
    log_fatal_status(EX_TEMPFAIL, "%.*s(%ld): %s", VIEW_ARG(who->address), who->uid,
                     str_ptr(&text));
}
