/* SPDX-License-Identifier: MIT */
/* master.cf: fields, words in braces, options. */
#include "base/check.h"
#include "conf/master_cf.h"
#include "fuzz/fuzz.h"

static void check_entry(const struct master_entry *entry)
{
    CHECK(entry->name[0] != '\0' && entry->line > 0);
    CHECK(entry->wakeup >= 0 && entry->max_processes >= -1);
    CHECK(service_type_name(entry->type) != NULL);
    for (int i = 0; i < entry->option_count; i++) {
        CHECK(entry->options[i].name[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct master_cf cf;
    struct err err = {0};
    struct view text = view_of((const char *)data, size);
    if (master_cf_parse(text, "master.cf", &cf, &err) != OK) {
        CHECK(err.text[0] != '\0' && cf.error_line > 0);
    }
    for (int i = 0; i < cf.count && err.text[0] == '\0'; i++) {
        check_entry(&cf.entries[i]);
    }
    master_cf_done(&cf);
    return 0;
}
