# SPDX-License-Identifier: MIT
"""The queue with many deferred messages: bench/queue, which measures and prints its own table."""
import os
import subprocess
import sys

import report
import suites

TITLE = "A large queue"
COMMAND = suites.TOP / "bench/queue"


def run(bench, plan):
    if not os.access(COMMAND, os.X_OK):
        bench.row(test="queue-missing", sut="")
        return
    command = [COMMAND, "--disk", bench.disk, "--rounds", plan.rounds, "--port", bench.o.port + 40]
    command += ["--quick"] if plan.quick else []
    command += ["--ours-only"] if bench.o.ours_only else []
    r = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=False)
    bench.row(test="queue", sut="both", table=r.stdout, complete=r.returncode == 0)
    if r.returncode:
        print("bench/queue has failed", file=sys.stderr)


def tables(rows):
    text = "".join("Not measured: there is no bench/queue.\n" for _ in report.test(rows, "queue-missing"))
    return text + "\n".join(r["table"] for r in report.test(rows, "queue"))
