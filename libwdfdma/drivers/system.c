/* A driver of a device that the system DMA controller moves the bytes of: two transactions that take turns
 * on each channel of the controller.
 *
 * Revision of the hardware: bit 0: a channel for each direction; bits 1 and 2: the most bytes of a
 * transfer. */
#include "drivers.h"

enum {
    SYSTEM_SLOTS = 2,

    BUG_COMPLETED_BEFORE_FLUSH = 1,
    BUG_STOP_NOT_COMPLETED = 2
};

typedef enum _SYSTEM_STATE {
    SystemFree = 0,
    SystemWaiting,   /* EvtProgramDma is to come */
    SystemProgrammed /* the controller is at work */
} SYSTEM_STATE;

struct _SYSTEM_DEVICE;

typedef struct _SYSTEM_SLOT {
    struct _SYSTEM_DEVICE *Device;
    WDFDMATRANSACTION Transaction;
    WDFREQUEST Request;
    REQUEST_SHAPE Shape;
    SYSTEM_STATE State;
    ULONG EmptyTransfers;
    BOOLEAN CancelRequested;
} SYSTEM_SLOT, *PSYSTEM_SLOT;

typedef struct _SYSTEM_DEVICE {
    WDFDEVICE Device;
    WDFDMAENABLER Enabler;
    REQUEST_QUEUE Queue;
    SYSTEM_SLOT Slots[SYSTEM_SLOTS];
    ULONG Revision;
    ULONG Bugs;
    BOOLEAN Powered;
    BOOLEAN Starting;
} SYSTEM_DEVICE, *PSYSTEM_DEVICE;

typedef struct _SYSTEM_ENABLER_CONTEXT {
    PSYSTEM_DEVICE Device;
} SYSTEM_ENABLER_CONTEXT, *PSYSTEM_ENABLER_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SYSTEM_ENABLER_CONTEXT, SystemGetEnablerContext)

static EVT_WDF_PROGRAM_DMA SystemEvtProgramDma;
static VOID SystemStartNext(PSYSTEM_DEVICE Device);

static BOOLEAN SystemIsDuplex(const SYSTEM_DEVICE *Device) {
    return (Device->Revision & 1) != 0;
}

static ULONG SystemGetChannel(const SYSTEM_SLOT *Slot) {
    return SystemIsDuplex(Slot->Device) && Slot->Shape.Direction == WdfDmaDirectionWriteToDevice;
}

static WDFREQUEST SystemFreeSlot(PSYSTEM_SLOT Slot) {
    WDFREQUEST request = Slot->Request;

    Slot->Request = NULL;
    Slot->State = SystemFree;
    Slot->CancelRequested = FALSE;
    return request;
}

static VOID SystemFinish(PSYSTEM_SLOT Slot, NTSTATUS Status) {
    PSYSTEM_DEVICE device = Slot->Device;
    size_t bytes = 0;

    if (NT_SUCCESS(Status)) {
        bytes = WdfDmaTransactionGetBytesTransferred(Slot->Transaction);
    }
    (VOID) WdfDmaTransactionRelease(Slot->Transaction);
    WdfRequestCompleteWithInformation(SystemFreeSlot(Slot), Status, bytes);
    SystemStartNext(device);
}

/* The transaction is over, whatever is left of it. */
static VOID SystemEnd(PSYSTEM_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    NTSTATUS status;

    (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, Bytes, &status);
    if (!Slot->Device->Powered && !Slot->CancelRequested) {
        /* It begins anew when the device is back in D0. */
        (VOID) WdfDmaTransactionRelease(Slot->Transaction);
        (VOID) QueuePrepend(&Slot->Device->Queue, SystemFreeSlot(Slot));
        return;
    }
    SystemFinish(Slot, NT_SUCCESS(Status) ? status : Status);
}

static VOID SystemBegin(PSYSTEM_SLOT Slot, WDFREQUEST Request) {
    NTSTATUS status;

    Slot->Request = Request;
    Slot->Shape = RequestGetShape(Request);
    Slot->State = SystemWaiting;
    Slot->EmptyTransfers = 0;
    status = WdfDmaTransactionInitializeUsingRequest(Slot->Transaction, Request,
                                                     SystemEvtProgramDma, Slot->Shape.Direction);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionExecute(Slot->Transaction, Slot);
    }
    if (!NT_SUCCESS(status)) {
        SystemFinish(Slot, status);
    }
}

/* A slot that is free again inside takes part in the loop that runs already. */
static VOID SystemStartNext(PSYSTEM_DEVICE Device) {
    ULONG i;

    if (Device->Starting) {
        return;
    }
    Device->Starting = TRUE;
    for (i = 0; i < SYSTEM_SLOTS && Device->Powered && Device->Queue.Count != 0; i++) {
        while (Device->Slots[i].State == SystemFree && Device->Queue.Count != 0) {
            SystemBegin(&Device->Slots[i], QueueTakeFirst(&Device->Queue));
        }
    }
    Device->Starting = FALSE;
}

static BOOLEAN SystemEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    PSYSTEM_SLOT slot = (PSYSTEM_SLOT)Context;
    NTSTATUS status;

    slot->State = SystemProgrammed;
    if (!slot->Device->Powered) {
        WdfDmaTransactionStopSystemTransfer(Transaction);
        return FALSE;
    }
    status = wdfdma_hardware_start(Device, SystemGetChannel(slot),
                                   slot->Shape.Position +
                                       WdfDmaTransactionGetBytesTransferred(Transaction),
                                   SgList, Direction);
    if (!NT_SUCCESS(status)) {
        /* What the controller was given is taken back: the callback below is told. */
        WdfDmaTransactionStopSystemTransfer(Transaction);
    }
    return NT_SUCCESS(status);
}

static VOID SystemMoved(PSYSTEM_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    BOOLEAN over;

    Slot->EmptyTransfers = Bytes == 0 ? Slot->EmptyTransfers + 1 : 0;
    if (Status == STATUS_NO_MORE_ENTRIES) {
        SystemEnd(Slot, Bytes, STATUS_SUCCESS);
        return;
    }
    if (!NT_SUCCESS(Status) || Slot->EmptyTransfers > EMPTY_TRANSFERS_MAXIMUM) {
        SystemEnd(Slot, Bytes, NT_SUCCESS(Status) ? STATUS_IO_TIMEOUT : Status);
        return;
    }
    if (Bytes == WdfDmaTransactionGetCurrentDmaTransferLength(Slot->Transaction)) {
        over = WdfDmaTransactionDmaCompleted(Slot->Transaction, &Status);
    } else {
        over = WdfDmaTransactionDmaCompletedWithLength(Slot->Transaction, Bytes, &Status);
    }
    if (over) {
        SystemFinish(Slot, Status);
    }
}

/* The data is there before DmaCompleted has flushed the controller, or so it seems. */
static BOOLEAN SystemCompletesEarly(PSYSTEM_SLOT Slot, size_t Bytes) {
    return (Slot->Device->Bugs & BUG_COMPLETED_BEFORE_FLUSH) != 0 && Bytes == Slot->Shape.Length;
}

static VOID SystemEvtTransferComplete(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                      WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                      DMA_COMPLETION_STATUS Status) {
    PSYSTEM_SLOT slot = (PSYSTEM_SLOT)Context;
    ULONGLONG bytes;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Transaction);
    UNREFERENCED_PARAMETER(Direction);
    slot->State = SystemWaiting;
    if (Status == DmaCancelled) {
        if ((slot->Device->Bugs & BUG_STOP_NOT_COMPLETED) == 0) {
            SystemEnd(slot, 0, STATUS_CANCELLED);
        }
        return;
    }
    if (!wdfdma_hardware_get_result(Device, SystemGetChannel(slot), &bytes, &status)) {
        /* The transfer could not be started. */
        SystemEnd(slot, 0, STATUS_IO_DEVICE_ERROR);
        return;
    }
    if (SystemCompletesEarly(slot, (size_t)bytes)) {
        WdfRequestCompleteWithInformation(slot->Request, STATUS_SUCCESS, (size_t)bytes);
    }
    SystemMoved(slot, (size_t)bytes, status);
}

static VOID SystemInterrupt(void *Context) {
    UNREFERENCED_PARAMETER(Context); /* the controller has one of its own */
}

static VOID SystemStartRequest(void *Context, WDFREQUEST Request) {
    PSYSTEM_DEVICE device = (PSYSTEM_DEVICE)Context;

    if (RequestGetShape(Request).Length == 0) {
        WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, 0);
    } else if (QueueAppend(&device->Queue, Request)) {
        SystemStartNext(device);
    } else {
        WdfRequestComplete(Request, STATUS_INSUFFICIENT_RESOURCES);
    }
}

/* TRUE: it waited, and does no more. FALSE: SystemEvtTransferComplete has been told. */
static BOOLEAN SystemStop(PSYSTEM_SLOT Slot) {
    if (Slot->State != SystemProgrammed) {
        return WdfDmaTransactionCancel(Slot->Transaction);
    }
    wdfdma_hardware_stop(Slot->Device->Device, SystemGetChannel(Slot));
    WdfDmaTransactionStopSystemTransfer(Slot->Transaction);
    return FALSE;
}

static VOID SystemCancelRequest(void *Context, WDFREQUEST Request) {
    PSYSTEM_DEVICE device = (PSYSTEM_DEVICE)Context;
    ULONG i;

    if (QueueRemove(&device->Queue, Request)) {
        WdfRequestComplete(Request, STATUS_CANCELLED);
        return;
    }
    for (i = 0; i < SYSTEM_SLOTS; i++) {
        if (device->Slots[i].Request == Request) {
            device->Slots[i].CancelRequested = TRUE;
            if (SystemStop(&device->Slots[i])) {
                SystemFinish(&device->Slots[i], STATUS_CANCELLED);
            }
            return;
        }
    }
}

static NTSTATUS SystemEvtSelfManagedIoStart(WDFDMAENABLER DmaEnabler) {
    PSYSTEM_DEVICE device = SystemGetEnablerContext(DmaEnabler)->Device;

    device->Powered = TRUE;
    SystemStartNext(device);
    return STATUS_SUCCESS;
}

/* What waits goes first: what is stopped frees the channel, and would let it through. */
static NTSTATUS SystemEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    PSYSTEM_DEVICE device = SystemGetEnablerContext(DmaEnabler)->Device;
    SYSTEM_STATE state;
    ULONG i;

    device->Powered = FALSE;
    for (state = SystemWaiting; state <= SystemProgrammed; state++) {
        for (i = 0; i < SYSTEM_SLOTS; i++) {
            PSYSTEM_SLOT slot = &device->Slots[i];
            if (slot->State == state && SystemStop(slot)) {
                (VOID) WdfDmaTransactionRelease(slot->Transaction);
                (VOID) QueuePrepend(&device->Queue, SystemFreeSlot(slot));
            }
        }
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SystemConfigure(PSYSTEM_DEVICE Device, ULONG Channel, WDF_DMA_DIRECTION Direction) {
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor;
    PHYSICAL_ADDRESS port = {.QuadPart = 0xFED00000};
    NTSTATUS status;

    RtlZeroMemory(&descriptor, sizeof(descriptor));
    descriptor.Type = CmResourceTypeDma;
    descriptor.u.DmaV3.Channel = Channel;
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, port, Width32Bits, &descriptor);
    status = WdfDmaEnablerConfigureSystemProfile(Device->Enabler, &config, Direction);
    if (NT_SUCCESS(status)) {
        status = wdfdma_hardware_attach(Device->Device, Channel, Device->Enabler, Direction);
    }
    return status;
}

static NTSTATUS SystemCreateEnabler(PSYSTEM_DEVICE Device) {
    static const size_t MaximumLengths[] = {65536, 4096, 16384, 8192 + 512};
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_DMA_ENABLER_CONFIG_INIT(
        &config, SystemIsDuplex(Device) ? WdfDmaProfileSystemDuplex : WdfDmaProfileSystem,
        MaximumLengths[Device->Revision >> 1 & 3]);
    config.EvtDmaEnablerSelfManagedIoStart = SystemEvtSelfManagedIoStart;
    config.EvtDmaEnablerSelfManagedIoStop = SystemEvtSelfManagedIoStop;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SYSTEM_ENABLER_CONTEXT);
    status = WdfDmaEnablerCreate(Device->Device, &config, &attributes, &Device->Enabler);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    SystemGetEnablerContext(Device->Enabler)->Device = Device;
    status = SystemConfigure(Device, 0, WdfDmaDirectionReadFromDevice);
    if (NT_SUCCESS(status) && SystemIsDuplex(Device)) {
        status = SystemConfigure(Device, 1, WdfDmaDirectionWriteToDevice);
    }
    return status;
}

static NTSTATUS SystemAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    PSYSTEM_DEVICE device = (PSYSTEM_DEVICE)Context;
    NTSTATUS status;
    ULONG i;

    device->Device = Device;
    device->Bugs = Bugs;
    device->Revision = wdfdma_hardware_get_revision(Device);
    status = SystemCreateEnabler(device);
    for (i = 0; i < SYSTEM_SLOTS && NT_SUCCESS(status); i++) {
        PSYSTEM_SLOT slot = &device->Slots[i];
        slot->Device = device;
        status =
            WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &slot->Transaction);
        if (NT_SUCCESS(status)) {
            WdfDmaTransactionSetTransferCompleteCallback(slot->Transaction,
                                                         SystemEvtTransferComplete, slot);
        }
    }
    return status;
}

static VOID SystemRemoveDevice(void *Context) {
    PSYSTEM_DEVICE device = (PSYSTEM_DEVICE)Context;

    WdfObjectDelete(device->Enabler);
    device->Enabler = NULL;
}

static NTSTATUS SystemAddDevice(WDFDEVICE Device, void *Context) {
    return SystemAddFaulty(Device, Context, 0);
}
static NTSTATUS SystemAddCompletedBeforeFlush(WDFDEVICE Device, void *Context) {
    return SystemAddFaulty(Device, Context, BUG_COMPLETED_BEFORE_FLUSH);
}
static NTSTATUS SystemAddStopNotCompleted(WDFDEVICE Device, void *Context) {
    return SystemAddFaulty(Device, Context, BUG_STOP_NOT_COMPLETED);
}

#define SYSTEM_DRIVER(Name, Fault, AddDevice) \
    {sizeof(wdfdma_driver), \
     Name, \
     Fault, \
     sizeof(SYSTEM_DEVICE), \
     AddDevice, \
     SystemStartRequest, \
     SystemCancelRequest, \
     SystemInterrupt, \
     SystemRemoveDevice}

const wdfdma_driver SystemDrivers[] = {
    SYSTEM_DRIVER("system", NULL, SystemAddDevice),
    SYSTEM_DRIVER(
        "system/completed-before-flush",
        "It completes a request before DmaCompleted has brought the bytes into its buffer.",
        SystemAddCompletedBeforeFlush),
    SYSTEM_DRIVER(
        "system/stop-not-completed",
        "It stops a transfer and does not complete it when it is told that it was cancelled.",
        SystemAddStopNotCompleted),
};
const ULONG SystemDriverCount = sizeof(SystemDrivers) / sizeof(SystemDrivers[0]);
