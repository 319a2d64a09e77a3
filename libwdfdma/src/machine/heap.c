/* Small blocks of a machine: contexts, lists, MDLs, tables.
 *
 * A block's size class is 2^k or 3 * 2^(k-1) units, its head included; a freed block goes to its
 * class and is never joined with another. Allocation and release cost O(1), and a block is
 * zeroed when it is handed out. */
#include "machine.h"

#include <string.h>

enum {
    UNIT_BYTES = 16,
    UNITS_BACK = 1024 /* of the longest block in which a place is looked for */
};
static const uint64_t LIVE_MAGIC = 0x6461746166646D61u;

uint64_t size_class_get_units(uint32_t size_class) {
    uint64_t power = 1ull << ((size_class + 1) / 2);
    return size_class == 0 || size_class % 2 == 1 ? power : power / 2 * 3;
}

uint32_t size_class_find(uint64_t units) {
    if (units <= 2) {
        return units <= 1 ? 0 : 1;
    }
    /* 2^power < units <= 2^(power + 1), and the class between the two may do. */
    uint32_t power = bit_find_highest(units - 1);
    return 2 * power + (units > (1ull << power) / 2 * 3);
}

static size_t class_get_bytes(uint32_t size_class) {
    return (size_t)size_class_get_units(size_class) * UNIT_BYTES;
}

void *data_allocate(wdfdma_machine *machine, size_t bytes, const object *owner) {
    if (allocation_fails(machine) || bytes > machine->regions[REGION_DATA].limit_bytes) {
        return NULL;
    }
    uint32_t size_class =
        size_class_find((bytes + sizeof(data_head) + UNIT_BYTES - 1) / UNIT_BYTES);
    data_head *head = machine->data_free[size_class];
    if (head != NULL) {
        machine->data_free[size_class] = *(void **)(void *)(head + 1);
        memset(head + 1, 0, class_get_bytes(size_class) - sizeof *head);
    } else {
        head = region_grow(machine, REGION_DATA, class_get_bytes(size_class));
        if (head == NULL) {
            return NULL;
        }
    }
    head->size_class = size_class;
    head->owner = owner == NULL ? 0 : object_get_unit(machine, owner);
    head->magic = LIVE_MAGIC;
    return head + 1;
}

uint32_t data_find_owner(const wdfdma_machine *machine, const void *inside) {
    const region *data = &machine->regions[REGION_DATA];
    uintptr_t base = (uintptr_t)data->base;
    size_t at = (uintptr_t)inside - base;
    if ((uintptr_t)inside < base || at >= data->used_bytes) {
        return 0;
    }
    at = at / UNIT_BYTES * UNIT_BYTES;
    for (size_t back = 0; back < UNITS_BACK && at >= UNIT_BYTES; back++, at -= UNIT_BYTES) {
        const data_head *head = data_get_head(data->base + at);
        if (head->magic == LIVE_MAGIC) {
            return head->owner < machine->regions[REGION_OBJECTS].used_bytes / OBJECT_UNIT_BYTES
                       ? head->owner
                       : 0;
        }
    }
    return 0;
}

void data_free(wdfdma_machine *machine, void *block) {
    if (block == NULL) {
        return;
    }
    data_head *head = data_get_head(block);
    WDFDMA_ASSERT(head->magic == LIVE_MAGIC);
#if WDFDMA_HOSTILE
    memset(block, 0xDD, class_get_bytes(head->size_class) - sizeof *head);
#endif
    head->magic = 0;
    head->owner = 0;
    *(void **)block = machine->data_free[head->size_class];
    machine->data_free[head->size_class] = head;
}

void *data_grow(wdfdma_machine *machine, void *old, size_t used, size_t bytes) {
    void *grown = data_allocate(machine, bytes, NULL);
    if (grown == NULL) {
        return NULL;
    }
    if (used != 0) {
        memcpy(grown, old, used);
    }
    data_free(machine, old);
    return grown;
}
