/* What the plain ways of a cycle leave for others to read: on a machine that keeps a log, and on one that
 * keeps none. */
#include "world.h"

static WDFDMAENABLER freed_of; /* whose channel EvtProgramDma frees; NULL: none */

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                       WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)list;
    if (freed_of != NULL) {
        wdfdma_machine *machine = wdfdma_machine_current();
        PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(freed_of, direction);
        uint32_t held = world_info(transaction).registers;
        uint32_t registers = world_free_registers(machine);
        adapter->DmaOperations->FreeAdapterChannel(adapter);
        CHECK_EQUAL(world_free_registers(machine) - registers, held);
    }
    return TRUE;
}

static NTSTATUS start(WDFDMATRANSACTION transaction, PMDL mdl) {
    NTSTATUS status = WdfDmaTransactionInitializeUsingOffset(
        transaction, program, WdfDmaDirectionReadFromDevice, mdl, 0, mdl->ByteCount);
    return NT_SUCCESS(status) ? WdfDmaTransactionExecute(transaction, NULL) : status;
}

static void finish(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

/* A driver that frees the channel in EvtProgramDma frees the registers that came with it, and not those
 * of another transaction that owned it before. */
TEST(a_channel_is_freed_inside) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather,
                                               WdfDmaProfileScatterGather64};
    for (int way = 0; way < 12; way++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[way / 4], .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        CHECK_STATUS(wdfdma_log_configure(made.machine, 16), STATUS_SUCCESS);
        CHECK_STATUS(start(transaction, mdl), STATUS_SUCCESS);
        finish(transaction);
        if (way / 2 % 2 != 0) {
            PMDL larger = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
            CHECK_STATUS(start(world_transaction(made.enabler), larger), STATUS_SUCCESS);
        }
        CHECK_STATUS(wdfdma_log_configure(made.machine, way % 2 != 0 ? 16 : 0), STATUS_SUCCESS);
        freed_of = made.enabler;
        CHECK_STATUS(start(transaction, mdl), STATUS_SUCCESS);
        freed_of = NULL;
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
        harness_machine_end(made.machine);
    }
}

/* A device address offset is of one cycle. */
TEST(a_device_address_offset_goes_with_its_cycle) {
    for (int way = 0; way < 2; way++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(wdfdma_log_configure(made.machine, way == 0 ? 16 : 0), STATUS_SUCCESS);
        for (int turn = 0; turn < 3; turn++) {
            CHECK_STATUS(start(transaction, mdl), STATUS_SUCCESS);
            CHECK_EQUAL(world_info(transaction).device_address_offset, 0);
            WdfDmaTransactionSetDeviceAddressOffset(transaction, 16);
            CHECK_EQUAL(world_info(transaction).device_address_offset, 16);
            finish(transaction);
        }
        harness_machine_end(made.machine);
    }
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    WdfDmaTransactionSetDeviceAddressOffset(transaction, 16);
    CHECK_EQUAL(world_info(transaction).device_address_offset, 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks, 1);
}

/* A transaction that was released holds no request: none of its executions counts as a request's. */
TEST(a_released_request_is_not_executed) {
    for (int way = 0; way < 2; way++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        wdfdma_coverage *map = NULL;
        CHECK_STATUS(wdfdma_log_configure(made.machine, way == 0 ? 16 : 0), STATUS_SUCCESS);
        for (int turn = 0; turn < 2; turn++) {
            CHECK_STATUS(start(transaction, mdl), STATUS_SUCCESS);
            finish(transaction);
        }
        CHECK_STATUS(wdfdma_coverage_create(&map), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_set_coverage(made.machine, map), STATUS_SUCCESS);
        CHECK_STATUS(start(transaction, mdl), STATUS_SUCCESS);
        finish(transaction);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "request_executed"), 0);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "profile_packet"), 1);
        wdfdma_coverage_destroy(map);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_channel_is_freed_inside), ENTRY(a_device_address_offset_goes_with_its_cycle),
             ENTRY(a_released_request_is_not_executed))
