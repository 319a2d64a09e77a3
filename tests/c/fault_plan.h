/* Plans of injected faults, and a world to inject them in. */
#ifndef WDFDMA_TESTS_FAULT_PLAN_H
#define WDFDMA_TESTS_FAULT_PLAN_H

#include "world.h"

static const NTSTATUS NO_RESOURCES = STATUS_INSUFFICIENT_RESOURCES;

static inline void plan_call(wdfdma_machine *machine, uint32_t op, uint32_t nth, NTSTATUS status) {
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL, .op = op, .nth = nth, .status = status};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static inline void plan_below(wdfdma_machine *machine, wdfdma_fault_kind kind, uint32_t nth) {
    const wdfdma_fault fault = {.kind = kind, .nth = nth};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static inline void plan_device(wdfdma_machine *machine, uint32_t behaviour, uint32_t op,
                               uint32_t nth) {
    const wdfdma_fault fault = {
        .kind = WDFDMA_FAULT_DEVICE, .op = op, .behaviour = behaviour, .nth = nth};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static inline wdfdma_fault plan_get(const wdfdma_machine *machine, size_t index) {
    size_t count = 0;
    const wdfdma_fault *faults = wdfdma_machine_get_faults(machine, &count);
    return CHECK(index < count) ? faults[index] : (wdfdma_fault){0};
}

static inline NTSTATUS read_initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    return world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, length);
}

static inline world packet_open(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

#endif
