# SPDX-License-Identifier: MIT
"""Servers behind tables, each a private instance of the real thing below a directory of its own,
or a scripted one.  What is not installed skips the test that wants it, visibly."""
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading

import pytest

from conftest import IS_ROOT, free_port, wait_until


def need_program(name, package, *places):
    """Path of a program that may be in odd places; the test is skipped without it."""
    found = shutil.which(name, path=os.pathsep.join(["/usr/bin", "/usr/sbin", *places]))
    if not found:
        pytest.skip(f"{name} is not installed (package {package})")
    return found


class Daemon:
    """A program that runs in the foreground until stop()."""

    def __init__(self, directory, user=None):
        """USER: whom it must run as when the tests run as root."""
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        os.chmod(self.dir, 0o755)
        self.process = None
        self.who = {}
        if IS_ROOT and user is not None:
            entry = pwd.getpwnam(user)
            self.who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.dir, entry.pw_uid, entry.pw_gid)
        self.environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C",
                            "HOME": str(self.dir)}

    def run(self, *command, input=None):
        result = subprocess.run([str(c) for c in command], input=input, capture_output=True,
                                timeout=120, env=self.environment, cwd=self.dir, check=False,
                                text=True, **self.who)
        assert result.returncode == 0, (command, result.stdout, result.stderr)
        return result.stdout

    def start_process(self, *command):
        with open(self.dir / "daemon.log", "ab") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment,
                                            cwd=self.dir, **self.who)

    def await_port(self, port):
        def accepts():
            assert self.process.poll() is None, (self.dir / "daemon.log").read_text()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            return False
        wait_until(accepts, 60, f"a server on port {port}")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class MariaDB(Daemon):
    """Database "mail", user "reader" with the password "se$cret'"."""

    def __init__(self, directory, *options):
        self.server = need_program("mariadbd", "mariadb-server", "/usr/libexec")
        self.client = need_program("mariadb", "mariadb-client")
        install = need_program("mariadb-install-db", "mariadb-server")
        super().__init__(directory, user="mysql")
        self.port = free_port()
        self.socket = self.dir / "socket"
        self.options = options
        self.run(install, "--no-defaults", f"--datadir={self.dir}/data", "--skip-test-db",
                 "--auth-root-authentication-method=normal")
        self.start()
        self.sql("CREATE DATABASE mail CHARACTER SET utf8mb4;"
                 "CREATE USER reader IDENTIFIED BY 'se$cret\\'';"
                 "GRANT SELECT, EXECUTE ON mail.* TO reader;", database="mysql")

    def start(self):
        self.start_process(
            self.server, "--no-defaults", f"--datadir={self.dir}/data", f"--port={self.port}",
            f"--socket={self.socket}", "--bind-address=127.0.0.1", "--skip-name-resolve",
            f"--pid-file={self.dir}/pid", "--innodb-buffer-pool-size=8M",
            "--innodb-flush-log-at-trx-commit=0", "--plugin-maturity=unknown", *self.options)
        self.await_port(self.port)

    def sql(self, text, database="mail"):
        return self.run(self.client, "--no-defaults", f"--socket={self.socket}", "--user=root",
                        "--default-character-set=utf8mb4", "--batch", "--skip-column-names",
                        database, input=text)


class PostgreSQL(Daemon):
    """Database "mail", user "reader" with the password "se$cret'"."""

    def __init__(self, directory):
        places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self.server = need_program("postgres", "postgresql", *places)
        initdb = need_program("initdb", "postgresql", *places)
        self.client = need_program("psql", "postgresql-client", *places)
        super().__init__(directory, user="postgres")
        self.port = free_port()
        self.run(initdb, "-D", self.dir / "data", "-U", "owner", "-E", "UTF8", "--locale=C",
                 "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync")
        self.start()
        self.sql("CREATE DATABASE mail", database="postgres")
        self.sql("CREATE ROLE reader LOGIN PASSWORD 'se$cret''';"
                 "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")

    def start(self):
        self.start_process(self.server, "-D", self.dir / "data", "-p", self.port, "-k", self.dir,
                           "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                           "-c", "shared_buffers=1MB")
        self.await_port(self.port)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(2)  # fast shutdown: SIGTERM waits for clients
        super().stop()

    def sql(self, text, database="mail"):
        return self.run(self.client, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                        self.dir, "-p", self.port, "-U", "owner", database, input=text)


SLAPD_CONF = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/pid
argsfile {dir}/args
{more}
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw admin
directory {dir}/data
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=secret,dc=example,dc=com"
    by dn.exact="cn=postfix,dc=example,dc=com" read by * none
access to * by * read
"""


class OpenLDAP(Daemon):
    """The tree dc=example,dc=com."""

    def __init__(self, directory, more="", schemes="ldap"):
        self.server = need_program("slapd", "slapd")
        self.add_program = need_program("ldapadd", "ldap-utils")
        schema = next((d for d in ("/etc/ldap/schema", "/etc/openldap/schema")
                       if os.path.isdir(d)), None)
        if schema is None:
            pytest.skip("the schemas of slapd are not installed (package slapd)")
        super().__init__(directory)
        self.port, self.tls_port = free_port(), free_port()
        self.socket = self.dir / "ldapi"
        self.with_tls = "ldaps" in schemes
        (self.dir / "data").mkdir()
        (self.dir / "slapd.conf").write_text(
            SLAPD_CONF.format(schema=schema, dir=self.dir, more=more))
        self.start()

    def start(self):
        urls = [f"ldap://127.0.0.1:{self.port}",
                "ldapi://" + str(self.socket).replace("/", "%2F")]
        if self.with_tls:
            urls.append(f"ldaps://127.0.0.1:{self.tls_port}")
        self.start_process(self.server, "-d", "0", "-f", self.dir / "slapd.conf",
                           "-h", " ".join(urls))
        self.await_port(self.port)

    def add(self, ldif):
        self.run(self.add_program, "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D",
                 "cn=admin,dc=example,dc=com", "-w", "admin", input=ldif)


class Memcached(Daemon):
    def __init__(self, directory):
        self.server = need_program("memcached", "memcached")
        super().__init__(directory)
        self.port = free_port()
        self.start()

    def start(self):
        user = ["-u", "nobody"] if IS_ROOT else []
        self.start_process(self.server, *user, "-l", "127.0.0.1", "-p", self.port, "-U", "0",
                           "-m", "8", "-t", "1")
        self.await_port(self.port)

    def talk(self, request):
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read()


class LineServer:
    """A scripted server: ANSWER(connection file) is called until it returns None."""

    def __init__(self, answer, port=0):
        self.connections = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.connections += 1
                with contextlib.suppress(OSError):
                    while (reply := answer(self.rfile)) is not None:
                        self.wfile.write(reply)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 100

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def daemons():
    """Starts daemons by class; all are stopped at the end."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="postern-servers-"))
    os.chmod(base, 0o755)
    made = []

    def make(kind, *arguments, **options):
        daemon = kind.__new__(kind)
        made.append(daemon)
        daemon.process = None
        daemon.__init__(base / str(len(made)), *arguments, **options)
        return daemon

    yield make
    for daemon in made:
        daemon.stop()
    shutil.rmtree(base, ignore_errors=True)
