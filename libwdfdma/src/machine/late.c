/* Moves of the device that come later than they should: a queue in the machine, part of its value.
 *
 * A move is put off in one outermost call and made at the end of the next; a program's interpreter
 * does that itself, at the end of a step. The moves keep their order. */
#include "machine.h"

#include <string.h>

/* The device's memory is not the driver's: no injected failure meets it. */
void late_add(wdfdma_machine *machine, const late_move *what, const uint8_t *data) {
    uint64_t countdown = failures_suspend(machine);
    late_move *made =
        data_allocate(machine, sizeof *made + (data == NULL ? 0 : what->length), NULL);
    failures_resume(machine, countdown);
    if (made == NULL) {
        return; /* a machine at its limit: the device falls silent */
    }
    *made = *what;
    made->next = NULL;
    made->step = machine->state.step;
    if (data != NULL) {
        memcpy(made + 1, data, what->length);
    }
    if (machine->late.first == NULL) {
        machine->late.first = made;
    } else {
        machine->late.last->next = made;
    }
    machine->late.last = made;
    machine->attention |= ATTENTION_LATE;
}

/* What a move puts off in its turn is of this step, and waits for the next one. */
void late_run(wdfdma_machine *machine) {
    wdfdma_machine *before = wdfdma_machine_use(machine);
    uint32_t counts_steps = machine->counts_steps;
    machine->counts_steps = 0; /* no step of their own, and no end of an outermost call */
    while (!machine->state.halted && machine->late.first != NULL &&
           machine->late.first->step < machine->state.step) {
        late_move *first = machine->late.first;
        machine->late.first = first->next;
        first->make(machine, first);
        data_free(machine, first);
    }
    machine->counts_steps = counts_steps;
    wdfdma_machine_use(before);
    if (machine->late.first == NULL) {
        machine->attention &= ~(uint32_t)ATTENTION_LATE;
    }
}

void late_come(wdfdma_machine *machine) {
    if (machine->state.op == WDFDMA_OP_NONE && machine->state.depth == 0 &&
        machine->counts_steps != 0) {
        late_run(machine);
    }
}

size_t wdfdma_machine_count_late(const wdfdma_machine *machine) {
    size_t count = 0;
    for (const late_move *at = machine == NULL ? NULL : machine->late.first; at != NULL;
         at = at->next) {
        count++;
    }
    return count;
}
