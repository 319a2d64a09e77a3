/* Adapters: what IoGetDmaAdapter makes of a DEVICE_DESCRIPTION. docs/spec/hal.md, section 3. */
#include "hal.h"

static uint32_t description_get_width(const DEVICE_DESCRIPTION *description) {
    if (!description->Master) {
        return 64;
    }
    if (description->Version >= DEVICE_DESCRIPTION_VERSION3) {
        return description->DmaAddressWidth;
    }
    if (description->Dma64BitAddresses) {
        return 64;
    }
    return description->Dma32BitAddresses ? 32 : 24;
}

static uint32_t registers_granted(const wdfdma_machine *machine, uint64_t maximum_length) {
    uint64_t granted = maximum_length / PAGE_BYTES + (maximum_length % PAGE_BYTES != 0) + 1;
    if (granted > machine->config.registers_per_adapter) {
        granted = machine->config.registers_per_adapter;
    }
    return (uint32_t)(granted < machine->config.map_registers ? granted
                                                              : machine->config.map_registers);
}

adapter *adapter_create(wdfdma_machine *machine, const DEVICE_DESCRIPTION *description) {
    uint32_t granted = registers_granted(machine, description->MaximumLength);
    uint32_t width = description_get_width(description);
    if (granted < 2 || width < 12 || width > 64 || fault_hits(machine, WDFDMA_FAULT_ADAPTER)) {
        return NULL;
    }
    adapter *made = (adapter *)object_create(machine, WDFDMA_OBJECT_ADAPTER, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->version = description->Version >= DEVICE_DESCRIPTION_VERSION3 ? 3 : 2;
    made->width = width;
    made->reach = machine->config.force_map_registers ? 0 : 1ull << (width - 12);
    made->map_registers = granted;
    made->maximum_length = description->MaximumLength;
    made->master = description->Master != 0;
    made->scatter_gather = description->ScatterGather && made->master;
    made->needs_registers = machine->config.force_map_registers || !made->scatter_gather ||
                            width < machine->config.physical_address_bits;
    made->wdm.Version = (USHORT)made->version;
    made->wdm.Size = sizeof made->wdm;
    /* A driver only calls through the table; the type has no const. */
    made->wdm.DmaOperations = (PDMA_OPERATIONS)(uintptr_t)&adapter_operations;
    return made;
}

void adapter_put(wdfdma_machine *machine, adapter *gone) {
    if (gone->common_buffers_held != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_07, gone->head.handle,
                               gone->common_buffers_held, 0, &gone->head);
    } else if (gone->channel != NULL || gone->waiting != 0 || gone->running) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_08, gone->head.handle,
                               gone->waiting + (uint64_t)(gone->channel != NULL), 0, &gone->head);
    } else if (gone->lists_held != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_0A, gone->head.handle, gone->lists_held, 0,
                               &gone->head);
    } else if (gone->registers_held != 0) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_09, gone->head.handle, gone->registers_held,
                               0, &gone->head);
    } else {
        object_free(machine, &gone->head);
    }
}
