/* SPDX-License-Identifier: MIT */
/*
 * Tables that are read as text, and base64 (values of "postmap -F").  Input: a letter
 * for the kind of table, a line that is the key, and the table.  regexp: is left out,
 * because what it would test is regcomp().
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "map/map.h"
#include "sys/file.h"

static void look_up(struct map *map, struct view key)
{
    STR_AUTO struct str value = {0};
    if (map_find(map, key, &value, NULL) == MAP_FOUND) {
        CHECK(map_last_origin(map).line >= 0);
    }
}

static void try_file(const struct conf *conf, const char *type, struct view key,
                     struct view text)
{
    FD_AUTO int fd = memfd_create("table", MFD_CLOEXEC);
    CHECK(fd >= 0 && file_write_all(fd, text.ptr, text.len));
    char *title = xasprintf("%s:/proc/self/fd/%d", type, fd);
    struct map *map = map_open(conf, view_cstr(title), MAP_FOLD | MAP_QUIET);
    free(title);
    look_up(map, key);
    map_close(&map);
}

static void try_name(const struct conf *conf, struct view key, struct view name)
{
    struct map *map = map_open(conf, name, MAP_FOLD | MAP_QUIET);
    look_up(map, key);
    map_close(&map);
}

static void try_list(const struct conf *conf, struct view key, struct view text)
{
    char *patterns = xviewdup(text);
    struct match_list *list = match_list_open(conf, "list", patterns, MATCH_ADDRESS);
    (void)match_list_find(list, key, key, NULL);
    match_list_close(&list);
    free(patterns);
}

/* What was decoded and is encoded again is the same, for there is one spelling only. */
static void try_base64(struct view text)
{
    STR_AUTO struct str bytes = {0};
    STR_AUTO struct str again = {0};
    if (base64_decode(text, &bytes)) {
        base64_encode(str_view(&bytes), &again);
        CHECK(view_equal(str_view(&again), text));
    }
}

/* Files by name would be the machine's own. */
static bool names_a_file(struct view text)
{
    return view_index(text, '/') < text.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct view input = view_of((const char *)data, size);
    size_t line = view_index(input, '\n');
    if (size < 2 || line == size) {
        return 0;
    }
    struct conf *conf = conf_open_text("/", NULL, &err);
    CHECK(conf != NULL);
    log_set_stderr(false);
    struct view key = view_from(view_first(input, line), 1);
    struct view text = view_from(input, line + 1);
    switch (data[0]) {
    case 'c':
        try_file(conf, "cidr", key, text);
        break;
    case 't':
        try_file(conf, "texthash", key, text);
        break;
    case 'b':
        try_base64(text);
        break;
    case 'l':
    case 'n':
        if (!names_a_file(text)) {
            (data[0] == 'l' ? try_list : try_name)(conf, key, text);
        }
        break;
    default:
        try_file(conf, "pcre", key, text);
        break;
    }
    conf_free(&conf);
    return 0;
}
