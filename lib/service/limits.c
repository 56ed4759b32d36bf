/* SPDX-License-Identifier: MIT */
/* How many clients the system lets one process have. */
#include "service/limits.h"

#include <stdint.h>
#include <sys/resource.h>

#include "base/number.h"
#include "base/str.h"
#include "base/view.h"
#include "sys/file.h"

enum {
    /* A connection, one to the next service, and a file. */
    FILES_PER_CLIENT = 3,
    FILES_RESERVED = 64, /* log, listeners, tables, resolver */
    /* A fiber's stack and the guard page below it. */
    MAPPINGS_PER_CLIENT = 2,
    MAPPINGS_RESERVED = 4096 /* libraries, tables, large messages */
};

static unsigned share(uint64_t all, unsigned reserved, unsigned per_client)
{
    uint64_t clients = all > reserved ? (all - reserved) / per_client : 0;
    return clients < 1 ? 1 : clients < UINT32_MAX ? (unsigned)clients : UINT32_MAX;
}

void limits_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static unsigned clients_by_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return UINT32_MAX;
    }
    return share(limit.rlim_cur, FILES_RESERVED, FILES_PER_CLIENT);
}

static unsigned clients_by_mappings(void)
{
    enum { NUMBER_BYTES = 64 };
    STR_AUTO struct str text = {0};
    uint64_t most;
    if (file_read("/proc/sys/vm/max_map_count", NUMBER_BYTES, &text, NULL) != OK ||
        !number_parse_u64(view_trim(str_view(&text)), INT64_MAX, &most)) {
        return UINT32_MAX;
    }
    return share(most, MAPPINGS_RESERVED, MAPPINGS_PER_CLIENT);
}

unsigned limits_clients(unsigned wanted)
{
    unsigned files = clients_by_files();
    unsigned mappings = clients_by_mappings();
    unsigned most = files < mappings ? files : mappings;
    return wanted < most ? wanted : most;
}
