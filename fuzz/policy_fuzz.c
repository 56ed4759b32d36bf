/* SPDX-License-Identifier: MIT */
/* Answers of a policy service, one after the other, and the settings of one. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "smtpd/access/policy_service.h"
#include "sys/file.h"

static const struct conf *quiet_conf(void)
{
    static struct conf *conf; /* opened once */
    if (conf == NULL) {
        log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
        log_set_stderr(false);
        conf = conf_open_text("/nonexistent", "", NULL);
        CHECK(conf != NULL);
    }
    return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    STR_AUTO struct str action = {0};
    struct err err = {0};
    const struct conf *conf = quiet_conf();
    FD_AUTO int in = memfd_create("answer", MFD_CLOEXEC);
    FD_AUTO int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(in >= 0 && out >= 0 && file_pwrite_all(in, data, size, 0));
    struct stream *stream = stream_new_pair(in, out);
    while (policy_answer_read(stream, "test", &action)) {
        CHECK(view_index(str_view(&action), '\n') == action.len);
        str_clear(&action);
    }
    stream_free(&stream);
    struct policy_service *service =
        policy_service_new(conf, view_of((const char *)data, size), &err);
    CHECK(service != NULL || err.text[0] != '\0');
    policy_service_free(&service);
    return 0;
}
