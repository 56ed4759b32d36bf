/* SPDX-License-Identifier: MIT */
/* Tables whose settings stand in main.cf: "ldap:name" reads name_server_host and so on.
 */
#ifndef POSTCONF_TABLES_H
#define POSTCONF_TABLES_H

#include <stdbool.h>

#include "base/view.h"

/* Call ON_NAME for every parameter that the tables in the list VALUE read from main.cf.
 */
void tables_each_setting(struct view value,
                         void (*on_name)(void *context, struct view name),
                         void *context);

/* Do tables of TYPE have settings, and this one? */
bool tables_has_settings(struct view type);
bool tables_has_setting(struct view type, struct view name);
/* The first {group} of the list VALUE that does not end, or does not end its item: what
 * is wrong, with the text in PLACE; NULL: nothing. */
const char *tables_check_braces(struct view value, struct view *place_out);

#endif
