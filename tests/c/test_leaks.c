/* What is still held is told by name, each thing once, and what is given back is not. */
#include "wdm_world.h"

enum {
    LENGTH = 3 * WORLD_PAGE
};

static size_t count_leaks(wdfdma_machine *machine, void *below) {
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(machine, (WDFOBJECT)below, &count), STATUS_SUCCESS);
    return count;
}

/* The newest [count] violations of [machine] are of these rules, in this order. */
static void check_last(const wdfdma_machine *machine, const uint32_t *rules, size_t count) {
    size_t all = 0;
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &all);
    REQUIRE(all >= count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(kept[all - count + i].rule, rules[i]);
    }
}

#define CHECK_LEAKS(machine, below, ...) \
    do { \
        static const uint32_t wanted[] = {__VA_ARGS__}; \
        size_t wanted_count = sizeof wanted / sizeof wanted[0]; \
        wdfdma_machine_clear_violations(machine); \
        CHECK_EQUAL(count_leaks((machine), (below)), wanted_count); \
        check_last((machine), wanted, wanted_count); \
        CHECK_EQUAL(count_violations(machine), wanted_count); \
    } while (0)
#define CHECK_CLEAN(machine) CHECK_EQUAL(count_leaks((machine), NULL), 0)

static size_t count_violations(const wdfdma_machine *machine) {
    size_t count = 0;
    wdfdma_machine_get_violations(machine, &count);
    return count;
}

static wdfdma_violation last_of(const wdfdma_machine *machine) {
    size_t count = 0;
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &count);
    const wdfdma_violation none = {0};
    return CHECK(count != 0) ? kept[count - 1] : none;
}

static uint64_t number_of(const void *handle) {
    return (uint64_t)(uintptr_t)handle;
}

/* A transaction of [of], begun on LENGTH bytes. */
static WDFDMATRANSACTION begin(const world *of) {
    WDFDMATRANSACTION transaction = world_transaction(of->enabler);
    PMDL mdl = world_mdl(of->machine, 0, LENGTH, NULL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, LENGTH),
                 STATUS_SUCCESS);
    return transaction;
}

static WDFDMATRANSACTION start(const world *of) {
    WDFDMATRANSACTION transaction = begin(of);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    return transaction;
}

static void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

static void release(WDFDMATRANSACTION transaction) {
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

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

static BOOLEAN refuse_channel(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context,
                              PMDL mdl, size_t offset, size_t length) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)mdl;
    (void)offset;
    (void)length;
    return FALSE;
}

TEST(a_channel_that_a_transaction_keeps) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION transaction = begin(&made);
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, refuse_channel, NULL);
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

static BOOLEAN look_around(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                           WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    (void)list;
    wdfdma_machine *machine = wdfdma_object_get_machine((WDFOBJECT)transaction);
    CHECK_LEAKS(machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_CHANNEL);
    CHECK_EQUAL(last_of(machine).depth, 1);
    CHECK_EQUAL(last_of(machine).frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
    return TRUE;
}

TEST(a_look_from_inside_a_callback) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, LENGTH, NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                     transaction, look_around, WdfDmaDirectionReadFromDevice, mdl, 0, LENGTH),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(made.machine), 2);
}

TEST(a_deletion_tells_first) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    complete(start(&made));
    WdfObjectDelete(made.enabler);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_EQUAL(last_of(made.machine).rule, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(last_of(made.machine).op, WDFDMA_OP_DELETE);
    CHECK_CLEAN(made.machine);
    wdfdma_machine_clear_violations(made.machine);
    made.enabler = world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    begin(&made);
    wdfdma_device_destroy(made.device);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_EQUAL(last_of(made.machine).rule, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_CLEAN(made.machine);
    wdfdma_machine_clear_violations(made.machine);
    made.device = world_device(made.machine);
    made.enabler = world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = start(&made);
    complete(transaction);
    release(transaction);
    wdfdma_device_destroy(made.device);
    CHECK_EQUAL(count_violations(made.machine), 0);
}

TEST(a_rule_stops_at_the_first) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION first = begin(&made);
    begin(&made);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_STOP),
        STATUS_SUCCESS);
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count, 12345);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(world_parameter(made.machine, 1), number_of(first));
    CHECK_EQUAL(world_parameter(made.machine, 2), WDFDMA_STATE_INITIALIZED);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(made.machine), 1);
}

TEST(a_deletion_that_a_rule_stops_deletes_nothing) {
    for (int i = 0; i < 2; i++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        WDFDMATRANSACTION transaction = begin(&made);
        CHECK_STATUS(wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION,
                                                  WDFDMA_MODE_STOP),
                     STATUS_SUCCESS);
        if (i == 0) {
            WdfObjectDelete(made.enabler);
        } else {
            wdfdma_device_destroy(made.device);
        }
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_LEAK_TRANSACTION);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_INITIALIZED);
        CHECK_EQUAL(wdfdma_object_get_type(made.enabler), WDFDMA_OBJECT_ENABLER);
    }
}

TEST(an_ignored_rule_is_not_counted) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    start(&made);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_LIST, WDFDMA_MODE_IGNORE),
        STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED);
}

TEST(nothing_else_changes) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    begin(&made);
    wdfdma_log_view before, after;
    wdfdma_machine_state state = *wdfdma_machine_get_state(made.machine);
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &before), STATUS_SUCCESS);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 1);
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &after), STATUS_SUCCESS);
    CHECK_EQUAL(after.first_count, before.first_count);
    CHECK_BYTES(wdfdma_machine_get_state(made.machine), &state, sizeof state);
}

TEST(wrong_arguments) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    world other = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = begin(&made);
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(NULL, NULL, &count), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, NULL), STATUS_INVALID_PARAMETER);
    void *const wrong[] = {transaction, other.enabler, (void *)(uintptr_t)1,
                           (void *)(uintptr_t)UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, (WDFOBJECT)wrong[i], &count),
                     STATUS_INVALID_HANDLE);
    }
    WdfObjectDelete(transaction);
    WdfObjectReference(made.enabler);
    WdfObjectDelete(made.enabler);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, (WDFOBJECT)made.enabler, &count),
                 STATUS_INVALID_HANDLE);
    CHECK_EQUAL(count, 12345);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(a_leak_is_told_once) {
    wdm made = wdm_open(false, false);
    PHYSICAL_ADDRESS logical;
    world of = {.machine = made.machine,
                .enabler = world_enabler(
                    made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3})};
    WDFDMATRANSACTION leaked = begin(&of);
    for (int i = 0; i < 2; i++) { /* two that look alike */
        CHECK(made.ops->AllocateCommonBuffer(made.adapter, 100, &logical, TRUE) != NULL);
    }
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_LEAK_COMMON_BUFFER,
                WDFDMA_RULE_LEAK_COMMON_BUFFER, WDFDMA_RULE_LEAK_ADAPTER);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 4);
    CHECK_EQUAL(count_violations(made.machine), 4);
    WdfDmaTransactionExecute(leaked, NULL); /* held on, in another state and of another rule */
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, 100, &logical, TRUE) != NULL);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 5);
    CHECK_EQUAL(count_violations(made.machine), 6);
    CHECK_EQUAL(count_leaks(made.machine, of.enabler), 1);
    CHECK_EQUAL(count_violations(made.machine), 6);
    complete(leaked);
    WdfObjectDelete(of.enabler); /* its transaction was told of */
    CHECK_EQUAL(count_violations(made.machine), 6);
    wdfdma_machine_clear_violations(made.machine);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 4);
    CHECK_EQUAL(count_violations(made.machine), 4);
    CHECK_MACHINE(made.machine);
}

/* Told before is no reason to go on where the rule stops. */
TEST(a_leak_that_was_told_stops) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    begin(&made);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 1);
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_STOP);
    size_t count = 0;
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
}

/* What a machine's handler heard. */
typedef struct heard {
    size_t calls;
    size_t count;
    uint32_t rules[4];
} heard;

static void leaks_hear(wdfdma_machine *machine, const wdfdma_violation *leaks, size_t count,
                       void *context) {
    heard *of = context;
    of->calls++;
    of->count = count;
    for (size_t i = 0; i < count && i < 4; i++) {
        of->rules[i] = leaks[i].rule;
    }
    CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_INVALID_DEVICE_STATE);
    CHECK(!leaks[0].stopped);
}

static heard end_and_hear(bool leaks, bool halts, uint32_t mode) {
    heard told = {0};
    wdfdma_machine_config config = world_config(8);
    config.leak_handler = leaks_hear;
    config.leak_context = &told;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, mode);
    WDFDMATRANSACTION transaction = begin(&made);
    if (!leaks) {
        release(transaction);
    } else if (mode != WDFDMA_MODE_STOP) {
        count_leaks(made.machine, NULL); /* told before, which is no reason */
    }
    if (halts) {
        wdfdma_machine_halt(made.machine, 1, 0);
    }
    harness_machine_end(made.machine);
    return told;
}

TEST(the_end_of_a_machine_tells) {
    static const uint32_t modes[] = {WDFDMA_MODE_DEFAULT, WDFDMA_MODE_COLLECT, WDFDMA_MODE_STOP};
    for (int i = 0; i < 3; i++) {
        heard told = end_and_hear(true, false, modes[i]);
        CHECK_EQUAL(told.calls, 1);
        CHECK_EQUAL(told.count, 1);
        CHECK_EQUAL(told.rules[0], WDFDMA_RULE_LEAK_TRANSACTION);
        CHECK_EQUAL(end_and_hear(false, false, modes[i]).calls, 0);
    }
    CHECK_EQUAL(end_and_hear(true, true, WDFDMA_MODE_DEFAULT).calls, 0);
    CHECK_EQUAL(end_and_hear(true, false, WDFDMA_MODE_IGNORE).calls, 0);
}

TEST(leaks_are_taken) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    size_t count = 12345;
    CHECK(wdfdma_machine_take_leaks(NULL, &count) == NULL);
    CHECK(wdfdma_machine_take_leaks(made.machine, NULL) == NULL);
    begin(&made);
    for (int i = 0; i < 2; i++) {
        const wdfdma_violation *taken = wdfdma_machine_take_leaks(made.machine, &count);
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(taken[0].rule, WDFDMA_RULE_LEAK_TRANSACTION);
    }
    wdfdma_machine_halt(made.machine, 1, 0);
    CHECK(wdfdma_machine_take_leaks(made.machine, &count) == NULL);
    CHECK_EQUAL(count, 0);
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
             ENTRY(an_adapter_without_an_enabler), ENTRY(a_look_from_inside_a_callback),
             ENTRY(a_deletion_tells_first), ENTRY(a_rule_stops_at_the_first),
             ENTRY(a_deletion_that_a_rule_stops_deletes_nothing),
             ENTRY(an_ignored_rule_is_not_counted), ENTRY(nothing_else_changes),
             ENTRY(wrong_arguments), ENTRY(a_leak_is_told_once), ENTRY(a_leak_that_was_told_stops),
             ENTRY(the_end_of_a_machine_tells), ENTRY(leaks_are_taken))
