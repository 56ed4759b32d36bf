# SPDX-License-Identifier: MIT
"""tcp:, socketmap:, memcache: and proxy: tables in the running mail system."""
import os
import re
import signal
import smtplib
import socket
import struct
import threading

import pytest

from conftest import catch_all_settings, maildir_messages, wait_until
from table_servers import LineServer, Memcached, daemons  # noqa: F401


def query(instance, table, key, *options):
    """The answer, None, or the error message."""
    run = instance.run("postmap", *options, "-q", key, table, check=False)
    if run.returncode == 0:
        return run.stdout.decode().rstrip("\n")
    assert run.returncode == 1, run
    return f"error: {run.stderr.decode()}" if b"fatal" in run.stderr else None


@pytest.fixture
def scripted():
    """Servers that answer by a function."""
    made = []

    def make(answer):
        made.append(LineServer(answer))
        return made[-1]

    yield make
    for server in made:
        server.stop()


class Slowness:
    """Questions about "slow..." are answered when enough of them wait, or by release()."""

    def __init__(self, enough):
        self.enough, self.waiting = enough, 0
        self.changed = threading.Condition()

    def wait(self):
        with self.changed:
            self.waiting += 1
            self.changed.notify_all()
            return self.changed.wait_for(lambda: self.waiting >= self.enough, 30)

    def release(self):
        with self.changed:
            self.enough = 0
            self.changed.notify_all()


def tcp_aliases(reader, slowness=None):
    """tcp_table(5) with one alias; "down" is an error."""
    line = reader.readline()
    if not line:
        return None
    key = line.removeprefix(b"get ").rstrip(b"\n")
    if key.startswith(b"slow") and not slowness.wait():
        return b"400 nobody else came\n"
    if key.startswith(b"down"):
        return b"400 out of order\n"
    if key.endswith(b"@example.com") and not key.startswith((b"nobody", b"down")):
        return b"200 alias%40box.example\n"
    return b"500 no\n"


def socketmap_aliases(reader):
    """socketmap_table(5): the same, for the table "virt" only."""
    length = b""
    while (byte := reader.read(1)) not in (b":", b""):
        length += byte
    if not length:
        return None
    name, key = reader.read(int(length) + 1)[:-1].split(b" ", 1)
    if key.startswith(b"down"):
        reply = b"TEMP out of order"
    elif name == b"virt" and key.endswith(b"@example.com") and not key.startswith(b"nobody"):
        reply = b"OK alias@box.example"
    else:
        reply = b"NOTFOUND "
    return b"%d:%s," % (len(reply), reply)


def mail_system(instance, user, table, more=""):
    instance.write_main(catch_all_settings(user.pw_name) + more +
                        f"virtual_alias_maps = {table}\nvirtual_alias_domains = example.com\n")
    return instance.start()


def rcpt(instance, address):
    with instance.smtp() as client:
        client.helo()
        client.mail("x@example.org")
        return client.rcpt(address)


@pytest.mark.parametrize("kind", ["tcp", "socketmap"])
def test_mail_by_server(instances, users, scripted, kind):
    server = scripted(tcp_aliases if kind == "tcp" else socketmap_aliases)
    table = (f"tcp:127.0.0.1:{server.port}" if kind == "tcp"
             else f"socketmap:inet:127.0.0.1:{server.port}:virt")
    user = users.add("pstann")
    instance = instances()
    mail_system(instance, user, table)
    before = len(maildir_messages(f"{user.pw_dir}/Maildir"))
    instance.send("ann@example.com")
    wait_until(lambda: len(maildir_messages(f"{user.pw_dir}/Maildir")) > before)
    assert rcpt(instance, "nobody@example.com")[0] == 550
    code, text = rcpt(instance, "down@example.com")
    assert code == 451 and b"4.3.0" in text and b"Temporary lookup failure" in text
    instance.wait_log(f"warning: table {kind}:.* lookup error: .*out of order")
    assert query(instance, table, "x@example.com") == "alias@box.example"
    assert query(instance, table, "nobody@example.com") is None
    assert "out of order" in query(instance, table, "down@example.com")


def test_lookups_do_not_wait_for_each_other(instances, users, scripted):
    """One process serves many clients; a slow answer to one does not keep the others."""
    slowness = Slowness(1000)
    server = scripted(lambda reader: tcp_aliases(reader, slowness))
    instance = instances()
    mail_system(instance, users.add("pstann"), f"tcp:127.0.0.1:{server.port}",
                "worker_processes = 1\n")
    done = []

    def slow_client(number):
        done.append(rcpt(instance, f"slow{number}@example.com")[0])

    clients = [threading.Thread(target=slow_client, args=(i,)) for i in range(6)]
    for client in clients:
        client.start()
    wait_until(lambda: slowness.waiting == 6, 30, "six questions wait for their answers")
    assert [rcpt(instance, "nobody@example.com")[0] for _ in range(5)] == [550] * 5
    assert not done
    slowness.release()
    for client in clients:
        client.join()
    assert done == [250] * 6
    assert len(instance.workers("smtpd")) == 1


def test_server_that_comes_back(instances, users, scripted):
    server = scripted(tcp_aliases)
    port = server.port
    table = f"socketmap:inet:127.0.0.1:{port}:virt"
    server.stop()
    instance = instances()
    mail_system(instance, users.add("pstann"), table)
    assert rcpt(instance, "ann@example.com")[0] == 451
    assert f"table {table} lookup error: connect to 127.0.0.1:{port}: Connection refused" \
        in instance.log()
    revived = LineServer(socketmap_aliases, port)
    try:
        wait_until(lambda: rcpt(instance, "ann@example.com")[0] == 250, 30, "the table is back", 0.5)
    finally:
        revived.stop()


# --- memcache


def test_memcache(instances, daemons):  # noqa: F811
    cache = daemons(Memcached)
    instance = instances()
    source = instance.add_file("kept", "stored@example.com  box@example.com\n")
    instance.run("postmap", f"hash:{source}")
    cf = instance.add_file("mc.cf", f"memcache = inet:127.0.0.1:{cache.port}\n"
                                    f"backup = hash:{source}\nkey_format = pfx:%s\n")
    table = f"memcache:{cf}"
    assert query(instance, table, "stored@example.com") == "box@example.com"
    assert b"box@example.com" in cache.talk(b"get pfx:stored@example.com\r\nquit\r\n")
    cache.talk(b"set pfx:other 0 0 5\r\nvalue\r\nquit\r\n")
    assert query(instance, table, "other") == "value"
    assert query(instance, table, "none") is None
    for hostile in ("a b", "x\r\nset pfx:evil 0 0 1\r\ny", "k" * 300):
        assert query(instance, table, hostile) is None
    assert b"VALUE" not in cache.talk(b"get pfx:evil\r\nquit\r\n")
    listing = instance.run("postmap", "-s", table).stdout
    assert listing == b"stored@example.com\tbox@example.com\n"
    # Deleting is for both.
    assert instance.run("postmap", "-d", "stored@example.com", table).returncode == 0
    assert query(instance, table, "stored@example.com") is None
    assert b"VALUE" not in cache.talk(b"get pfx:stored@example.com\r\nquit\r\n")
    assert instance.run("postmap", "-d", "stored@example.com", table, check=False).returncode == 1
    # Without memcached the backup answers, without both nobody does.
    instance.run("postmap", f"hash:{source}")
    cache.stop()
    assert query(instance, table, "stored@example.com") == "box@example.com"
    alone = instance.add_file("alone.cf", f"memcache = inet:127.0.0.1:{cache.port}\n")
    assert "Connection refused" in query(instance, f"memcache:{alone}", "k")


def test_mail_by_memcache(instances, users, daemons):  # noqa: F811
    cache = daemons(Memcached)
    cache.talk(b"set ann@example.com 0 0 13\r\nx@box.example\r\nquit\r\n")
    user = users.add("pstann")
    instance = instances()
    cf = instance.add_file("mc.cf", f"memcache = inet:127.0.0.1:{cache.port}\n"
                                    "domain = example.com\n")
    mail_system(instance, user, f"memcache:{cf}")
    before = len(maildir_messages(f"{user.pw_dir}/Maildir"))
    instance.send("ann@example.com")
    wait_until(lambda: len(maildir_messages(f"{user.pw_dir}/Maildir")) > before)
    assert rcpt(instance, "bob@example.com")[0] == 550
    cache.stop()
    assert rcpt(instance, "cleo@example.com")[0] == 451
    assert f"table memcache:{cf}" in instance.log()


# --- proxy


PROXYWRITE = "proxywrite unix - - n - 1 proxymap\n"


def test_proxy_read_and_write(instances, users):
    instance = instances()
    source = instance.add_file("t", "".join(f"key{i} value{i}\n" for i in range(3000)))
    instance.run("postmap", f"hash:{source}")
    cache = f"btree:{instance.dir}/data/cache"
    instance.add_services(PROXYWRITE)
    instance.write_main(f"proxy_read_maps = proxy:hash:{source}, proxy:fail:x\n"
                        f"proxy_write_maps = proxy:{cache}\n")
    instance.start()
    table = f"proxy:hash:{source}"
    assert query(instance, table, "key7") == "value7"
    assert query(instance, table, "none") is None
    listing = instance.run("postmap", "-s", table).stdout.decode().splitlines()
    assert sorted(listing) == sorted(f"key{i}\tvalue{i}" for i in range(3000))
    assert "error" in query(instance, "proxy:fail:x", "k")
    keys = "".join(f"key{i}\n" for i in range(0, 3000, 3)).encode()
    answers = instance.run("postmap", "-q", "-", table, input=keys).stdout
    assert len(answers.splitlines()) == 1000
    # What is not listed is not served, and only what may be changed is.
    assert "proxymap service is not configured for table" in query(
        instance, "proxy:hash:/etc/other", "k")
    instance.wait_log("request for unapproved table: \"hash:/etc/other\"")
    instance.wait_log("to approve this table for read-only access, list proxy:hash:/etc/other in "
                      "main.cf:proxy_read_maps")
    denied = instance.run("postmap", "-d", "key7", table, check=False)
    assert b"proxywrite service is not configured" in denied.stderr
    assert query(instance, table, "key7") == "value7"
    # Nothing there yet; the file is made by the service, with its rights.
    gone = instance.run("postmap", "-d", "k", f"proxy:{cache}", check=False)
    assert gone.returncode == 1 and gone.stderr == b""
    made = instance.dir / "data" / "cache.db"
    assert made.owner() == "postfix" and made.stat().st_mode & 0o777 == 0o600
    # A table that was built anew is seen.
    source.write_text("key7 new\n")
    instance.run("postmap", f"hash:{source}")
    wait_until(lambda: query(instance, table, "key7") == "new")


def proxy_talk(client, kind, *fields):
    """One request in the protocol of docs/ipc.md: (kind of the reply, its first field)."""
    def view(data):
        return struct.pack("=I", len(data)) + data
    table, flags, *rest = fields
    body = bytes([kind]) + view(table.encode()) + struct.pack("=Q", flags)
    body += b"".join(view(field) for field in rest)
    client.sendall(struct.pack("=I", len(body)) + body)
    reader = client.makefile("rb")
    head = reader.read(4)
    reply = reader.read(struct.unpack("=I", head)[0]) if head else b""
    return (reply[0], reply[5:]) if reply else None


def proxy_ask(instance, service, *request):
    """The same on a connection of its own."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(instance.spool / "private" / service))
        return proxy_talk(client, *request)


LOOKUP, UPDATE, DELETE, FOUND, MISSING, DENIED = 1, 2, 3, 10, 11, 13


def test_proxywrite(instances, users):
    """Several clients, one of which keeps its connection, change a table of one process."""
    instance = instances()
    instance.add_services(PROXYWRITE)
    cache = f"btree:{instance.dir}/data/cache"
    instance.write_main(f"proxy_write_maps = proxy:{cache}\nproxy_read_maps = proxy:{cache}\n")
    instance.start()
    assert proxy_ask(instance, "proxywrite", LOOKUP, cache, 0, b"key") == (MISSING, b"")
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(instance.spool / "private" / "proxywrite"))
        assert proxy_talk(idle, LOOKUP, cache, 0, b"key") == (MISSING, b"")
        for i in range(20):
            assert proxy_ask(instance, "proxywrite", UPDATE, cache, 0, b"key%d" % i,
                             b"value%d" % i)[0] == FOUND
    assert proxy_ask(instance, "proxywrite", LOOKUP, cache, 0, b"key7") == (FOUND, b"value7")
    assert proxy_ask(instance, "proxywrite", DELETE, cache, 0, b"key7")[0] == FOUND
    assert proxy_ask(instance, "proxywrite", DELETE, cache, 0, b"key7")[0] == MISSING
    # A killed process loses nothing that it has confirmed.
    for pid in instance.workers("proxymap"):
        os.kill(pid, signal.SIGKILL)
    assert proxy_ask(instance, "proxywrite", LOOKUP, cache, 0, b"key8") == (FOUND, b"value8")
    assert len(instance.workers("proxymap")) == 1
    # Only proxywrite changes tables, and only those that are its own.
    assert proxy_ask(instance, "proxymap", UPDATE, cache, 0, b"k", b"v")[0] == DENIED
    other = f"btree:{instance.dir}/data/other"
    assert proxy_ask(instance, "proxywrite", UPDATE, other, 0, b"k", b"v")[0] == DENIED
    assert not (instance.dir / "data" / "other.db").exists()
    assert instance.run("postmap", "-q", "key9", cache).stdout == b"value9\n"
    # What is no request ends the connection, and nothing else.
    assert proxy_ask(instance, "proxywrite", 99, cache, 0) is None
    assert proxy_ask(instance, "proxywrite", UPDATE, cache, 0, b"no value") is None
    assert proxy_ask(instance, "proxywrite", LOOKUP, cache, 0, b"key8") == (FOUND, b"value8")


def test_proxy_for_many(instances, users, scripted):
    """More lookups at a time than connections are kept, through as many processes as it takes."""
    slowness = Slowness(8)  # at the same time
    server = scripted(lambda reader: tcp_aliases(reader, slowness))
    instance = instances()
    table = f"proxy:tcp:127.0.0.1:{server.port}"
    mail_system(instance, users.add("pstann"), table, f"proxy_read_maps = {table}\n")
    results = []

    def client(number):
        results.append(rcpt(instance, f"slow{number}@example.com")[0])

    clients = [threading.Thread(target=client, args=(i,)) for i in range(12)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert results == [250] * 12


def test_carried_tables_are_approved(instances, users):
    """unix: blocks; smtpd has it looked up by proxymap, and nothing else."""
    instance = instances()
    instance.write_main("local_recipient_maps = unix:passwd.byname\nproxy_read_maps =\n"
                        "mydestination = $myhostname\n")
    instance.start()
    users.add("pstann")
    assert rcpt(instance, "pstann@mail.example.com")[0] == 250
    assert rcpt(instance, "nobody.such@mail.example.com")[0] == 550
    assert len(instance.workers("proxymap")) >= 1
    log = instance.log()
    assert not re.search(r"(smtpd|proxymap)\[\d+\]: (warning|error|fatal)", log), log


def test_dead_proxymap(instances, users):
    instance = instances()
    instance.write_main("local_recipient_maps = proxy:unix:passwd.byname\n")
    text = (instance.etc / "master.cf").read_text()
    (instance.etc / "master.cf").write_text(
        "".join(l for l in text.splitlines(True) if not l.startswith("proxymap")))
    instance.start()
    code, _ = rcpt(instance, "pstann@mail.example.com")
    assert code == 451
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        instance.send("pstann@mail.example.com")
    assert "private/proxymap" in instance.log() or "proxy:unix:passwd.byname" in instance.log()
