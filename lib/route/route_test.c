/* SPDX-License-Identifier: MIT */
/* The expected values are what Postfix 3.7.11 answers to the same questions. */
#include "route/route.h"

#include "base/check.h"
#include "testing/test.h"

static const char BASE[] = "compatibility_level = 3.6\n"
                           "myhostname = mail.example.com\n"
                           "inet_interfaces = 127.0.0.1\n"
                           "proxy_interfaces = 10.9.8.7\n";

static struct route *open_with(const char *settings, struct conf **conf_out)
{
    struct err err = {0};
    STR_AUTO struct str text = {0};
    str_printf(&text, "%s%s", BASE, settings);
    *conf_out = conf_open_text("/nonexistent", str_ptr(&text), &err);
    assert_non_null(*conf_out);
    return route_open(*conf_out);
}

/* --- rewriting ------------------------------------------------------------------- */

struct rewrite_row {
    const char *address, *local, *remote;
};

static const struct rewrite_row PLAIN[] = {
    {"", "", ""},
    {"foo", "foo@mail.example.com", "foo"},
    {"foo@", "foo@", "foo@"},
    {"@", "", ""},
    {"@bar", "@bar", "@bar"},
    {"foo@bar", "foo@bar", "foo@bar"},
    {"foo@bar.", "foo@bar", "foo@bar"},
    {"foo@bar..", "foo@bar..", "foo@bar.."},
    {"foo@.", "foo@.", "foo@."},
    {"foo@[1.2.3.4]", "foo@[1.2.3.4]", "foo@[1.2.3.4]"},
    {"a!b", "b@a", "b@a"},
    {"a!b!c", "b!c@a", "b!c@a"},
    {"a!b%c", "b%c@a", "b%c@a"},
    {"a!b@c", "a!b@c", "a!b@c"},
    {"a%b", "a@b", "a@b"},
    {"a%b%c", "a%b@c", "a%b@c"},
    {"a%b@mail.example.com", "a%b@mail.example.com", "a%b@mail.example.com"},
    {"a%", "a@", "a@"},
    {"!b", "b@", "b@"},
    {"a!", "@a", "@a"},
    {"@a,@b:user@dom", "user@dom", "user@dom"},
    {"@[ipv6:::1]:user@dom", "user@dom", "user@dom"},
    {"@a:user", "user@mail.example.com", "user"},
    {"a b", "a b@mail.example.com", "a b"},
    {"a b!c", "a b!c@mail.example.com", "a b!c"},
    {"a@b@c", "a@b@c", "a@b@c"},
    {"FOO@BAR", "FOO@BAR", "FOO@BAR"},
};

static const struct rewrite_row COMPLETING[] = {
    {"foo", "foo@org.example", "foo@inv.alid"},
    {"foo@bar", "foo@bar.example.com", "foo@bar.inv.alid"},
    {"foo@bar.", "foo@bar.example.com", "foo@bar.inv.alid"},
    {"a!b", "b@a.example.com", "b@a.inv.alid"},
    {"foo@[1.2.3.4]", "foo@[1.2.3.4]", "foo@[1.2.3.4]"},
    {"foo@", "foo@", "foo@"},
};

static const struct rewrite_row OFF[] = {
    {"foo", "foo", "foo"},
    {"a!b", "a!b", "a!b"},
    {"a%b", "a%b", "a%b"},
    {"a%b@bar.", "a%b@bar", "a%b@bar"},
};

static void check_rewrites(const char *settings, const struct rewrite_row *rows,
                           size_t count)
{
    struct conf *conf;
    struct route *route = open_with(settings, &conf);
    STR_AUTO struct str out = {0};
    for (size_t i = 0; i < count; i++) {
        route_rewrite(route, false, view_cstr(rows[i].address), &out);
        assert_string_equal(str_ptr(&out), rows[i].local);
        route_rewrite(route, true, view_cstr(rows[i].address), &out);
        assert_string_equal(str_ptr(&out), rows[i].remote);
    }
    route_close(&route);
    assert_null(route);
    conf_free(&conf);
}

static void test_rewrite(void **state)
{
    (void)state;
    check_rewrites("", PLAIN, ARRAY_SIZE(PLAIN));
    check_rewrites("append_dot_mydomain = yes\nmyorigin = org.example\n"
                   "remote_header_rewrite_domain = inv.alid\n",
                   COMPLETING, ARRAY_SIZE(COMPLETING));
    check_rewrites("append_at_myorigin = no\nswap_bangpath = no\n"
                   "allow_percent_hack = no\n",
                   OFF, ARRAY_SIZE(OFF));
}

/* --- resolving ------------------------------------------------------------------- */

struct resolve_row {
    const char *address, *transport, *nexthop, *recipient;
    enum address_class address_class;
    unsigned flags;
};

enum { BAD = RESOLVE_BAD_SYNTAX, ROUTED = RESOLVE_ROUTED };
#define SYNTAX "error", "5.1.3 bad address syntax"
#define OURS "local", "mail.example.com"

static void check_sender_rows(const char *settings, const char *sender,
                              const struct resolve_row *rows, size_t count)
{
    struct conf *conf;
    struct route *route = open_with(settings, &conf);
    struct arena arena = {0};
    for (size_t i = 0; i < count; i++) {
        const struct resolve_row *row = &rows[i];
        struct resolve_reply reply;
        route_resolve(route, view_cstr(sender), view_cstr(row->address), &arena,
                      &reply);
        assert_int_equal(reply.outcome, OK);
        assert_view_equal(reply.recipient, row->recipient);
        assert_view_equal(reply.transport, row->transport);
        assert_view_equal(reply.nexthop, row->nexthop);
        assert_int_equal(reply.address_class, row->address_class);
        assert_int_equal(reply.flags, row->flags);
        arena_clear(&arena);
    }
    route_close(&route);
    conf_free(&conf);
}

static void check_rows(const char *settings, const struct resolve_row *rows,
                       size_t count)
{
    check_sender_rows(settings, "", rows, count);
}

static const struct resolve_row SYNTAX_ROWS[] = {
    {"foo", OURS, "foo@mail.example.com", CLASS_LOCAL, 0},
    {"", OURS, "MAILER-DAEMON@mail.example.com", CLASS_LOCAL, 0},
    {"@mail.example.com", OURS, "MAILER-DAEMON@mail.example.com", CLASS_LOCAL, 0},
    {"foo@mail.example.com.", OURS, "foo@mail.example.com", CLASS_LOCAL, 0},
    {"foo@localhost.example.com", OURS, "foo@localhost.example.com", CLASS_LOCAL, 0},
    {"foo@[127.0.0.1]", OURS, "foo@[127.0.0.1]", CLASS_LOCAL, 0},
    {"foo@[10.9.8.7]", OURS, "foo@[10.9.8.7]", CLASS_LOCAL, 0},
    {"foo@", SYNTAX, "foo@", CLASS_DEFAULT, BAD},
    {"foo@bar..", SYNTAX, "foo@bar..", CLASS_DEFAULT, BAD},
    {"foo@b ar", SYNTAX, "foo@b ar", CLASS_DEFAULT, BAD},
    {"foo@-bar.example", SYNTAX, "foo@-bar.example", CLASS_DEFAULT, BAD},
    {"foo@1.2.3.4", SYNTAX, "foo@1.2.3.4", CLASS_DEFAULT, BAD},
    {"foo@[bogus]", SYNTAX, "foo@[bogus]", CLASS_DEFAULT, BAD},
    {"@bar", "smtp", "bar", "@bar", CLASS_DEFAULT, 0},
    {"foo@bar.", "smtp", "bar", "foo@bar", CLASS_DEFAULT, 0},
    {"FOO@BAR", "smtp", "BAR", "FOO@BAR", CLASS_DEFAULT, 0},
    {"foo@exa_mple.com", "smtp", "exa_mple.com", "foo@exa_mple.com", CLASS_DEFAULT, 0},
    {"foo@[1.2.3.4]", "smtp", "[1.2.3.4]", "foo@[1.2.3.4]", CLASS_DEFAULT, 0},
    {"foo@b\303\274cher.example", "smtp", "b\303\274cher.example",
     "foo@b\303\274cher.example", CLASS_DEFAULT, 0},
    {"a!b", "smtp", "a", "b@a", CLASS_DEFAULT, 0},
    {"a!b!c", "smtp", "a", "b!c@a", CLASS_DEFAULT, ROUTED},
    {"a!b@mail.example.com", "smtp", "a", "b@a", CLASS_DEFAULT, 0},
    {"a!b@[127.0.0.1]", "smtp", "a", "b@a", CLASS_DEFAULT, 0},
    {"a%b", "smtp", "b", "a@b", CLASS_DEFAULT, 0},
    {"a%b@mail.example.com", "smtp", "b", "a@b", CLASS_DEFAULT, 0},
    {"a%b%c@mail.example.com", "smtp", "c", "a%b@c", CLASS_DEFAULT, ROUTED},
    {"a%b@other.example", "smtp", "other.example", "a%b@other.example", CLASS_DEFAULT,
     ROUTED},
    {"a@b@c", "smtp", "c", "a@b@c", CLASS_DEFAULT, ROUTED},
    {"a@b@mail.example.com", "smtp", "b", "a@b", CLASS_DEFAULT, 0},
    {"a@mail.example.com@mail.example.com", OURS, "a@mail.example.com", CLASS_LOCAL, 0},
    {"a b%c@mail.example.com", "smtp", "c", "a b@c", CLASS_DEFAULT, 0},
    {"a b!c@mail.example.com", SYNTAX, "c@a b", CLASS_DEFAULT, BAD},
    {"x!@mail.example.com", "smtp", "x", "@x", CLASS_DEFAULT, 0},
    {"a%@mail.example.com", SYNTAX, "a@", CLASS_DEFAULT, BAD},
};

static const struct resolve_row NO_HACKS[] = {
    {"a!b", OURS, "a!b@mail.example.com", CLASS_LOCAL, ROUTED},
    {"a%b", OURS, "a%b@mail.example.com", CLASS_LOCAL, ROUTED},
    {"a!b@", SYNTAX, "a!b@", CLASS_DEFAULT, BAD | ROUTED},
};

static const struct resolve_row QUOTED[] = {
    {"a b!c@mail.example.com", OURS, "a b!c@mail.example.com", CLASS_LOCAL, ROUTED},
    {"a@b@mail.example.com", OURS, "a@b@mail.example.com", CLASS_LOCAL, ROUTED},
    {"a!b@mail.example.com", "smtp", "a", "b@a", CLASS_DEFAULT, 0},
};

static const struct resolve_row LENIENT[] = {
    {"", OURS, "nobody@mail.example.com", CLASS_LOCAL, 0},
    {"foo@", OURS, "foo@mail.example.com", CLASS_LOCAL, 0},
    {"foo@1.2.3.4", "smtp", "[1.2.3.4]", "foo@[1.2.3.4]", CLASS_DEFAULT, 0},
};

static void test_syntax(void **state)
{
    (void)state;
    check_rows("", SYNTAX_ROWS, ARRAY_SIZE(SYNTAX_ROWS));
    check_rows("allow_percent_hack = no\nswap_bangpath = no\n", NO_HACKS,
               ARRAY_SIZE(NO_HACKS));
    check_rows("resolve_dequoted_address = no\n", QUOTED, ARRAY_SIZE(QUOTED));
    check_rows("resolve_null_domain = yes\nresolve_numeric_domain = yes\n"
               "empty_address_recipient = nobody\n",
               LENIENT, ARRAY_SIZE(LENIENT));
}

static const char CLASSES[] =
    "virtual_alias_domains = va.example, .dotva.example\n"
    "virtual_alias_maps = inline:{a@va.example=x@y}\n"
    "virtual_mailbox_domains = vm.example\n"
    "virtual_mailbox_maps = inline:{a@vm.example=x}\n"
    "relay_domains = rl.example, .dotrl.example\n"
    "parent_domain_matches_subdomains = relay_domains\n"
    "transport_maps = inline:{ {user@t1.example=tr1:full}, {t1.example=tr1:dom},"
    " {.t1.example = tr1:sub}, {t2.example=plain}, {t3.example=tr3:}, "
    "{t4.example=:hop4},"
    " {t5.example=:}, {user@mail.example.com=tru}, {user2@mail.example.com=:hopl},"
    " {t6.example=local}, {t7.example=local:}, {lit@va.example=trva:},"
    " {MAILER-DAEMON@mail.example.com=trnull}, {e.example=error:5.1.6 gone away},"
    " {vm.example=:vmhop}, {user@rl.example=:rlhop}, {@at.example=atdom:},"
    " {user+ext@t1.example=tr1:ext}, {t9.example=smtp:[h]:25} }\n";

#define UNKNOWN_ALIAS "error", "5.1.1 User unknown in virtual alias table"

static const struct resolve_row CLASS_ROWS[] = {
    {"zz@VA.Example", UNKNOWN_ALIAS, "zz@VA.Example", CLASS_VIRTUAL_ALIAS, 0},
    {"lit@va.example", UNKNOWN_ALIAS, "lit@va.example", CLASS_VIRTUAL_ALIAS, 0},
    {"zz@sub.va.example", "smtp", "sub.va.example", "zz@sub.va.example", CLASS_DEFAULT,
     0},
    {"zz@vm.example", "virtual", "vmhop", "zz@vm.example", CLASS_VIRTUAL_MAILBOX, 0},
    {"a%b@vm.example", "virtual", "vmhop", "a%b@vm.example", CLASS_VIRTUAL_MAILBOX,
     ROUTED},
    {"zz@rl.example", "relay", "rl.example", "zz@rl.example", CLASS_RELAY, 0},
    {"zz@sub.rl.example", "relay", "sub.rl.example", "zz@sub.rl.example", CLASS_RELAY,
     0},
    {"user@rl.example", "relay", "rlhop", "user@rl.example", CLASS_RELAY, 0},
    {"zz@mail.example.com", OURS, "zz@mail.example.com", CLASS_LOCAL, 0},
    {"user@mail.example.com", "tru", "mail.example.com", "user@mail.example.com",
     CLASS_LOCAL, 0},
    {"User2@MAIL.example.com", "local", "hopl", "User2@MAIL.example.com", CLASS_LOCAL,
     0},
    {"User@T1.example", "tr1", "full", "User@T1.example", CLASS_DEFAULT, 0},
    {"user+ext@t1.example", "tr1", "ext", "user+ext@t1.example", CLASS_DEFAULT, 0},
    {"user+foo@t1.example", "tr1", "dom", "user+foo@t1.example", CLASS_DEFAULT, 0},
    {"z@s.s.t1.example", "tr1", "sub", "z@s.s.t1.example", CLASS_DEFAULT, 0},
    {"z@t2.example", "plain", "t2.example", "z@t2.example", CLASS_DEFAULT, 0},
    {"z@t3.example", "tr3", "t3.example", "z@t3.example", CLASS_DEFAULT, 0},
    {"z@t4.example", "smtp", "hop4", "z@t4.example", CLASS_DEFAULT, 0},
    {"z@t5.example", "smtp", "t5.example", "z@t5.example", CLASS_DEFAULT, 0},
    {"z@t6.example", "local", "t6.example", "z@t6.example", CLASS_DEFAULT, 0},
    {"z@t7.example", "local", "t7.example", "z@t7.example", CLASS_DEFAULT, 0},
    {"z@t9.example", "smtp", "[h]:25", "z@t9.example", CLASS_DEFAULT, 0},
    {"", "trnull", "mail.example.com", "MAILER-DAEMON@mail.example.com", CLASS_LOCAL,
     0},
    {"z@e.example", "error", "5.1.6 gone away", "z@e.example", CLASS_DEFAULT, 0},
    {"z@at.example", "smtp", "at.example", "z@at.example", CLASS_DEFAULT, 0},
};

static const struct resolve_row HOPS[] = {
    {"zz@vm.example", "vt", "vmhop", "zz@vm.example", CLASS_VIRTUAL_MAILBOX, 0},
    {"zz@rl.example", "rt", "rhop", "zz@rl.example", CLASS_RELAY, 0},
    {"zz@mail.example.com", "error", "no local", "zz@mail.example.com", CLASS_LOCAL, 0},
    {"zz@far.example", "dt", "dhop", "zz@far.example", CLASS_DEFAULT, 0},
    {"zz@t4.example", "dt", "hop4", "zz@t4.example", CLASS_DEFAULT, 0},
    {"zz@t5.example", "dt", "dhop", "zz@t5.example", CLASS_DEFAULT, 0},
};

static const struct resolve_row RELAYHOST[] = {
    {"zz@rl.example", "relay", "[relay.example]:99", "zz@rl.example", CLASS_RELAY, 0},
    {"zz@far.example", "smtp", "[relay.example]:99", "zz@far.example", CLASS_DEFAULT,
     0},
    {"zz@t2.example", "plain", "t2.example", "zz@t2.example", CLASS_DEFAULT, 0},
    {"zz@t5.example", "smtp", "[relay.example]:99", "zz@t5.example", CLASS_DEFAULT, 0},
    {"zz@mail.example.com", OURS, "zz@mail.example.com", CLASS_LOCAL, 0},
    {"zz@[1.2.3.4]", "smtp", "[relay.example]:99", "zz@[1.2.3.4]", CLASS_DEFAULT, 0},
    {"user+foo@t1.example", "tr1", "full", "user+foo@t1.example", CLASS_DEFAULT, 0},
};

static void check_class_rows(const char *more, const struct resolve_row *rows,
                             size_t count)
{
    STR_AUTO struct str text = {0};
    str_printf(&text, "%s%s", CLASSES, more);
    check_rows(str_ptr(&text), rows, count);
}

static void test_classes(void **state)
{
    (void)state;
    check_class_rows("", CLASS_ROWS, ARRAY_SIZE(CLASS_ROWS));
    check_class_rows("local_transport = error:no local\nvirtual_transport = vt:\n"
                     "default_transport = dt:dhop\nrelay_transport = rt:rhop\n"
                     "relayhost = rh.example\n",
                     HOPS, ARRAY_SIZE(HOPS));
    check_class_rows("relayhost = [relay.example]:99\nrecipient_delimiter = +\n",
                     RELAYHOST, ARRAY_SIZE(RELAYHOST));
}

static const struct resolve_row STAR[] = {
    {"zz@vm.example", "star", "shop", "zz@vm.example", CLASS_VIRTUAL_MAILBOX, 0},
    {"zz@va.example", UNKNOWN_ALIAS, "zz@va.example", CLASS_VIRTUAL_ALIAS, 0},
    {"zz@far.example", "star", "shop", "zz@far.example", CLASS_DEFAULT, 0},
    {"zz", "star", "shop", "zz@mail.example.com", CLASS_LOCAL, 0},
};

/* The how-to's catch-all: a pattern table and no ':' in the result. */
static const struct resolve_row CATCH_ALL[] = {
    {"okumura@tagbangers.example", "local", "tagbangers.example",
     "okumura@tagbangers.example", CLASS_DEFAULT, 0},
    {"zz@localhost.example.com", "local", "localhost.example.com",
     "zz@localhost.example.com", CLASS_LOCAL, 0},
    {"user", "local", "mail.example.com", "user@mail.example.com", CLASS_LOCAL, 0},
};

static const struct resolve_row RELOCATED[] = {
    {"a@r.example", "error", "5.1.6 User has moved to b@new", "a@r.example",
     CLASS_DEFAULT, 0},
    {"zz@r.example", "smtp", "r.example", "zz@r.example", CLASS_DEFAULT, 0},
    {"zz@r2.example", "error", "5.1.6 User has moved to new", "zz@r2.example",
     CLASS_DEFAULT, 0},
    {"u2@mail.example.com", "error", "5.1.6 User has moved to yy",
     "u2@mail.example.com", CLASS_LOCAL, 0},
    {"u2@far.example", "smtp", "far.example", "u2@far.example", CLASS_DEFAULT, 0},
};

static void test_tables(void **state)
{
    (void)state;
    check_rows(
        "virtual_alias_domains = va.example\nvirtual_mailbox_domains = vm.example\n"
        "transport_maps = inline:{*=star:shop}\nrelayhost = rh.example\n",
        STAR, ARRAY_SIZE(STAR));
    check_rows("transport_maps = pcre:{{/^.*@.*$$/ local}}\n", CATCH_ALL,
               ARRAY_SIZE(CATCH_ALL));
    check_rows("relocated_maps = inline:{a@r.example=b@new, @r2.example=new, u2=yy}\n",
               RELOCATED, ARRAY_SIZE(RELOCATED));
}

static const char BY_SENDER[] =
    "sender_dependent_relayhost_maps = inline:{s@s.example=sdrh, @s2.example=sdrh2,"
    " d@s.example=DUNNO, <>=nullrh}\n"
    "sender_dependent_default_transport_maps = inline:{{s@s.example=sdt:},"
    " {t@s.example=sdt:thop}, {d@s.example=DUNNO}, {<>=nulldt:}}\n"
    "relayhost = rh.example\nrelay_domains = rl.example\n";

static void check_by_sender(const char *sender, const char *transport, const char *hop,
                            const char *relay_hop)
{
    const struct resolve_row rows[] = {
        {"zz@far.example", transport, hop, "zz@far.example", CLASS_DEFAULT, 0},
        {"zz@rl.example", "relay", relay_hop, "zz@rl.example", CLASS_RELAY, 0},
        {"zz", OURS, "zz@mail.example.com", CLASS_LOCAL, 0},
    };
    check_sender_rows(BY_SENDER, sender, rows, ARRAY_SIZE(rows));
}

static void test_senders(void **state)
{
    (void)state;
    check_by_sender("S@S.example", "sdt", "sdrh", "sdrh");
    check_by_sender("t@s.example", "sdt", "thop", "rh.example");
    check_by_sender("d@s.example", "smtp", "rh.example", "rh.example");
    check_by_sender("x@s2.example", "smtp", "sdrh2", "sdrh2");
    check_by_sender("", "nulldt", "nullrh", "nullrh");
}

static void check_temporary(const char *settings, const char *address)
{
    struct conf *conf;
    struct route *route = open_with(settings, &conf);
    struct arena arena = {0};
    struct resolve_reply reply;
    route_resolve(route, VIEW(""), view_cstr(address), &arena, &reply);
    assert_int_equal(reply.outcome, TEMPFAIL);
    assert_view_equal(reply.recipient, address);
    arena_clear(&arena);
    route_close(&route);
    conf_free(&conf);
}

/* A table that fails never turns into another destination. */
static void test_failures(void **state)
{
    (void)state;
    check_temporary("transport_maps = fail:x\n", "a@far.example");
    check_temporary("virtual_mailbox_domains = fail:x\n", "a@far.example");
    check_temporary("relay_domains = fail:x\n", "a@far.example");
    check_temporary("relocated_maps = fail:x\n", "a@far.example");
    check_temporary("mydestination = fail:x\n", "a@far.example");
    check_temporary("sender_dependent_relayhost_maps = fail:x\n", "a@far.example");
    check_temporary("sender_dependent_default_transport_maps = inline:{<>=:hop}\n",
                    "a@far.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrite), cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_classes), cmocka_unit_test(test_tables),
        cmocka_unit_test(test_senders), cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
