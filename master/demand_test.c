/* SPDX-License-Identifier: MIT */
/* maxproc counts clients, processes follow from it. */
#include "base/log.h"
#include "master/master.h"
#include "testing/test.h"

enum { WORKERS_MAX = 8 };

struct fixture {
    struct settings settings;
    struct master master;
    struct master_entry entry;
    struct service service;
    struct worker_process workers[WORKERS_MAX];
    int count;
};

static void begin(struct fixture *f, int max_processes)
{
    struct err err;
    char name[] = "toy";
    *f = (struct fixture){0};
    f->settings.conf = conf_open_text(
        "/nowhere", "worker_processes = 2\ndefault_process_limit = 100\n", &err);
    assert_non_null(f->settings.conf);
    f->master.settings = &f->settings;
    f->entry = (struct master_entry){
        .name = name, .type = SERVICE_UNIX, .max_processes = max_processes};
    f->service.master = &f->master;
    f->service.entry = &f->entry;
    list_init(&f->service.workers);
}

static void end(struct fixture *f)
{
    conf_free(&f->settings.conf);
}

static struct worker_process *add(struct fixture *f, enum worker_state state,
                                  unsigned clients)
{
    struct worker_process *worker = &f->workers[f->count++];
    worker->state = state;
    worker->clients = clients;
    list_add_tail(&f->service.workers, &worker->node);
    return worker;
}

static void test_as_many_processes_as_wanted_when_busy(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, -1);
    assert_true(service_wants_worker(&f.service));
    assert_int_equal(service_next_clients(&f.service), 50);
    struct worker_process *first = add(&f, WORKER_AVAILABLE, 50);
    assert_false(service_wants_worker(&f.service));
    first->state = WORKER_BUSY;
    assert_true(service_wants_worker(&f.service));
    assert_int_equal(service_next_clients(&f.service), 50);
    struct worker_process *second = add(&f, WORKER_BUSY, 50);
    assert_false(service_wants_worker(&f.service));
    first->state = second->state = WORKER_FULL;
    assert_false(service_wants_worker(&f.service)); /* 100 clients are all */
    end(&f);
}

static void test_more_processes_when_small_ones_are_full(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 7);
    for (int i = 0; i < 3; i++) {
        assert_true(service_wants_worker(&f.service));
        (void)add(&f, WORKER_FULL, 2);
    }
    assert_int_equal(service_next_clients(&f.service), 1);
    (void)add(&f, WORKER_FULL, 1);
    assert_false(service_wants_worker(&f.service));
    end(&f);
}

static void test_no_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0);
    assert_int_equal(service_next_clients(&f.service), 0);
    for (int i = 0; i < WORKERS_MAX; i++) {
        assert_true(service_wants_worker(&f.service));
        (void)add(&f, WORKER_FULL, 1000);
    }
    f.workers[3].state = WORKER_BUSY;
    assert_false(service_wants_worker(&f.service));
    end(&f);
}

static void test_one_process(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1);
    assert_true(service_wants_worker(&f.service));
    assert_int_equal(service_next_clients(&f.service), 1);
    struct worker_process *only = add(&f, WORKER_BUSY, 1000);
    assert_false(service_wants_worker(&f.service));
    only->state = WORKER_FULL;
    assert_false(service_wants_worker(&f.service));
    /* It must be gone before the next one begins, unless it has no clients left. */
    only->state = WORKER_RETIRING;
    assert_false(service_wants_worker(&f.service));
    only->clients = 0;
    assert_true(service_wants_worker(&f.service));
    end(&f);
}

static void test_clients_of_retiring_workers_count(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 10);
    (void)add(&f, WORKER_RETIRING, 8);
    assert_true(service_wants_worker(&f.service));
    assert_int_equal(service_next_clients(&f.service), 2);
    end(&f);
}

static void test_not_while_throttled_or_stopping(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, -1);
    f.service.throttled_until = 1;
    assert_false(service_wants_worker(&f.service));
    f.service.throttled_until = 0;
    f.master.stopping = true;
    assert_false(service_wants_worker(&f.service));
    f.master.stopping = false;
    f.service.entry = NULL;
    assert_false(service_wants_worker(&f.service));
    end(&f);
}

int main(void)
{
    log_set_stderr(false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_processes_as_wanted_when_busy),
        cmocka_unit_test(test_more_processes_when_small_ones_are_full),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_one_process),
        cmocka_unit_test(test_clients_of_retiring_workers_count),
        cmocka_unit_test(test_not_while_throttled_or_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
