/* SPDX-License-Identifier: MIT */
#include "testing/test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls/ticket_keys.h"

enum { PERIOD = 3600, NOW = 1700000000 };

static int new_page(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    return fd;
}

static struct tls_ticket_key current(struct tls_ticket_keys *keys, int64_t now)
{
    const struct tls_ticket_key *key = tls_ticket_keys_current(keys, now);
    assert_non_null(key);
    return *key;
}

static bool same(const struct tls_ticket_key *a, const struct tls_ticket_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Processes of one instance have the same key, whoever makes it. */
static void test_shared(void **state)
{
    (void)state;
    bool old;
    int fd = new_page();
    struct tls_ticket_keys *a = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_keys *b = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_key first = current(a, NOW);
    struct tls_ticket_key seen = current(b, NOW + 10);
    assert_true(same(&first, &seen));
    const struct tls_ticket_key *found =
        tls_ticket_keys_find(b, first.name, NOW + 10, &old);
    assert_non_null(found);
    assert_false(old);
    assert_true(same(found, &first));
    tls_ticket_keys_close(&a);
    tls_ticket_keys_close(&b);
    (void)close(fd);
}

static void test_rotation(void **state)
{
    (void)state;
    bool old;
    int fd = new_page();
    struct tls_ticket_keys *a = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_keys *b = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_key first = current(a, NOW);
    struct tls_ticket_key second = current(b, NOW + PERIOD);
    assert_false(same(&first, &second));
    assert_memory_not_equal(first.cipher, second.cipher, sizeof(first.cipher));
    struct tls_ticket_key seen = current(a, NOW + PERIOD + 1);
    assert_true(same(&second, &seen));
    /* The last key still opens, and asks for a new ticket; later it is forgotten. */
    assert_non_null(tls_ticket_keys_find(a, first.name, NOW + PERIOD + 1, &old));
    assert_true(old);
    assert_null(tls_ticket_keys_find(a, first.name, NOW + 2 * PERIOD, &old));
    (void)current(a, NOW + 2 * PERIOD);
    assert_null(tls_ticket_keys_find(b, first.name, NOW + PERIOD + 1, &old));
    assert_non_null(tls_ticket_keys_find(b, second.name, NOW + 2 * PERIOD, &old));
    assert_true(old);
    tls_ticket_keys_close(&a);
    tls_ticket_keys_close(&b);
    (void)close(fd);
}

/* Nobody has asked for a key since the last one became too old to seal with. */
static void test_idle(void **state)
{
    (void)state;
    bool old;
    struct tls_ticket_keys *keys = tls_ticket_keys_open(-1, PERIOD);
    struct tls_ticket_key first = current(keys, NOW);
    assert_non_null(tls_ticket_keys_find(keys, first.name, NOW + PERIOD + 9, &old));
    assert_true(old);
    /* The clock was set back by years: a key from the future is not used for years. */
    struct tls_ticket_key next = current(keys, NOW - 100 * PERIOD);
    assert_false(same(&first, &next));
    tls_ticket_keys_close(&keys);
}

/* Who was killed in the middle of writing leaves an odd sequence number. */
static void test_torn_page(void **state)
{
    (void)state;
    bool old;
    int fd = new_page();
    struct tls_ticket_keys *keys = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_key first = current(keys, NOW);
    uint32_t sequence;
    assert_int_equal(pread(fd, &sequence, sizeof(sequence), 0), sizeof(sequence));
    sequence |= 1;
    assert_int_equal(pwrite(fd, &sequence, sizeof(sequence), 0), sizeof(sequence));
    assert_null(tls_ticket_keys_find(keys, first.name, NOW, &old));
    struct tls_ticket_key next = current(keys, NOW);
    assert_false(same(&first, &next));
    assert_null(tls_ticket_keys_find(keys, first.name, NOW, &old));
    assert_non_null(tls_ticket_keys_find(keys, next.name, NOW, &old));
    tls_ticket_keys_close(&keys);
    (void)close(fd);
}

/* While another process holds the lock, the old key goes on; without one, there is
 * none. */
static void test_locked(void **state)
{
    (void)state;
    int fd = new_page();
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    struct tls_ticket_keys *keys = tls_ticket_keys_open(fd, PERIOD);
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _exit(fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1 && pause());
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_null(tls_ticket_keys_current(keys, NOW));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_non_null(tls_ticket_keys_current(keys, NOW));
    tls_ticket_keys_close(&keys);
    (void)close(fd);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void test_turn(void **state)
{
    (void)state;
    int fd = new_page();
    struct tls_ticket_keys *a = tls_ticket_keys_open(fd, PERIOD);
    struct tls_ticket_keys *b = tls_ticket_keys_open(fd, PERIOD);
    assert_true(tls_ticket_keys_turn(a, NOW, 100));
    assert_false(tls_ticket_keys_turn(b, NOW, 100));
    assert_false(tls_ticket_keys_turn(a, NOW + 99, 100));
    assert_true(tls_ticket_keys_turn(b, NOW + 100, 100));
    assert_false(tls_ticket_keys_turn(a, NOW + 100, 100));
    tls_ticket_keys_close(&a);
    tls_ticket_keys_close(&b);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared), cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_idle),   cmocka_unit_test(test_torn_page),
        cmocka_unit_test(test_locked), cmocka_unit_test(test_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
