/* Registers that are asked for, waited for, reserved and cancelled, at their edges. */
#include "edge_world.h"

/* A reservation is not stopped by what stopped the cycle before. */
TEST(a_reservation_is_not_stopped) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    WdfDmaTransactionStopSystemTransfer(transaction);
    CHECK(world_info(transaction).stopped);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    CHECK_STATUS(reserve(transaction, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
    CHECK(!world_info(transaction).stopped);
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(programmed, 1);
}

/* Lists that wait are cancelled one by one, the oldest first; a completion had asked for the second. */
TEST(lists_that_wait_are_cancelled_in_turn) {
    wdfdma_machine_config config = world_config(4);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                     .version = 3,
                                                     .maximum_length = 2 * WORLD_PAGE});
    WDFDMATRANSACTION holder = world_transaction(made.enabler);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
    PMDL held = world_mdl(made.machine, 0, 2 * WORLD_PAGE + WORLD_PAGE, NULL);
    NTSTATUS status;
    CHECK_STATUS(initialize(holder, held, 100, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(execute(holder, NULL), STATUS_SUCCESS);
    CHECK_STATUS(initialize(transaction, mdl, 0, 4 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_POOL);
    CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
    CHECK(WdfDmaTransactionCancel(transaction));
    CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_POOL);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
    CHECK(WdfDmaTransactionCancel(transaction));
    CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_NOT);
    CHECK(!WdfDmaTransactionCancel(transaction));
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_pool, 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_channel, 0);
}

/* A system transaction that waits for its channel is cancelled, whatever callbacks it has. */
TEST(a_wait_for_a_channel_is_cancelled) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION holder = world_transaction(made.enabler);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(reserve(holder, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
    WdfDmaTransactionSetTransferCompleteCallback(transaction, world_on_end, &made);
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, NULL, &made);
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    WdfDmaTransactionSetDeviceAddressOffset(transaction, 8);
    CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_CHANNEL);
    CHECK(WdfDmaTransactionCancel(transaction));
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_channel, 0);
    CHECK(!WdfDmaTransactionCancel(transaction));
    CHECK_EQUAL(programmed, 0);
}

/* FreeResources gives up the request, too. */
TEST(a_request_goes_with_its_resources) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFREQUEST request = world_read_request(made.device, mdl, WORLD_PAGE);
    CHECK_STATUS(reserve(transaction, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionGetRequest(transaction) == request);
    WdfDmaTransactionFreeResources(transaction);
    CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
    CHECK_EQUAL(world_info(transaction).reserved, 0);
}

/* Registers freed behind the framework's back: where that is but recorded, the channel stays owned, by
 * nobody. */
TEST(a_channel_is_lost) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    wdfdma_enabler_info info;
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_DMA_05, WDFDMA_MODE_COLLECT);
    CHECK_STATUS(reserve(transaction, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
    wdfdma_transaction_info held = world_info(transaction);
    uint64_t base = WORLD_REGISTERS_ADDRESS + (uint64_t)held.first_register * WORLD_PAGE;
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    adapter->DmaOperations->FreeMapRegisters(adapter, (PVOID)(uintptr_t)base, held.registers);
    KeLowerIrql(before);
    CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, WdfDmaDirectionReadFromDevice, &info),
                 STATUS_SUCCESS);
    CHECK(info.channel_owner == transaction);
    WdfDmaTransactionFreeResources(transaction);
    CHECK_EQUAL(told_last(made.machine, 1)->rule, WDFDMA_RULE_DMA_05);
    CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, WdfDmaDirectionReadFromDevice, &info),
                 STATUS_SUCCESS);
    CHECK(info.channel_owned && info.channel_owner == NULL);
    CHECK(!world_info(transaction).holds_base);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* What an AllocateResources after Initialize leaves of the buffer: nothing. */
TEST(a_reservation_forgets_the_buffer) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
    CHECK_STATUS(initialize(transaction, mdl, 100, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(reserve(transaction, WdfDmaDirectionWriteToDevice, 0), STATUS_SUCCESS);
    wdfdma_transaction_info info = world_info(transaction);
    CHECK_EQUAL(info.state, WDFDMA_STATE_RESERVED);
    CHECK_EQUAL(info.direction, WdfDmaDirectionWriteToDevice);
    CHECK_EQUAL(info.reserved, 3);
    CHECK_EQUAL(info.length, 0);
    CHECK_EQUAL(info.remaining, 0);
    CHECK_EQUAL(info.bytes_transferred, 0);
}

/* Registers for one transfer of several, which may begin anywhere in a page; of a last one, where it
 * begins is known. */
TEST(registers_are_asked_for_a_transfer) {
    static const struct {
        size_t offset;
        size_t length;
        size_t maximum;
        uint32_t registers;
    } rows[] = {
        {0, 4096, 65536, 1}, {1, 4096, 65536, 2}, {0, 4097, 65536, 2}, {4095, 2, 65536, 2},
        {4095, 1, 65536, 1}, {0, 8192, 4096, 2},  {0, 8192, 4097, 2},  {0, 8192, 4098, 3},
        {0, 8192, 4099, 3},  {0, 8192, 1, 1},     {0, 8192, 2, 2},     {0, 8192, 8191, 3},
        {0, 12288, 8193, 3}, {0, 12288, 8194, 4}, {0, 8192, 8192, 2},  {2, 8192, 8192, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world made = open_packet(3);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
        CHECK_STATUS(initialize(transaction, mdl, rows[i].offset, rows[i].length), STATUS_SUCCESS);
        WdfDmaTransactionSetMaximumLength(transaction, rows[i].maximum);
        CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
        if (!CHECK_EQUAL(world_info(transaction).registers, rows[i].registers)) {
            printf("    in row %zu\n", i);
        }
        harness_machine_end(made.machine);
    }
}

/* A reservation asks the buffer for its registers: one that is gone is told, and none is reserved. */
TEST(a_reservation_misses_its_buffer) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
    CHECK_STATUS(reserve(transaction, WdfDmaDirectionReadFromDevice, 0), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    CHECK_EQUAL(world_info(transaction).reserved, 0);
}

/* A range may run past its chain to the end of the last page, and no further, to have its registers
 * counted. */
TEST(a_range_may_fill_the_last_page) {
    static const struct {
        uint32_t in_page;
        uint32_t bytes;
        size_t offset;
        size_t length;
        uint32_t registers; /* 0: refused */
    } rows[] = {
        {0, 4096, 0, 4096, 1},    {0, 4096, 0, 8192, 2},   {0, 4096, 0, 8193, 0},
        {100, 1000, 0, 4996, 2},  {100, 1000, 0, 4997, 0}, {100, 1000, 50, 4896, 2},
        {100, 1000, 50, 4897, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world made = open_packet(3);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, rows[i].in_page, rows[i].bytes, NULL);
        CHECK_STATUS(initialize(transaction, mdl, rows[i].offset, rows[i].length), STATUS_SUCCESS);
        CHECK_STATUS(reserve(transaction, WdfDmaDirectionReadFromDevice, 0),
                     rows[i].registers == 0 ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS);
        if (!CHECK_EQUAL(world_info(transaction).reserved, rows[i].registers)) {
            printf("    in row %zu\n", i);
        }
        harness_machine_end(made.machine);
    }
}

/* Who may not reserve is told by a break, and goes on. */
TEST(some_may_not_reserve) {
    static const world_profile profiles[] = {
        {.profile = WdfDmaProfilePacket, .version = 2},
        {.profile = WdfDmaProfileScatterGather, .version = 3},
        {.profile = WdfDmaProfilePacket, .version = 3},
    };
    for (int i = 0; i < 3; i++) {
        world made = world_open(NULL, profiles[i]);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(reserve(transaction, (WDF_DMA_DIRECTION)(i == 2 ? 2 : 0), 1),
                     i == 2 ? STATUS_INVALID_PARAMETER : STATUS_INVALID_DEVICE_REQUEST);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks, 1);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_CREATED);
        if (i < 2) {
            WdfDmaTransactionFreeResources(transaction);
            CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks, 2);
        }
        harness_machine_end(made.machine);
    }
}

/* Three of four registers are [first]'s; [second] waits for two. */
static world open_waiting(WDFDMATRANSACTION *first, WDFDMATRANSACTION *second) {
    wdfdma_machine_config config = world_config(4);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    *first = world_transaction(made.enabler);
    *second = world_transaction(made.enabler);
    CHECK_STATUS(reserve(*first, WdfDmaDirectionReadFromDevice, 3), STATUS_SUCCESS);
    CHECK_STATUS(reserve(*second, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
    return made;
}

/* Cancelling a reservation that waits leaves its count, and says so. */
TEST(a_cancelled_reservation_is_told_with_its_count) {
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
    world made = open_waiting(&first, &second);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_POOL);
    CHECK(WdfDmaTransactionCancel(second));
    const wdfdma_violation *told = told_last(made.machine, 1);
    CHECK_EQUAL(told->rule, WDFDMA_RULE_CANCELLED_RESERVATION_KEPT);
    CHECK_EQUAL(told->parameters[1], (uintptr_t)second);
    CHECK_EQUAL(told->parameters[2], 2);
    CHECK_EQUAL(told->parameters[3], 0);
}

/* A reservation that a Release keeps from others is told once, whoever comes next. */
TEST(a_kept_reservation_is_told_once) {
    for (int early = 0; early < 2; early++) {
        wdfdma_machine_config config = world_config(4);
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMAENABLER others = world_enabler(
            made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMATRANSACTION kept = world_transaction(made.enabler);
        WDFDMATRANSACTION waiting = world_transaction(others);
        WDFDMATRANSACTION later = world_transaction(others);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(reserve(kept, WdfDmaDirectionReadFromDevice, 3), STATUS_SUCCESS);
        if (early != 0) {
            CHECK_STATUS(WdfDmaTransactionRelease(kept), STATUS_SUCCESS);
        }
        CHECK_STATUS(initialize(kept, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(reserve(waiting, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
        CHECK_EQUAL(world_info(waiting).waiting, WDFDMA_WAITING_POOL);
        told_last(made.machine, 0);
        CHECK_STATUS(WdfDmaTransactionRelease(kept), STATUS_SUCCESS);
        const wdfdma_violation *told = told_last(made.machine, 1);
        CHECK_EQUAL(told->rule, WDFDMA_RULE_RESERVATION_KEPT);
        CHECK_EQUAL(told->parameters[2], 3);
        CHECK_EQUAL(told->parameters[3], 1);
        CHECK_STATUS(reserve(later, WdfDmaDirectionReadFromDevice, 2), STATUS_SUCCESS);
        told_last(made.machine, 1);
        CHECK_MACHINE(made.machine);
        WdfDmaTransactionFreeResources(kept);
        WdfObjectDelete(kept);
        CHECK(world_info(waiting).holds_base);
        CHECK_MACHINE(made.machine);
        harness_machine_end(made.machine);
    }
}

/* A reservation that waits itself keeps nothing from others. */
TEST(a_waiting_reservation_is_not_kept) {
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
    world made = open_waiting(&first, &second);
    CHECK_STATUS(WdfDmaTransactionRelease(second), STATUS_SUCCESS);
    told_last(made.machine, 0);
    WdfDmaTransactionFreeResources(first);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_PENDING_RESERVATION_DISTURBED);
}

HARNESS_MAIN(ENTRY(a_reservation_is_not_stopped), ENTRY(lists_that_wait_are_cancelled_in_turn),
             ENTRY(a_wait_for_a_channel_is_cancelled), ENTRY(a_request_goes_with_its_resources),
             ENTRY(a_channel_is_lost), ENTRY(a_reservation_forgets_the_buffer),
             ENTRY(registers_are_asked_for_a_transfer), ENTRY(a_reservation_misses_its_buffer),
             ENTRY(a_range_may_fill_the_last_page), ENTRY(some_may_not_reserve),
             ENTRY(a_cancelled_reservation_is_told_with_its_count),
             ENTRY(a_kept_reservation_is_told_once), ENTRY(a_waiting_reservation_is_not_kept))
