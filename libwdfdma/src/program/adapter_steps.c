/* The table of a WDM driver's steps, and what they have in common: names, routines, records. */
#include "adapter_steps.h"

#define BITS_MOST UINT8_MAX
#define ADAPTER {"adapter", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define BASE {"base", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define CONTEXT {"context", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define LIST {"list", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define COMMON_BUFFER {"common_buffer", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define ENABLER {"enabler", WDFDMA_OPERAND_ENABLER, UINT32_MAX}
#define BUFFER {"buffer", WDFDMA_OPERAND_BUFFER, UINT32_MAX}
#define DIRECTION {"direction", WDFDMA_OPERAND_DIRECTION, 1}
#define LENGTH {"length", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define OFFSET {"offset", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define ADDRESS_OFFSET {"offset", WDFDMA_OPERAND_SIGNED, UINT32_MAX}
#define COMMON_LENGTH {"length", WDFDMA_OPERAND_NUMBER, COMMON_BYTES_MOST}
#define ROOM {"room", WDFDMA_OPERAND_NUMBER, ROOM_BYTES_MOST}
#define REGISTERS {"map_registers", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define SYNCHRONOUS {"synchronous", WDFDMA_OPERAND_BOOLEAN, 1}
#define ACTION {"action", WDFDMA_OPERAND_ACTION, DeallocateObjectKeepRegisters - 1}
#define DO {"do", WDFDMA_OPERAND_STEPS, UINT32_MAX}

#define STATUS WDFDMA_RESULT_STATUS
#define NUMBER WDFDMA_RESULT_NUMBER
#define BOOLEAN_RESULT WDFDMA_RESULT_BOOLEAN
#define ADDRESS WDFDMA_RESULT_ADDRESS
#define RANGE BASE, BUFFER

enum {
    FIRST = WDFDMA_OP_IO_GET_DMA_ADAPTER,
    COUNT = WDFDMA_OP_UNLOCK_PAGES - FIRST + 1,
    COMMON_BYTES_MOST = 1 << 24,
    ROOM_BYTES_MOST = 1 << 16
};

#define ENTRY(op, name, count, results, ...) \
    [WDFDMA_OP_##op - FIRST] = {name, count, results, {__VA_ARGS__}}
static const wdfdma_operation operations[COUNT] = {
    ENTRY(IO_GET_DMA_ADAPTER, "io_get_dma_adapter", 5, BOOLEAN_RESULT, ADAPTER,
          {"scatter_gather", WDFDMA_OPERAND_BOOLEAN, 1},
          {"maximum_length", WDFDMA_OPERAND_NUMBER, UINT32_MAX},
          {"address_width", WDFDMA_OPERAND_NUMBER, BITS_MOST},
          {"version", WDFDMA_OPERAND_NUMBER, BITS_MOST}),
    ENTRY(WDM_GET_DMA_ADAPTER, "wdm_get_dma_adapter", 3, BOOLEAN_RESULT, ADAPTER, ENABLER,
          DIRECTION),
    ENTRY(PUT_DMA_ADAPTER, "put_dma_adapter", 1, 0, ADAPTER),
    ENTRY(GET_DMA_ALIGNMENT, "get_dma_alignment", 1, NUMBER, ADAPTER),
    ENTRY(READ_DMA_COUNTER, "read_dma_counter", 1, NUMBER, ADAPTER),
    ENTRY(GET_DMA_ADAPTER_INFO, "get_dma_adapter_info", 1, STATUS, ADAPTER),
    ENTRY(GET_DMA_TRANSFER_INFO, "get_dma_transfer_info", 5, STATUS | WDFDMA_RESULT_TWO_NUMBERS,
          ADAPTER, BUFFER, OFFSET, LENGTH, DIRECTION),
    ENTRY(ALLOCATE_COMMON_BUFFER, "allocate_common_buffer", 3, ADDRESS, ADAPTER, COMMON_BUFFER,
          COMMON_LENGTH),
    ENTRY(ALLOCATE_COMMON_BUFFER_EX, "allocate_common_buffer_ex", 4, ADDRESS, ADAPTER,
          COMMON_BUFFER, COMMON_LENGTH, {"maximum_address", WDFDMA_OPERAND_NUMBER, INT64_MAX}),
    ENTRY(WRITE_COMMON_BUFFER, "write_common_buffer", 3, 0, COMMON_BUFFER, ADDRESS_OFFSET, LENGTH),
    ENTRY(FREE_COMMON_BUFFER, "free_common_buffer", 3, 0, ADAPTER, COMMON_BUFFER, LENGTH),
    ENTRY(INITIALIZE_DMA_TRANSFER_CONTEXT, "initialize_dma_transfer_context", 2, STATUS, ADAPTER,
          CONTEXT),
    ENTRY(ALLOCATE_ADAPTER_CHANNEL, "allocate_adapter_channel", 5, STATUS, ADAPTER, BASE, REGISTERS,
          ACTION, DO),
    ENTRY(ALLOCATE_ADAPTER_CHANNEL_EX, "allocate_adapter_channel_ex", 7, STATUS, ADAPTER, BASE,
          REGISTERS, CONTEXT, SYNCHRONOUS, ACTION, DO),
    ENTRY(CANCEL_ADAPTER_CHANNEL, "cancel_adapter_channel", 2, BOOLEAN_RESULT, ADAPTER, CONTEXT),
    ENTRY(CONFIGURE_ADAPTER_CHANNEL, "configure_adapter_channel", 1, STATUS, ADAPTER),
    ENTRY(FREE_ADAPTER_CHANNEL, "free_adapter_channel", 1, 0, ADAPTER),
    ENTRY(FREE_ADAPTER_OBJECT, "free_adapter_object", 2, 0, ADAPTER, ACTION),
    ENTRY(FREE_MAP_REGISTERS, "free_map_registers", 3, 0, ADAPTER, BASE, REGISTERS),
    ENTRY(MAP_TRANSFER, "map_transfer", 6, ADDRESS, ADAPTER, RANGE, ADDRESS_OFFSET, LENGTH,
          DIRECTION),
    ENTRY(MAP_TRANSFER_EX, "map_transfer_ex", 7, STATUS | ADDRESS, ADAPTER, RANGE, OFFSET, LENGTH,
          DIRECTION, DO),
    ENTRY(CANCEL_MAPPED_TRANSFER, "cancel_mapped_transfer", 2, STATUS, ADAPTER, CONTEXT),
    ENTRY(FLUSH_ADAPTER_BUFFERS, "flush_adapter_buffers", 6, BOOLEAN_RESULT, ADAPTER, RANGE,
          ADDRESS_OFFSET, LENGTH, DIRECTION),
    ENTRY(FLUSH_ADAPTER_BUFFERS_EX, "flush_adapter_buffers_ex", 6, STATUS, ADAPTER, RANGE, OFFSET,
          LENGTH, DIRECTION),
    ENTRY(GET_SCATTER_GATHER_LIST, "get_scatter_gather_list", 7, STATUS, ADAPTER, LIST, BUFFER,
          ADDRESS_OFFSET, LENGTH, DIRECTION, DO),
    ENTRY(GET_SCATTER_GATHER_LIST_EX, "get_scatter_gather_list_ex", 9, STATUS, ADAPTER, LIST,
          BUFFER, OFFSET, LENGTH, DIRECTION, CONTEXT, SYNCHRONOUS, DO),
    ENTRY(BUILD_SCATTER_GATHER_LIST, "build_scatter_gather_list", 8, STATUS, ADAPTER, LIST, BUFFER,
          ADDRESS_OFFSET, LENGTH, DIRECTION, ROOM, DO),
    ENTRY(BUILD_SCATTER_GATHER_LIST_EX, "build_scatter_gather_list_ex", 10, STATUS, ADAPTER, LIST,
          BUFFER, OFFSET, LENGTH, DIRECTION, ROOM, CONTEXT, SYNCHRONOUS, DO),
    ENTRY(PUT_SCATTER_GATHER_LIST, "put_scatter_gather_list", 3, 0, ADAPTER, LIST, DIRECTION),
    ENTRY(CALCULATE_SCATTER_GATHER_LIST, "calculate_scatter_gather_list", 4, STATUS | NUMBER,
          ADAPTER, BUFFER, ADDRESS_OFFSET, LENGTH),
    ENTRY(BUILD_MDL_FROM_SCATTER_GATHER_LIST, "build_mdl_from_scatter_gather_list", 3, STATUS,
          ADAPTER, LIST, BUFFER),
    ENTRY(UNLOCK_PAGES, "unlock_pages", 1, 0, BUFFER),
};
#undef ENTRY

#define ENTRY(op, name) [WDFDMA_OP_##op - FIRST] = call_##name
static void (*const calls[COUNT])(adapter_call *of) = {
    ENTRY(IO_GET_DMA_ADAPTER, io_get_dma_adapter),
    ENTRY(WDM_GET_DMA_ADAPTER, wdm_get_dma_adapter),
    ENTRY(PUT_DMA_ADAPTER, put_dma_adapter),
    ENTRY(GET_DMA_ALIGNMENT, get_dma_alignment),
    ENTRY(READ_DMA_COUNTER, read_dma_counter),
    ENTRY(GET_DMA_ADAPTER_INFO, get_dma_adapter_info),
    ENTRY(GET_DMA_TRANSFER_INFO, get_dma_transfer_info),
    ENTRY(ALLOCATE_COMMON_BUFFER, allocate_common_buffer),
    ENTRY(ALLOCATE_COMMON_BUFFER_EX, allocate_common_buffer_ex),
    ENTRY(WRITE_COMMON_BUFFER, write_common_buffer),
    ENTRY(FREE_COMMON_BUFFER, free_common_buffer),
    ENTRY(INITIALIZE_DMA_TRANSFER_CONTEXT, initialize_dma_transfer_context),
    ENTRY(ALLOCATE_ADAPTER_CHANNEL, allocate_adapter_channel),
    ENTRY(ALLOCATE_ADAPTER_CHANNEL_EX, allocate_adapter_channel_ex),
    ENTRY(CANCEL_ADAPTER_CHANNEL, cancel_adapter_channel),
    ENTRY(CONFIGURE_ADAPTER_CHANNEL, configure_adapter_channel),
    ENTRY(FREE_ADAPTER_CHANNEL, free_adapter_channel),
    ENTRY(FREE_ADAPTER_OBJECT, free_adapter_object),
    ENTRY(FREE_MAP_REGISTERS, free_map_registers),
    ENTRY(MAP_TRANSFER, map_transfer),
    ENTRY(MAP_TRANSFER_EX, map_transfer_ex),
    ENTRY(CANCEL_MAPPED_TRANSFER, cancel_mapped_transfer),
    ENTRY(FLUSH_ADAPTER_BUFFERS, flush_adapter_buffers),
    ENTRY(FLUSH_ADAPTER_BUFFERS_EX, flush_adapter_buffers_ex),
    ENTRY(GET_SCATTER_GATHER_LIST, get_scatter_gather_list),
    ENTRY(GET_SCATTER_GATHER_LIST_EX, get_scatter_gather_list_ex),
    ENTRY(BUILD_SCATTER_GATHER_LIST, build_scatter_gather_list),
    ENTRY(BUILD_SCATTER_GATHER_LIST_EX, build_scatter_gather_list_ex),
    ENTRY(PUT_SCATTER_GATHER_LIST, put_scatter_gather_list),
    ENTRY(CALCULATE_SCATTER_GATHER_LIST, calculate_scatter_gather_list),
    ENTRY(BUILD_MDL_FROM_SCATTER_GATHER_LIST, build_mdl_from_scatter_gather_list),
    ENTRY(UNLOCK_PAGES, unlock_pages),
};

void *block_create(const adapter_call *of, size_t bytes) {
    uint64_t countdown = failures_suspend(of->machine);
    void *made = data_allocate(of->machine, bytes, NULL);
    failures_resume(of->machine, countdown);
    if (made == NULL) {
        program_fail(of->run, WDFDMA_PROGRAM_NO_MEMORY, of->step->offset, 0);
    }
    return made;
}

uint64_t *name_find(const adapter_call *of, name_kind kind, uint32_t index) {
    uint64_t *found = table_find(&of->run->names[kind], of->values[index]);
    if (found == NULL) {
        program_fail(of->run, WDFDMA_PROGRAM_NOT_CREATED, of->step->offsets[index],
                     of->values[index]);
    }
    return found;
}

uint64_t *name_get(const adapter_call *of, name_kind kind, uint32_t index) {
    table *names = &of->run->names[kind];
    uint64_t number = of->values[index];
    uint64_t countdown = failures_suspend(of->machine);
    bool made = table_find(names, number) != NULL || table_put(of->machine, names, number, 0);
    failures_resume(of->machine, countdown);
    if (!made) {
        program_fail(of->run, WDFDMA_PROGRAM_NO_MEMORY, of->step->offset, 0);
    }
    return made ? table_find(names, number) : NULL;
}

void *name_get_block(const adapter_call *of, name_kind kind, uint32_t index, size_t bytes) {
    uint64_t *name = name_get(of, kind, index);
    if (name != NULL && *name == 0) {
        *name = (uint64_t)(uintptr_t)block_create(of, bytes);
    }
    return name == NULL ? NULL : (void *)(uintptr_t)*name;
}

PVOID context_get(const adapter_call *of, uint32_t index) {
    return name_get_block(of, NAME_CONTEXT, index, DMA_TRANSFER_CONTEXT_SIZE_V1);
}

driver_routine *routine_create(const adapter_call *of, uint32_t name_index) {
    driver_routine *made = block_create(of, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    const wdfdma_operation *operation = &operations[of->step->op - FIRST];
    uint32_t before_body = operation->operand_count - 2;
    bool answers = operation->operands[before_body].kind == WDFDMA_OPERAND_ACTION;
    *made = (driver_routine){.machine = of->machine,
                             .run = of->run,
                             .name = of->values[name_index],
                             .begin = of->step->body_begin,
                             .end = of->step->body_end,
                             .action = KeepObject};
    if (answers) {
        made->action = (IO_ALLOCATION_ACTION)(of->values[before_body] + KeepObject);
    }
    return made;
}

PVOID address_get(PMDL mdl, uint64_t offset) {
    return (PVOID)((uintptr_t)MmGetMdlVirtualAddress(mdl) + (uintptr_t)offset);
}

/* Whether the step has the adapter that it is called on, if it is called on one. */
static bool adapter_find(adapter_call *of) {
    const wdfdma_operand *operand = &operations[of->step->op - FIRST].operands[0];
    bool makes = of->step->op <= WDFDMA_OP_WDM_GET_DMA_ADAPTER;
    if (makes || operand->kind != WDFDMA_OPERAND_NAMED ||
        of->step->op == WDFDMA_OP_WRITE_COMMON_BUFFER) {
        return true;
    }
    const uint64_t *found = name_find(of, NAME_ADAPTER, 0);
    of->adapter = found == NULL ? NULL : (PDMA_ADAPTER)(uintptr_t)*found;
    return found != NULL;
}

static void adapter_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    adapter_call made = {.machine = machine, .run = run, .step = step, .values = step->values};
    if (!adapter_find(&made)) {
        return;
    }
    calls[step->op - FIRST](&made);
    wdfdma_log_record *record = run->result.rule == WDFDMA_PROGRAM_OK
                                    ? step_record(machine, step, (uint32_t)step->values[0])
                                    : NULL;
    if (record != NULL) {
        record->status = made.status;
        record->values[0] = made.first;
        record->values[1] = made.second;
    }
}

const step_family adapter_steps = {
    .first = FIRST, .count = COUNT, .operations = operations, .run = adapter_step_run};
