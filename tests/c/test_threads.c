/* Machines on threads: each its own, all at once, and every one ends as it does alone. */
#include <pthread.h>

#include "world.h"

enum {
    THREADS = 4,
    MACHINES = 40,
    STEPS = 300,
    BUFFER_BYTES = 3 * WORLD_PAGE
};

/* The checks of the harness belong to the main thread: what runs on threads only counts. */
typedef struct worker {
    pthread_t thread;
    uint32_t first_seed;
    uint32_t errors;
    uint64_t sums[MACHINES];
} worker;

typedef struct play {
    wdfdma_machine *machine;
    WDFDMAENABLER enablers[2];
    WDFDMATRANSACTION transactions[4];
    PMDL mdl;
} play;

static bool play_open(play *out, uint32_t seed) {
    wdfdma_machine_config config = world_config(6);
    const wdfdma_mdl_config buffer = {40, BUFFER_BYTES, NULL, 0};
    WDFDEVICE device;
    config.seed = seed;
    config.log_records = WDFDMA_LOG_GROWS;
    config.reserve_bytes = 64u << 20;
    bool good = wdfdma_machine_create(&config, &out->machine) == STATUS_SUCCESS &&
                wdfdma_device_create(out->machine, NULL, &device) == STATUS_SUCCESS &&
                wdfdma_mdl_create(out->machine, &buffer, &out->mdl) == STATUS_SUCCESS;
    for (int i = 0; good && i < 2; i++) {
        const world_profile asked = {
            .profile = i == 0 ? WdfDmaProfilePacket : WdfDmaProfileScatterGather, .version = 3};
        good = world_enabler_try(device, &asked, &out->enablers[i]) == STATUS_SUCCESS;
    }
    for (int i = 0; good && i < 4; i++) {
        good = WdfDmaTransactionCreate(out->enablers[i % 2], NULL, &out->transactions[i]) ==
               STATUS_SUCCESS;
    }
    return good;
}

static void play_step(play *of) {
    uint64_t random = wdfdma_machine_random(of->machine);
    WDFDMATRANSACTION chosen = of->transactions[random % 4];
    wdfdma_transaction_info info = {0};
    NTSTATUS status;
    wdfdma_transaction_get_info(chosen, &info);
    switch (info.state) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
        world_initialize(chosen, (WDF_DMA_DIRECTION)((random >> 8) & 1), of->mdl, 0,
                         1 + (size_t)((random >> 16) % BUFFER_BYTES));
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(chosen, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        if (info.waiting == WDFDMA_WAITING_NOT) {
            WdfDmaTransactionDmaCompletedWithLength(chosen, (size_t)(info.transfer_length + 1) / 2,
                                                    &status);
        }
        break;
    default:
        WdfDmaTransactionRelease(chosen);
        break;
    }
}

static uint64_t log_sum(const wdfdma_machine *machine) {
    wdfdma_log_view view = {0};
    uint64_t sum = 14695981039346656037u;
    wdfdma_log_get_view(machine, &view);
    const uint8_t *bytes = (const uint8_t *)view.first;
    for (size_t i = 0; i < view.first_count * sizeof *view.first; i++) {
        sum = (sum ^ bytes[i]) * 1099511628211u;
    }
    return sum;
}

/* One machine from its making to its end, with a way back in the middle; the sum of its log, or 0.
 */
static uint64_t play_one(uint32_t seed) {
    play made = {0};
    wdfdma_snapshot *middle = NULL;
    bool good = play_open(&made, seed);
    for (int i = 0; good && i < STEPS; i++) {
        if (i == STEPS / 3) {
            good = wdfdma_snapshot_create(made.machine, &middle) == STATUS_SUCCESS;
        } else if (i == STEPS / 2) {
            good = wdfdma_machine_restore(made.machine, middle) == STATUS_SUCCESS;
        }
        play_step(&made);
    }
    good = good && wdfdma_machine_check(made.machine, NULL) &&
           wdfdma_machine_get_bugcheck(made.machine) == NULL;
    uint64_t sum = good ? log_sum(made.machine) : 0;
    wdfdma_snapshot_destroy(middle);
    wdfdma_machine_destroy(made.machine);
    return sum;
}

static void *worker_run(void *argument) {
    worker *of = argument;
    for (uint32_t i = 0; i < MACHINES; i++) {
        of->sums[i] = play_one(of->first_seed + i);
        of->errors += of->sums[i] == 0;
        of->errors += wdfdma_machine_current() != NULL;
    }
    return NULL;
}

static void workers_run(worker *workers) {
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].first_seed = (i % 2) * 1000;
        CHECK_EQUAL(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQUAL(pthread_join(workers[i].thread, NULL), 0);
        CHECK_EQUAL(workers[i].errors, 0);
    }
}

TEST(threads_give_what_one_gives) {
    static worker workers[THREADS];
    workers_run(workers);
    for (uint32_t i = 0; i < THREADS; i++) {
        for (uint32_t machine = 0; machine < MACHINES; machine++) {
            CHECK_EQUAL(workers[i].sums[machine], workers[i % 2].sums[machine]);
        }
    }
    for (uint32_t machine = 0; machine < MACHINES; machine++) {
        CHECK_EQUAL(play_one(machine), workers[0].sums[machine]);
    }
    CHECK(workers[0].sums[0] != workers[1].sums[0]);
}

typedef struct handover {
    play play;
    uint64_t sum;
} handover;

static void *handover_run(void *argument) {
    handover *of = argument;
    for (int i = 0; i < STEPS; i++) {
        play_step(&of->play);
    }
    of->sum = log_sum(of->play.machine);
    return NULL;
}

/* A machine is used by one thread after another. */
TEST(a_machine_changes_threads) {
    handover first = {0}, second = {0};
    CHECK(play_open(&first.play, 7) && play_open(&second.play, 7));
    handover_run(&first);
    handover_run(&first);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CHECK_EQUAL(pthread_create(&thread, NULL, handover_run, &second), 0);
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
    }
    CHECK_EQUAL(first.sum, second.sum);
    CHECK_STATUS(wdfdma_machine_destroy(first.play.machine), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_destroy(second.play.machine), STATUS_SUCCESS);
}

static void *current_run(void *argument) {
    wdfdma_machine **of = argument;
    wdfdma_machine *before = wdfdma_machine_current();
    wdfdma_machine_use(of[0]);
    of[1] = wdfdma_machine_current();
    return before;
}

TEST(each_thread_has_its_current_machine) {
    wdfdma_machine *machines[2] = {harness_machine(NULL), NULL};
    wdfdma_machine *mine = harness_machine(NULL);
    pthread_t thread;
    void *before = machines;
    CHECK_EQUAL(pthread_create(&thread, NULL, current_run, machines), 0);
    CHECK_EQUAL(pthread_join(thread, &before), 0);
    CHECK(before == NULL);
    CHECK(machines[1] == machines[0]);
    CHECK(wdfdma_machine_current() == mine);
}

HARNESS_MAIN(ENTRY(threads_give_what_one_gives), ENTRY(a_machine_changes_threads),
             ENTRY(each_thread_has_its_current_machine))
