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

static EVT_WDF_PROGRAM_DMA SystemEvtProgramDma;

static BOOLEAN SystemIsDuplex(const DMA_DEVICE *Device) {
    return (Device->Revision & 1) != 0;
}

static VOID SystemRelease(PDMA_SLOT Slot) {
    (VOID) WdfDmaTransactionRelease(Slot->Transaction);
}

/* The transaction is over, whatever is left of it. */
static VOID SystemEnd(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    Status = SlotEnd(Slot, Bytes, Status);
    if (Slot->Device->Powered || Slot->CancelRequested) {
        SlotFinish(Slot, Status);
    } else {
        SlotPutBack(Slot);
    }
}

static VOID SystemBegin(PDMA_SLOT Slot) {
    NTSTATUS status;

    Slot->Channel =
        SystemIsDuplex(Slot->Device) && Slot->Shape.Direction == WdfDmaDirectionWriteToDevice;
    Slot->State = SlotWaiting;
    status = WdfDmaTransactionInitializeUsingRequest(Slot->Transaction, Slot->Request,
                                                     SystemEvtProgramDma, Slot->Shape.Direction);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionExecute(Slot->Transaction, Slot);
    }
    if (!NT_SUCCESS(status)) {
        SlotFinish(Slot, status);
    }
}

static BOOLEAN SystemEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    PDMA_SLOT slot = (PDMA_SLOT)Context;
    NTSTATUS status;

    slot->State = SlotProgrammed;
    if (!slot->Device->Powered) {
        WdfDmaTransactionStopSystemTransfer(Transaction);
        return FALSE;
    }
    status = wdfdma_hardware_start(Device, slot->Channel,
                                   slot->Shape.Position +
                                       WdfDmaTransactionGetBytesTransferred(Transaction),
                                   SgList, Direction);
    if (!NT_SUCCESS(status)) {
        /* What the controller was given is taken back: the callback below is told. */
        WdfDmaTransactionStopSystemTransfer(Transaction);
    }
    return NT_SUCCESS(status);
}

static VOID SystemTransferEnded(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    if (SlotIsLastTransfer(Slot, Bytes, &Status)) {
        SystemEnd(Slot, Bytes, Status);
    } else if (SlotCompleteTransfer(Slot, Bytes, &Status)) {
        SlotFinish(Slot, Status);
    }
}

/* The data is there before DmaCompleted has flushed the controller, or so it seems. */
static BOOLEAN SystemCompletesEarly(PDMA_SLOT Slot, size_t Bytes) {
    return (Slot->Device->Bugs & BUG_COMPLETED_BEFORE_FLUSH) != 0 && Bytes == Slot->Shape.Length;
}

static VOID SystemEvtTransferComplete(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                      WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                      DMA_COMPLETION_STATUS Status) {
    PDMA_SLOT slot = (PDMA_SLOT)Context;
    ULONGLONG bytes;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Transaction);
    UNREFERENCED_PARAMETER(Direction);
    slot->State = SlotWaiting;
    if (Status == DmaCancelled) {
        if ((slot->Device->Bugs & BUG_STOP_NOT_COMPLETED) == 0) {
            SystemEnd(slot, 0, STATUS_CANCELLED);
        }
        return;
    }
    if (!wdfdma_hardware_get_result(Device, slot->Channel, &bytes, &status)) {
        /* The transfer could not be started. */
        SystemEnd(slot, 0, STATUS_IO_DEVICE_ERROR);
        return;
    }
    if (SystemCompletesEarly(slot, (size_t)bytes)) {
        WdfRequestCompleteWithInformation(slot->Request, STATUS_SUCCESS, (size_t)bytes);
    }
    SystemTransferEnded(slot, (size_t)bytes, status);
}

static VOID SystemInterrupt(void *Context) {
    UNREFERENCED_PARAMETER(Context); /* the controller has one of its own */
}

/* TRUE: it waited, and does no more. FALSE: SystemEvtTransferComplete has been told. */
static BOOLEAN SystemStop(PDMA_SLOT Slot) {
    if (Slot->State != SlotProgrammed) {
        return WdfDmaTransactionCancel(Slot->Transaction);
    }
    wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
    WdfDmaTransactionStopSystemTransfer(Slot->Transaction);
    return FALSE;
}

static VOID SystemCancel(PDMA_SLOT Slot) {
    Slot->CancelRequested = TRUE;
    if (SystemStop(Slot)) {
        SlotFinish(Slot, STATUS_CANCELLED);
    }
}

/* What waits goes first: what is stopped frees the channel, and would let it through. */
static NTSTATUS SystemEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    DeviceStop(DeviceOfEnabler(DmaEnabler), SystemStop);
    return STATUS_SUCCESS;
}

static const DMA_ROUTINES SystemRoutines = {SystemBegin, SystemTransferEnded, SystemCancel,
                                            SystemRelease};

static NTSTATUS SystemConfigure(PDMA_DEVICE Device, ULONG Channel, WDF_DMA_DIRECTION Direction) {
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

static NTSTATUS SystemCreateEnabler(PDMA_DEVICE Device) {
    static const size_t MaximumLengths[] = {65536, 4096, 16384, 8192 + 512};
    WDF_DMA_ENABLER_CONFIG config;
    NTSTATUS status;

    WDF_DMA_ENABLER_CONFIG_INIT(
        &config, SystemIsDuplex(Device) ? WdfDmaProfileSystemDuplex : WdfDmaProfileSystem,
        MaximumLengths[Device->Revision >> 1 & 3]);
    status = DeviceCreateEnabler(Device, &config, SystemEvtSelfManagedIoStop);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = SystemConfigure(Device, 0, WdfDmaDirectionReadFromDevice);
    if (NT_SUCCESS(status) && SystemIsDuplex(Device)) {
        status = SystemConfigure(Device, 1, WdfDmaDirectionWriteToDevice);
    }
    return status;
}

static NTSTATUS SystemAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;
    NTSTATUS status;
    ULONG i;

    DeviceInitialize(device, Device, &SystemRoutines, Bugs);
    device->SlotCount = SYSTEM_SLOTS;
    status = SystemCreateEnabler(device);
    for (i = 0; i < SYSTEM_SLOTS && NT_SUCCESS(status); i++) {
        PDMA_SLOT slot = &device->Slots[i];
        status =
            WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &slot->Transaction);
        if (NT_SUCCESS(status)) {
            WdfDmaTransactionSetTransferCompleteCallback(slot->Transaction,
                                                         SystemEvtTransferComplete, slot);
        }
    }
    return status;
}

DRIVER_ADD_DEVICE(SystemAddDevice, SystemAddFaulty, 0)
DRIVER_ADD_DEVICE(SystemAddCompletedBeforeFlush, SystemAddFaulty, BUG_COMPLETED_BEFORE_FLUSH)
DRIVER_ADD_DEVICE(SystemAddStopNotCompleted, SystemAddFaulty, BUG_STOP_NOT_COMPLETED)

#define SYSTEM_DRIVER(Name, Fault, AddDevice) \
    DRIVER_ENTRY(Name, Fault, DMA_DEVICE, AddDevice, SystemInterrupt)

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
