/* What Driver Verifier asks of a WDM driver's calls before they are carried out: bug check 0xE6.
 * A call that breaks one of these rules changes nothing, whatever the rule's mode. The framework
 * does not come this way. */
#include "wdm_front.h"

bool wdm_level_is_right(wdfdma_machine *machine, wdm_level level, const object *concerned) {
    uint32_t irql = machine->state.irql;
    uint32_t expected = level == WDM_AT_PASSIVE ? PASSIVE_LEVEL : DISPATCH_LEVEL;
    bool exact = level == WDM_AT_DISPATCH;
    if (exact ? irql == expected : irql <= expected) {
        return true;
    }
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_13, exact ? 1 : 2, expected, irql, concerned);
    return false;
}

/* The slot that [given] points into, live or not; NULL where it is no adapter's. */
static const object *slot_find(const wdfdma_machine *machine, PDMA_ADAPTER given, uint32_t *unit) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    uintptr_t offset = (uintptr_t)given - offsetof(adapter, wdm) - (uintptr_t)objects->base;
    if (offset >= objects->used_bytes || offset % OBJECT_UNIT_BYTES != 0) {
        return NULL;
    }
    *unit = (uint32_t)(offset / OBJECT_UNIT_BYTES);
    const object *slot = (const object *)(const void *)(objects->base + offset);
    return slot->type == WDFDMA_OBJECT_ADAPTER ? slot : NULL;
}

/* An adapter that is none: there never was one, it is gone, or it is no adapter at all. */
COLD static void adapter_refuse(wdfdma_machine *machine, PDMA_ADAPTER given, const object *slot,
                                uint32_t unit) {
    if (given == NULL) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_19, 0, 0, 0, NULL);
    } else if (slot != NULL && slot->handle == 0 && slot->generation != 0) {
        uint64_t handle = machine->id | (uint64_t)slot->generation << HANDLE_UNIT_BITS | unit;
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_18, handle, 0, 0, NULL);
    } else {
        verifier_rule(machine, WDFDMA_RULE_INVALID_ADAPTER, NULL);
    }
}

adapter *wdm_enter(wdm_call *entered, PDMA_ADAPTER given, wdm_level level, uint32_t routine) {
    wdfdma_machine *machine = wdfdma_machine_current();
    if (machine == NULL || machine->state.halted) {
        return NULL;
    }
    uint32_t unit = 0;
    const object *slot = slot_find(machine, given, &unit);
    object *found = slot == NULL ? NULL : object_at(machine, unit, WDFDMA_OBJECT_ADAPTER);
    ddi_begin(&entered->call, machine, WDFDMA_OP_ADAPTER_CALL);
    journal_mark(machine, WDFDMA_JOURNAL_OTHER, WDFDMA_OP_ADAPTER_CALL, 0);
    entered->by = (adapter *)found;
    entered->outer_routine = machine->routine;
    machine->routine = routine;
    if (found == NULL) {
        adapter_refuse(machine, given, slot, unit);
    } else if (wdm_level_is_right(machine, level, found)) {
        return entered->by;
    }
    wdm_leave(entered);
    return NULL;
}

bool wdm_count_is_allowed(wdfdma_machine *machine, const adapter *by, uint64_t registers) {
    if (!by->needs_registers || registers <= by->map_registers) {
        return true;
    }
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_0C, registers, by->map_registers, 0, &by->head);
    return false;
}

bool wdm_context_is_free(wdfdma_machine *machine, const adapter *by, PVOID given,
                         bool synchronous) {
    const wdm_context *context = wdm_context_find(machine, given);
    bool used = context != NULL && (context->waiting != NULL || context->owns_channel);
    if (used && !(synchronous && by->channel != NULL)) {
        verifier_rule(machine, WDFDMA_RULE_TRANSFER_CONTEXT_REUSED, &by->head);
        return false;
    }
    return true;
}

/* Lists are bounded one by one: a driver may have several under way. */
bool wdm_channel_is_allowed(wdfdma_machine *machine, const adapter *by, PDEVICE_OBJECT device,
                            ULONG registers, bool alone) {
    if (!wdm_count_is_allowed(machine, by, registers)) {
        return false;
    }
    uint64_t held = (uint64_t)by->registers_held + registers;
    if (by->needs_registers && held > by->map_registers) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_15, held, by->map_registers, 0, &by->head);
        return false;
    }
    const wdm_request *open = alone ? hal_of(machine)->wdm_open : NULL;
    while (open != NULL && open->device != device) {
        open = open->next_open;
    }
    if (open != NULL) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0B, 2, 0, 0, &by->head);
    }
    return open == NULL;
}

bool wdm_chain_is_usable(wdfdma_machine *machine, PMDL mdl, uint64_t offset, uint64_t length) {
    mdl_walk part;
    bool more = mdl_walk_begin(machine, &part, mdl, offset, length);
    while (more) {
        more = mdl_walk_next(machine, &part);
    }
    if (!part.broken) {
        return true;
    }
    /* The first that is no good; a circle is longer than there are MDLs. */
    const mdl_object *at = mdl_find_any(machine, mdl);
    for (uint64_t hops = machine->state.objects[WDFDMA_OBJECT_MDL];
         at != NULL && mdl_fits(at) && hops > 0; hops--) {
        at = mdl_find_any(machine, at->mdl->Next);
    }
    if (at != NULL && at->pages == 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0E, (uint64_t)(uintptr_t)at->mdl, 0, 0,
                               &at->head);
    } else {
        mdl_refuse(machine, mdl);
    }
    return false;
}

bool wdm_address_is_inside(wdfdma_machine *machine, const adapter *by, const MDL *mdl,
                           PVOID address) {
    if (wdm_get_offset(mdl, address) < mdl->ByteCount) {
        return true;
    }
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_1B, (uint64_t)(uintptr_t)address,
                           (uint64_t)(uintptr_t)mdl, 0, &by->head);
    return false;
}

bool wdm_list_address_is_inside(wdfdma_machine *machine, const adapter *by, const MDL *mdl,
                                PVOID address) {
    if (wdm_get_offset(mdl, address) < mdl->ByteCount) {
        return true;
    }
    bool before = (uintptr_t)address < (uintptr_t)MmGetMdlVirtualAddress(mdl);
    verifier_dma_violation(machine, before ? WDFDMA_RULE_DMA_1F_1 : WDFDMA_RULE_DMA_1F_2,
                           before ? 1 : 2, (uint64_t)(uintptr_t)address, (uint64_t)(uintptr_t)mdl,
                           &by->head);
    return false;
}

bool wdm_registers_are_flushed(wdfdma_machine *machine, const adapter *by, uint32_t base) {
    uint64_t mapped = 0;
    for (const wdm_mapping *at = by->wdm_mappings; at != NULL; at = at->next) {
        mapped += at->base == base ? at->registers : 0;
    }
    if (mapped != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_10, mapped, 0, 0, &by->head);
    }
    return mapped == 0;
}
