/* In which cells a transfer counts that is stopped, deleted, waits or lets others through, step by step. */
#include "coverage_world.h"

static DMA_COMPLETION_STATUS ended;
static script *at_end; /* what the next end of a transfer does */

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    ended = status;
    if (at_end != NULL) {
        at_end->run(at_end, transaction);
    }
}

/* A stopped transfer is over, whatever is left, or was moved. */
TEST(a_stopped_transfer_is_cancelled) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    for (int way = 0; way < 4; way++) { /* the last ends by the controller */
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        at_end = NULL;
        WdfDmaTransactionSetDeviceAddressOffset(item, 16);
        WdfDmaTransactionSetTransferCompleteCallback(item, on_end, NULL);
        CHECK_STATUS(world_initialize(item, READ, mdl, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
        WdfDmaTransactionSetMaximumLength(item, WORLD_PAGE);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        if (way < 3) {
            WdfDmaTransactionStopSystemTransfer(item);
        } else {
            CHECK(wdfdma_enabler_complete_transfer(of.enabler, READ));
        }
        if (way == 0) {
            CHECK(complete(item, STATUS_CANCELLED));
        } else if (way < 3) {
            complete_some(item, way == 1 ? 0 : 10, STATUS_CANCELLED);
        } else {
            CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
            CHECK(complete(item, STATUS_SUCCESS));
        }
        CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
    }
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 4},
        {"initialize", "created", "STATUS_SUCCESS", 4},
        {"execute", "initialized", "STATUS_SUCCESS, called back inside", 4},
        {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
        {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 1},
        {"dma_completed", "transfer", "STATUS_CANCELLED", 1},
        {"dma_completed_with_length", "transfer", "STATUS_CANCELLED", 2},
        {"stop_system_transfer", "transfer", "returned", 3},
        {"release", "transfer_completed", "STATUS_SUCCESS", 1},
        {"release", "transfer_failed", "STATUS_SUCCESS", 3},
        {"set_maximum_length", "initialized", "returned", 4},
        {"set_device_address_offset", "created", "returned", 4},
        {"set_callback", "created", "returned", 4},
        {"complete_transfer", "no transaction", "TRUE, others were let through", 1},
        {"program_dma", "transfer", "called in a call on this transaction", 5},
        {"dma_transfer_complete", "transfer", "called in a call on this transaction", 3},
        {"dma_transfer_complete", "transfer", "called as the device tells", 1});
    GOALS_EXPECT(map, {"stopped_before_next", 3}, {"profile_system", 5});
    wdfdma_coverage_destroy(map);
}

static void delete_at_end(script *of, WDFDMATRANSACTION own) {
    NTSTATUS status;
    of->number++;
    WdfDmaTransactionDmaCompleted(own, &status);
    WdfObjectDelete(own);
}

/* In the callback that tells the end of its transfer. */
TEST(a_transaction_is_deleted_at_its_end) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    script deletes = {.run = delete_at_end};
    at_end = &deletes;
    WdfDmaTransactionSetTransferCompleteCallback(item, on_end, NULL);
    start(item, mdl, 100, NULL);
    CHECK(wdfdma_enabler_complete_transfer(of.enabler, READ));
    at_end = NULL;
    CHECK_EQUAL(deletes.number, 1);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
                 {"delete", "transfer_completed", "returned", 1},
                 {"set_callback", "created", "returned", 1},
                 {"complete_transfer", "no transaction", "TRUE, others were let through", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1},
                 {"dma_transfer_complete", "transfer", "called as the device tells", 1});
    GOALS_EXPECT(map, {"deleted_in_own_callback", 1}, {"profile_system", 1});
    wdfdma_coverage_destroy(map);
}

static PMDL reserved_mdl;

static void on_reserved(WDFDMATRANSACTION transaction, PVOID context) {
    (void)context;
    start(transaction, reserved_mdl, 100, NULL);
    CHECK(complete(transaction, STATUS_SUCCESS));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

/* In EvtReserveDma, which is its own callback, but not EvtProgramDma. */
TEST(a_transfer_is_over_in_its_reservation) {
    world of = packet_world(8);
    reserved_mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(item, READ, 2, on_reserved, NULL),
                 STATUS_SUCCESS);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 1},
        {"initialize", "reserved", "STATUS_SUCCESS", 1},
        {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
        {"execute", "initialized, with a reservation", "STATUS_SUCCESS, called back inside", 1},
        {"dma_completed", "transfer, with a reservation", "STATUS_SUCCESS", 1},
        {"release", "transfer_completed, with a reservation", "STATUS_SUCCESS", 1},
        {"program_dma", "transfer, with a reservation", "called in a call on this transaction", 1},
        {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

/* Of a list: the next one is refused, waits, or is let through. */
TEST(the_next_list_may_fail_or_wait) {
    static const NTSTATUS expected[] = {STATUS_INSUFFICIENT_RESOURCES, STATUS_WDF_TOO_FRAGMENTED,
                                        STATUS_MORE_PROCESSING_REQUIRED};
    for (int way = 0; way < 3; way++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = true;
        world of = world_open(&config,
                              (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
        PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
        wdfdma_coverage *map = coverage_of(of.machine);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        WDFDMATRANSACTION held = world_transaction(packet_enabler(&of));
        WDFDMATRANSACTION large = world_transaction(packet_enabler(&of));
        fill(item, mdl, 4 * WORLD_PAGE);
        WdfDmaTransactionSetMaximumLength(item, 2 * WORLD_PAGE);
        WdfDmaTransactionSetImmediateExecution(item, way == 0);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        if (way != 1) { /* what the list gives back goes to another */
            reserve(held, 5);
            reserve(large, 3);
        } else {
            WdfDmaEnablerSetMaximumScatterGatherElements(of.enabler, 1);
        }
        CHECK_EQUAL(complete(item, expected[way]), way != 2);
        if (way == 0) {
            CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                         {"initialize", "created", "STATUS_SUCCESS", 1},
                         {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                         {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                         {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                         {"dma_completed", "transfer", "STATUS_INSUFFICIENT_RESOURCES", 1},
                         {"set_immediate_execution", "initialized", "returned", 1},
                         {"set_maximum_length", "initialized", "returned", 1},
                         {"program_dma", "transfer", "called in a call on this transaction", 1},
                         {"reserve_dma", "reserved", "called in a call on this transaction", 1});
            GOALS_EXPECT(map, {"bounce_forced", 1}, {"next_transfer_failed", 1},
                         {"profile_scatter_gather", 1});
        } else if (way == 1) {
            CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                         {"initialize", "created", "STATUS_SUCCESS", 1},
                         {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                         {"dma_completed", "transfer", "STATUS_WDF_TOO_FRAGMENTED", 1},
                         {"set_immediate_execution", "initialized", "returned", 1},
                         {"set_maximum_length", "initialized", "returned", 1},
                         {"program_dma", "transfer", "called in a call on this transaction", 1});
            GOALS_EXPECT(map, {"bounce_forced", 1}, {"next_transfer_failed", 1},
                         {"profile_scatter_gather", 1});
        } else {
            WdfDmaTransactionFreeResources(held);
            CHECK(complete(item, STATUS_SUCCESS));
            CELLS_EXPECT(
                map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                {"initialize", "created", "STATUS_SUCCESS", 1},
                {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
                {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, it waits", 1},
                {"free_resources", "reserved", "returned, others were let through", 1},
                {"set_immediate_execution", "initialized", "returned", 1},
                {"set_maximum_length", "initialized", "returned", 1},
                {"program_dma", "transfer", "called in a call on this transaction", 1},
                {"program_dma", "transfer", "called in a call on another", 1},
                {"reserve_dma", "reserved", "called in a call on this transaction", 1},
                {"reserve_dma", "reserved", "called in a call on another", 1});
            GOALS_EXPECT(map, {"bounce_forced", 2}, {"profile_scatter_gather", 2});
        }
        wdfdma_coverage_destroy(map);
    }
}

/* Completed too early, again and again, a list has further requests, which wait behind its own. */
TEST(further_lists_wait_behind_the_first) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world of =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    collect(of.machine);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WDFDMATRANSACTION held[2] = {world_transaction(packet_enabler(&of)),
                                 world_transaction(packet_enabler(&of))};
    reserve(held[0], 4);
    reserve(held[1], 4);
    fill(item, mdl, 8 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(item, 4 * WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    WdfDmaTransactionGetBytesTransferred(item);
    WdfDmaTransactionFreeResources(held[0]);
    WdfDmaTransactionGetBytesTransferred(item);
    WdfDmaTransactionFreeResources(held[1]);
    WdfDmaTransactionGetBytesTransferred(item);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 2},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"dma_completed", "transfer, waits for a list",
                  "STATUS_MORE_PROCESSING_REQUIRED, it waits", 1},
                 {"free_resources", "reserved", "returned, others were let through", 1},
                 {"free_resources", "reserved", "a rule of the simulator is broken", 1},
                 {"set_maximum_length", "initialized", "returned", 1},
                 {"get_bytes_transferred", "transfer, waits for a list", "returned", 2},
                 {"program_dma", "transfer, waits for a list", "called in a call on another", 1},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 2});
    GOALS_EXPECT(map, {"channel_in_turn", 1}, {"both_queues", 2}, {"pool_empty", 8},
                 {"bounce_forced", 1}, {"profile_scatter_gather", 1});
    wdfdma_coverage_destroy(map);
}

static void call_wdm(script *of, WDFDMATRANSACTION own) {
    (void)own;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    CHECK_STATUS(of->adapter->DmaOperations->InitializeDmaTransferContext(of->adapter, context),
                 STATUS_SUCCESS);
}

/* What no map counts, as a routine of the adapter, takes nothing away from the call around it. */
TEST(a_call_that_is_not_counted_leaves_the_others) {
    world of = packet_world(8);
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    script calls = {.run = call_wdm, .adapter = WdfDmaEnablerWdmGetDmaAdapter(of.enabler, READ)};
    start(item, mdl, 100, &calls);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1});
    wdfdma_coverage_destroy(map);
}

static IO_ALLOCATION_ACTION on_wdm_channel(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                           PVOID context) {
    (void)device;
    (void)irp;
    *(PVOID *)context = base;
    return DeallocateObjectKeepRegisters;
}

/* Registers that a WDM driver gives back let through who waits: within no call that is counted. */
TEST(a_routine_of_the_adapter_lets_others_through) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(of.enabler, READ);
    PVOID base = NULL;
    WDFDMATRANSACTION waiting[2] = {world_transaction(packet_enabler(&of)),
                                    world_transaction(packet_enabler(&of))};
    PDEVICE_OBJECT device = WdfDeviceWdmGetDeviceObject(of.device);
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK_STATUS(
        adapter->DmaOperations->AllocateAdapterChannel(adapter, device, 8, on_wdm_channel, &base),
        STATUS_SUCCESS);
    start(waiting[0], mdl, 100, NULL);
    reserve(waiting[1], 2);
    adapter->DmaOperations->FreeMapRegisters(adapter, base, 8);
    KeLowerIrql(before);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 2},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"program_dma", "transfer", "called in a call on another", 1},
                 {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"pool_empty", 3}, {"bounce_forced", 1}, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

static void serve_and_complete(script *of, WDFDMATRANSACTION own) {
    (void)own;
    reserve(of->waiters[1], 6);
    fill(of->waiters[0], of->mdl, 2 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(of->waiters[0], WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(of->waiters[0], NULL), STATUS_SUCCESS);
    WdfDmaTransactionFreeResources(of->other);
    WdfDmaTransactionFreeResources(of->waiters[1]);
    CHECK(!complete(of->waiters[0], STATUS_MORE_PROCESSING_REQUIRED));
}

/* Its second transfer waited for nothing. */
TEST(a_wait_is_over_once) {
    world of = packet_world(8);
    wdfdma_coverage *map = coverage_of(of.machine);
    script serves = {.run = serve_and_complete,
                     .mdl = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL),
                     .other = world_transaction(of.enabler)};
    for (int i = 0; i < 2; i++) {
        serves.waiters[i] = world_transaction(packet_enabler(&of));
    }
    reserve(serves.other, 6);
    start(world_transaction(packet_enabler(&of)), serves.mdl, 100, &serves);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 4},
        {"initialize", "created", "STATUS_SUCCESS", 2},
        {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
        {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
        {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
        {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
        {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 1},
        {"free_resources", "reserved", "returned, others were let through", 2},
        {"set_maximum_length", "initialized", "returned", 1},
        {"program_dma", "transfer", "called in a call on this transaction", 2},
        {"program_dma", "transfer", "called in a call on another", 1},
        {"reserve_dma", "reserved", "called in a call on this transaction", 1},
        {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"last_waiter_in_callback", 1}, {"profile_packet", 3});
    wdfdma_coverage_destroy(map);
}

HARNESS_MAIN(ENTRY(a_stopped_transfer_is_cancelled), ENTRY(a_transaction_is_deleted_at_its_end),
             ENTRY(a_transfer_is_over_in_its_reservation), ENTRY(the_next_list_may_fail_or_wait),
             ENTRY(further_lists_wait_behind_the_first),
             ENTRY(a_call_that_is_not_counted_leaves_the_others),
             ENTRY(a_routine_of_the_adapter_lets_others_through), ENTRY(a_wait_is_over_once))
