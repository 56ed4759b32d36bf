/* SPDX-License-Identifier: MIT */
/*
 * Each expression is entered with one set of texts, and each text under one of its
 * pieces ("grams") of two to four bytes: the piece that the fewest other texts have, so
 * that "@example.com" in a thousand expressions does not make them all candidates.  At
 * every place of the subject the pieces that begin there are looked up, and the texts
 * behind them compared.
 */
#include "map/pattern_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/str.h"

enum {
    MIN_EXPRESSIONS = 8, /* fewer are tried faster than looked for */
    GRAM_MIN = LITERAL_MIN,
    GRAM_MAX = 4,
    COUNTER_BITS = 16,
    WORD = 64
};

struct entry {
    uint32_t next; /* of the same slot, index + 1; 0: none */
    uint32_t expression;
    uint32_t offset; /* of the gram in the text */
    struct view text;
};

/* Texts by their grams of one length. */
struct gram_index {
    size_t length;
    unsigned bits;   /* of SLOTS' size; 0: there are none */
    uint32_t *slots; /* index + 1 of the first entry */
};

struct pattern_filter {
    size_t count, words;
    uint64_t *always;     /* asked in any case, a bit per expression */
    uint64_t *unknown;    /* nothing is known about it */
    uint64_t *candidates; /* of the present subject */
    uint32_t *marked;     /* their numbers, to clear them again */
    struct arena arena;   /* texts */
    size_t marked_count;
    struct entry *entries;
    size_t entry_count, entry_capacity;
    struct gram_index grams[GRAM_MAX - GRAM_MIN + 1];
    struct str subject; /* in lower case */
};

/* --- bits -------------------------------------------------------------------- */

static void set_bit(uint64_t *bits, size_t number)
{
    bits[number / WORD] |= (uint64_t)1 << number % WORD;
}

static bool has_bit(const uint64_t *bits, size_t number)
{
    return (bits[number / WORD] >> number % WORD & 1) != 0;
}

/* --- grams ------------------------------------------------------------------- */

static uint32_t gram_at(const char *at, size_t length)
{
    uint32_t gram = 0;
    memcpy(&gram, at, length);
    return gram;
}

static uint32_t hash_gram(uint32_t gram, unsigned bits)
{
    return (uint32_t)(gram * UINT32_C(2654435769)) >> (32 - bits);
}

static size_t gram_length(struct view text)
{
    return text.len < GRAM_MAX ? text.len : GRAM_MAX;
}

/* How many texts have a gram like each of those of TEXT; grams of different lengths may
 * be counted as one, which does little harm. */
static void count_grams(uint32_t *counters, struct view text)
{
    size_t length = gram_length(text);
    for (size_t i = 0; i + length <= text.len; i++) {
        counters[hash_gram(gram_at(text.ptr + i, length), COUNTER_BITS)]++;
    }
}

static uint32_t rarest_gram(const uint32_t *counters, struct view text,
                            uint32_t *count_out)
{
    size_t length = gram_length(text);
    uint32_t best = 0;
    *count_out = UINT32_MAX;
    for (size_t i = 0; i + length <= text.len; i++) {
        uint32_t count =
            counters[hash_gram(gram_at(text.ptr + i, length), COUNTER_BITS)];
        if (count < *count_out) {
            *count_out = count;
            best = (uint32_t)i;
        }
    }
    return best;
}

/* --- building ---------------------------------------------------------------- */

/* The set whose grams the fewest others have. */
static const struct literal_set *choose_set(const uint32_t *counters,
                                            const struct literal_set *sets)
{
    const struct literal_set *best = NULL;
    uint64_t best_cost = UINT64_MAX;
    for (; sets != NULL; sets = sets->next) {
        uint64_t cost = 0;
        for (size_t i = 0; i < sets->count; i++) {
            uint32_t count;
            (void)rarest_gram(counters, sets->texts[i], &count);
            cost += count;
        }
        if (best == NULL || cost < best_cost ||
            (cost == best_cost && sets->shortest > best->shortest)) {
            best = sets;
            best_cost = cost;
        }
    }
    return best;
}

static void add_entries(struct pattern_filter *self, const uint32_t *counters,
                        const struct literal_set *set, size_t expression)
{
    for (size_t i = 0; i < set->count; i++) {
        if (self->entry_count == self->entry_capacity) {
            self->entry_capacity =
                self->entry_capacity > 0 ? 2 * self->entry_capacity : 64;
            self->entries = xreallocarray(self->entries, self->entry_capacity,
                                          sizeof(self->entries[0]));
        }
        uint32_t count;
        self->entries[self->entry_count++] = (struct entry){
            .expression = (uint32_t)expression,
            .offset = rarest_gram(counters, set->texts[i], &count),
            .text = arena_view(&self->arena, set->texts[i]),
        };
    }
}

static void choose_texts(struct pattern_filter *self,
                         const struct literal_set *const *sets)
{
    uint32_t *counters = xcalloc((size_t)1 << COUNTER_BITS, sizeof(counters[0]));
    for (size_t i = 0; i < self->count; i++) {
        for (const struct literal_set *set = sets[i]; set != NULL; set = set->next) {
            for (size_t k = 0; k < set->count; k++) {
                count_grams(counters, set->texts[k]);
            }
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        if (sets[i] == NULL) {
            set_bit(self->unknown, i);
            set_bit(self->always, i);
        } else {
            add_entries(self, counters, choose_set(counters, sets[i]), i);
        }
    }
    free(counters);
}

static struct gram_index *index_of(struct pattern_filter *self, struct view text)
{
    return &self->grams[gram_length(text) - GRAM_MIN];
}

static void build_indexes(struct pattern_filter *self)
{
    size_t counts[ARRAY_SIZE(self->grams)] = {0};
    for (size_t i = 0; i < self->entry_count; i++) {
        counts[index_of(self, self->entries[i].text) - self->grams]++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(self->grams); i++) {
        struct gram_index *index = &self->grams[i];
        index->length = i + GRAM_MIN;
        if (counts[i] == 0) {
            continue;
        }
        index->bits = COUNTER_BITS / 2;
        while (((size_t)1 << index->bits) < 8 * counts[i] && index->bits < 28) {
            index->bits++;
        }
        index->slots = xcalloc((size_t)1 << index->bits, sizeof(index->slots[0]));
    }
    for (size_t i = 0; i < self->entry_count; i++) {
        struct entry *entry = &self->entries[i];
        struct gram_index *index = index_of(self, entry->text);
        uint32_t gram = gram_at(entry->text.ptr + entry->offset, index->length);
        uint32_t *slot = &index->slots[hash_gram(gram, index->bits)];
        entry->next = *slot;
        *slot = (uint32_t)i + 1;
    }
}

struct pattern_filter *pattern_filter_new(const struct literal_set *const *sets,
                                          size_t count)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        known += sets[i] != NULL;
    }
    if (known < MIN_EXPRESSIONS || count > UINT32_MAX / 2) {
        return NULL;
    }
    struct pattern_filter *self = xcalloc(1, sizeof(*self));
    self->count = count;
    self->words = (count + WORD - 1) / WORD;
    self->always = xcalloc(self->words, sizeof(self->always[0]));
    self->unknown = xcalloc(self->words, sizeof(self->unknown[0]));
    self->candidates = xcalloc(self->words, sizeof(self->candidates[0]));
    self->marked = xcalloc(count, sizeof(self->marked[0]));
    choose_texts(self, sets);
    build_indexes(self);
    return self;
}

void pattern_filter_free(struct pattern_filter **filter)
{
    struct pattern_filter *self = *filter;
    *filter = NULL;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(self->grams); i++) {
        free(self->grams[i].slots);
    }
    free(self->entries);
    free(self->always);
    free(self->unknown);
    free(self->candidates);
    free(self->marked);
    str_done(&self->subject);
    arena_clear(&self->arena);
    free(self);
}

void pattern_filter_always(struct pattern_filter *filter, size_t number)
{
    CHECK(number < filter->count);
    set_bit(filter->always, number);
}

/* --- looking ----------------------------------------------------------------- */

static void mark(struct pattern_filter *self, uint32_t expression)
{
    if (!has_bit(self->candidates, expression)) {
        set_bit(self->candidates, expression);
        self->marked[self->marked_count++] = expression;
    }
}

/* The texts whose gram has the hash of the one at PLACE. */
static void try_slot(struct pattern_filter *self, uint32_t slot, size_t place)
{
    struct view subject = str_view(&self->subject);
    while (slot != 0) {
        const struct entry *entry = &self->entries[slot - 1];
        if (entry->offset <= place &&
            subject.len - (place - entry->offset) >= entry->text.len &&
            memcmp(subject.ptr + place - entry->offset, entry->text.ptr,
                   entry->text.len) == 0) {
            mark(self, entry->expression);
        }
        slot = entry->next;
    }
}

static void look_by_index(struct pattern_filter *self, const struct gram_index *index)
{
    struct view subject = str_view(&self->subject);
    for (size_t i = 0; i + index->length <= subject.len; i++) {
        uint32_t gram = gram_at(subject.ptr + i, index->length);
        uint32_t slot = index->slots[hash_gram(gram, index->bits)];
        if (slot != 0) {
            try_slot(self, slot, i);
        }
    }
}

void pattern_filter_look(struct pattern_filter *filter, struct view subject)
{
    while (filter->marked_count > 0) {
        filter->candidates[filter->marked[--filter->marked_count] / WORD] = 0;
    }
    str_clear(&filter->subject);
    str_add_lower(&filter->subject, subject);
    CHECK(filter->subject.len == subject.len || !str_ok(&filter->subject));
    for (size_t i = 0; i < ARRAY_SIZE(filter->grams); i++) {
        if (filter->grams[i].bits > 0) {
            look_by_index(filter, &filter->grams[i]);
        }
    }
}

bool pattern_filter_may_match(const struct pattern_filter *filter, size_t number)
{
    CHECK(number < filter->count);
    return has_bit(filter->unknown, number) || has_bit(filter->candidates, number) ||
           !str_ok(&filter->subject);
}

size_t pattern_filter_next(const struct pattern_filter *filter, size_t number)
{
    if (!str_ok(&filter->subject)) {
        return number;
    }
    size_t word = number / WORD;
    uint64_t mask = ~(uint64_t)0 << number % WORD;
    for (; word < filter->words; word++, mask = ~(uint64_t)0) {
        uint64_t bits = (filter->always[word] | filter->candidates[word]) & mask;
        if (bits != 0) {
            return word * WORD + (size_t)__builtin_ctzll(bits);
        }
    }
    return filter->count;
}
