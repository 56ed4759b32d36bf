/* SPDX-License-Identifier: MIT */
/* The default of mynetworks: the networks that this host is part of. */
#ifndef CONF_MYNETWORKS_H
#define CONF_MYNETWORKS_H

#include "base/str.h"

/* Append "127.0.0.0/8 192.0.2.0/24 [::1]/128" for the values of inet_interfaces,
 * inet_protocols and mynetworks_style ("class", "subnet", "host").  A name in
 * INTERFACES is looked up, which may take time; what is no local address is left out
 * with a warning. */
void mynetworks_compute(const char *interfaces, const char *protocols,
                        const char *style, struct str *out);

#endif
