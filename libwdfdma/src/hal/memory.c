/* Simulated physical memory: page frames that come to life with the first MDL that names them,
 * and go with the last.
 *
 * A block is the pages that one call brought to life, one after another in the machine; it
 * counts the references to its pages, and lives until there are none. Freed runs of pages are
 * kept by size class. */
#include "hal.h"

#include <string.h>

typedef struct page_block {
    object head;
    struct page_block *next_free;
    uint8_t *bytes;
    uint64_t *pfns; /* of its pages, in order */
    uint32_t *page_references;
    uint64_t references;
    uint64_t pages; /* in use */
    uint32_t size_class;
} page_block;

enum {
    PAGE_SHIFT_IN_VALUE = 32
};
/* The value of a frame that its call has not given a block yet. */
static const uint64_t NO_BLOCK = (1ull << PAGE_SHIFT_IN_VALUE) - 1;

static page_block *value_get_block(const wdfdma_machine *machine, uint64_t value) {
    return (page_block *)object_at(machine, (uint32_t)value, WDFDMA_OBJECT_MEMORY);
}

static uint64_t host_get_number(const wdfdma_machine *machine, const void *address) {
    return (uint64_t)((const uint8_t *)address - machine->regions[REGION_PAGES].base) / PAGE_BYTES;
}

uint8_t *memory_get_page(const wdfdma_machine *machine, uint64_t pfn) {
    const uint64_t *value = table_find(&hal_of(machine)->frames, pfn);
    if (value == NULL) {
        return NULL;
    }
    return value_get_block(machine, *value)->bytes + (*value >> PAGE_SHIFT_IN_VALUE) * PAGE_BYTES;
}

bool memory_find_pfn(const wdfdma_machine *machine, const void *address, uint64_t *pfn) {
    const region *pages = &machine->regions[REGION_PAGES];
    uintptr_t first = (uintptr_t)pages->base;
    uintptr_t at = (uintptr_t)address;
    if (at < first || at - first >= pages->used_bytes) {
        return false;
    }
    const uint64_t *value = table_find(&hal_of(machine)->hosts, host_get_number(machine, address));
    if (value == NULL) {
        return false;
    }
    *pfn = value_get_block(machine, *value)->pfns[*value >> PAGE_SHIFT_IN_VALUE];
    return true;
}

bool memory_can_hold(const wdfdma_machine *machine, uint64_t pages) {
    const region *part = &machine->regions[REGION_PAGES];
    uint32_t size_class = size_class_find(pages);
    WDFDMA_ASSERT(size_class < PAGE_CLASS_COUNT); /* a physical address has 52 bits */
    return hal_of(machine)->blocks_free[size_class] != NULL ||
           size_class_get_units(size_class) <= (part->limit_bytes - part->used_bytes) / PAGE_BYTES;
}

static page_block *block_take(wdfdma_machine *machine, uint64_t pages) {
    hal *of = hal_of(machine);
    uint32_t size_class = size_class_find(pages);
    page_block *block = of->blocks_free[size_class];
    if (block != NULL) {
        if (allocation_fails(machine)) {
            return NULL;
        }
        of->blocks_free[size_class] = block->next_free;
        machine->state.objects[WDFDMA_OBJECT_MEMORY]++;
        memset(block->bytes, 0, (size_t)pages * PAGE_BYTES);
    } else {
        block = (page_block *)object_create(machine, WDFDMA_OBJECT_MEMORY, sizeof *block);
        if (block == NULL) {
            return NULL;
        }
        size_t bytes = (size_t)size_class_get_units(size_class) * PAGE_BYTES;
        block->bytes = region_grow(machine, REGION_PAGES, bytes);
        if (block->bytes == NULL) {
            object_free(machine, &block->head);
            return NULL;
        }
        block->size_class = size_class;
    }
    block->pages = pages;
    block->references = 0;
    return block;
}

static void block_free(wdfdma_machine *machine, page_block *block) {
    hal *of = hal_of(machine);
    data_free(machine, block->pfns);
    block->pfns = NULL;
    block->page_references = NULL;
    machine->state.objects[WDFDMA_OBJECT_MEMORY]--;
#if WDFDMA_HOSTILE
    memset(block->bytes, 0xDD, (size_t)block->pages * PAGE_BYTES);
#endif
    block->pages = 0;
    block->next_free = of->blocks_free[block->size_class];
    of->blocks_free[block->size_class] = block;
}

/* A page without a reference: its frame may come to life again, zeroed. */
static void page_forget(wdfdma_machine *machine, page_block *block, uint64_t page) {
    table_remove(&hal_of(machine)->frames, block->pfns[page]);
    table_remove(&hal_of(machine)->hosts,
                 host_get_number(machine, block->bytes + page * PAGE_BYTES));
}

/* Enters the frames that are not alive yet, and counts them; false where memory ran out. */
static bool frames_enter(wdfdma_machine *machine, const uint64_t *pfns, size_t count,
                         uint64_t *entered) {
    table *frames = &hal_of(machine)->frames;
    for (size_t i = 0; i < count; i++) {
        if (table_find(frames, pfns[i]) != NULL) {
            continue;
        }
        if (!table_put(machine, frames, pfns[i], NO_BLOCK)) {
            return false;
        }
        ++*entered;
    }
    return true;
}

static void frames_leave(wdfdma_machine *machine, const uint64_t *pfns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint64_t *value = table_find(&hal_of(machine)->frames, pfns[i]);
        if (value != NULL && *value == NO_BLOCK) {
            table_remove(&hal_of(machine)->frames, pfns[i]);
        }
    }
}

/* Gives the entered frames the pages of a block, in the order of their entering. */
static bool block_fill(wdfdma_machine *machine, page_block *block, const uint64_t *pfns,
                       size_t count) {
    uint64_t page = 0;
    size_t pages = (size_t)block->pages;
    block->pfns = data_allocate(machine, pages * (sizeof(uint64_t) + sizeof(uint32_t)), NULL);
    block->page_references = block->pfns == NULL ? NULL : (uint32_t *)(void *)(block->pfns + pages);
    for (size_t i = 0; block->pfns != NULL && i < count; i++) {
        uint64_t *value = table_find(&hal_of(machine)->frames, pfns[i]);
        if (*value != NO_BLOCK) {
            continue;
        }
        uint64_t filled = object_get_unit(machine, &block->head) | (page << PAGE_SHIFT_IN_VALUE);
        uint64_t host = host_get_number(machine, block->bytes + page * PAGE_BYTES);
        if (!table_put(machine, &hal_of(machine)->hosts, host, filled)) {
            break;
        }
        *value = filled;
        block->pfns[page++] = pfns[i];
    }
    bool complete = block->pfns != NULL && page == block->pages;
    for (uint64_t done = 0; !complete && done < page; done++) {
        table_remove(&hal_of(machine)->frames, block->pfns[done]);
        table_remove(&hal_of(machine)->hosts,
                     host_get_number(machine, block->bytes + done * PAGE_BYTES));
    }
    return complete;
}

static bool frames_bring_to_life(wdfdma_machine *machine, const uint64_t *pfns, size_t count) {
    uint64_t entered = 0;
    page_block *block = NULL;
    bool done = frames_enter(machine, pfns, count, &entered);
    if (done && entered != 0) {
        block = block_take(machine, entered);
        done = block != NULL && block_fill(machine, block, pfns, count);
    }
    if (!done) {
        frames_leave(machine, pfns, count);
        if (block != NULL) {
            block_free(machine, block);
        }
    }
    return done;
}

bool memory_reference(wdfdma_machine *machine, uint64_t *pfns, size_t count, bool given,
                      uint8_t **contiguous) {
    uint64_t limit = 1ull << (machine->config.physical_address_bits - 12);
    uint64_t first = 0;
    if (!given) {
        if (!memory_can_hold(machine, count) ||
            !memory_find_frames(machine, count, limit, &first)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            pfns[i] = first + i;
        }
    }
    if (!frames_bring_to_life(machine, pfns, count)) {
        return false;
    }
    uint8_t *start = memory_get_page(machine, pfns[0]);
    *contiguous = start;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = *table_find(&hal_of(machine)->frames, pfns[i]);
        page_block *block = value_get_block(machine, value);
        block->references++;
        block->page_references[value >> PAGE_SHIFT_IN_VALUE]++;
        if (memory_get_page(machine, pfns[i]) != start + i * PAGE_BYTES) {
            *contiguous = NULL;
        }
    }
    return true;
}

void memory_dereference(wdfdma_machine *machine, const uint64_t *pfns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = *table_find(&hal_of(machine)->frames, pfns[i]);
        uint64_t page = value >> PAGE_SHIFT_IN_VALUE;
        page_block *block = value_get_block(machine, value);
        if (--block->page_references[page] == 0) {
            page_forget(machine, block, page);
        }
        if (--block->references == 0) {
            block_free(machine, block);
        }
    }
}

static bool frames_search(const wdfdma_machine *machine, uint64_t from, uint64_t limit,
                          size_t count, uint64_t *first) {
    uint64_t run = 0;
    for (uint64_t frame = from; frame < limit; frame++) {
        run = table_find(&hal_of(machine)->frames, frame) == NULL ? run + 1 : 0;
        if (run == count) {
            *first = frame + 1 - count;
            return true;
        }
    }
    return false;
}

/* From where the last search ended, then from the start. The first frames, and those whose
 * addresses are the map registers', are left to who asks for them by number, unless the
 * registers' addresses take up half of what 32 bits reach, or there are no others. */
bool memory_find_frames(wdfdma_machine *machine, size_t count, uint64_t limit, uint64_t *first) {
    const uint64_t half_of_32_bits = 1u << 19;
    hal *of = hal_of(machine);
    uint64_t start = REGISTERS_ADDRESS / PAGE_BYTES + machine->config.map_registers;
    start = start < half_of_32_bits ? start : 1;
    bool found = frames_search(machine, of->next_frame > start ? of->next_frame : start, limit,
                               count, first) ||
                 frames_search(machine, start, limit, count, first) ||
                 frames_search(machine, 1, limit, count, first);
    if (found) {
        of->next_frame = *first + count;
    }
    return found;
}
