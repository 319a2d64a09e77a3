/* From a buffer to logical addresses: measuring a range, filling elements, bouncing.
 * docs/spec/hal.md, section 5. */
#include "device.h"
#include "hal.h"

#include <string.h>

static uint64_t part_get_first_page(const mdl_walk *part) {
    return (part->at->mdl->ByteOffset + part->offset) / PAGE_BYTES;
}

static uint64_t part_get_pages(const mdl_walk *part) {
    return pages_spanned(mdl_page_offset(part->at->mdl, part->offset), part->length);
}

/* True when the pages of a part must bounce for themselves, or do not follow on [next_pfn] (0:
 * the first). */
static bool part_bounces(const adapter *by, const mdl_walk *part, uint64_t *next_pfn) {
    if (by->scatter_gather && part->at->highest_pfn < by->reach) {
        return false;
    }
    const uint64_t *pfns = part->at->pfns + part_get_first_page(part);
    uint64_t pages = part_get_pages(part);
    for (uint64_t page = 0; page < pages; page++) {
        bool follows = *next_pfn == 0 || pfns[page] == *next_pfn;
        if (pfns[page] >= by->reach || (!by->scatter_gather && !follows)) {
            return true;
        }
        *next_pfn = pfns[page] + 1;
    }
    return false;
}

/* The parts after the first. */
NO_INLINE static bool parts_bounce(const wdfdma_machine *machine, const adapter *by,
                                   const mdl_walk *first, uint64_t next_pfn) {
    mdl_walk part = *first;
    while (mdl_walk_next(machine, &part)) {
        if (part_bounces(by, &part, &next_pfn)) {
            return true;
        }
    }
    return false;
}

bool range_bounces(const wdfdma_machine *machine, const adapter *by, const mdl_walk *first) {
    uint64_t next_pfn = 0;
    if (!by->needs_registers) {
        return false;
    }
    if (part_bounces(by, first, &next_pfn)) {
        return true;
    }
    return UNLIKELY(first->left != first->length) && parts_bounce(machine, by, first, next_pfn);
}

/* The elements of a range while they are filled in; [elements] NULL: they are only counted. */
typedef struct element_fill {
    SCATTER_GATHER_ELEMENT *elements;
    uint64_t capacity;
    uint64_t count;
    uint64_t end; /* the address past the last element */
} element_fill;

static void element_add(element_fill *fill, uint64_t address, uint64_t length) {
    bool joins = fill->count != 0 && address == fill->end;
    fill->end = address + length;
    fill->count += !joins;
    /* More than was counted: the driver has changed its chain since. */
    if (fill->elements == NULL || UNLIKELY(fill->count > fill->capacity)) {
        return;
    }
    SCATTER_GATHER_ELEMENT *element = &fill->elements[fill->count - 1];
    if (joins) {
        element->Length += (ULONG)length;
    } else {
        element->Address.QuadPart = (LONGLONG)address;
        element->Length = (ULONG)length;
        element->Reserved = 0;
    }
}

static void part_add_pages(element_fill *fill, const mdl_walk *part) {
    const uint64_t *pfns = part->at->pfns + part_get_first_page(part);
    uint64_t in_page = mdl_page_offset(part->at->mdl, part->offset);
    for (uint64_t done = 0; done < part->length;) {
        uint64_t left = part->length - done;
        uint64_t here = left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page;
        element_add(fill, *pfns++ * PAGE_BYTES + in_page, here);
        done += here;
        in_page = 0;
    }
}

/* Adds a part; the register after its last. */
static uint64_t part_add(element_fill *fill, const mdl_walk *part, uint64_t index, bool bounces) {
    if (!bounces) {
        part_add_pages(fill, part);
        return index;
    }
    uint64_t in_page = mdl_page_offset(part->at->mdl, part->offset);
    element_add(fill, REGISTERS_ADDRESS + index * PAGE_BYTES + in_page, part->length);
    return index + part_get_pages(part);
}

NO_INLINE static void parts_add(const wdfdma_machine *machine, element_fill *fill,
                                const mdl_walk *first, uint64_t index, bool bounces) {
    mdl_walk part = *first;
    while (mdl_walk_next(machine, &part)) {
        index = part_add(fill, &part, index, bounces);
    }
}

uint64_t range_fill(const wdfdma_machine *machine, const mdl_walk *first, uint32_t first_register,
                    SCATTER_GATHER_ELEMENT *elements, uint64_t capacity) {
    element_fill fill = {.elements = elements, .capacity = capacity};
    bool bounces = first_register != NO_REGISTER;
    uint64_t index = part_add(&fill, first, first_register, bounces);
    if (UNLIKELY(first->left != first->length)) {
        parts_add(machine, &fill, first, index, bounces);
    }
    return elements == NULL || fill.count < capacity ? fill.count : capacity;
}

void range_measure(wdfdma_machine *machine, const adapter *by, PMDL chain, uint64_t offset,
                   uint64_t length, range_shape *out) {
    *out = (range_shape){.past_end = true};
    mdl_walk part;
    if (!mdl_walk_begin(machine, &part, chain, offset, length)) {
        out->broken = part.broken;
        return;
    }
    mdl_walk first = part;
    bool more = true;
    while (more) {
        out->registers += part_get_pages(&part);
        out->past_end = part.left > part.length;
        more = mdl_walk_next(machine, &part);
    }
    out->broken = part.broken;
    if (!out->past_end) {
        out->bounces = range_bounces(machine, by, &first);
        out->elements = range_fill(machine, &first, out->bounces ? 0 : NO_REGISTER, NULL, 0);
    }
}

/* Copies between one part and its registers. The registers' pages follow one another; the
 * buffer's mostly do. */
static void part_copy(wdfdma_machine *machine, const mdl_walk *part, uint64_t index,
                      bool to_registers) {
    uint64_t length = part->length;
    uint64_t in_page = mdl_page_offset(part->at->mdl, part->offset);
    uint64_t pages = pages_spanned(in_page, length);
    register_get_page(machine, (uint32_t)(index + pages - 1));
    uint8_t *through = register_get_page(machine, (uint32_t)index) + in_page;
    uint64_t page = part_get_first_page(part);
    bool whole = part->at->bytes != NULL;
    for (uint64_t done = 0; done < length;) {
        uint64_t left = length - done;
        uint64_t here = whole || left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page;
        uint8_t *buffer = whole ? part->at->bytes + page * PAGE_BYTES
                                : memory_get_page(machine, part->at->pfns[page]);
        uint8_t *to = to_registers ? through + done : buffer + in_page;
        memcpy(to, to_registers ? buffer + in_page : through + done, (size_t)here);
        done += here;
        in_page = 0;
        page++;
    }
}

void bounce_copy(wdfdma_machine *machine, const mapping *through, uint64_t length,
                 bool to_registers) {
    mdl_walk part;
    uint64_t index = through->first_register;
    bool more = length != 0 &&
                mdl_walk_begin(machine, &part, mapping_get_mdl(through), through->offset, length);
    while (more) {
        uint64_t pages = part_get_pages(&part);
        if (UNLIKELY(index + pages > through->first_register + (uint64_t)through->register_count)) {
            /* the driver has changed its chain since it was mapped */
            mdl_bugcheck(machine, mapping_get_owner(machine, through));
            return;
        }
        part_copy(machine, &part, index, to_registers);
        index += pages;
        more = mdl_walk_next(machine, &part);
    }
}

/* How many of [pages] pages follow one another from the first on. */
NO_INLINE static uint64_t frames_count_run(const uint64_t *pfns, uint64_t pages) {
    uint64_t run = 1;
    while (run < pages && pfns[run] == pfns[0] + run) {
        run++;
    }
    return run;
}

NO_INLINE static bool frames_bounce(const adapter *by, const uint64_t *pfns, uint64_t pages,
                                    uint64_t run) {
    if (!by->scatter_gather && run < pages) {
        return true;
    }
    for (uint64_t page = run - 1; page < pages; page++) {
        if (pfns[page] >= by->reach) {
            return true;
        }
    }
    return false;
}

bool map_bounces(const adapter *by, const map_part *part) {
    uint64_t start = part->of->mdl->ByteOffset + part->offset;
    uint64_t room = part->registers * (uint64_t)PAGE_BYTES - start % PAGE_BYTES;
    uint64_t length = part->length < room ? part->length : room;
    const uint64_t *pfns = part->of->pfns + start / PAGE_BYTES;
    uint64_t pages = pages_spanned(start, length);
    return part->base != NO_REGISTER &&
           frames_bounce(by, pfns, pages, frames_count_run(pfns, pages));
}

/* What an injected fault leaves of a mapping: half of its pages, counted down. */
static uint64_t length_cut(wdfdma_machine *machine, uint64_t in_page, uint64_t length) {
    uint64_t pages = pages_spanned(in_page, length);
    return pages < 2 || !fault_hits(machine, WDFDMA_FAULT_MAP) ? length
                                                               : pages / 2 * PAGE_BYTES - in_page;
}

/* Registers that are kept may have been written to since the last transfer. False where a rule stops
 * the machine. */
static bool transfer_begin(wdfdma_machine *machine, mapping *made) {
    if (made->first_register != NO_REGISTER && UNLIKELY(guards_lie(machine))) {
        guard_check_unused(machine, made->first_register, made->register_count);
    }
    return mapping_begin(machine, made);
}

uint64_t map_transfer(wdfdma_machine *machine, const adapter *by, const map_part *part,
                      mapping *out, SCATTER_GATHER_ELEMENT *element) {
    const MDL *mdl = part->of->mdl;
    uint64_t start = mdl->ByteOffset + part->offset;
    uint64_t in_page = start % PAGE_BYTES;
    uint64_t length = part->length;
    bool has_registers = part->base != NO_REGISTER;
    if (has_registers && length > part->registers * (uint64_t)PAGE_BYTES - in_page) {
        length = part->registers * (uint64_t)PAGE_BYTES - in_page;
    }
    const uint64_t *pfns = part->of->pfns + start / PAGE_BYTES;
    uint64_t pages = pages_spanned(in_page, length);
    uint64_t run = part->of->consecutive ? pages : frames_count_run(pfns, pages);
    bool within = run == pages && part->of->highest_pfn < by->reach;
    bool bounces = has_registers && !LIKELY(within) && frames_bounce(by, pfns, pages, run);
    if (!bounces && run < pages) {
        length = run * PAGE_BYTES - in_page;
    }
    if (part->may_fall_short && faults_are_asked(machine)) {
        length = length_cut(machine, in_page, length);
    }
    uint64_t address = bounces ? REGISTERS_ADDRESS + (uint64_t)part->base * PAGE_BYTES + in_page
                               : pfns[0] * PAGE_BYTES + in_page;
    element->Address.QuadPart = (LONGLONG)address;
    element->Length = (ULONG)length;
    element->Reserved = 0;
    out->of = (mdl_object *)(uintptr_t)part->of;
    out->offset = part->offset;
    out->length = length;
    out->register_count = part->registers;
    out->first_register = bounces ? part->base : NO_REGISTER;
    out->device_reads = part->to_device;
    out->device_writes = !part->to_device;
    if (!transfer_begin(machine, out)) {
        return 0;
    }
    if (UNLIKELY(bounces) && part->to_device) {
        bounce_copy(machine, out, length, true); /* inside one MDL and its registers */
    }
    return length;
}

void map_flush(wdfdma_machine *machine, mapping *used, uint64_t length, const object *concerned) {
    if (!used->live) {
        return;
    }
    if (UNLIKELY(guards_lie(machine))) {
        guard_check_around(machine, used, concerned);
        if (machine->state.halted) {
            return;
        }
    }
    if (used->first_register != NO_REGISTER && used->device_writes) {
        bounce_copy(machine, used, length < used->length ? length : used->length, false);
    }
    if (LIKELY(!machine->state.halted)) {
        mapping_end(machine, used);
    }
}
