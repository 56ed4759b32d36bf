/* SPDX-License-Identifier: MIT */
/* Commands as recipients: their world, their end, and their time. */
#include "local/test_world.h"

static struct world *world_with(const char *command, const char *settings)
{
    char text[1000];
    (void)snprintf(text, sizeof(text), "alias_maps = inline:{ {c = \"|%s\"} }\n%s",
                   command, settings);
    return world_new(text);
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *command, *log;
    } rows[] = {
        {"exit 0", "2.0.0, status=sent (delivered to command: exit 0)\n"},
        {"cat > /dev/null; echo fine",
         "2.0.0, status=sent (delivered to command: cat > /dev/null; echo fine)\n"},
        {"exit 67", "5.1.1, status=bounced (user unknown)\n"},
        {"exit 65", "5.6.0, status=bounced (data format error)\n"},
        {"exit 73", "5.2.0, status=bounced (can't create user output file)\n"},
        {"exit 78", "5.3.5, status=bounced (local configuration error)\n"},
        {"exit 99",
         "5.3.0, status=bounced (Command died with status 99: \"exit 99\")\n"},
        {"echo please wait; exit 75",
         "4.3.0, status=deferred (temporary failure. Command "
         "output: please wait )\n"},
        {"exit 71", "4.3.0, status=deferred (system resource problem)\n"},
        {"echo some output; exit 1",
         "5.3.0, status=bounced (Command died with status 1: \"echo some output; exit "
         "1\". Command output: some output )\n"},
        {"echo 5.7.1 no way; exit 69", "5.7.1, status=bounced (no way )\n"},
        {"echo 4.7.1 hmm; exit 1", "4.7.1, status=deferred (hmm )\n"},
        {"echo 2.0.0 x; exit 1", "5.0.0, status=bounced (x )\n"},
        {"echo 5.7.1 ignored", "2.0.0, status=sent (delivered to command: echo 5.7.1 "
                               "ignored)\n"},
        {"printf 'a\\\\nb\\\\n' >&2; exit 1",
         "5.3.0, status=bounced (Command died with status 1: \"printf 'a\\nb\\n' >&2; "
         "exit "
         "1\". Command output: a b )\n"},
        {"nosuchcmd",
         "5.3.0, status=bounced (Command died with status 127: \"nosuchcmd\". Command "
         "output: /bin/sh: 1: nosuchcmd: not found )\n"},
        {"/bin/true", "2.0.0, status=sent (delivered to command: /bin/true)\n"},
        {"/no/such/cmd arg",
         "fatal: execvp /no/such/cmd: No such file or directory\n"
         "c@mail.test 4.3.0, status=deferred (temporary failure. Command output: "
         "local: "
         "fatal: execvp /no/such/cmd: No such file or directory )\n"},
        {"/no/such/cmd arg; true",
         "2.0.0, status=sent (delivered to command: /no/such/cmd arg; true)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_with(rows[i].command, "");
        const char *log = deliver(world, "c@mail.test");
        log += view_starts(view_cstr(log), VIEW("c@mail.test ")) ? 12 : 0;
        assert_string_equal(log, rows[i].log);
        world_free(world);
    }
}

static void test_killed(void **state)
{
    (void)state;
    struct world *world = world_with("kill -9 $$$$", "");
    assert_string_equal(
        deliver(world, "c@mail.test"),
        "c@mail.test 5.3.0, status=bounced (Command died with signal 9: "
        "\"kill -9 $$\")\n");
    world_free(world);
}

static void test_input(void **state)
{
    (void)state;
    struct world *world = world_with("cat > got", "");
    (void)deliver_content(world, "c@mail.test", VIEW("Subject: x\n\nFrom here"));
    const char *got = content_of(world, "got");
    assert_true(view_starts(view_cstr(got), VIEW("From s@x.test  ")));
    assert_non_null(strstr(got,
                           "\nReturn-Path: <s@x.test>\nX-Original-To: c@mail.test\n"
                           "Delivered-To: c@mail.test\nSubject: x\n\nFrom here"));
    assert_true(view_ends_nocase(view_cstr(got), VIEW("From here")));
    world_free(world);
}

/* A command that does not want its input, or only a part of a large one. */
static void test_input_not_read(void **state)
{
    (void)state;
    static const char *const commands[] = {"true", "exec 0<&-; true",
                                           "head -c 10 > got"};
    struct str large = {0};
    while (large.len < 500000) {
        str_add_cstr(&large, "a line of the message\n");
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct world *world = world_with(commands[i], "");
        const char *log = deliver_content(world, "c@mail.test", str_view(&large));
        assert_non_null(strstr(log, "2.0.0, status=sent"));
        world_free(world);
    }
    str_done(&large);
}

/* Much output before the input is read, and much input: nobody waits for the other. */
static void test_much_of_both(void **state)
{
    (void)state;
    struct str large = {0};
    while (large.len < 500000) {
        str_add_cstr(&large, "a line of the message\n");
    }
    struct world *world = world_with("head -c 300000 /dev/zero; cat > got; exit 1", "");
    const char *log = deliver_content(world, "c@mail.test", str_view(&large));
    assert_non_null(strstr(log, "5.3.0, status=bounced (Command died with status 1"));
    assert_true(strlen(content_of(world, "got")) > 500000);
    str_done(&large);
    world_free(world);
}

static const char *line_of(const char *text, const char *name)
{
    static char value[1000];
    struct view rest = view_cstr(text);
    struct view line;
    while (view_next_word(&rest, "\n", &line)) {
        if (view_starts(line, view_cstr(name)) && line.ptr[strlen(name)] == '=') {
            (void)snprintf(value, sizeof(value), "%.*s",
                           VIEW_ARG(view_from(line, strlen(name) + 1)));
            return value;
        }
    }
    return NULL;
}

static void test_environment(void **state)
{
    (void)state;
    struct queue_attribute attributes[] = {
        {VIEW("client_address"), VIEW("192.0.2.1")},
        {VIEW("helo_name"), VIEW("a`b$(c)\nd")},
    };
    assert_int_equal(setenv("LEAK", "secret", 1), 0);
    assert_int_equal(setenv("LANG", "C", 1), 0);
    struct world *world =
        world_with("env > got; pwd >> got; umask >> got; ls -l /proc/self/fd | grep -c "
                   "pipe >> got",
                   "recipient_delimiter = +\nexport_environment = LANG EXTRA=x\n");
    world->request.attributes = attributes;
    world->request.attribute_count = 2;
    world->request.sender = VIEW("a;b c@x.test");
    (void)deliver(world, "C+Ext@mail.test");
    const char *got = content_of(world, "got");
    assert_string_equal(line_of(got, "LOCAL"), "c+ext");
    assert_string_equal(line_of(got, "DOMAIN"), "mail.test");
    assert_string_equal(line_of(got, "EXTENSION"), "ext");
    assert_string_equal(line_of(got, "RECIPIENT"), "C+Ext@mail.test");
    assert_string_equal(line_of(got, "ORIGINAL_RECIPIENT"), "C+Ext@mail.test");
    assert_string_equal(line_of(got, "SENDER"), "a_b_c@x.test");
    assert_string_equal(line_of(got, "USER"), "c");
    assert_string_equal(line_of(got, "LOGNAME"), "c");
    assert_string_equal(line_of(got, "CLIENT_ADDRESS"), "192.0.2.1");
    assert_string_equal(line_of(got, "CLIENT_HELO"), "a_b__c__d");
    assert_string_equal(line_of(got, "LANG"), "C");
    assert_string_equal(line_of(got, "EXTRA"), "x");
    assert_string_equal(line_of(got, "PATH"), "/usr/bin:/bin");
    assert_null(line_of(got, "LEAK"));
    assert_null(line_of(got, "HOME"));
    assert_null(line_of(got, "CLIENT_PROTOCOL"));
    char ending[1000];
    (void)snprintf(ending, sizeof(ending), "\n%s\n0077\n", world->dir);
    assert_non_null(strstr(got, ending));
    world_free(world);
}

/* In a user's own name: his home and shell are known. */
static void test_mailbox_command(void **state)
{
    (void)state;
    struct world *world =
        world_new("mailbox_command = env > got\n"
                  "mailbox_command_maps = inline:{ {bob = exit 67} }\n"
                  "command_execution_directory = $home\n");
    assert_string_equal(deliver(world, "ann@mail.test"),
                        "ann@mail.test 2.0.0, status=sent (delivered to command: env > "
                        "got)\n");
    const char *got = content_of(world, "ann/got");
    assert_string_equal(line_of(got, "HOME"), homes[0]);
    assert_string_equal(line_of(got, "SHELL"), "/bin/sh");
    assert_string_equal(line_of(got, "USER"), "ann");
    assert_string_equal(deliver(world, "bob@mail.test"),
                        "bob@mail.test 5.1.1, status=bounced (user unknown)\n");
    assert_int_equal(rmdir("dan"), 0);
    assert_non_null(strstr(deliver(world, "dan@mail.test"),
                           "fatal: cannot change directory to \""));
    assert_non_null(strstr(str_ptr(&world->log),
                           "dan@mail.test 4.3.0, status=deferred (temporary failure."));
    world_free(world);
}

static void test_own_shell(void **state)
{
    (void)state;
    struct world *world =
        world_with("/bin/true", "local_command_shell = /bin/echo -n X\n");
    assert_string_equal(deliver(world, "c@mail.test"),
                        "c@mail.test 2.0.0, status=sent (delivered to command: "
                        "/bin/true)\n");
    world_free(world);
    world = world_with("/bin/true", "local_command_shell = /no/shell -c\n");
    assert_non_null(strstr(deliver(world, "c@mail.test"), "4.3.0, status=deferred"));
    world_free(world);
}

/* Time is up while it works, after it has closed its output, and while a child of it
 * keeps the pipes. */
static void test_time_limit(void **state)
{
    (void)state;
    static const struct {
        const char *command, *log;
    } rows[] = {
        {"sleep 60",
         "5.3.0, status=bounced (Command time limit exceeded: \"sleep 60\")\n"},
        {"exec 1>&- 2>&-; sleep 60",
         "5.3.0, status=bounced (Command time limit exceeded: \"exec 1>&- 2>&-; sleep "
         "60\")\n"},
        {"sleep 60 & exit 0", "5.3.0, status=bounced (Command time limit exceeded: "
                              "\"sleep 60 & exit 0\")\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_with(rows[i].command, "command_time_limit = 1s\n");
        int64_t begin = clock_now();
        const char *log = deliver(world, "c@mail.test");
        assert_string_equal(log + strlen("c@mail.test "), rows[i].log);
        assert_true(clock_now() - begin < 20 * CLOCK_SECOND);
        world_free(world);
    }
}

/* A child that keeps only the input: the delivery is over with its command. */
static void test_child_keeps_input(void **state)
{
    (void)state;
    struct str large = {0};
    while (large.len < 500000) {
        str_add_cstr(&large, "a line of the message\n");
    }
    struct world *world = world_with("sleep 60 < /dev/stdin > /dev/null 2>&1 & exit 0",
                                     "command_time_limit = 1s\n");
    int64_t begin = clock_now();
    const char *log = deliver_content(world, "c@mail.test", str_view(&large));
    assert_non_null(strstr(log, "2.0.0, status=sent"));
    assert_true(clock_now() - begin < 20 * CLOCK_SECOND);
    str_done(&large);
    world_free(world);
}

/* What a command writes is a mailbox, too. */
static void test_size_limit(void **state)
{
    (void)state;
    struct world *world =
        world_with("head -c 5000 /dev/zero > got",
                   "message_size_limit = 1000\nmailbox_size_limit = 2000\n");
    assert_non_null(strstr(deliver(world, "c@mail.test"), "File too large )\n"));
    struct stat st;
    assert_int_equal(stat("got", &st), 0);
    assert_int_equal(st.st_size, 2000);
    world_free(world);
}

/* A command without a shell: none of its words is lost. */
static void test_many_arguments(void **state)
{
    (void)state;
    STR_AUTO struct str command = {0};
    str_add_cstr(&command, "/bin/sh count");
    for (int i = 0; i < 400; i++) {
        str_add_cstr(&command, " x");
    }
    struct world *world = world_with(str_ptr(&command), "");
    test_write_file(world->dir, "count", "echo $#\nexit 1\n");
    assert_non_null(strstr(deliver(world, "c@mail.test"), "Command output: 400 )\n"));
    world_free(world);
}

/* Nobody is left over. */
static void test_no_zombies(void **state)
{
    (void)state;
    struct world *world = world_with("exit 0", "");
    (void)deliver(world, "c@mail.test");
    assert_int_equal(kill(world->children[0], SIGKILL), 0);
    assert_int_equal(waitpid(world->children[0], NULL, 0), world->children[0]);
    world->child_count = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_input_not_read),
        cmocka_unit_test(test_much_of_both),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_mailbox_command),
        cmocka_unit_test(test_own_shell),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_child_keeps_input),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_many_arguments),
        cmocka_unit_test(test_no_zombies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
