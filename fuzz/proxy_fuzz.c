/* SPDX-License-Identifier: MIT */
/*
 * Requests that reach proxymap, and its replies: the first byte is the kind of the
 * frame.  What parses must come out the same when it is sent again.
 */
#include <sys/socket.h>

#include "base/check.h"
#include "fuzz/fuzz.h"
#include "map/proxy.h"
#include "sys/file.h"

enum { FIELDS_MOST = 32 * 1024 };

/* Both ends of a connection. */
static void connect_pair(struct stream **one_out, struct stream **two_out)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    *one_out = stream_new(fds[0]);
    *two_out = stream_new(fds[1]);
}

static void send_request(const struct proxy_request *request)
{
    struct stream *one;
    struct stream *two;
    struct proxy_request again;
    STR_AUTO struct str scratch = {0};
    connect_pair(&one, &two);
    CHECK(proxy_request_send(one, &scratch, request));
    CHECK(proxy_request_receive(two, &again));
    CHECK(again.kind == request->kind && again.flags == request->flags);
    CHECK(view_equal(again.table, request->table));
    CHECK(view_equal(again.key, request->key));
    CHECK(view_equal(again.value, request->value));
    stream_free(&one);
    stream_free(&two);
}

static void send_reply(const struct proxy_reply *reply)
{
    struct stream *one;
    struct stream *two;
    struct proxy_reply again;
    STR_AUTO struct str scratch = {0};
    connect_pair(&one, &two);
    CHECK(proxy_reply_send(one, &scratch, reply) && stream_flush(one));
    CHECK(proxy_reply_receive(two, &again));
    CHECK(again.kind == reply->kind && view_equal(again.text, reply->text));
    CHECK(view_equal(again.value, reply->value));
    stream_free(&one);
    stream_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_request request;
    struct proxy_reply reply;
    struct frame_reader reader;
    if (size == 0 || size > FIELDS_MOST) {
        return 0;
    }
    struct view fields = view_of((const char *)data + 1, size - 1);
    frame_reader_init(&reader, fields);
    if (proxy_request_parse(data[0], &reader, &request)) {
        send_request(&request);
    }
    frame_reader_init(&reader, fields);
    if (proxy_reply_parse(data[0], &reader, &reply)) {
        send_reply(&reply);
    }
    return 0;
}
