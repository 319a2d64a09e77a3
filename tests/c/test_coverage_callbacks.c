/* What callbacks do to what coverage meets: deletions and completions in them, callbacks in callbacks, whom they
 * let through. */
#include "coverage_world.h"

static void delete_own(script *of, WDFDMATRANSACTION own) {
    (void)of;
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(own, &status);
    WdfObjectDelete(own);
}

static void delete_other(script *of, WDFDMATRANSACTION own) {
    (void)own;
    WdfObjectDelete(of->other);
}

/* In its own callback, or in that of another, or while its reservation waits. */
TEST(deletions_are_told_apart) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    script own = {.run = delete_own};
    start(world_transaction(of.enabler), mdl, 100, &own);
    script other = {.run = delete_other, .other = world_transaction(packet_enabler(&of))};
    WDFDMATRANSACTION deletes = world_transaction(of.enabler);
    start(deletes, mdl, 100, &other);
    CHECK(complete(deletes, STATUS_SUCCESS));
    WDFDMATRANSACTION held = world_transaction(packet_enabler(&of));
    WDFDMATRANSACTION after = world_transaction(packet_enabler(&of));
    reserve(held, 8);
    reserve(after, 8);
    WdfObjectDelete(held);
    WDFDMATRANSACTION waits = world_transaction(packet_enabler(&of));
    reserve(waits, 8);
    WdfObjectDelete(waits);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 6},
                 {"initialize", "created", "STATUS_SUCCESS", 2},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 2},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 2},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 2},
                 {"delete", "created", "returned", 1},
                 {"delete", "reserved", "returned, others were let through", 1},
                 {"delete", "reserved, waits for registers", "returned", 1},
                 {"delete", "transfer_completed", "returned", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 2},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1},
                 {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"pool_empty", 6}, {"deleted_while_waiting", 1},
                 {"deleted_in_own_callback", 1}, {"completed_in_program_dma", 1},
                 {"profile_packet", 2});
    wdfdma_coverage_destroy(map);
}

/* A transfer that waits cannot be deleted. */
TEST(a_deletion_that_is_refused_is_none) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION waits = world_transaction(packet_enabler(&of));
    reserve(world_transaction(of.enabler), 8);
    start(waits, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, NULL);
    WdfObjectDelete(waits);
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(
        wdfdma_coverage_get_count(map, "delete", "transfer, waits for registers", "a bug check"),
        1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "deleted_while_waiting"), 0);
    wdfdma_coverage_destroy(map);
}

static BOOLEAN configure_and_delete(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context,
                                    PMDL mdl, size_t offset, size_t length) {
    (void)device;
    (void)context;
    (void)mdl;
    (void)offset;
    (void)length;
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedFinal(transaction, 0, &status);
    WdfObjectDelete(transaction);
    return FALSE;
}

TEST(a_transaction_is_deleted_as_its_channel_is_configured) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WdfDmaTransactionSetChannelConfigurationCallback(item, configure_and_delete, NULL);
    start(item, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, NULL);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"dma_completed_final", "transfer", "STATUS_SUCCESS", 1},
                 {"delete", "transfer_completed", "returned", 1},
                 {"set_callback", "created", "returned", 1},
                 {"configure_dma_channel", "transfer", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"deleted_in_own_callback", 1}, {"final_with_rest", 1},
                 {"configure_refused", 1});
    wdfdma_coverage_destroy(map);
}

/* Whom its registers let through meets it as it stood, for its deletion is not over. */
static WDFDMATRANSACTION deleted_now;

static void ask_the_deleted(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    (void)context;
    WdfDmaTransactionGetBytesTransferred(deleted_now);
}

TEST(a_deletion_is_not_over_in_the_callbacks_of_others) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    deleted_now = world_transaction(of.enabler);
    reserve(deleted_now, 8);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(world_transaction(packet_enabler(&of)), READ, 4,
                                                    ask_the_deleted, NULL),
                 STATUS_SUCCESS);
    WdfObjectDelete(deleted_now);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 2},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                 {"delete", "reserved", "returned, others were let through", 1},
                 {"get_bytes_transferred", "reserved", "returned", 1},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1},
                 {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"pool_empty", 3});
    wdfdma_coverage_destroy(map);
}

static void end_half(script *of, WDFDMATRANSACTION own) {
    NTSTATUS status = STATUS_SUCCESS;
    (void)of;
    WdfDmaTransactionDmaCompletedFinal(own, 50, &status);
    CHECK_STATUS(status, STATUS_WDF_TOO_MANY_TRANSFERS);
}

/* Half of a single transfer is an error, and no end with a rest. */
TEST(half_a_single_transfer_is_no_end) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    script ends = {.run = end_half};
    WdfDmaTransactionSetSingleTransferRequirement(item, TRUE);
    start(item, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, &ends);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"dma_completed_final", "transfer", "STATUS_WDF_TOO_MANY_TRANSFERS", 1},
                 {"set_single_transfer_requirement", "created", "returned", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"single_transfer_executed", 1}, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

static void execute_other(script *of, WDFDMATRANSACTION own) {
    (void)own;
    CHECK_STATUS(WdfDmaTransactionExecute(of->other, of->next), STATUS_SUCCESS);
}

/* Forty callbacks in one another: from the third on, they are three deep. The innermost one is completed and
 * deleted in its own, the outer ones know of nothing. */
TEST(callbacks_nest) {
    enum {
        DEEP = 40
    };
    wdfdma_machine_config config = world_config(2 * DEEP);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION items[DEEP];
    script scripts[DEEP];
    for (int depth = 1; depth <= DEEP; depth += depth < 4 ? 1 : 13) {
        wdfdma_coverage *map = coverage_of(of.machine);
        for (int i = depth - 1; i >= 0; i--) {
            items[i] = world_transaction(packet_enabler(&of));
            fill(items[i], mdl, 100);
            scripts[i] = i == depth - 1 ? (script){.run = delete_own}
                                        : (script){.run = execute_other,
                                                   .other = items[i + 1],
                                                   .next = &scripts[i + 1]};
        }
        CHECK_STATUS(WdfDmaTransactionExecute(items[0], &scripts[0]), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "callbacks_three_deep"),
                    depth >= 3 ? depth - 2 : 0);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "deleted_in_own_callback"), 1);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "completed_in_program_dma"), 1);
        CHECK_EQUAL(wdfdma_coverage_get_count(map, "program_dma", "transfer",
                                              "called in a call on this transaction"),
                    depth);
        CHECK_EQUAL(wdfdma_coverage_get_count(map, "execute", "initialized",
                                              "STATUS_SUCCESS, called back inside"),
                    depth);
        for (int i = 0; i < depth - 1; i++) {
            CHECK(complete(items[i], STATUS_SUCCESS));
        }
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "completed_in_program_dma"), 1);
        wdfdma_coverage_destroy(map);
    }
}

static void reserve_and_free(script *of, WDFDMATRANSACTION own) {
    (void)own;
    for (uint64_t i = 0; i < of->number; i++) {
        reserve(of->waiters[i], i == 0 ? 4 : 8);
    }
    WdfDmaTransactionFreeResources(of->other);
}

/* What a call inside a callback gives back serves the last who waits, or not yet the last. */
TEST(the_last_waiter_is_served_in_a_callback) {
    for (uint64_t waiters = 0; waiters <= 3; waiters++) { /* of three, two for one channel */
        wdfdma_machine_config config = world_config(8);
        world of =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        wdfdma_coverage *map = coverage_of(of.machine);
        script gives = {.run = reserve_and_free, .number = waiters};
        gives.other = world_transaction(of.enabler);
        for (int i = 0; i < 2; i++) {
            gives.waiters[i] = world_transaction(packet_enabler(&of));
        }
        if (waiters == 3) {
            WDFDMAENABLER own = packet_enabler(&of);
            gives.waiters[1] = world_transaction(own);
            gives.waiters[2] = world_transaction(own);
        }
        reserve(gives.other, 6);
        start(world_transaction(packet_enabler(&of)), mdl, 100, &gives);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "last_waiter_in_callback"), waiters == 1);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "channel_in_turn"), 0);
        wdfdma_coverage_destroy(map);
    }
}

/* Three wait for one channel, the first of them with it for registers. */
TEST(a_channel_goes_from_one_to_the_next) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMAENABLER other = packet_enabler(&of);
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    reserve(held, 8);
    for (int i = 0; i < 3; i++) {
        start(world_transaction(other), mdl, 100, NULL);
    }
    WdfDmaTransactionFreeResources(held);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 4},
                 {"initialize", "created", "STATUS_SUCCESS", 3},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 3},
                 {"free_resources", "reserved", "returned, others were let through", 1},
                 {"program_dma", "transfer", "called in a call on another", 3},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"channel_in_turn", 2}, {"both_queues", 4}, {"pool_empty", 10},
                 {"three_let_through", 1}, {"profile_packet", 3});
    wdfdma_coverage_destroy(map);
}

HARNESS_MAIN(ENTRY(deletions_are_told_apart), ENTRY(a_deletion_that_is_refused_is_none),
             ENTRY(a_transaction_is_deleted_as_its_channel_is_configured),
             ENTRY(a_deletion_is_not_over_in_the_callbacks_of_others),
             ENTRY(half_a_single_transfer_is_no_end), ENTRY(callbacks_nest),
             ENTRY(the_last_waiter_is_served_in_a_callback),
             ENTRY(a_channel_goes_from_one_to_the_next))
