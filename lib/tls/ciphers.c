/* SPDX-License-Identifier: MIT */
#include "tls/ciphers.h"

#include "base/str.h"

static const struct grade {
    const char *name;
    enum param list;
} GRADES[] = {
    {"high", P_tls_high_cipherlist}, {"medium", P_tls_medium_cipherlist},
    {"low", P_tls_low_cipherlist},   {"export", P_tls_export_cipherlist},
    {"null", P_tls_null_cipherlist},
};

static const char *list_of_grade(const struct conf *conf, const char *grade)
{
    for (size_t i = 0; i < ARRAY_SIZE(GRADES); i++) {
        if (view_equal_nocase_cstr(view_cstr(grade), GRADES[i].name)) {
            return conf_str(conf, GRADES[i].list);
        }
    }
    return NULL;
}

static enum outcome exclude(struct view list, struct str *out, struct err *err)
{
    struct view word;
    while (view_next_word(&list, ", \t\r\n:", &word)) {
        /* The exclusion is ours to write: an operator would turn it into something
         * else. */
        if (strchr("!+-@", word.ptr[0]) != NULL) {
            return err_perm(err, "5.7.5",
                            "invalid unary '!+-@' in cipher exclusion: %.*s",
                            VIEW_ARG(word));
        }
        str_printf(out, ":!%.*s", VIEW_ARG(word));
    }
    return OK;
}

enum outcome tls_ciphers_list(const struct conf *conf, const char *grade,
                              const char *const *excluded, size_t count,
                              struct str *out, struct err *err)
{
    const char *list = list_of_grade(conf, grade);
    if (list == NULL) {
        return err_perm(err, "5.7.5", "invalid cipher grade: \"%s\"", grade);
    }
    str_add_cstr(out, list);
    for (size_t i = 0; i < count; i++) {
        if (exclude(view_cstr(excluded[i]), out, err) != OK) {
            return PERMFAIL;
        }
    }
    return OK;
}
