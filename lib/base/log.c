/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"

enum { LINE_MAX_BYTES = 2400, TEXT_MAX_BYTES = 2000, NAME_MAX_BYTES = 128 };

/* One log per process; it must work before anything else does. */
static struct {
    const char *program;
    char tag[NAME_MAX_BYTES];
    char host[NAME_MAX_BYTES];
    int fd;
    int facility; /* -1: no syslog */
    bool to_stderr;
    int verbose;
    unsigned fatal_delay;
    int fatal_status;
    uint64_t (*number)(void);
    void (*hook)(enum log_level level, const char *text, void *context);
    void *hook_context;
} sink = {.program = "postfix",
          .fd = -1,
          .facility = -1,
          .to_stderr = true,
          .fatal_status = 1};

static const char *const severity_words[] = {
    "", "warning: ", "error: ", "fatal: ", "panic: "};
static const int syslog_levels[] = {LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_CRIT};

void log_init(const char *program)
{
    sink.program = program;
    if (sink.tag[0] == '\0') {
        (void)snprintf(sink.tag, sizeof(sink.tag), "postfix/%s", program);
    }
}

void log_set_tag(const char *tag)
{
    (void)snprintf(sink.tag, sizeof(sink.tag), "%s", tag);
}

void log_set_host(const char *myhostname)
{
    (void)snprintf(sink.host, sizeof(sink.host), "%.*s", (int)strcspn(myhostname, "."),
                   myhostname);
}

void log_set_stderr(bool on)
{
    sink.to_stderr = on;
}

void log_set_fd(int fd)
{
    sink.fd = fd;
}

void log_set_verbose(int level)
{
    sink.verbose = level;
}

int log_verbose(void)
{
    return sink.verbose;
}

void log_set_number(uint64_t (*current_session_number)(void))
{
    sink.number = current_session_number;
}

void log_set_hook(void (*hook)(enum log_level level, const char *text, void *context),
                  void *context)
{
    sink.hook = hook;
    sink.hook_context = context;
}

void log_set_fatal_delay(unsigned seconds)
{
    sink.fatal_delay = seconds;
}

void log_set_fatal_status(int status)
{
    sink.fatal_status = status;
}

bool log_set_syslog(const char *facility)
{
    static const struct {
        const char *name;
        int value;
    } facilities[] = {
        {"mail", LOG_MAIL},     {"daemon", LOG_DAEMON}, {"user", LOG_USER},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
        {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}, {"auth", LOG_AUTH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++) {
        if (strcmp(facilities[i].name, facility) == 0) {
            sink.facility = facilities[i].value;
            /* syslog() writes "TAG: text"; the number is part of our tag. */
            openlog("", LOG_NDELAY, sink.facility);
            return true;
        }
    }
    return false;
}

static uint64_t current_number(void)
{
    uint64_t number = sink.number != NULL ? sink.number() : 0;
    return number != 0 ? number : (uint64_t)getpid();
}

void log_format_line(char *line, unsigned long size, const char *host, const char *tag,
                     uint64_t number, const char *text)
{
    char date[32];
    struct tm tm;
    time_t now = time(NULL);
    (void)localtime_r(&now, &tm);
    (void)strftime(date, sizeof(date), "%b %e %H:%M:%S", &tm);
    int len = snprintf(line, size, "%s %s %s[%llu]: %s\n", date, host, tag,
                       (unsigned long long)number, text);
    if (len >= (int)size) {
        line[size - 2] = '\n';
    }
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
        }
    }
}

static void write_all(int fd, const char *data, size_t len)
{
    /* A log that cannot be written must never stop mail: errors are ignored. */
    ssize_t ignored = write(fd, data, len);
    (void)ignored;
}

static void emit(enum log_level level, const char *format, va_list args)
    PRINTF_LIKE(2, 0);

static void emit(enum log_level level, const char *format, va_list args)
{
    int saved_errno = errno;
    char text[TEXT_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", severity_words[level]);
    errno = saved_errno;
    (void)vsnprintf(text + used, sizeof(text) - used, format, args);
    make_printable(text);
    if (sink.fd >= 0) {
        log_format_line(line, sizeof(line),
                        sink.host[0] != '\0' ? sink.host : "localhost", sink.tag,
                        current_number(), text);
        write_all(sink.fd, line, strlen(line));
    }
    if (sink.facility >= 0) {
        syslog(sink.facility | syslog_levels[level], "%s[%llu]: %s", sink.tag,
               (unsigned long long)current_number(), text);
    }
    if (sink.to_stderr) {
        int len = snprintf(line, sizeof(line), "%s: %s\n", sink.program, text);
        write_all(STDERR_FILENO, line,
                  len < (int)sizeof(line) ? (size_t)len : sizeof(line));
    }
    if (sink.hook != NULL) {
        sink.hook(level, text, sink.hook_context);
    }
    errno = saved_errno;
}

void log_at(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(level, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    if (sink.verbose == 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

NORETURN static void leave(int status)
{
    if (sink.fatal_delay > 0) {
        (void)sleep(sink.fatal_delay);
    }
    exit(status);
}

void log_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_FATAL, format, args);
    va_end(args);
    leave(sink.fatal_status);
}

void log_fatal_status(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_FATAL, format, args);
    va_end(args);
    leave(status);
}

void log_panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    emit(LOG_LEVEL_PANIC, format, args);
    va_end(args);
    abort();
}

void log_hint(const char *format, ...)
{
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof(line), "hint: %s\n", text);
    write_all(STDERR_FILENO, line, (size_t)len);
}

void check_failed(const char *expr, const char *file, int line, const char *function)
{
    log_panic("%s:%d: %s: check failed: %s", file, line, function, expr);
}
