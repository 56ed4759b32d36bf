/* SPDX-License-Identifier: MIT */
/*
 * Replies of the servers behind tcp:, socketmap: and memcache: tables; the first byte
 * chooses which.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "fuzz/fuzz.h"
#include "map/memcache.h"
#include "map/socketmap.h"
#include "map/tcp_table.h"
#include "sys/file.h"

/* Fits into the buffer of a socket, so that the write does not block. */
enum { RECEIVE_MOST = 32 * 1024, REPLY_MOST = 1000, VALUE_MOST = 300 };

static struct stream *stream_of(struct view bytes)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(file_write_all(fds[1], bytes.ptr, bytes.len));
    fd_close(&fds[1]);
    return stream_new(fds[0]);
}

/* An answer is whole, without NUL, and there only if the key was found. */
static void check_answer(enum map_result result, const struct str *value,
                         struct view bytes)
{
    CHECK(result == MAP_FOUND || value->len == 0);
    CHECK(value->len <= bytes.len);
    CHECK(view_index(str_view(value), '\0') == value->len);
}

static void read_tcp(struct view bytes)
{
    struct view line = view_first(bytes, view_index(bytes, '\n'));
    STR_AUTO struct str value = {0};
    struct err err = {0};
    check_answer(tcp_reply_parse(line, &value, &err), &value, line);
}

static void read_socketmap(struct view bytes)
{
    struct stream *stream = stream_of(bytes);
    struct view reply;
    size_t total = 0;
    while (socketmap_read(stream, REPLY_MOST, &reply)) {
        STR_AUTO struct str value = {0};
        struct err err = {0};
        CHECK(reply.len <= REPLY_MOST);
        total += reply.len;
        check_answer(socketmap_reply_parse(reply, &value, &err), &value, reply);
    }
    CHECK(total <= bytes.len && !stream_ok(stream));
    stream_free(&stream);
}

static void read_memcache(struct view bytes)
{
    const struct memcache_limits limits = {.line_max = 200, .data_max = VALUE_MOST};
    struct stream *stream = stream_of(bytes);
    bool more = true;
    for (int i = 0; more && i < 100; i++) {
        STR_AUTO struct str value = {0};
        STR_AUTO struct str problem = {0};
        enum map_result result = MAP_ERROR;
        bool yes;
        more = memcache_read_value(stream, VIEW("key"), &limits, &result, &value,
                                   &problem);
        CHECK(!more || result != MAP_ERROR);
        CHECK(value.len <= VALUE_MOST && (!more || problem.len == 0));
        if (more) {
            check_answer(result, &value, bytes);
            more = memcache_read_word(stream, &limits, "STORED", "NOT_FOUND", &yes,
                                      &problem);
        }
    }
    stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct view bytes =
        view_first(view_of((const char *)data + 1, size - 1), RECEIVE_MOST);
    switch (data[0] % 3) {
    case 0:
        read_tcp(bytes);
        break;
    case 1:
        read_socketmap(bytes);
        break;
    default:
        read_memcache(bytes);
        break;
    }
    return 0;
}
