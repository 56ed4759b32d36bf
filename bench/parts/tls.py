# SPDX-License-Identifier: MIT
"""STARTTLS: memory of an idle connection, sessions per second without and with a message, and with resumption."""
import os
import shutil
import subprocess
import time

import benchlib as lib
import report
import suites
from parts import connections

TITLE = "TLS"
KINDS = {"plain": [], "STARTTLS": ["-t"], "STARTTLS, resumed": ["-t", "-r"]}
CLIENTS = (1, 10)
KEYS = {"RSA 2048": ["rsa:2048"], "ECDSA P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


def make_key(sut, algorithm):
    """a new key and certificate in the place of the present ones, before the start"""
    lib.sh(["openssl", "req", "-x509", "-newkey", *KEYS[algorithm], "-nodes", "-days", "30", "-subj", "/CN=bench.example",
            "-keyout", sut.conf + "/key.pem", "-out", sut.conf + "/cert.pem"])


def smtpload(sut, kind, clients, count, *options):
    lib.GEN = lib.GEN or lib.Cgroup("gen")
    lib.wait_quiet()
    return lib.sh(lib.GEN.wrap(["timeout", "120", str(suites.WORK / "smtpload"), "-m", "sessions", "-p", str(sut.port),
                                "-n", str(count), "-c", str(clients), *KINDS[kind], *options]), check=False)


def messages(bench, sut, key, kind, clients, count):
    """sessions with one message each; CPU to the last delivery"""
    directory = lib.fresh_maildir(bench.disk, suites.USER)
    os.sync()
    cpu, start = sut.cg.cpu()[0], time.time()
    r = smtpload(sut, kind, clients, count, "-R", suites.USER + "@bench.example")
    accepted = float(r.stdout.split()[-1]) if r.returncode == 0 else 0.0
    found = lib.wait_delivered(sut, lambda: len(os.listdir(directory + "/new")), count, start + 120, 0)
    bench.row(test="tls-messages", sut=sut.name, key=key, kind=kind, clients=clients,
              complete=r.returncode == 0 and found == count, per_s=accepted,
              cpu_ms=(sut.cg.cpu()[0] - cpu) / count * 1e3)
    shutil.rmtree(directory, ignore_errors=True)


def sessions(bench, sut, kind, clients, count):
    cpu = sut.cg.cpu()[0]
    r = smtpload(sut, kind, clients, count)
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
        for key in KEYS:
            for sut in good:
                sut.stop()
                make_key(sut, key)
                sut.start()
                smtpload(sut, "STARTTLS", 4, 20)  # warm-up, not counted
            for _ in range(plan.rounds):
                for kind in KINDS:
                    for clients in CLIENTS:
                        for sut in good:
                            messages(bench, sut, key, kind, clients, count)


def tables(rows):
    text = "".join(f"No TLS: {r['sut']} does not offer STARTTLS.\n\n" for r in report.test(rows, "tls-missing"))
    text += report.compare(report.test(rows, "tls-idle"), {"connections": "connections after STARTTLS"},
                           {"per_connection_kib": "KiB per connection (PSS and page tables)",
                            "cpu_ms": "CPU ms to open and close one"})
    text += "\n" + report.compare(report.test(rows, "tls-sessions"), {"kind": "session", "clients": "clients"},
                                  {"per_s": "sessions/s", "cpu_ms": "CPU ms/session"})
    return text + "\nOne message in each session:\n\n" + report.compare(
        report.test(rows, "tls-messages"), {"key": "key", "kind": "session", "clients": "clients"},
        {"per_s": "accepted/s", "cpu_ms": "CPU ms/message"})
