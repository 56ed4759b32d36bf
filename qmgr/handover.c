/* SPDX-License-Identifier: MIT */
/*
 * New mail that comes with all there is to know of it, so that it goes to its delivery
 * agents without a look at its file, which stays in incoming/ for the moment: most
 * messages are delivered before anybody could see them in active/.  Should this process
 * die, the next one finds the file where every file is found whose announcement was
 * lost.
 */
#include "rpc/handover.h"
#include "base/log.h"
#include "qmgr/qmgr.h"

/* False: not usable; the file tells. */
static bool fill(struct message *message, const struct handover *handover)
{
    struct err err;
    if (queue_envelope_parse(handover->head, handover->tail, &message->arena,
                             &message->file, &err) != OK) {
        log_warning("%s: hand-over: %s", message->id, err.text);
        return false;
    }
    return message->file.recipients_pending == handover->count &&
           message->file.recipient_count == handover->count;
}

static bool is_known(const struct qmgr *qmgr, struct view id)
{
    return htab_get(qmgr->by_id, id) != NULL || htab_get(qmgr->arrival_ids, id) != NULL;
}

void handover_accept(struct qmgr *qmgr, struct view text)
{
    struct handover handover;
    struct message *message = message_new(QUEUE_INCOMING);
    if (!handover_decode(text, &message->arena, &handover)) {
        log_warning("malformed hand-over");
        qmgr->scan_incoming = true;
        message_discard(message);
        return;
    }
    message_set_id(message, handover.queue_id);
    if (is_known(qmgr, handover.queue_id)) { /* a scan was faster */
        message_discard(message);
    } else if (!intake_has_room(qmgr) || !fill(message, &handover)) {
        qmgr->scan_incoming = true;
        message_discard(message);
    } else {
        message_enter(qmgr, message);
        message_dispatch(qmgr, message, handover.routes);
    }
}
