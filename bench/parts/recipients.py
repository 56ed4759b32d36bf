# SPDX-License-Identifier: MIT
"""One message with very many recipients: time until the last copy is in the mailbox."""
import os
import shutil
import socket
import time

import benchlib as lib
import report
import suites

TITLE = "One message, many recipients"
SETTINGS = {"extra": {"smtpd_recipient_limit": "20000", "recipient_delimiter": "+"}}
BLOCK = 100  # recipients that are sent without waiting
ADDRESS = {"virtual": "u%d@virt.example", "local": suites.USER + "+%d@bench.example"}


class Conversation:
    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port), 120).makefile("rwb")

    def reply(self, want):
        line = self.file.readline()
        while line[3:4] == b"-":
            line = self.file.readline()
        if not line.startswith(want):
            raise RuntimeError(f"wanted {want}, got {line}")

    def command(self, text, want):
        self.file.write(text)
        self.file.flush()
        self.reply(want)


def send(port, address, count):
    """returns when all recipients, and when the message was accepted"""
    talk = Conversation(port)
    talk.command(b"", b"220")
    talk.command(b"EHLO bench.client\r\n", b"250")
    talk.command(b"MAIL FROM:<sender@example.org>\r\n", b"250")
    for start in range(0, count, BLOCK):
        talk.file.write(b"".join(b"RCPT TO:<%s>\r\n" % (address % i).encode() for i in range(start, start + BLOCK)))
        talk.file.flush()
        for _ in range(BLOCK):
            talk.reply(b"250")
    named = time.time()
    talk.command(b"DATA\r\n", b"354")
    talk.command(b"From: a\r\nSubject: many\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n", b"250")
    accepted = time.time()
    talk.command(b"QUIT\r\n", b"221")
    return named, accepted


def measure(bench, sut, kind, count):
    maildir = lib.fresh_maildir(bench.disk, suites.USER)
    os.sync()
    lib.wait_quiet()
    cpu, start = sut.cg.cpu()[0], time.time()
    try:
        named, accepted = send(sut.port, ADDRESS[kind], count)
    except (RuntimeError, OSError) as trouble:
        bench.row(test="recipients-missing", sut=sut.name, kind=kind, count=count, why=str(trouble))
        return
    done = lib.wait_delivered(sut, lambda: len(os.listdir(maildir + "/new")), count, start + 180)
    end = time.time()
    bench.row(test="recipients", sut=sut.name, kind=kind, count=count, named_s=named - start,
              accepted_s=accepted - start, total_s=end - start, complete=done == count,
              cpu_ms=(sut.cg.cpu()[0] - cpu) / count * 1e3)
    shutil.rmtree(maildir, ignore_errors=True)


def run(bench, plan):
    counts = (1000,) if plan.quick else (1000, 10000)
    with bench.pair(**SETTINGS) as suts:
        for round_ in range(plan.rounds):
            for kind in ADDRESS:
                for sut in suts:
                    if kind == "virtual" and not suites.has_program(sut, "virtual"):
                        if round_ == 0:
                            bench.row(test="recipients-missing", sut=sut.name, kind=kind, count=0, why="no virtual(8)")
                        continue
                    for count in counts:
                        measure(bench, sut, kind, count)


def tables(rows):
    text = report.compare(report.test(rows, "recipients"), {"kind": "recipients", "count": "number"},
                          {"total_s": "s to the last copy", "named_s": "s for RCPT", "cpu_ms": "CPU ms/recipient"})
    for row in report.test(rows, "recipients-missing"):
        text += f"\nNot measured: {row['sut']}, {row['count'] or ''} {row['kind']}: {row['why']}.\n"
    return text
