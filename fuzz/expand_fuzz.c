/* SPDX-License-Identifier: MIT */
/*
 * The expansion language alone: the first line is the text, the others are values,
 * named a, b, c ..., which may name each other.
 */
#include "base/check.h"
#include "conf/expand.h"
#include "conf/reference.h"
#include "fuzz/fuzz.h"

enum { VALUES = 8 };

struct world {
    struct str values[VALUES];
    size_t count;
    unsigned reports;
};

static const char *lookup(void *context, const char *name)
{
    const struct world *world = context;
    size_t index = (size_t)(name[0] - 'a');
    return name[1] == '\0' && index < world->count ? str_ptr(&world->values[index])
                                                   : NULL;
}

static void count_report(void *context, const char *message)
{
    struct world *world = context;
    CHECK(message[0] != '\0');
    world->reports++;
}

static void check_name(void *context, struct view name)
{
    (void)context;
    CHECK(name.len > 0 && reference_name_length(name) == name.len);
}

static void read_values(struct world *world, struct view rest)
{
    while (rest.len > 0 && world->count < VALUES) {
        size_t end = view_index(rest, '\n');
        str_set(&world->values[world->count++], view_first(rest, end));
        rest = view_from(rest, end + 1);
    }
}

/* What has nothing to expand expands to itself. */
static void check_plain(struct view text, const struct str *out)
{
    CHECK(view_index(text, '$') < text.len || view_equal(text, str_view(out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.count = 0};
    struct view all = view_of((const char *)data, size);
    struct view text = view_first(all, view_index(all, '\n'));
    read_values(&world, view_from(all, text.len + 1));
    for (int recurse = 0; recurse < 2; recurse++) {
        STR_AUTO struct str out = {0};
        const struct expand_calls calls = {.lookup = lookup,
                                           .report = count_report,
                                           .context = &world,
                                           .report_context = &world,
                                           .recurse = recurse == 1};
        world.reports = 0;
        if (expand_text(&calls, text, &out)) {
            CHECK(world.reports == 0);
            check_plain(text, &out);
        } else {
            CHECK(world.reports > 0);
        }
    }
    world.reports = 0;
    CHECK(expand_scan(text, check_name, count_report, &world) == (world.reports == 0));
    for (size_t i = 0; i < world.count; i++) {
        str_done(&world.values[i]);
    }
    return 0;
}
