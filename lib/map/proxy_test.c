/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "map/map_testing.h"

#include <signal.h>
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

static bool serve_one(struct stream *stream)
{
    struct proxy_request request;
    STR_AUTO struct str scratch = {0};
    STR_AUTO struct str text = {0};
    if (!proxy_request_receive(stream, &request)) {
        return false;
    }
    enum proxy_kind kind = PROXY_FOUND;
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
    return proxy_reply_send(stream, &scratch, kind, str_view(&text));
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

static struct server start_server(struct bench *bench, int answers)
{
    char *path = xasprintf("%s/private", bench->directory);
    assert_true(file_make_dirs(path, 0755));
    free(path);
    path = xasprintf("%s/private/proxymap", bench->directory);
    int listener = listen_unix(path, 10, &bench->err);
    assert_true(listener >= 0);
    free(path);
    struct server server = {.pid = fork(), .answers = answers};
    if (server.pid == 0) {
        run_server(listener, answers);
    }
    fd_close(&listener);
    return server;
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
    assert_non_null(strstr(
        bench->err.text, "connect to subsystem private/proxymap: Connection refused"));
    map_close(&map);
    bench_free(bench);
}

static void test_without_service(void **state)
{
    (void)state;
    struct bench *bench = new_bench();
    struct map *map = map_open(bench->conf, VIEW("proxy:hash:/x"), 0);
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_string_equal(bench->err.text,
                        "connect to subsystem private/proxymap: No such "
                        "file or directory");
    map_close(&map);

    map = map_open(bench->conf, VIEW("proxy:hash:/x"), MAP_NO_UNAUTH | MAP_QUIET);
    assert_string_equal(map_open_error(map), "proxy:hash:/x map is not allowed for "
                                             "security-sensitive data");
    map_close(&map);
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
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_reconnects),
        cmocka_unit_test(test_without_service),
        cmocka_unit_test(test_pattern_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
