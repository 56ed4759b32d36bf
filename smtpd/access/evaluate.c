/* SPDX-License-Identifier: MIT */
/*
 * Going through a list: the first PERMIT or REJECT ends it.  PERMIT ends only this
 * list, REJECT the whole command.
 */
#include "base/log.h"
#include "smtpd/access/rules.h"

enum { DEPTH_MAX = 20 }; /* of classes that name classes */

const char *check_class_of(enum subject subject)
{
    static const char *const CLASSES[SUBJECT_COUNT] = {
        "Client host",    "Client certificate", "Helo command",
        "Sender address", "Recipient address",  "Data command",
        "End-of-data",    "Etrn command",       "SASL login name"};
    CHECK(subject < SUBJECT_COUNT);
    return CLASSES[subject];
}

static const char *or_empty(struct view text)
{
    return text.ptr != NULL ? text.ptr : "";
}

const char *check_name_of(const struct check *check, enum subject subject)
{
    switch (subject) {
    case SUBJECT_CLIENT:
        return check->session->client.shown;
    case SUBJECT_CCERT:
        return check->session->tls->peer.subject_cn;
    case SUBJECT_HELO:
        return str_ptr(&check->session->helo);
    case SUBJECT_SENDER:
        return or_empty(check->sender);
    case SUBJECT_RECIPIENT:
        return or_empty(check->recipient);
    case SUBJECT_DATA:
        return "DATA";
    case SUBJECT_END_OF_DATA:
        return "END-OF-MESSAGE";
    case SUBJECT_ETRN:
        return or_empty(check->etrn_domain);
    case SUBJECT_LOGIN:
        return check->session->auth.user;
    case SUBJECT_COUNT:
        break;
    }
    return "";
}

static enum access_result run_class(struct check *check, const struct restriction *item)
{
    CHECK(item->verb == NULL);
    const struct restriction_list *class = htab_get(check->rules->classes, item->word);
    if (class == NULL) {
        log_warning("unknown smtpd restriction: \"%.*s\"", VIEW_ARG(item->word));
        return check_refuse_config(check);
    }
    return check_nested(check, class);
}

static enum access_result run_item(struct check *check, const struct restriction *item)
{
    if (item->problem != NULL) {
        log_warning("%s", item->problem);
        return check_refuse_config(check);
    }
    return item->verb != NULL ? item->verb->run(check, item) : run_class(check, item);
}

static void warn_ignored(const struct restriction_list *list, size_t i)
{
    if (i + 1 < list->count) {
        log_warning("restriction `%.*s' after `%s' is ignored",
                    VIEW_ARG(list->items[i + 1].word), list->items[i].verb->name);
    }
}

enum access_result check_nested(struct check *check,
                                const struct restriction_list *list)
{
    enum access_result result = ACCESS_DUNNO;
    if (check->depth >= DEPTH_MAX) {
        log_warning("%s: restriction classes nest too deeply", list->title);
        return check_refuse_config(check);
    }
    check->depth++;
    for (size_t i = 0; i < list->count && result == ACCESS_DUNNO; i++) {
        const struct restriction *item = &list->items[i];
        bool modifier = item->verb != NULL && (item->verb->flags & VERB_MODIFIER) != 0;
        bool warned = check->warn_only;
        result = run_item(check, item);
        if (!modifier && warned) {
            check->warn_only = false; /* it was for this one alone */
        }
        if (item->verb != NULL && (item->verb->flags & VERB_FINAL) != 0 && !warned) {
            warn_ignored(list, i);
        }
    }
    check->depth--;
    return result;
}

enum access_result check_list(struct check *check, const struct restriction_list *list,
                              enum subject subject)
{
    CHECK(check->depth == 0 && subject < SUBJECT_COUNT);
    check->subject = subject;
    check->warn_only = false;
    check->defer_if_reject.active = false;
    return check_nested(check, list);
}
