/* What the inspection says at its edges: of lists that wait, bounce or need no registers, of what was moved
 * and is over, of queues for which there is little room, of what is no such object. */
#include "wdm_world.h"

enum {
    WAITERS = 5
};

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

static void start(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, mdl, 0, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

static void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

static void registers_expect(WDFDMATRANSACTION transaction, uint32_t waiting, uint32_t first,
                             uint32_t count, bool holds, bool bounces) {
    wdfdma_transaction_info info = world_info(transaction);
    CHECK_EQUAL(info.waiting, waiting);
    CHECK_EQUAL(info.first_register, first);
    CHECK_EQUAL(info.registers, count);
    CHECK_EQUAL(info.holds_base, holds);
    CHECK_EQUAL(info.bounces, bounces);
}

/* Bounced, a list has its registers; in reach, it has a base that is none. */
TEST(a_list_has_the_registers_that_it_needs) {
    for (int bounced = 0; bounced < 2; bounced++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = bounced != 0;
        world of = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather64});
        PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
        WDFDMATRANSACTION before = world_transaction(of.enabler);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        NTSTATUS status;
        start(before, mdl, WORLD_PAGE);
        registers_expect(item, WDFDMA_WAITING_NOT, UINT32_MAX, 0, false, false);
        start(item, mdl, 3 * WORLD_PAGE);
        registers_expect(item, WDFDMA_WAITING_NOT, bounced ? 1 : UINT32_MAX, bounced ? 3 : 0, true,
                         bounced != 0);
        CHECK(WdfDmaTransactionDmaCompleted(item, &status));
        registers_expect(item, WDFDMA_WAITING_NOT, UINT32_MAX, 0, false, false);
    }
}

/* A list that waits has asked for registers; one that was asked for behind it, too. */
TEST(a_list_waits_with_its_registers) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world of =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    WDFDMAENABLER packet =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION held[2] = {world_transaction(packet), world_transaction(packet)};
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    NTSTATUS status = STATUS_SUCCESS;
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    reserve(held[0], 4);
    reserve(held[1], 4);
    CHECK_STATUS(world_initialize(item, READ, mdl, 0, 8 * WORLD_PAGE), STATUS_SUCCESS);
    WdfDmaTransactionSetMaximumLength(item, 4 * WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    registers_expect(item, WDFDMA_WAITING_POOL, UINT32_MAX, 4, false, false);
    CHECK(!WdfDmaTransactionDmaCompleted(item, &status));
    registers_expect(item, WDFDMA_WAITING_POOL, UINT32_MAX, 4, false, false);
    WdfDmaTransactionFreeResources(held[0]);
    /* Its own list is there; the further one has the channel now, and waits for registers. */
    registers_expect(item, WDFDMA_WAITING_POOL, 0, 4, true, true);
    CHECK(WdfDmaTransactionCancel(item));
    registers_expect(item, WDFDMA_WAITING_NOT, 0, 4, true, true);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_pool, 0);
}

/* A packet's base is held as long as its reservation; it bounces as long as its transfer. */
TEST(a_packet_bounces_while_it_is_under_way) {
    for (int bounced = 0; bounced < 2; bounced++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = bounced != 0;
        world of =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        NTSTATUS status;
        registers_expect(item, WDFDMA_WAITING_NOT, UINT32_MAX, 0, false, false);
        reserve(item, 3);
        registers_expect(item, WDFDMA_WAITING_NOT, 0, 3, true, false);
        start(item, mdl, WORLD_PAGE);
        registers_expect(item, WDFDMA_WAITING_NOT, 0, 3, true, bounced != 0);
        CHECK(WdfDmaTransactionDmaCompleted(item, &status));
        registers_expect(item, WDFDMA_WAITING_NOT, 0, 3, true, false);
        CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
        registers_expect(item, WDFDMA_WAITING_NOT, 0, 3, true, false);
        WdfDmaTransactionFreeResources(item);
        registers_expect(item, WDFDMA_WAITING_NOT, UINT32_MAX, 0, false, false);
    }
}

/* Of five who wait, as many as there is room for are written, and nothing behind them. */
TEST(queues_are_copied_as_far_as_there_is_room) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMAENABLER one = of.enabler;
    WDFDMATRANSACTION in_pool[WAITERS];
    WDFDMATRANSACTION in_channel[WAITERS];
    reserve(world_transaction(one), 8);
    for (int i = 0; i < WAITERS; i++) {
        in_pool[i] = world_transaction(world_enabler(
            of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3}));
        reserve(in_pool[i], 2 + (ULONG)i);
    }
    reserve(world_transaction(one), 1); /* it has the channel, and is the pool's sixth */
    for (int i = 0; i < WAITERS; i++) {
        in_channel[i] = world_transaction(one);
        reserve(in_channel[i], 1 + (ULONG)i);
    }
    WDFOBJECT adapter = wdfdma_enabler_get_adapter(one, READ);
    wdfdma_enabler_info info;
    CHECK_STATUS(wdfdma_enabler_get_info(one, READ, &info), STATUS_SUCCESS);
    CHECK_EQUAL(info.waiting, WAITERS);
    for (size_t room = 0; room <= WAITERS; room++) {
        WDFDMATRANSACTION handles[WAITERS + 1];
        wdfdma_waiter_info waiters[WAITERS + 1];
        WDFOBJECT objects[WAITERS + 1];
        memset(handles, 0xAB, sizeof handles);
        CHECK_EQUAL(wdfdma_pool_copy_waiters(of.machine, handles, room), WAITERS + 1);
        for (size_t i = 0; i <= WAITERS; i++) {
            CHECK_EQUAL(handles[i],
                        i < room ? (uint64_t)(uintptr_t)in_pool[i] : 0xABABABABABABABAB);
        }
        memset(waiters, 0xAB, sizeof waiters);
        CHECK_EQUAL(wdfdma_pool_copy_requests(of.machine, waiters, room), WAITERS + 1);
        for (size_t i = 0; i <= WAITERS; i++) {
            CHECK_EQUAL(waiters[i].registers, i < room ? 2 + i : 0xABABABAB);
            CHECK_EQUAL(waiters[i].waiting, i < room ? (uint32_t)WDFDMA_WAITING_POOL : 0xABABABAB);
        }
        memset(waiters, 0xAB, sizeof waiters);
        CHECK_EQUAL(wdfdma_adapter_copy_waiters(adapter, waiters, room), WAITERS);
        for (size_t i = 0; i <= WAITERS; i++) {
            CHECK_EQUAL(waiters[i].registers, i < room ? 1 + i : 0xABABABAB);
            CHECK(i >= room ||
                  (waiters[i].transaction == in_channel[i] && waiters[i].adapter == adapter));
        }
        memset(objects, 0xAB, sizeof objects);
        CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ENABLER, objects, room),
                    WAITERS + 1);
        for (size_t i = 0; i <= WAITERS; i++) {
            CHECK(i < room ? wdfdma_object_get_type(objects[i]) == WDFDMA_OBJECT_ENABLER
                           : (uintptr_t)objects[i] == 0xABABABABABABABAB);
        }
    }
    CHECK_EQUAL(wdfdma_pool_copy_waiters(of.machine, NULL, 9), WAITERS + 1);
    CHECK_EQUAL(wdfdma_pool_copy_requests(of.machine, NULL, 9), WAITERS + 1);
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(adapter, NULL, 9), WAITERS);
    CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ENABLER, NULL, 9),
                WAITERS + 1);
    CHECK_EQUAL(wdfdma_pool_copy_waiters(NULL, NULL, 0), 0);
    CHECK_EQUAL(wdfdma_pool_copy_requests(NULL, NULL, 0), 0);
    CHECK_EQUAL(wdfdma_machine_copy_objects(NULL, WDFDMA_OBJECT_ENABLER, NULL, 0), 0);
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(one, NULL, 0), 0);
}

/* A WDM driver's request is no transaction's. */
TEST(a_wdm_drivers_request_has_no_transaction) {
    wdm of = wdm_open(true, true);
    seen first = {.answer = KeepObject};
    seen second = {.answer = KeepObject};
    CHECK_STATUS(of.ops->AllocateAdapterChannel(of.adapter, of.object, 4, on_control, &first),
                 STATUS_SUCCESS);
    WDFOBJECT adapter = NULL;
    wdfdma_adapter_info info;
    CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ADAPTER, &adapter, 1), 1);
    CHECK_STATUS(wdfdma_adapter_get_info(adapter, &info), STATUS_SUCCESS);
    CHECK(info.channel_owned && info.channel_owner == NULL && info.wdm);
    CHECK_STATUS(of.ops->AllocateAdapterChannel(of.adapter, of.object, 1, on_control, &second),
                 STATUS_SUCCESS);
    wdfdma_waiter_info waiter = {.registers = 7};
    CHECK_EQUAL(wdfdma_adapter_copy_waiters(adapter, &waiter, 1), 1);
    CHECK(waiter.transaction == NULL);
    CHECK_EQUAL(waiter.registers, 1);
    CHECK(wdfdma_object_get_parent(adapter) == NULL);
}

TEST(a_common_buffer_lies_where_it_is_aligned) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    for (uint32_t bits = 12; bits <= 16; bits++) {
        WDF_COMMON_BUFFER_CONFIG config;
        WDFCOMMONBUFFER odd = NULL;
        WDFCOMMONBUFFER buffer = NULL;
        wdfdma_common_buffer_info info;
        WDF_COMMON_BUFFER_CONFIG_INIT(&config, (1u << bits) - 1);
        CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &odd),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfCommonBufferCreateWithConfig(of.enabler, 5000, &config,
                                                     WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                     STATUS_SUCCESS);
        uint64_t address = (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart;
        uint8_t *bytes = WdfCommonBufferGetAlignedVirtualAddress(buffer);
        const uint8_t written[] = {1, 2, 3, 4, 5};
        CHECK_STATUS(wdfdma_common_buffer_get_info(buffer, &info), STATUS_SUCCESS);
        CHECK_EQUAL(info.logical, address);
        CHECK_EQUAL(info.length, 5000);
        CHECK_EQUAL(address & config.AlignmentRequirement, 0);
        /* The device sees the last bytes where the driver does. */
        CHECK_STATUS(wdfdma_device_write(of.machine, address + 4995, written, sizeof written),
                     STATUS_SUCCESS);
        CHECK_BYTES(bytes + 4995, written, sizeof written);
    }
}

/* An enabler, nothing, a place without room. */
TEST(what_is_no_such_object_is_refused) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WDFOBJECT adapter = wdfdma_enabler_get_adapter(of.enabler, READ);
    void *others[] = {NULL, of.device, (void *)(uintptr_t)12345};
    wdfdma_transaction_info transaction;
    wdfdma_enabler_info enabler;
    wdfdma_adapter_info by;
    wdfdma_common_buffer_info buffer;
    wdfdma_request_info request;
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(wdfdma_transaction_get_info(others[i], &transaction), STATUS_INVALID_HANDLE);
        CHECK_STATUS(wdfdma_transaction_get_info(others[i], NULL), STATUS_INVALID_PARAMETER);
        CHECK_STATUS(wdfdma_enabler_get_info(others[i], READ, &enabler), STATUS_INVALID_HANDLE);
        CHECK_STATUS(wdfdma_enabler_get_info(others[i], READ, NULL), STATUS_INVALID_PARAMETER);
        CHECK_STATUS(wdfdma_adapter_get_info(others[i], &by), STATUS_INVALID_HANDLE);
        CHECK_STATUS(wdfdma_adapter_get_info(others[i], NULL), STATUS_INVALID_PARAMETER);
        CHECK_STATUS(wdfdma_common_buffer_get_info(others[i], &buffer), STATUS_INVALID_HANDLE);
        CHECK_STATUS(wdfdma_common_buffer_get_info(others[i], NULL), STATUS_INVALID_PARAMETER);
        CHECK_STATUS(wdfdma_request_get_info(others[i], &request), STATUS_INVALID_HANDLE);
        CHECK_STATUS(wdfdma_request_get_info(others[i], NULL), STATUS_INVALID_PARAMETER);
        CHECK(wdfdma_enabler_get_adapter(others[i], READ) == NULL);
    }
    CHECK_STATUS(wdfdma_transaction_get_info(item, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_adapter_get_info(adapter, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_enabler_get_info(of.enabler, (WDF_DMA_DIRECTION)2, &enabler),
                 STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_enabler_get_adapter(of.enabler, (WDF_DMA_DIRECTION)2) == NULL);
    CHECK(wdfdma_object_get_parent(item) == (WDFOBJECT)of.enabler);
    CHECK(wdfdma_object_get_parent(of.enabler) == (WDFOBJECT)of.device);
    CHECK(wdfdma_object_get_parent(of.device) == NULL);
    CHECK(wdfdma_object_get_parent(adapter) == NULL);
    CHECK(wdfdma_object_get_parent((WDFOBJECT)(uintptr_t)12345) == NULL);
    CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
}

/* Who has a run is known until it is given back; past the pool there is none. */
TEST(a_run_has_its_owner) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMAENABLER other =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION first = world_transaction(of.enabler);
    reserve(first, 3);
    reserve(world_transaction(other), 2);
    for (uint32_t i = 0; i < 10; i++) {
        WDFOBJECT expected = i == 0   ? wdfdma_enabler_get_adapter(of.enabler, READ)
                             : i == 3 ? wdfdma_enabler_get_adapter(other, READ)
                                      : NULL;
        CHECK(wdfdma_pool_get_owner(of.machine, i) == expected);
    }
    CHECK(wdfdma_pool_get_owner(NULL, 0) == NULL);
    WdfDmaTransactionFreeResources(first);
    CHECK(wdfdma_pool_get_owner(of.machine, 0) == NULL);
}

HARNESS_MAIN(ENTRY(a_list_has_the_registers_that_it_needs), ENTRY(a_list_waits_with_its_registers),
             ENTRY(a_packet_bounces_while_it_is_under_way),
             ENTRY(queues_are_copied_as_far_as_there_is_room),
             ENTRY(a_wdm_drivers_request_has_no_transaction),
             ENTRY(a_common_buffer_lies_where_it_is_aligned),
             ENTRY(what_is_no_such_object_is_refused), ENTRY(a_run_has_its_owner))
