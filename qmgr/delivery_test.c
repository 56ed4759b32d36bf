/* SPDX-License-Identifier: MIT */
/* From the announcement of a message to its removal, against scripted services. */
#include "qmgr/test_world.h"

#include "rpc/handover.h"

#include <sys/file.h>

#define SETTINGS                                                                       \
    "minimal_backoff_time = 100s\nmaximal_backoff_time = 1000s\n"                      \
    "rewrite_service_name = rewrite\n"

static void test_delivered(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "s@x.test", "b@x.test a@x.test", id);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->requests), "smtp x.test: a@x.test b@x.test\n");
    assert_string_equal(str_ptr(&world->bounces), "");
    assert_int_equal(htab_count(world->qmgr->by_id), 0);
    world_free(world);
}

/* Found without an announcement, in incoming/ and in active/. */
static void test_found_by_scan(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char one[QUEUE_ID_MAX], two[QUEUE_ID_MAX];
    write_message(world, QUEUE_INCOMING, "", "a@x.test", 0, 0, one);
    write_message(world, QUEUE_ACTIVE, "", "b@x.test", 0, 0, two);
    world_start(world);
    run_until(world, is_removed, one);
    run_until(world, is_removed, two);
    world_free(world);
}

/* The pause is the message's age, within bounds. */
static void test_back_off(void **state)
{
    (void)state;
    static const struct {
        int64_t age;
        long pause;
    } rows[] = {{0, 100}, {50, 100}, {400, 400}, {99999, 1000}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new(SETTINGS);
        char id[QUEUE_ID_MAX];
        write_message(world, QUEUE_INCOMING, "s@x.test", "defer@x.test", rows[i].age, 0,
                      id);
        world_start(world);
        run_until(world, is_deferred, id);
        assert_in_range(retry_in(world, id), rows[i].pause - 3, rows[i].pause);
        assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                            "defer@x.test 4.2.0 delayed (not now)\n");
        assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 1);
        world_free(world);
    }
}

static void test_bounced(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "s@x.test", "bounce1@x.test bounce2@y.test ok@x.test", id);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "bounce <s@x.test>\n"
                        "bounce1@x.test 5.1.1 failed (no such user)\n"
                        "bounce2@y.test 5.1.1 failed (no such user)\n");
    assert_false(is_in(world, QUEUE_BOUNCE_LOG, id));
    world_free(world);
}

/* Bounced recipients of a message that stays are marked done, after the notice. */
static void test_bounced_and_deferred(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "s@x.test", "bounce@x.test defer@x.test ok@x.test", id);
    run_until(world, is_deferred, id);
    assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 1);
    assert_false(is_in(world, QUEUE_BOUNCE_LOG, id));
    assert_true(is_in(world, QUEUE_DEFER_LOG, id));
    world_free(world);
}

/* Without a notice nobody is marked, and the message stays. */
static void test_notice_fails(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->bounce_outcome = TEMPFAIL;
    world_start(world);
    submit(world, "s@x.test", "bounce@x.test ok@x.test", id);
    run_until(world, is_deferred, id);
    assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 1);
    world->bounce_outcome = OK;
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH_ID, view_cstr(id)));
    run_until(world, is_removed, id);
    /* Only the one without an answer was asked for again. */
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: bounce@x.test ok@x.test\n"
                        "smtp x.test: bounce@x.test\n");
    world_free(world);
}

static void test_expired(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "maximal_queue_lifetime = 1h\n");
    char old[QUEUE_ID_MAX], young[QUEUE_ID_MAX];
    write_message(world, QUEUE_INCOMING, "s@x.test", "defer@x.test", 3600, 0, old);
    write_message(world, QUEUE_INCOMING, "s@x.test", "defer@y.test", 3000, 0, young);
    world_start(world);
    run_until(world, is_removed, old);
    run_until(world, is_deferred, young);
    assert_string_equal(str_ptr(&world->bounces),
                        "bounce <s@x.test>\ndefer@x.test 4.2.0 failed (not now)\n");
    assert_false(is_in(world, QUEUE_DEFER_LOG, old));
    world_free(world);
}

/* Mail from the null sender may have a shorter life. */
static void test_expired_bounce(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "bounce_queue_lifetime = 0\n");
    char bounce[QUEUE_ID_MAX], mail[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "", "defer@x.test", bounce);
    submit(world, "s@x.test", "defer@x.test", mail);
    run_until(world, is_removed, bounce);
    run_until(world, is_deferred, mail);
    world_free(world);
}

static void test_forced_expiry(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    write_message(world, QUEUE_DEFERRED, "s@x.test", "defer@x.test", 0, 0, id);
    FD_AUTO int fd = queue_open(world->qmgr->dirs, QUEUE_DEFERRED, id, O_RDWR);
    assert_true(queue_file_set_state(fd, QUEUE_STATE_FORCE_EXPIRE));
    world_start(world);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "bounce <s@x.test>\ndefer@x.test 4.2.0 failed (not now)\n");
    world_free(world);
}

static void test_delay_warning(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "delay_warning_time = 1h\n");
    char id[QUEUE_ID_MAX];
    write_message(world, QUEUE_INCOMING, "s@x.test", "defer@x.test", 4000, 0, id);
    world_start(world);
    run_until(world, is_deferred, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "defer <s@x.test>\ndefer@x.test 4.2.0 delayed (not now)\n");
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH_ID, view_cstr(id)));
    run_until(world, is_deferred, id);
    str_clear(&world->bounces); /* once per message */
    run_until(world, is_deferred, id);
    assert_string_equal(str_ptr(&world->bounces), "");
    world_free(world);
}

/* --- agents ---------------------------------------------------------------------- */

static bool die_first(struct world *world, const struct deliver_request *request,
                      struct arena *arena, struct deliver_reply *reply)
{
    return world->deaths-- <= 0 && by_local_part(world, request, arena, reply);
}

static void test_agent_dies_once(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->agent = die_first;
    world->deaths = 1;
    world_start(world);
    submit(world, "s@x.test", "a@x.test", id);
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: a@x.test\nsmtp x.test: a@x.test\n");
    world_free(world);
}

static void test_agent_dies_twice(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->agent = die_first;
    world->deaths = 99;
    world_start(world);
    submit(world, "s@x.test", "a@x.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: a@x.test\nsmtp x.test: a@x.test\n"
                        "retry 4.3.0 unknown mail transport error: a@x.test\n");
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "a@x.test 4.3.0 delayed (unknown mail transport error)\n");
    world_free(world);
}

static bool deliver_first_and_die(struct world *world,
                                  const struct deliver_request *request,
                                  struct arena *arena, struct deliver_reply *reply)
{
    if (world->deaths-- <= 0) {
        return by_local_part(world, request, arena, reply);
    }
    mark_done(world, request, 0);
    return false;
}

/* What the dead agent had delivered is not asked for again. */
static void test_agent_dies_half_way(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX], single[QUEUE_ID_MAX];
    world->agent = deliver_first_and_die;
    world->deaths = 1;
    world_start(world);
    submit(world, "s@x.test", "a@x.test b@x.test", id);
    run_until(world, is_removed, id);
    world->deaths = 1;
    submit(world, "s@x.test", "c@y.test", single);
    run_until(world, is_removed, single);
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: a@x.test b@x.test\nsmtp x.test: b@x.test\n"
                        "smtp y.test: c@y.test\n");
    world_free(world);
}

/* One whose connection was kept may have retired: that does not count. */
static void test_kept_agent_retires(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->agent = die_first;
    world_start(world);
    submit(world, "s@x.test", "a@x.test", id);
    run_until(world, is_removed, id);
    world->deaths = 2;
    submit(world, "s@x.test", "a@x.test", id);
    run_until(world, is_removed, id);
    world_free(world);
}

static void test_no_transport(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX], other[QUEUE_ID_MAX];
    world_start(world);
    submit(world, "s@x.test", "a@none--h.test b@none--i.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "a@none--h.test 4.3.0 delayed (mail transport unavailable)\n"
                        "b@none--i.test 4.3.0 delayed (mail transport unavailable)\n");
    /* It is dead for a while: not even tried. */
    submit(world, "s@x.test", "c@none--h.test", other);
    run_until(world, is_deferred, other);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, other),
                        "c@none--h.test 4.3.0 delayed (mail transport unavailable)\n");
    world_free(world);
}

/* Without the retry service its work is done in place. */
static void test_no_retry_service(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS "defer_transports = smtp\n");
    char id[QUEUE_ID_MAX];
    assert_int_equal(unlink("private/retry"), 0);
    world_start(world);
    submit(world, "s@x.test", "a@x.test b@none--x.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "a@x.test 4.3.0 delayed (mail transport unavailable)\n"
                        "b@none--x.test 4.3.0 delayed (mail transport unavailable)\n");
    world_free(world);
}

static bool report_damage(struct world *world, const struct deliver_request *request,
                          struct arena *arena, struct deliver_reply *reply)
{
    (void)by_local_part(world, request, arena, reply);
    reply->damaged = true;
    return true;
}

static void test_damaged_content(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->agent = report_damage;
    world_start(world);
    submit(world, "s@x.test", "defer@x.test", id);
    run_until(world, is_corrupt, id);
    assert_string_equal(str_ptr(&world->bounces), "");
    world_free(world);
}

/* --- leaves and reports ---------------------------------------------------------- */

/* Recipients expand to two addresses: the recipient's status is the worse of both. */
static bool expand(struct world *world, const struct deliver_request *request,
                   struct arena *arena, struct deliver_reply *reply)
{
    (void)by_local_part(world, request, arena, reply);
    reply->leaves = arena_alloc(arena, 2 * reply->count * sizeof(*reply->leaves));
    for (size_t i = 0; i < reply->count; i++) {
        struct deliver_leaf *leaf = &reply->leaves[2 * i];
        leaf[0] = (struct deliver_leaf){i, VIEW("leaf1@x.test"), reply->outcomes[i]};
        leaf[1] = (struct deliver_leaf){i, VIEW("leaf2@x.test"), reply->outcomes[i]};
        if (leaf[0].outcome.status == DELIVER_DEFERRED) {
            leaf[0].outcome.status = DELIVER_BOUNCED;
            leaf[0].outcome.dsn = VIEW("5.0.0");
        }
    }
    reply->leaf_count = 2 * reply->count;
    return true;
}

static void test_leaves(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->agent = expand;
    world_start(world);
    submit(world, "s@x.test", "bounce@x.test defer@x.test ok@x.test", id);
    run_until(world, is_deferred, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "bounce <s@x.test>\n"
                        "leaf1@x.test 5.1.1 failed (no such user)\n"
                        "leaf2@x.test 5.1.1 failed (no such user)\n");
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "leaf1@x.test 5.0.0 delayed (not now)\n"
                        "leaf2@x.test 4.2.0 delayed (not now)\n");
    assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 1);
    world_free(world);
}

/* --- hand-overs ------------------------------------------------------------------ */

/* A file in incoming/, and what cleanup would tell of it. */
static void make_handover(struct world *world, const char *recipients,
                          char id[QUEUE_ID_MAX], struct str *text)
{
    struct err err;
    struct view word;
    struct view rest = view_cstr(recipients);
    struct resolve_reply routes[8];
    struct handover handover = {.routes = routes};
    int fd = queue_create(world->qmgr->dirs, QUEUE_INCOMING, false, id, &err);
    assert_true(fd >= 0);
    struct queue_writer *writer = queue_writer_new(fd, clock_wall());
    queue_writer_sender(writer, VIEW("s@x.test"));
    while (view_next_word(&rest, " ", &word)) {
        struct queue_recipient recipient = {.address = word, .original = word};
        queue_writer_recipient(writer, &recipient);
        routes[handover.count++] = (struct resolve_reply){.transport = VIEW("smtp"),
                                                          .nexthop = VIEW("x.test"),
                                                          .recipient = word,
                                                          .address_class = CLASS_LOCAL};
    }
    queue_writer_content(writer, VIEW("Subject: test\n\nbody\n"));
    assert_int_equal(queue_writer_commit(writer, false, &err), OK);
    handover.queue_id = view_cstr(id);
    assert_true(queue_writer_envelope(writer, &handover.head, &handover.tail));
    assert_true(handover_encode(&handover, text));
    queue_writer_free(&writer);
}

/* Nobody is asked where it goes, and the file is where it was until it is removed. */
static void test_handover(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    STR_AUTO struct str text = {0};
    world_start(world);
    make_handover(world, "ok@x.test ok2@x.test", id, &text);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_MESSAGE, str_view(&text)));
    assert_true(is_in(world, QUEUE_INCOMING, id));
    assert_false(is_in(world, QUEUE_ACTIVE, id));
    /* Told twice, or found by a scan: it is one message. */
    assert_true(qmgr_notice(world->qmgr, NOTIFY_MESSAGE, str_view(&text)));
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(id)));
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->requests),
                        "smtp x.test: ok2@x.test ok@x.test\n");
    world_free(world);
}

static void test_handover_deferred(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    STR_AUTO struct str text = {0};
    world_start(world);
    make_handover(world, "ok@x.test defer@x.test", id, &text);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_MESSAGE, str_view(&text)));
    run_until(world, is_deferred, id);
    assert_false(is_in(world, QUEUE_INCOMING, id));
    assert_string_equal(log_text(world, QUEUE_DEFER_LOG, id),
                        "defer@x.test 4.2.0 delayed (not now)\n");
    world_free(world);
}

/* What takes longer than a second is shown in active/. */
static void test_handover_activated(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    STR_AUTO struct str text = {0};
    make_handover(world, "ok@x.test", id, &text);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_MESSAGE, str_view(&text)));
    message_activate_old(world->qmgr);
    assert_true(is_in(world, QUEUE_INCOMING, id));
    struct message *message = htab_get(world->qmgr->by_id, view_cstr(id));
    assert_non_null(message);
    message->active_time -= 2 * CLOCK_SECOND;
    message_activate_old(world->qmgr);
    assert_true(is_in(world, QUEUE_ACTIVE, id));
    world_start(world);
    run_until(world, is_removed, id);
    world_free(world);
}

/* What cannot be used costs nothing: the file is found. */
static void test_handover_malformed(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    STR_AUTO struct str text = {0};
    world_start(world);
    make_handover(world, "ok@x.test", id, &text);
    struct view cut = view_first(str_view(&text), text.len - 1);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_MESSAGE, cut));
    assert_true(world->qmgr->scan_incoming);
    run_until(world, is_removed, id);
    world_free(world);
}

static void test_verify_only(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world_start(world);
    write_message(world, QUEUE_INCOMING, "s@x.test",
                  "bounce@x.test defer@x.test ok@x.test", 0, QUEUE_FILE_VERIFY_ONLY,
                  id);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(id)));
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "trace <s@x.test>\n"
                        "bounce@x.test 5.1.1 undeliverable (no such user)\n"
                        "defer@x.test 4.2.0 undeliverable (not now)\n"
                        "ok@x.test 2.0.0 deliverable (delivery via test: ok)\n");
    assert_false(is_in(world, QUEUE_TRACE_LOG, id));
    world_free(world);
}

/* A report that could not be queued is not forgotten when nobody is left to deliver to.
 */
static void test_trace_is_kept(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    world->bounce_outcome = TEMPFAIL;
    world_start(world);
    write_message(world, QUEUE_INCOMING, "s@x.test", "ok@x.test", 0,
                  QUEUE_FILE_RECORD_TRACE, id);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(id)));
    run_until(world, is_deferred, id);
    assert_int_equal(pending_in(world, QUEUE_DEFERRED, id), 0);
    str_clear(&world->bounces);
    world->bounce_outcome = OK;
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH_ID, view_cstr(id)));
    run_until(world, is_removed, id);
    assert_string_equal(str_ptr(&world->bounces),
                        "trace <s@x.test>\n"
                        "ok@x.test 2.0.0 relayed (delivery via test: ok)\n");
    world_free(world);
}

/* --- files that are no messages -------------------------------------------------- */

static void test_bad_files(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char zeros[3000] = {0};
    test_write_file(world->dir, "incoming/1234567890", "");
    test_write_file(world->dir, "incoming/1234567891", "not a queue file at all");
    FD_AUTO int fd = open("active/1234567892", O_WRONLY | O_CREAT, 0600);
    assert_true(file_write_all(fd, zeros, sizeof(zeros)));
    world_start(world);
    run_until(world, is_corrupt, "1234567891");
    run_until(world, is_removed, "1234567890");
    run_until(world, is_removed, "1234567892");
    world_free(world);
}

/* A file that is being written is left alone until its writer is done. */
static void test_locked_file(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    write_message(world, QUEUE_INCOMING, "s@x.test", "a@x.test", 0, 0, id);
    int fd = queue_open(world->qmgr->dirs, QUEUE_INCOMING, id, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    world_start(world);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, view_cstr(id)));
    run_until(world, all_quiet, id);
    assert_true(is_in(world, QUEUE_INCOMING, id));
    assert_string_equal(str_ptr(&world->requests), "");
    fd_close(&fd);
    run_until(world, is_removed, id);
    world_free(world);
}

/* A file in active/ on which an agent of an earlier queue manager is at work. */
static void test_file_of_living_agent(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    char id[QUEUE_ID_MAX];
    write_message(world, QUEUE_ACTIVE, "s@x.test", "a@x.test", 0, 0, id);
    int fd = queue_open(world->qmgr->dirs, QUEUE_ACTIVE, id, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    world_start(world);
    (void)task_sleep_until(clock_now() + 50 * CLOCK_MILLISECOND);
    run_until(world, all_quiet, id);
    assert_true(is_in(world, QUEUE_ACTIVE, id));
    fd_close(&fd);
    run_until(world, is_removed, id);
    world_free(world);
}

static void test_bad_announcements(void **state)
{
    (void)state;
    struct world *world = world_new(SETTINGS);
    world_start(world);
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, VIEW("../etc/passwd")));
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, VIEW("")));
    assert_true(qmgr_notice(world->qmgr, NOTIFY_NEW, VIEW("ABCDEF123456")));
    assert_true(qmgr_notice(world->qmgr, NOTIFY_FLUSH_ID, VIEW("ABCDEF123456")));
    assert_false(qmgr_notice(world->qmgr, NOTIFY_FLUSH_SITE, VIEW("x.test")));
    run_until(world, all_quiet, NULL);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_found_by_scan),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_bounced),
        cmocka_unit_test(test_bounced_and_deferred),
        cmocka_unit_test(test_notice_fails),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_expired_bounce),
        cmocka_unit_test(test_forced_expiry),
        cmocka_unit_test(test_delay_warning),
        cmocka_unit_test(test_agent_dies_once),
        cmocka_unit_test(test_agent_dies_twice),
        cmocka_unit_test(test_agent_dies_half_way),
        cmocka_unit_test(test_kept_agent_retires),
        cmocka_unit_test(test_no_transport),
        cmocka_unit_test(test_no_retry_service),
        cmocka_unit_test(test_damaged_content),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_handover),
        cmocka_unit_test(test_handover_deferred),
        cmocka_unit_test(test_handover_activated),
        cmocka_unit_test(test_handover_malformed),
        cmocka_unit_test(test_verify_only),
        cmocka_unit_test(test_trace_is_kept),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_locked_file),
        cmocka_unit_test(test_file_of_living_agent),
        cmocka_unit_test(test_bad_announcements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
