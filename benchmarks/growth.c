/* How the cost of a cycle grows with what else is in the machine: transactions, registers, waiters.
 *
 * Each row has lanes of several sizes, measured in turn; what is reported for a size is its cycle over that of the
 * row's smallest. */
#include "bench.h"

#include <stdio.h>

enum {
    ROUNDS = 101,
    WARM_UP = 10,
    REPEATS = 1000
};

typedef struct row {
    const char *name;
    cycle_routine routine;
    void (*open)(lane *of, uint32_t size);
    uint32_t size_count;
    uint32_t sizes[BENCH_MAXIMUM_LANES];
} row;

/* ---- Other transactions alive ---- */

static void transactions_add(const lane *of, WDFDMAENABLER enabler, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        lane_initialize(of, lane_add_transaction(enabler));
    }
}

/* Initialized and idle, of the same enabler. */
static void open_with_transactions(lane *of, uint32_t size) {
    lane_config config;
    lane_config_init(&config);
    lane_open(of, &config);
    transactions_add(of, of->enabler, size);
}

/* ---- Pools ---- */

static void open_with_pool(lane *of, uint32_t size) {
    lane_config config;
    lane_config_init(&config);
    config.map_registers = size;
    lane_open(of, &config);
}

static void reserve_nothing(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    (void)context;
}

static WDFDMATRANSACTION reservation_add(const lane *of, WDFDMAENABLER enabler,
                                         uint32_t registers) {
    WDFDMATRANSACTION made = lane_add_transaction(enabler);
    NTSTATUS status =
        WdfDmaTransactionAllocateResources(made, of->direction, registers, reserve_nothing, NULL);
    bench_require(status == STATUS_SUCCESS, "registers are reserved");
    return made;
}

/* Every word of the pool has one free register; only the last two words hold a run of two. */
static void open_fragmented(lane *of, uint32_t size) {
    enum {
        WORD = 64
    };
    static WDFDMATRANSACTION holes[1048576 / WORD];
    lane_config config;
    lane_config_init(&config);
    config.map_registers = size;
    lane_open(of, &config);
    config.length_bytes = WORD * BENCH_PAGE_BYTES;
    WDFDMAENABLER filler = lane_add_enabler(of, &config);
    uint32_t words = size / WORD - 1;
    for (uint32_t i = 0; i < words; i++) {
        reservation_add(of, filler, WORD - 1);
        holes[i] = reservation_add(of, filler, 1);
    }
    for (uint32_t i = 0; i < words; i++) {
        WdfDmaTransactionFreeResources(holes[i]);
    }
}

/* ---- Waiters ---- */

static void waiters_add(const lane *of, WDFDMAENABLER enabler, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        WDFDMATRANSACTION waiter = lane_add_transaction(enabler);
        lane_initialize(of, waiter);
        bench_require(WdfDmaTransactionExecute(waiter, NULL) == STATUS_SUCCESS, "a waiter waits");
    }
}

/* They wait for the channel of a system adapter that transfers; the pool has registers for the lane's own adapter. */
static void open_with_channel_waiters(lane *of, uint32_t size) {
    lane_config config;
    lane_config_init(&config);
    lane_open(of, &config);
    config.profile = WdfDmaProfileSystem;
    WDFDMAENABLER busy = lane_add_enabler(of, &config);
    waiters_add(of, busy, size + 1);
    bench_require(wdfdma_machine_get_state(of->machine)->waiting_channel == size,
                  "all but one wait");
}

/* The pool has no register left and the waiters stand behind it; the lane's transaction has a reservation. */
static void open_with_pool_waiters(lane *of, uint32_t size) {
    lane_config config;
    lane_config_init(&config);
    lane_open(of, &config);
    NTSTATUS status = WdfDmaTransactionAllocateResources(of->transaction, of->direction, 2,
                                                         reserve_nothing, NULL);
    bench_require(status == STATUS_SUCCESS, "two registers are reserved");
    config.length_bytes = 62 * BENCH_PAGE_BYTES;
    reservation_add(of, lane_add_enabler(of, &config), 62);
    waiters_add(of, of->enabler, size);
    const wdfdma_machine_state *state = wdfdma_machine_get_state(of->machine);
    bench_require(state->waiting_channel + state->waiting_pool == size, "all wait");
}

/* Initialize, execute behind all that wait, cancel, release. */
static void cycle_run_cancel(const lane *of, uint32_t repeats) {
    WDFDMATRANSACTION transaction = of->transaction;
    bool all_well = true;
    for (uint32_t i = 0; i < repeats; i++) {
        NTSTATUS status = WdfDmaTransactionInitialize(transaction, program_nothing, of->direction,
                                                      of->mdl, of->address, of->length_bytes);
        status |= WdfDmaTransactionExecute(transaction, NULL);
        all_well &= WdfDmaTransactionCancel(transaction) != FALSE;
        status |= WdfDmaTransactionRelease(transaction);
        all_well &= status == STATUS_SUCCESS;
    }
    bench_require(all_well, "every call of a cancelled cycle succeeds");
}

static void open_to_cancel(lane *of, uint32_t size) {
    lane_config config;
    lane_config_init(&config);
    lane_open(of, &config);
    reservation_add(of, of->enabler, 2);
    config.length_bytes = 62 * BENCH_PAGE_BYTES;
    reservation_add(of, lane_add_enabler(of, &config), 62);
    waiters_add(of, of->enabler, size);
}

/* ---- The table of rows ---- */

static const row rows[] = {
    {"transactions", cycle_run, open_with_transactions, 3, {10, 1000, 100000}},
    {"pool", cycle_run, open_with_pool, 5, {64, 1024, 16384, 262144, 1048576}},
    {"pool_fragmented", cycle_run, open_fragmented, 4, {1024, 16384, 262144, 1048576}},
    {"waiters", cycle_run, open_with_channel_waiters, 3, {0, 1000, 100000}},
    {"waiters_reserved", cycle_run, open_with_pool_waiters, 3, {0, 1000, 100000}},
    {"waiters_cancel", cycle_run_cancel, open_to_cancel, 3, {1, 1000, 100000}},
};

static void row_run(const row *what) {
    static double cost[BENCH_MAXIMUM_LANES][ROUNDS];
    static double ratio[BENCH_MAXIMUM_LANES][ROUNDS];
    lane lanes[BENCH_MAXIMUM_LANES];
    for (uint32_t i = 0; i < what->size_count; i++) {
        what->open(&lanes[i], what->sizes[i]);
    }
    for (int round = -WARM_UP; round < ROUNDS; round++) {
        int at = round < 0 ? 0 : round;
        for (uint32_t i = 0; i < what->size_count; i++) {
            cost[i][at] = cycle_measure(what->routine, &lanes[i], REPEATS);
            ratio[i][at] = cost[i][at] / cost[0][at];
        }
    }
    for (uint32_t i = 0; i < what->size_count; i++) {
        bench_report_for(what->name, what->sizes[i], "ns", bench_median(cost[i], ROUNDS));
        bench_report_for(what->name, what->sizes[i], "growth", bench_median(ratio[i], ROUNDS));
        lane_close(&lanes[i]);
    }
}

int main(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row_run(&rows[i]);
    }
    return 0;
}
