/* Whose a mapping is. A mapping lies in what it belongs to, and has no word for that: it is looked
 * for only where somebody asks. */
#include "hal.h"

enum {
    UNITS_BACK = 64 /* of the longest object that holds a mapping */
};

/* The live object that begins at [unit]; NULL where none does. */
static const object *unit_get_object(const wdfdma_machine *machine, size_t unit) {
    const uint8_t *begin = machine->regions[REGION_OBJECTS].base + unit * OBJECT_UNIT_BYTES;
    const object *there = (const object *)(const void *)begin;
    return there->handle != 0 && object_find(machine, there->handle) == there ? there : NULL;
}

/* The object of which the byte at [offset] of the region is a part. */
static const object *object_around(const wdfdma_machine *machine, size_t offset) {
    size_t unit = offset / OBJECT_UNIT_BYTES;
    const object *of = NULL;
    for (size_t back = 0; of == NULL && back <= unit && back < UNITS_BACK; back++) {
        of = unit_get_object(machine, unit - back);
    }
    size_t begin = of == NULL ? 0 : (size_t)object_get_unit(machine, of) * OBJECT_UNIT_BYTES;
    return of != NULL && offset - begin < machine->slots[of->type].stride_bytes ? of : NULL;
}

const object *mapping_get_owner(const wdfdma_machine *machine, const mapping *of) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    uintptr_t base = (uintptr_t)objects->base;
    uintptr_t at = (uintptr_t)of;
    if (at >= base && at - base < objects->used_bytes) {
        return object_around(machine, at - base);
    }
    uint32_t unit = data_find_owner(machine, of);
    return unit == 0 ? NULL : unit_get_object(machine, unit);
}

uint64_t mapping_get_owner_handle(const wdfdma_machine *machine, const mapping *of) {
    const object *owner = of == NULL ? NULL : mapping_get_owner(machine, of);
    return owner == NULL ? 0 : owner->handle;
}
