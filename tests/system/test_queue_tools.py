# SPDX-License-Identifier: MIT
"""S09-S15, P013, P017, P018, P131, P136: mailq, postqueue, postsuper, postcat on a live queue."""
import concurrent.futures
import json
import os
import re
import shutil

import pytest
from conftest import wait_until

DEFERRING = ("transport_maps = inline:{ {a.example = retry:4.0.1 reason a}, "
             "{b.example = retry:4.0.2 reason b}, {gone.example = discard:} }\n"
             "relay_domains = a.example\n")


@pytest.fixture(params=["root", "rootless"])
def mail(request, instances):
    """A running system that defers nearly everything."""
    options = {}
    if request.param == "root":
        request.getfixturevalue("users")
    else:
        options["user"] = request.getfixturevalue("plain_user")
    instance = instances(**options)
    instance.write_main(DEFERRING)
    return instance.start()


def submit(mail, *recipients, sender="s@example.org", text="Subject: x\n\nbody\n"):
    mail.run("sendmail", "-f", sender, *recipients, input=text.encode())


def wait_deferred(mail, count=1):
    def all_deferred():
        queue = mail.queue()
        return (len(queue) == count and queue
                if all(m["queue_name"] in ("deferred", "hold") and
                       all("delay_reason" in r for r in m["recipients"]) for m in queue)
                else None)
    return wait_until(all_deferred, 20, "all mail is deferred")


def multiply(mail, count):
    """Copies the one deferred message, with its log, until there are count of them."""
    [source] = [p for p in (mail.spool / "deferred").rglob("*") if p.is_file()]
    log = mail.spool / "defer" / source.name[0] / source.name
    for i in range(count - 1):
        temporary = mail.spool / "deferred" / "copy.tmp"
        shutil.copyfile(source, temporary)
        queue_id = "%05X%X" % (i * 7919 % 1000000, temporary.stat().st_ino)
        for name, what in (("deferred", temporary), ("defer", log)):
            directory = mail.spool / name / queue_id[0]
            if not directory.is_dir():
                directory.mkdir(0o700)
                shutil.chown(directory, source.owner(), source.group())
            place = directory / queue_id
            if what is temporary:
                # The time of the next attempt is not now.
                os.utime(temporary, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))
                shutil.copymode(source, temporary)
                shutil.chown(temporary, source.owner(), source.group())
                temporary.rename(place)
            else:
                shutil.copyfile(what, place)
                shutil.chown(place, source.owner(), source.group())


def files(mail, *queues):
    return [p for q in queues for p in (mail.spool / q).rglob("*") if p.is_file()]


def stderr(result):
    return result.stderr.decode().splitlines()


def test_listing(mail):
    assert mail.run("mailq").stdout == b"Mail queue is empty\n"
    assert mail.run("postqueue", "-j").stdout == b""
    submit(mail, "one@a.example", "two@gone.example", "three@b.example")
    [message] = wait_deferred(mail)
    assert message["queue_name"] == "deferred" and message["sender"] == "s@example.org"
    assert message["forced_expire"] is False
    assert sorted((r["address"], r["delay_reason"]) for r in message["recipients"]) == [
        ("one@a.example", "reason a"), ("three@b.example", "reason b")]
    lines = mail.run("mailq").stdout.decode().splitlines()
    assert lines[0] == "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
    assert re.fullmatch(r"[0-9A-F]{6,} +%d \w{3} \w{3} [ \d]\d [\d:]{8}  s@example.org"
                        % message["message_size"], lines[1])
    assert lines[-2:] == ["", "-- 0 Kbytes in 1 Request."]
    assert "%78s" % "(reason a)" in lines and " " * 41 + "one@a.example" in lines


def test_listing_without_service(mail):
    submit(mail, "one@a.example")
    wait_deferred(mail)
    before = mail.queue()
    mail.stop()
    result = mail.run("postqueue", "-j")
    assert [json.loads(line) for line in result.stdout.splitlines()] == before
    assert stderr(result)[0].startswith(
        "postqueue: warning: Mail system is down -- accessing queue directly (Connect to the ")
    submit(mail, "two@a.example")
    assert sorted(m["queue_name"] for m in mail.queue()) == ["deferred", "maildrop"]
    for arguments in (["-f"], ["-i", "6F5E1"], ["-s", "a.example"]):
        result = mail.run("postqueue", *arguments, check=False)
        assert result.returncode == 69
        assert stderr(result)[-1] == (
            "postqueue: fatal: Cannot flush mail queue - mail system is down")


def test_hold_release_requeue_delete(mail):
    for i in range(3):
        submit(mail, f"u{i}@a.example")
    ids = [m["queue_id"] for m in wait_deferred(mail, 3)]
    result = mail.run("postsuper", "-h", "-", input=(ids[0] + "\n../x\n").encode())
    assert stderr(result) == [f"postsuper: {ids[0]}: placed on hold",
                              "postsuper: warning: invalid mail queue id: ../x",
                              "postsuper: Placed on hold: 1 message"]
    assert {m["queue_id"]: m["queue_name"] for m in mail.queue()}[ids[0]] == "hold"
    assert stderr(mail.run("postsuper", "-H", "ALL")) == [
        "postsuper: Released from hold: 1 message"]
    assert stderr(mail.run("postsuper", "-r", ids[1])) == [
        f"postsuper: {ids[1]}: requeued", "postsuper: Requeued: 1 message"]
    wait_until(lambda: len(q := mail.queue()) == 3 and ids[1] not in [m["queue_id"] for m in q] and
               all(m["queue_name"] == "deferred" for m in q), 20, "a new ID")
    mail.wait_log(rf"orig_id={ids[1]}")
    assert stderr(mail.run("postsuper", "-d", ids[0], "-d", "NOSUCHID")) == [
        f"postsuper: {ids[0]}: removed", "postsuper: Deleted: 1 message"]
    assert stderr(mail.run("postsuper", "-d", "ALL", "hold")) == [
        "postsuper: Deleted: 0 messages"]
    assert stderr(mail.run("postsuper", "-d", "ALL")) == ["postsuper: Deleted: 2 messages"]
    assert mail.queue() == []
    wait_until(lambda: files(mail, "defer", "bounce") == [], 20, "the logs are gone")
    mail.wait_log(r"postsuper\[\d+\]: Deleted: 2 messages")


def test_listing_while_messages_vanish(mail):
    submit(mail, "one@a.example")
    wait_deferred(mail)
    multiply(mail, 400)
    ids = [m["queue_id"] for m in mail.queue()]
    assert len(set(ids)) == 400
    seen = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        deleting = pool.submit(mail.run, "postsuper", "-d", "-", input="\n".join(ids).encode())
        while not deleting.done():
            seen.append({m["queue_id"] for m in mail.queue()})
            assert mail.run("mailq").stdout.decode().endswith((" Requests.\n", " Request.\n",
                                                               "Mail queue is empty\n"))
    assert stderr(deleting.result())[-1] == "postsuper: Deleted: 400 messages"
    assert all(s <= set(ids) for s in seen) and mail.queue() == []


@pytest.mark.parametrize("running", [True, False])
def test_all_with_a_damaged_file(mail, running):
    submit(mail, "one@a.example")
    wait_deferred(mail)
    multiply(mail, 100)
    victim = files(mail, "deferred")[50]
    data = bytearray(victim.read_bytes())
    data[140] ^= 1
    victim.write_bytes(data)
    if not running:
        mail.stop()
    assert len(mail.queue()) == 99  # damaged mail is not listed
    assert stderr(mail.run("postsuper", "-h", "ALL"))[-1] == (
        "postsuper: Placed on hold: 100 messages")
    assert stderr(mail.run("postsuper", "-H", "ALL"))[-1] == (
        "postsuper: Released from hold: 100 messages")
    assert stderr(mail.run("postsuper", "-d", "ALL"))[-1] == "postsuper: Deleted: 100 messages"
    assert mail.queue() == [] and files(mail, "hold", "corrupt") == []
    wait_until(lambda: files(mail, "deferred", "defer") == [], 20, "the files are gone, too")


def test_requeue_all_while_running(mail):
    submit(mail, "one@a.example")
    wait_deferred(mail)
    multiply(mail, 100)
    old = {m["queue_id"] for m in mail.queue()}
    victim = files(mail, "deferred")[50]
    data = bytearray(victim.read_bytes())
    data[140] ^= 1
    victim.write_bytes(data)
    assert stderr(mail.run("postsuper", "-r", "ALL"))[-1] == "postsuper: Requeued: 100 messages"
    new = wait_until(lambda: (q := [m["queue_id"] for m in mail.queue()
                                    if m["queue_name"] == "deferred"]) and
                     len(q) == 99 and not old & set(q) and q, 60, "99 new IDs")
    assert [p.name for p in files(mail, "corrupt")] == [victim.name]
    assert list((mail.spool / "maildrop").iterdir()) == []  # no directory either
    # Nothing is left of what was recorded under the old names, but of the damaged one.
    assert {p.name for p in files(mail, "defer")} == set(new) | {victim.name}
    assert len(re.findall(r"orig_id=", mail.log())) == 99


def test_requeue_all_while_stopped(mail):
    submit(mail, "one@a.example")
    wait_deferred(mail)
    multiply(mail, 20)
    before = mail.queue()
    mail.stop()
    assert stderr(mail.run("postsuper", "-r", "ALL"))[-1] == "postsuper: Requeued: 20 messages"
    queue = mail.queue()
    assert {m["queue_name"] for m in queue} == {"maildrop"}
    assert {m["queue_id"] for m in queue} == {m["queue_id"] for m in before}
    one = queue[0]["queue_id"]
    assert b"recipient: one@a.example" in mail.run("postcat", "-qe", one).stdout
    assert stderr(mail.run("postsuper", "-d", one)) == [
        f"postsuper: {one}: removed", "postsuper: Deleted: 1 message"]
    mail.start()
    assert len(wait_deferred(mail, 19)) == 19
    assert "QUEUE FILE NAMES" not in mail.log()


def test_expire_returns_mail(mail):
    submit(mail, "one@a.example", sender="back@gone.example")
    [message] = wait_deferred(mail)
    mail.run("postsuper", "-e", message["queue_id"])
    assert mail.queue()[0]["forced_expire"] is True
    assert f"{message['queue_id']}#" in mail.run("mailq").stdout.decode()
    mail.run("postqueue", "-f")
    mail.wait_queue_empty()
    mail.wait_log(r"to=<back@gone.example>.*status=sent")


@pytest.mark.parametrize("how", [["-f"], ["-s", "a.example"], "id"])
def test_flush(mail, how):
    submit(mail, "one@a.example")
    submit(mail, "two@b.example")
    by_address = {m["recipients"][0]["address"]: m["queue_id"] for m in wait_deferred(mail, 2)}
    arguments = ["-i", by_address["one@a.example"]] if how == "id" else how
    mail.run("postqueue", *arguments)

    def attempts(address):
        return len(re.findall(rf"to=<{address}>.*status=deferred", mail.log()))
    wait_until(lambda: attempts("one@a.example") == 2, 10, "a second attempt")
    if how != ["-f"]:
        assert attempts("two@b.example") == 1


def test_flush_refusals(mail):
    for site, text in {
            "not.relayed.example":
                'Flush service is not configured for destination "not.relayed.example"',
            "bad domain": 'Cannot flush mail queue - invalid destination: "bad domain"',
            "1.2.3.4": 'Cannot flush mail queue - invalid destination: "1.2.3.4"'}.items():
        result = mail.run("postqueue", "-s", site, check=False)
        assert (result.returncode, stderr(result)) == (69, [f"postqueue: fatal: {text}"])
    result = mail.run("postqueue", "-i", "../x", check=False)
    assert stderr(result) == [
        'postqueue: fatal: Cannot flush queue ID - invalid name: "../x"']
    assert mail.run("postqueue", "-i", "NOSUCHID").stderr == b""


def test_postcat(mail):
    body = "Subject: =?iso-2022-jp?b?GyRCN29MPhsoQg==?=\n\nb\u00f6dy \u4ef6\u540d\n"
    submit(mail, "one@a.example", "two@gone.example", text=body)
    [message] = wait_deferred(mail)
    queue_id = message["queue_id"]
    envelope = mail.run("postcat", "-q", "-e", queue_id).stdout.decode().splitlines()
    assert envelope[0] == f"*** ENVELOPE RECORDS deferred/{queue_id[0]}/{queue_id} ***"
    assert "sender: s@example.org" in envelope and "recipient: one@a.example" in envelope
    assert "done_recipient: two@gone.example" in envelope
    assert envelope[-1] == f"*** MESSAGE FILE END deferred/{queue_id[0]}/{queue_id} ***"
    content = mail.run("postcat", "-qbh", queue_id).stdout.decode()
    assert content.startswith("Received: ") and content.endswith(body.split("\n", 1)[1])
    assert mail.run("postcat", "-qb", queue_id).stdout.decode() == body.split("\n", 1)[1]
    [path] = mail.spool.glob(f"deferred/*/{queue_id}")
    assert mail.run("postcat", "-h", path).stdout.decode() == content.split("\n\n")[0] + "\n"
    piped = mail.run("postcat", input=path.read_bytes()).stdout.decode().splitlines()
    assert piped[0] == "*** ENVELOPE RECORDS stdin ***"
    result = mail.run("postcat", "-q", "1080B284F41", check=False)
    assert (result.returncode, stderr(result)) == (1, [
        "postcat: fatal: open queue file 1080B284F41: No such file or directory"])


def test_damaged_file_is_refused(mail):
    submit(mail, "one@a.example")
    [message] = wait_deferred(mail)
    [path] = mail.spool.glob(f"deferred/*/{message['queue_id']}")
    mail.stop()
    data = bytearray(path.read_bytes())
    data[140] ^= 1
    path.write_bytes(data)
    result = mail.run("postcat", "-q", message["queue_id"], check=False)
    assert result.returncode == 1 and "damaged queue file" in stderr(result)[0]
    assert mail.queue() == []  # damaged mail is not listed


def test_copied_spool(mail):
    """T13: a spool that was copied has other inodes; the start repairs the names."""
    for i in range(5):
        submit(mail, f"u{i}@a.example")
    wait_deferred(mail, 5)
    mail.stop()
    copies = []
    for path in [p for p in (mail.spool / "deferred").rglob("*") if p.is_file()]:
        status, data = path.stat(), path.read_bytes()
        copy = path.with_name("copy." + path.name)
        copy.write_bytes(data)
        os.chown(copy, status.st_uid, status.st_gid)
        os.chmod(copy, status.st_mode)
        path.unlink()
        copies.append((copy, path))
    for copy, path in reversed(copies):
        copy.rename(path)
    mail.start()
    mail.wait_log("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS")
    queue = wait_deferred(mail, 5)
    for message in queue:
        [path] = mail.spool.glob(f"deferred/*/{message['queue_id']}")
        assert message["queue_id"].endswith("%X" % path.stat().st_ino)


def test_long_ids(mail):
    mail.write_main(DEFERRING + "enable_long_queue_ids = yes\n")
    mail.postfix("reload")
    wait_until(lambda: submit(mail, "one@a.example") or
               any(len(m["queue_id"]) >= 12 and "z" in m["queue_id"] for m in mail.queue()),
               20, "a long ID", 1)
    lines = mail.run("mailq").stdout.decode().splitlines()
    assert lines[0] == "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"
    ids = [m["queue_id"] for m in mail.queue() if "z" in m["queue_id"]]
    assert mail.run("postcat", "-qb", ids[0]).stdout == b"\nbody\n"
    assert stderr(mail.run("postsuper", "-d", ids[0]))[0] == f"postsuper: {ids[0]}: removed"


def test_other_users_may_not(mail, users):
    stranger = users.add("pststranger")
    if mail.user is None:
        mail.user = stranger
        result = mail.run("postsuper", "-d", "ALL", check=False)
        assert (result.returncode, stderr(result)) == (1, [
            "postsuper: fatal: use of this command is reserved for the superuser"])
        result = mail.run("postcat", "-q", "6F5E1", check=False)
        assert stderr(result) == [
            "postcat: fatal: open queue file 6F5E1: Permission denied"]
        mail.user = None
