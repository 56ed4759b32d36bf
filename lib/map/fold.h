/* SPDX-License-Identifier: MIT */
/* Keys as indexed tables store them and ask for them: in lower case. */
#ifndef MAP_FOLD_H
#define MAP_FOLD_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"

/* Whether letters outside ASCII are folded too: FLAGS (enum map_flags) or, if they do
 * not say, smtputf8_enable. */
bool fold_utf8_wanted(const struct conf *conf, unsigned flags);
/* Would fold_key() change KEY? */
bool fold_is_needed(struct view key);
/* Replaces OUT's content. */
void fold_key(struct view key, bool utf8, struct str *out);

#endif
