/* SPDX-License-Identifier: MIT */
/*
 * One array from the rows of params/<domain>.def, and the two ways into it: the
 * constant, and a binary search by name.  Nothing here knows a configuration.
 */
#include "conf/param_table.h"

#include <stdlib.h>

#include "base/check.h"
#include "conf/build_paths.h"

/* The types' names as the rows spell them. */
#define TYPE_STR PARAM_STR
#define TYPE_RAW PARAM_RAW
#define TYPE_INT PARAM_INT
#define TYPE_LONG PARAM_LONG
#define TYPE_BOOL PARAM_BOOL
#define TYPE_TIME PARAM_TIME

static const struct param_row rows[] = {
#define PARAM(name, type, value, min, max, readers, help)                              \
    {#name, TYPE_##type, value, min, max, readers, help},
#include "conf/params/all.def"
#undef PARAM
};
_Static_assert(ARRAY_SIZE(rows) == PARAM_COUNT, "a row for each constant");

const struct param_row *param_row(enum param param)
{
    CHECK(param < PARAM_COUNT);
    return &rows[param];
}

static int compare_names(const void *a, const void *b)
{
    const enum param *left = a;
    const enum param *right = b;
    return strcmp(rows[*left].name, rows[*right].name);
}

const enum param *param_sorted(void)
{
    /* A constant that C cannot compute at compile time: made once, never changed. */
    static enum param order[PARAM_COUNT];
    static bool ready;
    if (!ready) {
        for (size_t i = 0; i < PARAM_COUNT; i++) {
            order[i] = (enum param)i;
        }
        qsort(order, PARAM_COUNT, sizeof(order[0]), compare_names);
        ready = true;
    }
    return order;
}

static int compare_view(struct view name, const char *other)
{
    int order = strncmp(name.ptr, other, name.len);
    return order != 0 ? order : (other[name.len] == '\0' ? 0 : -1);
}

bool param_find(struct view name, enum param *param_out)
{
    const enum param *order = param_sorted();
    size_t low = 0;
    size_t high = PARAM_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int sign = compare_view(name, rows[order[middle]].name);
        if (sign == 0) {
            *param_out = order[middle];
            return true;
        }
        if (sign < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

bool param_is_legacy(struct view name)
{
    static const char *const names[] = {
        "authorized_verp_clients",
        "fallback_relay",
        "lmtp_per_record_deadline",
        "postscreen_blacklist_action",
        "postscreen_dnsbl_ttl",
        "postscreen_dnsbl_whitelist_threshold",
        "postscreen_whitelist_interfaces",
        "smtp_per_record_deadline",
        "smtpd_client_connection_limit_exceptions",
        "smtpd_per_record_deadline",
        "tlsproxy_client_level",
        "tlsproxy_client_policy",
        "virtual_maps",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (view_equal_cstr(name, names[i])) {
            return true;
        }
    }
    return false;
}

const char *param_replacement(struct view name)
{
    static const struct {
        const char *name, *replacement;
    } outdated[] = {
        {"authorized_verp_clients", "smtpd_authorized_verp_clients"},
        {"disable_dns_lookups", "smtp_dns_support_level"},
        {"fallback_relay", "smtp_fallback_relay"},
        {"lmtp_enforce_tls", "lmtp_tls_security_level"},
        {"lmtp_per_record_deadline", "lmtp_per_request_deadline"},
        {"lmtp_tls_enforce_peername", "lmtp_tls_security_level"},
        {"lmtp_tls_per_site", "lmtp_tls_policy_maps"},
        {"lmtp_use_tls", "lmtp_tls_security_level"},
        {"postscreen_blacklist_action", "postscreen_denylist_action"},
        {"postscreen_dnsbl_ttl", "postscreen_dnsbl_max_ttl"},
        {"postscreen_dnsbl_whitelist_threshold",
         "postscreen_dnsbl_allowlist_threshold"},
        {"postscreen_enforce_tls", "postscreen_tls_security_level"},
        {"postscreen_use_tls", "postscreen_tls_security_level"},
        {"postscreen_whitelist_interfaces", "postscreen_allowlist_interfaces"},
        {"smtp_enforce_tls", "smtp_tls_security_level"},
        {"smtp_per_record_deadline", "smtp_per_request_deadline"},
        {"smtp_tls_enforce_peername", "smtp_tls_security_level"},
        {"smtp_tls_per_site", "smtp_tls_policy_maps"},
        {"smtp_use_tls", "smtp_tls_security_level"},
        {"smtpd_client_connection_limit_exceptions",
         "smtpd_client_event_limit_exceptions"},
        {"smtpd_enforce_tls", "smtpd_tls_security_level"},
        {"smtpd_per_record_deadline", "smtpd_per_request_deadline"},
        {"smtpd_tls_dh1024_param_file", ""},
        {"smtpd_tls_dh512_param_file", ""},
        {"smtpd_tls_eecdh_grade", ""},
        {"smtpd_use_tls", "smtpd_tls_security_level"},
        {"tlsproxy_client_level", "tlsproxy_client_security_level"},
        {"tlsproxy_client_policy", "tlsproxy_client_policy_maps"},
        {"tlsproxy_enforce_tls", "tlsproxy_tls_security_level"},
        {"tlsproxy_use_tls", "tlsproxy_tls_security_level"},
        {"virtual_maps", "virtual_alias_maps"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(outdated); i++) {
        if (view_equal_cstr(name, outdated[i].name)) {
            return outdated[i].replacement;
        }
    }
    return NULL;
}

const struct param_family *param_families(size_t *count_out)
{
    static const struct param_family families[] = {
        {"_delivery_slot_cost", P_default_delivery_slot_cost},
        {"_delivery_slot_discount", P_default_delivery_slot_discount},
        {"_delivery_slot_loan", P_default_delivery_slot_loan},
        {"_destination_concurrency_failed_cohort_limit",
         P_default_destination_concurrency_failed_cohort_limit},
        {"_destination_concurrency_limit", P_default_destination_concurrency_limit},
        {"_destination_concurrency_negative_feedback",
         P_default_destination_concurrency_negative_feedback},
        {"_destination_concurrency_positive_feedback",
         P_default_destination_concurrency_positive_feedback},
        {"_destination_rate_delay", P_default_destination_rate_delay},
        {"_destination_recipient_limit", P_default_destination_recipient_limit},
        {"_extra_recipient_limit", P_default_extra_recipient_limit},
        {"_initial_destination_concurrency", P_initial_destination_concurrency},
        {"_minimum_delivery_slots", P_default_minimum_delivery_slots},
        {"_recipient_limit", P_default_recipient_limit},
        {"_recipient_refill_delay", P_default_recipient_refill_delay},
        {"_recipient_refill_limit", P_default_recipient_refill_limit},
        {"_time_limit", P_command_time_limit},
        {"_transport_concurrency_limit", P_default_transport_concurrency_limit},
        {"_transport_rate_delay", P_default_transport_rate_delay},
    };
    *count_out = ARRAY_SIZE(families);
    return families;
}

const struct param_family *param_family_of(struct view name)
{
    size_t count;
    const struct param_family *families = param_families(&count);
    const struct param_family *best = NULL;
    for (size_t i = 0; i < count; i++) {
        struct view suffix = view_cstr(families[i].suffix);
        /* "_destination_recipient_limit" is longer than "_recipient_limit" and right.
         */
        if (name.len > suffix.len &&
            view_equal(view_from(name, name.len - suffix.len), suffix) &&
            (best == NULL || suffix.len > strlen(best->suffix))) {
            best = &families[i];
        }
    }
    return best;
}

const struct param_row *param_row_of(struct view name)
{
    enum param param;
    if (param_find(name, &param)) {
        return param_row(param);
    }
    const struct param_family *family = param_family_of(name);
    return family != NULL ? param_row(family->param) : NULL;
}

bool param_is_unread(struct view name)
{
    const struct param_row *row = param_row_of(name);
    return row != NULL && row->readers[0] == '\0';
}

enum { SUGGEST_LONGEST = 100 };

/* Levenshtein distance, given up (as MOST + 1) when it exceeds MOST. */
static size_t edit_distance(struct view a, struct view b, size_t most)
{
    size_t row[SUGGEST_LONGEST + 1];
    CHECK(b.len <= SUGGEST_LONGEST);
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        size_t best = row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < other ? change : other;
            best = row[j] < best ? row[j] : best;
        }
        if (best > most) {
            return most + 1;
        }
    }
    return row[b.len];
}

const char *param_suggest(struct view name)
{
    if (name.len < 4 || name.len > SUGGEST_LONGEST) {
        return NULL;
    }
    /* A quarter of the letters wrong is another word, not a slip. */
    size_t best = name.len / 4 + 1;
    best = best > 4 ? 4 : best;
    const char *found = NULL;
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        struct view other = view_cstr(rows[i].name);
        size_t gap = name.len > other.len ? name.len - other.len : other.len - name.len;
        if (gap >= best) {
            continue;
        }
        size_t distance = edit_distance(name, other, best - 1);
        if (distance < best) {
            best = distance;
            found = rows[i].name;
        }
    }
    return found;
}
