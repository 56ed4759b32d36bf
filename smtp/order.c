/* SPDX-License-Identifier: MIT */
/*
 * In which order servers are tried: by preference; among equals by chance, or one IP
 * version before the other; with a limit on their number that does not cut off a whole
 * IP version.
 */
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "smtp/smtp.h"

static void swap(struct target *a, struct target *b)
{
    struct target keep = *a;
    *a = *b;
    *b = keep;
}

static void shuffle(struct target *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t number = 0;
        if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
            return;
        }
        swap(&list[i - 1], &list[number % i]);
    }
}

/* Those of one IP version to the front, in their order. */
static void prefer(struct target *list, size_t count, bool v6)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && net_address_is_v6(&list[j].address) == v6 &&
                           net_address_is_v6(&list[j - 1].address) != v6;
             j--) {
            swap(&list[j - 1], &list[j]);
        }
    }
}

static void order_equals(const struct conf *conf, struct target *list, size_t count)
{
    const char *wanted = conf_str(conf, P_smtp_address_preference);
    if (conf_bool(conf, P_smtp_randomize_addresses)) {
        shuffle(list, count);
    }
    if (strcmp(wanted, "ipv4") == 0 || strcmp(wanted, "ipv6") == 0) {
        prefer(list, count, strcmp(wanted, "ipv6") == 0);
    } else if (strcmp(wanted, "any") != 0) {
        log_warning("bad smtp_address_preference: %s", wanted);
    }
}

static size_t count_version(const struct target *list, size_t count, bool v6)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += net_address_is_v6(&list[i].address) == v6;
    }
    return found;
}

/* If the first LIMIT targets are all of one IP version, the best ones of the other take
 * the last places among them, up to half. */
static void balance(struct target *list, size_t count, size_t limit)
{
    bool v6 = net_address_is_v6(&list[0].address);
    if (count_version(list, limit, !v6) > 0) {
        return;
    }
    size_t others = count_version(list, count, !v6);
    size_t places = others < limit / 2 ? others : limit / 2;
    size_t from = limit;
    for (size_t place = limit - places; place < limit; place++) {
        while (net_address_is_v6(&list[from].address) == v6) {
            from++;
        }
        swap(&list[place], &list[from++]);
    }
}

void targets_order(const struct conf *conf, struct targets *targets, size_t from)
{
    struct target *list = targets->list + from;
    size_t count = targets->count - from;
    for (size_t start = 0, end = 0; start < count; start = end) {
        while (end < count && list[end].preference == list[start].preference) {
            end++;
        }
        order_equals(conf, list + start, end - start);
    }
    int limit = conf_int(conf, P_smtp_mx_address_limit);
    if (limit > 0 && count > (size_t)limit) {
        if (conf_bool(conf, P_smtp_balance_inet_protocols)) {
            balance(list, count, (size_t)limit);
        }
        targets->count = from + (size_t)limit;
    }
}
