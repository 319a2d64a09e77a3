/* The routines that faults can name, one by one, where their op stands for several.
 *
 * A routine stands here if its page of the driver documentation has it fail though its arguments
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
