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

typedef enum _GATHER_STATE {
    GatherFree = 0,
    GatherWaiting,   /* EvtProgramDma is to come */
    GatherProgrammed /* the hardware is at work */
} GATHER_STATE;

struct _GATHER_DEVICE;

typedef struct _GATHER_SLOT {
    struct _GATHER_DEVICE *Device;
    WDFDMATRANSACTION Transaction; /* while there is a request */
    WDFREQUEST Request;
    REQUEST_SHAPE Shape;
    GATHER_STATE State;
    ULONG Channel;
    ULONG EmptyTransfers;
    BOOLEAN Immediate;
} GATHER_SLOT, *PGATHER_SLOT;

typedef struct _GATHER_DEVICE {
    WDFDEVICE Device;
    WDFDMAENABLER Enabler;
    REQUEST_QUEUE Queue;
    GATHER_SLOT Slots[GATHER_SLOTS];
    ULONG Revision;
    ULONG Bugs;
    ULONG Longest; /* bytes of a transfer, as far as it is known */
    BOOLEAN Powered;
    BOOLEAN Starting;
} GATHER_DEVICE, *PGATHER_DEVICE;

typedef struct _GATHER_ENABLER_CONTEXT {
    PGATHER_DEVICE Device;
} GATHER_ENABLER_CONTEXT, *PGATHER_ENABLER_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(GATHER_ENABLER_CONTEXT, GatherGetEnablerContext)

static EVT_WDF_PROGRAM_DMA GatherEvtProgramDma;
static VOID GatherStartNext(PGATHER_DEVICE Device);

/* The transaction goes, the slot is free. Returns its request. */
static WDFREQUEST GatherFreeSlot(PGATHER_SLOT Slot) {
    WDFREQUEST request = Slot->Request;

    if (Slot->Transaction != NULL) {
        WDFDMATRANSACTION transaction = Slot->Transaction;
        Slot->Transaction = NULL;
        WdfObjectDelete(transaction);
    }
    Slot->Request = NULL;
    Slot->State = GatherFree;
    return request;
}

static VOID GatherFinish(PGATHER_SLOT Slot, NTSTATUS Status) {
    PGATHER_DEVICE device = Slot->Device;
    size_t bytes = 0;

    if (NT_SUCCESS(Status)) {
        bytes = WdfDmaTransactionGetBytesTransferred(Slot->Transaction);
    } else if (Status == STATUS_WDF_TOO_FRAGMENTED) {
        Status = STATUS_NOT_SUPPORTED; /* more pages than the hardware has descriptors for */
    }
    if (!NT_SUCCESS(Status) && (device->Bugs & BUG_NOT_RELEASED) != 0) {
        Slot->Transaction = NULL;
    }
    WdfRequestCompleteWithInformation(GatherFreeSlot(Slot), Status, bytes);
    GatherStartNext(device);
}

/* The transaction is over, whatever is left of it. */
static VOID GatherEnd(PGATHER_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    NTSTATUS status;

    (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, Bytes, &status);
    GatherFinish(Slot, NT_SUCCESS(Status) ? status : Status);
}

/* From the beginning of the request. The transaction may be gone, and the slot another's, when this
 * returns. */
static VOID GatherExecute(PGATHER_SLOT Slot) {
    WDFDMATRANSACTION transaction = Slot->Transaction;
    PGATHER_DEVICE device = Slot->Device;
    NTSTATUS status;

    Slot->State = GatherWaiting;
    status = WdfDmaTransactionInitializeUsingRequest(transaction, Slot->Request,
                                                     GatherEvtProgramDma, Slot->Shape.Direction);
    if (NT_SUCCESS(status)) {
        if (Slot->Immediate) {
            WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
        }
        status = WdfDmaTransactionExecute(transaction, Slot);
        if (NT_SUCCESS(status) && (device->Bugs & BUG_TOUCHED_AFTER_EXECUTE) != 0) {
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
        if ((device->Bugs & BUG_IMMEDIATE_RETRIED) == 0) {
            (VOID) WdfDmaTransactionRelease(transaction);
        }
        GatherExecute(Slot);
        return;
    }
    GatherFinish(Slot, status);
}

static VOID GatherBegin(PGATHER_SLOT Slot, WDFREQUEST Request) {
    PGATHER_DEVICE device = Slot->Device;
    NTSTATUS status;

    Slot->Request = Request;
    Slot->Shape = RequestGetShape(Request);
    Slot->EmptyTransfers = 0;
    Slot->Immediate = (device->Revision & 1) != 0;
    status = WdfDmaTransactionCreate(device->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &Slot->Transaction);
    if (NT_SUCCESS(status)) {
        GatherExecute(Slot);
    } else {
        GatherFinish(Slot, status);
    }
}

/* A slot that is free again inside takes part in the loop that runs already. */
static VOID GatherStartNext(PGATHER_DEVICE Device) {
    ULONG i;

    if (Device->Starting) {
        return;
    }
    Device->Starting = TRUE;
    for (i = 0; i < GATHER_SLOTS && Device->Powered && Device->Queue.Count != 0; i++) {
        while (Device->Slots[i].State == GatherFree && Device->Queue.Count != 0) {
            GatherBegin(&Device->Slots[i], QueueTakeFirst(&Device->Queue));
        }
    }
    Device->Starting = FALSE;
}

/* The list as this hardware's descriptors have it, which take 32 bits of an address. */
static NTSTATUS GatherStartNarrow(PGATHER_SLOT Slot, ULONGLONG Position,
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
    PGATHER_SLOT slot = (PGATHER_SLOT)Context;
    ULONGLONG position = slot->Shape.Position + WdfDmaTransactionGetBytesTransferred(Transaction);
    NTSTATUS status;

    if (!slot->Device->Powered) {
        /* Registers that came too late: the request begins anew in D0. */
        (VOID) WdfDmaTransactionDmaCompletedFinal(Transaction, 0, &status);
        (VOID) QueuePrepend(&slot->Device->Queue, GatherFreeSlot(slot));
        return FALSE;
    }
    slot->State = GatherProgrammed;
    if ((slot->Device->Bugs & BUG_HIGH_BITS_DROPPED) != 0) {
        status = GatherStartNarrow(slot, position, SgList, Direction);
    } else {
        status = wdfdma_hardware_start(Device, slot->Channel, position, SgList, Direction);
    }
    if (!NT_SUCCESS(status)) {
        slot->State = GatherWaiting;
        GatherEnd(slot, 0, status);
    }
    return NT_SUCCESS(status);
}

static VOID GatherOver(PGATHER_SLOT Slot, NTSTATUS Status) {
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

static VOID GatherTransferEnded(PGATHER_SLOT Slot, size_t Bytes, NTSTATUS Status) {
    BOOLEAN over;

    Slot->State = GatherWaiting;
    Slot->EmptyTransfers = Bytes == 0 ? Slot->EmptyTransfers + 1 : 0;
    if (Status == STATUS_NO_MORE_ENTRIES) {
        GatherEnd(Slot, Bytes, STATUS_SUCCESS);
        return;
    }
    if (!NT_SUCCESS(Status) || Slot->EmptyTransfers > EMPTY_TRANSFERS_MAXIMUM) {
        GatherEnd(Slot, Bytes, NT_SUCCESS(Status) ? STATUS_IO_TIMEOUT : Status);
        return;
    }
    if (Bytes == WdfDmaTransactionGetCurrentDmaTransferLength(Slot->Transaction)) {
        over = WdfDmaTransactionDmaCompleted(Slot->Transaction, &Status);
    } else {
        over = WdfDmaTransactionDmaCompletedWithLength(Slot->Transaction, Bytes, &Status);
    }
    if (over) {
        GatherOver(Slot, Status);
    }
}

static VOID GatherInterrupt(void *Context) {
    PGATHER_DEVICE device = (PGATHER_DEVICE)Context;
    ULONG i;

    for (i = 0; i < GATHER_SLOTS; i++) {
        PGATHER_SLOT slot = &device->Slots[i];
        ULONGLONG bytes;
        NTSTATUS status;
        if (slot->State == GatherProgrammed &&
            wdfdma_hardware_get_result(device->Device, slot->Channel, &bytes, &status)) {
            GatherTransferEnded(slot, (size_t)bytes, status);
        }
    }
}

static VOID GatherStartRequest(void *Context, WDFREQUEST Request) {
    PGATHER_DEVICE device = (PGATHER_DEVICE)Context;

    if (RequestGetShape(Request).Length == 0) {
        WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, 0);
    } else if (QueueAppend(&device->Queue, Request)) {
        GatherStartNext(device);
    } else {
        WdfRequestComplete(Request, STATUS_INSUFFICIENT_RESOURCES);
    }
}

/* Ends what the slot's transaction does, which is to be deleted then. FALSE: it is being started. */
static BOOLEAN GatherStop(PGATHER_SLOT Slot) {
    NTSTATUS status;

    if (Slot->State == GatherProgrammed) {
        wdfdma_hardware_stop(Slot->Device->Device, Slot->Channel);
        (VOID) WdfDmaTransactionDmaCompletedFinal(Slot->Transaction, 0, &status);
        return TRUE;
    }
    return WdfDmaTransactionCancel(Slot->Transaction);
}

static VOID GatherCancelRequest(void *Context, WDFREQUEST Request) {
    PGATHER_DEVICE device = (PGATHER_DEVICE)Context;
    ULONG i;

    if (QueueRemove(&device->Queue, Request)) {
        WdfRequestComplete(Request, STATUS_CANCELLED);
        return;
    }
    for (i = 0; i < GATHER_SLOTS; i++) {
        if (device->Slots[i].Request == Request && GatherStop(&device->Slots[i])) {
            GatherFinish(&device->Slots[i], STATUS_CANCELLED);
            return;
        }
    }
}

static NTSTATUS GatherEvtSelfManagedIoStart(WDFDMAENABLER DmaEnabler) {
    PGATHER_DEVICE device = GatherGetEnablerContext(DmaEnabler)->Device;

    device->Powered = TRUE;
    GatherStartNext(device);
    return STATUS_SUCCESS;
}

/* What waits for registers goes first: what is stopped frees some, and would let it through. */
static NTSTATUS GatherEvtSelfManagedIoStop(WDFDMAENABLER DmaEnabler) {
    PGATHER_DEVICE device = GatherGetEnablerContext(DmaEnabler)->Device;
    GATHER_STATE state;
    ULONG i;

    device->Powered = FALSE;
    for (state = GatherWaiting; state <= GatherProgrammed; state++) {
        for (i = 0; i < GATHER_SLOTS; i++) {
            PGATHER_SLOT slot = &device->Slots[i];
            if (slot->State == state && GatherStop(slot)) {
                (VOID) QueuePrepend(&device->Queue, GatherFreeSlot(slot));
            }
        }
    }
    return STATUS_SUCCESS;
}

static NTSTATUS GatherAddFaulty(WDFDEVICE Device, void *Context, ULONG Bugs) {
    static const size_t MaximumLengths[] = {65536, 8192, 16384, 12288 + 512};
    static const WDF_DMA_PROFILE Profiles[] = {
        WdfDmaProfileScatterGather, WdfDmaProfileScatterGather64, WdfDmaProfileScatterGatherDuplex,
        WdfDmaProfileScatterGather64Duplex};
    PGATHER_DEVICE device = (PGATHER_DEVICE)Context;
    ULONG revision = wdfdma_hardware_get_revision(Device);
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;
    ULONG i;

    device->Device = Device;
    device->Bugs = Bugs;
    device->Revision = revision;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, Profiles[(revision >> 1 & 1) | (revision >> 4 & 2)],
                                MaximumLengths[revision >> 2 & 3]);
    config.WdmDmaVersionOverride = 3;
    config.EvtDmaEnablerSelfManagedIoStart = GatherEvtSelfManagedIoStart;
    config.EvtDmaEnablerSelfManagedIoStop = GatherEvtSelfManagedIoStop;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, GATHER_ENABLER_CONTEXT);
    status = WdfDmaEnablerCreate(Device, &config, &attributes, &device->Enabler);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    GatherGetEnablerContext(device->Enabler)->Device = device;
    if ((revision & 16) != 0) {
        WdfDmaEnablerSetMaximumScatterGatherElements(device->Enabler, GATHER_ELEMENTS);
    }
    for (i = 0; i < GATHER_SLOTS; i++) {
        device->Slots[i].Device = device;
        device->Slots[i].Channel = i;
    }
    return STATUS_SUCCESS;
}

static VOID GatherRemoveDevice(void *Context) {
    PGATHER_DEVICE device = (PGATHER_DEVICE)Context;

    WdfObjectDelete(device->Enabler);
    device->Enabler = NULL;
}

static NTSTATUS GatherAddDevice(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, 0);
}
static NTSTATUS GatherAddNotReleased(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, BUG_NOT_RELEASED);
}
static NTSTATUS GatherAddImmediateRetried(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, BUG_IMMEDIATE_RETRIED);
}
static NTSTATUS GatherAddTouchedAfterExecute(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, BUG_TOUCHED_AFTER_EXECUTE);
}
static NTSTATUS GatherAddHighBitsDropped(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, BUG_HIGH_BITS_DROPPED);
}
static NTSTATUS GatherAddErrorIgnored(WDFDEVICE Device, void *Context) {
    return GatherAddFaulty(Device, Context, BUG_ERROR_IGNORED);
}

#define GATHER_DRIVER(Name, Fault, AddDevice) \
    {sizeof(wdfdma_driver), \
     Name, \
     Fault, \
     sizeof(GATHER_DEVICE), \
     AddDevice, \
     GatherStartRequest, \
     GatherCancelRequest, \
     GatherInterrupt, \
     GatherRemoveDevice}

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
