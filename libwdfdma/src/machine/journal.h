/* Where calls are written before they run. A call writes itself once its handle is known to be good,
 * before it does anything; one with a bad handle is written where that is refused. */
#ifndef WDFDMA_JOURNAL_H
#define WDFDMA_JOURNAL_H

#include "machine.h"
#include "wdfdma/journal.h"

/* An entry of [kind]. What does not fit ends the journal. */
COLD void journal_write(wdfdma_machine *machine, uint32_t kind, const uint64_t *values,
                        size_t count);
/* A call of [machine]'s op in progress, on [handle]. */
COLD void journal_write_call(wdfdma_machine *machine, uint64_t handle, const uint64_t *operands,
                             size_t count);

/* A fault that is added to the plan. */
COLD void journal_write_fault(wdfdma_machine *machine, const wdfdma_fault *fault);

static inline bool journal_is_on(const wdfdma_machine *machine) {
    return UNLIKELY((machine->attention & ATTENTION_JOURNAL) != 0);
}
static inline void journal_call(wdfdma_machine *machine, uint64_t handle) {
    if (journal_is_on(machine)) {
        journal_write_call(machine, handle, NULL, 0);
    }
}
static inline void journal_call_with(wdfdma_machine *machine, uint64_t handle, uint64_t first) {
    if (journal_is_on(machine)) {
        journal_write_call(machine, handle, &first, 1);
    }
}
static inline void journal_call_with_two(wdfdma_machine *machine, uint64_t handle, uint64_t first,
                                         uint64_t second) {
    if (journal_is_on(machine)) {
        const uint64_t operands[] = {first, second};
        journal_write_call(machine, handle, operands, 2);
    }
}
/* A mark with up to two values. */
static inline void journal_mark(wdfdma_machine *machine, uint32_t mark, uint64_t first,
                                uint64_t second) {
    if (journal_is_on(machine)) {
        const uint64_t values[] = {first, second};
        journal_write(machine, mark, values, 2);
    }
}
static inline void journal_made(wdfdma_machine *machine, const object *made) {
    if (journal_is_on(machine)) {
        const uint64_t values[] = {made->type, made->label,
                                   wdfdma_machine_localize(machine, made->handle)};
        journal_write(machine, WDFDMA_JOURNAL_MADE, values, 3);
    }
}

#endif
