/* A scatter/gather driver: four channels, each with a transaction that is made for a request and deleted
 * with it.
 *
 * Revision of the hardware: bit 0: transactions do not wait for map registers at first; bit 1: 64-bit
 * addresses; bits 2 and 3: the most bytes of a transfer; bit 4: at most 8 elements in a list; bit 5: one
 * adapter for each direction. */
#include "drivers.h"

enum {
    GATHER_SLOTS = 4,
    GATHER_ELEMENTS = 8,

    BUG_NOT_RELEASED = 1,
    BUG_IMMEDIATE_RETRIED = 2,
    BUG_TOUCHED_AFTER_EXECUTE = 4,
    BUG_HIGH_BITS_DROPPED = 8,
    BUG_ERROR_IGNORED = 16
};

typedef struct _GATHER_DEVICE {
    DMA_DEVICE Dma; /* the first, so that a context is both */
    ULONG Longest;  /* bytes of a transfer, as far as it is known */
} GATHER_DEVICE, *PGATHER_DEVICE;

static EVT_WDF_PROGRAM_DMA GatherEvtProgramDma;

/* The transaction goes with its request. */
static VOID GatherRelease(PDMA_SLOT Slot) {
    WDFDMATRANSACTION transaction = Slot->Transaction;

    if (transaction != NULL) {
        Slot->Transaction = NULL;
        WdfObjectDelete(transaction);
    }
}

static VOID GatherFinish(PDMA_SLOT Slot, NTSTATUS Status) {
    if (Status == STATUS_WDF_TOO_FRAGMENTED) {
        Status = STATUS_NOT_SUPPORTED; /* more pages than the hardware has descriptors for */
    }
    if (!NT_SUCCESS(Status) && (Slot->Device->Bugs & BUG_NOT_RELEASED) != 0) {
        Slot->Transaction = NULL;
    }
    SlotFinish(Slot, Status);
}

/* From the beginning of the request. The transaction may be gone, and the slot another's, when this
 * returns. */
static VOID GatherExecute(PDMA_SLOT Slot) {
    WDFDMATRANSACTION transaction = Slot->Transaction;
    PGATHER_DEVICE device = (PGATHER_DEVICE)Slot->Device;
    NTSTATUS status;

    Slot->State = SlotWaiting;
    status = WdfDmaTransactionInitializeUsingRequest(transaction, Slot->Request,
                                                     GatherEvtProgramDma, Slot->Shape.Direction);
    if (NT_SUCCESS(status)) {
        if (Slot->Immediate) {
            WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
        }
        status = WdfDmaTransactionExecute(transaction, Slot);
        if (NT_SUCCESS(status) && (device->Dma.Bugs & BUG_TOUCHED_AFTER_EXECUTE) != 0) {
            ULONG length = (ULONG)WdfDmaTransactionGetCurrentDmaTransferLength(transaction);
            device->Longest = length > device->Longest ? length : device->Longest;
        }
    }
    if (NT_SUCCESS(status)) {
        return;
    }
    if (Slot->Immediate && status == STATUS_INSUFFICIENT_RESOURCES) {
        /* It may wait now: a Release takes the setting back. */
        Slot->Immediate = FALSE;
        if ((device->Dma.Bugs & BUG_IMMEDIATE_RETRIED) == 0) {
            (VOID) WdfDmaTransactionRelease(transaction);
        }
        GatherExecute(Slot);
        return;
    }
    GatherFinish(Slot, status);
}

static VOID GatherBegin(PDMA_SLOT Slot) {
    PDMA_DEVICE device = Slot->Device;
    NTSTATUS status;

    Slot->Immediate = (device->Revision & 1) != 0;
    status = WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &Slot->Transaction);
    if (NT_SUCCESS(status)) {
        GatherExecute(Slot);
    } else {
        GatherFinish(Slot, status);
    }
}

/* The list as this hardware's descriptors have it, which take 32 bits of an address. */
static NTSTATUS GatherStartNarrow(PDMA_SLOT Slot, ULONGLONG Position,
                                  const SCATTER_GATHER_LIST *SgList, WDF_DMA_DIRECTION Direction) {
    ULONGLONG memory[(sizeof(SCATTER_GATHER_LIST) + 64 * sizeof(SCATTER_GATHER_ELEMENT)) / 8];
    SCATTER_GATHER_LIST *list = (SCATTER_GATHER_LIST *)memory;
    ULONG i;

    list->NumberOfElements = SgList->NumberOfElements < 64 ? SgList->NumberOfElements : 64;
    for (i = 0; i < list->NumberOfElements; i++) {
        list->Elements[i] = SgList->Elements[i];
        list->Elements[i].Address.QuadPart &= 0xFFFFFFFF;
    }
    return wdfdma_hardware_start(Slot->Device->Device, Slot->Channel, Position, list, Direction);
}

static BOOLEAN GatherEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    PDMA_SLOT slot = (PDMA_SLOT)Context;
    ULONGLONG position = slot->Shape.Position + WdfDmaTransactionGetBytesTransferred(Transaction);
    NTSTATUS status;

    if (!slot->Device->Powered) {
        /* Registers that came too late: the request begins anew in D0. */
        (VOID) SlotEnd(slot, 0, STATUS_CANCELLED);
        SlotPutBack(slot);
        return FALSE;
    }
    slot->State = SlotProgrammed;
    if ((slot->Device->Bugs & BUG_HIGH_BITS_DROPPED) != 0) {
        status = GatherStartNarrow(slot, position, SgList, Direction);
    } else {
        status = wdfdma_hardware_start(Device, slot->Channel, position, SgList, Direction);
    }
    if (!NT_SUCCESS(status)) {
        slot->State = SlotWaiting;
        GatherFinish(slot, SlotEnd(slot, 0, status));
    }
    return NT_SUCCESS(status);
}

static VOID GatherOver(PDMA_SLOT Slot, NTSTATUS Status) {
    if (Slot->Immediate && Status == STATUS_INSUFFICIENT_RESOURCES) {
        /* A later transfer found no registers: the request begins anew, and may wait. */
        Slot->Immediate = FALSE;
        (VOID) WdfDmaTransactionRelease(Slot->Transaction);
        GatherExecute(Slot);
        return;
    }
    if ((Slot->Device->Bugs & BUG_ERROR_IGNORED) != 0) {
        Status = STATUS_SUCCESS;
    }
    GatherFinish(Slot, Status);
}

static VOID GatherTransferEnded(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    if (SlotIsLastTransfer(Slot, Bytes, &Status)) {
        GatherFinish(Slot, SlotEnd(Slot, Bytes, Status));
    } else if (SlotCompleteTransfer(Slot, Bytes, &Status)) {
        GatherOver(Slot, Status);
    }
}

/* Ends what the slot's transaction does, which is to be deleted then. FALSE: it is being started. */
static BOOLEAN GatherStop(PDMA_SLOT Slot) {
    if (Slot->State == SlotProgrammed) {
        wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
        (VOID) SlotEnd(Slot, 0, STATUS_CANCELLED);
        return TRUE;
    }
    return WdfDmaTransactionCancel(Slot->Transaction);
}

static VOID GatherCancel(PDMA_SLOT Slot) {
    if (GatherStop(Slot)) {
        GatherFinish(Slot, STATUS_CANCELLED);
    }
}

/* What waits for registers goes first: what is stopped frees some, and would let it through. */
static NTSTATUS GatherEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    DeviceStop(DeviceOfEnabler(DmaEnabler), GatherStop);
    return STATUS_SUCCESS;
}

static const DMA_ROUTINES GatherRoutines = {GatherBegin, GatherTransferEnded, GatherCancel,
                                            GatherRelease};

static NTSTATUS GatherAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    static const size_t MaximumLengths[] = {65536, 8192, 16384, 12288 + 512};
    static const WDF_DMA_PROFILE Profiles[] = {
        WdfDmaProfileScatterGather, WdfDmaProfileScatterGather64, WdfDmaProfileScatterGatherDuplex,
        WdfDmaProfileScatterGather64Duplex};
    PDMA_DEVICE device = (PDMA_DEVICE)Context;
    ULONG revision = wdfdma_hardware_get_revision(Device);
    WDF_DMA_ENABLER_CONFIG config;
    NTSTATUS status;

    DeviceInitialize(device, Device, &GatherRoutines, Bugs);
    device->SlotCount = GATHER_SLOTS;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, Profiles[(revision >> 1 & 1) | (revision >> 4 & 2)],
                                MaximumLengths[revision >> 2 & 3]);
    config.WdmDmaVersionOverride = 3;
    status = DeviceCreateEnabler(device, &config, GatherEvtSelfManagedIoStop);
    if (NT_SUCCESS(status) && (revision & 16) != 0) {
        WdfDmaEnablerSetMaximumScatterGatherElements(device->Enabler, GATHER_ELEMENTS);
    }
    return status;
}

DRIVER_ADD_DEVICE(GatherAddDevice, GatherAddFaulty, 0)
DRIVER_ADD_DEVICE(GatherAddNotReleased, GatherAddFaulty, BUG_NOT_RELEASED)
DRIVER_ADD_DEVICE(GatherAddImmediateRetried, GatherAddFaulty, BUG_IMMEDIATE_RETRIED)
DRIVER_ADD_DEVICE(GatherAddTouchedAfterExecute, GatherAddFaulty, BUG_TOUCHED_AFTER_EXECUTE)
DRIVER_ADD_DEVICE(GatherAddHighBitsDropped, GatherAddFaulty, BUG_HIGH_BITS_DROPPED)
DRIVER_ADD_DEVICE(GatherAddErrorIgnored, GatherAddFaulty, BUG_ERROR_IGNORED)

#define GATHER_DRIVER(Name, Fault, AddDevice) \
    DRIVER_ENTRY(Name, Fault, GATHER_DEVICE, AddDevice, DeviceInterrupt)

const wdfdma_driver ScatterGatherDrivers[] = {
    GATHER_DRIVER("scatter-gather", NULL, GatherAddDevice),
    GATHER_DRIVER("scatter-gather/not-released",
                  "It forgets the transaction of a request that fails.", GatherAddNotReleased),
    GATHER_DRIVER("scatter-gather/immediate-retried",
                  "It initializes a transaction anew whose Execute failed, without a Release.",
                  GatherAddImmediateRetried),
    GATHER_DRIVER("scatter-gather/touched-after-execute",
                  "It asks a transaction after Execute, when it may be over and deleted.",
                  GatherAddTouchedAfterExecute),
    GATHER_DRIVER("scatter-gather/high-bits-dropped",
                  "It gives its hardware the low 32 bits of 64-bit addresses.",
                  GatherAddHighBitsDropped),
    GATHER_DRIVER("scatter-gather/error-ignored",
                  "It takes every DmaCompleted that returns TRUE for a success.",
                  GatherAddErrorIgnored),
};
const ULONG ScatterGatherDriverCount =
    sizeof(ScatterGatherDrivers) / sizeof(ScatterGatherDrivers[0]);
