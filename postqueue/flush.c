/* SPDX-License-Identifier: MIT */
/* Asking for delivery now: of everything, of one message, of the mail for one site. */
#include <sys/stat.h>

#include "base/log.h"
#include "mail/address.h"
#include "mail/queue_dir.h"
#include "map/map.h"
#include "postqueue/postqueue.h"
#include "route/route.h"
#include "rpc/notify.h"

NORETURN static void die_system_down(void)
{
    log_fatal("Cannot flush mail queue - mail system is down");
}

void flush_all(const struct conf *conf)
{
    STR_AUTO struct str path = {0};
    struct stat st;
    str_printf(&path, "public/%s", conf_str(conf, P_queue_service_name));
    if (stat(str_ptr(&path), &st) != 0) {
        log_warning("unable to look up %s: %m", str_ptr(&path));
        die_system_down();
    }
    if (notify_send(str_ptr(&path), NOTIFY_FLUSH, VIEW(""), NULL) != OK) {
        die_system_down();
    }
}

static void ask_flush_service(const struct conf *conf, enum notify_frame kind,
                              const char *text)
{
    STR_AUTO struct str path = {0};
    struct err err;
    str_printf(&path, "public/%s", conf_str(conf, P_flush_service_name));
    if (notify_send(str_ptr(&path), kind, view_cstr(text), &err) != OK) {
        log_warning("%s", err.text);
        die_system_down();
    }
}

void flush_id(const struct conf *conf, const char *id)
{
    if (!queue_id_plausible(view_cstr(id))) {
        log_fatal("Cannot flush queue ID - invalid name: \"%s\"", id);
    }
    ask_flush_service(conf, NOTIFY_FLUSH_ID, id);
}

static bool is_valid_site(struct view site)
{
    return address_valid_literal(site) || address_valid_hostname(site);
}

static enum map_result site_is_eligible(const struct conf *conf, struct view site)
{
    static const char NAME[] = "fast_flush_domains";
    struct match_list *list = match_list_open(
        conf, NAME, conf_str(conf, P_fast_flush_domains),
        route_parents_match(conf, NAME) ? MATCH_DOMAIN_PARENTS : MATCH_DOMAIN);
    struct err err = {0};
    enum map_result result = match_list_find(list, site, VIEW(""), &err);
    if (result == MAP_ERROR) {
        log_warning("%s: %s", NAME, err.text);
    }
    match_list_close(&list);
    return result;
}

void flush_site(const struct conf *conf, const char *site)
{
    if (!is_valid_site(view_cstr(site))) {
        log_fatal("Cannot flush mail queue - invalid destination: \"%s\"", site);
    }
    switch (site_is_eligible(conf, view_cstr(site))) {
    case MAP_FOUND:
        ask_flush_service(conf, NOTIFY_FLUSH_SITE, site);
        break;
    case MAP_MISSING:
        log_fatal("Flush service is not configured for destination \"%s\"", site);
    case MAP_ERROR:
        log_fatal("Cannot flush mail queue - table lookup failed for \"%s\"", site);
    }
}
