/* An adapter's channel and its line at the edges: contexts that are cancelled or used, routines that stop the
 * machine, channels that nobody will free, and system transfers on the short way. */
#include "dma_rules.h"

static wdfdma_adapter_info info_get(const wdfdma_machine *machine) {
    wdfdma_adapter_info info = {0};
    WDFOBJECT handle = NULL;
    wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_ADAPTER, &handle, 1);
    CHECK_STATUS(wdfdma_adapter_get_info(handle, &info), STATUS_SUCCESS);
    return info;
}

static NTSTATUS channel_ask(const wdm *of, PVOID context, ULONG registers, PDRIVER_CONTROL control,
                            PVOID given) {
    return of->ops->AllocateAdapterChannelEx(of->adapter, of->object, context, registers, 0,
                                             control, given, NULL);
}

/* ---- Contexts ---- */

/* A context that was cancelled serves a channel, under which nothing is mapped. */
TEST(a_cancelled_context_gets_its_channel) {
    wdm made = wdm_open(false, false);
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
    uint64_t room[8];
    ULONG length = SOME;
    seen first = {.answer = KeepObject};
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, context), STATUS_SUCCESS);
    CHECK_STATUS(channel_ask(&made, context, 2, on_control, &first), STATUS_SUCCESS);
    CHECK_EQUAL(first.calls, 1);
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, first.base, 0, 0, &length, TRUE,
                                         (PSCATTER_GATHER_LIST)(void *)room, sizeof room, NULL,
                                         NULL),
                 STATUS_CANCELLED);
    CHECK_EQUAL(length, 0);
    made.ops->FreeAdapterChannel(made.adapter);
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, context), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(made.ops->InitializeDmaTransferContext(made.adapter, context), STATUS_SUCCESS);
    CHECK_STATUS(made.ops->CancelMappedTransfer(made.adapter, context), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* What waits or owns a channel under a context is in the way of another, whatever that is. */
TEST(a_context_in_use_is_refused) {
    for (int way = 0; way < 6; way++) {
        bool owns = way % 2 != 0;
        wdm made = wdm_open(false, false), other = made, third = made;
        uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
        seen holder, first = {.answer = KeepObject}, list = {0};
        NTSTATUS status;
        other.adapter = adapter_get(&made, describe(false));
        third.adapter = adapter_get(&made, describe(false));
        if (!owns) {
            channel_get(&third, REGISTERS, DeallocateObjectKeepRegisters, &holder);
        }
        CHECK_STATUS(channel_ask(&made, context, 2, on_control, &first), STATUS_SUCCESS);
        CHECK_EQUAL(first.calls, owns);
        if (way / 2 == 0) {
            status = channel_ask(&other, context, 2, on_control, &first);
        } else if (way / 2 == 1) {
            status = made.ops->InitializeDmaTransferContext(made.adapter, context);
        } else {
            status =
                made.ops->GetScatterGatherListEx(other.adapter, made.object, context, made.mdl, 0,
                                                 SOME, 0, on_list, &list, TRUE, NULL, NULL, NULL);
        }
        CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_TRANSFER_CONTEXT_REUSED);
        CHECK_EQUAL(first.calls, owns);
        CHECK_EQUAL(list.calls, 0);
        CHECK_EQUAL(info_get(made.machine).channel_owned, true);
        harness_machine_end(made.machine);
    }
}

static IO_ALLOCATION_ACTION on_control_halts(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                             PVOID context) {
    uint32_t *calls = context;
    (void)device;
    (void)irp;
    (void)base;
    ++*calls;
    wdfdma_machine_halt(wdfdma_machine_current(), WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    return DeallocateObject;
}

/* The cancel lets another through, which stops the machine: no answer of it says that it was done. */
TEST(a_cancel_that_stops_the_machine_fails) {
    wdm made = wdm_open(false, false), other = made;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
    seen holder, first = {.answer = KeepObject};
    uint32_t calls = 0;
    other.adapter = adapter_get(&made, describe(false));
    channel_get(&other, REGISTERS - 1, DeallocateObjectKeepRegisters, &holder);
    CHECK_STATUS(channel_ask(&made, context, 2, on_control, &first), STATUS_SUCCESS);
    CHECK_STATUS(channel_ask(&made, NULL, 1, on_control_halts, &calls), STATUS_SUCCESS);
    CHECK(!made.ops->CancelAdapterChannel(made.adapter, made.object, context));
    CHECK_EQUAL(first.calls, 0);
    CHECK_EQUAL(calls, 1);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH);
}

/* A call that is refused for what it asks is none that an injected fault counts. */
TEST(a_refused_call_meets_no_fault) {
    wdm made = wdm_open(false, false);
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL,
                                .routine = WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX,
                                .nth = 1,
                                .status = STATUS_INSUFFICIENT_RESOURCES};
    seen first = {.answer = DeallocateObject};
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE);
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    CHECK_STATUS(channel_ask(&made, NULL, REGISTERS + 1, on_control, &first),
                 STATUS_INSUFFICIENT_RESOURCES);
    for (uint32_t turn = 0; turn < 2; turn++) {
        CHECK_STATUS(channel_ask(&made, NULL, REGISTERS, on_control, &first),
                     turn == 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(first.calls, turn);
    }
}

/* What an adapter does not do, it says. */
TEST(some_routines_are_not_supported) {
    wdm made = wdm_open(true, false);
    PMDL target = NULL;
    ULONG bytes = 7, registers = 7;
    CHECK_STATUS(made.ops->BuildMdlFromScatterGatherList(made.adapter, NULL, made.mdl, &target),
                 STATUS_NOT_SUPPORTED);
    CHECK_STATUS(made.ops->ConfigureAdapterChannel(made.adapter, 1, NULL), STATUS_NOT_SUPPORTED);
    CHECK_STATUS(
        made.ops->CalculateScatterGatherList(made.adapter, NULL, NULL, SOME, NULL, &registers),
        STATUS_INVALID_PARAMETER);
    CHECK_STATUS(made.ops->CalculateScatterGatherList(made.adapter, made.mdl,
                                                      MmGetMdlVirtualAddress(made.mdl), SOME, NULL,
                                                      &registers),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(registers, 7);
    CHECK_STATUS(made.ops->CalculateScatterGatherList(made.adapter, made.mdl,
                                                      MmGetMdlVirtualAddress(made.mdl),
                                                      BUFFER_BYTES + 1, &bytes, &registers),
                 STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(bytes + registers, 14);
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, made.mdl, 0, SOME, TRUE, NULL),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, made.mdl, 0, 0, TRUE, &info),
                 STATUS_INVALID_PARAMETER);
    info.Version = DMA_TRANSFER_INFO_VERSION2 + 1;
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, made.mdl, 0, SOME, TRUE, &info),
                 STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(no_information_comes_of_a_forged_chain) {
    wdm made = wdm_open(true, false);
    MDL forged = *made.mdl;
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    CHECK_STATUS(made.ops->GetDmaTransferInfo(made.adapter, &forged, 0, SOME, TRUE, &info),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    CHECK_EQUAL(wdfdma_machine_get_bugcheck(made.machine)->object_type, WDFDMA_OBJECT_ADAPTER);
    CHECK_EQUAL(info.V1.MapRegisterCount + info.V1.ScatterGatherElementCount, 0);
}

/* ---- System transfers ---- */

static world system_open(void) {
    wdfdma_machine_config config = world_config(REGISTERS);
    return world_open(
        &config, (world_profile){.profile = WdfDmaProfileSystem, .maximum_length = 3 * WORLD_PAGE});
}

static void system_start(const world *of, WDFDMATRANSACTION item) {
    PMDL mdl = world_mdl(of->machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(world_initialize(item, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
}

/* The channel has its registers, of which a WDM driver may free both: on the short way as on the long one. */
TEST(a_system_channel_has_its_registers) {
    for (int turns = 1; turns <= 3; turns++) {
        world made = system_open();
        WDFDMATRANSACTION item = world_transaction(made.enabler);
        for (int turn = 1; turn <= turns; turn++) {
            if (turn == 2) { /* from now on the registers begin further up */
                world other = made;
                other.enabler = world_enabler(
                    made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
                CHECK_STATUS(WdfDmaTransactionAllocateResources(world_transaction(other.enabler),
                                                                WdfDmaDirectionReadFromDevice, 1,
                                                                world_reserve_dma, NULL),
                             STATUS_SUCCESS);
            }
            system_start(&made, item);
            CHECK_EQUAL(info_get(made.machine).registers_held, 4);
            CHECK_EQUAL(world_info(item).registers, 4);
            CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
            CHECK(!wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
            if (turn < turns) {
                NTSTATUS status;
                CHECK(WdfDmaTransactionDmaCompleted(item, &status));
                CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
                CHECK_EQUAL(info_get(made.machine).registers_held, 0);
            }
        }
        PDMA_ADAPTER by =
            WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
        by->DmaOperations->FreeAdapterObject(by, DeallocateObject);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
        CHECK_EQUAL(info_get(made.machine).registers_held, 0);
        CHECK_EQUAL(info_get(made.machine).channel_owned, false);
        CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - (turns > 1));
        harness_machine_end(made.machine);
    }
}

/* A driver frees the channel's registers as its own: when the transaction is over, the channel stays owned, by
 * nobody, and whoever comes waits. */
TEST(a_channel_without_its_registers_is_lost) {
    world made = system_open();
    WDFDMATRANSACTION item = world_transaction(made.enabler);
    WDFDMATRANSACTION next = world_transaction(made.enabler);
    PDMA_ADAPTER by = WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    NTSTATUS status;
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    system_start(&made, item);
    CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    by->DmaOperations->FreeMapRegisters(
        by,
        (PVOID)(uintptr_t)(WORLD_REGISTERS_ADDRESS + world_info(item).first_register * WORLD_PAGE),
        4);
    KeLowerIrql(before);
    CHECK_EQUAL(info_get(made.machine).registers_held, 0);
    CHECK(WdfDmaTransactionDmaCompleted(item, &status));
    CHECK_EQUAL(info_get(made.machine).channel_owned, true);
    CHECK(info_get(made.machine).channel_owner == NULL);
    WdfObjectDelete(item);
    CHECK_EQUAL(info_get(made.machine).channel_owned, true);
    system_start(&made, next);
    CHECK_EQUAL(world_info(next).waiting, WDFDMA_WAITING_CHANNEL);
    CHECK_MACHINE(made.machine);
}

/* ---- Lists of the framework ---- */

static BOOLEAN program_scribbles(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                 WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                 PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)direction;
    uint32_t *calls = context;
    CHECK_EQUAL(list->Reserved, 0);
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        CHECK_EQUAL(list->Elements[i].Reserved, 0);
        list->Elements[i].Reserved = 77;
    }
    list->Reserved = 78;
    ++*calls;
    return TRUE;
}

/* The list is the driver's to write until it is given back: the next one has nothing of it. */
TEST(a_list_is_new_each_time) {
    for (int force = 0; force < 2; force++) {
        wdfdma_machine_config config = world_config(REGISTERS);
        config.force_map_registers = force != 0;
        world made = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather});
        WDFDMATRANSACTION item = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, (const uint64_t[]){50, 52, 54});
        uint32_t calls = 0;
        for (uint32_t turn = 0; turn < 3; turn++) {
            NTSTATUS status;
            CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(item, program_scribbles,
                                                                WdfDmaDirectionReadFromDevice, mdl,
                                                                0, 3 * WORLD_PAGE),
                         STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(item, &calls), STATUS_SUCCESS);
            CHECK_EQUAL(calls, turn + 1);
            CHECK(WdfDmaTransactionDmaCompleted(item, &status));
            CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
        }
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_cancelled_context_gets_its_channel), ENTRY(a_context_in_use_is_refused),
             ENTRY(a_cancel_that_stops_the_machine_fails), ENTRY(a_refused_call_meets_no_fault),
             ENTRY(some_routines_are_not_supported), ENTRY(no_information_comes_of_a_forged_chain),
             ENTRY(a_system_channel_has_its_registers),
             ENTRY(a_channel_without_its_registers_is_lost), ENTRY(a_list_is_new_each_time))
