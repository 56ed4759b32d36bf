# SPDX-License-Identifier: MIT
"""check_policy_service (P108): the protocol against a server of the test, and against postgrey and
postfix-policyd-spf-python as Debian has them."""
import contextlib
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import threading
import time

import pytest
from conftest import TOP, free_port, maildir_messages, wait_until

PEERS = pathlib.Path(os.environ.get("POSTERN_PEERS", TOP / "build" / "peers"))
SETTINGS = ("mynetworks = 127.0.0.1/32\nsmtpd_peername_lookup = no\nlocal_transport = discard\n"
            "local_recipient_maps =\nsmtpd_policy_service_retry_delay = 1s\n")


class PolicyServer:
    """Answers with what a function of the request's attributes says; None: hangs up."""

    def __init__(self, answer=lambda request: "DUNNO", address=None):
        self.answer, self.requests, self.raw = answer, [], []
        self.connections, self.open = 0, 0
        if isinstance(address, (str, os.PathLike)):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(address))
            os.chmod(address, 0o666)
        else:
            self.socket = socket.socket()
            self.socket.bind(("127.0.0.1", 0))
            self.port = self.socket.getsockname()[1]
        self.socket.listen(20)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        self.open += 1
        lines = []
        with contextlib.suppress(OSError), client, client.makefile("rb") as stream:
            for raw in stream:
                line = raw.decode().rstrip("\n")
                if line:
                    lines.append(line)
                    continue
                request = dict(l.split("=", 1) for l in lines)
                self.raw.append(lines)
                self.requests.append(request)
                lines = []
                answer = self.answer(request)
                if answer is None:
                    break
                text = answer if answer.endswith("\n\n") else f"action={answer}\n\n"
                client.sendall(text.encode())
        self.open -= 1

    def close(self):
        self.socket.close()


@pytest.fixture
def servers():
    made = []

    def make(*args, **options):
        made.append(PolicyServer(*args, **options))
        return made[-1]
    yield make
    for server in made:
        server.close()


def make(instances, settings):
    mail = instances()
    mail.write_main(SETTINGS + settings)
    return mail.start()


def session(mail):
    client = smtplib.SMTP("127.0.0.1", mail.port, local_hostname="client.example.org",
                          source_address=("127.0.0.9", 0), timeout=60)
    client.ehlo()
    return client


def rcpt(mail, sender="a@example.org", recipient="x@mail.example.com"):
    with session(mail) as client:
        client.docmd(f"MAIL FROM:<{sender}>")
        code, text = client.docmd(f"RCPT TO:<{recipient}>")
        return code, text.decode()


def inet(server):
    return f"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{server.port}\n"


NAMES = """request protocol_state protocol_name client_address client_name client_port
reverse_client_name server_address server_port helo_name sender recipient recipient_count queue_id
instance size etrn_domain stress sasl_method sasl_username sasl_sender ccert_subject ccert_issuer
ccert_fingerprint ccert_pubkey_fingerprint encryption_protocol encryption_cipher
encryption_keysize policy_context""".split()


def test_every_state(instances, users, servers):
    server = servers()
    where = f"check_policy_service {{ inet:127.0.0.1:{server.port}, policy_context=here }}"
    lists = "".join(f"smtpd_{name}_restrictions = {where}\n" for name in
                    "client helo sender recipient data end_of_data etrn".split())
    mail = make(instances, lists + "smtpd_delay_reject = no\n"
                "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n")
    with session(mail) as client:
        client.docmd("VRFY a@mail.example.com")
        client.docmd("ETRN mail.example.com")
        for size, recipients in (33, ["x", "y"]), (99, ["x"]):
            client.docmd(f"MAIL FROM:<a@example.org> SIZE={size} AUTH=e@example.net")
            for recipient in recipients:
                client.docmd(f"RCPT TO:<{recipient}@mail.example.com>")
            client.data("Subject: x\r\n\r\nfoo\r\n")
    for lines in server.raw:
        assert [l.split("=")[0] for l in lines] == NAMES
    shown = [(r["protocol_state"], r["recipient"], r["recipient_count"], r["size"])
             for r in server.requests]
    assert shown == [
        ("CONNECT", "", "0", "0"), ("EHLO", "", "0", "0"), ("VRFY", "a@mail.example.com", "0", "0"),
        ("ETRN", "", "0", "0"), ("MAIL", "", "0", "33"), ("RCPT", "x@mail.example.com", "0", "33"),
        ("RCPT", "y@mail.example.com", "0", "33"), ("DATA", "", "2", "33"),
        ("END-OF-MESSAGE", "", "2", "19"), ("MAIL", "", "0", "99"),
        ("RCPT", "x@mail.example.com", "0", "99"), ("DATA", "x@mail.example.com", "1", "99"),
        ("END-OF-MESSAGE", "x@mail.example.com", "1", "19")]
    etrn = server.requests[3]
    assert etrn["etrn_domain"] == "mail.example.com" and etrn["protocol_name"] == "ESMTP"
    instances_seen = [r["instance"] for r in server.requests]
    assert len(set(instances_seen[5:9])) == 1 and len(set(instances_seen[10:])) == 1
    assert instances_seen[5] and instances_seen[5] != instances_seen[10]
    rcpt_state = server.requests[6]
    assert rcpt_state["client_address"] == "127.0.0.9" and rcpt_state["client_name"] == "unknown"
    assert rcpt_state["server_port"] == str(mail.port) and rcpt_state["client_port"].isdigit()
    assert rcpt_state["helo_name"] == "client.example.org"
    assert rcpt_state["queue_id"] in mail.log() and rcpt_state["queue_id"] != ""
    assert rcpt_state["sasl_sender"] == "e@example.net"
    assert rcpt_state["policy_context"] == "here"


def test_login_is_told(instances, users, servers):
    from test_auth import add_user, log_in, sasldb_conf, write_sasl
    server = servers()
    mail = instances()
    write_sasl(mail, sasldb_conf(mail.dir / "sasldb2"))
    add_user(mail.dir / "sasldb2", "joe", "secret1")
    os.chmod(mail.dir / "sasldb2", 0o644)
    mail.write_main(SETTINGS + inet(server) + "smtpd_sasl_auth_enable = yes\n"
                    "smtpd_sasl_local_domain = mail.example.com\n"
                    f"cyrus_sasl_config_path = {mail.etc}/sasl\n")
    mail.start()
    with session(mail) as client:
        log_in(client)
        client.docmd("MAIL FROM:<a@example.org>")
        client.docmd("RCPT TO:<x@mail.example.com>")
    [request] = server.requests
    assert request["sasl_method"] == "PLAIN"
    assert request["sasl_username"] == "joe@mail.example.com"


def test_encryption_is_told(instances, users, servers, tmp_path_factory):
    """Names of a certificate only if somebody vouches for it, its fingerprint always."""
    import ssl
    from test_tls import Authority, openssl
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.issue("server")
    authority.issue("client", common_name="client one")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", 30, "-subj", "/CN=selfie", "-keyout", "self.key", "-out", "self.pem",
            cwd=authority.dir)
    server = servers()
    mail = make(instances, inet(server) + "smtpd_tls_security_level = may\n"
                f"smtpd_tls_chain_files = {authority.pair('server')}\n"
                f"smtpd_tls_CAfile = {authority.path('ca.pem')}\nsmtpd_tls_ask_ccert = yes\n"
                "smtpd_tls_fingerprint_digest = sha256\ncompatibility_level = 3.12\n")
    for name in (None, "client", "self"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if name:
            context.load_cert_chain(authority.path(f"{name}.pem"), authority.path(f"{name}.key"))
        with session(mail) as client:
            client.starttls(context=context)
            client.ehlo()
            client.docmd("MAIL FROM:<a@example.org>")
            assert client.docmd("RCPT TO:<x@mail.example.com>")[0] == 250
    nobody, trusted, selfie = server.requests
    assert {nobody["ccert_subject"], nobody["ccert_fingerprint"]} == {""}
    assert nobody["encryption_protocol"] == "TLSv1.3"
    assert nobody["encryption_cipher"].startswith("TLS_")
    assert int(nobody["encryption_keysize"]) >= 128
    assert trusted["ccert_subject"] == "client+20one" and trusted["ccert_issuer"] == "Test+20CA"
    assert trusted["ccert_fingerprint"] == authority.fingerprint("client")
    assert selfie["ccert_subject"] == selfie["ccert_issuer"] == ""
    assert selfie["ccert_fingerprint"] == authority.fingerprint("self")
    assert selfie["ccert_pubkey_fingerprint"] != "" and selfie["tls_sni"] == ""


def test_newer_attributes_by_compatibility_level(instances, users, servers):
    server = servers()
    mail = make(instances, inet(server) + "compatibility_level = 3.8\n")
    assert rcpt(mail)[0] == 250
    assert server.requests[0]["compatibility_level"] == "3.8"
    assert server.requests[0]["mail_version"].startswith("3.7.11")


@pytest.mark.parametrize("answer, code, text", [
    ("DUNNO", 250, "2.1.5 Ok"),
    ("REJECT not you", 554, "5.7.1 <x@mail.example.com>: Recipient address rejected: not you"),
    ("451 4.7.9 later", 451, "4.7.9 <x@mail.example.com>: Recipient address rejected: later"),
    ("DEFER_IF_PERMIT grey", 450, "4.7.1 <x@mail.example.com>: Recipient address rejected: grey"),
    ("x=y\naction=REJECT a\naction=REJECT b\nz=1\n\n", 554,
     "5.7.1 <x@mail.example.com>: Recipient address rejected: a"),
    ("action=REJECT dos\r\n\r\n\n\n", 554,
     "5.7.1 <x@mail.example.com>: Recipient address rejected: dos"),
    ("nonsense here", 451, "4.3.5 Server configuration error"),
    ("hash:/etc/passwd", 451, "4.3.5 Server configuration error"),
    ("", 250, "2.1.5 Ok"),
    ("reject_unauth_destination", 250, "2.1.5 Ok"),
    ("foo=bar\n\n", 451, "4.3.5 <x@mail.example.com>: Recipient address rejected: "
     "Server configuration problem"),
    ("no attribute\n\n", 451, "4.3.5 <x@mail.example.com>: Recipient address rejected: "
     "Server configuration problem"),
])
def test_answers(instances, users, servers, answer, code, text):
    server = servers(lambda request: answer)
    mail = make(instances, inet(server))
    assert rcpt(mail) == (code, text)


def test_connections_are_kept(instances, users, servers):
    server = servers()
    mail = make(instances, inet(server) + "worker_processes = 1\n")
    for _ in range(5):
        assert rcpt(mail)[0] == 250
    assert (len(server.requests), server.connections) == (5, 1)


def test_request_limit_and_idle_time(instances, users, servers):
    server = servers()
    mail = make(instances, inet(server) + "worker_processes = 1\n"
                "smtpd_policy_service_request_limit = 2\nsmtpd_policy_service_max_idle = 2s\n")
    for _ in range(5):
        assert rcpt(mail)[0] == 250
    assert server.connections == 3
    # The last one is closed when its time is over, without a further request.
    assert wait_until(lambda: server.open == 0, 10, "the end of the idle connection", 0.2)


def test_max_ttl(instances, users, servers):
    server = servers()
    mail = make(instances, inet(server) + "worker_processes = 1\n"
                "smtpd_policy_service_max_ttl = 1s\n")
    assert rcpt(mail)[0] == 250
    time.sleep(1.2)
    assert rcpt(mail)[0] == 250
    assert server.connections == 2


def test_retry(instances, users, servers):
    """A server that hangs up is asked again."""
    answers = iter([None, "REJECT second"])
    server = servers(lambda request: next(answers))
    mail = make(instances, inet(server))
    assert rcpt(mail)[1].endswith("rejected: second")
    assert "problem talking to server" not in mail.log()


def test_restarted_server(instances, users, servers):
    """A kept connection that is dead is nobody's failure, and costs no time."""
    first = servers(address=None)
    mail = make(instances, inet(first) + "worker_processes = 1\n"
                "smtpd_policy_service_try_limit = 1\n")
    answers = iter(["DUNNO", "DUNNO"])
    first.answer = lambda request: next(answers)
    assert rcpt(mail)[0] == 250
    hung_up = first.answer
    first.answer = lambda request: None if first.requests[-1] is request and \
        len(first.requests) == 2 else hung_up(request)
    assert rcpt(mail)[0] == 250
    assert first.connections == 2
    assert "problem talking to server" not in mail.log()


def test_down(instances, users):
    """The default action is what stands in for an answer."""
    port = free_port()
    mail = make(instances, "smtpd_policy_service_retry_delay = 1s\nsmtpd_recipient_restrictions = "
                f"check_policy_service {{ inet:127.0.0.1:{port}, default_action=DUNNO, "
                "try_limit=1 }, check_policy_service { unix:private/nothing, "
                "{ default_action = 450 4.7.3 wait a bit } }\n")
    assert rcpt(mail) == (450, "4.7.3 <x@mail.example.com>: Recipient address rejected: wait a bit")
    log = mail.log()
    assert f"warning: connect to 127.0.0.1:{port}: Connection refused\n" in log
    assert f"warning: problem talking to server 127.0.0.1:{port}: Connection refused\n" in log
    assert log.count("warning: connect to private/nothing: No such file or directory\n") == 2
    assert log.count("problem talking to server private/nothing: No such file") == 1


def test_timeout(instances, users, servers):
    event = threading.Event()
    server = servers(lambda request: event.wait(30) and None)
    mail = make(instances, "smtpd_recipient_restrictions = check_policy_service "
                f"{{ inet:127.0.0.1:{server.port}, timeout=1s, try_limit=1 }}\n")
    assert rcpt(mail)[0] == 451
    event.set()
    assert f"problem talking to server 127.0.0.1:{server.port}: Connection timed out" in mail.log()


@pytest.mark.parametrize("text, words", [
    ("", "restriction check_policy_service must be followed by transport:server"),
    ("foo", 'need service transport:endpoint instead of "foo"'),
    ("{ inet:127.0.0.1:1, foo=bar }", 'unknown option: "foo = bar"'),
    ("{ inet:127.0.0.1:1, timeout=xx }", "bad time value or unit: xx"),
    ("{ inet:127.0.0.1:1, { try_limit } }", 'malformed option "{ try_limit }": need name=value'),
])
def test_mistakes(instances, users, text, words):
    mail = make(instances, f"smtpd_recipient_restrictions = check_policy_service {text}\n")
    assert rcpt(mail) == (451, "4.3.5 Server configuration error")
    assert f"warning: {words}" in mail.log()


def test_unix_socket_and_a_slow_server(instances, users, servers):
    """A slow answer to one client keeps nobody else."""
    mail = instances()
    mail.write_main(SETTINGS + "worker_processes = 1\nsmtpd_recipient_restrictions = "
                    "check_policy_service unix:private/policy\n")
    mail.start()
    event = threading.Event()
    servers(lambda request: "REJECT slow" if request["sender"] == "slow@example.org" and
            event.wait(30) else "DUNNO", address=mail.spool / "private" / "policy")
    answers = []
    slow = threading.Thread(target=lambda: answers.append(rcpt(mail, "slow@example.org")))
    slow.start()
    assert rcpt(mail)[0] == 250
    assert not answers
    event.set()
    slow.join(30)
    assert answers[0][1].endswith("rejected: slow")


# --- programs of others


def own_message(mail, subject):
    """The message with that subject: other runs may use the same user of the system."""
    found = wait_until(lambda: [m for m in maildir_messages(mail.maildir)
                                if b"\nSubject: " + subject.encode() + b"\n" in m], 20,
                       "the message")
    return found[0]


@pytest.fixture
def postgrey(users):
    program = PEERS / "usr" / "sbin" / "postgrey"
    installed = shutil.which("postgrey", path="/usr/sbin:/usr/bin")
    if installed is None and not program.exists():
        pytest.skip("postgrey is neither installed nor unpacked (scripts/test-peers)")
    where = users.home / "postgrey"
    where.mkdir(exist_ok=True)
    shutil.chown(where, "postfix", "postfix")
    port = free_port()
    command = [installed] if installed else [
        "perl", "-T", f"-I{PEERS}/usr/share/perl5",
        f"-I{PEERS}/usr/lib/x86_64-linux-gnu/perl5/5.36", str(program)]
    for name in ("postgrey_whitelist_clients", "postgrey_whitelist_recipients"):
        (where / name).write_text("")
    server = subprocess.Popen(
        [*command, f"--inet=127.0.0.1:{port}", "--user=postfix", "--group=postfix",
         f"--dbdir={where}", "--delay=2", f"--pidfile={where}/pid",
         f"--whitelist-clients={where}/postgrey_whitelist_clients",
         f"--whitelist-recipients={where}/postgrey_whitelist_recipients"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)

    def listens():
        if server.poll() is not None:
            pytest.skip("postgrey does not run: " + server.stderr.read().decode()[:300])
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(listens, 20, "postgrey", 0.2)
    yield port
    server.terminate()
    server.wait(20)
    shutil.rmtree(where, ignore_errors=True)


def test_postgrey(catch_all, postgrey):
    mail = catch_all
    mail.write_main((mail.etc / "main.cf").read_text().split("biff = no\n")[1] +
                    "mynetworks = 127.0.0.1/32\nsmtpd_peername_lookup = no\n"
                    "smtpd_relay_restrictions = permit\n"
                    "smtpd_recipient_restrictions = check_policy_service "
                    f"inet:127.0.0.1:{postgrey}, permit_mynetworks, "
                    "defer_unauth_destination\n")
    mail.postfix("reload")
    code, text = rcpt(mail)
    assert code == 450 and "Greylisted" in text, (code, text, mail.log()[-2000:])
    time.sleep(2.2)
    with session(mail) as client:
        client.sendmail("a@example.org", ["x@mail.example.com"],
                        "Subject: grey for a while\n\nx\n")
    message = own_message(mail, "grey for a while")
    assert re.search(rb"^X-Greylist: delayed \d+ seconds by postgrey", message, re.M)


class Spawner:
    """A program per connection, as spawn(8) does it."""

    def __init__(self, path, command, **options):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.socket.listen(5)
        self.command, self.options, self.children = command, options, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                self.children.append(subprocess.Popen(
                    self.command, stdin=client, stdout=client, stderr=subprocess.DEVNULL,
                    **self.options))
                client.close()

    def close(self):
        self.socket.close()
        for child in self.children:
            child.kill()
            child.wait()


def test_policyd_spf(catch_all):
    program = PEERS / "usr" / "bin" / "policyd-spf"
    installed = shutil.which("policyd-spf")
    if installed is None and not program.exists():
        pytest.skip("policyd-spf is neither installed nor unpacked (scripts/test-peers)")
    mail = catch_all
    conf = mail.add_file("policyd-spf.conf", "debugLevel = 1\nTestOnly = 1\n"
                         "HELO_reject = Fail\nMail_From_reject = Fail\nPermError_reject = False\n"
                         "TempError_Defer = False\nskip_addresses = 127.0.0.0/8\n")
    command = [installed or "/usr/bin/python3", *([] if installed else [str(program)]), str(conf)]
    server = Spawner(mail.spool / "private" / "policyd-spf", command, env={
        **os.environ, "PYTHONPATH": str(PEERS / "usr/lib/python3/dist-packages")})
    try:
        mail.write_main((mail.etc / "main.cf").read_text().split("biff = no\n")[1] +
                        "smtpd_recipient_restrictions = "
                        "check_policy_service unix:private/policyd-spf\n")
        mail.postfix("reload")
        mail.send(["x@mail.example.com", "y@mail.example.com"], sender="a@example.org",
                  subject="checked by SPF")
        message = own_message(mail, "checked by SPF")
        # Once per message, whatever the number of recipients: it goes by the instance.
        assert len(re.findall(rb"^X-Comment: SPF (skipped|check N/A)", message, re.M)) == 1, \
            message
    finally:
        server.close()
