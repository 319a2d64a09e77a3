/* A machine's settings, clock, generator and IRQL, and the check of its memory. */
#include "journal.h"

#include <string.h>

static const uint32_t UNSET_REGISTERS = UINT32_MAX;
static const uint64_t SMALLEST_RESERVE_BYTES = 16u << 20;
static const uint64_t LARGEST_RESERVE_BYTES = 1ull << 40;

void wdfdma_machine_config_init(wdfdma_machine_config *config) {
    if (config == NULL) {
        return;
    }
    *config = (wdfdma_machine_config){.size = sizeof *config,
                                      .map_registers = 64,
                                      .registers_per_adapter = UNSET_REGISTERS,
                                      .physical_address_bits = 36,
                                      .verifier = true,
                                      .maximum_depth = 256,
                                      .reserve_bytes = 4ull << 30};
}

NTSTATUS machine_config_validate(const wdfdma_machine_config *config, wdfdma_machine_config *out) {
    if (config == NULL) {
        wdfdma_machine_config_init(out);
    } else if (config->size != sizeof *config) {
        return STATUS_INVALID_PARAMETER;
    } else {
        *out = *config;
    }
    if (out->registers_per_adapter == UNSET_REGISTERS) {
        out->registers_per_adapter = out->map_registers;
    }
    bool valid = out->map_registers <= 1u << 20 && out->physical_address_bits >= 12 &&
                 out->physical_address_bits <= 52 && out->maximum_depth >= 1 &&
                 out->maximum_depth <= 1024 && out->reserve_bytes >= SMALLEST_RESERVE_BYTES &&
                 out->reserve_bytes <= LARGEST_RESERVE_BYTES;
    return valid ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* splitmix64 fills the state of xoshiro256**, as the authors of both advise. */
void machine_seed(wdfdma_machine *machine, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        machine->random[i] = seed_mix(seed);
        seed += 0x9E3779B97F4A7C15u;
    }
}

static uint64_t rotate_left(uint64_t value, int bits) {
    return (value << bits) | (value >> (64 - bits));
}

uint64_t wdfdma_machine_random(wdfdma_machine *machine) {
    if (machine == NULL) {
        return 0;
    }
    uint64_t *state = machine->random;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

const wdfdma_machine_state *wdfdma_machine_get_state(const wdfdma_machine *machine) {
    return machine == NULL ? NULL : &machine->state;
}

const wdfdma_machine_config *wdfdma_machine_get_config(const wdfdma_machine *machine) {
    return machine == NULL ? NULL : &machine->config;
}

NTSTATUS wdfdma_machine_fail_allocation(wdfdma_machine *machine, uint64_t n) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    machine->fail_countdown = n;
    return STATUS_SUCCESS;
}

uint64_t wdfdma_machine_get_fail_allocation(const wdfdma_machine *machine) {
    return machine == NULL ? 0 : machine->fail_countdown;
}

NTSTATUS wdfdma_machine_advance(wdfdma_machine *machine, uint64_t nanoseconds) {
    if (machine == NULL || nanoseconds > UINT64_MAX - machine->state.time_ns) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    machine->state.time_ns += nanoseconds;
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_machine_set_irql(wdfdma_machine *machine, uint32_t irql) {
    if (machine == NULL || irql > 15) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_mark(machine, WDFDMA_OP_SET_IRQL, irql, 0);
    machine->state.irql = irql;
    return STATUS_SUCCESS;
}

bool check_fail(wdfdma_check_failure *out, const char *invariant, uint64_t item, uint64_t expected,
                uint64_t actual) {
    if (out != NULL) {
        *out = (wdfdma_check_failure){invariant, item, expected, actual};
    }
    return false;
}

bool machine_check_memory(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    for (uint32_t id = 0; id < REGION_COUNT; id++) {
        size_t used = machine->regions[id].used_bytes;
        size_t dirty = machine->arena.dirty_bytes[id];
        if (used > dirty) {
            return check_fail(out, "no region uses more than was handed out", id, dirty, used);
        }
        if (dirty > machine->arena.committed_bytes[id]) {
            return check_fail(out, "no region hands out more than is committed", id,
                              machine->arena.committed_bytes[id], dirty);
        }
    }
    for (uint32_t type = 0; type < WDFDMA_OBJECT_TYPE_COUNT; type++) {
        for (const object *slot = machine->slots[type].first_free; slot != NULL;
             slot = slot->next_free) {
            if (slot->handle != 0 || slot->type != type) {
                return check_fail(out, "a free slot has no handle and keeps its type", slot->label,
                                  type, slot->type);
            }
        }
    }
    return true;
}
