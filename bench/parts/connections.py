# SPDX-License-Identifier: MIT
"""Connections that do nothing: memory, CPU to open and close one, ten thousand at once."""
import socket
import statistics
import subprocess
import time

import benchlib as lib
import report
import suites

TITLE = "Idle connections"
MANY, MANY_REFERENCE, FEW = 10000, 1000, 300
FIRST = 10  # are open before the memory of one more is looked at: the processes are there then
SETTLE = 2  # seconds
# What an administrator sets who wants that many: clients at once of smtp/inet. With Postfix it is a
# number of processes, which must also be allowed to be open files of master.
SETTINGS = {"maxproc": "12000", "extra": {"smtpd_timeout": "300s"}}


class Holder:
    """smtpload with COUNT connections open. All from 127.0.0.1: other addresses have no name in /etc/hosts, and a name
    server would be measured."""

    def __init__(self, sut, count, tls=False):
        self.count = count
        self.process = subprocess.Popen(
            [suites.WORK / "smtpload", "-m", "idle", "-p", str(sut.port), "-n", str(count), "-c", "8"] +
            (["-t"] if tls else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self.process.stdout.readline().split()
        self.ready = float(answer[1]) if answer else None

    def alive(self):
        """does each connection still answer?"""
        try:
            self.process.stdin.write("noop\n")
            self.process.stdin.flush()
            return bool(self.process.stdout.readline())
        except BrokenPipeError:
            return False

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def greeting_ms(port, count):
    """times from connect to the greeting of new clients, one after the other"""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            if not client.recv(4096).startswith(b"220"):
                raise SystemExit("no greeting")
            times.append((time.perf_counter() - start) * 1e3)
            client.sendall(b"QUIT\r\n")
            client.recv(4096)
    return times


def settled(sut):
    """CPU seconds, once nothing moves any more"""
    last = sut.cg.cpu()[0]
    for _ in range(30):
        time.sleep(0.5)
        now = sut.cg.cpu()[0]
        if now - last < 0.005:
            return now
        last = now
    return last


def hold(bench, sut, count, test, tls=False, probes=0):
    """Opens, looks, closes; the suite is started anew, so that each connection costs what it costs."""
    sut.start()
    first = Holder(sut, FIRST, tls)
    cpu = settled(sut)
    base = lib.pss(sut.cg.pids())
    holder = Holder(sut, count, tls)
    opened = settled(sut)
    used, processes = lib.pss(sut.cg.pids()), lib.named(sut.cg.pids(), "smtpd")
    times = greeting_ms(sut.port, probes) if probes and holder.ready else []
    alive = holder.ready is not None and holder.alive() and first.alive()
    before_close = settled(sut)
    holder.close()
    first.close()
    closed = settled(sut)
    total = used["pss"] + used["page_tables"]
    bench.row(test=test, sut=sut.name, connections=count, tls=tls, complete=alive,
              open_s=holder.ready, first=FIRST, smtpd=len(processes), total_mb=total / 1024,
              per_connection_kib=(total - base["pss"] - base["page_tables"]) / count,
              cpu_ms=(opened - cpu + closed - before_close) / count * 1e3,
              greeting_ms=statistics.median(times) if times else None, greeting_max_ms=max(times, default=None))
    sut.stop()


def run(bench, plan):
    few, many = (100, 2000) if plan.quick else (FEW, MANY)
    with bench.pair(start=False, **SETTINGS) as suts:
        for _ in range(plan.rounds):
            for sut in suts:
                hold(bench, sut, few, "connections-idle")
        for _ in range(min(plan.rounds, 3)):
            for sut in suts:
                hold(bench, sut, many if sut.name == "postern" else MANY_REFERENCE, "connections-many", probes=100)


def idle_table(rows):
    return report.compare(report.test(rows, "connections-idle"), {"connections": "connections"},
                          {"per_connection_kib": "KiB per connection (PSS and page tables)",
                           "cpu_ms": "CPU ms to open and close one"})


def tables(rows):
    text = idle_table(rows) + "\nMany at once, and new clients while they are held:\n\n"
    text += report.each(report.test(rows, "connections-many"), {"sut": "suite", "connections": "connections"},
                        {"smtpd": "smtpd processes", "total_mb": "MB in all processes", "open_s": "s to open all",
                         "greeting_ms": "ms to a greeting, median of 100", "greeting_max_ms": "slowest"})
    return text
