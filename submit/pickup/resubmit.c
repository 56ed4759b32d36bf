/* SPDX-License-Identifier: MIT */
/*
 * One file from maildrop/ to cleanup.  Users' mail gets a Received: header that
 * names the user; of its attributes only those of the envelope count.  Requeued
 * mail keeps what it was (attributes, time of arrival) and what it still has to
 * do: recipients that are done are left out.
 */
#include <stdio.h>

#include "base/log.h"
#include "mail/address.h"
#include "mail/date.h"
#include "submit/pickup/pickup.h"
#include "sys/file.h"

enum { CHUNK_BYTES = 64 * 1024 };

/* --- envelope --------------------------------------------------------------------- */

static bool is_wanted_attribute(const struct drop_file *file,
                                const struct queue_record *record)
{
    static const char *const envelope[] = {"envelope_id", "ret_flags", "encoding",
                                           "rewrite_context"};
    if (record->after_content) {
        return false; /* cleanup adds them anew */
    }
    if (file->requeued) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(envelope); i++) {
        if (view_equal_cstr(record->attribute.name, envelope[i])) {
            return true;
        }
    }
    return false;
}

static void send_attribute(struct submit *submit, struct drop_file *file,
                           const struct queue_record *record)
{
    if (is_wanted_attribute(file, record)) {
        submit_attribute(submit, arena_cstr(&file->arena, record->attribute.name),
                         record->attribute.value);
    }
}

static void send_recipient(struct submit *submit, const struct queue_record *record)
{
    if (record->recipient.state != RECIPIENT_DONE) {
        submit_recipient(submit, &record->recipient);
    }
}

/* The records before the content, or those after it. */
static void send_records(struct submit *submit, struct drop_file *file, bool late)
{
    for (size_t i = 0; i < file->message.record_count; i++) {
        const struct queue_record *record = &file->message.records[i];
        if (record->after_content != late) {
            continue;
        }
        switch (record->type) {
        case QUEUE_RECORD_SENDER:
            submit_sender(submit, record->text);
            break;
        case QUEUE_RECORD_FULLNAME:
            submit_fullname(submit, record->text);
            break;
        case QUEUE_RECORD_ATTRIBUTE:
            send_attribute(submit, file, record);
            break;
        case QUEUE_RECORD_RECIPIENT:
            send_recipient(submit, record);
            break;
        }
    }
}

/* --- content ---------------------------------------------------------------------- */

static void send_received(struct submit *submit, const struct pickup *pickup,
                          const struct drop_file *file)
{
    char date[MAIL_DATE_MAX];
    STR_AUTO struct str text = {0};
    mail_date(file->message.arrival_time, date);
    str_printf(&text, "Received: by %s (%s, from userid %ld)\n\tid %s; %s\n",
               conf_str(pickup->conf, P_myhostname),
               conf_str(pickup->conf, P_mail_name), (long)file->st.st_uid,
               submit_queue_id(submit), date);
    submit_content(submit, str_view(&text));
}

/* False: the file cannot be read. */
static bool send_content(struct submit *submit, const struct drop_file *file)
{
    STR_AUTO struct str chunk = {0};
    int64_t offset = file->message.content_offset;
    int64_t rest = file->message.content_size;
    while (rest > 0 && submit_ok(submit)) {
        size_t wanted = rest < CHUNK_BYTES ? (size_t)rest : CHUNK_BYTES;
        str_clear(&chunk);
        char *room = str_reserve(&chunk, wanted);
        CHECK(room != NULL);
        if (file_pread_all(file->fd, room, wanted, offset) != (ssize_t)wanted) {
            return false;
        }
        submit_content(submit, view_of(room, wanted));
        offset += (int64_t)wanted;
        rest -= (int64_t)wanted;
    }
    return true;
}

/* --- the message ------------------------------------------------------------------ */

static void log_message(const struct submit *submit, const struct drop_file *file)
{
    STR_AUTO struct str sender = {0};
    address_quote(file->message.sender, &sender);
    if (file->requeued) {
        log_info("%s: uid=%ld from=<%s> orig_id=%s", submit_queue_id(submit),
                 (long)file->st.st_uid, str_ptr(&sender), file->id);
    } else {
        log_info("%s: uid=%ld from=<%s>", submit_queue_id(submit),
                 (long)file->st.st_uid, str_ptr(&sender));
    }
}

static unsigned submit_flags(const struct pickup *pickup, const struct drop_file *file)
{
    /* Headers of requeued remote mail were left alone the first time, too. */
    struct view context = queue_message_attribute(&file->message, "rewrite_context");
    bool local = !file->requeued || view_equal_cstr(context, "local");
    return (local ? SUBMIT_LOCAL_CONTEXT : 0U) |
           (pickup->map_addresses ? SUBMIT_MAP : 0U);
}

void resubmit(const struct pickup *pickup, struct drop_file *file,
              struct submit_result *result_out)
{
    struct err err = {0};
    CHECK(file->fd >= 0 && file->message.recipients_pending > 0);
    struct submit *submit =
        submit_begin(pickup->cleanup, submit_flags(pickup, file), &err);
    if (submit == NULL) {
        *result_out = (struct submit_result){.status = SUBMIT_LOST, .dsn = "4.3.0"};
        (void)snprintf(result_out->text, sizeof(result_out->text), "%.390s", err.text);
        return;
    }
    log_message(submit, file);
    submit_arrival_time(submit, file->message.arrival_time);
    submit_set_file_flags(submit, file->message.flags);
    send_records(submit, file, false);
    send_received(submit, pickup, file);
    if (!send_content(submit, file)) {
        submit_abort(submit);
        *result_out = (struct submit_result){.status = SUBMIT_WRITE_ERROR,
                                             .dsn = "4.3.0",
                                             .text = "cannot read the message"};
        return;
    }
    send_records(submit, file, true);
    submit_finish(submit, result_out);
}
