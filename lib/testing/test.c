/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"

char *test_make_dir(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = xasprintf("%s/postern-test.XXXXXX", parent != NULL ? parent : "/tmp");
    CHECK(mkdtemp(path) != NULL);
    return path;
}

static int remove_entry(const char *path, const struct stat *st, int kind,
                        struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void test_remove_dir(char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

void test_write_file(const char *dir, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
    free(path);
}
