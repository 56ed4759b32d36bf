/* SPDX-License-Identifier: MIT */
/*
 * A name server for tests, on 127.0.0.1, in fibers of the test's own loop.  The zone
 * is text, a record a line:
 *
 *     example.test MX 10 mail.example.test      also A, AAAA, TXT, PTR, CNAME
 *     broken.test SERVFAIL                      REFUSED likewise
 *     slow.test SILENT                          no answer at all
 *     large.test TRUNCATED                      over UDP; TCP gives the other records
 *
 * Names that stand nowhere do not exist.
 */
#ifndef TESTING_DNS_SERVER_H
#define TESTING_DNS_SERVER_H

#include "base/str.h"
#include "base/view.h"

struct test_dns_server;

/* Start serving ZONE (kept by the caller).  The loop must have been started. */
struct test_dns_server *test_dns_start(const char *zone);
/* "127.0.0.1:PORT", for dns_set_servers(). */
const char *test_dns_servers(const struct test_dns_server *server);
unsigned test_dns_questions(const struct test_dns_server *server);
/* Ends the fibers; from a fiber or outside, but the loop must run once more. */
void test_dns_stop(struct test_dns_server **server);

/* The reply to QUESTION, a whole message; false: stay silent. */
bool test_dns_reply(const char *zone, struct view question, bool tcp,
                    struct str *reply);
/* A question for NAME and TYPE as a resolver sends it. */
void test_dns_question(const char *name, unsigned type, struct str *question);

#endif
