/* Reservations: WdfDmaTransactionAllocateResources and WdfDmaTransactionFreeResources. */
#include "framework.h"

typedef struct reservation {
    PFN_WDF_RESERVE_DMA reserve_dma;
    PVOID context;
    uint32_t registers;
    WDF_DMA_DIRECTION direction;
} reservation;

/* The checks that come before the state's. */
static NTSTATUS arguments_check(wdfdma_machine *machine, const transaction *item,
                                const reservation *asked) {
    if (!item->is_version_3 || item->is_scatter_gather) {
        verifier_break(machine, &item->base.head);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if (!direction_is_valid(asked->direction)) {
        verifier_break(machine, &item->base.head);
        return STATUS_INVALID_PARAMETER;
    }
    if (asked->reserve_dma == NULL) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0,
                               &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}

static bool state_allows(const transaction *item, const reservation *asked) {
    if (item->reserved != 0) {
        return false;
    }
    if (asked->registers == 0) {
        return item->state == WDFDMA_STATE_INITIALIZED;
    }
    return item->state == WDFDMA_STATE_CREATED || item->state == WDFDMA_STATE_INITIALIZED ||
           item->state == WDFDMA_STATE_RELEASED;
}

/* How many registers [asked] means; 0 of them stands for what the transaction needs. */
static NTSTATUS registers_count(wdfdma_machine *machine, const transaction *item,
                                const reservation *asked, uint64_t *registers) {
    *registers = asked->registers;
    if (*registers != 0) {
        return STATUS_SUCCESS;
    }
    if (item->is_system) {
        *registers = item->adapter->map_registers;
        return STATUS_SUCCESS;
    }
    range_need need;
    NTSTATUS status = range_get_needed(machine, item->mdl, item->offset, item->length, &need);
    if (need.broken) {
        mdl_bugcheck(machine, &item->base.head);
    }
    *registers = need.registers;
    return status;
}

static void buffer_forget(transaction *item) {
    item->mdl = NULL;
    item->cursor = NULL;
    item->offset = 0;
    item->length = 0;
    item->remaining = 0;
    item->program_dma = NULL;
}

static NTSTATUS reservation_make(wdfdma_machine *machine, transaction *item,
                                 const reservation *asked) {
    adapter *by = item->enabler->adapters[asked->direction];
    if (by == NULL) {
        verifier_rule(machine, WDFDMA_RULE_NOT_CONFIGURED, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    uint64_t registers;
    item->adapter = by;
    item->direction = (uint8_t)asked->direction;
    NTSTATUS status = registers_count(machine, item, asked, &registers);
    buffer_forget(item);
    if (!NT_SUCCESS(status) || machine->state.halted) {
        return status;
    }
    item->reserved = registers > UINT32_MAX ? UINT32_MAX : (uint32_t)registers;
    item->reserve_dma = asked->reserve_dma;
    item->context = asked->context;
    item->hindrances.stopped = false;
    if (item->is_system) {
        system_context_initialize(machine, item);
    }
    item->state = WDFDMA_STATE_RESERVED;
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    return fault_hits_call(machine, 0, &status) ? status
                                                : packet_allocate(machine, item, item->reserved);
}

NTSTATUS WdfDmaTransactionAllocateResources(WDFDMATRANSACTION DmaTransaction,
                                            WDF_DMA_DIRECTION DmaDirection,
                                            ULONG RequiredMapRegisters,
                                            PFN_WDF_RESERVE_DMA EvtReserveDmaFunction,
                                            PVOID EvtReserveDmaContext) {
    SITE_NOTE(DmaTransaction, WDFDMA_OP_ALLOCATE_RESOURCES);
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_ALLOCATE_RESOURCES);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = call.machine;
    uint32_t label = item->base.head.label;
    uint64_t handle = item->base.head.handle;
    if (journal_is_on(machine)) {
        const uint64_t operands[] = {(uint64_t)DmaDirection, RequiredMapRegisters,
                                     EvtReserveDmaFunction != NULL};
        journal_write_call(machine, handle, operands, 3);
    }
    const reservation asked = {EvtReserveDmaFunction, EvtReserveDmaContext, RequiredMapRegisters,
                               DmaDirection};
    NTSTATUS status = arguments_check(machine, item, &asked);
    if (!NT_SUCCESS(status)) {
        return ddi_leave_status(&call, label, status);
    }
    if (!state_allows(item, &asked)) {
        transaction_refuse(machine, item);
        return ddi_leave_status(&call, label, STATUS_UNSUCCESSFUL);
    }
    immediate_loss_tell(machine, item);
    status = machine->state.halted ? STATUS_UNSUCCESSFUL : reservation_make(machine, item, &asked);
    if (!NT_SUCCESS(status) && transaction_is_alive(machine, item, handle)) {
        item->state = WDFDMA_STATE_TRANSFER_FAILED;
        item->reserved = 0;
    }
    return ddi_leave_status(&call, label, status);
}

static void kept_tell(wdfdma_machine *machine, transaction *item) {
    uint64_t waiting =
        (uint64_t)machine->state.waiting_pool + (item->is_system ? item->adapter->waiting : 0);
    item->kept = KEPT_TOLD;
    verifier_rule_with(machine, WDFDMA_RULE_RESERVATION_KEPT, item->base.head.handle,
                       item->reserved, waiting, &item->base.head);
}

/* Somebody came to wait. While the transaction is in use again, its next Release will tell. */
static void kept_look(wdfdma_machine *machine, hal_request *kept) {
    transaction *item = (transaction *)(void *)((uint8_t *)kept - offsetof(transaction, hal));
    if (item->state == WDFDMA_STATE_RELEASED && reservation_is_waited_for(machine, item)) {
        channel_drop(machine, kept);
        kept_tell(machine, item);
    }
}

void reservation_keep(wdfdma_machine *machine, transaction *item) {
    bool is_kept = item->reserved != 0 && !item->is_scatter_gather && item->holds_base &&
                   item->hal.packet.request.waiting == WDFDMA_WAITING_NOT;
    if (!is_kept || reservation_is_mute(machine, item)) {
        return;
    }
    if (reservation_is_waited_for(machine, item)) {
        reservation_drop(machine, item);
        kept_tell(machine, item);
    } else {
        item->kept = KEPT_MUTE;
        channel_keep(machine, &item->hal.packet.request, kept_look);
    }
}

void reservation_drop(wdfdma_machine *machine, transaction *item) {
    if (item->kept == KEPT_MUTE) {
        channel_drop(machine, &item->hal.packet.request);
    }
    item->kept = KEPT_NOT;
}

static void resources_free(wdfdma_machine *machine, transaction *item) {
    if (!item->is_version_3 || item->is_scatter_gather) {
        verifier_break(machine, &item->base.head);
        return;
    }
    if (item->state == WDFDMA_STATE_CREATED || item->state == WDFDMA_STATE_TRANSFER) {
        transaction_bugcheck(machine, item);
        return;
    }
    uint64_t handle = item->base.head.handle;
    item->state = WDFDMA_STATE_RELEASED;
    transaction_give_back(machine, item, true);
    if (transaction_is_alive(machine, item, handle)) {
        item->request = 0;
        transaction_reset(item);
    }
}

void WdfDmaTransactionFreeResources(WDFDMATRANSACTION DmaTransaction) {
    SITE_NOTE(DmaTransaction, WDFDMA_OP_FREE_RESOURCES);
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_FREE_RESOURCES);
    if (item == NULL) {
        return;
    }
    journal_call(call.machine, item->base.head.handle);
    uint32_t label = item->base.head.label;
    resources_free(call.machine, item);
    ddi_leave_values(&call, label, 0, 0);
}
