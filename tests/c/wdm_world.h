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

/* What a violation's parameters have for an address in the current machine. */
static inline uint64_t address_number(const void *pointer) {
    return wdfdma_machine_localize(wdfdma_machine_current(), (uint64_t)(uintptr_t)pointer);
}

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

/* The routines that want DISPATCH_LEVEL, called at it. */
static const DMA_OPERATIONS *wdm_operations;

static inline KIRQL wdm_raise(void) {
    return KeGetCurrentIrql() < DISPATCH_LEVEL ? KfRaiseIrql(DISPATCH_LEVEL) : DISPATCH_LEVEL;
}

static inline NTSTATUS raised_allocate(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, ULONG count,
                                       PDRIVER_CONTROL control, PVOID context) {
    KIRQL before = wdm_raise();
    NTSTATUS status =
        wdm_operations->AllocateAdapterChannel(adapter, device, count, control, context);
    KeLowerIrql(before);
    return status;
}

static inline void raised_free_channel(PDMA_ADAPTER adapter) {
    KIRQL before = wdm_raise();
    wdm_operations->FreeAdapterChannel(adapter);
    KeLowerIrql(before);
}

static inline void raised_free_registers(PDMA_ADAPTER adapter, PVOID base, ULONG count) {
    KIRQL before = wdm_raise();
    wdm_operations->FreeMapRegisters(adapter, base, count);
    KeLowerIrql(before);
}

static inline NTSTATUS raised_get_list(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PMDL mdl,
                                       PVOID address, ULONG length, PDRIVER_LIST_CONTROL control,
                                       PVOID context, BOOLEAN to_device) {
    KIRQL before = wdm_raise();
    NTSTATUS status = wdm_operations->GetScatterGatherList(adapter, device, mdl, address, length,
                                                           control, context, to_device);
    KeLowerIrql(before);
    return status;
}

static inline NTSTATUS raised_build_list(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PMDL mdl,
                                         PVOID address, ULONG length, PDRIVER_LIST_CONTROL control,
                                         PVOID context, BOOLEAN to_device, PVOID buffer,
                                         ULONG bytes) {
    KIRQL before = wdm_raise();
    NTSTATUS status = wdm_operations->BuildScatterGatherList(
        adapter, device, mdl, address, length, control, context, to_device, buffer, bytes);
    KeLowerIrql(before);
    return status;
}

static inline void raised_put_list(PDMA_ADAPTER adapter, PSCATTER_GATHER_LIST list,
                                   BOOLEAN to_device) {
    KIRQL before = wdm_raise();
    wdm_operations->PutScatterGatherList(adapter, list, to_device);
    KeLowerIrql(before);
}

static inline PDMA_OPERATIONS wdm_operations_raised(PDMA_OPERATIONS of) {
    static DMA_OPERATIONS raised;
    wdm_operations = of;
    raised = *of;
    raised.AllocateAdapterChannel = raised_allocate;
    raised.FreeAdapterChannel = raised_free_channel;
    raised.FreeMapRegisters = raised_free_registers;
    raised.GetScatterGatherList = raised_get_list;
    raised.BuildScatterGatherList = raised_build_list;
    raised.PutScatterGatherList = raised_put_list;
    return &raised;
}

static inline wdm wdm_open(bool gathers, bool force) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.force_map_registers = force;
    wdm made = {.machine = harness_machine(&config)};
    made.device = world_device(made.machine);
    made.object = WdfDeviceWdmGetPhysicalDevice(made.device);
    made.adapter = adapter_get(&made, describe(gathers));
    made.ops = wdm_operations_raised(made.adapter->DmaOperations);
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
