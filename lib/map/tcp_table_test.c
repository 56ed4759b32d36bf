/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "testing/unix_server.h"

#include "map/peer_testing.h"

#include <unistd.h>

#include "map/tcp_table.h"
#include "task/task.h"

/* --- replies ----------------------------------------------------------------- */

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum map_result result;
        const char *text;
    } cases[] = {
        {"200 hello", MAP_FOUND, "hello"},
        {"200 hello%20wor%6cd", MAP_FOUND, "hello world"},
        {"200 plain text", MAP_FOUND, "plain text"},
        {"200 50%25", MAP_FOUND, "50%"},
        {"200 ", MAP_FOUND, ""},
        {"500 not there", MAP_MISSING, ""},
        {"500 ", MAP_MISSING, ""},
        {"400 try%20later", MAP_ERROR, "server says: try later"},
        {"200", MAP_ERROR, "malformed reply: 200"},
        {"500", MAP_ERROR, "malformed reply: 500"},
        {"", MAP_ERROR, "malformed reply: "},
        {"2000 x", MAP_ERROR, "malformed reply: 2000 x"},
        {" 200 x", MAP_ERROR, "malformed reply:  200 x"},
        {"200 x%", MAP_ERROR, "malformed reply: 200 x%"},
        {"200 x%4", MAP_ERROR, "malformed reply: 200 x%4"},
        {"200 x%zz", MAP_ERROR, "malformed reply: 200 x%zz"},
        {"200 x%00y", MAP_ERROR, "malformed reply: 200 x%00y"},
        {"300 x", MAP_ERROR, "bad status code: 300 x"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        STR_AUTO struct str value = {0};
        struct err err = {0};
        assert_int_equal(tcp_reply_parse(view_cstr(cases[i].reply), &value, &err),
                         cases[i].result);
        assert_string_equal(cases[i].result == MAP_ERROR ? err.text : str_ptr(&value),
                            cases[i].text);
        assert_true(cases[i].result == MAP_FOUND || value.len == 0);
    }
}

/* --- conversations ----------------------------------------------------------- */

static bool serve_reply(struct peer_script *script, struct stream *client)
{
    struct view line;
    if (!stream_read_line(client, 1000, &line, NULL)) {
        return false;
    }
    str_printf(&script->log, "<%.*s>", VIEW_ARG(line));
    stream_write_cstr(client, script->reply);
    return stream_flush(client);
}

static struct map *open_table(struct bench *bench, const struct peer_script *script)
{
    char *name = xasprintf("tcp:127.0.0.1:%u", script->server.port);
    struct map *map = map_open(bench->conf, view_cstr(name), MAP_FOLD);
    free(name);
    assert_null(map_open_error(map));
    return map;
}

static void talk(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {
        .serve = serve_reply, .connections = 1, .reply = "200 yes\n"};
    peer_script_start(&script);
    struct map *map = open_table(bench, &script);
    assert_true(map_is_pattern(map));
    /* Keys are quoted, and neither folded nor able to end the line. */
    assert_string_equal(bench_ask(bench, map, "Ab c%\r\nget x\xc3\xa9"), "yes");
    assert_string_equal(str_ptr(&script.log), "C<get Ab%20c%25%0D%0Aget%20x%C3%A9>");
    str_clear(&script.log);
    script.reply = "500 no\r\n";
    assert_string_equal(bench_ask(bench, map, "k"), "(missing)");
    script.reply = "400 full%0amoon\n";
    assert_string_equal(bench_ask(bench, map, "k"), "(error)");
    assert_string_equal(str_ptr(&script.log), "<get k><get k>"); /* one connection */
    char *log = bench_take(bench);
    assert_non_null(strstr(log, "warning: table tcp:127.0.0.1:"));
    assert_non_null(strstr(log, " lookup error: server says: full?moon\n"));
    free(log);
    map_close(&map);
    peer_script_end(&script);
}

static bool serve_and_leave(struct peer_script *script, struct stream *client)
{
    (void)serve_reply(script, client);
    return false;
}

/* A server that hangs up after each answer is asked again on a new connection. */
static void talk_to_leaver(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {
        .serve = serve_and_leave, .connections = 3, .reply = "200 yes\n"};
    peer_script_start(&script);
    struct map *map = open_table(bench, &script);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(bench_ask(bench, map, "k"), "yes");
        task_yield();
    }
    assert_string_equal(str_ptr(&script.log), "C<get k>C<get k>C<get k>");
    assert_log(bench, "");
    map_close(&map);
    peer_script_end(&script);
}

static bool serve_second(struct peer_script *script, struct stream *client)
{
    return script->log.len > 1 && serve_and_leave(script, client);
}

/* What comes without having been asked for is no answer to the next question. */
static bool serve_twice(struct peer_script *script, struct stream *client)
{
    struct view line;
    if (!stream_read_line(client, 1000, &line, NULL)) {
        return false;
    }
    stream_printf(client, "200 %.*s\n200 stray\n", VIEW_ARG(line));
    (void)script;
    return stream_flush(client);
}

static void talk_to_chatterer(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {.serve = serve_twice, .connections = 2};
    peer_script_start(&script);
    struct map *map = open_table(bench, &script);
    assert_string_equal(bench_ask(bench, map, "a"), "get a");
    (void)task_sleep_until(clock_now() + 20 * CLOCK_MILLISECOND);
    assert_string_equal(bench_ask(bench, map, "b"), "get b");
    map_close(&map);
    peer_script_end(&script);
}

/* A server that is being started anew gets another chance. */
static void talk_to_newcomer(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {
        .serve = serve_second, .connections = 2, .reply = "200 yes\n"};
    peer_script_start(&script);
    struct map *map = open_table(bench, &script);
    assert_string_equal(bench_ask(bench, map, "k"), "yes");
    assert_string_equal(str_ptr(&script.log), "CC<get k>");
    char *log = bench_take(bench);
    assert_non_null(strstr(log, " lookup error: lost connection\n"));
    free(log);
    map_close(&map);
    peer_script_end(&script);
}

static bool serve_silence(struct peer_script *script, struct stream *client)
{
    struct view line;
    (void)script;
    return stream_read_line(client, 1000, &line, NULL);
}

static bool serve_endless(struct peer_script *script, struct stream *client)
{
    (void)script;
    stream_write_cstr(client,
                      "200 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    return stream_flush(client);
}

struct cancelled {
    struct bench *bench;
    struct map *map;
    bool done;
};

static void ask_and_be_cancelled(void *context)
{
    struct cancelled *self = context;
    assert_string_equal(bench_ask(self->bench, self->map, "k"), "(error)");
    self->done = true;
}

/* A session that ends does not wait for a table, and a reply has a longest length. */
static void talk_to_slow_server(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {
        .serve = serve_silence, .connections = 2, .parallel = true};
    peer_script_start(&script);
    struct cancelled self = {bench, open_table(bench, &script), false};
    struct fiber *fiber = task_spawn("lookup", ask_and_be_cancelled, &self);
    (void)task_sleep_until(clock_now() + 20 * CLOCK_MILLISECOND);
    assert_false(self.done);
    task_cancel(fiber);
    while (!self.done) {
        task_yield();
    }
    free(bench_take(bench));
    script.serve = serve_endless;
    self.done = false;
    fiber = task_spawn("lookup", ask_and_be_cancelled, &self);
    while (bench->log.len == 0) {
        (void)task_sleep_until(clock_now() + CLOCK_MILLISECOND);
    }
    task_cancel(fiber);
    while (!self.done) {
        task_yield();
    }
    char *log = bench_take(bench);
    assert_non_null(strstr(log, " lookup error: Message too long\n"));
    free(log);
    map_close(&self.map);
    peer_script_end(&script);
}

static void run(void (*body)(void *))
{
    struct bench *bench = bench_new("tcp_table_timeout = 30s");
    test_run_in_spool(body, bench);
    bench_free(bench);
}

static void test_talk(void **state)
{
    (void)state;
    run(talk);
}

static void test_server_that_leaves(void **state)
{
    (void)state;
    run(talk_to_leaver);
}

static void test_server_that_chatters(void **state)
{
    (void)state;
    run(talk_to_chatterer);
}

static void test_server_that_starts(void **state)
{
    (void)state;
    run(talk_to_newcomer);
}

static void test_slow_server(void **state)
{
    (void)state;
    run(talk_to_slow_server);
}

/* --- names ------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned flags;
        const char *error;
    } cases[] = {
        {"tcp:127.0.0.1", 0, "need \"host:port\" instead of \"127.0.0.1\""},
        {"tcp::25", 0, "need \"host:port\" instead of \":25\""},
        {"tcp:127.0.0.1:0", 0,
         "host or service 127.0.0.1:0 not found: unknown service"},
        {"tcp:127.0.0.1:nosuchservice", 0,
         "host or service 127.0.0.1:nosuchservice not found: unknown service"},
        {"tcp:127.0.0.1:1", MAP_NO_UNAUTH,
         "tcp:127.0.0.1:1 map is not allowed for security-sensitive data"},
        {"tcp:127.0.0.1:1", MAP_WRITE,
         "tcp:127.0.0.1:1 map requires O_RDONLY access mode"},
        {"tcp:[::1]:1", 0, NULL},
    };
    struct bench *bench = bench_new("");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map *map =
            map_open(bench->conf, view_cstr(cases[i].name), cases[i].flags | MAP_QUIET);
        if (cases[i].error == NULL) {
            assert_null(map_open_error(map));
        } else {
            assert_string_equal(map_open_error(map), cases[i].error);
        }
        map_close(&map);
    }
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_server_that_leaves),
        cmocka_unit_test(test_server_that_chatters),
        cmocka_unit_test(test_server_that_starts),
        cmocka_unit_test(test_slow_server),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
