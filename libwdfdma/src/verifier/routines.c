/* The routines that faults and records can name, one by one, where their op stands for several.
 *
 * A routine has statuses if its page of the driver documentation has it fail though its arguments
 * are right. So these do not: FlushAdapterBuffersEx and InitializeDmaTransferContext fail for
 * their arguments alone; CancelAdapterChannel and CancelMappedTransfer answer what was the case;
 * BuildMdlFromScatterGatherList and ConfigureAdapterChannel always fail here; an adapter that is
 * not made has a kind of its own (WDFDMA_FAULT_ADAPTER). A routine that gives
 * NULL has the status that says why. */
#include "faults.h"

static const NTSTATUS no_resources[] = {STATUS_INSUFFICIENT_RESOURCES};
/* The version of the structure asked for. */
static const NTSTATUS no_support[] = {STATUS_NOT_SUPPORTED};

#define FAILS(name, op, statuses) {name, op, sizeof(statuses) / sizeof *(statuses), statuses}

#define NAMED(name) {name, WDFDMA_OP_ADAPTER_CALL, 0, NULL}

static const wdfdma_routine_info routines[WDFDMA_ROUTINE_COUNT] = {
    [WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER] =
        FAILS("AllocateCommonBuffer", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER_EX] =
        FAILS("AllocateCommonBufferEx", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL] =
        FAILS("AllocateAdapterChannel", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX] =
        FAILS("AllocateAdapterChannelEx", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST] =
        FAILS("GetScatterGatherList", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST_EX] =
        FAILS("GetScatterGatherListEx", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST] =
        FAILS("BuildScatterGatherList", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST_EX] =
        FAILS("BuildScatterGatherListEx", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST] =
        FAILS("CalculateScatterGatherList", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO] =
        FAILS("GetDmaAdapterInfo", WDFDMA_OP_ADAPTER_CALL, no_support),
    [WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO] =
        FAILS("GetDmaTransferInfo", WDFDMA_OP_ADAPTER_CALL, no_support),
    [WDFDMA_ROUTINE_MAP_TRANSFER_EX] = FAILS("MapTransferEx", WDFDMA_OP_ADAPTER_CALL, no_resources),
    [WDFDMA_ROUTINE_RETRIEVE_INPUT_WDM_MDL] =
        FAILS("WdfRequestRetrieveInputWdmMdl", WDFDMA_OP_REQUEST_CALL, no_resources),
    [WDFDMA_ROUTINE_RETRIEVE_OUTPUT_WDM_MDL] =
        FAILS("WdfRequestRetrieveOutputWdmMdl", WDFDMA_OP_REQUEST_CALL, no_resources),
    [WDFDMA_ROUTINE_OBJECT_ALLOCATE_CONTEXT] =
        FAILS("WdfObjectAllocateContext", WDFDMA_OP_OBJECT_CALL, no_resources),
    [WDFDMA_ROUTINE_COMMON_BUFFER_CREATE] =
        FAILS("WdfCommonBufferCreate", WDFDMA_OP_COMMON_BUFFER_CREATE, no_resources),
    [WDFDMA_ROUTINE_COMMON_BUFFER_CREATE_WITH_CONFIG] =
        FAILS("WdfCommonBufferCreateWithConfig", WDFDMA_OP_COMMON_BUFFER_CREATE, no_resources),
    [WDFDMA_ROUTINE_PUT_DMA_ADAPTER] = NAMED("PutDmaAdapter"),
    [WDFDMA_ROUTINE_FREE_COMMON_BUFFER] = NAMED("FreeCommonBuffer"),
    [WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS] = NAMED("FlushAdapterBuffers"),
    [WDFDMA_ROUTINE_FREE_ADAPTER_CHANNEL] = NAMED("FreeAdapterChannel"),
    [WDFDMA_ROUTINE_FREE_MAP_REGISTERS] = NAMED("FreeMapRegisters"),
    [WDFDMA_ROUTINE_MAP_TRANSFER] = NAMED("MapTransfer"),
    [WDFDMA_ROUTINE_GET_DMA_ALIGNMENT] = NAMED("GetDmaAlignment"),
    [WDFDMA_ROUTINE_READ_DMA_COUNTER] = NAMED("ReadDmaCounter"),
    [WDFDMA_ROUTINE_PUT_SCATTER_GATHER_LIST] = NAMED("PutScatterGatherList"),
    [WDFDMA_ROUTINE_BUILD_MDL_FROM_SCATTER_GATHER_LIST] = NAMED("BuildMdlFromScatterGatherList"),
    [WDFDMA_ROUTINE_INITIALIZE_DMA_TRANSFER_CONTEXT] = NAMED("InitializeDmaTransferContext"),
    [WDFDMA_ROUTINE_CONFIGURE_ADAPTER_CHANNEL] = NAMED("ConfigureAdapterChannel"),
    [WDFDMA_ROUTINE_CANCEL_ADAPTER_CHANNEL] = NAMED("CancelAdapterChannel"),
    [WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS_EX] = NAMED("FlushAdapterBuffersEx"),
    [WDFDMA_ROUTINE_FREE_ADAPTER_OBJECT] = NAMED("FreeAdapterObject"),
    [WDFDMA_ROUTINE_CANCEL_MAPPED_TRANSFER] = NAMED("CancelMappedTransfer"),
    [WDFDMA_ROUTINE_IO_GET_DMA_ADAPTER] = NAMED("IoGetDmaAdapter"),
};

const wdfdma_routine_info *wdfdma_fault_get_routine(uint32_t routine) {
    bool known = routine < WDFDMA_ROUTINE_COUNT && routines[routine].name != NULL;
    return known ? &routines[routine] : NULL;
}

bool routine_may_fail(uint32_t routine, NTSTATUS status) {
    const wdfdma_routine_info *info = wdfdma_fault_get_routine(routine);
    for (uint32_t i = 0; info != NULL && i < info->status_count; i++) {
        if (info->statuses[i] == status) {
            return true;
        }
    }
    return false;
}
