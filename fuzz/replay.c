/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files, or over the files of directories: the committed
 * corpus as a test with any compiler, or one crashing input under a debugger.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "sys/file.h"

enum { INPUT_MOST = 16 * 1024 * 1024 };

static void replay_file(const char *path)
{
    STR_AUTO struct str text = {0};
    struct err err;
    if (file_read(path, INPUT_MOST, &text, &err) != OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    /* A block of exactly this size, so that a sanitizer sees the end. */
    uint8_t *data = xmalloc(text.len > 0 ? text.len : 1);
    memcpy(data, str_ptr(&text), text.len);
    (void)LLVMFuzzerTestOneInput(data, text.len);
    free(data);
}

/* The number of files replayed. */
static unsigned replay(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        replay_file(path);
        return 1;
    }
    unsigned count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            char *name = xasprintf("%s/%s", path, entry->d_name);
            replay_file(name);
            free(name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay(argv[i]);
    }
    (void)printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
