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

static EVT_WDF_PROGRAM_DMA PacketEvtProgramDma;
static EVT_WDF_RESERVE_DMA PacketEvtReserveDma;

static BOOLEAN PacketIsVersion2(const DMA_DEVICE *Device) {
    return (Device->Revision & 1) != 0;
}

/* Gives back what the transaction holds: a reservation stays over a Release. */
static VOID PacketRelease(PDMA_SLOT Slot) {
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

/* A reservation that was cancelled cannot be mended: the transaction goes, a new one comes. */
static VOID PacketReplaceTransaction(PDMA_SLOT Slot) {
    WdfObjectDelete(Slot->Transaction);
    Slot->Transaction = NULL;
    Slot->Broken = !NT_SUCCESS(WdfDmaTransactionCreate(
        Slot->Device->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &Slot->Transaction));
}

static VOID PacketExecute(PDMA_SLOT Slot) {
    NTSTATUS status;

    Slot->State = SlotWaiting;
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
        SlotFinish(Slot, status);
    }
}

static VOID PacketReserve(PDMA_SLOT Slot) {
    NTSTATUS status;

    Slot->State = SlotReserving;
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
    PacketExecute((PDMA_SLOT)Context);
}

static VOID PacketBegin(PDMA_SLOT Slot) {
    if ((Slot->Device->Revision & 16) != 0 && Slot->Channel == 0 &&
        !PacketIsVersion2(Slot->Device)) {
        PacketReserve(Slot);
    } else {
        PacketExecute(Slot);
    }
}

static BOOLEAN PacketEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    PDMA_SLOT slot = (PDMA_SLOT)Context;
    size_t offset = WdfDmaTransactionGetBytesTransferred(Transaction);
    NTSTATUS status;

    if (slot->CancelRequested) {
        SlotFinish(slot, SlotEnd(slot, 0, STATUS_CANCELLED));
        return FALSE;
    }
    if (!slot->Device->Powered) {
        (VOID) SlotEnd(slot, 0, STATUS_CANCELLED);
        SlotPutBack(slot);
        return FALSE;
    }
    if ((slot->Device->Bugs & BUG_OFFSET_NOT_ADVANCED) != 0) {
        offset = 0;
    }
    slot->State = SlotProgrammed;
    status = wdfdma_hardware_start(Device, slot->Channel, slot->Shape.Position + offset, SgList,
                                   Direction);
    if (!NT_SUCCESS(status)) {
        slot->State = SlotWaiting;
        SlotFinish(slot, SlotEnd(slot, 0, status));
    }
    return NT_SUCCESS(status);
}

static VOID PacketTransferEnded(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    if (SlotIsLastTransfer(Slot, Bytes, &Status)) {
        SlotFinish(Slot, SlotEnd(Slot, Bytes, Status));
    } else if (SlotCompleteTransfer(Slot, Bytes, &Status)) {
        SlotFinish(Slot, Status);
    }
}

/* Takes a slot off what it waits for. FALSE: it cannot be, before its registers come. */
static BOOLEAN PacketStopWaiting(PDMA_SLOT Slot) {
    BOOLEAN reserving = Slot->State == SlotReserving;

    if (PacketIsVersion2(Slot->Device) || !WdfDmaTransactionCancel(Slot->Transaction)) {
        return FALSE;
    }
    if ((Slot->Device->Bugs & BUG_COMPLETED_AFTER_CANCEL) != 0) {
        (VOID) SlotEnd(Slot, 0, STATUS_CANCELLED);
    }
    if (reserving) {
        Slot->Reserved = FALSE;
        PacketReplaceTransaction(Slot);
    }
    return TRUE;
}

/* TRUE: its transaction is over. FALSE: it ends when its registers come. */
static BOOLEAN PacketStop(PDMA_SLOT Slot) {
    if (Slot->State != SlotProgrammed) {
        return PacketStopWaiting(Slot);
    }
    wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
    (VOID) SlotEnd(Slot, 0, STATUS_CANCELLED);
    return TRUE;
}

static VOID PacketCancel(PDMA_SLOT Slot) {
    if (Slot->State == SlotProgrammed && (Slot->Device->Bugs & BUG_RELEASED_IN_TRANSFER) != 0) {
        SlotFinish(Slot, SlotEnd(Slot, 0, STATUS_CANCELLED));
    } else if (PacketStop(Slot)) {
        SlotFinish(Slot, STATUS_CANCELLED);
    } else {
        Slot->CancelRequested = TRUE;
    }
}

static NTSTATUS PacketEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    PDMA_DEVICE device = DeviceOfEnabler(DmaEnabler);
    ULONG i;

    device->Powered = FALSE;
    for (i = 0; i < device->SlotCount; i++) {
        if (device->Slots[i].State != SlotFree && PacketStop(&device->Slots[i])) {
            SlotPutBack(&device->Slots[i]);
        }
    }
    return STATUS_SUCCESS;
}

static const DMA_ROUTINES PacketRoutines = {PacketBegin, PacketTransferEnded, PacketCancel,
                                            PacketRelease};

static NTSTATUS PacketCreateEnabler(PDMA_DEVICE Device) {
    static const size_t MaximumLengths[] = {16384, 4096, 65536, 8192 + 512};
    WDF_DMA_ENABLER_CONFIG config;

    WDF_DMA_ENABLER_CONFIG_INIT(
        &config, (Device->Revision & 8) != 0 ? WdfDmaProfilePacket64 : WdfDmaProfilePacket,
        MaximumLengths[Device->Revision >> 1 & 3]);
    config.WdmDmaVersionOverride = PacketIsVersion2(Device) ? 2 : 3;
    return DeviceCreateEnabler(Device, &config, PacketEvtSelfManagedIoStop);
}

static NTSTATUS PacketAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    PDMA_DEVICE device = (PDMA_DEVICE)Context;
    NTSTATUS status;
    ULONG i;

    DeviceInitialize(device, Device, &PacketRoutines, Bugs);
    /* In version 2 one transaction is under way at a time. */
    device->SlotCount =
        PacketIsVersion2(device) && (Bugs & BUG_BUSY_IN_VERSION_2) == 0 ? 1 : PACKET_SLOTS;
    status = PacketCreateEnabler(device);
    for (i = 0; i < device->SlotCount && NT_SUCCESS(status); i++) {
        status = WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES,
                                         &device->Slots[i].Transaction);
    }
    return status;
}

DRIVER_ADD_DEVICE(PacketAddDevice, PacketAddFaulty, 0)
DRIVER_ADD_DEVICE(PacketAddReleasedInTransfer, PacketAddFaulty, BUG_RELEASED_IN_TRANSFER)
DRIVER_ADD_DEVICE(PacketAddReservationKept, PacketAddFaulty, BUG_RESERVATION_KEPT)
DRIVER_ADD_DEVICE(PacketAddCompletedAfterCancel, PacketAddFaulty, BUG_COMPLETED_AFTER_CANCEL)
DRIVER_ADD_DEVICE(PacketAddBusyInVersion2, PacketAddFaulty, BUG_BUSY_IN_VERSION_2)
DRIVER_ADD_DEVICE(PacketAddOffsetNotAdvanced, PacketAddFaulty, BUG_OFFSET_NOT_ADVANCED)

#define PACKET_DRIVER(Name, Fault, AddDevice) \
    DRIVER_ENTRY(Name, Fault, DMA_DEVICE, AddDevice, DeviceInterrupt)

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
