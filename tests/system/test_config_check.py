# SPDX-License-Identifier: MIT
"""What postfix check, start and reload say about a configuration."""
import os
import pathlib
import re
import shutil
import smtplib
import subprocess

import pytest

STACKS = sorted((pathlib.Path(__file__).resolve().parent / "stacks").iterdir())


def check(instance):
    """Exit status of postfix check, and its warnings without those about owners and modes."""
    run = instance.postfix("check", check=False)
    lines = run.stderr.decode(errors="replace").splitlines()
    return run.returncode, [l for l in lines if not re.search(r"not owned|writable|set-gid", l)]


def use_stack(instance, stack):
    """The files of STACK, in the directories of a private instance."""
    text = (stack / "main.cf").read_text(encoding="utf-8")
    (instance.etc / "main.cf").write_text(text + instance.settings, encoding="utf-8")
    shutil.copy(stack / "master.cf", instance.etc / "master.cf")


@pytest.mark.parametrize("stack", STACKS, ids=[s.name for s in STACKS])
def test_published_stacks(suite, instances, stack):
    """Configurations in the manner of large published ones: every name in them is known."""
    env = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    for mode in ("-n", "-P", "-Mx", "-F"):
        run = subprocess.run([str(suite / "sbin/postconf"), "-c", str(stack), mode], check=True,
                             capture_output=True, text=True, env={**env, "PATH": "/usr/bin:/bin"})
        # Their databases are elsewhere.
        assert not [l for l in run.stderr.splitlines() if '" configuration "' not in l]
        assert run.stdout
    instance = instances()
    use_stack(instance, stack)
    _, lines = check(instance)
    # Their tables and certificates are elsewhere, too.
    errors = [l for l in instance.log().splitlines() if re.search("error: |fatal: ", l)]
    missing = r"No such file or directory|No server certs available|unsupported dictionary type"
    assert not [l for l in errors if not re.search(missing, l)], errors
    assert not [l for l in errors if "_scache" in l], "made by the programs themselves"
    unbuilt = [re.search(r"parameter (\S+) has no effect", l) for l in lines]
    names = [m[1] for m in unbuilt if m]
    assert sorted(names) == sorted(set(names)), "once each"
    assert not [l for l in lines if re.search(r"unused|undefined|unknown p|fatal:|error:", l)], lines


# A parameter of each of the two files on which nothing acts: features that are far from being
# built, so that the test need not follow each new one.
UNBUILT_MAIN, UNBUILT_MASTER = "qmqpd_timeout", "qmqpd_error_delay"


@pytest.mark.parametrize("action", ["check", "start", "reload"])
def test_settings_without_effect(instances, action):
    """Each is named once, with its place, on standard error and in the log."""
    instance = instances()
    if action == "reload":
        instance.start()
    instance.write_main(f"{UNBUILT_MAIN} = 20s\nslow_destination_concurrency_limit = 3\n"
                        "slow_destination_recipient_limit = 1\nbiff = no\n")
    instance.add_services(f"slow unix - - n - - smtp\n  -o {UNBUILT_MASTER}=2s -o {UNBUILT_MAIN}=1s\n")
    before = instance.log()
    err = instance.postfix(action).stderr.decode()
    log = instance.log()[len(before):]
    lines = (instance.etc / "main.cf").read_text().splitlines()
    line = lines.index(f"{UNBUILT_MAIN} = 20s") + 1
    for text in (err, log):
        text = "\n".join(l for l in text.splitlines() if "no effect" in l)
        assert text.count(UNBUILT_MAIN) == 1
        assert f"{instance.etc}/main.cf, line {line}: parameter {UNBUILT_MAIN} has no effect" in text
        assert re.search(rf"{instance.etc}/master\.cf, line \d+: parameter {UNBUILT_MASTER} has no effect",
                         text)
        assert text.count("no effect") == 2
    if action != "check":
        instance.stop()


BROKEN = {
    # What stands in main.cf or master.cf, and what must be said, at which line of it.
    "no equals sign": ("main.cf", "relayhost\n", "line @: missing '=' after attribute name: \"relayhost\""),
    "no name": ("main.cf", "= x\n", "line @: missing attribute name"),
    "number": ("main.cf", "message_size_limit = 10M\n",
               "line @: bad numerical configuration: message_size_limit = 10M .allowed: a whole number"),
    "number too large": ("main.cf", "hash_queue_depth = 99\n",
                         "line @: invalid hash_queue_depth parameter value 99 > 9 .allowed: .*from 1 to 9"),
    "yes or no": ("main.cf", "soft_bounce = maybe\n",
                  "line @: bad boolean configuration: soft_bounce = maybe .allowed: yes or no"),
    "unit": ("main.cf", "queue_run_delay = 5x\n",
             "line @: parameter queue_run_delay: bad time value or unit: 5x .allowed: a time"),
    "time of a family": ("main.cf", "slow_destination_rate_delay = soon\n",
                         "line @: parameter slow_destination_rate_delay: bad time value"),
    "empty": ("main.cf", "mail_owner =\n", "line @: bad string length 0 < 1: mail_owner"),
    "open brace": ("main.cf", "smtpd_banner = ${stress?{a\n", "line @: truncated macro reference"),
    "name in braces": ("main.cf", "smtpd_banner = ${my-name}\n", "line @: attribute name syntax error"),
    "operator": ("main.cf", "smtpd_banner = ${{a} = {b} ? {c}}\n", "line @: .*expected at"),
    "function": ("main.cf", "smtpd_banner = ${nosuch{x}}\n", "line @: unknown function \"nosuch\""),
    "loop": ("main.cf", "smtpd_banner = x $smtpd_banner\n", "line @: unreasonable macro call nesting"),
    "level": ("main.cf", "compatibility_level = three\n", "line @: malformed compatibility level"),
    "null byte": ("main.cf", "a = \0\n", "null byte"),
    "fields": ("master.cf", "x unix - - n\n", "line @: bad field count"),
    "type": ("master.cf", "x tcp - - n - - smtp\n", "line @: invalid type field \"tcp\" .*allowed: inet, unix"),
    "flag": ("master.cf", "x unix q - n - - smtp\n", "line @: invalid private field \"q\" .*allowed: y, n"),
    "wakeup": ("master.cf", "x unix - - n 5m - smtp\n", "line @: invalid wakeup field \"5m\" .*allowed: a number"),
    "maxproc": ("master.cf", "x unix - - n - -1 smtp\n", "line @: invalid process_limit field \"-1\" .*allowed: a number"),
    "brace in options": ("master.cf", "x unix - - n - - smtp\n  -o { a = b\n", "line @: missing '}'"),
    "text after brace": ("master.cf", "x unix - - n - - smtp -o {a=b}c\n", "line @: syntax error after '}'"),
    "option without value": ("master.cf", "x unix - - n - - smtp -o relayhost\n",
                             "line @: missing '=' after attribute name"),
    "option at the end": ("master.cf", "x unix - - n - - smtp -o\n", "line @: -o requires name=value"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_configurations(instances, what):
    """Each is refused by check, start and reload, with file and line."""
    instance = instances()
    name, text, message = BROKEN[what]
    path = instance.etc / name
    line = len(path.read_text().splitlines()) + 1
    with open(path, "a", encoding="utf-8") as f:
        f.write(text)
    status, _ = check(instance)
    assert status == 1
    log = instance.log()
    run = instance.postfix("start", check=False)
    assert run.returncode == 1
    said = log + run.stderr.decode() + instance.log()
    assert str(path) in said and re.search(message.replace("@", str(line)), said), said


def test_look_alikes(instances):
    """What looks like syntax and is not is pointed out, with line and column."""
    instance = instances()
    instance.write_main("myorigin = $myhostname\u3000\nrecipient_delimiter = +\u00a0\n"
                        "smtpd_banner = $myhostname \u201cESMTP\u201d\n  relayhost = [gw.example.com]\n")
    lines = (instance.etc / "main.cf").read_text(encoding="utf-8").splitlines()
    first = next(i for i, l in enumerate(lines, 1) if l.startswith("myorigin"))
    status, said = check(instance)
    said = "\n".join(said)
    assert status == 0
    assert f"line {first}, column 23: U+3000, an ideographic space, is text here" in said
    assert f"line {first + 1}, column 24: U+00A0, a no-break space, is text here" in said
    assert f"line {first + 2}, column 28: U+201C, a quotation mark, is text here" in said
    assert f"line {first + 3}: starts with white space: this is no setting of relayhost" in said


def test_old_level(instances):
    """Below level 3.6 each command says that old defaults hold; else none does."""
    instance = instances()
    instance.postfix("check")
    assert "backwards-compatible" not in instance.log()
    instance.write_main("compatibility_level = 3.5\n")
    instance.postfix("check")
    log = [re.sub(r"^.*? (postfix\S*\[)\d+", r"\1", l) for l in instance.log().splitlines()
           if "ompatib" in l or "COMPATIBILITY" in l]
    assert log == [
        "postfix[]: Postfix is using backwards-compatible default settings",
        "postfix[]: See http://www.postfix.org/COMPATIBILITY_README.html for details",
        'postfix[]: To disable backwards compatibility use "postconf compatibility_level=3.6" and '
        '"postfix reload"']


def test_old_defaults_that_matter(instances):
    """What an old default made happen is in the log; at today's level there is nothing to say."""
    def session(settings):
        instance = instances()
        # mynetworks must have its default.
        text = "\n".join(l for l in instance.settings.splitlines()
                         if not re.match(r"(mynetworks|compatibility_level|inet_interfaces) =", l))
        (instance.etc / "main.cf").write_text(
            text + "\ninet_interfaces = 127.0.0.1\nmydestination = d.example\n" + settings)
        instance.start()
        with smtplib.SMTP("127.0.0.1", instance.port, source_address=("127.0.0.5", 0)) as client:
            client.ehlo("x")
            client.docmd("MAIL FROM:<a@bare>")
            if client.docmd("RCPT TO:<x@sub.d.example>")[0] == 250:
                client.data("Subject: x\r\n\r\nx\r\n")
        instance.stop()
        return instance.log()

    rules = "smtpd_recipient_restrictions = reject_unauth_destination, permit_mynetworks, reject\n"
    log = session(rules)
    using = "using backwards-compatible default setting"
    assert f'{using} append_dot_mydomain=yes to rewrite "bare" to "bare.example.com"' in log
    assert f'{using} relay_domains=$mydestination to accept mail for domain "sub.d.example"' in log
    assert f'{using} relay_domains=$mydestination to accept mail for address "x@sub.d.example"' in log
    assert re.search(using + r" mynetworks_style=subnet to permit request from client \S*\[127.0.0.5\]", log)
    assert using not in session("compatibility_level = 3.6\n" + rules)
    log = session("smtpd_recipient_restrictions = check_client_access static:ok, reject\n"
                  "mynetworks = 127.0.0.1\nrelay_domains =\n")
    assert f'{using} "smtpd_relay_restrictions = (empty)" to avoid "Relay access denied" error for ' \
        'recipient "x@sub.d.example" from client "' in log
