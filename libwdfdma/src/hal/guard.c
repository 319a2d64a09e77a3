/* What is written where nobody may write, as Driver Verifier finds it: in map registers that nothing
 * is mapped through, around what bounces, and around a WDM driver's common buffers.
 *
 * Every byte of a register that no transfer bounces through is as good as filled with 0x0F. Only a
 * device that no IOMMU stops can tell, so it is done when such a device reaches for the register, and
 * registers that nobody strays into cost nothing. A register is noted as filled until what
 * is mapped through it changes; then it is checked. What is found is told once, and the call that
 * finds it goes on. */
#include "device.h"
#include "wdm_front.h"

#include <string.h>

enum {
    FILLING = 0x0F
};
static const char TAG[GUARD_TAG_BYTES] = {'D', 'm', 'a', 'V', 'r', 'f', 'y', '0'};

static bool filling_is_wanted(const wdfdma_machine *machine) {
    const uint8_t *modes = machine->rule_modes;
    return modes[WDFDMA_RULE_DMA_0F_3] != WDFDMA_MODE_IGNORE ||
           modes[WDFDMA_RULE_DMA_0F_4] != WDFDMA_MODE_IGNORE ||
           modes[WDFDMA_RULE_DMA_0F_5] != WDFDMA_MODE_IGNORE;
}

void guard_fill(wdfdma_machine *machine, uint32_t index) {
    hal *of = hal_of(machine);
    if (!filling_is_wanted(machine) || table_find(&of->filled, index) != NULL) {
        return;
    }
    uint64_t countdown = failures_suspend(machine);
    bool noted = table_put(machine, &of->filled, index, 1);
    failures_resume(machine, countdown);
    uint8_t *page = register_get_page(machine, index);
    uint32_t end;
    for (uint32_t begin = 0; noted && register_find_gap(machine, index, &begin, &end);
         begin = end) {
        memset(page + begin, FILLING, end - begin);
    }
}

/* The first byte of [begin, end) of a register that is not the filling any more, or [end]. */
static uint32_t filling_find_change(wdfdma_machine *machine, uint32_t index, uint32_t begin,
                                    uint32_t end) {
    const uint8_t *page = register_get_page(machine, index);
    while (begin < end && page[begin] == FILLING) {
        begin++;
    }
    return begin;
}

static uint64_t register_get_address(uint32_t index, uint32_t at) {
    return REGISTERS_ADDRESS + (uint64_t)index * PAGE_BYTES + at;
}

size_t guard_check_unused(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    table *filled = &hal_of(machine)->filled;
    size_t told = 0;
    for (uint32_t index = base; index < base + count && filled->count != 0; index++) {
        if (table_find(filled, index) == NULL || register_get_mapping(machine, index) != NULL) {
            continue;
        }
        table_remove(filled, index);
        uint32_t changed = filling_find_change(machine, index, 0, PAGE_BYTES);
        if (changed < PAGE_BYTES) {
            told += verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_3, 3,
                                           register_get_address(index, changed), 0, NULL);
        }
    }
    return told;
}

/* The virtual address of the part of a mapping that has the register [passed] registers after its
 * first, or that ends last before it; 0 where the chain is no more. */
static uint64_t mapping_get_start(const wdfdma_machine *machine, const mapping *of,
                                  uint64_t passed) {
    mdl_walk part;
    uint64_t start = 0;
    uint64_t registers = 0;
    bool more = mdl_walk_begin(machine, &part, mapping_get_mdl(of), of->offset, of->length);
    while (more && registers <= passed) {
        const MDL *mdl = part.at->mdl;
        start = (uint64_t)(uintptr_t)MmGetMdlVirtualAddress(mdl) + part.offset;
        registers += pages_spanned(mdl_page_offset(mdl, part.offset), part.length);
        more = mdl_walk_next(machine, &part);
    }
    return start;
}

/* Tells of a change before, or after, what [used] has of a register. */
static void change_tell(wdfdma_machine *machine, const mapping *used, bool before, uint64_t address,
                        const object *concerned) {
    uint64_t passed = (address - REGISTERS_ADDRESS) / PAGE_BYTES - used->first_register;
    verifier_dma_violation(machine, before ? WDFDMA_RULE_DMA_0F_4 : WDFDMA_RULE_DMA_0F_5,
                           before ? 4 : 5, mapping_get_start(machine, used, passed), address,
                           concerned);
}

void guard_check_around(wdfdma_machine *machine, const mapping *used, const object *concerned) {
    table *filled = &hal_of(machine)->filled;
    bool told_after = false; /* what runs on over several registers is one change */
    uint32_t count = used->first_register == NO_REGISTER ? 0 : used->register_count;
    for (uint32_t passed = 0; passed < count && filled->count != 0; passed++) {
        uint32_t index = used->first_register + passed;
        const mapping *here = register_get_mapping(machine, index);
        told_after = told_after && here == NULL;
        if ((here != NULL && here != used) || table_find(filled, index) == NULL) {
            continue;
        }
        table_remove(filled, index);
        uint32_t end;
        for (uint32_t begin = 0; register_find_gap(machine, index, &begin, &end); begin = end) {
            bool before = here == used && begin == 0;
            uint32_t changed = filling_find_change(machine, index, begin, end);
            if (changed < end && (before || !told_after)) {
                told_after = !before;
                change_tell(machine, used, before, register_get_address(index, changed), concerned);
            }
        }
    }
}

void guard_tag(uint8_t *bytes, uint64_t length) {
    memcpy(bytes - GUARD_TAG_BYTES, TAG, GUARD_TAG_BYTES);
    memcpy(bytes + length, TAG, GUARD_TAG_BYTES);
}

void guard_check_tags(wdfdma_machine *machine, const adapter *by, const uint8_t *bytes,
                      uint64_t length) {
    uint64_t start = (uint64_t)(uintptr_t)bytes;
    if (memcmp(bytes - GUARD_TAG_BYTES, TAG, GUARD_TAG_BYTES) != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_1, 1, length, start, &by->head);
    }
    if (memcmp(bytes + length, TAG, GUARD_TAG_BYTES) != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_2, 2, length, start, &by->head);
    }
}
