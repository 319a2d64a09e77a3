/* A transaction is given its buffer: WdfDmaTransactionInitialize and its kin, and what a buffer
 * would need. */
#include "framework.h"

/* More bytes than any chain has, and few enough that sums stay in range. */
static const uint64_t LONGEST = 1ull << 62;

NTSTATUS range_get_needed(wdfdma_machine *machine, PMDL chain, uint64_t offset, uint64_t length,
                          range_need *out) {
    *out = (range_need){.registers = 0};
    mdl_walk part;
    if (!mdl_walk_begin(machine, &part, chain, offset, length)) {
        out->broken = part.broken;
        out->starts_past_end = !part.broken;
        return STATUS_BUFFER_TOO_SMALL;
    }
    uint32_t page_offset = 0;
    bool more = true;
    while (more) {
        page_offset = mdl_page_offset(part.at->mdl, part.offset);
        uint64_t rest = part.left;
        uint64_t here = part.length;
        out->covered += here;
        more = mdl_walk_next(machine, &part);
        /* Past its end, the last MDL is counted as though it went on. */
        uint64_t counted = more ? here : rest;
        out->registers += pages_spanned(page_offset, counted < LONGEST ? counted : LONGEST);
    }
    out->broken = part.broken;
    bool too_far = length - out->covered > PAGE_BYTES - page_offset;
    return too_far ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER: the buffer goes in one transfer, or not at
 * all. */
NO_INLINE static NTSTATUS single_transfer_check(wdfdma_machine *machine, transaction *item) {
    const enabler *of = item->enabler;
    if (item->maximum_fragment < of->config.MaximumLength) {
        item->maximum_fragment = of->config.MaximumLength;
    }
    if (item->length > of->config.MaximumLength) {
        return STATUS_WDF_TOO_MANY_TRANSFERS;
    }
    range_shape shape;
    range_measure(machine, item->adapter, item->mdl, item->offset, item->length, &shape);
    if (shape.broken) {
        mdl_bugcheck(machine, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (shape.past_end) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    uint64_t available = item->reserved != 0 ? item->reserved : item->adapter->map_registers;
    if (item->adapter->needs_registers && shape.registers > available) {
        return STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS;
    }
    bool is_packet = !of->is_scatter_gather && !of->is_system;
    bool fragmented = shape.elements > of->maximum_elements || (is_packet && shape.elements > 1);
    return fragmented ? STATUS_WDF_TOO_FRAGMENTED : STATUS_SUCCESS;
}

static bool range_is_valid(const transaction *item, const buffer_range *range) {
    if (range->length == 0 || !direction_is_valid(range->direction)) {
        return false;
    }
    if (range->offset >= range->mdl->ByteCount) {
        return false;
    }
    bool packet_2 = !item->is_version_3 && !item->is_scatter_gather;
    return !packet_2 || range->length <= range->mdl->ByteCount - range->offset;
}

/* The part after the checks of arguments and state. A failure is followed by a release. */
static NTSTATUS transaction_prepare(wdfdma_machine *machine, transaction *item,
                                    const buffer_range *range) {
    enabler *of = item->enabler;
    adapter *by = of->adapters[range->direction];
    if (by == NULL) {
        verifier_rule(machine, WDFDMA_RULE_NOT_CONFIGURED, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    item->adapter = by;
    item->direction = (uint8_t)range->direction;
    item->mdl = range->mdl;
    item->cursor = range->of;
    item->cursor_handle = range->of->head.handle;
    item->cursor_offset = 0;
    item->offset = range->offset;
    item->length = range->length;
    item->remaining = range->length;
    item->transferred = 0;
    item->program_dma = range->program_dma;
    item->maximum_fragment = by->fragment_length;
    if (item->hindrances.single_transfer && of->version == 3) {
        NTSTATUS status = single_transfer_check(machine, item);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    if (of->is_scatter_gather) {
        return gather_initialize(machine, item);
    }
    if (of->is_system) {
        if (item->reserved != 0 && item->hal.packet.request.adapter != by) {
            verifier_rule(machine, WDFDMA_RULE_RESERVED_OTHER_DIRECTION, &item->base.head);
            return STATUS_UNSUCCESSFUL;
        }
        item->hal.packet.system.device_address_offset = 0;
        system_context_initialize(machine, item);
    }
    item->hindrances.stopped = false;
    return STATUS_SUCCESS;
}

static bool state_allows_initialize(const transaction *item) {
    return item->state == WDFDMA_STATE_CREATED || item->state == WDFDMA_STATE_RESERVED ||
           item->state == WDFDMA_STATE_RELEASED;
}

NTSTATUS transaction_initialize(wdfdma_machine *machine, transaction *item,
                                const buffer_range *range) {
    if (range->program_dma == NULL || range->mdl == NULL) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0,
                               &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (UNLIKELY(range->of == NULL)) {
        mdl_bugcheck(machine, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (UNLIKELY(!range_is_valid(item, range))) {
        return STATUS_INVALID_PARAMETER;
    }
    if (UNLIKELY(!state_allows_initialize(item))) {
        transaction_refuse(machine, item);
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status;
    if (!fault_hits_call(machine, transaction_get_traits(item), &status)) {
        status = transaction_prepare(machine, item, range);
    }
    if (UNLIKELY(machine->state.halted)) {
        return STATUS_UNSUCCESSFUL;
    }
    if (UNLIKELY(!NT_SUCCESS(status))) {
        transaction_release(machine, item);
        return status;
    }
    item->state = WDFDMA_STATE_INITIALIZED;
    return STATUS_SUCCESS;
}

static COLD void buffer_journal(wdfdma_machine *machine, const transaction *item,
                                const buffer_range *range) {
    const uint64_t operands[] = {range->offset, range->length, (uint64_t)range->direction,
                                 range->program_dma != NULL};
    chain_journal(machine, range->mdl);
    journal_write_call(machine, item->base.head.handle, operands, 4);
}

/* The end of each call that gives a transaction its buffer. */
static inline NTSTATUS range_call(ddi_call *call, transaction *item, const buffer_range *range) {
    if (journal_is_on(call->machine)) {
        buffer_journal(call->machine, item, range);
    }
    uint32_t label = item->base.head.label;
    NTSTATUS status = transaction_initialize(call->machine, item, range);
    return ddi_leave_status(call, label, status);
}

NTSTATUS initialize_in_full(WDFDMATRANSACTION handle, PFN_WDF_PROGRAM_DMA program_dma,
                            WDF_DMA_DIRECTION direction, PMDL mdl, PVOID address, size_t length) {
    SITE_NOTE_KEPT(handle, WDFDMA_OP_INITIALIZE);
    ddi_call call;
    transaction *item =
        (transaction *)ddi_enter(&call, handle, WDFDMA_OBJECT_TRANSACTION, WDFDMA_OP_INITIALIZE);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    const mdl_object *of = mdl_find(call.machine, mdl);
    const buffer_range range = {mdl,    of,          of == NULL ? 0 : mdl_offset_of(mdl, address),
                                length, program_dma, direction};
    return range_call(&call, item, &range);
}

NTSTATUS initialize_at_in_full(WDFDMATRANSACTION handle, PFN_WDF_PROGRAM_DMA program_dma,
                               WDF_DMA_DIRECTION direction, PMDL mdl, size_t offset,
                               size_t length) {
    SITE_NOTE_KEPT(handle, WDFDMA_OP_INITIALIZE);
    ddi_call call;
    transaction *item =
        (transaction *)ddi_enter(&call, handle, WDFDMA_OBJECT_TRANSACTION, WDFDMA_OP_INITIALIZE);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    const buffer_range range = {mdl,      mdl_find(call.machine, mdl), offset, length, program_dma,
                                direction};
    return range_call(&call, item, &range);
}

/* The walk of version 2, with the framework's own error: the start offset is taken off every
 * MDL. */
static uint64_t registers_of_version_2(wdfdma_machine *machine, const transaction *item) {
    uint64_t registers = 0;
    uint64_t offset = item->offset;
    uint64_t left = item->length;
    const mdl_object *at = mdl_find(machine, item->mdl);
    for (uint64_t hops = 0; left != 0 && at != NULL; hops++) {
        uint64_t bytes = at->mdl->ByteCount;
        if (bytes <= offset) {
            offset -= bytes;
        } else {
            uint64_t part = bytes - offset < left ? bytes - offset : left;
            registers += pages_spanned(at->mdl->ByteOffset + offset, part);
            left -= part;
        }
        bool ends = at->mdl->Next == NULL || hops > machine->state.objects[WDFDMA_OBJECT_MDL];
        at = ends ? NULL : mdl_find(machine, at->mdl->Next);
    }
    return registers;
}

static void transfer_info_get(wdfdma_machine *machine, const transaction *item, uint64_t *registers,
                              uint64_t *elements) {
    if (!item->is_version_3) {
        *registers = registers_of_version_2(machine, item);
        *elements = *registers;
        return;
    }
    range_shape shape;
    range_measure(machine, item->adapter, item->mdl, item->offset, item->length, &shape);
    if (!shape.past_end && !shape.broken) {
        *registers = item->adapter->needs_registers ? shape.registers : 0;
        *elements = shape.elements;
    }
}

void WdfDmaTransactionGetTransferInfo(WDFDMATRANSACTION DmaTransaction, ULONG *MapRegisterCount,
                                      ULONG *ScatterGatherElementCount) {
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_GET_TRANSFER_INFO);
    if (item == NULL) {
        return;
    }
    journal_call(call.machine, item->base.head.handle);
    uint64_t registers = 0;
    uint64_t elements = 0;
    if (item->state != WDFDMA_STATE_INITIALIZED) {
        transaction_bugcheck(call.machine, item);
        ddi_leave(&call);
        return;
    }
    if (!transaction_has_buffer(item)) {
        verifier_rule(call.machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
        ddi_leave(&call);
        return;
    }
    transfer_info_get(call.machine, item, &registers, &elements);
    if (MapRegisterCount != NULL) {
        *MapRegisterCount = (ULONG)registers;
    }
    if (ScatterGatherElementCount != NULL) {
        *ScatterGatherElementCount = (ULONG)elements;
    }
    ddi_leave_values(&call, item->base.head.label, registers, elements);
}
