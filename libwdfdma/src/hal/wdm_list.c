/* Scatter/gather lists as a WDM driver gets, builds and puts them. */
#include "wdm_front.h"

#include <string.h>

typedef struct list_ask {
    PDEVICE_OBJECT device;
    PVOID transfer;
    PMDL mdl;
    uint64_t offset;
    uint64_t length;
    PDRIVER_LIST_CONTROL control;
    PVOID context;
    PVOID buffer; /* the driver's, of [buffer_bytes], or NULL */
    ULONG buffer_bytes;
    bool to_device;
    bool synchronous;
    wdm_level level;
    uint32_t routine; /* wdfdma_routine */
} list_ask;

static uint64_t list_get_bytes(uint64_t elements) {
    return sizeof(SCATTER_GATHER_LIST) + elements * sizeof(SCATTER_GATHER_ELEMENT);
}

static void list_control_call(wdfdma_machine *machine, const wdm_request *asked,
                              PSCATTER_GATHER_LIST given) {
    callback_frame frame;
    if (asked->list_control != NULL &&
        callback_enter(machine, &frame, &asked->list.request.adapter->head, WDFDMA_EVENT_COUNT,
                       DISPATCH_LEVEL)) {
        asked->list_control(asked->device, NULL, given, asked->context);
        callback_leave(&frame);
    }
}

static IO_ALLOCATION_ACTION list_is_granted(wdfdma_machine *machine, hal_request *granted) {
    const wdm_request asked = *(const wdm_request *)(void *)granted;
    wdm_list *target = asked.target;
    mdl_walk part;
    if (list_find(machine, &asked.list, &part) &&
        list_fill(machine, &asked.list, &part, &target->map, target->list)) {
        if (asked.transfer != NULL && asked.transfer->waiting == (wdm_request *)(void *)granted) {
            asked.transfer->waiting = NULL;
        }
        wdm_context_release(machine, asked.transfer);
        target->base = asked.list.request.base;
        target->count = asked.list.request.count;
        PSCATTER_GATHER_LIST given = target->list;
        if (target->drivers != NULL) {
            given = target->drivers;
            memcpy(given, target->list, (size_t)list_get_bytes(target->list->NumberOfElements));
        }
        list_control_call(machine, &asked, given);
        if (!machine->state.halted) {
            data_free(machine, granted);
        }
    }
    return DeallocateObjectKeepRegisters;
}

bool wdm_list_is_granted_to(const hal_request *owner) {
    return owner->routine == list_is_granted;
}

void wdm_request_discard(wdfdma_machine *machine, wdm_request *asked) {
    wdm_list *target = asked == NULL ? NULL : asked->target;
    if (target != NULL) {
        PSCATTER_GATHER_LIST key = target->drivers != NULL ? target->drivers : target->list;
        table_remove(&hal_of(machine)->wdm_lists, (uint64_t)(uintptr_t)key);
        data_free(machine, target->list);
        data_free(machine, target);
    }
    data_free(machine, asked);
}

/* A request with its list, entered under the address that the driver will put it by. */
static wdm_request *list_request_create(wdfdma_machine *machine, adapter *by, const list_ask *ask,
                                        uint64_t registers) {
    wdm_request *asked = data_allocate(machine, sizeof *asked, NULL);
    wdm_list *target = asked == NULL ? NULL : data_allocate(machine, sizeof *target, &by->head);
    if (target == NULL) {
        data_free(machine, asked);
        return NULL;
    }
    asked->target = target;
    target->by = by;
    target->drivers = ask->buffer;
    target->list = data_allocate(machine, (size_t)list_get_bytes(registers), NULL);
    uint64_t key = (uint64_t)(uintptr_t)(ask->buffer != NULL ? ask->buffer : (PVOID)target->list);
    if (target->list == NULL ||
        !table_put(machine, &hal_of(machine)->wdm_lists, key, (uint64_t)(uintptr_t)target)) {
        wdm_request_discard(machine, asked);
        return NULL;
    }
    asked->list.request.adapter = by;
    asked->list.capacity = (uint32_t)registers;
    asked->list.mdl = ask->mdl;
    asked->list.offset = ask->offset;
    asked->list.length = ask->length;
    asked->list.to_device = ask->to_device;
    asked->device = ask->device;
    asked->list_control = ask->control;
    asked->context = ask->context;
    return asked;
}

static NTSTATUS ask_check(wdfdma_machine *machine, const adapter *by, const list_ask *ask,
                          uint64_t *registers) {
    list_request range = {.mdl = ask->mdl, .offset = ask->offset, .length = ask->length};
    if (ask->length == 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_21, 0, 0, 0, &by->head);
    }
    if (ask->length == 0 || (ask->control == NULL && !ask->synchronous)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!wdm_chain_is_usable(machine, ask->mdl, ask->offset, ask->length)) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = list_get_registers(machine, &range, registers);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!wdm_count_is_allowed(machine, by, *registers)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (ask->buffer != NULL) {
        bool taken =
            table_find(&hal_of(machine)->wdm_lists, (uint64_t)(uintptr_t)ask->buffer) != NULL;
        if (taken) {
            verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &by->head);
            return STATUS_UNSUCCESSFUL;
        }
        if (ask->buffer_bytes < list_get_bytes(*registers)) {
            return STATUS_BUFFER_TOO_SMALL;
        }
    }
    return STATUS_SUCCESS;
}

/* [out] receives the list, where it is there when the call returns; may be NULL. */
static NTSTATUS list_ask_for(wdfdma_machine *machine, adapter *by, const list_ask *ask,
                             PSCATTER_GATHER_LIST *out) {
    uint64_t registers;
    NTSTATUS status = ask_check(machine, by, ask, &registers);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!wdm_context_is_free(machine, by, ask->transfer, ask->synchronous)) {
        return STATUS_UNSUCCESSFUL;
    }
    wdm_context *transfer = wdm_context_get(machine, ask->transfer);
    wdm_request *asked = list_request_create(machine, by, ask, registers);
    if (asked == NULL || (transfer == NULL && ask->transfer != NULL)) {
        wdm_context_drop(machine, transfer);
        wdm_request_discard(machine, asked);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    asked->transfer = transfer;
    wdm_context_enter(transfer, asked);
    PSCATTER_GATHER_LIST list =
        asked->target->drivers != NULL ? asked->target->drivers : asked->target->list;
    asked->list.request.count = (uint32_t)registers;
    asked->list.request.routine = list_is_granted;
    if (!fault_hits_routine(machine, ask->routine, &status)) {
        status = channel_allocate(machine, &asked->list.request, list_is_granted, ask->synchronous);
    }
    if (!NT_SUCCESS(status)) {
        if (transfer != NULL) {
            transfer->waiting = transfer->waiting == asked ? NULL : transfer->waiting;
            wdm_context_release(machine, transfer);
        }
        wdm_request_discard(machine, asked);
    } else if (out != NULL) {
        *out = list;
    }
    return status;
}

static NTSTATUS list_call(PDMA_ADAPTER given, list_ask *ask, PVOID current_va,
                          PSCATTER_GATHER_LIST *out) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, given, ask->level, ask->routine);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    bool usable =
        wdm_chain_is_usable(machine, ask->mdl, 0, 1) &&
        (current_va == NULL || wdm_list_address_is_inside(machine, by, ask->mdl, current_va));
    if (usable) {
        ask->offset = current_va == NULL ? ask->offset : wdm_get_offset(ask->mdl, current_va);
        status = list_ask_for(machine, by, ask, out);
        status = machine->state.halted ? STATUS_UNSUCCESSFUL : status;
    }
    wdm_leave(&entered);
    return status;
}

NTSTATUS wdm_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                     PVOID CurrentVa, ULONG Length,
                                     PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                     BOOLEAN WriteToDevice) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    list_ask ask = {.routine = WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST,
                    .device = DeviceObject,
                    .mdl = Mdl,
                    .length = Length,
                    .control = ExecutionRoutine,
                    .context = Context,
                    .level = WDM_AT_DISPATCH,
                    .to_device = WriteToDevice != FALSE};
    return list_call(DmaAdapter, &ask, CurrentVa, NULL);
}

NTSTATUS
wdm_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                               PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                               BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                               PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)DmaCompletionRoutine;
    (void)CompletionContext;
    list_ask ask = {.routine = WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST_EX,
                    .device = DeviceObject,
                    .transfer = DmaTransferContext,
                    .mdl = Mdl,
                    .offset = Offset,
                    .length = Length,
                    .control = ExecutionRoutine,
                    .context = Context,
                    .to_device = WriteToDevice != FALSE,
                    .synchronous = (Flags & DMA_SYNCHRONOUS_CALLBACK) != 0};
    return list_call(DmaAdapter, &ask, NULL, ask.synchronous ? ScatterGatherList : NULL);
}

NTSTATUS wdm_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                       PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                       PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                       BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                       ULONG ScatterGatherLength) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    list_ask ask = {.routine = WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST,
                    .device = DeviceObject,
                    .mdl = Mdl,
                    .length = Length,
                    .control = ExecutionRoutine,
                    .context = Context,
                    .buffer = ScatterGatherBuffer,
                    .buffer_bytes = ScatterGatherLength,
                    .level = WDM_AT_DISPATCH,
                    .to_device = WriteToDevice != FALSE};
    return ScatterGatherBuffer == NULL ? STATUS_INVALID_PARAMETER
                                       : list_call(DmaAdapter, &ask, CurrentVa, NULL);
}

NTSTATUS wdm_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                          PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset,
                                          ULONG Length, ULONG Flags,
                                          PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                          ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                          PVOID CompletionContext, PVOID ScatterGatherList) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)DmaCompletionRoutine;
    (void)CompletionContext;
    list_ask ask = {.routine = WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST_EX,
                    .device = DeviceObject,
                    .transfer = DmaTransferContext,
                    .mdl = Mdl,
                    .offset = Offset,
                    .length = Length,
                    .control = ExecutionRoutine,
                    .context = Context,
                    .buffer = ScatterGatherBuffer,
                    .buffer_bytes = ScatterGatherLength,
                    .to_device = WriteToDevice != FALSE,
                    .synchronous = (Flags & DMA_SYNCHRONOUS_CALLBACK) != 0};
    if (ScatterGatherBuffer == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    return list_call(DmaAdapter, &ask, NULL,
                     ask.synchronous ? (PSCATTER_GATHER_LIST *)ScatterGatherList : NULL);
}

static void list_end(wdfdma_machine *machine, adapter *by, wdm_list *gone, uint64_t key) {
    list_put(machine, by, &gone->map, gone->base, gone->count, &by->head);
    if (machine->state.halted) {
        return;
    }
    table_remove(&hal_of(machine)->wdm_lists, key);
    data_free(machine, gone->list);
    data_free(machine, gone);
}

void wdm_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                 BOOLEAN WriteToDevice) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)WriteToDevice;
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_AT_DISPATCH, WDFDMA_ROUTINE_PUT_SCATTER_GATHER_LIST);
    if (by == NULL) {
        return;
    }
    wdfdma_machine *machine = entered.call.machine;
    uint64_t key = (uint64_t)(uintptr_t)ScatterGather;
    const uint64_t *found = table_find(&hal_of(machine)->wdm_lists, key);
    wdm_list *gone = found == NULL ? NULL : (wdm_list *)(uintptr_t)*found;
    if (gone == NULL || gone->by != by || !gone->map.live) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_06, by->lists_held, by->lists_held + 1, 0,
                               &by->head);
    } else {
        list_end(machine, by, gone, key);
    }
    wdm_leave(&entered);
}

NTSTATUS wdm_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa,
                                           ULONG Length, PULONG ScatterGatherListSize,
                                           PULONG pNumberOfMapRegisters) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    wdm_call entered;
    const adapter *by = wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                                  WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    uint64_t registers = pages_spanned(0, Length);
    NTSTATUS status = ScatterGatherListSize == NULL ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    if (Mdl != NULL && mdl_find(machine, Mdl) == NULL) {
        mdl_bugcheck(machine, &by->head);
        status = STATUS_UNSUCCESSFUL;
    } else if (Mdl != NULL && CurrentVa != NULL &&
               !wdm_list_address_is_inside(machine, by, Mdl, CurrentVa)) {
        status = STATUS_UNSUCCESSFUL;
    } else if (Mdl != NULL && NT_SUCCESS(status)) {
        list_request range = {
            .mdl = Mdl, .offset = wdm_get_offset(Mdl, CurrentVa), .length = Length};
        status = list_get_registers(machine, &range, &registers);
    }
    if (NT_SUCCESS(status) &&
        !fault_hits_routine(machine, WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST, &status)) {
        *ScatterGatherListSize = (ULONG)list_get_bytes(registers);
        if (pNumberOfMapRegisters != NULL) {
            *pNumberOfMapRegisters = (ULONG)registers;
        }
    }
    wdm_leave(&entered);
    return status;
}
