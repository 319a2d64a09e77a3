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

/* The callbacks in progress, the innermost first. */
static void frames_copy(const wdfdma_machine *machine, wdfdma_violation *into) {
    uint32_t length = sizeof machine->callbacks / sizeof *machine->callbacks;
    for (uint32_t i = 0; i < WDFDMA_VIOLATION_FRAMES && i < into->depth; i++) {
        into->frames[i] = machine->callbacks[(into->depth - 1 - i) % length];
    }
}

void violation_record(wdfdma_machine *machine, wdfdma_rule rule, uint32_t code,
                      const uint64_t parameters[4], const object *concerned, bool stopped) {
    violation_list *list = &machine->violations;
    uint64_t countdown = failures_suspend(machine);
    bool has_room = list->count < list->capacity || list_grow(machine);
    failures_resume(machine, countdown);
    if (!has_room) {
        list->lost++;
        return;
    }
    wdfdma_violation *kept = &list->records[list->count++];
    *kept = (wdfdma_violation){.time_ns = machine->state.time_ns,
                               .step = machine->state.step,
                               .rule = rule,
                               .code = code,
                               .op = machine->state.op,
                               .depth = machine->state.depth,
                               .stopped = stopped};
    memcpy(kept->parameters, parameters, sizeof kept->parameters);
    if (concerned != NULL) {
        kept->handle = concerned->handle;
        kept->created_step = concerned->created_step;
        kept->object_type = concerned->type;
        kept->object = concerned->label;
    }
    frames_copy(machine, kept);
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
