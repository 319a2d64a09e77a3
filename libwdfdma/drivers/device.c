/* What the drivers do alike: requests wait in a queue until a slot is free, and power and requests come and
 * go. How a slot's transaction is begun, programmed and stopped is each driver's own. */
#include "drivers.h"

typedef struct _DMA_ENABLER_CONTEXT {
    PDMA_DEVICE Device;
} DMA_ENABLER_CONTEXT, *PDMA_ENABLER_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DMA_ENABLER_CONTEXT, DmaGetEnablerContext)

VOID DeviceInitialize(PDMA_DEVICE Device, WDFDEVICE Handle, const DMA_ROUTINES *Routines,
                      ULONG Bugs) {
    ULONG i;

    Device->Device = Handle;
    Device->Routines = Routines;
    Device->Revision = wdfdma_hardware_get_revision(Handle);
    Device->Bugs = Bugs;
    for (i = 0; i < SLOTS_MAXIMUM; i++) {
        Device->Slots[i].Device = Device;
        Device->Slots[i].Channel = i;
    }
}

static PDMA_SLOT DeviceFindFreeSlot(PDMA_DEVICE Device) {
    ULONG i;

    for (i = 0; i < Device->SlotCount; i++) {
        PDMA_SLOT slot = &Device->Slots[i];
        if (slot->State == SlotFree && !slot->Broken) {
            return slot;
        }
    }
    return NULL;
}

/* A slot that is free again inside takes part in the loop that runs already. */
static VOID DeviceStartNext(PDMA_DEVICE Device) {
    PDMA_SLOT slot;

    if (Device->Starting) {
        return;
    }
    Device->Starting = TRUE;
    while (Device->Powered && Device->Queue.Count != 0 &&
           (slot = DeviceFindFreeSlot(Device)) != NULL) {
        slot->Request = QueueTakeFirst(&Device->Queue);
        slot->Shape = RequestGetShape(slot->Request);
        slot->EmptyTransfers = 0;
        Device->Routines->Begin(slot);
    }
    Device->Starting = FALSE;
}

static NTSTATUS DeviceEvtSelfManagedIoStart(WDFDMAENABLER DmaEnabler) {
    PDMA_DEVICE device = DeviceOfEnabler(DmaEnabler);

    device->Powered = TRUE;
    DeviceStartNext(device);
    return STATUS_SUCCESS;
}

NTSTATUS DeviceCreateEnabler(PDMA_DEVICE Device, WDF_DMA_ENABLER_CONFIG *Config,
                             EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP *Stop) {
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    Config->EvtDmaEnablerSelfManagedIoStart = DeviceEvtSelfManagedIoStart;
    Config->EvtDmaEnablerSelfManagedIoStop = Stop;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DMA_ENABLER_CONTEXT);
    status = WdfDmaEnablerCreate(Device->Device, Config, &attributes, &Device->Enabler);
    if (NT_SUCCESS(status)) {
        DmaGetEnablerContext(Device->Enabler)->Device = Device;
    }
    return status;
}

PDMA_DEVICE DeviceOfEnabler(WDFDMAENABLER Enabler) {
    return DmaGetEnablerContext(Enabler)->Device;
}

VOID DeviceStop(PDMA_DEVICE Device, BOOLEAN (*Stop)(PDMA_SLOT Slot)) {
    SLOT_STATE state;
    ULONG i;

    Device->Powered = FALSE;
    for (state = SlotReserving; state <= SlotProgrammed; state++) {
        for (i = 0; i < Device->SlotCount; i++) {
            PDMA_SLOT slot = &Device->Slots[i];
            if (slot->State == state && Stop(slot)) {
                SlotPutBack(slot);
            }
        }
    }
}

VOID DeviceStartRequest(void *Context, WDFREQUEST Request) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;

    if (RequestGetShape(Request).Length == 0) {
        WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, 0);
    } else if (QueueAppend(&device->Queue, Request)) {
        DeviceStartNext(device);
    } else {
        WdfRequestComplete(Request, STATUS_INSUFFICIENT_RESOURCES);
    }
}

VOID DeviceCancelRequest(void *Context, WDFREQUEST Request) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;
    ULONG i;

    if (QueueRemove(&device->Queue, Request)) {
        WdfRequestComplete(Request, STATUS_CANCELLED);
        return;
    }
    for (i = 0; i < device->SlotCount; i++) {
        if (device->Slots[i].Request == Request) {
            device->Routines->Cancel(&device->Slots[i]);
            return;
        }
    }
}

VOID DeviceInterrupt(void *Context) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;
    ULONG i;

    for (i = 0; i < device->SlotCount; i++) {
        PDMA_SLOT slot = &device->Slots[i];
        ULONGLONG bytes;
        NTSTATUS status;
        if (slot->State == SlotProgrammed &&
            wdfdma_hardware_get_result(device->Device, slot->Channel, &bytes, &status)) {
            slot->State = SlotWaiting;
            device->Routines->TransferEnded(slot, (size_t)bytes, status);
        }
    }
}

VOID DeviceRemove(void *Context) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;

    WdfObjectDelete(device->Enabler);
    device->Enabler = NULL;
}

/* Returns the request, which nobody has then. */
static WDFREQUEST SlotClear(PDMA_SLOT Slot) {
    WDFREQUEST request = Slot->Request;

    Slot->Request = NULL;
    Slot->State = SlotFree;
    Slot->CancelRequested = FALSE;
    return request;
}

NTSTATUS SlotEnd(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    NTSTATUS status;

    (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, Bytes, &status);
    return NT_SUCCESS(Status) ? status : Status;
}

VOID SlotFinish(PDMA_SLOT Slot, NTSTATUS Status) {
    PDMA_DEVICE device = Slot->Device;
    size_t bytes = 0;

    if (NT_SUCCESS(Status)) {
        bytes = WdfDmaTransactionGetBytesTransferred(Slot->Transaction);
    }
    device->Routines->Release(Slot);
    WdfRequestCompleteWithInformation(SlotClear(Slot), Status, bytes);
    DeviceStartNext(device);
}

VOID SlotPutBack(PDMA_SLOT Slot) {
    Slot->Device->Routines->Release(Slot);
    (VOID) QueuePrepend(&Slot->Device->Queue, SlotClear(Slot));
}

BOOLEAN SlotIsLastTransfer(PDMA_SLOT Slot, size_t Bytes, NTSTATUS *Status) {
    Slot->EmptyTransfers = Bytes == 0 ? Slot->EmptyTransfers + 1 : 0;
    if (*Status == STATUS_NO_MORE_ENTRIES) {
        *Status = STATUS_SUCCESS; /* the device has no more */
        return TRUE;
    }
    if (NT_SUCCESS(*Status) && Slot->EmptyTransfers > EMPTY_TRANSFERS_MAXIMUM) {
        *Status = STATUS_IO_TIMEOUT;
    }
    return !NT_SUCCESS(*Status);
}

BOOLEAN SlotCompleteTransfer(PDMA_SLOT Slot, size_t Bytes, NTSTATUS *Status) {
    if (Bytes == WdfDmaTransactionGetCurrentDmaTransferLength(Slot->Transaction)) {
        return WdfDmaTransactionDmaCompleted(Slot->Transaction, Status);
    }
    return WdfDmaTransactionDmaCompletedWithLength(Slot->Transaction, Bytes, Status);
}
