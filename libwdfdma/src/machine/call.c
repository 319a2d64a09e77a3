/* Callbacks of the driver: how deep they may nest, and what is put back when one returns. */
#include "machine.h"

bool callback_refuse(wdfdma_machine *machine) {
    const uint64_t parameters[4] = {8};
    machine_bugcheck(machine, WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP, parameters,
                     WDFDMA_RULE_UNEXPECTED_KERNEL_MODE_TRAP, NULL);
    return false;
}

void callback_record_leave(const callback_frame *frame) {
    if (frame->event < WDFDMA_EVENT_COUNT && !frame->machine->state.halted) {
        log_append(frame->machine, WDFDMA_RECORD_LEAVE, frame->event, frame->label);
    }
}
