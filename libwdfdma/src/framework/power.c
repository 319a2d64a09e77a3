/* Power: what enablers are told when their device enters or leaves D0. */
#include "framework.h"

typedef NTSTATUS (*enabler_callback)(WDFDMAENABLER handle);

/* The first enabler of [of] whose label is [label] or above; NULL at the end. Labels are in the order
 * of making, and so are children: what a callback deletes does not matter. */
static enabler *enabler_from(const device *of, uint32_t label) {
    fx_object *at = of->base.first_child;
    while (at != NULL && (at->head.type != WDFDMA_OBJECT_ENABLER || at->head.label < label)) {
        at = at->next_sibling;
    }
    return (enabler *)at;
}

static bool enabler_lives(const enabler *of, uint64_t handle) {
    return of->base.head.handle == handle && of->base.head.kind == 0;
}

/* Calls [callback] on [of], if it is set; a machine that halts inside is a failure. */
static NTSTATUS power_call(wdfdma_machine *machine, const enabler *of, enabler_callback callback,
                           uint32_t irql) {
    callback_frame frame;
    if (callback == NULL) {
        return STATUS_SUCCESS;
    }
    if (!callback_enter(machine, &frame, &of->base.head, WDFDMA_EVENT_COUNT, irql)) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = callback((WDFDMAENABLER)fx_get_handle(&of->base));
    callback_leave(&frame);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

static NTSTATUS enabler_enter_d0(wdfdma_machine *machine, enabler *of) {
    uint64_t handle = of->base.head.handle;
    of->fill_failed = false;
    of->enable_failed = false;
    NTSTATUS status = power_call(machine, of, of->config.EvtDmaEnablerFill, PASSIVE_LEVEL);
    if (!enabler_lives(of, handle)) {
        return status;
    }
    of->fill_failed = !NT_SUCCESS(status);
    if (of->fill_failed) {
        return status;
    }
    status = power_call(machine, of, of->config.EvtDmaEnablerEnable, DISPATCH_LEVEL);
    if (!enabler_lives(of, handle)) {
        return status;
    }
    of->enable_failed = !NT_SUCCESS(status);
    if (of->enable_failed) {
        return status;
    }
    return power_call(machine, of, of->config.EvtDmaEnablerSelfManagedIoStart, PASSIVE_LEVEL);
}

static NTSTATUS first_failure(NTSTATUS before, NTSTATUS status) {
    return NT_SUCCESS(before) ? status : before;
}

static NTSTATUS enabler_leave_d0(wdfdma_machine *machine, enabler *of) {
    uint64_t handle = of->base.head.handle;
    NTSTATUS result =
        power_call(machine, of, of->config.EvtDmaEnablerSelfManagedIoStop, PASSIVE_LEVEL);
    if (!machine->state.halted && enabler_lives(of, handle) && !of->fill_failed) {
        result = first_failure(
            result, power_call(machine, of, of->config.EvtDmaEnablerDisable, DISPATCH_LEVEL));
    }
    if (!machine->state.halted && enabler_lives(of, handle) && !of->fill_failed &&
        !of->enable_failed) {
        result = first_failure(
            result, power_call(machine, of, of->config.EvtDmaEnablerFlush, PASSIVE_LEVEL));
    }
    if (enabler_lives(of, handle)) {
        of->fill_failed = false;
        of->enable_failed = false;
    }
    return result;
}

/* Moves the enablers of a device in the order of their making; returns the first failure, at which [ends]
 * says to stop. */
static NTSTATUS device_move(WDFDEVICE handle, uint32_t op,
                            NTSTATUS (*move)(wdfdma_machine *machine, enabler *of), bool ends) {
    ddi_call call;
    const device *of = (device *)ddi_enter(&call, handle, WDFDMA_OBJECT_DEVICE, WDFDMA_OP_POWER);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_mark(call.machine, op, 0, 0);
    NTSTATUS status = STATUS_SUCCESS;
    uint64_t own = of->base.head.handle;
    enabler *at = enabler_from(of, 0);
    while (at != NULL && !call.machine->state.halted && !(ends && !NT_SUCCESS(status))) {
        uint32_t label = at->base.head.label;
        status = first_failure(status, move(call.machine, at));
        at = of->base.head.handle == own ? enabler_from(of, label + 1) : NULL;
    }
    ddi_leave(&call);
    return call.machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

NTSTATUS wdfdma_device_enter_d0(WDFDEVICE handle, WDF_POWER_DEVICE_STATE previous) {
    (void)previous;
    return device_move(handle, WDFDMA_OP_ENTER_D0, enabler_enter_d0, true);
}

NTSTATUS wdfdma_device_leave_d0(WDFDEVICE handle, WDF_POWER_DEVICE_STATE target) {
    (void)target;
    return device_move(handle, WDFDMA_OP_LEAVE_D0, enabler_leave_d0, false);
}
