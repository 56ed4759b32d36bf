/* SPDX-License-Identifier: MIT */
/*
 * Sender and recipients: completed, mapped, expanded, and written.
 *
 * A recipient remembers how it was given (original) and what a notice to the
 * sender must call it (dsn_orcpt).  The same address for the same original is
 * written once per message, up to duplicate_filter_limit entries.
 */
#include "base/log.h"
#include "cleanup/cleanup.h"

void envelope_sender(struct message *message, struct view sender)
{
    STR_AUTO struct str address = {0};
    if (sender.len > 0 &&
        !rewrite_address(message, sender, PLACE_ENVELOPE_SENDER, false, &address)) {
        return;
    }
    CHECK(!message->has_sender);
    message->has_sender = true;
    message->sender = arena_view(&message->arena, str_view(&address));
    queue_writer_sender(message->writer, message->sender);
}

/* Enter ADDRESS for ORIGINAL; false when it is there already. */
static bool is_new(struct message *message, struct view address, struct view original)
{
    int limit = conf_int(message->settings->conf, P_duplicate_filter_limit);
    STR_AUTO struct str key = {0};
    str_add_lower(&key, address);
    str_add_byte(&key, '\0');
    str_add_lower(&key, original);
    if (htab_get(message->recipients, str_view(&key)) != NULL) {
        return false;
    }
    if (limit <= 0 || htab_count(message->recipients) < (size_t)limit) {
        (void)htab_put(message->recipients, str_view(&key), message);
    }
    return true;
}

static void write_recipient(struct message *message,
                            const struct queue_recipient *recipient)
{
    if (!is_new(message, recipient->address, recipient->original)) {
        return;
    }
    if (message->first_recipient.len == 0) {
        message->first_recipient = arena_view(&message->arena, recipient->address);
    }
    queue_writer_recipient(message->writer, recipient);
    announce_note(message, recipient->address);
}

/* RECIPIENT's address is final but for aliases. */
static void write_expanded(struct message *message, struct queue_recipient *recipient)
{
    if ((message->flags & SUBMIT_MAP) == 0 ||
        maps_empty(message->settings->virtual_alias)) {
        write_recipient(message, recipient);
        return;
    }
    struct view *addresses;
    size_t count;
    if (!alias_expand(message, recipient->address, &addresses, &count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        recipient->address = addresses[i];
        write_recipient(message, recipient);
    }
}

/* A copy for the address that recipient_bcc_maps, sender_bcc_maps or always_bcc gives.
 */
static void add_copy(struct message *message, struct view copy)
{
    STR_AUTO struct str address = {0};
    if (copy.len == 0) {
        return;
    }
    rewrite_complete(message, copy, &address);
    if (address.len == 0) {
        return;
    }
    struct view text = arena_view(&message->arena, str_view(&address));
    STR_AUTO struct str mapped = {0};
    str_add(&mapped, text);
    if (!rewrite_map(message, PLACE_ENVELOPE_RECIPIENT, &mapped)) {
        return;
    }
    struct queue_recipient recipient = {
        .address = arena_view(&message->arena, str_view(&mapped)),
        .original = text,
        .dsn_notify = DSN_NOTIFY_NEVER, /* the sender does not know of it */
    };
    write_expanded(message, &recipient);
}

static bool wants_copies(const struct message *message)
{
    return (message->flags & SUBMIT_MAP) != 0 &&
           (message->flags & SUBMIT_INTERNAL) == 0;
}

static void add_mapped_copy(struct message *message, struct maps *maps,
                            const char *title, struct view address)
{
    struct err err = {0};
    STR_AUTO struct str copy = {0};
    if (maps_empty(maps) || address.len == 0) {
        return;
    }
    switch (maps_find_address(maps, address, message->settings->delimiters,
                              rewrite_lookup_flags(message, address), &copy, NULL,
                              &err)) {
    case MAP_FOUND:
        add_copy(message, str_view(&copy));
        break;
    case MAP_ERROR:
        rewrite_lookup_failed(message, title, address);
        break;
    case MAP_MISSING:
        break;
    }
}

void envelope_add_copies(struct message *message)
{
    if (!wants_copies(message)) {
        return;
    }
    add_mapped_copy(message, message->settings->sender_bcc, "sender_bcc_maps",
                    message->sender);
    if (message_ok(message)) {
        add_copy(message, view_cstr(conf_str(message->settings->conf, P_always_bcc)));
    }
}

/* The address as the client gave it, which is what the log and X-Original-To show. */
static struct view original_of(struct message *message,
                               const struct queue_recipient *recipient)
{
    if (!conf_bool(message->settings->conf, P_enable_original_recipient)) {
        return view_of("", 0);
    }
    struct view original =
        recipient->original.len > 0 ? recipient->original : recipient->address;
    return arena_view(&message->arena, original);
}

/* An address of which nothing is left stands for who reads mail to nobody. */
static void complete_recipient(struct message *message, struct view address,
                               struct str *out)
{
    if (address.len > 0) {
        rewrite_complete(message, address, out);
    }
    if (out->len == 0) {
        rewrite_complete(
            message,
            view_cstr(conf_str(message->settings->conf, P_empty_address_recipient)),
            out);
    }
}

void envelope_recipient(struct message *message, const struct queue_recipient *given)
{
    struct arena *arena = &message->arena;
    STR_AUTO struct str text = {0};
    complete_recipient(message, given->address, &text);
    struct queue_recipient recipient = {
        .original = original_of(message, given),
        .dsn_orcpt = arena_view(arena, given->dsn_orcpt),
        .dsn_notify = given->dsn_notify,
    };
    if (recipient.dsn_orcpt.len == 0) {
        recipient.dsn_orcpt = view_cstr(arena_printf(
            arena, "%s;%s", view_is_ascii(str_view(&text)) ? "rfc822" : "utf-8",
            str_ptr(&text)));
    }
    if ((message->flags & SUBMIT_MAP) != 0 &&
        !rewrite_map(message, PLACE_ENVELOPE_RECIPIENT, &text)) {
        return;
    }
    recipient.address = arena_view(arena, str_view(&text));
    struct view copied_for = recipient.address;
    write_expanded(message, &recipient);
    if (message_ok(message) && wants_copies(message)) {
        add_mapped_copy(message, message->settings->recipient_bcc, "recipient_bcc_maps",
                        copied_for);
    }
}
