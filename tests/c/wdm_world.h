/* A WDM driver's world: a machine, an adapter of its own, a buffer, and routines that remember
 * what they saw. */
#ifndef WDFDMA_TESTS_WDM_WORLD_H
#define WDFDMA_TESTS_WDM_WORLD_H

#include "world.h"

enum {
    REGISTERS = 8,
    BUFFER_BYTES = 3 * WORLD_PAGE
};

typedef struct wdm {
    wdfdma_machine *machine;
    WDFDEVICE device;
    PDEVICE_OBJECT object;
    PDMA_ADAPTER adapter;
    PDMA_OPERATIONS ops;
    PMDL mdl;
} wdm;

/* What a routine saw. */
typedef struct seen {
    uint32_t calls;
    PVOID base;
    PSCATTER_GATHER_LIST list;
    IO_ALLOCATION_ACTION answer;
    DMA_COMPLETION_STATUS status;
} seen;

static inline DEVICE_DESCRIPTION describe(bool gathers) {
    const DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                            .Master = TRUE,
                                            .ScatterGather = gathers,
                                            .MaximumLength = 16 * WORLD_PAGE,
                                            .DmaAddressWidth = 32};
    return description;
}

static inline PDMA_ADAPTER adapter_get(const wdm *of, DEVICE_DESCRIPTION description) {
    ULONG registers = 0;
    PDMA_ADAPTER made = IoGetDmaAdapter(of->object, &description, &registers);
    CHECK(made != NULL && registers >= 2 && registers <= REGISTERS);
    return made;
}

static inline wdm wdm_open(bool gathers, bool force) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.force_map_registers = force;
    wdm made = {.machine = harness_machine(&config)};
    made.device = world_device(made.machine);
    made.object = WdfDeviceWdmGetPhysicalDevice(made.device);
    made.adapter = adapter_get(&made, describe(gathers));
    made.ops = made.adapter->DmaOperations;
    made.mdl = world_mdl(made.machine, 100, BUFFER_BYTES, NULL);
    return made;
}

static inline IO_ALLOCATION_ACTION on_control(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                              PVOID context) {
    seen *of = context;
    (void)irp;
    CHECK(device != NULL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    of->calls++;
    of->base = base;
    return of->answer;
}

static inline void on_list(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list,
                           PVOID context) {
    seen *of = context;
    (void)device;
    (void)irp;
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    of->calls++;
    of->list = list;
}

static inline void on_complete(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context,
                               DMA_COMPLETION_STATUS status) {
    seen *of = context;
    CHECK(adapter != NULL && device != NULL);
    of->calls++;
    of->status = status;
}

static inline void check_violation(const wdm *of, uint64_t code) {
    CHECK_BUGCHECK(of->machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK_EQUAL(world_parameter(of->machine, 0), code);
    CHECK_MACHINE(of->machine);
}

/* Channel and registers, as the answer says. */
static inline PVOID channel_get(const wdm *of, ULONG count, IO_ALLOCATION_ACTION answer,
                                seen *out) {
    *out = (seen){.answer = answer};
    CHECK_STATUS(of->ops->AllocateAdapterChannel(of->adapter, of->object, count, on_control, out),
                 STATUS_SUCCESS);
    return out->base;
}

#endif
