/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include "testing/unix_server.h"

#include "map/peer_testing.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "map/memcache.h"
#include "task/task.h"

/* --- answers ----------------------------------------------------------------- */

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool complete;
        const char *expected; /* the value, "(missing)", or the problem */
    } cases[] = {
        {"VALUE key 0 5\r\nvalue\r\nEND\r\n", true, "value"},
        {"VALUE key 4294967295 0\r\n\r\nEND\r\n", true, ""},
        {"VALUE key 0 4 123\r\na\r\nb\r\nEND\r\n", true, "a\r\nb"},
        {"END\r\n", true, "(missing)"},
        {"ERROR\r\n", false, "unexpected memcache server reply: ERROR"},
        {"SERVER_ERROR no memory\r\n", false,
         "unexpected memcache server reply: SERVER_ERROR no memory"},
        {"VALUE other 0 5\r\nvalue\r\nEND\r\n", false,
         "unexpected memcache server reply: VALUE other 0 5"},
        {"VALUE key 0 21\r\n", false,
         "unexpected memcache server reply: VALUE key 0 21"},
        {"VALUE key 0 -1\r\n", false,
         "unexpected memcache server reply: VALUE key 0 -1"},
        {"VALUE key 0\r\n", false, "unexpected memcache server reply: VALUE key 0"},
        {"VALUE key 0 4\r\nvalue\r\nEND\r\n", false,
         "unexpected memcache server reply: valu"},
        {"VALUE key 0 1\r\na\r\nVALUE key 0 1\r\nb\r\nEND\r\n", false,
         "unexpected memcache server reply: VALUE key 0 1"},
        {"VALUE key 0 5\r\nval", false, ""},
        {"VALUE key 0 5\r\nvalue\r\nEN", false, ""},
        {"VALUE key 0 5", false, ""},
        {"", false, ""},
        {"a line that is longer than it may be\r\n", false, ""},
    };
    const struct memcache_limits limits = {.line_max = 30, .data_max = 20};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int pair[2];
        STR_AUTO struct str value = {0};
        STR_AUTO struct str problem = {0};
        enum map_result result = MAP_ERROR;
        ssize_t len = (ssize_t)strlen(cases[i].text);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(write(pair[1], cases[i].text, (size_t)len), len);
        assert_int_equal(close(pair[1]), 0);
        struct stream *stream = stream_new(pair[0]);
        assert_int_equal(memcache_read_value(stream, VIEW("key"), &limits, &result,
                                             &value, &problem),
                         cases[i].complete);
        const char *got = cases[i].complete ? str_ptr(&value) : str_ptr(&problem);
        assert_string_equal(result == MAP_MISSING ? "(missing)" : got,
                            cases[i].expected);
        assert_int_equal(stream_ok(stream), cases[i].complete);
        stream_free(&stream);
    }
}

/* --- conversations ----------------------------------------------------------- */

/* A memcached with room for one entry, which stands in REPLY as "KEY VALUE". */
struct small_cache {
    struct peer_script script; /* first */
    char key[100], value[100];
};

static void serve_set(struct small_cache *cache, struct stream *client,
                      struct view line)
{
    struct view words[5];
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        assert_true(view_next_word(&line, " ", &words[i]));
    }
    char *length = xviewdup(words[4]);
    struct view data;
    assert_true(stream_read_exact(client, strtoul(length, NULL, 10) + 2, &data));
    free(length);
    (void)snprintf(cache->value, sizeof(cache->value), "%.*s",
                   VIEW_ARG(view_first(data, data.len - 2)));
    stream_write_cstr(client, "STORED\r\n");
}

static bool serve(struct peer_script *script, struct stream *client)
{
    struct small_cache *cache = (struct small_cache *)script;
    struct view line;
    if (!stream_read_line(client, 1000, &line, NULL)) {
        return false;
    }
    str_printf(&script->log, "<%.*s>", VIEW_ARG(line));
    if (script->reply != NULL) {
        stream_write_cstr(client, script->reply);
        return stream_flush(client);
    }
    struct view rest = line;
    struct view verb;
    struct view key = {0};
    assert_true(view_next_word(&rest, " ", &verb) && view_next_word(&rest, " ", &key));
    bool there = view_equal_cstr(key, cache->key);
    if (view_equal_cstr(verb, "get")) {
        if (there) {
            stream_printf(client, "VALUE %s 0 %zu\r\n%s\r\n", cache->key,
                          strlen(cache->value), cache->value);
        }
        stream_write_cstr(client, "END\r\n");
    } else if (view_equal_cstr(verb, "set")) {
        (void)snprintf(cache->key, sizeof(cache->key), "%.*s", VIEW_ARG(key));
        serve_set(cache, client, line);
    } else {
        stream_write_cstr(client, there ? "DELETED\r\n" : "NOT_FOUND\r\n");
        cache->key[0] = there ? '\0' : cache->key[0];
    }
    return stream_flush(client);
}

static struct map *open_table(struct bench *bench, const struct small_cache *cache,
                              const char *settings, unsigned flags)
{
    char *text = xasprintf("memcache = inet:127.0.0.1:%u\n%s",
                           cache->script.server.port, settings);
    test_write_file(bench->directory, "mc.cf", text);
    free(text);
    struct map *map = bench_open_file(bench, "memcache", "mc.cf", flags);
    assert_null(map_open_error(map));
    return map;
}

static void assert_said(struct small_cache *cache, const char *expected)
{
    assert_string_equal(str_ptr(&cache->script.log), expected);
    str_clear(&cache->script.log);
}

static void talk_alone(void *context)
{
    struct bench *bench = context;
    struct small_cache cache = {.script = {.serve = serve, .connections = 1}};
    peer_script_start(&cache.script);
    struct map *map =
        open_table(bench, &cache, "key_format = t:%s\nttl = 77\nflags = 5\n",
                   MAP_FOLD | MAP_WRITE);
    assert_false(map_is_pattern(map));
    assert_string_equal(bench_ask(bench, map, "Key"), "(missing)");
    assert_int_equal(map_put(map, VIEW("Key"), VIEW("a value"), &bench->err), OK);
    assert_string_equal(bench_ask(bench, map, "kEY"), "a value");
    assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_FOUND);
    assert_int_equal(map_remove(map, VIEW("key"), &bench->err), MAP_MISSING);
    assert_said(&cache, "C<get t:key><set t:key 5 77 7><get t:key><delete t:key>"
                        "<delete t:key>");
    /* What is no key for memcached is not there, and is no command either. */
    assert_string_equal(bench_ask(bench, map, "a b"), "(missing)");
    assert_string_equal(bench_ask(bench, map, "a\r\nset x 0 0 1\r\ny"), "(missing)");
    char *large = xcalloc(1, 260);
    memset(large, 'x', 259);
    assert_string_equal(bench_ask(bench, map, large), "(missing)");
    free(large);
    assert_said(&cache, "");
    assert_log(bench, "");
    assert_int_equal(map_put(map, VIEW("a b"), VIEW("v"), &bench->err), OK);
    assert_log(bench, "warning: table memcache:D/mc.cf: skipping update for key \"a "
                      "b\": domain mismatch, or key is not possible in memcached\n");
    assert_int_equal(map_walk(map, NULL, NULL, &bench->err), PERMFAIL);
    map_close(&map);
    peer_script_end(&cache.script);
}

static void talk_with_backup(void *context)
{
    struct bench *bench = context;
    struct small_cache cache = {
        .script = {.serve = serve, .connections = 2, .parallel = true}};
    peer_script_start(&cache.script);
    struct map *map = open_table(
        bench, &cache, "backup = inline:{key=kept}\nmax_try = 2\nretry_pause = 1\n", 0);
    assert_string_equal(bench_ask(bench, map, "key"), "kept");
    assert_string_equal(bench_ask(bench, map, "key"), "kept");
    assert_string_equal(bench_ask(bench, map, "other"), "(missing)");
    assert_said(&cache, "C<get key><set key 0 3600 4><get key><get other>");
    assert_log(bench, "");
    /* memcached out of order: the backup knows. */
    cache.script.reply = "SERVER_ERROR\r\n";
    map_close(&map);
    map = open_table(bench, &cache, "backup = inline:{key=kept}\nmax_try = 1\n", 0);
    assert_string_equal(bench_ask(bench, map, "other"), "(missing)");
    assert_said(&cache, "C<get other>");
    char *log = bench_take(bench);
    assert_string_equal(log, "warning: table memcache:D/mc.cf: unexpected memcache "
                             "server reply: SERVER_ERROR\n");
    free(log);
    map_close(&map);
    peer_script_end(&cache.script);
}

static void talk_in_vain(void *context)
{
    struct bench *bench = context;
    struct small_cache cache = {
        .script = {.serve = serve, .connections = 2, .reply = "ERROR\r\n"}};
    peer_script_start(&cache.script);
    struct map *map = open_table(bench, &cache, "max_try = 2\nretry_pause = 1\n", 0);
    assert_string_equal(bench_ask(bench, map, "k"), "(error)");
    assert_said(&cache, "C<get k>C<get k>");
    assert_string_equal(bench->err.text, "unexpected memcache server reply: ERROR");
    free(bench_take(bench));
    map_close(&map);
    peer_script_end(&cache.script);
    /* Nobody listens any more. */
    map = open_table(bench, &cache, "", 0);
    assert_string_equal(bench_ask(bench, map, "k"), "(error)");
    assert_non_null(strstr(bench->err.text, "Connection refused"));
    free(bench_take(bench));
    map_close(&map);
}

static void run(void (*body)(void *))
{
    struct bench *bench = bench_new("");
    test_run_in_spool(body, bench);
    bench_free(bench);
}

static void test_alone(void **state)
{
    (void)state;
    run(talk_alone);
}

static void test_backup(void **state)
{
    (void)state;
    run(talk_with_backup);
}

static void test_in_vain(void **state)
{
    (void)state;
    run(talk_in_vain);
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *error;
    } cases[] = {
        {"max_try = x\n", "/mc.cf: bad numerical configuration: max_try = x"},
        {"timeout = 0\n", "/mc.cf: invalid parameter value, too small: timeout = 0"},
        {"key_format = %x\n", "/mc.cf: Invalid key template: %x"},
        {"memcache = foo:1:2\n", "invalid transport name: foo in service: foo:1:2"},
        {"key_digest = sha256\n", "/mc.cf: key_digest is not supported"},
        {"backup = nosuch:x\n", "unsupported dictionary type: nosuch"},
    };
    struct bench *bench = bench_new("");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        test_write_file(bench->directory, "mc.cf", cases[i].settings);
        struct map *map = bench_open_file(bench, "memcache", "mc.cf", MAP_QUIET);
        assert_non_null(map_open_error(map));
        assert_non_null(strstr(map_open_error(map), cases[i].error));
        map_close(&map);
    }
    struct map *map = map_open(bench->conf, VIEW("memcache:words"), MAP_NO_UNAUTH);
    assert_string_equal(
        map_open_error(map),
        "memcache:words map is not allowed for security-sensitive data");
    map_close(&map);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_alone),
        cmocka_unit_test(test_backup),   cmocka_unit_test(test_in_vain),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
