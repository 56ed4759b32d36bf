# SPDX-License-Identifier: MIT
"""The life cycle: start, stop, reload, death of processes, limits, foreground, log rotation."""
import contextlib
import gzip
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

import pytest
from conftest import IS_ROOT, free_port, processes_below, wait_until

SETTINGS = "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n"


@pytest.fixture
def mail(instances, request):
    """A running instance: root's, or an ordinary user's when there is no root."""
    if IS_ROOT:
        request.getfixturevalue("users")
    instance = instances()
    instance.write_main(SETTINGS)
    return instance.start()


@pytest.fixture
def stopped(instances, request):
    if IS_ROOT:
        request.getfixturevalue("users")
    instance = instances()
    instance.write_main(SETTINGS)
    return instance


def connect(mail, port=None):
    """(socket, first line) of an SMTP session."""
    client = socket.create_connection(("127.0.0.1", port or mail.port), timeout=10)
    return client, client.recv(1000).decode()


def banner(mail, port=None):
    client, line = connect(mail, port)
    client.close()
    return line


def command_lines(mail):
    lines = []
    for pid in processes_below(mail.spool):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            lines.append(text.decode().rstrip("\0").replace("\0", " "))
    return lines


def replace(mail, old, new):
    path = mail.etc / "master.cf"
    path.write_text(path.read_text().replace(old, new))


# --- start and stop


def test_command_lines(mail):
    """S08: what runs at idle, and how it looks in ps(1)."""
    wait_until(lambda: len(mail.workers()) == 2, 10, "pickup and qmgr")
    assert sorted(mail.workers().values()) == ["pickup", "qmgr"]
    banner(mail)
    lines = command_lines(mail)
    assert "pickup -l -t unix -u" in lines
    assert "qmgr -l -t unix -u" in lines
    assert f"smtpd -n {mail.port} -t inet -u -o stress=" in lines


def test_states(mail):
    assert mail.postfix("status").returncode == 0
    assert mail.postfix("start", check=False).returncode == 1
    assert mail.postfix("stop").returncode == 0
    assert not processes_below(mail.spool)
    for action in ("status", "stop", "reload", "abort", "drain"):
        assert mail.postfix(action, check=False).returncode == 1
    log = mail.log()
    assert "postfix-script[" in log
    assert "fatal: the Postfix mail system is already running" in log
    assert log.count("fatal: the Postfix mail system is not running") == 4
    assert re.search(r"the Postfix mail system is running: PID: \d+\n", log)


def test_abort(mail):
    client, _ = connect(mail)
    assert mail.postfix("abort").returncode == 0
    assert not processes_below(mail.spool)
    assert client.recv(100) == b""


def test_drain_serves_present_clients(mail):
    client, _ = connect(mail)
    assert mail.postfix("drain").returncode == 0
    with pytest.raises(OSError):
        connect(mail)
    client.sendall(b"NOOP\r\n")
    assert client.recv(100).startswith(b"250 ")
    client.sendall(b"QUIT\r\n")
    wait_until(lambda: not processes_below(mail.spool), 10, "all processes end")


def test_port_in_use(stopped):
    """S83: the start fails, says why, and leaves nothing behind."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", stopped.port))
        other.listen()
        assert stopped.postfix("start", check=False).returncode == 1
    assert f"fatal: bind 127.0.0.1 port {stopped.port}: Address already in use" in stopped.log()
    assert "fatal: mail system startup failed" in stopped.log()
    assert not processes_below(stopped.spool)


def test_addresses(stopped):
    stopped.write_main("inet_interfaces = localhost\ninet_protocols = all\n")
    other = free_port()
    stopped.add_services(f"127.0.0.2:{other} inet n - n - - smtpd\n")
    stopped.start()
    assert banner(stopped).startswith("220 ")
    with socket.create_connection(("127.0.0.2", other), timeout=10) as client:
        assert client.recv(100).startswith(b"220 ")
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        with socket.create_connection(("::1", stopped.port), timeout=10) as client:
            assert client.recv(100).startswith(b"220 ")


@pytest.mark.skipif(not IS_ROOT, reason="owners need root")
def test_check_makes_directories(stopped):
    stopped.postfix("check")
    modes = {"maildrop": 0o1730, "public": 0o2710, "private": 0o700, "incoming": 0o700,
             "deferred": 0o700, "pid": 0o755}
    for name, mode in modes.items():
        found = os.stat(stopped.spool / name)
        assert stat.S_IMODE(found.st_mode) == mode, name
        assert (found.st_uid == 0) == (name == "pid"), name
    before = stopped.log()
    os.chmod(stopped.etc / "main.cf", 0o666)
    os.chown(stopped.spool / "public", 65534, -1)
    stopped.postfix("check")
    new = stopped.log()[len(before):]
    assert f"warning: group or other writable: {stopped.etc}/./main.cf" in new
    assert f"warning: not owned by {stopped.owner}: {stopped.spool}/public" in new


@pytest.mark.skipif(not IS_ROOT, reason="needs another user")
def test_reserved_for_the_owner(mail, plain_user):
    result = subprocess.run([mail.suite / "sbin" / "postfix", "-c", mail.etc, "stop"],
                            capture_output=True, user=plain_user.pw_uid, check=False, cwd="/")
    assert result.returncode == 1
    assert b"the postfix command is reserved for the superuser" in result.stderr
    assert mail.postfix("status").returncode == 0


# --- death


def test_death_of_master(mail):
    """P002: workers leave, a stale pid file is no lock, the ports are free."""
    client, _ = connect(mail)
    old = mail.master_pid()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: not processes_below(mail.spool), 10, "all workers leave")
    assert client.recv(100) == b""
    assert mail.master_pid() == old
    assert mail.postfix("status", check=False).returncode == 1
    mail.start()
    assert banner(mail).startswith("220 ")


def test_death_of_a_worker(mail):
    banner(mail)
    pid = next(iter(mail.workers("smtpd")))
    os.kill(pid, signal.SIGKILL)
    mail.wait_log(rf"master\[\d+\]: warning: process \S+/smtpd pid {pid} killed by signal 9")
    assert banner(mail).startswith("220 ")
    assert "throttling" not in mail.log()


def test_death_of_qmgr_is_noticed_at_once(mail):
    wait_until(lambda: mail.workers("qmgr"), 10, "qmgr")
    old = next(iter(mail.workers("qmgr")))
    # It has to have done something, else this is a bad start.
    mail.postfix("flush")
    time.sleep(0.5)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: mail.workers("qmgr") and old not in mail.workers("qmgr"), 10, "a new qmgr")


def test_throttling(stopped):
    port = free_port()
    stopped.write_main(SETTINGS + "service_throttle_time = 3s\n")
    stopped.add_services(f"127.0.0.1:{port} inet n - n - - smtpd -o message_size_limit=10M\n")
    stopped.start()
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    stopped.wait_log(r"warning: process \S+/smtpd pid \d+ exit status 1\n")
    stopped.wait_log(r"warning: \S+/smtpd: bad command startup -- throttling\n")
    time.sleep(1)
    assert stopped.log().count("throttling") == 1
    assert banner(stopped).startswith("220 "), "other services go on"
    wait_until(lambda: stopped.log().count("throttling") == 2, 10, "the next try")
    client.close()


def test_missing_program(stopped):
    port = free_port()
    stopped.add_services(f"127.0.0.1:{port} inet n - n - - nosuchprogram\n")
    stopped.start()
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        stopped.wait_log(r"cannot start \S+/nosuchprogram: No such file or directory")
    assert banner(stopped).startswith("220 ")


# --- reload


def test_reload(mail):
    old = mail.master_pid()
    client, line = connect(mail)
    assert "mail.example.com" in line
    port = free_port()
    mail.write_main(SETTINGS + "myhostname = new.example.com\n")
    mail.add_services(f"127.0.0.1:{port} inet n - n - - smtpd -o myhostname=other.example.com\n")
    assert mail.postfix("reload").returncode == 0
    mail.wait_log(r"master\[\d+\]: reload -- version \S+, configuration ")
    wait_until(lambda: "new.example.com" in banner(mail), 10, "the new name")
    assert "other.example.com" in banner(mail, port)
    client.sendall(b"NOOP\r\n")
    assert client.recv(100).startswith(b"250 "), "present clients are served to the end"
    client.sendall(b"QUIT\r\n")
    assert mail.master_pid() == old
    wait_until(lambda: mail.workers("qmgr"), 10, "qmgr comes back")
    replace(mail, f"127.0.0.1:{port}", f"#127.0.0.1:{port}")
    mail.postfix("reload")
    time.sleep(0.5)
    with pytest.raises(OSError):
        connect(mail, port)


MISTAKES = [
    ("main.cf", "garbage\n", r"postfix: fatal: \S+/main\.cf, line \d+: missing '='"),
    ("main.cf", "message_size_limit = 10M\n", r"postfix: fatal: .*message_size_limit"),
    ("main.cf", "a = $b\nb = $a\nmydestination = $a\n", r"postfix: fatal: "),
    ("master.cf", "bad line\n", r"postconf: fatal: file \S+/master\.cf: line \d+: bad field count"),
]


@pytest.mark.parametrize("file, text, message", MISTAKES)
def test_reload_with_mistakes(mail, file, text, message):
    """X13: says what is wrong, exits 1; what runs goes on, also when workers are replaced."""
    path = mail.etc / file
    good = path.read_text()
    path.write_text(good + text)
    result = mail.postfix("reload", check=False)
    assert result.returncode == 1
    assert re.search(message, result.stderr.decode()), result.stderr
    os.kill(mail.master_pid(), signal.SIGHUP)
    mail.wait_log("service goes on with the previous one")
    banner(mail)
    for pid in mail.workers("smtpd"):
        os.kill(pid, signal.SIGKILL)
    assert banner(mail).startswith("220 mail.example.com ")
    assert mail.postfix("status").returncode == 0
    assert mail.postfix("stop").returncode == 0
    assert mail.postfix("start", check=False).returncode == 1
    path.write_text(good)
    mail.start()


def test_reload_cannot_listen(mail):
    """What cannot be opened is said, and nothing changes."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        mail.add_services(f"127.0.0.1:{port} inet n - n - - smtpd\n")
        mail.write_main(SETTINGS + "myhostname = new.example.com\n")
        mail.postfix("reload")
        mail.wait_log(f"error: bind 127.0.0.1 port {port}: Address already in use")
        assert "mail.example.com" in banner(mail)
    mail.postfix("reload")
    wait_until(lambda: "new.example.com" in banner(mail), 10, "the new name")


# --- limits


def test_client_limit(stopped):
    """maxproc is the number of clients at once."""
    replace(stopped, f"{stopped.port}     inet  n - n - - smtpd",
            f"{stopped.port}     inet  n - n - 3 smtpd")
    stopped.start()
    clients = [connect(stopped)[0] for _ in range(3)]
    late = socket.create_connection(("127.0.0.1", stopped.port), timeout=20)
    late.settimeout(1)
    with pytest.raises(TimeoutError):
        late.recv(100)
    stopped.wait_log(rf'warning: service "{stopped.port}" \(.*\) has reached its process limit "3"')
    clients[0].close()
    late.settimeout(20)
    assert late.recv(100).startswith(b"220 ")
    for client in [*clients, late]:
        client.close()


def test_log_numbers_are_unique(mail):
    clients = [connect(mail)[0] for _ in range(10)]
    mail.wait_log(r"(?s)(connect from.*){10}")
    numbers = re.findall(r"smtpd\[(\d+)\]: connect from", mail.log())
    assert len(set(numbers)) == 10
    for client in clients:
        client.close()
    wait_until(lambda: len(re.findall(r"smtpd\[(\d+)\]: disconnect from", mail.log())) == 10, 10,
               "all lines")
    assert sorted(re.findall(r"smtpd\[(\d+)\]: disconnect from", mail.log())) == sorted(numbers)


def test_idle_workers_leave(stopped):
    stopped.write_main(SETTINGS + "max_idle = 1s\n")
    stopped.start()
    banner(stopped)
    assert stopped.workers("smtpd")
    wait_until(lambda: not stopped.workers("smtpd"), 10, "smtpd leaves")
    assert stopped.workers("qmgr")
    assert banner(stopped).startswith("220 ")


def test_exit_time(stopped):
    stopped.postfix("check")
    start = time.monotonic()
    subprocess.run([stopped.suite / "libexec/postfix/master", "-c", stopped.etc, "-d", "-e", "2"],
                   check=True, timeout=20, cwd="/")
    assert 1.5 < time.monotonic() - start < 10
    assert not processes_below(stopped.spool)


# --- foreground and log


def start_foreground(mail, output):
    return subprocess.Popen([mail.suite / "sbin/postfix", "-c", mail.etc, "start-fg"],
                            stdout=output, stderr=subprocess.STDOUT, cwd="/")


def test_foreground_logs_to_stdout(stopped):
    stopped.write_main(SETTINGS + "maillog_file = /dev/stdout\n"
                                  "maillog_file_prefixes = /dev/stdout\n")
    with open(stopped.log_file, "w", encoding="utf-8") as output:
        process = start_foreground(stopped, output)
        stopped.wait_log("daemon started -- version")
        assert "postfix-script[" in stopped.log()
        banner(stopped)
        stopped.wait_log(r"smtpd\[\d+\]: connect from")
        # Commands reach the same log through postlogd.
        stopped.run("postlog", "-t", "mytag", "hello", "there")
        stopped.wait_log(r" mytag\[\d+\]: hello there\n")
        assert stopped.postfix("status").returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not processes_below(stopped.spool)


def test_background_needs_a_log_file(stopped):
    stopped.write_main(SETTINGS + "maillog_file = /dev/stdout\n"
                                  "maillog_file_prefixes = /dev/stdout\n")
    result = stopped.postfix("start", check=False)
    assert result.returncode == 1
    assert b"start-fg" in result.stderr


def test_init_reaps_orphans(stopped):
    """As process 1 (here: as the nearest ancestor that adopts) master collects everybody."""
    stopped.postfix("check")
    # The program leaves a child behind, whose parent becomes master.
    script = stopped.dir / "libexec"
    script.mkdir()
    for program in (stopped.suite / "libexec/postfix").iterdir():
        (script / program.name).symlink_to(program)
    orphan = script / "orphan"
    orphan.write_text("#!/bin/sh\n(sleep 0.3; exit 3) &\nexit 0\n")
    orphan.chmod(0o755)
    port = free_port()
    stopped.write_main(SETTINGS + f"daemon_directory = {script}\n")
    stopped.add_services(f"127.0.0.1:{port} inet n - n - - orphan\n")
    process = subprocess.Popen([script / "master", "-c", stopped.etc, "-i"], cwd="/")
    stopped.wait_log("daemon started")
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        time.sleep(1)
    def children():
        return [pathlib.Path(p) for p in pathlib.Path("/proc").glob("[0-9]*/stat")
                if zombie_of(p, process.pid)]
    wait_until(lambda: not children(), 10, "no zombies")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def zombie_of(path, parent):
    with contextlib.suppress(OSError):
        fields = path.read_text().rsplit(")", 1)[1].split()
        return fields[0] == "Z" and int(fields[1]) == parent
    return False


def test_logrotate(mail):
    client, _ = connect(mail)
    mail.wait_log("connect from")
    assert mail.postfix("logrotate").returncode == 0
    rotated = list(mail.dir.glob("mail.log.*.gz"))
    assert len(rotated) == 1
    assert "connect from" in gzip.decompress(rotated[0].read_bytes()).decode()
    client.sendall(b"QUIT\r\n")
    mail.wait_log("disconnect from")
    # The same name again: refused, and nothing is overwritten or lost.
    mail.write_main(SETTINGS + "maillog_file_rotate_suffix = same\n")
    assert mail.postfix("logrotate").returncode == 0
    assert mail.postfix("logrotate", check=False).returncode == 1
    assert "mail.log.same.gz exists already" in mail.log()


def test_log_outside_the_prefixes(stopped):
    stopped.write_main(SETTINGS + "maillog_file = /tmp/not-allowed\n"
                                  "maillog_file_prefixes = /var\n")
    assert stopped.postfix("start", check=False).returncode == 1
    assert not os.path.exists("/tmp/not-allowed")
    assert not processes_below(stopped.spool)


@pytest.mark.skipif(not IS_ROOT, reason="root makes the other user")
def test_without_root(instances, plain_user):
    mail = instances(user=plain_user)
    mail.write_main(SETTINGS)
    mail.start()
    mail.wait_log(r"master\[\d+\]: running without root's rights, as pstplain")
    assert banner(mail).startswith("220 ")
    for pid in processes_below(mail.spool):
        assert os.stat(f"/proc/{pid}").st_uid in (plain_user.pw_uid, 0)
    assert mail.run("postlog", "hello").returncode == 0
    mail.wait_log(r"postfix/postlog\[\d+\]: hello")
    mail.postfix("reload")
    assert banner(mail).startswith("220 ")
    os.kill(mail.master_pid(), signal.SIGKILL)
    wait_until(lambda: not processes_below(mail.spool), 10, "all workers leave")
    mail.start()
    assert mail.postfix("stop").returncode == 0


def test_postkick(mail):
    wait_until(lambda: mail.workers("qmgr"), 10, "qmgr")
    assert mail.run("postkick", "public", "qmgr", "IDA").returncode == 0
    missing = mail.run("postkick", "public", "nosuch", "W", check=False)
    assert missing.returncode == 1
    assert b"perhaps the mail system is down" in missing.stderr
    assert mail.run("postkick", "public", "qmgr", "xyz", check=False).returncode == 1


