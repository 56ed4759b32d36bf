/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

enum { LINE_MAX_BYTES = 2400, TEXT_MAX_BYTES = 2000, NAME_MAX_BYTES = 128 };

/* One log per process; it must work before anything else does. */
static struct {
    const char *program;
    char tag[NAME_MAX_BYTES];
    char host[NAME_MAX_BYTES];
    char ident[NAME_MAX_BYTES + 32]; /* syslog(3) keeps a pointer to it */
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
        {"cron", LOG_CRON},     {"ftp", LOG_FTP},       {"authpriv", LOG_AUTHPRIV},
        {"lpr", LOG_LPR},       {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG},
        {"uucp", LOG_UUCP},     {"kern", LOG_KERN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++) {
        if (strcmp(facilities[i].name, facility) == 0) {
            sink.facility = facilities[i].value;
            /* Connected now: later there may be a chroot around us. */
            openlog(sink.ident, LOG_NDELAY, sink.facility);
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

/* U+0080 to U+009F steer terminals like the ASCII control characters. */
static bool is_control(const char *sequence, size_t length)
{
    unsigned char first = (unsigned char)sequence[0];
    return (length == 1 && (first < ' ' || first == 0x7f)) ||
           (length == 2 && first == 0xc2 && (unsigned char)sequence[1] < 0xa0);
}

/* Every byte of what is a control character or no UTF-8 becomes '?'. */
static void make_printable(char *text)
{
    struct view rest = view_cstr(text);
    while (rest.len > 0) {
        size_t length = utf8_sequence_length(rest);
        size_t step = length > 0 ? length : 1;
        if (length == 0 || is_control(rest.ptr, length)) {
            memset(text, '?', step);
        }
        text += step;
        rest = view_from(rest, step);
    }
}

/* One write per line, so that lines of several processes do not mix. */
static void write_line(int fd, const char *data, size_t len)
{
    /* A log that cannot be written must never stop mail: errors are ignored. */
    while (write(fd, data, len) < 0 && errno == EINTR) {
    }
}

/* snprintf() that says how much is there, and cuts the line where it must. */
static size_t build_line(char *line, size_t size, const char *before, const char *text)
{
    int len = snprintf(line, size, "%s: %s\n", before, text);
    if (len >= (int)size) {
        line[size - 2] = '\n';
        return size - 1;
    }
    return len > 0 ? (size_t)len : 0;
}

/* The C library writes "IDENT: text": the number has to be part of the ident, which it
 * does not copy. */
static void send_to_syslog(enum log_level level, const char *text)
{
    (void)snprintf(sink.ident, sizeof(sink.ident), "%s[%llu]", sink.tag,
                   (unsigned long long)current_number());
    openlog(sink.ident, LOG_NDELAY, sink.facility);
    syslog(sink.facility | syslog_levels[level], "%s", text);
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
        write_line(sink.fd, line, strlen(line));
    }
    if (sink.facility >= 0) {
        send_to_syslog(level, text);
    }
    if (sink.hook != NULL) {
        sink.hook(level, text, sink.hook_context);
    }
    if (sink.to_stderr) {
        write_line(STDERR_FILENO, line,
                   build_line(line, sizeof(line), sink.program, text));
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
    make_printable(text);
    char line[LINE_MAX_BYTES];
    write_line(STDERR_FILENO, line, build_line(line, sizeof(line), "hint", text));
}

void check_failed(const char *expr, const char *file, int line, const char *function)
{
    log_panic("%s:%d: %s: check failed: %s", file, line, function, expr);
}
