/* SPDX-License-Identifier: MIT */
/* What DATA and BDAT do alike: bring the content to cleanup, and report the outcome. */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include "smtpd/message.h"

/* Our headers, and a fresh filter; DOTS as in DATA. */
void content_begin(struct session *session, bool dots);
/* DATA: until the end of data.  False: the client is gone.  Waits. */
bool content_receive_data(struct session *session);
/* BDAT: COUNT bytes; WANTED false: they are thrown away.  False as above.  Waits. */
bool content_receive_chunk(struct session *session, int64_t count, bool wanted);
/* Restrictions at the end of data, commit, and the reply; CHUNKED: BDAT's wording. Ends
 * the transaction.  False: the message was not taken.  Waits. */
bool content_finish(struct session *session, bool chunked);

#endif
