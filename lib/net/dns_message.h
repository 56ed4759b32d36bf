/* SPDX-License-Identifier: MIT */
/* From a DNS message (RFC 1035 4) to records. */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "net/dns.h"

/*
 * Take from MESSAGE the answer records of TYPE that belong to the name in its question
 * (c-ares has compared that with ours), or to what the CNAMEs of that name lead to. The
 * message may be anything.  Status: DNS_OK; DNS_NODATA; DNS_INVALID
 * when there were records, but all with malformed host names (logs a warning for each);
 * DNS_TEMPFAIL when the message itself is broken.
 */
enum dns_status dns_message_parse(struct arena *arena, struct view message,
                                  enum dns_type type, struct dns_answer *answer_out);

#endif
