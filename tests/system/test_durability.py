# SPDX-License-Identifier: MIT
"""What got 250 is delivered, whatever process is killed when (P002, P004)."""
import contextlib
import os
import signal
import smtplib
import subprocess
import threading
import time

import pytest
from conftest import catch_all_settings, maildir_messages, wait_until

MESSAGES = 1000
SESSIONS = 8


class Sender(threading.Thread):
    """Sends numbered messages until done, reconnecting, and notes which got 250."""

    def __init__(self, mail, numbers, acknowledged):
        super().__init__(daemon=True)
        self.mail, self.numbers, self.acknowledged = mail, numbers, acknowledged

    def run(self):
        client = None
        for number in self.numbers:
            for _ in range(60):
                try:
                    if client is None:
                        client = self.mail.smtp(timeout=20)
                    client.sendmail("s@example.org", [f"u{number}@example.com"],
                                    f"Subject: n\r\nX-Number: {number}\r\n\r\nbody {number}\r\n")
                    self.acknowledged.add(number)
                    break
                except (smtplib.SMTPException, OSError):
                    with contextlib.suppress(Exception):
                        client.close()
                    client = None
                    time.sleep(0.1)
        with contextlib.suppress(Exception):
            client.quit()


def send_all(mail):
    acknowledged = set()
    senders = [Sender(mail, range(i, MESSAGES, SESSIONS), acknowledged) for i in range(SESSIONS)]
    for sender in senders:
        sender.start()
    return senders, acknowledged


def delivered(mail):
    numbers = []
    for message in maildir_messages(mail.maildir):
        head, _, body = message.partition(b"\n\n")
        number = int(head.split(b"X-Number: ")[1].split(b"\n")[0])
        assert body == b"body %d\n" % number, "a truncated message was delivered"
        numbers.append(number)
    return numbers


def kill_sometimes(mail, program, senders, most=6):
    """SIGKILL all processes of a kind now and then while mail flows."""
    kills = 0
    while any(s.is_alive() for s in senders):
        time.sleep(0.25)
        for pid in mail.workers(program) if kills < most else ():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
    return kills


def check_nothing_lost(mail, acknowledged, kills):
    mail.postfix("flush", check=False)
    missing = lambda: acknowledged - set(delivered(mail))
    try:
        wait_until(lambda: not missing(), 60, "every acknowledged message", 0.5)
    except AssertionError:
        pytest.fail(f"lost: {sorted(missing())[:20]} of {len(acknowledged)}; queue: "
                    f"{mail.queue()[:3]}\n{mail.log()[-3000:]}")
    twice = len(delivered(mail)) - len(set(delivered(mail)))
    # An agent or the queue manager that dies may repeat what was in progress, no more.
    assert twice <= kills * 20, f"{twice} duplicates after {kills} kills"


@pytest.mark.parametrize("program", [
    "smtpd", "cleanup", "qmgr", "local"])
def test_kill_worker(catch_all, program):
    senders, acknowledged = send_all(catch_all)
    kills = kill_sometimes(catch_all, program, senders)
    assert kills > 0, f"no {program} was running"
    assert len(acknowledged) == MESSAGES
    check_nothing_lost(catch_all, acknowledged, kills)


def test_kill_rewrite(instances, users):
    """The queue manager asks trivial-rewrite about mail that was not handed to it."""
    user = users.add("pstann")
    mail = instances()
    mail.write_main(catch_all_settings(user.pw_name) +
                    "smtpd_recipient_restrictions = check_sender_access static:hold, "
                    "permit_mynetworks, reject\n")
    mail.maildir = users.home / user.pw_name / "Maildir"
    for old in mail.maildir.glob("new/*"):
        old.unlink()
    mail.start()
    senders, acknowledged = send_all(mail)
    for sender in senders:
        sender.join()
    assert not delivered(mail)
    mail.run("postsuper", "-H", "ALL")
    mail.postfix("flush")
    kills = 0
    while kills < 6 and mail.queue():
        for pid in mail.workers("trivial-rewrite"):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        time.sleep(0.05)
    assert kills > 0, "no trivial-rewrite was running"
    check_nothing_lost(mail, acknowledged, kills)


def test_kill_proxymap(instances, users):
    """The default local_recipient_maps ask proxymap for every recipient."""
    user = users.add("pstann")
    mail = instances()
    mail.write_main("recipient_delimiter = +\nmydestination = $myhostname, example.com\n"
                    f"alias_maps = regexp:{{{{/^u[0-9]/ {user.pw_name}}}}}\n")
    mail.maildir = users.home / user.pw_name / "Maildir"
    for old in mail.maildir.glob("new/*"):
        old.unlink()
    mail.start()
    senders, acknowledged = send_all(mail)
    kills = kill_sometimes(mail, "proxymap", senders)
    assert kills > 0
    check_nothing_lost(mail, acknowledged, kills)


def test_kill_master(catch_all):
    senders, acknowledged = send_all(catch_all)
    kills = 0
    while any(s.is_alive() for s in senders) and kills < 3:
        time.sleep(0.7)
        os.kill(catch_all.master_pid(), signal.SIGKILL)
        kills += 1
        # Orphans leave and free the port; a later start succeeds (P002).
        wait_until(lambda: not catch_all.workers(), 20, "all workers leave")
        catch_all.start()
    for sender in senders:
        sender.join(120)
    check_nothing_lost(catch_all, acknowledged, kills)


def test_kill_everything(catch_all):
    senders, acknowledged = send_all(catch_all)
    for _ in range(2):
        time.sleep(0.7)
        catch_all.kill_everything()
        wait_until(lambda: not catch_all.workers(), 20, "all workers leave")
        catch_all.start()
    for sender in senders:
        sender.join(120)
    check_nothing_lost(catch_all, acknowledged, 2)


@pytest.mark.parametrize("program", ["pickup", "sendmail"])
def test_kill_local_submission(catch_all, program):
    """sendmail that said 0 has the message on disk; pickup may die at any time."""
    done = set()
    def submit(number):
        result = catch_all.run("sendmail", "-i", "-f", "s@example.org", f"u{number}@example.com",
                               input=b"Subject: n\nX-Number: %d\n\nbody %d\n" % (number, number),
                               check=False)
        if result.returncode == 0:
            done.add(number)
    workers = [threading.Thread(target=lambda i=i: [submit(n) for n in range(i, 60, 3)])
               for i in range(3)]
    for worker in workers:
        worker.start()
    kills = 0
    while any(w.is_alive() for w in workers):
        time.sleep(0.1)
        victims = catch_all.workers("pickup") if program == "pickup" else ()
        for pid in victims:
            if kills < 5:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
    assert done == set(range(60))
    check_nothing_lost(catch_all, done, kills)


def traced(mail, program, pattern, action):
    """System calls of the running workers of PROGRAM while ACTION runs."""
    pids = mail.workers(program)
    assert pids, f"no {program} is running"
    out = mail.dir / f"strace-{program}"
    command = ["strace", "-f", "-qq", "-ttt", "-s", "80", "-e", f"trace={pattern}", "-o", str(out)]
    tracer = subprocess.Popen(command + [x for p in pids for x in ("-p", str(p))],
                              stderr=subprocess.PIPE)
    time.sleep(1)
    action()
    time.sleep(1)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    return out.read_text().splitlines() if out.exists() else []


def first(lines, *words):
    for line in lines:
        if all(w in line for w in words):
            return float(line.split()[1])
    return None


def test_sync_comes_first(catch_all):
    """fsync of the queue file precedes 250, that of the mailbox file precedes its name in new/,
    and that the end of the queue file."""
    catch_all.send("one@example.com")
    wait_until(lambda: maildir_messages(catch_all.maildir), 10, "delivery")
    lines = traced(catch_all, "cleanup", "fsync,fdatasync,sendto,sendmsg,write,writev",
                   lambda: catch_all.send("two@example.com"))
    if not lines:
        pytest.skip("strace is not possible here")
    synced = first(lines, "sync(")
    told = [float(l.split()[1]) for l in lines if "sync(" not in l and "<unfinished" not in l]
    assert synced is not None and told and synced < max(told)
    lines = traced(catch_all, "local", "fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink",
                   lambda: (catch_all.send("three@example.com"), catch_all.wait_queue_empty()))
    synced, named = first(lines, "sync("), first(lines, "/new/")
    assert synced is not None and named is not None and synced < named
    removed = first(lines, "unlink(\"")
    assert removed is not None and named < removed
