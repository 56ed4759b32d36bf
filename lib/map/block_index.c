/* SPDX-License-Identifier: MIT */
#include "map/block_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"

enum { FAMILIES = 2, LENGTHS = 129, ADDRESS_BYTES = 16, KEY_BYTES = 2 + ADDRESS_BYTES };

struct block_index {
    struct htab *blocks; /* family, length and masked address -> number + 1 */
    bool has_length[FAMILIES][LENGTHS];
};

struct block_index *block_index_new(void)
{
    struct block_index *index = xcalloc(1, sizeof(*index));
    index->blocks = htab_new();
    return index;
}

void block_index_free(struct block_index **index)
{
    if (*index != NULL) {
        htab_free(&(*index)->blocks, NULL);
        free(*index);
        *index = NULL;
    }
}

/* What addresses of one block have in common. */
static struct view make_key(char *key, const struct net_address *address,
                            unsigned prefix)
{
    bool v6 = net_address_is_v6(address);
    const void *bytes = v6 ? (const void *)&address->sa.v6.sin6_addr
                           : (const void *)&address->sa.v4.sin_addr;
    unsigned whole = prefix / 8, rest = prefix % 8;
    memset(key, 0, KEY_BYTES);
    key[0] = v6 ? 6 : 4;
    key[1] = (char)prefix;
    memcpy(key + 2, bytes, whole + (rest > 0));
    if (rest > 0) {
        key[2 + whole] = (char)((unsigned char)key[2 + whole] & 0xff00U >> rest);
    }
    return view_of(key, KEY_BYTES);
}

void block_index_add(struct block_index *index, const struct net_block *block,
                     size_t number)
{
    CHECK(block->prefix < LENGTHS);
    char bytes[KEY_BYTES];
    struct view key = make_key(bytes, &block->address, block->prefix);
    index->has_length[net_address_is_v6(&block->address)][block->prefix] = true;
    if (htab_get(index->blocks, key) == NULL) {
        (void)htab_put(index->blocks, key, (void *)(uintptr_t)(number + 1));
    }
}

bool block_index_find(const struct block_index *index,
                      const struct net_address *address, size_t *number_out)
{
    const bool *has_length = index->has_length[net_address_is_v6(address)];
    uintptr_t best = UINTPTR_MAX;
    for (unsigned prefix = 0; prefix < LENGTHS; prefix++) {
        if (has_length[prefix]) {
            char bytes[KEY_BYTES];
            uintptr_t found =
                (uintptr_t)htab_get(index->blocks, make_key(bytes, address, prefix));
            best = found != 0 && found < best ? found : best;
        }
    }
    *number_out = best - 1;
    return best != UINTPTR_MAX;
}
