# SPDX-License-Identifier: MIT
"""System calls and context switches per message, of the mail system's own processes (perf, by cgroup)."""
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import report

TITLE = "System calls and context switches per message"
CELLS = [(10, True), (10, False), (1, True)]
TOP_PROCESSES, TOP_CALLS = 12, 30


def call_names():
    for header in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h",
                   "/usr/include/asm-generic/unistd.h"):
        if os.path.exists(header):
            with open(header) as f:
                return {m.group(2): m.group(1) for m in re.finditer(r"#define __NR_(\w+)\s+(\d+)", f.read())}
    return {}


class Record:
    """perf record of one kind of event in the cgroup of SUT"""

    def __init__(self, sut, event, extra=()):
        self.folder = tempfile.mkdtemp(prefix="perf.")
        self.data = self.folder + "/data"
        self.process = subprocess.Popen(
            ["perf", "record", "-a", "-q", "-m", "4096", "-o", self.data, "-e", event, "-G",
             os.path.basename(sut.cg.path), *extra, "sleep", "600"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)

    def lines(self, fields):
        """the events as lines of perf script; afterwards nothing is left"""
        self.process.send_signal(signal.SIGINT)
        trouble = self.process.communicate()[1]
        try:
            if not os.path.exists(self.data):
                raise RuntimeError("perf record: " + trouble.strip())
            with subprocess.Popen(["perf", "script", "-i", self.data, "-F", fields], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, errors="replace") as script:
                yield from script.stdout
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def system_calls(bench, sut, names, **how):
    record = Record(sut, "raw_syscalls:sys_enter")
    bench.load(sut, **how)
    processes, calls = collections.Counter(), collections.Counter()
    for line in record.lines("comm,event,trace"):
        if m := re.match(r"\s*(\S+)\s.*NR (\d+)", line):
            processes[m.group(1)] += 1
            calls[f"{m.group(1)} {names.get(m.group(2), m.group(2))}"] += 1
    return processes, calls


def context_switches(bench, sut, **how):
    record = Record(sut, "context-switches", ["-c", "1"])
    result = bench.load(sut, **how)
    return collections.Counter(line.split()[0] for line in record.lines("comm") if line.strip()), result


def most(counter, messages, count):
    return {name: round(n / messages, 2) for name, n in counter.most_common(count)}


def run(bench, plan):
    if not shutil.which("perf"):
        bench.row(test="counts-missing", sut="", why="perf (linux-perf) is not installed")
        return
    names, messages = call_names(), plan.messages(600)
    for disk, where in (("ext4", bench.disk), ("tmpfs", bench.tmpfs)):
        with bench.pair(where) as suts:
            for sessions, reuse in CELLS[:1] if plan.quick else CELLS:
                for sut in suts:
                    how = {"where": where, "sessions": sessions, "messages": messages, "size": 1024, "reuse": reuse}
                    bench.load(sut, **{**how, "messages": 200})
                    calls_by_process, calls = system_calls(bench, sut, names, **how)
                    switches, result = context_switches(bench, sut, **how)
                    bench.row(test="counts", sut=sut.name, disk=disk, sessions=sessions, reuse=reuse,
                              calls=sum(calls_by_process.values()) / messages,
                              switches=sum(switches.values()) / messages, switches_machine=result["ctxt"],
                              calls_by_process=most(calls_by_process, messages, TOP_PROCESSES),
                              switches_by_process=most(switches, messages, TOP_PROCESSES),
                              top_calls=most(calls, messages, TOP_CALLS))


def by_process(row):
    names = list(row["calls_by_process"])
    names += [n for n in row["switches_by_process"] if n not in names]
    return ", ".join(f"{n} {row['calls_by_process'].get(n, 0):.3g}/{row['switches_by_process'].get(n, 0):.3g}"
                     for n in names)


def tables(rows):
    found = report.test(rows, "counts")
    if not found:
        return "".join(f"Not measured: {r['why']}.\n" for r in report.test(rows, "counts-missing"))
    text = report.compare(found, {"disk": "on", "sessions": "sessions", "reuse": "reused"},
                          {"calls": "system calls", "switches": "context switches",
                           "switches_machine": "switches of the whole machine"})
    text += "\nBy process (system calls/context switches per message):\n\n"
    for row in found:
        text += (f"* {row['sut']}, {row['disk']}, {row['sessions']} sessions, "
                 f"{'reused' if row['reuse'] else 'new'}: {by_process(row)}\n")
    return text
