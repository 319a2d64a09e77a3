/* The rules that were broken: kept in the machine, so that a restore takes them back too. */
#include "machine.h"

#include <string.h>

enum {
    FEWEST = 16,
    MOST = 1 << 16
};

static bool list_grow(wdfdma_machine *machine) {
    violation_list *list = &machine->violations;
    uint32_t capacity = list->capacity == 0 ? FEWEST : 2 * list->capacity;
    void *grown = list->capacity >= MOST
                      ? NULL
                      : data_grow(machine, list->records, list->count * sizeof *list->records,
                                  capacity * sizeof *list->records);
    if (grown == NULL) {
        return false;
    }
    list->records = grown;
    list->capacity = capacity;
    return true;
}

/* What the object and the machine are like, and who is called back, the innermost first. */
static void circumstances_add(const wdfdma_machine *machine, const object *concerned,
                              wdfdma_violation *into) {
    if (concerned != NULL) {
        into->handle = concerned->handle;
        into->created_step = concerned->created_step;
        into->object_type = concerned->type;
        into->object = concerned->label;
    }
    if (into->handle != 0) {
        machine->describe(machine, concerned, &into->state);
    }
    into->moment = (wdfdma_moment){.log_records = machine->log.written,
                                   .free_registers = machine->state.free_registers,
                                   .waiting_pool = machine->state.waiting_pool,
                                   .waiting_channel = machine->state.waiting_channel,
                                   .irql = machine->state.irql};
    for (uint32_t i = 0; i < WDFDMA_VIOLATION_FRAMES && i < into->depth; i++) {
        into->frames[i] = callback_read(machine, into->depth - 1 - i);
    }
}

wdfdma_violation violation_make(const wdfdma_machine *machine, wdfdma_rule rule, uint32_t code,
                                const uint64_t parameters[4], const object *concerned) {
    wdfdma_violation made = {.time_ns = machine->state.time_ns,
                             .step = machine->state.step,
                             .rule = rule,
                             .code = code,
                             .op = machine->state.op,
                             .depth = machine->state.depth,
                             .routine = machine->state.op == WDFDMA_OP_ADAPTER_CALL
                                            ? machine->routine
                                            : (uint32_t)WDFDMA_ROUTINE_ANY,
                             .state = {.first_register = UINT32_MAX}};
    memcpy(made.parameters, parameters, sizeof made.parameters);
    circumstances_add(machine, concerned, &made);
    return made;
}

void violation_add_others(const wdfdma_machine *machine, wdfdma_violation *into,
                          const uint64_t others[2]) {
    uint32_t count = 0;
    for (int i = 0; i < 2; i++) {
        const object *of = object_find(machine, others[i]);
        if (of != NULL && of->handle != into->handle && (i == 0 || others[1] != others[0])) {
            into->others[count++] =
                (wdfdma_named){.handle = of->handle, .object_type = of->type, .object = of->label};
        }
    }
}

void violation_keep(wdfdma_machine *machine, const wdfdma_violation *made) {
    violation_list *list = &machine->violations;
    uint64_t countdown = failures_suspend(machine);
    bool has_room = list->count < list->capacity || list_grow(machine);
    failures_resume(machine, countdown);
    if (has_room) {
        list->records[list->count++] = *made;
    } else {
        list->lost++;
    }
}

void violations_forget_log(wdfdma_machine *machine) {
    for (uint32_t i = 0; i < machine->violations.count; i++) {
        machine->violations.records[i].moment.log_records = 0;
    }
}

const wdfdma_violation *wdfdma_machine_get_violations(const wdfdma_machine *machine,
                                                      size_t *count) {
    if (machine == NULL || count == NULL) {
        return NULL;
    }
    *count = machine->violations.count;
    return machine->violations.records;
}

uint64_t wdfdma_machine_get_violations_lost(const wdfdma_machine *machine) {
    return machine == NULL ? 0 : machine->violations.lost;
}

void wdfdma_machine_clear_violations(wdfdma_machine *machine) {
    if (machine != NULL) {
        machine->violations.count = 0;
        machine->violations.lost = 0;
    }
}
