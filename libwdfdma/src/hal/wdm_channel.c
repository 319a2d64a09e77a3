/* Channels, map registers and transfer contexts as a WDM driver asks for them. */
#include "wdm_front.h"

adapter *wdm_enter(wdm_call *entered, PDMA_ADAPTER given) {
    wdfdma_machine *machine = wdfdma_machine_current();
    if (machine == NULL || machine->state.halted) {
        return NULL;
    }
    uintptr_t offset = (uintptr_t)given - offsetof(adapter, wdm) -
                       (uintptr_t)machine->regions[REGION_OBJECTS].base;
    bool inside = offset < machine->regions[REGION_OBJECTS].used_bytes;
    object *found =
        inside && offset % OBJECT_UNIT_BYTES == 0
            ? object_at(machine, (uint32_t)(offset / OBJECT_UNIT_BYTES), WDFDMA_OBJECT_ADAPTER)
            : NULL;
    ddi_begin(&entered->call, machine, WDFDMA_OP_ADAPTER_CALL);
    if (found == NULL) {
        verifier_rule(machine, WDFDMA_RULE_INVALID_ADAPTER, NULL);
        ddi_leave(&entered->call);
        return NULL;
    }
    entered->by = (adapter *)found;
    return entered->by;
}

PVOID base_to_wdm(uint32_t base) {
    return base == NO_REGISTER
               ? NULL
               : (PVOID)(uintptr_t)(REGISTERS_ADDRESS + (uint64_t)base * PAGE_BYTES);
}

bool base_from_wdm(wdfdma_machine *machine, PVOID given, uint32_t *base, uint32_t *count) {
    uint64_t index = ((uint64_t)(uintptr_t)given - REGISTERS_ADDRESS) / PAGE_BYTES;
    *base = NO_REGISTER;
    *count = 0;
    if (given == NULL) {
        return true;
    }
    if ((uintptr_t)given % PAGE_BYTES != 0 || index >= machine->config.map_registers) {
        return false;
    }
    *base = (uint32_t)index;
    *count = pool_get_run(machine, *base);
    return *count != 0;
}

wdm_context *wdm_context_find(wdfdma_machine *machine, PVOID given) {
    const uint64_t *found = table_find(&hal_of(machine)->wdm_contexts, (uint64_t)(uintptr_t)given);
    return found == NULL ? NULL : (wdm_context *)(uintptr_t)*found;
}

static void transfer_is_complete(wdfdma_machine *machine, transfer_context *transfer,
                                 DMA_COMPLETION_STATUS status) {
    const wdm_context *context = (const wdm_context *)(const void *)transfer;
    callback_frame frame;
    if (context->routine != NULL &&
        callback_enter(machine, &frame, 0, WDFDMA_EVENT_COUNT, DISPATCH_LEVEL)) {
        context->routine(&context->by->wdm, context->device, context->routine_context, status);
        callback_leave(&frame);
    }
}

wdm_context *wdm_context_get(wdfdma_machine *machine, PVOID given) {
    wdm_context *found = wdm_context_find(machine, given);
    if (found != NULL || given == NULL) {
        return found;
    }
    wdm_context *made = data_allocate(machine, sizeof *made, NULL);
    if (made == NULL || !table_put(machine, &hal_of(machine)->wdm_contexts,
                                   (uint64_t)(uintptr_t)given, (uint64_t)(uintptr_t)made)) {
        data_free(machine, made);
        return NULL;
    }
    made->transfer.complete = transfer_is_complete;
    made->transfer.given = given;
    return made;
}

void wdm_context_drop(wdfdma_machine *machine, wdm_context *unused) {
    bool used = unused == NULL || unused->users != 0 || unused->waiting != NULL ||
                unused->owns_channel || unused->transfer.mapped || unused->transfer.cancelled;
    if (!used) {
        table_remove(&hal_of(machine)->wdm_contexts, (uint64_t)(uintptr_t)unused->transfer.given);
        data_free(machine, unused);
    }
}

void wdm_context_release(wdfdma_machine *machine, wdm_context *by) {
    if (by != NULL) {
        by->users--;
        wdm_context_drop(machine, by);
    }
}

NTSTATUS wdm_initialize_dma_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext) {
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter) == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_context *context = wdm_context_find(machine, DmaTransferContext);
    NTSTATUS status = STATUS_SUCCESS;
    if (DmaTransferContext == NULL) {
        status = STATUS_INVALID_PARAMETER;
    } else if (context != NULL && (context->transfer.mapped || context->waiting != NULL)) {
        verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &entered.by->head);
        status = STATUS_UNSUCCESSFUL;
    } else if (context != NULL) {
        transfer_context_initialize(&context->transfer);
        wdm_context_drop(machine, context);
    }
    wdm_leave(&entered);
    return status;
}

static IO_ALLOCATION_ACTION control_call(wdfdma_machine *machine, wdm_request *asked) {
    callback_frame frame;
    if (asked->control == NULL ||
        !callback_enter(machine, &frame, 0, WDFDMA_EVENT_COUNT, DISPATCH_LEVEL)) {
        return KeepObject;
    }
    IO_ALLOCATION_ACTION action =
        asked->control(asked->device, NULL, base_to_wdm(asked->granted_base), asked->context);
    callback_leave(&frame);
    return action;
}

static void request_forget(wdm_request *asked) {
    if (asked->transfer != NULL && asked->transfer->waiting == asked) {
        asked->transfer->waiting = NULL;
    }
}

/* The channel's owner lives on where the driver keeps the channel. */
static IO_ALLOCATION_ACTION channel_is_granted(wdfdma_machine *machine, hal_request *granted) {
    wdm_request *asked = (wdm_request *)(void *)granted;
    adapter *by = granted->adapter;
    request_forget(asked);
    asked->granted = true;
    asked->granted_base = granted->base;
    IO_ALLOCATION_ACTION action = control_call(machine, asked);
    if (machine->state.halted) {
        return action;
    }
    if (action == KeepObject && by->channel == granted) {
        by->wdm_owner = asked;
        if (asked->transfer != NULL) {
            asked->transfer->owns_channel = true;
        }
    } else {
        wdm_context_release(machine, asked->transfer);
        data_free(machine, asked);
    }
    return action;
}

static NTSTATUS channel_ask(wdfdma_machine *machine, wdm_request *asked, bool synchronous) {
    asked->list.request.routine = channel_is_granted;
    NTSTATUS status =
        channel_allocate(machine, &asked->list.request, channel_is_granted, synchronous);
    if (!NT_SUCCESS(status)) {
        request_forget(asked);
        wdm_context_release(machine, asked->transfer);
        data_free(machine, asked);
    }
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

static wdm_request *channel_request_create(wdfdma_machine *machine, adapter *by, ULONG registers) {
    wdm_request *asked = data_allocate(machine, sizeof *asked, NULL);
    if (asked != NULL) {
        asked->list.request.adapter = by;
        asked->list.request.context = asked;
        asked->list.request.count = registers;
    }
    return asked;
}

NTSTATUS wdm_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                      ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                      PVOID Context) {
    return wdm_allocate_adapter_channel_ex(DmaAdapter, DeviceObject, NULL, NumberOfMapRegisters, 0,
                                           ExecutionRoutine, Context, NULL);
}

/* A request without a routine is granted inside the call or not at all, and keeps its channel. */
NTSTATUS wdm_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters,
                                         ULONG Flags, PDRIVER_CONTROL ExecutionRoutine,
                                         PVOID ExecutionContext, PVOID *MapRegisterBase) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    bool synchronous = (Flags & DMA_SYNCHRONOUS_CALLBACK) != 0;
    bool valid = ExecutionRoutine != NULL || (synchronous && MapRegisterBase != NULL);
    wdm_context *transfer = wdm_context_get(machine, DmaTransferContext);
    wdm_request *asked = valid ? channel_request_create(machine, by, NumberOfMapRegisters) : NULL;
    NTSTATUS status = valid ? STATUS_INSUFFICIENT_RESOURCES : STATUS_INVALID_PARAMETER;
    if (asked != NULL) {
        asked->device = DeviceObject;
        asked->control = ExecutionRoutine;
        asked->context = ExecutionContext;
        asked->transfer = transfer;
        if (transfer != NULL) {
            transfer->waiting = asked;
            transfer->users++;
        }
        status = channel_ask(machine, asked, synchronous);
        if (NT_SUCCESS(status) && ExecutionRoutine == NULL) {
            *MapRegisterBase = base_to_wdm(by->channel_base);
        }
    }
    wdm_leave(&entered);
    return status;
}

BOOLEAN wdm_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                   PVOID DmaTransferContext) {
    (void)DeviceObject;
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter) == NULL) {
        return FALSE;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_context *transfer = wdm_context_find(machine, DmaTransferContext);
    wdm_request *asked = transfer == NULL ? NULL : transfer->waiting;
    bool cancelled = false;
    if (asked != NULL && asked->list.request.adapter == entered.by) {
        request_forget(asked);
        cancelled = channel_cancel(machine, &asked->list.request) && !machine->state.halted;
        wdm_request_discard(machine, asked);
        wdm_context_release(machine, transfer);
    }
    wdm_leave(&entered);
    return cancelled;
}

/* Frees the channel of [by]; the registers that came with it too, unless the driver keeps those. */
static void channel_give_up(wdfdma_machine *machine, adapter *by, bool keeps_registers) {
    wdm_request *owner = by->wdm_owner;
    if (by->channel == NULL || by->channel->waiting != WDFDMA_WAITING_NOT) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_04, 1, 0, 0, &by->head);
        return;
    }
    if (by->controller != NULL) {
        verifier_rule(machine, WDFDMA_RULE_FREED_WHILE_TRANSFERRING, &by->head);
        return;
    }
    if (by->channel_base != NO_REGISTER && !keeps_registers) {
        wdm_mappings_end(machine, by, by->channel_base);
    }
    by->wdm_owner = NULL;
    by->channel_count = keeps_registers ? 0 : by->channel_count;
    if (owner != NULL && owner->transfer != NULL) {
        owner->transfer->owns_channel = false;
        wdm_context_release(machine, owner->transfer);
    }
    channel_free(machine, by);
    data_free(machine, owner);
}

void wdm_free_adapter_channel(PDMA_ADAPTER DmaAdapter) {
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter) != NULL) {
        channel_give_up(entered.call.machine, entered.by, false);
        wdm_leave(&entered);
    }
}

void wdm_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction) {
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter) == NULL) {
        return;
    }
    if (AllocationAction != KeepObject) {
        channel_give_up(entered.call.machine, entered.by,
                        AllocationAction == DeallocateObjectKeepRegisters);
    }
    wdm_leave(&entered);
}

void wdm_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase,
                            ULONG NumberOfMapRegisters) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return;
    }
    wdfdma_machine *machine = entered.call.machine;
    uint32_t base;
    uint32_t count;
    if (!base_from_wdm(machine, MapRegisterBase, &base, &count)) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_05, NumberOfMapRegisters,
                               (uint64_t)(uintptr_t)MapRegisterBase, 0, &by->head);
    } else if (base != NO_REGISTER) {
        wdm_mappings_end(machine, by, base);
        registers_free(machine, by, base, NumberOfMapRegisters);
    }
    wdm_leave(&entered);
}

/* A framework transaction's context is known by the transfer that runs under it. */
NTSTATUS wdm_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_context *given = wdm_context_find(machine, DmaTransferContext);
    transfer_context *transfer = given == NULL ? NULL : &given->transfer;
    if (transfer == NULL && by->controller != NULL && DmaTransferContext != NULL &&
        by->controller->given == DmaTransferContext) {
        transfer = by->controller;
    }
    if (transfer == NULL && DmaTransferContext != NULL) {
        /* Not mapped: from now on it is cancelled, and remembered for that. */
        given = wdm_context_get(machine, DmaTransferContext);
        transfer = given == NULL ? NULL : &given->transfer;
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if (transfer != NULL) {
        status = transfer_cancel(machine, transfer);
    }
    wdm_leave(&entered);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}
