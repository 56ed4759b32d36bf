/* SPDX-License-Identifier: MIT */
/*
 * Searches, and the entries that entries name.  The results of an entry are the values
 * of its terminal attributes if it has any, else those of its ordinary attributes, what
 * its special attributes lead to, and, where there are none of these, its leaf
 * attributes.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/log.h"
#include "modules/ldap_table.h"

struct search {
    struct ldap_map *self;
    struct map_answer *answer;
    struct err *err;
    int depth;
};

static int search_and_follow(struct search *search, const char *base, int scope,
                             const char *filter, const struct attributes *attributes);

/* --- URLs in attributes ------------------------------------------------------ */

/* What to ask for where a URL says ASKED and the table NAME ("attr" or "attr;option"):
 * the more special of the two; NULL: they are different. */
static const char *common_name(const char *name, const char *asked)
{
    struct view one = view_cstr(name);
    struct view two = view_cstr(asked);
    size_t option_one = view_index(one, ';');
    size_t option_two = view_index(two, ';');
    if (!view_equal_nocase(view_first(one, option_one), view_first(two, option_two))) {
        return NULL;
    }
    if (option_one == one.len || option_two == two.len) {
        return option_one < one.len ? name : asked;
    }
    return view_equal_nocase(one, two) ? name : NULL;
}

/* Of the table's attributes those that the URL names; all if it names none. */
static void choose_attributes(const struct attributes *table, char **asked,
                              struct attributes *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct attribute *attribute = &table->list[i];
        if (asked == NULL || asked[0] == NULL) {
            attributes_add(out, view_cstr(attribute->name), attribute->use);
        }
        for (char **name = asked; name != NULL && *name != NULL; name++) {
            const char *common = common_name(attribute->name, *name);
            if (common != NULL) {
                attributes_add(out, view_cstr(common), attribute->use);
            }
        }
    }
}

static int follow_url(struct search *search, const char *text)
{
    LDAPURLDesc *url = NULL;
    int code = ldap_url_parse(text, &url);
    if (code != LDAP_URL_SUCCESS) {
        log_warning("%s: malformed URL %s: ignored", search->self->map.title, text);
        return LDAP_SUCCESS;
    }
    struct attributes attributes = {0};
    choose_attributes(&search->self->attributes, url->lud_attrs, &attributes);
    code = LDAP_SUCCESS;
    if (attributes.count > 0) {
        bool has_scope = url->lud_scope != LDAP_SCOPE_DEFAULT;
        code = search_and_follow(
            search, url->lud_dn != NULL ? url->lud_dn : "",
            has_scope ? url->lud_scope : LDAP_SCOPE_BASE,
            url->lud_filter != NULL ? url->lud_filter : "(objectClass=*)", &attributes);
    }
    attributes_done(&attributes);
    ldap_free_urldesc(url);
    return code;
}

/* --- entries ----------------------------------------------------------------- */

static int follow(struct search *search, const char *value)
{
    struct ldap_map *self = search->self;
    if (search->depth + 1 >= self->recursion_limit) {
        (void)err_temp(search->err, "4.3.0",
                       "Recursion limit exceeded for special attribute value %s",
                       value);
        return LDAP_SIZELIMIT_EXCEEDED;
    }
    search->depth++;
    int code = ldap_is_ldap_url(value) != 0
                   ? follow_url(search, value)
                   : search_and_follow(search, value, LDAP_SCOPE_BASE,
                                       "(objectClass=*)", &self->attributes);
    search->depth--;
    return code;
}

/* Values of the attributes of ENTRY that are used as USE; *COUNT_OUT tells how many. */
static int use_values(struct search *search, LDAPMessage *entry,
                      const struct attributes *attributes, enum attribute_use use,
                      size_t *count_out)
{
    struct ldap_map *self = search->self;
    int code = LDAP_SUCCESS;
    for (size_t i = 0; code == LDAP_SUCCESS && i < attributes->count; i++) {
        const struct attribute *attribute = &attributes->list[i];
        if (attribute->use != use) {
            continue;
        }
        struct berval **values =
            ldap_get_values_len(self->server, entry, attribute->name);
        for (size_t v = 0; code == LDAP_SUCCESS && values != NULL && values[v] != NULL;
             v++) {
            struct view value = view_of(values[v]->bv_val, values[v]->bv_len);
            (*count_out)++;
            if (use == USE_SPECIAL) {
                char *text = xviewdup(value);
                code = follow(search, text);
                free(text);
            } else if (!map_query_add(&self->query, search->answer, value,
                                      search->err)) {
                code = LDAP_SIZELIMIT_EXCEEDED;
            }
        }
        ldap_value_free_len(values);
    }
    return code;
}

static int use_entry(struct search *search, LDAPMessage *entry,
                     const struct attributes *attributes)
{
    size_t terminal = 0;
    size_t special = 0;
    size_t other = 0;
    int code = use_values(search, entry, attributes, USE_TERMINAL, &terminal);
    if (code != LDAP_SUCCESS || terminal > 0) {
        return code;
    }
    code = use_values(search, entry, attributes, USE_RESULT, &other);
    if (code == LDAP_SUCCESS) {
        code = use_values(search, entry, attributes, USE_SPECIAL, &special);
    }
    if (code == LDAP_SUCCESS && special == 0) {
        code = use_values(search, entry, attributes, USE_LEAF, &other);
    }
    return code;
}

/* --- searches ---------------------------------------------------------------- */

static int run_search(struct ldap_map *self, const char *base, int scope,
                      const char *filter, const struct attributes *attributes,
                      LDAPMessage **reply_out)
{
    struct timeval limit = {.tv_sec = self->timeout / CLOCK_SECOND};
    int id = -1;
    int code = ldap_search_ext(self->server, base, scope, filter, attributes->names, 0,
                               NULL, NULL, &limit, self->size_limit, &id);
    if (code != LDAP_SUCCESS) {
        return code;
    }
    int kind = ldap_result(self->server, id, LDAP_MSG_ALL, &limit, reply_out);
    if (kind == 0) {
        (void)ldap_abandon_ext(self->server, id, NULL, NULL);
        return LDAP_TIMEOUT;
    }
    if (kind < 0) {
        (void)ldap_get_option(self->server, LDAP_OPT_RESULT_CODE, &code);
        return code != LDAP_SUCCESS ? code : LDAP_SERVER_DOWN;
    }
    int parsed =
        ldap_parse_result(self->server, *reply_out, &code, NULL, NULL, NULL, NULL, 0);
    return parsed != LDAP_SUCCESS ? parsed : code;
}

static int search_and_follow(struct search *search, const char *base, int scope,
                             const char *filter, const struct attributes *attributes)
{
    struct ldap_map *self = search->self;
    LDAPMessage *reply = NULL;
    int code = run_search(self, base, scope, filter, attributes, &reply);
    if (code == LDAP_NO_SUCH_OBJECT && search->depth == 0 && self->base_is_fixed) {
        (void)err_temp(search->err, "4.3.0", "Search base '%s' not found", base);
    } else if (code == LDAP_NO_SUCH_OBJECT) {
        if (search->depth > 0) {
            log_warning("%s: DN %s not found, skipping", self->map.title, base);
        }
        code = LDAP_SUCCESS;
    } else if (code != LDAP_SUCCESS) {
        STR_AUTO struct str what = {0};
        str_printf(&what, "Search error %d", code);
        ldap_table_problem(self, str_ptr(&what), code, search->err);
    } else {
        LDAPMessage *entry = ldap_first_entry(self->server, reply);
        for (; code == LDAP_SUCCESS && entry != NULL;
             entry = ldap_next_entry(self->server, entry)) {
            code = use_entry(search, entry, attributes);
        }
    }
    (void)ldap_msgfree(reply);
    return code;
}

int ldap_table_search(struct ldap_map *self, const char *base, const char *filter,
                      struct map_answer *answer, struct err *err)
{
    struct search search = {self, answer, err, 0};
    return search_and_follow(&search, base, self->scope, filter, &self->attributes);
}
