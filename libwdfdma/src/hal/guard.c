/* What is written where nobody may write, as Driver Verifier finds it: around what a WDM driver
 * bounces, in the registers that it bounced through and freed, and around its common buffers.
 *
 * It costs nothing where no WDM driver bounces. What is found is noted, and the call that finds it
 * goes on. */
#include "wdm_front.h"

#include <string.h>

enum {
    FILLING = 0x0F
};
static const char TAG[GUARD_TAG_BYTES] = {'D', 'm', 'a', 'V', 'r', 'f', 'y', '0'};

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

/* Where the mapped bytes end in their last register; 0: at its end. */
static uint32_t mapping_get_end(const wdm_mapping *of) {
    return (uint32_t)((of->start + of->map.length) % PAGE_BYTES);
}

void guard_pad(wdfdma_machine *machine, const wdm_mapping *made) {
    uint32_t first = made->map.first_register;
    if (first == NO_REGISTER) {
        return;
    }
    uint64_t countdown = failures_suspend(machine);
    table_put(machine, &hal_of(machine)->wdm_bounced, made->base, 1);
    failures_resume(machine, countdown);
    uint32_t last = first + made->registers - 1;
    uint8_t *page = register_get_page(machine, last);
    uint32_t end = mapping_get_end(made);
    if (end != 0) {
        memset(page + end, FILLING, PAGE_BYTES - end);
    }
    memset(register_get_page(machine, first), FILLING, (size_t)(made->start % PAGE_BYTES));
}

void guard_check_padding(wdfdma_machine *machine, const adapter *by, const wdm_mapping *used) {
    uint32_t first = used->map.first_register;
    if (first == NO_REGISTER) {
        return;
    }
    uint32_t start = (uint32_t)(used->start % PAGE_BYTES);
    uint32_t changed = filling_find_change(machine, first, 0, start);
    if (changed < start) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_4, 4, used->start,
                               register_get_address(first, changed), &by->head);
    }
    uint32_t last = first + used->registers - 1;
    uint32_t end = mapping_get_end(used);
    changed = end == 0 ? PAGE_BYTES : filling_find_change(machine, last, end, PAGE_BYTES);
    if (changed < PAGE_BYTES) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_5, 5, used->start,
                               register_get_address(last, changed), &by->head);
    }
}

void guard_fill(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    hal *of = hal_of(machine);
    if (base == NO_REGISTER || table_find(&of->wdm_bounced, base) == NULL) {
        return;
    }
    table_remove(&of->wdm_bounced, base);
    uint64_t countdown = failures_suspend(machine);
    for (uint32_t index = base; index < base + count; index++) {
        if (table_put(machine, &of->wdm_filled, index, 1)) {
            memset(register_get_page(machine, index), FILLING, PAGE_BYTES);
        }
    }
    failures_resume(machine, countdown);
}

bool guard_check_filling(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    hal *of = hal_of(machine);
    for (uint32_t index = base; index < base + count; index++) {
        if (table_find(&of->wdm_filled, index) == NULL) {
            continue;
        }
        table_remove(&of->wdm_filled, index);
        uint32_t changed = filling_find_change(machine, index, 0, PAGE_BYTES);
        if (changed < PAGE_BYTES) {
            verifier_dma_violation(machine, WDFDMA_RULE_DMA_0F_3, 3,
                                   register_get_address(index, changed), 0, NULL);
        }
    }
    return !machine->state.halted;
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
