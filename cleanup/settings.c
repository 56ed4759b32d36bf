/* SPDX-License-Identifier: MIT */
/* The parameters and tables of cleanup, opened once per process. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cleanup/cleanup.h"

/* Parameters that would change what is accepted or where mail goes: a site that sets
 * one relies on it, so ignoring it is no option. */
static void refuse_what_is_not_built(const struct conf *conf)
{
    static const struct {
        enum param param;
        const char *name;
    } rows[] = {
        {P_header_checks, "header_checks"},
        {P_mime_header_checks, "mime_header_checks"},
        {P_nested_header_checks, "nested_header_checks"},
        {P_body_checks, "body_checks"},
        {P_content_filter, "content_filter"},
        {P_non_smtpd_milters, "non_smtpd_milters"},
        {P_message_reject_characters, "message_reject_characters"},
        {P_message_strip_characters, "message_strip_characters"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (conf_str(conf, rows[i].param)[0] != '\0') {
            log_fatal("parameter %s is not supported yet", rows[i].name);
        }
    }
    static const struct {
        enum param param;
        const char *name;
    } switches[] = {
        {P_strict_7bit_headers, "strict_7bit_headers"},
        {P_strict_8bitmime, "strict_8bitmime"},
        {P_strict_8bitmime_body, "strict_8bitmime_body"},
        {P_strict_mime_encoding_domain, "strict_mime_encoding_domain"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (conf_bool(conf, switches[i].param)) {
            log_fatal("parameter %s is not supported yet", switches[i].name);
        }
    }
}

static unsigned places(const struct conf *conf, enum param param, const char *title)
{
    static const struct {
        const char *name;
        enum address_place place;
    } names[] = {
        {"envelope_sender", PLACE_ENVELOPE_SENDER},
        {"envelope_recipient", PLACE_ENVELOPE_RECIPIENT},
        {"header_sender", PLACE_HEADER_SENDER},
        {"header_recipient", PLACE_HEADER_RECIPIENT},
    };
    unsigned set = 0;
    struct view rest = view_cstr(conf_str(conf, param));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && !view_equal_nocase_cstr(item, names[i].name)) {
            i++;
        }
        if (i == ARRAY_SIZE(names)) {
            log_fatal("parameter %s: unknown class name: %.*s", title, VIEW_ARG(item));
        }
        set |= names[i].place;
    }
    return set;
}

static struct maps *open_maps(const struct conf *conf, enum param param,
                              const char *title)
{
    return maps_open(conf, title, conf_str(conf, param), MAP_FOLD);
}

static void open_tables(struct settings *settings)
{
    const struct conf *conf = settings->conf;
    settings->canonical = open_maps(conf, P_canonical_maps, "canonical_maps");
    settings->sender_canonical =
        open_maps(conf, P_sender_canonical_maps, "sender_canonical_maps");
    settings->recipient_canonical =
        open_maps(conf, P_recipient_canonical_maps, "recipient_canonical_maps");
    settings->virtual_alias =
        open_maps(conf, P_virtual_alias_maps, "virtual_alias_maps");
    settings->sender_bcc = open_maps(conf, P_sender_bcc_maps, "sender_bcc_maps");
    settings->recipient_bcc =
        open_maps(conf, P_recipient_bcc_maps, "recipient_bcc_maps");
    settings->canonical_places = places(conf, P_canonical_classes, "canonical_classes");
    settings->sender_canonical_places =
        places(conf, P_sender_canonical_classes, "sender_canonical_classes");
    settings->recipient_canonical_places =
        places(conf, P_recipient_canonical_classes, "recipient_canonical_classes");
    settings->masquerade_places =
        places(conf, P_masquerade_classes, "masquerade_classes");
}

static bool list_has(const char *list, const char *name)
{
    struct view rest = view_cstr(list);
    struct view item;
    while (conf_list_next(&rest, &item)) {
        if (view_equal_nocase_cstr(item, name)) {
            return true;
        }
    }
    return false;
}

static void read_dropped_headers(struct settings *settings)
{
    settings->dropped_headers = htab_new();
    struct view rest = view_cstr(conf_str(settings->conf, P_message_drop_headers));
    struct view item;
    while (conf_list_next(&rest, &item)) {
        STR_AUTO struct str name = {0};
        str_add_lower(&name, item);
        (void)htab_put(settings->dropped_headers, str_view(&name), settings);
    }
}

struct settings *settings_new(const struct conf *conf)
{
    refuse_what_is_not_built(conf);
    struct settings *settings = xcalloc(1, sizeof(*settings));
    settings->conf = conf;
    settings->dirs = queue_dirs_new(conf);
    queue_dirs_use_unnamed(settings->dirs);
    settings->route = route_open(conf);
    settings->delimiters = conf_str(conf, P_recipient_delimiter);
    settings->size_limit = conf_long(conf, P_message_size_limit);
    const char *propagate = conf_str(conf, P_propagate_unmatched_extensions);
    settings->propagate_canonical = list_has(propagate, "canonical");
    settings->propagate_virtual = list_has(propagate, "virtual");
    open_tables(settings);
    read_dropped_headers(settings);
    char *path = xasprintf("public/%s", conf_str(conf, P_queue_service_name));
    settings->qmgr = notify_channel_new(path);
    free(path);
    return settings;
}

void settings_free(struct settings **settings)
{
    struct settings *s = *settings;
    if (s == NULL) {
        return;
    }
    *settings = NULL;
    maps_close(&s->canonical);
    maps_close(&s->sender_canonical);
    maps_close(&s->recipient_canonical);
    maps_close(&s->virtual_alias);
    maps_close(&s->sender_bcc);
    maps_close(&s->recipient_bcc);
    route_close(&s->route);
    queue_dirs_free(&s->dirs);
    htab_free(&s->dropped_headers, NULL);
    notify_channel_free(&s->qmgr);
    free(s);
}

bool settings_outdated(const struct settings *settings)
{
    return route_changed(settings->route) || maps_changed(settings->canonical) ||
           maps_changed(settings->sender_canonical) ||
           maps_changed(settings->recipient_canonical) ||
           maps_changed(settings->virtual_alias) ||
           maps_changed(settings->sender_bcc) || maps_changed(settings->recipient_bcc);
}
