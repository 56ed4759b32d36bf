/* SPDX-License-Identifier: MIT */
/* DNS messages: the first byte chooses the type asked for, the rest is the message. */
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "net/dns_message.h"

static void check_record(const struct dns_record *record)
{
    if (record->type == DNS_A || record->type == DNS_AAAA) {
        char text[NET_ADDRESS_TEXT];
        net_address_text(&record->address, text);
        return;
    }
    CHECK(record->text.ptr[record->text.len] == '\0');
    if (record->type != DNS_TXT) {
        bool null_mx = record->type == DNS_MX && record->text.len == 0;
        CHECK(null_mx || dns_hostname_ok(record->text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A,   DNS_AAAA, DNS_MX,
                                          DNS_PTR, DNS_TXT,  DNS_CNAME};
    struct arena arena = {0};
    struct dns_answer answer;
    if (size == 0) {
        return 0;
    }
    log_set_stderr(false);
    enum dns_type type = types[data[0] % ARRAY_SIZE(types)];
    struct view message = view_of((const char *)data + 1, size - 1);
    enum dns_status status = dns_message_parse(&arena, message, type, &answer);
    CHECK((status == DNS_OK) == (answer.count > 0));
    CHECK(answer.count <= DNS_ANSWER_MAX);
    for (size_t i = 0; i < answer.count; i++) {
        CHECK(answer.records[i].type == type);
        check_record(&answer.records[i]);
    }
    arena_clear(&arena);
    return 0;
}
