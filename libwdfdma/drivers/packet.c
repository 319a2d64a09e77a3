/* A packet driver: one run of addresses for each transfer, in version 2 one transaction at a time, in
 * version 3 three of them, the first of which can work on reserved map registers.
 *
 * Revision of the hardware: bit 0: version 2; bits 1 and 2: the most bytes of a transfer; bit 3: 64-bit
 * addresses; bit 4: the first channel reserves its registers (version 3); bit 5: and does not wait
 * for them. */
#include "drivers.h"

enum {
    PACKET_SLOTS = 3,
    PACKET_RESERVED_REGISTERS = 2,

    BUG_RELEASED_IN_TRANSFER = 1,
    BUG_RESERVATION_KEPT = 2,
    BUG_COMPLETED_AFTER_CANCEL = 4,
    BUG_BUSY_IN_VERSION_2 = 8,
    BUG_OFFSET_NOT_ADVANCED = 16
};

typedef enum _PACKET_STATE {
    PacketFree = 0,
    PacketReserving, /* EvtReserveDma is to come */
    PacketWaiting,   /* EvtProgramDma is to come */
    PacketProgrammed /* the hardware is at work */
} PACKET_STATE;

struct _PACKET_DEVICE;

typedef struct _PACKET_SLOT {
    struct _PACKET_DEVICE *Device;
    WDFDMATRANSACTION Transaction;
    WDFREQUEST Request;
    REQUEST_SHAPE Shape;
    PACKET_STATE State;
    ULONG Channel;
    ULONG EmptyTransfers;
    BOOLEAN Reserved;
    BOOLEAN CancelRequested;
} PACKET_SLOT, *PPACKET_SLOT;

typedef struct _PACKET_DEVICE {
    WDFDEVICE Device;
    WDFDMAENABLER Enabler;
    REQUEST_QUEUE Queue;
    PACKET_SLOT Slots[PACKET_SLOTS];
    ULONG SlotCount;
    ULONG Revision;
    ULONG Bugs;
    BOOLEAN Powered;
    BOOLEAN Starting;
} PACKET_DEVICE, *PPACKET_DEVICE;

typedef struct _PACKET_ENABLER_CONTEXT {
    PPACKET_DEVICE Device;
} PACKET_ENABLER_CONTEXT, *PPACKET_ENABLER_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(PACKET_ENABLER_CONTEXT, PacketGetEnablerContext)

static EVT_WDF_PROGRAM_DMA PacketEvtProgramDma;
static EVT_WDF_RESERVE_DMA PacketEvtReserveDma;
static VOID PacketStartNext(PPACKET_DEVICE Device);

static BOOLEAN PacketIsVersion2(const PACKET_DEVICE *Device) {
    return (Device->Revision & 1) != 0;
}

/* Gives back what the transaction holds: a reservation stays over a Release. */
static VOID PacketRelease(PPACKET_SLOT Slot) {
    if (Slot->Transaction == NULL) {
        return;
    }
    if (Slot->Reserved && (Slot->Device->Bugs & BUG_RESERVATION_KEPT) == 0) {
        WdfDmaTransactionFreeResources(Slot->Transaction);
    } else {
        (VOID) WdfDmaTransactionRelease(Slot->Transaction);
    }
    Slot->Reserved = FALSE;
}

static WDFREQUEST PacketFreeSlot(PPACKET_SLOT Slot) {
    WDFREQUEST request = Slot->Request;

    Slot->Request = NULL;
    Slot->State = PacketFree;
    Slot->CancelRequested = FALSE;
    return request;
}

static VOID PacketFinish(PPACKET_SLOT Slot, NTSTATUS Status) {
    PPACKET_DEVICE device = Slot->Device;
    size_t bytes = 0;

    if (NT_SUCCESS(Status)) {
        bytes = WdfDmaTransactionGetBytesTransferred(Slot->Transaction);
    }
    PacketRelease(Slot);
    WdfRequestCompleteWithInformation(PacketFreeSlot(Slot), Status, bytes);
    PacketStartNext(device);
}

/* The transaction is over, whatever is left of it. */
static VOID PacketEnd(PPACKET_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    NTSTATUS status;

    (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, Bytes, &status);
    PacketFinish(Slot, NT_SUCCESS(Status) ? status : Status);
}

/* The request begins anew when the device is back in D0. */
static VOID PacketPutBack(PPACKET_SLOT Slot) {
    PacketRelease(Slot);
    (VOID) QueuePrepend(&Slot->Device->Queue, PacketFreeSlot(Slot));
}

/* A reservation that was cancelled cannot be mended: the transaction goes, a new one comes. */
static VOID PacketReplaceTransaction(PPACKET_SLOT Slot) {
    WdfObjectDelete(Slot->Transaction);
    Slot->Transaction = NULL;
    (VOID) WdfDmaTransactionCreate(Slot->Device->Enabler, WDF_NO_OBJECT_ATTRIBUTES,
                                   &Slot->Transaction);
}

static VOID PacketExecute(PPACKET_SLOT Slot) {
    NTSTATUS status;

    Slot->State = PacketWaiting;
    status = WdfDmaTransactionInitializeUsingRequest(Slot->Transaction, Slot->Request,
                                                     PacketEvtProgramDma, Slot->Shape.Direction);
    if (status == STATUS_INVALID_PARAMETER && PacketIsVersion2(Slot->Device)) {
        status = STATUS_NOT_SUPPORTED; /* a chain: version 2 takes one MDL */
    }
    if (NT_SUCCESS(status)) {
        /* The transaction may be over, and the slot another's, when this returns. */
        status = WdfDmaTransactionExecute(Slot->Transaction, Slot);
    }
    if (!NT_SUCCESS(status)) {
        PacketFinish(Slot, status);
    }
}

static VOID PacketReserve(PPACKET_SLOT Slot) {
    NTSTATUS status;

    Slot->State = PacketReserving;
    Slot->Reserved = TRUE;
    if ((Slot->Device->Revision & 32) != 0) {
        WdfDmaTransactionSetImmediateExecution(Slot->Transaction, TRUE);
    }
    status =
        WdfDmaTransactionAllocateResources(Slot->Transaction, Slot->Shape.Direction,
                                           PACKET_RESERVED_REGISTERS, PacketEvtReserveDma, Slot);
    if (!NT_SUCCESS(status)) {
        /* Without a reservation it may wait its turn. */
        Slot->Reserved = FALSE;
        (VOID) WdfDmaTransactionRelease(Slot->Transaction);
        PacketExecute(Slot);
    }
}

static VOID PacketEvtReserveDma(WDFDMATRANSACTION DmaTransaction, PVOID Context) {
    UNREFERENCED_PARAMETER(DmaTransaction);
    PacketExecute((PPACKET_SLOT)Context);
}

static VOID PacketBegin(PPACKET_SLOT Slot, WDFREQUEST Request) {
    Slot->Request = Request;
    Slot->Shape = RequestGetShape(Request);
    Slot->EmptyTransfers = 0;
    if ((Slot->Device->Revision & 16) != 0 && Slot->Channel == 0 &&
        !PacketIsVersion2(Slot->Device)) {
        PacketReserve(Slot);
    } else {
        PacketExecute(Slot);
    }
}

static PPACKET_SLOT PacketFindFreeSlot(PPACKET_DEVICE Device) {
    ULONG i;

    for (i = 0; i < Device->SlotCount; i++) {
        PPACKET_SLOT slot = &Device->Slots[i];
        if (slot->State == PacketFree && slot->Transaction != NULL) {
            return slot;
        }
    }
    return NULL;
}

/* A slot that is free again inside takes part in the loop that runs already. */
static VOID PacketStartNext(PPACKET_DEVICE Device) {
    PPACKET_SLOT slot;

    if (Device->Starting) {
        return;
    }
    Device->Starting = TRUE;
    while (Device->Powered && Device->Queue.Count != 0 &&
           (slot = PacketFindFreeSlot(Device)) != NULL) {
        PacketBegin(slot, QueueTakeFirst(&Device->Queue));
    }
    Device->Starting = FALSE;
}

static BOOLEAN PacketEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    PPACKET_SLOT slot = (PPACKET_SLOT)Context;
    size_t offset = WdfDmaTransactionGetBytesTransferred(Transaction);
    NTSTATUS status;

    if (slot->CancelRequested) {
        PacketEnd(slot, 0, STATUS_CANCELLED);
        return FALSE;
    }
    if (!slot->Device->Powered) {
        (VOID) WdfDmaTransactionDmaCompletedFinal(Transaction, 0, &status);
        PacketPutBack(slot);
        return FALSE;
    }
    if ((slot->Device->Bugs & BUG_OFFSET_NOT_ADVANCED) != 0) {
        offset = 0;
    }
    slot->State = PacketProgrammed;
    status = wdfdma_hardware_start(Device, slot->Channel, slot->Shape.Position + offset, SgList,
                                   Direction);
    if (!NT_SUCCESS(status)) {
        slot->State = PacketWaiting;
        PacketEnd(slot, 0, status);
    }
    return NT_SUCCESS(status);
}

static VOID PacketTransferEnded(PPACKET_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    BOOLEAN over;

    Slot->State = PacketWaiting;
    Slot->EmptyTransfers = Bytes == 0 ? Slot->EmptyTransfers + 1 : 0;
    if (Status == STATUS_NO_MORE_ENTRIES) {
        PacketEnd(Slot, Bytes, STATUS_SUCCESS);
        return;
    }
    if (!NT_SUCCESS(Status) || Slot->EmptyTransfers > EMPTY_TRANSFERS_MAXIMUM) {
        PacketEnd(Slot, Bytes, NT_SUCCESS(Status) ? STATUS_IO_TIMEOUT : Status);
        return;
    }
    if (Bytes == WdfDmaTransactionGetCurrentDmaTransferLength(Slot->Transaction)) {
        over = WdfDmaTransactionDmaCompleted(Slot->Transaction, &Status);
    } else {
        over = WdfDmaTransactionDmaCompletedWithLength(Slot->Transaction, Bytes, &Status);
    }
    if (over) {
        PacketFinish(Slot, Status);
    }
}

static VOID PacketInterrupt(void *Context) {
    PPACKET_DEVICE device = (PPACKET_DEVICE)Context;
    ULONG i;

    for (i = 0; i < device->SlotCount; i++) {
        PPACKET_SLOT slot = &device->Slots[i];
        ULONGLONG bytes;
        NTSTATUS status;
        if (slot->State == PacketProgrammed &&
            wdfdma_hardware_get_result(device->Device, slot->Channel, &bytes, &status)) {
            PacketTransferEnded(slot, (size_t)bytes, status);
        }
    }
}

static VOID PacketStartRequest(void *Context, WDFREQUEST Request) {
    PPACKET_DEVICE device = (PPACKET_DEVICE)Context;

    if (RequestGetShape(Request).Length == 0) {
        WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, 0);
    } else if (QueueAppend(&device->Queue, Request)) {
        PacketStartNext(device);
    } else {
        WdfRequestComplete(Request, STATUS_INSUFFICIENT_RESOURCES);
    }
}

/* Takes a slot off what it waits for. FALSE: it cannot be, before its registers come. */
static BOOLEAN PacketStopWaiting(PPACKET_SLOT Slot) {
    BOOLEAN reserving = Slot->State == PacketReserving;

    if (PacketIsVersion2(Slot->Device) || !WdfDmaTransactionCancel(Slot->Transaction)) {
        return FALSE;
    }
    if ((Slot->Device->Bugs & BUG_COMPLETED_AFTER_CANCEL) != 0) {
        NTSTATUS status;
        (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, 0, &status);
    }
    if (reserving) {
        Slot->Reserved = FALSE;
        PacketReplaceTransaction(Slot);
    }
    return TRUE;
}

static VOID PacketStopSlot(PPACKET_SLOT Slot) {
    NTSTATUS status;

    if (Slot->State == PacketProgrammed) {
        wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
        (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, 0, &status);
        PacketPutBack(Slot);
    } else if (Slot->State != PacketFree && PacketStopWaiting(Slot)) {
        PacketPutBack(Slot);
    }
}

static VOID PacketCancelSlot(PPACKET_SLOT Slot) {
    if (Slot->State == PacketProgrammed) {
        if ((Slot->Device->Bugs & BUG_RELEASED_IN_TRANSFER) == 0) {
            wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
        }
        PacketEnd(Slot, 0, STATUS_CANCELLED);
    } else if (PacketStopWaiting(Slot)) {
        PacketFinish(Slot, STATUS_CANCELLED);
    } else {
        Slot->CancelRequested = TRUE;
    }
}

static VOID PacketCancelRequest(void *Context, WDFREQUEST Request) {
    PPACKET_DEVICE device = (PPACKET_DEVICE)Context;
    ULONG i;

    if (QueueRemove(&device->Queue, Request)) {
        WdfRequestComplete(Request, STATUS_CANCELLED);
        return;
    }
    for (i = 0; i < device->SlotCount; i++) {
        if (device->Slots[i].Request == Request) {
            PacketCancelSlot(&device->Slots[i]);
            return;
        }
    }
}

static NTSTATUS PacketEvtSelfManagedIoStart(WDFDMAENABLER DmaEnabler) {
    PPACKET_DEVICE device = PacketGetEnablerContext(DmaEnabler)->Device;

    device->Powered = TRUE;
    PacketStartNext(device);
    return STATUS_SUCCESS;
}

static NTSTATUS PacketEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    PPACKET_DEVICE device = PacketGetEnablerContext(DmaEnabler)->Device;
    ULONG i;

    device->Powered = FALSE;
    for (i = 0; i < device->SlotCount; i++) {
        PacketStopSlot(&device->Slots[i]);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS PacketCreateEnabler(PPACKET_DEVICE Device) {
    static const size_t MaximumLengths[] = {16384, 4096, 65536, 8192 + 512};
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    WDF_DMA_ENABLER_CONFIG_INIT(
        &config, (Device->Revision & 8) != 0 ? WdfDmaProfilePacket64 : WdfDmaProfilePacket,
        MaximumLengths[Device->Revision >> 1 & 3]);
    config.WdmDmaVersionOverride = PacketIsVersion2(Device) ? 2 : 3;
    config.EvtDmaEnablerSelfManagedIoStart = PacketEvtSelfManagedIoStart;
    config.EvtDmaEnablerSelfManagedIoStop = PacketEvtSelfManagedIoStop;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, PACKET_ENABLER_CONTEXT);
    status = WdfDmaEnablerCreate(Device->Device, &config, &attributes, &Device->Enabler);
    if (NT_SUCCESS(status)) {
        PacketGetEnablerContext(Device->Enabler)->Device = Device;
    }
    return status;
}

static NTSTATUS PacketAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    PPACKET_DEVICE device = (PPACKET_DEVICE)Context;
    NTSTATUS status;
    ULONG i;

    device->Device = Device;
    device->Bugs = Bugs;
    device->Revision = wdfdma_hardware_get_revision(Device);
    /* In version 2 one transaction is under way at a time. */
    device->SlotCount =
        PacketIsVersion2(device) && (Bugs & BUG_BUSY_IN_VERSION_2) == 0 ? 1 : PACKET_SLOTS;
    status = PacketCreateEnabler(device);
    for (i = 0; i < device->SlotCount && NT_SUCCESS(status); i++) {
        device->Slots[i].Device = device;
        device->Slots[i].Channel = i;
        status = WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES,
                                         &device->Slots[i].Transaction);
    }
    return status;
}

static VOID PacketRemoveDevice(void *Context) {
    PPACKET_DEVICE device = (PPACKET_DEVICE)Context;

    WdfObjectDelete(device->Enabler);
    device->Enabler = NULL;
}

static NTSTATUS PacketAddDevice(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, 0);
}
static NTSTATUS PacketAddReleasedInTransfer(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, BUG_RELEASED_IN_TRANSFER);
}
static NTSTATUS PacketAddReservationKept(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, BUG_RESERVATION_KEPT);
}
static NTSTATUS PacketAddCompletedAfterCancel(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, BUG_COMPLETED_AFTER_CANCEL);
}
static NTSTATUS PacketAddBusyInVersion2(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, BUG_BUSY_IN_VERSION_2);
}
static NTSTATUS PacketAddOffsetNotAdvanced(WDFDEVICE Device, void *Context) {
    return PacketAddFaulty(Device, Context, BUG_OFFSET_NOT_ADVANCED);
}

#define PACKET_DRIVER(Name, Fault, AddDevice) \
    {sizeof(wdfdma_driver), \
     Name, \
     Fault, \
     sizeof(PACKET_DEVICE), \
     AddDevice, \
     PacketStartRequest, \
     PacketCancelRequest, \
     PacketInterrupt, \
     PacketRemoveDevice}

const wdfdma_driver PacketDrivers[] = {
    PACKET_DRIVER("packet", NULL, PacketAddDevice),
    PACKET_DRIVER(
        "packet/released-in-transfer",
        "It ends and releases a cancelled transaction while the hardware still works on it.",
        PacketAddReleasedInTransfer),
    PACKET_DRIVER("packet/reservation-kept",
                  "It releases a transaction with reserved map registers, which keeps them.",
                  PacketAddReservationKept),
    PACKET_DRIVER("packet/completed-after-cancel",
                  "It completes a transfer whose Cancel returned TRUE.",
                  PacketAddCompletedAfterCancel),
    PACKET_DRIVER("packet/busy-in-version-2",
                  "It executes a second transaction of a version 2 enabler while one is under way.",
                  PacketAddBusyInVersion2),
    PACKET_DRIVER("packet/offset-not-advanced",
                  "It programs each transfer with where the first one began in the device.",
                  PacketAddOffsetNotAdvanced),
};
const ULONG PacketDriverCount = sizeof(PacketDrivers) / sizeof(PacketDrivers[0]);
