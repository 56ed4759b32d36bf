/* SPDX-License-Identifier: MIT */
/*
 * Reading the configuration as a whole.  Only what has been checked from end to
 * end is handed to workers, so that an edit in progress stops nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/log.h"
#include "master/master.h"
#include "sys/file.h"

static void report_mistake(void *context, const char *file, int line, const char *text)
{
    (void)context;
    if (line > 0) {
        log_error("%s, line %d: %s", file, line, text);
    } else {
        log_error("%s", text);
    }
}

/* What the parser cannot know: only our own services understand a wake-up. */
static bool check_services(const struct conf *conf, const struct master_cf *services)
{
    bool good = true;
    for (int i = 0; i < services->count; i++) {
        const struct master_entry *entry = &services->entries[i];
        bool deaf = entry->type == SERVICE_INET || entry->type == SERVICE_PASS;
        if (deaf && entry->wakeup > 0) {
            log_error(
                "file %s/master.cf: line %d: a service of type %s cannot be woken",
                conf_directory(conf), entry->line, service_type_name(entry->type));
            good = false;
        }
    }
    return good;
}

/* A master.cf written for Postfix has no service for logins, and needs none in it. */
static bool add_implied_services(struct settings *settings)
{
    struct err err;
    char *line = xasprintf("%s unix - - n - - auth\n",
                           conf_str(settings->conf, P_auth_service_name));
    enum outcome outcome =
        master_cf_add_missing(&settings->services, view_cstr(line), &err);
    free(line);
    if (outcome != OK) {
        log_error("auth_service_name: %s", err.text);
    }
    return outcome == OK;
}

/* A memory file: there is no name that could be replaced, and nobody can change it. */
static int make_snapshot(struct view text)
{
    int fd = memfd_create("main.cf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 &&
        (!file_pwrite_all(fd, text.ptr, text.len, 0) ||
         fcntl(fd, F_ADD_SEALS,
               F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)) {
        fd_close(&fd);
    }
    return fd;
}

/* Those that a container or taskset(1) leaves us. */
static unsigned count_processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
    return count > 0 ? (unsigned)count : 1;
}

struct settings *settings_read(const char *config_directory)
{
    struct err err;
    struct settings *settings = xcalloc(1, sizeof(*settings));
    settings->snapshot_fd = -1;
    settings->processors = count_processors();
    settings->conf = conf_open(config_directory, true, &err);
    if (settings->conf == NULL) {
        log_error("%s", err.text);
        settings_free(&settings);
        return NULL;
    }
    conf_override(settings->conf, "process_name", "master");
    if (!conf_validate(settings->conf, report_mistake, NULL)) {
        settings_free(&settings);
        return NULL;
    }
    if (master_cf_read(conf_directory(settings->conf), &settings->services, &err) !=
        OK) {
        log_error("%s", err.text);
        settings_free(&settings);
        return NULL;
    }
    if (!add_implied_services(settings) ||
        !check_services(settings->conf, &settings->services)) {
        settings_free(&settings);
        return NULL;
    }
    settings->snapshot_fd = make_snapshot(conf_text(settings->conf));
    if (settings->snapshot_fd < 0) {
        log_error("keep a copy of main.cf: %m");
        settings_free(&settings);
    }
    return settings;
}

void settings_free(struct settings **settings)
{
    struct settings *old = *settings;
    *settings = NULL;
    if (old != NULL) {
        conf_free(&old->conf);
        master_cf_done(&old->services);
        fd_close(&old->snapshot_fd);
        free(old);
    }
}
