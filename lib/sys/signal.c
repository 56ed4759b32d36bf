/* SPDX-License-Identifier: MIT */
#include "sys/signal.h"

#include <stddef.h>

#include "base/check.h"

static void set_action(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigemptyset(&action.sa_mask) == 0);
    CHECK(sigaction(number, &action, NULL) == 0);
}

void signal_handle(int number, void (*handler)(int))
{
    CHECK(handler != NULL);
    set_action(number, handler);
}

void signal_ignore(int number)
{
    set_action(number, SIG_IGN);
}

bool signal_block(int number, bool block)
{
    sigset_t set;
    sigset_t old;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, number) == 0);
    CHECK(sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, &old) == 0);
    return sigismember(&old, number) == 1;
}

void signal_reset_all(void)
{
    static const int used[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM,
                               SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2, SIGIO,
                               SIGTSTP, SIGTTIN, SIGTTOU, SIGABRT};
    for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
        set_action(used[i], SIG_DFL);
    }
    sigset_t none;
    CHECK(sigemptyset(&none) == 0);
    CHECK(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
}
