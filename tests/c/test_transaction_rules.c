/* Rules of transactions, reservations and requests that are collected: each is broken once, alone, by a driver that does
 * just that, and kept by one that nearly does. */
#include "rule_world.h"

TEST(status_ignored) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.second, TRUE);
    start(&of, of.first, 2 * WORLD_PAGE);
    WDFDMATRANSACTION third = world_transaction(of.enabler);
    start(&of, third, 2 * WORLD_PAGE);
    CHECK_STATUS(world_initialize(of.second, READ, of.mdl, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
    wdfdma_machine_clear_violations(of.machine); /* the buffer that these share */
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_UNSUCCESSFUL);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[0].rule, WDFDMA_RULE_STATUS_IGNORED);
    CHECK_EQUAL(found[1].rule, WDFDMA_RULE_WDF_DMA_FATAL_ERROR);
    CHECK(!found[0].stopped && found[1].stopped);
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
}

TEST(a_failure_that_is_released_is_heeded) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(of.first, READ, REGISTERS + 1, world_reserve_dma, NULL),
        STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 0);
}

TEST(immediate_lost) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 0);
    start(&of, of.first, 100);
    CHECK(was_broken(&of, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_OP_EXECUTE));
    finish(of.first);
    start(&of, of.first, 100);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
}

/* A reservation is where it is told, too. */
TEST(immediate_lost_by_a_reservation) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    reserve(of.first, 1);
    CHECK(was_broken(&of, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_OP_ALLOCATE_RESOURCES));
    start(&of, of.first, 100);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
}

TEST(immediate_set_again_is_not_lost) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    for (int round = 0; round < 3; round++) {
        WdfDmaTransactionSetImmediateExecution(of.first, round < 2);
        start(&of, of.first, 100);
        finish(of.first);
    }
    CHECK_EQUAL(count_violations(&of), 0);
}

TEST(reservation_kept) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.first, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    start(&of, of.first, 100);
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(of.first, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0); /* nobody waits */
    start(&of, of.first, 100);
    PMDL other = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL);
    start_at(of.second, other, 0, 2 * WORLD_PAGE); /* waits, for what is in use */
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_pool, 1);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_MACHINE(of.machine);
    CHECK(WdfDmaTransactionDmaCompleted(of.first, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_RELEASE));
    CHECK_EQUAL(wdfdma_machine_get_violations(of.machine, &(size_t){0})->parameters[2], 3);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
    WdfDmaTransactionFreeResources(of.first);
    CHECK_EQUAL(world_state(of.second), WDFDMA_STATE_TRANSFER);
}

/* [kept] reserves, transfers and is released, while nobody waits. */
static void reserve_and_use(const rule_world *of, WDFDMATRANSACTION kept, ULONG registers) {
    reserve(kept, registers);
    start(of, kept, 100);
    finish(kept);
    CHECK_EQUAL(count_violations(of), 0);
}

TEST(reservation_kept_before_others_wait) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    reserve_and_use(&of, of.first, 3);
    start(&of, of.second, 2 * WORLD_PAGE);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_EXECUTE));
    const wdfdma_violation *told = wdfdma_machine_get_violations(of.machine, &(size_t){0});
    CHECK_EQUAL(told->handle, (uintptr_t)of.first);
    CHECK_EQUAL(told->parameters[2], 3);
    CHECK_EQUAL(told->parameters[3], 1);
    start(&of, world_transaction(of.enabler), 2 * WORLD_PAGE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
    WdfDmaTransactionFreeResources(of.first);
    finish(of.second);
    wdfdma_machine_clear_violations(of.machine);
    CHECK_MACHINE(of.machine);
}

/* Each of three kept reservations is told, in the order of their first Releases. */
TEST(reservations_kept_by_several) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WDFDMATRANSACTION kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = world_transaction(of.enabler);
        reserve_and_use(&of, kept[i], 1);
    }
    WdfDmaTransactionFreeResources(kept[0]); /* given back in time */
    reserve_and_use(&of, kept[0], 1);
    start(&of, kept[1], 100); /* in use, when the other comes */
    start(&of, of.second, 2 * WORLD_PAGE);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(of.machine, &count);
    if (CHECK_EQUAL(count, 2)) {
        CHECK_EQUAL(told[0].handle, (uintptr_t)kept[2]);
        CHECK_EQUAL(told[1].handle, (uintptr_t)kept[0]);
    }
    finish(kept[1]);
}

TEST(a_reservation_that_nobody_misses) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    reserve(of.first, 1);
    WdfDmaTransactionFreeResources(of.first);
    reserve_and_use(&of, of.first, 1);
    WdfObjectDelete(of.first);
    start(&of, of.second, 2 * WORLD_PAGE);
    PMDL other = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION third = world_transaction(of.enabler);
    start_at(third, other, 0, 4 * WORLD_PAGE);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_pool, 1);
    CHECK_EQUAL(count_violations(&of), 0);
}

/* The channel of a system profile is kept too. */
TEST(reservation_keeps_a_channel) {
    rule_world of = open_rules(WdfDmaProfileSystem);
    reserve_and_use(&of, of.first, 1);
    start(&of, of.second, 100);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_channel, 1);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_EXECUTE));
    CHECK_EQUAL(wdfdma_machine_get_violations(of.machine, &(size_t){0})->parameters[3], 1);
}

TEST(zero_length_livelock) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    NTSTATUS status;
    start(&of, of.first, 100);
    for (int time = 0; time < 2; time++) {
        CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    }
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 50, &status));
    for (int time = 0; time < 2; time++) {
        CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    }
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    CHECK(was_broken(&of, WDFDMA_RULE_ZERO_LENGTH_LIVELOCK, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH));
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    CHECK_EQUAL(count_violations(&of), 1);
}

TEST(cancelled_reservation_kept) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.first, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    start(&of, of.second, 2 * WORLD_PAGE);
    CHECK(WdfDmaTransactionCancel(of.second)); /* a transfer that waits may be cancelled */
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionRelease(of.second), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.second, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(of.second));
    CHECK(was_broken(&of, WDFDMA_RULE_CANCELLED_RESERVATION_KEPT, WDFDMA_OP_CANCEL));
}

/* A request, with which the first transaction is initialized. */
static WDFREQUEST request_begin(const rule_world *of) {
    const wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = of->mdl, .output_length = 100};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(of->device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(
        WdfDmaTransactionInitializeUsingRequest(of->first, request, world_program_dma, READ),
        STATUS_SUCCESS);
    return request;
}

TEST(request_completed_in_transfer) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WDFREQUEST request = request_begin(&of);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    WdfRequestComplete(request, STATUS_SUCCESS);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[0].rule, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER);
    CHECK_EQUAL(found[0].object_type, WDFDMA_OBJECT_REQUEST);
    CHECK_EQUAL(found[1].rule, WDFDMA_RULE_WDF_VERIFIER_FATAL_ERROR);
}

TEST(a_request_that_is_not_the_drivers_any_more) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WDFREQUEST request = request_begin(&of);
    WdfRequestComplete(request, STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER, WDFDMA_OP_EXECUTE));
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    CHECK_EQUAL(found[0].parameters[1], (uint64_t)(uintptr_t)request);
    CHECK_EQUAL(found[0].parameters[2], (uint64_t)(uintptr_t)of.first);
}

TEST(released_in_transfer) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.verifier = false;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    rule_world of = {.machine = made.machine, .mdl = world_mdl(made.machine, 0, 4096, NULL)};
    WDFDMATRANSACTION waiting = world_transaction(made.enabler);
    of.first = world_transaction(made.enabler);
    of.second = world_transaction(made.enabler);
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(of.second, READ, REGISTERS, world_reserve_dma, NULL),
        STATUS_SUCCESS);
    start(&of, waiting, 100);
    CHECK_STATUS(WdfDmaTransactionRelease(of.second), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 1); /* its reservation, which stays */
    wdfdma_machine_clear_violations(of.machine);
    WdfDmaTransactionFreeResources(of.second);
    finish(waiting);
    CHECK_EQUAL(count_violations(&of), 0);
    start(&of, of.first, 100);
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_RELEASED_IN_TRANSFER, WDFDMA_OP_RELEASE));
    start(&of, of.second, 100);
    WdfObjectDelete(of.second);
    CHECK_EQUAL(count_violations(&of), 2);
}

HARNESS_MAIN(ENTRY(status_ignored), ENTRY(a_failure_that_is_released_is_heeded),
             ENTRY(immediate_lost), ENTRY(immediate_lost_by_a_reservation),
             ENTRY(immediate_set_again_is_not_lost), ENTRY(reservation_kept),
             ENTRY(reservation_kept_before_others_wait), ENTRY(reservations_kept_by_several),
             ENTRY(a_reservation_that_nobody_misses), ENTRY(reservation_keeps_a_channel),
             ENTRY(zero_length_livelock), ENTRY(cancelled_reservation_kept),
             ENTRY(request_completed_in_transfer),
             ENTRY(a_request_that_is_not_the_drivers_any_more), ENTRY(released_in_transfer))
