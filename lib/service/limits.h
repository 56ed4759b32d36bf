/* SPDX-License-Identifier: MIT */
/* What the system allows one process, in clients at once. */
#ifndef SERVICE_LIMITS_H
#define SERVICE_LIMITS_H

/* As many open files as the hard limit allows. */
void limits_raise_files(void);
/* WANTED clients, or as many as open files and memory mappings suffice for; at least
 * 1. */
unsigned limits_clients(unsigned wanted);

#endif
