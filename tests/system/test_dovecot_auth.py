# SPDX-License-Identifier: MIT
"""smtpd_sasl_type = dovecot against a real Dovecot of our own (P109)."""
import base64
import contextlib
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess

import pytest
from conftest import IS_ROOT, free_port, wait_until

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin")
pytestmark = [pytest.mark.skipif(DOVECOT is None, reason="dovecot is not installed"),
              pytest.mark.skipif(not IS_ROOT, reason="dovecot needs root")]

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
auth_debug = yes
auth_verbose = yes
protocols =
default_login_user = dovenull
default_internal_user = dovecot
default_internal_group = dovecot
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 anonymous
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

SETTINGS = """\
mynetworks = 127.0.0.1/32
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
default_transport = discard
auth_timeout = 5s
"""


class Dovecot:
    def __init__(self, where, socket):
        self.where, self.socket, self.port = where, socket, free_port()
        where.mkdir()
        os.chmod(where, 0o755)
        users = where / "users"
        users.write_text("joe:{PLAIN}secret1::::::\n")
        os.chmod(users, 0o644)
        self.conf = where / "dovecot.conf"
        self.conf.write_text(CONF.format(dir=where, socket=socket, port=self.port))
        self.process = None

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            self.socket.unlink()
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", self.conf],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.socket.exists, 20, "dovecot")

    def stop(self):
        """With its workers, which would else serve their clients to the end."""
        if self.process is not None:
            children = subprocess.run(["pgrep", "-P", str(self.process.pid)], text=True,
                                      capture_output=True, check=False).stdout.split()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)

    def log(self):
        path = self.where / "log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def dovecot(instances, users):
    mail = instances()
    mail.write_main(SETTINGS)
    mail.start()
    server = Dovecot(mail.dir / "dovecot", mail.spool / "private" / "auth")
    server.mail = mail
    server.start()
    yield server
    server.stop()


def session(mail):
    client = smtplib.SMTP("127.0.0.1", mail.port, local_hostname="client.example.org",
                          source_address=("127.0.0.9", 0), timeout=60)
    client.ehlo()
    return client


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_login(dovecot):
    mail = dovecot.mail
    with session(mail) as client:
        assert client.esmtp_features["auth"].split() == [
            "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
        client.login("joe", "secret1")  # smtplib takes CRAM-MD5
        client.sendmail("joe@example.org", ["far@elsewhere.example"], "Subject: x\n\nx\n")
    mail.wait_log(r"client=unknown\[127.0.0.9\], sasl_method=CRAM-MD5, sasl_username=joe\n")
    assert re.search(r"client in: AUTH\t\d+\tCRAM-MD5\tservice=smtp\tnologin\tlip=127.0.0.1\t"
                     rf"rip=127.0.0.9\tlport={mail.port}\trport=\d+", dovecot.log())


def test_encryption_is_told(dovecot):
    """Dovecot gets to know whether a password has come in clear text."""
    mail = dovecot.mail
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=mail.example.com", "-keyout", mail.dir / "key.pem", "-out",
                    mail.dir / "cert.pem"], check=True, capture_output=True)
    mail.write_main(SETTINGS + "smtpd_tls_security_level = may\n"
                    f"smtpd_tls_chain_files = {mail.dir}/key.pem, {mail.dir}/cert.pem\n")
    mail.postfix("reload")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with session(mail) as client:
        assert client.docmd("AUTH PLAIN", plain("joe", "wrong"))[0] == 535
        client.starttls(context=context)
        client.ehlo()
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
    clear, secured = re.findall(r"client in: AUTH\t\d+\tPLAIN(.*)", dovecot.log())
    assert "\tsecured" not in clear and "\tsecured" in secured


def test_failures(dovecot):
    with session(dovecot.mail) as client:
        assert client.docmd("AUTH PLAIN", plain("joe", "wrong")) == (
            535, b"5.7.8 Error: authentication failed: (reason unavailable)")
        assert client.docmd("AUTH PLAIN", "!!!") == (
            535, b"5.7.8 Error: authentication failed: Invalid base64 data in initial response")
        assert client.docmd("AUTH NOSUCH") == (
            535, b"5.7.8 Error: authentication failed: Invalid authentication mechanism")
        assert client.docmd("AUTH LOGIN") == (334, b"VXNlcm5hbWU6")
        assert client.docmd("*") == (501, b"5.7.0 Authentication aborted")
        assert client.docmd("AUTH LOGIN") == (334, b"VXNlcm5hbWU6")
        assert client.docmd("!!") == (
            535, b"5.7.8 Error: authentication failed: Invalid base64 data in continued response")
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1")) == (
            235, b"2.7.0 Authentication successful")
    log = dovecot.mail.log()
    assert ("warning: unknown[127.0.0.9]: SASL PLAIN authentication failed: (reason unavailable), "
            "sasl_username=joe\n") in log
    assert "SASL NOSUCH authentication failed: Invalid authentication mechanism, " \
           "sasl_username=(unavailable)\n" in log


@pytest.mark.skipif(not shutil.which("gsasl"), reason="gsasl is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
                                       "SCRAM-SHA-256"])
def test_gsasl(dovecot, mechanism):
    run = subprocess.run(
        ["gsasl", "--smtp", "-m", mechanism, "-a", "joe", "-p", "secret1", "--no-starttls",
         "--connect", f"127.0.0.1:{dovecot.mail.port}", "-d"],
        capture_output=True, text=True, timeout=60, check=False, input="QUIT\n")
    assert "235 2.7.0 Authentication successful" in run.stdout, (run.stdout, run.stderr)


def test_security_options(dovecot):
    mail = dovecot.mail
    mail.write_main(SETTINGS + "smtpd_sasl_security_options = noplaintext, noanonymous\n")
    mail.postfix("reload")
    with session(mail) as client:
        assert client.esmtp_features["auth"].split() == [
            "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 535


def test_connections_are_kept(dovecot):
    with session(dovecot.mail) as client:
        for _ in range(5):
            assert client.docmd("AUTH PLAIN", plain("joe", "wrong"))[0] == 535
    numbers = [int(n) for n in re.findall(r"client in: AUTH\t(\d+)\t", dovecot.log())]
    assert numbers == sorted(set(numbers)) and len(numbers) == 5


def test_logins_at_the_same_time(dovecot):
    """Each dialogue has a connection of its own: none gets another's answer."""
    clients = [session(dovecot.mail) for _ in range(6)]
    for client in clients:
        assert client.docmd("AUTH LOGIN", base64.b64encode(b"joe").decode())[0] == 334
    for i, client in enumerate(clients):
        word = b"secret1" if i % 2 else b"wrong"
        assert client.docmd(base64.b64encode(word).decode())[0] == (235 if i % 2 else 535)
        client.quit()


def test_dovecot_restarts(dovecot):
    """Kept connections are dead then, which nobody notices; while it is down there are no logins."""
    with session(dovecot.mail) as client:
        assert client.docmd("AUTH PLAIN", plain("joe", "wrong"))[0] == 535
        dovecot.stop()
        wait_until(lambda: client.docmd("AUTH PLAIN", plain("joe", "wrong")) == (
            454, b"4.7.0 Temporary authentication failure: Connection lost to authentication "
            b"server"), 20, "the end of dovecot")
        dovecot.start()
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
    assert "SASL: Connect to Dovecot auth socket 'private/auth' failed:" in dovecot.mail.log()


def test_inet(dovecot):
    mail = dovecot.mail
    mail.write_main(SETTINGS + f"smtpd_sasl_path = inet:127.0.0.1:{dovecot.port}\n")
    mail.postfix("reload")
    with session(mail) as client:
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235


def test_our_services_leave_dovecots_socket_alone(dovecot):
    """private/auth is where everybody has Dovecot's socket."""
    dovecot.mail.postfix("reload")
    dovecot.mail.stop()
    dovecot.mail.start()
    with session(dovecot.mail) as client:
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
