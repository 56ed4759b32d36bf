# SPDX-License-Identifier: MIT
"""The queue with many deferred messages: listing, deleting and requeuing all of it, new mail beside it, and how long
start and reload take."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import benchlib as lib
import queue_fill
import report

TITLE = "A large queue"
COUNTS = (10000, 100000)
ROUNDS_FOR_LARGE, LARGE = 1, 300000
EMPTY_PORTS = 20  # the instances with nothing in their queues listen so far above the others


class Timer:
    """wall clock and CPU seconds of everything in the instance's cgroup, ended processes included"""

    def __init__(self, sut):
        lib.wait_quiet()
        self.sut, self.cpu, self.start = sut, sut.cg.cpu()[0], time.time()

    def __call__(self):
        return {"seconds": time.time() - self.start, "cpu_s": self.sut.cg.cpu()[0] - self.cpu}


class Queue:
    """one depth of the queue, for all suites"""

    def __init__(self, bench, count):
        self.bench, self.count = bench, count
        self.out = pathlib.Path(bench.tmpfs) / "listing"

    def row(self, sut, op, **values):
        self.bench.row(test="queue", sut=sut.name, count=self.count, op=op, **values)

    def fill(self, sut):
        if (there := queue_fill.fill(sut, self.count)) != self.count:
            raise SystemExit(f"{sut.name}: {there} messages instead of {self.count}")

    def command(self, sut, name, *options):
        """its standard output is in self.out afterwards; returns what it said, and the timer that was started with
        it"""
        argv = sut.cg.wrap([sut.cmd(name), "-c", sut.conf, *options])
        timer = Timer(sut)
        with open(self.out, "wb") as out:
            r = subprocess.run(argv, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        return r, timer

    # --- listing

    def listed(self, option):
        if option == "-j":
            with open(self.out, "rb") as out:
                return sum(1 for _ in out)
        with open(self.out, "rb") as out:
            out.seek(max(0, os.fstat(out.fileno()).st_size - 200))
            found = re.search(rb"in (\d+) Request", out.read())
        return int(found.group(1)) if found else 0

    def listing(self, suts):
        for option in ("-p", "-j"):
            for sut in suts:
                r, timer = self.command(sut, "postqueue", option)
                took = timer()
                self.row(sut, f"postqueue {option}", complete=not r.returncode and self.listed(option) == self.count,
                         **took)

    # --- deleting, requeuing

    def all(self, sut, option, word, op):
        r, timer = self.command(sut, "postsuper", option, "ALL")
        took = timer()
        good = f"{word}: {self.count} messages" in r.stderr
        if not good:
            print(sut.name, op, r.stderr[-300:], flush=True)
        self.row(sut, op, complete=good, **took)
        return timer

    def delete(self, sut, op):
        """until the command returns, and until the room on the disk is free"""
        timer = self.all(sut, "-d", "Deleted", op)
        while any(f for d in ("defer", "bounce", "maildrop", "deferred")
                  for f in os.listdir(os.path.join(sut.spool, d)) if f.startswith(".deleted")):
            time.sleep(0.05)
        left = sut.queue_count(("maildrop", "incoming", "active", "deferred", "hold"))
        self.row(sut, op + ", room free", complete=left == 0, **timer())

    def stop(self, sut):
        sut.stop()
        shutil.chown(sut.root + "/maillog", "postfix")  # postsuper logs to it itself while the server is down

    def destroy(self, suts):
        for sut in suts:
            self.stop(sut)
            self.all(sut, "-r", "Requeued", "postsuper -r ALL, stopped")
            self.delete(sut, "postsuper -d ALL, requeued, stopped")
        for sut in suts:
            self.fill(sut)
            sut.start(timeout=600)
            self.delete(sut, "postsuper -d ALL, running")

    # --- start and reload

    def restart(self, suts):
        for sut in suts:
            sut.stop()
            lib.wait_quiet()
            returned, greeting = sut.start(timeout=600)
            self.row(sut, "start, returns", seconds=returned)
            self.row(sut, "start, first 220", seconds=greeting)
            time.sleep(1)
            self.row(sut, "memory after start (PSS, MiB)", seconds=lib.pss(sut.cg.pids())["pss"] / 1024)
            time.sleep(1)  # the first scan is over
            lib.wait_quiet()
            start = time.time()
            lib.sh([sut.cmd("postfix"), "-c", sut.conf, "reload"], check=False)
            self.row(sut, "reload, returns", seconds=time.time() - start)
            self.row(sut, "reload, first 220", seconds=lib.wait220(sut.port) - start)

    # --- new mail

    def new_mail(self, empty, full, messages):
        """In turn with an empty and a full queue, so that what else the machine does hits both alike."""
        for kind in ({"sessions": 10, "reuse": True}, {"sessions": 10, "reuse": False}):
            for pair in zip(empty, full):
                for sut, where in zip(pair, ("empty", "full")):
                    result = self.bench.load(sut, messages=messages, size=1024, timeout=180, **kind)
                    self.bench.row(test="queue-mail", count=self.count, queue=where, **result)


@contextlib.contextmanager
def instances(bench, first_port):
    names = ["postern"] if bench.o.ours_only else ["postern", "postfix"]
    suts = []
    try:
        for i, name in enumerate(names):
            suts.append(bench.make(name, bench.disk, first_port + 10 * i))
        yield suts
    finally:
        for sut in suts:
            sut.stop()
            if sut.cg:
                sut.cg.remove()
            subprocess.run(["rm", "-rf", sut.root], check=False)
            bench.alive.remove(sut)


def measure(bench, counts, rounds, messages):
    with instances(bench, bench.o.port + EMPTY_PORTS) as empty:
        for sut in empty:
            sut.start()
            bench.load(sut, sessions=10, messages=200, size=1024, reuse=True)  # warm-up, not counted
        for count in counts:
            queue = Queue(bench, count)
            with instances(bench, bench.o.port) as full:
                for sut in full:
                    queue.fill(sut)
                for number in range(min(rounds, ROUNDS_FOR_LARGE) if count > LARGE else rounds):
                    for sut in full if number else ():
                        sut.stop()
                        queue.fill(sut)
                    for sut in full:
                        sut.start(timeout=600)
                    queue.listing(full)
                    if messages:
                        queue.new_mail(empty, full, messages)
                    queue.restart(full)
                    queue.destroy(full)


def run(bench, plan):
    measure(bench, (1000,) if plan.quick else COUNTS, plan.rounds, plan.messages(1000))


def tables(rows):
    text = report.compare(report.test(rows, "queue"), {"count": "deferred", "op": "what"},
                          {"seconds": "s", "cpu_s": "CPU s"})
    mail = report.test(rows, "queue-mail")
    if mail:
        text += "\nNew mail, 1 KB to a Maildir, 10 sessions:\n\n" + report.compare(
            mail, {"count": "deferred", "queue": "queue", "reuse": "reused"},
            {"e2e_per_s": "messages/s", "cpu_ms": "CPU ms/message"})
    return text
