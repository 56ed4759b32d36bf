/* SPDX-License-Identifier: MIT */
/* From next hops to servers, against a name server of the test. */
#include "smtp/test_world.h"

#define ZONE                                                                           \
    "two.test A 127.0.0.2\ntwo.test A 127.0.0.3\n"                                     \
    "mx.test MX 20 mxb.test\nmx.test MX 10 mxa.test\n"                                 \
    "mxa.test A 127.0.0.2\nmxb.test A 127.0.0.3\n"                                     \
    "null.test MX 0 .\n"                                                               \
    "self.test MX 10 mxa.test\nself.test MX 20 me.test\nself.test MX 30 mxb.test\n"    \
    "equal.test MX 10 mxa.test\nequal.test MX 10 me.test\n"                            \
    "me.test A 127.0.0.9\n"                                                            \
    "selfonly.test MX 10 me.test\n"                                                    \
    "aonly.test A 127.0.0.2\naself.test A 127.0.0.9\n"                                 \
    "broken.test SERVFAIL\nbrokenmx.test MX 10 broken.test\n"                          \
    "nohostmx.test MX 10 nohost.test\n"                                                \
    "mixedmx.test MX 10 broken.test\nmixedmx.test MX 20 nohost.test\n"                 \
    "halfmx.test MX 10 nohost.test\nhalfmx.test MX 20 mxb.test\n"                      \
    "textonly.test TXT x\n"                                                            \
    "both.test A 127.0.0.2\nboth.test A 127.0.0.3\nboth.test A 127.0.0.4\n"            \
    "both.test A 127.0.0.5\nboth.test A 127.0.0.6\nboth.test A 127.0.0.7\n"            \
    "both.test AAAA ::2\nboth.test AAAA ::3\nboth.test AAAA ::4\n"

struct search {
    struct world *world;
    const char *nexthop;
    struct targets targets;
};

static void find_fiber(void *context)
{
    struct search *search = context;
    targets_find(&search->world->smtp, view_cstr(search->nexthop),
                 &search->world->arena, &search->targets);
    task_stop();
}

/* "host[address]:port host[address]:port", or "dsn outcome text". */
static const char *find(struct world *world, const char *nexthop)
{
    struct search search = {.world = world, .nexthop = nexthop};
    struct str text = {0};
    char address[NET_ADDRESS_TEXT];
    (void)task_spawn("find", find_fiber, &search);
    task_run(false);
    for (size_t i = 0; i < search.targets.count; i++) {
        const struct target *target = &search.targets.list[i];
        net_address_text(&target->address, address);
        str_printf(&text, "%s%s[%s]:%u", i > 0 ? " " : "", target->host, address,
                   (unsigned)net_address_port(&target->address));
    }
    if (search.targets.count == 0) {
        str_printf(&text, "%s %s %s", search.targets.err.dsn,
                   search.targets.outcome == TEMPFAIL ? "later" : "never",
                   search.targets.err.text);
    }
    const char *result = arena_strdup(&world->arena, str_ptr(&text));
    str_done(&text);
    return result;
}

static struct world *zone_world(const char *settings)
{
    struct world *world = world_new(settings, "a@x.test");
    world->dns = test_dns_start(ZONE);
    assert_true(dns_set_servers(test_dns_servers(world->dns)));
    dns_set_hosts_file("/dev/null");
    return world;
}

#define NOT_FOUND "Host or domain name not found. Name service error for name="

static void test_next_hops(void **state)
{
    (void)state;
    static const struct {
        const char *nexthop, *targets;
    } rows[] = {
        {"[127.0.0.2]", "127.0.0.2[127.0.0.2]:25"},
        {"[127.0.0.2]:2525", "127.0.0.2[127.0.0.2]:2525"},
        {"[127.0.0.2]:submission", "127.0.0.2[127.0.0.2]:587"},
        {"[two.test]", "two.test[127.0.0.2]:25 two.test[127.0.0.3]:25"},
        {"[mx.test]",
         "5.4.4 never " NOT_FOUND
         "mx.test type=A: Host found but no data record of requested type"},
        {"mx.test", "mxa.test[127.0.0.2]:25 mxb.test[127.0.0.3]:25"},
        {"mx.test:26", "mxa.test[127.0.0.2]:26 mxb.test[127.0.0.3]:26"},
        {"aonly.test", "aonly.test[127.0.0.2]:25"},
        {"null.test", "5.1.0 never Domain null.test does not accept mail (nullMX)"},
        {"self.test", "mxa.test[127.0.0.2]:25"},
        {"self.test:26",
         "mxa.test[127.0.0.2]:26 me.test[127.0.0.9]:26 mxb.test[127.0.0.3]:26"},
        {"equal.test", "5.4.6 never mail for equal.test loops back to myself"},
        {"selfonly.test", "5.4.6 never mail for selfonly.test loops back to myself"},
        {"aself.test", "5.4.6 never mail for aself.test loops back to myself"},
        {"[127.0.0.9]", "5.4.6 never mail for 127.0.0.9 loops back to myself"},
        {"[127.0.0.9]:26", "127.0.0.9[127.0.0.9]:26"},
        {"broken.test",
         "4.4.3 later " NOT_FOUND "broken.test type=MX: Host not found, try again"},
        {"[broken.test]",
         "4.4.3 later " NOT_FOUND "broken.test type=A: Host not found, try again"},
        {"brokenmx.test",
         "4.4.3 later " NOT_FOUND "broken.test type=A: Host not found, try again"},
        {"nohostmx.test",
         "5.4.4 never " NOT_FOUND "nohost.test type=A: Host not found"},
        {"mixedmx.test",
         "4.4.3 later " NOT_FOUND "broken.test type=A: Host not found, try again"},
        {"halfmx.test", "mxb.test[127.0.0.3]:25"},
        {"nosuch.test", "5.4.4 never " NOT_FOUND "nosuch.test type=A: Host not found"},
        {"textonly.test", "5.4.4 never " NOT_FOUND
                          "textonly.test type=A: Host found but no data record of "
                          "requested type"},
        {"[nosuch.test], mx.test:26 [two.test]:27",
         "mxa.test[127.0.0.2]:26 mxb.test[127.0.0.3]:26 two.test[127.0.0.2]:27 "
         "two.test[127.0.0.3]:27"},
        {"nosuch.test, broken.test",
         "4.4.3 later " NOT_FOUND "broken.test type=MX: Host not found, try again"},
        {"[two.test", "4.3.5 later missing \"]\" in server description: [two.test"},
        {"[two.test]x:25",
         "4.3.5 later garbage after \"]\" in server description: [two.test]x:25"},
        {"[]:25", "4.3.5 later valid hostname or network address required in server "
                  "description: []:25"},
        {"two.test:0", "4.3.5 later bad network port for destination: two.test:0"},
        {"two.test:99999",
         "4.3.5 later bad network port for destination: two.test:99999"},
        {"two.test:nosuchservice",
         "4.3.5 later bad network port for destination: two.test:nosuchservice"},
        {"", "5.4.4 never no next hop"},
        {" , ", "5.4.4 never no next hop"},
    };
    struct world *world = zone_world("");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(find(world, rows[i].nexthop), rows[i].targets);
    }
    assert_non_null(strstr(str_ptr(&world->log),
                           "warning: no MX host for nohostmx.test has a valid address "
                           "record\n"));
    world_free(world);
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *nexthop, *targets;
    } rows[] = {
        {"disable_dns_lookups = yes\n", "mx.test",
         "5.3.0 never unable to look up host mx.test: No address associated with "
         "hostname"},
        {"smtp_dns_support_level = disabled\n", "two.test",
         "two.test[127.0.0.2]:25 two.test[127.0.0.3]:25"},
        {"smtp_dns_support_level = disabled\n", "nosuch.test",
         "5.4.4 never unable to look up host nosuch.test: Name or service not known"},
        {"smtp_dns_support_level = disabled\n", "broken.test",
         "4.4.4 later unable to look up host broken.test: Temporary failure in name "
         "resolution"},
        {"smtp_host_lookup = native\n", "mx.test",
         "mxa.test[127.0.0.2]:25 mxb.test[127.0.0.3]:25"},
        {"smtp_host_lookup = native\n", "nohostmx.test",
         "5.4.4 never unable to look up host nohost.test: Name or service not known"},
        {"ignore_mx_lookup_error = yes\n", "broken.test",
         "4.4.3 later " NOT_FOUND "broken.test type=A: Host not found, try again"},
        {"smtp_defer_if_no_mx_address_found = yes\n", "nohostmx.test",
         "4.4.4 later " NOT_FOUND "nohost.test type=A: Host not found"},
        {"smtp_mx_address_limit = 1\n", "mx.test", "mxa.test[127.0.0.2]:25"},
        {"smtp_tcp_port = 2525\n", "[127.0.0.2]", "127.0.0.2[127.0.0.2]:2525"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = zone_world(rows[i].settings);
        assert_string_equal(find(world, rows[i].nexthop), rows[i].targets);
        world_free(world);
    }
}

/* Worse MX hosts are not even looked up when there are enough better ones. */
static void test_stops_early(void **state)
{
    (void)state;
    struct world *world = zone_world("smtp_mx_address_limit = 1\n");
    unsigned before = test_dns_questions(world->dns);
    (void)find(world, "mx.test");
    assert_int_equal(test_dns_questions(world->dns) - before, 2);
    world_free(world);
}

static void test_ip_versions(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *targets;
    } rows[] = {
        {"smtp_mx_address_limit = 4\n",
         "both.test[127.0.0.2]:25 both.test[127.0.0.3]:25 both.test[::2]:25 "
         "both.test[::3]:25"},
        {"smtp_mx_address_limit = 4\nsmtp_balance_inet_protocols = no\n",
         "both.test[127.0.0.2]:25 both.test[127.0.0.3]:25 both.test[127.0.0.4]:25 "
         "both.test[127.0.0.5]:25"},
        {"smtp_mx_address_limit = 3\nsmtp_address_preference = ipv6\n"
         "smtp_balance_inet_protocols = no\n",
         "both.test[::2]:25 both.test[::3]:25 both.test[::4]:25"},
        {"smtp_mx_address_limit = 2\nsmtp_address_preference = ipv6\n",
         "both.test[::2]:25 both.test[127.0.0.2]:25"},
        {"smtp_mx_address_limit = 1\n", "both.test[127.0.0.2]:25"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = zone_world(rows[i].settings);
        world->smtp.families = DNS_IPV4 | DNS_IPV6;
        assert_string_equal(find(world, "[both.test]"), rows[i].targets);
        world_free(world);
    }
}

/* Equals are shuffled, but never across preferences. */
static void test_shuffle(void **state)
{
    (void)state;
    struct world *world = zone_world("smtp_mx_address_limit = 0\n");
    world_free(world);
    world = zone_world("smtp_randomize_addresses = yes\n");
    unsigned first = 0;
    for (int i = 0; i < 64; i++) {
        const char *targets = find(world, "[two.test]");
        first += view_starts(view_cstr(targets), VIEW("two.test[127.0.0.2]"));
        assert_string_equal(find(world, "mx.test"),
                            "mxa.test[127.0.0.2]:25 mxb.test[127.0.0.3]:25");
    }
    assert_in_range(first, 1, 63);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_hops),   cmocka_unit_test(test_settings),
        cmocka_unit_test(test_stops_early), cmocka_unit_test(test_ip_versions),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
