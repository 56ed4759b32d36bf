/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing; deletion shifts entries back. */
#include "base/htab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"

enum { FIRST_SLOTS = 16 };

struct slot {
    uint64_t hash;
    char *key; /* NULL: free slot */
    size_t key_len;
    void *value;
};

struct htab {
    struct slot *slots;
    size_t size; /* a power of two */
    size_t count;
    uint64_t seed;
};

/* What keys an enemy must send to collide is a secret of the process. */
static uint64_t process_seed(void)
{
    static uint64_t seed; /* drawn once: a system call per table is too much */
    if (seed == 0 && (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0 || seed == 0)) {
        seed = (uint64_t)(uintptr_t)&seed; /* early boot: better than nothing */
    }
    return seed;
}

struct htab *htab_new(void)
{
    struct htab *table = xcalloc(1, sizeof(*table));
    table->slots = xcalloc(FIRST_SLOTS, sizeof(struct slot));
    table->size = FIRST_SLOTS;
    table->seed = process_seed() ^ (uint64_t)(uintptr_t)table;
    return table;
}

void htab_free(struct htab **table, void (*free_value)(void *))
{
    struct htab *t = *table;
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->size; i++) {
        if (t->slots[i].key != NULL) {
            free(t->slots[i].key);
            if (free_value != NULL) {
                free_value(t->slots[i].value);
            }
        }
    }
    free(t->slots);
    free(t);
    *table = NULL;
}

static uint64_t hash_of(const struct htab *table, struct view key)
{
    return XXH3_64bits_withSeed(key.len > 0 ? key.ptr : "", key.len, table->seed);
}

/* The slot that holds KEY, or the free one where it would go. */
static size_t find(const struct htab *table, struct view key, uint64_t hash)
{
    size_t i = hash & (table->size - 1);
    while (table->slots[i].key != NULL) {
        const struct slot *s = &table->slots[i];
        if (s->hash == hash && view_equal(view_of(s->key, s->key_len), key)) {
            break;
        }
        i = (i + 1) & (table->size - 1);
    }
    return i;
}

static void grow(struct htab *table)
{
    struct slot *old = table->slots;
    size_t old_size = table->size;
    table->size *= 2;
    table->slots = xcalloc(table->size, sizeof(struct slot));
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].key != NULL) {
            struct view key = view_of(old[i].key, old[i].key_len);
            table->slots[find(table, key, old[i].hash)] = old[i];
        }
    }
    free(old);
}

void *htab_get(const struct htab *table, struct view key)
{
    return table->slots[find(table, key, hash_of(table, key))].value;
}

void *htab_put(struct htab *table, struct view key, void *value)
{
    CHECK(value != NULL);
    uint64_t hash = hash_of(table, key);
    struct slot *s = &table->slots[find(table, key, hash)];
    if (s->key != NULL) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    *s = (struct slot){hash, xviewdup(key), key.len, value};
    table->count++;
    if (table->count * 4 > table->size * 3) {
        grow(table);
    }
    return NULL;
}

void *htab_remove(struct htab *table, struct view key)
{
    const size_t mask = table->size - 1;
    size_t hole = find(table, key, hash_of(table, key));
    if (table->slots[hole].key == NULL) {
        return NULL;
    }
    void *value = table->slots[hole].value;
    free(table->slots[hole].key);
    table->count--;
    /* Close the gap: an entry may move back if its home is not after the hole. */
    for (size_t i = (hole + 1) & mask; table->slots[i].key != NULL;
         i = (i + 1) & mask) {
        size_t home = table->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = (struct slot){0};
    return value;
}

size_t htab_count(const struct htab *table)
{
    return table->count;
}

bool htab_next(const struct htab *table, size_t *cursor, struct view *key_out,
               void **value_out)
{
    for (; *cursor < table->size; (*cursor)++) {
        const struct slot *s = &table->slots[*cursor];
        if (s->key != NULL) {
            *key_out = view_of(s->key, s->key_len);
            *value_out = s->value;
            (*cursor)++;
            return true;
        }
    }
    return false;
}
