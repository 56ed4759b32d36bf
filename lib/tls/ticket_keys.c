/* SPDX-License-Identifier: MIT */
/*
 * Readers take no lock: the page carries a sequence number that is odd while somebody
 * writes and different afterwards.  Writers hold a lock on the file, which ends with
 * them, so that a writer who is killed leaves an odd number, and the next one writes
 * everything anew.
 */
#include "tls/ticket_keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/file.h"

enum { PAGE_BYTES = 4096 };

struct page {
    _Atomic uint32_t sequence; /* 0: nobody has written yet */
    struct tls_ticket_key current, previous;
    _Atomic int64_t turn; /* when the last turn was taken */
};

struct tls_ticket_keys {
    int fd; /* -1: the page is ours alone */
    int64_t period;
    struct page *page;
    /* As last read, so that the page is read only when it has changed. */
    uint32_t sequence;
    struct tls_ticket_key current, previous;
};

struct tls_ticket_keys *tls_ticket_keys_open(int fd, int64_t period)
{
    CHECK(sizeof(struct page) <= PAGE_BYTES && period > 0);
    int flags = fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    /* Keys belong into no core file. */
    (void)madvise(page, PAGE_BYTES, MADV_DONTDUMP);
    struct tls_ticket_keys *keys = xcalloc(1, sizeof(*keys));
    keys->fd = fd;
    keys->period = period;
    keys->page = page;
    return keys;
}

void tls_ticket_keys_close(struct tls_ticket_keys **keys)
{
    struct tls_ticket_keys *old = *keys;
    if (old == NULL) {
        return;
    }
    CHECK(munmap(old->page, PAGE_BYTES) == 0);
    OPENSSL_cleanse(old, sizeof(*old));
    free(old);
    *keys = NULL;
}

/* --- reading -------------------------------------------------------------------- */

static bool is_complete(uint32_t sequence)
{
    return sequence != 0 && sequence % 2 == 0;
}

/* False: somebody is writing, or nobody ever has. */
static bool refresh(struct tls_ticket_keys *keys)
{
    uint32_t before = atomic_load_explicit(&keys->page->sequence, memory_order_acquire);
    if (!is_complete(before)) {
        return false;
    }
    if (before == keys->sequence) {
        return true;
    }
    struct tls_ticket_key current = keys->page->current;
    struct tls_ticket_key previous = keys->page->previous;
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&keys->page->sequence, memory_order_relaxed) != before) {
        return false;
    }
    keys->current = current;
    keys->previous = previous;
    keys->sequence = before;
    return true;
}

/* Still to seal with?  A clock that was set back makes keys too new. */
static bool is_current(const struct tls_ticket_keys *keys, int64_t now)
{
    int64_t age = now - keys->current.made;
    return age >= -keys->period && age < keys->period;
}

/* --- writing -------------------------------------------------------------------- */

static bool make_key(struct tls_ticket_key *key, int64_t now)
{
    key->made = now;
    return RAND_bytes(key->name, sizeof(key->name)) == 1 &&
           RAND_priv_bytes(key->cipher, sizeof(key->cipher)) == 1 &&
           RAND_priv_bytes(key->mac, sizeof(key->mac)) == 1;
}

static void write_page(struct tls_ticket_keys *keys, const struct tls_ticket_key *next)
{
    struct page *page = keys->page;
    uint32_t sequence = atomic_load_explicit(&page->sequence, memory_order_relaxed);
    bool torn = !is_complete(sequence);
    atomic_store_explicit(&page->sequence, sequence | 1U, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    if (torn) {
        OPENSSL_cleanse(&page->previous, sizeof(page->previous));
    } else {
        page->previous = page->current;
    }
    page->current = *next;
    uint32_t after = (sequence | 1U) + 1;
    atomic_store_explicit(&page->sequence, after != 0 ? after : 2,
                          memory_order_release);
}

static void unlock(int fd)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
}

/* The next key, unless another process makes it at this moment. */
static void rotate(struct tls_ticket_keys *keys, int64_t now)
{
    struct tls_ticket_key next;
    if (keys->fd >= 0 && !file_lock(keys->fd, false)) {
        return;
    }
    /* It may just have been made. */
    bool needed = !refresh(keys) || !is_current(keys, now);
    if (needed && make_key(&next, now)) {
        write_page(keys, &next);
    }
    OPENSSL_cleanse(&next, sizeof(next));
    if (keys->fd >= 0) {
        unlock(keys->fd);
    }
}

/* --- use ------------------------------------------------------------------------ */

const struct tls_ticket_key *tls_ticket_keys_current(struct tls_ticket_keys *keys,
                                                     int64_t now)
{
    bool read = refresh(keys);
    if (!read || !is_current(keys, now)) {
        rotate(keys, now);
        read = refresh(keys);
    }
    /* While another process is about to make the next one, the last one will do. */
    return read ? &keys->current : NULL;
}

static bool opens(const struct tls_ticket_keys *keys, const struct tls_ticket_key *key,
                  const unsigned char *name, int64_t now)
{
    return key->made != 0 && now - key->made < 2 * keys->period &&
           CRYPTO_memcmp(key->name, name, sizeof(key->name)) == 0;
}

const struct tls_ticket_key *tls_ticket_keys_find(struct tls_ticket_keys *keys,
                                                  const unsigned char *name,
                                                  int64_t now, bool *old_out)
{
    *old_out = false;
    if (!refresh(keys)) {
        return NULL;
    }
    if (opens(keys, &keys->current, name, now)) {
        *old_out = !is_current(keys, now);
        return &keys->current;
    }
    *old_out = true;
    return opens(keys, &keys->previous, name, now) ? &keys->previous : NULL;
}

bool tls_ticket_keys_turn(struct tls_ticket_keys *keys, int64_t now, int64_t period)
{
    int64_t last = atomic_load(&keys->page->turn);
    if (last != 0 && now - last < period && now >= last) {
        return false;
    }
    return atomic_compare_exchange_strong(&keys->page->turn, &last, now);
}
