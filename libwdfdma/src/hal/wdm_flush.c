/* FlushAdapterBuffers(Ex) as a WDM driver calls it, and the end of what was mapped. */
#include "device.h"
#include "wdm_front.h"

/* Copies out [begin, end) of the MDL where [used] covers it, then ends [used]. */
static void mapping_flush(wdfdma_machine *machine, wdm_mapping *used, uint64_t begin,
                          uint64_t end) {
    mapping part = used->map;
    uint64_t skipped = begin > part.offset ? begin - part.offset : 0;
    uint64_t last = end < part.offset + part.length ? end : part.offset + part.length;
    WDFDMA_ASSERT(part.offset + skipped < last); /* it meets the range */
    if (part.device_writes && part.first_register != NO_REGISTER) {
        uint32_t in_page = mdl_page_offset(mapping_get_mdl(&part), part.offset);
        uint32_t passed = (uint32_t)((in_page + skipped) / PAGE_BYTES);
        part.first_register += passed;
        part.register_count -= passed;
        part.offset += skipped;
        bounce_copy(machine, &part, last - part.offset, false);
    }
    if (!machine->state.halted) {
        mapping_end(machine, &used->map);
    }
}

static bool mapping_meets(const wdm_mapping *at, uint32_t base, const mdl_walk *part) {
    return at->base == base && at->map.of == part->at &&
           at->map.offset < part->offset + part->left &&
           at->map.offset + at->map.length > part->offset;
}

/* A flush that meets nothing mapped: of registers that nothing is mapped on, or of other bytes. */
static void flush_refuse(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                         uint32_t base) {
    const wdm_mapping *at = by->wdm_mappings;
    while (at != NULL && (base == NO_REGISTER || at->base != base)) {
        at = at->next;
    }
    uint64_t given = (uint64_t)(uintptr_t)range->base;
    uint64_t start = (uint64_t)(uintptr_t)MmGetMdlVirtualAddress(range->mdl) + range->offset;
    if (at != NULL || (base == NO_REGISTER && !by->needs_registers)) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_16, given, 0, 0, &by->head);
    } else {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_20, given, start,
                               (uint64_t)(uintptr_t)range->mdl, &by->head);
    }
}

/* The transfer of the channel's owner still runs. */
static bool controller_is_idle(wdfdma_machine *machine, const adapter *by) {
    const wdm_context *transfer = by->wdm_owner == NULL ? NULL : by->wdm_owner->transfer;
    if (transfer == NULL || by->controller != &transfer->transfer) {
        return true;
    }
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_23, 0, 0, by->head.handle, &by->head);
    return false;
}

/* The part of what is to be flushed that the first MDL holds; false where it may not be. */
static bool flush_begin(wdfdma_machine *machine, const adapter *by, const wdm_range *range,
                        mdl_walk *part, uint32_t *base) {
    uint32_t count;
    if (range->mdl == NULL || mdl_find(machine, range->mdl) == NULL) {
        mdl_bugcheck(machine, &by->head);
        return false;
    }
    if (range->by_address && !wdm_address_is_inside(machine, by, range->mdl, range->address)) {
        return false;
    }
    if (range->length == 0) {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &by->head);
        return false;
    }
    bool held = wdm_base_find(machine, by, range->base, base, &count);
    bool inside = mdl_walk_begin(machine, part, range->mdl, range->offset, range->length);
    const wdm_mapping *at = held && inside ? by->wdm_mappings : NULL;
    while (at != NULL && !mapping_meets(at, *base, part)) {
        at = at->next;
    }
    if (!held || at == NULL) {
        flush_refuse(machine, by, range, held ? *base : NO_REGISTER);
        return false;
    }
    uint64_t in_page = mdl_page_offset(part->at->mdl, part->offset);
    if (*base != NO_REGISTER && range->length > count * (uint64_t)PAGE_BYTES - in_page) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_00_1, 1,
                               part->at->mdl->ByteCount - part->offset, range->length, &by->head);
        return false;
    }
    return controller_is_idle(machine, by);
}

static bool mappings_flush(wdfdma_machine *machine, adapter *by, const wdm_range *range) {
    mdl_walk part;
    uint32_t base;
    if (!flush_begin(machine, by, range, &part, &base)) {
        return false;
    }
    wdm_mapping **link = &by->wdm_mappings;
    while (*link != NULL) {
        wdm_mapping *at = *link;
        if (mapping_meets(at, base, &part)) {
            guard_check_around(machine, &at->map, &by->head);
            if (!machine->state.halted) {
                mapping_flush(machine, at, part.offset, part.offset + part.left);
            }
            if (machine->state.halted) {
                return false;
            }
            *link = at->next;
            data_free(machine, at);
        } else {
            link = &at->next;
        }
    }
    return !machine->state.halted;
}

void wdm_mappings_forget(wdfdma_machine *machine, wdm_mapping *left) {
    while (left != NULL) {
        wdm_mapping *at = left;
        left = at->next;
        mapping_end(machine, &at->map);
        data_free(machine, at);
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
    (void)WriteToDevice;
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS);
    if (by == NULL) {
        return FALSE;
    }
    wdfdma_machine *machine = entered.call.machine;
    const wdm_range range = wdm_range_by_address(machine, Mdl, MapRegisterBase, CurrentVa, Length);
    bool flushed = mappings_flush(machine, by, &range);
    wdm_leave(&entered);
    return flushed;
}

NTSTATUS wdm_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice) {
    (void)WriteToDevice;
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                            WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS_EX);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = entered.call.machine;
    const wdm_range range = {
        .mdl = Mdl, .base = MapRegisterBase, .offset = Offset, .length = Length};
    bool flushed = mappings_flush(machine, by, &range);
    if (flushed && by->wdm_owner != NULL && by->wdm_owner->transfer != NULL) {
        transfer_flush(&by->wdm_owner->transfer->transfer);
    }
    wdm_leave(&entered);
    return flushed ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
