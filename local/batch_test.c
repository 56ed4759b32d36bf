/* SPDX-License-Identifier: MIT */
/* Requests that come together. */
#include "local/test_world.h"

#include <sys/socket.h>

#include "local/agent.h"

enum { REQUESTS = 3 };

struct batch_world {
    struct world *world;
    int client; /* the queue manager's end */
    struct stream *agent;
    char ids[REQUESTS][QUEUE_ID_MAX];
};

static void begin(struct batch_world *b, const char *settings)
{
    int fds[2];
    b->world = world_new(settings);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    b->client = fds[0];
    b->agent = stream_new(fds[1]);
}

static void end(struct batch_world *b)
{
    stream_free(&b->agent);
    (void)close(b->client);
    world_free(b->world);
}

/* A message for each of RECIPIENTS, all sent before anything is read. */
static void ask(struct batch_world *b, const char *const *recipients, bool may_remove)
{
    struct world *world = b->world;
    struct stream *qmgr = stream_new_pair(b->client, b->client);
    for (size_t i = 0; i < REQUESTS; i++) {
        world->recipients[0] =
            (struct queue_recipient){.address = view_cstr(recipients[i])};
        write_message(world, VIEW("Subject: x\n\nbody\n"));
        memcpy(b->ids[i], world->id, sizeof(b->ids[i]));
        world->request.may_remove = may_remove;
        assert_true(deliver_put_request(qmgr, &world->request));
    }
    assert_true(stream_flush(qmgr));
    stream_free(&qmgr);
}

static bool is_there(const struct batch_world *b, size_t i)
{
    FD_AUTO int fd = queue_open(b->world->dirs, QUEUE_ACTIVE, b->ids[i], O_RDONLY);
    return fd >= 0;
}

static void assert_statuses(struct batch_world *b, const char *wanted)
{
    struct stream *qmgr = stream_new_pair(b->client, b->client);
    char got[REQUESTS + 1] = {0};
    for (size_t i = 0; i < REQUESTS; i++) {
        struct deliver_reply reply;
        assert_true(deliver_receive_reply(qmgr, &b->world->arena, &reply));
        assert_int_equal(reply.count, 1);
        assert_true(reply.batch > 1);
        got[i] = (char)reply.outcomes[0].status;
        assert_int_equal(reply.removed, !is_there(b, i));
    }
    assert_string_equal(got, wanted);
    stream_free(&qmgr);
}

static void test_together(void **state)
{
    (void)state;
    static const char *const recipients[] = {"ann@mail.test", "no@mail.test",
                                             "ann@mail.test"};
    struct batch_world b;
    begin(&b, "home_mailbox = Maildir/\n");
    ask(&b, recipients, true);
    assert_true(local_agent_serve(b.world->local, b.agent));
    assert_statuses(&b, "sbs");
    assert_false(is_there(&b, 0)); /* nobody needs the file any more */
    assert_true(is_there(&b, 1));  /* the sender will be told */
    assert_string_equal(str_ptr(&b.world->log),
                        "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
                        "no@mail.test 5.1.1, status=bounced (unknown user: \"no\")\n"
                        "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n");
    end(&b);
}

/* Without leave the file stays, and its recipient is marked. */
static void test_not_removed(void **state)
{
    (void)state;
    static const char *const recipients[] = {"ann@mail.test", "ann@mail.test",
                                             "ann@mail.test"};
    struct batch_world b;
    begin(&b, "home_mailbox = Maildir/\n");
    ask(&b, recipients, false);
    assert_true(local_agent_serve(b.world->local, b.agent));
    assert_statuses(&b, "sss");
    assert_true(is_there(&b, 2) && is_marked(b.world));
    end(&b);
}

/* A command sees that the message before it is where it belongs, and its queue file
 * gone: who comes first does not wait for the slow. */
static void test_slow_command(void **state)
{
    (void)state;
    static const char *const recipients[] = {"ann@mail.test", "run@mail.test",
                                             "ann@mail.test"};
    struct batch_world b;
    begin(&b, "home_mailbox = Maildir/\nallow_mail_to_commands = alias\n"
              "alias_maps = inline:{ { run = \"|ls ann/Maildir/new active | wc -w > "
              "got\" } }\n"
              "command_execution_directory =\n");
    ask(&b, recipients, true);
    assert_true(local_agent_serve(b.world->local, b.agent));
    assert_statuses(&b, "sss");
    /* Two names of folders, one message, two queue files. */
    assert_string_equal(content_of(b.world, "got"), "5\n");
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_not_removed),
        cmocka_unit_test(test_slow_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
