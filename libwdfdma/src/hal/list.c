/* Scatter/gather lists: GetScatterGatherListEx and BuildScatterGatherListEx,
 * PutScatterGatherList. */
#include "hal.h"

bool list_fill(wdfdma_machine *machine, const list_request *request, const mdl_walk *part,
               mapping *map, PSCATTER_GATHER_LIST list) {
    adapter *by = request->request.adapter;
    uint32_t base = request->request.base;
    bool bounces = base != NO_REGISTER && range_bounces(machine, by, part);
    uint32_t first_register = bounces ? base : NO_REGISTER;
    uint64_t elements =
        range_fill(machine, part, first_register, list->Elements, request->capacity);
    list->NumberOfElements = (ULONG)elements;
    list->Reserved = 0;
    map->of = (mdl_object *)(uintptr_t)part->at;
    map->offset = part->offset;
    map->length = request->length;
    map->register_count = request->request.count;
    map->first_register = first_register;
    map->device_reads = request->to_device;
    map->device_writes = !request->to_device;
    if (!mapping_begin(machine, map)) {
        return false;
    }
    by->lists_held++;
    if (UNLIKELY(bounces) && request->to_device) {
        bounce_copy(machine, map, request->length, true);
    }
    return !machine->state.halted;
}

NTSTATUS list_get_registers(wdfdma_machine *machine, const list_request *request,
                            uint64_t *registers) {
    mdl_walk part;
    bool past_end = true;
    *registers = 0;
    bool more = mdl_walk_begin(machine, &part, request->mdl, request->offset, request->length);
    while (more) {
        *registers += pages_spanned(mdl_page_offset(part.at->mdl, part.offset), part.length);
        past_end = part.left > part.length;
        more = mdl_walk_next(machine, &part);
    }
    if (part.broken) {
        const adapter *by = request->request.adapter; /* none where only a size is asked for */
        mdl_bugcheck(machine, by == NULL ? NULL : &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    return past_end ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* A chain that needs more registers than were asked for has been changed meanwhile. */
bool list_find(wdfdma_machine *machine, const list_request *request, mdl_walk *part) {
    uint64_t registers;
    list_get_registers(machine, request, &registers);
    if (registers == request->request.count &&
        mdl_walk_begin(machine, part, request->mdl, request->offset, request->length)) {
        return true;
    }
    mdl_bugcheck(machine, &request->request.adapter->head);
    return false;
}

void list_put(wdfdma_machine *machine, adapter *by, mapping *map, uint32_t base, uint32_t count,
              const object *concerned) {
    WDFDMA_ASSERT(by->lists_held != 0);
    map_flush(machine, map, map->length, concerned);
    if (machine->state.halted) {
        return;
    }
    by->lists_held--;
    if (base != NO_REGISTER) {
        registers_free(machine, by, base, count);
    }
}
