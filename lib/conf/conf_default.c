/* SPDX-License-Identifier: MIT */
/*
 * Defaults that depend on the host and the process: its names, its networks.  Computed
 * when somebody asks, and once; main.cf may define what they are computed from.
 */
#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "conf/conf_private.h"
#include "conf/mynetworks.h"

#define DOMAIN_WITHOUT_NAME "localdomain"

/* What main.cf says of PARAM, expanded; NULL: nothing, or it is being computed. */
static const char *written_value(const struct conf *conf, enum param param)
{
    if (!conf_is_set(conf, param_row(param)->name)) {
        return NULL;
    }
    return conf_str(conf, param);
}

/* "host" becomes "host.$mydomain": the domain that main.cf names, else a constant. */
static const char *host_name(const struct conf *conf)
{
    char name[256];
    if (gethostname(name, sizeof(name)) != 0 || name[0] == '\0') {
        return "localhost." DOMAIN_WITHOUT_NAME;
    }
    name[sizeof(name) - 1] = '\0';
    if (strchr(name, '.') != NULL) {
        return arena_strdup(conf->arena, name);
    }
    const char *domain = written_value(conf, P_mydomain);
    return arena_printf(conf->arena, "%s.%s", name,
                        domain != NULL && domain[0] != '\0' ? domain
                                                            : DOMAIN_WITHOUT_NAME);
}

/* myhostname without its first label. */
static const char *domain_name(const struct conf *conf)
{
    const char *host = written_value(conf, P_myhostname);
    if (host == NULL) {
        host = conf_default(conf, P_myhostname);
    }
    const char *dot = strchr(host, '.');
    return dot != NULL && dot[1] != '\0' ? arena_strdup(conf->arena, dot + 1)
                                         : DOMAIN_WITHOUT_NAME;
}

static const char *compute(const struct conf *conf, enum param param)
{
    if (param == P_myhostname) {
        return host_name(conf);
    }
    if (param == P_mydomain) {
        return domain_name(conf);
    }
    if (param == P_mynetworks) {
        STR_AUTO struct str networks = {0};
        mynetworks_compute(conf_str(conf, P_inet_interfaces),
                           conf_str(conf, P_inet_protocols),
                           conf_str(conf, P_mynetworks_style), &networks);
        return arena_cstr(conf->arena, str_view(&networks));
    }
    if (param == P_process_id) {
        return arena_printf(conf->arena, "%ld", (long)getpid());
    }
    CHECK(param == P_process_name);
    return arena_strdup(conf->arena, program_invocation_short_name);
}

const char *conf_default(const struct conf *conf, enum param param)
{
    switch ((int)param) {
    case P_myhostname:
    case P_mydomain:
    case P_mynetworks:
    case P_process_id:
    case P_process_name:
        break;
    default:
        return param_row(param)->value;
    }
    if (conf->computed[param] == NULL) {
        /* Whoever asks for a name while it is made ("myhostname = a.$mydomain") gets a
         * constant instead of a loop. */
        conf->computed[param] = param == P_mydomain ? DOMAIN_WITHOUT_NAME : "localhost";
        conf->computed[param] = compute(conf, param);
    }
    return conf->computed[param];
}
