/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* The lead byte decides the length and what the second byte may be, which is all there
 * is to overlong forms, surrogates and code points that do not exist (RFC 3629 4). */
struct lead {
    unsigned char first, last;
    unsigned char second_first, second_last;
    size_t length;
};

static const struct lead leads[] = {
    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct lead *find_lead(unsigned char byte)
{
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        if (byte >= leads[i].first && byte <= leads[i].last) {
            return &leads[i];
        }
    }
    return NULL;
}

size_t utf8_sequence_length(struct view text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    const struct lead *lead = text.len > 0 ? find_lead(p[0]) : NULL;
    if (lead == NULL || text.len < lead->length) {
        return 0;
    }
    for (size_t i = 1; i < lead->length; i++) {
        unsigned char first = i == 1 ? lead->second_first : 0x80;
        unsigned char last = i == 1 ? lead->second_last : 0xbf;
        if (p[i] < first || p[i] > last) {
            return 0;
        }
    }
    return lead->length;
}

bool utf8_valid(struct view text)
{
    while (text.len > 0) {
        size_t length = utf8_sequence_length(text);
        if (length == 0) {
            return false;
        }
        text = view_from(text, length);
    }
    return true;
}
