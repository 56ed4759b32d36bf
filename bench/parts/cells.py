# SPDX-License-Identifier: MIT
"""Mail from smtpd to a Maildir: messages per second to the last delivery and CPU per message."""
import report

TITLE = "SMTP to Maildir"
# bytes, sessions, connection reused, messages: a run takes Postfix two to four seconds
CELLS = ([(1024, s, reuse, 500 if s == 1 else 2000) for s in (1, 10, 50) for reuse in (True, False)] +
         [(10240, 10, reuse, 1500) for reuse in (True, False)] +
         [(102400, 10, reuse, 600) for reuse in (True, False)])


def measure(bench, suts, cells, rounds, name="cells"):
    for sut in suts:
        bench.load(sut, sessions=10, messages=200, size=1024, reuse=True)  # warm-up, not counted
    for _ in range(rounds):
        for size, sessions, reuse, messages in cells:
            for sut in suts:
                bench.row(test=name, **bench.load(sut, sessions=sessions, messages=messages, size=size, reuse=reuse,
                                                  timeout=120))


def run(bench, plan):
    with bench.pair() as suts:
        measure(bench, suts, [(size, sessions, reuse, plan.messages(n)) for size, sessions, reuse, n in CELLS],
                plan.rounds)


def tables(rows):
    return report.compare(report.test(rows, "cells"),
                          {"size": "bytes", "sessions": "sessions", "reuse": "reused"},
                          {"e2e_per_s": "messages/s", "cpu_ms": "CPU ms/message",
                           "ctxt": "switches of the whole machine/message"})
