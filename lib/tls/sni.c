/* SPDX-License-Identifier: MIT */
/*
 * Parsing keys takes longer than the handshake itself, so what was parsed is kept, by a
 * digest of the table's value: a changed entry is another value.
 */
#include "tls/sni.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/htab.h"
#include "base/log.h"

enum { KEPT_MOST = 1000, FLAGS = MAP_FOLD | MAP_FILE_VALUES };

struct tls_sni {
    const struct conf *conf;
    struct maps *maps;
    struct htab *kept; /* SHA-256 of a value -> struct tls_chains */
};

static void free_kept(void *value)
{
    tls_chains_free(value);
    free(value);
}

static void wipe(struct str *text)
{
    if (text->ptr != NULL) {
        OPENSSL_cleanse(text->ptr, text->capacity);
    }
    str_done(text);
}

/* --- values ----------------------------------------------------------------------- */

/* What VALUE stands for; NULL with ERR. */
static const struct tls_chains *chains_of(struct tls_sni *sni, struct view value,
                                          const char *title, struct err *err)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    (void)SHA256((const unsigned char *)value.ptr, value.len, digest);
    struct view key = view_of((const char *)digest, sizeof(digest));
    const struct tls_chains *known = htab_get(sni->kept, key);
    if (known != NULL) {
        return known;
    }
    struct tls_chains *chains = xcalloc(1, sizeof(*chains));
    if (tls_chains_parse(value, title, chains, err) != OK) {
        free_kept(chains);
        return NULL;
    }
    if (htab_count(sni->kept) >= KEPT_MOST) {
        htab_free(&sni->kept, free_kept);
        sni->kept = htab_new();
    }
    (void)htab_put(sni->kept, key, chains);
    return chains;
}

/* --- looking at everything
 * --------------------------------------------------------------- */

struct inspection {
    struct tls_sni *sni;
    struct map *map;
    struct tls_report *report;
};

static void report_mistake(struct tls_report *report, const char *text,
                           const char *reason)
{
    tls_report(report, &(struct tls_mistake){.parameter = "tls_server_sni_maps",
                                             .harmless = true,
                                             .text = text,
                                             .reason = reason});
}

static bool inspect_entry(void *context, struct view key, struct view value)
{
    const struct inspection *inspection = context;
    struct err err = {0};
    STR_AUTO struct str title = {0};
    struct str text = {0};
    (void)value; /* as the table stores it; what counts is what a lookup gives */
    str_printf(&title, "SNI data for %.*s", VIEW_ARG(key));
    enum map_result result = map_find(inspection->map, key, &text, &err);
    if (result == MAP_ERROR ||
        (result == MAP_FOUND &&
         chains_of(inspection->sni, str_view(&text), str_ptr(&title), &err) == NULL)) {
        char *first = xasprintf("error loading private keys and certificates from: %s",
                                str_ptr(&title));
        char *reason = xasprintf("%s: %s", map_name(inspection->map), err.text);
        report_mistake(inspection->report, first, reason);
        free(first);
        free(reason);
    }
    wipe(&text);
    return true;
}

void tls_sni_inspect(struct tls_sni *sni, const char *list, struct tls_report *report)
{
    struct view rest = view_cstr(list);
    struct view name;
    while (conf_list_next(&rest, &name)) {
        struct err err;
        struct map *map = map_open(sni->conf, name, FLAGS | MAP_QUIET);
        /* For the keys: a value that is no file's content must not end the walk. */
        struct map *keys = map_open(sni->conf, name, MAP_FOLD | MAP_QUIET);
        struct inspection inspection = {sni, map, report};
        if (map_open_error(map) != NULL) {
            report_mistake(report, map_open_error(map), "");
        } else if (map_walk(keys, inspect_entry, &inspection, &err) != OK) {
            log_debug("%s", err.text); /* patterns have no list */
        }
        map_close(&keys);
        map_close(&map);
    }
}

/* --- life
 * ------------------------------------------------------------------------------ */

struct tls_sni *tls_sni_open(const struct conf *conf, const char *list)
{
    if (*list == '\0') {
        return NULL;
    }
    struct tls_sni *sni = xcalloc(1, sizeof(*sni));
    sni->conf = conf;
    sni->kept = htab_new();
    sni->maps = maps_open(conf, "tls_server_sni_maps", list, FLAGS);
    return sni;
}

void tls_sni_close(struct tls_sni **sni)
{
    if (*sni == NULL) {
        return;
    }
    maps_close(&(*sni)->maps);
    htab_free(&(*sni)->kept, free_kept);
    free(*sni);
    *sni = NULL;
}

bool tls_sni_changed(const struct tls_sni *sni)
{
    return maps_changed(sni->maps);
}

/* --- finding -----------------------------------------------------------------------
 */

enum map_result tls_sni_find(struct tls_sni *sni, const char *name,
                             const struct tls_chains **chains_out, struct err *err)
{
    struct str value = {0};
    STR_AUTO struct str title = {0};
    struct view key = view_cstr(name);
    enum map_result result = MAP_MISSING;
    while (result == MAP_MISSING && key.len > 1) {
        result = maps_find(sni->maps, key, &value, NULL, err);
        /* Next: the parent domain, with its dot. */
        size_t dot = 1 + view_index(view_from(key, 1), '.');
        if (result == MAP_MISSING) {
            key = view_from(key, dot);
        }
    }
    if (result == MAP_FOUND) {
        str_printf(&title, "SNI data for %.*s", VIEW_ARG(key));
        *chains_out = chains_of(sni, str_view(&value), str_ptr(&title), err);
        result = *chains_out != NULL ? MAP_FOUND : MAP_ERROR;
    }
    wipe(&value);
    return result;
}
