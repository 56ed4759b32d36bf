/* SPDX-License-Identifier: MIT */
/*
 * "|command": a command as the recipient (never as root), with the message on
 * standard input, a clean environment, no descriptors but 0 to 2, and a time limit.
 * A second child feeds the message, so a command that talks before it listens cannot
 * block us.
 *
 * A command that begins with a path and has nothing for a shell in it is executed as it
 * stands; others by /bin/sh, or all by local_command_shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "local/local.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/signal.h"

enum { OUTPUT_MAX_BYTES = 4096, TROUBLE_FD = 3 };

/* One command on its way. */
struct run {
    const struct node *node;
    const struct identity *identity;
    const char *command;
    char **argv, **environment;
    const char *directory; /* working directory, or NULL */
    pid_t pid, feeder;
    int output;
    int trouble; /* read end: why it could not be executed */
    int64_t deadline;
};

/* --- how to run it --------------------------------------------------------------- */

/* Nothing that a shell would act on. */
static bool is_plain(const char *command)
{
    if (command[0] != '/') {
        return false;
    }
    for (const char *p = command; *p != '\0'; p++) {
        if (!ascii_alnum(*p) && strchr(" \t-_./:=,@%+", *p) == NULL) {
            return false;
        }
    }
    return true;
}

static size_t add_words(struct arena *arena, const char *text, char **argv,
                        size_t count)
{
    struct view rest = view_cstr(text);
    struct view word;
    while (view_next_word(&rest, " \t", &word)) {
        argv[count++] = arena_cstr(arena, word);
    }
    return count;
}

static char **choose_arguments(const struct node *node, const char *command)
{
    struct arena *arena = node->tree->message->arena;
    const char *shell =
        conf_str(node->tree->message->local->conf, P_local_command_shell);
    /* A word and the blank behind it are two bytes at least. */
    size_t words = (strlen(shell) + strlen(command)) / 2 + strlen("/bin/sh -c x") + 1;
    char **argv = arena_alloc(arena, words * sizeof(*argv));
    if (shell[0] != '\0') {
        size_t count = add_words(arena, shell, argv, 0);
        argv[count] = arena_strdup(arena, command);
    } else if (is_plain(command)) {
        (void)add_words(arena, command, argv, 0);
    } else {
        size_t count = add_words(arena, "/bin/sh -c", argv, 0);
        argv[count] = arena_strdup(arena, command);
    }
    return argv;
}

/* command_execution_directory; NULL: where we are. */
static const char *choose_directory(const struct node *node)
{
    const struct conf *conf = node->tree->message->local->conf;
    STR_AUTO struct str path = {0};
    struct err err;
    if (names_expand(node, conf_raw(conf, P_command_execution_directory),
                     conf_raw(conf, P_execution_directory_expansion_filter), &path,
                     NULL, &err) != OK) {
        log_warning("command_execution_directory: %s", err.text);
        return NULL;
    }
    return path.len > 0 ? arena_strdup(node->tree->message->arena, str_ptr(&path))
                        : NULL;
}

/* --- the children ---------------------------------------------------------------- */

/* Tell the parent why the command does not run. */
NORETURN static void give_up(int trouble, const char *what)
{
    STR_AUTO struct str text = {0};
    str_printf(&text, "%s: %m", what);
    (void)file_write_all(trouble, str_ptr(&text), text.len);
    _exit(EX_TEMPFAIL);
}

/* Above the descriptors that they are going to become. */
static int out_of_the_way(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

/* mailbox_size_limit holds for what commands write, too: the write fails. */
static bool limit_file_size(const struct conf *conf)
{
    int64_t size = conf_long(conf, P_mailbox_size_limit);
    struct rlimit limit = {.rlim_cur = (rlim_t)size, .rlim_max = (rlim_t)size};
    signal_ignore(SIGXFSZ);
    return size == 0 || setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

/* Input, output and the line to the parent become descriptors 0 to 3; nothing else is
 * left. */
static bool set_descriptors(int input, int output, int trouble)
{
    input = out_of_the_way(input);
    output = out_of_the_way(output);
    trouble = out_of_the_way(trouble);
    return trouble >= 0 && dup2(trouble, TROUBLE_FD) >= 0 &&
           dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
           dup2(output, STDERR_FILENO) >= 0 &&
           syscall(SYS_close_range, TROUBLE_FD + 1, ~0U, 0) == 0 &&
           fd_set_cloexec(TROUBLE_FD, true);
}

NORETURN static void exec_command(const struct run *run, int input, int output,
                                  int trouble)
{
    struct local *local = run->node->tree->message->local;
    signal_reset_all();
    if (!set_descriptors(input, output, trouble)) {
        give_up(trouble, "cannot set up descriptors");
    }
    trouble = TROUBLE_FD;
    if (!limit_file_size(local->conf)) {
        give_up(trouble, "cannot limit the size of files");
    }
    if (setsid() < 0 || !rights_become(&local->rights, run->identity)) {
        give_up(trouble, "cannot take the rights of the recipient");
    }
    if (run->directory != NULL && chdir(run->directory) != 0) {
        give_up(trouble, arena_printf(run->node->tree->message->arena,
                                      "cannot change directory to \"%s\" for uid=%lu "
                                      "gid=%lu",
                                      run->directory, (unsigned long)run->identity->uid,
                                      (unsigned long)run->identity->gid));
    }
    (void)umask(077);
    (void)execve(run->argv[0], run->argv, run->environment);
    give_up(trouble,
            arena_printf(run->node->tree->message->arena, "execvp %s", run->argv[0]));
}

/* Feeds the message; a command that closes its input early is no error. */
NORETURN static void feed(const struct node *node, int fd)
{
    const struct conf *conf = node->tree->message->local->conf;
    unsigned style = LETTER_FROM_LINE | letter_delivered_style(conf, "command");
    const struct letter letter = store_letter(node);
    signal_ignore(SIGPIPE);
    bool written = letter_write(&letter, fd, style);
    _exit(written || errno == EPIPE ? EXIT_SUCCESS : EX_TEMPFAIL);
}

struct pipes {
    int input[2], output[2], trouble[2];
};

static void close_pipes(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        fd_close(&pipes->input[i]);
        fd_close(&pipes->output[i]);
        fd_close(&pipes->trouble[i]);
    }
}

static bool start(struct run *run)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(pipes.input, O_CLOEXEC) != 0 || pipe2(pipes.output, O_CLOEXEC) != 0 ||
        pipe2(pipes.trouble, O_CLOEXEC) != 0) {
        close_pipes(&pipes);
        return false;
    }
    run->pid = fork();
    if (run->pid == 0) {
        exec_command(run, pipes.input[0], pipes.output[1], pipes.trouble[1]);
    }
    fd_close(&pipes.input[0]);
    fd_close(&pipes.output[1]);
    fd_close(&pipes.trouble[1]);
    run->feeder = run->pid > 0 ? fork() : -1;
    if (run->feeder == 0) {
        feed(run->node, pipes.input[1]);
    }
    bool started = run->pid > 0 && run->feeder > 0;
    fd_close(&pipes.input[1]);
    run->output = pipes.output[0];
    run->trouble = pipes.trouble[0];
    return started;
}

/* --- waiting --------------------------------------------------------------------- */

/* True when PID ended in time, with its status; errno ECHILD: it is not ours to wait
 * for. */
static bool wait_for(pid_t pid, int64_t deadline, int *status)
{
    enum { LONGEST_PAUSE = 50 * CLOCK_MILLISECOND };
    int64_t pause = CLOCK_MILLISECOND;
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid || (ended < 0 && errno != EINTR)) {
            return ended == pid;
        }
        if (clock_now() >= deadline) {
            errno = ETIMEDOUT;
            return false;
        }
        struct timespec delay = {.tv_nsec = pause * 1000};
        (void)nanosleep(&delay, NULL);
        pause = pause < LONGEST_PAUSE ? pause * 2 : pause;
    }
}

static void end_child(const struct run *run, pid_t *pid)
{
    struct local *local = run->node->tree->message->local;
    if (*pid <= 0) {
        return;
    }
    rights_kill(&local->rights, -*pid, SIGKILL);
    rights_kill(&local->rights, *pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *pid = 0;
}

static void stop(struct run *run)
{
    end_child(run, &run->pid);
    end_child(run, &run->feeder);
    fd_close(&run->output);
    fd_close(&run->trouble);
}

/* Collect the first part of what comes from FD until its end; false: time is up. */
static bool read_output(int fd, int64_t deadline, struct str *text)
{
    char buffer[512];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = (deadline - clock_now()) / CLOCK_MILLISECOND;
        if (left <= 0) {
            return false;
        }
        if (poll(&p, 1, left > 60000 ? 60000 : (int)left) <= 0) {
            continue;
        }
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
            return true;
        }
        if (n > 0 && text->len < OUTPUT_MAX_BYTES) {
            size_t room = OUTPUT_MAX_BYTES - text->len;
            str_add(text, view_of(buffer, (size_t)n < room ? (size_t)n : room));
        }
    }
}

static enum outcome fail(const char *dsn, const char *text, const char **dsn_out,
                         struct str *reason)
{
    *dsn_out = dsn;
    str_add_cstr(reason, text);
    return dsn[0] == '4' ? TEMPFAIL : PERMFAIL;
}

static enum outcome too_slow(struct run *run, const char **dsn_out, struct str *reason)
{
    stop(run);
    str_printf(reason, "Command time limit exceeded: \"%s\"", run->command);
    *dsn_out = "5.3.0";
    return PERMFAIL;
}

/* The feeder ends by itself or on EPIPE, unless a child of the command still holds the
 * pipe. */
static bool has_been_fed(struct run *run)
{
    int status = 0;
    if (!wait_for(run->feeder, run->deadline, &status)) {
        end_child(run, &run->feeder);
        return true;
    }
    run->feeder = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static enum outcome finish(struct run *run, const char **dsn_out, struct str *reason)
{
    struct arena *arena = run->node->tree->message->arena;
    STR_AUTO struct str trouble = {0};
    STR_AUTO struct str output = {0};
    int status = 0;
    if (!read_output(run->trouble, run->deadline, &trouble) ||
        !read_output(run->output, run->deadline, &output)) {
        return too_slow(run, dsn_out, reason);
    }
    if (!wait_for(run->pid, run->deadline, &status)) {
        if (errno == ETIMEDOUT) {
            return too_slow(run, dsn_out, reason);
        }
        run->pid = 0; /* somebody else has waited for it */
        return fail("4.3.0", "cannot learn how the command ended", dsn_out, reason);
    }
    run->pid = 0;
    if (trouble.len > 0) {
        log_at(LOG_LEVEL_FATAL, "%s", str_ptr(&trouble));
        str_printf(&output, "local: fatal: %s\n", str_ptr(&trouble));
    }
    enum outcome outcome =
        command_result(run->command, status, str_view(&output), arena, dsn_out, reason);
    if (!has_been_fed(run) && outcome == OK) {
        return fail("4.3.0", "cannot read the message for the command", dsn_out,
                    reason);
    }
    return outcome;
}

enum outcome command_run(const struct node *node, const char *command,
                         const struct identity *identity, const char **dsn_out,
                         struct str *reason_out)
{
    batch_before_slow(&node->tree->message->local->batch);
    const struct conf *conf = node->tree->message->local->conf;
    struct run run = {.node = node,
                      .identity = identity,
                      .command = command,
                      .argv = choose_arguments(node, command),
                      .environment = command_environment(node),
                      .directory = choose_directory(node),
                      .output = -1,
                      .trouble = -1,
                      .deadline = clock_now() + conf_time(conf, P_command_time_limit)};
    if (run.argv[0] == NULL) {
        return fail("5.3.5", "mail system configuration error", dsn_out, reason_out);
    }
    enum outcome outcome = start(&run)
                               ? finish(&run, dsn_out, reason_out)
                               : fail("4.3.0", "cannot start a process for the command",
                                      dsn_out, reason_out);
    stop(&run);
    return outcome;
}
