/* SPDX-License-Identifier: MIT */
/* Printing: parameters of main.cf, and what master.cf says. */
#ifndef POSTCONF_SHOW_H
#define POSTCONF_SHOW_H

#include "conf/conf.h"
#include "postconf/known.h"
#include "postconf/request.h"
#include "postconf/services.h"

/* -p: the parameters that REQUEST names, or all of the classes it wants. */
void show_parameters(const struct request *request, const struct conf *conf,
                     struct known *known);
/* -M, -F, -P: what REQUEST's patterns match, or all. */
void show_services(const struct request *request, const struct conf *conf,
                   const struct services *services);
/* -t, -b: the texts of bounces, as templates or as they would be sent. */
void show_templates(const struct request *request, const struct conf *conf);
/* -T: what QUERY asks about the TLS library; false: nothing that is known. */
bool show_tls(const char *query);
/* A parameter of the table that is set and whose value makes no sense ends the process.
 */
void show_check_settings(const struct conf *conf);
/* TEXT expanded with the values of CONF, or fatal; the caller frees it. */
char *show_expand(const struct conf *conf, const char *text);

#endif
