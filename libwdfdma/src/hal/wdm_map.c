/* MapTransfer(Ex) and FlushAdapterBuffers(Ex) as a WDM driver calls them. */
#include "wdm_front.h"

uint64_t wdm_get_offset(const MDL *mdl, PVOID address) {
    return (uint64_t)((uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(mdl));
}

/* What a driver asks to be mapped or flushed. */
typedef struct wdm_range {
    PMDL mdl;
    PVOID base;
    uint64_t offset;
    uint64_t length;
    bool to_device;
} wdm_range;

/* The part of the range that its first MDL holds; false, with the machine halted, where there is
 * none. */
static bool range_begin(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                        mdl_walk *part) {
    if (range->length != 0 &&
        mdl_walk_begin(machine, part, range->mdl, range->offset, range->length)) {
        return true;
    }
    if (range->mdl == NULL || mdl_find(machine, range->mdl) == NULL) {
        mdl_bugcheck(machine);
    } else {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &by->head);
    }
    return false;
}

static bool base_is_usable(wdfdma_machine *machine, const adapter *by, PVOID given, uint32_t *base,
                           uint32_t *count) {
    bool known = base_from_wdm(machine, given, base, count);
    if (known && *base != NO_REGISTER) {
        known = pool_get_held(machine, by, *base) != 0;
    }
    if (known && (*base != NO_REGISTER) == by->needs_registers) {
        return true;
    }
    verifier_rule(machine, WDFDMA_RULE_CANCELLED_RESERVATION_USED, &by->head);
    return false;
}

/* Maps the first element of the range; what was mapped, or NULL. */
static wdm_mapping *mapping_make(wdfdma_machine *machine, adapter *by, const wdm_range *range) {
    mdl_walk part;
    uint32_t base;
    uint32_t count;
    if (!base_is_usable(machine, by, range->base, &base, &count) ||
        !range_begin(machine, by, range, &part)) {
        return NULL;
    }
    wdm_mapping *made = data_allocate(machine, sizeof *made, NULL);
    if (made == NULL) {
        return NULL;
    }
    made->base = base;
    const map_part asked = {part.at, part.offset, part.length, base, count, range->to_device};
    map_transfer(machine, by, &asked, &made->map, &made->element);
    made->next = by->wdm_mappings;
    by->wdm_mappings = made;
    return made;
}

PHYSICAL_ADDRESS wdm_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                  PVOID CurrentVa, PULONG Length, BOOLEAN WriteToDevice) {
    PHYSICAL_ADDRESS address = {.QuadPart = 0};
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return address;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_range range = {Mdl, MapRegisterBase, 0, Length == NULL ? 0 : *Length,
                       WriteToDevice != FALSE};
    if (Mdl != NULL && mdl_find(machine, Mdl) != NULL) {
        range.offset = wdm_get_offset(Mdl, CurrentVa);
    }
    const wdm_mapping *made = mapping_make(machine, by, &range);
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
                       wdm_context *transfer, PSCATTER_GATHER_LIST out, PULONG length) {
    if (!by->master && (by->channel == NULL || transfer == NULL)) {
        verifier_rule(machine, WDFDMA_RULE_CHANNEL_NOT_OWNED, &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    if (!by->master && by->controller != NULL) {
        verifier_rule(machine, WDFDMA_RULE_MAPPED_TWICE, &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    if (transfer != NULL && transfer->transfer.cancelled) {
        *length = 0;
        return STATUS_CANCELLED;
    }
    wdm_mapping *made = mapping_make(machine, by, range);
    if (made == NULL) {
        return machine->state.halted ? STATUS_UNSUCCESSFUL : STATUS_INSUFFICIENT_RESOURCES;
    }
    out->NumberOfElements = 1;
    out->Reserved = 0;
    out->Elements[0] = made->element;
    *length = (ULONG)made->map.length;
    if (!by->master) {
        transfer_start(by, &transfer->transfer, made->map.length);
    }
    return STATUS_SUCCESS;
}

NTSTATUS wdm_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                             ULONGLONG Offset, ULONG DeviceOffset, PULONG Length,
                             BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer,
                             ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                             PVOID CompletionContext) {
    (void)DeviceOffset;
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    ULONG smallest = sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT);
    if (Length != NULL && ScatterGatherBuffer != NULL && ScatterGatherBufferLength >= smallest) {
        const wdm_range range = {Mdl, MapRegisterBase, Offset, *Length, WriteToDevice != FALSE};
        wdm_context *transfer = by->wdm_owner == NULL ? NULL : by->wdm_owner->transfer;
        if (transfer != NULL) {
            transfer->routine = DmaCompletionRoutine;
            transfer->routine_context = CompletionContext;
            transfer->device = by->wdm_owner->device;
            transfer->by = by;
        }
        status = map_ex(entered.call.machine, by, &range, transfer, ScatterGatherBuffer, Length);
    }
    wdm_leave(&entered);
    return status;
}

/* Copies out [begin, end) of the MDL where [used] covers it, then ends [used]. */
static void mapping_flush(wdfdma_machine *machine, wdm_mapping *used, uint64_t begin,
                          uint64_t end) {
    mapping part = used->map;
    uint64_t skipped = begin > part.offset ? begin - part.offset : 0;
    uint64_t last = end < part.offset + part.length ? end : part.offset + part.length;
    if (part.device_writes && part.first_register != NO_REGISTER && part.offset + skipped < last) {
        uint32_t in_page = mdl_page_offset(part.mdl, part.offset);
        uint32_t passed = (uint32_t)((in_page + skipped) / PAGE_BYTES);
        part.first_register += passed;
        part.register_count -= passed;
        part.offset += skipped;
        bounce_copy(machine, &part, last - part.offset, false);
    }
    mapping_end(machine, &used->map);
}

static void mappings_flush(wdfdma_machine *machine, adapter *by, const wdm_range *range) {
    mdl_walk part;
    uint32_t base;
    uint32_t count;
    if (!base_is_usable(machine, by, range->base, &base, &count) ||
        !range_begin(machine, by, range, &part)) {
        return;
    }
    uint64_t end = part.offset + part.left;
    wdm_mapping **link = &by->wdm_mappings;
    while (*link != NULL) {
        wdm_mapping *at = *link;
        bool meets = at->base == base && at->map.mdl == part.at->mdl && at->map.offset < end &&
                     at->map.offset + at->map.length > part.offset;
        if (meets) {
            mapping_flush(machine, at, part.offset, end);
            *link = at->next;
            data_free(machine, at);
        } else {
            link = &at->next;
        }
    }
}

void wdm_mappings_end(wdfdma_machine *machine, adapter *by, uint32_t base) {
    wdm_mapping **link = &by->wdm_mappings;
    while (*link != NULL) {
        wdm_mapping *at = *link;
        if (at->base == base) {
            mapping_end(machine, &at->map);
            *link = at->next;
            data_free(machine, at);
        } else {
            link = &at->next;
        }
    }
}

BOOLEAN wdm_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                  PVOID CurrentVa, ULONG Length, BOOLEAN WriteToDevice) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return FALSE;
    }
    wdfdma_machine *machine = entered.call.machine;
    wdm_range range = {Mdl, MapRegisterBase, 0, Length, WriteToDevice != FALSE};
    if (Mdl != NULL && mdl_find(machine, Mdl) != NULL) {
        range.offset = wdm_get_offset(Mdl, CurrentVa);
    }
    mappings_flush(machine, by, &range);
    wdm_leave(&entered);
    return !machine->state.halted;
}

NTSTATUS wdm_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    const wdm_range range = {Mdl, MapRegisterBase, Offset, Length, WriteToDevice != FALSE};
    mappings_flush(machine, by, &range);
    if (by->wdm_owner != NULL && by->wdm_owner->transfer != NULL && !machine->state.halted) {
        transfer_flush(&by->wdm_owner->transfer->transfer);
    }
    wdm_leave(&entered);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}
