/* Common buffers: contiguous memory within an adapter's reach, open to device and processor
 * alike. */
#include "hal.h"

static uint64_t adapter_get_reach(const wdfdma_machine *machine, const adapter *by) {
    uint32_t bits = machine->config.physical_address_bits;
    bits = by->width < bits ? by->width : bits;
    return 1ull << (bits - 12);
}

NTSTATUS common_allocate(wdfdma_machine *machine, adapter *by, uint64_t bytes, common_memory *out) {
    uint64_t pages = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
    uint64_t reach = adapter_get_reach(machine, by);
    uint64_t first;
    if (pages > reach || !memory_can_hold(machine, pages) ||
        !memory_find_frames(machine, (size_t)pages, reach, &first)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *out = (common_memory){.pages = pages, .logical = first * PAGE_BYTES};
    out->pfns = data_allocate(machine, (size_t)pages * sizeof *out->pfns, NULL);
    if (out->pfns == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (uint64_t page = 0; page < pages; page++) {
        out->pfns[page] = first + page;
    }
    if (!memory_reference(machine, out->pfns, (size_t)pages, true, &out->bytes)) {
        data_free(machine, out->pfns);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    out->map = (mapping){.offset = out->logical,
                         .length = pages * PAGE_BYTES,
                         .first_register = NO_REGISTER,
                         .device_reads = true,
                         .device_writes = true};
    mapping_begin(machine, &out->map);
    by->common_buffers_held++;
    return STATUS_SUCCESS;
}

void common_free(wdfdma_machine *machine, adapter *by, common_memory *gone) {
    by->common_buffers_held--;
    mapping_end(machine, &gone->map);
    memory_dereference(machine, gone->pfns, (size_t)gone->pages);
    data_free(machine, gone->pfns);
}
