/* SPDX-License-Identifier: MIT */
/* Messages through cleanup, from records to queue files. */
#include "testing/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "cleanup/cleanup.h"
#include "sys/file.h"

static const char BASE_CONF[] = "myhostname = mail.example.com\n"
                                "mydestination = $myhostname, localhost\n"
                                "inet_interfaces = 127.0.0.1\n"
                                "compatibility_level = 3.6\n";

struct fixture {
    char *dir;
    char *before;
    struct conf *conf;
    struct settings *settings;
    struct message *message;
    char id[QUEUE_ID_MAX];
    struct submit_result result;
    struct arena arena;
    struct queue_message file;
    char *content;
    struct str log;
};

static void note_log(enum log_level level, const char *text, void *context)
{
    struct fixture *f = context;
    (void)level;
    str_add_cstr(&f->log, text);
    str_add_byte(&f->log, '\n');
}

static void set_up(struct fixture *f, const char *more)
{
    static const char *const folders[] = {"incoming", "hold", "public"};
    *f = (struct fixture){0};
    f->dir = test_make_dir();
    f->before = getcwd(NULL, 0);
    assert_non_null(f->before);
    assert_int_equal(chdir(f->dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        assert_int_equal(mkdir(folders[i], 0755), 0);
    }
    struct str text = {0};
    struct err err = {0};
    str_printf(&text, "%s%s", BASE_CONF, more);
    f->conf = conf_open_text(".", str_ptr(&text), &err);
    assert_non_null(f->conf);
    str_done(&text);
    log_set_hook(note_log, f);
    log_set_stderr(false);
    f->settings = settings_new(f->conf);
}

static void tear_down(struct fixture *f)
{
    message_free(&f->message);
    settings_free(&f->settings);
    conf_free(&f->conf);
    log_set_hook(NULL, NULL);
    arena_clear(&f->arena);
    str_done(&f->log);
    free(f->content);
    assert_int_equal(chdir(f->before), 0);
    free(f->before);
    test_remove_dir(f->dir);
}

static void begin(struct fixture *f, unsigned flags)
{
    struct err err = {0};
    f->message = message_new(f->settings, flags, &err);
    assert_non_null(f->message);
    (void)snprintf(f->id, sizeof(f->id), "%s", f->message->id);
}

static bool put(struct fixture *f, enum submit_frame kind, const char *text)
{
    struct submit_record record = {.kind = kind, .text = view_cstr(text)};
    record.recipient.address = record.text;
    return message_record(f->message, &record);
}

/* Content in pieces of STEP bytes: the result must not depend on where frames are cut.
 */
static void put_content(struct fixture *f, const char *text, size_t step)
{
    struct view rest = view_cstr(text);
    while (rest.len > 0 && message_ok(f->message)) {
        struct submit_record record = {.kind = SUBMIT_FRAME_CONTENT,
                                       .text = view_first(rest, step)};
        assert_true(message_record(f->message, &record));
        rest = view_from(rest, record.text.len);
    }
}

static void read_back(struct fixture *f, const char *queue)
{
    char path[64];
    struct err err = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", queue, f->id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(queue_file_read(fd, &f->arena, &f->file, &err), OK);
    assert_int_equal(queue_file_verify_content(fd, &f->file, &err), OK);
    size_t len = (size_t)f->file.content_size;
    free(f->content);
    f->content = calloc(1, len + 1);
    assert_int_equal(file_pread_all(fd, f->content, len, f->file.content_offset), len);
    fd_close(&fd);
}

static void commit(struct fixture *f)
{
    if (message_ok(f->message)) {
        message_commit(f->message);
    }
    f->result = f->message->result;
    message_free(&f->message);
}

/* A whole message; STEP as above. */
static void run(struct fixture *f, unsigned flags, const char *sender,
                const char *const *recipients, const char *content, size_t step)
{
    begin(f, flags);
    assert_true(put(f, SUBMIT_FRAME_SENDER, sender));
    for (; *recipients != NULL && message_ok(f->message); recipients++) {
        assert_true(put(f, SUBMIT_FRAME_RECIPIENT, *recipients));
    }
    put_content(f, content, step);
    commit(f);
    if (f->result.status == SUBMIT_OK) {
        read_back(f, (flags & SUBMIT_HOLD) != 0 ? "hold" : "incoming");
    }
}

/* Recipients as "address<original[orcpt]" separated by spaces, '!' first for late ones.
 */
static void recipients_of(const struct fixture *f, struct str *out)
{
    for (size_t i = 0; i < f->file.record_count; i++) {
        const struct queue_record *record = &f->file.records[i];
        if (record->type == QUEUE_RECORD_RECIPIENT) {
            str_printf(out, "%s%s%.*s<%.*s[%.*s]", out->len > 0 ? " " : "",
                       record->after_content ? "!" : "",
                       VIEW_ARG(record->recipient.address),
                       VIEW_ARG(record->recipient.original),
                       VIEW_ARG(record->recipient.dsn_orcpt));
        }
    }
}

static void assert_recipients(const struct fixture *f, const char *expected)
{
    struct str out = {0};
    recipients_of(f, &out);
    assert_string_equal(str_ptr(&out), expected);
    str_done(&out);
}

/* CONTENT with the generated parts of Message-Id and Date taken out. */
static void assert_content(const struct fixture *f, const char *expected)
{
    struct str out = {0};
    for (const char *p = f->content; *p != '\0';) {
        const char *end = strchr(p, '\n');
        assert_non_null(end);
        struct view line = view_of(p, (size_t)(end - p));
        if (view_starts(line, VIEW("Message-Id: <2")) ||
            view_starts(line, VIEW("Resent-Message-Id: <2"))) {
            str_add(&out, view_first(line, view_index(line, ':')));
            str_add_cstr(&out, ": ID");
        } else if ((view_starts(line, VIEW("Date: ")) ||
                    view_starts(line, VIEW("Resent-Date: "))) &&
                   view_index(line, '+') < line.len) {
            str_add(&out, view_first(line, view_index(line, ':')));
            str_add_cstr(&out, ": DATE");
        } else {
            str_add(&out, line);
        }
        str_add_byte(&out, '\n');
        p = end + 1;
    }
    assert_string_equal(str_ptr(&out), expected);
    str_done(&out);
}

static bool file_exists(const char *queue, const char *id)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/%s", queue, id);
    return access(path, F_OK) == 0;
}

/* --- tests ------------------------------------------------------------------------ */

static const char *const ANN[] = {"ann", NULL};
enum { LOCAL = SUBMIT_LOCAL_CONTEXT | SUBMIT_MAP };

static const struct {
    const char *name;
    const char *conf;
    unsigned flags;
    const char *in, *out;
} CONTENTS[] = {
    {"only a body", "", LOCAL, "\nbody\n",
     "Message-Id: ID\nDate: DATE\nFrom: s@e.org\n\nbody\n"},
    {"nothing", "", LOCAL, "", "Message-Id: ID\nDate: DATE\nFrom: s@e.org\n"},
    {"headers without end", "", LOCAL, "Subject: x",
     "Subject: x\nMessage-Id: ID\nDate: DATE\nFrom: s@e.org\n"},
    {"complete", "", LOCAL, "From: a@b.c\nDate: x\nMessage-Id: <y>\n\nb\n",
     "From: a@b.c\nDate: x\nMessage-Id: <y>\n\nb\n"},
    {"remote", "", SUBMIT_MAP, "From: joe\nSubject: x\n\nb\n",
     "From: joe\nSubject: x\n\nb\n"},
    {"remote, always", "always_add_missing_headers = yes\n", SUBMIT_MAP,
     "From: joe\n\nb\n", "From: joe\nMessage-Id: ID\nDate: DATE\n\nb\n"},
    {"remote, with domain", "remote_header_rewrite_domain = domain.invalid\n",
     SUBMIT_MAP, "From: joe\nTo: a, c@host\n\nb\n",
     "From: joe@domain.invalid\nTo: a@domain.invalid, c@host\nMessage-Id: ID\nDate: "
     "DATE\n"
     "\nb\n"},
    {"body without empty line", "", LOCAL, "Subject: x\nnot a header\nLater: y\n",
     "Subject: x\nMessage-Id: ID\nDate: DATE\nFrom: s@e.org\n\nnot a header\nLater: "
     "y\n"},
    {"leading space is body", "", LOCAL, " x\nSubject: y\n",
     "Message-Id: ID\nDate: DATE\nFrom: s@e.org\n\n x\nSubject: y\n"},
    {"folded", "", LOCAL, "Subject: x\n y\n\tz\nName : v\nEmpty:\n\nb\n",
     "Subject: x\n y\n\tz\nName: v\nEmpty:\nMessage-Id: ID\nDate: DATE\nFrom: "
     "s@e.org\n\nb\n"},
    {"mailbox line", "", LOCAL,
     "Received: ours\nFrom x Mon\n>From y\nSubject: z\n\nFrom b\n",
     "Received: ours\nX-Mailbox-Line: From x Mon\nX-Mailbox-Line: >From y\nSubject: z\n"
     "Message-Id: ID\nDate: DATE\nFrom: s@e.org\n\nFrom b\n"},
    {"dropped", "undisclosed_recipients_header = To: undisclosed-recipients:;\n", LOCAL,
     "Return-Path: <x>\nContent-Length: 5\nBCC: a@b,\n c@d\nX-Keep: y\nFrom: "
     "a@b.c\n\nb\n",
     "X-Keep: y\nFrom: a@b.c\nMessage-Id: ID\nDate: DATE\n"
     "To: undisclosed-recipients:;\n\nb\n"},
    {"undisclosed", "undisclosed_recipients_header = To: undisclosed-recipients:;\n",
     LOCAL, "From: a@b.c\n\nb\n",
     "From: a@b.c\nMessage-Id: ID\nDate: DATE\nTo: undisclosed-recipients:;\n\nb\n"},
    {"resent", "", LOCAL, "Resent-From: joe\nDate: x\n\nb\n",
     "Resent-From: joe@mail.example.com\nDate: x\nResent-Message-Id: ID\nResent-Date: "
     "DATE\n"
     "\nb\n"},
    {"stray CR", "", LOCAL, "From: a@b.c\nSubject: x\ry\n\nb\rc\r\n",
     "From: a@b.c\nSubject: x y\nMessage-Id: ID\nDate: DATE\n\nb c \n"},
    {"CR kept", "cleanup_replace_stray_cr_lf = no\n", LOCAL, "From: a@b.c\n\nb\rc\n",
     "From: a@b.c\nMessage-Id: ID\nDate: DATE\n\nb\rc\n"},
    {"addresses", "append_dot_mydomain = yes\n", LOCAL,
     "From: joe\nTo: u@host, \"x, y\" <u>,\n z@e.org\nX-To: joe\n\n",
     "From: joe@mail.example.com\nTo: u@host.example.com, \"x, y\" "
     "<u@mail.example.com>, z@e.org\nX-To: joe\nMessage-Id: ID\nDate: DATE\n\n"},
    {"canonical",
     "sender_canonical_maps = inline:{joe=snd}\n"
     "recipient_canonical_maps = inline:{joe=rcp@x.example}\n",
     LOCAL, "From: joe\nTo: Joe <joe>\n\n",
     "From: snd@mail.example.com\nTo: Joe <rcp@x.example>\nMessage-Id: ID\nDate: "
     "DATE\n\n"},
    {"masquerade",
     "masquerade_domains = !keep.example.com example.com\n"
     "masquerade_exceptions = root\n",
     LOCAL,
     "From: u@h1.example.com\nTo: x@keep.example.com, root@h3.example.com, "
     "y@a.b.EXAMPLE.com\n\n",
     "From: u@example.com\nTo: x@keep.example.com, root@h3.example.com, y@example.com\n"
     "Message-Id: ID\nDate: DATE\n\n"},
    {"no mapping asked for", "sender_canonical_maps = inline:{joe=snd}\n",
     SUBMIT_LOCAL_CONTEXT, "From: joe\n\n",
     "From: joe@mail.example.com\nMessage-Id: ID\nDate: DATE\n\n"},
    {"header too long", "header_size_limit = 20\n", LOCAL,
     "X: 123456789\n 123456789\n 12345\nY: abcdefghijklmnopqrstuvwxyz\n z\nFrom: "
     "a@b\n\nb\n",
     "X: 123456789\n 12345\nY: abcdefghijklmnopq\n z\nFrom: "
     "a@b.example.com\nMessage-Id: ID\n"
     "Date: DATE\n\nb\n"},
};

static void test_contents(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 7, 100000};
    for (size_t i = 0; i < ARRAY_SIZE(CONTENTS); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
            struct fixture f;
            if (strcmp(CONTENTS[i].name, "header too long") == 0 && k == 2) {
                continue; /* where it is cut depends on the pieces */
            }
            set_up(&f, CONTENTS[i].conf);
            run(&f, CONTENTS[i].flags, "s@e.org", ANN, CONTENTS[i].in, steps[k]);
            assert_int_equal(f.result.status, SUBMIT_OK);
            if (strcmp(CONTENTS[i].name, "header too long") != 0) {
                assert_content(&f, CONTENTS[i].out);
            }
            tear_down(&f);
        }
    }
}

static void test_from_header(void **state)
{
    (void)state;
    static const struct {
        const char *conf, *sender, *fullname, *line;
    } cases[] = {
        {"", "joe", "Joe User", "From: Joe User <joe@mail.example.com>\n"},
        {"", "joe", "a.b \"c\"", "From: \"a.b \\\"c\\\"\" <joe@mail.example.com>\n"},
        {"", "s q@e.org", "x", "From: x <\"s q\"@e.org>\n"},
        {"", "", "root", "From: MAILER-DAEMON\n"},
        {"header_from_format = obsolete\n", "joe", "Joe User",
         "From: joe@mail.example.com (Joe User)\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        set_up(&f, cases[i].conf);
        begin(&f, LOCAL);
        assert_true(put(&f, SUBMIT_FRAME_FULLNAME, cases[i].fullname));
        assert_true(put(&f, SUBMIT_FRAME_SENDER, cases[i].sender));
        assert_true(put(&f, SUBMIT_FRAME_RECIPIENT, "ann"));
        put_content(&f, "\n", 1);
        commit(&f);
        read_back(&f, "incoming");
        assert_non_null(strstr(f.content, cases[i].line));
        tear_down(&f);
    }
}

static void test_message_id_log(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        const char *content, *log;
    } cases[] = {
        {LOCAL,
         "Message-ID: <one@two>\nResent-From: r@e\nResent-Message-Id: <r@two>\n\n",
         "ID: message-id=<one@two>\nID: resent-message-id=<r@two>\n"},
        {SUBMIT_MAP, "Subject: x\n\n", "ID: message-id=<>\n"},
        {LOCAL, "Message-Id:\nResent-Message-Id: x\n\n",
         "ID: message-id=\nID: resent-message-id=x\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        set_up(&f, "");
        run(&f, cases[i].flags, "s@e.org", ANN, cases[i].content, 1000);
        struct str expected = {0};
        for (const char *p = cases[i].log; *p != '\0'; p++) {
            if (strncmp(p, "ID:", 3) == 0) {
                str_add_cstr(&expected, f.id);
                p++;
            } else {
                str_add_byte(&expected, *p);
            }
        }
        assert_string_equal(str_ptr(&f.log), str_ptr(&expected));
        str_done(&expected);
        tear_down(&f);
    }
}

static const struct {
    const char *conf;
    const char *recipients[6];
    const char *out;
} ENVELOPES[] = {
    {"",
     {"ann", "bob@x.example", NULL},
     "ann@mail.example.com<ann[rfc822;ann@mail.example.com] "
     "bob@x.example<bob@x.example[rfc822;bob@x.example]"},
    {"",
     {"ann", "ANN", "ann@mail.example.com", NULL}, /* one per original */
     "ann@mail.example.com<ann[rfc822;ann@mail.example.com] "
     "ann@mail.example.com<ann@mail.example.com[rfc822;ann@mail.example.com]"},
    {"enable_original_recipient = no\n",
     {"ann", "ANN", "ann@mail.example.com", NULL},
     "ann@mail.example.com<[rfc822;ann@mail.example.com]"},
    {"",
     {"", NULL},
     "MAILER-DAEMON@mail.example.com<[rfc822;MAILER-DAEMON@mail.example.com]"},
    {"canonical_maps = inline:{ann=Ann.User, @a.example=@b.example}\n",
     {"ann", "x@a.example", NULL},
     "Ann.User@mail.example.com<ann[rfc822;ann@mail.example.com] "
     "x@b.example<x@a.example[rfc822;x@a.example]"},
    {"virtual_alias_maps = inline:{ {info@v.e=ann, bob}, {sales@v.e=info@v.e, ann},"
     " {@v.e=cat} }\n",
     {"sales@v.e", "Any+ext@V.E", "info@v.e", NULL},
     "ann@mail.example.com<sales@v.e[rfc822;sales@v.e] "
     "bob@mail.example.com<sales@v.e[rfc822;sales@v.e] "
     "cat@mail.example.com<Any+ext@V.E[rfc822;Any+ext@V.E] "
     "ann@mail.example.com<info@v.e[rfc822;info@v.e] "
     "bob@mail.example.com<info@v.e[rfc822;info@v.e]"},
    {"virtual_alias_maps = inline:{ {ann=ann, bob} }\n",
     {"ann", NULL},
     "ann@mail.example.com<ann[rfc822;ann@mail.example.com] "
     "bob@mail.example.com<ann[rfc822;ann@mail.example.com]"},
    {"recipient_delimiter = +\nvirtual_alias_maps = inline:{ {vu=ann}, {vu+s=bob} }\n",
     {"vu+foo", "vu+s", NULL},
     "ann+foo@mail.example.com<vu+foo[rfc822;vu+foo@mail.example.com] "
     "bob@mail.example.com<vu+s[rfc822;vu+s@mail.example.com]"},
    {"always_bcc = arch\nsender_bcc_maps = inline:{s@e.org=sb}\n"
     "recipient_bcc_maps = inline:{ann@mail.example.com=rb}\n",
     {"ann", NULL},
     "ann@mail.example.com<ann[rfc822;ann@mail.example.com] "
     "rb@mail.example.com<rb@mail.example.com[] "
     "!sb@mail.example.com<sb@mail.example.com[] "
     "!arch@mail.example.com<arch@mail.example.com[]"},
};

static void test_envelopes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ENVELOPES); i++) {
        struct fixture f;
        set_up(&f, ENVELOPES[i].conf);
        run(&f, LOCAL, "s@e.org", ENVELOPES[i].recipients, "Subject: x\n\n", 1000);
        assert_int_equal(f.result.status, SUBMIT_OK);
        assert_recipients(&f, ENVELOPES[i].out);
        tear_down(&f);
    }
}

static const struct {
    const char *conf;
    const char *recipient;
    const char *content;
    enum submit_status status;
    const char *log; /* after "warning: ID: "; NULL: nothing to check */
} FAILURES[] = {
    {"hopcount_limit = 3\n", "ann",
     "Received: a\nReceived: b\nReceived: c\nSubject: x\n\n", SUBMIT_TOO_MANY_HOPS,
     "message rejected: hopcount exceeded"},
    {"message_size_limit = 10\n", "ann", "\n01234567890\n", SUBMIT_TOO_BIG, NULL},
    {"virtual_alias_maps = inline:{ {l1=l2}, {l2=l1} }\n", "l1", "\n",
     SUBMIT_ALIAS_ERROR,
     "unreasonable virtual_alias_maps map nesting for l1@mail.example.com -- message "
     "not "
     "accepted, try again later"},
    {"virtual_alias_expansion_limit = 2\nvirtual_alias_maps = inline:{ {l1=a b c} }\n",
     "l1", "\n", SUBMIT_ALIAS_ERROR,
     "unreasonable virtual_alias_maps map expansion size for l1@mail.example.com -- "
     "message "
     "not accepted, try again later"},
    {"virtual_alias_maps = inline:{ {l1=(x)} }\n", "l1", "\n", SUBMIT_LOOKUP_ERROR,
     "virtual_alias_maps map lookup problem for l1@mail.example.com -- message not "
     "accepted, "
     "try again later"},
    {"virtual_alias_maps = fail:x\n", "l1", "\n", SUBMIT_LOOKUP_ERROR, NULL},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++) {
        struct fixture f;
        const char *recipients[] = {FAILURES[i].recipient, NULL};
        set_up(&f, FAILURES[i].conf);
        run(&f, LOCAL, "s@e.org", recipients, FAILURES[i].content, 3);
        assert_int_equal(f.result.status, FAILURES[i].status);
        assert_false(file_exists("incoming", f.id));
        if (FAILURES[i].log != NULL) {
            struct str expected = {0};
            str_printf(&expected, "warning: %s: %s\n", f.id, FAILURES[i].log);
            assert_non_null(strstr(str_ptr(&f.log), str_ptr(&expected)));
            str_done(&expected);
        }
        tear_down(&f);
    }
}

/* Our own Received: header does not count for the limit. */
static void test_size_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct str content = {0};
    set_up(&f, "message_size_limit = 600\n");
    str_printf(&content, "Received: from %0500d\n\n123456789", 0);
    run(&f, LOCAL, "s@e.org", ANN, str_ptr(&content), 1000);
    str_done(&content);
    assert_int_equal(f.result.status, SUBMIT_OK);
    tear_down(&f);
}

static void test_hold(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    run(&f, LOCAL | SUBMIT_HOLD, "s@e.org", ANN, "\n", 1000);
    assert_int_equal(f.result.status, SUBMIT_OK);
    assert_false(file_exists("incoming", f.id));
    tear_down(&f);
}

static void abandon_one(struct fixture *f, bool named)
{
    begin(f, LOCAL);
    assert_true(put(f, SUBMIT_FRAME_SENDER, ""));
    put_content(f, "Subject", 3);
    assert_int_equal(file_exists("incoming", f->id), named);
    message_free(&f->message);
    assert_false(file_exists("incoming", f->id));
}

/* What is not complete is not seen, and leaves nothing behind. */
static void test_abandoned(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    abandon_one(&f, false);
    tear_down(&f);
}

/* On a file system that has no files without names. */
static void test_named_from_the_beginning(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    queue_dirs_free(&f.settings->dirs);
    f.settings->dirs = queue_dirs_new(f.conf);
    abandon_one(&f, true);
    run(&f, LOCAL, "s@e.org", ANN, "\n", 1000);
    assert_int_equal(f.result.status, SUBMIT_OK);
    assert_true(file_exists("incoming", f.id));
    run(&f, LOCAL | SUBMIT_HOLD, "s@e.org", ANN, "\n", 1000);
    assert_int_equal(f.result.status, SUBMIT_OK);
    assert_true(file_exists("hold", f.id));
    assert_false(file_exists("incoming", f.id));
    tear_down(&f);
}

static void test_order(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    begin(&f, LOCAL);
    assert_true(put(&f, SUBMIT_FRAME_ARRIVAL, ""));
    assert_false(put(&f, SUBMIT_FRAME_CONTENT, "x")); /* no sender yet */
    assert_false(put(&f, SUBMIT_FRAME_RECIPIENT, "x"));
    assert_true(put(&f, SUBMIT_FRAME_SENDER, "x"));
    assert_false(put(&f, SUBMIT_FRAME_SENDER, "x"));
    assert_false(put(&f, SUBMIT_FRAME_ARRIVAL, ""));
    assert_true(put(&f, SUBMIT_FRAME_CONTENT, "\n"));
    assert_false(put(&f, SUBMIT_FRAME_FULLNAME, "x"));
    assert_true(put(&f, SUBMIT_FRAME_RECIPIENT, "late"));
    assert_false(put(&f, SUBMIT_FRAME_CONTENT, "x"));
    assert_false(put(&f, SUBMIT_FRAME_OPEN, "x"));
    commit(&f);
    read_back(&f, "incoming");
    assert_recipients(&f, "!late@mail.example.com<late[rfc822;late@mail.example.com]");
    tear_down(&f);
}

static void test_encoding(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "");
    run(&f, LOCAL, "s@e.org", ANN, "Content-Transfer-Encoding: 8BIT\n\nx\n", 1000);
    assert_view_equal(queue_message_attribute(&f.file, "encoding"), "8bit");
    assert_true((f.file.flags & QUEUE_FILE_8BITMIME) != 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_from_header),
        cmocka_unit_test(test_message_id_log),
        cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_named_from_the_beginning),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
