/* Who waits for whom, as the control plane shows it: adapters, their queues, the owners of runs. */
#include "wdm_world.h"

enum {
    MANY = 5
};

static void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                    registers, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
}

static world packet_world(void) {
    wdfdma_machine_config config = world_config(REGISTERS);
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    return world_open(&config, profile);
}

static wdfdma_adapter_info adapter_info(WDFOBJECT adapter) {
    wdfdma_adapter_info info = {0};
    CHECK_STATUS(wdfdma_adapter_get_info(adapter, &info), STATUS_SUCCESS);
    return info;
}

TEST(objects_are_listed_by_type) {
    world made = packet_world();
    WDFDMATRANSACTION items[MANY];
    WDFOBJECT copied[MANY] = {NULL};
    for (int i = 0; i < MANY; i++) {
        items[i] = world_transaction(made.enabler);
    }
    CHECK_EQUAL(
        wdfdma_machine_copy_objects(made.machine, WDFDMA_OBJECT_TRANSACTION, copied, MANY - 1),
        MANY);
    for (int i = 0; i < MANY - 1; i++) {
        CHECK(copied[i] == (WDFOBJECT)items[i]);
        CHECK(wdfdma_object_get_parent(items[i]) == (WDFOBJECT)made.enabler);
    }
    CHECK(copied[MANY - 1] == NULL);
    WdfObjectDelete(items[2]);
    CHECK(wdfdma_object_get_parent(items[2]) == NULL);
    CHECK_EQUAL(
        wdfdma_machine_copy_objects(made.machine, WDFDMA_OBJECT_TRANSACTION, NULL, SIZE_MAX),
        MANY - 1);
    CHECK_EQUAL(wdfdma_machine_copy_objects(made.machine, WDFDMA_OBJECT_DEVICE, copied, 1), 1);
    CHECK(copied[0] == (WDFOBJECT)made.device);
    CHECK(wdfdma_object_get_parent(made.device) == NULL);
    CHECK_EQUAL(wdfdma_machine_copy_objects(made.machine, UINT32_MAX, copied, MANY), 0);
}

TEST(the_lines_are_told_in_order) {
    world made = packet_world();
    WDFDMATRANSACTION items[MANY];
    wdfdma_waiter_info waiters[MANY];
    WDFOBJECT by = wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionReadFromDevice);
    for (ULONG i = 0; i < MANY; i++) {
        items[i] = world_transaction(made.enabler);
        reserve(items[i], REGISTERS - i);
    }
    CHECK_EQUAL(wdfdma_pool_copy_requests(made.machine, waiters, MANY), 1);
    CHECK(waiters[0].transaction == items[1] && waiters[0].adapter == by);
    CHECK_EQUAL(waiters[0].registers, REGISTERS - 1);
    CHECK_EQUAL(waiters[0].waiting, WDFDMA_WAITING_POOL);
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(by, waiters, 2), MANY - 2);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(waiters[i].transaction == items[i + 2]);
        CHECK_EQUAL(waiters[i].registers, REGISTERS - 2 - i);
        CHECK_EQUAL(waiters[i].waiting, WDFDMA_WAITING_CHANNEL);
    }
    wdfdma_adapter_info info = adapter_info(by);
    CHECK(info.channel_owned && info.channel_owner == items[1]);
    CHECK_EQUAL(info.waiting, MANY - 2);
    CHECK_EQUAL(info.registers_held, REGISTERS);
    CHECK(info.needs_map_registers && info.master && !info.scatter_gather && !info.wdm);
}

TEST(a_run_has_its_adapter) {
    world made = packet_world();
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    WDFDMAENABLER other = world_enabler(made.device, &profile);
    reserve(world_transaction(made.enabler), 3);
    reserve(world_transaction(other), 2);
    CHECK(wdfdma_pool_get_owner(made.machine, 0) ==
          wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionWriteToDevice));
    CHECK(wdfdma_pool_get_owner(made.machine, 3) ==
          wdfdma_enabler_get_adapter(other, WdfDmaDirectionReadFromDevice));
    CHECK(wdfdma_pool_get_owner(made.machine, 1) == NULL); /* inside a run */
    CHECK(wdfdma_pool_get_owner(made.machine, 5) == NULL);
    CHECK(wdfdma_pool_get_owner(made.machine, UINT32_MAX) == NULL);
}

TEST(a_channel_taken_on_the_plain_way_has_its_owner) {
    wdfdma_machine_config config = world_config(REGISTERS);
    const world_profile profile = {.profile = WdfDmaProfileSystem, .maximum_length = 8192};
    world made = world_open(&config, profile);
    WDFDMATRANSACTION item = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    wdfdma_enabler_info info;
    CHECK_STATUS(world_initialize(item, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, WdfDmaDirectionReadFromDevice, &info),
                 STATUS_SUCCESS);
    CHECK(info.channel_owned && info.channel_owner == item);
    WDFOBJECT by = wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionReadFromDevice);
    CHECK(adapter_info(by).channel_owner == item);
    CHECK(adapter_info(by).transferring && !adapter_info(by).master);
}

TEST(a_wdm_driver_waits_and_owns_without_a_name) {
    wdm of = wdm_open(false, false);
    seen first;
    seen second;
    wdfdma_waiter_info waiter;
    WDFOBJECT by = NULL;
    CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ADAPTER, &by, 1), 1);
    channel_get(&of, 2, KeepObject, &first);
    channel_get(&of, 1, DeallocateObject, &second);
    CHECK_EQUAL(second.calls, 0);
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(by, &waiter, 1), 1);
    CHECK(waiter.transaction == NULL && waiter.registers == 1);
    wdfdma_adapter_info info = adapter_info(by);
    CHECK(info.wdm && info.channel_owned && info.channel_owner == NULL);
    of.ops->FreeAdapterChannel(of.adapter);
    CHECK_EQUAL(second.calls, 1);
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(by, NULL, 0), 0);
}

TEST(an_adapter_that_was_asked_for_is_known_to_its_driver) {
    world made = packet_world();
    WDFOBJECT by = wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionReadFromDevice);
    CHECK(!adapter_info(by).wdm);
    CHECK(WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice) != NULL);
    CHECK(adapter_info(by).wdm);
}

TEST(a_common_buffer_is_shown) {
    world made = packet_world();
    WDFCOMMONBUFFER buffer = NULL;
    wdfdma_common_buffer_info info;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_common_buffer_get_info(buffer, &info), STATUS_SUCCESS);
    CHECK_EQUAL(info.length, 100);
    CHECK_EQUAL(info.logical, (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart);
    CHECK(wdfdma_object_get_parent(buffer) == (WDFOBJECT)made.enabler);
    CHECK_STATUS(wdfdma_common_buffer_get_info(buffer, NULL), STATUS_INVALID_PARAMETER);
    WdfObjectDelete(buffer);
    CHECK_STATUS(wdfdma_common_buffer_get_info(buffer, &info), STATUS_INVALID_HANDLE);
}

/* Each is given what is no adapter, enabler or object: it answers, and nothing halts. */
TEST(nothing_is_shown_of_what_is_none) {
    world made = packet_world();
    wdfdma_adapter_info info;
    const WDFOBJECT forged = (WDFOBJECT)(uintptr_t)0x1234567812345678;
    const WDFOBJECT none[] = {NULL, forged, made.device, made.enabler, made.machine};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK_STATUS(wdfdma_adapter_get_info(none[i], &info), STATUS_INVALID_HANDLE);
        CHECK_EQUAL(wdfdma_adapter_copy_waiters(none[i], NULL, 0), 0);
        if (none[i] != (WDFOBJECT)made.enabler) {
            CHECK(wdfdma_enabler_get_adapter(none[i], WdfDmaDirectionReadFromDevice) == NULL);
            CHECK(wdfdma_object_get_parent(none[i]) == NULL);
        }
    }
    WDFOBJECT by = wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionReadFromDevice);
    CHECK(wdfdma_object_get_parent(by) == NULL);
    CHECK(wdfdma_enabler_get_adapter(made.enabler, (WDF_DMA_DIRECTION)7) == NULL);
    CHECK_STATUS(wdfdma_adapter_get_info(by, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(wdfdma_machine_copy_objects(NULL, WDFDMA_OBJECT_DEVICE, NULL, 0), 0);
    CHECK_EQUAL(wdfdma_pool_copy_requests(NULL, NULL, 0), 0);
    CHECK(wdfdma_pool_get_owner(NULL, 0) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->halted, 0);
}

HARNESS_MAIN(ENTRY(objects_are_listed_by_type), ENTRY(the_lines_are_told_in_order),
             ENTRY(a_run_has_its_adapter), ENTRY(a_channel_taken_on_the_plain_way_has_its_owner),
             ENTRY(a_wdm_driver_waits_and_owns_without_a_name),
             ENTRY(an_adapter_that_was_asked_for_is_known_to_its_driver),
             ENTRY(a_common_buffer_is_shown), ENTRY(nothing_is_shown_of_what_is_none))
