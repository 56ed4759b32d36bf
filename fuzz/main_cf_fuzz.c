/* SPDX-License-Identifier: MIT */
/* main.cf: lines, the expansion language, values of every type. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "conf/conf.h"
#include "conf/settings.h"
#include "fuzz/fuzz.h"

static void count_mistake(void *context, const char *file, int line, const char *text)
{
    int *mistakes = context;
    CHECK(file != NULL && text[0] != '\0' && line >= 0);
    (*mistakes)++;
}

/* The networks of this host are no matter of the text, and slow. */
static bool asks_for_networks(const char *text)
{
    return strstr(text, "mynetworks") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    char *text = xviewdup(view_of((const char *)data, size));
    struct conf *conf = NULL;
    if (!asks_for_networks(text)) {
        conf = conf_open_text("/nowhere", text, &err);
        CHECK(conf != NULL || err.text[0] != '\0');
    }
    if (conf != NULL) {
        int mistakes = 0;
        bool good = conf_validate(conf, count_mistake, &mistakes);
        CHECK(good == (mistakes == 0));
        size_t cursor = 0;
        const struct conf_setting *setting;
        while (good && (setting = conf_next_setting(conf, &cursor)) != NULL) {
            CHECK(conf_is_set(conf, setting->name));
            CHECK(conf_lookup(conf, setting->name) != NULL);
        }
    }
    conf_free(&conf);
    free(text);
    return 0;
}
