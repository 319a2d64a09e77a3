/* The end of a transfer: WdfDmaTransactionDmaCompleted and its kin, Cancel, and what is given
 * back. */
#include "coverage.h"

enum {
    ZERO_COMPLETIONS_MANY = 3 /* the first may be a device's hiccup, the second a retry */
};

typedef enum completion_kind {
    COMPLETE_FULL,
    COMPLETE_PARTIAL,
    COMPLETE_FINAL
} completion_kind;

void transaction_give_back(wdfdma_machine *machine, transaction *item, bool force) {
    if (item->is_scatter_gather) {
        gather_give_back(machine, item);
    } else {
        packet_give_back(machine, item, force);
    }
}

/* Ends the mapping of the transfer. */
static void transfer_end(wdfdma_machine *machine, transaction *item) {
    if (!item->is_scatter_gather) {
        packet_flush(machine, item);
    } else if (item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
    } else {
        gather_put(machine, item);
    }
}

static BOOLEAN transaction_finish(wdfdma_machine *machine, transaction *item, NTSTATUS status) {
    uint64_t handle = item->base.head.handle;
    item->state =
        NT_SUCCESS(status) ? WDFDMA_STATE_TRANSFER_COMPLETED : WDFDMA_STATE_TRANSFER_FAILED;
    transaction_forget_hold(machine, item);
    transaction_give_back(machine, item, false);
    if (transaction_is_alive(machine, item, handle)) {
        item->fragment = 0;
    }
    return TRUE;
}

static NTSTATUS transaction_stage(wdfdma_machine *machine, transaction *item) {
    return item->is_scatter_gather ? gather_stage(machine, item) : packet_stage(machine, item);
}

/* Takes the length into account; false where it is above the transfer's. */
static bool length_count(transaction *item, completion_kind kind, size_t length) {
    if (kind == COMPLETE_FULL) {
        item->transferred += item->fragment;
        item->zero_completions = 0;
        return true;
    }
    if (length > item->fragment) {
        return false;
    }
    item->zero_completions =
        length == 0 && kind == COMPLETE_PARTIAL
            ? (uint8_t)(item->zero_completions + (item->zero_completions < UINT8_MAX))
            : 0;
    item->transferred += length;
    item->remaining += item->fragment - length;
    item->fragment = length;
    return true;
}

static BOOLEAN transfer_complete(wdfdma_machine *machine, transaction *item, completion_kind kind,
                                 size_t length, NTSTATUS *status) {
    uint64_t handle = item->base.head.handle;
    if (!length_count(item, kind, length)) {
        verifier_break(machine, &item->base.head);
        if (machine->state.halted) {
            return FALSE;
        }
        *status = STATUS_INVALID_PARAMETER;
        return transaction_finish(machine, item, *status);
    }
    *status = STATUS_SUCCESS;
    if (UNLIKELY(item->zero_completions == ZERO_COMPLETIONS_MANY)) {
        verifier_rule_with(machine, WDFDMA_RULE_ZERO_LENGTH_LIVELOCK, handle,
                           item->zero_completions, 0, &item->base.head);
        if (machine->state.halted) {
            return TRUE;
        }
    }
    if (UNLIKELY(item->transferred > item->length)) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return TRUE;
    }
    transfer_end(machine, item);
    if (UNLIKELY(!transaction_is_alive(machine, item, handle))) {
        return TRUE;
    }
    if (item->remaining != 0 && item->hindrances.single_transfer && item->is_version_3) {
        *status = STATUS_WDF_TOO_MANY_TRANSFERS;
    } else if (item->remaining != 0 && kind != COMPLETE_FINAL) {
        *status = transaction_stage(machine, item);
        if (NT_SUCCESS(*status)) {
            *status = STATUS_MORE_PROCESSING_REQUIRED;
            return FALSE;
        }
        if (!transaction_is_alive(machine, item, handle)) {
            return TRUE;
        }
    }
    return transaction_finish(machine, item, *status);
}

static COLD void completion_record(wdfdma_machine *machine, uint32_t label, BOOLEAN returned,
                                   NTSTATUS status) {
    coverage_answer(machine, (uint32_t)status);
    wdfdma_log_record *record = log_append(machine, WDFDMA_RECORD_OP, machine->state.op, label);
    if (record != NULL) {
        record->status = status;
        record->values[0] = returned;
    }
}

static BOOLEAN leave_with(const ddi_call *call, uint32_t label, BOOLEAN returned, NTSTATUS status,
                          NTSTATUS *out) {
    wdfdma_machine *machine = call->machine;
    if (UNLIKELY(machine->state.halted)) {
        status = STATUS_UNSUCCESSFUL;
        returned = FALSE;
    } else if (UNLIKELY(machine->attention != 0)) {
        completion_record(machine, label, returned, status);
    }
    ddi_leave(call);
    *out = status;
    return returned;
}

static BOOLEAN dma_completed(WDFDMATRANSACTION handle, completion_kind kind, size_t length,
                             NTSTATUS *out) {
    static const wdfdma_op ops[] = {WDFDMA_OP_DMA_COMPLETED, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH,
                                    WDFDMA_OP_DMA_COMPLETED_FINAL};
    ddi_call call;
    NTSTATUS unwanted;
    NTSTATUS *status = out == NULL ? &unwanted : out;
    transaction *item =
        (transaction *)ddi_enter(&call, handle, WDFDMA_OBJECT_TRANSACTION, ops[kind]);
    if (item == NULL) {
        *status = STATUS_UNSUCCESSFUL;
        return FALSE;
    }
    journal_call_with(call.machine, item->base.head.handle, length);
    uint32_t label = item->base.head.label;
    NTSTATUS result = STATUS_UNSUCCESSFUL;
    BOOLEAN returned = FALSE;
    if (out == NULL) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0,
                               &item->base.head);
    } else if (UNLIKELY(item->state != WDFDMA_STATE_TRANSFER)) {
        transaction_bugcheck(call.machine, item);
    } else {
        returned = transfer_complete(call.machine, item, kind, length, &result);
    }
    return leave_with(&call, label, returned, result, status);
}

BOOLEAN complete_in_full(WDFDMATRANSACTION handle, NTSTATUS *status) {
    SITE_NOTE_KEPT(handle, WDFDMA_OP_DMA_COMPLETED);
    return dma_completed(handle, COMPLETE_FULL, 0, status);
}

BOOLEAN WdfDmaTransactionDmaCompletedWithLength(WDFDMATRANSACTION DmaTransaction,
                                                size_t TransferredLength, NTSTATUS *Status) {
    SITE_NOTE(DmaTransaction, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH);
    return dma_completed(DmaTransaction, COMPLETE_PARTIAL, TransferredLength, Status);
}

BOOLEAN WdfDmaTransactionDmaCompletedFinal(WDFDMATRANSACTION DmaTransaction,
                                           size_t FinalTransferredLength, NTSTATUS *Status) {
    SITE_NOTE(DmaTransaction, WDFDMA_OP_DMA_COMPLETED_FINAL);
    return dma_completed(DmaTransaction, COMPLETE_FINAL, FinalTransferredLength, Status);
}

static bool transaction_cancel(wdfdma_machine *machine, transaction *item) {
    if (!item->is_version_3) {
        verifier_break(machine, &item->base.head);
        return false;
    }
    if (item->state == WDFDMA_STATE_CREATED || item->state == WDFDMA_STATE_RELEASED) {
        transaction_bugcheck(machine, item);
        return false;
    }
    if (item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
        return false;
    }
    uint64_t handle = item->base.head.handle;
    bool cancelled = item->is_scatter_gather ? gather_cancel(machine, item)
                                             : channel_cancel(machine, &item->hal.packet.request);
    if (cancelled && transaction_is_alive(machine, item, handle)) {
        item->state = WDFDMA_STATE_TRANSFER_FAILED;
        transaction_forget_hold(machine, item);
        if (item->reserved != 0 && !item->holds_base) {
            verifier_rule_with(machine, WDFDMA_RULE_CANCELLED_RESERVATION_KEPT, handle,
                               item->reserved, 0, &item->base.head);
        }
    }
    return cancelled;
}

BOOLEAN WdfDmaTransactionCancel(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_CANCEL);
    if (item == NULL) {
        return FALSE;
    }
    journal_call(call.machine, item->base.head.handle);
    uint32_t label = item->base.head.label;
    bool cancelled = transaction_cancel(call.machine, item) && !call.machine->state.halted;
    ddi_leave_values(&call, label, cancelled, 0);
    return cancelled;
}
