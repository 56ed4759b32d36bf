/* SPDX-License-Identifier: MIT */
/*
 * What AddressSanitizer and valgrind must be told about stacks that are not the
 * thread's own.  The only file that asks the compiler whether they are there; without
 * them every function here is empty.
 */
#ifndef TASK_STACK_HOOKS_H
#define TASK_STACK_HOOKS_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_HAVE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(TASK_HAVE_ASAN)
#define TASK_HAVE_ASAN 1
#endif

#if defined(TASK_HAVE_ASAN)

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

/* Instrumented frames are far larger than those that run in production. */
enum { STACK_SIZE_FACTOR = 2 };

static inline void hook_memory_usable(const char *low, size_t size)
{
    __asan_unpoison_memory_region(low, size);
}

static inline void hook_memory_unusable(const char *low, size_t size)
{
    __asan_poison_memory_region(low, size);
}

/* Heap memory that only a parked fiber points to is not leaked. */
static inline void hook_leak_roots_add(const char *low, size_t size)
{
    __lsan_register_root_region(low, size);
}

static inline void hook_leak_roots_remove(const char *low, size_t size)
{
    __lsan_unregister_root_region(low, size);
}

/* Before leaving a stack for the one at LOW; SAVED NULL: it is never returned to. */
static inline void hook_switch_begin(void **saved, const void *low, size_t size)
{
    __sanitizer_start_switch_fiber(saved, low, size);
}

/* After arriving; tells where the stack is that was left. */
static inline void hook_switch_end(void *saved, const void **low_out, size_t *size_out)
{
    __sanitizer_finish_switch_fiber(saved, low_out, size_out);
}

#else

enum { STACK_SIZE_FACTOR = 1 };

static inline void hook_memory_usable(const char *low, size_t size)
{
    (void)low;
    (void)size;
}

static inline void hook_memory_unusable(const char *low, size_t size)
{
    (void)low;
    (void)size;
}

static inline void hook_leak_roots_add(const char *low, size_t size)
{
    (void)low;
    (void)size;
}

static inline void hook_leak_roots_remove(const char *low, size_t size)
{
    (void)low;
    (void)size;
}

static inline void hook_switch_begin(void **saved, const void *low, size_t size)
{
    (void)saved;
    (void)low;
    (void)size;
}

static inline void hook_switch_end(void *saved, const void **low_out, size_t *size_out)
{
    (void)saved;
    (void)low_out;
    (void)size_out;
}

#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define TASK_HAVE_VALGRIND 1
#endif
#endif

#if defined(TASK_HAVE_VALGRIND)

#include <valgrind/valgrind.h>

static inline unsigned hook_stack_register(char *low, char *top)
{
    return VALGRIND_STACK_REGISTER(low, top);
}

static inline void hook_stack_unregister(unsigned id)
{
    (void)id; /* the macro is empty where valgrind does not exist */
    VALGRIND_STACK_DEREGISTER(id);
}

#else

static inline unsigned hook_stack_register(char *low, char *top)
{
    (void)low;
    (void)top;
    return 0;
}

static inline void hook_stack_unregister(unsigned id)
{
    (void)id;
}

#endif

#endif
