/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list.  A node is in one list or in none. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The object of TYPE whose member MEMBER is NODE. */
#define LIST_ITEM(node, type, member)                                                  \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Loop over NODE; the body may remove the current node. */
#define LIST_EACH(head, node)                                                          \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);  \
         node = node##_next, node##_next = node->next)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_add_head(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

/* Removes and re-initialises NODE, so removing twice is harmless. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

#endif
