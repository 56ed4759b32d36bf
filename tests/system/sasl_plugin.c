/* SPDX-License-Identifier: MIT */
/*
 * A Cyrus SASL plug-in with two mechanisms that nobody wants: XCRASH dies, XHANG never
 * answers.  For the tests of the auth worker.
 */
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int new_connection(void *glob, sasl_server_params_t *params,
                          const char *challenge, unsigned challenge_len, void **context)
{
    (void)glob, (void)params, (void)challenge, (void)challenge_len;
    *context = NULL;
    return SASL_OK;
}

static int crash(void *context, sasl_server_params_t *params, const char *in,
                 unsigned in_len, const char **out, unsigned *out_len,
                 sasl_out_params_t *result)
{
    (void)context, (void)params, (void)in, (void)in_len, (void)out, (void)out_len,
        (void)result;
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
    return SASL_FAIL;
}

static int hang(void *context, sasl_server_params_t *params, const char *in,
                unsigned in_len, const char **out, unsigned *out_len,
                sasl_out_params_t *result)
{
    (void)context, (void)params, (void)in, (void)in_len, (void)out, (void)out_len,
        (void)result;
    for (;;) {
        (void)pause();
    }
}

static sasl_server_plug_t plugins[] = {
    {.mech_name = "XCRASH",
     .security_flags = SASL_SEC_NOANONYMOUS,
     .features = SASL_FEAT_WANT_CLIENT_FIRST,
     .mech_new = new_connection,
     .mech_step = crash},
    {.mech_name = "XHANG",
     .security_flags = SASL_SEC_NOANONYMOUS,
     .features = SASL_FEAT_WANT_CLIENT_FIRST,
     .mech_new = new_connection,
     .mech_step = hang},
};

int sasl_server_plug_init(const sasl_utils_t *utils, int max_version, int *version,
                          sasl_server_plug_t **list, int *count)
{
    (void)utils, (void)max_version;
    *version = SASL_SERVER_PLUG_VERSION;
    *list = plugins;
    *count = sizeof(plugins) / sizeof(plugins[0]);
    return SASL_OK;
}
