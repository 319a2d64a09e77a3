/* Devices: what enablers belong to. A device comes and goes by the control plane, as by the
 * framework. */
#include "framework.h"

NTSTATUS wdfdma_device_create(wdfdma_machine *machine, PWDF_OBJECT_ATTRIBUTES attributes,
                              WDFDEVICE *out) {
    if (machine == NULL || out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    fx_object *made = NULL;
    NTSTATUS status =
        fx_create(machine, WDFDMA_OBJECT_DEVICE, sizeof(device), NULL, attributes, &made);
    if (NT_SUCCESS(status)) {
        *out = (WDFDEVICE)fx_get_handle(made);
    }
    return status;
}

static device *device_enter(ddi_call *call, WDFDEVICE handle, wdfdma_op op) {
    return (device *)ddi_enter(call, handle, WDFDMA_OBJECT_DEVICE, op);
}

void wdfdma_device_destroy(WDFDEVICE handle) {
    ddi_call call;
    device *gone = device_enter(&call, handle, WDFDMA_OP_DEVICE_CALL);
    if (gone == NULL) {
        return;
    }
    journal_mark(call.machine, WDFDMA_OP_REMOVE_DEVICE,
                 wdfdma_machine_localize(call.machine, gone->base.head.handle), 0);
    if (gone->base.deleting) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_OBJECT_ERROR, gone->base.head.handle, 0,
                               &gone->base.head);
    } else {
        leaks_report(call.machine, &gone->base);
        if (!call.machine->state.halted) {
            fx_delete(call.machine, &gone->base);
        }
    }
    ddi_leave(&call);
}

void WdfDeviceSetAlignmentRequirement(WDFDEVICE Device, ULONG AlignmentRequirement) {
    ddi_call call;
    device *of = device_enter(&call, Device, WDFDMA_OP_DEVICE_CALL);
    if (of != NULL) {
        of->alignment = AlignmentRequirement;
        ddi_leave(&call);
    }
}

ULONG WdfDeviceGetAlignmentRequirement(WDFDEVICE Device) {
    ddi_call call;
    const device *of = device_enter(&call, Device, WDFDMA_OP_DEVICE_CALL);
    if (of == NULL) {
        return 0;
    }
    ddi_leave(&call);
    return of->alignment;
}

/* A device object is opaque here: the device's handle stands for it, and IoGetDmaAdapter knows
 * it again. */
static PDEVICE_OBJECT device_get_object(WDFDEVICE handle) {
    ddi_call call;
    const device *of = device_enter(&call, handle, WDFDMA_OP_DEVICE_CALL);
    if (of == NULL) {
        return NULL;
    }
    ddi_leave(&call);
    return (PDEVICE_OBJECT)(void *)handle;
}

PDEVICE_OBJECT WdfDeviceWdmGetDeviceObject(WDFDEVICE Device) {
    return device_get_object(Device);
}

PDEVICE_OBJECT WdfDeviceWdmGetPhysicalDevice(WDFDEVICE Device) {
    return device_get_object(Device);
}
