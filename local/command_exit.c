/* SPDX-License-Identifier: MIT */
/*
 * What the end of a command means: exit codes are those of sysexits(3), and output that
 * begins with an RFC 3463 code knows better.
 */
#include <sys/wait.h>
#include <sysexits.h>

#include "local/local.h"

static const struct {
    int status;
    const char *dsn, *text;
} exits[] = {
    {EX_USAGE, "5.3.0", "command line usage error"},
    {EX_DATAERR, "5.6.0", "data format error"},
    {EX_NOINPUT, "5.3.0", "cannot open input"},
    {EX_NOUSER, "5.1.1", "user unknown"},
    {EX_NOHOST, "5.1.2", "host name unknown"},
    {EX_UNAVAILABLE, "5.3.0", "service unavailable"},
    {EX_SOFTWARE, "5.3.0", "internal software error"},
    {EX_OSERR, "4.3.0", "system resource problem"},
    {EX_OSFILE, "5.3.0", "critical OS file missing"},
    {EX_CANTCREAT, "5.2.0", "can't create user output file"},
    {EX_IOERR, "5.3.0", "input/output error"},
    {EX_TEMPFAIL, "4.3.0", "temporary failure"},
    {EX_PROTOCOL, "5.5.0", "remote error in protocol"},
    {EX_NOPERM, "5.7.0", "permission denied"},
    {EX_CONFIG, "5.3.5", "local configuration error"},
};

static void add_exit_text(const char *command, int status, const char **dsn,
                          struct str *text)
{
    *dsn = "5.3.0";
    if (WIFSIGNALED(status)) {
        str_printf(text, "Command died with signal %d: \"%s\"", WTERMSIG(status),
                   command);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(exits); i++) {
        if (exits[i].status == WEXITSTATUS(status)) {
            str_add_cstr(text, exits[i].text);
            *dsn = exits[i].dsn;
            return;
        }
    }
    str_printf(text, "Command died with status %d: \"%s\"", WEXITSTATUS(status),
               command);
}

static enum outcome outcome_of(const char *dsn)
{
    return dsn[0] == '4' ? TEMPFAIL : PERMFAIL;
}

/* In one line. */
static struct view flatten(struct arena *arena, struct view output)
{
    char *copy = arena_cstr(arena, output);
    for (size_t i = 0; i < output.len; i++) {
        copy[i] = (unsigned char)copy[i] < ' ' ? ' ' : copy[i];
    }
    return view_of(copy, output.len);
}

enum outcome command_result(const char *command, int status, struct view output,
                            struct arena *arena, const char **dsn_out,
                            struct str *reason_out)
{
    output = flatten(arena, output);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return OK;
    }
    size_t dsn_len = deliver_dsn_length(output);
    if (dsn_len > 0) {
        /* A command that fails has not succeeded, whatever it says. */
        *dsn_out = output.ptr[0] == '2'
                       ? "5.0.0"
                       : arena_cstr(arena, view_first(output, dsn_len));
        str_add(reason_out, view_from(output, dsn_len + 1));
        return outcome_of(*dsn_out);
    }
    add_exit_text(command, status, dsn_out, reason_out);
    if (output.len > 0) {
        str_add_cstr(reason_out, ". Command output: ");
        str_add(reason_out, output);
    }
    return outcome_of(*dsn_out);
}
