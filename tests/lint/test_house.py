# SPDX-License-Identifier: MIT
"""The house rules that a script can check (docs/architecture.md, CONTRIBUTING.md)."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]

# What each layer of lib/ may include: itself and everything its entry reaches.
NEEDS = {
    "base": [],
    "sys": ["base"],
    "task": ["sys"],
    "net": ["task"],
    "conf": ["sys"],
    "map": ["net", "conf"],
    "tls": ["map"],
    "mail": ["net", "conf"],
    "rpc": ["mail"],
    "route": ["map", "rpc"],
    "mailbox": ["rpc"],
    "service": ["map", "rpc"],
    "testing": ["net"],
}
# The event library is known to one layer; resolver and databases likewise.
OWNED_HEADERS = {
    r"event2/.*": ["lib/task"],
    r"ares.*\.h": ["lib/net"],
    r"db\.h": ["lib/map"],
    r"pcre2\.h": ["lib/map"],
    r"openssl/.*": ["lib/tls", "fuzz", "bench", "postconf/show_other.c"],
    r"sasl/.*": ["auth", "smtp", "modules", "tests"],
    r"(lmdb|cdb|ldap|libpq-fe|mysql|mysqld_error|sqlite3)\.h": ["modules"],
}
PROGRAM_HEADERS = ("generated", "valgrind")
FORBIDDEN_CALLS = (
    "sprintf vsprintf strcpy strcat gets atoi atol gethostbyname gethostbyaddr system setjmp "
    "longjmp tmpnam mktemp strtok"
).split()


def reach(layer, seen=None):
    seen = seen if seen is not None else set()
    if layer not in seen:
        seen.add(layer)
        for below in NEEDS[layer]:
            reach(below, seen)
    return seen


def sources(*suffixes):
    names = subprocess.run(
        ["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"],
        capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted(n for n in names if n.endswith(suffixes) and (TOP / n).is_file())


def text(name):
    return (TOP / name).read_text(encoding="utf-8")


def without_comments(source):
    """Comments and string contents blanked, line numbers kept."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*'
    def blank(match):
        return match.group(0)[0] + re.sub(r"[^\n]", " ", match.group(0)[1:])
    return re.sub(pattern, blank, source, flags=re.S)


def includes(name):
    """(header, ours): ours are the quoted ones."""
    found = re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', text(name), re.M)
    return [(header, quote == '"') for quote, header in found]


def include_error(name, header, ours=True):
    parts = name.split("/")
    first = header.split("/")[0]
    for pattern, owners in OWNED_HEADERS.items():
        if re.fullmatch(pattern, header) and not name.startswith(tuple(owners)):
            return f"{name} includes {header}, which only {owners} may know"
    if not ours or (first not in NEEDS and not (TOP / first).is_dir()):
        return None
    if parts[0] == "lib":
        test = name.endswith("_test.c")
        allowed = reach(parts[1]) | ({"testing"} if test or parts[1] == "testing" else set())
        if first not in allowed:
            return f"{name} (layer {parts[1]}) may not include {header}"
    elif first not in NEEDS and first != parts[0] and parts[0] not in ("fuzz", "bench"):
        return f"{name} includes another program's {header}"
    return None


def test_layers():
    errors = [e for n in sources(".c", ".h") for h, ours in includes(n)
              if (e := include_error(n, h, ours))]
    assert not errors, "\n".join(errors)


@pytest.mark.parametrize("name, header", [
    ("lib/base/str.c", "net/stream.h"), ("lib/conf/conf.c", "task/task.h"),
    ("lib/mail/date.c", "map/map.h"), ("smtpd/session.c", "qmgr/qmgr.h"),
    ("smtpd/session.c", "event2/event.h"), ("lib/task/task.c", "testing/test.h")])
def test_layer_rule_catches(name, header):
    assert include_error(name, header)


def test_file_sizes():
    large = [f"{n}: {count} lines" for n in sources(".c", ".h")
             if not n.endswith("_test.c") and (count := text(n).count("\n")) > 1000]
    assert not large, large


def function_lengths(name):
    start = None
    for number, line in enumerate(text(name).split("\n"), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield number - start - 1, number
            start = None


def test_function_sizes():
    large = [f"{n}:{end}: {length} lines" for n in sources(".c") if not n.endswith("_test.c")
             for length, end in function_lengths(n) if length > 80]
    assert not large, "\n".join(large)


def test_forbidden_calls():
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(FORBIDDEN_CALLS))
    found = []
    for name in sources(".c", ".h"):
        if "/testing/" in name:
            continue
        for number, line in enumerate(without_comments(text(name)).split("\n"), 1):
            if match := pattern.search(line):
                found.append(f"{name}:{number}: {match.group(1)}")
    assert not found, "\n".join(found)


def test_no_unfinished_work():
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [n for n in sources(".c", ".h", ".py", ".sh", ".md") if pattern.search(text(n))
             and not n.startswith("tests/lint/")]
    assert not found


def test_spdx():
    missing = [n for n in sources(".c", ".h", ".S", ".def") if "SPDX-License-Identifier: MIT"
               not in text(n)[:200]]
    assert not missing


@pytest.mark.skipif(not shutil.which("clang-format"), reason="clang-format is not installed")
def test_format():
    names = [str(TOP / n) for n in sources(".c", ".h")]
    run = subprocess.run(["clang-format", "--dry-run", "--Werror", *names],
                         capture_output=True, text=True, check=False)
    bad = sorted(set(re.findall(r"^%s/(\S+?):\d+" % re.escape(str(TOP)), run.stderr, re.M)))
    assert not bad, "clang-format -i " + " ".join(bad)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_manual_pages():
    pages = sources(".1", ".5", ".8")
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *[str(TOP / p) for p in pages]],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert pages


# --- parameters

# Read by name at run time, or by what is no C source.
READ_ELSEWHERE = {
    "config_directory": "set for every program",
    "mail_release_date": "bounce templates and scripts ask for it",
    "meta_directory": "scripts ask for it",
    "service_name": "set for every worker",
    "stress": "set by master",
    # Right settings of Postfix that have no effect there either, or none is missed.
    "smtpd_tls_eecdh_grade": "tls_eecdh_auto_curves are used, as in Postfix since 3.6",
    "smtpd_tls_dh512_param_file": "export ciphers are gone",
    "smtpd_tls_session_cache_database": "sessions are resumed by tickets",
}


def parameter_rows():
    """{name: (file, readers)} of lib/conf/params/*.def."""
    rows = {}
    for name in sources(".def"):
        if name.endswith("notes.def"):
            continue
        for row in re.findall(r"^PARAM\((.*?)\)$", text(name), re.M | re.S):
            strings = re.findall(r'"(?:\\.|[^"\\])*"|[^",\s][^",]*', re.sub(r'"\s+"', "", row))
            rows[strings[0]] = (name, strings[-2].strip('"'))
    return rows


def test_parameters_have_the_readers_they_name():
    """A row that names programs is acted on: its name stands in their code, or in another default.
    (One that nothing acts on has no readers, and postfix check says so.)"""
    rows = parameter_rows()
    assert len(rows) > 800
    code = " ".join(text(n) for n in sources(".c", ".h") if not n.endswith("_test.c")
                    and not re.match(r"lib/conf/param|postconf/|fuzz/", n))
    words = set(re.findall(r"\w+", code))
    words |= set(re.findall(r"\$\{?(\w+)", " ".join(text(n) for n in sources(".def"))))
    # P_##name in macros, and families: conf_transport_int(conf, name, "_rate_delay", ...)
    missing = [f"{file}: {name}: readers \"{readers}\", but nothing names it"
               for name, (file, readers) in sorted(rows.items())
               if readers and readers != "postconf" and name not in READ_ELSEWHERE
               and not {name, "P_" + name, name.removeprefix("local")} & words]
    assert not missing, "\n".join(missing)


# Programs ask for these only to refuse a value that they cannot obey.
REFUSED = set("""
body_checks enable_threaded_bounces header_checks message_reject_characters message_strip_characters
mime_header_checks nested_header_checks non_smtpd_milters smtp_address_verify_target smtp_body_checks
smtp_generic_maps smtp_header_checks smtp_mime_header_checks smtp_nested_header_checks smtp_reply_filter
smtp_sasl_auth_enable smtp_tls_security_level strict_7bit_headers strict_8bitmime strict_8bitmime_body
strict_mime_encoding_domain
""".split())


def test_parameters_that_are_read_name_their_readers():
    """Who reads a parameter stands in its row: else postfix check says that it has no effect."""
    code = " ".join(text(n) for n in sources(".c", ".h") if not n.endswith("_test.c")
                    and not re.match(r"lib/conf/|fuzz/", n))
    used = set(re.findall(r"\bP_(\w+)", code))
    silent = [f"{file}: {name}: no readers, but the code asks for it"
              for name, (file, readers) in sorted(parameter_rows().items())
              if not readers and name in used and name not in REFUSED]
    assert not silent, "\n".join(silent)
