# SPDX-License-Identifier: MIT
"""sqlite:, mysql:, pgsql: and ldap: tables with real databases behind them."""
import smtplib
import sqlite3
import subprocess

import time

import pytest

from conftest import catch_all_settings, maildir_messages, wait_until
from table_servers import MariaDB, OpenLDAP, PostgreSQL, daemons, need_program  # noqa: F401

TABLES = "meta_directory = {suite}/share/postfix\nshlib_directory = {suite}/lib/postfix\n"

# Keys that try to leave the string they are put into.
HOSTILE = [
    "' OR '1'='1", "x' OR 1=1 -- ", "'; DROP TABLE alias; -- ", "\\' OR 1=1 -- ", "\\", "\\\\",
    "'' OR ''='", "%' OR address LIKE '%", "x\\", "a'/*", "*/ OR 1=1", '" OR ""="', "`", "$1",
    "*", "*)(uid=*", "a)(|(uid=*)", "\\2a", "a,dc=example", "x+y=z", "#x", "<>;", "(", ")",
    "\u2019 OR 1=1", "\u00bf\u0027 OR 1=1", "%s%d%u", "{}", "$$", "@", "a@", "'@'",
]


class Tables:
    """An instance whose commands and workers know the modules."""

    def __init__(self, instance):
        self.instance = instance
        instance.write_main(TABLES.format(suite=instance.suite))

    def query(self, table, key):
        """The answer, None, or the error message."""
        run = self.instance.run("postmap", "-q", key, table, check=False)
        if run.returncode == 0:
            return run.stdout.decode().rstrip("\n")
        assert run.returncode == 1, run
        return f"error: {run.stderr.decode()}" if b"fatal" in run.stderr else None

    def query_all(self, table, keys):
        """Answers to many keys, one process."""
        run = self.instance.run("postmap", "-q", "-", table, check=False,
                                input="".join(k + "\n" for k in keys).encode())
        assert run.returncode in (0, 1) and b"fatal" not in run.stderr, run
        return dict(line.split("\t", 1) for line in run.stdout.decode().splitlines())


@pytest.fixture
def tables(instances):
    return Tables(instances())


ALIASES = """
CREATE TABLE alias (address VARCHAR(200) PRIMARY KEY, goto VARCHAR(200), active INT);
INSERT INTO alias VALUES ('ann@example.com', 'ann@box.example', 1);
INSERT INTO alias VALUES ('o''neill@example.com', 'neill@box.example', 1);
INSERT INTO alias VALUES ('list@example.com', 'a@box.example', 1);
INSERT INTO alias VALUES ('j\u00fcrgen@example.com', 'juergen@box.example', 1);
INSERT INTO alias VALUES ('old@example.com', 'gone@box.example', 0);
CREATE TABLE member (list VARCHAR(200), address VARCHAR(200), second VARCHAR(200));
INSERT INTO member VALUES ('l', 'a@x', 'b@x');
INSERT INTO member VALUES ('l', 'c@x', NULL);
"""
QUERY = "SELECT goto FROM alias WHERE address = '%s' AND active = 1"


def check_aliases(tables, table):
    assert tables.query(table, "ann@example.com") == "ann@box.example"
    assert tables.query(table, "ANN@Example.com") == "ann@box.example"
    assert tables.query(table, "o'neill@example.com") == "neill@box.example"
    assert tables.query(table, "j\u00fcrgen@example.com") == "juergen@box.example"
    assert tables.query(table, "old@example.com") is None
    assert tables.query(table, "nobody@example.com") is None
    assert tables.query_all(table, HOSTILE) == {}
    many = [f"user{i}@example.com" for i in range(200)] + ["ann@example.com"]
    assert tables.query_all(table, many) == {"ann@example.com": "ann@box.example"}


def check_echo(tables, table):
    """TABLE selects its key: it comes back as it went in, folded."""
    keys = [key for key in HOSTILE if key == key.strip()]
    assert tables.query_all(table, keys) == {key: key.lower() for key in keys}


# --- SQLite


def test_sqlite(tables, tmp_path):
    path = tables.instance.dir / "db"
    with sqlite3.connect(path) as db:
        db.executescript(ALIASES)
    cf = tables.instance.add_file("sqlite.cf", f"dbpath = {path}\nquery = {QUERY}\n")
    check_aliases(tables, f"sqlite:{cf}")
    echo = tables.instance.add_file("echo.cf", f"dbpath = {path}\nquery = SELECT '%s'\n")
    check_echo(tables, f"sqlite:{echo}")
    types = tables.instance.run("postconf", "-m").stdout.decode().split()
    assert {"ldap", "memcache", "mysql", "pgsql", "proxy", "socketmap", "sqlite", "tcp"} <= set(types)


# --- MariaDB


def mysql_cf(tables, name, server, *more, query=QUERY):
    hosts = "" if any(m.startswith("hosts") for m in more) else f"hosts = 127.0.0.1:{server.port}"
    lines = [hosts, "user = reader", "password = se$cret'", "dbname = mail", f"query = {query}"]
    cf = tables.instance.add_file(name, "\n".join([*lines, *more]) + "\n")
    return f"mysql:{cf}"


@pytest.fixture
def mariadb(daemons):  # noqa: F811
    server = daemons(MariaDB)
    server.sql(ALIASES)
    return server


def test_mysql(tables, mariadb):
    table = mysql_cf(tables, "aliases.cf", mariadb)
    check_aliases(tables, table)
    check_echo(tables, mysql_cf(tables, "echo.cf", mariadb, query="SELECT '%s'"))
    # Inside double quotes too.
    check_echo(tables, mysql_cf(tables, "echo2.cf", mariadb, query='SELECT "%s"'))
    # All columns of all rows, the empty ones left out.
    members = "SELECT address, second FROM member WHERE list = '%s' ORDER BY address"
    assert tables.query(mysql_cf(tables, "m.cf", mariadb, query=members), "l") == "a@x,b@x,c@x"
    assert "more than 2 results" in tables.query(
        mysql_cf(tables, "m.cf", mariadb, "expansion_limit = 2", query=members), "l")
    assert tables.query(mysql_cf(tables, "m.cf", mariadb, "result_format = %u.%S", query=members),
                        "l") == "a.l,b.l,c.l"
    # By the socket, in main.cf, and with the parameters of old.
    assert tables.query(mysql_cf(tables, "s.cf", mariadb, f"hosts = unix:{mariadb.socket}"),
                        "ann@example.com") == "ann@box.example"
    main = TABLES.format(suite=tables.instance.suite)
    tables.instance.write_main(
        main + f"sq_hosts = inet:127.0.0.1:{mariadb.port}\nsq_user = reader\n"
        "sq_password = se$$cret'\nsq_dbname = mail\nsq_select_field = goto\nsq_table = alias\n"
        "sq_where_field = address\nsq_additional_conditions = and active = 1\n")
    assert tables.query("mysql:sq", "ann@example.com") == "ann@box.example"
    assert tables.query("mysql:sq", "old@example.com") is None


def test_mysql_stored_procedures(tables, mariadb):
    mariadb.sql("""
        DELIMITER //
        CREATE PROCEDURE look_up(IN a VARCHAR(200)) READS SQL DATA
        BEGIN SELECT goto FROM alias WHERE address = a; END //
        CREATE PROCEDURE two(IN a VARCHAR(200)) READS SQL DATA
        BEGIN SELECT 1; SELECT 2; END //
        CREATE PROCEDURE none(IN a VARCHAR(200)) READS SQL DATA
        BEGIN SET @x = 1; END //
        """)
    one = mysql_cf(tables, "one.cf", mariadb, query="CALL look_up('%s')")
    keys = ["ann@example.com", "nobody", "list@example.com"]
    assert tables.query_all(one, keys) == {"ann@example.com": "ann@box.example",
                                           "list@example.com": "a@box.example"}
    assert "multiple result sets" in tables.query(
        mysql_cf(tables, "two.cf", mariadb, query="CALL two('%s')"), "k")
    assert "no result set" in tables.query(
        mysql_cf(tables, "none.cf", mariadb, query="CALL none('%s')"), "k")
    assert tables.query(mysql_cf(tables, "no.cf", mariadb, "require_result_set = no",
                                 query="CALL none('%s')"), "k") is None


def test_mysql_option_file(tables, mariadb):
    options = tables.instance.add_file(
        "my.cnf", f"[client]\nport = {mariadb.port}\n[mail]\nuser = reader\n"
                  "password = \"se$cret'\"\n")
    cf = tables.instance.add_file("o.cf", "hosts = 127.0.0.1\ndbname = mail\n"
                                          f"option_file = {options}\noption_group = mail\n"
                                          f"query = {QUERY}\n")
    assert tables.query(f"mysql:{cf}", "ann@example.com") == "ann@box.example"


def make_certificate(directory):
    """A certificate for localhost that is its own authority."""
    need_program("openssl", "openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", directory / "key.pem",
                    "-out", directory / "cert.pem"], check=True, capture_output=True)
    for name in ("key.pem", "cert.pem"):
        (directory / name).chmod(0o644)
    return directory / "cert.pem", directory / "key.pem"


def test_mysql_tls(tables, daemons):  # noqa: F811
    cert, key = make_certificate(tables.instance.dir)
    server = daemons(MariaDB, f"--ssl-cert={cert}", f"--ssl-key={key}", f"--ssl-ca={cert}")
    server.sql(ALIASES)
    server.sql("ALTER USER reader REQUIRE SSL")
    query = "SHOW STATUS LIKE 'Ssl_cipher'"
    with_tls = mysql_cf(tables, "tls.cf", server, f"tls_CAfile = {cert}", "tls_verify_cert = yes",
                        query=query)
    assert tables.query(with_tls, "k").startswith("Ssl_cipher,TLS_")
    assert "SSL" in tables.query(mysql_cf(tables, "plain.cf", server, query=query), "k") or \
        "Access denied" in tables.query(mysql_cf(tables, "plain.cf", server, query=query), "k")
    (tables.instance.dir / "other").mkdir()
    other, _ = make_certificate(tables.instance.dir / "other")
    assert "error" in tables.query(
        mysql_cf(tables, "bad.cf", server, f"tls_CAfile = {other}", "tls_verify_cert = yes"), "k")


def test_mysql_errors(tables, mariadb):
    assert "connect to mysql server 127.0.0.1:1:" in tables.query(
        mysql_cf(tables, "e.cf", mariadb, "hosts = 127.0.0.1:1"), "k")
    assert "Access denied" in tables.query(
        mysql_cf(tables, "e.cf", mariadb, "password = wrong"), "k")
    assert "mysql query failed: Table 'mail.nosuch' doesn't exist" in tables.query(
        mysql_cf(tables, "e.cf", mariadb, query="SELECT * FROM nosuch"), "k")
    # A second statement is none.
    assert "error in your SQL syntax" in tables.query(
        mysql_cf(tables, "e.cf", mariadb, query="SELECT 1; SELECT 2"), "k")
    assert "bad string length 0 < 1: dbname" in tables.query(
        "mysql:" + str(tables.instance.add_file("e.cf", "query = SELECT 1\n")), "k")
    # The second server is asked when the first is down.
    both = mysql_cf(tables, "b.cf", mariadb, f"hosts = 127.0.0.1:1 127.0.0.1:{mariadb.port}")
    for _ in range(5):
        assert tables.query(both, "ann@example.com") == "ann@box.example"
    slow = mysql_cf(tables, "w.cf", mariadb, "timeout = 1", query="SELECT SLEEP(30)")
    assert "error" in tables.query(slow, "k")


# --- PostgreSQL


def pgsql_cf(tables, name, server, *more, query=QUERY):
    hosts = "" if any(m.startswith("hosts") for m in more) else f"hosts = 127.0.0.1:{server.port}"
    lines = [hosts, "user = reader", "password = se$cret'", "dbname = mail", f"query = {query}"]
    cf = tables.instance.add_file(name, "\n".join([*lines, *more]) + "\n")
    return f"pgsql:{cf}"


@pytest.fixture
def postgresql(daemons):  # noqa: F811
    server = daemons(PostgreSQL)
    server.sql(ALIASES)
    return server


def test_pgsql(tables, postgresql):
    check_aliases(tables, pgsql_cf(tables, "aliases.cf", postgresql))
    check_echo(tables, pgsql_cf(tables, "echo.cf", postgresql, query="SELECT '%s'"))
    members = "SELECT address, second FROM member WHERE list = '%s' ORDER BY address"
    table = pgsql_cf(tables, "m.cf", postgresql, query=members)
    assert tables.query(table, "l") == "a@x,b@x,c@x"
    assert "more than 2 results" in tables.query(
        pgsql_cf(tables, "m.cf", postgresql, "expansion_limit = 2", query=members), "l")
    # Other ways to name the server.
    for hosts in (f"unix:{postgresql.dir}", f"postgresql://127.0.0.1:{postgresql.port}/mail",
                  f"postgresql://reader:se%24cret%27@localhost:{postgresql.port}/mail?sslmode=prefer"):
        more = [f"hosts = {hosts}"]
        if hosts.startswith("unix"):
            more[0] = f"hosts = postgresql:///mail?host={postgresql.dir}&port={postgresql.port}"
        assert tables.query(pgsql_cf(tables, "h.cf", postgresql, *more),
                            "ann@example.com") == "ann@box.example"
    # A function, and the parameters of old.
    postgresql.sql("CREATE FUNCTION look_up(a text) RETURNS text LANGUAGE sql AS "
                   "'SELECT goto FROM alias WHERE address = a'")
    old = pgsql_cf(tables, "f.cf", postgresql, "select_function = look_up", query="")
    assert tables.query(old, "ann@example.com") == "ann@box.example"
    assert tables.query(old, "nobody") is None


def test_pgsql_errors(tables, postgresql):
    assert "connect to pgsql server 127.0.0.1:1:" in tables.query(
        pgsql_cf(tables, "e.cf", postgresql, "hosts = 127.0.0.1:1"), "k")
    wrong = tables.query(pgsql_cf(tables, "e.cf", postgresql, "password = wrong"), "k")
    assert "password authentication failed" in wrong
    secret = f"hosts = postgresql://reader:hidden@127.0.0.1:{postgresql.port}/mail"
    assert "hidden" not in tables.query(
        pgsql_cf(tables, "e.cf", postgresql, secret, "password ="), "k")
    assert 'pgsql query failed: ERROR:  relation "nosuch" does not exist' in tables.query(
        pgsql_cf(tables, "e.cf", postgresql, query="SELECT * FROM nosuch"), "k")
    assert "cannot insert multiple commands" in tables.query(
        pgsql_cf(tables, "e.cf", postgresql, query="SELECT 1; SELECT 2"), "k")
    assert "Connection timed out" in tables.query(
        pgsql_cf(tables, "e.cf", postgresql, "timeout = 1", query="SELECT pg_sleep(30)"), "k")


# --- OpenLDAP


LDIF = """\
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=secret,dc=example,dc=com
objectClass: organizationalUnit
ou: secret

dn: cn=postfix,dc=example,dc=com
objectClass: person
objectClass: simpleSecurityObject
cn: postfix
sn: postfix
userPassword: se$cret'

dn: uid=ann,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: Jones
mail: ann@example.com
mail: ann@box.example

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Stone
mail: bob@example.com

dn: uid=o'neill*,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: o'neill*
cn: O'Neill
sn: O'Neill
mail: star@example.com

dn: uid=hidden,ou=secret,dc=example,dc=com
objectClass: inetOrgPerson
uid: hidden
cn: Hidden
sn: Hidden
mail: hidden@example.com

dn: cn=team,ou=people,dc=example,dc=com
objectClass: groupOfNames
objectClass: extensibleObject
cn: team
mail: team@example.com
member: uid=ann,ou=people,dc=example,dc=com
member: cn=inner,ou=people,dc=example,dc=com
member: uid=gone,ou=people,dc=example,dc=com

dn: cn=inner,ou=people,dc=example,dc=com
objectClass: groupOfNames
objectClass: extensibleObject
cn: inner
mail: inner@example.com
member: uid=bob,ou=people,dc=example,dc=com

dn: cn=urls,ou=people,dc=example,dc=com
objectClass: groupOfNames
objectClass: extensibleObject
cn: urls
member: uid=ann,ou=people,dc=example,dc=com
labeledURI: ldap:///ou=people,dc=example,dc=com?mail?one?(sn=Stone)
labeledURI: ldap:///uid=ann,ou=people,dc=example,dc=com?cn

dn: cn=handled,ou=people,dc=example,dc=com
objectClass: groupOfNames
objectClass: extensibleObject
cn: handled
description: elsewhere@lists.example
member: uid=ann,ou=people,dc=example,dc=com

dn: cn=loop,ou=people,dc=example,dc=com
objectClass: groupOfNames
cn: loop
member: cn=loop,ou=people,dc=example,dc=com
"""


def ldap_cf(tables, name, server, *more):
    given = {m.split("=")[0].strip() for m in more}
    defaults = {"server_host": f"127.0.0.1:{server.port}",
                "search_base": "ou=people,dc=example,dc=com",
                "query_filter": "uid=%s", "result_attribute": "mail", "bind": "no"}
    lines = [f"{k} = {v}" for k, v in defaults.items() if k not in given]
    return "ldap:" + str(tables.instance.add_file(name, "\n".join([*lines, *more]) + "\n"))


@pytest.fixture
def openldap(daemons):  # noqa: F811
    server = daemons(OpenLDAP)
    server.add(LDIF)
    return server


def test_ldap(tables, openldap):
    table = ldap_cf(tables, "t.cf", openldap)
    assert set(tables.query(table, "ann").split(",")) == {"ann@example.com", "ann@box.example"}
    assert tables.query(table, "nobody") is None
    # Quoting: a star is a star.
    assert tables.query(table, "o'neill*") == "star@example.com"
    assert tables.query_all(table, HOSTILE) == {}
    named = ldap_cf(tables, "n.cf", openldap, "search_base = uid=%s,ou=people,dc=example,dc=com",
                    "scope = base", "query_filter = objectClass=*")
    assert tables.query(named, "bob") == "bob@example.com"
    assert tables.query(named, "o'neill*") == "star@example.com"
    assert tables.query_all(named, HOSTILE) == {}
    assert tables.query(named, "bob,ou=people,dc=example,dc=com") is None
    by_address = ldap_cf(tables, "a.cf", openldap, "query_filter = (&(mail=%s)(uid=%u))",
                         "result_attribute = uid, cn", "domain = example.com",
                         "result_format = %s@%D")
    assert tables.query(by_address, "bob@example.com") == "bob@example.com,Bob@example.com"
    assert tables.query(by_address, "ann@box.example") is None
    for host in (f"ldap://127.0.0.1:{openldap.port}", "ldapi://" + str(openldap.socket).replace("/", "%2F"),
                 f"ldap://127.0.0.1:1 ldap://127.0.0.1:{openldap.port}", "127.0.0.1"):
        more = [f"server_host = {host}", f"server_port = {openldap.port}"]
        assert tables.query(ldap_cf(tables, "h.cf", openldap, *more), "bob") == "bob@example.com"


def test_ldap_recursion(tables, openldap):
    def ask(key, *more):
        answer = tables.query(ldap_cf(tables, "r.cf", openldap, "query_filter = cn=%s", *more), key)
        return set(answer.split(",")) if answer and not answer.startswith("error") else answer
    special = "special_result_attribute = member, labeledURI"
    assert ask("team", special) == {"team@example.com", "inner@example.com", "ann@example.com",
                                    "ann@box.example", "bob@example.com"}
    # Leaves only: the groups' own addresses are left out.
    assert ask("team", special, "result_attribute =", "leaf_result_attribute = mail") == {
        "ann@example.com", "ann@box.example", "bob@example.com"}
    assert ask("handled", special, "terminal_result_attribute = description") == {
        "elsewhere@lists.example"}
    assert ask("handled", special) == {"ann@example.com", "ann@box.example"}
    # A URL that selects "cn" selects nothing that the table wants.
    assert ask("urls", "special_result_attribute = labeledURI") == {"bob@example.com"}
    assert "Recursion limit exceeded" in ask("loop", special)
    assert "Recursion limit exceeded" in ask("team", special, "recursion_limit = 2")
    assert "bob@example.com" in ask("team", special, "recursion_limit = 3")
    assert "more than 2 results" in ask("team", special, "expansion_limit = 2", "size_limit = 0")
    assert "Size limit exceeded" in ask("*x", "query_filter = mail=*", "size_limit = 1")


def test_ldap_bind(tables, openldap):
    secret = ["search_base = ou=secret,dc=example,dc=com"]
    who = ["bind_dn = cn=postfix,dc=example,dc=com", "bind_pw = se$cret'"]
    # Who may not see a search base hears that there is none: the table cannot answer.
    assert "Search base" in tables.query(ldap_cf(tables, "b.cf", openldap, *secret), "hidden")
    for kind in ("yes", "simple"):
        table = ldap_cf(tables, "b.cf", openldap, *secret, *who, f"bind = {kind}")
        assert tables.query(table, "hidden") == "hidden@example.com"
    old = ldap_cf(tables, "b.cf", openldap, *secret, *who, "bind = yes", "version = 2")
    assert "protocol version not supported" in tables.query(old, "hidden").lower() or \
        "protocol error" in tables.query(old, "hidden").lower()
    wrong = ldap_cf(tables, "b.cf", openldap, *secret, who[0], "bind_pw = wrong", "bind = yes")
    assert "Invalid credentials" in tables.query(wrong, "hidden")


def test_ldap_sasl(tables, daemons):  # noqa: F811
    """EXTERNAL over the socket: the server knows who we are."""
    server = daemons(OpenLDAP, more='authz-regexp "gidNumber=.*,cn=peercred,cn=external,cn=auth" '
                                    '"cn=postfix,dc=example,dc=com"')
    server.add(LDIF)
    table = ldap_cf(tables, "x.cf", server, "search_base = ou=secret,dc=example,dc=com",
                    "server_host = ldapi://" + str(server.socket).replace("/", "%2F"),
                    "bind = sasl", "sasl_mechs = EXTERNAL")
    assert tables.query(table, "hidden") == "hidden@example.com"
    none = ldap_cf(tables, "x.cf", server, "bind = sasl", "sasl_mechs = NOSUCH")
    assert "Unable to bind to server" in tables.query(none, "hidden")


def test_ldap_tls(tables, daemons):  # noqa: F811
    cert, key = make_certificate(tables.instance.dir)
    server = daemons(OpenLDAP, schemes="ldap ldaps",
                     more=f"TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\nsecurity ssf=1")
    # The tree is filled over the socket of the machine, which counts as secure enough.
    server.run(server.add_program, "-x", "-H", "ldapi://" + str(server.socket).replace("/", "%2F"),
               "-D", "cn=admin,dc=example,dc=com", "-w", "admin", input=LDIF)
    check = [f"tls_ca_cert_file = {cert}", "tls_require_cert = yes"]
    start = ldap_cf(tables, "t.cf", server, "start_tls = yes", *check)
    assert tables.query(start, "bob") == "bob@example.com"
    direct = ldap_cf(tables, "t.cf", server, f"server_host = ldaps://127.0.0.1:{server.tls_port}",
                     *check)
    assert tables.query(direct, "bob") == "bob@example.com"
    lax = ldap_cf(tables, "t.cf", server, "start_tls = yes")
    assert tables.query(lax, "bob") == "bob@example.com"
    assert "onfidentiality required" in tables.query(ldap_cf(tables, "t.cf", server), "bob")
    (tables.instance.dir / "other").mkdir()
    other, _ = make_certificate(tables.instance.dir / "other")
    bad = ldap_cf(tables, "t.cf", server, "start_tls = yes", f"tls_ca_cert_file = {other}",
                  "tls_require_cert = yes")
    assert "STARTTLS" in tables.query(bad, "bob")


def test_ldap_errors(tables, openldap):
    assert "Can't contact LDAP server" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "server_host = 127.0.0.1:1"), "k")
    assert "Bad search filter" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "query_filter = (uid=%s"), "k")
    assert "no LDAP URL" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "server_host = ldap://[x"), "k")
    assert "Search base 'dc=nosuch' not found" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "search_base = dc=nosuch"), "k")
    assert "unsupported bind method" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "bind = perhaps"), "k")
    assert "unrecognized value for scope" in tables.query(
        ldap_cf(tables, "e.cf", openldap, "scope = all"), "k")


# --- through the mail system


def flow(instance, user, table):
    """virtual_alias_maps names the table without proxy:."""
    instance.write_main(TABLES.format(suite=instance.suite) + catch_all_settings(user.pw_name) +
                        f"virtual_alias_maps = {table}\nvirtual_alias_domains = example.com\n")
    return instance.start()


@pytest.mark.parametrize("kind", ["mysql", "pgsql"])
def test_mail_by_sql(instances, users, daemons, kind):  # noqa: F811
    """Recipients in a database: accepted, refused, deferred while it is down, and well again."""
    server = daemons(MariaDB if kind == "mysql" else PostgreSQL)
    server.sql(ALIASES)
    user = users.add("pstann")
    instance = instances()
    tables = Tables(instance)
    make_cf = mysql_cf if kind == "mysql" else pgsql_cf
    table = make_cf(tables, "aliases.cf", server, "retry_interval = 1")
    flow(instance, user, table)
    before = len(maildir_messages(f"{user.pw_dir}/Maildir"))
    instance.send("ann@example.com")
    wait_until(lambda: len(maildir_messages(f"{user.pw_dir}/Maildir")) > before)
    with instance.smtp() as client:
        client.helo()
        client.mail("x@example.org")
        assert client.rcpt("nobody@example.com")[0] == 550
        for key in ("x'or'1'='1@example.com", "o'neill@example.com"):
            code, text = client.rcpt(key)
            assert code == (250 if key.startswith("o'") else 550), text
        assert client.rcpt('"x\' OR 1=1 -- "@example.com')[0] == 550
        server.stop()
        time.sleep(1.5)  # smtpd remembers for a second who exists
        code, text = client.rcpt("ann@example.com")
        assert (code, b"4.3.0" in text) == (451, True), text
        assert b"Temporary lookup failure" in text
    assert f"warning: {kind}:{instance.etc}/aliases.cf" in instance.log()
    server.start()
    def accepted():
        with instance.smtp() as client:
            client.helo()
            client.mail("x@example.org")
            return client.rcpt("ann@example.com")[0] == 250
    wait_until(accepted, 30, "the table works again", 0.5)


def test_mail_by_sqlite_and_ldap(instances, users, daemons):  # noqa: F811
    """Two more kinds, in one list, one of them behind proxy: by name."""
    server = daemons(OpenLDAP)
    server.add(LDIF)
    user = users.add("pstann")
    instance = instances()
    tables = Tables(instance)
    path = instance.dir / "db"
    with sqlite3.connect(path) as db:
        db.executescript(ALIASES)
    path.chmod(0o644)
    sqlite = f"sqlite:{instance.add_file('s.cf', f'dbpath = {path}' + chr(10) + f'query = {QUERY}' + chr(10))}"
    ldap = ldap_cf(tables, "l.cf", server, "query_filter = mail=%s", "result_attribute = uid")
    flow(instance, user, f"{sqlite}, proxy:{ldap}")
    before = len(maildir_messages(f"{user.pw_dir}/Maildir"))
    instance.send(["ann@example.com", "bob@example.com"])
    wait_until(lambda: len(maildir_messages(f"{user.pw_dir}/Maildir")) > before + 1)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        instance.send("*@example.com")
    assert refused.value.recipients["*@example.com"][0] == 550
