/* SPDX-License-Identifier: MIT */
/*
 * Finding and loading table modules.  The lists are read when a type is asked for that
 * is not built in; a module is loaded when its first table is opened, and stays.
 */
#include "map/module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "map/source.h"

struct module {
    struct module *next;
    char *type;
    char *file; /* absolute */
    char *open_name;
    char *mkmap_name; /* NULL: none */
    void *handle;     /* of dlopen(); NULL: not loaded */
    map_module_open_function *open;
};

/* What the lists of one directory say.  One per process, as loaded code is. */
static struct {
    char *directory; /* NULL: nothing was read */
    struct module *first;
} listed;

/* --- the lists --------------------------------------------------------------- */

static struct module *find_module(struct view type)
{
    struct module *module = listed.first;
    while (module != NULL && !view_equal_cstr(type, module->type)) {
        module = module->next;
    }
    return module;
}

/* "postfix-lmdb.so" is below $shlib_directory, or where this build puts modules. */
static char *complete_path(const struct conf *conf, struct view file)
{
    if (file.ptr[0] == '/') {
        return xviewdup(file);
    }
    const char *directory = conf_str(conf, P_shlib_directory);
    bool none = strcmp(directory, "no") == 0;
    return xasprintf("%s/%.*s", none ? BUILD_SHLIB_DIRECTORY : directory,
                     VIEW_ARG(file));
}

static void add_module(const struct conf *conf, const char *path, int line,
                       struct view text)
{
    enum { TYPE, FILE_NAME, OPEN, MKMAP, MOST };
    struct view words[MOST + 1];
    size_t count = 0;
    while (count <= MOST && view_next_word(&text, " \t\r\n", &words[count])) {
        count++;
    }
    if (count < MKMAP || count > MOST) {
        log_warning("%s, line %d: Expected \"dict-type .so-name dict-function "
                    "[mkmap-function]\"",
                    path, line);
        return;
    }
    if (find_module(words[TYPE]) != NULL) {
        log_warning("%s: ignoring duplicate entry for \"%.*s\"", path,
                    VIEW_ARG(words[TYPE]));
        return;
    }
    struct module *module = xcalloc(1, sizeof(*module));
    module->type = xviewdup(words[TYPE]);
    module->file = complete_path(conf, words[FILE_NAME]);
    module->open_name = xviewdup(words[OPEN]);
    module->mkmap_name = count == MOST ? xviewdup(words[MKMAP]) : NULL;
    module->next = listed.first;
    listed.first = module;
}

static void read_list(const struct conf *conf, const char *path)
{
    struct source source;
    struct err err = {0};
    if (source_open(&source, path, &err) != OK) {
        if (err.code != ENOENT) {
            log_warning("%s", err.text);
        }
        return;
    }
    struct view line;
    int number;
    while (source_next(&source, &line, &number)) {
        add_module(conf, path, number, line);
    }
    source_done(&source);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names, so that "ignoring duplicate" says the same each time. */
static void read_directory(const struct conf *conf, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0) {
        if (errno != ENOENT) {
            log_warning("open %s: %m", path);
        }
        return;
    }
    for (int i = 0; i < count; i++) {
        char *file = xasprintf("%s/%s", path, entries[i]->d_name);
        read_list(conf, file);
        free(file);
        free(entries[i]);
    }
    free(entries);
}

static void forget_lists(void)
{
    while (listed.first != NULL) {
        struct module *module = listed.first;
        listed.first = module->next;
        free(module->type);
        free(module->file);
        free(module->open_name);
        free(module->mkmap_name);
        free(module); /* code that was loaded stays: tables may be open */
    }
    free(listed.directory);
    listed.directory = NULL;
}

static void read_lists(const struct conf *conf)
{
    const char *directory = conf_str(conf, P_meta_directory);
    if (listed.directory != NULL && strcmp(listed.directory, directory) == 0) {
        return;
    }
    forget_lists();
    listed.directory = xstrdup(directory);
    char *path = xasprintf("%s/dynamicmaps.cf", directory);
    read_list(conf, path);
    free(path);
    path = xasprintf("%s/dynamicmaps.cf.d", directory);
    read_directory(conf, path);
    free(path);
}

bool map_module_is_listed(const struct conf *conf, struct view type)
{
    read_lists(conf);
    return find_module(type) != NULL;
}

void map_module_each(const struct conf *conf,
                     void (*visit)(void *context, const char *type), void *context)
{
    read_lists(conf);
    for (const struct module *module = listed.first; module != NULL;
         module = module->next) {
        visit(context, module->type);
    }
}

/* --- loading ----------------------------------------------------------------- */

/* False: the reason was logged. */
static bool load_code(struct module *module)
{
    if (access(module->file, R_OK) != 0) {
        log_warning("unsupported dictionary type: %s (%s: %m)", module->type,
                    module->file);
        return false;
    }
    void *handle = dlopen(module->file, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        log_warning("unsupported dictionary type: %s (%s)", module->type, dlerror());
        return false;
    }
    const char *mark = dlsym(handle, "map_module_mark");
    if (mark == NULL || strcmp(mark, MAP_MODULE_MARK) != 0) {
        log_warning("unsupported dictionary type: %s (%s: %s)", module->type,
                    module->file,
                    mark == NULL ? "not a module of this mail system"
                                 : "a module of another version");
        (void)dlclose(handle);
        return false;
    }
    module->handle = handle;
    return true;
}

/* A function of MODULE, or NULL after a warning. */
static void *find_function(struct module *module, const char *name)
{
    if (module->handle == NULL && !load_code(module)) {
        return NULL;
    }
    void *function = dlsym(module->handle, name);
    if (function == NULL) {
        log_warning("unsupported dictionary type: %s (%s: no function \"%s\")",
                    module->type, module->file, name);
    }
    return function;
}

struct map *map_module_open(const struct map_spec *spec, struct err *err)
{
    read_lists(spec->conf);
    struct module *module = find_module(view_cstr(spec->type));
    if (module != NULL && module->open == NULL) {
        /* POSIX promises that such a pointer can be a function's. */
        *(void **)&module->open = find_function(module, module->open_name);
    }
    if (module == NULL || module->open == NULL) {
        (void)err_perm(err, "4.3.0", "unsupported dictionary type: %s", spec->type);
        return NULL;
    }
    struct map *map = module->open(spec, err);
    CHECK(map == NULL || map->type != NULL);
    return map;
}

map_writer_new_function *map_module_new_writer(const struct conf *conf,
                                               struct view type)
{
    read_lists(conf);
    struct module *module = find_module(type);
    map_writer_new_function *function = NULL;
    if (module != NULL && module->mkmap_name != NULL) {
        *(void **)&function = find_function(module, module->mkmap_name);
    }
    return function;
}
