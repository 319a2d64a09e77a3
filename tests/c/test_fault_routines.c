/* Injected faults of single routines behind one op, and mappings that cover less than was asked. */
#include "fault_plan.h"
#include "wdm_world.h"

static void plan_routine(wdfdma_machine *machine, uint32_t routine, NTSTATUS status) {
    const wdfdma_fault fault = {
        .kind = WDFDMA_FAULT_CALL, .routine = routine, .nth = 1, .status = status};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

/* ---- The table ---- */

TEST(every_routine_has_a_name_and_an_op_that_documents_its_statuses) {
    CHECK(wdfdma_fault_get_routine(WDFDMA_ROUTINE_ANY) == NULL);
    CHECK(wdfdma_fault_get_routine(WDFDMA_ROUTINE_COUNT) == NULL);
    CHECK(wdfdma_fault_get_routine(UINT32_MAX) == NULL);
    for (uint32_t routine = 1; routine < WDFDMA_ROUTINE_COUNT; routine++) {
        const wdfdma_routine_info *info = wdfdma_fault_get_routine(routine);
        REQUIRE(info != NULL && info->name != NULL);
        CHECK((info->status_count > 0) == (routine < WDFDMA_ROUTINE_PUT_DMA_ADAPTER));
        size_t count = 0;
        const NTSTATUS *all = wdfdma_fault_get_statuses(info->op, &count);
        for (uint32_t i = 0; i < info->status_count; i++) {
            size_t at = 0;
            while (at < count && all[at] != info->statuses[i]) {
                at++;
            }
            CHECK(at < count);
        }
    }
}

TEST(what_is_no_fault_of_a_routine_is_refused) {
    wdfdma_machine *machine = harness_machine(NULL);
    const NTSTATUS none = STATUS_INSUFFICIENT_RESOURCES;
    const wdfdma_fault wrong[] = {
        {.routine = WDFDMA_ROUTINE_COUNT, .nth = 1, .status = none},
        {.routine = UINT32_MAX, .nth = 1, .status = none},
        {.routine = WDFDMA_ROUTINE_MAP_TRANSFER, .nth = 1, .status = none},
        {.routine = WDFDMA_ROUTINE_MAP_TRANSFER_EX, .nth = 1, .status = STATUS_NOT_SUPPORTED},
        {.routine = WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO, .nth = 1, .status = none},
        {.routine = WDFDMA_ROUTINE_MAP_TRANSFER_EX,
         .op = WDFDMA_OP_REQUEST_CALL,
         .nth = 1,
         .status = none},
        {.kind = WDFDMA_FAULT_GRANT, .routine = WDFDMA_ROUTINE_MAP_TRANSFER_EX, .nth = 1},
        {.kind = WDFDMA_FAULT_MAP, .behaviour = WDFDMA_DEVICE_LATE, .nth = 1},
        {.kind = WDFDMA_FAULT_MAP, .op = WDFDMA_OP_ADAPTER_CALL, .nth = 1},
        {.op = WDFDMA_OP_CREATE, .behaviour = WDFDMA_DEVICE_LATE, .nth = 1, .status = none},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &wrong[i]), STATUS_INVALID_PARAMETER);
    }
    const wdfdma_fault huge = {
        .routine = WDFDMA_ROUTINE_MAP_TRANSFER_EX, .nth = UINT32_MAX, .status = none};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &huge), STATUS_SUCCESS);
    CHECK_EQUAL(plan_get(machine, 0).op, WDFDMA_OP_ADAPTER_CALL);
}

/* ---- One routine of many ---- */

/* A WDM driver's calls of routines that a fault may name: what each leaves is undone at once. */
typedef struct calls {
    wdm wdm;
    PDEVICE_OBJECT object;
    uint64_t context[16];
    uint64_t room[64];
} calls;

static void list_put_at_once(calls *of, PSCATTER_GATHER_LIST list) {
    of->wdm.ops->PutScatterGatherList(of->wdm.adapter, list, FALSE);
}

static bool succeeds_buffer(calls *of, bool extended) {
    PHYSICAL_ADDRESS logical = {.QuadPart = 7};
    const DMA_OPERATIONS *ops = of->wdm.ops;
    PVOID made = extended
                     ? ops->AllocateCommonBufferEx(of->wdm.adapter, NULL, 100, &logical, TRUE, 0)
                     : ops->AllocateCommonBuffer(of->wdm.adapter, 100, &logical, TRUE);
    if (made != NULL) {
        ops->FreeCommonBuffer(of->wdm.adapter, 100, logical, made, TRUE);
    } else {
        CHECK_EQUAL(logical.QuadPart, 7);
    }
    return made != NULL;
}

static NTSTATUS status_of_channel(calls *of, bool extended) {
    seen unseen = {.answer = DeallocateObject};
    const DMA_OPERATIONS *ops = of->wdm.ops;
    NTSTATUS status =
        extended ? ops->AllocateAdapterChannelEx(of->wdm.adapter, of->object, of->context, 2, 0,
                                                 on_control, &unseen, NULL)
                 : ops->AllocateAdapterChannel(of->wdm.adapter, of->object, 2, on_control, &unseen);
    CHECK_EQUAL(unseen.calls, NT_SUCCESS(status));
    return status;
}

static NTSTATUS status_of_list(calls *of, bool extended) {
    seen unseen = {0};
    const wdm *on = &of->wdm;
    PVOID start = MmGetMdlVirtualAddress(on->mdl);
    NTSTATUS status =
        extended
            ? on->ops->GetScatterGatherListEx(on->adapter, of->object, of->context, on->mdl, 0,
                                              5000, 0, on_list, &unseen, FALSE, NULL, NULL, NULL)
            : on->ops->GetScatterGatherList(on->adapter, of->object, on->mdl, start, 5000, on_list,
                                            &unseen, FALSE);
    CHECK_EQUAL(unseen.calls, NT_SUCCESS(status));
    if (NT_SUCCESS(status)) {
        list_put_at_once(of, unseen.list);
    }
    return status;
}

static NTSTATUS status_of_build(calls *of, bool extended) {
    seen unseen = {0};
    const wdm *on = &of->wdm;
    PVOID start = MmGetMdlVirtualAddress(on->mdl);
    NTSTATUS status =
        extended
            ? on->ops->BuildScatterGatherListEx(on->adapter, of->object, of->context, on->mdl, 0,
                                                5000, 0, on_list, &unseen, FALSE, of->room,
                                                sizeof of->room, NULL, NULL, NULL)
            : on->ops->BuildScatterGatherList(on->adapter, of->object, on->mdl, start, 5000,
                                              on_list, &unseen, FALSE, of->room, sizeof of->room);
    CHECK_EQUAL(unseen.calls, NT_SUCCESS(status));
    if (NT_SUCCESS(status)) {
        list_put_at_once(of, unseen.list);
    }
    return status;
}

static NTSTATUS status_of_size(calls *of) {
    ULONG bytes = 7;
    NTSTATUS status = of->wdm.ops->CalculateScatterGatherList(
        of->wdm.adapter, of->wdm.mdl, MmGetMdlVirtualAddress(of->wdm.mdl), 100, &bytes, NULL);
    CHECK_EQUAL(bytes == 7, !NT_SUCCESS(status));
    return status;
}

static NTSTATUS status_of_info(calls *of) {
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
    NTSTATUS status = of->wdm.ops->GetDmaAdapterInfo(of->wdm.adapter, &info);
    CHECK_EQUAL(info.V1.DmaAddressWidth == 0, !NT_SUCCESS(status));
    return status;
}

static NTSTATUS status_of_transfer_info(calls *of) {
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    NTSTATUS status =
        of->wdm.ops->GetDmaTransferInfo(of->wdm.adapter, of->wdm.mdl, 0, 100, FALSE, &info);
    CHECK_EQUAL(info.V1.MapRegisterCount == 0, !NT_SUCCESS(status));
    return status;
}

static NTSTATUS status_of_map(calls *of) {
    seen channel;
    const wdm *on = &of->wdm;
    PVOID base = channel_get(on, 4, KeepObject, &channel);
    ULONG length = 5000;
    NTSTATUS status =
        on->ops->MapTransferEx(on->adapter, on->mdl, base, 0, 0, &length, FALSE,
                               (PSCATTER_GATHER_LIST)(void *)of->room, sizeof of->room, NULL, NULL);
    CHECK_EQUAL(length, 5000);
    if (NT_SUCCESS(status)) {
        CHECK_STATUS(on->ops->FlushAdapterBuffersEx(on->adapter, on->mdl, base, 0, length, FALSE),
                     STATUS_SUCCESS);
    }
    on->ops->FreeAdapterChannel(on->adapter);
    return status;
}

static NTSTATUS status_of_pointer(bool succeeds) {
    return succeeds ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS call_make(calls *of, uint32_t routine) {
    switch (routine) {
    case WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER:
        return status_of_pointer(succeeds_buffer(of, false));
    case WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER_EX:
        return status_of_pointer(succeeds_buffer(of, true));
    case WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL:
        return status_of_channel(of, false);
    case WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX:
        return status_of_channel(of, true);
    case WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST:
        return status_of_list(of, false);
    case WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST_EX:
        return status_of_list(of, true);
    case WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST:
        return status_of_build(of, false);
    case WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST_EX:
        return status_of_build(of, true);
    case WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST:
        return status_of_size(of);
    case WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO:
        return status_of_info(of);
    case WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO:
        return status_of_transfer_info(of);
    default:
        return status_of_map(of);
    }
}

/* Each in turn is to fail; all are called twice. */
TEST(the_routine_named_fails_once_and_no_other) {
    calls of = {.wdm = wdm_open(false, false)};
    wdfdma_machine *machine = of.wdm.machine;
    of.object = of.wdm.object;
    for (uint32_t named = 1; named <= WDFDMA_ROUTINE_MAP_TRANSFER_EX; named++) {
        NTSTATUS status = wdfdma_fault_get_routine(named)->statuses[0];
        plan_routine(machine, named, status);
        for (int round = 0; round < 2; round++) {
            for (uint32_t routine = 1; routine <= WDFDMA_ROUTINE_MAP_TRANSFER_EX; routine++) {
                bool fails = routine == named && round == 0;
                CHECK_STATUS(call_make(&of, routine), fails ? status : STATUS_SUCCESS);
                CHECK_MACHINE(machine);
            }
        }
        /* A mapping of its own asks for a channel too. */
        CHECK_EQUAL(plan_get(machine, 0).met,
                    named == WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL ? 4 : 2);
        CHECK_EQUAL(plan_get(machine, 0).hits, 1);
        CHECK_EQUAL(plan_get(machine, 0).hit_op, WDFDMA_OP_ADAPTER_CALL);
        wdfdma_machine_clear_faults(machine);
        CHECK_EQUAL(world_free_registers(machine), REGISTERS);
    }
}

/* Without a routine, the op's calls are counted together, as far as they know the status. */
TEST(an_op_counts_all_of_its_routines) {
    calls of = {.wdm = wdm_open(false, false)};
    of.object = of.wdm.object;
    for (int kind = 0; kind < 2; kind++) {
        const wdfdma_fault fault = {.op = WDFDMA_OP_ADAPTER_CALL,
                                    .nth = 2,
                                    .status = kind == 0 ? STATUS_INSUFFICIENT_RESOURCES
                                                        : STATUS_NOT_SUPPORTED};
        CHECK_STATUS(wdfdma_machine_add_fault(of.wdm.machine, &fault), STATUS_SUCCESS);
    }
    CHECK_STATUS(status_of_size(&of), STATUS_SUCCESS);
    CHECK_STATUS(status_of_info(&of), STATUS_SUCCESS);
    CHECK_STATUS(status_of_transfer_info(&of), STATUS_NOT_SUPPORTED);
    CHECK_STATUS(status_of_list(&of, true), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(plan_get(of.wdm.machine, 0).met, 2);
    CHECK_EQUAL(plan_get(of.wdm.machine, 1).met, 2);
}

typedef struct note {
    int number;
} note;
static const WDF_OBJECT_CONTEXT_TYPE_INFO note_type = {.Size = sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO),
                                                       .ContextName = "note",
                                                       .ContextSize = sizeof(note)};

TEST(a_context_is_not_allocated) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ContextTypeInfo = &note_type;
    PVOID context = NULL;
    plan_routine(made.machine, WDFDMA_ROUTINE_OBJECT_ALLOCATE_CONTEXT,
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfObjectAllocateContext((WDFOBJECT)made.enabler, &attributes, &context),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK(context == NULL);
    CHECK_STATUS(WdfObjectAllocateContext((WDFOBJECT)made.enabler, &attributes, &context),
                 STATUS_SUCCESS);
    CHECK(context != NULL);
}

TEST(an_mdl_is_not_retrieved) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
    WDFREQUEST request = world_control_request(made.device, mdl, 100);
    PMDL found = NULL;
    plan_routine(made.machine, WDFDMA_ROUTINE_RETRIEVE_OUTPUT_WDM_MDL,
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfRequestRetrieveInputWdmMdl(request, &found), STATUS_SUCCESS);
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &found), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &found), STATUS_SUCCESS);
}

TEST(a_common_buffer_is_not_made_with_its_config) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDF_COMMON_BUFFER_CONFIG config;
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0);
    WDFCOMMONBUFFER buffer = NULL;
    plan_routine(made.machine, WDFDMA_ROUTINE_COMMON_BUFFER_CREATE_WITH_CONFIG,
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 10, NULL, &buffer), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreateWithConfig(made.enabler, 10, &config, NULL, &buffer),
                 STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- Mappings that fall short ---- */

TEST(map_transfer_ex_tells_how_much_it_mapped) {
    wdm made = wdm_open(false, false);
    uint64_t room[32];
    seen channel;
    PVOID base = channel_get(&made, 4, KeepObject, &channel);
    plan_below(made.machine, WDFDMA_FAULT_MAP, 1);
    ULONG length = 2 * WORLD_PAGE; /* from byte 100: three pages */
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, base, 0, 0, &length, FALSE,
                                         (PSCATTER_GATHER_LIST)(void *)room, sizeof room, NULL,
                                         NULL),
                 STATUS_SUCCESS);
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)(void *)room;
    CHECK_EQUAL(length, WORLD_PAGE - 100);
    CHECK_EQUAL(list->Elements[0].Length, length);
    CHECK_STATUS(made.ops->FlushAdapterBuffersEx(made.adapter, made.mdl, base, 0, length, FALSE),
                 STATUS_SUCCESS);
    /* The rest, whole. */
    ULONG rest = 2 * WORLD_PAGE - length;
    ULONG asked = rest;
    CHECK_STATUS(made.ops->MapTransferEx(made.adapter, made.mdl, base, length, 0, &rest, FALSE,
                                         list, sizeof room, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(rest, asked);
    CHECK_STATUS(made.ops->FlushAdapterBuffersEx(made.adapter, made.mdl, base, length, rest, FALSE),
                 STATUS_SUCCESS);
    made.ops->FreeAdapterChannel(made.adapter);
    CHECK_MACHINE(made.machine);
}

/* MapTransfer tells how much it mapped to a scatter/gather device alone, and a page is not cut. */
TEST(map_transfer_falls_short_with_scatter_gather_only) {
    for (int gathers = 0; gathers < 2; gathers++) {
        wdm made = wdm_open(gathers != 0, true);
        seen channel;
        PVOID base = channel_get(&made, 4, KeepObject, &channel);
        PVOID start = MmGetMdlVirtualAddress(made.mdl);
        plan_below(made.machine, WDFDMA_FAULT_MAP, 1);
        ULONG length = 1000;
        made.ops->MapTransfer(made.adapter, made.mdl, base, start, &length, FALSE);
        CHECK_EQUAL(length, 1000);
        CHECK(made.ops->FlushAdapterBuffers(made.adapter, made.mdl, base, start, length, FALSE));
        CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
        length = BUFFER_BYTES; /* four pages */
        made.ops->MapTransfer(made.adapter, made.mdl, base, start, &length, FALSE);
        CHECK_EQUAL(length, gathers ? 2 * WORLD_PAGE - 100 : BUFFER_BYTES);
        CHECK(made.ops->FlushAdapterBuffers(made.adapter, made.mdl, base, start, length, FALSE));
        CHECK_EQUAL(plan_get(made.machine, 0).met, gathers);
        made.ops->FreeAdapterChannel(made.adapter);
        CHECK_MACHINE(made.machine);
    }
}

/* The framework takes what was mapped for the fragment, and stages the rest after it. */
TEST(a_packet_transaction_goes_on_with_the_rest) {
    for (int bounces = 0; bounces < 2; bounces++) {
        wdfdma_machine_config config = world_config(16);
        config.force_map_registers = bounces != 0;
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        PMDL mdl = world_mdl(made.machine, 512, 4 * WORLD_PAGE, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        world_seen told = {0};
        NTSTATUS status;
        plan_below(made.machine, WDFDMA_FAULT_MAP, 1);
        CHECK_STATUS(
            world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 4 * WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
        uint64_t first = 2 * WORLD_PAGE - 512;
        CHECK_EQUAL(told.list[0].Length, first);
        CHECK_EQUAL(world_info(transaction).transfer_length, first);
        CHECK_EQUAL(world_info(transaction).remaining, 4 * WORLD_PAGE - first);
        CHECK_MACHINE(made.machine);
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
        CHECK_EQUAL(told.programmed, 2);
        CHECK_EQUAL(told.list[0].Length, 4 * WORLD_PAGE - first);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).bytes_transferred, 4 * WORLD_PAGE);
        CHECK_EQUAL(world_free_registers(made.machine), 16);
        CHECK_MACHINE(made.machine);
    }
}

/* Under single transfer there is no next one. */
TEST(a_single_transfer_that_falls_short_fails) {
    world made =
        world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket,
                                         .version = 3,
                                         .flags = WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    NTSTATUS status;
    plan_below(made.machine, WDFDMA_FAULT_MAP, 1);
    CHECK_STATUS(
        world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_WDF_TOO_MANY_TRANSFERS);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
}

/* MapTransfer of version 2, lists, and what lies in one page map all or nothing. */
TEST(what_maps_all_or_nothing_is_not_counted) {
    static const world_profile profiles[] = {{.profile = WdfDmaProfilePacket, .version = 2},
                                             {.profile = WdfDmaProfileScatterGather, .version = 3},
                                             {.profile = WdfDmaProfilePacket, .version = 3}};
    for (size_t i = 0; i < 3; i++) {
        world made = world_open(NULL, profiles[i]);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        plan_below(made.machine, WDFDMA_FAULT_MAP, 1);
        CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0,
                                      i == 2 ? WORLD_PAGE : 2 * WORLD_PAGE),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).remaining, 0);
        CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
    }
}

HARNESS_MAIN(ENTRY(every_routine_has_a_name_and_an_op_that_documents_its_statuses),
             ENTRY(what_is_no_fault_of_a_routine_is_refused),
             ENTRY(the_routine_named_fails_once_and_no_other),
             ENTRY(an_op_counts_all_of_its_routines), ENTRY(a_context_is_not_allocated),
             ENTRY(an_mdl_is_not_retrieved), ENTRY(a_common_buffer_is_not_made_with_its_config),
             ENTRY(map_transfer_ex_tells_how_much_it_mapped),
             ENTRY(map_transfer_falls_short_with_scatter_gather_only),
             ENTRY(a_packet_transaction_goes_on_with_the_rest),
             ENTRY(a_single_transfer_that_falls_short_fails),
             ENTRY(what_maps_all_or_nothing_is_not_counted))
