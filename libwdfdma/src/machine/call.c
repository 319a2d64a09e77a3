/* Callbacks of the driver: how deep they may nest, and what is put back when one returns. */
#include "machine.h"

bool callback_enter(wdfdma_machine *machine, callback_frame *frame, uint32_t label, uint32_t event,
                    uint32_t irql) {
    if (UNLIKELY(machine->state.depth >= machine->config.maximum_depth)) {
        const uint64_t parameters[4] = {8};
        machine_bugcheck(machine, WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP, parameters,
                         WDFDMA_RULE_NONE, NULL);
        return false;
    }
    *frame = (callback_frame){machine, machine->state.irql, machine->counts_steps, label, event};
    machine->state.depth++;
    machine->counts_steps = 0;
    if (machine->state.irql < irql) {
        machine->state.irql = irql;
    }
    return true;
}

void callback_leave(const callback_frame *frame) {
    wdfdma_machine *machine = frame->machine;
    machine->state.depth--;
    machine->state.irql = frame->irql;
    machine->counts_steps = frame->counts_steps;
    if (frame->event < WDFDMA_EVENT_COUNT && !machine->state.halted) {
        log_append(machine, WDFDMA_RECORD_LEAVE, frame->event, frame->label);
    }
}
