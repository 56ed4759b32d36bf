/* SPDX-License-Identifier: MIT */
/* postdrop's standard input, as one stream: no input may stop it, or leave a file. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "submit/postdrop/postdrop.h"

static unsigned dropped;

static void note_dropped(const struct dropper *dropper)
{
    (void)dropper;
    dropped++;
}

/* A spool below the temporary directory, made once per process and removed at its end;
 * it is the working directory only while a submission is served. */
static char spool[] = "/tmp/postern-fuzz-XXXXXX";
static int outside = -1;

static void remove_spool(void)
{
    CHECK(chdir(spool) == 0); /* what is left behind is empty */
    (void)rmdir("maildrop");
    CHECK(chdir("/") == 0);
    (void)rmdir(spool);
}

static const struct dropper *dropper(void)
{
    static struct dropper only;
    if (only.conf == NULL) {
        outside = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(outside >= 0 && mkdtemp(spool) != NULL && chdir(spool) == 0);
        CHECK(mkdir("maildrop", 0700) == 0 && atexit(remove_spool) == 0);
        log_set_stderr(false);
        only.conf = conf_open_text(".", "message_size_limit = 1000\n", NULL);
        CHECK(only.conf != NULL);
        only.dirs = queue_dirs_new(only.conf);
        only.dropped = note_dropped;
    }
    CHECK(chdir(spool) == 0);
    return &only;
}

static unsigned count_and_remove(const struct dropper *with)
{
    unsigned count = 0;
    char id[QUEUE_ID_MAX];
    struct queue_scan *scan = queue_scan_open(with->dirs, QUEUE_MAILDROP);
    CHECK(scan != NULL);
    while (queue_scan_next(scan, id)) {
        count++;
        CHECK(queue_remove(with->dirs, QUEUE_MAILDROP, id));
    }
    queue_scan_close(&scan);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (size > 64 * 1024) { /* what the socket holds without a reader */
        return 0;
    }
    const struct dropper *with = dropper();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(write(fds[0], data, size) == (ssize_t)size && shutdown(fds[0], SHUT_WR) == 0);
    struct stream *client = stream_new(fds[1]);
    dropped = 0;
    (void)drop_serve(with, client);
    stream_free(&client);
    (void)close(fds[0]);
    CHECK(count_and_remove(with) == dropped);
    CHECK(fchdir(outside) == 0);
    return 0;
}
