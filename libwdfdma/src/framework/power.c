/* Power: what enablers are told when their device enters or leaves D0. */
#include "framework.h"

typedef NTSTATUS (*enabler_callback)(WDFDMAENABLER handle);

/* The enabler after [at] among its device's children; NULL at the end. */
static enabler *enabler_next(const fx_object *at) {
    while (at != NULL && at->head.type != WDFDMA_OBJECT_ENABLER) {
        at = at->next_sibling;
    }
    return (enabler *)(uintptr_t)at;
}

/* Calls [callback] on [of], if it is set; a machine that halts inside is a failure. */
static NTSTATUS power_call(wdfdma_machine *machine, const enabler *of, enabler_callback callback,
                           uint32_t irql) {
    callback_frame frame;
    if (callback == NULL) {
        return STATUS_SUCCESS;
    }
    if (!callback_enter(machine, &frame, of->base.head.label, WDFDMA_EVENT_COUNT, irql)) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = callback((WDFDMAENABLER)fx_get_handle(&of->base));
    callback_leave(&frame);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

static NTSTATUS enabler_enter_d0(wdfdma_machine *machine, enabler *of) {
    of->filled = false;
    of->enabled = false;
    NTSTATUS status = power_call(machine, of, of->config.EvtDmaEnablerFill, PASSIVE_LEVEL);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    of->filled = true;
    status = power_call(machine, of, of->config.EvtDmaEnablerEnable, DISPATCH_LEVEL);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    of->enabled = true;
    return power_call(machine, of, of->config.EvtDmaEnablerSelfManagedIoStart, PASSIVE_LEVEL);
}

static NTSTATUS first_failure(NTSTATUS before, NTSTATUS status) {
    return NT_SUCCESS(before) ? status : before;
}

static NTSTATUS enabler_leave_d0(wdfdma_machine *machine, enabler *of) {
    NTSTATUS result =
        power_call(machine, of, of->config.EvtDmaEnablerSelfManagedIoStop, PASSIVE_LEVEL);
    if (of->filled && !machine->state.halted) {
        result = first_failure(
            result, power_call(machine, of, of->config.EvtDmaEnablerDisable, DISPATCH_LEVEL));
    }
    if (of->filled && of->enabled && !machine->state.halted) {
        result = first_failure(
            result, power_call(machine, of, of->config.EvtDmaEnablerFlush, PASSIVE_LEVEL));
    }
    of->filled = false;
    of->enabled = false;
    return result;
}

NTSTATUS wdfdma_device_enter_d0(WDFDEVICE handle, WDF_POWER_DEVICE_STATE previous) {
    (void)previous;
    ddi_call call;
    const device *of = (device *)ddi_enter(&call, handle, WDFDMA_OBJECT_DEVICE, WDFDMA_OP_POWER);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_SUCCESS;
    enabler *at = enabler_next(of->base.first_child);
    while (at != NULL && NT_SUCCESS(status)) {
        status = enabler_enter_d0(call.machine, at);
        at = enabler_next(at->base.next_sibling);
    }
    ddi_leave(&call);
    return call.machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

NTSTATUS wdfdma_device_leave_d0(WDFDEVICE handle, WDF_POWER_DEVICE_STATE target) {
    (void)target;
    ddi_call call;
    const device *of = (device *)ddi_enter(&call, handle, WDFDMA_OBJECT_DEVICE, WDFDMA_OP_POWER);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_SUCCESS;
    enabler *at = enabler_next(of->base.first_child);
    while (at != NULL && !call.machine->state.halted) {
        status = first_failure(status, enabler_leave_d0(call.machine, at));
        at = enabler_next(at->base.next_sibling);
    }
    ddi_leave(&call);
    return call.machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}
