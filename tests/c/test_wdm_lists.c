/* DMA_OPERATIONS: mappings, scatter/gather lists and common buffers as a WDM driver uses them. */
#include "wdm_world.h"

/* The whole buffer, piece by piece, through what registers there are. */
static void transfer_run(bool to_device, bool force) {
    wdm made = wdm_open(false, force);
    static uint8_t data[BUFFER_BYTES], back[BUFFER_BYTES];
    seen first;
    world_fill(data, sizeof data, 40);
    if (to_device) {
        CHECK_STATUS(wdfdma_mdl_write(made.machine, made.mdl, 0, data, sizeof data),
                     STATUS_SUCCESS);
    }
    PVOID base = channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
    for (ULONG done = 0, part = 0; done < BUFFER_BYTES; done += part) {
        char *at = (char *)MmGetMdlVirtualAddress(made.mdl) + done;
        part = BUFFER_BYTES - done;
        PHYSICAL_ADDRESS address =
            made.ops->MapTransfer(made.adapter, made.mdl, base, at, &part, (BOOLEAN)to_device);
        REQUIRE(part > 0 && part <= 2 * WORLD_PAGE);
        NTSTATUS status =
            to_device
                ? wdfdma_device_read(made.machine, (uint64_t)address.QuadPart, back + done, part)
                : wdfdma_device_write(made.machine, (uint64_t)address.QuadPart, data + done, part);
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK(made.ops->FlushAdapterBuffers(made.adapter, made.mdl, base, at, part,
                                            (BOOLEAN)to_device));
    }
    if (!to_device) {
        CHECK_STATUS(wdfdma_mdl_read(made.machine, made.mdl, 0, back, sizeof back), STATUS_SUCCESS);
    }
    CHECK_BYTES(back, data, sizeof data);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
    made.ops->FreeMapRegisters(made.adapter, base, 2);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(a_buffer_goes_through_few_registers) {
    for (int way = 0; way < 4; way++) {
        transfer_run((way & 1) != 0, (way & 2) != 0);
    }
}

TEST(only_flushed_bytes_come_out) {
    wdm made = wdm_open(false, true);
    static uint8_t data[6000], back[6000], zero[6000];
    seen first;
    ULONG length = 6000;
    uint8_t list_bytes[sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT)];
    union {
        SCATTER_GATHER_LIST list;
        uint64_t words[(sizeof list_bytes + 7) / 8];
    } room;
    PVOID base = channel_get(&made, 3, DeallocateObjectKeepRegisters, &first);
    world_fill(data, sizeof data, 4);
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, base, 50, 0, &length, FALSE,
                                         &room.list, sizeof room, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(length, 6000);
    CHECK_EQUAL(room.list.NumberOfElements, 1);
    CHECK_EQUAL(room.list.Elements[0].Length, 6000);
    CHECK_STATUS(wdfdma_device_write(made.machine, (uint64_t)room.list.Elements[0].Address.QuadPart,
                                     data, sizeof data),
                 STATUS_SUCCESS);
    CHECK_STATUS(made.ops->FlushAdapterBuffersEx(made.adapter, made.mdl, base, 50, 4500, FALSE),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(made.machine, made.mdl, 50, back, sizeof back), STATUS_SUCCESS);
    CHECK_BYTES(back, data, 4500);
    CHECK_BYTES(back + 4500, zero, 1500);
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, base, 50, 0, &length, FALSE,
                                         &room.list, 39, NULL, NULL),
                 STATUS_INVALID_PARAMETER);
}

TEST(bad_mappings_are_rules) {
    seen first;
    for (int way = 0; way < 5; way++) {
        wdm made = wdm_open(false, false);
        PVOID base = channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
        char *start = MmGetMdlVirtualAddress(made.mdl);
        MDL forged = *made.mdl;
        ULONG length = way == 0 ? 0 : 100;
        uint32_t rule = way == 0 ? WDFDMA_RULE_DMA_21 : WDFDMA_RULE_DMA_1B;
        PMDL mdl = made.mdl;
        if (way == 1) {
            start += BUFFER_BYTES;
        } else if (way == 2) {
            rule = WDFDMA_RULE_INVALID_MDL;
            mdl = &forged;
        } else if (way == 3) {
            rule = WDFDMA_RULE_CANCELLED_RESERVATION_USED;
            base = (char *)base + 1;
        } else if (way == 4) {
            rule = WDFDMA_RULE_CANCELLED_RESERVATION_USED;
            made.ops->FreeMapRegisters(made.adapter, base, 2);
        }
        made.ops->MapTransfer(made.adapter, mdl, base, start, &length, TRUE);
        CHECK_EQUAL(world_rule(made.machine), rule);
        CHECK_MACHINE(made.machine);
        harness_machine_end(made.machine);
    }
}

/* ---- Lists ---- */

static uint64_t list_sum(const SCATTER_GATHER_LIST *list) {
    uint64_t bytes = 0;
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        bytes += list->Elements[i].Length;
    }
    return bytes;
}

TEST(a_list_is_got_and_put) {
    for (int force = 0; force < 2; force++) {
        wdm made = wdm_open(true, force != 0);
        static uint8_t data[BUFFER_BYTES], back[BUFFER_BYTES];
        seen first = {0};
        world_fill(data, sizeof data, 4);
        CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                    MmGetMdlVirtualAddress(made.mdl), BUFFER_BYTES,
                                                    on_list, &first, FALSE),
                     STATUS_SUCCESS);
        REQUIRE(first.calls == 1);
        CHECK_EQUAL(list_sum(first.list), BUFFER_BYTES);
        CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 4);
        size_t done = 0;
        for (ULONG i = 0; i < first.list->NumberOfElements; i++) {
            CHECK_STATUS(wdfdma_device_write(made.machine,
                                             (uint64_t)first.list->Elements[i].Address.QuadPart,
                                             data + done, first.list->Elements[i].Length),
                         STATUS_SUCCESS);
            done += first.list->Elements[i].Length;
        }
        made.ops->PutScatterGatherList(made.adapter, first.list, FALSE);
        CHECK_STATUS(wdfdma_mdl_read(made.machine, made.mdl, 0, back, sizeof back), STATUS_SUCCESS);
        CHECK_BYTES(back, data, sizeof data);
        CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
        made.ops->PutScatterGatherList(made.adapter, first.list, FALSE);
        check_violation(&made, 0x06);
    }
}

TEST(a_list_is_built_in_the_drivers_buffer) {
    wdm made = wdm_open(true, false);
    uint64_t room[64];
    seen first = {0};
    ULONG size = 0, registers = 0;
    char *start = MmGetMdlVirtualAddress(made.mdl);
    CHECK_STATUS(made.ops->CalculateScatterGatherList(made.adapter, made.mdl, start, BUFFER_BYTES,
                                                      &size, &registers),
                 STATUS_SUCCESS);
    CHECK_EQUAL(registers, 4);
    CHECK_EQUAL(size, 16 + 24 * 4);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start,
                                                  BUFFER_BYTES, on_list, &first, TRUE, room,
                                                  size - 1),
                 STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start,
                                                  BUFFER_BYTES + 1, on_list, &first, TRUE, room,
                                                  sizeof room),
                 STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(first.calls, 0);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start,
                                                  BUFFER_BYTES, on_list, &first, TRUE, room, size),
                 STATUS_SUCCESS);
    CHECK((void *)first.list == (void *)room);
    CHECK_EQUAL(list_sum(first.list), BUFFER_BYTES);
    made.ops->PutScatterGatherList(made.adapter, first.list, TRUE);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(lists_by_length_alone) {
    wdm made = wdm_open(true, false);
    static const struct {
        ULONG length, registers;
    } rows[] = {{0, 0}, {1, 1}, {4096, 1}, {4097, 2}, {8192, 2}, {65536, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ULONG size = 1, registers = 99;
        CHECK_STATUS(made.ops->CalculateScatterGatherList(made.adapter, NULL, NULL, rows[i].length,
                                                          &size, &registers),
                     STATUS_SUCCESS);
        CHECK_EQUAL(registers, rows[i].registers);
        CHECK_EQUAL(size, 16 + 24 * rows[i].registers);
        CHECK_STATUS(made.ops->CalculateScatterGatherList(made.adapter, NULL, NULL, rows[i].length,
                                                          &size, NULL),
                     STATUS_SUCCESS);
    }
}

TEST(a_waiting_list_is_cancelled) {
    wdm made = wdm_open(true, false);
    uint8_t contexts[2][DMA_TRANSFER_CONTEXT_SIZE_V1];
    uint64_t room[64];
    seen holder, first = {0};
    PVOID base = channel_get(&made, REGISTERS, DeallocateObjectKeepRegisters, &holder);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, contexts[i]),
                     STATUS_SUCCESS);
    }
    CHECK_STATUS(made.ops->GetScatterGatherListEx(made.adapter, made.object, contexts[0], made.mdl,
                                                  0, 100, 0, on_list, &first, TRUE, NULL, NULL,
                                                  NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(made.ops->BuildScatterGatherListEx(made.adapter, made.object, contexts[1],
                                                    made.mdl, 0, 100, 0, on_list, &first, TRUE,
                                                    room, sizeof room, NULL, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(made.ops->GetScatterGatherListEx(made.adapter, made.object, NULL, made.mdl, 0, 100,
                                                  DMA_SYNCHRONOUS_CALLBACK, on_list, &first, TRUE,
                                                  NULL, NULL, NULL),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK(made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[0]));
    CHECK(made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[1]));
    CHECK_MACHINE(made.machine);
    made.ops->FreeMapRegisters(made.adapter, base, REGISTERS);
    CHECK_EQUAL(first.calls, 0);
    /* The buffer is the driver's again, and may be used for another list. */
    CHECK_STATUS(made.ops->BuildScatterGatherListEx(made.adapter, made.object, contexts[1],
                                                    made.mdl, 0, 100, 0, on_list, &first, TRUE,
                                                    room, sizeof room, NULL, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(first.calls, 1);
    made.ops->PutScatterGatherList(made.adapter, first.list, TRUE);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(transfer_information_takes_nothing) {
    wdm made = wdm_open(true, false);
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION2};
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, made.mdl, 0, BUFFER_BYTES, TRUE, &info),
                 STATUS_SUCCESS);
    CHECK_EQUAL(info.V2.MapRegisterCount, 4);
    CHECK_EQUAL(info.V2.ScatterGatherElementCount, 1);
    CHECK_EQUAL(info.V2.ScatterGatherListSize, 16 + 24 * 4);
    info.V2.MapRegisterCount = 77;
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, made.mdl, 1, BUFFER_BYTES, TRUE, &info),
                 STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(info.V2.MapRegisterCount, 77);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    DEVICE_DESCRIPTION wide = describe(true);
    wide.DmaAddressWidth = 64;
    CHECK_STATUS(made.ops->GetDmaTransferInfo(adapter_get(&made, wide), made.mdl, 0, BUFFER_BYTES,
                                              TRUE, &info),
                 STATUS_SUCCESS);
    CHECK_EQUAL(info.V2.MapRegisterCount, 0);
}

/* ---- Common buffers ---- */

TEST(common_buffers_come_and_go) {
    wdm made = wdm_open(false, false);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0}, low = {.QuadPart = 0xFFF};
    uint8_t *bytes = made.ops->AllocateCommonBuffer(made.adapter, 5000, &logical, FALSE);
    uint8_t back = 0;
    REQUIRE(bytes != NULL);
    bytes[4999] = 0x19;
    CHECK_STATUS(wdfdma_device_read(made.machine, (uint64_t)logical.QuadPart + 4999, &back, 1),
                 STATUS_SUCCESS);
    CHECK_EQUAL(back, 0x19);
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, 0, &logical, FALSE) == NULL);
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, 10, NULL, FALSE) == NULL);
    CHECK(made.ops->AllocateCommonBufferEx(made.adapter, &low, 5000, &logical, FALSE, 0) == NULL);
    made.ops->FreeCommonBuffer(made.adapter, 5000, logical, bytes, FALSE);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
    made.ops->FreeCommonBuffer(made.adapter, 5000, logical, bytes, FALSE);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    made = wdm_open(false, false);
    bytes = made.ops->AllocateCommonBuffer(made.adapter, 5000, &logical, FALSE);
    made.ops->FreeCommonBuffer(made.adapter, 5001, logical, bytes, FALSE);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
}

HARNESS_MAIN(ENTRY(a_buffer_goes_through_few_registers), ENTRY(only_flushed_bytes_come_out),
             ENTRY(bad_mappings_are_rules), ENTRY(a_list_is_got_and_put),
             ENTRY(a_list_is_built_in_the_drivers_buffer), ENTRY(lists_by_length_alone),
             ENTRY(a_waiting_list_is_cancelled), ENTRY(transfer_information_takes_nothing),
             ENTRY(common_buffers_come_and_go))
