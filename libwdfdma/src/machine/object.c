/* Slots and handles.
 *
 * A slot is at a multiple of OBJECT_UNIT_BYTES in a region that drivers never write, and its
 * first word is the handle of the object in it, or 0: so one comparison tells a live handle from
 * a stale or forged one. A slot keeps its type for ever. One whose generations are used up is
 * retired. */
#include "machine.h"

#include <string.h>

enum {
    LAST_GENERATION = (1 << HANDLE_GENERATION_BITS) - 1
};

static object *slot_take(wdfdma_machine *machine, object_slots *slots, size_t bytes) {
    object *item = slots->first_free;
    if (item != NULL) {
        uint32_t generation = item->generation;
        slots->first_free = item->next_free;
        memset(item, 0, slots->stride_bytes);
        item->generation = generation;
        return item;
    }
    slots->stride_bytes = (uint32_t)size_round_up(bytes, OBJECT_UNIT_BYTES);
    return region_grow(machine, REGION_OBJECTS, slots->stride_bytes);
}

object *object_create(wdfdma_machine *machine, wdfdma_object_type type, size_t bytes) {
    object_slots *slots = &machine->slots[type];
    WDFDMA_ASSERT(slots->stride_bytes == 0 || bytes <= slots->stride_bytes);
    object *item = allocation_fails(machine) ? NULL : slot_take(machine, slots, bytes);
    if (item == NULL) {
        return NULL;
    }
    item->generation++;
    item->handle = machine->id | ((uint64_t)item->generation << HANDLE_UNIT_BITS) |
                   object_get_unit(machine, item);
    item->created_step = machine->state.step;
    item->type = type;
    item->label = machine->label_given ? machine->next_label : slots->next_label++;
    machine->label_given = false;
    machine->state.objects[type]++;
    return item;
}

void object_free(wdfdma_machine *machine, object *dead) {
    object_slots *slots = &machine->slots[dead->type];
    if (UNLIKELY(machine->state.depth != 0)) {
        callback_forget(machine, dead);
    }
    machine->state.objects[dead->type]--;
    dead->handle = 0;
#if WDFDMA_HOSTILE
    memset(dead + 1, 0xDD, slots->stride_bytes - sizeof *dead);
#endif
    if (dead->generation < LAST_GENERATION) {
        dead->next_free = slots->first_free;
        slots->first_free = dead;
    }
}
