# SPDX-License-Identifier: MIT
"""The two mail systems that are compared, and the places they run on.

Postern is built and installed below build/bench, the distribution's Postfix is unpacked there from its
package (it is not installed). Instances of both are made in pairs, with the same settings.
"""
import argparse
import contextlib
import fcntl
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import benchlib as lib

TOP = pathlib.Path(__file__).resolve().parents[1]
WORK = TOP / "build" / "bench"
USER = "postbench"
LOCK = "/run/lock/postern-bench.lock"
# Inodes for a million queue files and as many defer logs; the file that holds the disk is sparse.
LOOP_BYTES, LOOP_BYTES_PER_INODE = 16 << 30, 4096


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, **options)


def options(doc, **defaults):
    """The options that every benchmark has."""
    ap = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=defaults.get("rounds", 5))
    ap.add_argument("--disk", help="a directory on the file system to run on (default: build/bench)")
    ap.add_argument("--loop", action="store_true", help="run on a journalled ext4 in a file")
    ap.add_argument("--port", type=int, default=3525)
    ap.add_argument("--out", default=os.devnull, help="append every single result to FILE.jsonl")
    ap.add_argument("--ours-only", action="store_true", help="without Postfix (while tuning)")
    return ap


def build():
    prefix = WORK / "root"
    quiet = {"cwd": TOP, "stdout": subprocess.DEVNULL}
    run("sh", "-c", ". scripts/packages.sh && need_packages $BUILD_PACKAGES $BENCH_PACKAGES", **quiet)
    run("cmake", "--preset", "release", "-G", "Ninja", f"-DCMAKE_INSTALL_PREFIX={prefix}", **quiet)
    run("cmake", "--build", "--preset", "release", **quiet)
    run("cmake", "--install", "build/release", **quiet)
    source = TOP / "bench/src"
    run("cc", "-O2", "-o", WORK / "smtpload", source / "smtpload.c", source / "client.c", "-lssl", "-lcrypto",
        "-pthread")
    run("cc", "-O2", "-o", WORK / "smtpsink", source / "smtpsink.c")
    return prefix / "sbin", prefix / "libexec/postfix"


def unpack_postfix():
    where = WORK / "postfix"
    if not (where / "usr/sbin/postfix").exists():
        where.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", "-q", "postfix", cwd=where, stdout=subprocess.DEVNULL)
        for package in where.glob("*.deb"):
            run("dpkg", "-x", package, where)
    return where


def ensure_users():
    """The users that both suites need; returns those to remove again."""
    made = []
    for kind, what, extra in (("group", "postdrop", []), ("passwd", "postfix", ["-M"]), ("passwd", USER, ["-m"])):
        if subprocess.run(["getent", kind, what], stdout=subprocess.DEVNULL, check=False).returncode:
            run("groupadd" if kind == "group" else "useradd", "-r", *extra, what)
            made.append((kind, what))
    return made


def remove_users(made):
    for kind, what in reversed(made):
        command = ["groupdel", what] if kind == "group" else ["userdel", "-r", what]
        subprocess.run(command, capture_output=True, check=False)


@contextlib.contextmanager
def loop_disk():
    image, mount = WORK / "disk.img", WORK / "disk"
    mount.mkdir(exist_ok=True)
    with open(image, "wb") as f:
        f.truncate(LOOP_BYTES)
    run("mkfs.ext4", "-q", "-F", "-i", LOOP_BYTES_PER_INODE, image)
    # The kernel is not to clear the inode tables in the background of a measurement.
    run("mount", "-o", "loop,noinit_itable", image, mount)
    try:
        yield str(mount)
    finally:
        run("umount", mount)
        image.unlink()


@contextlib.contextmanager
def memory_disk():
    """A tmpfs of our own: /dev/shm may not be executable or large."""
    mount = WORK / "tmpfs"
    mount.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "postern-bench", mount)
    try:
        yield str(mount)
    finally:
        run("umount", mount)


def lock():
    """Two benchmarks at once would measure each other."""
    handle = open(LOCK, "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another benchmark on this machine", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


class Bench:
    """Everything a part of the benchmark needs; a context manager that leaves nothing behind."""

    def __init__(self, o):
        self.o = o
        self.alive = []
        self.stack = contextlib.ExitStack()
        self.started = time.time()

    def __enter__(self):
        if os.geteuid() != 0:
            sys.exit("the benchmark needs root: it runs two complete mail systems with system users")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        WORK.mkdir(parents=True, exist_ok=True)
        self.stack.callback(lock().close)
        self.ours = build()
        self.reference = unpack_postfix()
        # smtp-source and the reference's own programs find their libraries without an installation.
        os.environ["LD_LIBRARY_PATH"] = str(self.reference / "usr/lib/postfix")
        os.environ["PATH"] += f":{self.reference}/usr/sbin"
        self.stack.callback(remove_users, ensure_users())
        self.user = pwd.getpwnam(USER)
        self.disk = self.stack.enter_context(loop_disk()) if self.o.loop else self.o.disk or str(WORK)
        self.tmpfs = self.stack.enter_context(memory_disk())
        self.stack.callback(self.drop_all)
        return self

    def __exit__(self, *error):
        self.stack.close()

    def make(self, name, where, port, **settings):
        root = tempfile.mkdtemp(prefix=f"{name}.", dir=where)
        os.chmod(root, 0o755)
        extra = {"virtual_mailbox_domains": "virt.example", "virtual_mailbox_base": self.user.pw_dir,
                 "virtual_mailbox_maps": "static:Maildir/", "virtual_uid_maps": f"static:{self.user.pw_uid}",
                 "virtual_gid_maps": f"static:{self.user.pw_gid}"}
        if name == "postfix":
            bindir, daemons = self.reference / "usr/sbin", self.reference / "usr/lib/postfix/sbin"
            extra.update(shlib_directory=str(self.reference / "usr/lib/postfix"),
                         meta_directory=str(self.reference / "etc/postfix"))
        else:
            bindir, daemons = self.ours
        extra.update(settings.pop("extra", {}))
        sut = lib.Postfix(root, str(bindir), port, USER, name=name, daemondir=str(daemons), extra=extra, **settings)
        self.alive.append(sut)
        return sut

    @contextlib.contextmanager
    def pair(self, where=None, start=True, **settings):
        """Postern and Postfix with the same settings on the same file system, started."""
        names = ["postern"] if self.o.ours_only else ["postern", "postfix"]
        suts = []
        try:
            for i, name in enumerate(names):
                suts.append(self.make(name, where or self.disk, self.o.port + 10 * i, **settings))
                if start:
                    suts[-1].start()
            yield suts
        finally:
            for sut in suts:
                self.drop(sut)

    def drop(self, sut):
        sut.stop()
        if sut.cg:
            sut.cg.remove()
        shutil.rmtree(sut.root, ignore_errors=True)
        self.alive.remove(sut)

    def drop_all(self):
        for sut in list(self.alive):
            self.drop(sut)
        if lib.GEN:
            lib.GEN.remove()

    def load(self, sut, where=None, **how):
        return lib.load(sut, USER, where or self.disk, **how)

    def keep_logs(self, test):
        for sut in self.alive:
            target = WORK / f"{test}-{sut.name}-{time.time() - self.started:.0f}.log"
            with contextlib.suppress(OSError):
                shutil.copy(sut.root + "/maillog", target)
                print(f"kept {target}", file=sys.stderr)

    def row(self, **values):
        """Note one result; also on the terminal, for whoever waits. Of what went wrong the log is kept."""
        if values.get("complete") is False:
            self.keep_logs(values["test"])
        lib.emit(self.o.out, values)
        short = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items()
                         if not isinstance(v, (dict, list)))
        print(f"{time.time() - self.started:7.1f} {short}", file=sys.stderr, flush=True)
        return values


def offers(sut, what):
    """does the EHLO reply offer it?"""
    import smtplib
    with smtplib.SMTP("127.0.0.1", sut.port, timeout=30) as client:
        client.ehlo("bench.client")
        return client.has_extn(what)


def has_program(sut, name):
    return os.access(os.path.join(lib.sh([sut.cmd("postconf"), "-c", sut.conf, "-h", "daemon_directory"]).stdout.strip(),
                                  name), os.X_OK)
