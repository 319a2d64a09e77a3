/* The device's side: which logical addresses it may use now, and its accesses, as through an
 * IOMMU.
 *
 * A mapping is listed when it begins (mapping.c), and entered in an index by page only when a
 * device first looks. The MDLs of a mapping say what it covers. */
#include "device.h"

#include <string.h>

/* A page of a mapping: bytes [start, end) of it. */
typedef struct mapped_page {
    struct mapped_page *next_here; /* the same logical page */
    struct mapped_page *previous_here;
    struct mapped_page *next_of; /* the same mapping */
    mapping *of;
    uint64_t key;
    uint32_t start;
    uint32_t end;
} mapped_page;

/* Register i and the page with its address are told apart by the highest bit. */
static const uint64_t REGISTER_KEY = 1ull << 63;

uint8_t *register_get_page(wdfdma_machine *machine, uint32_t index) {
    region *part = &machine->regions[REGION_REGISTERS];
    size_t needed = ((size_t)index + 1) * PAGE_BYTES;
    if (needed > part->used_bytes) {
        region_grow(machine, REGION_REGISTERS, needed - part->used_bytes);
    }
    return part->base + (size_t)index * PAGE_BYTES;
}

static void mapped_page_remove(wdfdma_machine *machine, mapped_page *gone, uint64_t owner) {
    hal *of = hal_of(machine);
    of->ended[of->ended_count++ % ENDED_PAGES] =
        (ended_page){.key = gone->key,
                     .start = (uint16_t)gone->start,
                     .end = (uint16_t)gone->end,
                     .owner = owner,
                     .mdl = gone->of->of == NULL ? 0 : gone->of->of->head.handle};
    if ((gone->key & REGISTER_KEY) != 0) {
        /* What the transfer leaves in the page is no filling. */
        table_remove(&of->filled, (gone->key ^ REGISTER_KEY) - REGISTERS_ADDRESS / PAGE_BYTES);
    }
    if (gone->next_here != NULL) {
        gone->next_here->previous_here = gone->previous_here;
    }
    if (gone->previous_here != NULL) {
        gone->previous_here->next_here = gone->next_here;
    } else if (gone->next_here != NULL) {
        *table_find(&hal_of(machine)->index, gone->key) = (uint64_t)(uintptr_t)gone->next_here;
    } else {
        table_remove(&hal_of(machine)->index, gone->key);
    }
    data_free(machine, gone);
}

void mapping_unindex(wdfdma_machine *machine, mapping *gone) {
    uint64_t owner = gone->pages == NULL ? 0 : mapping_get_owner_handle(machine, gone);
    while (gone->pages != NULL) {
        mapped_page *first = gone->pages;
        gone->pages = first->next_of;
        mapped_page_remove(machine, first, owner);
    }
    gone->indexed = false;
}

static bool mapped_page_add(wdfdma_machine *machine, mapping *to, uint64_t address,
                            uint64_t length) {
    mapped_page *page = data_allocate(machine, sizeof *page, NULL);
    if (page == NULL) {
        return false;
    }
    uint64_t number = address / PAGE_BYTES;
    page->key = to->first_register == NO_REGISTER ? number : number | REGISTER_KEY;
    uint64_t *here = table_find(&hal_of(machine)->index, page->key);
    mapped_page *first = here == NULL ? NULL : (mapped_page *)(uintptr_t)*here;
    if (!table_put(machine, &hal_of(machine)->index, page->key, (uint64_t)(uintptr_t)page)) {
        data_free(machine, page);
        return false;
    }
    page->next_here = first;
    if (first != NULL) {
        first->previous_here = page;
    }
    page->of = to;
    page->next_of = to->pages;
    to->pages = page;
    page->start = (uint32_t)(address % PAGE_BYTES);
    page->end = page->start + (uint32_t)length;
    return true;
}

/* Consecutive logical addresses, page by page. */
static bool addresses_index(wdfdma_machine *machine, mapping *made, uint64_t address,
                            uint64_t left) {
    while (left != 0) {
        uint64_t in_page = address % PAGE_BYTES;
        uint64_t here = left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page;
        if (!mapped_page_add(machine, made, address, here)) {
            return false;
        }
        address += here;
        left -= here;
    }
    return true;
}

/* What one MDL holds of the range. [index] is the register of its first page. */
static bool part_index(wdfdma_machine *machine, mapping *made, const mdl_walk *part,
                       uint64_t index) {
    uint64_t at = part->at->mdl->ByteOffset + part->offset;
    uint64_t in_page = at % PAGE_BYTES;
    if (made->first_register != NO_REGISTER) {
        return addresses_index(machine, made, REGISTERS_ADDRESS + index * PAGE_BYTES + in_page,
                               part->length);
    }
    for (uint64_t done = 0; done < part->length;) {
        uint64_t left = part->length - done;
        uint64_t here = left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page;
        uint64_t pfn = part->at->pfns[(at + done) / PAGE_BYTES];
        if (!addresses_index(machine, made, pfn * PAGE_BYTES + in_page, here)) {
            return false;
        }
        done += here;
        in_page = 0;
    }
    return true;
}

/* From the chain, not from the list that the driver was given: that is the driver's to write. What
 * of the chain is no more, is another MDL by now, or has grown past its registers, is not the device's. */
static bool chain_index(wdfdma_machine *machine, mapping *made) {
    mdl_walk part;
    uint64_t index = made->first_register;
    uint64_t end = made->first_register + (uint64_t)made->register_count;
    const mapping *known = made->in_parts ? made->parts : NULL;
    bool more = mdl_walk_begin(machine, &part, mapping_get_mdl(made), made->offset, made->length);
    while (more && (!made->in_parts || (known != NULL && known->of == part.at))) {
        uint64_t pages = pages_spanned(mdl_page_offset(part.at->mdl, part.offset), part.length);
        if (made->first_register != NO_REGISTER && index + pages > end) {
            break;
        }
        if (!part_index(machine, made, &part, index)) {
            return false;
        }
        index += pages;
        known = known == NULL ? NULL : known->next;
        more = mdl_walk_next(machine, &part);
    }
    return true;
}

static bool mapping_index(wdfdma_machine *machine, mapping *made) {
    made->pages = NULL;
    made->indexed = true;
    bool done = made->of == NULL ? addresses_index(machine, made, made->offset, made->length)
                                 : chain_index(machine, made);
    if (!done) {
        mapping_unindex(machine, made);
    }
    return done;
}

/* The list is left empty: what has ended is forgotten, what lives is entered. */
static bool mappings_index(wdfdma_machine *machine) {
    hal *of = hal_of(machine);
    while (of->listed != NULL) {
        mapping *made = of->listed;
        mapping_unlist(machine, made);
        if (made->live && !mapping_index(machine, made)) {
            mapping_list(machine, made);
            return false;
        }
    }
    return true;
}

static const mapped_page *register_find_pages(const wdfdma_machine *machine, uint32_t index) {
    uint64_t key = (REGISTERS_ADDRESS / PAGE_BYTES + index) | REGISTER_KEY;
    const uint64_t *here = table_find(&hal_of(machine)->index, key);
    return here == NULL ? NULL : (const mapped_page *)(uintptr_t)*here;
}

const mapping *register_get_mapping(const wdfdma_machine *machine, uint32_t index) {
    const mapped_page *page = register_find_pages(machine, index);
    return page == NULL ? NULL : page->of;
}

bool register_find_gap(const wdfdma_machine *machine, uint32_t index, uint32_t *begin,
                       uint32_t *end) {
    const mapped_page *first = register_find_pages(machine, index);
    const mapped_page *page = first;
    while (page != NULL) {
        bool covers = *begin >= page->start && *begin < page->end;
        *begin = covers ? page->end : *begin;
        page = covers ? first : page->next_here;
    }
    *end = PAGE_BYTES;
    for (page = first; page != NULL; page = page->next_here) {
        *end = page->start > *begin && page->start < *end ? page->start : *end;
    }
    return *begin < PAGE_BYTES;
}

static const mapped_page *page_allowing(const wdfdma_machine *machine, uint64_t key, uint32_t at,
                                        bool write) {
    const uint64_t *here = table_find(&hal_of(machine)->index, key);
    const mapped_page *page = here == NULL ? NULL : (const mapped_page *)(uintptr_t)*here;
    while (page != NULL && (at < page->start || at >= page->end ||
                            !(write ? page->of->device_writes : page->of->device_reads))) {
        page = page->next_here;
    }
    return page;
}

/* The bytes that a device may use at [address], and how many of them up to the end of what
 * allows it. */
static uint8_t *address_find(wdfdma_machine *machine, uint64_t address, bool write,
                             uint64_t *bytes) {
    uint64_t number = address / PAGE_BYTES;
    uint32_t at = (uint32_t)(address % PAGE_BYTES);
    const mapped_page *page = page_allowing(machine, number | REGISTER_KEY, at, write);
    uint8_t *host = NULL;
    if (page != NULL) {
        host = register_get_page(machine, (uint32_t)(number - REGISTERS_ADDRESS / PAGE_BYTES));
    } else {
        page = page_allowing(machine, number, at, write);
        host = page == NULL ? NULL : memory_get_page(machine, number);
    }
    if (host == NULL) {
        return NULL;
    }
    *bytes = page->end - at;
    return host + at;
}

static uint64_t ended_count(const hal *of) {
    return of->ended_count < ENDED_PAGES ? of->ended_count : ENDED_PAGES;
}

void device_note_freed(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    hal *of = hal_of(machine);
    uint64_t first = (REGISTERS_ADDRESS / PAGE_BYTES + base) | REGISTER_KEY;
    for (uint64_t i = 0; i < ended_count(of); i++) {
        ended_page *page = &of->ended[i];
        page->freed = page->freed || (page->key >= first && page->key - first < count);
    }
}

/* The last mapping that has ended and had allowed [at] of the page with [key], as far back as is
 * known; NULL where there is none. */
static const ended_page *ended_find(const hal *of, uint64_t key, uint32_t at) {
    for (uint64_t back = 1; back <= ended_count(of); back++) {
        const ended_page *page = &of->ended[(of->ended_count - back) % ENDED_PAGES];
        if (page->key == key && at >= page->start && at < page->end) {
            return page;
        }
    }
    return NULL;
}

/* Why no mapping allows a device [address]: one of our rules, which the bug check follows. */
static wdfdma_rule access_get_rule(const wdfdma_machine *machine, uint64_t address,
                                   const ended_page **out) {
    const hal *of = hal_of(machine);
    uint64_t number = address / PAGE_BYTES;
    uint32_t at = (uint32_t)(address % PAGE_BYTES);
    const ended_page *page = ended_find(of, number | REGISTER_KEY, at);
    *out = page;
    if (page != NULL) {
        uint64_t index = number - REGISTERS_ADDRESS / PAGE_BYTES;
        bool is_held = (of->pool.held[index / 64] >> (index % 64) & 1) != 0;
        return is_held && !page->freed ? WDFDMA_RULE_DEVICE_AFTER_COMPLETION
                                       : WDFDMA_RULE_DEVICE_AFTER_FREE;
    }
    *out = ended_find(of, number, at);
    return *out != NULL ? WDFDMA_RULE_DEVICE_AFTER_COMPLETION : WDFDMA_RULE_DEVICE_OUTSIDE_LIST;
}

/* Whose mapping was there last is concerned, if there was one. */
static COLD void access_refuse(wdfdma_machine *machine, uint64_t at, uint64_t left) {
    const ended_page *page;
    wdfdma_rule rule = access_get_rule(machine, at, &page);
    const uint64_t parameters[3] = {page == NULL ? 0 : page->owner, at, left};
    const uint64_t others[2] = {page == NULL ? 0 : page->mdl, 0};
    const object *owner = object_find(machine, parameters[0]);
    verifier_rule_among(machine, rule, parameters, owner, others);
}

static bool access_is_allowed(wdfdma_machine *machine, uint64_t address, size_t bytes, bool write) {
    uint64_t at = address;
    uint64_t left = bytes;
    while (left != 0) {
        uint64_t here = 0;
        if (at < address || address_find(machine, at, write, &here) == NULL) {
            access_refuse(machine, at, left);
            verifier_dma_violation(machine, WDFDMA_RULE_DMA_26, at, left, write, NULL);
            return false;
        }
        here = here < left ? here : left;
        at += here;
        left -= here;
    }
    return true;
}

/* Where an IOMMU fault is ignored there is no IOMMU: a device reaches the registers that nothing
 * maps for it. False where it would reach for something else: memory is never harmed. */
static bool registers_access(wdfdma_machine *machine, uint64_t address, uint8_t *out,
                             const uint8_t *data, size_t bytes) {
    uint64_t first = address / PAGE_BYTES - REGISTERS_ADDRESS / PAGE_BYTES;
    uint64_t at = address % PAGE_BYTES;
    uint64_t pages = pages_spanned(at, bytes);
    if (machine->state.halted || machine->rule_modes[WDFDMA_RULE_DMA_26] != WDFDMA_MODE_IGNORE ||
        bytes > (uint64_t)machine->config.map_registers * PAGE_BYTES ||
        first >= machine->config.map_registers || pages > machine->config.map_registers - first) {
        return false;
    }
    for (uint64_t page = 0; page < pages; page++) {
        if (memory_get_page(machine, address / PAGE_BYTES + page) != NULL) {
            return false;
        }
    }
    for (uint64_t page = 0; page < pages; page++) {
        guard_fill(machine, (uint32_t)(first + page));
    }
    register_get_page(machine, (uint32_t)(first + pages - 1));
    uint8_t *there = register_get_page(machine, (uint32_t)first) + at;
    if (data != NULL || out != NULL) {
        memcpy(data != NULL ? there : out, data != NULL ? data : there, bytes);
    }
    return true;
}

void device_copy(wdfdma_machine *machine, const device_move *move) {
    bool write = move->data != NULL;
    for (size_t done = 0; done < move->bytes && (write || move->out != NULL);) {
        uint64_t here = 0;
        uint8_t *host = address_find(machine, move->address + done, write, &here);
        size_t part = here < move->bytes - done ? (size_t)here : move->bytes - done;
        memcpy(write ? host : move->out + done, write ? move->data + done : host, part);
        done += part;
    }
}

NTSTATUS device_access(wdfdma_machine *machine, const device_move *move, bool obeys) {
    bool write = move->data != NULL;
    NTSTATUS status = STATUS_SUCCESS;
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    if (!mappings_index(machine)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ddi_call call;
    ddi_begin(&call, machine, write ? WDFDMA_OP_DEVICE_WRITE : WDFDMA_OP_DEVICE_READ);
    if (journal_is_on(machine)) {
        const uint64_t values[] = {move->address, move->bytes,
                                   write && move->bytes != 0 ? move->data[0] : 0};
        journal_write(machine,
                      write ? WDFDMA_OP_DEVICE_WRITE_ADDRESS : WDFDMA_OP_DEVICE_READ_ADDRESS,
                      values, 3);
    }
    if (!access_is_allowed(machine, move->address, move->bytes, write)) {
        bool lands = (write || move->out != NULL) &&
                     registers_access(machine, move->address, move->out, move->data, move->bytes);
        status = lands ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    } else if (!obeys && faults_are_planned(machine)) {
        device_copy_or_fail(machine, move);
    } else {
        device_copy(machine, move);
    }
    ddi_leave(&call);
    return status;
}

NTSTATUS wdfdma_device_read(wdfdma_machine *machine, uint64_t address, void *out, size_t bytes) {
    if (machine == NULL || (out == NULL && bytes != 0)) {
        return STATUS_INVALID_PARAMETER;
    }
    const device_move move = {.address = address, .out = out, .bytes = bytes};
    return bytes == 0 ? STATUS_SUCCESS : device_access(machine, &move, false);
}

NTSTATUS wdfdma_device_write(wdfdma_machine *machine, uint64_t address, const void *data,
                             size_t bytes) {
    if (machine == NULL || (data == NULL && bytes != 0)) {
        return STATUS_INVALID_PARAMETER;
    }
    const device_move move = {.address = address, .data = data, .bytes = bytes};
    return bytes == 0 ? STATUS_SUCCESS : device_access(machine, &move, false);
}
