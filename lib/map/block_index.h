/* SPDX-License-Identifier: MIT */
/* Networks by their bits: which of thousands is the first that an address belongs to,
 * in as many steps as there are different lengths of prefix. */
#ifndef MAP_BLOCK_INDEX_H
#define MAP_BLOCK_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

struct block_index;

struct block_index *block_index_new(void);
void block_index_free(struct block_index **index);
/* NUMBER must be greater than those added before. */
void block_index_add(struct block_index *index, const struct net_block *block,
                     size_t number);
/* The smallest number of a block that has ADDRESS.  False: none has. */
bool block_index_find(const struct block_index *index,
                      const struct net_address *address, size_t *number_out);

#endif
