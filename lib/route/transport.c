/* SPDX-License-Identifier: MIT */
/*
 * The transport tables: transport_maps by recipient, and the two tables that
 * choose by sender.
 */
#include "base/log.h"
#include "mail/address.h"
#include "route/route_private.h"

enum map_result route_find_transport(struct route *route, struct view recipient,
                                     struct str *value_out, struct err *err)
{
    CHECK(value_out != NULL);
    if (maps_empty(route->transport_maps)) {
        return MAP_MISSING;
    }
    enum map_result result =
        maps_find_address(route->transport_maps, recipient, route->delimiters,
                          route->transport_flags, value_out, NULL, err);
    if (result == MAP_MISSING && !maps_empty(route->transport_wildcard)) {
        result = maps_find(route->transport_wildcard, VIEW("*"), value_out, NULL, err);
    }
    if (result == MAP_FOUND && value_out->len == 0) {
        (void)err_temp(err, "4.3.5", "transport_maps: empty result for %.*s",
                       VIEW_ARG(recipient));
        return MAP_ERROR;
    }
    return result;
}
