/* The calls that a case makes fail: as the plan of faults has them, each once. */
#include "workload.h"

typedef struct failing_call {
    const char *name;
    uint32_t kind; /* wdfdma_fault_kind */
    uint32_t op;
} failing_call;

static const failing_call CALLS[] = {
    {"WdfDmaTransactionExecute", WDFDMA_FAULT_CALL, WDFDMA_OP_EXECUTE},
    {"WdfDmaTransactionInitialize", WDFDMA_FAULT_CALL, WDFDMA_OP_INITIALIZE},
    {"WdfDmaTransactionInitializeUsingRequest", WDFDMA_FAULT_CALL,
     WDFDMA_OP_INITIALIZE_USING_REQUEST},
    {"WdfDmaTransactionDmaCompleted", WDFDMA_FAULT_CALL, WDFDMA_OP_DMA_COMPLETED},
    {"WdfDmaTransactionDmaCompletedWithLength", WDFDMA_FAULT_CALL,
     WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH},
    {"WdfDmaTransactionAllocateResources", WDFDMA_FAULT_CALL, WDFDMA_OP_ALLOCATE_RESOURCES},
    {"the grant of map registers", WDFDMA_FAULT_GRANT, 0},
    {"a mapping, for half of its pages,", WDFDMA_FAULT_MAP, 0},
};

const char *fault_name(uint32_t kind) {
    return CALLS[kind % COUNT_OF(CALLS)].name;
}

void fault_inject(workload *run, const case_move *move) {
    const failing_call *call = &CALLS[move->values[0] % COUNT_OF(CALLS)];
    wdfdma_fault fault = {.kind = call->kind, .op = call->op, .nth = 1 + move->values[2] % 4u};
    if (call->kind == WDFDMA_FAULT_CALL) {
        size_t count = 0;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(call->op, &count);
        if (count == 0) {
            return;
        }
        fault.status = statuses[move->values[1] % count];
    }
    if (NT_SUCCESS(wdfdma_machine_add_fault(run->machine, &fault))) {
        run->faulted = true;
    }
}
