/* SPDX-License-Identifier: MIT */
/* Aliases, :include: files, .forward files, luser_relay: who gets the mail. */
#include "local/test_world.h"

#define MAILDIR "home_mailbox = Maildir/\n"

/* --- aliases --- */

static void test_aliases(void **state)
{
    (void)state;
    static const struct {
        const char *aliases, *recipient, *log;
    } rows[] = {
        {"{team = ann, bob}", "team@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{team = ann, ann, ANN@localhost}", "team@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{nested = team, cat}, {team = ann}", "Nested@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "cat@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{ann = ann, bob}", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{self = self}", "self@mail.test",
         "self@mail.test 5.1.1, status=bounced (unknown user: \"self\")\n"},
        {"{a1 = a2}, {a2 = a1}", "a1@mail.test",
         "warning: alias database loop for a2\n"
         "a2@mail.test 5.4.6, status=bounced (alias database loop for a2)\n"},
        {"{a = b}, {b = c}, {c = a}", "a@mail.test",
         "warning: alias database loop for b\n"
         "b@mail.test 5.4.6, status=bounced (alias database loop for b)\n"},
        {"{a = ann <ann@mail.test>, (two, words) bob}", "a@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{a = ann bob}", "a@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{a = ann, #bob}", "a@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "#bob@mail.test 5.1.1, status=bounced (unknown user: \"#bob\")\n"},
        {"{a = <>}", "a@mail.test",
         "warning: no recipient in alias lookup result for a\n"
         "a@mail.test 4.3.0, status=deferred (alias database unavailable)\n"},
        {"{a = nobody1, nobody2, ann}", "a@mail.test",
         "nobody1@mail.test 5.1.1, status=bounced (unknown user: \"nobody1\")\n"
         "nobody2@mail.test 5.1.1, status=bounced (unknown user: \"nobody2\")\n"
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"{a = broken}", "a@mail.test",
         "broken@mail.test 4.3.0, status=deferred (user lookup error: Input/output "
         "error)\n"},
        {"{a = :include:rel/path}", "a@mail.test",
         "warning: :include:rel/path uses a relative path\n"
         "a@mail.test 5.3.5, status=bounced (mail system configuration error)\n"},
        {"{a = :include:/no/such/file}", "a@mail.test",
         "warning: unable to lookup :include: file /no/such/file: No such file or "
         "directory\n"
         "a@mail.test 5.3.5, status=bounced (mail system configuration error)\n"},
        {"{a = :include:/tmp}", "a@mail.test",
         "warning: :include: file /tmp is not a regular file\n"
         "a@mail.test 5.3.5, status=bounced (mail system configuration error)\n"},
        {"{postmaster = ann}", "mailer-daemon@mail.test",
         "warning: required alias not found: mailer-daemon\n"
         "mailer-daemon@mail.test 2.0.0, status=sent (discarded)\n"},
        {"{x = y}", "double-bounce@mail.test",
         "double-bounce@mail.test 2.0.0, status=sent (undeliverable postmaster "
         "notification discarded)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char settings[500];
        (void)snprintf(settings, sizeof(settings), MAILDIR "alias_maps = inline:{%s}\n",
                       rows[i].aliases);
        struct world *world = world_new(settings);
        assert_string_equal(deliver(world, rows[i].recipient), rows[i].log);
        world_free(world);
    }
}

/* The recipient is as good as its worst part, and every part is reported. */
static void test_outcome_of_tree(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR
        "alias_maps = inline:{ {bounce = ann, nobody}, {mix = nobody, broken} }\n");
    (void)deliver(world, "bounce@mail.test");
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_BOUNCED);
    assert_int_equal(world->reply.leaf_count, 2);
    assert_view_equal(world->reply.leaves[1].address, "nobody@mail.test");
    assert_int_equal(world->reply.leaves[1].outcome.status, DELIVER_BOUNCED);
    assert_false(is_marked(world));
    (void)deliver(world, "mix@mail.test");
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_DEFERRED);
    assert_view_equal(world->reply.outcomes[0].dsn, "4.3.0");
    (void)deliver(world, "ann@mail.test");
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_SENT);
    assert_true(is_marked(world));
    world_free(world);
}

/* Two members each, twenty levels: a million if everything were expanded. */
static void test_explosion(void **state)
{
    (void)state;
    struct str settings = {0};
    str_add_cstr(&settings, MAILDIR "alias_maps = inline:{");
    for (int i = 0; i < 20; i++) {
        str_printf(&settings, " {a%d = a%d, a%d, a%d}", i, i + 1, i + 1, i + 2);
    }
    str_add_cstr(&settings, " {a20 = ann} {a21 = bob} }\n");
    struct world *world = world_new(str_ptr(&settings));
    assert_string_equal(deliver(world, "a0@mail.test"),
                        "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
                        "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n");
    world_free(world);
    str_done(&settings);
}

static void test_deep_aliases(void **state)
{
    (void)state;
    struct str settings = {0};
    str_add_cstr(&settings, MAILDIR "alias_maps = inline:{");
    for (int i = 0; i < 200; i++) {
        str_printf(&settings, " {a%d = a%d}", i, i + 1);
    }
    str_add_cstr(&settings, " }\n");
    struct world *world = world_new(str_ptr(&settings));
    assert_string_equal(deliver(world, "a0@mail.test"),
                        "a101@mail.test 5.4.6, status=bounced (alias expansion is too "
                        "deep)\n");
    world_free(world);
    str_done(&settings);
}

/* --- forwarding --- */

static void test_forwarded(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR "alias_maps = inline:{ {team = ann, r1@out.test, r2@out.test, "
                "R1@OUT.test} }\n");
    assert_string_equal(deliver(world, "Team@mail.test"),
                        "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
                        "Team@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n");
    const char *forwarded = content_of(world, "forwarded");
    assert_true(view_starts(view_cstr(forwarded),
                            VIEW("FROM <s@x.test>\nTO <r1@out.test> (Team@mail.test)\n"
                                 "TO <r2@out.test> (Team@mail.test)\n"
                                 "Received: by mail.test (Postfix)\n\tid F0F0F1; ")));
    assert_non_null(strstr(forwarded,
                           "\nDelivered-To: team@mail.test\nSubject: test\n\n"
                           "From line\nbody\nEND\n"));
    world_free(world);
}

/* What will be tried again as a whole is not forwarded yet. */
static void test_not_forwarded_when_deferred(void **state)
{
    (void)state;
    struct world *world =
        world_new(MAILDIR "alias_maps = inline:{ {team = r1@out.test, broken} }\n");
    (void)deliver(world, "team@mail.test");
    assert_string_equal(content_of(world, "forwarded"), "");
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_DEFERRED);
    world_free(world);
}

/* An owner- alias takes over as the sender of what its list forwards. */
static void test_owner(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR
        "recipient_delimiter = +\nalias_maps = inline:{ {list = team, bob, "
        "\"|cat > copy\"}, {team = ann}, {owner-list = dan}, {outer = list, dan, "
        "x@out.test} }\n");
    assert_string_equal(
        deliver(world, "list+ext@mail.test"),
        "list+ext@mail.test 2.0.0, status=sent (delivered to command: "
        "cat > copy)\n"
        "list+ext@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n");
    const char *forwarded = content_of(world, "forwarded");
    assert_true(view_starts(
        view_cstr(forwarded),
        VIEW("FROM <owner-list@mail.test>\nTO <ann@mail.test> (ann@mail.test)\n"
             "TO <bob@mail.test> (bob@mail.test)\n")));
    assert_non_null(strstr(forwarded, "\nDelivered-To: list+ext@mail.test\n"));
    assert_non_null(
        strstr(content_of(world, "copy"), "Return-Path: <owner-list@mail.test>\n"));
    /* Two messages: one of the list owner's, one of the sender's. */
    assert_int_equal(unlink("forwarded"), 0);
    assert_string_equal(
        deliver(world, "outer@mail.test"),
        "list@mail.test 2.0.0, status=sent (delivered to command: cat > "
        "copy)\n"
        "dan@mail.test 2.0.0, status=sent (delivered to maildir)\n"
        "outer@mail.test 2.0.0, status=sent (forwarded as F0F0F2)\n"
        "outer@mail.test 2.0.0, status=sent (forwarded as F0F0F3)\n");
    forwarded = content_of(world, "forwarded");
    assert_non_null(strstr(forwarded, "FROM <owner-list@mail.test>\n"));
    assert_non_null(strstr(
        forwarded, "FROM <s@x.test>\nTO <x@out.test> (outer@mail.test)\nReceived:"));
    world_free(world);
}

/* A catch-all's answer for owner-NAME is its echo (owner_alias_echo). */
static void test_owner_echo(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *log;
    } rows[] = {
        {"", "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"owner_alias_echo = yes\n",
         "any@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char settings[300];
        (void)snprintf(settings, sizeof(settings),
                       MAILDIR "alias_maps = pcre:{ {/^(?!ann$$|bob$$)/ ann} }\n%s",
                       rows[i].settings);
        struct world *world = world_new(settings);
        assert_string_equal(deliver(world, "any@mail.test"), rows[i].log);
        world_free(world);
    }
    /* Another line of the same table is an owner. */
    struct world *world = world_new(
        MAILDIR "alias_maps = pcre:{ {/^owner-/ bob} {/^(?!ann$$|bob$$)/ ann} }\n");
    assert_string_equal(deliver(world, "any@mail.test"),
                        "any@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n");
    world_free(world);
}

static void test_expand_owner(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR "expand_owner_alias = yes\nalias_maps = inline:{ {list = ann}, "
                "{owner-list = boss@out.test}, {l2 = ann}, {owner-l2 = a, b} }\n");
    (void)deliver(world, "list@mail.test");
    assert_non_null(strstr(content_of(world, "forwarded"), "FROM <boss@out.test>\n"));
    (void)deliver(world, "l2@mail.test");
    assert_non_null(
        strstr(content_of(world, "forwarded"), "FROM <owner-l2@mail.test>\n"));
    world_free(world);
}

static void test_extensions(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR
        "recipient_delimiter = +\npropagate_unmatched_extensions = alias, forward\n"
        "alias_maps = inline:{ {list = ann, x@out.test}, {list+exact = bob} }\n");
    assert_string_equal(deliver(world, "list+e@mail.test"),
                        "ann+e@mail.test 2.0.0, status=sent (delivered to maildir)\n"
                        "list+e@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n");
    assert_non_null(strstr(content_of(world, "forwarded"), "TO <x+e@out.test>"));
    assert_string_equal(deliver(world, "list+exact@mail.test"),
                        "bob@mail.test 2.0.0, status=sent (delivered to maildir)\n");
    test_write_file(homes[3], ".forward", "y@out.test\n");
    (void)deliver(world, "dan+f@mail.test");
    assert_non_null(strstr(content_of(world, "forwarded"), "TO <y+f@out.test>"));
    world_free(world);
}

/* --- :include: --- */

static void test_include(void **state)
{
    (void)state;
    char settings[1000];
    char *dir = test_make_dir();
    (void)snprintf(settings, sizeof(settings),
                   MAILDIR "alias_maps = inline:{ {inc = :include:\"%s/list\"}, "
                           "{ww = :include:%s/ww}, {rec = :include:%s/rec}, {empty = "
                           ":include:%s/empty}, {team = cat} }\n",
                   dir, dir, dir, dir);
    test_write_file(dir, "list",
                    "# comment\nann,\nbob\n  dan\nBob Friend <bob>\nteam\n\"|true\"\n"
                    "/tmp/file\nx@out.test");
    test_write_file(dir, "ww", "ann\n");
    test_write_file(dir, "empty", "# nobody\n\n");
    char *path = xasprintf("%s/ww", dir);
    assert_int_equal(chmod(path, 0666), 0);
    free(path);
    char *self = xasprintf(":include:%s/rec\nann\n", dir);
    test_write_file(dir, "rec", self);
    free(self);
    struct world *world = world_new(settings);
    assert_string_equal(
        deliver(world, "inc@mail.test"),
        "inc@mail.test 5.7.1, status=bounced (mail to command is restricted)\n"
        "inc@mail.test 5.7.1, status=bounced (mail to file is restricted)\n"
        "inc@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n");
    /* Mailboxes are not the list's business; aliases are. */
    assert_true(view_starts(
        view_cstr(content_of(world, "forwarded")),
        VIEW("FROM <s@x.test>\nTO <ann@mail.test> (inc@mail.test)\n"
             "TO <bob@mail.test> (inc@mail.test)\nTO <dan@mail.test> (inc@mail.test)\n"
             "TO <cat@mail.test> (inc@mail.test)\nTO <x@out.test> (inc@mail.test)\n")));
    assert_non_null(strstr(deliver(world, "ww@mail.test"),
                           "is world writable\nww@mail.test "
                           "5.3.5, status=bounced"));
    assert_string_equal(deliver(world, "rec@mail.test"),
                        "rec@mail.test 2.0.0, status=sent (forwarded as F0F0F2)\n");
    assert_string_equal(deliver(world, "empty@mail.test"),
                        "empty@mail.test 2.0.0, status=sent (discarded)\n");
    world_free(world);
    test_remove_dir(dir);
}

/* --- .forward --- */

static void test_forward(void **state)
{
    (void)state;
    static const struct {
        const char *forward, *recipient, *log;
    } rows[] = {
        {"x@out.test", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"\\ann, x@out.test\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "ann@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"ann\n", "ann+ext@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"ann+z, ann@localhost\n", "ann@mail.test",
         "ann+z@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"bob\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"team\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"
         "ann@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"# only a comment\n\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"\"|cat > out; exit 0\"\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to command: cat > out; exit "
         "0)\n"},
        {"|\"cat > out\"\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to command: cat > out)\n"},
        {"nobody\n", "ann@mail.test",
         "ann@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world =
            world_new(MAILDIR "recipient_delimiter = +\n"
                              "alias_maps = inline:{ {team = ann, bob} }\n");
        test_write_file(homes[0], ".forward", rows[i].forward);
        assert_string_equal(deliver(world, rows[i].recipient), rows[i].log);
        world_free(world);
    }
}

static void test_forward_files(void **state)
{
    (void)state;
    struct world *world = world_new(MAILDIR);
    char expected[2000];
    test_write_file(homes[0], ".forward", "~/copy\n\"~/with blank\"\n/dev/null\n");
    (void)snprintf(
        expected, sizeof(expected),
        "ann@mail.test 2.0.0, status=sent (delivered to file: %s/copy)\n"
        "ann@mail.test 2.0.0, status=sent (delivered to file: %s/with blank)\n"
        "ann@mail.test 2.0.0, status=sent (delivered to file: /dev/null)\n",
        homes[0], homes[0]);
    assert_string_equal(deliver(world, "ann@mail.test"), expected);
    world_free(world);
}

static void test_forward_extension(void **state)
{
    (void)state;
    struct world *world = world_new(MAILDIR "recipient_delimiter = +\n");
    test_write_file(homes[0], ".forward", "main@out.test\n");
    test_write_file(homes[0], ".forward+work", "work@out.test\n");
    (void)deliver(world, "ann+work@mail.test");
    (void)deliver(world, "ann+other@mail.test");
    assert_non_null(strstr(content_of(world, "forwarded"), "TO <work@out.test>"));
    assert_non_null(strstr(content_of(world, "forwarded"), "TO <main@out.test>"));
    /* An extension does not lead to other files. */
    test_write_file(homes[1], "secret", "evil@out.test\n");
    assert_int_equal(mkdir("ann/.forward+", 0700), 0);
    const char *log = deliver(world, "ann+/../../bob/secret@mail.test");
    assert_non_null(
        strstr(log, ": address with illegal extension: ann+/../../bob/secret\n"));
    assert_non_null(strstr(log, "status=sent (forwarded as F0F0F3)\n"));
    assert_null(strstr(content_of(world, "forwarded"), "evil"));
    world_free(world);
}

static void test_bad_forward_files(void **state)
{
    (void)state;
    struct world *world = world_new(MAILDIR "recipient_delimiter = +\n");
    test_write_file(homes[0], ".forward", "x@out.test\n");
    assert_int_equal(chmod("ann/.forward", 0666), 0);
    assert_int_equal(mkdir("bob/.forward", 0700), 0);
    assert_int_equal(mkfifo("cat/.forward", 0600), 0);
    const char *log = deliver(world, "ann@mail.test");
    assert_non_null(strstr(log, "/ann/.forward is world writable\nann@mail.test 2.0.0, "
                                "status=sent (delivered to maildir)\n"));
    assert_non_null(strstr(deliver(world, "bob@mail.test"),
                           "/bob/.forward is not a regular file\nbob@"));
    assert_non_null(strstr(deliver(world, "cat@mail.test"),
                           "/cat/.forward is not a regular file\ncat@"));
    /* The first one that is there decides. */
    test_write_file(homes[3], ".forward", "x@out.test\n");
    test_write_file(homes[3], ".forward+e", "y@out.test\n");
    assert_int_equal(chmod("dan/.forward+e", 0666), 0);
    log = deliver(world, "dan+e@mail.test");
    assert_non_null(strstr(log, "status=sent (delivered to maildir)"));
    assert_string_equal(content_of(world, "forwarded"), "");
    world_free(world);
}

/* Whoever owns an :include: file that a .forward names: the user's rights count. */
static void test_include_in_forward(void **state)
{
    (void)state;
    struct world *world =
        world_new(MAILDIR "allow_mail_to_commands = include, forward\n");
    if (geteuid() == 0) {
        assert_int_equal(chmod(world->dir, 0755), 0);
        assert_int_equal(chown(homes[0], 12345, 12345), 0);
        accounts[0].pw_uid = 12345;
        accounts[0].pw_gid = 12345;
        world->context.privileged = true;
        world->local->rights.privileged = true;
    }
    test_write_file(world->dir, "list", "\"|id -u; exit 1\"\nx@out.test\n");
    char *text = xasprintf(":include:%s/list\n", world->dir);
    test_write_file(homes[0], ".forward", text);
    free(text);
    char expected[100];
    (void)snprintf(expected, sizeof(expected), "Command output: %lu )\n",
                   (unsigned long)accounts[0].pw_uid);
    assert_non_null(strstr(deliver(world, "ann@mail.test"), expected));
    assert_non_null(strstr(str_ptr(&world->log), "(forwarded as F0F0F1)\n"));
    world_free(world);
}

/* What root's .forward names gets the rights of default_privs, or does not happen. */
static void test_forward_of_root(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct world *world = world_new(MAILDIR "default_privs = dan\n");
    world->context.privileged = true;
    world->local->rights.privileged = true;
    assert_int_equal(chmod(world->dir, 0777), 0);
    test_write_file(homes[0], ".forward", "\"|id -u; exit 1\"\n");
    assert_non_null(strstr(deliver(world, "ann@mail.test"),
                           "warning: default_privs: unknown or privileged user: dan\n"
                           "ann@mail.test 4.3.5, status=deferred"));
    accounts[3].pw_uid = 12345;
    assert_non_null(
        strstr(deliver(world, "ann@mail.test"), "Command output: 12345 )\n"));
    world_free(world);
}

/* --- loops --- */

static void test_delivered_to(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool loop;
    } rows[] = {
        {"Delivered-To: ann@mail.test\nSubject: x\n\nb\n", true},
        {"Subject: x\ndelivered-to:   <Ann@MAIL.test>\n\nb\n", true},
        {"Subject: x\nDelivered-To:\n ann@mail.test\n\nb\n", true},
        {"Subject: x\n\nDelivered-To: ann@mail.test\n", false},
        {"Subject: x\nno header\nDelivered-To: ann@mail.test\n", false},
        {"X-Delivered-To: ann@mail.test\nSubject: x\n\nb\n", false},
        {"Delivered-To: bob@mail.test\nSubject: x\n\nb\n", false},
        {"Delivered-To: ann@mail.test.example\nSubject: x\n\nb\n", false},
        {"", false},
        {"\nbody only\n", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new(MAILDIR);
        const char *log =
            deliver_content(world, "ann@mail.test", view_cstr(rows[i].headers));
        assert_string_equal(log, rows[i].loop
                                     ? "ann@mail.test 5.4.6, status=bounced (mail "
                                       "forwarding loop for ann@mail.test)\n"
                                     : "ann@mail.test 2.0.0, status=sent (delivered to "
                                       "maildir)\n");
        world_free(world);
    }
}

/* ann forwards to bob and bob to ann: found when the message comes back to ann. */
static void test_forward_loop(void **state)
{
    (void)state;
    struct world *world = world_new(MAILDIR);
    test_write_file(homes[0], ".forward", "bob\n");
    test_write_file(homes[1], ".forward", "ann\n");
    (void)deliver(world, "ann@mail.test");
    assert_non_null(strstr(content_of(world, "forwarded"), "TO <bob@mail.test>"));
    assert_string_equal(deliver_content(world, "bob@mail.test",
                                        VIEW("Delivered-To: ann@mail.test\n\nx\n")),
                        "ann@mail.test 5.4.6, status=bounced (mail forwarding loop for "
                        "ann@mail.test)\n");
    world_free(world);
}

/* A header section of many kilobytes. */
static void test_late_delivered_to(void **state)
{
    (void)state;
    struct world *world = world_new(MAILDIR);
    struct str text = {0};
    for (int i = 0; i < 2000; i++) {
        str_printf(&text, "X-Header-%d: some text that is there for its length\n", i);
    }
    str_add_cstr(&text, "Delivered-To: ann@mail.test\n\nbody\n");
    assert_non_null(strstr(deliver_content(world, "ann@mail.test", str_view(&text)),
                           "mail forwarding loop"));
    str_done(&text);
    world_free(world);
}

/* --- nobody of that name --- */

static void test_luser_relay(void **state)
{
    (void)state;
    static const struct {
        const char *luser, *recipient, *log;
    } rows[] = {
        {"ann", "Nobody@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"ann+$local", "Nobody@mail.test",
         "ann+nobody@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
        {"nobody2", "nobody@mail.test",
         "nobody2@mail.test 5.1.1, status=bounced (unknown user: \"nobody2\")\n"},
        {"$user@out.test", "Lost.User@mail.test",
         "Lost.User@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"${user}@out.test", "a+b@mail.test",
         "a+b@mail.test 2.0.0, status=sent (forwarded as F0F0F1)\n"},
        {"$local", "|touch out@mail.test",
         "\"|touch out\"@mail.test 5.1.1, status=bounced (unknown user: \"|touch "
         "out\")\n"},
        {"$local", "/tmp/x@mail.test",
         "/tmp/x@mail.test 5.1.1, status=bounced (unknown user: \"/tmp/x\")\n"},
        {"$local", "ann, bob@mail.test",
         "\"ann, bob\"@mail.test 5.1.1, status=bounced (unknown user: \"ann, bob\")\n"},
        {"ann, bob", "nobody@mail.test",
         "warning: luser_relay must be one address: ann, bob\n"
         "nobody@mail.test 4.3.5, status=deferred (mail system configuration error)\n"},
        {"|cat", "nobody@mail.test",
         "warning: luser_relay must be one address: |cat\n"
         "nobody@mail.test 4.3.5, status=deferred (mail system configuration error)\n"},
        {"ann", "postmaster@mail.test",
         "ann@mail.test 2.0.0, status=sent (delivered to maildir)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char settings[200];
        (void)snprintf(settings, sizeof(settings),
                       MAILDIR "recipient_delimiter = +\nluser_relay = %s\n",
                       rows[i].luser);
        struct world *world = world_new(settings);
        assert_string_equal(deliver(world, rows[i].recipient), rows[i].log);
        assert_int_equal(access("out", F_OK), -1);
        world_free(world);
    }
}

static void test_transports(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR
        "fallback_transport = pass:hop\nalias_maps = inline:{ {both = nobody, ann} "
        "}\nmailbox_transport_maps = inline:{ {bob = pass:}, {cat = pass:later}, "
        "{dan = local} {x = nosuch:} }\n");
    serve(world, "private/pass", agent_session);
    (void)deliver(world, "nobody@mail.test");
    assert_true(is_marked(world));
    (void)deliver(world, "bob@mail.test");
    (void)deliver(world, "cat@mail.test");
    assert_int_equal(world->reply.outcomes[0].status, DELIVER_DEFERRED);
    assert_false(is_marked(world));
    (void)deliver(world, "both@mail.test");
    assert_int_equal(world->reply.leaf_count, 2);
    assert_string_equal(content_of(world, "passed"),
                        "hop <nobody@mail.test>\nmail.test <bob@mail.test>\n"
                        "later <cat@mail.test>\nhop <nobody@mail.test>\n");
    assert_non_null(strstr(deliver(world, "dan@mail.test"),
                           "4.3.5, status=deferred (mail system configuration error)"));
    assert_non_null(strstr(deliver(world, "x@mail.test"),
                           "4.3.0, status=deferred (mail transport unavailable)"));
    world_free(world);
}

/* --- probes --- */

static void test_probe(void **state)
{
    (void)state;
    struct world *world = world_new(
        MAILDIR
        "alias_maps = inline:{ {all = ann, nobody, \"|touch out\", /tmp/nofile, "
        "x@out.test, y@out.test} }\n");
    world->request.file_flags = QUEUE_FILE_VERIFY_ONLY;
    assert_string_equal(
        deliver(world, "all@mail.test"),
        "ann@mail.test 2.0.0, status=deliverable (delivers to maildir)\n"
        "nobody@mail.test 5.1.1, status=undeliverable (unknown user: \"nobody\")\n"
        "all@mail.test 2.0.0, status=deliverable (delivers to command: touch out)\n"
        "all@mail.test 2.0.0, status=deliverable (delivers to file: /tmp/nofile)\n"
        "x@out.test 2.0.0, status=deliverable (forwards to x@out.test)\n"
        "y@out.test 2.0.0, status=deliverable (forwards to y@out.test)\n");
    assert_int_equal(access("out", F_OK), -1);
    assert_int_equal(access("ann/Maildir", F_OK), -1);
    assert_string_equal(content_of(world, "forwarded"), "");
    assert_false(is_marked(world));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_outcome_of_tree),
        cmocka_unit_test(test_explosion),
        cmocka_unit_test(test_deep_aliases),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_not_forwarded_when_deferred),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_owner_echo),
        cmocka_unit_test(test_expand_owner),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_forward_files),
        cmocka_unit_test(test_forward_extension),
        cmocka_unit_test(test_bad_forward_files),
        cmocka_unit_test(test_include_in_forward),
        cmocka_unit_test(test_forward_of_root),
        cmocka_unit_test(test_delivered_to),
        cmocka_unit_test(test_forward_loop),
        cmocka_unit_test(test_late_delivered_to),
        cmocka_unit_test(test_luser_relay),
        cmocka_unit_test(test_transports),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
