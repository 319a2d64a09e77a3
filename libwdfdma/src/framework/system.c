/* What only system transactions do: configure their channel, hear of the controller's
 * completions, stop. */
#include "coverage.h"
#include "hal/device.h"

void system_context_initialize(wdfdma_machine *machine, transaction *item) {
    transfer_context *context = &item->hal.packet.system.context;
    if (context->mapped) {
        verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &item->base.head);
        return;
    }
    transfer_context_initialize(context);
}

/* EvtDmaTransactionConfigureDmaChannel; what it returned. */
bool system_configure(wdfdma_machine *machine, transaction *item, uint64_t offset,
                      uint64_t length) {
    const system_part *part = &item->hal.packet.system;
    callback_frame frame;
    if (!callback_enter(machine, &frame, &item->base.head, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL,
                        DISPATCH_LEVEL)) {
        return false;
    }
    wdfdma_log_record *record =
        log_append(machine, WDFDMA_RECORD_EVENT, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL, frame.label);
    if (record != NULL) {
        record->values[0] = offset;
        record->values[1] = length;
    }
    callback_tell(machine, item, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL);
    BOOLEAN go_on =
        part->configure((WDFDMATRANSACTION)(uintptr_t)item->base.head.handle,
                        (WDFDEVICE)(uintptr_t)item->enabler->device->base.head.handle,
                        part->configure_context, item->mdl, (size_t)offset, (size_t)length);
    callback_leave(&frame);
    if (!go_on) {
        journal_mark(machine, WDFDMA_JOURNAL_ANSWER, false, 0);
        coverage_goal(machine, GOAL_CONFIGURE_REFUSED);
    }
    return go_on != FALSE;
}

/* EvtDmaTransactionDmaTransferComplete, if it is set. */
void system_transfer_complete(wdfdma_machine *machine, transaction *item,
                              DMA_COMPLETION_STATUS status) {
    const system_part *part = &item->hal.packet.system;
    callback_frame frame;
    if (part->complete == NULL ||
        !callback_enter(machine, &frame, &item->base.head, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE,
                        DISPATCH_LEVEL)) {
        return;
    }
    wdfdma_log_record *record =
        log_append(machine, WDFDMA_RECORD_EVENT, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, frame.label);
    if (record != NULL) {
        record->values[0] = item->direction;
        record->values[1] = status;
    }
    callback_tell(machine, item, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE);
    part->complete((WDFDMATRANSACTION)(uintptr_t)item->base.head.handle,
                   (WDFDEVICE)(uintptr_t)item->enabler->device->base.head.handle,
                   part->complete_context, (WDF_DMA_DIRECTION)item->direction, status);
    callback_leave(&frame);
}

/* The HAL's completion routine. Inside EvtProgramDma it is kept until that returns. */
static void context_complete(wdfdma_machine *machine, transfer_context *context,
                             DMA_COMPLETION_STATUS status) {
    transaction *item = (transaction *)(void *)((uint8_t *)context -
                                                offsetof(transaction, hal.packet.system.context));
    if (item->hindrances.programming) {
        item->hindrances.completion_due = true;
        item->due_status = (uint8_t)status;
        return;
    }
    system_transfer_complete(machine, item, status);
}

void system_transfer_start(transaction *item, uint64_t length) {
    system_part *part = &item->hal.packet.system;
    part->context.complete = part->complete == NULL ? NULL : context_complete;
    transfer_start(item->adapter, &part->context, length);
}

void WdfDmaTransactionStopSystemTransfer(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_STOP_SYSTEM_TRANSFER);
    if (item == NULL) {
        return;
    }
    wdfdma_machine *machine = call.machine;
    journal_call(machine, item->base.head.handle);
    uint32_t label = item->base.head.label;
    if (!item->is_system) {
        verifier_break(machine, &item->base.head);
    } else if (item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
    } else {
        uint64_t handle = item->base.head.handle;
        item->hindrances.stopped = true;
        NTSTATUS status = transfer_cancel(machine, &item->hal.packet.system.context);
        if (!NT_SUCCESS(status) && machine->config.verifier &&
            transaction_is_alive(machine, item, handle)) {
            transaction_bugcheck(machine, item);
        }
    }
    ddi_leave_values(&call, label, 0, 0);
}

bool wdfdma_enabler_complete_transfer(WDFDMAENABLER handle, WDF_DMA_DIRECTION direction) {
    ddi_call call;
    enabler *of =
        (enabler *)ddi_enter(&call, handle, WDFDMA_OBJECT_ENABLER, WDFDMA_OP_COMPLETE_TRANSFER);
    if (of == NULL) {
        return false;
    }
    uint32_t label = of->base.head.label;
    journal_call_with(call.machine, of->base.head.handle, (uint64_t)direction);
    adapter *by = direction_is_valid(direction) ? of->adapters[direction] : NULL;
    bool ran = of->is_system && by != NULL && controller_complete_or_fail(call.machine, by);
    ran = ran && !call.machine->state.halted;
    ddi_leave_values(&call, label, ran, (uint64_t)direction);
    return ran;
}
