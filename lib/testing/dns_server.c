/* SPDX-License-Identifier: MIT */
#include "testing/dns_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/number.h"
#include "net/connect.h"
#include "net/stream.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"

enum { HEADER_BYTES = 12, QUESTION_MOST = 512, CLASS_IN = 1, TTL = 300 };
enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16 };
enum { TYPE_AAAA = 28 };
enum { RCODE_OK = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };
enum { FLAGS_ANSWER = 0x8180, FLAG_TRUNCATED = 0x0200 };

static void put_u16(struct str *out, unsigned value)
{
    str_add_byte(out, (char)(value >> 8 & 255));
    str_add_byte(out, (char)(value & 255));
}

static void put_name(struct str *out, struct view name)
{
    struct view label;
    while (view_next_word(&name, ".", &label)) {
        str_add_byte(out, (char)label.len);
        str_add(out, label);
    }
    str_add_byte(out, 0);
}

void test_dns_question(const char *name, unsigned type, struct str *question)
{
    str_clear(question);
    str_add(question, VIEW("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"));
    put_name(question, view_cstr(name));
    put_u16(question, type);
    put_u16(question, CLASS_IN);
}

/* The name at the start of the question section; its length on the wire. */
static size_t question_name(struct view question, struct str *name)
{
    size_t at = HEADER_BYTES;
    while (at < question.len && question.ptr[at] != 0) {
        size_t len = (unsigned char)question.ptr[at];
        CHECK(len < 64 && at + 1 + len < question.len);
        if (name->len > 0) {
            str_add_byte(name, '.');
        }
        str_add_lower(name, view_of(question.ptr + at + 1, len));
        at += 1 + len;
    }
    return at + 1 - HEADER_BYTES;
}

static unsigned type_of(struct view word)
{
    static const struct {
        const char *text;
        unsigned type;
    } types[] = {{"A", TYPE_A},   {"CNAME", TYPE_CNAME}, {"PTR", TYPE_PTR},
                 {"MX", TYPE_MX}, {"TXT", TYPE_TXT},     {"AAAA", TYPE_AAAA}};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (view_equal_cstr(word, types[i].text)) {
            return types[i].type;
        }
    }
    return 0;
}

static void put_data(struct str *out, unsigned type, struct view value)
{
    struct view word;
    struct net_address address;
    uint64_t preference = 0;
    if (type == TYPE_TXT) {
        while (view_next_word(&value, "|", &word)) {
            str_add_byte(out, (char)word.len);
            str_add(out, word);
        }
        return;
    }
    if (type == TYPE_MX) {
        CHECK(view_next_word(&value, " ", &word));
        CHECK(number_parse_u64(word, UINT16_MAX, &preference));
        put_u16(out, (unsigned)preference);
    }
    value = view_trim(value);
    if (type == TYPE_A) {
        CHECK(net_address_parse(value, 0, &address));
        str_add(out, view_of((const char *)&address.sa.v4.sin_addr, 4));
    } else if (type == TYPE_AAAA) {
        CHECK(net_address_parse(value, 0, &address));
        str_add(out, view_of((const char *)&address.sa.v6.sin6_addr, 16));
    } else {
        put_name(out, value);
    }
}

static void put_record(struct str *out, const char *owner, unsigned type,
                       struct view value)
{
    STR_AUTO struct str data = {0};
    put_data(&data, type, value);
    put_name(out, view_cstr(owner));
    put_u16(out, type);
    put_u16(out, CLASS_IN);
    put_u16(out, 0);
    put_u16(out, TTL);
    put_u16(out, (unsigned)data.len);
    str_add(out, str_view(&data));
}

/* What the zone says about one name. */
struct findings {
    bool exists, silent, truncated;
    unsigned rcode;
    unsigned answers;
    struct str cname;
};

static void note_word(struct findings *f, struct view word)
{
    if (view_equal_cstr(word, "SERVFAIL")) {
        f->rcode = RCODE_SERVFAIL;
    } else if (view_equal_cstr(word, "REFUSED")) {
        f->rcode = RCODE_REFUSED;
    } else if (view_equal_cstr(word, "SILENT")) {
        f->silent = true;
    } else {
        CHECK(view_equal_cstr(word, "TRUNCATED"));
        f->truncated = true;
    }
}

static void search_zone(const char *zone, const char *name, unsigned wanted,
                        struct findings *f, struct str *records)
{
    struct view rest = view_cstr(zone);
    struct view line, owner, word;
    while (view_next_word(&rest, "\n", &line)) {
        if (!view_next_word(&line, " ", &owner) ||
            !view_equal_nocase_cstr(owner, name)) {
            continue;
        }
        CHECK(view_next_word(&line, " ", &word));
        f->exists = true;
        unsigned type = type_of(word);
        if (type == 0) {
            note_word(f, word);
        } else if (type == wanted || type == TYPE_CNAME) {
            put_record(records, name, type, view_trim(line));
            f->answers++;
        }
        if (type == TYPE_CNAME && wanted != TYPE_CNAME) {
            str_set(&f->cname, view_trim(line));
        }
    }
}

bool test_dns_reply(const char *zone, struct view question, bool tcp, struct str *reply)
{
    STR_AUTO struct str name = {0};
    STR_AUTO struct str records = {0};
    struct findings f = {0};
    CHECK(question.len >= HEADER_BYTES);
    size_t name_len = question_name(question, &name);
    CHECK(question.len >= HEADER_BYTES + name_len + 4);
    const char *after = question.ptr + HEADER_BYTES + name_len;
    unsigned wanted = (unsigned)(unsigned char)after[0] << 8 | (unsigned char)after[1];

    search_zone(zone, str_ptr(&name), wanted, &f, &records);
    for (int i = 0; f.cname.len > 0 && i < 8; i++) {
        STR_AUTO struct str target = {0};
        str_set(&target, str_view(&f.cname));
        str_clear(&f.cname);
        f.exists = false; /* RFC 2308 2.1: the code is that of the last name */
        search_zone(zone, str_ptr(&target), wanted, &f, &records);
    }
    str_done(&f.cname);
    bool cut = f.truncated && !tcp;
    unsigned rcode = f.rcode == RCODE_OK && !f.exists ? RCODE_NXDOMAIN : f.rcode;
    str_clear(reply);
    str_add(reply, view_first(question, 2));
    put_u16(reply, FLAGS_ANSWER | (cut ? FLAG_TRUNCATED : 0U) | rcode);
    put_u16(reply, 1);
    put_u16(reply, cut ? 0 : f.answers);
    put_u16(reply, 0);
    put_u16(reply, 0);
    str_add(reply, view_of(question.ptr + HEADER_BYTES, name_len + 4));
    str_add(reply, cut ? view_of("", 0) : str_view(&records));
    return !f.silent;
}

/* --- serving ------------------------------------------------------------------ */

struct test_dns_server {
    const char *zone;
    char *servers;
    int udp, tcp;
    unsigned questions;
    unsigned fibers;
    bool stopping; /* set, the last fiber frees all */
};

enum { POLL_EVERY = 5 * CLOCK_MILLISECOND };

static void leave(struct test_dns_server *server)
{
    CHECK(server->fibers > 0);
    if (--server->fibers == 0) {
        fd_close(&server->udp);
        fd_close(&server->tcp);
        free(server->servers);
        free(server);
    }
}

static void serve_udp(void *context)
{
    struct test_dns_server *server = context;
    STR_AUTO struct str reply = {0};
    while (!server->stopping) {
        (void)task_wait(server->udp, TASK_READ, clock_now() + POLL_EVERY);
        char question[QUESTION_MOST];
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(server->udp, question, sizeof(question), MSG_DONTWAIT,
                               (struct sockaddr *)&from, &from_len);
        if (len < HEADER_BYTES) {
            continue;
        }
        server->questions++;
        struct view view = view_of(question, (size_t)len);
        if (test_dns_reply(server->zone, view, false, &reply)) {
            (void)sendto(server->udp, str_ptr(&reply), reply.len, MSG_DONTWAIT,
                         (struct sockaddr *)&from, from_len);
        }
    }
    leave(server);
}

static void serve_connection(struct test_dns_server *server, int fd)
{
    struct stream *stream = stream_new(fd);
    stream_set_timeout(stream, CLOCK_SECOND);
    STR_AUTO struct str reply = {0};
    struct view bytes;
    while (stream_read_exact(stream, 2, &bytes)) {
        size_t len =
            (size_t)(unsigned char)bytes.ptr[0] << 8 | (unsigned char)bytes.ptr[1];
        if (!stream_read_exact(stream, len, &bytes)) {
            break;
        }
        server->questions++;
        if (test_dns_reply(server->zone, bytes, true, &reply)) {
            uint16_t wire = htons((uint16_t)reply.len);
            stream_write(stream, view_of((const char *)&wire, sizeof(wire)));
            stream_write(stream, str_view(&reply));
            (void)stream_flush(stream);
        }
    }
    stream_free(&stream);
}

static void serve_tcp(void *context)
{
    struct test_dns_server *server = context;
    while (!server->stopping) {
        (void)task_wait(server->tcp, TASK_READ, clock_now() + POLL_EVERY);
        int fd = net_accept(server->tcp);
        if (fd >= 0) {
            serve_connection(server, fd);
        }
    }
    leave(server);
}

struct test_dns_server *test_dns_start(const char *zone)
{
    struct test_dns_server *server = xcalloc(1, sizeof(*server));
    struct net_address address;
    CHECK(net_address_parse(VIEW("127.0.0.1"), 0, &address));
    server->zone = zone;
    server->tcp = listen_tcp(&address, 5, NULL);
    CHECK(server->tcp >= 0 && net_address_local(server->tcp, &address));
    server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(server->udp >= 0);
    CHECK(bind(server->udp, &address.sa.any, address.len) == 0);
    server->servers = xasprintf("127.0.0.1:%u", (unsigned)net_address_port(&address));
    server->fibers = 2;
    (void)task_spawn("test dns udp", serve_udp, server);
    (void)task_spawn("test dns tcp", serve_tcp, server);
    return server;
}

const char *test_dns_servers(const struct test_dns_server *server)
{
    return server->servers;
}

unsigned test_dns_questions(const struct test_dns_server *server)
{
    return server->questions;
}

void test_dns_stop(struct test_dns_server **server)
{
    (*server)->stopping = true;
    *server = NULL;
}
