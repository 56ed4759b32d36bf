/* SPDX-License-Identifier: MIT */
/*
 * A policy service (SMTP access policy delegation): a program of the site that is told
 * about a command and answers with an action.  Private to smtpd/access.
 */
#ifndef SMTPD_ACCESS_POLICY_SERVICE_H
#define SMTPD_ACCESS_POLICY_SERVICE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "net/stream.h"

struct policy_service;

/* TEXT: "inet:HOST:PORT", "unix:PATH", or "{ ENDPOINT, name=value, ... }" with the
 * settings that are smtpd_policy_service_NAME otherwise.  NULL with ERR: the text for
 * the log. */
struct policy_service *policy_service_new(const struct conf *conf, struct view text,
                                          struct err *err);
void policy_service_free(struct policy_service **service);
/* The endpoint, as it is written. */
const char *policy_service_name(const struct policy_service *service);
const char *policy_service_default_action(const struct policy_service *service);
const char *policy_service_context(const struct policy_service *service);

/* Send REQUEST, "name=value\n" lines without the empty line at the end; the action goes
 * into ACTION_OUT.  False: there is none to be had, which has been logged.  Waits. */
bool policy_service_ask(struct policy_service *service, struct view request,
                        struct str *action_out);

/* Read an answer of the server called NAME, for the log.  False: the stream has come to
 * its end, or what is in it is no answer.  Waits. */
bool policy_answer_read(struct stream *stream, const char *name,
                        struct str *action_out);
/* One line of it. */
enum policy_line {
    POLICY_LINE_OTHER,
    POLICY_LINE_ACTION,
    POLICY_LINE_END,
    POLICY_LINE_BAD
};
enum policy_line policy_line_parse(struct view line, struct view *value_out);

#endif
