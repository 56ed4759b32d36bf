/* SPDX-License-Identifier: MIT */
/*
 * Which mailbox, and with whose rights: three lookups of the same address.  Whoever can
 * write the tables decides over mailboxes of any user above virtual_minimum_uid.
 */
#include "base/log.h"
#include "base/number.h"
#include "virtual/agent.h"

/* A mistake of the administrator's, told in the log: the mail can wait. */
static enum outcome misconfigured(struct err *err)
{
    return err_temp(err, "4.3.5", "mail system configuration error");
}

static enum map_result look_up(struct virtual *agent, struct maps *maps,
                               struct view address, struct str *value_out,
                               struct err *err)
{
    return maps_find_address(maps, address, agent->delimiters,
                             MAPS_ADDRESS_FULL | MAPS_ADDRESS_DOMAIN, value_out, NULL,
                             err);
}

/* A number from LEAST on, or the reason why mail must wait. */
static enum outcome find_number(struct virtual *agent, struct maps *maps,
                                const char *kind, struct view address, uint64_t least,
                                uint64_t *out, struct err *err)
{
    static const uint64_t number_max = UINT32_MAX - 1; /* the last means "nobody" */
    STR_AUTO struct str value = {0};
    switch (look_up(agent, maps, address, &value, err)) {
    case MAP_FOUND:
        break;
    case MAP_MISSING:
        log_warning("recipient %.*s: not found in virtual_%s_maps", VIEW_ARG(address),
                    kind);
        return misconfigured(err);
    case MAP_ERROR:
        log_warning("recipient %.*s: virtual_%s_maps: %s", VIEW_ARG(address), kind,
                    err->text);
        return misconfigured(err);
    }
    if (!number_parse_u64(str_view(&value), number_max, out) || *out < least) {
        log_warning("recipient %.*s: bad %s %s in virtual_%s_maps", VIEW_ARG(address),
                    kind, str_ptr(&value), kind);
        return misconfigured(err);
    }
    return OK;
}

static enum outcome find_path(struct virtual *agent, struct view address,
                              struct arena *arena, const char **path_out,
                              struct err *err)
{
    STR_AUTO struct str value = {0};
    switch (look_up(agent, agent->mailboxes, address, &value, err)) {
    case MAP_FOUND:
        break;
    case MAP_MISSING:
        return err_perm(err, "5.1.1", "unknown user: \"%.*s\"", VIEW_ARG(address));
    case MAP_ERROR:
        log_warning("table virtual_mailbox_maps: lookup %.*s: %s", VIEW_ARG(address),
                    err->text);
        return misconfigured(err);
    }
    *path_out = arena_printf(arena, "%s/%s", agent->base, str_ptr(&value));
    return OK;
}

enum outcome mailbox_find(struct virtual *agent, struct view address,
                          struct arena *arena, struct mailbox *out, struct err *err)
{
    uint64_t uid = 0;
    uint64_t gid = 0;
    *out = (struct mailbox){0};
    enum outcome outcome = find_path(agent, address, arena, &out->path, err);
    if (outcome == OK) {
        uint64_t least = (uint64_t)conf_int(agent->conf, P_virtual_minimum_uid);
        outcome = find_number(agent, agent->uids, "uid", address, least, &uid, err);
    }
    if (outcome == OK) {
        outcome = find_number(agent, agent->gids, "gid", address, 1, &gid, err);
    }
    if (outcome != OK) {
        return outcome;
    }
    CHECK(uid > 0 && gid > 0);
    out->is_maildir = view_ends_nocase(view_cstr(out->path), VIEW("/"));
    out->owner = (struct identity){.uid = (uid_t)uid, .gid = (gid_t)gid};
    return OK;
}
