/* SPDX-License-Identifier: MIT */
#include "service/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "conf/build_paths.h"
#include "service/command_log.h"
#include "sys/file.h"
#include "sys/log_file.h"

/* Names that a set-gid program may take from its caller. */
static const char *const harmless_names[] = {"MAIL_CONFIG", "MAIL_VERBOSE",
                                             "MAIL_LOGTAG", "TZ", "LANG"};

/* Set once at the start: what the program calls itself, here and in the mail log. */
static const char *program_name = "postfix";
static char *full_tag;

bool command_is_privileged(void)
{
    return getuid() != geteuid() || getgid() != getegid();
}

static void clean_environment(void)
{
    char *kept[ARRAY_SIZE(harmless_names)];
    for (size_t i = 0; i < ARRAY_SIZE(harmless_names); i++) {
        const char *value = getenv(harmless_names[i]);
        kept[i] = value != NULL ? xstrdup(value) : NULL;
    }
    if (clearenv() != 0) {
        log_fatal("clean environment: %m");
    }
    for (size_t i = 0; i < ARRAY_SIZE(harmless_names); i++) {
        if (kept[i] != NULL && setenv(harmless_names[i], kept[i], 1) != 0) {
            log_fatal("clean environment: %m");
        }
        free(kept[i]);
    }
    if (setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1) != 0) {
        log_fatal("clean environment: %m");
    }
}

/* A caller who closed standard error would have messages written into the next file
 * opened. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            _exit(EXIT_FAILURE);
        }
    }
}

const char *command_init(int argc, char **argv)
{
    fill_standard_descriptors();
    const char *name = argc > 0 && argv[0] != NULL ? argv[0] : "postfix";
    const char *slash = strrchr(name, '/');
    program_name = slash != NULL && slash[1] != '\0' ? slash + 1 : name;
    log_init(program_name);
    log_set_stderr(true);
    if (command_is_privileged()) {
        clean_environment();
    }
    if (getenv("MAIL_VERBOSE") != NULL) {
        log_set_verbose(1);
    }
    return program_name;
}

/* DIRECTORY is one that the administrator has named in the default main.cf. */
static bool is_authorized(const struct conf *defaults, const char *directory)
{
    static const enum param lists[] = {P_alternate_config_directories,
                                       P_multi_instance_directories};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct view rest = view_cstr(conf_str(defaults, lists[i]));
        struct view item;
        while (conf_list_next(&rest, &item)) {
            if (view_equal_cstr(item, directory)) {
                return true;
            }
        }
    }
    return false;
}

/* Otherwise anybody could point a set-gid program at a configuration of his own. */
static void check_directory(const char *directory)
{
    struct err err;
    if (!command_is_privileged() || getuid() == 0 ||
        strcmp(directory, BUILD_CONFIG_DIRECTORY) == 0) {
        return;
    }
    struct conf *defaults = conf_open(BUILD_CONFIG_DIRECTORY, false, &err);
    if (defaults == NULL) {
        log_fatal("%s", err.text);
    }
    if (!is_authorized(defaults, directory)) {
        log_fatal("unauthorized configuration directory name: %s", directory);
    }
    conf_free(&defaults);
}

static void take_tag(char *tag)
{
    free(full_tag);
    full_tag = tag;
    log_set_tag(tag);
}

void command_set_tag(const struct conf *conf, const char *name)
{
    take_tag(xasprintf("%s/%s", conf_str(conf, P_syslog_name), name));
    log_set_host(conf_str(conf, P_myhostname));
}

void command_set_full_tag(const char *tag)
{
    log_init(tag);
    take_tag(xstrdup(tag));
}

struct conf *command_conf_open(const char *directory, bool warn)
{
    struct err err;
    const char *wanted = directory != NULL ? directory : getenv("MAIL_CONFIG");
    if (wanted != NULL) {
        check_directory(wanted);
    }
    struct conf *conf = conf_open(wanted, warn, &err);
    if (conf == NULL) {
        log_fatal("%s", err.text);
    }
    if (setenv("MAIL_CONFIG", conf_directory(conf), 1) != 0) {
        log_fatal("set MAIL_CONFIG: %m");
    }
    conf_override(conf, "process_name", program_name);
    return conf;
}

struct conf *command_conf(const char *directory, bool warn)
{
    struct conf *conf = command_conf_open(directory, warn);
    conf_check_shared(conf);
    command_set_tag(conf, program_name);
    return conf;
}

/* Root and the owner of an instance write, and may create, the file; others may only if
 * they could anyway. */
static int open_log_file(const struct conf *conf, const char *path)
{
    struct stat st;
    struct err err;
    if (command_is_privileged()) {
        return -1;
    }
    if (geteuid() == 0 ||
        (stat(conf_str(conf, P_queue_directory), &st) == 0 && st.st_uid == geteuid())) {
        return log_file_open(path, &err);
    }
    return open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
}

static void log_to_postlogd(const struct conf *conf)
{
    char *path = xasprintf("%s/public/%s", conf_str(conf, P_queue_directory),
                           conf_str(conf, P_postlog_service_name));
    /* No logger, or not for us: standard error has the message all the same. */
    (void)log_to_socket(path, full_tag != NULL ? full_tag : program_name);
    free(path);
}

void command_log_to_maillog(const struct conf *conf)
{
    const char *path = conf_str(conf, P_maillog_file);
    if (path[0] == '\0') {
        if (!log_set_syslog(conf_str(conf, P_syslog_facility))) {
            log_fatal("unknown syslog_facility: %s", conf_str(conf, P_syslog_facility));
        }
        return;
    }
    const char *prefixes = conf_str(conf, P_maillog_file_prefixes);
    if (!log_file_allowed(path, prefixes)) {
        log_fatal("maillog_file value '%s' does not match any prefix in "
                  "maillog_file_prefixes",
                  path);
    }
    /* Standard output of master is not ours. */
    int fd = strcmp(path, "/dev/stdout") != 0 ? open_log_file(conf, path) : -1;
    if (fd >= 0) {
        log_set_fd(fd);
    } else {
        log_to_postlogd(conf);
    }
}

void command_enter_queue(const struct conf *conf)
{
    const char *queue = conf_str(conf, P_queue_directory);
    if (chdir(queue) != 0) {
        log_fatal("chdir(\"%s\"): %m", queue);
    }
}
