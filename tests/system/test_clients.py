# SPDX-License-Identifier: MIT
"""Real clients deliver, and Dovecot reads what was delivered (S16, S89, S91)."""
import email
import email.policy
import imaplib
import os
import poplib
import pwd
import shutil
import subprocess

import pytest
from conftest import free_port, maildir_messages, wait_until


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def one_message(mail):
    [raw] = wait_until(lambda: maildir_messages(mail.maildir), 20, "a message")
    return email.message_from_bytes(raw, policy=email.policy.default)


@needs("swaks")
def test_swaks(catch_all):
    run = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(catch_all.port), "--to", "a@b.example",
         "--from", "c@d.example", "--header", "Subject: by swaks", "--pipeline"],
        capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert one_message(catch_all)["Subject"] == "by swaks"


@needs("swaks")
def test_swaks_over_ipv6(catch_all):
    run = subprocess.run(
        ["swaks", "-6", "--server", "::1", "--port", str(catch_all.port), "--to", "a@b.example",
         "--from", "c@d.example"], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "[IPv6:::1]" in one_message(catch_all)["Received"]


def test_smtplib_8bit_and_large(catch_all):
    text = "Grüße, 件名\n" + "x" * 70 + "\n"
    message = ("Subject: =?utf-8?b?5Lu25ZCN?=\nMIME-Version: 1.0\n"
               "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
               + text * 20000).encode()
    with catch_all.smtp() as client:
        client.sendmail("s@example.org", ["r@example.net"], message.replace(b"\n", b"\r\n"),
                        ["BODY=8BITMIME"])
    raw = wait_until(lambda: maildir_messages(catch_all.maildir), 20, "a message")[0]
    assert raw.split(b"\n\n", 1)[1] == (text * 20000).encode()


@needs("curl")
def test_curl(catch_all, tmp_path):
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: by curl\r\nFrom: c@d.example\r\n\r\n.a line with a dot\r\n")
    run = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", f"smtp://127.0.0.1:{catch_all.port}", "--mail-from", "c@d.example",
         "--mail-rcpt", "a@b.example", "--upload-file", str(letter)],
        capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    message = one_message(catch_all)
    assert message["Subject"] == "by curl"
    assert message.get_payload().rstrip("\n") == ".a line with a dot"


@needs("s-nail")
def test_mail_command(catch_all):
    """`mail user@host` of the how-to: through sendmail, postdrop and pickup."""
    run = subprocess.run(
        ["s-nail", "-:", "/", "-S", f"mta={catch_all.suite}/sbin/sendmail", "-S", "v15-compat=yes",
         "-s", "by mail", "dubenju@MacBook-Pro.local"],
        input="test text\n", capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "MAIL_CONFIG": str(catch_all.etc), "HOME": "/tmp"})
    assert run.returncode == 0, run.stderr
    message = one_message(catch_all)
    assert message["Subject"] == "by mail"
    assert f"(Postfix, from userid {os.getuid()})" in message["Received"]


def test_sendmail_while_down(catch_all):
    """S17: queued while stopped, listed, delivered soon after the start."""
    catch_all.stop()
    catch_all.run("sendmail", "-i", "-f", "me@example.org", "you@example.net",
                  input=b"Subject: later\n\n.\nbody\n")
    assert b"you@example.net" in catch_all.run("mailq").stdout
    catch_all.start()
    message = one_message(catch_all)
    assert message["Subject"] == "later"
    assert message.get_payload() == ".\nbody\n"


DOVECOT = """\
base_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
default_login_user = {login}
default_internal_user = {login}
default_internal_group = {group}
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{maildir}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
first_valid_uid = 1
"""


@pytest.fixture
def dovecot(catch_all):
    if not shutil.which("dovecot") and not os.path.exists("/usr/sbin/dovecot"):
        pytest.skip("dovecot is not installed")
    user = pwd.getpwnam("pstann")
    where = catch_all.dir / "dovecot"
    where.mkdir()
    ports = {"imap": free_port(), "pop3": free_port()}
    conf = where / "dovecot.conf"
    conf.write_text(DOVECOT.format(dir=where, maildir=catch_all.maildir, uid=user.pw_uid,
                                   gid=user.pw_gid, home=user.pw_dir, login="dovenull",
                                   group="dovenull", **ports))
    program = shutil.which("dovecot") or "/usr/sbin/dovecot"
    server = subprocess.Popen([program, "-F", "-c", str(conf)], stderr=subprocess.PIPE)
    yield ports
    server.terminate()
    server.wait(20)


def test_dovecot_reads_the_maildir(catch_all, dovecot):
    catch_all.send("someone@example.net", subject="to be read", body="Gr\u00fc\u00dfe".encode(
        "ascii", "replace").decode())
    raw = wait_until(lambda: maildir_messages(catch_all.maildir), 20, "a message")[0]

    def imap():
        try:
            return imaplib.IMAP4("127.0.0.1", dovecot["imap"], timeout=20)
        except OSError:
            return None

    pop = None
    client = wait_until(imap, 20, "IMAP answers")
    pop = poplib.POP3("127.0.0.1", dovecot["pop3"], timeout=20)
    pop.user("pstann")
    pop.pass_("secret")
    assert pop.stat()[0] == 1
    lines = pop.retr(1)[1]
    assert b"\n".join(lines) + b"\n" == raw
    pop.quit()
    client.login("pstann", "secret")
    assert client.select()[1] == [b"1"]
    fetched = client.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1]
    assert fetched.strip() == b"Subject: to be read"
    client.logout()
