# SPDX-License-Identifier: MIT
"""What one client may do, counted over all processes of a service (P118), and patience with who
does not know a password (X22)."""
import re
import smtplib
import socket
import time

import pytest
from conftest import wait_until
from test_auth import add_user, plain, sasldb_conf, write_sasl

SETTINGS = ("mynetworks = 127.0.0.1/32\nsmtpd_peername_lookup = no\nlocal_transport = discard\n"
            "local_recipient_maps =\nworker_processes = 3\nprocess_client_limit = 2\n")


def make(instances, settings):
    mail = instances()
    mail.write_main(SETTINGS + settings)
    return mail.start()


def connect(mail, source="127.0.0.9", host="127.0.0.1"):
    """(client, greeting); the client is None if it was turned away."""
    client = smtplib.SMTP(local_hostname="client.example.org", timeout=30)
    if ":" not in host:
        client.source_address = (source, 0)
    client._host = "mail.example.com"  # for starttls(): the certificate's, not where it is
    code, text = client.connect(host, mail.port)
    return (client if code == 220 else None), f"{code} {text.decode()}"


REFUSAL = "421 4.7.0 mail.example.com Error: too many connections from 127.0.0.9"


def test_connection_count(instances, users):
    """Several processes, one count; who leaves makes room."""
    mail = make(instances, "smtpd_client_connection_count_limit = 3\n")
    clients = [connect(mail)[0] for _ in range(3)]
    assert all(clients)
    assert len(mail.workers("smtpd")) > 1
    assert connect(mail) == (None, REFUSAL)
    assert f"warning: Connection concurrency limit exceeded: 4 from unknown[127.0.0.9] for " \
           f"service {mail.port}\n" in mail.log()
    assert connect(mail, "127.0.0.8")[0], "another client has its own limit"
    assert connect(mail, "127.0.0.1")[0], "mynetworks is exempt"
    clients.pop().quit()
    assert wait_until(lambda: connect(mail)[0], 10, "room for one more", 0.3)


def test_default_limit_is_exact(instances, users):
    """50 connections at once, of which most are admitted without asking anybody."""
    mail = make(instances, "process_client_limit = 50\n")
    clients = [connect(mail)[0] for _ in range(50)]
    assert all(clients)
    assert connect(mail) == (None, REFUSAL)


def test_dead_process_frees_its_sessions(instances, users):
    mail = make(instances, "smtpd_client_connection_count_limit = 2\nprocess_client_limit = 50\n")
    clients = [connect(mail)[0] for _ in range(2)]
    assert all(clients) and connect(mail)[0] is None
    import os
    import signal
    for pid in mail.workers("smtpd"):
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: connect(mail)[0], 10, "room again", 0.3)


def test_connection_rate(instances, users):
    mail = make(instances, "smtpd_client_connection_rate_limit = 2\nanvil_rate_time_unit = 3s\n")
    for _ in range(2):
        connect(mail)[0].quit()
    assert connect(mail) == (None, REFUSAL)
    assert re.search(r"warning: Connection rate limit exceeded: 3 from unknown\[127.0.0.9\] for "
                     r"service \d+\n", mail.log())
    assert wait_until(lambda: connect(mail)[0], 10, "the next time unit", 1)


def test_message_and_recipient_rates(instances, users):
    mail = make(instances, "smtpd_client_message_rate_limit = 2\n"
                "smtpd_client_recipient_rate_limit = 3\n")
    client, _ = connect(mail)
    client.ehlo()
    for _ in range(2):
        assert client.docmd("MAIL FROM:<a@example.org>")[0] == 250
        client.docmd("RSET")
    client.quit()
    client, _ = connect(mail)  # most likely another process
    client.ehlo()
    assert client.docmd("MAIL FROM:<a@example.org>") == (
        450, b"4.7.1 Error: too much mail from 127.0.0.9")
    other, _ = connect(mail, "127.0.0.8")
    other.ehlo()
    other.docmd("MAIL FROM:<a@example.org>")
    codes = [other.docmd("RCPT TO:<x@mail.example.com>") for _ in range(4)]
    assert [c for c, _ in codes] == [250, 250, 250, 450]
    assert codes[3][1] == b"4.7.1 Error: too many recipients from 127.0.0.8"
    log = mail.log()
    assert "warning: Message delivery request rate limit exceeded: 3 from unknown[127.0.0.9]" in log
    assert "warning: Recipient address rate limit exceeded: 4 from unknown[127.0.0.8]" in log


@pytest.fixture
def logins(instances, users):
    def start(settings):
        mail = instances()
        database = mail.dir / "sasldb2"
        write_sasl(mail, sasldb_conf(database, "PLAIN"))
        add_user(database, "joe", "secret1")
        import os
        os.chmod(database, 0o644)
        mail.write_main(SETTINGS + f"smtpd_sasl_auth_enable = yes\n"
                        f"cyrus_sasl_config_path = {mail.etc}/sasl\n"
                        "smtpd_sasl_local_domain = mail.example.com\n" + settings)
        return mail.start()
    return start


def fail(mail, times=1, source="127.0.0.9"):
    client, _ = connect(mail, source)
    client.ehlo()
    codes = [client.docmd("AUTH PLAIN", plain("joe", "wrong")) for _ in range(times)]
    client.quit()
    return codes


def test_auth_rate(logins):
    mail = logins("smtpd_client_auth_rate_limit = 2\n")
    assert [c for c, _ in fail(mail, 2)] == [535, 535]
    assert fail(mail) == [(450, b"4.7.1 Error: too many AUTH commands from 127.0.0.9")]
    assert "warning: AUTH command rate limit exceeded: 3 from unknown[127.0.0.9] for" in mail.log()


def test_failed_logins_slow_the_client_down(logins):
    """In every process: each session makes one mistake only."""
    mail = logins("smtpd_soft_error_limit = 2\nsmtpd_error_sleep_time = 1s\n")
    durations = []
    for _ in range(4):
        begin = time.monotonic()
        assert fail(mail)[0][0] == 535
        durations.append(time.monotonic() - begin)
    # Not a measurement: the pauses are orders of magnitude longer than anything else here.
    assert durations[2] >= 1 and durations[3] >= 2


def test_failed_logins_close_the_door(logins):
    mail = logins("smtpd_client_login_failure_limit = 3\nsmtpd_client_login_failure_time = 5s\n")
    fail(mail, 2)
    fail(mail)
    client, text = connect(mail)
    assert (client, text) == (
        None, "421 4.7.0 mail.example.com Error: too many failed logins from 127.0.0.9")
    assert "warning: Login failure limit exceeded: 3 from unknown[127.0.0.9] for service" in mail.log()
    assert connect(mail, "127.0.0.8")[0]
    assert wait_until(lambda: connect(mail)[0], 20, "forgiveness", 1)


def test_new_tls_sessions(instances, users, tmp_path_factory):
    """STARTTLS and wrapper mode: the handshake that is too many ends the session, further ones
    are not begun."""
    import ssl
    from conftest import free_port
    from test_tls import Authority
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.issue("server")
    wrapped = free_port()
    mail = instances()
    mail.write_main(SETTINGS + "smtpd_client_new_tls_session_rate_limit = 2\n"
                    "smtpd_tls_security_level = may\n"
                    f"smtpd_tls_chain_files = {authority.pair('server')}\n")
    mail.add_services(f"{wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n")
    mail.start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(2):
        client, _ = connect(mail)
        client.starttls(context=context)
        assert client.docmd("NOOP")[0] == 250
    client, _ = connect(mail)
    client.ehlo()
    assert client.docmd("STARTTLS")[0] == 220
    secure = context.wrap_socket(client.sock)
    assert secure.recv(200) == (b"421 4.7.0 mail.example.com Error: too many new TLS sessions "
                                b"from unknown[127.0.0.9]\r\n")
    client, _ = connect(mail)
    client.ehlo()
    assert client.docmd("STARTTLS") == (
        454, b"4.7.0 Error: too many new TLS sessions from unknown[127.0.0.9]")
    log = mail.log()
    assert "warning: New TLS session rate limit exceeded: 3 from unknown[127.0.0.9] for" in log
    assert "warning: Refusing STARTTLS request from unknown[127.0.0.9] for service" in log

    def greeting():
        with socket.create_connection(("127.0.0.1", wrapped),
                                      source_address=("127.0.0.7", 0)) as plain_socket:
            with context.wrap_socket(plain_socket) as wrapped_socket:
                return wrapped_socket.recv(200)[:3]
    assert [greeting() for _ in range(3)] == [b"220", b"220", b"421"]
    with pytest.raises(OSError):
        greeting()
    assert "warning: Refusing TLS service request from unknown[127.0.0.7] for" in mail.log()


def test_ipv6_prefix(instances, users):
    """All of a network is one client."""
    mail = instances()
    mail.write_main(SETTINGS.replace("127.0.0.1/32", "10.0.0.1/32") +
                    "smtpd_client_connection_count_limit = 1\nsmtpd_client_ipv4_prefix_length = 24\n")
    mail.start()
    first, _ = connect(mail, "127.0.0.9")
    assert first
    client, text = connect(mail, "127.0.0.8")
    assert client is None and text.endswith("too many connections from 127.0.0.8")
    if socket.has_ipv6:
        six, _ = connect(mail, host="::1")
        assert six
        client, text = connect(mail, host="::1")
        assert client is None and text.endswith("too many connections from ::1")


def test_statistics(instances, users):
    mail = make(instances, "anvil_status_update_time = 2s\nsmtpd_client_message_rate_limit = 100\n")
    client, _ = connect(mail)
    client.ehlo()
    client.docmd("MAIL FROM:<a@example.org>")
    client.quit()
    when = r"at [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\n"
    for what in (rf"connection rate 1/60s for \({mail.port}:127.0.0.9\)",
                 rf"connection count 1 for \({mail.port}:127.0.0.9\)",
                 rf"message rate 1/60s for \({mail.port}:127.0.0.9\)", "cache size 1"):
        mail.wait_log(rf"postfix/anvil\[\d+\]: statistics: max {what} {when}")


def test_without_anvil(instances, users):
    """A master.cf without it: mail goes on, with one warning, and each process counts for itself."""
    mail = make(instances, "smtpd_client_connection_count_limit = 2\nprocess_client_limit = 50\n"
                "worker_processes = 1\nsmtpd_client_connection_rate_limit = 1\n"
                "master_service_disable = anvil/unix\n")
    clients = [connect(mail)[0] for _ in range(2)]
    assert all(clients)
    assert connect(mail)[0] is None
    assert mail.log().count("warning: problem talking to service private/anvil: No such file") == 1


def test_reload_keeps_the_count(instances, users):
    mail = make(instances, "smtpd_client_connection_count_limit = 2\nprocess_client_limit = 50\n")
    clients = [connect(mail)[0] for _ in range(2)]
    assert all(clients)
    old = set(mail.workers("anvil"))
    mail.postfix("reload")
    wait_until(lambda: not old & set(mail.workers("anvil")), 10, "the old anvil's end")
    clients[0].noop()
    # The sessions go on in the old smtpd processes, which tell the new anvil about them as
    # soon as they have something to tell.
    clients[0].quit()
    wait_until(lambda: mail.workers("anvil"), 10, "a new anvil")
    clients.append(connect(mail)[0])
    assert clients[-1]
    assert wait_until(lambda: connect(mail)[0] is None, 10, "the limit", 0.3)
