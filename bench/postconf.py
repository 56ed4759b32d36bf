#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long postconf takes from its start to its end, with all parameters printed.

  bench/postconf.py [--runs 200] NAME=PROGRAM ...      for example ours=build/bench/root/sbin/postconf

The programs are run in turn, so that what else the machine does hits all of them; the bar is a
median below 10 ms for ours.  Prints the least time, median and 90th percentile in milliseconds.
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time


def once(program, directory):
    start = time.perf_counter()
    pid = os.posix_spawn(program, [program, "-c", directory], os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    status = os.waitpid(pid, 0)[1]
    assert status == 0, program
    return (time.perf_counter() - start) * 1000


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=200)
    ap.add_argument("programs", nargs="+", metavar="NAME=PROGRAM")
    o = ap.parse_args()
    programs = dict(p.split("=", 1) for p in o.programs)
    with tempfile.TemporaryDirectory() as directory:
        services = subprocess.run(["sh", "-c", "cat conf/master.cf"], capture_output=True, text=True,
                                  check=True, cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        with open(f"{directory}/main.cf", "w", encoding="utf-8") as f:
            f.write("myhostname = mail.example.com\ncompatibility_level = 3.6\n")
        with open(f"{directory}/master.cf", "w", encoding="utf-8") as f:
            f.write(services.stdout)
        for name in ("main.cf", "master.cf"):
            os.utime(f"{directory}/{name}", (1e9, 1e9))  # Postfix reads a fresh file twice
        times = {name: [] for name in programs}
        for _ in range(o.runs):
            for name, program in programs.items():
                times[name].append(once(program, directory))
    for name, taken in times.items():
        taken.sort()
        print(f"{name:10} least {taken[0]:5.1f}  median {statistics.median(taken):5.1f}  "
              f"90% {taken[int(len(taken) * 0.9)]:5.1f} ms")


if __name__ == "__main__":
    main()
