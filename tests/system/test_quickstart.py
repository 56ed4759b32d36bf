# SPDX-License-Identifier: MIT
"""scripts/quickstart as root and as an ordinary user: build, start, catch, stop."""
import os
import pathlib
import pwd
import re
import shutil
import smtplib
import subprocess
import tempfile

import pytest
from conftest import IS_ROOT, TOP, free_port, processes_below, wait_until


def checkout(where):
    """What git tracks or would track, as a fresh clone would have it."""
    names = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "-z"],
                           capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        target = where / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (TOP / name).is_file():
            shutil.copy2(TOP / name, target)
    return where


def exercise(script, env, home, state, user=None):
    port = free_port()
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    args = [str(script), "--port", str(port), "--maildir", "CaughtMail"]
    started = subprocess.run(args, env=env, capture_output=True, text=True, timeout=900,
                             check=False, **who)
    assert started.returncode == 0, started.stdout + started.stderr
    assert f"127.0.0.1:{port}" in started.stdout
    try:
        for host, to in (("127.0.0.1", "anyone@any.example"), ("::1", "root@other.example")):
            with smtplib.SMTP(host, port, timeout=30) as client:
                client.sendmail("sender@far.example", [to], f"Subject: to {to}\r\n\r\nhi\r\n")
        new = pathlib.Path(home) / "CaughtMail" / "new"
        files = wait_until(lambda: new.is_dir() and len(f := list(new.iterdir())) == 2 and f, 30,
                           "both messages")
        texts = [f.read_text() for f in files]
        assert all(t.startswith("Return-Path: <sender@far.example>\n") for t in texts)
        assert {re.search(r"^X-Original-To: (.*)$", t, re.M)[1] for t in texts} == \
            {"anyone@any.example", "root@other.example"}
    finally:
        stopped = subprocess.run([str(script), "--stop"], env=env, capture_output=True, text=True,
                                 timeout=120, check=False, **who)
        shutil.rmtree(pathlib.Path(home) / "CaughtMail", ignore_errors=True)
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: not processes_below(state), 20, "no process is left")


@pytest.fixture
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="postern-quick-"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_as_root(place, users):
    tree = checkout(place / "tree")
    home = pwd.getpwuid(0).pw_dir
    env = {**os.environ, "POSTERN_STATE": str(place / "state"), "HOME": home}
    exercise(tree / "scripts/quickstart", env, home, place / "state")


def test_as_ordinary_user(place, plain_user):
    tree = checkout(place / "tree")
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, plain_user.pw_uid, plain_user.pw_gid)
    env = {"PATH": "/usr/bin:/bin", "HOME": plain_user.pw_dir, "USER": plain_user.pw_name}
    exercise(tree / "scripts/quickstart", env, plain_user.pw_dir,
             pathlib.Path(plain_user.pw_dir) / ".local/state/postern", user=plain_user)
