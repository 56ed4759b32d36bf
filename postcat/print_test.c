/* SPDX-License-Identifier: MIT */
/* The text form of queue files. */
#include "testing/test.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "postcat/postcat.h"

static int make_file(struct view content)
{
    int fd = memfd_create("postcat", MFD_CLOEXEC), copy = dup(fd);
    struct queue_writer *writer = queue_writer_new(fd, 1795336892000000);
    queue_writer_attribute(writer, "rewrite_context", VIEW("local"));
    queue_writer_fullname(writer, VIEW("root"));
    queue_writer_sender(writer, VIEW("s@example.org"));
    queue_writer_recipient(writer,
                           &(struct queue_recipient){.address = VIEW("one@a.example"),
                                                     .original = VIEW("one"),
                                                     .dsn_orcpt = VIEW("rfc822;one"),
                                                     .dsn_notify = 6});
    queue_writer_recipient(writer, &(struct queue_recipient){.address = VIEW("two@x")});
    queue_writer_content(writer, content);
    queue_writer_attribute(writer, "encoding", VIEW("8bit"));
    struct err err;
    CHECK(queue_writer_commit(writer, false, &err) == OK);
    queue_writer_free(&writer);
    struct arena arena = {0};
    struct queue_message message;
    CHECK(queue_file_read(copy, &arena, &message, &err) == OK);
    CHECK(queue_file_mark_done(copy, message.records[4].recipient.state_offset));
    arena_clear(&arena);
    return copy;
}

static char *print(int fd, const struct postcat_options *options)
{
    char *text = NULL;
    size_t len = 0;
    struct err err;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(postcat_print(fd, "F", options, out, &err), OK);
    (void)fclose(out);
    return text;
}

static void check(int fd, const struct postcat_options *options, const char *expected)
{
    char *text = print(fd, options);
    assert_string_equal(text, expected);
    free(text);
}

#define HEADER "Subject: x\n folded\n"
#define BODY "\nbody\n\nmore\n"

static void test_parts_of_content(void **state)
{
    (void)state;
    int fd = make_file(VIEW(HEADER BODY));
    check(fd, &(struct postcat_options){.show = SHOW_HEADER}, HEADER);
    check(fd, &(struct postcat_options){.show = SHOW_BODY}, BODY);
    check(fd, &(struct postcat_options){.show = SHOW_BODY | SHOW_HEADER}, HEADER BODY);
    check(fd, &(struct postcat_options){.show = SHOW_HEADER, .types = true},
          " 78 Subject: x\n 78  folded\n");
    check(fd, &(struct postcat_options){.show = SHOW_HEADER, .names = true},
          "regular_text: Subject: x\nregular_text:  folded\n");
    close(fd);
    fd = make_file(VIEW("Subject: x\nno header\nY: z"));
    check(fd, &(struct postcat_options){.show = SHOW_HEADER}, "Subject: x\n");
    check(fd, &(struct postcat_options){.show = SHOW_BODY}, "no header\nY: z\n");
    close(fd);
}

static void test_envelope(void **state)
{
    (void)state;
    int fd = make_file(VIEW(HEADER BODY));
    char *text = print(fd, &(struct postcat_options){.show = SHOW_ENVELOPE});
    const char *after_times = strstr(text, "named_attribute: rewrite_context");
    assert_non_null(after_times);
    assert_string_equal(after_times, "named_attribute: rewrite_context=local\n"
                                     "sender_fullname: root\n"
                                     "sender: s@example.org\n"
                                     "named_attribute: notify_flags=6\n"
                                     "named_attribute: dsn_orig_rcpt=rfc822;one\n"
                                     "original_recipient: one\n"
                                     "recipient: one@a.example\n"
                                     "done_recipient: two@x\n"
                                     "*** MESSAGE CONTENTS F ***\n"
                                     "*** HEADER EXTRACTED F ***\n"
                                     "named_attribute: encoding=8bit\n"
                                     "*** MESSAGE FILE END F ***\n");
    assert_memory_equal(text, "*** ENVELOPE RECORDS F ***\nmessage_size:      ", 40);
    free(text);
    close(fd);
}

/* Offsets are those of the file: what -o shows, -s finds. */
static void test_offsets(void **state)
{
    (void)state;
    int fd = make_file(VIEW(HEADER BODY));
    struct arena arena = {0};
    struct queue_message message;
    assert_int_equal(queue_file_read(fd, &arena, &message, NULL), OK);
    char *line = xasprintf("%9lld body\n", (long long)message.content_offset +
                                               (long long)strlen(HEADER) + 1);
    char *text =
        print(fd, &(struct postcat_options){.show = SHOW_ALL, .offsets = true});
    assert_non_null(strstr(text, line));
    free(text);
    free(line);
    check(fd,
          &(struct postcat_options){.show = SHOW_ALL,
                                    .start = message.content_offset +
                                             (int64_t)strlen(HEADER) + 7},
          "more\n*** HEADER EXTRACTED F ***\nnamed_attribute: encoding=8bit\n"
          "*** MESSAGE FILE END F ***\n");
    check(fd,
          &(struct postcat_options){.show = SHOW_ALL, .start = message.file_size + 1},
          "");
    arena_clear(&arena);
    close(fd);
}

static void test_long_lines(void **state)
{
    (void)state;
    size_t len = 300000;
    char *content = xmalloc(len + 1);
    memset(content, 'x', len);
    content[len] = '\n';
    int fd = make_file(view_of(content, len + 1));
    char *text = print(fd, &(struct postcat_options){.show = SHOW_BODY});
    assert_int_equal(strlen(text), len + 1);
    free(text);
    free(content);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_content),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
