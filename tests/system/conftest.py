# SPDX-License-Identifier: MIT
"""Private mail systems for the tests: own configuration, queue, data, log, ports and users.

Nothing of an installed mail system is used or touched.  POSTERN_ROOT names the installed suite
(scripts/test sets it); without it build/debug/root is used.
"""
import contextlib
import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = {suite}/sbin
daemon_directory = {suite}/libexec/postfix
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
mail_owner = {owner}
setgid_group = {setgid}
myhostname = mail.example.com
mynetworks = 127.0.0.0/8, [::1]/128
inet_interfaces = loopback-only
inet_protocols = all
alias_maps =
alias_database =
home_mailbox = Maildir/
smtp_dns_support_level = disabled
smtpd_error_sleep_time = 0s
biff = no
"""

MASTER_CF = """\
{port}     inet  n - n - - smtpd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
proxymap   unix  - - n - - proxymap
anvil      unix  - - n - 1 anvil
flush      unix  n - n 1000? 0 flush
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
local      unix  - n n - - local
postlog    unix-dgram n - n - 1 postlogd
"""


def wait_until(condition, seconds=20, what="condition", pause=0.05):
    """Poll until condition() is true and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"timed out after {seconds} s: {what}")


def free_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def processes_below(directory):
    """Processes whose command line or working directory lies in directory."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            cwd = os.readlink(entry / "cwd")
            command = (entry / "cmdline").read_bytes().split(b"\0")[0].decode()
            if cwd.startswith(str(directory)) and int(entry.name) != os.getpid():
                found[int(entry.name)] = command
    return found


class Instance:
    """One mail system below a directory of its own."""

    def __init__(self, suite, directory, user=None, owner="postfix", setgid="postdrop"):
        self.suite, self.dir, self.user = suite, directory, user
        self.etc = directory / "etc"
        self.spool = directory / "spool"
        self.log_file = directory / "mail.log"
        self.port = free_port()
        self.owner, self.setgid = owner, setgid
        self.etc.mkdir(parents=True)
        os.chmod(directory, 0o755)
        self.settings = MAIN_CF.format(dir=directory, suite=suite, owner=owner, setgid=setgid)
        self.write_main("")
        (self.etc / "master.cf").write_text(MASTER_CF.format(port=self.port))
        if user is not None:
            for path in [directory, *directory.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid)

    # --- configuration

    def write_main(self, text):
        """Replace settings of the base configuration and add others."""
        names = set(re.findall(r"^(\w+)\s*=", text, re.M))
        base = [l for l in self.settings.splitlines() if l.split(" =")[0] not in names]
        (self.etc / "main.cf").write_text("\n".join(base) + "\n" + text)

    def add_file(self, name, text):
        path = self.etc / name
        path.write_text(text)
        return path

    def add_services(self, text):
        with open(self.etc / "master.cf", "a", encoding="utf-8") as f:
            f.write(text)

    # --- commands

    def run(self, command, *args, input=None, check=True, timeout=60, env=None):
        full = [str(self.suite / "sbin" / command), *map(str, args)]
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C",
                       "MAIL_CONFIG": str(self.etc),
                       **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
                       **(env or {})}
        who = {}
        if self.user is not None:
            who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
            environment |= {"HOME": self.user.pw_dir, "USER": self.user.pw_name}
        result = subprocess.run(full, input=input, capture_output=True, timeout=timeout,
                                env=environment, check=False, cwd="/", **who)
        if check:
            assert result.returncode == 0, (full, result.stdout, result.stderr, self.log()[-4000:])
        return result

    def postfix(self, action, check=True, **options):
        return self.run("postfix", "-c", self.etc, action, check=check, **options)

    def start(self):
        self.postfix("start")
        return self

    def stop(self):
        return self.postfix("stop", check=False)

    def master_pid(self):
        return int((self.spool / "pid" / "master.pid").read_text())

    def workers(self, program=None):
        """{pid: program} of the workers that run now."""
        found = {pid: pathlib.Path(c).name for pid, c in processes_below(self.spool).items()}
        return {p: n for p, n in found.items() if n != "master" and program in (None, n)}

    def kill_everything(self):
        for pid in processes_below(self.dir):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    # --- mail

    def smtp(self, host="127.0.0.1", timeout=30):
        return smtplib.SMTP(host, self.port, local_hostname="client.example.org", timeout=timeout)

    def send(self, to, sender="sender@example.org", subject="test", body="text", **options):
        to = [to] if isinstance(to, str) else to
        with self.smtp(**options) as client:
            return client.sendmail(sender, to, f"Subject: {subject}\r\n\r\n{body}\r\n")

    def queue(self):
        out = self.run("postqueue", "-j").stdout.decode()
        return [json.loads(line) for line in out.splitlines()]

    def wait_queue_empty(self, seconds=30):
        wait_until(lambda: not self.queue(), seconds, "the queue is empty", 0.1)

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except OSError:
            return ""

    def wait_log(self, pattern, seconds=15):
        return wait_until(lambda: re.search(pattern, self.log()), seconds,
                          f"log line {pattern}:\n{self.log()[-3000:]}")


def maildir_messages(path):
    new = pathlib.Path(path) / "new"
    return [f.read_bytes() for f in sorted(new.iterdir())] if new.is_dir() else []


# --- fixtures


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """The installed suite, at a place that every user can reach."""
    root = pathlib.Path(os.environ.get("POSTERN_ROOT", TOP / "build" / "debug" / "root"))
    assert (root / "sbin" / "postfix").exists(), f"no suite in {root}: run scripts/test"
    reachable = all(os.stat(p).st_mode & 0o001 for p in [root, *root.parents])
    if reachable:
        yield root
        return
    copy = pathlib.Path(tempfile.mkdtemp(prefix="postern-suite-"))
    os.chmod(copy, 0o755)
    shutil.copytree(root, copy / "root", symlinks=True)
    yield copy / "root"
    shutil.rmtree(copy)


class Users:
    """System users for the time of the tests (root only)."""

    def __init__(self):
        self.made, self.made_groups = [], []
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-home-"))
        os.chmod(self.home, 0o755)

    def add_group(self, name):
        try:
            grp.getgrnam(name)
        except KeyError:
            subprocess.run(["groupadd", "-r", name], check=True)
            self.made_groups.append(name)

    def add(self, name, system=False):
        home = self.home / name
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            if system or home.is_dir():
                return user
            # Left by a run that was killed: it gets its new home and goes at the end.
            subprocess.run(["userdel", name], check=True, capture_output=True)
        shell = "/usr/sbin/nologin" if system else "/bin/sh"
        subprocess.run(["useradd", "-r", "-U", "-M", "-d", str(home), "-s", shell, name],
                       check=True, capture_output=True)
        self.made.append(name)
        user = pwd.getpwnam(name)
        if not system:
            home.mkdir()
            os.chown(home, user.pw_uid, user.pw_gid)
        return user

    def remove(self):
        for name in self.made:
            subprocess.run(["userdel", name], capture_output=True, check=False)
        for name in self.made_groups:
            subprocess.run(["groupdel", name], capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="session")
def users():
    if not IS_ROOT:
        pytest.skip("needs root to make system users")
    made = Users()
    made.add_group("postdrop")
    made.add("postfix", system=True)
    yield made
    made.remove()


@pytest.fixture
def instances(suite):
    """Factory of instances; all are stopped and removed at the end."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-"))
    os.chmod(base, 0o755)
    made = []

    def make(**options):
        instance = Instance(suite, base / str(len(made)), **options)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.stop()
        instance.kill_everything()
        problems = re.findall(r".*(?:panic:|AddressSanitizer|runtime error:|LeakSanitizer).*",
                              instance.log())
        assert not problems, problems
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def plain_user(users):
    """An ordinary user with a home directory."""
    user = users.add("pstplain")
    shutil.rmtree(pathlib.Path(user.pw_dir) / "Maildir", ignore_errors=True)
    return user


def catch_all_settings(user):
    """As scripts/quickstart has it: every name but the user's own is an alias for the user."""
    return (f"local_recipient_maps =\ntransport_maps = static:local\nluser_relay = {user}\n"
            f"alias_maps = pcre:{{{{/^(?!{user}$$)/ {user}}}}}\n")


@pytest.fixture
def catch_all(instances, users):
    """A running catch-all as root starts it: mail of every address lands with user pstann."""
    user = users.add("pstann")
    shutil.rmtree(pathlib.Path(user.pw_dir) / "Maildir", ignore_errors=True)
    instance = instances()
    instance.write_main(catch_all_settings(user.pw_name))
    instance.maildir = pathlib.Path(user.pw_dir) / "Maildir"
    return instance.start()


@pytest.fixture
def rootless(instances, plain_user):
    """A running catch-all of an ordinary user, without any help of root."""
    instance = instances(user=plain_user)
    instance.write_main(catch_all_settings(plain_user.pw_name))
    instance.maildir = pathlib.Path(plain_user.pw_dir) / "Maildir"
    return instance.start()
