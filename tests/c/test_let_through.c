/* What comes of a transaction while its registers are given back, while it waits, or while a rule has just
 * stopped the machine: the callbacks of others run in the middle of its calls. */
#include "world.h"

static struct {
    void (*act)(WDFDMATRANSACTION transaction); /* in the next callback, once; NULL: nothing */
    WDFDMATRANSACTION first;
    PMDL mdl;
    uint32_t programmed;
    uint32_t configured;
    uint32_t reserved;
    uint32_t ends;
    uint64_t address; /* of the last list */
    wdfdma_transaction_info inside;
} seen;

static void act_once(WDFDMATRANSACTION transaction) {
    void (*act)(WDFDMATRANSACTION) = seen.act;
    seen.act = NULL;
    if (act != NULL) {
        act(transaction);
    }
}

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                       WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    seen.address = (uint64_t)list->Elements[0].Address.QuadPart;
    seen.programmed++;
    act_once(transaction);
    return TRUE;
}

static void reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    (void)context;
    seen.reserved++;
    act_once(transaction);
}

static BOOLEAN configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context, PMDL mdl,
                         size_t offset, size_t length) {
    (void)device;
    (void)context;
    (void)mdl;
    (void)offset;
    (void)length;
    seen.configured++;
    act_once(transaction);
    return TRUE;
}

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    (void)status;
    seen.ends++;
    act_once(transaction);
}

static NTSTATUS initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    return WdfDmaTransactionInitializeUsingOffset(transaction, program,
                                                  WdfDmaDirectionReadFromDevice, mdl, 0, length);
}

static NTSTATUS reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    return WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, registers,
                                              reserve_dma, NULL);
}

static NTSTATUS start(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    NTSTATUS status = initialize(transaction, mdl, length);
    return NT_SUCCESS(status) ? WdfDmaTransactionExecute(transaction, NULL) : status;
}

static void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

/* A machine of [registers], with an enabler of [profile]. */
static world open_world(uint32_t registers, WDF_DMA_PROFILE profile, bool verifier,
                        bool keeps_log) {
    wdfdma_machine_config config = world_config(registers);
    config.verifier = verifier;
    world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
    CHECK_STATUS(wdfdma_log_configure(made.machine, keeps_log ? 16 : 0), STATUS_SUCCESS);
    memset(&seen, 0, sizeof seen);
    return made;
}

static WDFDMAENABLER open_other(const world *of) {
    return world_enabler(of->device,
                         &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

static void complete_half(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, WORLD_PAGE / 2, &status));
    CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
}

/* A list that was waited for when its transfer was completed comes all the same, and cannot be given
 * back. */
TEST(a_list_comes_after_the_end) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(4, WdfDmaProfileScatterGather, true, way != 0);
        WDFDMATRANSACTION holder = world_transaction(open_other(&made));
        WDFDMATRANSACTION late = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        CHECK_STATUS(start(late, mdl, WORLD_PAGE), STATUS_SUCCESS);
        complete(late);
        CHECK_STATUS(WdfDmaTransactionRelease(late), STATUS_SUCCESS);
        CHECK_STATUS(reserve(holder, 3), STATUS_SUCCESS);
        CHECK_STATUS(start(late, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 1);
        complete(late);
        WdfDmaTransactionFreeResources(holder);
        CHECK_EQUAL(seen.programmed, 2);
        CHECK_EQUAL(world_info(late).registers, 2);
        CHECK_STATUS(WdfDmaTransactionRelease(late), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_COMPLETED_TWICE);
        harness_machine_end(made.machine);
    }
}

static void release_and_initialize(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(WdfDmaTransactionRelease(seen.first), STATUS_SUCCESS);
    CHECK_STATUS(initialize(seen.first, seen.mdl, WORLD_PAGE), STATUS_SUCCESS);
}

static void release_and_reserve(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(WdfDmaTransactionRelease(seen.first), STATUS_SUCCESS);
    CHECK_STATUS(reserve(seen.first, 3), STATUS_SUCCESS);
    CHECK_EQUAL(seen.reserved, 1);
}

/* [first] completes, and its registers let another one of its adapter through, which calls [act]. */
static world complete_into(void (*act)(WDFDMATRANSACTION), bool keeps_log,
                           WDFDMATRANSACTION *holder) {
    world made = open_world(4, WdfDmaProfilePacket, true, keeps_log);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    *holder = world_transaction(open_other(&made));
    seen.first = world_transaction(made.enabler);
    seen.mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
    CHECK_STATUS(reserve(*holder, 2), STATUS_SUCCESS);
    CHECK_STATUS(start(seen.first, seen.mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(start(second, world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL), 2 * WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_EQUAL(seen.programmed, 1);
    seen.act = act;
    complete(seen.first);
    CHECK_EQUAL(seen.programmed, 2);
    return made;
}

/* Initialized by what its own completion let through, it has a buffer, and no adapter. */
TEST(initialized_too_early) {
    for (int way = 0; way < 4; way++) {
        WDFDMATRANSACTION holder;
        world made = complete_into(release_and_initialize, way % 2 != 0, &holder);
        CHECK_EQUAL(world_state(seen.first), WDFDMA_STATE_INITIALIZED);
        if (way / 2 == 0) {
            CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_UNSUCCESSFUL);
        } else {
            ULONG registers = 7;
            WdfDmaTransactionGetTransferInfo(seen.first, &registers, NULL);
            CHECK_EQUAL(registers, 7);
        }
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_NO_ADAPTER);
        CHECK_EQUAL(seen.programmed, 2);
        harness_machine_end(made.machine);
    }
}

/* Reserved by it, it comes to registers without an adapter to give them back to. */
TEST(reserved_too_early) {
    for (int way = 0; way < 2; way++) {
        WDFDMATRANSACTION holder;
        world made = complete_into(release_and_reserve, way != 0, &holder);
        CHECK_EQUAL(world_info(seen.first).waiting, WDFDMA_WAITING_POOL);
        WdfDmaTransactionFreeResources(holder);
        CHECK_EQUAL(seen.reserved, 2);
        CHECK_EQUAL(world_state(seen.first), WDFDMA_STATE_RESERVED);
        CHECK(world_info(seen.first).holds_base);
        uint32_t registers = world_free_registers(made.machine);
        WdfDmaTransactionFreeResources(seen.first);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_COMPLETED_TWICE);
        CHECK_EQUAL(world_free_registers(made.machine), registers);
        harness_machine_end(made.machine);
    }
}

static void initialize_and_execute(WDFDMATRANSACTION transaction) {
    CHECK_STATUS(initialize(seen.first, seen.mdl, WORLD_PAGE), STATUS_SUCCESS);
    seen.inside = world_info(seen.first);
    /* With a log from here on, Execute looks for the first byte anew. */
    CHECK_STATUS(wdfdma_log_configure(wdfdma_machine_current(), 16), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_SUCCESS);
    (void)transaction;
}

/* Initialize begins anew, also where FreeResources has not yet forgotten the last range. */
TEST(a_range_begins_anew) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(2, WdfDmaProfilePacket, true, way != 0);
        WDFDMATRANSACTION second = world_transaction(open_other(&made));
        NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;
        seen.first = world_transaction(made.enabler);
        seen.mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        seen.mdl->Next = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(reserve(seen.first, 2), STATUS_SUCCESS);
        CHECK_STATUS(initialize(seen.first, seen.mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
        WdfDmaTransactionSetMaximumLength(seen.first, WORLD_PAGE / 2);
        CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_SUCCESS);
        for (int i = 0; i < 4; i++) {
            CHECK_EQUAL(WdfDmaTransactionDmaCompleted(seen.first, &status), i == 3);
        }
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_STATUS(
            start(second, world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL), 2 * WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 4);
        seen.act = initialize_and_execute;
        WdfDmaTransactionFreeResources(seen.first);
        CHECK_EQUAL(seen.programmed, 6);
        CHECK_EQUAL(seen.inside.bytes_transferred, 0);
        CHECK_EQUAL(seen.inside.length, WORLD_PAGE);
        CHECK_EQUAL(seen.inside.remaining, WORLD_PAGE);
        harness_machine_end(made.machine);
    }
}

static void half_and_release(WDFDMATRANSACTION transaction) {
    complete_half(transaction);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

static void half_and_final(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    complete_half(transaction);
    CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 0, &status));
}

static void half_and_end(WDFDMATRANSACTION transaction) {
    CHECK(wdfdma_enabler_complete_transfer(world_info(transaction).enabler,
                                           WdfDmaDirectionReadFromDevice));
    complete_half(transaction);
    seen.inside = world_info(transaction);
}

static void half_and_halt(WDFDMATRANSACTION transaction) {
    complete_half(transaction);
    wdfdma_machine_halt(wdfdma_machine_current(), WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    seen.inside = world_info(transaction);
}

/* What a callback did to its own transaction is met by the stage that goes on after it, and told by its
 * own rule; nothing is programmed any more. */
TEST(a_stage_meets_what_its_callback_did) {
    static const struct {
        WDF_DMA_PROFILE profile;
        bool configures; /* and [act] is EvtDmaTransactionConfigureDmaChannel's */
        bool verifier;
        void (*act)(WDFDMATRANSACTION);
        uint32_t rule;
    } rows[] = {
        {WdfDmaProfilePacket, false, false, half_and_release, WDFDMA_RULE_FREED_WHILE_TRANSFERRING},
        {WdfDmaProfileSystem, false, false, half_and_release, WDFDMA_RULE_FREED_WHILE_TRANSFERRING},
        {WdfDmaProfilePacket, false, true, half_and_final, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfileSystem, false, true, half_and_final, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfileSystem, true, true, half_and_final, WDFDMA_RULE_COMPLETED_WHILE_CONFIGURING},
        {WdfDmaProfileSystem, false, true, half_and_end, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfilePacket, false, true, half_and_halt, WDFDMA_RULE_NONE},
        {WdfDmaProfileSystem, true, true, half_and_halt, WDFDMA_RULE_NONE},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        size_t row = i / 2;
        world made = open_world(8, rows[row].profile, rows[row].verifier, i % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        if (world_profile_is_system(rows[row].profile)) {
            WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, NULL);
        }
        if (rows[row].configures) {
            WdfDmaTransactionSetChannelConfigurationCallback(transaction, configure, NULL);
        }
        seen.act = rows[row].act;
        CHECK_STATUS(start(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_UNSUCCESSFUL);
        bool right = CHECK_EQUAL(world_rule(made.machine), rows[row].rule);
        right = CHECK(wdfdma_machine_get_bugcheck(made.machine) != NULL) && right;
        right = CHECK_EQUAL(seen.programmed, !rows[row].configures) && right;
        right = CHECK_EQUAL(seen.configured, rows[row].configures) && right;
        right = CHECK_EQUAL(seen.ends, 0) && right;
        right = CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0) && right;
        if (seen.inside.length != 0) {
            wdfdma_transaction_info info = world_info(transaction);
            right = CHECK_EQUAL(info.remaining, seen.inside.remaining) && right;
            right = CHECK_EQUAL(info.transfer_length, seen.inside.transfer_length) && right;
        }
        if (!right) {
            printf("    in row %zu\n", row);
        }
        harness_machine_end(made.machine);
    }
}

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

HARNESS_MAIN(ENTRY(a_list_comes_after_the_end), ENTRY(initialized_too_early),
             ENTRY(reserved_too_early), ENTRY(a_range_begins_anew),
             ENTRY(a_stage_meets_what_its_callback_did), ENTRY(a_chain_is_cut),
             ENTRY(started_again_while_it_waits), ENTRY(deleted_while_the_controller_runs),
             ENTRY(deleted_with_a_request), ENTRY(completed_without_its_channel),
             ENTRY(a_chain_is_shortened), ENTRY(no_callback_is_deeper_than_the_stack),
             ENTRY(an_end_that_halts_has_not_come))
