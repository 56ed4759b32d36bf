/* SPDX-License-Identifier: MIT */
/*
 * Each stack is a mapping of its own with an inaccessible page below, so that an
 * overflow ends the process and never overwrites another fiber.  Pages become
 * resident when they are touched.  A few stacks are kept for reuse with what they
 * have touched; the others go back to the system, so that a burst leaves nothing.
 */
#include "task/stack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "task/stack_hooks.h"

enum { STACK_BYTES = 128 * 1024 * STACK_SIZE_FACTOR, POOL_MOST = 64 };

static size_t guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static struct stack *map_stack(void)
{
    size_t guard = guard_bytes();
    char *mapping =
        mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping, guard, PROT_NONE) != 0) {
        /* Usually vm.max_map_count: two mappings per fiber. */
        log_fatal("cannot map a fiber stack: %s", strerror(errno));
    }
    char *low = mapping + guard;
    struct stack *stack = (void *)(low + STACK_BYTES - sizeof(*stack));
    CHECK((size_t)stack % _Alignof(struct stack) == 0);
    list_init(&stack->node);
    stack->low = low;
    stack->size = STACK_BYTES - sizeof(*stack);
    stack->hook_id = hook_stack_register(low, (char *)stack - 1);
    hook_leak_roots_add(low, STACK_BYTES);
    return stack;
}

static void unmap_stack(struct stack *stack)
{
    char *low = stack->low;
    size_t guard = guard_bytes();
    hook_stack_unregister(stack->hook_id);
    hook_leak_roots_remove(low, STACK_BYTES);
    hook_memory_usable(low, stack->size);
    CHECK(munmap(low - guard, guard + STACK_BYTES) == 0);
}

void stack_pool_init(struct stack_pool *pool)
{
    list_init(&pool->free);
    pool->count = 0;
}

void stack_pool_done(struct stack_pool *pool)
{
    LIST_EACH(&pool->free, node)
    {
        list_remove(node);
        unmap_stack(LIST_ITEM(node, struct stack, node));
        pool->count--;
    }
    CHECK(pool->count == 0);
}

struct stack *stack_take(struct stack_pool *pool)
{
    struct list *node = list_first(&pool->free);
    if (node == NULL) {
        return map_stack();
    }
    struct stack *stack = LIST_ITEM(node, struct stack, node);
    list_remove(node);
    CHECK(pool->count > 0);
    pool->count--;
    hook_memory_usable(stack->low, stack->size);
    return stack;
}

void stack_give_back(struct stack_pool *pool, struct stack *stack)
{
    CHECK(list_empty(&stack->node));
    if (pool->count == POOL_MOST) {
        unmap_stack(stack);
        return;
    }
    hook_memory_unusable(stack->low, stack->size);
    /* The last one used is the one in the processor's cache. */
    list_add_head(&pool->free, &stack->node);
    pool->count++;
}
