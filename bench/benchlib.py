# SPDX-License-Identifier: MIT
"""Shared code of the mail server benchmarks.

The system under test is a directory of Postfix-style commands (postfix,
postconf, postqueue, ...) plus an instance root made by make_instance();
nothing here depends on where either of them lives.
"""
import json, os, pwd, shutil, signal, socket, statistics, subprocess, sys, tempfile, time


def sh(cmd, **kw):
    kw.setdefault("check", True)
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    return subprocess.run(cmd, shell=isinstance(cmd, str), text=True, **kw)


def tool(name, bindir=None):
    for d in ([bindir] if bindir else []) + os.environ["PATH"].split(":") + ["/usr/sbin"]:
        p = os.path.join(d, name)
        if os.access(p, os.X_OK):
            return p
    raise SystemExit("no %s in PATH or --bindir" % name)


# ------------------------------------------------------------- cpu accounting
class Cgroup:
    """cgroup v2 (also the v2 half of a hybrid set-up); counts exited children."""

    def __init__(self, name):
        self.path = None
        for base in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            if os.path.exists(base + "/cgroup.procs") and os.path.exists(base + "/cgroup.controllers"):
                self.path = os.path.join(base, "bench-%s-%d" % (name, os.getpid()))
                os.makedirs(self.path, exist_ok=True)
                break
        if not self.path:
            raise SystemExit("no cgroup v2 hierarchy")

    def wrap(self, argv):
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', self.path] + argv

    def pids(self):
        return [int(x) for x in open(self.path + "/cgroup.procs").read().split()]

    def cpu(self):
        """(total, user, system) in seconds, of live and exited processes"""
        d = dict(l.split() for l in open(self.path + "/cpu.stat"))
        return tuple(int(d[k]) / 1e6 for k in ("usage_usec", "user_usec", "system_usec"))

    def remove(self):
        for _ in range(50):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)


def pss(pids):
    """sums in KiB over processes: pss, private, rss, and what the kernel needs to map them (page tables)"""
    tot = {"Pss": 0, "Private_Clean": 0, "Private_Dirty": 0, "Rss": 0, "VmPTE": 0}
    n = 0
    for p in pids:
        try:
            for name in ("smaps_rollup", "status"):
                for l in open("/proc/%d/%s" % (p, name)):
                    k = l.split(":")[0]
                    if k in tot:
                        tot[k] += int(l.split()[1])
            n += 1
        except OSError:
            pass
    return {"procs": n, "pss": tot["Pss"], "private": tot["Private_Clean"] + tot["Private_Dirty"], "rss": tot["Rss"],
            "page_tables": tot["VmPTE"]}


def named(pids, name):
    """those of the processes that run the program"""
    def comm(p):
        try:
            return open("/proc/%d/comm" % p).read().strip()
        except OSError:
            return ""
    return [p for p in pids if comm(p) == name]


def cpu_busy():
    """busy CPU seconds of the whole machine so far"""
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")


def ctxt():
    for l in open("/proc/stat"):
        if l.startswith("ctxt "):
            return int(l.split()[1])


# ------------------------------------------------------------------ instances
MASTER_CF = """\
{port_line} inet n - n - {maxproc} smtpd
{pickup}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix, or a drop-in with the same commands, in its own root."""
    queue_dirs = ("maildrop", "incoming", "active")

    def __init__(self, root, bindir, port, user, name="postfix", daemondir=None, shlibdir=None, metadir=None,
                 extra=None, maxproc="-", tls=False):
        self.root, self.bindir, self.port, self.user, self.name = root, bindir, port, user, name
        self.conf, self.spool = root + "/etc", root + "/spool"
        self.cg = None
        for d in ("", "/etc", "/spool", "/data"):
            os.makedirs(root + d, exist_ok=True)
            os.chmod(root + d, 0o755)
        shutil.chown(root + "/data", "postfix")
        main = {
            "compatibility_level": "3.6", "config_directory": self.conf,
            "queue_directory": self.spool, "data_directory": root + "/data",
            "command_directory": bindir, "mail_owner": "postfix", "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "myhostname": "bench.example",
            "mydestination": "$myhostname, localhost", "mynetworks": "127.0.0.0/8",
            "home_mailbox": "Maildir/", "biff": "no",
            "alias_maps": "hash:" + self.conf + "/aliases", "alias_database": "$alias_maps",
            "maillog_file_prefixes": root, "maillog_file": root + "/maillog",
            "smtp_tls_security_level": "none",
            "transport_maps": "hash:" + self.conf + "/transport",
            "message_size_limit": "50000000", "minimal_backoff_time": "4000s", "defer_transports": "relay",
        }
        if daemondir:
            main["daemon_directory"] = daemondir
        if shlibdir:
            main["shlib_directory"] = shlibdir
        if metadir:
            main["meta_directory"] = metadir
        if os.environ.get("LD_LIBRARY_PATH"):     # an unpacked Postfix finds its libraries so
            main["import_environment"] = "MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH PATH"
        if tls:
            main.update({"smtpd_tls_cert_file": self.conf + "/cert.pem", "smtpd_tls_key_file": self.conf + "/key.pem",
                         "smtpd_tls_security_level": "may"})
            sh(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=bench.example",
                "-keyout", self.conf + "/key.pem", "-out", self.conf + "/cert.pem"])
        main.update(extra or {})
        with open(self.conf + "/main.cf", "w") as f:
            for k, v in main.items():
                f.write("%s = %s\n" % (k, v))
        with open(self.conf + "/master.cf", "w") as f:
            f.write(MASTER_CF.format(port_line="127.0.0.1:%d" % port, maxproc=maxproc,
                                     pickup="pickup unix n - n 60 1 pickup"))
        open(self.conf + "/aliases", "w").close()
        with open(self.conf + "/transport", "w") as f:
            f.write("sink.example smtp:[127.0.0.1]:%d\ndefer.example relay:[127.0.0.1]:9\ndiscard.example discard:\n" % (port + 1))
        sh([self.cmd("postalias"), "-c", self.conf, "hash:" + self.conf + "/aliases"])
        sh([self.cmd("postmap"), "-c", self.conf, "hash:" + self.conf + "/transport"])

    def cmd(self, name):
        return tool(name, self.bindir)

    def set(self, *pairs):
        sh([self.cmd("postconf"), "-c", self.conf] + list(pairs))

    def start(self, timeout=120):
        """returns (seconds until start returned, seconds until first 220)"""
        self.cg = self.cg or Cgroup(self.name)
        t0 = time.time()
        r = sh(self.cg.wrap([self.cmd("postfix"), "-c", self.conf, "start"]), check=False)
        t1 = time.time()
        if r.returncode:
            raise SystemExit("start failed: " + (r.stdout or ""))
        t2 = wait220(self.port, timeout)
        return t1 - t0, t2 - t0

    def stop(self):
        sh([self.cmd("postfix"), "-c", self.conf, "stop"], check=False)
        for _ in range(100):
            if not self.cg or not self.cg.pids():
                break
            time.sleep(0.1)

    def queue_count(self, dirs=None):
        n = 0
        for d in dirs or self.queue_dirs:
            for _, _, files in os.walk(os.path.join(self.spool, d)):
                n += len(files)
        return n


def wait220(port, timeout=60):
    end = time.time() + timeout
    while time.time() < end:
        try:
            s = socket.create_connection(("127.0.0.1", port), 2)
            s.settimeout(timeout)
            b = s.recv(200)
            t = time.time()
            if b.startswith(b"220"):
                s.sendall(b"QUIT\r\n")
                s.close()
                return t
        except OSError:
            pass
        time.sleep(0.002)
    raise SystemExit("no 220 on port %d" % port)


# ----------------------------------------------------------------------- load
def fresh_maildir(where, user):
    """point ~user/Maildir at a new empty Maildir on the wanted file system"""
    pw = pwd.getpwnam(user)
    md = tempfile.mkdtemp(prefix="mail.", dir=where)
    os.chown(md, pw.pw_uid, pw.pw_gid)
    for d in ("tmp", "new", "cur"):
        os.mkdir(md + "/" + d, 0o700)
        os.chown(md + "/" + d, pw.pw_uid, pw.pw_gid)
    link = pw.pw_dir + "/Maildir"
    tmp = link + ".t%d" % os.getpid()
    os.symlink(md, tmp)
    os.rename(tmp, link)
    return md


GEN = None
QUIET_WAIT = float(os.environ.get("QUIET_WAIT", "2"))   # seconds to wait for a quiet machine


def wait_quiet(limit=0.3):
    """wait (at most QUIET_WAIT seconds) until other tasks leave the CPUs alone; returns their last load"""
    end = time.time() + QUIET_WAIT
    while True:
        b, t = cpu_busy(), time.time()
        time.sleep(0.3)
        x = (cpu_busy() - b) / (time.time() - t)
        if x < limit or time.time() > end:
            return x


def smtp_source(sut, sessions, messages, size, reuse, to, rcpts=1, timeout=300, extra=()):
    return ["timeout", str(timeout), tool("smtp-source"), "-s", str(sessions), "-m", str(messages), "-l", str(size),
            "-f", "sender@example.org", "-t", to] + (["-d"] if reuse else []) + \
           (["-r", str(rcpts)] if rcpts > 1 else []) + list(extra) + ["127.0.0.1:%d" % sut.port]


def wait_delivered(sut, count, wanted, end, others=0):
    """until COUNT() has reached WANTED and the queue is empty but for OTHERS, or END; polls little; returns the last
    count"""
    nap, n = 0.005, 0
    while True:
        a = time.time()
        n = count()
        if (n >= wanted and sut.queue_count() <= others) or a > end:
            return n
        time.sleep(max(nap, 20 * (time.time() - a)))


def load(sut, user, where, sessions, messages, size, reuse, rcpts=1, to=None, timeout=300, extra=(), sink=None,
         others=0):
    """one smtp-source run into a fresh Maildir, or to SINK (a function: messages so far); times and CPU. OTHERS: messages
    that are in the queue all the time"""
    md = fresh_maildir(where, user)
    before = sink() if sink else 0
    count = (lambda: sink() - before) if sink else (lambda: len(os.listdir(md + "/new")))
    argv = smtp_source(sut, sessions, messages, size, reuse, to or user + "@bench.example", rcpts, timeout, extra)
    os.sync()
    wait_quiet()
    global GEN
    GEN = GEN or Cgroup("gen")
    g0, me0 = GEN.cpu(), sum(os.times()[:2])
    c0, x0, b0, t0 = sut.cg.cpu(), ctxt(), cpu_busy(), time.time()
    r = sh(GEN.wrap(argv), check=False)
    t1 = time.time()
    if r.returncode:
        print("smtp-source:", r.stdout[-300:], file=sys.stderr)
    n = wait_delivered(sut, count, messages * rcpts, t0 + timeout, others)
    t2 = time.time()
    c1, x1, b1 = sut.cg.cpu(), ctxt(), cpu_busy()
    gen = GEN.cpu()[0] - g0[0] + sum(os.times()[:2]) - me0
    d = {"sut": sut.name, "sessions": sessions, "messages": messages, "size": size, "reuse": reuse,
         "accept_per_s": messages / (t1 - t0), "e2e_per_s": messages / (t2 - t0), "done": n,
         "complete": n == messages * rcpts and not r.returncode,
         "cpu_ms": (c1[0] - c0[0]) / messages * 1e3, "usr_ms": (c1[1] - c0[1]) / messages * 1e3,
         "sys_ms": (c1[2] - c0[2]) / messages * 1e3, "ctxt": (x1 - x0) / messages,
         "sut_cpus": (c1[0] - c0[0]) / (t2 - t0), "busy_cpus": (b1 - b0) / (t2 - t0), "gen_cpus": gen / (t2 - t0),
         "other_cpus": (b1 - b0 - (c1[0] - c0[0]) - gen) / (t2 - t0)}
    shutil.rmtree(md, ignore_errors=True)
    return d


def med(rows, key):
    v = sorted(r[key] for r in rows)
    return statistics.median(v), v[0], v[-1]


def emit(out, row):
    with open(out, "a") as f:
        f.write(json.dumps(row) + "\n")
