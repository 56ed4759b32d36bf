/* SPDX-License-Identifier: MIT */
/* postmap and postalias: build, query and change lookup tables. */
#include "postmap/postmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/command.h"

static int run(const struct options *options, const struct conf *conf)
{
    switch (options->action) {
    case ACTION_QUERY:
        return query_run(options, conf);
    case ACTION_DUMP:
        return dump_run(options, conf);
    case ACTION_DELETE:
        return delete_run(options, conf);
    case ACTION_BUILD:
    case ACTION_UPDATE:
        break;
    }
    return build_run(options, conf);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    options.aliases = strcmp(command_init(argc, argv), "postalias") == 0;
    options_parse(&options, argc, argv);
    struct conf *conf = command_conf(options.directory, false);
    int status = run(&options, conf);
    conf_free(&conf);
    return status;
}
