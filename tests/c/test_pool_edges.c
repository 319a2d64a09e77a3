/* The pool of map registers at the edges of its words, where the tree over them joins what is free: the
 * longest run that there is, and one register more. */
#include "world.h"

typedef struct edge {
    world world;
    WDFDMATRANSACTION items[3];
} edge;

static edge edge_open(uint32_t registers) {
    wdfdma_machine_config config = world_config(registers);
    edge made = {.world = world_open(
                     &config, (world_profile){.profile = WdfDmaProfilePacket,
                                              .version = 3,
                                              .maximum_length = registers * (size_t)WORLD_PAGE})};
    for (int i = 0; i < 3; i++) {
        made.items[i] = world_transaction(made.world.enabler);
    }
    return made;
}

/* Now or not at all. */
static NTSTATUS run_take(WDFDMATRANSACTION item, uint32_t count) {
    WdfDmaTransactionSetImmediateExecution(item, TRUE);
    return WdfDmaTransactionAllocateResources(item, WdfDmaDirectionReadFromDevice, count,
                                              world_reserve_dma, NULL);
}

static void run_check(const edge *of, WDFDMATRANSACTION item, uint32_t first, uint32_t count) {
    CHECK_STATUS(run_take(item, count), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(item).first_register, first);
    CHECK_EQUAL(wdfdma_pool_get_run(of->world.machine, first), count);
    CHECK(count == 1 || wdfdma_pool_get_run(of->world.machine, first + 1) == 0);
}

static const uint32_t sizes[] = {3,   63,  64,  65,  127, 128, 129, 191, 192,
                                 193, 200, 256, 257, 320, 383, 512, 513, 700};

/* A single register is held at [at]: what is free lies before it and behind it, and most of that was never
 * touched. */
static void hole_play(uint32_t registers, uint32_t at) {
    edge made = edge_open(registers);
    uint32_t behind = registers - 1 - at;
    uint32_t longest = at > behind ? at : behind;
    if (at != 0) {
        run_check(&made, made.items[0], 0, at);
    }
    run_check(&made, made.items[1], at, 1);
    if (at != 0) {
        WdfDmaTransactionFreeResources(made.items[0]);
        CHECK_STATUS(WdfDmaTransactionRelease(made.items[0]), STATUS_SUCCESS);
    }
    CHECK_STATUS(run_take(made.items[2], longest + 1), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(world_free_registers(made.world.machine), registers - 1);
    CHECK_STATUS(WdfDmaTransactionRelease(made.items[2]), STATUS_SUCCESS);
    if (longest != 0) {
        run_check(&made, made.items[2], at >= longest ? 0 : at + 1, longest);
        CHECK_MACHINE(made.world.machine);
        WdfDmaTransactionFreeResources(made.items[2]);
    }
    WdfDmaTransactionFreeResources(made.items[1]);
    CHECK_EQUAL(world_free_registers(made.world.machine), registers);
    CHECK_EQUAL(wdfdma_pool_get_run(made.world.machine, 0), 0);
    harness_machine_end(made.world.machine);
}

TEST(the_longest_run_is_found) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t holes[] = {0,   1,   10,  62,  63,           64,          65,
                                  100, 127, 128, 130, sizes[i] / 2, sizes[i] - 1};
        for (size_t hole = 0; hole < sizeof holes / sizeof *holes; hole++) {
            if (holes[hole] < sizes[i]) {
                hole_play(sizes[i], holes[hole]);
            }
        }
    }
}

/* All at once, and all but a few: the whole pool is one run again afterwards. */
TEST(the_whole_pool_is_a_run) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        edge made = edge_open(sizes[i]);
        for (uint32_t kept = 0; kept < 3 && kept < sizes[i]; kept++) {
            if (kept != 0) {
                run_check(&made, made.items[0], 0, kept);
            }
            run_check(&made, made.items[1], kept, sizes[i] - kept);
            CHECK_EQUAL(world_free_registers(made.world.machine), 0);
            CHECK_MACHINE(made.world.machine);
            CHECK_STATUS(run_take(made.items[2], 1), STATUS_INSUFFICIENT_RESOURCES);
            CHECK_STATUS(WdfDmaTransactionRelease(made.items[2]), STATUS_SUCCESS);
            for (int item = kept == 0; item < 2; item++) {
                WdfDmaTransactionFreeResources(made.items[item]);
                CHECK_STATUS(WdfDmaTransactionRelease(made.items[item]), STATUS_SUCCESS);
            }
            CHECK_MACHINE(made.world.machine);
        }
        CHECK_EQUAL(wdfdma_machine_get_state(made.world.machine)->least_free_registers, 0);
        harness_machine_end(made.world.machine);
    }
}

/* Up to its last register it is the machine's: a restore brings back what was held there. */
TEST(a_snapshot_has_all_of_the_pool) {
    enum {
        LARGE = 1 << 20
    };
    edge made = edge_open(LARGE);
    run_check(&made, made.items[0], 0, LARGE - 1);
    run_check(&made, made.items[1], LARGE - 1, 1);
    wdfdma_snapshot *held = world_snapshot(made.world.machine);
    WdfDmaTransactionFreeResources(made.items[1]);
    CHECK_EQUAL(wdfdma_pool_get_run(made.world.machine, LARGE - 1), 0);
    CHECK_STATUS(wdfdma_machine_restore(made.world.machine, held), STATUS_SUCCESS);
    wdfdma_snapshot_destroy(held);
    CHECK_EQUAL(wdfdma_pool_get_run(made.world.machine, LARGE - 1), 1);
    CHECK_EQUAL(world_free_registers(made.world.machine), 0);
    WdfDmaTransactionFreeResources(made.items[1]);
    CHECK_EQUAL(world_free_registers(made.world.machine), 1);
}

/* The lowest of what is free, however it came to be so: words fill up and empty again from the end. */
TEST(the_lowest_run_is_given) {
    enum {
        RUN = 20,
        RUNS = 16
    };
    edge made = edge_open(RUN * RUNS + 7);
    WDFDMATRANSACTION items[RUNS];
    for (int i = 0; i < RUNS; i++) {
        items[i] = world_transaction(made.world.enabler);
        run_check(&made, items[i], (uint32_t)i * RUN, RUN);
    }
    for (int i = RUNS - 1; i >= 0; i--) {
        WdfDmaTransactionFreeResources(items[i]);
        CHECK_STATUS(WdfDmaTransactionRelease(items[i]), STATUS_SUCCESS);
        run_check(&made, made.items[0], (uint32_t)i * RUN, 1);
        WdfDmaTransactionFreeResources(made.items[0]);
        CHECK_STATUS(WdfDmaTransactionRelease(made.items[0]), STATUS_SUCCESS);
        CHECK_MACHINE(made.world.machine);
    }
    run_check(&made, made.items[0], 0, RUN * RUNS + 7);
}

static void transfer_start(const edge *of, WDFDMATRANSACTION item, uint32_t pages) {
    PMDL mdl = world_mdl(of->world.machine, 0, pages * WORLD_PAGE, NULL);
    CHECK_STATUS(
        world_initialize(item, WdfDmaDirectionReadFromDevice, mdl, 0, pages * (size_t)WORLD_PAGE),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
}

static void transfer_end(WDFDMATRANSACTION item) {
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(item, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
}

/* Transfers that take their registers in the short way, of one word and of more. */
TEST(transfers_take_runs) {
    static const uint32_t pages[] = {1, 2, 63, 64, 65, 100, 128, 129, 1};
    edge made = edge_open(300);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        for (uint32_t held = 0; held < 2; held++) {
            if (held != 0) {
                transfer_start(&made, made.items[0], 1);
            }
            transfer_start(&made, made.items[1], pages[i]);
            CHECK_EQUAL(world_info(made.items[1]).registers, pages[i]);
            CHECK_EQUAL(world_info(made.items[1]).first_register, held);
            CHECK_EQUAL(wdfdma_pool_get_run(made.world.machine, held), pages[i]);
            CHECK_EQUAL(world_free_registers(made.world.machine), 300 - held - pages[i]);
            CHECK_MACHINE(made.world.machine);
            transfer_end(made.items[1]);
            if (held != 0) {
                transfer_end(made.items[0]);
            }
        }
    }
    CHECK_EQUAL(world_free_registers(made.world.machine), 300);
}

/* Somebody waits for more than is free: who would find some does not overtake, on the short way either. */
TEST(a_transfer_does_not_overtake) {
    edge made = edge_open(10);
    const world_profile profile = {
        .profile = WdfDmaProfilePacket, .version = 3, .maximum_length = 10 * WORLD_PAGE};
    WDFDMATRANSACTION waits = world_transaction(world_enabler(made.world.device, &profile));
    WDFDMATRANSACTION late = world_transaction(world_enabler(made.world.device, &profile));
    transfer_start(&made, late, 1);
    transfer_end(late);
    run_check(&made, made.items[0], 0, 6);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(waits, WdfDmaDirectionReadFromDevice, 8,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(world_info(waits).waiting, WDFDMA_WAITING_POOL);
    transfer_start(&made, late, 2);
    CHECK_EQUAL(world_info(late).waiting, WDFDMA_WAITING_POOL);
    WdfDmaTransactionFreeResources(made.items[0]);
    CHECK_EQUAL(world_info(waits).first_register, 0);
    CHECK_EQUAL(world_info(late).first_register, 8);
    transfer_end(late);
}

HARNESS_MAIN(ENTRY(the_longest_run_is_found), ENTRY(the_whole_pool_is_a_run),
             ENTRY(the_lowest_run_is_given), ENTRY(a_snapshot_has_all_of_the_pool),
             ENTRY(transfers_take_runs), ENTRY(a_transfer_does_not_overtake))
