/* SPDX-License-Identifier: MIT */
/* The skeleton against a master that is played by the test. */
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "service/master_protocol.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "testing/test.h"

enum { PATIENCE_MS = 10000, GENERATION = 7 };

/* --- workers --------------------------------------------------------------- */

/* "slow" takes a second, whatever interrupts it; everything else is echoed. */
static void answer(struct stream *client, struct view line)
{
    if (view_equal_cstr(line, "slow")) {
        int64_t end = clock_now() + CLOCK_SECOND;
        while (clock_now() < end) {
            (void)usleep(10000);
        }
    }
    log_info("got %.*s", VIEW_ARG(line));
    stream_printf(client, "%.*s\n", VIEW_ARG(line));
    (void)stream_flush(client);
}

/* Requests on a kept connection, as between our services. */
static void serve_requests(struct service_context *context, struct stream *client)
{
    struct view line;
    stream_set_timeout(client, CLOCK_NEVER);
    while (service_await(context, client) &&
           stream_read_line(client, 1000, &line, NULL)) {
        answer(client, line);
    }
}

/* A dialogue that is nobody's to interrupt, as with SMTP clients. */
static void serve_dialogue(struct service_context *context, struct stream *client)
{
    struct view line;
    (void)context;
    stream_set_timeout(client, CLOCK_NEVER);
    while (stream_read_line(client, 1000, &line, NULL)) {
        answer(client, line);
    }
}

/* Uses more files than anybody has foreseen, until it is told to stop. */
static void waste_files(struct service_context *context, struct stream *client)
{
    enum { WASTED = 20 };
    int files[WASTED];
    struct view line;
    (void)context;
    stream_set_timeout(client, CLOCK_NEVER);
    for (int i = 0; i < WASTED; i++) {
        files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    stream_printf(client, "hello\n");
    (void)stream_flush(client);
    (void)stream_read_line(client, 1000, &line, NULL);
    for (int i = 0; i < WASTED; i++) {
        fd_close(&files[i]);
    }
}

static void log_packet(struct service_context *context, struct view packet)
{
    log_info("%s: %.*s", context->name, VIEW_ARG(packet));
}

static bool is_outdated(struct service_context *context)
{
    return access(conf_str(context->conf, P_smtpd_banner), F_OK) == 0;
}

static const struct service requests = {
    .name = "requests", .kind = SERVICE_CONCURRENT, .session = serve_requests};
static const struct service dialogue = {
    .name = "dialogue", .kind = SERVICE_CONCURRENT, .session = serve_dialogue};
static const struct service wasteful = {
    .name = "wasteful", .kind = SERVICE_CONCURRENT, .session = waste_files};
static const struct service exclusive = {
    .name = "exclusive", .kind = SERVICE_EXCLUSIVE, .session = serve_requests};
static const struct service changing = {.name = "changing",
                                        .kind = SERVICE_EXCLUSIVE,
                                        .session = serve_requests,
                                        .outdated = is_outdated};
static const struct service changing_requests = {.name = "changing",
                                                 .kind = SERVICE_CONCURRENT,
                                                 .session = serve_requests,
                                                 .outdated = is_outdated};
static const struct service datagrams = {
    .name = "datagrams", .kind = SERVICE_DATAGRAM, .datagram = log_packet};

/* --- the master's side -------------------------------------------------------- */

struct fixture {
    char *dir, *socket_path, *log_path;
    int channel; /* our end */
    int listener;
    int log_fd;
    rlim_t open_files; /* limit of the worker; 0: as it is */
    pid_t pid;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->dir = test_make_dir();
    assert_int_equal(chmod(f->dir, 0777), 0);
    f->socket_path = xasprintf("%s/socket", f->dir);
    f->log_path = xasprintf("%s/log", f->dir);
    f->channel = f->listener = f->log_fd = -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    fd_close(&f->channel);
    fd_close(&f->listener);
    fd_close(&f->log_fd);
    test_remove_dir(f->dir);
    free(f->socket_path);
    free(f->log_path);
    free(f);
    return 0;
}

static struct sockaddr_un socket_address(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(f->socket_path) < sizeof(address.sun_path));
    memcpy(address.sun_path, f->socket_path, strlen(f->socket_path));
    return address;
}

static int open_listener(const struct fixture *f, const char *type)
{
    if (strcmp(type, "fifo") == 0) {
        assert_int_equal(mkfifo(f->socket_path, 0666), 0);
        return open(f->socket_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    }
    bool packets = strcmp(type, "unix-dgram") == 0;
    struct sockaddr_un address = socket_address(f);
    int fd = socket(AF_UNIX, (packets ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    if (!packets) {
        assert_int_equal(listen(fd, 100), 0);
    }
    return fd;
}

static int make_snapshot(const struct fixture *f, const char *settings)
{
    STR_AUTO struct str text = {0};
    str_printf(&text, "queue_directory = %s\nmail_owner = nobody\nmyhostname = a.b\n%s",
               f->dir, settings);
    int fd = memfd_create("main.cf", MFD_CLOEXEC);
    assert_true(file_pwrite_all(fd, str_ptr(&text), text.len, 0));
    return fd;
}

NORETURN static void run_worker(const struct service *service, const int *fds,
                                int count, const char *type, const char *clients,
                                rlim_t open_files)
{
    int high[16];
    for (int i = 0; i < count; i++) {
        high[i] = fcntl(fds[i], F_DUPFD, 100);
    }
    for (int i = 0; i < count; i++) {
        (void)dup2(high[i], MASTER_CHANNEL_FD + i);
        (void)close(high[i]);
    }
    (void)close_range(MASTER_CHANNEL_FD + (unsigned)count, ~0U, 0);
    if (open_files > 0) {
        struct rlimit limit = {open_files, open_files};
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)setenv(MASTER_CLIENTS_ENV, clients, 1);
    (void)setenv(MASTER_GENERATION_ENV, "7", 1);
    char name[] = "worker", name_option[] = "-n", service_name[] = "toy";
    char type_option[] = "-t", override[] = "-o", setting[] = "syslog_name=tag";
    char *type_name = xstrdup(type);
    char only_one[] = "-l"; /* as master says it when maxproc is 1 */
    char *argv[] = {name,     name_option, service_name, type_option, type_name,
                    override, setting,     NULL,         NULL};
    bool one = strcmp(clients, "1") == 0;
    argv[7] = one ? only_one : NULL;
    _exit(service_main(service, one ? 8 : 7, argv));
}

static void start(struct fixture *f, const struct service *service, const char *type,
                  const char *clients, const char *settings)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f->channel = pair[0];
    f->listener = open_listener(f, type);
    f->log_fd = open(f->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    FD_AUTO int snapshot = make_snapshot(f, settings);
    FD_AUTO int tickets = memfd_create("tickets", MFD_CLOEXEC);
    int fds[] = {pair[1], f->log_fd, snapshot, tickets, f->listener};
    f->pid = fork();
    if (f->pid == 0) {
        (void)close(pair[0]);
        run_worker(service, fds, ARRAY_SIZE(fds), type, clients, f->open_files);
    }
    (void)close(pair[1]);
}

static struct master_report next_report(const struct fixture *f)
{
    struct master_report report = {0};
    struct pollfd fd = {.fd = f->channel, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(f->channel, &report, sizeof(report), 0), sizeof(report));
    assert_int_equal(report.pid, f->pid);
    assert_int_equal(report.generation, GENERATION);
    return report;
}

static void expect_state(const struct fixture *f, enum worker_state state,
                         unsigned clients)
{
    struct master_report report = next_report(f);
    /* That a first request was answered is news of its own, in the state that was. */
    if (report.state == WORKER_AVAILABLE && state != WORKER_AVAILABLE &&
        report.served != 0) {
        report = next_report(f);
    }
    assert_int_equal(report.state, state);
    assert_int_equal(report.clients, clients);
}

static void expect_silence(const struct fixture *f)
{
    struct pollfd fd = {.fd = f->channel, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 50), 0);
}

static void order(const struct fixture *f, char what)
{
    assert_int_equal(send(f->channel, &what, 1, 0), 1);
}

static void expect_exit(struct fixture *f)
{
    int status = -1;
    int64_t end = clock_now() + PATIENCE_MS * CLOCK_MILLISECOND;
    while (waitpid(f->pid, &status, WNOHANG) == 0) {
        assert_true(clock_now() < end);
        (void)usleep(2000);
    }
    assert_int_equal(status, 0);
    f->pid = 0;
}

static bool log_has(const struct fixture *f, const char *text)
{
    STR_AUTO struct str log = {0};
    assert_int_equal(file_read(f->log_path, 1000000, &log, NULL), OK);
    return strstr(str_ptr(&log), text) != NULL;
}

static void expect_log(const struct fixture *f, const char *text)
{
    int64_t end = clock_now() + PATIENCE_MS * CLOCK_MILLISECOND;
    while (!log_has(f, text)) {
        assert_true(clock_now() < end);
        (void)usleep(2000);
    }
}

/* --- clients ------------------------------------------------------------------ */

static int connect_client(const struct fixture *f)
{
    struct sockaddr_un address = socket_address(f);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)),
        0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Expect TEXT; the empty text is the end of the connection. */
static void hear(int fd, const char *text)
{
    char answer_text[100] = "";
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, answer_text, sizeof(answer_text) - 1, 0) >= 0);
    assert_string_equal(answer_text, text);
}

static void talk(int fd, const char *text)
{
    say(fd, text);
    hear(fd, text);
}

/* --- concurrent ----------------------------------------------------------------- */

static void test_concurrent_tells_how_busy_it_is(void **state)
{
    struct fixture *f = *state;
    int clients[6];
    start(f, &dialogue, "unix", "6", "");
    expect_state(f, WORKER_AVAILABLE, 6);
    for (int i = 0; i < 6; i++) {
        clients[i] = connect_client(f);
        talk(clients[i], "hello\n");
        if (i == 4) {
            expect_state(f, WORKER_BUSY, 6);
        }
    }
    expect_state(f, WORKER_FULL, 6);
    int late = connect_client(f);
    say(late, "late\n");
    for (int i = 0; i < 5; i++) {
        (void)close(clients[i]);
    }
    struct master_report report = next_report(f);
    assert_true(report.served != 0);
    hear(late, "late\n");
    expect_log(f, "tag/dialogue[");
    (void)close(clients[5]);
    (void)close(late);
}

static void test_concurrent_serves_as_many_as_files_allow(void **state)
{
    struct fixture *f = *state;
    f->open_files = 64 + 3 * 7;
    start(f, &requests, "unix", "1000", "");
    expect_state(f, WORKER_AVAILABLE, 7);
}

static int count_in_log(const struct fixture *f, const char *text)
{
    STR_AUTO struct str log = {0};
    int count = 0;
    assert_int_equal(file_read(f->log_path, 1000000, &log, NULL), OK);
    for (const char *at = str_ptr(&log); (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

/* The client that cannot be taken keeps knocking: the worker must not run in circles,
 * and takes it when it can. */
static void test_concurrent_without_files_waits(void **state)
{
    enum { MANY = 12, SHORT_MS = 1000 };
    struct fixture *f = *state;
    int clients[MANY];
    f->open_files = 64 + 3 * MANY;
    start(f, &wasteful, "unix", "1000", "");
    int taken = 0;
    for (bool served = true; served && taken < MANY; taken += served) {
        clients[taken] = connect_client(f);
        struct pollfd fd = {.fd = clients[taken], .events = POLLIN};
        served = poll(&fd, 1, SHORT_MS) == 1;
        if (served) {
            hear(clients[taken], "hello\n");
        }
    }
    assert_in_range(taken, 1, MANY - 1);
    expect_log(f, "accept connection: Too many open files");
    (void)usleep(100000);
    assert_in_range(count_in_log(f, "Too many open files"), 1, 2);
    for (int i = 0; i < taken; i++) {
        (void)close(clients[i]);
    }
    hear(clients[taken], "hello\n");
    (void)close(clients[taken]);
}

static void test_concurrent_is_quiet_between_changes(void **state)
{
    struct fixture *f = *state;
    start(f, &dialogue, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 50);
    for (int i = 0; i < 3; i++) {
        int client = connect_client(f);
        talk(client, "hello\n");
        (void)close(client);
    }
    /* The first session that ended says that the program works; then there is no news.
     */
    expect_state(f, WORKER_AVAILABLE, 50);
    expect_silence(f);
}

static void test_retiring_dismisses_who_waits(void **state)
{
    struct fixture *f = *state;
    start(f, &requests, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 50);
    int client = connect_client(f);
    talk(client, "one\n");
    order(f, MASTER_RETIRE);
    hear(client, "");
    expect_state(f, WORKER_RETIRING, 1);
    expect_exit(f);
    (void)close(client);
}

static void test_retiring_finishes_dialogues(void **state)
{
    struct fixture *f = *state;
    start(f, &dialogue, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 50);
    int client = connect_client(f);
    talk(client, "one\n");
    order(f, MASTER_RETIRE);
    expect_state(f, WORKER_RETIRING, 1);
    talk(client, "two\n");
    (void)close(client);
    expect_exit(f);
}

static void test_concurrent_ends_with_master(void **state)
{
    struct fixture *f = *state;
    start(f, &dialogue, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 50);
    int client = connect_client(f);
    talk(client, "one\n");
    fd_close(&f->channel);
    expect_exit(f);
    hear(client, "");
    (void)close(client);
}

static void test_concurrent_ends_on_sigterm(void **state)
{
    struct fixture *f = *state;
    start(f, &dialogue, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 50);
    int client = connect_client(f);
    talk(client, "one\n");
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    expect_exit(f);
    (void)close(client);
}

static void test_leaves_after_max_use(void **state)
{
    struct fixture *f = *state;
    start(f, &dialogue, "unix", "1", "max_use = 2\n");
    expect_state(f, WORKER_AVAILABLE, 1);
    for (int i = 0; i < 2; i++) {
        int client = connect_client(f);
        talk(client, "hello\n");
        (void)close(client);
    }
    expect_exit(f);
}

static void test_leaves_when_idle(void **state)
{
    struct fixture *f = *state;
    start(f, &requests, "unix", "50", "max_idle = 1s\n");
    expect_state(f, WORKER_AVAILABLE, 50);
    expect_state(f, WORKER_RETIRING, 0);
    expect_exit(f);
}

/* --- log -------------------------------------------------------------------------- */

static void pass_log(const struct fixture *f, int fd)
{
    char what = MASTER_LOG;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = &what, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(part), &fd, sizeof(fd));
    assert_int_equal(sendmsg(f->channel, &message, 0), 1);
}

/* Also in the middle of a job: a rotated log is compressed soon after. */
static void test_takes_a_new_log(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "unix", "1", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    int client = connect_client(f);
    say(client, "slow\n");
    expect_state(f, WORKER_FULL, 1);
    assert_int_equal(unlink(f->log_path), 0);
    FD_AUTO int log = open(f->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    pass_log(f, log);
    hear(client, "slow\n");
    expect_log(f, "got slow");
    (void)close(client);
}

/* --- exclusive ----------------------------------------------------------------------
 */

static void test_exclusive_serves_one(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "unix", "50", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    int first = connect_client(f);
    talk(first, "one\n");
    expect_state(f, WORKER_FULL, 1);
    int second = connect_client(f);
    say(second, "two\n");
    (void)close(first);
    hear(second, "two\n");
    order(f, MASTER_RETIRE);
    hear(second, "");
    expect_exit(f);
    (void)close(second);
}

/* With maxproc 1 nobody else can serve who knocks: a client that asks nothing at the
 * moment makes room, and finds its connection closed. */
static void test_exclusive_makes_room(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "unix", "1", "");
    int first = connect_client(f);
    talk(first, "one\n");
    talk(first, "two\n");
    int second = connect_client(f);
    talk(second, "three\n");
    hear(first, "");
    int third = connect_client(f);
    hear(second, "");
    /* A client that has not asked anything yet keeps its place. */
    int fourth = connect_client(f);
    (void)usleep(50 * 1000);
    talk(third, "four\n");
    talk(fourth, "five\n");
    order(f, MASTER_RETIRE);
    hear(fourth, "");
    (void)close(first);
    (void)close(second);
    (void)close(third);
    (void)close(fourth);
}

static void test_exclusive_finishes_its_job_without_master(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "unix", "1", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    int client = connect_client(f);
    say(client, "slow\n");
    expect_state(f, WORKER_FULL, 1);
    fd_close(&f->channel);
    fd_close(&f->listener);
    /* Nobody listens any more, long before the job is done. */
    (void)usleep(100000);
    struct sockaddr_un address = socket_address(f);
    FD_AUTO int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(probe, (const struct sockaddr *)(const void *)&address,
                             sizeof(address)),
                     -1);
    assert_int_equal(errno, ECONNREFUSED);
    hear(client, "slow\n");
    expect_exit(f);
    (void)close(client);
}

static void test_exclusive_ends_on_sigterm(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "unix", "1", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    int client = connect_client(f);
    talk(client, "one\n");
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    expect_exit(f);
    (void)close(client);
}

static void test_outdated_leaves_the_client_to_the_next(void **state)
{
    struct fixture *f = *state;
    char *settings = xasprintf("smtpd_banner = %s/changed\n", f->dir);
    start(f, &changing, "unix", "1", settings);
    expect_state(f, WORKER_AVAILABLE, 1);
    test_write_file(f->dir, "changed", "");
    int client = connect_client(f);
    say(client, "hello\n");
    expect_state(f, WORKER_RETIRING, 0);
    expect_exit(f);
    (void)close(client);
    free(settings);
}

/* A client that keeps its connection does not keep the old tables. */
static void check_outdated_with_client(struct fixture *f, const struct service *service)
{
    char *settings = xasprintf("smtpd_banner = %s/changed\n", f->dir);
    start(f, service, "unix", "1", settings);
    expect_state(f, WORKER_AVAILABLE, 1);
    int client = connect_client(f);
    talk(client, "one\n");
    talk(client, "two\n");
    test_write_file(f->dir, "changed", "");
    hear(client, "");
    expect_exit(f);
    (void)close(client);
    free(settings);
}

static void test_outdated_exclusive_dismisses_its_client(void **state)
{
    check_outdated_with_client(*state, &changing);
}

static void test_outdated_concurrent_dismisses_its_clients(void **state)
{
    check_outdated_with_client(*state, &changing_requests);
}

/* --- other endpoints
 * ------------------------------------------------------------------ */

static void test_fifo(void **state)
{
    struct fixture *f = *state;
    start(f, &exclusive, "fifo", "1", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    assert_int_equal(write(f->listener, "wake\n", 5), 5);
    expect_log(f, "got wake");
}

static void test_datagrams(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = socket_address(f);
    start(f, &datagrams, "unix-dgram", "1", "");
    expect_state(f, WORKER_AVAILABLE, 1);
    FD_AUTO int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(fd, "packet", 6, 0,
                            (const struct sockaddr *)(const void *)&address,
                            sizeof(address)),
                     6);
    expect_log(f, "toy: packet");
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    expect_exit(f);
}

static void test_stand_alone(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    char *text =
        xasprintf("queue_directory = %s\nmail_owner = nobody\nmyhostname = a.b\n"
                  "maillog_file = %s\nmaillog_file_prefixes = %s\n",
                  f->dir, f->log_path, f->dir);
    test_write_file(f->dir, "main.cf", text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    f->pid = fork();
    if (f->pid == 0) {
        char name[] = "worker", option[] = "-S";
        char *argv[] = {name, option, NULL};
        (void)setenv("MAIL_CONFIG", f->dir, 1);
        (void)dup2(pair[1], STDIN_FILENO);
        (void)dup2(pair[1], STDOUT_FILENO);
        (void)close_range(3, ~0U, 0);
        _exit(service_main(&dialogue, 2, argv));
    }
    (void)close(pair[1]);
    talk(pair[0], "hello\n");
    expect_log(f, "postfix/dialogue[");
    (void)close(pair[0]);
    expect_exit(f);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_concurrent_tells_how_busy_it_is),
        TEST(test_concurrent_serves_as_many_as_files_allow),
        TEST(test_concurrent_without_files_waits),
        TEST(test_concurrent_is_quiet_between_changes),
        TEST(test_retiring_dismisses_who_waits),
        TEST(test_retiring_finishes_dialogues),
        TEST(test_concurrent_ends_with_master),
        TEST(test_concurrent_ends_on_sigterm),
        TEST(test_leaves_after_max_use),
        TEST(test_leaves_when_idle),
        TEST(test_takes_a_new_log),
        TEST(test_exclusive_serves_one),
        TEST(test_exclusive_makes_room),
        TEST(test_exclusive_finishes_its_job_without_master),
        TEST(test_exclusive_ends_on_sigterm),
        TEST(test_outdated_leaves_the_client_to_the_next),
        TEST(test_outdated_exclusive_dismisses_its_client),
        TEST(test_outdated_concurrent_dismisses_its_clients),
        TEST(test_fifo),
        TEST(test_datagrams),
        TEST(test_stand_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
