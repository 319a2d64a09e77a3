/* Steps that touch memory: the device's accesses, at what a transaction was programmed with last or
 * at an address of the script's choice, and the processor's, in a buffer. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

enum {
    BYTES_MOST = 1 << 20 /* of one access */
};

#define OFFSET {"offset", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define LENGTH {"length", WDFDMA_OPERAND_NUMBER, BYTES_MOST}
#define VALUE {"value", WDFDMA_OPERAND_NUMBER, UINT8_MAX}
#define TRANSACTION {"transaction", WDFDMA_OPERAND_TRANSACTION, UINT32_MAX}
#define ELEMENT {"element", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define ADDRESS {"address", WDFDMA_OPERAND_NUMBER, UINT64_MAX}
#define BUFFER {"buffer", WDFDMA_OPERAND_BUFFER, UINT32_MAX}
#define READ_RESULTS (WDFDMA_RESULT_NUMBER | WDFDMA_RESULT_STATUS)

static const wdfdma_operation device_operations[] = {
    {"device_read", 4, READ_RESULTS, {TRANSACTION, ELEMENT, OFFSET, LENGTH}},
    {"device_write", 5, WDFDMA_RESULT_STATUS, {TRANSACTION, ELEMENT, OFFSET, LENGTH, VALUE}},
};

static const wdfdma_operation memory_operations[] = {
    {"device_read_address", 2, READ_RESULTS, {ADDRESS, LENGTH}},
    {"device_write_address", 3, WDFDMA_RESULT_STATUS, {ADDRESS, LENGTH, VALUE}},
    {"mdl_read", 3, READ_RESULTS, {BUFFER, OFFSET, LENGTH}},
    {"mdl_write", 4, WDFDMA_RESULT_STATUS, {BUFFER, OFFSET, LENGTH, VALUE}},
    {"free_mdl", 1, WDFDMA_RESULT_STATUS, {BUFFER}},
};

void actor_remember(wdfdma_machine *machine, interpreter *run, actor *who,
                    const SCATTER_GATHER_LIST *list) {
    uint64_t countdown = failures_suspend(machine);
    size_t bytes = list->NumberOfElements * sizeof *who->elements;
    SCATTER_GATHER_ELEMENT *copy = data_allocate(machine, bytes, NULL);
    failures_resume(machine, countdown);
    if (copy == NULL) {
        program_fail(run, WDFDMA_PROGRAM_NO_MEMORY, 0, 0);
        return;
    }
    memcpy(copy, list->Elements, bytes);
    data_free(machine, who->elements);
    who->elements = copy;
    who->element_count = list->NumberOfElements;
}

/* Where a device is to go: false where no such element was ever programmed. */
static bool element_find(interpreter *run, const program_step *step, uint64_t *address,
                         uint32_t *label) {
    const actor *who = actor_find(run, step);
    if (who == NULL) {
        return false;
    }
    if (step->values[1] >= who->element_count) {
        program_fail(run, WDFDMA_PROGRAM_NO_SUCH_ELEMENT, step->offsets[1], step->values[1]);
        return false;
    }
    *address = (uint64_t)who->elements[step->values[1]].Address.QuadPart + step->values[2];
    *label = who->number;
    return true;
}

/* What a step reads or writes, and where: a device at [address], or the processor in [mdl]. */
typedef struct access {
    bool by_device;
    bool writes;
    PMDL mdl;
    uint64_t address; /* or the offset in [mdl] */
    uint64_t length;
    uint64_t value;
    uint32_t label;
} access;

static NTSTATUS access_make(wdfdma_machine *machine, const access *of, uint8_t *data) {
    size_t length = (size_t)of->length;
    if (of->by_device) {
        return of->writes ? wdfdma_device_write(machine, of->address, data, length)
                          : wdfdma_device_read(machine, of->address, data, length);
    }
    return of->writes ? wdfdma_mdl_write(machine, of->mdl, of->address, data, length)
                      : wdfdma_mdl_read(machine, of->mdl, of->address, data, length);
}

/* The sum of the bytes stands for them in the log. */
static uint64_t bytes_add(const uint8_t *data, uint64_t length) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        sum += data[i];
    }
    return sum;
}

static void access_run(wdfdma_machine *machine, interpreter *run, const program_step *step,
                       const access *of) {
    uint8_t *data = malloc((size_t)of->length + 1);
    if (data == NULL) {
        program_fail(run, WDFDMA_PROGRAM_NO_MEMORY, step->offset, 0);
        return;
    }
    memset(data, of->writes ? (int)of->value : 0, (size_t)of->length);
    NTSTATUS status = access_make(machine, of, data);
    wdfdma_log_record *record = step_record(machine, step, of->label);
    if (record != NULL) {
        record->status = status;
        record->values[0] = of->writes || !NT_SUCCESS(status) ? 0 : bytes_add(data, of->length);
    }
    free(data);
}

static void device_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    access made = {
        .by_device = true, .writes = step->op == WDFDMA_OP_DEVICE_WRITE, .length = step->values[3]};
    made.value = made.writes ? step->values[4] : 0;
    if (element_find(run, step, &made.address, &made.label)) {
        access_run(machine, run, step, &made);
    }
}

/* Frees the MDLs of a chain, one after another. What is not live, the machine refuses. */
static void buffer_free(wdfdma_machine *machine, const interpreter *run, const program_step *step) {
    PMDL at = run->buffers[step->values[0]];
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    while (at != NULL) {
        PMDL next = mdl_find_any(machine, at) == NULL ? NULL : at->Next;
        status = wdfdma_mdl_destroy(machine, at);
        at = NT_SUCCESS(status) ? next : NULL;
    }
    wdfdma_log_record *record = step_record(machine, step, (uint32_t)step->values[0]);
    if (record != NULL) {
        record->status = status;
    }
}

static void memory_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    const uint64_t *values = step->values;
    access made = {0};
    switch (step->op) {
    case WDFDMA_OP_DEVICE_READ_ADDRESS:
    case WDFDMA_OP_DEVICE_WRITE_ADDRESS:
        made.by_device = true;
        made.writes = step->op == WDFDMA_OP_DEVICE_WRITE_ADDRESS;
        made.address = values[0];
        made.length = values[1];
        made.value = made.writes ? values[2] : 0;
        break;
    case WDFDMA_OP_MDL_READ:
    case WDFDMA_OP_MDL_WRITE:
        made.writes = step->op == WDFDMA_OP_MDL_WRITE;
        made.mdl = run->buffers[values[0]];
        made.label = (uint32_t)values[0];
        made.address = values[1];
        made.length = values[2];
        made.value = made.writes ? values[3] : 0;
        break;
    default:
        buffer_free(machine, run, step);
        return;
    }
    access_run(machine, run, step, &made);
}

const step_family device_steps = {.first = WDFDMA_OP_DEVICE_READ,
                                  .count = sizeof device_operations / sizeof *device_operations,
                                  .operations = device_operations,
                                  .run = device_step_run};

const step_family memory_steps = {.first = WDFDMA_OP_DEVICE_READ_ADDRESS,
                                  .count = sizeof memory_operations / sizeof *memory_operations,
                                  .operations = memory_operations,
                                  .run = memory_step_run};
