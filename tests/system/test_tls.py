# SPDX-License-Identifier: MIT
"""TLS as servers speak it: real clients, certificates, tickets, and mistakes (P102, P105, P106)."""
import contextlib
import email
import email.policy
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import time

import pytest
from conftest import catch_all_settings, free_port, maildir_messages, wait_until


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def openssl(*args, cwd=None):
    run = subprocess.run(["openssl", *map(str, args)], cwd=cwd, capture_output=True, text=True,
                         timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    return run.stdout


class Authority:
    """A certificate authority and what it signs, in one directory: NAME.key, NAME.pem."""

    def __init__(self, directory):
        self.dir = directory
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", 300, "-subj", "/O=Test/CN=Test CA", "-keyout", "ca.key",
                "-out", "ca.pem", cwd=directory)

    def path(self, name):
        return self.dir / name

    def issue(self, name, algorithm="ec", days=90, common_name=None):
        kind = ["rsa:2048"] if algorithm == "rsa" else [
            "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-newkey", *kind, "-nodes", "-subj",
                f"/O=Test/CN={common_name or name + '.example.com'}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", cwd=self.dir)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", days, "-out", f"{name}.pem", cwd=self.dir)
        return name

    def fingerprint(self, name):
        out = openssl("x509", "-in", self.path(f"{name}.pem"), "-noout", "-fingerprint",
                      "-sha256")
        return out.split("=")[1].strip()

    def pair(self, name):
        return f"{self.path(name + '.key')}, {self.path(name + '.pem')}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("ca"))
    for name, algorithm in (("server", "ec"), ("rsa", "rsa"), ("client", "ec"), ("other", "ec")):
        made.issue(name, algorithm)
    return made


@pytest.fixture
def tls_mail(instances, users, authority):
    """Factory: a running catch-all with TLS, and its port for wrapper mode."""
    user = users.add("pstann")
    shutil.rmtree(pathlib.Path(user.pw_dir) / "Maildir", ignore_errors=True)

    def make(settings="", start=True, chain="server"):
        mail = instances()
        mail.maildir = pathlib.Path(user.pw_dir) / "Maildir"
        mail.tls_port = free_port()
        mail.add_services(f"{mail.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n")
        base = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
                "smtpd_tls_chain_files": authority.pair(chain) if chain else ""}
        named = set(re.findall(r"^(\w+)\s*=", settings, re.M))
        mail.write_main(catch_all_settings(user.pw_name) + settings + "".join(
            f"{k} = {v}\n" for k, v in base.items() if k not in named))
        if start:
            mail.start()
        return mail

    return make


def trusting(authority, cert=None, **versions):
    context = ssl.create_default_context(cafile=authority.path("ca.pem"))
    context.check_hostname = False
    if cert:
        context.load_cert_chain(authority.path(f"{cert}.pem"), authority.path(f"{cert}.key"))
    for name, value in versions.items():
        setattr(context, name, value)
    return context


@contextlib.contextmanager
def starttls(mail, context, name=None):
    """A client of smtplib after STARTTLS."""
    with mail.smtp() as client:
        assert client.ehlo()[0] == 250 and client.has_extn("starttls")
        if name:
            client._host = name  # what smtplib sends as the server's name
        assert client.starttls(context=context)[0] == 220
        yield client


def common_name(client):
    der = client.sock.getpeercert(binary_form=True)
    out = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der,
                         capture_output=True, check=True).stdout.decode()
    return re.search(r"CN = (\S+)", out).group(1)


def one_message(mail):
    [raw] = wait_until(lambda: maildir_messages(mail.maildir), 20, "a message")
    return email.message_from_bytes(raw, policy=email.policy.default)


# --- real clients


@needs("swaks")
@pytest.mark.parametrize("option, protocol", [
    (("--tls",), "STARTTLS"), (("--tls-optional",), "STARTTLS"), (("--tlsc",), "wrapper"),
    (("--tls", "--tls-protocol", "tlsv1_2"), "STARTTLS"), (("--tls", "--pipeline"), "STARTTLS")])
def test_swaks(tls_mail, option, protocol):
    mail = tls_mail("smtpd_tls_received_header = yes\n")
    port = mail.tls_port if protocol == "wrapper" else mail.port
    run = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(port), "--to", "a@b.example",
         "--from", "c@d.example", "--header", "Subject: by swaks", *option],
        capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    received = one_message(mail)["Received"]
    assert " with ESMTPS id " in received
    assert "(using TLSv1." in received and "(No client certificate requested)" in received


@needs("curl")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl(tls_mail, authority, tmp_path, scheme):
    mail = tls_mail()
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: by curl\r\nFrom: c@d.example\r\n\r\ntext\r\n")
    port = mail.tls_port if scheme == "smtps" else mail.port
    run = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--ssl-reqd", "--cacert", str(authority.path("ca.pem")),
         "--connect-to", f"server.example.com:{port}:127.0.0.1:{port}",
         f"{scheme}://server.example.com:{port}", "--mail-from", "c@d.example",
         "--mail-rcpt", "a@b.example", "--upload-file", str(letter)],
        capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert one_message(mail)["Subject"] == "by curl"


def test_large_message_both_ways_of_encryption(tls_mail, authority):
    mail = tls_mail("message_size_limit = 20000000\n")
    text = ("x" * 70 + "\r\n") * 100000
    with starttls(mail, trusting(authority)) as client:
        client.sendmail("s@example.org", ["r@example.net"], f"Subject: 1\r\n\r\n{text}")
    with smtplib.SMTP_SSL("127.0.0.1", mail.tls_port, context=trusting(authority)) as client:
        client.sendmail("s@example.org", ["r@example.net"], f"Subject: 2\r\n\r\n{text}")
    wait_until(lambda: len(maildir_messages(mail.maildir)) == 2, 30, "two messages")
    for raw in maildir_messages(mail.maildir):
        assert raw.split(b"\n\n", 1)[1] == text.replace("\r\n", "\n").encode()


def s_client(port, *options, text="QUIT\r\n"):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "smtp", "-ign_eof",
         *options],
        input=text, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client(tls_mail, authority, version):
    mail = tls_mail()
    out = s_client(mail.port, version, "-CAfile", str(authority.path("ca.pem")))
    assert "Verify return code: 0 (ok)" in out
    mail.wait_log(r"Anonymous TLS connection established from localhost\[127.0.0.1\]: "
                  r"TLSv1.[23] with cipher \S+ \(256/256 bits\)")


def test_both_kinds_of_keys(tls_mail, authority):
    both = f"{authority.pair('rsa')}, {authority.pair('server')}"
    mail = tls_mail(f"smtpd_tls_chain_files = {both}\n")
    for sigalgs, name in (("rsa_pss_rsae_sha256", "rsa"), ("ecdsa_secp256r1_sha256", "server")):
        out = s_client(mail.port, "-sigalgs", sigalgs)
        assert f"CN = {name}.example.com" in out, out


def test_separate_files(tls_mail, authority):
    files = "".join(f"smtpd_tls_{kind}cert_file = {authority.path(name + '.pem')}\n"
                    f"smtpd_tls_{kind}key_file = {authority.path(name + '.key')}\n"
                    for kind, name in (("", "rsa"), ("ec", "server")))
    mail = tls_mail(files, chain=None)
    with starttls(mail, trusting(authority)) as client:
        assert common_name(client) == "server.example.com"


# --- the border between clear text and TLS


def reply_of(file):
    lines = []
    while not lines or lines[-1][3:4] == b"-":
        line = file.readline()
        assert line, lines
        lines.append(line)
    return b"".join(lines).decode()


def test_nothing_crosses_the_border(tls_mail, authority):
    """Commands behind STARTTLS in clear text are not run (CVE-2011-0411), a transaction and
    the name of before are forgotten."""
    mail = tls_mail()
    with socket.create_connection(("127.0.0.1", mail.port), 20) as plain:
        file = plain.makefile("rb")
        assert reply_of(file).startswith("220")
        for command in ("EHLO before.example", "MAIL FROM:<before@example.org>"):
            plain.sendall(command.encode() + b"\r\n")
            assert reply_of(file).startswith("250")
        plain.sendall(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@example.org>\r\n")
        assert reply_of(file).startswith("220 2.0.0")
        with trusting(authority).wrap_socket(plain) as encrypted:
            file = encrypted.makefile("rb")
            encrypted.sendall(b"RCPT TO:<a@b.example>\r\n")
            assert reply_of(file) == "503 5.5.1 Error: need MAIL command\r\n"
            encrypted.sendall(b"EHLO after.example\r\n")
            offer = reply_of(file)
            assert "STARTTLS" not in offer
            encrypted.sendall(b"STARTTLS\r\n")
            assert reply_of(file) == "554 5.5.1 Error: TLS already active\r\n"
            encrypted.sendall(b"QUIT\r\n")
            assert reply_of(file).startswith("221")
    mail.wait_log(r"improper command pipelining after STARTTLS")
    mail.wait_log(r"disconnect from localhost\[127.0.0.1\] ehlo=2 starttls=1/2 mail=1 rcpt=0/1 "
                  r"quit=1 commands=5/7")


def test_forbidden_pipelining_ends_at_starttls(tls_mail):
    mail = tls_mail("smtpd_forbid_unauth_pipelining = yes\n")
    with socket.create_connection(("127.0.0.1", mail.port), 20) as plain:
        file = plain.makefile("rb")
        reply_of(file)
        plain.sendall(b"STARTTLS\r\nNOOP\r\n")
        assert reply_of(file) == "554 5.5.0 Error: SMTP protocol synchronization\r\n"
        assert file.read() == b""


def test_no_session_without_a_handshake(tls_mail):
    mail = tls_mail()
    with socket.create_connection(("127.0.0.1", mail.port), 20) as plain:
        file = plain.makefile("rb")
        reply_of(file)
        plain.sendall(b"STARTTLS\r\n")
        reply_of(file)
        plain.sendall(b"EHLO still.in.clear.example\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"250" not in file.read()
    mail.wait_log(r"SSL_accept error from localhost\[127.0.0.1\]: -1")
    mail.wait_log(r"warning: TLS library problem: error:0A00010B:SSL routines::wrong version")
    mail.wait_log(r"lost connection after STARTTLS from localhost\[127.0.0.1\]")


def test_silent_handshake_is_cut(tls_mail):
    mail = tls_mail("smtpd_starttls_timeout = 2s\n")
    with socket.create_connection(("127.0.0.1", mail.tls_port), 20) as plain:
        assert plain.recv(100) == b""
    mail.wait_log(r"SSL_accept error from localhost\[127.0.0.1\]: Connection timed out")
    mail.wait_log(r"lost connection after CONNECT from localhost\[127.0.0.1\]")


def test_encryption_required(tls_mail, authority):
    mail = tls_mail("smtpd_tls_security_level = encrypt\n")
    with mail.smtp() as client:
        client.ehlo()
        for command in ("MAIL FROM:<a@b.example>", "RSET", "VRFY a", "DATA"):
            assert client.docmd(command) == (530, b"5.7.0 Must issue a STARTTLS command first")
        assert client.noop()[0] == 250
        client.starttls(context=trusting(authority))
        assert client.mail("a@b.example")[0] == 250


# --- client certificates


def test_relay_by_fingerprint(tls_mail, authority):
    known = authority.fingerprint("client")
    mail = tls_mail(
        "mynetworks = 192.0.2.0/24\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_received_header = yes\n"
        "smtpd_relay_restrictions = permit_tls_clientcerts, reject\n"
        f"relay_clientcerts = inline:{{{{{known}=client}}}}\n")
    for cert, code in ((None, 554), ("other", 554), ("client", 250)):
        with starttls(mail, trusting(authority, cert)) as client:
            client.mail("a@b.example")
            assert client.rcpt("c@d.example")[0] == code, cert
            if code == 250:
                client.data("Subject: x\r\n\r\ntext\r\n")
    assert ('(Client CN "client.example.com", Issuer "Test CA" (not verified))'
            in one_message(mail)["Received"])
    mail.wait_log(r"Untrusted TLS connection established from localhost\[127.0.0.1\]")


def test_access_by_certificate(tls_mail, authority):
    mail = tls_mail(
        f"smtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = {authority.path('ca.pem')}\n"
        "smtpd_client_restrictions = check_ccert_access "
        f"inline:{{{{{authority.fingerprint('other')}=REJECT go away}}}}\n"
        "smtpd_sender_restrictions = permit_tls_all_clientcerts, reject_plaintext_session, "
        "reject\n")
    with starttls(mail, trusting(authority, "other")) as client:
        client.mail("a@b.example")
        assert client.rcpt("c@d.example") == (
            554, b"5.7.1 <other.example.com>: Client certificate rejected: go away")
    with starttls(mail, trusting(authority, "client")) as client:
        client.mail("a@b.example")
        assert client.rcpt("c@d.example")[0] == 250
    with mail.smtp() as client:
        client.ehlo()
        client.mail("a@b.example")
        assert client.rcpt("c@d.example") == (450, b"4.7.1 Session encryption is required")
    mail.wait_log(r"Trusted TLS connection established from localhost\[127.0.0.1\]")


def test_certificate_required(tls_mail, authority):
    mail = tls_mail("smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\n"
                    f"smtpd_tls_CAfile = {authority.path('ca.pem')}\n")
    with starttls(mail, trusting(authority)) as client:
        with pytest.raises((smtplib.SMTPServerDisconnected, smtplib.SMTPHeloError)) as error:
            client.ehlo_or_helo_if_needed()
        if error.type is smtplib.SMTPHeloError:
            assert error.value.smtp_code == 421
    mail.wait_log(r"NOQUEUE: abort: TLS from localhost\[127.0.0.1\]: No client certificate "
                  r"presented")
    with starttls(mail, trusting(authority, "client")) as client:
        assert client.mail("a@b.example")[0] == 250


# --- tickets


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_resumption_outlives_processes_and_reloads(tls_mail, tmp_path, version):
    mail = tls_mail()
    session = tmp_path / "session"
    # The answer to NOOP brings the ticket of TLS 1.3 with it.
    first = s_client(mail.port, version, "-sess_out", str(session), text="NOOP\r\nQUIT\r\n")
    assert "New, TLSv1." in first and session.exists()
    resume = ("-sess_in", str(session))
    assert "Reused, TLSv1." in s_client(mail.port, version, *resume)
    for pid in mail.workers("smtpd"):
        os.kill(pid, signal.SIGKILL)
    assert "Reused, TLSv1." in s_client(mail.port, version, *resume)
    before = set(mail.workers("smtpd"))
    mail.postfix("reload")
    wait_until(lambda: not before & set(mail.workers("smtpd")), 20, "workers are replaced")
    assert "Reused, TLSv1." in s_client(mail.port, version, *resume)


def test_no_tickets_on_request(tls_mail, tmp_path):
    mail = tls_mail("smtpd_tls_session_cache_timeout = 0\n")
    session = tmp_path / "session"
    s_client(mail.port, "-tls1_2", "-sess_out", str(session))
    assert "New, TLSv1.2" in s_client(mail.port, "-tls1_2", "-sess_in", str(session))


def test_only_servers_see_the_ticket_keys(tls_mail, authority):
    mail = tls_mail()
    with starttls(mail, trusting(authority)) as client:
        client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\ntext\r\n")
    one_message(mail)
    holders = set()
    for pid, name in mail.workers().items():
        with contextlib.suppress(OSError):
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                if "memfd:tickets" in os.readlink(fd):
                    holders.add(name)
    assert holders == {"smtpd"}


# --- names


def test_server_names(tls_mail, authority):
    table = authority.path("sni")
    table.write_text(f"one.example {authority.pair('rsa')}\n"
                     f".two.example {authority.pair('rsa')}\n")
    mail = tls_mail(f"tls_server_sni_maps = hash:{table}, inline:{{{{three.example = "
                    f"{authority.path('other.key')} {authority.path('other.pem')}}}}}\n",
                    start=False)
    mail.run("postmap", "-F", f"hash:{table}")
    os.chmod(f"{table}.db", 0o600)
    mail.start()
    for name, subject in (("one.example", "rsa"), ("a.two.example", "rsa"),
                          ("Three.Example", "other"), ("four.example", "server")):
        with starttls(mail, trusting(authority), name) as client:
            assert common_name(client) == f"{subject}.example.com", name
    mail.wait_log(r"TLS connection established from localhost\[127.0.0.1\] to one.example: TLSv1")
    mail.wait_log(r"TLS SNI four.example from localhost\[127.0.0.1\] not matched, using default")


# --- certificates that change


def test_renewed_certificate_is_served_without_a_reload(tls_mail, authority, tmp_path):
    """In a directory that the worker cannot look into, as certbot has it."""
    live = tmp_path / "live"
    live.mkdir(mode=0o700)
    for name in ("key", "pem"):
        shutil.copy(authority.path(f"server.{name}"), live / f"1.{name}")
        shutil.copy(authority.path(f"other.{name}"), live / f"2.{name}")
        (live / name).symlink_to(f"1.{name}")
    mail = tls_mail(f"smtpd_tls_chain_files = {live}/key, {live}/pem\n")
    context = trusting(authority)
    with starttls(mail, context) as old:
        assert common_name(old) == "server.example.com"
        for name in ("key", "pem"):
            (live / "new").symlink_to(f"2.{name}")
            (live / "new").rename(live / name)

        def renewed():
            with starttls(mail, context) as client:
                return common_name(client) == "other.example.com"

        changed = time.monotonic()
        wait_until(renewed, 20, "the new certificate", 0.2)
        assert old.noop()[0] == 250  # who is there stays
        print(f"served after {time.monotonic() - changed:.1f} s")
    assert "warning" not in "\n".join(l for l in mail.log().splitlines() if "smtpd" in l)


def test_expiry_is_warned_about_once(tls_mail, authority):
    authority.issue("soon", days=3)
    mail = tls_mail(chain="soon")
    for _ in range(3):
        with starttls(mail, trusting(authority)) as client:
            client.noop()
    mail.postfix("reload")
    with starttls(mail, trusting(authority)) as client:
        client.noop()
    mail.wait_log(r"smtpd\[\d+\]: warning: the certificate of the server, "
                  r"/O=Test/CN=soon.example.com, expires in [23] days")
    assert len(re.findall(r"smtpd\[\d+\]: warning: the certificate of", mail.log())) == 1
    check = mail.postfix("check")
    assert "expires in" in (check.stderr + mail.log().encode()).decode()


# --- mistakes


def test_key_of_somebody_else(tls_mail, authority):
    """Mail goes on in clear text, STARTTLS says that it is our problem, the log says what."""
    mail = tls_mail(f"smtpd_tls_cert_file = {authority.path('rsa.pem')}\n"
                    f"smtpd_tls_key_file = {authority.path('other.key')}\n", chain=None)
    with mail.smtp() as client:
        client.ehlo()
        assert client.docmd("STARTTLS") == (
            454, b"4.7.0 TLS not available due to local problem")
        assert client.mail("a@b.example")[0] == 250
    mail.wait_log(r"warning: cannot get RSA private key from file \"\S+other.key\": disabling TLS")
    mail.wait_log(r"warning: smtpd_tls_key_file: the key in \S+other.key does not belong to the "
                  r"first certificate in \S+rsa.pem")
    with socket.create_connection(("127.0.0.1", mail.tls_port), 20) as wrapped:
        assert wrapped.recv(100) == b""
    mail.wait_log(r"Wrapper-mode request dropped from localhost\[127.0.0.1\] for service")


@pytest.mark.parametrize("setting, words", [
    ("smtpd_tls_chain_files = /nonexistent/cert", "open /nonexistent/cert: No such file"),
    ("smtpd_tls_protocols = TLSv1.9", "unknown TLS protocol \"TLSv1.9\": allowed are"),
    ("smtpd_tls_ciphers = best", "invalid cipher grade: \"best\""),
    ("smtpd_tls_security_level = mya", "Invalid TLS level \"mya\""),
    ("smtpd_tls_CAfile = /nonexistent/ca", "/nonexistent/ca"),
])
def test_mistakes_are_named_and_reload_refuses(tls_mail, authority, setting, words):
    mail = tls_mail()
    with open(mail.etc / "main.cf", "a", encoding="utf-8") as f:
        f.write(setting + "\n")
    line = len((mail.etc / "main.cf").read_text().splitlines())
    for action in ("check", "reload"):
        run = mail.postfix(action, check=False)
        assert run.returncode == 1
        said = run.stderr.decode() + mail.log()
        assert f"main.cf, line {line}: {setting.split()[0]}: " in said and words in said
    with starttls(mail, trusting(authority)) as client:  # the old configuration is in force
        assert client.noop()[0] == 250


def test_mistake_in_master_cf(tls_mail):
    mail = tls_mail()
    (mail.etc / "master.cf").write_text(
        (mail.etc / "master.cf").read_text().replace(
            "smtpd_tls_wrappermode=yes",
            "smtpd_tls_wrappermode=yes -o smtpd_tls_mandatory_protocols=TLSv9"))
    run = mail.postfix("reload", check=False)
    assert run.returncode == 1
    assert re.search(r"master.cf, line \d+: smtpd_tls_mandatory_protocols: unknown TLS protocol",
                     run.stderr.decode())


def test_right_settings_draw_no_word(tls_mail, authority):
    mail = tls_mail(
        "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n"
        "smtpd_tls_exclude_ciphers = aNULL, eNULL, RC4\nsmtpd_tls_mandatory_ciphers = high\n"
        "tls_preempt_cipherlist = yes\ntls_ssl_options = NO_RENEGOTIATION, NO_COMPRESSION\n"
        "smtpd_tls_dh1024_param_file = auto\nsmtpd_tls_eecdh_grade = auto\n"
        "smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache\n"
        "smtpd_tls_ask_ccert = yes\nsmtpd_tls_fingerprint_digest = sha256\n")
    with starttls(mail, trusting(authority)) as client:
        assert client.noop()[0] == 250
    checked = mail.postfix("check")
    assert b"tls" not in checked.stderr
    assert not re.search(r"warning.*tls_", mail.log())


def test_rootless(instances, plain_user, authority):
    mail = instances(user=plain_user)
    private = mail.dir / "tls"
    private.mkdir()
    for name in ("server.key", "server.pem"):
        shutil.copy(authority.path(name), private)
        os.chown(private / name, plain_user.pw_uid, plain_user.pw_gid)
    os.chown(private, plain_user.pw_uid, plain_user.pw_gid)
    mail.write_main(catch_all_settings(plain_user.pw_name) +
                    "smtpd_tls_security_level = may\n"
                    f"smtpd_tls_chain_files = {private}/server.key, {private}/server.pem\n")
    mail.start()
    with starttls(mail, trusting(authority)) as client:
        client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\ntext\r\n")
    mail.wait_queue_empty()
