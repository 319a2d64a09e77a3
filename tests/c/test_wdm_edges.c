/* A WDM driver at the edges: contexts that are not known yet, memory that runs out in the middle of a
 * call, and what a violation says of an adapter that is gone. */
#include "wdm_world.h"

TEST(a_context_is_cancelled_before_it_is_mapped) {
    wdm made = wdm_open(false, false);
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
    CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, context), STATUS_SUCCESS);
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, context), STATUS_SUCCESS);
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, context), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, NULL),
                 STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* Whatever allocation of it fails: the same buffer and context serve the next attempt. */
TEST(a_list_is_built_after_memory_ran_out) {
    uint32_t refused = 0;
    for (uint64_t n = 1; n < 20; n++) {
        wdm made = wdm_open(true, false);
        uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
        uint64_t room[64];
        seen list = {0};
        CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, context), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_fail_allocation(made.machine, n), STATUS_SUCCESS);
        for (bool again = true; again;) {
            NTSTATUS status = made.ops->BuildScatterGatherListEx(
                made.adapter, made.object, context, made.mdl, 0, 100, 0, on_list, &list, TRUE, room,
                sizeof room, NULL, NULL, NULL);
            again = status == STATUS_INSUFFICIENT_RESOURCES && refused < 100;
            CHECK_STATUS(status, again ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
            CHECK_MACHINE(made.machine);
            refused += again;
        }
        CHECK_STATUS(wdfdma_machine_fail_allocation(made.machine, 0), STATUS_SUCCESS);
        CHECK_EQUAL(list.calls, 1);
        CHECK((void *)list.list == (void *)room);
        made.ops->PutScatterGatherList(made.adapter, list.list, TRUE);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
        harness_machine_end(made.machine);
    }
    CHECK(refused >= 3);
}

/* Each life in a slot has its own handle: the violation has that of the one that was put last. */
TEST(an_adapter_that_is_gone_is_named_by_its_handle) {
    for (int lives = 1; lives <= 3; lives++) {
        wdm made = wdm_open(false, false);
        PDMA_ADAPTER adapter = made.adapter;
        WDFOBJECT handle = NULL;
        for (int life = 0; life < lives; life++) {
            adapter = life == 0 ? adapter : adapter_get(&made, describe(false));
            CHECK(adapter == made.adapter); /* the same slot */
            CHECK_EQUAL(
                wdfdma_machine_copy_objects(made.machine, WDFDMA_OBJECT_ADAPTER, &handle, 1), 1);
            made.ops->PutDmaAdapter(adapter);
        }
        made.ops->PutDmaAdapter(adapter);
        check_violation(&made, 0x18);
        CHECK_EQUAL(world_parameter(made.machine, 1), (uintptr_t)handle);
        harness_machine_end(made.machine);
    }
}

/* Where the machine has halted, nothing is written. */
TEST(no_size_comes_of_a_forged_chain) {
    for (int way = 0; way < 3; way++) {
        wdm made = wdm_open(true, false);
        MDL forged = *made.mdl;
        char *start = MmGetMdlVirtualAddress(made.mdl);
        ULONG length = way == 2 ? BUFFER_BYTES + 1 : 100; /* on into what is no MDL */
        ULONG bytes = 77, registers = 78;
        made.mdl->Next = way == 2 ? &forged : NULL;
        CHECK_STATUS(made.ops->CalculateScatterGatherList(
                         made.adapter, way == 0 ? &forged : made.mdl,
                         way == 1 ? start + BUFFER_BYTES : start, length, &bytes, &registers),
                     STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(bytes, 77);
        CHECK_EQUAL(registers, 78);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) != NULL);
        harness_machine_end(made.machine);
    }
}

TEST(nothing_is_cancelled_on_no_adapter) {
    wdm made = wdm_open(false, false);
    CHECK(!made.ops->CancelAdapterChannel(NULL, made.object, NULL));
    check_violation(&made, 0x19);
}

/* In little memory. */
static wdm wdm_open_small(void) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.reserve_bytes = 16u << 20;
    wdm made = {.machine = harness_machine(&config)};
    made.device = world_device(made.machine);
    made.object = WdfDeviceWdmGetPhysicalDevice(made.device);
    made.adapter = adapter_get(&made, describe(false));
    made.ops = made.adapter->DmaOperations;
    return made;
}

/* A context that nothing uses any more costs nothing: in little memory, many have their turn. */
TEST(contexts_come_and_go) {
    enum {
        TURNS = 200000
    };
    static uint8_t contexts[TURNS]; /* only their addresses are looked at */
    wdm made = wdm_open_small();
    for (int turn = 0; turn < TURNS; turn++) {
        seen first = {.answer = DeallocateObject};
        NTSTATUS status = made.adapter->DmaOperations->AllocateAdapterChannelEx(
            made.adapter, made.object, &contexts[turn], 1, 0, on_control, &first, NULL);
        REQUIRE(status == STATUS_SUCCESS && first.calls == 1);
    }
}

/* A context that owns a channel: only who finds that very channel taken, and does not wait, is not told. */
TEST(a_context_that_owns_a_channel_is_not_used_again) {
    for (int way = 0; way < 4; way++) {
        bool elsewhere = way / 2 != 0, waits = way % 2 == 0;
        wdm made = wdm_open(false, false);
        PDMA_ADAPTER other = adapter_get(&made, describe(false));
        uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
        seen first = {.answer = KeepObject}, second = {.answer = DeallocateObject};
        CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, context, 1, 0,
                                                        on_control, &first, NULL),
                     STATUS_SUCCESS);
        bool told = elsewhere || waits;
        CHECK_STATUS(made.ops->AllocateAdapterChannelEx(
                         elsewhere ? other : made.adapter, made.object, context, 1,
                         waits ? 0 : DMA_SYNCHRONOUS_CALLBACK, on_control, &second, NULL),
                     told ? STATUS_UNSUCCESSFUL : STATUS_INSUFFICIENT_RESOURCES);
        CHECK_EQUAL(second.calls, 0);
        CHECK_EQUAL(world_rule(made.machine),
                    told ? WDFDMA_RULE_TRANSFER_CONTEXT_REUSED : WDFDMA_RULE_NONE);
        harness_machine_end(made.machine);
    }
}

/* A cancelled context is remembered until it is initialized, and not longer. */
TEST(cancelled_contexts_come_and_go) {
    enum {
        TURNS = 200000
    };
    static uint8_t contexts[TURNS];
    wdm made = wdm_open_small();
    for (int turn = 0; turn < TURNS; turn++) {
        REQUIRE(made.ops->CancelMappedTransfer(made.adapter, &contexts[turn]) == STATUS_SUCCESS);
        REQUIRE(made.ops->InitializeDmaTransferContext(made.adapter, &contexts[turn]) ==
                STATUS_SUCCESS);
    }
}

/* A range that begins where the buffer ends. */
TEST(nothing_is_mapped_past_the_end) {
    wdm made = wdm_open(false, false);
    seen first;
    uint64_t room[64];
    ULONG length = 100;
    PVOID base = channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, base, BUFFER_BYTES, 0, &length,
                                         TRUE, (PSCATTER_GATHER_LIST)(void *)room, sizeof room,
                                         NULL, NULL),
                 STATUS_UNSUCCESSFUL);
    check_violation(&made, 0x24);
    CHECK_EQUAL(world_parameter(made.machine, 1), 100);
    CHECK_EQUAL(world_parameter(made.machine, 2), 0);
    CHECK_EQUAL(world_parameter(made.machine, 3), 0);
}

/* An adapter without scatter/gather takes pages that follow one another as they are. */
TEST(consecutive_pages_do_not_bounce) {
    static const uint64_t frames[][3] = {{40, 41, 42}, {40, 42, 43}};
    for (int way = 0; way < 2; way++) {
        wdm made = wdm_open(false, false);
        PMDL mdl = world_mdl(made.machine, 100, 2 * WORLD_PAGE, frames[way]);
        seen list = {0};
        CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, mdl,
                                                    MmGetMdlVirtualAddress(mdl), 2 * WORLD_PAGE,
                                                    on_list, &list, TRUE),
                     STATUS_SUCCESS);
        REQUIRE(list.list != NULL);
        uint64_t address = (uint64_t)list.list->Elements[0].Address.QuadPart;
        CHECK_EQUAL(address, (way == 0 ? 40 * WORLD_PAGE : WORLD_REGISTERS_ADDRESS) + 100);
        CHECK_EQUAL(list.list->NumberOfElements, 1);
        made.ops->PutScatterGatherList(made.adapter, list.list, TRUE);
        harness_machine_end(made.machine);
    }
}

static const wdm *mapping_driver; /* whose routine runs */

static IO_ALLOCATION_ACTION on_control_maps(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                            PVOID context) {
    const wdm *of = mapping_driver;
    ULONG length = 100;
    (void)device;
    (void)irp;
    (void)context;
    PHYSICAL_ADDRESS address = of->ops->MapTransfer(of->adapter, of->mdl, base,
                                                    MmGetMdlVirtualAddress(of->mdl), &length, TRUE);
    CHECK_EQUAL(length, 100);
    CHECK(address.QuadPart != 0);
    CHECK_EQUAL(wdfdma_machine_get_state(of->machine)->mappings, 1);
    return DeallocateObject;
}

/* An answer that frees registers under a mapping is noted, and the mapping ends. */
TEST(an_answer_ends_what_is_mapped) {
    wdm made = wdm_open(false, true);
    mapping_driver = &made;
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_DMA_10, WDFDMA_MODE_COLLECT),
        STATUS_SUCCESS);
    for (size_t turn = 1; turn <= 3; turn++) {
        size_t count = 0;
        CHECK_STATUS(
            made.ops->AllocateAdapterChannel(made.adapter, made.object, 2, on_control_maps, NULL),
            STATUS_SUCCESS);
        wdfdma_machine_get_violations(made.machine, &count);
        CHECK_EQUAL(count, turn);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
        CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
        CHECK_MACHINE(made.machine);
    }
}

/* A list of no bytes: the violation's other parameters are reserved, and 0. */
TEST(a_list_of_nothing_is_a_violation) {
    wdm made = wdm_open(true, false);
    seen list = {0};
    CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                MmGetMdlVirtualAddress(made.mdl), 0, on_list, &list,
                                                TRUE),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(list.calls, 0);
    check_violation(&made, 0x21);
    for (int i = 1; i < 4; i++) {
        CHECK_EQUAL(world_parameter(made.machine, i), 0);
    }
}

HARNESS_MAIN(ENTRY(a_context_is_cancelled_before_it_is_mapped),
             ENTRY(a_list_is_built_after_memory_ran_out), ENTRY(consecutive_pages_do_not_bounce),
             ENTRY(an_answer_ends_what_is_mapped), ENTRY(a_list_of_nothing_is_a_violation),
             ENTRY(contexts_come_and_go), ENTRY(cancelled_contexts_come_and_go),
             ENTRY(nothing_is_mapped_past_the_end),
             ENTRY(a_context_that_owns_a_channel_is_not_used_again),
             ENTRY(nothing_is_cancelled_on_no_adapter), ENTRY(no_size_comes_of_a_forged_chain),
             ENTRY(an_adapter_that_is_gone_is_named_by_its_handle))
