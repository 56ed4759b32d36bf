/* SPDX-License-Identifier: MIT */
/*
 * Address and name of the client.  The name counts only if it maps back to the
 * address; everything else is "unknown".
 */
#include "smtpd/client.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

static const char *port_text(struct arena *arena, const struct net_address *address)
{
    return arena_printf(arena, "%u", net_address_port(address));
}

static const char *address_text(struct arena *arena, const struct net_address *address)
{
    char text[NET_ADDRESS_TEXT];
    net_address_text(address, text);
    return arena_strdup(arena, text);
}

static void look_up_name(struct client *client, const struct conf *conf,
                         struct arena *arena)
{
    struct dns_client_name found;
    client->name = client->reverse_name = "unknown";
    if (!conf_bool(conf, P_smtpd_peername_lookup)) {
        client->name_status = client->reverse_status = DNS_NODATA;
        return;
    }
    dns_reverse(arena, &client->address, &found);
    client->name = found.name;
    client->name_status = found.status;
    client->reverse_name = found.reverse_name;
    client->reverse_status = found.reverse_status;
    client->forged = found.forged;
}

/* sendmail -bs, or a test: there is no network between us. */
static void be_local(struct client *client)
{
    bool parsed = net_address_parse(VIEW("127.0.0.1"), 0, &client->address);
    CHECK(parsed);
    client->name = client->reverse_name = "localhost";
    client->name_status = client->reverse_status = DNS_OK;
    client->address_text = client->rfc_address = "127.0.0.1";
    client->server_address = "127.0.0.1";
    client->port = client->server_port = "";
}

static void describe(struct client *client, const struct conf *conf,
                     struct arena *arena)
{
    CHECK(client->name != NULL && client->address_text != NULL && client->port != NULL);
    client->origin = arena_printf(arena, "%s[%s]", client->name, client->address_text);
    client->shown = client->origin;
    if (conf_bool(conf, P_smtpd_client_port_logging)) {
        client->shown = arena_printf(arena, "%s:%s", client->origin,
                                     *client->port != '\0' ? client->port : "unknown");
    }
}

static bool is_trusted(const struct client *client, struct server *server)
{
    struct err err = {0};
    struct view name =
        client->name_status == DNS_OK ? view_cstr(client->name) : VIEW("");
    enum map_result result = match_list_find(
        server->mynetworks, view_cstr(client->address_text), name, &err);
    return result == MAP_FOUND;
}

void client_identify(struct client *client, struct server *server,
                     struct stream *stream, struct arena *arena)
{
    struct net_address local;
    int fd = stream_fd(stream);
    if (net_address_peer(fd, &client->address) && net_address_local(fd, &local)) {
        client->address_text = address_text(arena, &client->address);
        client->port = port_text(arena, &client->address);
        client->server_address = address_text(arena, &local);
        client->server_port = port_text(arena, &local);
        client->rfc_address = net_address_is_v6(&client->address)
                                  ? arena_printf(arena, "IPv6:%s", client->address_text)
                                  : client->address_text;
        look_up_name(client, server->conf, arena);
    } else {
        be_local(client);
    }
    describe(client, server->conf, arena);
    client->trusted = is_trusted(client, server);
}
