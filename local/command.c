/* SPDX-License-Identifier: MIT */
/*
 * "|command": a shell command as the recipient (never as root), with the message on
 * standard input, a clean environment, no descriptors but 0 to 2, and a time limit.
 * A second child feeds the message, so a command that talks before it listens cannot
 * block us.  Exit codes are those of sysexits(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "local/local.h"
#include "sys/file.h"

enum { OUTPUT_MAX_BYTES = 400, ENVIRONMENT_MAX = 64 };

/* --- environment --------------------------------------------------------------- */

struct environment {
    struct arena *arena;
    char *values[ENVIRONMENT_MAX];
    size_t count;
};

static void env_set(struct environment *env, const char *name, const char *value)
{
    if (value != NULL && env->count + 1 < ENVIRONMENT_MAX) {
        env->values[env->count++] = arena_printf(env->arena, "%s=%s", name, value);
    }
}

/* Values from outside: only harmless characters, as command_expansion_filter says. */
static void env_set_view(struct environment *env, const struct conf *conf,
                         const char *name, struct view value)
{
    const char *allowed = conf_raw(conf, P_command_expansion_filter);
    char *copy = arena_cstr(env->arena, value);
    for (char *p = copy; *p != '\0'; p++) {
        if (strchr(allowed, *p) == NULL) {
            *p = '_';
        }
    }
    env_set(env, name, copy);
}

/* export_environment: "NAME" is taken over from ours, "NAME=value" is set. */
static void env_export(struct environment *env, const struct conf *conf)
{
    struct view rest = view_cstr(conf_str(conf, P_export_environment));
    struct view word;
    while (conf_list_next(&rest, &word)) {
        size_t equal = view_index(word, '=');
        const char *name = arena_cstr(env->arena, view_first(word, equal));
        const char *value = equal < word.len
                                ? arena_cstr(env->arena, view_from(word, equal + 1))
                                : getenv(name);
        env_set(env, name, value);
    }
}

static void fill_environment(struct environment *env, const struct node *node,
                             const struct command_env *user)
{
    const struct local_message *message = node->tree->message;
    const struct conf *conf = message->local->conf;
    const struct deliver_request *request = message->request;
    const struct queue_recipient *rcpt = &request->recipients[node->tree->index];
    static const char *const client[][2] = {
        {"CLIENT_ADDRESS", "client_address"}, {"CLIENT_HELO", "helo_name"},
        {"CLIENT_HOSTNAME", "client_name"},   {"CLIENT_PROTOCOL", "protocol_name"},
        {"SASL_METHOD", "sasl_method"},       {"SASL_SENDER", "sasl_sender"},
        {"SASL_USERNAME", "sasl_username"},
    };
    env_set(env, "PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    env_set(env, "HOME", user->home);
    env_set(env, "SHELL", user->shell);
    env_set(env, "USER", user->user);
    env_set(env, "LOGNAME", user->user);
    env_set_view(env, conf, "LOCAL", node->local_part);
    env_set_view(env, conf, "DOMAIN", node->domain);
    env_set_view(env, conf, "EXTENSION", node->extension);
    env_set_view(env, conf, "RECIPIENT", node->address);
    env_set_view(env, conf, "ORIGINAL_RECIPIENT",
                 rcpt->original.len > 0 ? rcpt->original : rcpt->address);
    env_set_view(env, conf, "SENDER", node->sender);
    env_set_view(env, conf, "ENVID", request->dsn_envid);
    for (size_t i = 0; i < ARRAY_SIZE(client); i++) {
        struct view value = deliver_attribute(request, client[i][1]);
        if (value.len > 0) {
            env_set_view(env, conf, client[i][0], value);
        }
    }
    env_export(env, conf);
}

/* --- the children ---------------------------------------------------------------- */

NORETURN static void exec_command(const char *command, const struct identity *identity,
                                  const struct command_env *user,
                                  struct environment *env, const int fds[2])
{
    if (dup2(fds[0], STDIN_FILENO) < 0 || dup2(fds[1], STDOUT_FILENO) < 0 ||
        dup2(fds[1], STDERR_FILENO) < 0 || syscall(SYS_close_range, 3, ~0U, 0) != 0 ||
        setsid() < 0 || !identity_become(identity)) {
        _exit(EX_TEMPFAIL);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    if (user->directory != NULL && chdir(user->directory) != 0) {
        _exit(EX_TEMPFAIL);
    }
    if (user->directory == NULL && chdir("/") != 0) {
        _exit(EX_TEMPFAIL);
    }
    char shell[] = "/bin/sh", option[] = "-c";
    char *argv[] = {shell, option, arena_strdup(env->arena, command), NULL};
    (void)execve(shell, argv, env->values);
    _exit(EX_TEMPFAIL);
}

/* Feeds the message; a command that closes its input early is no error. */
NORETURN static void feed(const struct node *node, int fd)
{
    (void)signal(SIGPIPE, SIG_IGN);
    bool written = copy_message(node, fd, COPY_FROM_LINE);
    _exit(written || errno == EPIPE ? 0 : EX_TEMPFAIL);
}

struct running {
    pid_t command, feeder;
    int output;
};

static bool start(const struct node *node, const char *command,
                  const struct identity *identity, const struct command_env *user,
                  struct environment *env, struct running *run)
{
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(output, O_CLOEXEC) != 0) {
        fd_close(&input[0]);
        fd_close(&input[1]);
        return false;
    }
    run->command = fork();
    if (run->command == 0) {
        int fds[2] = {input[0], output[1]};
        exec_command(command, identity, user, env, fds);
    }
    fd_close(&input[0]);
    fd_close(&output[1]);
    run->feeder = run->command > 0 ? fork() : -1;
    if (run->feeder == 0) {
        feed(node, input[1]);
    }
    int saved_errno = errno;
    fd_close(&input[1]);
    run->output = output[0];
    errno = saved_errno;
    return run->command > 0 && run->feeder > 0;
}

static void stop(struct running *run)
{
    if (run->command > 0) {
        (void)kill(-run->command, SIGKILL);
        (void)kill(run->command, SIGKILL);
        (void)waitpid(run->command, NULL, 0);
    }
    if (run->feeder > 0) {
        (void)kill(run->feeder, SIGKILL);
        (void)waitpid(run->feeder, NULL, 0);
    }
    fd_close(&run->output);
}

/* Collect the first part of the output until its end; false: time is up. */
static bool read_output(struct running *run, int64_t deadline, struct str *text)
{
    char buffer[512];
    for (;;) {
        struct pollfd p = {.fd = run->output, .events = POLLIN};
        int64_t left = (deadline - clock_now()) / CLOCK_MILLISECOND;
        if (left <= 0) {
            return false;
        }
        int ready = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (ready <= 0) {
            continue;
        }
        ssize_t n = read(run->output, buffer, sizeof(buffer));
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
            return true;
        }
        if (n > 0 && text->len < OUTPUT_MAX_BYTES) {
            size_t room = OUTPUT_MAX_BYTES - text->len;
            str_add(text, view_of(buffer, (size_t)n < room ? (size_t)n : room));
        }
    }
}

/* --- the result --------------------------------------------------------------------
 */

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

static enum outcome result(const char *command, int status, struct str *output,
                           struct err *err)
{
    STR_AUTO struct str text = {0};
    const char *dsn = "5.3.0";
    for (size_t i = 0; i < output->len; i++) {
        output->ptr[i] = (unsigned char)output->ptr[i] < ' ' ? ' ' : output->ptr[i];
    }
    if (WIFSIGNALED(status)) {
        str_printf(&text, "Command died with signal %d: \"%s\"", WTERMSIG(status),
                   command);
    } else if (WEXITSTATUS(status) == 0) {
        return OK;
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(exits); i++) {
            if (exits[i].status == WEXITSTATUS(status)) {
                str_add_cstr(&text, exits[i].text);
                dsn = exits[i].dsn;
            }
        }
        if (text.len == 0) {
            str_printf(&text, "Command died with status %d: \"%s\"",
                       WEXITSTATUS(status), command);
        }
    }
    if (output->len > 0) {
        str_printf(&text, ". Command output: %s", str_ptr(output));
    }
    return dsn[0] == '4' ? err_temp(err, dsn, "%s", str_ptr(&text))
                         : err_perm(err, dsn, "%s", str_ptr(&text));
}

enum outcome command_run(const struct node *node, const char *command,
                         const struct identity *identity,
                         const struct command_env *user, struct err *err)
{
    const struct local_message *message = node->tree->message;
    struct environment env = {.arena = message->arena};
    struct running run = {.output = -1};
    STR_AUTO struct str output = {0};
    int64_t deadline =
        clock_now() + conf_time(message->local->conf, P_command_time_limit);
    int status = 0;
    int fed = 0;
    fill_environment(&env, node, user);
    if (!start(node, command, identity, user, &env, &run)) {
        (void)err_temp(err, "4.3.0", "cannot start a process for the command: %m");
        stop(&run);
        return TEMPFAIL;
    }
    if (!read_output(&run, deadline, &output)) {
        stop(&run);
        return err_temp(err, "4.3.0", "Command time limit exceeded: \"%s\"", command);
    }
    while (waitpid(run.command, &status, 0) < 0 && errno == EINTR) {
    }
    run.command = 0;
    /* The command is gone: the feeder ends by itself or on EPIPE. */
    while (waitpid(run.feeder, &fed, 0) < 0 && errno == EINTR) {
    }
    fd_close(&run.output);
    if (!WIFEXITED(fed) || WEXITSTATUS(fed) != 0) {
        return err_temp(err, "4.3.0", "cannot read the message for the command");
    }
    return result(command, status, &output, err);
}
