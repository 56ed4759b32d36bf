/* SPDX-License-Identifier: MIT */
/*
 * Reading DNS messages.  They come from the network, so every length is compared
 * with what is left, compression pointers may only point backwards (which ends
 * loops), and the number of records kept is bounded.
 */
#include "net/dns_message.h"

#include "base/check.h"
#include "base/log.h"

enum { HEADER_BYTES = 12, CLASS_IN = 1, NAME_MOST = 255, CHAIN_MOST = 16 };

/* What is wrong with a name that could be read. */
enum name_flaw { NAME_FINE, NAME_ODD /* bytes that no host name has */ };

struct name {
    char text[NAME_MOST + 1]; /* "a.b.c", "" for the root */
    size_t len;
    enum name_flaw flaw;
};

struct reader {
    const uint8_t *base;
    size_t size;
    size_t at;
    bool failed;
};

/* One resource record; DATA_AT is the offset of its DATA_LEN bytes. */
struct resource {
    struct name owner;
    unsigned type;
    unsigned class;
    uint32_t ttl;
    size_t data_at;
    size_t data_len;
};

static unsigned get_number(struct reader *reader, size_t bytes)
{
    if (reader->failed || reader->size - reader->at < bytes) {
        reader->failed = true;
        return 0;
    }
    unsigned value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | reader->base[reader->at++];
    }
    return value;
}

/* --- names ------------------------------------------------------------------- */

/* Add the label at READER; false when the name gets too long or the label is cut. */
static bool add_label(struct reader *reader, size_t label_len, struct name *name)
{
    if (reader->size - reader->at < label_len ||
        name->len + label_len + 1 > NAME_MOST) {
        return false;
    }
    if (name->len > 0) {
        name->text[name->len++] = '.';
    }
    for (size_t i = 0; i < label_len; i++) {
        char c = (char)reader->base[reader->at++];
        /* A dot or NUL inside a label would make another name of it. */
        if (c == '.' || c <= ' ' || c > '~') {
            name->flaw = NAME_ODD;
            c = '?';
        }
        name->text[name->len++] = c;
    }
    return true;
}

static bool read_name_from(struct reader *reader, struct name *name)
{
    size_t lowest = reader->at; /* every jump must go below the one before */
    size_t after = 0;           /* where reading goes on, once a jump was made */
    for (;;) {
        unsigned octet = get_number(reader, 1);
        if (reader->failed) {
            return false;
        }
        if (octet == 0) {
            break;
        }
        if (octet < 64) {
            if (!add_label(reader, octet, name)) {
                return false;
            }
            continue;
        }
        size_t target = (octet & 63U) << 8 | get_number(reader, 1);
        if (octet < 192 || reader->failed || target >= lowest) {
            return false;
        }
        after = after != 0 ? after : reader->at;
        lowest = reader->at = target;
    }
    reader->at = after != 0 ? after : reader->at;
    return true;
}

static void get_name(struct reader *reader, struct name *name)
{
    name->len = 0;
    name->flaw = NAME_FINE;
    if (reader->failed || !read_name_from(reader, name)) {
        reader->failed = true;
        name->len = 0;
    }
    name->text[name->len] = '\0';
}

static bool same_name(const struct name *a, const struct name *b)
{
    return a->flaw == NAME_FINE &&
           view_equal_nocase(view_of(a->text, a->len), view_of(b->text, b->len));
}

/* --- records ----------------------------------------------------------------- */

static bool get_resource(struct reader *reader, struct resource *out)
{
    get_name(reader, &out->owner);
    out->type = get_number(reader, 2);
    out->class = get_number(reader, 2);
    out->ttl = get_number(reader, 4);
    out->data_len = get_number(reader, 2);
    out->data_at = reader->at;
    if (reader->failed || reader->size - reader->at < out->data_len) {
        return false;
    }
    reader->at += out->data_len;
    return true;
}

/* A reader on the data of RESOURCE; names in it may point anywhere before. */
static struct reader data_reader(const struct reader *message,
                                 const struct resource *resource)
{
    return (struct reader){.base = message->base,
                           .size = resource->data_at + resource->data_len,
                           .at = resource->data_at};
}

/* Host name in the data of an MX, PTR or CNAME record. */
static bool take_host(struct arena *arena, struct reader *data, const char *owner,
                      struct dns_record *record)
{
    struct name host;
    get_name(data, &host);
    struct view text = view_of(host.text, host.len);
    bool null_mx = record->type == DNS_MX && host.len == 0;
    if (data->failed || host.flaw != NAME_FINE ||
        (!null_mx && !dns_hostname_ok(text))) {
        struct net_address numeric;
        const char *flaw =
            net_address_parse(text, 0, &numeric) ? "numeric" : "malformed";
        log_warning("%s domain name in resource data of %s record for %s: %.100s", flaw,
                    dns_type_text(record->type), owner, host.text);
        return false;
    }
    record->text = arena_view(arena, text);
    return true;
}

static bool take_address(struct reader *data, size_t len, struct dns_record *record)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const uint8_t *bytes = data->base + data->at;
    if (record->type == DNS_A && len == sizeof(v4.sin_addr)) {
        memcpy(&v4.sin_addr, bytes, len);
        net_address_set(&record->address, (struct sockaddr *)&v4, sizeof(v4));
        return true;
    }
    if (record->type == DNS_AAAA && len == sizeof(v6.sin6_addr)) {
        memcpy(&v6.sin6_addr, bytes, len);
        net_address_set(&record->address, (struct sockaddr *)&v6, sizeof(v6));
        return true;
    }
    return false;
}

/* The strings of a TXT record joined, as SPF and DKIM want them. */
static bool take_text(struct arena *arena, struct reader *data, size_t len,
                      struct dns_record *record)
{
    char *joined = arena_alloc(arena, len + 1);
    size_t used = 0;
    while (data->at < data->size) {
        size_t part = get_number(data, 1);
        if (data->size - data->at < part) {
            return false;
        }
        memcpy(joined + used, data->base + data->at, part);
        used += part;
        data->at += part;
    }
    record->text = view_of(joined, used);
    return true;
}

static bool take_record(struct arena *arena, const struct reader *message,
                        const struct resource *resource, struct dns_record *record)
{
    struct reader data = data_reader(message, resource);
    *record = (struct dns_record){.type = (enum dns_type)resource->type,
                                  .ttl = resource->ttl};
    switch (record->type) {
    case DNS_A:
    case DNS_AAAA:
        return take_address(&data, resource->data_len, record);
    case DNS_MX:
        record->preference = (uint16_t)get_number(&data, 2);
        return take_host(arena, &data, resource->owner.text, record);
    case DNS_PTR:
    case DNS_CNAME:
        return take_host(arena, &data, resource->owner.text, record);
    case DNS_TXT:
        return take_text(arena, &data, resource->data_len, record);
    }
    return false;
}

/* --- the answer section ------------------------------------------------------- */

/* Skip header and question, whose name goes to *NAME; returns the number of answers. */
static unsigned skip_to_answers(struct reader *reader, struct name *name)
{
    (void)get_number(reader, 4); /* ID, flags: checked by c-ares */
    unsigned questions = get_number(reader, 2);
    unsigned answers = get_number(reader, 2);
    (void)get_number(reader, 4);
    CHECK(reader->failed || reader->at == HEADER_BYTES);
    get_name(reader, name);
    (void)get_number(reader, 4); /* type, class */
    reader->failed = reader->failed || questions != 1 || name->flaw != NAME_FINE;
    return answers;
}

/* Replace NAME by the target of its CNAME; false when it has none. */
static bool follow_cname(struct reader section, unsigned answers, struct name *name)
{
    struct resource resource;
    for (unsigned i = 0; i < answers && get_resource(&section, &resource); i++) {
        if (resource.type != DNS_CNAME || resource.class != CLASS_IN ||
            !same_name(&resource.owner, name)) {
            continue;
        }
        struct reader data = data_reader(&section, &resource);
        struct name target;
        get_name(&data, &target);
        if (data.failed || target.flaw != NAME_FINE || same_name(&target, name)) {
            return false;
        }
        *name = target;
        return true;
    }
    return false;
}

/* All records of TYPE that NAME owns; the number of malformed ones is returned. */
static size_t collect(struct arena *arena, struct reader *section, unsigned answers,
                      const struct name *name, enum dns_type type,
                      struct dns_answer *out)
{
    struct resource resource;
    size_t malformed = 0;
    size_t room = answers < DNS_ANSWER_MAX ? answers : DNS_ANSWER_MAX;
    out->records = arena_alloc(arena, room * sizeof(struct dns_record));
    for (unsigned i = 0; i < answers; i++) {
        if (!get_resource(section, &resource)) {
            section->failed = true;
            break;
        }
        if (resource.type != (unsigned)type || resource.class != CLASS_IN ||
            !same_name(&resource.owner, name)) {
            continue;
        }
        if (out->count == room) {
            out->truncated = true;
            break;
        }
        if (take_record(arena, section, &resource, &out->records[out->count])) {
            out->count++;
        } else {
            malformed++;
        }
    }
    return malformed;
}

enum dns_status dns_message_parse(struct arena *arena, struct view message,
                                  enum dns_type type, struct dns_answer *answer_out)
{
    struct reader reader = {.base = (const uint8_t *)message.ptr, .size = message.len};
    struct name owner;
    unsigned answers = skip_to_answers(&reader, &owner);
    *answer_out = (struct dns_answer){.status = DNS_TEMPFAIL, .name = ""};
    if (reader.failed) {
        return DNS_TEMPFAIL;
    }
    for (int i = 0; type != DNS_CNAME && i < CHAIN_MOST; i++) {
        if (!follow_cname(reader, answers, &owner)) {
            break;
        }
    }
    answer_out->name = arena_strdup(arena, owner.text);
    size_t malformed = collect(arena, &reader, answers, &owner, type, answer_out);
    if (reader.failed) {
        answer_out->count = 0; /* half an answer could be the wrong half */
        return DNS_TEMPFAIL;
    }
    if (answer_out->count > 0) {
        answer_out->status = DNS_OK;
    } else {
        answer_out->status = malformed > 0 ? DNS_INVALID : DNS_NODATA;
    }
    return answer_out->status;
}
