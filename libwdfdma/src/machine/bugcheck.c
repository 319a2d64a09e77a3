/* A bug check halts the machine, not the process: the record is kept, and every later call
 * changes nothing. */
#include "machine.h"

#include <string.h>

/* As far as a driver's wrong offset or length can lead away from an address in the machine. */
static const uint64_t NEARBY_BYTES = 1ull << 33;

uint64_t address_localize(const wdfdma_machine *machine, uint64_t address) {
    uint64_t distance = address - (uint64_t)(uintptr_t)machine->arena.base;
    bool near = distance + NEARBY_BYTES < machine->arena.reserved_bytes + 2 * NEARBY_BYTES;
    return near ? distance : address;
}

uint64_t wdfdma_machine_localize(const wdfdma_machine *machine, uint64_t given) {
    if (machine == NULL) {
        return given;
    }
    uint64_t number = address_localize(machine, given);
    bool own = (number >> HANDLE_MACHINE_SHIFT) == (machine->id >> HANDLE_MACHINE_SHIFT);
    return own ? number & ((1ull << HANDLE_MACHINE_SHIFT) - 1) : number;
}

static void bugcheck_log(wdfdma_machine *machine, const wdfdma_violation *now) {
    wdfdma_log_record *record =
        log_append(machine, WDFDMA_RECORD_BUGCHECK, now->object_type, now->object);
    if (record == NULL) {
        return;
    }
    record->status = (int32_t)now->code;
    for (int i = 0; i < 4; i++) {
        record->values[i] = wdfdma_machine_localize(machine, now->parameters[i]);
    }
    /* A log names our own rules; Windows' codes say theirs. */
    record->values[4] =
        now->code == WDFDMA_BUGCHECK_WDFDMA_VIOLATION ? now->rule : (uint32_t)WDFDMA_RULE_NONE;
}

static void bugcheck_keep(wdfdma_machine *machine, const wdfdma_violation *now) {
    wdfdma_bugcheck *kept = &machine->bugcheck;
    *kept = (wdfdma_bugcheck){.code = now->code,
                              .rule = now->rule,
                              .time_ns = now->time_ns,
                              .step = now->step,
                              .handle = now->handle,
                              .created_step = now->created_step,
                              .op = now->op,
                              .depth = now->depth,
                              .object_type = now->object_type,
                              .object = now->object,
                              .routine = now->routine,
                              .state = now->state,
                              .moment = now->moment};
    memcpy(kept->parameters, now->parameters, sizeof kept->parameters);
    memcpy(kept->frames, now->frames, sizeof kept->frames);
    memcpy(kept->others, now->others, sizeof kept->others);
    if (now->rule != WDFDMA_RULE_NONE) {
        violation_keep(machine, now);
    }
}

void machine_bugcheck(wdfdma_machine *machine, uint32_t code, const uint64_t parameters[4],
                      wdfdma_rule rule, const object *concerned) {
    if (machine->state.halted) {
        return;
    }
    wdfdma_violation now = violation_make(machine, rule, code, parameters, concerned);
    machine_stop(machine, &now);
}

void machine_stop(wdfdma_machine *machine, wdfdma_violation *now) {
    now->stopped = true;
    machine->state.halted = 1;
    machine->attention |= ATTENTION_HALTED;
    bugcheck_log(machine, now);
    now->moment.log_records = machine->log.written;
    bugcheck_keep(machine, now);
    if (machine->config.handler != NULL) {
        /* Inside a call, whatever it was called from: the handler cannot end or restore. */
        uint32_t op = machine->state.op;
        machine->state.op = op == WDFDMA_OP_NONE ? (uint32_t)WDFDMA_OP_CONTROL : op;
        machine->config.handler(machine, &machine->bugcheck, machine->config.handler_context);
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
