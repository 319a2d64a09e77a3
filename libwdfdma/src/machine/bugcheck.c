/* A bug check halts the machine, not the process: the record is kept, and every later call
 * changes nothing. */
#include "machine.h"

#include <string.h>

/* A handle without the bits that tell one machine from another, an address in the machine as its
 * distance from the machine's begin: a log is the same on each. */
static uint64_t parameter_localize(const wdfdma_machine *machine, uint64_t parameter) {
    uint64_t distance = parameter - (uint64_t)(uintptr_t)machine->arena.base;
    if (distance < machine->arena.reserved_bytes) {
        return distance;
    }
    bool own = (parameter >> HANDLE_MACHINE_SHIFT) == (machine->id >> HANDLE_MACHINE_SHIFT);
    return own ? parameter & ((1ull << HANDLE_MACHINE_SHIFT) - 1) : parameter;
}

void machine_bugcheck(wdfdma_machine *machine, uint32_t code, const uint64_t parameters[4],
                      wdfdma_rule rule, const object *concerned) {
    if (machine->state.halted) {
        return;
    }
    wdfdma_bugcheck *kept = &machine->bugcheck;
    *kept = (wdfdma_bugcheck){.code = code,
                              .rule = rule,
                              .time_ns = machine->state.time_ns,
                              .step = machine->state.step,
                              .op = machine->state.op,
                              .depth = machine->state.depth};
    memcpy(kept->parameters, parameters, sizeof kept->parameters);
    if (concerned != NULL) {
        kept->object_type = concerned->type;
        kept->object = concerned->label;
    }
    if (rule != WDFDMA_RULE_NONE) {
        violation_record(machine, rule, code, parameters, concerned, true);
    }
    machine->state.halted = 1;
    machine->attention |= ATTENTION_HALTED;
    wdfdma_log_record *record =
        log_append(machine, WDFDMA_RECORD_BUGCHECK, kept->object_type, kept->object);
    if (record != NULL) {
        record->status = (int32_t)code;
        for (int i = 0; i < 4; i++) {
            record->values[i] = parameter_localize(machine, parameters[i]);
        }
        /* A log names our own rules; Windows' codes say theirs. */
        record->values[4] = code == WDFDMA_BUGCHECK_WDFDMA_VIOLATION ? rule : WDFDMA_RULE_NONE;
    }
    if (machine->config.handler != NULL) {
        /* Inside a call, whatever it was called from: the handler cannot end or restore. */
        uint32_t op = machine->state.op;
        machine->state.op = op == WDFDMA_OP_NONE ? (uint32_t)WDFDMA_OP_CONTROL : op;
        machine->config.handler(machine, kept, machine->config.handler_context);
        machine->state.op = op;
    }
}

void wdfdma_machine_halt(wdfdma_machine *machine, uint32_t code, uint64_t parameter) {
    if (machine != NULL) {
        const uint64_t parameters[4] = {parameter};
        machine_bugcheck(machine, code, parameters, WDFDMA_RULE_NONE, NULL);
    }
}

const wdfdma_bugcheck *wdfdma_machine_get_bugcheck(const wdfdma_machine *machine) {
    return machine != NULL && machine->state.halted ? &machine->bugcheck : NULL;
}
