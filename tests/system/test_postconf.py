# SPDX-License-Identifier: MIT
"""postconf, compared with what Postfix 3.7 says, and what is beyond Postfix.

Each file in postconf/ is a case: a main.cf, a master.cf, and steps with the output that Postfix
gave.  `test_postconf.py DIRECTORY-OF-POSTCONF` (or with files after it) records the output anew
from another suite, which should be Postfix.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CASES = sorted((HERE / "postconf").glob("*.case"))


class Case:
    """The sections of a case file: "--- NAME" and the lines after it."""

    def __init__(self, path):
        parts = re.split(r"(?m)^--- (.*)\n", path.read_text(encoding="utf-8"))
        self.path, self.head = path, parts[0]
        self.sections = dict(zip(parts[1::2], parts[2::2]))
        self.commands = re.findall(r"(?m)^\$ (.*)$", self.sections["steps"])

    def run(self, bindir, env):
        with tempfile.TemporaryDirectory(prefix="postconf.") as directory:
            for name in ("main.cf", "master.cf"):
                if name in self.sections:
                    path = pathlib.Path(directory, name)
                    path.write_text(self.sections[name], encoding="utf-8")
                    os.utime(path, (1e9, 1e9))  # Postfix reads a file twice that is just written
            return "".join(self.step(command, directory, bindir, env)
                           for command in self.commands)

    def step(self, command, directory, bindir, env):
        run = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, check=False,
                             env={**env, "PATH": f"{bindir}:/usr/bin:/bin", "LC_ALL": "C",
                                  "MAIL_CONFIG": directory}, timeout=60)
        for name in ("main.cf", "master.cf"):
            if pathlib.Path(directory, name).exists():
                os.utime(pathlib.Path(directory, name), (1e9, 1e9))
        # Warnings have no order in Postfix, and repeat.
        lines = run.stderr.decode(errors="replace").splitlines()
        lines = sorted({l for l in lines if "warning:" in l}) + [l for l in lines if "warning:" not in l]
        text = f"$ {command}\n"
        text += "".join(f"out| {l}\n" for l in run.stdout.decode(errors="replace").splitlines())
        text += "".join(f"err| {l}\n" for l in lines)
        text += f"rc={run.returncode}\n" if run.returncode else ""
        return re.sub(rf"\S*{re.escape(str(bindir))}/|/\S*/sbin/(?=postconf:)", "", text).replace(directory, "@DIR@")


@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_as_postfix(suite, path):
    case = Case(path)
    env = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    assert case.run(suite / "sbin", env) == case.sections["steps"]


def record(bindir, paths):
    for path in paths:
        case = Case(path)
        steps = case.run(bindir, dict(os.environ))
        text = path.read_text(encoding="utf-8")
        path.write_text(text[:text.index("--- steps\n")] + "--- steps\n" + steps, encoding="utf-8")


# --- beyond Postfix


def postconf(suite, directory, *args, check=True):
    env = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    return subprocess.run([str(suite / "sbin/postconf"), "-c", str(directory), *args], check=check,
                          capture_output=True, text=True, timeout=60,
                          env={**env, "PATH": "/usr/bin:/bin", "LC_ALL": "C"})


@pytest.fixture(name="etc")
def make_etc(tmp_path):
    (tmp_path / "main.cf").write_text("# the first line\nmyhostname = host.example.com\n"
                                      "mydestination = a,\n  # inside\n  b\n")
    (tmp_path / "master.cf").write_text("# services\nsmtp inet n - n - - smtpd\n"
                                        "  -o { smtpd_banner = a \"b\" }\n"
                                        "pickup unix n - n 60 1 pickup\n")
    return tmp_path


def test_json(suite, etc):
    """Every line is an object of one name; the text is the one in the file."""
    def objects(*args):
        lines = postconf(suite, etc, *args).stdout.splitlines()
        pairs = [list(json.loads(line).items()) for line in lines]
        assert pairs and all(len(p) == 1 for p in pairs)
        return dict(p[0] for p in pairs)

    assert objects("-j", "mydestination", "mail_name") == {"mydestination": "a,  b", "mail_name": "Postfix"}
    assert objects("-jn")["myhostname"] == "host.example.com"
    assert objects("-jM")["pickup/unix"] == "pickup unix n - n 60 1 pickup"
    assert objects("-jM", "smtp")["smtp/inet"] == \
        'smtp inet n - n - - smtpd -o {smtpd_banner=a "b"}'
    assert objects("-jF", "*/*/chroot") == {"smtp/inet/chroot": "n", "pickup/unix/chroot": "n"}
    assert objects("-jP") == {"smtp/inet/smtpd_banner": 'a "b"'}
    assert len(objects("-jd")) > 850


def test_edits_at_the_same_time(suite, etc):
    """Many editors at once: all edits are there, comments too, and no reader sees half a file."""
    editors = [subprocess.Popen([str(suite / "sbin/postconf"), "-c", str(etc), "-e",
                                 f"my_{i} = {i}", f"mydestination = d{i}"]) for i in range(8)]
    editors += [subprocess.Popen([str(suite / "sbin/postconf"), "-c", str(etc), "-Me",
                                  f"s{i}/unix = s{i} unix - - n - - smtp -o my_{i}=x"])
                for i in range(8)]
    while any(e.poll() is None for e in editors):
        text = (etc / "main.cf").read_text()
        assert text.startswith("# the first line\nmyhostname = host.example.com\nmydestination = ")
        assert text.endswith("\n")
    assert [e.returncode for e in editors] == [0] * 16
    text = (etc / "main.cf").read_text()
    assert all(f"\nmy_{i} = {i}\n" in text for i in range(8))
    assert text.count("mydestination") == 1 and "  # inside\n" in text
    services = postconf(suite, etc, "-M").stdout
    assert all(re.search(rf"(?m)^s{i} +unix .* smtp -o my_{i}=x$", services) for i in range(8))
    assert (etc / "master.cf").read_text().startswith("# services\n")
    assert sorted(p.name for p in etc.iterdir()) == ["main.cf", "master.cf"]


def test_edits_are_idempotent(suite, etc):
    for args in (["-e", "myhostname = x", "new = 1"], ["-#", "new"], ["-X", "mydestination"],
                 ["-F", "*/*/chroot=y"], ["-P", "smtp/inet/a=b"], ["-MX", "pickup/unix"]):
        postconf(suite, etc, *args)
        before = [(etc / n).read_bytes() for n in ("main.cf", "master.cf")]
        postconf(suite, etc, *args)
        assert [(etc / n).read_bytes() for n in ("main.cf", "master.cf")] == before


def test_edit_keeps_owner_mode_and_link(suite, etc):
    (etc / "real.cf").write_text("a = 1\n")
    os.chmod(etc / "real.cf", 0o640)
    (etc / "main.cf").unlink()
    (etc / "main.cf").symlink_to("real.cf")
    postconf(suite, etc, "-e", "b = 2")
    assert (etc / "main.cf").is_symlink()
    assert (etc / "real.cf").read_text() == "a = 1\nb = 2\n"
    assert (etc / "real.cf").stat().st_mode & 0o777 == 0o640


def test_broken_service_can_be_repaired(suite, etc):
    """A line with a mistake stops nobody from removing it, or from changing others."""
    with open(etc / "master.cf", "a", encoding="utf-8") as f:
        f.write("bad unix - -\n")
    assert "bad field count" in postconf(suite, etc, "-M", check=False).stderr
    assert postconf(suite, etc, "-F", "bad/unix/chroot=n", check=False).returncode == 1
    postconf(suite, etc, "-F", "pickup/unix/wakeup=7")
    postconf(suite, etc, "-MX", "bad/unix")
    assert " 7 " in postconf(suite, etc, "-M", "pickup").stdout


def test_database_files(suite, etc):
    """Settings in the files of database clients are checked as those in main.cf are."""
    (etc / "my.cf").write_text("hosts = a\nqeury = SELECT 1\nuser = u\nuser = v\nttl = 5\n")
    with open(etc / "main.cf", "a", encoding="utf-8") as f:
        f.write(f"transport_maps = mysql:{etc}/my.cf, proxy:mysql:{etc}/my.cf memcache:{etc}/my.cf\n"
                f"virtual_alias_maps = pgsql:{etc}/none.cf\n")
    assert sorted(postconf(suite, etc, "-n").stderr.splitlines()) == [
        f'postconf: warning: {etc}/my.cf, line 4: overriding earlier entry: user=u',
        f'postconf: warning: {etc}/my.cf, line 4: overriding earlier entry: user=u',
        f'postconf: warning: memcache:{etc}/my.cf: unused parameter: hosts=a',
        f'postconf: warning: memcache:{etc}/my.cf: unused parameter: qeury=SELECT 1',
        f'postconf: warning: memcache:{etc}/my.cf: unused parameter: user=u',
        f'postconf: warning: memcache:{etc}/my.cf: unused parameter: user=v',
        f'postconf: warning: mysql:{etc}/my.cf: unused parameter: qeury=SELECT 1',
        f'postconf: warning: mysql:{etc}/my.cf: unused parameter: ttl=5',
        f'postconf: warning: open "pgsql" configuration "{etc}/none.cf": No such file or directory']


if __name__ == "__main__":
    record(sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]] or CASES)
