/* SPDX-License-Identifier: MIT */
#ifndef MAP_MAPS_PRIVATE_H
#define MAP_MAPS_PRIVATE_H

#include "map/map.h"

/* maps_find(); PARTIAL: KEY is a part of what is looked up, leave pattern tables out.
 */
enum map_result maps_find_some(struct maps *maps, struct view key, bool partial,
                               struct str *value_out, const struct map **matched_out,
                               struct err *err);
/* Was KEY found less than a second ago?  Only what has been noted is known. */
bool maps_remember(struct maps *maps, struct view key);
void maps_note(struct maps *maps, struct view key);
const struct conf *maps_conf(const struct maps *maps);

#endif
