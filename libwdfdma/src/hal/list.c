/* Scatter/gather lists: GetScatterGatherListEx and BuildScatterGatherListEx,
 * PutScatterGatherList. */
#include "hal.h"

static void list_fill(wdfdma_machine *machine, const list_request *request, const mdl_walk *part,
                      mapping *map, PSCATTER_GATHER_LIST list, uint64_t capacity) {
    uint32_t base = request->request.base;
    bool bounces = base != NO_REGISTER && range_bounces(machine, request->request.adapter, part);
    uint32_t first_register = bounces ? base : NO_REGISTER;
    uint64_t elements = range_fill(machine, request->mdl, request->offset, request->length,
                                   first_register, list->Elements, capacity);
    list->NumberOfElements = (ULONG)elements;
    list->Reserved = 0;
    *map = (mapping){.mdl = request->mdl,
                     .elements = list->Elements,
                     .offset = request->offset,
                     .length = request->length,
                     .element_count = (uint32_t)elements,
                     .first_register = first_register,
                     .device_reads = request->to_device,
                     .device_writes = !request->to_device};
    mapping_begin(machine, map);
    if (bounces && request->to_device) {
        bounce_copy(machine, map, request->length, true);
    }
}

static IO_ALLOCATION_ACTION list_is_granted(wdfdma_machine *machine, hal_request *granted) {
    list_request *request = (list_request *)(void *)granted;
    mapping *map;
    PSCATTER_GATHER_LIST list;
    uint64_t capacity;
    mdl_walk part;
    if (!request->place(machine, request, &map, &list, &capacity)) {
        return DeallocateObjectKeepRegisters;
    }
    if (!mdl_walk_begin(machine, &part, request->mdl, request->offset, request->length)) {
        mdl_bugcheck(machine);
        return DeallocateObjectKeepRegisters;
    }
    granted->adapter->lists_held++;
    list_fill(machine, request, &part, map, list, capacity);
    request->built(machine, request);
    return DeallocateObjectKeepRegisters;
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
        mdl_bugcheck(machine);
        return STATUS_UNSUCCESSFUL;
    }
    return past_end ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

NTSTATUS list_build(wdfdma_machine *machine, list_request *request, uint64_t registers,
                    bool synchronous) {
    request->request.count = (uint32_t)registers;
    request->request.base = NO_REGISTER;
    request->request.routine = list_is_granted;
    return channel_allocate(machine, &request->request, synchronous);
}

void list_put(wdfdma_machine *machine, adapter *by, mapping *map, uint32_t base, uint32_t count) {
    if (by->lists_held == 0) {
        dma_bugcheck(machine, DMA_VIOLATION_PUT_LIST_TWICE, base, count, 0, &by->head);
        return;
    }
    by->lists_held--;
    map_flush(machine, map, map->length);
    if (base != NO_REGISTER) {
        registers_free(machine, by, base, count);
    }
}
