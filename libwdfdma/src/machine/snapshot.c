/* Snapshots: a copy of what is used of each region, and its way back. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

/* The machine's own region is copied up to struct arena, then from the tables that follow the
 * machine. */
struct wdfdma_snapshot {
    uint64_t machine_serial;
    size_t used_bytes[REGION_COUNT];
    size_t bytes;
    uint8_t *copy;
};

static size_t machine_sum_used(const wdfdma_machine *machine) {
    size_t bytes = 0;
    for (int id = 0; id < REGION_COUNT; id++) {
        bytes += machine->regions[id].used_bytes;
    }
    return bytes;
}

size_t wdfdma_machine_get_used_bytes(const wdfdma_machine *machine) {
    return machine == NULL ? 0 : machine_sum_used(machine);
}

NTSTATUS wdfdma_snapshot_create(wdfdma_machine *machine, wdfdma_snapshot **out) {
    if (machine == NULL || out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.depth != 0 || machine->state.op != WDFDMA_OP_NONE) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    wdfdma_snapshot *made = malloc(sizeof *made);
    size_t bytes = machine_sum_used(machine);
    uint8_t *copy = malloc(bytes);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *made = (wdfdma_snapshot){.machine_serial = machine->serial, .bytes = bytes, .copy = copy};
    for (int id = 0; id < REGION_COUNT; id++) {
        made->used_bytes[id] = machine->regions[id].used_bytes;
        memcpy(copy, machine->regions[id].base, made->used_bytes[id]);
        copy += made->used_bytes[id];
    }
    *out = made;
    return STATUS_SUCCESS;
}

static void region_restore(wdfdma_machine *machine, region_id id, const uint8_t *copy,
                           size_t bytes) {
    uint8_t *base = machine->regions[id].base;
    if (id == REGION_MACHINE) {
        const size_t before = offsetof(wdfdma_machine, arena);
        memcpy(base, copy, before);
        memcpy(base + sizeof *machine, copy + sizeof *machine, bytes - sizeof *machine);
    } else if (bytes != 0) {
        memcpy(base, copy, bytes);
    }
}

NTSTATUS wdfdma_machine_restore(wdfdma_machine *machine, const wdfdma_snapshot *snapshot) {
    if (machine == NULL || snapshot == NULL || snapshot->machine_serial != machine->serial) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.depth != 0 || machine->state.op != WDFDMA_OP_NONE) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    const uint8_t *copy = snapshot->copy;
    const uint32_t beside = ATTENTION_SITES | ATTENTION_JOURNAL | ATTENTION_COVERAGE;
    uint32_t kept = machine->attention & beside;
    for (int id = 0; id < REGION_COUNT; id++) {
        region_restore(machine, (region_id)id, copy, snapshot->used_bytes[id]);
        copy += snapshot->used_bytes[id];
    }
    machine->attention = (machine->attention & ~beside) | kept;
    journal_mark(machine, WDFDMA_JOURNAL_OTHER, WDFDMA_OP_CONTROL, 0);
    if ((kept & ATTENTION_COVERAGE) != 0) {
        machine->count_call(machine, NULL);
    }
    return STATUS_SUCCESS;
}

void wdfdma_snapshot_destroy(wdfdma_snapshot *snapshot) {
    if (snapshot != NULL) {
        free(snapshot->copy);
        free(snapshot);
    }
}

size_t wdfdma_snapshot_get_bytes(const wdfdma_snapshot *snapshot) {
    return snapshot == NULL ? 0 : snapshot->bytes;
}
