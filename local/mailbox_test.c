/* SPDX-License-Identifier: MIT */
/* Mailboxes, Maildirs and files: their form, their locks, and what may not be written.
 */
#include "local/test_world.h"

#include <sys/file.h>
#include <sys/resource.h>

#define SENT_MBOX "ann@mail.test 2.0.0, status=sent (delivered to mailbox)\n"
#define SENT_MAILDIR "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"

static const char *mailbox_of(struct world *world, const char *content)
{
    (void)unlink("spool/ann");
    assert_string_equal(deliver_content(world, "ann@mail.test", view_cstr(content)),
                        SENT_MBOX);
    return without_dates(&world->arena, content_of(world, "spool/ann"));
}

#define HEAD                                                                           \
    "From s@x.test  DATE\nReturn-Path: <s@x.test>\nX-Original-To: ann@mail.test\n"     \
    "Delivered-To: ann@mail.test\n"

/* --- mbox --- */

static void test_mbox_format(void **state)
{
    (void)state;
    struct world *world = world_new("");
    assert_string_equal(
        mailbox_of(world, "Subject: x\n\nFrom me\n>From quoted\nfrom lower\n From in\n"
                          "xFrom\nFrom\nFrom \n"),
        HEAD "Subject: x\n\n>From me\n>From quoted\nfrom lower\n From in\nxFrom\nFrom\n"
             ">From \n\n");
    assert_string_equal(mailbox_of(world, ""), HEAD "\n");
    assert_string_equal(mailbox_of(world, "no end"), HEAD "no end\n\n");
    assert_string_equal(mailbox_of(world, "x\nFrom "), HEAD "x\n>From \n\n");
    assert_string_equal(mailbox_of(world, "x\nFro"), HEAD "x\nFro\n\n");
    assert_int_equal(mode_of("spool/ann"), 0600);
    assert_int_equal(access("spool/ann.lock", F_OK), -1);
    world_free(world);
}

static void test_mbox_senders(void **state)
{
    (void)state;
    struct world *world = world_new("");
    world->request.sender = VIEW("");
    assert_string_equal(mailbox_of(world, "x\n"),
                        "From MAILER-DAEMON  DATE\nReturn-Path: <>\n"
                        "X-Original-To: ann@mail.test\nDelivered-To: ann@mail.test\n"
                        "x\n\n");
    world->request.sender = VIEW("a b@x.test");
    assert_true(view_starts(view_cstr(mailbox_of(world, "x\n")),
                            VIEW("From \"a b\"@x.test  DATE\nReturn-Path: <\"a "
                                 "b\"@x.test>\n")));
    world_free(world);
}

static void test_mbox_appends(void **state)
{
    (void)state;
    struct world *world = world_new("");
    (void)deliver_content(world, "ann@mail.test", VIEW("one\n"));
    (void)deliver_content(world, "ann@mail.test", VIEW("two\n"));
    assert_string_equal(without_dates(&world->arena, content_of(world, "spool/ann")),
                        HEAD "one\n\n" HEAD "two\n\n");
    world_free(world);
}

/* "From " around the border between two reads of the queue file. */
static void test_mbox_chunk_borders(void **state)
{
    (void)state;
    enum { CHUNK = 64 * 1024 };
    struct world *world = world_new("message_size_limit = 0\nmailbox_size_limit = 0\n");
    for (size_t shift = 0; shift <= 7; shift++) {
        struct str content = {0};
        struct str expected = {0};
        while (content.len < CHUNK - shift) {
            str_add_byte(&content, content.len == CHUNK - shift - 1 ? '\n' : 'x');
        }
        str_add_cstr(&expected, HEAD);
        str_add(&expected, str_view(&content));
        str_add_cstr(&content, "From here\nFroM there\n");
        str_add_cstr(&expected, ">From here\nFroM there\n\n");
        assert_string_equal(mailbox_of(world, str_ptr(&content)), str_ptr(&expected));
        str_done(&content);
        str_done(&expected);
    }
    world_free(world);
}

/* A write that fails leaves what was there before. */
static void test_mbox_truncated_after_failure(void **state)
{
    (void)state;
    struct world *world = world_new("message_size_limit = 0\nmailbox_size_limit = 0\n");
    struct rlimit before;
    struct str large = {0};
    for (int i = 0; i < 300000; i++) {
        str_add_byte(&large, i % 70 == 69 ? '\n' : 'x');
    }
    test_write_file("spool", "ann", "what was there\n");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    world->recipients[0] = (struct queue_recipient){.address = VIEW("ann@mail.test")};
    write_message(world, str_view(&large));
    str_clear(&world->log);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    local_agent_deliver(world->local, &world->request, &world->arena, &world->reply);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(
        strstr(str_ptr(&world->log),
               "ann@mail.test 5.2.2, status=bounced (cannot update mailbox "));
    assert_non_null(strstr(str_ptr(&world->log),
                           " for user ann. error writing message: File too large)"));
    assert_string_equal(content_of(world, "spool/ann"), "what was there\n");
    assert_int_equal(access("spool/ann.lock", F_OK), -1);
    str_done(&large);
    world_free(world);
}

static void test_mailbox_size_limit(void **state)
{
    (void)state;
    struct world *world =
        world_new("message_size_limit = 100\nmailbox_size_limit = 200\n");
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MBOX);
    const char *before = content_of(world, "spool/ann");
    assert_non_null(strstr(deliver(world, "ann@mail.test"),
                           " for user ann. error writing message: File too large)"));
    assert_string_equal(content_of(world, "spool/ann"), before);
    world_free(world);
    world = world_new("message_size_limit = 100\nmailbox_size_limit = 100\n"
                      "home_mailbox = Maildir/\n");
    assert_string_equal(deliver(world, "ann@mail.test"),
                        "ann@mail.test 5.2.2, status=bounced (maildir delivery failed: "
                        "error writing message: File too large)\n");
    assert_int_equal(files_in("ann/Maildir/tmp") + files_in("ann/Maildir/new"), 0);
    world_free(world);
}

static const struct {
    const char *prepare, *log;
    bool privileged_only;
} refusals[] = {
    {"mkdir spool/ann",
     "5.2.0, status=bounced (cannot update mailbox %s/spool/ann for "
     "user ann. cannot open file: Is a directory)\n",
     false},
    {"mkfifo spool/ann",
     "5.2.0, status=bounced (cannot update mailbox %s/spool/ann for "
     "user ann. cannot open file: No such device or address)\n",
     false},
    {"touch spool/ann spool/x; ln -f spool/ann spool/x",
     "5.2.0, status=bounced (cannot update mailbox %s/spool/ann for user ann. file has "
     "2 "
     "hard links)\n",
     false},
    {"ln -s /no/where spool/ann",
     "5.2.0, status=bounced (cannot update mailbox "
     "%s/spool/ann for user ann. cannot open "
     "file: No such file or directory)\n",
     false},
    {"touch spool/ann.lock",
     "4.2.0, status=deferred (cannot update mailbox "
     "%s/spool/ann for user ann. unable to "
     "create lock file %s/spool/ann.lock: File exists)\n",
     false},
    {"rmdir spool",
     "5.2.0, status=bounced (cannot update mailbox %s/spool/ann for user "
     "ann. unable to create lock file %s/spool/ann.lock: No such file or "
     "directory)\n",
     false},
    {"touch spool/ann; chown 12345 spool/ann",
     "4.2.0, status=deferred (cannot update mailbox %s/spool/ann for user ann. "
     "destination %s/spool/ann is not owned by recipient)\n",
     true},
    {"touch spool/x; ln -s x spool/ann; chown -h 12345 spool/ann",
     "5.2.0, status=bounced (cannot update mailbox %s/spool/ann for user ann. file is "
     "a "
     "symbolic link)\n",
     true},
};

static void run(const char *command)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* TEXT with DIR for each "%s". */
static const char *fill_in(struct world *world, const char *text)
{
    struct str out = {0};
    for (const char *at; (at = strstr(text, "%s")) != NULL; text = at + 2) {
        str_add(&out, view_of(text, (size_t)(at - text)));
        str_add_cstr(&out, world->dir);
    }
    str_add_cstr(&out, text);
    const char *result = arena_strdup(&world->arena, str_ptr(&out));
    str_done(&out);
    return result;
}

static void test_mailbox_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        if (refusals[i].privileged_only && geteuid() != 0) {
            continue;
        }
        struct world *world = world_new("");
        run(refusals[i].prepare);
        const char *log = strstr(deliver(world, "ann@mail.test"), "ann@mail.test ");
        assert_non_null(log);
        assert_string_equal(log + strlen("ann@mail.test "),
                            fill_in(world, refusals[i].log));
        assert_false(is_marked(world));
        world_free(world);
    }
}

/* A lock of somebody else's, by each means. */
static void test_locks(void **state)
{
    (void)state;
    static const char *const means[] = {"fcntl", "flock"};
    for (size_t i = 0; i < ARRAY_SIZE(means); i++) {
        char settings[100];
        int ready[2];
        char byte;
        (void)snprintf(settings, sizeof(settings), "mailbox_delivery_lock = %s\n",
                       means[i]);
        struct world *world = world_new(settings);
        test_write_file("spool", "ann", "");
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0) {
            int fd = open("spool/ann", O_RDWR);
            bool locked = i == 0 ? file_lock(fd, false) : flock(fd, LOCK_EX) == 0;
            (void)!write(ready[1], locked ? "y" : "n", 1);
            (void)pause();
            _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_true(byte == 'y');
        assert_non_null(strstr(deliver(world, "ann@mail.test"),
                               "4.2.0, status=deferred (cannot update mailbox "));
        assert_non_null(strstr(str_ptr(&world->log),
                               "unable to lock for exclusive access: Resource "));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_string_equal(deliver(world, "ann@mail.test"), SENT_MBOX);
        (void)close(ready[0]);
        (void)close(ready[1]);
        world_free(world);
    }
}

/* A lock file that nobody has touched for long is nobody's. */
static void test_stale_lock(void **state)
{
    (void)state;
    struct world *world =
        world_new("stale_lock_time = 10s\ndeliver_lock_attempts = 2\n");
    test_write_file("spool", "ann.lock", "");
    run("touch -d '1 minute ago' spool/ann.lock");
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MBOX);
    assert_int_equal(access("spool/ann.lock", F_OK), -1);
    world_free(world);
}

/* --- files --- */

static void test_files(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    char settings[1000];
    (void)snprintf(settings, sizeof(settings),
                   "alias_maps = inline:{ {f = %s/file}, {null = /dev/null}, {no = "
                   "/proc/nofile}, {md = %s/md/}, {d = %s} }\n",
                   dir, dir, dir);
    struct world *world = world_new(settings);
    char *path = xasprintf("%s/file", dir);
    (void)deliver_content(world, "f@mail.test", VIEW("x\nFrom y\n"));
    assert_non_null(strstr(content_of(world, path), "\nx\n>From y\n\n"));
    assert_int_equal(mode_of(path), 0600);
    assert_string_equal(deliver(world, "null@mail.test"),
                        "null@mail.test 2.0.0, status=sent (delivered to file: "
                        "/dev/null)\n");
    assert_string_equal(
        deliver(world, "no@mail.test"),
        "warning: unable to create lock file /proc/nofile.lock: No such file or "
        "directory\n"
        "no@mail.test 5.2.0, status=bounced (cannot append message to file "
        "/proc/nofile: "
        "cannot create file exclusively: No such file or directory)\n");
    assert_string_equal(deliver(world, "md@mail.test"),
                        "md@mail.test 2.0.0, status=sent (delivered to maildir)\n");
    assert_non_null(
        strstr(deliver(world, "d@mail.test"), ": cannot open file: Is a directory)\n"));
    free(path);
    world_free(world);
    test_remove_dir(dir);
}

static void test_restricted(void **state)
{
    (void)state;
    struct world *world =
        world_new("allow_mail_to_files = forward\nallow_mail_to_commands =\n"
                  "alias_maps = inline:{ {f = /tmp/nofile}, {c = |true} }\n");
    assert_string_equal(deliver(world, "f@mail.test"),
                        "f@mail.test 5.7.1, status=bounced (mail to file is "
                        "restricted)\n");
    assert_string_equal(deliver(world, "c@mail.test"),
                        "c@mail.test 5.7.1, status=bounced (mail to command is "
                        "restricted)\n");
    world_free(world);
}

/* --- Maildir --- */

static void test_maildir(void **state)
{
    (void)state;
    struct world *world = world_new("home_mailbox = Mail/dir/\n");
    static const char *const dirs[] = {"ann/Mail", "ann/Mail/dir", "ann/Mail/dir/tmp",
                                       "ann/Mail/dir/new", "ann/Mail/dir/cur"};
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MAILDIR);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        assert_int_equal(mode_of(dirs[i]), 0700);
    }
    assert_int_equal(files_in("ann/Mail/dir/new"), 1);
    assert_int_equal(files_in("ann/Mail/dir/tmp"), 0);
    DIR *dir = opendir("ann/Mail/dir/new");
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL && entry->d_name[0] == '.') {
    }
    char *path = xasprintf("ann/Mail/dir/new/%s", entry->d_name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char expected[100];
    (void)snprintf(expected, sizeof(expected), ".V%llxI%llxM",
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    assert_non_null(strstr(entry->d_name, expected));
    assert_true(view_ends_nocase(view_cstr(entry->d_name),
                                 view_cstr(world->local->maildirs.host)));
    assert_string_equal(content_of(world, path),
                        "Return-Path: <s@x.test>\nX-Original-To: ann@mail.test\n"
                        "Delivered-To: ann@mail.test\nSubject: test\n\nFrom "
                        "line\nbody\n");
    (void)closedir(dir);
    free(path);
    world_free(world);
}

static void test_maildir_names_differ(void **state)
{
    (void)state;
    struct world *world = world_new("home_mailbox = Maildir/\n");
    for (int i = 0; i < 50; i++) {
        assert_string_equal(deliver(world, "ann@mail.test"), SENT_MAILDIR);
    }
    assert_int_equal(files_in("ann/Maildir/new"), 50);
    /* One that lacks new/ is repaired. */
    run("rm -r ann/Maildir/new");
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MAILDIR);
    world_free(world);
}

static void test_maildir_fails(void **state)
{
    (void)state;
    struct world *world = world_new("home_mailbox = Maildir/\n");
    test_write_file("ann", "Maildir", "");
    const char *log = deliver(world, "ann@mail.test");
    assert_non_null(strstr(log, "ann@mail.test 5.2.0, status=bounced (maildir delivery "
                                "failed: create maildir file "));
    assert_non_null(strstr(log, ": Not a directory)\n"));
    world_free(world);
}

/* Larger than what is written at once. */
static void test_maildir_large(void **state)
{
    (void)state;
    struct world *world = world_new("home_mailbox = Maildir/\n");
    struct str large = {0};
    while (large.len < 300000) {
        str_printf(&large, "line %zu\n", large.len);
    }
    assert_string_equal(deliver_content(world, "ann@mail.test", str_view(&large)),
                        SENT_MAILDIR);
    run("cat ann/Maildir/new/* > whole");
    assert_true(
        view_ends_nocase(view_cstr(content_of(world, "whole")), str_view(&large)));
    str_done(&large);
    world_free(world);
}

static void test_prepended_headers(void **state)
{
    (void)state;
    struct world *world = world_new("prepend_delivered_header = command\n");
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MBOX);
    const char *text = content_of(world, "spool/ann");
    assert_null(strstr(text, "Delivered-To:"));
    assert_non_null(strstr(text, "X-Original-To: ann@mail.test\n"));
    world_free(world);
}

static void test_home_directory(void **state)
{
    (void)state;
    struct world *world = world_new("require_home_directory = yes\n");
    assert_string_equal(deliver(world, "ann@mail.test"), SENT_MBOX);
    run("rmdir ann");
    assert_non_null(strstr(deliver(world, "ann@mail.test"),
                           "4.3.0, status=deferred (cannot access home directory "));
    world_free(world);
}

static void test_damaged(void **state)
{
    (void)state;
    struct world *world = world_new("home_mailbox = Maildir/\n");
    world->recipients[0] = (struct queue_recipient){.address = VIEW("ann@mail.test")};
    write_message(world, VIEW("Subject: x\n\nbody\n"));
    FD_AUTO int fd = queue_open(world->dirs, QUEUE_ACTIVE, world->id, O_RDWR);
    assert_true(file_pwrite_all(fd, "B", 1, world->request.content_offset + 12));
    local_agent_deliver(world->local, &world->request, &world->arena, &world->reply);
    assert_true(world->reply.damaged);
    assert_int_equal(access("ann/Maildir", F_OK), -1);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mbox_format),
        cmocka_unit_test(test_mbox_senders),
        cmocka_unit_test(test_mbox_appends),
        cmocka_unit_test(test_mbox_chunk_borders),
        cmocka_unit_test(test_mbox_truncated_after_failure),
        cmocka_unit_test(test_mailbox_size_limit),
        cmocka_unit_test(test_mailbox_refused),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_stale_lock),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_restricted),
        cmocka_unit_test(test_maildir),
        cmocka_unit_test(test_maildir_names_differ),
        cmocka_unit_test(test_maildir_fails),
        cmocka_unit_test(test_maildir_large),
        cmocka_unit_test(test_prepended_headers),
        cmocka_unit_test(test_home_directory),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
