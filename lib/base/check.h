/* SPDX-License-Identifier: MIT */
/*
 * CHECK states what must hold if our own code is right.  It is on in every
 * build: a wrong mail server that goes on is worse than one that stops.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define NODISCARD __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define CHECK(expr)                                                                    \
    do {                                                                               \
        if (__builtin_expect(!(expr), 0)) {                                            \
            check_failed(#expr, __FILE__, __LINE__, __func__);                         \
        }                                                                              \
    } while (0)

/* Logs a panic with the place and aborts. */
NORETURN void check_failed(const char *expr, const char *file, int line,
                           const char *function);

#endif
