/* The live machines: the only global mutable state, and each thread's current machine.
 *
 * A machine's place in the table and the generation of that place make up its bits of every
 * handle. Places are reused in the order in which they fell free, so that a stale handle meets
 * another machine as late as can be. */
#include "machine.h"

enum {
    MACHINE_COUNT = 65535,
    MACHINE_GENERATIONS = 4096
};

/* What a place remembers between two machines. Place i is entry i + 1 of the table. */
typedef struct place {
    uint32_t generation;
    uint32_t next_free; /* index + 1; 0: none */
} place;

_Atomic(wdfdma_machine *) registry_machines[MACHINE_COUNT + 1];
static place places[MACHINE_COUNT];
static uint64_t machine_count;
static uint32_t place_count;
static uint32_t first_free;
static uint32_t last_free;

WDFDMA_FAST_TLS _Thread_local uint64_t current_machine_id;

static uint64_t place_get_id(uint32_t index) {
    uint64_t generation = places[index].generation;
    return ((uint64_t)(index + 1) << HANDLE_INDEX_SHIFT) | (generation << HANDLE_MACHINE_SHIFT);
}

/* Free places are used up to a number of them first, and only then over again. */
static uint32_t place_take(void) {
    enum {
        KEPT_FRESH = 1024
    };
    uint32_t index = MACHINE_COUNT;
    if (first_free != 0 && (place_count >= KEPT_FRESH || place_count == MACHINE_COUNT)) {
        index = first_free - 1;
        first_free = places[index].next_free;
        last_free = first_free == 0 ? 0 : last_free;
    } else if (place_count < MACHINE_COUNT) {
        index = place_count++;
    }
    return index;
}

bool registry_add(wdfdma_machine *machine) {
    platform_lock();
    uint32_t index = place_take();
    if (index < MACHINE_COUNT) {
        machine->id = place_get_id(index);
        machine->serial = ++machine_count;
        atomic_store_explicit(&registry_machines[index + 1], machine, memory_order_release);
    }
    platform_unlock();
    return index < MACHINE_COUNT;
}

void registry_remove(wdfdma_machine *machine) {
    uint32_t index = (uint32_t)(machine->id >> HANDLE_INDEX_SHIFT) - 1;
    platform_lock();
    place *gone = &places[index];
    atomic_store_explicit(&registry_machines[index + 1], NULL, memory_order_release);
    gone->generation = (gone->generation + 1) % MACHINE_GENERATIONS;
    gone->next_free = 0;
    if (first_free == 0) {
        first_free = index + 1;
    } else {
        places[last_free - 1].next_free = index + 1;
    }
    last_free = index + 1;
    platform_unlock();
}

wdfdma_machine *registry_find(uint64_t handle) {
    wdfdma_machine *found = registry_peek(handle);
    bool same = found != NULL && (found->id ^ handle) >> HANDLE_MACHINE_SHIFT == 0;
    return same ? found : NULL;
}

wdfdma_machine *wdfdma_machine_current(void) {
    return registry_find(current_machine_id);
}

wdfdma_machine *wdfdma_machine_use(wdfdma_machine *machine) {
    wdfdma_machine *before = registry_find(current_machine_id);
    current_machine_id = machine == NULL ? 0 : machine->id;
    return before;
}
