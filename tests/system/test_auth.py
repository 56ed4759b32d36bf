# SPDX-License-Identifier: MIT
"""Logging in: Cyrus SASL in its own worker, sasldb2 and saslauthd, real clients (S62, S63, S75,
S84-S86); what a plug-in that crashes or hangs costs; who owns a sender address (P112)."""
import base64
import grp
import os
import pathlib
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import threading

import pytest
from conftest import TOP, maildir_messages, wait_until

REALM = "mail.example.com"
SETTINGS = """\
mynetworks = 127.0.0.1/32
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {etc}/sasl
smtpd_sasl_local_domain = mail.example.com
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
default_transport = discard
local_transport = discard
local_recipient_maps =
"""


def needs(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return pytest.mark.skipif(not found, reason=f"{program} is not installed")


pytestmark = needs("saslpasswd2")


def plain(user, password, authzid=""):
    return base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def add_user(database, user, password, realm=REALM):
    subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", realm, user],
                   input=password.encode(), check=True, timeout=60)


def write_sasl(instance, text, name="smtpd"):
    (instance.etc / "sasl").mkdir(exist_ok=True)
    path = instance.etc / "sasl" / f"{name}.conf"
    path.write_text(text)
    return path


def sasldb_conf(database, mechanisms=None):
    text = f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\n"
    return text + (f"mech_list: {mechanisms}\n" if mechanisms else "")


@pytest.fixture
def mail(instances, users):
    """An instance whose user joe has the password secret1; not started."""
    instance = instances()
    instance.database = instance.dir / "sasldb2"
    instance.sasl_settings = SETTINGS.format(etc=instance.etc)
    instance.write_main(instance.sasl_settings)
    write_sasl(instance, sasldb_conf(instance.database))
    add_user(instance.database, "joe", "secret1")
    shutil.chown(instance.database, group=instance.owner)
    os.chmod(instance.database, 0o640)
    return instance


def session(mail, **options):
    client = smtplib.SMTP("127.0.0.1", mail.port, local_hostname="client.example.org",
                          source_address=("127.0.0.9", 0), timeout=60, **options)
    client.ehlo()
    return client


def try_login(mail, user="joe", password="secret1"):
    with session(mail) as client:
        return client.docmd("AUTH PLAIN", plain(user, password))


# --- mechanisms


MECHANISMS = "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256".split()


def swaks(mail, mechanism, password):
    return subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(mail.port), "--local-interface", "127.0.0.9",
         "--to", "far@elsewhere.example", "--from", "joe@example.org", "--auth", mechanism,
         "--auth-user", "joe", "--auth-password", password],
        capture_output=True, text=True, timeout=90, check=False)


@needs("swaks")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"])
def test_swaks(mail, mechanism):
    if mechanism == "DIGEST-MD5":
        # The client's realm is the server's choice.
        mail.write_main(mail.sasl_settings + "myhostname = mail.example.com\n")
    mail.start()
    good = swaks(mail, mechanism, "secret1")
    assert "235 2.7.0 Authentication successful" in good.stdout, good.stdout + good.stderr
    assert good.returncode == 0, good.stdout
    mail.wait_log(rf"client=unknown\[127.0.0.9\], sasl_method={mechanism}, "
                  r"sasl_username=joe@mail.example.com\n")
    bad = swaks(mail, mechanism, "wrong")
    assert "535 5.7.8 Error: authentication failed:" in bad.stdout, bad.stdout
    mail.wait_log(rf"warning: unknown\[127.0.0.9\]: SASL {mechanism} authentication failed: .*, "
                  r"sasl_username=")


@needs("gsasl")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gsasl(mail, mechanism):
    mail.start()
    command = ["gsasl", "--smtp", "-m", mechanism, "-a", "joe", "--realm", REALM,
               "--no-starttls", "--quality-of-protection=qop-auth",
               "--connect", f"127.0.0.1:{mail.port}", "-d"]
    if mechanism == "DIGEST-MD5":
        command += ["--service", "smtp", "--hostname", REALM]
    run = subprocess.run(command + ["-p", "secret1"], capture_output=True, text=True, timeout=60,
                         check=False, input="QUIT\n")
    assert "235 2.7.0 Authentication successful" in run.stdout, (run.stdout, run.stderr, mail.log())


def test_smtplib_chooses(mail):
    mail.start()
    with session(mail) as client:
        client.login("joe", "secret1")
        client.sendmail("joe@example.org", ["far@elsewhere.example"], "Subject: x\n\nx\n")
    mail.wait_log(r"sasl_method=CRAM-MD5, sasl_username=joe@mail.example.com")


def test_replies(mail):
    """The dialogue, command by command."""
    mail.start()
    with session(mail) as client:
        assert client.esmtp_features["auth"].split()[0].startswith("SCRAM-SHA")
        assert client.docmd("AUTH") == (501, b"5.5.4 Syntax: AUTH mechanism")
        assert client.docmd("AUTH PLAIN x y") == (501, b"5.5.4 Syntax: AUTH mechanism")
        assert client.docmd("AUTH PLAIN") == (334, b"")
        assert client.docmd("*") == (501, b"5.7.0 Authentication aborted")
        assert client.docmd("AUTH NOSUCH") == (
            535, b"5.7.8 Error: authentication failed: no mechanism available")
        assert client.docmd("AUTH EXTERNAL", "=")[0] == 535
        assert client.docmd("AUTH LOGIN") == (334, b"VXNlcm5hbWU6")
        assert client.docmd(b64("joe")) == (334, b"UGFzc3dvcmQ6")
        assert client.docmd("!") [0] == 535
        assert client.docmd("AUTH LOGIN")[0] == 334
        assert client.docmd("A" * 12289) == (500, b"5.5.6 SASL response limit exceeded")
        assert client.docmd("MAIL FROM:<a@example.org>")[0] == 250
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1")) == (
            503, b"5.5.1 Error: MAIL transaction in progress")
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1")) == (
            235, b"2.7.0 Authentication successful")
        assert client.docmd("AUTH PLAIN", "x") == (503, b"5.5.1 Error: already authenticated")
    mail.wait_log(r"disconnect from unknown\[127.0.0.9\] .*auth=1/\d+ ")
    log = mail.log()
    assert "warning: unknown[127.0.0.9]: SASL PLAIN authentication aborted" in log
    assert "warning: unknown[127.0.0.9]: request longer than 12288: AAAAAAAAAA" in log


def test_mail_of_a_login(mail):
    """Received, the queue file's records, MAIL FROM AUTH=."""
    mail.write_main(mail.sasl_settings + "smtpd_sasl_authenticated_header = yes\n"
                    "broken_sasl_auth_clients = yes\n"
                    "smtpd_recipient_restrictions = check_recipient_access static:HOLD\n")
    mail.start()
    with session(mail) as client:
        assert b"\nAUTH=SCRAM" in client.ehlo_resp and b"\nAUTH SCRAM" in client.ehlo_resp
        client.docmd("AUTH plain", plain("joe", "secret1"))
        client.sendmail("joe@example.org", ["far@elsewhere.example"], "Subject: x\n\nx\n",
                        ["AUTH=e+3Dmc2@example.com"])
    mail.wait_log(r"client=unknown\[127.0.0.9\], sasl_method=plain, "
                  r"sasl_username=joe@mail.example.com, sasl_sender=e\+3Dmc2@example.com\n")
    [message] = mail.queue()
    shown = mail.run("postcat", "-q", message["queue_id"]).stdout.decode()
    assert ("named_attribute: sasl_method=plain\nnamed_attribute: sasl_username="
            "joe@mail.example.com\nnamed_attribute: sasl_sender=e+3Dmc2@example.com\n") in shown
    assert "\n\t(Authenticated sender: joe@mail.example.com)\n\tby mail.example.com" in shown
    assert "with ESMTPA id" in shown


def test_odd_names(mail):
    """What a user is called cannot look like syntax in a header or another log line."""
    add_user(mail.database, "a)b(c\\d", "secret4")
    mail.write_main(mail.sasl_settings + "smtpd_sasl_authenticated_header = yes\n"
                    "smtpd_recipient_restrictions = check_recipient_access static:HOLD\n")
    mail.start()
    with session(mail) as client:
        assert client.docmd("AUTH PLAIN", plain("a)b(c\\d", "secret4"))[0] == 235
        client.sendmail("joe@example.org", ["far@elsewhere.example"], "Subject: x\n\nx\n")
    [message] = mail.queue()
    shown = mail.run("postcat", "-q", message["queue_id"]).stdout.decode()
    assert "\t(Authenticated sender: a\\)b\\(c\\\\d@mail.example.com)\n" in shown
    with session(mail) as client:
        client.docmd("AUTH PLAIN", plain("x\ny", "wrong"))
    assert "sasl_username=x?y@mail.example.com\n" in mail.log()


def test_security_options(mail):
    """What may be offered: by options, by filter, by network, to no client at all."""
    mail.write_main(mail.sasl_settings + "smtpd_sasl_security_options = noplaintext, noanonymous\n"
                    "smtpd_sasl_mechanism_filter = !digest-md5, static:rest\n"
                    "smtpd_sasl_exceptions_networks = 127.0.0.8\n")
    mail.start()
    with session(mail) as client:
        offered = client.esmtp_features["auth"].split()
        assert "CRAM-MD5" in offered and not {"PLAIN", "LOGIN", "DIGEST-MD5"} & set(offered)
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1")) == (
            535, b"5.7.8 Error: authentication failed: encryption needed to use mechanism")
        assert client.docmd("AUTH DIGEST-MD5") == (
            535, b"5.7.8 Error: authentication failed: no mechanism available")
    with smtplib.SMTP("127.0.0.1", mail.port, source_address=("127.0.0.8", 0)) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH PLAIN", "x") == (
            503, b"5.5.1 Error: authentication not enabled")


def test_no_mechanism_left(mail):
    """A filter that leaves nothing: mail goes on, and the log says why nobody can log in."""
    mail.write_main(mail.sasl_settings + "smtpd_sasl_security_options = noplaintext\n")
    write_sasl(mail, sasldb_conf(mail.database, "PLAIN LOGIN"))
    mail.start()
    with session(mail) as client:
        assert "auth" not in client.esmtp_features
        assert client.docmd("MAIL FROM:<a@example.org>")[0] == 250
    assert re.search(r"warning: no SASL authentication mechanisms", mail.log())


@pytest.mark.parametrize("setting, words", [
    ("smtpd_sasl_type = foo", "warning: unsupported SASL server implementation: foo"),
    ("smtpd_sasl_security_options = foo",
     'warning: unknown SASL security options value "foo" in "foo"'),
])
def test_nonsense(mail, setting, words):
    mail.write_main(mail.sasl_settings + setting + "\n")
    mail.start()
    client = smtplib.SMTP(timeout=1)
    with pytest.raises((OSError, smtplib.SMTPException)):
        client.connect("127.0.0.1", mail.port)
    mail.wait_log(re.escape(words))


def test_services_differ(mail):
    """Submission and port 25 have settings of their own; there is one worker for all."""
    from conftest import free_port
    other = free_port()
    add_user(mail.database, "ann", "secret2", "other.example")
    write_sasl(mail, sasldb_conf(mail.database, "CRAM-MD5 PLAIN"), "submission")
    mail.write_main(mail.sasl_settings.replace("smtpd_sasl_auth_enable = yes", ""))
    mail.add_services(f"{other} inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes\n"
                      "  -o smtpd_sasl_local_domain=other.example -o smtpd_sasl_path=submission\n"
                      "  -o syslog_name=postfix/submission\n")
    mail.start()
    with session(mail) as client:
        assert "auth" not in client.esmtp_features
    for _ in range(3):
        with smtplib.SMTP("127.0.0.1", other) as client:
            client.ehlo()
            assert client.esmtp_features["auth"].split() == ["CRAM-MD5", "PLAIN"]
            client.login("ann", "secret2")
            client.sendmail("a@example.org", ["far@elsewhere.example"], "x")
    mail.wait_log(r"postfix/submission/smtpd\[\d+\]: \w+: client=.*sasl_username=ann@other.example")


def test_stock_master_cf_has_the_service():
    stock = (TOP / "conf" / "master.cf").read_text()
    assert re.search(r"^saslauth +unix .* auth$", stock, re.M)
    assert re.search(r"^anvil +unix .* 1 +anvil$", stock, re.M)


# --- under TLS


@pytest.fixture
def tls_mail(mail, tmp_path_factory):
    """The same with STARTTLS."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=mail.example.com", "-keyout", mail.dir / "key.pem", "-out",
                    mail.dir / "cert.pem"], check=True, capture_output=True)
    mail.sasl_settings += ("smtpd_tls_security_level = may\n"
                           f"smtpd_tls_chain_files = {mail.dir}/key.pem, {mail.dir}/cert.pem\n")
    mail.write_main(mail.sasl_settings)
    return mail


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_tls_auth_only(tls_mail):
    mail = tls_mail
    mail.write_main(mail.sasl_settings + "smtpd_tls_auth_only = yes\n"
                    "smtpd_sasl_authenticated_header = yes\n"
                    "smtpd_recipient_restrictions = check_recipient_access static:HOLD\n")
    mail.start()
    with session(mail) as client:
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1")) == (
            503, b"5.5.1 Error: authentication not enabled")
        client.starttls(context=insecure())
        client.ehlo()
        assert "PLAIN" in client.esmtp_features["auth"]
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
        client.sendmail("joe@example.org", ["far@elsewhere.example"], "Subject: x\n\nx\n")
    [message] = mail.queue()
    shown = mail.run("postcat", "-q", message["queue_id"]).stdout.decode()
    assert "with ESMTPSA id" in shown


def test_mechanisms_by_encryption(tls_mail):
    mail = tls_mail
    mail.write_main(mail.sasl_settings + "smtpd_sasl_security_options = noanonymous, noplaintext\n"
                    "smtpd_sasl_tls_security_options = noanonymous\n")
    mail.start()
    with session(mail) as client:
        assert "PLAIN" not in client.esmtp_features["auth"].split()
        client.starttls(context=insecure())
        client.ehlo()
        assert "PLAIN" in client.esmtp_features["auth"].split()
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235


def test_starttls_forgets_the_login(tls_mail):
    """RFC 3207, section 4.2: somebody on the way may have logged in before."""
    mail = tls_mail.start()
    with session(mail) as client:
        log_in(client)
        client.starttls(context=insecure())
        client.ehlo()
        client.docmd("MAIL FROM:<a@example.org>")
        assert client.docmd("RCPT TO:<far@elsewhere.example>")[0] == 554
        log_in(client)


# --- permissions (S85, S86)


def test_unreadable_sasldb_names_its_remedy(mail):
    """The remedy that the log names is the remedy."""
    shutil.chown(mail.database, "root", "root")
    os.chmod(mail.database, 0o600)
    mail.start()
    assert try_login(mail) == (
        454, b"4.7.0 Temporary authentication failure: generic failure")
    log = mail.log()
    assert (f"warning: SASL authentication problem: unable to open Berkeley db {mail.database}: "
            "Permission denied") in log
    assert "SASL PLAIN authentication failed: generic failure, sasl_username=joe@mail" in log
    [remedy] = re.findall(rf"warning: SASL: user postfix may not read {mail.database}; "
                          r"remedy: (.*)", log)
    subprocess.run(["sh", "-ec", remedy], check=True)
    assert try_login(mail)[0] == 235


def test_closed_directory_is_named(mail):
    closed = mail.dir / "closed"
    closed.mkdir()
    shutil.copy(mail.database, closed / "sasldb2")
    os.chmod(closed, 0o700)
    write_sasl(mail, sasldb_conf(closed / "sasldb2"))
    mail.start()
    assert try_login(mail)[0] == 454
    assert f"SASL: user postfix may not enter {closed}, where {closed}/sasldb2 is;" in mail.log()


def test_sasldb_in_the_chroot_is_found(mail):
    """Postfix of Debian runs in a chroot: there the files are below the queue directory."""
    mail.start()  # makes the queue
    named = "/etc/postern-test-sasldb2"
    inside = pathlib.Path(f"{mail.spool}{named}")
    inside.parent.mkdir(exist_ok=True)
    shutil.copy2(mail.database, inside)
    shutil.chown(inside, group=mail.owner)
    write_sasl(mail, sasldb_conf(named))
    mail.postfix("reload")
    assert try_login(mail)[0] == 235


def test_configuration_is_taken_up(mail):
    """smtpd.conf is read again when it has changed, without a reload."""
    write_sasl(mail, sasldb_conf(mail.dir / "nothing"))
    mail.start()
    assert try_login(mail)[0] == 535
    write_sasl(mail, sasldb_conf(mail.database))
    assert wait_until(lambda: try_login(mail)[0] == 235, 20, "the new configuration", 0.5)


@pytest.fixture
def saslauthd(users):
    """saslauthd on a socket of its own, checking users of the system: pstlogin, secret3."""
    program = shutil.which("saslauthd", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("saslauthd is not installed")
    users.add("pstlogin")
    subprocess.run(["chpasswd"], input=b"pstlogin:secret3\n", check=True)
    where = users.home / "saslauthd"
    where.mkdir(exist_ok=True)
    os.chmod(where, 0o755)
    # At its end it sends a signal to its whole process group.
    server = subprocess.Popen([program, "-a", "shadow", "-m", where, "-n", "1", "-d"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True)
    wait_until((where / "mux").exists, 10, "saslauthd")
    yield where / "mux"
    server.kill()
    server.wait(10)


def saslauthd_conf(socket):
    return f"pwcheck_method: saslauthd\nsaslauthd_path: {socket}\nmech_list: PLAIN LOGIN\n"


def test_saslauthd(mail, saslauthd):
    write_sasl(mail, saslauthd_conf(saslauthd))
    mail.start()
    assert try_login(mail, "pstlogin", "secret3")[0] == 235
    assert try_login(mail, "pstlogin", "wrong") == (
        535, b"5.7.8 Error: authentication failed: authentication failure")
    with session(mail) as client:
        client.docmd("AUTH LOGIN", b64("pstlogin"))
        assert client.docmd(b64("secret3"))[0] == 235


def test_saslauthd_needs_the_group(mail, saslauthd, users):
    """S85: the directory is open to a group only; membership counts after a reload."""
    users.add_group("pstsasl")
    owner = users.add("pstowner", system=True)
    subprocess.run(["gpasswd", "-d", owner.pw_name, "pstsasl"], capture_output=True, check=False)
    mail.write_main(mail.sasl_settings + f"mail_owner = {owner.pw_name}\n")
    shutil.rmtree(mail.dir / "data", ignore_errors=True)
    os.chmod(saslauthd.parent, 0o710)
    os.chown(saslauthd.parent, 0, grp.getgrnam("pstsasl").gr_gid)
    write_sasl(mail, saslauthd_conf(saslauthd))
    mail.start()
    assert try_login(mail, "pstlogin", "secret3")[0] == 454
    log = mail.log()
    assert "cannot connect to saslauthd server: Permission denied" in log
    [remedy] = re.findall(rf"SASL: user pstowner may not enter {saslauthd.parent}, where .*; "
                          r"remedy: (.*) && postfix reload", log)
    subprocess.run(["sh", "-ec", remedy], check=True)
    mail.postfix("reload")
    assert wait_until(lambda: try_login(mail, "pstlogin", "secret3")[0] == 235, 20, "the group")
    os.chmod(saslauthd.parent, 0o755)


def test_saslauthd_is_down(mail):
    write_sasl(mail, saslauthd_conf(mail.dir / "nowhere" / "mux"))
    mail.start()
    assert try_login(mail) == (
        454, b"4.7.0 Temporary authentication failure: generic failure")
    assert (f"SASL: saslauthd does not listen at {mail.dir}/nowhere/mux (no such file); remedy: "
            "start it") in mail.log()


# --- plug-ins of others


@pytest.fixture
def bad_plugin(mail, tmp_path_factory):
    """The mechanisms XCRASH and XHANG."""
    where = mail.dir / "plugins"
    where.mkdir()
    build = subprocess.run(["cc", "-shared", "-fPIC", "-o", where / "libpostern.so",
                            TOP / "tests" / "system" / "sasl_plugin.c"],
                           capture_output=True, text=True, check=False)
    if build.returncode != 0:
        pytest.skip("the plug-in cannot be built: " + build.stderr[:200])
    system = subprocess.run(["sh", "-c", "ls -d /usr/lib/*/sasl2 /usr/lib/sasl2 2>/dev/null"],
                            capture_output=True, text=True, check=False).stdout.split()
    mail.sasl_settings += ("import_environment = MAIL_CONFIG TZ ASAN_OPTIONS SASL_PATH=" +
                           ":".join([str(where), *system]) + "\nauth_timeout = 3s\n")
    mail.write_main(mail.sasl_settings)
    return mail


def test_a_crash_costs_one_login(bad_plugin):
    mail = bad_plugin.start()
    for _ in range(3):
        with session(mail) as client:
            assert "XCRASH" in client.esmtp_features["auth"]
            code, text = client.docmd("AUTH XCRASH", "=")
            assert (code, text) == (454, b"4.7.0 Temporary authentication failure: "
                                    b"Connection lost to authentication server")
            assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
    log = mail.log()
    assert re.search(r"process .*/auth pid \d+ (killed by signal|exit status)", log)
    assert "throttling" not in log
    assert re.search(r"warning: unknown\[127.0.0.9\]: SASL: private/saslauth: ", log)


def test_a_hang_costs_one_login(bad_plugin):
    mail = bad_plugin.start()
    with session(mail) as stuck:
        answer = []
        waiting = threading.Thread(target=lambda: answer.append(stuck.docmd("AUTH XHANG", "=")))
        waiting.start()
        assert try_login(mail)[0] == 235  # others are served meanwhile
        waiting.join(60)
        assert answer[0][0] == 454
        assert stuck.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235
    assert "throttling" not in mail.log()


def test_killed_worker(mail):
    """The worker dies between two steps of a login."""
    mail.start()
    with session(mail) as client:
        assert client.docmd("AUTH LOGIN", b64("joe"))[0] == 334
        [worker] = [pid for pid in mail.workers("auth")]
        os.kill(worker, signal.SIGKILL)
        assert client.docmd(b64("secret1"))[0] == 454
        assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235


# --- who owns an address (P112)


OWNERS = ("smtpd_sender_login_maps = inline:{{owned@example.com=joe@mail.example.com}, "
          "{ann@example.com=ann@mail.example.com}, {@all.example=JOE@mail.example.com}}\n"
          "smtpd_delay_reject = yes\n")


def log_in(client):
    client.docmd("RSET")
    assert client.docmd("AUTH PLAIN", plain("joe", "secret1"))[0] == 235


def verdict(client, sender):
    client.docmd("RSET")
    client.docmd(f"MAIL FROM:<{sender}>")
    code, text = client.docmd("RCPT TO:<x@mail.example.com>")
    return "ok" if code == 250 else re.search(rb"rejected: (.*)", text).group(1).decode()


@pytest.mark.parametrize("restriction, nobody, joe", [
    ("reject_sender_login_mismatch", ["not logged in", "not logged in", "ok"],
     ["ok", "not owned", "not owned"]),
    ("reject_authenticated_sender_login_mismatch", ["ok", "ok", "ok"],
     ["ok", "not owned", "not owned"]),
    ("reject_unauthenticated_sender_login_mismatch", ["not logged in", "not logged in", "ok"],
     ["ok", "ok", "ok"]),
    ("reject_known_sender_login_mismatch", ["not logged in", "not logged in", "ok"],
     ["ok", "not owned", "ok"]),
])
def test_sender_login_mismatch(mail, restriction, nobody, joe):
    mail.write_main(mail.sasl_settings + OWNERS + f"smtpd_sender_restrictions = {restriction}\n")
    mail.start()
    with session(mail) as client:
        senders = ["owned@example.com", "ann@example.com", "free@example.com"]
        assert [verdict(client, s) for s in senders] == nobody
        assert verdict(client, "") == "ok"
        log_in(client)
        full = {"ok": "ok", "not owned": "not owned by user joe@mail.example.com"}
        assert [verdict(client, s) for s in senders] == [full[v] for v in joe]
        assert verdict(client, "x@all.example") == "ok"
        assert verdict(client, "") == "ok"


def test_check_sasl_access(mail):
    mail.write_main(mail.sasl_settings + "smtpd_recipient_restrictions = check_sasl_access "
                    "inline:{{joe@mail.example.com=REJECT overdrawn}}\n")
    mail.start()
    with session(mail) as client:
        assert verdict(client, "a@example.org") == "ok"
        log_in(client)
        assert verdict(client, "a@example.org") == "overdrawn"
    assert "554 5.7.1 <joe@mail.example.com>: SASL login name rejected: overdrawn" in mail.log()


def test_rootless(instances, plain_user):
    """An ordinary user's instance checks passwords as that user."""
    mail = instances(user=plain_user)
    (mail.etc / "sasl").mkdir()
    database = mail.dir / "sasldb2"
    mail.write_main(SETTINGS.format(etc=mail.etc))
    write_sasl(mail, sasldb_conf(database))
    add_user(database, "joe", "secret1")
    for path in [mail.etc / "sasl", mail.etc / "sasl" / "smtpd.conf", database]:
        os.chown(path, plain_user.pw_uid, plain_user.pw_gid)
    mail.start()
    assert try_login(mail)[0] == 235
