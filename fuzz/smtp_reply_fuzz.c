/* SPDX-License-Identifier: MIT */
/*
 * What a server says: the input is its side of a conversation, of which replies are
 * read until it ends.  The first byte decides whether the first one is a greeting.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "smtp/smtp.h"
#include "sys/clock.h"
#include "sys/file.h"

/* Fits into the buffer of a socket, so that the write does not block. */
enum { RECEIVE_MOST = 32 * 1024, TEXT_MOST = 17 * 1024, REPLIES_MOST = 20000 };

static void check_text(struct view text)
{
    CHECK(text.len <= TEXT_MOST);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        CHECK(c >= ' ' && c != 0x7f);
    }
}

static void check_reply(const struct session *session, const struct smtp_reply *reply)
{
    size_t dsn_len = strlen(reply->dsn);
    CHECK(reply->code >= 0 && reply->code <= 999);
    CHECK(!session->confused || reply->code == 0);
    CHECK(dsn_len >= 5 && dsn_len < sizeof(reply->dsn) && reply->dsn[1] == '.');
    CHECK(reply->text.len == reply->lines.len);
    check_text(reply->text);
}

static void read_all(struct view bytes, bool greeting)
{
    int fds[2];
    struct arena arena = {0};
    struct deliver_request request = {.queue_id = VIEW("ABCDEF")};
    struct delivery delivery = {.arena = &arena, .request = &request};
    struct session session = {
        .delivery = &delivery, .timeout = CLOCK_SECOND, .relay = "host[192.0.2.1]:25"};
    struct smtp_reply reply;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(file_write_all(fds[1], bytes.ptr, bytes.len));
    fd_close(&fds[1]);
    session.stream = stream_new(fds[0]);
    for (int i = 0; reply_read(&session, greeting && i == 0, &reply); i++) {
        CHECK(i < REPLIES_MOST);
        check_reply(&session, &reply);
        session.confused = false; /* the client would stop here */
    }
    CHECK(session.broken);
    stream_free(&session.stream);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view bytes = view_of((const char *)data, size);
    log_set_stderr(false);
    if (size > 0) {
        read_all(view_first(view_from(bytes, 1), RECEIVE_MOST), (data[0] & 1) != 0);
    }
    return 0;
}
