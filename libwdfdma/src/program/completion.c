/* The completions of a program: its driver stands in its device's interrupt then, so that an injected
 * fault may make the device tell of more, of less, of nothing, late or twice. */
#include "program.h"

static void completion_call(WDFDMATRANSACTION handle, uint32_t op, size_t length) {
    NTSTATUS status;
    if (op == WDFDMA_OP_DMA_COMPLETED) {
        WdfDmaTransactionDmaCompleted(handle, &status);
    } else if (op == WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH) {
        WdfDmaTransactionDmaCompletedWithLength(handle, length, &status);
    } else {
        WdfDmaTransactionDmaCompletedFinal(handle, length, &status);
    }
}

static const actor *actor_of(const wdfdma_machine *machine, uint64_t number) {
    const uint64_t *found = table_find(&machine->interpreter->actors, number);
    return found == NULL ? NULL : (const actor *)(uintptr_t)*found;
}

/* For the transaction that has the number by then, if one has. */
static void completion_come(wdfdma_machine *machine, const late_move *late) {
    const actor *who = actor_of(machine, late->address);
    if (who != NULL) {
        completion_call(who->handle, late->op, (size_t)late->length);
    }
}

/* The transaction, where a device transfers for it; NULL where the step is the driver's mistake. */
static const transaction *transfer_find(const wdfdma_machine *machine, WDFDMATRANSACTION handle) {
    const transaction *item =
        (const transaction *)object_find(machine, (uint64_t)(uintptr_t)handle);
    bool transfers = item != NULL && item->base.head.type == WDFDMA_OBJECT_TRANSACTION &&
                     item->base.head.kind == 0 && item->state == WDFDMA_STATE_TRANSFER &&
                     !transaction_is_waiting(item);
    return transfers ? item : NULL;
}

/* What the driver calls when it reads another length in the device's register. */
static uint32_t op_with_length(uint32_t op) {
    return op == WDFDMA_OP_DMA_COMPLETED ? WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH : op;
}

static void completion_fail(wdfdma_machine *machine, const actor *who, uint32_t op, size_t length) {
    const transaction *item = transfer_find(machine, who->handle);
    if (item == NULL) {
        completion_call(who->handle, op, length);
        return;
    }
    uint64_t number = who->number;
    uint64_t fragment = item->fragment;
    const late_move late = {.make = completion_come, .op = op, .address = number, .length = length};
    switch (device_behave(machine, op, BEHAVIOURS_ALL)) {
    case WDFDMA_DEVICE_SHORT:
        length = op == WDFDMA_OP_DMA_COMPLETED ? (size_t)fragment : length;
        completion_call(who->handle, op_with_length(op), length / 2);
        break;
    case WDFDMA_DEVICE_SILENT:
        break;
    case WDFDMA_DEVICE_LATE:
        late_add(machine, &late, NULL);
        break;
    case WDFDMA_DEVICE_TWICE:
        completion_call(who->handle, op, length);
        if (!machine->state.halted) {
            completion_come(machine, &late);
        }
        break;
    case WDFDMA_DEVICE_WRONG:
        completion_call(who->handle, op_with_length(op), (size_t)fragment + 1);
        break;
    default:
        completion_call(who->handle, op, length);
        break;
    }
}

void completion_step(wdfdma_machine *machine, const actor *who, WDFDMATRANSACTION handle,
                     const program_step *step) {
    size_t length = step->op == WDFDMA_OP_DMA_COMPLETED ? 0 : (size_t)step->values[1];
    if (faults_are_planned(machine) && handle == who->handle) {
        completion_fail(machine, who, step->op, length);
    } else {
        completion_call(handle, step->op, length);
    }
}
