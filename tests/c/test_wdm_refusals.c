/* Each routine of a WDM driver's adapter on no adapter, at a wrong IRQL, and on a machine that has
 * halted: what it answers, what the violation says, and that nothing is written. */
#include "dma_rules.h"

/* Nothing of it is written by a call that is refused. */
typedef struct given {
    wdm wdm;
    PDMA_ADAPTER adapter;
    PVOID base;
    PMDL target;
    PSCATTER_GATHER_LIST list;
    PHYSICAL_ADDRESS logical;
    ULONG length;
    ULONG registers;
    DMA_ADAPTER_INFO info;
    DMA_TRANSFER_INFO transfer;
    seen seen;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    uint64_t room[32];
} given;

#define OPS (of->wdm.adapter->DmaOperations)
#define ON of->adapter, of->wdm.object
#define START MmGetMdlVirtualAddress(of->wdm.mdl)

static bool is_unsuccessful(NTSTATUS status) {
    return status == STATUS_UNSUCCESSFUL;
}

/* ---- Calls: true where the answer is as it should be ---- */

static bool call_put_adapter(given *of) {
    OPS->PutDmaAdapter(of->adapter);
    return true;
}

static bool call_allocate_buffer(given *of) {
    return OPS->AllocateCommonBuffer(of->adapter, SOME, &of->logical, TRUE) == NULL;
}

static bool call_allocate_buffer_ex(given *of) {
    return OPS->AllocateCommonBufferEx(of->adapter, NULL, SOME, &of->logical, TRUE, 0) == NULL;
}

static bool call_free_buffer(given *of) {
    OPS->FreeCommonBuffer(of->adapter, SOME, of->logical, of->room, TRUE);
    return true;
}

static bool call_allocate_channel(given *of) {
    return is_unsuccessful(OPS->AllocateAdapterChannel(ON, 1, on_control, &of->seen));
}

static bool call_allocate_channel_ex(given *of) {
    return is_unsuccessful(OPS->AllocateAdapterChannelEx(
        ON, of->context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &of->base));
}

static bool call_free_channel(given *of) {
    OPS->FreeAdapterChannel(of->adapter);
    return true;
}

static bool call_free_registers(given *of) {
    OPS->FreeMapRegisters(of->adapter, of->base, 1);
    return true;
}

static bool call_free_object(given *of) {
    OPS->FreeAdapterObject(of->adapter, DeallocateObject);
    return true;
}

static bool call_cancel_channel(given *of) {
    return OPS->CancelAdapterChannel(ON, of->context) == FALSE;
}

static bool call_configure_channel(given *of) {
    return is_unsuccessful(OPS->ConfigureAdapterChannel(of->adapter, 0, NULL));
}

static bool call_initialize_context(given *of) {
    return is_unsuccessful(OPS->InitializeDmaTransferContext(of->adapter, of->context));
}

static bool call_cancel_mapped(given *of) {
    return is_unsuccessful(OPS->CancelMappedTransfer(of->adapter, of->context));
}

static bool call_map(given *of) {
    return OPS->MapTransfer(of->adapter, of->wdm.mdl, NULL, START, &of->length, TRUE).QuadPart == 0;
}

static bool call_map_ex(given *of) {
    return is_unsuccessful(OPS->MapTransferEx(of->adapter, of->wdm.mdl, NULL, 0, 0, &of->length,
                                              TRUE, (PSCATTER_GATHER_LIST)(void *)of->room,
                                              sizeof of->room, NULL, NULL));
}

static bool call_flush(given *of) {
    return OPS->FlushAdapterBuffers(of->adapter, of->wdm.mdl, NULL, START, SOME, TRUE) == FALSE;
}

static bool call_flush_ex(given *of) {
    return is_unsuccessful(
        OPS->FlushAdapterBuffersEx(of->adapter, of->wdm.mdl, NULL, 0, SOME, TRUE));
}

static bool call_get_list(given *of) {
    return is_unsuccessful(
        OPS->GetScatterGatherList(ON, of->wdm.mdl, START, SOME, on_list, &of->seen, TRUE));
}

static bool call_get_list_ex(given *of) {
    return is_unsuccessful(OPS->GetScatterGatherListEx(ON, of->context, of->wdm.mdl, 0, SOME,
                                                       DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, TRUE,
                                                       NULL, NULL, &of->list));
}

static bool call_build_list(given *of) {
    return is_unsuccessful(OPS->BuildScatterGatherList(ON, of->wdm.mdl, START, SOME, on_list,
                                                       &of->seen, TRUE, of->room, sizeof of->room));
}

static bool call_build_list_ex(given *of) {
    return is_unsuccessful(OPS->BuildScatterGatherListEx(
        ON, of->context, of->wdm.mdl, 0, SOME, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, TRUE, of->room,
        sizeof of->room, NULL, NULL, &of->list));
}

static bool call_put_list(given *of) {
    OPS->PutScatterGatherList(of->adapter, of->list, TRUE);
    return true;
}

static bool call_calculate(given *of) {
    return is_unsuccessful(OPS->CalculateScatterGatherList(of->adapter, NULL, NULL, SOME,
                                                           &of->length, &of->registers));
}

static bool call_build_mdl(given *of) {
    return is_unsuccessful(
        OPS->BuildMdlFromScatterGatherList(of->adapter, of->list, of->wdm.mdl, &of->target));
}

static bool call_info(given *of) {
    return is_unsuccessful(OPS->GetDmaAdapterInfo(of->adapter, &of->info));
}

static bool call_transfer_info(given *of) {
    return is_unsuccessful(
        OPS->GetDmaTransferInfo(of->adapter, of->wdm.mdl, 0, SOME, TRUE, &of->transfer));
}

static bool call_alignment(given *of) {
    return OPS->GetDmaAlignment(of->adapter) == 0;
}

static bool call_counter(given *of) {
    return OPS->ReadDmaCounter(of->adapter) == 0;
}

typedef enum level {
    MOST,  /* up to DISPATCH_LEVEL */
    EXACT, /* at DISPATCH_LEVEL */
    LEAST  /* at PASSIVE_LEVEL */
} level;

static const struct {
    bool (*call)(given *of);
    uint32_t routine;
    level level;
} calls[] = {
    {call_put_adapter, WDFDMA_ROUTINE_PUT_DMA_ADAPTER, MOST},
    {call_allocate_buffer, WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER, LEAST},
    {call_allocate_buffer_ex, WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER_EX, LEAST},
    {call_free_buffer, WDFDMA_ROUTINE_FREE_COMMON_BUFFER, LEAST},
    {call_allocate_channel, WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL, EXACT},
    {call_allocate_channel_ex, WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX, MOST},
    {call_free_channel, WDFDMA_ROUTINE_FREE_ADAPTER_CHANNEL, EXACT},
    {call_free_registers, WDFDMA_ROUTINE_FREE_MAP_REGISTERS, EXACT},
    {call_free_object, WDFDMA_ROUTINE_FREE_ADAPTER_OBJECT, MOST},
    {call_cancel_channel, WDFDMA_ROUTINE_CANCEL_ADAPTER_CHANNEL, MOST},
    {call_configure_channel, WDFDMA_ROUTINE_CONFIGURE_ADAPTER_CHANNEL, MOST},
    {call_initialize_context, WDFDMA_ROUTINE_INITIALIZE_DMA_TRANSFER_CONTEXT, MOST},
    {call_cancel_mapped, WDFDMA_ROUTINE_CANCEL_MAPPED_TRANSFER, MOST},
    {call_map, WDFDMA_ROUTINE_MAP_TRANSFER, MOST},
    {call_map_ex, WDFDMA_ROUTINE_MAP_TRANSFER_EX, MOST},
    {call_flush, WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS, MOST},
    {call_flush_ex, WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS_EX, MOST},
    {call_get_list, WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST, EXACT},
    {call_get_list_ex, WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST_EX, MOST},
    {call_build_list, WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST, EXACT},
    {call_build_list_ex, WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST_EX, MOST},
    {call_put_list, WDFDMA_ROUTINE_PUT_SCATTER_GATHER_LIST, EXACT},
    {call_calculate, WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST, MOST},
    {call_build_mdl, WDFDMA_ROUTINE_BUILD_MDL_FROM_SCATTER_GATHER_LIST, MOST},
    {call_info, WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO, MOST},
    {call_transfer_info, WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO, MOST},
    {call_alignment, WDFDMA_ROUTINE_GET_DMA_ALIGNMENT, LEAST},
    {call_counter, WDFDMA_ROUTINE_READ_DMA_COUNTER, MOST},
};
enum {
    CALL_COUNT = sizeof calls / sizeof *calls
};

/* ---- What is refused ---- */

static void given_open(given *out) {
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(true, false);
    out->logical.QuadPart = 7;
    out->length = SOME;
    out->registers = SOME;
    out->base = out;
    out->info.Version = DMA_ADAPTER_INFO_VERSION1;
    out->transfer.Version = DMA_TRANSFER_INFO_VERSION1;
}

/* The call is refused: nothing has changed but that a violation is there, the [count]-th. MapTransfer
 * says that nothing is mapped. */
static const wdfdma_violation *given_refuse(given *of, size_t call, size_t count) {
    static const wdfdma_violation none;
    const wdfdma_machine_state *state = wdfdma_machine_get_state(of->wdm.machine);
    wdfdma_machine_state stood = *state;
    given before;
    size_t kept = 0;
    memcpy(&before, of, sizeof before);
    CHECK(calls[call].call(of));
    of->length = of->length == 0 && calls[call].call == call_map ? SOME : of->length;
    CHECK_BYTES(of, &before, sizeof before);
    states_compare(&stood, state);
    CHECK_EQUAL(state->op, WDFDMA_OP_NONE);
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->wdm.machine, &kept);
    return CHECK_EQUAL(kept, count) && kept != 0 ? &list[kept - 1] : &none;
}

TEST(no_adapter_is_refused) {
    given made;
    given_open(&made);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
        STATUS_SUCCESS);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        const wdfdma_violation *told = given_refuse(&made, i, i + 1);
        CHECK_EQUAL(told->rule, WDFDMA_RULE_DMA_19);
        CHECK_EQUAL(told->op, WDFDMA_OP_ADAPTER_CALL);
        CHECK_EQUAL(told->routine, calls[i].routine);
        CHECK_EQUAL(told->handle, 0);
        for (int at = 1; at < 4; at++) {
            CHECK_EQUAL(told->parameters[at], 0);
        }
    }
}

TEST(a_wrong_level_is_refused) {
    for (uint32_t irql = PASSIVE_LEVEL; irql <= DISPATCH_LEVEL + 1; irql++) {
        given made;
        size_t count = 0;
        WDFOBJECT handle = NULL;
        given_open(&made);
        made.adapter = made.wdm.adapter;
        wdfdma_machine_copy_objects(made.wdm.machine, WDFDMA_OBJECT_ADAPTER, &handle, 1);
        wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
        wdfdma_machine_set_irql(made.wdm.machine, irql);
        for (size_t i = 0; i < CALL_COUNT; i++) {
            bool exact = calls[i].level == EXACT;
            uint32_t expected = calls[i].level == LEAST ? PASSIVE_LEVEL : DISPATCH_LEVEL;
            if (exact ? irql == expected : irql <= expected) {
                continue;
            }
            const wdfdma_violation *told = given_refuse(&made, i, ++count);
            CHECK_EQUAL(told->rule, WDFDMA_RULE_DMA_13);
            CHECK_EQUAL(told->routine, calls[i].routine);
            CHECK_EQUAL(told->handle, (uintptr_t)handle);
            CHECK_EQUAL(told->parameters[1], exact ? 1 : 2);
            CHECK_EQUAL(told->parameters[2], expected);
            CHECK_EQUAL(told->parameters[3], irql);
        }
        CHECK(irql == DISPATCH_LEVEL ? count == 4 : count >= 6);
        wdfdma_machine_set_irql(made.wdm.machine, PASSIVE_LEVEL);
        harness_machine_end(made.wdm.machine);
    }
}

/* No more violations come of a machine that has halted. */
TEST(a_halted_machine_answers_no) {
    given made;
    given_open(&made);
    made.adapter = made.wdm.adapter;
    wdfdma_machine_halt(made.wdm.machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        given_refuse(&made, i, 0);
    }
}

HARNESS_MAIN(ENTRY(no_adapter_is_refused), ENTRY(a_wrong_level_is_refused),
             ENTRY(a_halted_machine_answers_no))
