/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "net/dns.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "task/task.h"
#include "testing/dns_server.h"

static const char zone[] = "mail.test MX 10 a.test\n"
                           "mail.test MX 20 b.test\n"
                           "a.test A 192.0.2.1\n"
                           "b.test AAAA 2001:db8::1\n"
                           "both.test A 192.0.2.1\n"
                           "both.test AAAA 2001:db8::1\n"
                           "alias.test CNAME both.test\n"
                           "textonly.test TXT nothing else\n"
                           "fails.test SERVFAIL\n"
                           "refuses.test REFUSED\n"
                           "slow.test SILENT\n"
                           "large.test TRUNCATED\n"
                           "large.test MX 5 a.test\n"
                           "badmx.test MX 0 192.0.2.1\n"
                           "short.search.test A 192.0.2.9\n"
                           "1.2.0.192.in-addr.arpa PTR a.test\n"
                           "2.2.0.192.in-addr.arpa PTR a.test\n"
                           "3.2.0.192.in-addr.arpa PTR textonly.test\n"
                           "4.2.0.192.in-addr.arpa PTR nosuch.test\n"
                           "5.2.0.192.in-addr.arpa PTR fails.test\n"
                           "6.2.0.192.in-addr.arpa SERVFAIL\n"
                           "7.2.0.192.in-addr.arpa PTR 192.0.2.7\n"
                           "9.2.0.192.in-addr.arpa PTR short\n"
                           "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0."
                           "1.0.0.2.ip6.arpa PTR b.test\n";

/* The test's files, and what was logged. */
struct scene {
    char *dir, *hosts, *resolv_conf;
    struct str log;
    struct test_dns_server *server;
    void (*body)(struct scene *);
};

static void note(enum log_level level, const char *text, void *context)
{
    (void)level;
    struct scene *scene = context;
    str_add_cstr(&scene->log, text);
    str_add_byte(&scene->log, '\n');
}

static int make_scene(void **state)
{
    struct scene *scene = xcalloc(1, sizeof(*scene));
    scene->dir = test_make_dir();
    scene->hosts = xasprintf("%s/hosts", scene->dir);
    scene->resolv_conf = xasprintf("%s/resolv.conf", scene->dir);
    test_write_file(scene->dir, "hosts",
                    "# comment\n"
                    "127.0.0.1\tlocalhost.localdomain localhost # more\n"
                    "::1 localhost ip6-localhost\n"
                    "192.0.2.77 Native.Test other.test\n"
                    "192.0.2.78 native.test\n"
                    "192.0.2.78 native.test\n"
                    "not-an-address name\n"
                    "192.0.2.79\n"
                    "\n"
                    "192.0.2.9 shadow.test");
    dns_set_hosts_file(scene->hosts);
    log_set_stderr(false);
    log_set_hook(note, scene);
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;
    dns_done();
    log_set_hook(NULL, NULL);
    test_remove_dir(scene->dir);
    free(scene->hosts);
    free(scene->resolv_conf);
    str_done(&scene->log);
    free(scene);
    return 0;
}

static void run_body(void *context)
{
    struct scene *scene = context;
    scene->server = test_dns_start(zone);
    CHECK(dns_set_servers(test_dns_servers(scene->server)));
    dns_set_patience(50 * CLOCK_MILLISECOND, 1);
    scene->body(scene);
    test_dns_stop(&scene->server);
    dns_done();
}

/* Run BODY in a fiber with the name server beside it. */
static void with_server(void **state, void (*body)(struct scene *))
{
    struct scene *scene = *state;
    scene->body = body;
    task_init();
    (void)task_spawn("body", run_body, scene);
    task_run(true);
    task_done();
}

/* --- one name and type --------------------------------------------------------------
 */

struct query_case {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    const char *dsn, *text;
};

static const struct query_case query_cases[] = {
    {"mail.test", DNS_MX, DNS_OK, NULL, NULL},
    {"large.test", DNS_MX, DNS_OK, NULL, NULL}, /* comes over TCP */
    {"alias.test", DNS_AAAA, DNS_OK, NULL, NULL},
    {"nosuch.test", DNS_MX, DNS_NXDOMAIN, "5.4.4",
     "Name service error for name=nosuch.test type=MX: Host not found"},
    {"textonly.test", DNS_A, DNS_NODATA, "5.4.4",
     "Name service error for name=textonly.test type=A: Host found but no data record "
     "of "
     "requested type"},
    {"fails.test", DNS_A, DNS_TEMPFAIL, "4.4.3",
     "Name service error for name=fails.test type=A: Host not found, try again"},
    {"refuses.test", DNS_TXT, DNS_TEMPFAIL, "4.4.3",
     "Name service error for name=refuses.test type=TXT: Host not found, try again"},
    {"slow.test", DNS_AAAA, DNS_TEMPFAIL, "4.4.3",
     "Name service error for name=slow.test type=AAAA: Host not found, try again"},
    {"badmx.test", DNS_MX, DNS_INVALID, "5.4.4",
     "Name service error for name=badmx.test type=MX: Malformed or unexpected name "
     "server reply"},
    {"bad..test", DNS_MX, DNS_INVALID, "5.4.4",
     "Name service error for bad..test: invalid host or domain name"},
};

static void run_queries(struct scene *scene)
{
    (void)scene;
    for (size_t i = 0; i < ARRAY_SIZE(query_cases); i++) {
        const struct query_case *c = &query_cases[i];
        struct arena arena = {0};
        struct dns_answer answer;
        struct err err;
        enum dns_status status =
            dns_query(&arena, view_cstr(c->name), c->type, &answer, &err);
        if (status != c->status) {
            fail_msg("%s: %d", c->name, (int)status);
        }
        assert_int_equal(answer.status, status);
        assert_int_equal(answer.count > 0, status == DNS_OK);
        if (status != DNS_OK) {
            assert_string_equal(err.dsn, c->dsn);
            assert_string_equal(err.text, c->text);
            assert_int_equal(err.outcome, status == DNS_TEMPFAIL ? TEMPFAIL : PERMFAIL);
        }
        arena_clear(&arena);
    }
}

static void test_query(void **state)
{
    with_server(state, run_queries);
}

/* The same, polling, with the server in another process. */
static void test_query_outside_fibers(void **state)
{
    int fds[2];
    char servers[64] = "";
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        task_init();
        const char *text = test_dns_servers(test_dns_start(zone));
        (void)file_write_all(fds[1], text, strlen(text));
        fd_close(&fds[1]);
        task_run(true);
        _exit(0);
    }
    fd_close(&fds[1]);
    assert_true(read(fds[0], servers, sizeof(servers) - 1) > 0);
    fd_close(&fds[0]);
    assert_true(dns_set_servers(servers));
    dns_set_patience(50 * CLOCK_MILLISECOND, 1);
    run_queries(*state);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* --- many at a time, and leaving early
 * --------------------------------------------------- */

struct crowd {
    unsigned done;
    unsigned cancelled;
};

static void one_of_many(void *context)
{
    struct crowd *crowd = context;
    struct arena arena = {0};
    struct dns_answer answer;
    CHECK(dns_query(&arena, VIEW("mail.test"), DNS_MX, &answer, NULL) == DNS_OK);
    CHECK(answer.count == 2 && view_equal_cstr(answer.records[0].text, "a.test"));
    arena_clear(&arena);
    crowd->done++;
}

static void ask_until_cancelled(void *context)
{
    struct crowd *crowd = context;
    struct arena arena = {0};
    struct dns_answer answer;
    enum dns_status status = dns_host_addresses(&arena, VIEW("slow.test"),
                                                DNS_IPV4 | DNS_IPV6, &answer, NULL);
    CHECK(status == DNS_TEMPFAIL && task_cancelled());
    arena_clear(&arena);
    crowd->cancelled++;
}

static void run_crowd(struct scene *scene)
{
    (void)scene;
    enum { MANY = 50 };
    struct crowd crowd = {0};
    dns_set_patience(2 * CLOCK_SECOND, 1);
    struct fiber *victim = task_spawn("victim", ask_until_cancelled, &crowd);
    for (int i = 0; i < MANY; i++) {
        (void)task_spawn("one", one_of_many, &crowd);
    }
    (void)task_sleep_until(clock_now() + 10 * CLOCK_MILLISECOND);
    task_cancel(victim);
    while (crowd.done < MANY || crowd.cancelled < 1) {
        (void)task_sleep_until(clock_now() + 2 * CLOCK_MILLISECOND);
    }
    /* dns_done() now meets the question that nobody waits for any more. */
}

static void test_crowd(void **state)
{
    with_server(state, run_crowd);
}

/* --- addresses
 * ------------------------------------------------------------------------------ */

struct address_case {
    const char *name;
    unsigned flags;
    enum dns_status status;
    const char *addresses;
};

static const struct address_case address_cases[] = {
    {"both.test", DNS_IPV4 | DNS_IPV6, DNS_OK, "192.0.2.1 2001:db8::1 "},
    {"both.test", DNS_IPV6, DNS_OK, "2001:db8::1 "},
    {"alias.test", DNS_IPV4, DNS_OK, "192.0.2.1 "},
    {"a.test", DNS_IPV4 | DNS_IPV6, DNS_OK, "192.0.2.1 "},
    {"b.test", DNS_IPV4 | DNS_IPV6, DNS_OK, "2001:db8::1 "},
    {"b.test", DNS_IPV4, DNS_NODATA, ""},
    {"nosuch.test", DNS_IPV4 | DNS_IPV6, DNS_NXDOMAIN, ""},
    {"textonly.test", DNS_IPV4 | DNS_IPV6, DNS_NODATA, ""},
    {"fails.test", DNS_IPV4 | DNS_IPV6, DNS_TEMPFAIL, ""},
    {"127.0.0.1", DNS_IPV4 | DNS_IPV6, DNS_OK, "127.0.0.1 "},
    {"::1", DNS_IPV6, DNS_OK, "::1 "},
    {"::1", DNS_IPV4, DNS_NODATA, ""},
    {"1.2.3", DNS_IPV4, DNS_INVALID, ""},
    {"", DNS_IPV4, DNS_INVALID, ""},
    /* The hosts file. */
    {"native.test", DNS_IPV4 | DNS_IPV6, DNS_NXDOMAIN, ""},
    {"NATIVE.test", DNS_IPV4 | DNS_IPV6 | DNS_NATIVE, DNS_OK, "192.0.2.77 192.0.2.78 "},
    {"localhost", DNS_IPV4 | DNS_IPV6 | DNS_NATIVE, DNS_OK, "127.0.0.1 ::1 "},
    {"localhost", DNS_IPV6 | DNS_NATIVE, DNS_OK, "::1 "},
    {"shadow.test", DNS_IPV4 | DNS_NATIVE, DNS_OK, "192.0.2.9 "},
    {"name", DNS_IPV4 | DNS_NATIVE, DNS_NXDOMAIN, ""},
    {"both.test", DNS_IPV4 | DNS_NATIVE, DNS_OK, "192.0.2.1 "},
};

static void run_addresses(struct scene *scene)
{
    (void)scene;
    for (size_t i = 0; i < ARRAY_SIZE(address_cases); i++) {
        const struct address_case *c = &address_cases[i];
        struct arena arena = {0};
        struct dns_answer answer;
        struct err err;
        STR_AUTO struct str found = {0};
        enum dns_status status =
            dns_host_addresses(&arena, view_cstr(c->name), c->flags, &answer, &err);
        if (status != c->status) {
            fail_msg("%s: %d", c->name, (int)status);
        }
        for (size_t k = 0; k < answer.count; k++) {
            char text[NET_ADDRESS_TEXT];
            net_address_text(&answer.records[k].address, text);
            str_printf(&found, "%s ", text);
        }
        assert_string_equal(str_ptr(&found), c->addresses);
        arena_clear(&arena);
    }
}

static void test_addresses(void **state)
{
    with_server(state, run_addresses);
}

/* --- names of clients
 * -------------------------------------------------------------------------- */

struct reverse_case {
    const char *address;
    enum dns_status reverse_status, status;
    const char *reverse_name, *name, *warning;
    bool forged;
};

static const struct reverse_case reverse_cases[] = {
    {"127.0.0.1", DNS_OK, DNS_OK, "localhost.localdomain", "localhost.localdomain", "",
     false},
    {"::1", DNS_OK, DNS_OK, "localhost", "localhost", "", false},
    {"192.0.2.1", DNS_OK, DNS_OK, "a.test", "a.test", "", false},
    {"2001:db8::1", DNS_OK, DNS_OK, "b.test", "b.test", "", false},
    {"192.0.2.2", DNS_OK, DNS_NODATA, "a.test", "unknown",
     "warning: hostname a.test does not resolve to address 192.0.2.2\n", true},
    {"192.0.2.3", DNS_OK, DNS_NODATA, "textonly.test", "unknown",
     "warning: hostname textonly.test does not resolve to address 192.0.2.3: No "
     "address "
     "associated with hostname\n",
     false},
    {"192.0.2.4", DNS_OK, DNS_NXDOMAIN, "nosuch.test", "unknown",
     "warning: hostname nosuch.test does not resolve to address 192.0.2.4: Name or "
     "service not known\n",
     false},
    {"192.0.2.5", DNS_OK, DNS_TEMPFAIL, "fails.test", "unknown",
     "warning: hostname fails.test does not resolve to address 192.0.2.5: Temporary "
     "failure in name resolution\n",
     false},
    {"192.0.2.6", DNS_TEMPFAIL, DNS_TEMPFAIL, "unknown", "unknown", "", false},
    {"192.0.2.7", DNS_INVALID, DNS_INVALID, "unknown", "unknown",
     "warning: numeric domain name in resource data of PTR record for "
     "7.2.0.192.in-addr.arpa: 192.0.2.7\n",
     false},
    {"192.0.2.8", DNS_NXDOMAIN, DNS_NXDOMAIN, "unknown", "unknown", "", false},
};

static void run_reverse(struct scene *scene)
{
    for (size_t i = 0; i < ARRAY_SIZE(reverse_cases); i++) {
        const struct reverse_case *c = &reverse_cases[i];
        struct arena arena = {0};
        struct net_address address;
        struct dns_client_name name;
        str_clear(&scene->log);
        assert_true(net_address_parse(view_cstr(c->address), 25, &address));
        dns_reverse(&arena, &address, &name);
        assert_string_equal(name.reverse_name, c->reverse_name);
        assert_string_equal(name.name, c->name);
        assert_int_equal(name.reverse_status, c->reverse_status);
        assert_int_equal(name.status, c->status);
        assert_int_equal(name.forged, c->forged);
        assert_string_equal(str_ptr(&scene->log), c->warning);
        arena_clear(&arena);
    }
}

static void test_reverse(void **state)
{
    with_server(state, run_reverse);
}

/* --- files that change
 * ---------------------------------------------------------------------------- */

static void run_search(struct scene *scene)
{
    struct arena arena = {0};
    struct dns_answer answer;
    unsigned flags = DNS_IPV4 | DNS_NATIVE;
    dns_set_resolv_conf(scene->resolv_conf);
    assert_int_equal(dns_host_addresses(&arena, VIEW("short"), flags, &answer, NULL),
                     DNS_OK);
    assert_string_equal(answer.name, "short.search.test");
    /* What a client calls itself is not completed. */
    struct net_address address;
    struct dns_client_name name;
    assert_true(net_address_parse(VIEW("192.0.2.9"), 0, &address));
    test_write_file(scene->dir, "hosts", "");
    dns_set_hosts_file(scene->hosts);
    dns_reverse(&arena, &address, &name);
    assert_string_equal(name.reverse_name, "short");
    assert_string_equal(name.name, "unknown");
    arena_clear(&arena);
}

static void test_search(void **state)
{
    struct scene *scene = *state;
    test_write_file(scene->dir, "resolv.conf",
                    "nameserver 192.0.2.250\nsearch search.test\n");
    dns_set_resolv_conf(scene->resolv_conf);
    with_server(state, run_search);
}

static enum dns_status native(const char *name)
{
    struct arena arena = {0};
    struct dns_answer answer;
    enum dns_status status = dns_host_addresses(&arena, view_cstr(name),
                                                DNS_IPV4 | DNS_NATIVE, &answer, NULL);
    arena_clear(&arena);
    return status;
}

/* Files are looked at once a second. */
static void wait_a_second(void)
{
    (void)task_sleep_until(clock_now() + CLOCK_SECOND + 10 * CLOCK_MILLISECOND);
}

static void run_changes(struct scene *scene)
{
    assert_int_equal(native("short"), DNS_NXDOMAIN);
    assert_int_equal(native("old.test"), DNS_OK);
    test_write_file(scene->dir, "resolv.conf", "search search.test\n");
    test_write_file(scene->dir, "hosts", "192.0.2.1 new.test\n");
    wait_a_second();
    assert_int_equal(native("short"), DNS_OK);
    assert_int_equal(native("new.test"), DNS_OK);
    assert_int_equal(native("old.test"), DNS_NXDOMAIN);
    /* A file that is gone is an empty file. */
    assert_int_equal(unlink(scene->hosts), 0);
    assert_int_equal(unlink(scene->resolv_conf), 0);
    wait_a_second();
    assert_int_equal(native("short"), DNS_NXDOMAIN);
    assert_int_equal(native("new.test"), DNS_NXDOMAIN);
}

static void test_files_are_read_again(void **state)
{
    struct scene *scene = *state;
    test_write_file(scene->dir, "resolv.conf", "search elsewhere.test\n");
    test_write_file(scene->dir, "hosts", "192.0.2.1 old.test\n");
    dns_set_resolv_conf(scene->resolv_conf);
    with_server(state, run_changes);
}

static void test_bad_servers(void **state)
{
    struct scene *scene = *state;
    struct arena arena = {0};
    struct dns_answer answer;
    assert_false(dns_set_servers("not an address"));
    assert_non_null(
        strstr(str_ptr(&scene->log), "warning: name servers cannot be used"));
    assert_int_equal(dns_query(&arena, VIEW("a.test"), DNS_A, &answer, NULL),
                     DNS_TEMPFAIL);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_query, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_query_outside_fibers, make_scene,
                                        remove_scene),
        cmocka_unit_test_setup_teardown(test_crowd, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_addresses, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_reverse, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_search, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_files_are_read_again, make_scene,
                                        remove_scene),
        cmocka_unit_test_setup_teardown(test_bad_servers, make_scene, remove_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
