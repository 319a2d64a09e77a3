/* Adapters and common buffers at the edges: which there are, what they say, where their memory lies, and what
 * is told of one that is put too soon. */
#include "dma_rules.h"

static uintptr_t handle_get(const wdm *of) {
    WDFOBJECT handle = NULL;
    wdfdma_machine_copy_objects(of->machine, WDFDMA_OBJECT_ADAPTER, &handle, 1);
    return (uintptr_t)handle;
}

static void told_check(const wdm *of, size_t count, wdfdma_rule rule, uint64_t second,
                       uint64_t third, uint64_t fourth) {
    size_t kept = 0;
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->machine, &kept);
    if (CHECK_EQUAL(kept, count)) {
        const wdfdma_violation *told = &list[count - 1];
        CHECK_EQUAL(told->rule, rule);
        CHECK_EQUAL(told->parameters[1], second);
        CHECK_EQUAL(told->parameters[2], third);
        CHECK_EQUAL(told->parameters[3], fourth);
    }
}

/* ---- Which there are ---- */

TEST(an_adapter_has_a_width) {
    static const struct {
        ULONG width;
        bool made;
    } rows[] = {{0, false}, {1, false}, {11, false}, {12, true},
                {13, true}, {64, true}, {65, false}, {UINT32_MAX, false}};
    wdm made = wdm_open(true, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        DEVICE_DESCRIPTION description = describe(true);
        ULONG registers = 77;
        description.DmaAddressWidth = rows[i].width;
        PDMA_ADAPTER adapter = IoGetDmaAdapter(made.object, &description, &registers);
        CHECK_EQUAL(adapter != NULL, rows[i].made);
        CHECK_EQUAL(registers, rows[i].made ? REGISTERS : 77);
        if (adapter != NULL) {
            DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
            CHECK_STATUS(made.ops->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
            CHECK_EQUAL(info.V1.DmaAddressWidth, rows[i].width);
            CHECK_EQUAL(info.V1.ReadDmaCounterAvailable, FALSE);
            CHECK_EQUAL(info.V1.ScatterGatherLimit, REGISTERS);
            CHECK_EQUAL(info.V1.MinimumTransferUnit, 1);
            made.ops->PutDmaAdapter(adapter);
        }
    }
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* A register for each page, and one for where it begins; not more than the machine lets anyone have. */
TEST(an_adapter_is_granted_registers) {
    static const struct {
        ULONG length;
        uint32_t most, registers;
    } rows[] = {{0, 8, 0},          {1, 8, 2},
                {4096, 8, 2},       {4097, 8, 3},
                {6 * 4096, 8, 7},   {6 * 4096 + 1, 8, 8},
                {7 * 4096, 8, 8},   {7 * 4096 + 1, 8, 8},
                {UINT32_MAX, 8, 8}, {4096, 1, 0},
                {65536, 2, 2},      {65536, 16, 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdfdma_machine_config config = world_config(8);
        config.registers_per_adapter = rows[i].most;
        wdfdma_machine *machine = harness_machine(&config);
        PDEVICE_OBJECT object = WdfDeviceWdmGetPhysicalDevice(world_device(machine));
        DEVICE_DESCRIPTION description = describe(false);
        ULONG registers = 0;
        description.MaximumLength = rows[i].length;
        CHECK_EQUAL(IoGetDmaAdapter(object, &description, &registers) != NULL,
                    rows[i].registers != 0);
        CHECK_EQUAL(registers, rows[i].registers);
        harness_machine_end(machine);
    }
}

/* What a debugger is shown of it is what was asked for. */
TEST(an_adapter_is_shown) {
    for (int way = 0; way < 4; way++) {
        wdm made = wdm_open(true, false);
        DEVICE_DESCRIPTION description = describe(way % 2 != 0);
        wdfdma_adapter_info info = {0};
        WDFOBJECT handles[2] = {NULL};
        description.MaximumLength = 12345;
        description.Master = way / 2 == 0;
        description.DmaAddressWidth = 30;
        adapter_get(&made, description);
        CHECK_EQUAL(wdfdma_machine_copy_objects(made.machine, WDFDMA_OBJECT_ADAPTER, handles, 2),
                    2);
        CHECK_STATUS(wdfdma_adapter_get_info(handles[1], &info), STATUS_SUCCESS);
        CHECK_EQUAL(info.version, 3);
        CHECK_EQUAL(info.maximum_length, 12345);
        CHECK_EQUAL(info.map_registers, 5);
        CHECK_EQUAL(info.address_width, description.Master ? 30 : 64);
        CHECK_EQUAL(info.master, description.Master);
        CHECK_EQUAL(info.scatter_gather, description.Master && description.ScatterGather);
        CHECK(info.needs_map_registers && info.wdm);
        CHECK(!info.transferring && !info.channel_owned && info.channel_owner == NULL);
        CHECK_EQUAL(info.registers_held + info.lists_held + info.common_buffers_held + info.waiting,
                    0);
        harness_machine_end(made.machine);
    }
}

/* A device that is none is the current machine's; on none, or on one that has halted, there is nothing. */
TEST(an_adapter_is_of_a_machine) {
    wdm made = wdm_open(true, false);
    DEVICE_DESCRIPTION description = describe(true);
    ULONG registers = 77;
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, &registers);
    REQUIRE(adapter != NULL);
    made.ops->PutDmaAdapter(adapter);
    registers = 77;
    wdfdma_machine_use(NULL);
    CHECK(IoGetDmaAdapter(NULL, &description, &registers) == NULL);
    wdfdma_machine_use(made.machine);
    wdfdma_machine_halt(made.machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    CHECK(IoGetDmaAdapter(made.object, &description, &registers) == NULL);
    CHECK(IoGetDmaAdapter(NULL, &description, &registers) == NULL);
    CHECK_EQUAL(registers, 77);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_ADAPTER], 1);
}

/* One that a restore has undone has never been, though there was something in its place. */
TEST(an_adapter_that_never_was_is_none) {
    wdm made = wdm_open(true, false);
    wdfdma_snapshot *before = world_snapshot(made.machine);
    PDMA_ADAPTER second = adapter_get(&made, describe(true));
    made.ops->PutDmaAdapter(second);
    CHECK_STATUS(wdfdma_machine_restore(made.machine, before), STATUS_SUCCESS);
    wdfdma_snapshot_destroy(before);
    CHECK_EQUAL(made.ops->GetDmaAlignment(made.adapter), 1);
    CHECK_EQUAL(made.ops->GetDmaAlignment(second), 0);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_ADAPTER);
}

/* ---- When it is put ---- */

/* What it still has: how much of it, of one thing or of another. */
TEST(an_adapter_is_put_with_what_it_has) {
    for (ULONG count = 1; count <= 3; count++) {
        wdm made = wdm_open(true, false);
        uintptr_t handle = handle_get(&made);
        PHYSICAL_ADDRESS logical[3];
        PVOID bytes[3];
        seen first, lists[3] = {{0}}, waiting = {.answer = DeallocateObject};
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
        PVOID base = channel_get(&made, count, DeallocateObjectKeepRegisters, &first);
        made.ops->PutDmaAdapter(made.adapter);
        told_check(&made, 1, WDFDMA_RULE_DMA_09, handle, count, 0);
        for (ULONG i = 0; i < count; i++) {
            CHECK_STATUS(
                made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                               (char *)MmGetMdlVirtualAddress(made.mdl) + i * SOME,
                                               SOME, on_list, &lists[i], TRUE),
                STATUS_SUCCESS);
        }
        made.ops->PutDmaAdapter(made.adapter);
        told_check(&made, 2, WDFDMA_RULE_DMA_0A, handle, count, 0);
        channel_get(&made, 0, KeepObject, &first);
        for (ULONG i = 1; i < count; i++) {
            CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, NULL, 0, 0,
                                                            on_control, &waiting, NULL),
                         STATUS_SUCCESS);
        }
        made.ops->PutDmaAdapter(made.adapter);
        told_check(&made, 3, WDFDMA_RULE_DMA_08, handle, count, 0);
        for (ULONG i = 0; i < count; i++) {
            bytes[i] = made.ops->AllocateCommonBuffer(made.adapter, SOME, &logical[i], TRUE);
        }
        made.ops->PutDmaAdapter(made.adapter);
        told_check(&made, 4, WDFDMA_RULE_DMA_07, handle, count, 0);
        for (ULONG i = 0; i < count; i++) {
            made.ops->FreeCommonBuffer(made.adapter, SOME, logical[i], bytes[i], TRUE);
            made.ops->PutScatterGatherList(made.adapter, lists[i].list, TRUE);
        }
        made.ops->FreeAdapterChannel(made.adapter);
        CHECK_EQUAL(waiting.calls, count - 1);
        made.ops->FreeMapRegisters(made.adapter, base, count);
        made.ops->PutDmaAdapter(made.adapter);
        told_check(&made, 4, WDFDMA_RULE_DMA_07, handle, count, 0);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
        harness_machine_end(made.machine);
    }
}

static IO_ALLOCATION_ACTION on_control_ends(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                            PVOID context) {
    const wdm *of = context;
    (void)device;
    (void)irp;
    (void)base;
    of->ops->FreeAdapterChannel(of->adapter);
    of->ops->PutDmaAdapter(of->adapter);
    return KeepObject;
}

/* Its line is being served: nobody owns it, or waits. */
TEST(an_adapter_is_not_put_by_whom_it_serves) {
    wdm made = wdm_open(true, false);
    seen first;
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    channel_get(&made, 0, KeepObject, &first);
    CHECK_STATUS(
        made.ops->AllocateAdapterChannel(made.adapter, made.object, 0, on_control_ends, &made),
        STATUS_SUCCESS);
    made.ops->FreeAdapterChannel(made.adapter);
    told_check(&made, 1, WDFDMA_RULE_DMA_08, handle_get(&made), 0, 0);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
}

/* ---- Common buffers ---- */

TEST(a_common_buffer_is_freed_as_it_was_given) {
    wdm made = wdm_open(false, false), other = made;
    PHYSICAL_ADDRESS logical, wrong;
    other.adapter = adapter_get(&made, describe(false));
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    uint8_t *bytes = made.ops->AllocateCommonBuffer(made.adapter, SOME, &logical, TRUE);
    wrong.QuadPart = logical.QuadPart + 1;
    made.ops->FreeCommonBuffer(made.adapter, SOME + 1, logical, bytes, TRUE);
    told_check(&made, 1, WDFDMA_RULE_DMA_03, 1, 0, SOME + 1);
    made.ops->FreeCommonBuffer(made.adapter, SOME, wrong, bytes, TRUE);
    told_check(&made, 2, WDFDMA_RULE_DMA_03, 1, 0, SOME);
    made.ops->FreeCommonBuffer(made.adapter, SOME, logical, bytes + 1, TRUE);
    told_check(&made, 3, WDFDMA_RULE_DMA_03, 1, 0, SOME);
    made.ops->FreeCommonBuffer(other.adapter, SOME, logical, bytes, TRUE);
    told_check(&made, 4, WDFDMA_RULE_DMA_03, 1, 0, SOME);
    made.ops->FreeCommonBuffer(made.adapter, SOME, logical, bytes, TRUE);
    made.ops->FreeCommonBuffer(made.adapter, SOME, logical, bytes, TRUE);
    told_check(&made, 5, WDFDMA_RULE_DMA_03, 1, 0, SOME);
}

/* On machines that are alike, so that it lies at the same place. */
TEST(a_common_buffer_ends_at_the_most_that_is_asked_for) {
    for (ULONG length = 1; length <= 9000; length += 2999) {
        PHYSICAL_ADDRESS found = {.QuadPart = 0};
        for (int way = 0; way < 4; way++) {
            wdm made = wdm_open(false, false);
            PHYSICAL_ADDRESS most = {.QuadPart = found.QuadPart + length - 2 + (way == 2)};
            PHYSICAL_ADDRESS logical = {.QuadPart = 7};
            PVOID bytes = made.ops->AllocateCommonBufferEx(
                made.adapter, way == 0 ? NULL : &most, length, way == 3 ? NULL : &logical, TRUE, 0);
            found = way == 0 ? logical : found;
            CHECK_EQUAL(bytes != NULL, way % 2 == 0);
            CHECK_EQUAL(logical.QuadPart, way % 2 == 0 ? found.QuadPart : 7);
            CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
            harness_machine_end(made.machine);
        }
    }
}

/* Memory is at most as wide as the device and the machine are. */
TEST(common_buffers_are_within_reach) {
    static const struct {
        uint32_t physical, width;
    } rows[] = {{14, 32}, {32, 14}, {14, 14}, {13, 32}, {12, 64}, {36, 12}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdfdma_machine_config config = world_config(REGISTERS);
        config.physical_address_bits = rows[i].physical;
        wdfdma_machine *machine = harness_machine(&config);
        PDEVICE_OBJECT object = WdfDeviceWdmGetPhysicalDevice(world_device(machine));
        DEVICE_DESCRIPTION description = describe(true);
        ULONG registers;
        PHYSICAL_ADDRESS logical;
        uint64_t reach =
            1ull << (rows[i].physical < rows[i].width ? rows[i].physical : rows[i].width);
        uint64_t count = 0;
        description.DmaAddressWidth = rows[i].width;
        PDMA_ADAPTER by = IoGetDmaAdapter(object, &description, &registers);
        REQUIRE(by != NULL);
        while (count <= 4 && by->DmaOperations->AllocateCommonBuffer(by, 8, &logical, TRUE)) {
            CHECK((uint64_t)logical.QuadPart + WORLD_PAGE <= reach);
            count++;
        }
        CHECK(count <= reach / (2 * WORLD_PAGE)); /* each has a page before it */
        CHECK(by->DmaOperations->AllocateCommonBuffer(by, (ULONG)reach, &logical, TRUE) == NULL);
        harness_machine_end(machine);
    }
}

/* Whoever reaches for one that is gone is told of whose it was, whatever lies beside it. */
TEST(a_common_buffer_is_known_when_it_is_gone) {
    for (ULONG pages = 1; pages < 32; pages++) {
        wdm made = wdm_open(false, false);
        PHYSICAL_ADDRESS logical[2];
        PVOID start[2];
        uint8_t byte = 0;
        ULONG length = pages * WORLD_PAGE;
        for (int i = 0; i < 3; i++) {
            start[i % 2] =
                made.ops->AllocateCommonBuffer(made.adapter, length, &logical[i % 2], TRUE);
            REQUIRE(start[i % 2] != NULL);
            if (i == 1) {
                made.ops->FreeCommonBuffer(made.adapter, length, logical[0], start[0], TRUE);
            }
        }
        uint64_t address = (uint64_t)logical[1].QuadPart + length - 1;
        CHECK_STATUS(wdfdma_device_write(made.machine, address, &byte, 1), STATUS_SUCCESS);
        made.ops->FreeCommonBuffer(made.adapter, length, logical[1], start[1], TRUE);
        CHECK_STATUS(wdfdma_device_write(made.machine, address, &byte, 1), STATUS_UNSUCCESSFUL);
        size_t count = 0;
        const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
        REQUIRE(CHECK_EQUAL(count, 2)); /* the rule of ours, then Windows' own */
        CHECK_EQUAL(told->rule, WDFDMA_RULE_DEVICE_AFTER_COMPLETION);
        CHECK_EQUAL(told->parameters[1], handle_get(&made));
        CHECK_EQUAL(told->parameters[2], address);
        harness_machine_end(made.machine);
    }
}

/* Their frames are noted in memory of just that size: the neighbours' stays as it is. */
TEST(common_buffers_do_not_meet) {
    wdm made = wdm_open(false, false);
    size_t bytes = 0;
    for (int round = 0; round < 3; round++) {
        for (ULONG pages = 1; pages < 40; pages++) {
            PHYSICAL_ADDRESS logical[2];
            PVOID start[2];
            ULONG length = pages * WORLD_PAGE;
            for (int i = 0; i < 2; i++) {
                start[i] = made.ops->AllocateCommonBuffer(made.adapter, length, &logical[i], TRUE);
                REQUIRE(start[i] != NULL);
            }
            for (int i = 0; i < 4; i++) {
                made.ops->FreeCommonBuffer(made.adapter, length, logical[i % 2], start[i % 2],
                                           TRUE);
                start[i % 2] =
                    made.ops->AllocateCommonBuffer(made.adapter, length, &logical[i % 2], TRUE);
            }
            made.ops->FreeCommonBuffer(made.adapter, length, logical[0], start[0], TRUE);
            made.ops->FreeCommonBuffer(made.adapter, length, logical[1], start[1], TRUE);
        }
        size_t used = wdfdma_machine_get_used_bytes(made.machine);
        CHECK(round == 0 || used == bytes);
        bytes = used;
    }
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
}

/* What finds no room is asked for no further: nothing is set aside for it. */
TEST(a_buffer_without_room_costs_nothing) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.reserve_bytes = 16u << 20;
    wdfdma_machine *machine = harness_machine(&config);
    PDEVICE_OBJECT object = WdfDeviceWdmGetPhysicalDevice(world_device(machine));
    DEVICE_DESCRIPTION description = describe(false);
    ULONG registers;
    PHYSICAL_ADDRESS logical;
    PDMA_ADAPTER by = IoGetDmaAdapter(object, &description, &registers);
    REQUIRE(by != NULL);
    size_t before = wdfdma_machine_get_used_bytes(machine);
    CHECK(by->DmaOperations->AllocateCommonBuffer(by, 1u << 30, &logical, TRUE) == NULL);
    CHECK(wdfdma_machine_get_used_bytes(machine) < before + WORLD_PAGE);
}

HARNESS_MAIN(ENTRY(an_adapter_has_a_width), ENTRY(an_adapter_is_granted_registers),
             ENTRY(an_adapter_is_of_a_machine), ENTRY(an_adapter_is_shown),
             ENTRY(an_adapter_that_never_was_is_none), ENTRY(an_adapter_is_put_with_what_it_has),
             ENTRY(an_adapter_is_not_put_by_whom_it_serves),
             ENTRY(a_common_buffer_is_freed_as_it_was_given),
             ENTRY(a_common_buffer_ends_at_the_most_that_is_asked_for),
             ENTRY(common_buffers_are_within_reach), ENTRY(common_buffers_do_not_meet),
             ENTRY(a_common_buffer_is_known_when_it_is_gone),
             ENTRY(a_buffer_without_room_costs_nothing))
