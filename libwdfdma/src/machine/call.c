/* Calls and callbacks of the driver: how deep these may nest, and what is put back when one returns. */
#include "journal.h"

void ddi_leave_slow(const ddi_call *call) {
    wdfdma_machine *machine = call->machine;
    if ((machine->attention & ATTENTION_COVERAGE) != 0) {
        machine->count_call(machine, call);
    }
    machine->state.op = call->outer_op;
    if ((machine->attention & ATTENTION_LATE) != 0) {
        late_come(machine);
    }
}

bool callback_refuse(wdfdma_machine *machine) {
    const uint64_t parameters[4] = {8};
    machine_bugcheck(machine, WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP, parameters,
                     WDFDMA_RULE_UNEXPECTED_KERNEL_MODE_TRAP, NULL);
    return false;
}

void callback_forget(wdfdma_machine *machine, const object *dead) {
    for (uint32_t i = 0; i < 2 * WDFDMA_VIOLATION_FRAMES; i++) {
        callback_entry *entry = &machine->callbacks[i];
        uint32_t event = (uint32_t)(*entry >> 32);
        if (event < CALLBACK_GONE && (uint32_t)*entry == (uint32_t)dead->handle) {
            *entry = callback_entry_make(dead->label,
                                         CALLBACK_GONE | dead->type << CALLBACK_EVENT_BITS | event);
        }
    }
}

wdfdma_violation_frame callback_read(const wdfdma_machine *machine, uint32_t depth) {
    callback_entry entry = machine->callbacks[depth % (2 * WDFDMA_VIOLATION_FRAMES)];
    uint32_t event = (uint32_t)(entry >> 32);
    if (event >= CALLBACK_GONE) {
        const uint32_t mask = (1u << CALLBACK_EVENT_BITS) - 1;
        return (wdfdma_violation_frame){.event = event & mask,
                                        .object_type = event >> CALLBACK_EVENT_BITS & mask,
                                        .object = (uint32_t)entry};
    }
    const region *objects = &machine->regions[REGION_OBJECTS];
    size_t unit = entry & ((1u << HANDLE_UNIT_BITS) - 1);
    const object *of = (const object *)(const void *)(objects->base + unit * OBJECT_UNIT_BYTES);
    WDFDMA_ASSERT(unit * OBJECT_UNIT_BYTES < objects->used_bytes);
    return (wdfdma_violation_frame){
        .handle = of->handle, .event = event, .object_type = of->type, .object = of->label};
}

void callback_record_leave(const callback_frame *frame) {
    if (frame->event < WDFDMA_EVENT_COUNT) {
        journal_mark(frame->machine, WDFDMA_JOURNAL_LEAVE, frame->event, frame->label);
    }
    if (frame->event < WDFDMA_EVENT_COUNT && !frame->machine->state.halted) {
        log_append(frame->machine, WDFDMA_RECORD_LEAVE, frame->event, frame->label);
    }
}
