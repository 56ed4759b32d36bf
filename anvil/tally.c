/* SPDX-License-Identifier: MIT */
#include "anvil/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/htab.h"
#include "base/str.h"
#include "sys/clock.h"

struct client {
    uint64_t sessions;
    uint64_t rates[ANVIL_EVENTS];
    int64_t begun, failures_begun; /* when the time units began; 0: not yet */
};

/* The highest value of something. */
struct maximum {
    uint64_t value;
    struct str ident;
    int64_t when; /* clock_wall() scale */
};

enum { COUNT = ANVIL_EVENTS, CACHE_SIZE, MAXIMA };

struct tally {
    int64_t time_unit, failure_time;
    struct htab *clients;
    struct maximum maxima[MAXIMA]; /* rates, by enum anvil_event; then the two above */
};

struct reporter {
    struct tally *tally;
    struct htab *sessions; /* ident -> uint64_t, not 0 */
};

struct tally *tally_new(int64_t time_unit, int64_t failure_time)
{
    struct tally *tally = xcalloc(1, sizeof(*tally));
    tally->time_unit = time_unit;
    tally->failure_time = failure_time;
    tally->clients = htab_new();
    return tally;
}

void tally_free(struct tally **tally)
{
    if (*tally == NULL) {
        return;
    }
    for (int i = 0; i < MAXIMA; i++) {
        str_done(&(*tally)->maxima[i].ident);
    }
    htab_free(&(*tally)->clients, free);
    free(*tally);
    *tally = NULL;
}

/* --- reporters
 * ------------------------------------------------------------------------ */

struct reporter *reporter_new(struct tally *tally)
{
    struct reporter *reporter = xcalloc(1, sizeof(*reporter));
    reporter->tally = tally;
    reporter->sessions = htab_new();
    return reporter;
}

void reporter_free(struct reporter **reporter)
{
    struct view ident;
    void *value;
    size_t cursor = 0;
    if (*reporter == NULL) {
        return;
    }
    while (htab_next((*reporter)->sessions, &cursor, &ident, &value)) {
        const uint64_t *sessions = value;
        struct client *client = htab_get((*reporter)->tally->clients, ident);
        CHECK(client != NULL && client->sessions >= *sessions);
        client->sessions -= *sessions;
    }
    htab_free(&(*reporter)->sessions, free);
    free(*reporter);
    *reporter = NULL;
}

/* Sessions of REPORTER are now NUMBER; returns how many there were. */
static uint64_t set_sessions(struct reporter *reporter, struct view ident,
                             uint64_t number)
{
    uint64_t *sessions = htab_get(reporter->sessions, ident);
    uint64_t before = sessions != NULL ? *sessions : 0;
    if (number == 0) {
        free(htab_remove(reporter->sessions, ident));
        return before;
    }
    if (sessions == NULL) {
        sessions = xcalloc(1, sizeof(*sessions));
        (void)htab_put(reporter->sessions, ident, sessions);
    }
    *sessions = number;
    return before;
}

/* --- clients
 * --------------------------------------------------------------------------- */

static struct client *find_client(struct tally *tally, struct view ident)
{
    struct client *client = htab_get(tally->clients, ident);
    if (client == NULL) {
        client = xcalloc(1, sizeof(*client));
        (void)htab_put(tally->clients, ident, client);
    }
    return client;
}

/* A time unit that is over is forgotten as a whole. */
static void expire(const struct tally *tally, struct client *client, int64_t now)
{
    if (now - client->begun >= tally->time_unit) {
        uint64_t failures = client->rates[ANVIL_LOGIN_FAILURE];
        memset(client->rates, 0, sizeof(client->rates));
        client->rates[ANVIL_LOGIN_FAILURE] = failures;
        client->begun = now;
    }
    if (now - client->failures_begun >= tally->failure_time) {
        client->rates[ANVIL_LOGIN_FAILURE] = 0;
        client->failures_begun = now;
    }
}

static void raise_maximum(struct maximum *maximum, uint64_t value, struct view ident)
{
    if (value > maximum->value) {
        maximum->value = value;
        maximum->when = clock_wall();
        str_set(&maximum->ident, ident);
    }
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void tally_take(struct tally *tally, struct reporter *reporter,
                const struct anvil_item *item, int64_t now, struct anvil_total *out)
{
    enum { SESSIONS_MOST = 1000000 }; /* a process that says more is out of its mind */
    struct client *client = find_client(tally, item->ident);
    uint64_t sessions = item->sessions < SESSIONS_MOST ? item->sessions : SESSIONS_MOST;
    expire(tally, client, now);
    client->sessions -= set_sessions(reporter, item->ident, sessions);
    client->sessions += sessions;
    out->sessions = client->sessions;
    for (size_t i = 0; i < ANVIL_EVENTS; i++) {
        if (i == ANVIL_LOGIN_FAILURE && item->events[i] > 0 && client->rates[i] == 0) {
            client->failures_begun = now;
        }
        client->rates[i] = add(client->rates[i], item->events[i]);
        out->rates[i] = client->rates[i];
        raise_maximum(&tally->maxima[i], client->rates[i], item->ident);
    }
    uint64_t most = item->most < SESSIONS_MOST ? item->most : SESSIONS_MOST;
    uint64_t more = most > sessions ? most - sessions : 0; /* that have left since */
    raise_maximum(&tally->maxima[COUNT], client->sessions + more, item->ident);
    raise_maximum(&tally->maxima[CACHE_SIZE], htab_count(tally->clients), VIEW(""));
}

void tally_forget(struct tally *tally, int64_t now)
{
    struct view ident;
    void *value;
    size_t cursor = 0;
    while (htab_next(tally->clients, &cursor, &ident, &value)) {
        struct client *client = value;
        expire(tally, client, now);
        if (client->sessions == 0 && client->rates[ANVIL_LOGIN_FAILURE] == 0) {
            uint64_t events = 0;
            for (size_t i = 0; i < ANVIL_EVENTS; i++) {
                events = add(events, client->rates[i]);
            }
            if (events == 0) {
                free(htab_remove(tally->clients, ident));
                cursor--;
            }
        }
    }
}

/* --- statistics ----------------------------------------------------------------------
 */

static void add_time(struct str *out, int64_t when)
{
    char text[32];
    time_t seconds = (time_t)(when / CLOCK_SECOND);
    struct tm tm;
    if (localtime_r(&seconds, &tm) != NULL &&
        strftime(text, sizeof(text), "%b %e %H:%M:%S", &tm) > 0) {
        str_printf(out, " at %s", text);
    }
}

void tally_statistics(struct tally *tally, void (*line)(const char *text))
{
    /* In the order that log readers know. */
    static const struct {
        int what;
        const char *name;
    } rows[] = {{ANVIL_CONNECTION, "connection rate"},
                {COUNT, "connection count"},
                {ANVIL_MESSAGE, "message rate"},
                {ANVIL_RECIPIENT, "recipient rate"},
                {ANVIL_NEW_TLS, "newtls rate"},
                {ANVIL_AUTH, "auth rate"},
                {CACHE_SIZE, "cache size"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct maximum *maximum = &tally->maxima[rows[i].what];
        STR_AUTO struct str text = {0};
        if (maximum->value == 0) {
            continue;
        }
        str_printf(&text, "max %s %" PRIu64, rows[i].name, maximum->value);
        if (rows[i].what < ANVIL_EVENTS) {
            str_printf(&text, "/%" PRId64 "s",
                       tally->time_unit / (int64_t)CLOCK_SECOND);
        }
        if (maximum->ident.len > 0) {
            str_printf(&text, " for (%s)", str_ptr(&maximum->ident));
        }
        add_time(&text, maximum->when);
        line(str_ptr(&text));
        maximum->value = 0;
    }
}
