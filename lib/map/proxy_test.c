/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/proxy.h"
#include "net/connect.h"
#include "net/frame.h"
#include "sys/file.h"

/* A proxymap in a child process: serves ANSWERS requests per connection, then hangs
 * up.  The key tells what to answer. */
struct server {
    pid_t pid;
    int answers;
};

/* Says what was asked for, in words. */
static bool serve_change(struct stream *stream, const struct proxy_request *request)
{
    STR_AUTO struct str scratch = {0};
    struct proxy_reply reply = {.kind = PROXY_FOUND};
    if (request->kind == PROXY_WALK) {
        static const char *const keys[] = {"a", "b", "c"};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
            const struct proxy_reply entry = {PROXY_ENTRY, view_cstr(keys[i]),
                                              request->table};
            if (!proxy_reply_send(stream, &scratch, &entry)) {
                return false;
            }
        }
        reply.kind = PROXY_MISSING;
    } else if (view_equal_cstr(request->key, "none")) {
        reply.kind = PROXY_MISSING;
    } else if (request->kind == PROXY_UPDATE &&
               !view_equal_cstr(request->value, "value")) {
        reply.kind = PROXY_FAILED;
        reply.text = VIEW("bad value");
    }
    return proxy_reply_send(stream, &scratch, &reply);
}

static bool serve_one(struct stream *stream)
{
    struct proxy_request request;
    STR_AUTO struct str scratch = {0};
    STR_AUTO struct str text = {0};
    if (!proxy_request_receive(stream, &request)) {
        return false;
    }
    enum proxy_kind kind = PROXY_FOUND;
    if (request.kind != PROXY_LOOKUP) {
        return serve_change(stream, &request);
    }
    if (view_equal_cstr(request.key, "none")) {
        kind = PROXY_MISSING;
    } else if (view_equal_cstr(request.key, "bad")) {
        kind = PROXY_FAILED;
        str_set_cstr(&text, "database is down");
    } else if (view_equal_cstr(request.key, "no")) {
        kind = PROXY_DENIED;
    } else if (view_equal_cstr(request.key, "garbage")) {
        stream_write(stream, view_of("\x02\x00\x00\x00\x0b\x0b", 6));
        return stream_flush(stream);
    } else {
        str_printf(&text, "%d %.*s %u ", (int)getpid(), VIEW_ARG(request.table),
                   request.flags);
        str_add(&text, request.key);
    }
    return proxy_reply_send(stream, &scratch,
                            &(struct proxy_reply){kind, str_view(&text), {0}});
}

static void run_server(int listener, int answers)
{
    for (;;) {
        int fd = -1;
        while (fd < 0) {
            fd = net_accept(listener);
            (void)usleep(1000);
        }
        struct stream *stream = stream_new(fd);
        for (int i = 0; i < answers && serve_one(stream); i++) {
        }
        stream_free(&stream);
    }
}

static struct server start_server_named(struct bench *bench, const char *name,
                                        int answers)
{
    char *path = xasprintf("%s/private", bench->directory);
    assert_true(file_make_dirs(path, 0755));
    free(path);
    path = xasprintf("%s/private/%s", bench->directory, name);
    int listener = listen_unix(path, 10, &bench->err);
    assert_true(listener >= 0);
    free(path);
    struct server server = {.pid = fork(), .answers = answers};
    if (server.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
        run_server(listener, answers);
    }
    fd_close(&listener);
    return server;
}

static struct server start_server(struct bench *bench, int answers)
{
    return start_server_named(bench, "proxymap", answers);
}

static void stop_server(const struct server *server)
{
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
}

static struct bench *new_bench(void)
{
    struct bench *bench = bench_new("");
    conf_override(bench->conf, "queue_directory", bench->directory);
    return bench;
}

static void test_answers(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct server server = start_server(bench, 1000);
    char *expected = xasprintf("%d unix:passwd.byname 1 Key", (int)server.pid);
    struct map *map = map_open(bench->conf, VIEW("proxy:unix:passwd.byname"), MAP_FOLD);
    assert_null(map_open_error(map));
    for (int i = 0; i < 3; i++) {
        assert_string_equal(bench_ask(bench, map, "Key"), expected);
        assert_string_equal(bench_ask(bench, map, "none"), "(missing)");
        assert_string_equal(bench_ask(bench, map, "bad"), "(error)");
        assert_string_equal(bench->err.text, "database is down");
        assert_string_equal(bench_ask(bench, map, "no"), "(error)");
        assert_string_equal(bench->err.text, "proxymap service is not configured for "
                                             "table \"unix:passwd.byname\"");
        assert_string_equal(bench_ask(bench, map, "garbage"), "(error)");
        assert_non_null(strstr(bench->err.text, "private/proxymap service: "));
    }
    assert_log(bench, "");
    free(expected);
    map_close(&map);
    stop_server(&server);
    bench_free(bench);
}

/* The worker may retire between two requests; that is no error. */
static void test_reconnects(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct server server = start_server(bench, 2);
    struct map *map = map_open(bench->conf, VIEW("proxy:hash:/x"), 0);
    for (int i = 0; i < 9; i++) {
        assert_string_equal(bench_ask(bench, map, "none"), "(missing)");
        if (i % 3 == 0) {
            (void)usleep(20 * 1000);
        }
    }
    stop_server(&server);
    assert_string_equal(bench_ask(bench, map, "none"), "(error)");
    assert_non_null(strstr(bench->err.text, "private/proxymap service: connect to "));
    assert_non_null(strstr(bench->err.text, "private/proxymap: Connection refused"));
    map_close(&map);
    bench_free(bench);
}

static void test_without_service(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map = map_open(bench->conf, VIEW("proxy:hash:/x"), 0);
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_non_null(
        strstr(bench->err.text, "private/proxymap: No such file or directory"));
    map_close(&map);
    bench_free(bench);
}

/* Who must know where an answer comes from looks into the table itself. */
static void test_authentic_use(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map =
        map_open(bench->conf, VIEW("proxy:inline:{Key=value}"), MAP_NO_UNAUTH);
    assert_string_equal(bench_ask(bench, map, "Key"), "value");
    assert_string_equal(map_name(map), "proxy:inline:{Key=value}");
    map_close(&map);
    map = map_open(bench->conf, VIEW("proxy:tcp:127.0.0.1:1"), MAP_NO_UNAUTH);
    assert_string_equal(map_open_error(map), "proxy:tcp:127.0.0.1:1 map is not allowed "
                                             "for security-sensitive data");
    map_close(&map);
    map = map_open(bench->conf, VIEW("proxy:"), MAP_NO_UNAUTH);
    assert_non_null(map_open_error(map));
    map_close(&map);
    bench_free(bench);
}

static bool note_entry(void *context, struct view key, struct view value)
{
    struct str *seen = context;
    str_printf(seen, "%.*s=%.*s ", VIEW_ARG(key), VIEW_ARG(value));
    return key.ptr[0] != 'b' || seen->max != 1000;
}

static void test_changes(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct server server = start_server_named(bench, "proxywrite", 1000);
    struct map *map = map_open(bench->conf, VIEW("proxy:btree:/x"), MAP_WRITE);
    STR_AUTO struct str seen = {0};
    assert_null(map_open_error(map));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(map_put(map, VIEW("key"), VIEW("value"), &bench->err), OK);
        assert_int_equal(map_put(map, VIEW("key"), VIEW("odd"), &bench->err), TEMPFAIL);
        assert_string_equal(bench->err.text, "bad value");
        assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_FOUND);
        assert_int_equal(map_remove(map, VIEW("none"), &bench->err), MAP_MISSING);
        assert_int_equal(map_walk(map, note_entry, &seen, &bench->err), OK);
        assert_string_equal(str_ptr(&seen), "a=btree:/x b=btree:/x c=btree:/x ");
        str_clear(&seen);
    }
    /* A walk that is broken off is over; the next question has its own answer. */
    seen.max = 1000;
    assert_int_equal(map_walk(map, note_entry, &seen, &bench->err), OK);
    assert_string_equal(str_ptr(&seen), "a=btree:/x b=btree:/x ");
    assert_int_equal(map_remove(map, VIEW("none"), &bench->err), MAP_MISSING);
    stop_server(&server);
    assert_int_equal(map_put(map, VIEW("key"), VIEW("value"), &bench->err), TEMPFAIL);
    assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_ERROR);
    assert_int_equal(map_walk(map, note_entry, &seen, &bench->err), TEMPFAIL);
    map_close(&map);
    bench_free(bench);
}

/* Tables that would block a process of many clients are looked into by proxymap. */
static void test_carried(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct server server = start_server(bench, 1000);
    conf_override(bench->conf, "meta_directory", bench->directory);
    test_write_file(bench->directory, "dynamicmaps.cf",
                    "mysql nosuch.so dict_mysql_open\nldap nosuch.so dict_ldap_open\n");
    map_carry_blocking_types();
    char *expected = xasprintf("%d mysql:/x.cf 0 Key", (int)server.pid);
    struct map *map = map_open(bench->conf, VIEW("mysql:/x.cf"), 0);
    assert_string_equal(map_name(map), "mysql:/x.cf");
    assert_string_equal(bench_ask(bench, map, "Key"), expected);
    assert_false(map_is_pattern(map));
    map_close(&map);
    map = map_open(bench->conf, VIEW("inline:{Key=value}"), 0);
    assert_string_equal(bench_ask(bench, map, "Key"), "value");
    map_close(&map);
    /* One that nobody could open is no business of proxymap's. */
    map = map_open(bench->conf, VIEW("pgsql:/x.cf"), MAP_QUIET);
    assert_string_equal(map_open_error(map), "unsupported dictionary type: pgsql");
    map_close(&map);
    map = map_open(bench->conf, VIEW("ldap:/x.cf"), MAP_NO_UNAUTH);
    assert_string_equal(map_open_error(map), "ldap:/x.cf map is not allowed for "
                                             "security-sensitive data");
    map_close(&map);
    free(expected);
    stop_server(&server);
    bench_free(bench);
}

static void test_pattern_property(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    static const struct {
        const char *table;
        bool is_pattern;
    } cases[] = {{"proxy:hash:/x", false},  {"proxy:pcre:/x", true},
                 {"proxy:cidr:/x", true},   {"proxy:unix:passwd.byname", false},
                 {"proxy:mysql:/x", false}, {"proxy:x", false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map *map = map_open(bench->conf, view_cstr(cases[i].table), 0);
        assert_int_equal(map_is_pattern(map), cases[i].is_pattern);
        map_close(&map);
    }
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),         cmocka_unit_test(test_reconnects),
        cmocka_unit_test(test_without_service), cmocka_unit_test(test_pattern_property),
        cmocka_unit_test(test_authentic_use),   cmocka_unit_test(test_changes),
        cmocka_unit_test(test_carried), /* the last one: it is for the whole process */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
