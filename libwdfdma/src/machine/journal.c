/* The journal: a mapped file that calls are written to before they run. The count of its bytes is
 * written after an entry, so that a reader never meets half of one. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEAD_BYTES = 16,
    NUMBER_BYTES = 10, /* the longest LEB128 */
    LEAST_BYTES = 4096
};
#define USUAL_BYTES (1ull << 26)

struct journal {
    uint8_t *bytes;
    uint64_t size;
    uint64_t used; /* the head included */
    bool full;
};

static void head_update(struct journal *of) {
    uint64_t entries = of->used - HEAD_BYTES;
    for (int i = 0; i < 8; i++) {
        of->bytes[8 + i] = (uint8_t)(entries >> (8 * i));
    }
}

static uint64_t number_put(uint8_t *at, uint64_t number) {
    uint64_t length = 0;
    for (; number > 127; number >>= 7) {
        at[length++] = (uint8_t)(number | 128);
    }
    at[length++] = (uint8_t)number;
    return length;
}

void journal_write(wdfdma_machine *machine, uint32_t kind, const uint64_t *values, size_t count) {
    struct journal *of = machine->arena.journal;
    if (of->full || (of->size - of->used) / NUMBER_BYTES < count + 2) {
        of->full = true;
        return;
    }
    uint64_t at = of->used;
    of->bytes[at++] = (uint8_t)kind;
    at += number_put(of->bytes + at, count);
    for (size_t i = 0; i < count; i++) {
        at += number_put(of->bytes + at, values[i]);
    }
    of->used = at;
    head_update(of);
}

void journal_write_call(wdfdma_machine *machine, uint64_t handle, const uint64_t *operands,
                        size_t count) {
    uint64_t values[8] = {wdfdma_machine_localize(machine, handle)};
    WDFDMA_ASSERT(count < sizeof values / sizeof *values);
    if (count != 0) {
        memcpy(values + 1, operands, count * sizeof *operands);
    }
    journal_write(machine, machine->state.op, values, count + 1);
}

void journal_write_fault(wdfdma_machine *machine, const wdfdma_fault *fault) {
    const uint64_t values[] = {
        fault->kind, fault->op,        fault->routine, fault->behaviour,
        fault->nth,  fault->per_mille, fault->seed,    (uint32_t)fault->status};
    journal_write(machine, WDFDMA_JOURNAL_FAULT, values, sizeof values / sizeof *values);
}

static void machine_write(wdfdma_machine *machine) {
    const wdfdma_machine_config *config = &machine->config;
    const uint64_t values[] = {config->map_registers,
                               config->registers_per_adapter,
                               config->physical_address_bits,
                               config->force_map_registers,
                               config->verifier,
                               config->maximum_depth};
    journal_write(machine, WDFDMA_JOURNAL_MACHINE, values, sizeof values / sizeof *values);
    for (uint32_t i = 0; i < machine->faults.count; i++) {
        journal_write_fault(machine, &machine->faults.faults[i]);
    }
}

NTSTATUS wdfdma_journal_begin(wdfdma_machine *machine, const char *path, uint64_t bytes) {
    if (machine == NULL || path == NULL || (bytes != 0 && bytes < LEAST_BYTES) ||
        bytes > SIZE_MAX / 2) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    struct journal *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->size = bytes == 0 ? USUAL_BYTES : bytes;
    made->used = HEAD_BYTES;
    made->bytes = platform_map_file(path, (size_t)made->size);
    if (made->bytes == NULL) {
        free(made);
        return STATUS_UNSUCCESSFUL;
    }
    memcpy(made->bytes, "WDJ\1", 4);
    wdfdma_journal_end(machine);
    machine->arena.journal = made;
    machine->attention |= ATTENTION_JOURNAL;
    machine_write(machine);
    return STATUS_SUCCESS;
}

void wdfdma_journal_end(wdfdma_machine *machine) {
    struct journal *gone = machine == NULL ? NULL : machine->arena.journal;
    if (gone != NULL) {
        machine->arena.journal = NULL;
        machine->attention &= ~(uint32_t)ATTENTION_JOURNAL;
        platform_unmap_file(gone->bytes, (size_t)gone->size);
        free(gone);
    }
}

uint64_t wdfdma_journal_get_bytes(const wdfdma_machine *machine, bool *full) {
    const struct journal *of = machine == NULL ? NULL : machine->arena.journal;
    if (full != NULL) {
        *full = of != NULL && of->full;
    }
    return of == NULL ? 0 : of->used;
}
