/* What comes of a transaction whose buffer, request or channel goes while it waits or runs, or whose callback
 * stops the machine. */
#include "callback_world.h"

/* The chain is cut while its last MDL is under way: the next transfer finds no place, and begins
 * nothing. */
TEST(a_chain_is_cut) {
    world made = open_world(8, WdfDmaProfilePacket, true, false);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    PMDL gone = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    NTSTATUS status;
    mdl->Next = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, gone), STATUS_SUCCESS);
    CHECK_STATUS(initialize(transaction, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
    WdfDmaTransactionSetMaximumLength(transaction, WORLD_PAGE / 2);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_EQUAL(seen.programmed, 3);
    mdl->Next = gone;
    CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    wdfdma_transaction_info info = world_info(transaction);
    CHECK_EQUAL(info.remaining, WORLD_PAGE / 2);
    CHECK_EQUAL(info.transfer_length, WORLD_PAGE / 2);
    CHECK_EQUAL(seen.programmed, 3);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
}

/* Released while it waits, the verifier off, and started again: its request waits still. */
TEST(started_again_while_it_waits) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(4, WdfDmaProfilePacket, false, way != 0);
        WDFDMATRANSACTION holder = world_transaction(open_other(&made));
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        CHECK_STATUS(reserve(holder, 3), STATUS_SUCCESS);
        CHECK_STATUS(start(transaction, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_POOL);
        size_t told = 0;
        wdfdma_machine_get_violations(made.machine, &told);
        CHECK_EQUAL(told, 0);
        CHECK_STATUS(start(transaction, mdl, 2 * WORLD_PAGE), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_PENDING_RESERVATION_DISTURBED);
        CHECK_EQUAL(seen.programmed, 0);
        harness_machine_end(made.machine);
    }
}

/* Deleted while the controller runs, the verifier off: the machine stops, and the transaction is as it
 * was. */
TEST(deleted_while_the_controller_runs) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(8, WdfDmaProfileSystem, false, way != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(start(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_SUCCESS);
        uint32_t registers = world_free_registers(made.machine);
        WdfObjectDelete(transaction);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_FREED_WHILE_TRANSFERRING);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER);
        CHECK_EQUAL(world_free_registers(made.machine), registers);
        harness_machine_end(made.machine);
    }
}

/* Deleted in the middle of its transfer, the verifier off: its request is the driver's again. */
TEST(deleted_with_a_request) {
    world made = open_world(8, WdfDmaProfilePacket, false, false);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    const wdfdma_request_config config = {.type = WdfRequestTypeRead,
                                          .output = world_mdl(made.machine, 0, WORLD_PAGE, NULL),
                                          .output_length = WORLD_PAGE};
    WDFREQUEST request = NULL;
    wdfdma_request_info info;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, program,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_request_get_info(request, &info), STATUS_SUCCESS);
    CHECK_EQUAL(info.references, 1);
    WdfObjectDelete(transaction);
    CHECK_STATUS(wdfdma_request_get_info(request, &info), STATUS_SUCCESS);
    CHECK_EQUAL(info.references, 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
    WdfRequestComplete(request, STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* The channel was freed behind the framework's back: whoever completes the transfer is told of. */
TEST(completed_without_its_channel) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(8, WdfDmaProfileSystem, true, way != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PDMA_ADAPTER adapter =
            WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
        NTSTATUS status = STATUS_SUCCESS;
        CHECK_STATUS(start(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_SUCCESS);
        CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
        KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
        adapter->DmaOperations->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
        KeLowerIrql(before);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_CHANNEL_NOT_OWNED);
        CHECK_EQUAL(world_parameter(made.machine, 1), (uintptr_t)transaction);
        harness_machine_end(made.machine);
    }
}

static void shorten(WDFDMATRANSACTION transaction) {
    (void)transaction;
    seen.mdl->ByteCount = 1024;
}

/* A driver that shortens an MDL while the channel is configured has the bytes of the next one. */
TEST(a_chain_is_shortened) {
    world made = open_world(8, WdfDmaProfileSystem, true, false);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    seen.mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    seen.mdl->Next = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, configure, NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                     transaction, program, WdfDmaDirectionReadFromDevice, seen.mdl, 2048, 1000),
                 STATUS_SUCCESS);
    seen.act = shorten;
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(seen.programmed, 1);
    CHECK_EQUAL(seen.address, MmGetMdlPfnArray(seen.mdl->Next)[0] * WORLD_PAGE + 1024);
}

static void reserve_inside(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(reserve(seen.first, 2), STATUS_UNSUCCESSFUL);
}

static void start_inside(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(start(seen.first, seen.mdl, WORLD_PAGE), STATUS_UNSUCCESSFUL);
}

static void end_inside(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK(!wdfdma_enabler_complete_transfer(world_info(seen.first).enabler,
                                            WdfDmaDirectionReadFromDevice));
}

/* Where the stack ends, no callback is called: the machine stops at it. */
TEST(no_callback_is_deeper_than_the_stack) {
    for (int way = 0; way < 8; way++) {
        WDF_DMA_PROFILE profile = way / 2 == 2 ? WdfDmaProfileSystem : WdfDmaProfilePacket;
        wdfdma_machine_config config = world_config(64);
        config.maximum_depth = 1;
        world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
        WDFDMATRANSACTION outer = world_transaction(open_other(&made));
        CHECK_STATUS(wdfdma_log_configure(made.machine, way % 2 != 0 ? 16 : 0), STATUS_SUCCESS);
        memset(&seen, 0, sizeof seen);
        seen.first = world_transaction(made.enabler);
        seen.mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        if (way / 2 == 2) {
            WdfDmaTransactionSetTransferCompleteCallback(seen.first, on_end, NULL);
            CHECK_STATUS(start(seen.first, seen.mdl, WORLD_PAGE), STATUS_SUCCESS);
        }
        uint32_t programmed = seen.programmed + 1;
        seen.act = way / 2 == 0 ? reserve_inside : way / 2 == 2 ? end_inside : start_inside;
        CHECK_STATUS(start(outer, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_UNEXPECTED_KERNEL_MODE_TRAP);
        CHECK_EQUAL(seen.programmed, programmed);
        CHECK_EQUAL(seen.reserved, 0);
        CHECK_EQUAL(seen.ends, 0);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->depth, 0);
        harness_machine_end(made.machine);
    }
}

static void halt(WDFDMATRANSACTION transaction) {
    (void)transaction;
    wdfdma_machine_halt(wdfdma_machine_current(), WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
}

/* A controller's end whose callback stops the machine has not run. */
TEST(an_end_that_halts_has_not_come) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(8, WdfDmaProfileSystem, true, way != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, NULL);
        CHECK_STATUS(start(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_SUCCESS);
        seen.act = halt;
        CHECK(!wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
        CHECK_EQUAL(seen.ends, 1);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) != NULL);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_chain_is_cut), ENTRY(started_again_while_it_waits),
             ENTRY(deleted_while_the_controller_runs), ENTRY(deleted_with_a_request),
             ENTRY(completed_without_its_channel), ENTRY(a_chain_is_shortened),
             ENTRY(no_callback_is_deeper_than_the_stack), ENTRY(an_end_that_halts_has_not_come))
