/* SPDX-License-Identifier: MIT */
/* What master does once: environment of the workers, locks, the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/master.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/log_file.h"

/* "NAME" keeps the variable if there is one, "NAME=value" and "{ NAME = value }" set
 * it. */
static char *make_variable(struct view item)
{
    if (item.len >= 2 && item.ptr[0] == '{' && item.ptr[item.len - 1] == '}') {
        item = view_of(item.ptr + 1, item.len - 2);
    }
    size_t equals = view_index(item, '=');
    struct view name = view_trim(view_first(item, equals));
    if (equals < item.len) {
        struct view value = view_trim(view_from(item, equals + 1));
        return xasprintf("%.*s=%.*s", VIEW_ARG(name), VIEW_ARG(value));
    }
    char *key = xviewdup(name);
    const char *value = getenv(key);
    char *variable = value != NULL ? xasprintf("%s=%s", key, value) : NULL;
    free(key);
    return variable;
}

char **environment_make(const struct conf *conf)
{
    struct view rest = view_cstr(conf_str(conf, P_import_environment));
    struct view item;
    size_t count = 0;
    char **environment = xcalloc(1, sizeof(*environment));
    while (conf_list_next(&rest, &item)) {
        char *variable = make_variable(item);
        /* The directory comes from us, not from who started us. */
        if (variable == NULL || strncmp(variable, "MAIL_CONFIG=", 12) == 0) {
            free(variable);
            continue;
        }
        environment = xreallocarray(environment, count + 2, sizeof(*environment));
        environment[count++] = variable;
        environment[count] = NULL;
    }
    return environment;
}

void environment_free(char ***environment)
{
    for (char **variable = *environment; variable != NULL && *variable != NULL;
         variable++) {
        free(*variable);
    }
    free(*environment);
    *environment = NULL;
}

int ticket_memory_make(void)
{
    enum { PAGE_BYTES = 4096 };
    int fd = memfd_create("tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 &&
        (ftruncate(fd, PAGE_BYTES) != 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)) {
        fd_close(&fd);
    }
    if (fd < 0) {
        log_warning("memory for keys of TLS session tickets: %m");
    }
    return fd;
}

static int take_lock(const char *path)
{
    struct err err;
    int fd = lock_file_open(path, 0600, &err);
    if (fd < 0) {
        errno = err.code;
        log_fatal("%s", err.text);
    }
    if (!lock_file_write_pid(fd)) {
        log_fatal("write %s: %m", path);
    }
    return fd;
}

void locks_take(struct master *master)
{
    const struct conf *conf = master->settings->conf;
    char *pid_path = xasprintf("%s/master.pid", conf_str(conf, P_process_id_directory));
    char *data_path = xasprintf("%s/master.lock", conf_str(conf, P_data_directory));
    master->pid_lock = take_lock(pid_path);
    /* That directory belongs to the mail owner: see endpoint.c. */
    if (!master->unprivileged) {
        struct err err;
        if (privilege_lower(&master->owner, &err) != OK) {
            log_fatal("%s", err.text);
        }
    }
    master->data_lock = take_lock(data_path);
    if (!master->unprivileged) {
        CHECK(privilege_raise());
    }
    free(pid_path);
    free(data_path);
}

static enum outcome open_log_file(struct master *master, const char *path,
                                  const struct conf *conf, struct err *err)
{
    if (!log_file_allowed(path, conf_str(conf, P_maillog_file_prefixes))) {
        return err_perm(err, "5.3.5",
                        "maillog_file value '%s' does not match any prefix in "
                        "maillog_file_prefixes",
                        path);
    }
    int fd = log_file_open(path, err);
    if (fd < 0) {
        return TEMPFAIL;
    }
    log_set_fd(fd);
    fd_close(&master->log_fd);
    master->log_fd = fd;
    return OK;
}

enum outcome log_open(struct master *master, const struct conf *conf, bool foreground,
                      struct err *err)
{
    const char *path = conf_str(conf, P_maillog_file);
    char *tag = xasprintf("%s/master", conf_str(conf, P_syslog_name));
    log_set_tag(tag);
    free(tag);
    log_set_host(conf_str(conf, P_myhostname));
    if (path[0] != '\0') {
        if (strcmp(path, "/dev/stdout") == 0 && !foreground) {
            return err_perm(err, "5.3.5",
                            "maillog_file = /dev/stdout needs master in the foreground "
                            "(postfix start-fg)");
        }
        return open_log_file(master, path, conf, err);
    }
    if (!log_set_syslog(conf_str(conf, P_syslog_facility))) {
        return err_perm(err, "5.3.5", "unknown syslog_facility: %s",
                        conf_str(conf, P_syslog_facility));
    }
    log_set_fd(-1);
    fd_close(&master->log_fd);
    return OK;
}
