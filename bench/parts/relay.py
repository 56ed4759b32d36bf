# SPDX-License-Identifier: MIT
"""smtpd to smtp: from the load generator through the mail system to a sink of our own."""
import contextlib
import subprocess

import benchlib as lib
import report
import suites

TITLE = "Relay to a sink, 1 KB"
CELLS = [(10, True), (10, False), (50, True)]


@contextlib.contextmanager
def sink(port):
    """a function that says how many messages have come to PORT"""
    lib.GEN = lib.GEN or lib.Cgroup("gen")
    process = subprocess.Popen(lib.GEN.wrap([str(suites.WORK / "smtpsink"), "-p", str(port)]), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def count():
        process.stdin.write("?\n")
        process.stdin.flush()
        return int(process.stdout.readline())
    try:
        yield count
    finally:
        process.stdin.close()
        process.wait()


def run(bench, plan):
    messages = plan.messages(1500)
    with bench.pair() as suts, contextlib.ExitStack() as stack:
        counts = {sut.name: stack.enter_context(sink(sut.port + 1)) for sut in suts}
        for sut in suts:
            bench.load(sut, sessions=10, messages=200, size=1024, reuse=True, to="u@sink.example",
                       sink=counts[sut.name])
        for _ in range(plan.rounds):
            for sessions, reuse in CELLS:
                for sut in suts:
                    row = bench.load(sut, sessions=sessions, messages=messages, size=1024, reuse=reuse,
                                     to="u@sink.example", timeout=120, sink=counts[sut.name])
                    bench.row(test="relay", deferred=sut.queue_count(("deferred",)), **row)


def tables(rows):
    return report.compare(report.test(rows, "relay"), {"sessions": "sessions", "reuse": "reused"},
                          {"e2e_per_s": "messages/s", "cpu_ms": "CPU ms/message"})
