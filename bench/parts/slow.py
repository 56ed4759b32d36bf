# SPDX-License-Identifier: MIT
"""Clients that send a byte a second in the middle of DATA, beside fast ones."""
import subprocess

import report
import suites

TITLE = "Slow senders beside fast ones"
SLOW, SESSIONS, MESSAGES = 100, 10, 2000


def with_slow(bench, sut, **how):
    slow = subprocess.Popen([suites.WORK / "smtpload", "-m", "slow", "-p", str(sut.port), "-n", str(SLOW), "-R",
                             suites.USER + "@bench.example"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if not slow.stdout.readline():
            raise SystemExit("the slow senders have failed")
        result = bench.load(sut, others=SLOW, **how)
        result["complete"] &= slow.poll() is None
        return result
    finally:
        slow.stdin.close()
        slow.wait()


def run(bench, plan):
    how = {"sessions": SESSIONS, "messages": plan.messages(MESSAGES), "size": 1024, "reuse": True}
    with bench.pair(maxproc="300") as suts:
        for sut in suts:
            bench.load(sut, **{**how, "messages": 200})
        for _ in range(plan.rounds):
            for sut in suts:
                # In turn with and without, so that what else the machine does hits both alike.
                rate = {False: bench.load(sut, **how), True: with_slow(bench, sut, **how)}
                bench.row(test="slow", sut=sut.name, alone=rate[False]["e2e_per_s"], beside=rate[True]["e2e_per_s"],
                          loss=100 * (1 - rate[True]["e2e_per_s"] / rate[False]["e2e_per_s"]),
                          done=[rate[False]["done"], rate[True]["done"]],
                          complete=rate[False]["complete"] and rate[True]["complete"])


def tables(rows):
    return report.compare(report.test(rows, "slow"), {"test": "cell"},
                          {"alone": "messages/s alone", "beside": f"beside {SLOW} slow senders", "loss": "loss, %"})
