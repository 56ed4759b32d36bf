/* SPDX-License-Identifier: MIT */
/* For the tests of this layer: a configuration, a directory, the log as a string. Comes
 * behind testing/test.h. */
#ifndef MAP_MAP_TESTING_H
#define MAP_MAP_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/map.h"

struct bench {
    char *directory;
    struct conf *conf;
    struct str log; /* "warning: text\n" per line */
    struct str value;
    struct err err;
};

static inline void bench_take_log(enum log_level level, const char *text, void *context)
{
    (void)level;
    struct bench *bench = context;
    str_add_cstr(&bench->log, text);
    str_add_byte(&bench->log, '\n');
}

/* MAIN_CF: text on top of the defaults. */
static inline struct bench *bench_new(const char *main_cf)
{
    struct bench *bench = xcalloc(1, sizeof(*bench));
    struct str text = {0};
    str_printf(&text, "compatibility_level = 3.6\nmyhostname = mail.example.com\n%s\n",
               main_cf);
    bench->directory = test_make_dir();
    bench->conf = conf_open_text(bench->directory, str_ptr(&text), &bench->err);
    str_done(&text);
    assert_non_null(bench->conf);
    log_set_stderr(false);
    log_set_hook(bench_take_log, bench);
    return bench;
}

static inline void bench_free(struct bench *bench)
{
    log_set_hook(NULL, NULL);
    conf_free(&bench->conf);
    str_done(&bench->log);
    str_done(&bench->value);
    test_remove_dir(bench->directory);
    free(bench);
}

/* "TYPE:DIRECTORY/NAME". */
static inline struct map *bench_open_file(struct bench *bench, const char *type,
                                          const char *name, unsigned flags)
{
    char *title = xasprintf("%s:%s/%s", type, bench->directory, name);
    struct map *map = map_open(bench->conf, view_cstr(title), flags);
    free(title);
    return map;
}

/* The answer, "(missing)" or "(error)".  Valid until the next question. */
static inline const char *bench_ask(struct bench *bench, struct map *map,
                                    const char *key)
{
    switch (map_find(map, view_cstr(key), &bench->value, &bench->err)) {
    case MAP_FOUND:
        return str_ptr(&bench->value);
    case MAP_MISSING:
        return "(missing)";
    case MAP_ERROR:
        break;
    }
    return "(error)";
}

/* The log so far, with DIRECTORY shown as "D"; the log is empty afterwards.  The caller
 * frees the result. */
static inline char *bench_take(struct bench *bench)
{
    struct str out = {0};
    const char *rest = str_ptr(&bench->log);
    size_t len = strlen(bench->directory);
    while (*rest != '\0') {
        if (strncmp(rest, bench->directory, len) == 0) {
            str_add_byte(&out, 'D');
            rest += len;
        } else {
            str_add_byte(&out, *rest++);
        }
    }
    str_clear(&bench->log);
    return str_steal(&out);
}

#define assert_log(bench, expected)                                                    \
    do {                                                                               \
        char *log_ = bench_take(bench);                                                \
        assert_string_equal(log_, expected);                                           \
        free(log_);                                                                    \
    } while (0)

#endif
