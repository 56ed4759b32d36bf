# SPDX-License-Identifier: MIT
"""STARTTLS: memory of an idle connection, sessions per second, and with resumption."""
import subprocess

import benchlib as lib
import report
import suites
from parts import connections

TITLE = "TLS"
KINDS = {"plain": [], "STARTTLS": ["-t"], "STARTTLS, resumed": ["-t", "-r"]}
CLIENTS = (1, 10)


def sessions(bench, sut, kind, clients, count):
    lib.GEN = lib.GEN or lib.Cgroup("gen")
    lib.wait_quiet()
    cpu = sut.cg.cpu()[0]
    r = lib.sh(lib.GEN.wrap(["timeout", "120", str(suites.WORK / "smtpload"), "-m", "sessions", "-p", str(sut.port),
                             "-n", str(count), "-c", str(clients), *KINDS[kind]]), check=False)
    row = {"test": "tls-sessions", "sut": sut.name, "kind": kind, "clients": clients, "complete": r.returncode == 0}
    if r.returncode == 0:
        row.update(per_s=float(r.stdout.split()[-1]), cpu_ms=(sut.cg.cpu()[0] - cpu) / count * 1e3)
    else:
        row["why"] = r.stdout[-200:]
    bench.row(**row)


def able(bench, suts):
    """those that do STARTTLS; says which do not"""
    good = []
    for sut in suts:
        try:
            sut.start(timeout=20)
            offered = suites.offers(sut, "starttls")
        except (SystemExit, OSError, subprocess.SubprocessError):
            offered = False
        sut.stop()
        if offered:
            good.append(sut)
        else:
            bench.row(test="tls-missing", sut=sut.name)
    return good


def run(bench, plan):
    count = plan.messages(300)
    with bench.pair(start=False, tls=True, **connections.SETTINGS) as suts:
        good = able(bench, suts)
        for _ in range(min(plan.rounds, 3)):
            for sut in good:
                connections.hold(bench, sut, 50 if plan.quick else 200, "tls-idle", tls=True)
        for sut in good:
            sut.start()
        for _ in range(plan.rounds):
            for kind in KINDS:
                for clients in CLIENTS:
                    for sut in good:
                        sessions(bench, sut, kind, clients, count)


def tables(rows):
    text = "".join(f"No TLS: {r['sut']} does not offer STARTTLS.\n\n" for r in report.test(rows, "tls-missing"))
    text += report.compare(report.test(rows, "tls-idle"), {"connections": "connections after STARTTLS"},
                           {"per_connection_kib": "KiB per connection (PSS and page tables)",
                            "cpu_ms": "CPU ms to open and close one"})
    return text + "\n" + report.compare(report.test(rows, "tls-sessions"), {"kind": "session", "clients": "clients"},
                                        {"per_s": "sessions/s", "cpu_ms": "CPU ms/session"})
