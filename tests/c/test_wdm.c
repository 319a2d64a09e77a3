/* DMA_OPERATIONS: adapters, channels, map registers and system DMA as a WDM driver uses them. */
#include "wdm_world.h"

TEST(an_adapter_is_what_its_description_says) {
    wdm made = wdm_open(true, false);
    ULONG registers = 0;
    DEVICE_DESCRIPTION description = describe(true);
    CHECK(made.ops->Size > offsetof(DMA_OPERATIONS, CancelMappedTransfer));
    CHECK(IoGetDmaAdapter(made.object, NULL, &registers) == NULL);
    CHECK(IoGetDmaAdapter(made.object, &description, NULL) == NULL);
    description.MaximumLength = 1;
    PDMA_ADAPTER small = IoGetDmaAdapter(made.object, &description, &registers);
    CHECK_EQUAL(registers, 2);
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
    CHECK_STATUS(made.ops->GetDmaAdapterInfo(small, &info), STATUS_SUCCESS);
    CHECK_EQUAL(info.V1.DmaAddressWidth, 32);
    info.Version = 9;
    CHECK_STATUS(made.ops->GetDmaAdapterInfo(small, &info), STATUS_INVALID_PARAMETER);
    CHECK(made.ops->GetDmaAlignment(small) >= 1);
    made.ops->PutDmaAdapter(small);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
    description.DmaAddressWidth = 65;
    CHECK(IoGetDmaAdapter(made.object, &description, &registers) == NULL);
    description.DmaAddressWidth = 0;
    CHECK(IoGetDmaAdapter(made.object, &description, &registers) == NULL);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(version_2_has_three_widths) {
    wdm made = wdm_open(true, false);
    for (int flags = 0; flags < 4; flags++) {
        DEVICE_DESCRIPTION description = describe(true);
        DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
        description.Version = DEVICE_DESCRIPTION_VERSION2;
        description.Dma32BitAddresses = flags & 1;
        description.Dma64BitAddresses = (flags & 2) != 0;
        PDMA_ADAPTER adapter = adapter_get(&made, description);
        CHECK_STATUS(made.ops->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
        CHECK_EQUAL(info.V1.DmaAddressWidth, (flags & 2) != 0 ? 64 : ((flags & 1) != 0 ? 32 : 24));
        made.ops->PutDmaAdapter(adapter);
    }
}

/* ---- Channels and registers ---- */

TEST(what_a_routine_answers_is_kept) {
    wdm made = wdm_open(false, false);
    seen first;
    channel_get(&made, 3, DeallocateObject, &first);
    CHECK_EQUAL(first.calls, 1);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    PVOID base = channel_get(&made, 3, DeallocateObjectKeepRegisters, &first);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 3);
    channel_get(&made, 2, KeepObject, &first);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 5);
    made.ops->FreeMapRegisters(made.adapter, base, 3);
    made.ops->FreeAdapterChannel(made.adapter);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(requests_wait_in_line) {
    wdm made = wdm_open(false, false);
    PDMA_ADAPTER other = adapter_get(&made, describe(false));
    wdm third = made;
    third.adapter = adapter_get(&made, describe(false));
    seen holder, line[3] = {{0}};
    PVOID base = channel_get(&third, REGISTERS, DeallocateObjectKeepRegisters, &holder);
    for (int i = 0; i < 3; i++) {
        line[i].answer = DeallocateObject;
        CHECK_STATUS(made.ops->AllocateAdapterChannelEx(i == 1 ? other : made.adapter, made.object,
                                                        NULL, 2, 0, on_control, &line[i], NULL),
                     STATUS_SUCCESS);
    }
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_pool, 2);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_channel, 1);
    CHECK_MACHINE(made.machine);
    made.ops->FreeMapRegisters(third.adapter, base, REGISTERS);
    CHECK_EQUAL(line[0].calls + line[1].calls + line[2].calls, 3);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    CHECK_MACHINE(made.machine);
}

TEST(a_request_is_cancelled_by_its_context) {
    wdm made = wdm_open(false, false), other = made;
    other.adapter = adapter_get(&made, describe(false));
    uint8_t contexts[3][DMA_TRANSFER_CONTEXT_SIZE_V1];
    seen holder, line[2] = {{.answer = DeallocateObject}, {.answer = DeallocateObject}};
    PVOID base = channel_get(&other, REGISTERS, DeallocateObjectKeepRegisters, &holder);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, contexts[i]),
                     STATUS_SUCCESS);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, contexts[i], 2,
                                                        0, on_control, &line[i], NULL),
                     STATUS_SUCCESS);
    }
    CHECK(!made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[2]));
    CHECK(!made.ops->CancelAdapterChannel(made.adapter, made.object, NULL));
    CHECK(made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[0]));
    CHECK(!made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[0]));
    CHECK_MACHINE(made.machine);
    made.ops->FreeMapRegisters(other.adapter, base, REGISTERS);
    CHECK_EQUAL(line[0].calls, 0);
    CHECK_EQUAL(line[1].calls, 1);
    CHECK(!made.ops->CancelAdapterChannel(made.adapter, made.object, contexts[1]));
}

TEST(a_synchronous_request_never_waits) {
    wdm made = wdm_open(false, false);
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    PVOID base = NULL;
    seen first = {.answer = DeallocateObject};
    CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, context), STATUS_SUCCESS);
    CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, context, 3,
                                                    DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                 STATUS_SUCCESS);
    CHECK(base != NULL);
    CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, context, 3,
                                                    DMA_SYNCHRONOUS_CALLBACK, on_control, &first,
                                                    NULL),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(made.ops->AllocateAdapterChannelEx(made.adapter, made.object, context, 3, 0, NULL,
                                                    NULL, &base),
                 STATUS_INVALID_PARAMETER);
    made.ops->FreeAdapterObject(made.adapter, DeallocateObjectKeepRegisters);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 3);
    made.ops->FreeMapRegisters(made.adapter, base, 3);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    CHECK_EQUAL(first.calls, 0);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

typedef enum reuse {
    REUSE_INITIALIZE,
    REUSE_CHANNEL,
    REUSE_LIST,
    REUSE_COUNT
} reuse;

/* Uses [context] again, on an adapter whose channel is free. */
static NTSTATUS context_use(const wdm *of, reuse how, PVOID context, seen *out) {
    *out = (seen){.answer = KeepObject};
    switch (how) {
    case REUSE_INITIALIZE:
        return of->ops->InitializeDmaTransferContext(of->adapter, context);
    case REUSE_CHANNEL:
        return of->ops->AllocateAdapterChannelEx(of->adapter, of->object, context, 2, 0, on_control,
                                                 out, NULL);
    default:
        return of->ops->GetScatterGatherListEx(of->adapter, of->object, context, of->mdl, 0, 100, 0,
                                               on_list, out, TRUE, NULL, NULL, NULL);
    }
}

/* A context under which a request waits, or owns its channel, is used again: that stops the machine.
 * [ends]: its request is cancelled or its channel freed before; that is no misuse. */
static void context_reuse(reuse how, bool waits, bool ends) {
    wdm made = wdm_open(false, false), other = made, third = made;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    seen holder, first, second;
    PVOID base = NULL;
    other.adapter = adapter_get(&made, describe(false));
    third.adapter = adapter_get(&made, describe(false));
    CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, context), STATUS_SUCCESS);
    if (waits) {
        base = channel_get(&third, REGISTERS, DeallocateObjectKeepRegisters, &holder);
    }
    CHECK_STATUS(context_use(&made, REUSE_CHANNEL, context, &first), STATUS_SUCCESS);
    CHECK_EQUAL(first.calls, !waits);
    if (ends && waits) {
        CHECK(made.ops->CancelAdapterChannel(made.adapter, made.object, context));
    } else if (ends) {
        made.ops->FreeAdapterChannel(made.adapter);
    }
    NTSTATUS status = context_use(&other, how, context, &second);
    CHECK_STATUS(status, ends ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine),
                ends ? WDFDMA_RULE_NONE : WDFDMA_RULE_TRANSFER_CONTEXT_REUSED);
    CHECK_EQUAL(second.calls, ends && !waits && how != REUSE_INITIALIZE);
    CHECK_MACHINE(made.machine);
    if (ends && waits) {
        made.ops->FreeMapRegisters(third.adapter, base, REGISTERS);
        CHECK_EQUAL(second.calls, how != REUSE_INITIALIZE);
    }
}

TEST(a_context_serves_one_request_at_a_time) {
    for (int how = 0; how < REUSE_COUNT; how++) {
        context_reuse((reuse)how, false, false);
        context_reuse((reuse)how, true, false);
        context_reuse((reuse)how, false, true);
        context_reuse((reuse)how, true, true);
    }
}

/* ---- What is freed twice, wrongly or never ---- */

TEST(registers_are_freed_once_and_whole) {
    seen first, second;
    for (int way = 0; way < 4; way++) {
        wdm made = wdm_open(false, false);
        PVOID base = channel_get(&made, 3, DeallocateObjectKeepRegisters, &first);
        channel_get(&made, 3, DeallocateObjectKeepRegisters, &second);
        switch (way) {
        case 0:
            made.ops->FreeMapRegisters(made.adapter, base, 3);
            made.ops->FreeMapRegisters(made.adapter, base, 3);
            break;
        case 1:
            made.ops->FreeMapRegisters(made.adapter, base, 2);
            break;
        case 2:
            made.ops->FreeMapRegisters(made.adapter, base, 4);
            break;
        default:
            made.ops->FreeMapRegisters(made.adapter, (char *)base + WORLD_PAGE, 2);
            break;
        }
        check_violation(&made, 0x05);
    }
}

/* A run belongs to the adapter that it was granted to. */
TEST(registers_of_another_adapter_are_not_freed) {
    wdm made = wdm_open(false, false);
    wdm other = made;
    seen first, second;
    other.adapter = adapter_get(&made, describe(false));
    channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
    PVOID theirs = channel_get(&other, 2, DeallocateObjectKeepRegisters, &second);
    made.ops->FreeMapRegisters(made.adapter, theirs, 2);
    check_violation(&made, 0x05);
}

TEST(an_adapter_is_put_with_empty_hands) {
    seen first = {0};
    PHYSICAL_ADDRESS logical;
    wdm made = wdm_open(false, false);
    channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
    made.ops->PutDmaAdapter(made.adapter);
    check_violation(&made, 0x09);
    made = wdm_open(false, false);
    channel_get(&made, 0, KeepObject, &first);
    made.ops->PutDmaAdapter(made.adapter);
    check_violation(&made, 0x08);
    made = wdm_open(false, false);
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, 100, &logical, TRUE) != NULL);
    made.ops->PutDmaAdapter(made.adapter);
    check_violation(&made, 0x07);
    made = wdm_open(true, false);
    CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                MmGetMdlVirtualAddress(made.mdl), 100, on_list,
                                                &first, TRUE),
                 STATUS_SUCCESS);
    made.ops->PutDmaAdapter(made.adapter);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK(world_parameter(made.machine, 0) == 0x0A || world_parameter(made.machine, 0) == 0x09);
}

TEST(a_channel_is_freed_by_its_owner) {
    wdm made = wdm_open(false, false);
    seen first;
    channel_get(&made, 2, KeepObject, &first);
    made.ops->FreeAdapterChannel(made.adapter);
    made.ops->FreeAdapterChannel(made.adapter);
    check_violation(&made, 0x04);
}

/* A request that has the channel and waits for registers has been granted nothing that could be
 * freed. */
TEST(a_waiting_request_keeps_its_channel) {
    for (int way = 0; way < 2; way++) {
        wdm made = wdm_open(false, false);
        wdm other = made;
        seen first, second = {.answer = KeepObject};
        other.adapter = adapter_get(&made, describe(false));
        channel_get(&other, REGISTERS, DeallocateObjectKeepRegisters, &first);
        CHECK_STATUS(
            made.ops->AllocateAdapterChannel(made.adapter, made.object, 2, on_control, &second),
            STATUS_SUCCESS);
        CHECK_EQUAL(second.calls, 0);
        if (way == 0) {
            made.ops->FreeAdapterChannel(made.adapter);
        } else {
            made.ops->FreeAdapterObject(made.adapter, DeallocateObject);
        }
        CHECK(wdfdma_machine_get_bugcheck(made.machine) != NULL);
        CHECK_MACHINE(made.machine);
    }
}

TEST(an_adapter_is_known_by_its_address) {
    for (int way = 0; way < 6; way++) {
        wdm made = wdm_open(false, false);
        wdm other = wdm_open(false, false);
        DMA_ADAPTER forged = *made.adapter;
        wdfdma_machine_use(made.machine);
        WDFDMAENABLER enabler =
            world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
        PDMA_ADAPTER bad[] = {
            NULL,          &forged,
            other.adapter, (PDMA_ADAPTER)(void *)((char *)made.adapter + 16),
            made.adapter,  WdfDmaEnablerWdmGetDmaAdapter(enabler, WdfDmaDirectionReadFromDevice)};
        if (way == 4) {
            made.ops->PutDmaAdapter(made.adapter);
        }
        made.ops->PutDmaAdapter(bad[way]);
        CHECK_EQUAL(world_rule(made.machine), way == 0   ? WDFDMA_RULE_DMA_19
                                              : way == 4 ? WDFDMA_RULE_DMA_18
                                                         : WDFDMA_RULE_INVALID_ADAPTER);
        CHECK_MACHINE(made.machine);
        harness_machine_end(other.machine);
        harness_machine_end(made.machine);
    }
}

/* ---- System DMA ---- */

typedef struct system_dma {
    wdm wdm;
    WDFDMAENABLER enabler;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    seen channel;
    seen completion;
    uint64_t room[32];
} system_dma;

static void system_open(system_dma *out) {
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(false, false);
    out->enabler = world_enabler(out->wdm.device, &(world_profile){.profile = WdfDmaProfileSystem});
    out->wdm.adapter = WdfDmaEnablerWdmGetDmaAdapter(out->enabler, WdfDmaDirectionReadFromDevice);
    out->channel.answer = KeepObject;
    CHECK_STATUS(out->wdm.ops->InitializeDmaTransferContext(out->wdm.adapter, out->context),
                 STATUS_SUCCESS);
    CHECK_STATUS(out->wdm.ops->AllocateAdapterChannelEx(out->wdm.adapter, out->wdm.object,
                                                        out->context, 4, 0, on_control,
                                                        &out->channel, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(out->channel.calls, 1);
}

static NTSTATUS system_map_at(system_dma *of, ULONGLONG offset, ULONG *length) {
    *length = 5000;
    return of->wdm.ops->MapTransferEx(of->wdm.adapter, of->wdm.mdl, of->channel.base, offset, 0,
                                      length, TRUE, (PSCATTER_GATHER_LIST)(void *)of->room,
                                      sizeof of->room, on_complete, &of->completion);
}

static NTSTATUS system_map(system_dma *of, ULONG *length) {
    return system_map_at(of, 0, length);
}

TEST(a_system_transfer_completes) {
    system_dma made;
    ULONG length;
    system_open(&made);
    CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
    CHECK_EQUAL(length, 5000);
    CHECK_EQUAL(made.wdm.ops->ReadDmaCounter(made.wdm.adapter), 5000);
    CHECK_EQUAL(made.completion.calls, 0);
    CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
    CHECK_EQUAL(made.completion.calls, 1);
    CHECK_EQUAL(made.completion.status, DmaComplete);
    CHECK_STATUS(made.wdm.ops->CancelMappedTransfer(made.wdm.adapter, made.context),
                 STATUS_SUCCESS);
    CHECK_EQUAL(made.completion.calls, 1);
    CHECK_STATUS(made.wdm.ops->FlushAdapterBuffersEx(made.wdm.adapter, made.wdm.mdl,
                                                     made.channel.base, 0, length, TRUE),
                 STATUS_SUCCESS);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
    CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) == NULL);
}

TEST(a_system_transfer_is_cancelled) {
    system_dma made;
    ULONG length;
    system_open(&made);
    CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
    CHECK_STATUS(made.wdm.ops->CancelMappedTransfer(made.wdm.adapter, made.context),
                 STATUS_SUCCESS);
    CHECK_EQUAL(made.completion.calls, 1);
    CHECK_EQUAL(made.completion.status, DmaCancelled);
    CHECK_STATUS(made.wdm.ops->CancelMappedTransfer(made.wdm.adapter, made.context),
                 STATUS_UNSUCCESSFUL);
    CHECK(!wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
    CHECK_STATUS(system_map(&made, &length), STATUS_CANCELLED);
    CHECK_STATUS(made.wdm.ops->FlushAdapterBuffersEx(made.wdm.adapter, made.wdm.mdl,
                                                     made.channel.base, 0, 5000, TRUE),
                 STATUS_SUCCESS);
    CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
    CHECK_STATUS(system_map_at(&made, 5000, &length), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_MAPPED_TWICE);
}

TEST(a_channel_is_not_freed_under_a_transfer) {
    system_dma made;
    ULONG length;
    for (int keeps = 0; keeps < 2; keeps++) {
        wdfdma_enabler_info info;
        system_open(&made);
        CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
        made.wdm.ops->FreeAdapterObject(made.wdm.adapter, keeps != 0 ? DeallocateObjectKeepRegisters
                                                                     : DeallocateObject);
        CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_FREED_WHILE_TRANSFERRING);
        CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, WdfDmaDirectionReadFromDevice, &info),
                     STATUS_SUCCESS);
        CHECK(info.channel_owned);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS - 4);
    }
    system_open(&made);
    CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_FREED_WHILE_TRANSFERRING);
    system_open(&made);
    CHECK_STATUS(system_map(&made, &length), STATUS_SUCCESS);
    CHECK_STATUS(made.wdm.ops->InitializeDmaTransferContext(made.wdm.adapter, made.context),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_MAPPED_TWICE);
    system_open(&made);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_STATUS(system_map(&made, &length), STATUS_UNSUCCESSFUL);
    CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) != NULL);
}

HARNESS_MAIN(ENTRY(an_adapter_is_what_its_description_says), ENTRY(version_2_has_three_widths),
             ENTRY(what_a_routine_answers_is_kept), ENTRY(requests_wait_in_line),
             ENTRY(a_request_is_cancelled_by_its_context), ENTRY(a_synchronous_request_never_waits),
             ENTRY(a_context_serves_one_request_at_a_time),
             ENTRY(registers_are_freed_once_and_whole),
             ENTRY(registers_of_another_adapter_are_not_freed),
             ENTRY(an_adapter_is_put_with_empty_hands), ENTRY(a_channel_is_freed_by_its_owner),
             ENTRY(a_waiting_request_keeps_its_channel), ENTRY(an_adapter_is_known_by_its_address),
             ENTRY(a_system_transfer_completes), ENTRY(a_system_transfer_is_cancelled),
             ENTRY(a_channel_is_not_freed_under_a_transfer))
