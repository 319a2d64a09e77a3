/* MDLs: made over page frames, found again from a driver's pointer, walked along their chains.
 *
 * What a driver may write (the counts, Next, the PFN array) is looked at with suspicion: the
 * object behind an MDL says what it really has. */
#include "hal.h"

#include <stdlib.h>
#include <string.h>

mdl_object *mdl_find_any(const wdfdma_machine *machine, const MDL *mdl) {
    const region *data = &machine->regions[REGION_DATA];
    uintptr_t offset = (uintptr_t)mdl - (uintptr_t)data->base;
    if (UNLIKELY(offset < sizeof(data_head) || offset >= data->used_bytes ||
                 offset % sizeof(data_head) != 0)) {
        return NULL;
    }
    mdl_object *found =
        (mdl_object *)object_at(machine, data_get_head(mdl)->owner, WDFDMA_OBJECT_MDL);
    return LIKELY(found != NULL && found->mdl == mdl) ? found : NULL;
}

size_t mdl_count_pages(const mdl_object *of) {
    const MDL *mdl = of->mdl;
    uint64_t pages = pages_spanned(mdl->ByteOffset, mdl->ByteCount);
    bool fits = mdl->ByteOffset < PAGE_BYTES && mdl->ByteCount != 0 && pages <= of->capacity_pages;
    return fits ? (size_t)pages : 0;
}

void mdl_bugcheck(wdfdma_machine *machine, const object *concerned) {
    verifier_rule(machine, WDFDMA_RULE_INVALID_MDL, concerned);
}

void mdl_refuse(wdfdma_machine *machine, const MDL *mdl) {
    const mdl_object *of = mdl_find_any(machine, mdl);
    mdl_bugcheck(machine, of == NULL ? NULL : &of->head);
}

static void part_set(mdl_walk *walk) {
    uint64_t here = walk->at->mdl->ByteCount - walk->offset;
    walk->length = here < walk->left ? here : walk->left;
}

static const mdl_object *walk_hop(const wdfdma_machine *machine, mdl_walk *walk, const MDL *to) {
    if (to == NULL) {
        return NULL;
    }
    const mdl_object *found = mdl_find(machine, to);
    walk->broken = found == NULL || walk->next_hops++ > machine->state.objects[WDFDMA_OBJECT_MDL];
    return walk->broken ? NULL : found;
}

bool mdl_walk_begin(const wdfdma_machine *machine, mdl_walk *walk, const MDL *chain,
                    uint64_t offset, uint64_t length) {
    *walk = (mdl_walk){.offset = offset, .left = length};
    walk->at = walk_hop(machine, walk, chain);
    while (walk->at != NULL && walk->offset >= walk->at->mdl->ByteCount) {
        walk->offset -= walk->at->mdl->ByteCount;
        walk->at = walk_hop(machine, walk, walk->at->mdl->Next);
    }
    if (walk->at == NULL) {
        walk->broken = walk->broken || chain == NULL;
        return false;
    }
    part_set(walk);
    return true;
}

bool mdl_walk_next(const wdfdma_machine *machine, mdl_walk *walk) {
    walk->left -= walk->length;
    if (walk->left == 0) {
        return false;
    }
    const mdl_object *next = walk_hop(machine, walk, walk->at->mdl->Next);
    if (next == NULL) {
        return false;
    }
    walk->at = next;
    walk->offset = 0;
    part_set(walk);
    return true;
}

/* An MDL and the library's own copy of its frames, in one block behind the object. */
static mdl_object *mdl_object_create(wdfdma_machine *machine, size_t pages) {
    mdl_object *made = (mdl_object *)object_create(machine, WDFDMA_OBJECT_MDL, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    size_t frames = pages * sizeof(uint64_t);
    uint8_t *block = data_allocate(machine, sizeof(MDL) + 2 * frames, &made->head);
    if (block == NULL) {
        object_free(machine, &made->head);
        return NULL;
    }
    made->mdl = (PMDL)(void *)block;
    made->pfns = (uint64_t *)(void *)(block + sizeof(MDL) + frames);
    made->capacity_pages = pages;
    return made;
}

static void mdl_object_free(wdfdma_machine *machine, mdl_object *gone) {
    if (gone->pages != 0) {
        memory_dereference(machine, gone->pfns, gone->pages);
    }
    data_free(machine, gone->mdl);
    object_free(machine, &gone->head);
}

static void frames_summarize(mdl_object *made) {
    made->consecutive = true;
    made->highest_pfn = made->pfns[0];
    for (size_t page = 1; page < made->pages; page++) {
        made->consecutive &= made->pfns[page] == made->pfns[0] + page;
        if (made->pfns[page] > made->highest_pfn) {
            made->highest_pfn = made->pfns[page];
        }
    }
}

bool mdl_build(wdfdma_machine *machine, mdl_object *made, bool given) {
    size_t pages = (size_t)pages_spanned(made->mdl->ByteOffset, made->mdl->ByteCount);
    if (!memory_reference(machine, made->pfns, pages, given, &made->bytes)) {
        return false;
    }
    made->pages = pages;
    frames_summarize(made);
    memcpy(made->mdl + 1, made->pfns, pages * sizeof(uint64_t));
    made->mdl->MdlFlags = (CSHORT)(made->mdl->MdlFlags | MDL_PAGES_LOCKED);
    if (made->bytes != NULL) {
        made->mdl->StartVa = made->bytes;
        made->mdl->MappedSystemVa = made->bytes + made->mdl->ByteOffset;
        made->mdl->MdlFlags = (CSHORT)(made->mdl->MdlFlags | MDL_MAPPED_TO_SYSTEM_VA);
    } else {
        /* Never dereferenced: a virtual address that nothing else has, for offsets to be taken
         * from. */
        made->mdl->StartVa = (PVOID)(((uintptr_t)object_get_unit(machine, &made->head) + 1) << 33);
    }
    return true;
}

mdl_object *mdl_create_empty(wdfdma_machine *machine, uint32_t byte_offset, uint32_t byte_count) {
    size_t pages = (size_t)pages_spanned(byte_offset, byte_count);
    mdl_object *made = mdl_object_create(machine, pages);
    if (made != NULL) {
        made->mdl->Size = (CSHORT)(pages < 4000 ? sizeof(MDL) + pages * sizeof(uint64_t) : 0);
        made->mdl->ByteOffset = byte_offset;
        made->mdl->ByteCount = byte_count;
    }
    return made;
}

static bool mdl_config_is_valid(const wdfdma_machine *machine, const wdfdma_mdl_config *config) {
    if (config->byte_offset >= PAGE_BYTES || config->byte_count == 0) {
        return false;
    }
    if (config->pfns == NULL) {
        return config->pfn_count == 0;
    }
    if (config->pfn_count != pages_spanned(config->byte_offset, config->byte_count)) {
        return false;
    }
    for (size_t i = 0; i < config->pfn_count; i++) {
        if (config->pfns[i] >> (machine->config.physical_address_bits - 12) != 0) {
            return false;
        }
    }
    return true;
}

NTSTATUS wdfdma_mdl_create(wdfdma_machine *machine, const wdfdma_mdl_config *config, PMDL *out) {
    if (machine == NULL || config == NULL || out == NULL || !mdl_config_is_valid(machine, config)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    mdl_object *made = mdl_create_empty(machine, config->byte_offset, config->byte_count);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (config->pfns != NULL) {
        memcpy(made->pfns, config->pfns, config->pfn_count * sizeof(uint64_t));
    }
    if (!mdl_build(machine, made, config->pfns != NULL)) {
        mdl_object_free(machine, made);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *out = made->mdl;
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_mdl_destroy(wdfdma_machine *machine, PMDL mdl) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (mdl == NULL) {
        return STATUS_SUCCESS;
    }
    mdl_object *gone = mdl_find_any(machine, mdl);
    if (gone == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    journal_mark(machine, WDFDMA_OP_FREE_MDL, gone->head.label, 0);
    if (machine->state.halted || !mdl_may_go(machine, gone)) {
        return STATUS_UNSUCCESSFUL;
    }
    mdl_leave_mappings(gone);
    mdl_object_free(machine, gone);
    return STATUS_SUCCESS;
}

void *wdfdma_mdl_get_bytes(wdfdma_machine *machine, PMDL mdl) {
    mdl_object *found = machine == NULL ? NULL : mdl_find(machine, mdl);
    return found == NULL || found->bytes == NULL ? NULL : found->bytes + mdl->ByteOffset;
}

/* The bytes of a part up to the end of its page. */
static uint8_t *part_get_bytes(const wdfdma_machine *machine, const mdl_walk *walk, uint64_t done,
                               size_t *bytes) {
    uint64_t at = walk->at->mdl->ByteOffset + walk->offset + done;
    uint64_t in_page = at % PAGE_BYTES;
    uint64_t left = walk->length - done;
    *bytes = (size_t)(left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page);
    return memory_get_page(machine, walk->at->pfns[at / PAGE_BYTES]) + in_page;
}

static NTSTATUS range_find(wdfdma_machine *machine, PMDL mdl, uint64_t offset, size_t bytes) {
    mdl_walk walk;
    if (machine == NULL || offset + bytes < offset) {
        return STATUS_INVALID_PARAMETER;
    }
    bool inside = mdl_walk_begin(machine, &walk, mdl, offset, bytes);
    while (inside && walk.left > walk.length) {
        inside = mdl_walk_next(machine, &walk);
    }
    if (walk.broken) {
        return STATUS_INVALID_PARAMETER;
    }
    return inside || bytes == 0 ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

/* True where the processor may go on with a range that the chain holds. */
static bool range_may_touch(wdfdma_machine *machine, PMDL mdl, uint64_t offset, uint64_t bytes,
                            bool write) {
    mdl_walk walk;
    bool more = machine->state.mappings != 0 && mdl_walk_begin(machine, &walk, mdl, offset, bytes);
    for (; more; more = mdl_walk_next(machine, &walk)) {
        if (!mdl_may_touch(machine, walk.at, walk.offset, walk.length, write)) {
            return false;
        }
    }
    return true;
}

/* The journal */

enum {
    PART_VALUES = 4 /* before the page frame numbers */
};

static void part_journal(wdfdma_machine *machine, const mdl_object *of, uint64_t place) {
    size_t pages = mdl_fits(of) ? mdl_count_pages(of) : 0;
    uint64_t *values = malloc((PART_VALUES + pages) * sizeof *values);
    if (values == NULL) {
        return;
    }
    values[0] = place;
    values[1] = of->head.label;
    values[2] = of->mdl->ByteOffset;
    values[3] = of->mdl->ByteCount;
    memcpy(values + PART_VALUES, of->pfns, pages * sizeof *values);
    journal_write(machine, WDFDMA_JOURNAL_PART, values, PART_VALUES + pages);
    free(values);
}

void chain_journal(wdfdma_machine *machine, const MDL *mdl) {
    const mdl_object *of = mdl == NULL ? NULL : mdl_find_any(machine, mdl);
    for (uint64_t place = 0; of != NULL && place <= machine->state.objects[WDFDMA_OBJECT_MDL];
         place++) {
        part_journal(machine, of, place);
        of = of->mdl->Next == NULL ? NULL : mdl_find_any(machine, of->mdl->Next);
    }
}

static COLD void touch_journal(wdfdma_machine *machine, const MDL *mdl, uint64_t offset,
                               uint64_t bytes, const uint8_t *written) {
    const uint64_t values[] = {offset, bytes, written != NULL && bytes != 0 ? written[0] : 0};
    chain_journal(machine, mdl);
    journal_write(machine, written == NULL ? WDFDMA_OP_MDL_READ : WDFDMA_OP_MDL_WRITE, values, 3);
}

NTSTATUS wdfdma_mdl_read(wdfdma_machine *machine, PMDL mdl, uint64_t offset, void *out,
                         size_t bytes) {
    NTSTATUS status =
        out == NULL ? STATUS_INVALID_PARAMETER : range_find(machine, mdl, offset, bytes);
    if (status == STATUS_SUCCESS && journal_is_on(machine)) {
        touch_journal(machine, mdl, offset, bytes, NULL);
    }
    if (status == STATUS_SUCCESS && !machine->state.halted &&
        !range_may_touch(machine, mdl, offset, bytes, false)) {
        return STATUS_UNSUCCESSFUL;
    }
    mdl_walk walk;
    uint8_t *to = out;
    bool more = status == STATUS_SUCCESS && bytes != 0 &&
                mdl_walk_begin(machine, &walk, mdl, offset, bytes);
    for (; more; more = mdl_walk_next(machine, &walk)) {
        for (uint64_t done = 0; done < walk.length;) {
            size_t part;
            const uint8_t *from = part_get_bytes(machine, &walk, done, &part);
            memcpy(to, from, part);
            to += part;
            done += part;
        }
    }
    return status;
}

NTSTATUS wdfdma_mdl_write(wdfdma_machine *machine, PMDL mdl, uint64_t offset, const void *data,
                          size_t bytes) {
    NTSTATUS status =
        data == NULL ? STATUS_INVALID_PARAMETER : range_find(machine, mdl, offset, bytes);
    if (status == STATUS_SUCCESS && journal_is_on(machine)) {
        touch_journal(machine, mdl, offset, bytes, data);
    }
    if (status == STATUS_SUCCESS &&
        (machine->state.halted || !range_may_touch(machine, mdl, offset, bytes, true))) {
        status = STATUS_UNSUCCESSFUL;
    }
    mdl_walk walk;
    const uint8_t *from = data;
    bool more = status == STATUS_SUCCESS && bytes != 0 &&
                mdl_walk_begin(machine, &walk, mdl, offset, bytes);
    for (; more; more = mdl_walk_next(machine, &walk)) {
        for (uint64_t done = 0; done < walk.length;) {
            size_t part;
            uint8_t *to = part_get_bytes(machine, &walk, done, &part);
            memcpy(to, from, part);
            from += part;
            done += part;
        }
    }
    return status;
}
