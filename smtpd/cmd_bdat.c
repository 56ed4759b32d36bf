/* SPDX-License-Identifier: MIT */
/*
 * BDAT (RFC 3030).  The bytes of a chunk follow whatever the reply will be, so they are
 * read in any case; after a refused chunk all further ones are, up to LAST.
 */
#include <inttypes.h>

#include "base/log.h"
#include "base/number.h"
#include "smtpd/access/access.h"
#include "smtpd/command.h"
#include "smtpd/content.h"
#include "smtpd/reply.h"

struct chunk {
    int64_t size;
    bool last;
};

static bool parse(struct view arguments, struct chunk *chunk)
{
    uint64_t size;
    struct view word;
    if (!view_next_word(&arguments, " \t", &word) ||
        !number_parse_u64(word, INT64_MAX, &size)) {
        return false;
    }
    chunk->size = (int64_t)size;
    chunk->last = view_next_word(&arguments, " \t", &word);
    return !chunk->last || (view_equal_nocase_cstr(word, "LAST") &&
                            !view_next_word(&arguments, " \t", &word));
}

/* Where the next command begins, nobody knows. */
static bool refuse_syntax(struct session *session, struct view arguments)
{
    log_warning("%s: malformed BDAT command syntax from %s: BDAT%s%.100s",
                session_queue_id(session), session->client.shown,
                arguments.len > 0 ? " " : "", arguments.ptr);
    reply(session, "521 5.5.4 Syntax: BDAT count [LAST]");
    return false;
}

/* Refuse this chunk with TEXT and all that follow it. */
static bool refuse(struct session *session, const struct chunk *chunk, const char *text)
{
    if (!content_receive_chunk(session, chunk->size, false)) {
        return false;
    }
    reply(session, "%s", text);
    session->bdat = BDAT_FAILED;
    if (chunk->last) {
        session_reset(session);
    }
    return false;
}

static bool is_too_big(struct session *session, const struct chunk *chunk)
{
    CHECK(chunk->size >= 0 && session->message != NULL);
    int64_t limit = conf_long(session->conf, P_message_size_limit);
    int64_t before = session->bdat == BDAT_NONE ? 0 : session->message->received;
    return limit > 0 && chunk->size > limit - before;
}

/* NULL: the chunk is welcome. */
static const char *check(struct session *session, const struct chunk *chunk)
{
    if (session->bdat == BDAT_FAILED) {
        return arena_printf(&session->scratch,
                            "551 5.0.0 Discarded %" PRId64 " bytes after earlier error",
                            chunk->size);
    }
    if (session->message == NULL) {
        return "503 5.5.1 Error: need RCPT command";
    }
    if (session->message->recipient_count == 0) {
        return "554 5.5.1 Error: no valid recipients";
    }
    if (chunk->size == 0 && !chunk->last) {
        log_warning("%s: null BDAT request from %s", session_queue_id(session),
                    session->client.shown);
        return "551 5.7.1 Null BDAT request";
    }
    if (is_too_big(session, chunk)) {
        log_warning("%s: BDAT request from %s exceeds message size limit",
                    session_queue_id(session), session->client.shown);
        return "552 5.3.4 Chunk exceeds message size limit";
    }
    if (session->bdat == BDAT_NONE && !access_data(session)) {
        return str_ptr(&session->verdict);
    }
    return NULL;
}

static void finish_filter(struct message *message)
{
    STR_AUTO struct str rest = {0};
    data_filter_finish(&message->filter, &rest);
    message_content(message, str_view(&rest));
}

static bool receive(struct session *session, const struct chunk *chunk)
{
    CHECK(session->message != NULL && session->bdat != BDAT_FAILED);
    struct message *message = session->message;
    if (session->bdat == BDAT_NONE) {
        session->bdat = BDAT_RECEIVING;
        content_begin(session, false);
    }
    if (!content_receive_chunk(session, chunk->size, true)) {
        return false;
    }
    if (chunk->last) {
        finish_filter(message);
        return content_finish(session, true);
    }
    reply(session, "250 2.0.0 Ok: %" PRId64 " bytes", chunk->size);
    return true;
}

bool cmd_bdat(struct session *session, struct view arguments)
{
    struct chunk chunk;
    if (!parse(arguments, &chunk)) {
        return refuse_syntax(session, arguments);
    }
    const char *refusal = check(session, &chunk);
    if (refusal != NULL) {
        return refuse(session, &chunk, refusal);
    }
    return receive(session, &chunk);
}
