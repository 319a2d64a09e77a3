/* Transactions: made, deleted, executed, released, asked and told. The state table is
 * docs/spec/framework.md. */
#include "framework.h"

void transaction_refuse(wdfdma_machine *machine, const transaction *item) {
    if (item->state == WDFDMA_STATE_TRANSFER_FAILED) {
        verifier_rule(machine, WDFDMA_RULE_STATUS_IGNORED, &item->base.head);
    }
    transaction_bugcheck(machine, item);
}

void transaction_bugcheck(wdfdma_machine *machine, const transaction *item) {
    verifier_wdf_violation(machine, WDFDMA_WDF_DMA_FATAL_ERROR, item->base.head.handle, item->state,
                           &item->base.head);
}

void transaction_reset(transaction *item) {
    item->mdl = NULL;
    item->cursor = NULL;
    item->cursor_handle = 0;
    item->cursor_offset = 0;
    item->offset = 0;
    item->length = 0;
    item->transferred = 0;
    item->remaining = 0;
    item->fragment = 0;
    item->maximum_fragment = 0;
    item->program_dma = NULL;
    item->reserve_dma = NULL;
    item->context = NULL;
    item->life++;
    item->zero_completions = 0;
    if (UNLIKELY(item->immediate)) {
        item->immediate = false;
        item->hindrances.immediate_lost = true;
    }
    if (UNLIKELY(item->hindrances.single_transfer != item->enabler->single_transfer)) {
        item->hindrances.single_transfer = !item->hindrances.single_transfer;
    }
}

void immediate_loss_tell(wdfdma_machine *machine, transaction *item) {
    if (item->hindrances.immediate_lost) {
        item->hindrances.immediate_lost = false;
        verifier_rule(machine, WDFDMA_RULE_IMMEDIATE_LOST, &item->base.head);
    }
}

void transaction_hold_request(wdfdma_machine *machine, transaction *item) {
    wdf_request *held =
        item->request == 0 ? NULL : (wdf_request *)object_find(machine, item->request);
    if (held != NULL) {
        held->dma_references++;
        item->hindrances.holds_request = true;
        if (held->completed) {
            verifier_rule_with(machine, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER,
                               held->base.head.handle, item->base.head.handle, 0, &held->base.head);
        }
    }
}

/* A request that is held cannot be destroyed, but for with its device: then there is nothing to
 * give back. */
void transaction_forget_hold(wdfdma_machine *machine, transaction *item) {
    if (item->hindrances.holds_request) {
        wdf_request *held = (wdf_request *)object_find(machine, item->request);
        item->hindrances.holds_request = false;
        if (held != NULL) {
            held->dma_references--;
        }
    }
}

bool transaction_is_waiting(const transaction *item) {
    if (item->is_scatter_gather) {
        return gather_is_waiting(item);
    }
    return item->hal.packet.request.waiting != WDFDMA_WAITING_NOT;
}

/* The verifier is off: a real machine gives back what the device still uses. True where this one
 * does so too. */
static bool transfer_may_go(wdfdma_machine *machine, const transaction *item) {
    if (item->state == WDFDMA_STATE_TRANSFER && item->map.live) {
        verifier_rule(machine, WDFDMA_RULE_RELEASED_IN_TRANSFER, &item->base.head);
    }
    return !machine->state.halted;
}

void transaction_release(wdfdma_machine *machine, transaction *item) {
    if (item->state == WDFDMA_STATE_RELEASED) {
        return;
    }
    uint64_t handle = item->base.head.handle;
    if (!transfer_may_go(machine, item)) {
        return;
    }
    transaction_forget_hold(machine, item);
    item->state = WDFDMA_STATE_RELEASED;
    transaction_give_back(machine, item, false);
    if (transaction_is_alive(machine, item, handle)) {
        item->request = 0;
        transaction_reset(item);
        reservation_keep(machine, item);
    }
}

static NTSTATUS transaction_create(wdfdma_machine *machine, enabler *of,
                                   PWDF_OBJECT_ATTRIBUTES attributes, WDFDMATRANSACTION *out) {
    fx_object *made = NULL;
    NTSTATUS status = STATUS_SUCCESS;
    fx_object *parent = &of->base;
    if (attributes != NULL && attributes->ParentObject != NULL) {
        const object *given = object_find(machine, (uint64_t)(uintptr_t)attributes->ParentObject);
        if (given == NULL || given->kind != 0) {
            verifier_wdf_violation(machine, WDFDMA_WDF_INVALID_HANDLE,
                                   (uint64_t)(uintptr_t)attributes->ParentObject, 0, NULL);
            return STATUS_UNSUCCESSFUL;
        }
        /* Its life must end with its enabler's: any other parent is refused. */
        if (given != &of->base.head) {
            return STATUS_INVALID_DEVICE_REQUEST;
        }
    }
    if (fault_hits_call(machine, 0, &status)) {
        return status;
    }
    status = fx_create(machine, WDFDMA_OBJECT_TRANSACTION, sizeof(transaction), parent, attributes,
                       &made);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    transaction *item = (transaction *)made;
    item->enabler = of;
    item->is_system = of->is_system;
    item->is_scatter_gather = of->is_scatter_gather;
    item->is_version_3 = of->version == 3;
    item->hal.packet.request.context = item; /* a list's request begins at the same place */
    item->base_register = NO_REGISTER;
    item->map.first_register = NO_REGISTER;
    item->state = WDFDMA_STATE_CREATED;
    item->hindrances.single_transfer = of->single_transfer;
    *out = (WDFDMATRANSACTION)(uintptr_t)made->head.handle;
    journal_made(machine, &made->head);
    return STATUS_SUCCESS;
}

NTSTATUS WdfDmaTransactionCreate(WDFDMAENABLER DmaEnabler, PWDF_OBJECT_ATTRIBUTES Attributes,
                                 WDFDMATRANSACTION *DmaTransaction) {
    SITE_NOTE(DmaEnabler, WDFDMA_OP_CREATE);
    ddi_call call;
    enabler *of = (enabler *)ddi_enter(&call, DmaEnabler, WDFDMA_OBJECT_ENABLER, WDFDMA_OP_CREATE);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = call.machine;
    uint32_t label = machine->label_given ? machine->next_label
                                          : machine->slots[WDFDMA_OBJECT_TRANSACTION].next_label;
    journal_call_with(machine, of->base.head.handle, label);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    if (DmaTransaction == NULL) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, NULL);
    } else {
        status = transaction_create(machine, of, Attributes, DmaTransaction);
    }
    return ddi_leave_status(&call, label, status);
}

/* Ends a transaction in WdfObjectDelete, or as the child of what is deleted. */
void transaction_end(wdfdma_machine *machine, transaction *gone) {
    if (gone->state == WDFDMA_STATE_TRANSFER && machine->config.verifier) {
        transaction_bugcheck(machine, gone);
        return;
    }
    if (!transfer_may_go(machine, gone)) {
        return;
    }
    transaction_forget_hold(machine, gone);
    transaction_give_back(machine, gone, true);
    if (machine->state.halted) {
        return;
    }
    gone->state = WDFDMA_STATE_DELETED;
    mapping_end(machine, &gone->map);
    data_free(machine, gone->wdm_context);
    gone->wdm_context = NULL;
    gone->request = 0;
    if (gone->is_scatter_gather) {
        gather_buffer_free(machine, gone);
    }
}

static transaction *transaction_enter(ddi_call *call, WDFDMATRANSACTION handle, wdfdma_op op) {
    return (transaction *)ddi_enter(call, handle, WDFDMA_OBJECT_TRANSACTION, op);
}

static NTSTATUS transaction_start(wdfdma_machine *machine, transaction *item) {
    if (item->is_scatter_gather) {
        return gather_stage(machine, item);
    }
    return packet_start(machine, item);
}

static NTSTATUS transaction_execute(wdfdma_machine *machine, transaction *item,
                                    WDFCONTEXT context) {
    if (item->state != WDFDMA_STATE_INITIALIZED) {
        transaction_refuse(machine, item);
        return STATUS_UNSUCCESSFUL;
    }
    immediate_loss_tell(machine, item);
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    uint64_t handle = item->base.head.handle;
    item->state = WDFDMA_STATE_TRANSFER;
    item->context = context;
    transaction_hold_request(machine, item);
    NTSTATUS status =
        machine->state.halted ? STATUS_UNSUCCESSFUL : transaction_start(machine, item);
    if (!NT_SUCCESS(status) && transaction_is_alive(machine, item, handle)) {
        item->state = WDFDMA_STATE_TRANSFER_FAILED;
        transaction_forget_hold(machine, item);
    }
    return status;
}

NTSTATUS execute_in_full(WDFDMATRANSACTION handle, WDFCONTEXT context) {
    SITE_NOTE_KEPT(handle, WDFDMA_OP_EXECUTE);
    ddi_call call;
    transaction *item = transaction_enter(&call, handle, WDFDMA_OP_EXECUTE);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_call(call.machine, item->base.head.handle);
    uint32_t label = item->base.head.label;
    NTSTATUS status = transaction_execute(call.machine, item, context);
    return ddi_leave_status(&call, label, status);
}

NTSTATUS release_in_full(WDFDMATRANSACTION handle) {
    SITE_NOTE_KEPT(handle, WDFDMA_OP_RELEASE);
    ddi_call call;
    transaction *item = transaction_enter(&call, handle, WDFDMA_OP_RELEASE);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_call(call.machine, item->base.head.handle);
    uint32_t label = item->base.head.label;
    if (item->state == WDFDMA_STATE_TRANSFER && call.machine->config.verifier) {
        transaction_bugcheck(call.machine, item);
    } else {
        transaction_release(call.machine, item);
    }
    return ddi_leave_status(&call, label, STATUS_SUCCESS);
}

size_t WdfDmaTransactionGetBytesTransferred(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_GET_BYTES_TRANSFERRED);
    if (item == NULL) {
        return 0;
    }
    journal_call(call.machine, item->base.head.handle);
    size_t bytes = (size_t)item->transferred;
    ddi_leave_values(&call, item->base.head.label, bytes, 0);
    return bytes;
}

size_t WdfDmaTransactionGetCurrentDmaTransferLength(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item =
        transaction_enter(&call, DmaTransaction, WDFDMA_OP_GET_CURRENT_DMA_TRANSFER_LENGTH);
    if (item == NULL) {
        return 0;
    }
    journal_call(call.machine, item->base.head.handle);
    size_t bytes = (size_t)item->fragment;
    ddi_leave_values(&call, item->base.head.label, bytes, 0);
    return bytes;
}

void WdfDmaTransactionSetMaximumLength(WDFDMATRANSACTION DmaTransaction, size_t MaximumLength) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_MAXIMUM_LENGTH);
    if (item == NULL) {
        return;
    }
    journal_call_with(call.machine, item->base.head.handle, MaximumLength);
    if (item->adapter == NULL) {
        verifier_rule(call.machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
    } else if (MaximumLength < item->adapter->fragment_length) {
        item->maximum_fragment = MaximumLength;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

/* What only version 3 has, or only a system profile: a break otherwise. */
static bool call_is_for(wdfdma_machine *machine, const transaction *item, bool has) {
    if (!has) {
        verifier_break(machine, &item->base.head);
    }
    return has;
}

void WdfDmaTransactionSetSingleTransferRequirement(WDFDMATRANSACTION DmaTransaction,
                                                   BOOLEAN RequireSingleTransfer) {
    ddi_call call;
    transaction *item =
        transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT);
    if (item == NULL) {
        return;
    }
    journal_call_with(call.machine, item->base.head.handle, RequireSingleTransfer != FALSE);
    bool legal = item->is_version_3 &&
                 (item->state == WDFDMA_STATE_CREATED || item->state == WDFDMA_STATE_RELEASED ||
                  item->state == WDFDMA_STATE_RESERVED);
    if (call_is_for(call.machine, item, legal)) {
        item->hindrances.single_transfer = RequireSingleTransfer != FALSE;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

void WdfDmaTransactionSetImmediateExecution(WDFDMATRANSACTION DmaTransaction,
                                            BOOLEAN UseImmediateExecution) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_IMMEDIATE_EXECUTION);
    if (item == NULL) {
        return;
    }
    journal_call_with(call.machine, item->base.head.handle, UseImmediateExecution != FALSE);
    if (call_is_for(call.machine, item, item->is_version_3)) {
        bool legal = item->state == WDFDMA_STATE_CREATED ||
                     item->state == WDFDMA_STATE_INITIALIZED ||
                     item->state == WDFDMA_STATE_RELEASED;
        call_is_for(call.machine, item, legal);
        item->immediate = UseImmediateExecution != FALSE;
        item->hindrances.immediate_lost = false;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

void WdfDmaTransactionSetDeviceAddressOffset(WDFDMATRANSACTION DmaTransaction, ULONG Offset) {
    ddi_call call;
    transaction *item =
        transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_DEVICE_ADDRESS_OFFSET);
    if (item == NULL) {
        return;
    }
    journal_call_with(call.machine, item->base.head.handle, Offset);
    if (call_is_for(call.machine, item, item->is_system)) {
        item->hal.packet.system.device_address_offset = Offset;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

void WdfDmaTransactionSetChannelConfigurationCallback(
    WDFDMATRANSACTION DmaTransaction,
    PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL ConfigureRoutine, PVOID ConfigureContext) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_CALLBACK);
    if (item == NULL) {
        return;
    }
    journal_call_with_two(call.machine, item->base.head.handle, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL,
                          ConfigureRoutine != NULL);
    if (call_is_for(call.machine, item, item->is_system)) {
        item->hal.packet.system.configure = ConfigureRoutine;
        item->hal.packet.system.configure_context = ConfigureContext;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

void WdfDmaTransactionSetTransferCompleteCallback(
    WDFDMATRANSACTION DmaTransaction,
    PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE DmaCompletionRoutine,
    PVOID DmaCompletionContext) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_SET_CALLBACK);
    if (item == NULL) {
        return;
    }
    journal_call_with_two(call.machine, item->base.head.handle, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE,
                          DmaCompletionRoutine != NULL);
    if (call_is_for(call.machine, item, item->is_system)) {
        item->hal.packet.system.complete = DmaCompletionRoutine;
        item->hal.packet.system.complete_context = DmaCompletionContext;
    }
    ddi_leave_values(&call, item->base.head.label, 0, 0);
}

WDFREQUEST WdfDmaTransactionGetRequest(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_TRANSACTION_CALL);
    if (item == NULL) {
        return NULL;
    }
    bool lives = item->request != 0 && object_find(call.machine, item->request) != NULL;
    ddi_leave(&call);
    return lives ? (WDFREQUEST)(uintptr_t)item->request : NULL;
}

WDFDEVICE WdfDmaTransactionGetDevice(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_TRANSACTION_CALL);
    if (item == NULL) {
        return NULL;
    }
    ddi_leave(&call);
    return (WDFDEVICE)fx_get_handle(&item->enabler->device->base);
}

/* Memory of the driver's: what it writes there concerns nobody. */
static PVOID wdm_context_get(wdfdma_machine *machine, transaction *item) {
    if (item->wdm_context == NULL) {
        item->wdm_context = data_allocate(machine, DMA_TRANSFER_CONTEXT_SIZE_V1, NULL);
    }
    if (item->is_system) {
        item->hal.packet.system.context.given = item->wdm_context;
    }
    return item->wdm_context;
}

PVOID WdfDmaTransactionWdmGetTransferContext(WDFDMATRANSACTION DmaTransaction) {
    ddi_call call;
    transaction *item = transaction_enter(&call, DmaTransaction, WDFDMA_OP_TRANSACTION_CALL);
    if (item == NULL) {
        return NULL;
    }
    bool legal = item->is_version_3 && item->state != WDFDMA_STATE_CREATED &&
                 item->state != WDFDMA_STATE_RELEASED;
    PVOID context =
        call_is_for(call.machine, item, legal) ? wdm_context_get(call.machine, item) : NULL;
    ddi_leave(&call);
    return context;
}
