/* SPDX-License-Identifier: MIT */
#include "postconf/edit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sys/file.h"
#include "testing/test.h"

struct edit_case {
    const char *before;
    struct request request;
    const char *operands[3];
    const char *after;
};

static void run_case(const struct edit_case *c)
{
    char *dir = test_make_dir();
    struct request request = c->request;
    bool main_cf = request.mode == MODE_MAIN;
    const char *name = main_cf ? "main.cf" : "master.cf";
    STR_AUTO struct str after = {0};
    struct err err;
    test_write_file(dir, name, c->before);
    request.operands = (char **)(uintptr_t)c->operands;
    while (request.operand_count < 3 && c->operands[request.operand_count] != NULL) {
        request.operand_count++;
    }
    if (main_cf) {
        edit_parameters(&request, dir);
    } else {
        edit_services(&request, dir);
    }
    char *path = xasprintf("%s/%s", dir, name);
    assert_int_equal(file_read(path, 10000, &after, &err), OK);
    assert_string_equal(str_ptr(&after), c->after);
    free(path);
    test_remove_dir(dir);
}

#define EDIT(m)                                                                        \
    {                                                                                  \
        .mode = (m), .edit = true                                                      \
    }
#define REMOVE(m)                                                                      \
    {                                                                                  \
        .mode = (m), .remove = true                                                    \
    }
#define COMMENT(m)                                                                     \
    {                                                                                  \
        .mode = (m), .comment_out = true                                               \
    }

static void test_parameters(void **state)
{
    static const struct edit_case cases[] = {
        {"# first\nmyhostname = h\nmydestination = a,\n    b\n# last\n",
         EDIT(MODE_MAIN),
         {"mydestination=c", "relayhost =  [gw]:587 "},
         "# first\nmyhostname = h\nmydestination = c\n# last\nrelayhost = [gw]:587\n"},
        {"a = 1\n# in\n  2\n\n  3\nb = 2", /* no line end */
         EDIT(MODE_MAIN),
         {"a = new"},
         "a = new\n# in\n\nb = 2\n"},
        {"", EDIT(MODE_MAIN), {"a=1", "b=2"}, "a = 1\nb = 2\n"},
        {"a=1\nb=2\n  3\nc=4\n", REMOVE(MODE_MAIN), {"b", "nosuch"}, "a=1\nc=4\n"},
        {"a=1\nb=2\n  3\nc=4\n", COMMENT(MODE_MAIN), {"b"}, "a=1\n#b=2\n#  3\nc=4\n"},
        {"ab = 1\n", EDIT(MODE_MAIN), {"a = 2"}, "ab = 1\na = 2\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        run_case(&cases[i]);
    }
}

static const char two[] =
    "# keep\n"
    "smtp inet  n - y - - smtpd\n"
    "  -o a=b\n"
    "# mid\n"
    "  -o {c = d e}\n"
    "pickup    unix  n       -       y       60      1   pickup\n";

static void test_services(void **state)
{
    static const struct edit_case cases[] = {
        {two,
         EDIT(MODE_FIELDS),
         {"smtp/inet/chroot=n"},
         "# keep\n# mid\n"
         "smtp       inet  n       -       n       -       -       smtpd\n"
         "    -o a=b\n"
         "    -o {c=d e}\n"
         "pickup    unix  n       -       y       60      1   pickup\n"},
        {two,
         EDIT(MODE_OPTIONS),
         {"smtp/inet/a=x", "*/*/new=1"},
         "# keep\n# mid\n"
         "smtp       inet  n       -       y       -       -       smtpd\n"
         "    -o a=x\n"
         "    -o {c=d e}\n"
         "    -o new=1\n"
         "pickup     unix  n       -       y       60      1       pickup\n"
         "    -o new=1\n"},
        {two,
         REMOVE(MODE_OPTIONS),
         {"smtp/inet/a"},
         "# keep\n# mid\n"
         "smtp       inet  n       -       y       -       -       smtpd\n"
         "    -o {c=d e}\n"
         "pickup    unix  n       -       y       60      1   pickup\n"},
        {two,
         EDIT(MODE_SERVICES),
         {"smtp/inet=smtp inet n - n - - smtpd -v", "q/unix=q unix - - - - - p"},
         "# keep\n"
         "smtp       inet  n       -       n       -       -       smtpd -v\n"
         "# mid\n"
         "pickup    unix  n       -       y       60      1   pickup\n"
         "q          unix  -       -       -       -       -       p\n"},
        {two,
         REMOVE(MODE_SERVICES),
         {"smtp/inet"},
         "# keep\n# mid\n"
         "pickup    unix  n       -       y       60      1   pickup\n"},
        {two,
         COMMENT(MODE_SERVICES),
         {"*/inet"},
         "# keep\n"
         "#smtp inet  n - y - - smtpd\n"
         "#  -o a=b\n"
         "# mid\n"
         "#  -o {c = d e}\n"
         "pickup    unix  n       -       y       60      1   pickup\n"},
        {two,
         EDIT(MODE_SERVICES),
         {"*/*=one unix - - - - - p"},
         "# keep\n"
         "one        unix  -       -       -       -       -       p\n"
         "# mid\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        run_case(&cases[i]);
    }
}

/* The file behind a symbolic link is replaced, not the link; its mode stays. */
static void test_link(void **state)
{
    (void)state;
    char *dir = test_make_dir();
    test_write_file(dir, "real.cf", "a = 1\n");
    char *real = xasprintf("%s/real.cf", dir);
    char *link = xasprintf("%s/main.cf", dir);
    char *operands[] = {xstrdup("a=2"), NULL};
    const struct request request = {
        .mode = MODE_MAIN, .edit = true, .operands = operands, .operand_count = 1};
    struct stat st;
    STR_AUTO struct str text = {0};
    assert_int_equal(symlink("real.cf", link), 0);
    assert_int_equal(chmod(real, 0640), 0);
    edit_parameters(&request, dir);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(real, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_read(real, 100, &text, NULL), OK);
    assert_string_equal(str_ptr(&text), "a = 2\n");
    free(operands[0]);
    free(real);
    free(link);
    test_remove_dir(dir);
}

static void edit_in_child(const char *dir, int number)
{
    char *operands[] = {xasprintf("p%d=1", number), NULL};
    const struct request request = {
        .mode = MODE_MAIN, .edit = true, .operands = operands, .operand_count = 1};
    edit_parameters(&request, dir);
    _exit(0);
}

/* Several at once: nobody's change is lost. */
static void test_concurrent(void **state)
{
    enum { CHILDREN = 8 };
    (void)state;
    char *dir = test_make_dir();
    char *path = xasprintf("%s/main.cf", dir);
    pid_t children[CHILDREN];
    STR_AUTO struct str text = {0};
    test_write_file(dir, "main.cf", "");
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            edit_in_child(dir, i);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(file_read(path, 10000, &text, NULL), OK);
    for (int i = 0; i < CHILDREN; i++) {
        char *line = xasprintf("p%d = 1\n", i);
        assert_non_null(strstr(str_ptr(&text), line));
        free(line);
    }
    free(path);
    test_remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_concurrent),
    };
    log_init("edit_test");
    log_set_stderr(false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
