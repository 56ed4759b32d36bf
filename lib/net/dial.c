/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include <netdb.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/number.h"
#include "net/connect.h"
#include "net/dns.h"
#include "sys/clock.h"

static bool parse_port(struct view text, uint16_t *port_out)
{
    uint64_t number;
    if (number_parse_u64(text, UINT16_MAX, &number)) {
        *port_out = (uint16_t)number;
        return number > 0;
    }
    char *name = xviewdup(text);
    const struct servent *entry = getservbyname(name, "tcp");
    free(name);
    if (entry == NULL) {
        return false;
    }
    *port_out = ntohs((uint16_t)entry->s_port);
    return true;
}

static enum outcome parse_inet(struct view text, struct dial_target *out,
                               struct err *err)
{
    size_t colon = view_last_index(text, ':');
    struct view host = view_first(text, colon);
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = view_of(host.ptr + 1, host.len - 2);
    }
    if (colon == text.len || host.len == 0) {
        return err_perm(err, "5.3.5", "need \"host:port\" instead of \"%.*s\"",
                        VIEW_ARG(text));
    }
    if (!parse_port(view_from(text, colon + 1), &out->port)) {
        return err_perm(err, "5.3.5", "bad port in \"%.*s\"", VIEW_ARG(text));
    }
    out->name = xviewdup(text);
    out->host = xviewdup(host);
    return OK;
}

enum outcome dial_target_parse(struct view text, struct dial_target *out,
                               struct err *err)
{
    size_t colon = view_index(text, ':');
    struct view transport = view_first(text, colon);
    struct view rest = view_from(text, colon + 1);
    *out = (struct dial_target){0};
    if (rest.len == 0) {
        return err_perm(err, "5.3.5",
                        "need service transport:endpoint instead of \"%.*s\"",
                        VIEW_ARG(text));
    }
    if (view_equal_cstr(transport, "inet")) {
        return parse_inet(rest, out, err);
    }
    if (!view_equal_cstr(transport, "unix")) {
        return err_perm(err, "5.3.5", "invalid transport name: %.*s in service: %.*s",
                        VIEW_ARG(transport), VIEW_ARG(text));
    }
    out->name = xviewdup(rest);
    out->path = xviewdup(rest);
    return OK;
}

void dial_target_done(struct dial_target *target)
{
    free(target->name);
    free(target->path);
    free(target->host);
    *target = (struct dial_target){0};
}

/* Every address gets its share of the time that is left. */
static int dial_host(const struct dial_target *target, int64_t deadline,
                     struct err *err)
{
    struct arena arena = {0};
    struct dns_answer answer;
    int fd = -1;
    if (dns_host_addresses(&arena, view_cstr(target->host),
                           DNS_IPV4 | DNS_IPV6 | DNS_NATIVE, &answer, err) == DNS_OK) {
        for (size_t i = 0; fd < 0 && i < answer.count; i++) {
            int64_t now = clock_now();
            int64_t share = (deadline - now) / (int64_t)(answer.count - i);
            net_address_set_port(&answer.records[i].address, target->port);
            fd = connect_tcp(&answer.records[i].address, NULL, now + share, err);
        }
    }
    arena_clear(&arena);
    return fd;
}

int dial(const struct dial_target *target, int64_t deadline, struct err *err)
{
    CHECK((target->path == NULL) != (target->host == NULL));
    return target->path != NULL ? connect_unix(target->path, deadline, err)
                                : dial_host(target, deadline, err);
}
