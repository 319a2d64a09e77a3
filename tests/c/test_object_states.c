/* How an object of each type stood, in every field of a record: what its type has not is 0. The list of leaks
 * has it of any object, at any time, and changes nothing. */
#include "wdm_world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;

enum {
    LISTED = 32
};

static void fields_expect(const wdfdma_object_state *found, const wdfdma_object_state *expected) {
    CHECK_EQUAL(found->state, expected->state);
    CHECK_EQUAL(found->waiting, expected->waiting);
    CHECK_EQUAL(found->waiters, expected->waiters);
    CHECK_EQUAL(found->first_register, expected->first_register);
    CHECK_EQUAL(found->registers, expected->registers);
    CHECK_EQUAL(found->reserved, expected->reserved);
    CHECK_EQUAL(found->references, expected->references);
    CHECK_EQUAL(found->deleted, expected->deleted);
    CHECK_EQUAL(found->length, expected->length);
    CHECK_EQUAL(found->bytes_transferred, expected->bytes_transferred);
    CHECK_EQUAL(found->transfer_length, expected->transfer_length);
}

/* What the list of leaks says of [handle] under [rule]. */
static void state_expect(wdfdma_machine *machine, uint32_t rule, const void *handle,
                         wdfdma_object_state expected) {
    wdfdma_violation found[LISTED];
    size_t count = 0;
    size_t at = 0;
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, found, LISTED, &count), STATUS_SUCCESS);
    CHECK(count <= LISTED);
    while (at < count &&
           (found[at].rule != rule || found[at].handle != (uint64_t)(uintptr_t)handle)) {
        at++;
    }
    REQUIRE(at < count);
    if (expected.first_register == 0) {
        expected.first_register = UINT32_MAX;
    }
    fields_expect(&found[at].state, &expected);
    wdfdma_machine_get_violations(machine, &count);
    CHECK_EQUAL(count, 0);
}

/* The same of an object with a reference too many, which goes away again. */
static void object_expect(WDFOBJECT item, wdfdma_object_state expected) {
    WdfObjectReference(item);
    expected.references++;
    state_expect(wdfdma_object_get_machine(item), WDFDMA_RULE_LEAK_REFERENCE, item, expected);
    WdfObjectDereference(item);
}

static void start(WDFDMATRANSACTION transaction, WDF_DMA_DIRECTION direction, PMDL mdl,
                  size_t length) {
    CHECK_STATUS(world_initialize(transaction, direction, mdl, 0, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

TEST(a_device_is_busy_with_a_transaction_of_version_2) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    object_expect(of.device, (wdfdma_object_state){.references = 1});
    start(item, READ, mdl, 100);
    object_expect(of.device, (wdfdma_object_state){.references = 1, .state = 1});
    object_expect(of.enabler, (wdfdma_object_state){.references = 1, .registers = 1});
}

/* A simplex enabler has one adapter, a duplex one two: each counts once. Of eight registers, six are held. */
TEST(an_enabler_has_what_its_adapters_have) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfileScatterGather,
                                               WdfDmaProfileScatterGatherDuplex};
    static const struct {
        WDF_DMA_DIRECTION direction;
        uint32_t pages;
    } lists[] = {{WRITE, 1}, {READ, 2}, {READ, 3}, {READ, 4}, {READ, 2}, {READ, 2}, {WRITE, 4}};
    for (int duplex = 0; duplex < 2; duplex++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = true;
        world of = world_open(&config, (world_profile){.profile = profiles[duplex]});
        for (int i = 0; i < 7; i++) {
            start(world_transaction(of.enabler), lists[i].direction,
                  world_mdl(of.machine, 0, lists[i].pages * WORLD_PAGE, NULL),
                  lists[i].pages * WORLD_PAGE);
        }
        wdfdma_object_state expected = {.references = 1};
        for (int direction = 0; direction <= duplex; direction++) {
            wdfdma_adapter_info info;
            CHECK_STATUS(
                wdfdma_adapter_get_info(
                    wdfdma_enabler_get_adapter(of.enabler, (WDF_DMA_DIRECTION)direction), &info),
                STATUS_SUCCESS);
            expected.waiters += info.waiting;
            expected.registers += info.registers_held;
        }
        CHECK_EQUAL(expected.registers, 6);
        CHECK_EQUAL(expected.waiters, duplex != 0 ? 2 : 3);
        object_expect(of.enabler, expected);
        harness_machine_end(of.machine);
    }
}

/* A read has its output's length, a write its input's; one that a transaction holds has that reference, too. */
TEST(a_request_has_the_length_of_its_type) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    static const WDF_REQUEST_TYPE types[] = {WdfRequestTypeRead, WdfRequestTypeWrite,
                                             WdfRequestTypeDeviceControl};
    static const uint64_t lengths[] = {300, 200, 300};
    for (int i = 0; i < 3; i++) {
        const wdfdma_request_config config = {.type = types[i],
                                              .input = mdl,
                                              .output = mdl,
                                              .input_length = 200,
                                              .output_length = 300};
        WDFREQUEST request = NULL;
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        wdfdma_object_state expected = {.references = 1, .length = lengths[i]};
        state_expect(of.machine, WDFDMA_RULE_LEAK_REQUEST, request, expected);
        WdfRequestSetInformation(request, 77);
        expected.bytes_transferred = 77;
        object_expect(request, expected);
        if (i == 0) {
            WDFDMATRANSACTION item = world_transaction(of.enabler);
            NTSTATUS status;
            CHECK_STATUS(
                WdfDmaTransactionInitializeUsingRequest(item, request, world_program_dma, READ),
                STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
            expected.references = 2;
            state_expect(of.machine, WDFDMA_RULE_LEAK_REQUEST, request, expected);
            CHECK(WdfDmaTransactionDmaCompleted(item, &status));
            expected.references = 1;
        }
        WdfRequestComplete(request, STATUS_SUCCESS);
        expected.state = 1;
        object_expect(request, expected);
    }
}

/* In its second transfer; then deleted, and kept by a reference. */
TEST(a_transaction_has_what_it_moved) {
    wdfdma_machine_config config = world_config(16);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    NTSTATUS status;
    CHECK_STATUS(WdfDmaTransactionAllocateResources(held, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(item, READ, mdl, 0, 5000), STATUS_SUCCESS);
    WdfDmaTransactionSetMaximumLength(item, 3000);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK(!WdfDmaTransactionDmaCompleted(item, &status));
    object_expect(item, (wdfdma_object_state){.state = WDFDMA_STATE_TRANSFER,
                                              .references = 1,
                                              .first_register = 3,
                                              .registers = 2,
                                              .length = 5000,
                                              .bytes_transferred = 3000,
                                              .transfer_length = 2000});
    CHECK(WdfDmaTransactionDmaCompleted(item, &status));
    WdfObjectReference(item);
    WdfObjectDelete(item);
    state_expect(of.machine, WDFDMA_RULE_LEAK_REFERENCE, item,
                 (wdfdma_object_state){.state = WDFDMA_STATE_DELETED,
                                       .references = 1,
                                       .deleted = 1,
                                       .length = 5000,
                                       .bytes_transferred = 5000});
    WdfObjectDereference(item);
}

TEST(a_common_buffer_has_its_length) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    object_expect(buffer, (wdfdma_object_state){.references = 1, .length = 5000});
}

static IO_ALLOCATION_ACTION keep_registers(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                           PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    return *(IO_ALLOCATION_ACTION *)context;
}

/* An adapter is no object of the framework: it has no references. */
TEST(an_adapter_has_its_registers_and_its_queue) {
    wdm of = wdm_open(false, true);
    IO_ALLOCATION_ACTION keep[] = {DeallocateObjectKeepRegisters, KeepObject};
    WDFOBJECT handle = NULL;
    CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ADAPTER, &handle, 1), 1);
    state_expect(of.machine, WDFDMA_RULE_LEAK_ADAPTER, handle, (wdfdma_object_state){0});
    CHECK_STATUS(of.ops->AllocateAdapterChannel(of.adapter, of.object, 2, keep_registers, &keep[0]),
                 STATUS_SUCCESS);
    state_expect(of.machine, WDFDMA_RULE_LEAK_ADAPTER, handle,
                 (wdfdma_object_state){.registers = 2});
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(
            of.ops->AllocateAdapterChannel(of.adapter, of.object, 3, keep_registers, &keep[1]),
            STATUS_SUCCESS);
    }
    state_expect(of.machine, WDFDMA_RULE_LEAK_ADAPTER, handle,
                 (wdfdma_object_state){.registers = 5, .state = 1, .waiters = 1});
}

/* Nor is an MDL, which has the mappings that live on it. */
TEST(an_mdl_has_its_mappings) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                                              WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        start(world_transaction(of.enabler), READ, mdl, 100);
    }
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, mdl), STATUS_SUCCESS);
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(count != 0);
    while (found->rule != WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED && --count != 0) {
        found++;
    }
    REQUIRE(count != 0);
    CHECK_EQUAL(found->object_type, WDFDMA_OBJECT_MDL);
    fields_expect(&found->state, &(wdfdma_object_state){.first_register = UINT32_MAX,
                                                        .references = 2,
                                                        .length = 2 * WORLD_PAGE});
}

/* A rule that concerns no object leaves nothing of the one before. */
TEST(a_record_of_no_object_has_no_state) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    start(world_transaction(of.enabler), READ, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100);
    wdfdma_machine_halt(of.machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    fields_expect(&wdfdma_machine_get_bugcheck(of.machine)->state,
                  &(wdfdma_object_state){.first_register = UINT32_MAX});
}

HARNESS_MAIN(ENTRY(a_device_is_busy_with_a_transaction_of_version_2),
             ENTRY(an_enabler_has_what_its_adapters_have),
             ENTRY(a_request_has_the_length_of_its_type), ENTRY(a_transaction_has_what_it_moved),
             ENTRY(a_common_buffer_has_its_length),
             ENTRY(an_adapter_has_its_registers_and_its_queue), ENTRY(an_mdl_has_its_mappings),
             ENTRY(a_record_of_no_object_has_no_state))
