/* What is still held is told by name, and what is given back is not. */
#include "leaks.h"

TEST(a_transfer_that_nobody_completes) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    CHECK_CLEAN(made.machine);
    WDFDMATRANSACTION transaction = start(&made);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED);
    wdfdma_violation told = last_of(made.machine);
    CHECK_EQUAL(told.code, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
    CHECK_EQUAL(told.parameters[0], WDFDMA_RULE_NEVER_COMPLETED);
    CHECK_EQUAL(told.parameters[1], number_of(transaction));
    CHECK_EQUAL(told.parameters[2], LENGTH);
    CHECK_EQUAL(told.handle, number_of(transaction));
    CHECK_EQUAL(told.object_type, WDFDMA_OBJECT_TRANSACTION);
    CHECK(!told.stopped);
    complete(transaction);
    release(transaction);
    CHECK_CLEAN(made.machine);
}

TEST(a_transaction_that_is_not_released) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = begin(&made);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(last_of(made.machine).parameters[2], WDFDMA_STATE_INITIALIZED);
    release(transaction);
    CHECK_CLEAN(made.machine);
    transaction = start(&made);
    complete(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(last_of(made.machine).parameters[2], WDFDMA_STATE_TRANSFER_COMPLETED);
    CHECK_EQUAL(last_of(made.machine).created_step, last_of(made.machine).step - 3);
    WdfObjectDelete(transaction);
    CHECK_CLEAN(made.machine);
}

/* It waits for registers: nothing was programmed that could be completed. */
TEST(a_transaction_that_waits) {
    wdfdma_machine_config config = world_config(4);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION first = start(&made);
    WDFDMATRANSACTION second = start(&made);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_TRANSACTION,
                WDFDMA_RULE_LEAK_CHANNEL);
    CHECK_EQUAL(last_of(made.machine).parameters[2], number_of(second));
    CHECK_EQUAL(last_of(made.machine).handle, number_of(made.enabler));
    complete(first);
    complete(second);
    release(first);
    release(second);
    CHECK_CLEAN(made.machine);
}

TEST(a_reservation_that_is_not_freed) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_LEAK_RESERVATION);
    CHECK_EQUAL(last_of(made.machine).parameters[2], 4);
    release(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_RESERVATION);
    WdfDmaTransactionFreeResources(transaction);
    CHECK_CLEAN(made.machine);
}

/* The count that Cancel leaves behind holds no register. */
TEST(a_cancelled_reservation_holds_nothing) {
    wdfdma_machine_config config = world_config(4);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION holder = start(&made);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_TRANSACTION,
                WDFDMA_RULE_LEAK_RESERVATION, WDFDMA_RULE_LEAK_CHANNEL);
    CHECK(WdfDmaTransactionCancel(transaction));
    release(transaction);
    complete(holder);
    release(holder);
    CHECK_EQUAL(world_info(transaction).reserved, 4);
    CHECK_CLEAN(made.machine);
}

TEST(a_common_buffer_of_the_framework) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_COMMON_BUFFER);
    CHECK_EQUAL(last_of(made.machine).parameters[1], number_of(buffer));
    CHECK_EQUAL(last_of(made.machine).parameters[2], 5000);
    CHECK_LEAKS(made.machine, made.enabler, WDFDMA_RULE_LEAK_COMMON_BUFFER);
    wdfdma_machine_clear_violations(made.machine);
    /* It goes with its enabler, as the framework means it to. */
    WdfObjectDelete(made.enabler);
    CHECK_EQUAL(count_violations(made.machine), 0);
    CHECK_CLEAN(made.machine);
}

TEST(a_request_that_is_not_completed) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REQUEST);
    CHECK_EQUAL(last_of(made.machine).parameters[1], number_of(request));
    WdfRequestComplete(request, STATUS_SUCCESS);
    CHECK_CLEAN(made.machine);
}

TEST(a_reference_that_is_not_given_back) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    WdfObjectReference(transaction);
    WdfObjectReference(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REFERENCE);
    CHECK_EQUAL(last_of(made.machine).parameters[2], 2);
    WdfObjectDereference(transaction);
    WdfObjectDelete(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REFERENCE);
    CHECK_EQUAL(last_of(made.machine).parameters[1], number_of(transaction));
    CHECK_EQUAL(last_of(made.machine).parameters[2], 1);
    /* It has left the tree with its deletion. */
    CHECK_EQUAL(count_leaks(made.machine, made.device), 0);
    WdfObjectDereference(transaction);
    CHECK_CLEAN(made.machine);
    WdfObjectReference(made.device);
    CHECK_LEAKS(made.machine, made.device, WDFDMA_RULE_LEAK_REFERENCE);
    CHECK_EQUAL(count_leaks(made.machine, made.enabler), 0);
}

TEST(a_run_of_registers) {
    wdm made = wdm_open(false, false);
    seen taken;
    PVOID base = channel_get(&made, 3, DeallocateObjectKeepRegisters, &taken);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REGISTERS, WDFDMA_RULE_LEAK_ADAPTER);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    CHECK_EQUAL(told[0].parameters[2], 0);
    CHECK_EQUAL(told[0].parameters[3], 3);
    CHECK_EQUAL(told[0].parameters[1], told[1].handle);
    CHECK_EQUAL(told[0].object_type, WDFDMA_OBJECT_ADAPTER);
    /* Who waits for registers owns the channel, and has none yet. */
    seen waiting = {0};
    PMDL mdl = world_mdl(made.machine, 0, 6 * WORLD_PAGE, NULL);
    CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, mdl,
                                                MmGetMdlVirtualAddress(mdl), 6 * WORLD_PAGE,
                                                on_list, &waiting, TRUE),
                 STATUS_SUCCESS);
    CHECK_EQUAL(waiting.calls, 0);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REGISTERS, WDFDMA_RULE_LEAK_CHANNEL,
                WDFDMA_RULE_LEAK_ADAPTER);
    made.ops->FreeMapRegisters(made.adapter, base, 3);
    CHECK_EQUAL(waiting.calls, 1);
    made.ops->PutScatterGatherList(made.adapter, waiting.list, TRUE);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_ADAPTER);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK_CLEAN(made.machine);
}

/* Each run is told by itself, in the order of the registers, past the first part of the pool
 * too. */
TEST(runs_in_a_large_pool) {
    enum {
        RUNS = 33
    };
    wdfdma_machine_config config = world_config(3 * 4096);
    wdm made = {.machine = harness_machine(&config)};
    made.device = world_device(made.machine);
    made.object = WdfDeviceWdmGetPhysicalDevice(made.device);
    DEVICE_DESCRIPTION description = describe(false);
    description.MaximumLength = RUNS * 256 * WORLD_PAGE;
    ULONG granted = 0;
    made.adapter = IoGetDmaAdapter(made.object, &description, &granted);
    REQUIRE(made.adapter != NULL && granted >= RUNS * 256);
    made.ops = wdm_operations_raised(made.adapter->DmaOperations);
    for (uint32_t i = 0; i < RUNS; i++) {
        seen taken;
        channel_get(&made, 256, DeallocateObjectKeepRegisters, &taken);
    }
    CHECK_EQUAL(count_leaks(made.machine, NULL), RUNS + 1);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    for (uint32_t i = 0; i < RUNS; i++) {
        CHECK_EQUAL(told[i].rule, WDFDMA_RULE_LEAK_REGISTERS);
        CHECK_EQUAL(told[i].parameters[2], 256 * i);
    }
}

/* Registers that a transaction, a list or a channel has are no leak of their own. */
TEST(registers_that_are_known) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (size_t i = 0; i < 2; i++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = true;
        world made = world_open(&config, (world_profile){.profile = profiles[i]});
        WDFDMATRANSACTION transaction = start(&made);
        CHECK_EQUAL(world_free_registers(made.machine), 5);
        if (profiles[i] == WdfDmaProfilePacket) {
            CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED);
        } else {
            CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_LIST);
            CHECK_EQUAL(last_of(made.machine).parameters[1], number_of(transaction));
            CHECK_EQUAL(last_of(made.machine).parameters[2], LENGTH);
        }
    }
}

TEST(a_list_that_is_not_put) {
    wdm made = wdm_open(true, true);
    seen first = {0}, second = {0};
    for (ULONG i = 0; i < 2; i++) {
        CHECK_STATUS(made.ops->GetScatterGatherList(
                         made.adapter, made.object, made.mdl, MmGetMdlVirtualAddress(made.mdl),
                         BUFFER_BYTES - i, on_list, i == 0 ? &first : &second, FALSE),
                     STATUS_SUCCESS);
    }
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_LIST, WDFDMA_RULE_LEAK_LIST,
                WDFDMA_RULE_LEAK_ADAPTER);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    CHECK_EQUAL(told[0].parameters[2], BUFFER_BYTES);
    CHECK_EQUAL(told[1].parameters[2], BUFFER_BYTES - 1);
    /* One that waits is not given out yet. */
    seen third = {0};
    CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                MmGetMdlVirtualAddress(made.mdl), BUFFER_BYTES,
                                                on_list, &third, FALSE),
                 STATUS_SUCCESS);
    CHECK_EQUAL(third.calls, 0);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_LIST, WDFDMA_RULE_LEAK_LIST,
                WDFDMA_RULE_LEAK_CHANNEL, WDFDMA_RULE_LEAK_ADAPTER);
    made.ops->PutScatterGatherList(made.adapter, first.list, FALSE);
    made.ops->PutScatterGatherList(made.adapter, second.list, FALSE);
    made.ops->PutScatterGatherList(made.adapter, third.list, FALSE);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK_CLEAN(made.machine);
}

/* More than are looked up at once, in the order of their making. */
TEST(many_common_buffers) {
    enum {
        BUFFERS = 150
    };
    wdm made = wdm_open(true, false);
    PHYSICAL_ADDRESS logical[BUFFERS];
    PVOID bytes[BUFFERS];
    for (ULONG i = 0; i < BUFFERS; i++) {
        bytes[i] = made.ops->AllocateCommonBuffer(made.adapter, i + 1, &logical[i], FALSE);
        REQUIRE(bytes[i] != NULL);
    }
    CHECK_EQUAL(count_leaks(made.machine, NULL), BUFFERS + 1);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        CHECK_EQUAL(told[i].rule, WDFDMA_RULE_LEAK_COMMON_BUFFER);
        CHECK_EQUAL(told[i].parameters[2], i + 1);
    }
    for (ULONG i = 0; i < BUFFERS; i++) {
        made.ops->FreeCommonBuffer(made.adapter, i + 1, logical[i], bytes[i], FALSE);
    }
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_ADAPTER);
}

TEST(a_channel_that_is_kept) {
    wdm made = wdm_open(false, false);
    seen taken;
    channel_get(&made, 3, KeepObject, &taken);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_CHANNEL, WDFDMA_RULE_LEAK_ADAPTER);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    CHECK_EQUAL(told[0].parameters[1], told[1].handle);
    CHECK_EQUAL(told[0].parameters[2], 0);
    made.ops->FreeAdapterChannel(made.adapter);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_ADAPTER);
}

TEST(a_channel_that_a_transaction_keeps) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION transaction = begin(&made);
    BOOLEAN answer = FALSE;
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, world_configure_channel, &answer);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_LEAK_CHANNEL);
    wdfdma_violation told = last_of(made.machine);
    CHECK_EQUAL(told.parameters[2], number_of(transaction));
    CHECK_EQUAL(told.handle, number_of(made.enabler));
    CHECK_EQUAL(told.object_type, WDFDMA_OBJECT_ENABLER);
    CHECK(told.parameters[1] != told.handle && told.parameters[1] != 0);
    complete(transaction);
    release(transaction);
    CHECK_CLEAN(made.machine);
}

TEST(only_what_lies_below) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    world other = made;
    other.enabler =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfileScatterGather});
    WDFDEVICE far = world_device(made.machine);
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    DEVICE_DESCRIPTION description = describe(false);
    ULONG granted = 0;
    CHECK(IoGetDmaAdapter(WdfDeviceWdmGetPhysicalDevice(far), &description, &granted) != NULL);
    begin(&made);
    start(&other);
    CHECK_LEAKS(made.machine, made.enabler, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_LEAKS(made.machine, other.enabler, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_LIST);
    CHECK_LEAKS(made.machine, made.device, WDFDMA_RULE_LEAK_TRANSACTION,
                WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_LIST, WDFDMA_RULE_LEAK_REQUEST);
    CHECK_LEAKS(made.machine, far, WDFDMA_RULE_LEAK_ADAPTER);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_NEVER_COMPLETED,
                WDFDMA_RULE_LEAK_LIST, WDFDMA_RULE_LEAK_REQUEST, WDFDMA_RULE_LEAK_ADAPTER);
}

/* What a WDM driver takes of an enabler's adapter is the enabler's to answer for. */
TEST(what_is_taken_of_an_enablers_adapter) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    PHYSICAL_ADDRESS logical;
    REQUIRE(adapter->DmaOperations->AllocateCommonBuffer(adapter, 99, &logical, FALSE) != NULL);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_COMMON_BUFFER);
    CHECK_EQUAL(last_of(made.machine).handle, number_of(made.enabler));
    wdfdma_machine_clear_violations(made.machine);
    WdfObjectDelete(made.enabler);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    REQUIRE(count_violations(made.machine) == 2);
    size_t count = 0;
    CHECK_EQUAL(wdfdma_machine_get_violations(made.machine, &count)[0].rule,
                WDFDMA_RULE_LEAK_COMMON_BUFFER);
}

/* Its memory is given back; only what its handle names stays. */
TEST(what_is_deleted_holds_only_its_references) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST request = NULL;
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 10, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    WDFDMATRANSACTION transaction = begin(&made);
    WdfObjectReference(request);
    WdfObjectReference(buffer);
    WdfObjectReference(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_LEAK_COMMON_BUFFER,
                WDFDMA_RULE_LEAK_REQUEST, WDFDMA_RULE_LEAK_REFERENCE, WDFDMA_RULE_LEAK_REFERENCE,
                WDFDMA_RULE_LEAK_REFERENCE);
    wdfdma_request_destroy(request);
    WdfObjectDelete(buffer);
    WdfObjectDelete(transaction);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_REFERENCE, WDFDMA_RULE_LEAK_REFERENCE,
                WDFDMA_RULE_LEAK_REFERENCE);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(told[i].state.deleted, 1);
    }
    WdfObjectDereference(request);
    WdfObjectDereference(buffer);
    WdfObjectDereference(transaction);
    CHECK_CLEAN(made.machine);
}

TEST(both_adapters_of_a_duplex_enabler) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGatherDuplex});
    for (ULONG i = 0; i < 2; i++) {
        PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(made.enabler, (WDF_DMA_DIRECTION)i);
        PHYSICAL_ADDRESS logical;
        CHECK(adapter->DmaOperations->AllocateCommonBuffer(adapter, i + 1, &logical, FALSE));
    }
    CHECK_LEAKS(made.machine, made.enabler, WDFDMA_RULE_LEAK_COMMON_BUFFER,
                WDFDMA_RULE_LEAK_COMMON_BUFFER);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    CHECK(told[0].parameters[1] != told[1].parameters[1]);
    CHECK_EQUAL(told[0].handle, told[1].handle);
    /* A simplex enabler has one adapter for both directions. */
    WDFDMAENABLER simplex =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(simplex, WdfDmaDirectionReadFromDevice);
    PHYSICAL_ADDRESS logical;
    CHECK(adapter->DmaOperations->AllocateCommonBuffer(adapter, 7, &logical, FALSE) != NULL);
    CHECK_LEAKS(made.machine, simplex, WDFDMA_RULE_LEAK_COMMON_BUFFER);
}

TEST(an_enabler_without_adapters) {
    world made = {.machine = harness_machine(NULL)};
    made.device = world_device(made.machine);
    WDF_DMA_ENABLER_CONFIG config;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileSystem, 4096);
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made.enabler),
                 STATUS_SUCCESS);
    CHECK_EQUAL(count_leaks(made.machine, made.enabler), 0);
    WdfObjectDelete(made.enabler);
    CHECK_EQUAL(count_violations(made.machine), 0);
}

/* Where the machine goes on after a violation, an adapter outlives its enabler, and answers for
 * itself. */
TEST(an_adapter_without_an_enabler) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    PHYSICAL_ADDRESS logical;
    CHECK(adapter->DmaOperations->AllocateCommonBuffer(adapter, 99, &logical, FALSE) != NULL);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_DMA_07, WDFDMA_MODE_IGNORE),
                 STATUS_SUCCESS);
    WdfObjectDelete(made.enabler);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_COMMON_BUFFER);
    CHECK_EQUAL(last_of(made.machine).object_type, WDFDMA_OBJECT_ADAPTER);
    CHECK_EQUAL(last_of(made.machine).handle, last_of(made.machine).parameters[1]);
}

HARNESS_MAIN(ENTRY(a_transfer_that_nobody_completes), ENTRY(a_transaction_that_is_not_released),
             ENTRY(a_transaction_that_waits), ENTRY(a_reservation_that_is_not_freed),
             ENTRY(a_cancelled_reservation_holds_nothing), ENTRY(a_common_buffer_of_the_framework),
             ENTRY(a_request_that_is_not_completed), ENTRY(a_reference_that_is_not_given_back),
             ENTRY(a_run_of_registers), ENTRY(runs_in_a_large_pool),
             ENTRY(registers_that_are_known), ENTRY(a_list_that_is_not_put),
             ENTRY(many_common_buffers), ENTRY(a_channel_that_is_kept),
             ENTRY(a_channel_that_a_transaction_keeps), ENTRY(only_what_lies_below),
             ENTRY(what_is_taken_of_an_enablers_adapter),
             ENTRY(what_is_deleted_holds_only_its_references),
             ENTRY(both_adapters_of_a_duplex_enabler), ENTRY(an_enabler_without_adapters),
             ENTRY(an_adapter_without_an_enabler))
