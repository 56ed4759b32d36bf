/* SPDX-License-Identifier: MIT */
/*
 * One message from standard input into the maildrop queue, by way of postdrop.
 * Lines are taken as they come: a line end may be CRLF, a '.' alone ends the
 * message unless -i, and a mailbox's "From " line on top is no part of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "mail/address.h"
#include "mail/header.h"
#include "submit/sendmail/sendmail.h"

enum { INPUT_BYTES = 64 * 1024 };
/* Content is handed on in pieces of about this size. */
enum { OUTPUT_BYTES = 32 * 1024 };

enum fix_endings { FIX_ALWAYS, FIX_STRICT, FIX_NEVER };

struct delivery {
    const struct options *options;
    struct identity who;
    struct submit *submit;
    struct extraction extraction;
    enum fix_endings fix;
    bool first_line;   /* nothing has been read yet */
    bool first_had_cr; /* decides for FIX_STRICT */
    bool at_start;     /* only mailbox lines so far */
    bool in_line;      /* the last piece had no line end */
    struct str output;
};

static enum fix_endings fix_endings(const struct conf *conf)
{
    const char *value = conf_str(conf, P_sendmail_fix_line_endings);
    if (strcasecmp(value, "always") == 0) {
        return FIX_ALWAYS;
    }
    if (strcasecmp(value, "strict") == 0) {
        return FIX_STRICT;
    }
    if (strcasecmp(value, "never") != 0) {
        log_fatal("invalid sendmail_fix_line_endings value: %s", value);
    }
    return FIX_NEVER;
}

/* --- envelope --------------------------------------------------------------------- */

static void send_recipient(struct delivery *delivery, struct view address)
{
    struct queue_recipient recipient = {.address = address,
                                        .dsn_notify = delivery->options->dsn_notify};
    if (!view_is_ascii(address)) {
        submit_set_file_flags(delivery->submit, QUEUE_FILE_SMTPUTF8);
    }
    submit_recipient(delivery->submit, &recipient);
}

/* An argument may hold several addresses; without any it means the null address. */
static void send_argument(struct delivery *delivery, const char *argument)
{
    struct arena arena = {0};
    struct view *addresses = NULL;
    size_t count = 0;
    extract_addresses(&arena, view_cstr(argument), &addresses, &count);
    if (count == 0) {
        send_recipient(delivery, view_of("", 0));
    }
    for (size_t i = 0; i < count; i++) {
        send_recipient(delivery, addresses[i]);
    }
    arena_clear(&arena);
}

static unsigned file_flags(const struct delivery *delivery)
{
    const struct options *options = delivery->options;
    unsigned flags = 0;
    if (options->mode == MODE_VERIFY) {
        flags |= QUEUE_FILE_VERIFY_ONLY;
    } else if (options->verbose > 0) {
        flags |= QUEUE_FILE_RECORD_TRACE;
    }
    if (options->encoding != NULL) {
        flags |= strcmp(options->encoding, "8bit") == 0 ? QUEUE_FILE_8BITMIME
                                                        : QUEUE_FILE_7BIT;
    }
    if (!view_is_ascii(delivery->who.address)) {
        flags |= QUEUE_FILE_SMTPUTF8;
    }
    return flags;
}

static void send_envelope(struct delivery *delivery)
{
    const struct options *options = delivery->options;
    struct submit *submit = delivery->submit;
    if (options->envelope_id != NULL) {
        submit_attribute(submit, "envelope_id", view_cstr(options->envelope_id));
    }
    if (options->dsn_ret != DSN_RET_NONE) {
        submit_attribute(submit, "ret_flags",
                         options->dsn_ret == DSN_RET_FULL ? VIEW("1") : VIEW("2"));
    }
    submit_attribute(submit, "rewrite_context", VIEW("local"));
    submit_fullname(submit, delivery->who.fullname);
    submit_sender(submit, delivery->who.address);
    if (options->encoding != NULL) {
        submit_attribute(submit, "encoding", view_cstr(options->encoding));
    }
    submit_set_file_flags(submit, file_flags(delivery));
    for (char **argument = options->recipients; *argument != NULL; argument++) {
        send_argument(delivery, *argument);
    }
}

/* --- content ---------------------------------------------------------------------- */

static void flush_output(struct delivery *delivery)
{
    CHECK(delivery->submit != NULL && str_ok(&delivery->output));
    submit_content(delivery->submit, str_view(&delivery->output));
    str_clear(&delivery->output);
}

static void add_output(struct delivery *delivery, struct view text)
{
    str_add(&delivery->output, text);
    if (delivery->output.len >= OUTPUT_BYTES) {
        flush_output(delivery);
    }
}

/* LINE with a carriage return taken off its end where that is wanted. */
static struct view without_cr(struct delivery *delivery, struct view line)
{
    bool has_cr = line.len > 0 && line.ptr[line.len - 1] == '\r';
    if (delivery->first_line) {
        delivery->first_had_cr = has_cr;
        delivery->first_line = false;
    }
    bool fix = delivery->fix == FIX_ALWAYS ||
               (delivery->fix == FIX_STRICT && delivery->first_had_cr);
    return view_first(line, line.len - (has_cr && fix ? 1 : 0));
}

/* A whole line, or the last piece of one.  False: it ends the message. */
static bool take_line(struct delivery *delivery, struct view piece)
{
    struct view line = without_cr(delivery, piece);
    bool whole = !delivery->in_line;
    delivery->in_line = false;
    if (whole && !delivery->options->ignore_dots && view_equal_cstr(line, ".")) {
        return false;
    }
    if (whole && delivery->at_start && header_is_mailbox_line(line)) {
        return true;
    }
    delivery->at_start = false;
    if (delivery->options->extract_recipients && whole) {
        extract_line(&delivery->extraction, line);
    }
    add_output(delivery, line);
    add_output(delivery, VIEW("\n"));
    return true;
}

/* The beginning of a line that is longer than the input buffer. */
static void take_piece(struct delivery *delivery, struct view piece)
{
    delivery->first_line = false;
    delivery->at_start = false;
    if (delivery->options->extract_recipients && !delivery->in_line) {
        extract_line(&delivery->extraction, piece);
    }
    delivery->in_line = true;
    add_output(delivery, piece);
}

static bool read_more(struct delivery *delivery, struct str *input)
{
    char *room = str_reserve(input, INPUT_BYTES);
    CHECK(room != NULL);
    for (;;) {
        ssize_t got = read(STDIN_FILENO, room, INPUT_BYTES);
        if (got >= 0) {
            str_commit(input, (size_t)got);
            return got > 0;
        }
        if (errno != EINTR) {
            identity_fatal(&delivery->who, "error reading input: %m");
        }
    }
}

/* Take the complete lines of INPUT; false when one of them ended the message. */
static bool take_lines(struct delivery *delivery, struct view *input)
{
    for (;;) {
        size_t lf = view_index(*input, '\n');
        if (lf == input->len) {
            return true;
        }
        struct view line = view_first(*input, lf);
        *input = view_from(*input, lf + 1);
        if (!take_line(delivery, line)) {
            return false;
        }
    }
}

static void keep_rest(struct str *input, struct view rest)
{
    size_t len = rest.len;
    memmove(input->ptr, rest.ptr, len);
    str_truncate(input, len);
}

static void send_input(struct delivery *delivery)
{
    STR_AUTO struct str input = {0};
    bool going = true;
    while (going && submit_ok(delivery->submit) && read_more(delivery, &input)) {
        struct view rest = str_view(&input);
        going = take_lines(delivery, &rest);
        if (rest.len >= INPUT_BYTES) {
            take_piece(delivery, rest);
            rest = view_from(rest, rest.len);
        }
        keep_rest(&input, rest);
    }
    if (going && (input.len > 0 || delivery->in_line)) {
        (void)take_line(delivery, str_view(&input)); /* the end is here anyway */
    }
    flush_output(delivery);
}

/* -bv: a message that asks where its recipients' mail would go. */
static void send_probe(struct delivery *delivery)
{
    struct str *out = &delivery->output;
    STR_AUTO struct str from = {0};
    address_quote(delivery->who.address, &from);
    str_printf(out, "From: %s\nSubject: probe\nTo:", str_ptr(&from));
    for (char **argument = delivery->options->recipients; *argument != NULL;
         argument++) {
        struct view text = view_cstr(*argument);
        str_add_byte(out, '\t');
        for (size_t i = 0; i < text.len; i++) {
            bool line_end = text.ptr[i] == '\n' || text.ptr[i] == '\r';
            str_add_byte(out, (char)(line_end ? ' ' : text.ptr[i]));
        }
        str_add_cstr(out, argument[1] != NULL ? ",\n" : "\n");
    }
    str_add_byte(out, '\n');
    flush_output(delivery);
}

static void send_extracted(struct delivery *delivery)
{
    struct view *addresses;
    size_t count = extract_recipients(&delivery->extraction, &addresses);
    if (count == 0 && delivery->options->recipients[0] == NULL) {
        submit_abort(delivery->submit);
        identity_fatal(&delivery->who,
                       "No recipient addresses found in message header");
    }
    for (size_t i = 0; i < count; i++) {
        send_recipient(delivery, addresses[i]);
    }
}

/* --- the end ---------------------------------------------------------------------- */

static void finish(struct delivery *delivery)
{
    struct submit_result result;
    submit_finish(delivery->submit, &result);
    switch (result.status) {
    case SUBMIT_OK:
        break;
    case SUBMIT_TOO_BIG:
        log_warning("mail_stream_cleanup: close error"); /* log readers know it */
        identity_fatal(&delivery->who, "message file too big");
    case SUBMIT_TOO_MANY_HOPS:
    case SUBMIT_REJECTED:
    case SUBMIT_NO_RECIPIENTS:
    case SUBMIT_BAD_ADDRESS:
    case SUBMIT_ALIAS_ERROR:
    case SUBMIT_LOOKUP_ERROR:
    case SUBMIT_WRITE_ERROR:
    case SUBMIT_LOST:
        identity_fatal(&delivery->who, "%s", result.text);
    }
    if (delivery->options->mode == MODE_VERIFY || delivery->options->verbose > 0) {
        printf("Mail Delivery Status Report will be mailed to <%.*s>.\n",
               VIEW_ARG(delivery->who.address));
    }
}

static void submit_message(struct delivery *delivery, struct submit_client *client)
{
    struct err err = {0};
    delivery->submit = submit_begin(client, 0, &err);
    if (delivery->submit == NULL) {
        identity_fatal(&delivery->who, "%s", err.text);
    }
    send_envelope(delivery);
    if (delivery->options->mode == MODE_VERIFY) {
        send_probe(delivery);
    } else {
        send_input(delivery);
    }
    if (delivery->options->extract_recipients && submit_ok(delivery->submit)) {
        send_extracted(delivery);
    }
    finish(delivery);
}

void deliver_message(const struct conf *conf, const struct options *options)
{
    struct arena arena = {0};
    struct delivery delivery = {
        .options = options,
        .fix = fix_endings(conf),
        .first_line = true,
        .at_start = true,
    };
    identity_check_authorized(conf);
    identity_find(options, &arena, &delivery.who);
    if (!options->extract_recipients && options->recipients[0] == NULL) {
        identity_fatal(&delivery.who, "Recipient addresses must be specified on the "
                                      "command line or via the -t option");
    }
    struct submit_client *client = submit_client_new_postdrop(conf);
    submit_message(&delivery, client);
    submit_client_free(&client);
    extract_done(&delivery.extraction);
    str_done(&delivery.output);
    arena_clear(&arena);
}
