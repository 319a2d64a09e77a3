/* DMA_OPERATIONS: the same HAL as a WDM driver calls it. */
#include "hal.h"

const DMA_OPERATIONS adapter_operations = {.Size = sizeof(DMA_OPERATIONS)};

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription,
                             PULONG NumberOfMapRegisters) {
    wdfdma_machine *machine = registry_find((uint64_t)(uintptr_t)PhysicalDeviceObject);
    machine = machine == NULL ? wdfdma_machine_current() : machine;
    if (machine == NULL || machine->state.halted || DeviceDescription == NULL ||
        NumberOfMapRegisters == NULL) {
        return NULL;
    }
    adapter *made = adapter_create(machine, DeviceDescription);
    if (made == NULL) {
        return NULL;
    }
    *NumberOfMapRegisters = made->map_registers;
    return &made->wdm;
}
