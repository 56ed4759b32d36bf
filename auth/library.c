/* SPDX-License-Identifier: MIT */
/*
 * Starting the library, answering its questions about the configuration, collecting
 * what it has to say: smtpd logs it, with the number of the session.
 */
#include "auth/library.h"

#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"

enum { NOTES_MOST = 50, CALLBACKS = 3 };

struct library {
    const struct conf *conf;
    bool started;
    char *application, *config_path;
    struct auth_files files;
    sasl_callback_t callbacks[CALLBACKS];
    struct arena notes_arena; /* until they are taken */
    struct auth_note notes[NOTES_MOST];
    size_t note_count;
};

/* --- notes --------------------------------------------------------------------- */

static void add_note(struct library *library, bool warning, const char *title,
                     struct view text)
{
    if (library->note_count == NOTES_MOST) {
        return;
    }
    library->notes[library->note_count++] = (struct auth_note){
        .warning = warning,
        .text = view_cstr(
            arena_printf(&library->notes_arena, "%s%.*s", title, VIEW_ARG(text)))};
}

void library_take_notes(struct library *library, struct arena *arena,
                        struct auth_step *step)
{
    step->note_count = library->note_count;
    step->notes = arena_alloc(arena, (step->note_count + 1) * sizeof(*step->notes));
    for (size_t i = 0; i < step->note_count; i++) {
        step->notes[i] = library->notes[i];
        step->notes[i].text = arena_view(arena, library->notes[i].text);
    }
    library->note_count = 0;
    arena_clear(&library->notes_arena);
}

/* SASL_LOG_PASS has passwords in it. */
static int on_log(void *context, int level, const char *text)
{
    struct library *library = context;
    struct view message = view_cstr(text);
    switch (level) {
    case SASL_LOG_ERR:
        add_note(library, true, "SASL authentication problem: ", message);
        break;
    case SASL_LOG_FAIL:
        add_note(library, true, "SASL authentication failure: ", message);
        break;
    case SASL_LOG_WARN:
        add_note(library, true, "SASL authentication warning: ", message);
        break;
    case SASL_LOG_NOTE:
        if (log_verbose() > 0) {
            add_note(library, false, "SASL authentication info: ", message);
        }
        break;
    default:
        break;
    }
    return SASL_OK;
}

void library_diagnose(struct library *library)
{
    STR_AUTO struct str text = {0};
    struct view line;
    auth_files_diagnose(&library->files, &text);
    struct view rest = str_view(&text);
    while (view_next_word(&rest, "\n", &line)) {
        add_note(library, true, "SASL: ", line);
    }
}

/* --- configuration ---------------------------------------------------------------- */

/* What lies elsewhere than its configuration says; see files.h. */
static int on_option(void *context, const char *plugin, const char *option,
                     const char **result_out, unsigned *len_out)
{
    const struct library *library = context;
    const struct auth_files *files = &library->files;
    const char *found = NULL;
    (void)plugin;
    if (strcmp(option, "saslauthd_path") == 0 &&
        strcmp(files->saslauthd, files->saslauthd_named) != 0) {
        found = files->saslauthd;
    } else if (strcmp(option, "sasldb_path") == 0 &&
               strcmp(files->sasldb, files->sasldb_named) != 0) {
        found = files->sasldb;
    }
    if (found == NULL) {
        return SASL_FAIL; /* it shall look itself */
    }
    *result_out = found;
    if (len_out != NULL) {
        *len_out = (unsigned)strlen(found);
    }
    return SASL_OK;
}

/* The library casts it back according to its number. */
#define CALLBACK(function) ((int (*)(void))(void (*)(void))(function))

struct library *library_new(const struct conf *conf)
{
    struct library *library = xcalloc(1, sizeof(*library));
    const sasl_callback_t callbacks[CALLBACKS] = {
        {SASL_CB_LOG, CALLBACK(on_log), library},
        {SASL_CB_GETOPT, CALLBACK(on_option), library},
        {SASL_CB_LIST_END, NULL, NULL}};
    library->conf = conf;
    memcpy(library->callbacks, callbacks, sizeof(callbacks));
    return library;
}

static void stop(struct library *library)
{
    if (library->started) {
        sasl_server_done();
        library->started = false;
    }
    auth_files_done(&library->files);
    free(library->application);
    free(library->config_path);
    library->application = library->config_path = NULL;
}

void library_free(struct library **library_ptr)
{
    struct library *library = *library_ptr;
    if (library != NULL) {
        stop(library);
        arena_clear(&library->notes_arena);
        free(library);
        *library_ptr = NULL;
    }
}

/* Where distributions have these files, if nobody says. */
static char *effective_path(const struct library *library, struct view path)
{
    return path.len > 0
               ? xviewdup(path)
               : xasprintf(
                     "%s/sasl:/usr/lib/sasl2:/usr/lib64/sasl2:/etc/sasl2:/etc/sasl",
                     conf_directory(library->conf));
}

bool library_configure(struct library *library, const struct auth_settings *settings)
{
    char *path = effective_path(library, settings->config_path);
    bool same = library->started &&
                view_equal_cstr(settings->application, library->application) &&
                strcmp(path, library->config_path) == 0;
    if (same) {
        free(path);
        return true;
    }
    stop(library);
    library->application = xviewdup(settings->application);
    library->config_path = path;
    auth_files_find(&library->files, view_cstr(path), settings->application,
                    conf_str(library->conf, P_queue_directory));
    int status = sasl_set_path(SASL_PATH_TYPE_CONFIG, library->config_path);
    if (status == SASL_OK) {
        status = sasl_server_init(library->callbacks, library->application);
    }
    library->started = status == SASL_OK;
    if (!library->started) {
        add_note(library, true, "SASL per-process initialization failed: ",
                 view_cstr(sasl_errstring(status, NULL, NULL)));
    }
    return library->started;
}

bool library_outdated(const struct library *library)
{
    return library->started && auth_files_changed(&library->files);
}
