/* SPDX-License-Identifier: MIT */
/*
 * The parameters: one row per parameter in params/<domain>.def, nowhere else.
 *
 *     PARAM(name, TYPE, default, min, max, readers, help)
 *
 *   TYPE     STR    a string, $names expanded
 *            RAW    a string whose $names are somebody else's business (luser_relay)
 *            INT    a number that fits int; LONG: one that fits int64_t
 *            BOOL   yes or no
 *            TIME   a number and a unit; the default's unit holds for bare numbers
 *   default  main.cf text, expanded like main.cf text
 *   min, max bounds as main.cf text; NULL: none
 *   readers  the programs that act on the parameter, separated by spaces; "*": all;
 *            "": known by name and not acted on yet
 *   help     one sentence
 *
 * Rows are in alphabetical order within a file, files in all.def.
 */
#ifndef CONF_PARAMS_H
#define CONF_PARAMS_H

enum param {
#define PARAM(name, type, value, min, max, readers, help) P_##name,
#include "conf/params/all.def"
#undef PARAM
    PARAM_COUNT
};

#endif
