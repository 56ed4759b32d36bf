# SPDX-License-Identifier: MIT
"""Lookup tables of every type, asked by smtpd and local; postmap; files shared with Postfix."""
import json
import os
import pathlib
import shutil
import smtplib
import subprocess
import threading

import pytest
from conftest import IS_ROOT, TOP, maildir_messages, wait_until

INDEXED = ["hash", "btree", "lmdb", "cdb"]

# One answer of each type, by recipient: the word in the reply says which table gave it.
ACCESS = {
    "hash": "hash:{etc}/t-hash", "btree": "btree:{etc}/t-btree", "lmdb": "lmdb:{etc}/t-lmdb",
    "cdb": "cdb:{etc}/t-cdb", "texthash": "texthash:{etc}/t-texthash",
    "regexp": "regexp:{etc}/t-regexp", "pcre": "pcre:{etc}/t-pcre",
    "inline": "inline:{{ {{inline@t.example = REJECT by inline}} }}",
    "pcreline": "pcre:{{ {{/^pcreline@/ REJECT by pcreline}} }}",
    "regexpline": "regexp:{{ {{/^regexpline@/ REJECT by regexpline}} }}",
    "unionmap": "unionmap:{{ inline:{{ {{unionmap@t.example = REJECT by}} }},"
                " inline:{{ unionmap@t.example=unionmap }} }}",
    "pipemap": "pipemap:{{ inline:{{ pipemap@t.example=next }},"
               " inline:{{ {{next = REJECT by pipemap}} }} }}",
    "debug": "debug:inline:{{ {{debug@t.example = REJECT by debug}} }}",
}


def write_access_tables(instance):
    for kind in [*INDEXED, "texthash"]:
        instance.add_file(f"t-{kind}", f"{kind}@t.example  REJECT by {kind}\n")
    for kind in INDEXED:
        instance.run("postmap", f"{kind}:{instance.etc}/t-{kind}")
    for kind in ("regexp", "pcre"):
        instance.add_file(f"t-{kind}", f"/^({kind})@/  REJECT by $1\n")


def reply_to_recipient(instance, recipient):
    with instance.smtp() as client:
        client.ehlo()
        client.mail("s@example.org")
        code, text = client.rcpt(recipient)
        return code, text.decode()


def access_settings(instance, tables):
    checks = "".join(f"  check_recipient_access {t.format(etc=instance.etc)}\n" for t in tables)
    return ("local_recipient_maps =\nmydestination = t.example\nsmtpd_hard_error_limit = 1000\n"
            f"smtpd_recipient_restrictions =\n{checks}  permit\n")


def test_every_type_is_asked_by_smtpd(instances):
    instance = instances()
    write_access_tables(instance)
    instance.write_main(access_settings(instance, ACCESS.values()))
    instance.start()
    for kind in ACCESS:
        code, text = reply_to_recipient(instance, f"{kind}@t.example")
        word = "by,unionmap" if kind == "unionmap" else f"by {kind}"
        assert (code, word in text) == (554, True), (kind, code, text)
    assert reply_to_recipient(instance, "nobody@t.example")[0] == 250
    assert 'lookup: "debug@t.example" = "REJECT by debug"' in instance.log()


def test_types_with_one_answer(instances):
    instance = instances()
    for table, code, word in (("static:{REJECT by static}", 554, "by static"),
                              ("randmap:{{REJECT by chance}}", 554, "by chance"),
                              ("fail:x", 451, "Server configuration"), ("environ:x", 250, "")):
        instance.write_main(access_settings(instance, []) +
                            "smtpd_recipient_restrictions = permit_mynetworks, reject\n"
                            "smtpd_relay_restrictions =\n"
                            f"smtpd_client_restrictions = check_client_access {table}\n"
                            "smtpd_delay_reject = yes\n")
        instance.start()
        got, text = reply_to_recipient(instance, "x@t.example")
        assert got == code or code == 451 and got in (450, 451), (table, got, text)
        assert word in text or code == 451, (table, text)
        instance.stop()


def test_cidr_and_networks(instances):
    instance = instances()
    instance.add_file("clients", "if 127.0.0.0/8\n!127.0.0.0/9 PERMIT\n127.0.0.1 REJECT by cidr\n"
                                 "endif\n::/0 OK\n")
    instance.write_main(access_settings(instance, []) +
                        f"smtpd_client_restrictions = check_client_access cidr:{instance.etc}/clients\n")
    instance.start()
    assert "by cidr" in reply_to_recipient(instance, "x@t.example")[1]


def test_users_of_the_system(instances, users):
    """unix: tables are asked through proxymap by a server with many clients."""
    user = users.add("pstable")
    instance = instances()
    instance.write_main("mydestination = t.example\nalias_maps =\n"
                        "local_recipient_maps = unix:passwd.byname\n"
                        "proxy_read_maps = proxy:unix:passwd.byname\n")
    instance.start()
    assert reply_to_recipient(instance, f"{user.pw_name}@t.example")[0] == 250
    code, text = reply_to_recipient(instance, "no.such.user@t.example")
    assert (code, "User unknown" in text) == (550, True)


# --- rebuilt tables


@pytest.mark.parametrize("kind", INDEXED)
def test_rebuilt_table_is_seen_in_the_same_session(instances, kind):
    instance = instances()
    table = instance.add_file("table", "a@t.example  REJECT old text\n")
    instance.run("postmap", f"{kind}:{table}")
    instance.write_main(access_settings(instance, [f"{kind}:{table}"]))
    instance.start()
    with instance.smtp() as client:
        client.ehlo()
        client.mail("s@example.org")
        assert b"old text" in client.rcpt("a@t.example")[1]
        workers = set(instance.workers("smtpd"))
        table.write_text("a@t.example  REJECT new text\n")
        instance.run("postmap", f"{kind}:{table}")
        wait_until(lambda: b"new text" in client.rcpt("a@t.example")[1], 20, "the new answer")
        assert set(instance.workers("smtpd")) & workers
    assert f"table {kind}:{table}(0,lock|fold_fix|utf8_request) has changed -- reopened" \
        in instance.log()


@pytest.mark.skipif(not IS_ROOT, reason="needs root for a chroot")
@pytest.mark.parametrize("kind", ["hash", "lmdb"])
def test_rebuilt_table_behind_a_chroot(instances, users, kind):
    """The file was opened before the chroot; the new one is for a new process."""
    instance = instances()
    table = instance.add_file("table", "a@t.example  REJECT old text\n")
    instance.run("postmap", f"{kind}:{table}")
    instance.write_main(access_settings(instance, [f"{kind}:{table}"]))
    master = (instance.etc / "master.cf").read_text().split("\n", 1)
    (instance.etc / "master.cf").write_text(f"{instance.port} inet n - y - - smtpd\n{master[1]}")
    instance.start()
    assert "old text" in reply_to_recipient(instance, "a@t.example")[1]
    table.write_text("a@t.example  REJECT new text\n")
    instance.run("postmap", f"{kind}:{table}")
    wait_until(lambda: "new text" in reply_to_recipient(instance, "a@t.example")[1], 20,
               "the new answer")
    assert "has changed -- restarting" in instance.log()


@pytest.mark.parametrize("kind", INDEXED)
def test_no_reader_misses_an_entry(instances, kind):
    """While a table is built again and again every question about it is answered."""
    instance = instances()
    lines = "".join(f"key{i}  value{i}\n" for i in range(500))
    table = instance.add_file("table", lines)
    instance.run("postmap", f"{kind}:{table}")
    stop = threading.Event()

    def rebuild():
        while not stop.is_set():
            instance.run("postmap", f"{kind}:{table}")
            instance.run("postmap", "-i", "-r", f"{kind}:{table}", input=b"key7 value7\n")

    writer = threading.Thread(target=rebuild)
    writer.start()
    try:
        for _ in range(15):
            keys = "".join(f"key{i}\n" for i in range(500)).encode()
            out = instance.run("postmap", "-q", "-", f"{kind}:{table}", input=keys).stdout
            assert out.decode().count("\n") == 500
    finally:
        stop.set()
        writer.join()
    assert not [p.name for p in instance.etc.iterdir() if p.name.startswith("table.")
                and p.suffix.lstrip(".") not in ("db", "lmdb", "cdb")]


# --- aliases, through local


@pytest.mark.parametrize("kind", INDEXED)
def test_aliases(instances, users, kind):
    user = users.add("pstable")
    maildir = pathlib.Path(user.pw_dir) / "Maildir"
    shutil.rmtree(maildir, ignore_errors=True)
    instance = instances()
    aliases = instance.add_file("aliases", f"Postmaster: {user.pw_name}\n")
    instance.write_main(f"alias_maps = {kind}:{aliases}\nalias_database = {kind}:{aliases}\n"
                        "mydestination = t.example, $myhostname\n")
    instance.run("newaliases")
    instance.start()
    instance.send("postmaster@t.example")
    wait_until(lambda: maildir_messages(maildir), 20, "a message")


def test_no_substitution_in_aliases(instances, users):
    """A client must not choose the file name or command that an alias stands for."""
    instance = instances()
    aliases = instance.add_file("aliases", "/^(.*)-box$/  /var/tmp/$1\n/^ok-box$/ postmaster\n")
    for kind in ("regexp", "pcre"):
        instance.write_main(f"alias_maps = {kind}:{aliases}\nmydestination = t.example\n"
                            "local_recipient_maps =\n")
        instance.start()
        instance.send("tables-test-box@t.example", sender="")
        instance.wait_log(f"warning: {kind} map {aliases}, line 1: regular expression substitution"
                          " is not allowed: skipping this rule")
        instance.wait_log("status=bounced .unknown user: \"tables-test-box\"")
        assert not os.path.exists("/var/tmp/tables-test")
        instance.stop()


def test_a_module_that_is_missing_defers_mail(instances):
    instance = instances()
    instance.add_file("dynamicmaps.cf", "lmdb  nosuchfile.so  dict_lmdb_open  mkmap_lmdb_open\n")
    instance.write_main(f"meta_directory = {instance.etc}\nmydestination = t.example\n"
                        f"local_recipient_maps = lmdb:{instance.etc}/users\n")
    instance.start()
    code, text = reply_to_recipient(instance, "x@t.example")
    assert (code, "Temporary lookup failure" in text) == (451, True), (code, text)
    instance.wait_log(r"warning: unsupported dictionary type: lmdb \(.*nosuchfile.so: No such file")
    listed = instance.run("postconf", "-m").stdout.decode().split()
    assert "lmdb" in listed and "cdb" not in listed


# --- postmap


def test_postmap_files_as_values(instances):
    instance = instances()
    first = instance.add_file("first", "one\n")
    second = instance.add_file("second", "two\n")
    table = instance.add_file("table", f"a {first}\nb {first}, {second}\nc {instance.etc}/none\n")
    for kind in INDEXED:
        run = instance.run("postmap", "-F", f"{kind}:{table}")
        assert f"warning: {table}, line 3: open {instance.etc}/none: No such file or directory: " \
               "skipping this entry" in run.stderr.decode()
        assert instance.run("postmap", "-F", "-q", "b", f"{kind}:{table}").stdout == \
            b"one\n\ntwo\n\n"
        assert instance.run("postmap", "-q", "a", f"{kind}:{table}").stdout == b"b25lCg==\n"


def test_postmap_json(instances):
    instance = instances()
    table = instance.add_file("table", 'a  "quoted" \\ and grüße\nb  2\n')
    instance.run("postmap", f"hash:{table}")
    everything = {}
    for line in instance.run("postmap", "-js", f"hash:{table}").stdout.decode().splitlines():
        everything |= json.loads(line)
    assert everything == {"a": '"quoted" \\ and grüße', "b": "2"}
    one = instance.run("postmap", "-j", "-q", "a", f"hash:{table}").stdout
    assert json.loads(one) == {"a": everything["a"]}
    run = instance.run("postmap", "-j", f"hash:{table}", check=False)
    assert run.returncode == 1 and b"specify -j only with -q or -s" in run.stderr


def test_postmap_answers_while_it_is_asked(instances):
    """A program that asks one question at a time through a pipe gets each answer at once."""
    instance = instances()
    table = instance.add_file("table", "a 1\nb 2\n")
    instance.run("postmap", f"hash:{table}")
    with subprocess.Popen([instance.suite / "sbin/postmap", "-c", instance.etc, "-q", "-",
                           f"hash:{table}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        for key, line in ((b"a\n", b"a\t1\n"), (b"nosuch\nb\n", b"b\t2\n")):
            child.stdin.write(key)
            child.stdin.flush()
            assert child.stdout.readline() == line
        child.stdin.close()
        assert child.wait(20) == 0


def test_interrupted_build_leaves_the_old_table(instances):
    instance = instances()
    table = instance.add_file("table", "a old\n")
    instance.run("postmap", f"hash:{table}")
    fifo = instance.etc / "fifo"
    os.mkfifo(fifo)
    (instance.etc / "fifo.db").write_bytes((instance.etc / "table.db").read_bytes())
    with subprocess.Popen([instance.suite / "sbin/postmap", "-c", instance.etc, f"hash:{fifo}"],
                          stderr=subprocess.PIPE) as child:
        with open(fifo, "w", encoding="ascii") as source:
            source.write("a new\n")
            source.flush()
            wait_until(lambda: list(instance.etc.glob("fifo.db.*")), 20, "the temporary file")
            child.terminate()
            assert b"interrupted" in child.stderr.read()
    assert instance.run("postmap", "-q", "a", f"hash:{fifo}").stdout == b"old\n"
    assert not list(instance.etc.glob("fifo.db.*"))


# --- the same files as Postfix


@pytest.fixture(scope="module")
def postfix(tmp_path_factory):
    """postmap of the distribution's Postfix, unpacked, not installed: run(arguments, input)."""
    where = tmp_path_factory.mktemp("postfix")
    packages = ["postfix", "postfix-lmdb", "postfix-cdb", "postfix-pcre"]
    found = pathlib.Path(os.environ.get("POSTFIX_UNPACKED", TOP / "build/bench/postfix-tables"))
    if not (found / "usr/lib/postfix/postfix-cdb.so").exists():
        found = where
        get = subprocess.run(["apt-get", "download", "-q", *packages], cwd=where,
                             capture_output=True, check=False)
        if get.returncode != 0:
            pytest.skip("Debian's Postfix cannot be downloaded: tables are not compared with it")
        for package in where.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, where], check=True)
    library = found / "usr/lib/postfix"
    etc = where / "etc-postfix"
    etc.mkdir()
    shutil.copy(found / "usr/share/postfix/dynamicmaps.cf", etc)
    (etc / "main.cf").write_text(
        f"compatibility_level = 3.6\nmyhostname = mail.example.com\nmail_owner = daemon\n"
        f"setgid_group = games\nshlib_directory = {library}\nmeta_directory = {etc}\n"
        f"daemon_directory = {library}/sbin\nqueue_directory = {where}\n")

    def run(*arguments, input=None):
        command = [found / "usr/sbin/postmap", "-c", etc, *arguments]
        result = subprocess.run(command, input=input, capture_output=True, timeout=60, check=False,
                                env={"LD_LIBRARY_PATH": str(library), "PATH": "/usr/bin:/bin"})
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


TABLE = "".join(f"user{i}@example.com  mailbox {i}\n" for i in range(3000)) + \
    "long  " + "x" * 20000 + "\n"
KEYS = "".join(f"user{i}@example.com\n" for i in range(0, 3200, 7)) + "long\n"


@pytest.mark.parametrize("kind", INDEXED)
@pytest.mark.parametrize("nul", [[], ["-n"], ["-N"]])
def test_files_are_shared_with_postfix(instances, postfix, kind, nul):
    instance = instances()
    table = instance.add_file("table", TABLE)
    name = f"{kind}:{table}"

    def ours(*arguments, input=None):
        return instance.run("postmap", *arguments, input=input).stdout

    ours(*nul, name)
    by_postfix = postfix("-q", "-", name, input=KEYS.encode())
    assert by_postfix.count(b"\n") == 430
    assert ours("-q", "-", name, input=KEYS.encode()) == by_postfix
    if kind != "cdb":                  # Postfix cannot change or list these
        postfix("-i", name, input=b"by.postfix yes\n")
        assert ours("-q", "by.postfix", name) == b"yes\n"
        postfix("-d", "user7@example.com", name)
        assert sorted(ours("-s", name).splitlines()) == sorted(postfix("-s", name).splitlines())
        assert b"user7@" not in ours("-s", name)
    ours("-i", name, input=b"by.us too\n")
    ours("-d", "user14@example.com", name)
    assert postfix("-q", "by.us", name) == b"too\n"
    assert b"user14@" not in postfix("-q", "-", name, input=KEYS.encode())
    postfix(*nul, name)                # over our file
    assert ours("-q", "-", name, input=KEYS.encode()) == by_postfix


def test_pattern_tables_answer_like_postfix(instances, postfix):
    """Many rules, of which few can be told apart by their words, and all the ways to nest them."""
    instance = instances()
    rules = []
    for i in range(400):
        rules += [f"/^user{i}@example{i % 7}\\.com$/  literal {i}",
                  f"/(offer|prize){i}[^a-z]/  either {i}", f"!/[a-z]{i % 5}/  without {i}"
                  if i == 399 else f"/x{i}y?z/  short {i}"]
        if i % 40 == 0:
            rules += [f"if /box{i}/", f"/user(.*)@/  in box $1 {i}", "endif"]
        if i % 90 == 0:
            rules += ["if !/@/", f"/^word{i}$/  no address {i}", "endif"]
    keys = [f"user{i}@example{i % 7}.com" for i in range(0, 420, 3)]
    keys += [f"an offer{i}!" for i in range(0, 420, 5)] + [f"X{i}Z" for i in range(0, 420, 11)]
    keys += [f"box{i}user9@" for i in range(0, 420, 40)] + ["word0", "word90", "1", "", "@"]
    source = ("\n".join(keys) + "\n").encode()
    for kind in ("pcre", "regexp"):
        table = instance.add_file(f"{kind}-rules", "\n".join(rules) + "\n")
        expected = postfix("-q", "-", f"{kind}:{table}", input=source)
        assert expected.count(b"\n") > 250
        assert instance.run("postmap", "-q", "-", f"{kind}:{table}", input=source).stdout == expected


# --- leaving Berkeley DB


def test_migration_from_berkeley_db(instances, users):
    """main.cf and those who run postmap go on saying hash:, the tables are of another type."""
    user = users.add("pstable")
    instance = instances()
    table = instance.add_file("access", "a@t.example  REJECT by lmdb\n")
    aliases = instance.add_file("aliases", f"someone: {user.pw_name}\n")
    instance.write_main(access_settings(instance, [f"hash:{table}"]) +
                        f"alias_maps = hash:{aliases}\nalias_database = hash:{aliases}\n"
                        "mydestination = t.example, $myhostname\n"
                        f"non_bdb_migration_allow_root_prefixes = {instance.etc}\n"
                        f"non_bdb_migration_allow_user_prefixes = {instance.etc}\n")
    assert b"non_bdb_migration_level = disable" in instance.postfix("non-bdb").stdout
    instance.run("postfix", "non-bdb", "enable-reindex")
    settings = instance.run("postconf", "-n").stdout.decode()
    assert "non_bdb_migration_level = enable-reindex" in settings
    assert "default_database_type = lmdb" in settings
    instance.start()
    assert "by lmdb" in reply_to_recipient(instance, "a@t.example")[1]
    assert (instance.etc / "access.lmdb").exists() and not (instance.etc / "access.db").exists()
    assert f"built lmdb:{table} for the migration" in instance.log()
    instance.run("postmap", f"hash:{table}")
    assert not (instance.etc / "access.db").exists()
    assert instance.run("postmap", "-q", "a@t.example", f"hash:{table}").stdout == \
        b"REJECT by lmdb\n"
    maildir = pathlib.Path(user.pw_dir) / "Maildir"
    shutil.rmtree(maildir, ignore_errors=True)
    instance.send("someone@t.example")          # built by postalias, not by postmap
    wait_until(lambda: maildir_messages(maildir), 20, "a message")
    instance.run("postfix", "non-bdb", "disable")
    assert "non_bdb_migration_level = disable" in instance.run("postconf", "-n").stdout.decode()


def test_check_looks_at_tables(instances):
    instance = instances()
    instance.add_file("rules", "/fine/ OK\n/(broken/ OK\n")
    instance.add_file("nets", "10.0.0.1/8 OK\n")
    old = instance.add_file("old", "a b\n")
    instance.run("postmap", f"hash:{old}")
    os.utime(f"{old}.db", (1000, 1000))
    os.utime(old, (2000, 2000))
    etc = instance.etc
    instance.write_main(
        f"start_of_a_name = hash:{etc}/\nvirtual_alias_maps = ${{start_of_a_name}}unbuilt\n"
        "smtpd_restriction_classes = mine\n"
        f"mine = check_client_access cidr:{etc}/nets\ntransport_maps = hash:{old}\n"
        f"smtpd_recipient_restrictions = check_sender_access proxy:pcre:{etc}/rules, reject\n")
    instance.run("postfix", "check")
    log = instance.log()
    for line in (f"error: open database {etc}/unbuilt.db: No such file or directory",
                 f"warning: database {old}.db is older than source file {old}",
                 f"warning: pcre map {etc}/rules, line 2: ",
                 f"warning: cidr map {etc}/nets, line 1: non-null host address bits"):
        assert line in log, (line, log)
    assert f"open database {etc}/.db" not in log
