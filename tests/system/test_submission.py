# SPDX-License-Identifier: MIT
"""S16, S17, P012: sendmail, postdrop and pickup; notices by bounce."""
import email
import re

import pytest
from conftest import wait_until

# Nearly all mail stays, so that the queue shows what became of it.
HOLDING = ("transport_maps = inline:{ {a.example = retry:4.0.1 reason a}, "
           "{bad.example = error:5.1.2 nowhere} }\n")


@pytest.fixture(params=["root", "rootless"])
def mail(request, instances):
    options = {}
    if request.param == "root":
        request.getfixturevalue("users")
    else:
        options["user"] = request.getfixturevalue("plain_user")
    instance = instances(**options)
    instance.write_main(HOLDING)
    return instance


def submit(mail, *arguments, text="Subject: x\n\nbody\n", **options):
    return mail.run("sendmail", *arguments, input=text.encode(), **options)


def deferred(mail, count=1):
    def settled():
        queue = mail.queue()
        return (queue if len(queue) == count and
                all(m["queue_name"] == "deferred" for m in queue) else None)
    return wait_until(settled, 20, f"{count} deferred messages")


def content(mail, message):
    return email.message_from_bytes(
        mail.run("postcat", "-q", "-bh", message["queue_id"]).stdout)


def test_recipients_from_headers(mail):
    mail.start()
    submit(mail, "-t", "-f", "s@example.org", "extra@a.example", text=(
        "To: Ann <ann@a.example>,\n bob@a.example (Bob)\nCc: g: cat@a.example;\n"
        "Bcc: dan@a.example\nSubject: x\n\nTo: nobody@a.example\n"))
    [message] = deferred(mail)
    assert sorted(r["address"] for r in message["recipients"]) == [
        f"{name}@a.example" for name in ("ann", "bob", "cat", "dan", "extra")]
    headers = content(mail, message)
    assert headers["Bcc"] is None and headers["Message-Id"] and headers["Date"]
    assert re.match(r"by mail\.example\.com \(Postfix, from userid \d+\)",
                    headers["Received"])
    result = submit(mail, "-t", text="Subject: nobody\n\nx\n", check=False)
    assert result.returncode == 75
    assert b"No recipient addresses found in message header" in result.stderr


def test_submission_while_down(mail):
    mail.start()
    mail.stop()
    for number in range(3):
        submit(mail, "-f", "s@example.org", f"r{number}@a.example")
    assert [m["queue_name"] for m in mail.queue()] == ["maildrop"] * 3
    mail.start()
    assert len(deferred(mail, 3)) == 3


def test_lines(mail):
    mail.start()
    submit(mail, "-f", "s@example.org", "r@a.example",
           text="From x\r\nSubject: x\r\n\r\none\r\n..\r\n.\r\nafter\r\n")
    [message] = deferred(mail)
    assert content(mail, message).get_payload() == "one\n..\n"


def test_requeue(mail):
    mail.start()
    submit(mail, "-f", "s@example.org", "r@a.example")
    [before] = deferred(mail)
    mail.run("postsuper", "-r", "ALL")
    after = wait_until(lambda: [m for m in deferred(mail)
                                if m["queue_id"] != before["queue_id"]], 20, "a new ID")[0]
    assert after["arrival_time"] == before["arrival_time"]
    assert len(content(mail, after).get_all("Received")) == 2
    mail.wait_log(r"pickup\[\d+\]: %s: uid=\d+ from=<s@example.org> orig_id=%s" %
                  (after["queue_id"], before["queue_id"]))


def test_notice(mail):
    mail.start()
    submit(mail, "-f", "s@a.example", "one@bad.example", "two@bad.example",
           text="Subject: lost\n\nthe body\n")
    [notice] = deferred(mail)
    assert notice["sender"] == "MAILER-DAEMON"
    assert [r["address"] for r in notice["recipients"]] == ["s@a.example"]
    message = content(mail, notice)
    assert message["Subject"] == "Undelivered Mail Returned to Sender"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message.get_content_type() == "multipart/report"
    text, report, returned = message.get_payload()
    assert "<one@bad.example>: nowhere\n" in text.get_payload()
    fields = report.get_payload()
    assert sorted(f["Final-Recipient"] for f in fields[1:] if f["Final-Recipient"]) == [
        "rfc822; one@bad.example", "rfc822; two@bad.example"]
    assert fields[1]["Action"] == "failed" and fields[1]["Status"] == "5.1.2"
    [original] = returned.get_payload()
    assert original["Subject"] == "lost" and original.get_payload() == "the body\n"
    mail.wait_log(r"bounce\[\d+\]: [0-9A-F]+: sender non-delivery notification: %s" %
                  notice["queue_id"])


def test_notice_of_a_notice_is_dropped(mail):
    mail.start()
    submit(mail, "-f", "s@bad.example", "r@bad.example")
    mail.wait_log(r"from=<>, size=")
    mail.wait_queue_empty()


def test_damaged_file(mail):
    mail.start()
    mail.stop()
    submit(mail, "-f", "s@example.org", "r@a.example")
    [path] = (mail.spool / "maildrop").iterdir()
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    mail.start()
    mail.wait_log(r"pickup\[\d+\]: warning: maildrop/%s" % path.name)
    assert wait_until((mail.spool / "corrupt" / path.name).exists)
    assert mail.queue() == []
