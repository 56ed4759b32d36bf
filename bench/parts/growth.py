# SPDX-License-Identifier: MIT
"""How rate and cost grow with the number of sessions, the size of messages and the depth of the queue."""
import csv
import importlib.util
import pathlib
import subprocess
import sys

import report
import suites

TITLE = "Growth"
SESSIONS = (1, 2, 5, 10, 20, 50, 100, 200)
# bytes: messages
SIZES = {1 << 10: 1000, 10 << 10: 1000, 100 << 10: 500, 1 << 20: 100, 10 << 20: 20}
AXES = {"sessions": "sessions, 1 KB messages, connections reused", "size": "bytes per message, 10 sessions, reused",
        "depth": "deferred messages in the queue, 10 sessions, reused"}


def note(bench, axis, x, result):
    bench.row(test="growth", axis=axis, x=x, **result)


def curve(bench, plan, suts, axis, points):
    """POINTS: {x: how to load}"""
    for _ in range(plan.rounds):
        for x, how in points.items():
            for sut in suts:
                note(bench, axis, x, bench.load(sut, reuse=True, timeout=180, **how))


def filler():
    """fill(instance, count) of bench/queue_fill.py: puts COUNT deferred messages, not due for hours, into the queue
    of a stopped instance, and says how many there are then. None without the file."""
    path = suites.TOP / "bench/queue_fill.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("queue_fill", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill


def depth_curve(bench, plan):
    fill = filler()
    if fill is None:
        bench.row(test="growth-missing", sut="", why="queue depth: there is no bench/queue_fill.py")
        return
    how = {"sessions": 10, "messages": plan.messages(1000), "size": 1024}
    with bench.pair(start=False) as suts:
        for depth in plan.depths:
            for sut in suts:
                if depth:
                    fill(sut, depth)
                sut.start(timeout=600)
            curve(bench, plan, suts, "depth", {depth: how})
            for sut in suts:
                sut.stop()


def run(bench, plan):
    sessions = (1, 10, 50) if plan.quick else SESSIONS
    with bench.pair(maxproc="300") as suts:
        for sut in suts:
            bench.load(sut, sessions=10, messages=200, size=1024, reuse=True)
        curve(bench, plan, suts, "sessions",
              {n: {"sessions": n, "messages": plan.messages(500 if n == 1 else 1500), "size": 1024} for n in sessions})
        curve(bench, plan, suts, "size",
              {size: {"sessions": 10, "messages": plan.messages(n), "size": size} for size, n in SIZES.items()})
    depth_curve(bench, plan)


def write_csv(rows, path):
    fields = ("e2e_per_s", "cpu_ms")
    with open(path, "w", newline="", encoding="ascii") as f:
        out = csv.writer(f)
        out.writerow(["axis", "x", "suite", "runs"] + [f"{n}_{what}" for n in ("messages_per_s", "cpu_ms")
                                                       for what in ("median", "min", "max")])
        for (axis, x), suts in report.grouped(rows, ["axis", "x"]).items():
            for name, runs in suts.items():
                line = [axis, x, name, len(runs)]
                for field in fields:
                    values = [r[field] for r in runs]
                    line += ["%.4g" % v for v in (report.median(runs, field), min(values), max(values))]
                out.writerow(line)


def plot(rows, folder):
    """growth.csv and growth.png in FOLDER"""
    found = report.test(rows, "growth")
    if not found:
        return
    path = pathlib.Path(folder) / "growth.csv"
    write_csv(found, path)
    if subprocess.run([suites.TOP / "bench/plot", path, path.with_suffix(".png")], check=False).returncode:
        print("no growth.png: bench/plot needs python3-matplotlib", file=sys.stderr)


def tables(rows):
    text = "".join(f"Not measured: {r['why']}.\n\n" for r in report.test(rows, "growth-missing"))
    for axis, title in AXES.items():
        found = [r for r in report.test(rows, "growth") if r["axis"] == axis]
        if found:
            text += report.compare(found, {"x": title}, {"e2e_per_s": "messages/s", "cpu_ms": "CPU ms/message"}) + "\n"
    return text
