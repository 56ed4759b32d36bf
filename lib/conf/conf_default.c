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

/* The value of PARAM, or "" when it has a mistake: a default is no place to end the
 * process, whoever asks for PARAM itself will hear of it. */
static const char *try_value(const struct conf *conf, enum param param)
{
    static const struct conf_report nobody = {0};
    STR_AUTO struct str mistake = {0};
    struct conf_value value = {0};
    const struct param_row *row = param_row(param);
    bool good = conf_evaluate(conf, row, row->name, conf_written(conf, param), &nobody,
                              &value, &mistake);
    return good ? value.text : "";
}

/* The same if main.cf says something, else "". */
static const char *written_value(const struct conf *conf, enum param param)
{
    return conf_is_set(conf, param_row(param)->name) ? try_value(conf, param) : "";
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
                        domain[0] != '\0' ? domain : DOMAIN_WITHOUT_NAME);
}

/* myhostname without its first label. */
static const char *domain_name(const struct conf *conf)
{
    const char *host = written_value(conf, P_myhostname);
    if (host[0] == '\0') {
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
        mynetworks_compute(try_value(conf, P_inet_interfaces),
                           try_value(conf, P_inet_protocols),
                           try_value(conf, P_mynetworks_style), &networks);
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
