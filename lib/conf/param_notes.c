/* SPDX-License-Identifier: MIT */
/* The paragraphs of params/notes.def; linked only by what prints them. */
#include "conf/param_table.h"

static const struct {
    enum param param;
    const char *text;
} notes[] = {
#define NOTE(name, text) {P_##name, text},
#include "conf/params/notes.def"
#undef NOTE
};

const char *param_note(enum param param)
{
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
        if (notes[i].param == param) {
            return notes[i].text;
        }
    }
    return NULL;
}
