/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "testing/unix_server.h"

#include "map/peer_testing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "map/socketmap.h"
#include "task/task.h"

/* --- replies ----------------------------------------------------------------- */

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        struct view reply;
        enum map_result result;
        const char *text;
    } cases[] = {
        {VIEW("OK hello world"), MAP_FOUND, "hello world"},
        {VIEW("OK  two"), MAP_FOUND, " two"},
        {VIEW("OK "), MAP_FOUND, ""},
        {VIEW("NOTFOUND "), MAP_MISSING, ""},
        {VIEW("NOTFOUND"), MAP_MISSING, ""},
        {VIEW("NOTFOUND text"), MAP_MISSING, ""},
        {VIEW("TEMP later"), MAP_ERROR, "socketmap server temporary error: later"},
        {VIEW("TIMEOUT "), MAP_ERROR, "socketmap server timeout error"},
        {VIEW("PERM"), MAP_ERROR, "socketmap server permanent error"},
        {VIEW("ok x"), MAP_ERROR, "socketmap server unknown error: x"},
        {VIEW("OK"), MAP_ERROR, "socketmap server unknown error"},
        {VIEW("OKAY x"), MAP_ERROR, "socketmap server unknown error: x"},
        {VIEW(""), MAP_ERROR, "socketmap server unknown error"},
        {VIEW("OK a\0b"), MAP_ERROR, "socketmap server unknown error: a"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        STR_AUTO struct str value = {0};
        struct err err = {0};
        assert_int_equal(socketmap_reply_parse(cases[i].reply, &value, &err),
                         cases[i].result);
        assert_string_equal(cases[i].result == MAP_ERROR ? err.text : str_ptr(&value),
                            cases[i].text);
        assert_true(cases[i].result == MAP_FOUND || value.len == 0);
    }
}

/* What TEXT is as a netstring of at most 20 bytes, or an errno's name. */
static const char *read_text(const char *text, struct str *out)
{
    int pair[2];
    struct view reply;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(pair[1]), 0);
    struct stream *stream = stream_new(pair[0]);
    str_clear(out);
    if (socketmap_read(stream, 20, &reply)) {
        str_add(out, reply);
    } else {
        str_add_cstr(out, stream_problem(stream));
    }
    stream_free(&stream);
    return str_ptr(out);
}

static void test_netstrings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"5:hello,", "hello"},
        {"005:hello,rest", "hello"},
        {"0:,", ""},
        {"20:12345678901234567890,", "12345678901234567890"},
        {"21:123456789012345678901,", "Message too long"},
        {"99999999999999999999999:", "Message too long"},
        {"00000000000000000000005:hello,", "Protocol error"},
        {":hello,", "Protocol error"},
        {"x:hello,", "Protocol error"},
        {"-5:hello,", "Protocol error"},
        {"5:hello;", "Protocol error"},
        {"5:hell,", "lost connection"},
        {"5:hello", "lost connection"},
        {"5", "lost connection"},
        {"", "lost connection"},
    };
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(read_text(cases[i].text, &out), cases[i].expected);
    }
}

/* --- conversations ----------------------------------------------------------- */

static bool serve(struct peer_script *script, struct stream *client)
{
    struct view request;
    if (!socketmap_read(client, 1000, &request)) {
        return false;
    }
    str_printf(&script->log, "<%.*s>", VIEW_ARG(request));
    if (script->reply != NULL) {
        stream_write_cstr(client, script->reply);
    } else {
        stream_printf(client, "%zu:OK %.*s,", request.len + 3, VIEW_ARG(request));
    }
    return stream_flush(client);
}

static struct map *open_table(struct bench *bench, const struct peer_script *script,
                              const char *name)
{
    char *title =
        xasprintf("socketmap:inet:127.0.0.1:%u:%s", script->server.port, name);
    struct map *map = map_open(bench->conf, view_cstr(title), MAP_FOLD);
    free(title);
    assert_null(map_open_error(map));
    return map;
}

/* Two tables of one server share a connection. */
static void talk(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {.serve = serve, .connections = 2, .parallel = true};
    peer_script_start(&script);
    struct map *one = open_table(bench, &script, "one");
    struct map *two = open_table(bench, &script, "two");
    assert_true(map_is_pattern(one));
    assert_string_equal(bench_ask(bench, one, "Ab c"), "one Ab c");
    assert_string_equal(bench_ask(bench, two, "x,3:y"), "two x,3:y");
    assert_string_equal(str_ptr(&script.log), "C<one Ab c><two x,3:y>");
    map_close(&one);
    script.reply = "9:NOTFOUND ,";
    assert_string_equal(bench_ask(bench, two, "x"), "(missing)");
    script.reply = "10:TEMP later,";
    assert_string_equal(bench_ask(bench, two, "x"), "(error)");
    script.reply = "9:OK 123456,";
    assert_string_equal(bench_ask(bench, two, "x"), "123456");
    script.reply = "31:OK 1234567890123456789012345678,";
    assert_string_equal(bench_ask(bench, two, "x"), "(error)");
    assert_string_equal(bench->err.text, "Message too long");
    char *log = bench_take(bench);
    assert_non_null(strstr(log, "warning: table socketmap:inet:127.0.0.1:"));
    assert_non_null(
        strstr(log, ":two lookup error: socketmap server temporary error: later\n"));
    free(log);
    str_clear(&script.log);
    script.reply = NULL;
    assert_string_equal(bench_ask(bench, two, "x"), "two x");
    assert_string_equal(str_ptr(&script.log), "C<two x>"); /* a new one */
    map_close(&two);
    peer_script_end(&script);
}

static void test_talk(void **state)
{
    (void)state;
    struct bench *bench = bench_new("socketmap_max_reply_size = 30");
    test_run_in_spool(talk, bench);
    bench_free(bench);
}

/* A server that needs the answer to one question to give that to another must get both,
 * each on its own connection. */
struct crowd {
    struct bench *bench;
    struct map *map;
    size_t asked, answered;
    struct task_cond all_asked;
};
enum { CROWD = 20, LATE = 4 };

/* One process, one crowd. */
static struct crowd crowd;

static bool serve_crowd(struct peer_script *script, struct stream *client)
{
    struct view request;
    (void)script;
    if (!socketmap_read(client, 1000, &request)) {
        return false;
    }
    STR_AUTO struct str key = {0};
    str_add(&key, request);
    crowd.asked++;
    task_cond_broadcast(&crowd.all_asked);
    while (crowd.asked < CROWD) {
        (void)task_cond_wait(&crowd.all_asked, CLOCK_NEVER);
    }
    stream_printf(client, "%zu:OK %s,", key.len + 3, str_ptr(&key));
    return stream_flush(client);
}

static void ask_in_crowd(void *context)
{
    int number = (int)(intptr_t)context;
    STR_AUTO struct str value = {0};
    struct err err = {0};
    char *key = xasprintf("key%d", number);
    char *expected = xasprintf("n key%d", number);
    assert_int_equal(map_find(crowd.map, view_cstr(key), &value, &err), MAP_FOUND);
    assert_string_equal(str_ptr(&value), expected);
    free(key);
    free(expected);
    crowd.answered++;
}

static void talk_all_at_once(void *context)
{
    struct bench *bench = context;
    struct peer_script script = {
        .serve = serve_crowd, .connections = CROWD, .parallel = true};
    peer_script_start(&script);
    task_cond_init(&crowd.all_asked);
    crowd.map = open_table(bench, &script, "n");
    for (int i = 0; i < CROWD + LATE; i++) { /* the last ones wait for their turn */
        (void)task_spawn("lookup", ask_in_crowd, (void *)(intptr_t)i);
    }
    while (crowd.answered < CROWD + LATE) {
        (void)task_sleep_until(clock_now() + CLOCK_MILLISECOND);
    }
    map_close(&crowd.map);
    peer_script_end(&script);
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    test_run_in_spool(talk_all_at_once, bench);
    bench_free(bench);
}

/* --- names, and servers that are not there ----------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *error;
    } cases[] = {
        {"socketmap:x", "socketmap requires server:socketmap argument"},
        {"socketmap:inet:127.0.0.1",
         "need service transport:endpoint instead of \"inet\""},
        {"socketmap:inet:127.0.0.1:1", "need \"host:port\" instead of \"127.0.0.1\""},
        {"socketmap:foo:127.0.0.1:1:n",
         "invalid transport name: foo in service: foo:127.0.0.1:1"},
        {"socketmap:unix:/x", "need service transport:endpoint instead of \"unix\""},
        {"socketmap:unix:/nonexistent:n", NULL},
    };
    struct bench *bench = bench_new("");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct map *map = map_open(bench->conf, view_cstr(cases[i].name), MAP_QUIET);
        if (cases[i].error != NULL) {
            assert_string_equal(map_open_error(map), cases[i].error);
        } else {
            assert_null(map_open_error(map));
        }
        map_close(&map);
    }
    bench_free(bench);
}

/* Outside fibers, and without a server: an error each time, a connection attempt only
 * now and then. */
static void test_no_server(void **state)
{
    (void)state;
    struct bench *bench = bench_new("");
    char *name = xasprintf("socketmap:unix:%s/socket:n", bench->directory);
    struct map *map = map_open(bench->conf, view_cstr(name), 0);
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_log(bench, "warning: table socketmap:unix:D/socket:n lookup error: connect "
                      "to D/socket: No such file or directory\n");
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    test_write_file(bench->directory, "socket", ""); /* gives another error */
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_non_null(strstr(bench->err.text, "No such file or directory"));
    free(bench_take(bench));
    (void)usleep(1100 * 1000);
    assert_string_equal(bench_ask(bench, map, "x"), "(error)");
    assert_non_null(strstr(bench->err.text, "Connection refused"));
    map_close(&map);
    free(name);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies), cmocka_unit_test(test_netstrings),
        cmocka_unit_test(test_talk),    cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
