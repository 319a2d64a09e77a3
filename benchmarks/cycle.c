/* The cost of a transaction's cycle, in nanoseconds and in floors.
 *
 * The floor is what no library of this kind could do without: find, mark and clear a run of two registers in a
 * 64-bit word of memory, and call the driver through a pointer in between. It is measured before and after each
 * block of cycles, and the block divided by the mean of both. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

enum {
    ROUNDS = 301,
    WARM_UP = 20,
    FLOOR_REPEATS = 20000,
    CYCLE_REPEATS = 2000,
    MACHINES = 7 /* of each cycle, in turn: where one of them lies in the caches is luck */
};

/* ---- The floor ---- */

static uint32_t count_zeros(uint64_t word) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(word);
#else
    uint32_t count = 0;
    for (; (word & 1) == 0; word >>= 1) {
        count++;
    }
    return count;
#endif
}

typedef struct floor_pool {
    uint64_t held;
} floor_pool;

static void call_nothing(floor_pool *pool, uint32_t first) {
    (void)pool;
    (void)first;
}

/* Volatile, so that no compiler knows what is called, not even one that sees the whole program: the call stays, and as
 * the called may look at the pool, its word is written before the call and read again after it. */
static void (*volatile driver)(floor_pool *pool, uint32_t first) = call_nothing;

static floor_pool floor_registers = {.held = 0x5};

static double floor_measure(void) {
    floor_pool *pool = &floor_registers;
    void (*called)(floor_pool *, uint32_t) = driver;
    uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < FLOOR_REPEATS; i++) {
        uint64_t starts = ~pool->held;
        starts &= starts >> 1;
        if (starts == 0) {
            break;
        }
        uint32_t first = count_zeros(starts);
        pool->held |= 3ull << first;
        called(pool, first);
        pool->held &= ~(3ull << first);
    }
    return (double)(bench_now_ns() - start) / FLOOR_REPEATS;
}

/* ---- Other cycles than initialize, execute, complete, release ---- */

/* The system's controller completes the transfer, then the driver the transaction. */
static void cycle_run_system(const lane *of, uint32_t repeats) {
    WDFDMATRANSACTION transaction = of->transaction;
    bool all_well = true;
    for (uint32_t i = 0; i < repeats; i++) {
        NTSTATUS completion;
        NTSTATUS status = WdfDmaTransactionInitialize(transaction, program_nothing, of->direction,
                                                      of->mdl, of->address, of->length_bytes);
        status |= WdfDmaTransactionExecute(transaction, NULL);
        all_well &= wdfdma_enabler_complete_transfer(of->enabler, of->direction);
        all_well &= WdfDmaTransactionDmaCompleted(transaction, &completion) != FALSE;
        status |= completion | WdfDmaTransactionRelease(transaction);
        all_well &= status == STATUS_SUCCESS;
    }
    bench_require(all_well, "every call of a system cycle succeeds");
}

static void complete_inside(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                            WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    NTSTATUS completion;
    (void)device;
    (void)context;
    (void)direction;
    (void)status;
    WdfDmaTransactionDmaCompleted(transaction, &completion);
}

/* The driver completes the transaction in EvtDmaTransactionDmaTransferComplete. */
static void cycle_run_callback(const lane *of, uint32_t repeats) {
    WDFDMATRANSACTION transaction = of->transaction;
    bool all_well = true;
    for (uint32_t i = 0; i < repeats; i++) {
        NTSTATUS status = WdfDmaTransactionInitialize(transaction, program_nothing, of->direction,
                                                      of->mdl, of->address, of->length_bytes);
        status |= WdfDmaTransactionExecute(transaction, NULL);
        all_well &= wdfdma_enabler_complete_transfer(of->enabler, of->direction);
        status |= WdfDmaTransactionRelease(transaction);
        all_well &= status == STATUS_SUCCESS;
    }
    bench_require(all_well, "every call of a system cycle succeeds");
}

static void reserve_nothing(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    (void)context;
}

/* ---- The table of cycles ---- */

typedef struct cycle {
    const char *name;
    WDF_DMA_PROFILE profile;
    uint32_t version;
    bool is_reserved;
    bool completes_inside;
    bool unwatched; /* the verifier off, and every rule ignored */
    bool counted;   /* its coverage is collected */
    cycle_routine routine;
} cycle;

/* The next two are compared with the first. */
static const cycle cycles[] = {
    {"packet", WdfDmaProfilePacket, 3, false, false, false, false, cycle_run},
    {"packet_unwatched", WdfDmaProfilePacket, 3, false, false, true, false, cycle_run},
    {"packet_counted", WdfDmaProfilePacket, 3, false, false, false, true, cycle_run},
    {"packet_2", WdfDmaProfilePacket, 2, false, false, false, false, cycle_run},
    {"reserved", WdfDmaProfilePacket, 3, true, false, false, false, cycle_run},
    {"scatter_gather", WdfDmaProfileScatterGather, 3, false, false, false, false, cycle_run},
    {"scatter_gather_2", WdfDmaProfileScatterGather, 2, false, false, false, false, cycle_run},
    {"scatter_gather_64", WdfDmaProfileScatterGather64, 3, false, false, false, false, cycle_run},
    {"system", WdfDmaProfileSystem, 3, false, false, false, false, cycle_run_system},
    {"system_callback", WdfDmaProfileSystem, 3, false, true, false, false, cycle_run_callback},
    {"system_4_calls", WdfDmaProfileSystem, 3, false, false, false, false, cycle_run},
};

static void cycle_open(const cycle *what, lane *of) {
    lane_config config;
    lane_config_init(&config);
    config.profile = what->profile;
    config.version = what->version;
    config.unwatched = what->unwatched;
    lane_open(of, &config);
    if (what->is_reserved) {
        NTSTATUS status = WdfDmaTransactionAllocateResources(of->transaction, of->direction, 2,
                                                             reserve_nothing, NULL);
        bench_require(status == STATUS_SUCCESS, "two registers are reserved");
    }
    if (what->counted) {
        wdfdma_coverage *coverage = NULL;
        NTSTATUS status = wdfdma_coverage_create(&coverage);
        status |= wdfdma_machine_set_coverage(of->machine, coverage);
        wdfdma_coverage_destroy(coverage); /* the machine keeps it */
        bench_require(status == STATUS_SUCCESS, "calls are counted");
    }
    if (what->completes_inside) {
        WdfDmaTransactionSetTransferCompleteCallback(of->transaction, complete_inside, NULL);
    }
}

static void cycle_close(const cycle *what, lane *of) {
    if (what->is_reserved) {
        WdfDmaTransactionFreeResources(of->transaction);
    }
    const wdfdma_machine_state *state = wdfdma_machine_get_state(of->machine);
    bench_require(state->free_registers == state->map_registers, "all registers came back");
    lane_close(of);
}

typedef struct samples {
    double floor[ROUNDS];
    double cycle[ROUNDS];
    double ratio[ROUNDS];
} samples;

static void samples_report(const char *name, samples *taken) {
    char line[64];
    snprintf(line, sizeof line, "%s.ns", name);
    bench_report(line, bench_median(taken->cycle, ROUNDS));
    snprintf(line, sizeof line, "%s.floors", name);
    bench_report(line, bench_median(taken->ratio, ROUNDS));
    snprintf(line, sizeof line, "%s.quiet_floors", name);
    bench_report(line, bench_quiet(taken->ratio, ROUNDS));
    snprintf(line, sizeof line, "%s.floor_ns", name);
    bench_report(line, bench_median(taken->floor, ROUNDS));
}

static void round_take(const cycle *what, const lane *of, samples *into, int round) {
    double before = floor_measure();
    double here = cycle_measure(what->routine, of, CYCLE_REPEATS);
    double floor = (before + floor_measure()) / 2;
    into->floor[round] = floor;
    into->cycle[round] = here;
    into->ratio[round] = here / floor;
}

/* [argv][1], if given: the one cycle to be run, [argv][2] rounds of it; for a profiler. */
static int run_one(const char *name, const char *rounds) {
    unsigned count = 0;
    bench_require(sscanf(rounds, "%u", &count) == 1, "a number of rounds");
    for (size_t i = 0; i < sizeof cycles / sizeof *cycles; i++) {
        if (strcmp(cycles[i].name, name) == 0) {
            lane of;
            cycle_open(&cycles[i], &of);
            cycles[i].routine(&of, count);
            cycle_close(&cycles[i], &of);
            return 0;
        }
    }
    return 2;
}

int main(int argc, char **argv) {
    enum {
        COUNT = sizeof cycles / sizeof *cycles
    };
    static samples taken[COUNT];
    lane lanes[COUNT][MACHINES];
    if (argc == 3) {
        return run_one(argv[1], argv[2]);
    }
    for (int i = 0; i < COUNT * MACHINES; i++) {
        cycle_open(&cycles[i % COUNT], &lanes[i % COUNT][i / COUNT]);
    }
    for (int round = -WARM_UP; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) {
            const lane *of = &lanes[i][(round + WARM_UP) % MACHINES];
            round_take(&cycles[i], of, &taken[i], round < 0 ? 0 : round);
        }
    }
    static double watched[ROUNDS];
    static double counted[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        watched[round] = taken[0].cycle[round] / taken[1].cycle[round];
        counted[round] = taken[2].cycle[round] / taken[0].cycle[round];
    }
    bench_report("packet.of_unwatched", bench_median(watched, ROUNDS));
    bench_report("packet.counted", bench_median(counted, ROUNDS));
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < MACHINES; j++) {
            cycle_close(&cycles[i], &lanes[i][j]);
        }
        samples_report(cycles[i].name, &taken[i]);
    }
    return 0;
}
