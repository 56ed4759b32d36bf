/* SPDX-License-Identifier: MIT */
/*
 * Checking a login.  One connection to the auth worker is one login: a request that
 * holds everything the SASL library wants to know, then challenge and response, both in
 * base64, until the worker says yes or no.  The worker serves nobody else meanwhile;
 * when it dies or hangs, only this login is lost.
 */
#ifndef RPC_AUTH_H
#define RPC_AUTH_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/view.h"
#include "conf/conf.h"
#include "net/stream.h"

/* What mechanisms must or must not be like: smtpd_sasl_security_options. */
enum auth_security {
    AUTH_NO_PLAINTEXT = 1,
    AUTH_NO_ACTIVE = 2,
    AUTH_NO_DICTIONARY = 4,
    AUTH_NO_ANONYMOUS = 8,
    AUTH_FORWARD_SECRECY = 16,
    AUTH_MUTUAL = 32
};
/* Words separated by commas and white space.  False: *BAD_OUT is none of them. */
bool auth_security_parse(struct view text, unsigned *set_out, struct view *bad_out);

/* What the library is told.  All texts may be empty. */
struct auth_settings {
    struct view service; /* smtpd_sasl_service */
    struct view
        application; /* smtpd_sasl_path: the configuration is APPLICATION.conf */
    struct view config_path;   /* cyrus_sasl_config_path */
    struct view realm;         /* smtpd_sasl_local_domain */
    struct view host;          /* our name */
    struct view local, remote; /* "address;port" of both ends */
    unsigned security;         /* enum auth_security */
};

enum auth_result {
    AUTH_MORE = 'c',    /* text: the challenge */
    AUTH_DONE = 's',    /* user: who it is */
    AUTH_REFUSED = 'f', /* text: why; the client's fault */
    AUTH_TROUBLE = 't'  /* text: why; ours, or nobody's */
};

/* A line for the log, complete but for the severity. */
struct auth_note {
    bool warning;
    struct view text;
};

struct auth_step {
    enum auth_result result;
    struct view text;
    bool lost; /* TROUBLE because nobody answers: the text is for the log alone */
    struct view user; /* also of a refused login, if the mechanism got so far */
    struct auth_note *notes;
    size_t note_count;
};

/* --- client's side ------------------------------------------------------------ */

/* A login under way. */
struct auth_login;
/* INITIAL: the initial response as the client gave it; ptr NULL: none.  STEP's texts
 * live in ARENA.  NULL: STEP is AUTH_DONE, AUTH_REFUSED or AUTH_TROUBLE.  Waits. */
struct auth_login *auth_login_begin(const struct conf *conf,
                                    const struct auth_settings *settings,
                                    struct view mechanism, struct view initial,
                                    struct arena *arena, struct auth_step *step_out);
/* The same for the next response; *LOGIN becomes NULL with the last step.  Waits. */
void auth_login_continue(struct auth_login **login, struct view response,
                         struct arena *arena, struct auth_step *step_out);
/* The client has had enough. */
void auth_login_abandon(struct auth_login **login);

/* The mechanisms that are there under SETTINGS, separated by spaces, in the library's
 * order.  TEMPFAIL: nobody answers.  PERMFAIL: there is none.  STEP's notes are for the
 * log.  Waits. */
NODISCARD enum outcome auth_mechanisms(const struct conf *conf,
                                       const struct auth_settings *settings,
                                       struct arena *arena, struct auth_step *step_out,
                                       struct err *err);

/* --- worker's side (auth/) ------------------------------------------------------ */

enum auth_frame {
    AUTH_FRAME_MECHANISMS = 'M', /* settings -> STEP (DONE with the list as text) */
    AUTH_FRAME_BEGIN = 'B', /* settings, mechanism, u8 has initial, initial -> STEP */
    AUTH_FRAME_RESPONSE = 'R', /* response -> STEP */
    AUTH_FRAME_STEP = 'b'      /* u8 result, text, user, u64 count, count times: u8
                                  warning, text */
};

struct auth_request {
    enum auth_frame kind;
    struct auth_settings settings;
    struct view mechanism, initial; /* of BEGIN; initial.ptr NULL: none */
    struct view response;           /* of RESPONSE */
};
/* The fields of a frame of KIND, which point into FIELDS.  False: malformed. */
bool auth_request_parse(uint8_t kind, struct view fields, struct auth_request *out);
/* The next request, its strings in ARENA.  False: the client has left, or broke the
 * protocol (then the stream is in error).  Waits. */
bool auth_receive(struct stream *client, struct arena *arena,
                  struct auth_request *request_out);
bool auth_send_step(struct stream *client, const struct auth_step *step);
/* The reply to any request.  False: malformed. */
bool auth_step_parse(struct view fields, struct arena *arena, struct auth_step *out);

#endif
