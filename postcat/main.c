/* SPDX-License-Identifier: MIT */
/*
 * postcat: shows queue files, by name or, with -q, by queue ID.  Reads only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "mail/queue_dir.h"
#include "postcat/postcat.h"
#include "service/command.h"
#include "sys/file.h"

enum { COPY_CHUNK = 64 * 1024, FIND_ATTEMPTS = 2 };

static const char *const QUEUES[] = {
    QUEUE_MAILDROP, QUEUE_INCOMING, QUEUE_ACTIVE, QUEUE_DEFERRED,
    QUEUE_HOLD,     QUEUE_SAVED,    NULL};

NORETURN static void usage(void)
{
    log_fatal(
        "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] "
        "[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] "
        "[file(s)...]");
}

struct arguments {
    struct postcat_options options;
    const char *config_directory;
    bool by_id;
};

static int64_t parse_offset(const char *text)
{
    uint64_t offset;
    if (!number_parse_u64(view_cstr(text), INT64_MAX, &offset)) {
        log_fatal("bad offset: %s", text);
    }
    return (int64_t)offset;
}

static void parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    struct postcat_options *options = &arguments->options;
    int c;
    while ((c = getopt(argc, argv, "bc:dehoqrs:v")) >= 0) {
        switch (c) {
        case 'b':
            options->show |= SHOW_BODY;
            break;
        case 'c':
            arguments->config_directory = optarg;
            break;
        case 'd':
            options->types = true;
            break;
        case 'e':
            options->show |= SHOW_ENVELOPE;
            break;
        case 'h':
            options->show |= SHOW_HEADER;
            break;
        case 'o':
            options->offsets = true;
            break;
        case 'q':
            arguments->by_id = true;
            break;
        case 'r': /* file order: the only order our files have */
            break;
        case 's':
            options->start = parse_offset(optarg);
            break;
        case 'v':
            options->names = true;
            log_set_verbose(log_verbose() + 1);
            break;
        default:
            usage();
        }
    }
    if (options->show == 0) {
        options->show = SHOW_ALL;
    }
}

static void print_or_die(int fd, const char *name,
                         const struct postcat_options *options)
{
    struct err err;
    if (postcat_print(fd, name, options, stdout, &err) != OK) {
        (void)fflush(stdout);
        log_fatal("%s: %s", name, err.text);
    }
    if (fflush(stdout) != 0) {
        log_fatal("write error: %m");
    }
}

/* The message may be moved from queue to queue while we look: look twice. */
static int open_by_id(const struct queue_dirs *dirs, const char *id,
                      struct str *name_out)
{
    int problem = ENOENT;
    for (int i = 0; i < FIND_ATTEMPTS && queue_id_valid(view_cstr(id)); i++) {
        for (const char *const *queue = QUEUES; *queue != NULL; queue++) {
            int fd = queue_open_where(dirs, *queue, id, O_RDONLY, name_out);
            if (fd >= 0) {
                return fd;
            }
            problem = errno != ENOENT ? errno : problem;
        }
    }
    errno = problem;
    return -1;
}

static void show_ids(const struct conf *conf, char **ids,
                     const struct postcat_options *options)
{
    struct queue_dirs *dirs = queue_dirs_new(conf);
    STR_AUTO struct str name = {0};
    command_enter_queue(conf);
    for (; *ids != NULL; ids++) {
        if (!queue_id_plausible(view_cstr(*ids))) {
            log_fatal("bad mail queue ID: %s", *ids);
        }
        FD_AUTO int fd = open_by_id(dirs, *ids, &name);
        if (fd < 0) {
            log_fatal("open queue file %s: %m", *ids);
        }
        print_or_die(fd, str_ptr(&name), options);
    }
    queue_dirs_free(&dirs);
}

/* A copy of what cannot be read at offsets, such as a pipe. */
static int copy_to_memory(int fd)
{
    int copy = memfd_create("postcat", MFD_CLOEXEC);
    char *chunk = malloc(COPY_CHUNK);
    ssize_t n = 0;
    while (copy >= 0 && chunk != NULL && (n = read(fd, chunk, COPY_CHUNK)) > 0) {
        if (!file_write_all(copy, chunk, (size_t)n)) {
            break;
        }
    }
    free(chunk);
    if (copy < 0 || n != 0) {
        log_fatal("read stdin: %m");
    }
    return copy;
}

static void show_stdin(const struct postcat_options *options)
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0) {
        log_fatal("read stdin: %m");
    }
    FD_AUTO int fd =
        S_ISREG(st.st_mode) ? dup(STDIN_FILENO) : copy_to_memory(STDIN_FILENO);
    print_or_die(fd, "stdin", options);
}

static void show_files(char **paths, const struct postcat_options *options)
{
    for (; *paths != NULL; paths++) {
        FD_AUTO int fd = open(*paths, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            log_fatal("open %s: %m", *paths);
        }
        print_or_die(fd, *paths, options);
    }
}

int main(int argc, char **argv)
{
    (void)command_init(argc, argv);
    struct arguments arguments = {0};
    parse_arguments(argc, argv, &arguments);
    struct conf *conf = command_conf(arguments.config_directory, true);
    if (arguments.by_id) {
        show_ids(conf, argv + optind, &arguments.options);
    } else if (argv[optind] != NULL) {
        show_files(argv + optind, &arguments.options);
    } else {
        show_stdin(&arguments.options);
    }
    conf_free(&conf);
    return 0;
}
