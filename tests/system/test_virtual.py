# SPDX-License-Identifier: MIT
"""P110: virtual mailboxes: tables say which file a user's mail goes to and whose it is."""
import os
import smtplib
import stat

import pytest
from conftest import maildir_messages, wait_until
from test_durability import check_nothing_lost, first, kill_sometimes, send_all, traced

SERVICE = "virtual    unix  - n n - - virtual\n"


def settings(mail, uid, gid, more=""):
    return (f"virtual_mailbox_domains = v.example\nvirtual_mailbox_base = {mail.dir}/box\n"
            f"virtual_mailbox_maps = texthash:{mail.etc}/boxes\n"
            f"virtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n"
            "deliver_lock_attempts = 1\n" + more)


@pytest.fixture
def owner(users):
    return users.add("pstvirtual")


@pytest.fixture
def mail(instances, owner):
    """ann has a Maildir, bob an mbox file, all of one user who has no other business here."""
    instance = instances()
    instance.add_services(SERVICE)
    instance.box = instance.dir / "box"
    instance.box.mkdir()
    os.chown(instance.box, owner.pw_uid, owner.pw_gid)
    instance.add_file("boxes", "ann@v.example ann/\nbob@v.example bob\n")
    instance.write_main(settings(instance, owner.pw_uid, owner.pw_gid))
    return instance


def test_maildir_and_mbox(mail, owner):
    mail.start()
    mail.send(["ann@v.example", "bob@v.example"], body="From here")
    mail.wait_queue_empty()
    mail.wait_log(r"virtual\[\d+\]: \w+: to=<ann@v.example>, relay=virtual, .*dsn=2.0.0, "
                  r"status=sent \(delivered to maildir\)")
    mail.wait_log(r"to=<bob@v.example>, relay=virtual, .* status=sent \(delivered to mailbox\)")
    [message] = maildir_messages(mail.box / "ann")
    assert message.startswith(b"Return-Path: <sender@example.org>\nX-Original-To: ann@v.example\n"
                              b"Delivered-To: ann@v.example\nReceived: from ")
    assert message.endswith(b"\n\nFrom here\n")
    text = (mail.box / "bob").read_text()
    assert text.startswith("From sender@example.org  ") and text.endswith("\n\n>From here\n\n")
    for path in [mail.box / "bob", mail.box / "ann", *(mail.box / "ann").rglob("*")]:
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (owner.pw_uid, owner.pw_gid), path
        assert not stat.S_IMODE(found.st_mode) & 0o077, path


def test_unknown_users(mail):
    mail.start()
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        mail.send("nobody@v.example")
    assert refused.value.recipients["nobody@v.example"] == (
        550, b"5.1.1 <nobody@v.example>: Recipient address rejected: User unknown in virtual "
             b"mailbox table")
    mail.write_main(settings(mail, 1000, 1000, "smtpd_reject_unlisted_recipient = no\n"))
    mail.postfix("reload")
    mail.send("nobody@v.example", sender="")
    mail.wait_log(r'to=<nobody@v.example>, .*dsn=5.1.1, status=bounced \(unknown user: '
                  r'"nobody@v.example"\)')


def test_every_user_has_his_owner(mail, users, owner):
    other = users.add("pstother")
    os.chmod(mail.box, 0o1777)
    mail.add_file("uids", f"ann@v.example {owner.pw_uid}\nbob@v.example {other.pw_uid}\n")
    mail.write_main(settings(mail, 1, owner.pw_gid).replace(
        "static:1\n", f"texthash:{mail.etc}/uids\n", 1))
    mail.start()
    mail.send(["ann@v.example", "bob@v.example"])
    mail.wait_queue_empty()
    assert (mail.box / "ann" / "new").stat().st_uid == owner.pw_uid
    assert (mail.box / "bob").stat().st_uid == other.pw_uid


def test_others_mailboxes_are_not_touched(mail, owner):
    """Whoever can write the directory cannot send mail elsewhere, nor take it."""
    os.chmod(mail.box, 0o1777)
    (mail.box / "bob").write_text("of root\n")
    os.chmod(mail.box / "bob", 0o666)
    mail.start()
    mail.send("bob@v.example")
    mail.wait_log(r'warning: specify "strict_mailbox_ownership = no" to ignore mailbox ownership '
                  r"mismatch")
    mail.wait_log(r"to=<bob@v.example>, .*dsn=4.2.0, status=deferred \(delivery failed to mailbox "
                  r"\S+/bob: destination \S+/bob is not owned by recipient\)")
    assert (mail.box / "bob").read_text() == "of root\n"
    (mail.box / "bob").unlink()
    target = mail.dir / "target"
    target.write_text("precious\n")
    os.chown(target, owner.pw_uid, owner.pw_gid)
    (mail.box / "bob").symlink_to(target)
    mail.send("bob@v.example")
    mail.wait_log(r"status=deferred \(delivery failed to mailbox \S+/bob: file is a symbolic link")
    assert target.read_text() == "precious\n"


def test_root_may_link_where_nobody_else_can(mail, owner):
    inner = mail.box / "inner"
    inner.mkdir(mode=0o755)
    target = mail.box / "target"
    target.write_text("")
    os.chown(target, owner.pw_uid, owner.pw_gid)
    (inner / "bob").symlink_to(target)
    mail.add_file("boxes", "bob@v.example inner/bob\n")
    mail.write_main(settings(mail, owner.pw_uid, owner.pw_gid, "virtual_mailbox_lock = fcntl\n"))
    mail.start()
    mail.send("bob@v.example")
    mail.wait_queue_empty()
    assert target.read_text().startswith("From sender@example.org  ")
    os.chmod(inner, 0o775)
    mail.send("bob@v.example")
    mail.wait_log("file is a symbolic link")


def test_changed_tables_are_noticed(mail, owner):
    mail.write_main(settings(mail, owner.pw_uid, owner.pw_gid).replace("texthash:", "hash:"))
    mail.run("postmap", f"hash:{mail.etc}/boxes")
    mail.start()
    mail.send("ann@v.example")
    mail.wait_queue_empty()
    mail.add_file("boxes", "cat@v.example cat/\n")
    mail.run("postmap", f"hash:{mail.etc}/boxes")

    def accepted():
        try:
            mail.send("cat@v.example")
            return True
        except smtplib.SMTPRecipientsRefused:
            return False
    wait_until(accepted, 20, "smtpd has the new table")
    wait_until(lambda: maildir_messages(mail.box / "cat"), 20, "virtual has the new table")
    assert "status=bounced" not in mail.log() and "went away" not in mail.log()


def test_wrong_settings_end_the_program_only(mail, owner):
    """Mail waits, and says why."""
    mail.write_main(settings(mail, owner.pw_uid, owner.pw_gid, "virtual_mailbox_limit = 1000\n"))
    mail.start()
    mail.send("ann@v.example")
    mail.wait_log(r"virtual\[\d+\]: fatal: configuration error: virtual_mailbox_limit is smaller "
                  r"than message_size_limit")
    wait_until(lambda: mail.queue() and mail.queue()[0]["queue_name"] in ("active", "deferred"),
               20, "the message waits")


def test_without_root(instances, plain_user):
    """An instance of an ordinary user delivers as that user, and as nobody else."""
    mail = instances(user=plain_user)
    mail.add_services(SERVICE)
    box = mail.dir / "box"
    box.mkdir()
    os.chown(box, plain_user.pw_uid, plain_user.pw_gid)
    mail.add_file("boxes", "ann@v.example ann/\nbob@v.example bob/\n")
    mail.add_file("uids", f"ann@v.example {plain_user.pw_uid}\nbob@v.example 54321\n")
    mail.write_main(settings(mail, 1, 1, "virtual_minimum_uid = 1\n").replace(
        "static:1\n", f"texthash:{mail.etc}/uids\n", 1))
    mail.start()
    mail.send(["ann@v.example", "bob@v.example"])
    mail.wait_log(r"to=<ann@v.example>, .*status=sent \(delivered to maildir\)")
    mail.wait_log(r"to=<bob@v.example>, .*dsn=4.3.5, status=deferred \(cannot act as uid 54321")
    assert len(maildir_messages(box / "ann")) == 1 and not (box / "bob").exists()


def catch_all(mail, uid, gid):
    mail.add_file("boxes", "@example.com all/\n")
    mail.maildir = mail.box / "all"
    return settings(mail, uid, gid).replace("= v.example", "= example.com")


def test_killed_agents_lose_nothing(mail, owner):
    mail.write_main(catch_all(mail, owner.pw_uid, owner.pw_gid))
    mail.start()
    senders, acknowledged = send_all(mail)
    kills = kill_sometimes(mail, "virtual", senders)
    assert kills > 0
    check_nothing_lost(mail, acknowledged, kills)


def test_sync_comes_first(mail):
    """fsync of a mailbox precedes its name in new/, and that the end of the queue file."""
    mail.start()
    mail.send("ann@v.example")
    mail.wait_queue_empty()
    lines = traced(mail, "virtual",
                   "fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink",
                   lambda: (mail.send("ann@v.example"), mail.wait_queue_empty()))
    if not lines:
        pytest.skip("strace is not possible here")
    synced, named, removed = first(lines, "sync("), first(lines, "/new/"), first(lines, 'unlink("')
    assert None not in (synced, named, removed) and synced < named < removed
    lines = traced(mail, "virtual", "fsync,fdatasync,unlink",
                   lambda: (mail.send("bob@v.example"), mail.wait_queue_empty()))
    synced, removed = first(lines, "sync("), first(lines, 'unlink("', "active") or \
        first(lines, 'unlink("', "incoming")
    assert None not in (synced, removed) and synced < removed
