/* The arena of a machine: one reserved range, cut into regions, each committed as it grows.
 *
 * Invariants: used <= dirty <= committed <= limit for each region; what lies between used and
 * dirty may hold what a restored machine no longer knows, and is zeroed before it is handed out
 * again. */
#include "machine.h"

#include <string.h>

#if WDFDMA_HOSTILE
enum {
    COMMIT_BYTES = PAGE_BYTES,
    COMMIT_AHEAD = 0
};
#else
enum {
    COMMIT_BYTES = 16 * PAGE_BYTES,
    COMMIT_AHEAD = 1
};
#endif

static bool region_commit(wdfdma_machine *machine, region_id id, size_t bytes) {
    const region *part = &machine->regions[id];
    size_t committed = machine->arena.committed_bytes[id];
    size_t ahead = COMMIT_AHEAD * (committed / 4);
    size_t wanted = size_round_up(bytes + ahead, COMMIT_BYTES);
    if (wanted > part->limit_bytes) {
        wanted = part->limit_bytes;
    }
    if (!platform_commit(part->base + committed, wanted - committed)) {
        return false;
    }
    machine->arena.committed_bytes[id] = wanted;
    return true;
}

void *region_grow(wdfdma_machine *machine, region_id id, size_t bytes) {
    region *part = &machine->regions[id];
    size_t old = part->used_bytes;
    if (bytes > part->limit_bytes - old) {
        return NULL;
    }
    size_t used = old + bytes;
    if (used > machine->arena.committed_bytes[id] && !region_commit(machine, id, used)) {
        return NULL;
    }
    size_t dirty = machine->arena.dirty_bytes[id];
    if (dirty > old) {
        memset(part->base + old, 0, (used < dirty ? used : dirty) - old);
    }
    if (used > dirty) {
        machine->arena.dirty_bytes[id] = used;
    }
    part->used_bytes = used;
    return part->base + old;
}

bool allocation_fails(wdfdma_machine *machine) {
    return machine->fail_countdown != 0 && --machine->fail_countdown == 0;
}

enum {
    REGION_SKEW_BYTES = 17 * 16 * PAGE_BYTES
};

/* The shares of the reserved range. Handles reach 1 GiB of objects. */
static void regions_size(size_t sizes[REGION_COUNT], const wdfdma_machine_config *config,
                         size_t machine_bytes) {
    size_t share = (size_t)config->reserve_bytes / 8 / COMMIT_BYTES * COMMIT_BYTES;
    size_t reach = (size_t)OBJECT_UNIT_BYTES << HANDLE_UNIT_BITS;
    sizes[REGION_MACHINE] = size_round_up(machine_bytes, COMMIT_BYTES);
    sizes[REGION_REGISTERS] =
        size_round_up((size_t)config->map_registers * PAGE_BYTES, COMMIT_BYTES);
    sizes[REGION_OBJECTS] = 2 * share < reach ? 2 * share : reach;
    sizes[REGION_DATA] = 2 * share;
    sizes[REGION_PAGES] = 3 * share;
    sizes[REGION_LOG] = share;
    /* Regions that lie a large power of two apart evict one another from the processor's caches. */
    for (int id = 0; id < REGION_COUNT; id++) {
        sizes[id] += (size_t)(id + 1) * REGION_SKEW_BYTES;
    }
}

void arena_destroy(wdfdma_machine *machine) {
    arena gone = machine->arena;
    platform_release(gone.base, gone.reserved_bytes);
}

/* The pages behind the registers are there from the start: a grant never lacks memory. */
static bool registers_commit(wdfdma_machine *machine, const wdfdma_machine_config *config) {
    const region *part = &machine->regions[REGION_REGISTERS];
    size_t bytes = size_round_up((size_t)config->map_registers * PAGE_BYTES, COMMIT_BYTES);
    machine->arena.committed_bytes[REGION_REGISTERS] = bytes;
    return bytes == 0 || platform_commit(part->base, bytes);
}

wdfdma_machine *arena_create(const wdfdma_machine_config *config, size_t machine_bytes) {
    size_t sizes[REGION_COUNT];
    size_t total = 0;
    regions_size(sizes, config, machine_bytes);
    for (int id = 0; id < REGION_COUNT; id++) {
        total += sizes[id];
    }
    uint8_t *base = platform_reserve(total);
    if (base == NULL) {
        return NULL;
    }
    size_t machine_committed = size_round_up(machine_bytes, COMMIT_BYTES);
    if (!platform_commit(base, machine_committed)) {
        platform_release(base, total);
        return NULL;
    }
    wdfdma_machine *machine = (wdfdma_machine *)(void *)base;
    machine->arena.base = base;
    machine->arena.reserved_bytes = total;
    machine->arena.committed_bytes[REGION_MACHINE] = machine_committed;
    machine->arena.dirty_bytes[REGION_MACHINE] = machine_bytes;
    for (int id = 0; id < REGION_COUNT; id++) {
        machine->regions[id].base = base;
        machine->regions[id].limit_bytes = sizes[id];
        base += sizes[id];
    }
    machine->regions[REGION_MACHINE].used_bytes = sizeof *machine;
    if (!registers_commit(machine, config)) {
        arena_destroy(machine);
        return NULL;
    }
    return machine;
}
