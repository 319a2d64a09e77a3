/* Channels, map registers and transfer contexts as a WDM driver asks for them. */
#include "wdm_front.h"

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
        callback_enter(machine, &frame, &context->by->head, WDFDMA_EVENT_COUNT, DISPATCH_LEVEL)) {
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
    if (unused != NULL && unused->users == 0 && !unused->transfer.cancelled) {
        WDFDMA_ASSERT(unused->waiting == NULL && !unused->owns_channel && !unused->transfer.mapped);
        table_remove(&hal_of(machine)->wdm_contexts, (uint64_t)(uintptr_t)unused->transfer.given);
        data_free(machine, unused);
    }
}

void wdm_context_enter(wdm_context *by, wdm_request *asked) {
    if (by != NULL) {
        by->waiting = by->waiting == NULL ? asked : by->waiting;
        by->users++;
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
    if (wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                  WDFDMA_ROUTINE_INITIALIZE_DMA_TRANSFER_CONTEXT) == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_context *context = wdm_context_find(machine, DmaTransferContext);
    NTSTATUS status = STATUS_SUCCESS;
    if (DmaTransferContext == NULL) {
        status = STATUS_INVALID_PARAMETER;
    } else if (context != NULL && context->transfer.mapped) {
        verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &entered.by->head);
        status = STATUS_UNSUCCESSFUL;
    } else if (!wdm_context_is_free(machine, entered.by, DmaTransferContext, false)) {
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
        !callback_enter(machine, &frame, &asked->list.request.adapter->head, WDFDMA_EVENT_COUNT,
                        DISPATCH_LEVEL)) {
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

static void request_close(wdfdma_machine *machine, const wdm_request *asked) {
    wdm_request **link = &hal_of(machine)->wdm_open;
    while (*link != NULL && *link != asked) {
        link = &(*link)->next_open;
    }
    if (*link != NULL) {
        *link = asked->next_open;
    }
}

/* An answer that frees the registers while something is mapped on them: noted, and done. */
static void answer_check(wdfdma_machine *machine, adapter *by, uint32_t base,
                         IO_ALLOCATION_ACTION action) {
    if (action != DeallocateObject || base == NO_REGISTER) {
        return;
    }
    if (!wdm_registers_are_flushed(machine, by, base)) {
        if (machine->state.halted) {
            return;
        }
        wdm_mappings_end(machine, by, base);
    }
}

/* A routine may free the channel that it was given, and then answers KeepObject: with another answer
 * it frees the channel once more, and there is nothing left that the answer could free. */
static IO_ALLOCATION_ACTION answer_settle(wdfdma_machine *machine, const hal_request *granted,
                                          uint64_t handle, IO_ALLOCATION_ACTION action) {
    const adapter *by = granted->adapter;
    bool lives = by->head.handle == handle;
    if (action == KeepObject || (lives && by->channel == granted)) {
        return action;
    }
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_04, 1, 0, 0, lives ? &by->head : NULL);
    return KeepObject;
}

/* The channel's owner lives on where the driver keeps the channel. */
static IO_ALLOCATION_ACTION channel_is_granted(wdfdma_machine *machine, hal_request *granted) {
    wdm_request *asked = (wdm_request *)(void *)granted;
    adapter *by = granted->adapter;
    request_forget(asked);
    asked->granted_base = granted->base;
    uint64_t handle = by->head.handle;
    IO_ALLOCATION_ACTION action = control_call(machine, asked);
    if (!machine->state.halted) {
        request_close(machine, asked);
        action = answer_settle(machine, granted, handle, action);
    }
    if (machine->state.halted) {
        return action;
    }
    answer_check(machine, by, asked->granted_base, action);
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

static NTSTATUS channel_ask(wdfdma_machine *machine, wdm_request *asked, uint32_t routine,
                            bool synchronous) {
    asked->list.request.routine = channel_is_granted;
    NTSTATUS status;
    if (!fault_hits_routine(machine, routine, &status)) {
        status = channel_allocate(machine, &asked->list.request, channel_is_granted, synchronous);
    }
    if (!NT_SUCCESS(status)) {
        request_close(machine, asked);
        request_forget(asked);
        wdm_context_release(machine, asked->transfer);
        data_free(machine, asked);
    }
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

/* What a driver asks for, in either way. */
typedef struct channel_wish {
    PDEVICE_OBJECT device;
    PVOID transfer;
    ULONG registers;
    ULONG flags;
    PDRIVER_CONTROL control;
    PVOID context;
    PVOID *base;
    bool alone; /* one request for a device object at a time */
    wdm_level level;
    uint32_t routine; /* wdfdma_routine */
} channel_wish;

static wdm_request *channel_request_create(wdfdma_machine *machine, adapter *by,
                                           const channel_wish *ask) {
    wdm_context *transfer = wdm_context_get(machine, ask->transfer);
    wdm_request *asked = data_allocate(machine, sizeof *asked, NULL);
    if (asked == NULL || (transfer == NULL && ask->transfer != NULL)) {
        wdm_context_drop(machine, transfer);
        data_free(machine, asked);
        return NULL;
    }
    asked->list.request.adapter = by;
    asked->list.request.count = ask->registers;
    asked->device = ask->device;
    asked->control = ask->control;
    asked->context = ask->context;
    asked->transfer = transfer;
    wdm_context_enter(transfer, asked);
    if (ask->alone) {
        asked->next_open = hal_of(machine)->wdm_open;
        hal_of(machine)->wdm_open = asked;
    }
    return asked;
}

/* A request without a routine is granted inside the call or not at all, and keeps its channel. */
static NTSTATUS channel_ask_for(wdfdma_machine *machine, adapter *by, const channel_wish *ask) {
    bool synchronous = (ask->flags & DMA_SYNCHRONOUS_CALLBACK) != 0;
    if (ask->control == NULL && (!synchronous || ask->base == NULL)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!wdm_channel_is_allowed(machine, by, ask->device, ask->registers, ask->alone)) {
        return machine->state.halted ? STATUS_UNSUCCESSFUL : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!wdm_context_is_free(machine, by, ask->transfer, synchronous)) {
        return STATUS_UNSUCCESSFUL;
    }
    wdm_request *asked = channel_request_create(machine, by, ask);
    if (asked == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = channel_ask(machine, asked, ask->routine, synchronous);
    if (NT_SUCCESS(status) && ask->control == NULL) {
        *ask->base = base_to_wdm(by->channel_base);
    }
    return status;
}

static NTSTATUS channel_call(PDMA_ADAPTER given, const channel_wish *ask) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, given, ask->level, ask->routine);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = channel_ask_for(entered.call.machine, by, ask);
    wdm_leave(&entered);
    return status;
}

NTSTATUS wdm_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                      ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                      PVOID Context) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    const channel_wish ask = {.device = DeviceObject,
                              .registers = NumberOfMapRegisters,
                              .control = ExecutionRoutine,
                              .context = Context,
                              .alone = true,
                              .level = WDM_AT_DISPATCH,
                              .routine = WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL};
    return channel_call(DmaAdapter, &ask);
}

NTSTATUS wdm_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters,
                                         ULONG Flags, PDRIVER_CONTROL ExecutionRoutine,
                                         PVOID ExecutionContext, PVOID *MapRegisterBase) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    const channel_wish ask = {.device = DeviceObject,
                              .transfer = DmaTransferContext,
                              .registers = NumberOfMapRegisters,
                              .flags = Flags,
                              .control = ExecutionRoutine,
                              .context = ExecutionContext,
                              .base = MapRegisterBase,
                              .level = WDM_UP_TO_DISPATCH,
                              .routine = WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX};
    return channel_call(DmaAdapter, &ask);
}

BOOLEAN wdm_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                   PVOID DmaTransferContext) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)DeviceObject;
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                  WDFDMA_ROUTINE_CANCEL_ADAPTER_CHANNEL) == NULL) {
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
    if (by->channel == NULL || by->channel->waiting != WDFDMA_WAITING_NOT ||
        wdm_list_is_granted_to(by->channel)) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_04, 1, 0, 0, &by->head);
        return;
    }
    if (by->controller != NULL) {
        verifier_rule(machine, WDFDMA_RULE_FREED_WHILE_TRANSFERRING, &by->head);
        return;
    }
    if (by->channel_base != NO_REGISTER && by->channel_count != 0 && !keeps_registers &&
        !wdm_registers_are_flushed(machine, by, by->channel_base)) {
        return;
    }
    if (!keeps_registers && by->channel_count != 0 &&
        !registers_are_held(machine, by, by->channel_base, by->channel_count)) {
        return;
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
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_AT_DISPATCH, WDFDMA_ROUTINE_FREE_ADAPTER_CHANNEL) !=
        NULL) {
        channel_give_up(entered.call.machine, entered.by, false);
        wdm_leave(&entered);
    }
}

void wdm_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_FREE_ADAPTER_OBJECT) ==
        NULL) {
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
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_AT_DISPATCH, WDFDMA_ROUTINE_FREE_MAP_REGISTERS);
    if (by == NULL) {
        return;
    }
    wdfdma_machine *machine = entered.call.machine;
    uint32_t base;
    uint32_t count;
    if (!base_from_wdm(machine, MapRegisterBase, &base, &count)) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_05, NumberOfMapRegisters,
                               (uint64_t)(uintptr_t)MapRegisterBase, 0, &by->head);
    } else if (base != NO_REGISTER && wdm_registers_are_flushed(machine, by, base)) {
        registers_free(machine, by, base, NumberOfMapRegisters);
    }
    wdm_leave(&entered);
}

/* A framework transaction's context is known by the transfer that runs under it. */
NTSTATUS wdm_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext) {
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_CANCEL_MAPPED_TRANSFER);
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
