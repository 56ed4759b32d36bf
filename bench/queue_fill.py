# SPDX-License-Identifier: MIT
"""Deferred messages for a benchmark: a few real ones, copied under queue IDs that name their own inodes."""
import subprocess
import time

import benchlib as lib
import suites

SEEDS = 200
DUE_FIRST, DUE_LAST = 40000, 80000  # seconds from now: no attempt disturbs a measurement


def build():
    """the program that copies; it knows no suite, only one file per message in deferred/X/ID and defer/X/ID"""
    program = suites.WORK / "fillqueue"
    source = suites.TOP / "bench/src/fillqueue.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        suites.run("cc", "-O2", "-o", program, source)
    return program


def send_seeds(sut, count):
    sut.start(timeout=600)
    lib.sh(lib.smtp_source(sut, 10, count, 1024, True, "u@defer.example"))
    end = time.time() + 120
    while sut.queue_count() or sut.queue_count(("deferred",)) < count:
        if time.time() > end:
            raise SystemExit(f"{sut.name}: the messages to copy are not deferred")
        time.sleep(0.2)
    sut.stop()


def fill(sut, count):
    """Put COUNT deferred messages, not due for hours, into the queue of the stopped instance SUT; returns how many
    there are then."""
    if sut.queue_count(("deferred",)) < min(count, SEEDS):
        send_seeds(sut, min(count, SEEDS))
    subprocess.run([str(x) for x in (build(), sut.spool, count, DUE_FIRST, DUE_LAST)], check=True)
    return sut.queue_count(("deferred",))
