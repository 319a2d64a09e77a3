/* What an injected failure leaves behind: of each call that fails, and of registers that are denied. */
#include "fault_plan.h"

TEST(execute_fails) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    world_seen seen = {0};
    NTSTATUS status;
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 2, NO_RESOURCES);
    for (uint32_t round = 1; round <= 3; round++) {
        CHECK_STATUS(read_initialize(transaction, mdl, 5000), STATUS_SUCCESS);
        status = WdfDmaTransactionExecute(transaction, &seen);
        CHECK_MACHINE(made.machine);
        if (round == 2) {
            CHECK_STATUS(status, NO_RESOURCES);
            CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
            CHECK_EQUAL(world_info(transaction).transfer_length, 5000);
            CHECK_EQUAL(world_info(transaction).remaining, 5000);
        } else {
            CHECK_STATUS(status, STATUS_SUCCESS);
            CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        }
        CHECK_EQUAL(world_free_registers(made.machine), 64);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    CHECK_EQUAL(seen.programmed, 2);
    wdfdma_fault fault = plan_get(made.machine, 0);
    CHECK_EQUAL(fault.met, 3);
    CHECK_EQUAL(fault.hits, 1);
    CHECK_EQUAL(fault.hit_op, WDFDMA_OP_EXECUTE);
    CHECK(fault.hit_step > 0);
}

TEST(an_ignored_failure_is_named) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, NO_RESOURCES);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), NO_RESOURCES);
    WdfDmaTransactionExecute(transaction, NULL);
    size_t count = 0;
    const wdfdma_violation *violations = wdfdma_machine_get_violations(made.machine, &count);
    REQUIRE(count > 0);
    CHECK_EQUAL(violations[0].rule, WDFDMA_RULE_STATUS_IGNORED);
}

TEST(execute_is_busy_in_version_2_only) {
    for (ULONG version = 2; version <= 3; version++) {
        world made =
            world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = version});
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, STATUS_WDF_BUSY);
        plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, STATUS_WDF_TOO_FRAGMENTED);
        CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL),
                     version == 2 ? STATUS_WDF_BUSY : STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).transfer_length, version == 2 ? 0 : 100);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks, version == 2 ? 1 : 0);
        CHECK_EQUAL(plan_get(made.machine, 0).met, version == 2 ? 1 : 0);
        CHECK_EQUAL(plan_get(made.machine, 1).met, 0);
    }
}

TEST(initialize_fails_as_release) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    for (uint32_t nth = 1; nth <= 3; nth++) {
        plan_call(made.machine, WDFDMA_OP_INITIALIZE, nth, NO_RESOURCES);
    }
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(read_initialize(transaction, mdl, 0), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
    CHECK(!world_info(transaction).immediate_execution);
    /* From released nothing is reset. */
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK(world_info(transaction).immediate_execution);
    /* A reservation stays. */
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
    CHECK_EQUAL(world_info(transaction).reserved, 4);
    CHECK_EQUAL(world_free_registers(made.machine), 60);
    CHECK_MACHINE(made.machine);
}

TEST(a_reservation_fails) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_ALLOCATE_RESOURCES, 1, NO_RESOURCES);
    for (int round = 0; round < 2; round++) {
        world_seen seen = {0};
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        4, world_reserve_dma, &seen),
                     round == 0 ? NO_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(seen.reserved, round);
        CHECK_EQUAL(world_info(transaction).reserved, round == 0 ? 0 : 4);
        CHECK_EQUAL(world_state(transaction),
                    round == 0 ? WDFDMA_STATE_TRANSFER_FAILED : WDFDMA_STATE_RESERVED);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    WdfDmaTransactionFreeResources(transaction);
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

/* Execute of a transaction whose registers are reserved asks nobody for anything. */
TEST(with_a_reservation_nothing_fails) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, NO_RESOURCES);
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 1);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
    CHECK_EQUAL(plan_get(made.machine, 1).met, 0);
}

TEST(the_next_transfer_fails) {
    world made = world_open(
        NULL, (world_profile){.profile = WdfDmaProfileScatterGather, .maximum_length = WORLD_PAGE});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    NTSTATUS status = STATUS_SUCCESS;
    plan_call(made.machine, WDFDMA_OP_DMA_COMPLETED, 1, STATUS_WDF_TOO_FRAGMENTED);
    CHECK_STATUS(read_initialize(transaction, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_WDF_TOO_FRAGMENTED);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
    CHECK_EQUAL(world_info(transaction).bytes_transferred, WORLD_PAGE);
    CHECK_EQUAL(world_free_registers(made.machine), 64);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

TEST(what_is_not_made_is_not_there) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    const world_profile profile = {.profile = WdfDmaProfileSystem};
    const uint64_t *objects = wdfdma_machine_get_state(machine)->objects;
    WDFDMAENABLER enabler = NULL;
    WDFCOMMONBUFFER buffer = NULL;
    plan_call(machine, WDFDMA_OP_ENABLER_CREATE, 1, STATUS_NOT_SUPPORTED);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_NOT_SUPPORTED);
    CHECK(enabler == NULL && objects[WDFDMA_OBJECT_ENABLER] == 0);
    plan_call(machine, WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE, 1, STATUS_NOT_SUPPORTED);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_NOT_SUPPORTED);
    CHECK_EQUAL(objects[WDFDMA_OBJECT_ADAPTER], 0);
    CHECK_STATUS(world_configure(enabler, WdfDmaDirectionReadFromDevice), STATUS_SUCCESS);
    plan_call(machine, WDFDMA_OP_COMMON_BUFFER_CREATE, 1, NO_RESOURCES);
    CHECK_STATUS(WdfCommonBufferCreate(enabler, 100, NULL, &buffer), NO_RESOURCES);
    CHECK_EQUAL(objects[WDFDMA_OBJECT_COMMON_BUFFER], 0);
    CHECK_STATUS(WdfCommonBufferCreate(enabler, 100, NULL, &buffer), STATUS_SUCCESS);
    CHECK_MACHINE(machine);
}

TEST(there_is_no_adapter) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    const world_profile profile = {.profile = WdfDmaProfileScatterGatherDuplex};
    WDFDMAENABLER enabler = NULL;
    plan_below(machine, WDFDMA_FAULT_ADAPTER, 2);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .DmaAddressWidth = 32,
                                      .MaximumLength = 65536};
    ULONG registers = 0;
    plan_below(machine, WDFDMA_FAULT_ADAPTER, 1);
    PDEVICE_OBJECT object = WdfDeviceWdmGetPhysicalDevice(device);
    CHECK(IoGetDmaAdapter(object, &description, &registers) == NULL);
    PDMA_ADAPTER adapter = IoGetDmaAdapter(object, &description, &registers);
    CHECK(adapter != NULL && registers == 17);
}

static IO_ALLOCATION_ACTION control_count(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                          PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    ++*(uint32_t *)context;
    return DeallocateObject;
}

TEST(a_channel_is_not_given) {
    world made = packet_open();
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    PDEVICE_OBJECT object = WdfDeviceWdmGetDeviceObject(made.device);
    uint32_t calls = 0;
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, DISPATCH_LEVEL), STATUS_SUCCESS);
    plan_call(made.machine, WDFDMA_OP_ADAPTER_CALL, 1, NO_RESOURCES);
    for (int round = 0; round < 2; round++) {
        CHECK_STATUS(adapter->DmaOperations->AllocateAdapterChannel(adapter, object, 4,
                                                                    control_count, &calls),
                     round == 0 ? NO_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(calls, round);
        CHECK_MACHINE(made.machine);
    }
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

/* ---- No registers ---- */

TEST(a_denied_grant_waits_for_the_next_release) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION first = world_transaction(made.enabler);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    world_seen seen = {0};
    NTSTATUS status;
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 2);
    CHECK_STATUS(read_initialize(first, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(second, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(second, &seen), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_POOL);
    CHECK_EQUAL(seen.programmed, 0);
    CHECK_MACHINE(made.machine);
    CHECK(WdfDmaTransactionDmaCompleted(first, &status));
    CHECK_EQUAL(seen.programmed, 1);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_NOT);
    CHECK(WdfDmaTransactionDmaCompleted(second, &status));
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

/* Execute of a transaction that is denied its registers answers [wanted]. */
static WDFDMATRANSACTION execute_denied(const world *made, PMDL mdl, BOOLEAN at_once,
                                        NTSTATUS wanted) {
    WDFDMATRANSACTION transaction = world_transaction(made->enabler);
    plan_below(made->machine, WDFDMA_FAULT_GRANT, 1);
    WdfDmaTransactionSetImmediateExecution(transaction, at_once);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), wanted);
    return transaction;
}

TEST(a_denied_grant_can_be_cancelled) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = execute_denied(&made, mdl, FALSE, STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(transaction));
    CHECK_MACHINE(made.machine);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_free_registers(made.machine), 63);
}

TEST(a_denied_grant_fails_where_it_is_synchronous) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = execute_denied(&made, mdl, TRUE, NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
    CHECK_MACHINE(made.machine);
}

HARNESS_MAIN(ENTRY(execute_fails), ENTRY(an_ignored_failure_is_named),
             ENTRY(execute_is_busy_in_version_2_only), ENTRY(initialize_fails_as_release),
             ENTRY(a_reservation_fails), ENTRY(with_a_reservation_nothing_fails),
             ENTRY(the_next_transfer_fails), ENTRY(what_is_not_made_is_not_there),
             ENTRY(there_is_no_adapter), ENTRY(a_channel_is_not_given),
             ENTRY(a_denied_grant_waits_for_the_next_release),
             ENTRY(a_denied_grant_can_be_cancelled),
             ENTRY(a_denied_grant_fails_where_it_is_synchronous))
