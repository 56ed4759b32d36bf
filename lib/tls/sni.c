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

enum { KEPT_MOST = 1000 };

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

/* --- values ----------------------------------------------------------------------- */

/* PEM text from base64, wiped and freed by the caller; NULL: VALUE is something else.
 */
static char *decode(struct view value, size_t *len_out)
{
    EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
    char *text = xmalloc(value.len + 1);
    int head = 0;
    int tail = 0;
    CHECK(context != NULL);
    EVP_DecodeInit(context);
    bool good =
        value.len < INT32_MAX &&
        EVP_DecodeUpdate(context, (unsigned char *)text, &head,
                         (const unsigned char *)value.ptr, (int)value.len) >= 0 &&
        EVP_DecodeFinal(context, (unsigned char *)text + head, &tail) >= 0;
    EVP_ENCODE_CTX_free(context);
    *len_out = (size_t)head + (size_t)tail;
    text[*len_out] = '\0';
    if (!good || strstr(text, "-----BEGIN ") == NULL) {
        OPENSSL_cleanse(text, value.len + 1);
        free(text);
        return NULL;
    }
    return text;
}

static enum outcome parse_value(struct view value, const char *title,
                                struct tls_chains *out, struct err *err)
{
    size_t len;
    char *text = decode(value, &len);
    if (text == NULL) {
        return tls_chains_read(value, out, err);
    }
    enum outcome outcome = tls_chains_parse(view_of(text, len), title, out, err);
    OPENSSL_cleanse(text, len);
    free(text);
    return outcome;
}

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
    if (parse_value(value, title, chains, err) != OK) {
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

/* --- opening ---------------------------------------------------------------------- */

struct preparation {
    struct tls_sni *sni;
    bool all; /* whatever they look like */
    struct tls_report *report;
    const char *table;
};

static void report_entry(const struct preparation *preparation, const char *title,
                         const struct err *err)
{
    char *text =
        xasprintf("error loading private keys and certificates from: %s", title);
    char *reason = xasprintf("%s: %s", preparation->table, err->text);
    tls_report(preparation->report,
               &(struct tls_mistake){.parameter = "tls_server_sni_maps",
                                     .harmless = true,
                                     .text = text,
                                     .reason = reason});
    free(text);
    free(reason);
}

/* An entry of a table that can be walked.  What a table has inside can wait until
 * somebody asks for it: there may be many. */
static bool prepare(void *context, struct view key, struct view value)
{
    struct preparation *preparation = context;
    struct err err;
    if (!preparation->all && value.len > 0 && value.ptr[0] != '/') {
        return false;
    }
    char *title = xasprintf("SNI data for %.*s", VIEW_ARG(key));
    if (chains_of(preparation->sni, value, title, &err) == NULL) {
        report_entry(preparation, title, &err);
    }
    free(title);
    return true;
}

static void prepare_table(struct preparation *preparation, struct view name)
{
    struct err err;
    struct map *map = map_open(preparation->sni->conf, name, MAP_FOLD | MAP_QUIET);
    preparation->table = map_name(map);
    if (map_open_error(map) != NULL) {
        tls_report(preparation->report,
                   &(struct tls_mistake){.parameter = "tls_server_sni_maps",
                                         .harmless = true,
                                         .text = map_open_error(map)});
    } else if (map_walk(map, prepare, preparation, &err) != OK) {
        log_debug("%s", err.text); /* patterns have no list */
    }
    map_close(&map);
}

struct tls_sni *tls_sni_open(const struct conf *conf, const char *list, bool all,
                             struct tls_report *report)
{
    struct view rest = view_cstr(list);
    struct view name;
    if (*list == '\0') {
        return NULL;
    }
    struct tls_sni *sni = xcalloc(1, sizeof(*sni));
    sni->conf = conf;
    sni->kept = htab_new();
    struct preparation preparation = {.sni = sni, .all = all, .report = report};
    while (conf_list_next(&rest, &name)) {
        prepare_table(&preparation, name);
    }
    sni->maps = maps_open(conf, "tls_server_sni_maps", list, MAP_FOLD | MAP_QUIET);
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

static void wipe(struct str *text)
{
    if (text->ptr != NULL) {
        OPENSSL_cleanse(text->ptr, text->capacity);
    }
    str_done(text);
}

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
