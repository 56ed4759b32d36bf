/* SPDX-License-Identifier: MIT */
/*
 * A whole message through cleanup: the first byte holds submit flags, the first line
 * the sender, the second one the recipient, and the rest is content, in pieces.
 * Whatever it is, it becomes a complete queue file or none.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "fuzz/fuzz.h"
#include "sys/file.h"

enum { PIECE = 61 };

static char spool[] = "/tmp/postern-fuzz-XXXXXX";
static int outside = -1;

static const char MAIN_CF[] =
    "myhostname = mail.example.com\nmyorigin = example.com\ncompatibility_level = 3.6\n"
    "mydestination = $myhostname\ninet_interfaces = 127.0.0.1\nrecipient_delimiter = "
    "+\n"
    "canonical_maps = inline:{ {joe = jane}, {@a.example = @b.example} }\n"
    "masquerade_domains = !keep.example.com example.com\n"
    "virtual_alias_maps = inline:{ {all = a, b, all}, {l1 = l2}, {l2 = l1} }\n"
    "undisclosed_recipients_header = To: undisclosed-recipients:;\n"
    "message_size_limit = 4000\nheader_size_limit = 300\nhopcount_limit = 5\n";

static void remove_spool(void)
{
    CHECK(chdir(spool) == 0); /* what is left behind is empty */
    (void)rmdir("incoming");
    (void)rmdir("hold");
    CHECK(chdir("/") == 0);
    (void)rmdir(spool);
}

static struct settings *settings(void)
{
    static struct settings *only;
    if (only == NULL) {
        outside = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(outside >= 0 && mkdtemp(spool) != NULL && chdir(spool) == 0);
        CHECK(mkdir("incoming", 0700) == 0 && mkdir("hold", 0700) == 0);
        CHECK(atexit(remove_spool) == 0);
        log_set_stderr(false);
        only = settings_new(conf_open_text(".", MAIN_CF, NULL));
    }
    CHECK(chdir(spool) == 0);
    return only;
}

static struct view cut_line(struct view *rest)
{
    size_t lf = view_index(*rest, '\n');
    struct view line = view_first(*rest, lf);
    *rest = view_from(*rest, lf + 1);
    return line;
}

/* What submit_record_parse() lets through. */
static bool is_clean(struct view text)
{
    return view_index(text, '\0') == text.len && view_index(text, '\r') == text.len;
}

static void put(struct message *message, enum submit_frame kind, struct view text)
{
    struct submit_record record = {
        .kind = kind, .text = text, .recipient.address = text};
    if (message->result.status == SUBMIT_OK) {
        CHECK(message_record(message, &record));
    }
}

/* The file must be readable, whole, and is removed. */
static void check_file(const struct settings *with, const char *queue, const char *id)
{
    struct arena arena = {0};
    struct queue_message file;
    FD_AUTO int fd = queue_open(with->dirs, queue, id, O_RDONLY);
    CHECK(fd >= 0 && queue_file_read(fd, &arena, &file, NULL) == OK);
    CHECK(queue_file_verify_content(fd, &file, NULL) == OK);
    CHECK(file.recipient_count > 0);
    arena_clear(&arena);
    CHECK(queue_remove(with->dirs, queue, id));
}

static void run(struct settings *with, unsigned flags, struct view rest)
{
    char id[QUEUE_ID_MAX];
    struct view sender = cut_line(&rest);
    struct view recipient = cut_line(&rest);
    if (!is_clean(sender) || !is_clean(recipient)) {
        return;
    }
    struct message *message = message_new(with, flags, NULL);
    CHECK(message != NULL);
    memcpy(id, message->id, sizeof(id));
    put(message, SUBMIT_FRAME_FULLNAME, sender);
    put(message, SUBMIT_FRAME_SENDER, sender);
    put(message, SUBMIT_FRAME_RECIPIENT, recipient);
    while (rest.len > 0) {
        put(message, SUBMIT_FRAME_CONTENT, view_first(rest, PIECE));
        rest = view_from(rest, PIECE);
    }
    if (message_ok(message)) {
        message_commit(message);
    }
    bool good = message_ok(message);
    message_free(&message);
    if (good) {
        check_file(with, (flags & SUBMIT_HOLD) != 0 ? QUEUE_HOLD : QUEUE_INCOMING, id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct settings *with = settings();
    run(with, data[0] & 15U, view_of((const char *)data + 1, size - 1));
    CHECK(fchdir(outside) == 0);
    return 0;
}
