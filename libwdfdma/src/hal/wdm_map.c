/* MapTransfer(Ex) as a WDM driver calls it. */
#include "wdm_front.h"

uint64_t wdm_get_offset(const MDL *mdl, PVOID address) {
    return (uint64_t)((uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(mdl));
}

/* A mapping that may be made. */
typedef struct wdm_plan {
    map_part part;
    uint64_t start; /* the virtual address of its first byte */
    uint32_t base;
    uint32_t count;
} wdm_plan;

bool wdm_base_find(wdfdma_machine *machine, const adapter *by, PVOID given, uint32_t *base,
                   uint32_t *count) {
    bool known = base_from_wdm(machine, given, base, count);
    if (known && *base != NO_REGISTER) {
        known = pool_get_held(machine, by, *base) != 0;
    }
    return known && (*base != NO_REGISTER) == by->needs_registers;
}

/* How many of [length] bytes the chain lacks, counted from the part on; [in_page]: how many of
 * them its last page would still hold. */
static uint64_t chain_get_lack(const wdfdma_machine *machine, const mdl_walk *first,
                               uint64_t *in_page) {
    mdl_walk part = *first;
    const MDL *last = part.at->mdl;
    uint64_t lack = part.left - part.length;
    while (lack != 0 && mdl_walk_next(machine, &part)) {
        last = part.at->mdl;
        lack = part.left - part.length;
    }
    uint64_t end = ((uint64_t)last->ByteOffset + last->ByteCount) % PAGE_BYTES;
    *in_page = end == 0 ? 0 : PAGE_BYTES - end;
    return lack;
}

static bool length_is_allowed(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                              const mdl_walk *first) {
    uint64_t in_page;
    uint64_t lack = chain_get_lack(machine, first, &in_page);
    if (range->by_address ? lack > in_page : lack != 0) {
        verifier_dma_violation(
            machine, range->by_address ? WDFDMA_RULE_DMA_1F_3 : WDFDMA_RULE_DMA_24,
            range->by_address ? 3 : lack, range->by_address ? (uint64_t)(uintptr_t)range->mdl : 0,
            range->by_address ? range->length : 0, &by->head);
        return false;
    }
    return true;
}

/* The part of the range that its first MDL holds. */
static bool range_begin(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                        mdl_walk *part) {
    if (range->length == 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_21, 0, 0, 0, &by->head);
        return false;
    }
    if (!wdm_chain_is_usable(machine, range->mdl, range->offset, range->length) ||
        (range->by_address && !wdm_address_is_inside(machine, by, range->mdl, range->address))) {
        return false;
    }
    if (!mdl_walk_begin(machine, part, range->mdl, range->offset, range->length)) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_24, range->length, 0, 0, &by->head);
        return false;
    }
    return length_is_allowed(machine, by, range, part);
}

/* Nothing of the part is mapped already on this adapter. */
static bool part_is_unmapped(wdfdma_machine *machine, const adapter *by, uint64_t start,
                             uint64_t end) {
    for (const wdm_mapping *at = by->wdm_mappings; at != NULL; at = at->next) {
        if (at->start < end && start < at->start + at->map.length) {
            verifier_dma_violation(machine, WDFDMA_RULE_DMA_1D, start, end,
                                   at->start > start ? at->start : start, &by->head);
            return false;
        }
    }
    return true;
}

/* Moves a part that bounces behind what bounces through the same run already. */
static bool registers_place(wdfdma_machine *machine, const adapter *by, wdm_plan *plan) {
    uint32_t used = 0;
    if (!map_bounces(by, &plan->part)) {
        return true;
    }
    for (const wdm_mapping *at = by->wdm_mappings; at != NULL; at = at->next) {
        if (at->base == plan->base && at->map.first_register != NO_REGISTER) {
            uint32_t end = at->map.first_register + at->registers - plan->base;
            used = end > used ? end : used;
        }
    }
    uint64_t in_page = plan->start % PAGE_BYTES;
    uint64_t needed = pages_spanned(in_page, plan->part.length);
    if (used != 0 && needed > plan->count - used) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_00_2, 2, needed, plan->count - used,
                               &by->head);
        return false;
    }
    plan->part.base += used;
    plan->part.registers -= used;
    return true;
}

static bool bytes_are_allowed(wdfdma_machine *machine, const adapter *by, const wdm_plan *plan) {
    uint64_t room = plan->count * (uint64_t)PAGE_BYTES - plan->start % PAGE_BYTES;
    uint64_t most = by->map_registers * (uint64_t)PAGE_BYTES;
    uint64_t mapped = plan->part.length < room ? plan->part.length : room;
    for (const wdm_mapping *at = by->wdm_mappings; at != NULL; at = at->next) {
        mapped += at->map.length;
    }
    if (by->needs_registers && mapped > most) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0D, mapped, most, 0, &by->head);
        return false;
    }
    return true;
}

/* What mapping the first element of the range would take; false where it may not be mapped. */
static bool mapping_plan(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                         wdm_plan *plan) {
    mdl_walk part;
    if (!wdm_base_find(machine, by, range->base, &plan->base, &plan->count)) {
        verifier_rule(machine, WDFDMA_RULE_CANCELLED_RESERVATION_USED, &by->head);
        return false;
    }
    if (!range_begin(machine, by, range, &part)) {
        return false;
    }
    plan->start = (uint64_t)(uintptr_t)MmGetMdlVirtualAddress(part.at->mdl) + part.offset;
    plan->part = (map_part){.of = part.at,
                            .offset = part.offset,
                            .length = part.length,
                            .base = plan->base,
                            .registers = plan->count,
                            .to_device = range->to_device,
                            .may_fall_short = range->may_fall_short};
    return part_is_unmapped(machine, by, plan->start, plan->start + part.length) &&
           registers_place(machine, by, plan) && bytes_are_allowed(machine, by, plan);
}

static wdm_mapping *mapping_make(wdfdma_machine *machine, adapter *by, const wdm_plan *plan) {
    wdm_mapping *made = data_allocate(machine, sizeof *made, &by->head);
    if (made == NULL) {
        return NULL;
    }
    if (map_transfer(machine, by, &plan->part, &made->map, &made->element) == 0) {
        return NULL;
    }
    made->base = plan->base;
    made->start = plan->start;
    made->registers = (uint32_t)pages_spanned(plan->start, made->map.length);
    made->next = by->wdm_mappings;
    by->wdm_mappings = made;
    return made;
}

wdm_range wdm_range_by_address(wdfdma_machine *machine, PMDL mdl, PVOID base, PVOID address,
                               uint64_t length) {
    wdm_range range = {
        .mdl = mdl, .base = base, .address = address, .length = length, .by_address = true};
    if (mdl != NULL && mdl_find(machine, mdl) != NULL) {
        range.offset = wdm_get_offset(mdl, address);
        /* Out of the MDL, and noted as that: the walk must not go looking for it in the chain. */
        range.offset = range.offset < mdl->ByteCount ? range.offset : 0;
    }
    return range;
}

PHYSICAL_ADDRESS wdm_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                  PVOID CurrentVa, PULONG Length, BOOLEAN WriteToDevice) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    PHYSICAL_ADDRESS address = {.QuadPart = 0};
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_MAP_TRANSFER);
    if (by == NULL) {
        return address;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_range range = wdm_range_by_address(machine, Mdl, MapRegisterBase, CurrentVa,
                                           Length == NULL ? 0 : *Length);
    range.to_device = WriteToDevice != FALSE;
    range.may_fall_short = by->scatter_gather;
    wdm_plan plan;
    const wdm_mapping *made =
        mapping_plan(machine, by, &range, &plan) ? mapping_make(machine, by, &plan) : NULL;
    if (Length != NULL) {
        *Length = made == NULL ? 0 : (ULONG)made->map.length;
    }
    if (made != NULL) {
        address = made->element.Address;
    }
    wdm_leave(&entered);
    return address;
}

static NTSTATUS map_ex(wdfdma_machine *machine, adapter *by, const wdm_range *range,
                       wdm_context *transfer, wdm_mapping **out) {
    wdm_plan plan;
    if (!by->master && (by->channel == NULL || transfer == NULL)) {
        verifier_rule(machine, WDFDMA_RULE_CHANNEL_NOT_OWNED, &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    bool runs = !by->master && by->controller != NULL;
    if (transfer != NULL && transfer->transfer.cancelled && !runs) {
        return STATUS_CANCELLED;
    }
    if (!mapping_plan(machine, by, range, &plan)) {
        return STATUS_UNSUCCESSFUL;
    }
    if (runs) {
        verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status;
    if (fault_hits_routine(machine, WDFDMA_ROUTINE_MAP_TRANSFER_EX, &status)) {
        return status;
    }
    *out = mapping_make(machine, by, &plan);
    if (*out == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!by->master) {
        transfer_start(by, &transfer->transfer, (*out)->map.length);
    }
    return STATUS_SUCCESS;
}

NTSTATUS wdm_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                             ULONGLONG Offset, ULONG DeviceOffset, PULONG Length,
                             BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer,
                             ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                             PVOID CompletionContext) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)DeviceOffset;
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_MAP_TRANSFER_EX);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    ULONG smallest = sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT);
    if (Length != NULL && ScatterGatherBuffer != NULL && ScatterGatherBufferLength >= smallest) {
        const wdm_range range = {.mdl = Mdl,
                                 .base = MapRegisterBase,
                                 .offset = Offset,
                                 .length = *Length,
                                 .to_device = WriteToDevice != FALSE,
                                 .may_fall_short = true};
        wdm_context *transfer = by->wdm_owner == NULL ? NULL : by->wdm_owner->transfer;
        wdm_mapping *made = NULL;
        status = map_ex(entered.call.machine, by, &range, transfer, &made);
        *Length = status == STATUS_CANCELLED ? 0 : *Length;
        if (made != NULL) {
            *Length = (ULONG)made->map.length;
            ScatterGatherBuffer->NumberOfElements = 1;
            ScatterGatherBuffer->Reserved = 0;
            ScatterGatherBuffer->Elements[0] = made->element;
        }
        if (made != NULL && transfer != NULL) {
            transfer->routine = DmaCompletionRoutine;
            transfer->routine_context = CompletionContext;
            transfer->device = by->wdm_owner->device;
            transfer->by = by;
        }
    }
    wdm_leave(&entered);
    return status;
}
