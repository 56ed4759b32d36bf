# SPDX-License-Identifier: MIT
"""S25, S31-S36, S40, S50-S53: everything lands in one Maildir."""
import re
import socket

import pytest
from conftest import maildir_messages, wait_until


def dialogue(host, port, lines):
    """Send each line after the reply to the one before; returns the replies."""
    with socket.create_connection((host, port), timeout=20) as s, s.makefile("rb") as f:
        replies = [f.readline()]
        for line in lines:
            s.sendall(line + b"\r\n")
            if line in (b"subject: test", b"", b"mail test body") or line.startswith(b"from:"):
                continue
            replies.append(f.readline())
        return replies


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", ["catch_all", "rootless"])
def test_telnet_session_of_the_how_to(kind, host, request):
    mail = request.getfixturevalue(kind)
    replies = dialogue(host, mail.port, [
        b"HELO localhost", b"MAIL FROM:ken@tagbangers.example", b"RCPT TO:okumura@any.example",
        b"DATA", b"subject: test", b"from: ken@tagbangers.example", b"", b"mail test body", b".",
        b"quit"])
    assert replies[:5] == [
        b"220 mail.example.com ESMTP Postfix\r\n", b"250 mail.example.com\r\n", b"250 2.1.0 Ok\r\n",
        b"250 2.1.5 Ok\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n"]
    assert replies[5].startswith(b"250 2.0.0 Ok: queued as ")
    assert replies[6] == b"221 2.0.0 Bye\r\n"
    queue_id = replies[5].split()[-1].decode()
    mail.wait_log(rf"{queue_id}: removed")
    [message] = maildir_messages(mail.maildir)
    literal = "127.0.0.1" if host == "127.0.0.1" else "IPv6:::1"
    # Whether ::1 has a name is for the machine's hosts file to say.
    assert re.match(rf"Return-Path: <ken@tagbangers.example>\n"
                    rf"X-Original-To: okumura@any.example\n"
                    rf"Delivered-To: okumura@any.example\n"
                    rf"Received: from localhost \((localhost|unknown) \[{literal}\]\)\n"
                    rf"\tby mail.example.com \(Postfix\) with SMTP id {queue_id}\n"
                    rf"\tfor <okumura@any.example>; ", message.decode()), message
    assert message.endswith(b"\n\nmail test body\n")


def test_any_address_of_any_domain(catch_all):
    addresses = ["root@localhost", "nobody@nowhere.example", "a.b+c@x.example",
                 "postmaster@mail.example.com", '"odd name"@y.example']
    for address in addresses:
        catch_all.send(address)
    messages = wait_until(
        lambda: len(m := maildir_messages(catch_all.maildir)) == len(addresses) and m, 20,
        "all messages")
    got = {m.split(b"X-Original-To: ")[1].split(b"\n")[0].decode() for m in messages}
    assert got == set(addresses)
    assert all(m.startswith(b"Return-Path: <sender@example.org>\n") for m in messages)


SEED_MAIN = """\
myhostname = mbp-pc.local
mydestination = $myhostname, localhost.$mydomain, localhost
#local_recipient_maps =
local_recipient_maps =
#alias_maps = netinfo:/aliases
alias_maps = hash:{etc}/aliases,regexp:{etc}/aliases.reg
alias_database = hash:{etc}/aliases
#home_mailbox = Mailbox
home_mailbox = Maildir/
#luser_relay = admin+$local
luser_relay = {user}
transport_maps = pcre:{etc}/transport_maps
"""


def test_the_seed_as_written(instances, users):
    """The Japanese how-to: look-ahead in regexp:, transport by pcre:, started by postfix start."""
    user = users.add("pstann")
    mail = instances()
    maildir = users.home / user.pw_name / "Maildir"
    for old in maildir.glob("new/*"):
        old.unlink()
    mail.add_file("aliases", "postmaster: root\n")
    mail.add_file("aliases.reg", f"/(?!^root$|^{user.pw_name}$)^.*$/ {user.pw_name}\n")
    mail.add_file("transport_maps", "/^.*@.*$/ local\n")
    mail.write_main(SEED_MAIN.format(etc=mail.etc, user=user.pw_name))
    mail.run("newaliases")
    mail.start()
    recipients = ["okumura@tagbangers.example", "who@ever.example", f"{user.pw_name}@mbp-pc.local"]
    for address in recipients:
        mail.send(address, sender="ken@tagbangers.example")
    messages = wait_until(lambda: len(m := maildir_messages(maildir)) == 3 and m, 20, "three messages")
    # A catch-all's echo is no list owner: the sender stays (owner_alias_echo = no).
    assert all(m.startswith(b"Return-Path: <ken@tagbangers.example>\n") for m in messages)
    mode = (maildir / "new").stat()
    assert (mode.st_uid, mode.st_mode & 0o777) == (user.pw_uid, 0o700)
    assert mail.run("postmap", "-q", "nosuch", f"regexp:{mail.etc}/aliases.reg").stdout == \
        f"{user.pw_name}\n".encode()


def test_luser_relay_forms(instances, users):
    """S33: admin+$local, per recipient."""
    user = users.add("pstann")
    mail = instances()
    maildir = users.home / user.pw_name / "Maildir"
    for old in maildir.glob("new/*"):
        old.unlink()
    mail.write_main(f"local_recipient_maps =\nrecipient_delimiter = +\n"
                    f"luser_relay = {user.pw_name}+$local\n")
    mail.start()
    mail.send("lost.soul@mail.example.com")
    mail.wait_log(rf"to=<{user.pw_name}\+lost\.soul@mail\.example\.com>, "
                  r"orig_to=<lost\.soul@mail\.example\.com>, relay=local, .* status=sent")
    [message] = maildir_messages(maildir)
    assert b"\nX-Original-To: lost.soul@mail.example.com\n" in message


def test_unknown_table_type_defers(instances, users):
    """S35: mail is deferred, never bounced, while a table cannot be read."""
    users.add("pstann")
    mail = instances()
    mail.write_main("alias_maps = netinfo:/aliases\nlocal_recipient_maps =\n")
    mail.start()
    mail.send("pstann@mail.example.com")
    mail.wait_log(r"dsn=4\.3\.0, status=deferred \(alias database unavailable\)")
    assert "unsupported dictionary type: netinfo" in mail.log()
    assert [m["queue_name"] for m in mail.queue()] == ["deferred"]
