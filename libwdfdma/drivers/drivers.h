/* What the drivers share: a queue of requests, a device with slots that take them from it, and how a table
 * names a driver. They are drivers as any other: they know wdf.h and their hardware, and nothing else of the
 * simulation. */
#ifndef WDFDMA_DRIVERS_H
#define WDFDMA_DRIVERS_H

#include <wdf.h>
#include <wdfdma/driver.h>

enum {
    QUEUE_REQUESTS = 64,
    SLOTS_MAXIMUM = 4,
    EMPTY_TRANSFERS_MAXIMUM =
        2 /* ends without a byte, one after another, that a driver puts up with */
};

typedef struct _REQUEST_QUEUE {
    WDFREQUEST Requests[QUEUE_REQUESTS];
    ULONG Count;
} REQUEST_QUEUE, *PREQUEST_QUEUE;

/* FALSE where it is full. */
BOOLEAN QueueAppend(PREQUEST_QUEUE Queue, WDFREQUEST Request);
BOOLEAN QueuePrepend(PREQUEST_QUEUE Queue, WDFREQUEST Request);
/* NULL where it is empty. */
WDFREQUEST QueueTakeFirst(PREQUEST_QUEUE Queue);
/* FALSE where it is not in the queue. */
BOOLEAN QueueRemove(PREQUEST_QUEUE Queue, WDFREQUEST Request);

/* What a driver wants to know of a request. */
typedef struct _REQUEST_SHAPE {
    WDF_DMA_DIRECTION Direction;
    size_t Length;      /* bytes */
    ULONGLONG Position; /* in the device's memory */
} REQUEST_SHAPE;
REQUEST_SHAPE RequestGetShape(WDFREQUEST Request);

typedef enum _SLOT_STATE {
    SlotFree = 0,
    SlotReserving, /* EvtReserveDma is to come */
    SlotWaiting,   /* EvtProgramDma is to come */
    SlotProgrammed /* the hardware is at work */
} SLOT_STATE;

struct _DMA_DEVICE;

/* A transaction, and the request that it works on. */
typedef struct _DMA_SLOT {
    struct _DMA_DEVICE *Device;
    WDFDMATRANSACTION Transaction;
    WDFREQUEST Request;
    REQUEST_SHAPE Shape;
    SLOT_STATE State;
    ULONG Channel; /* of the hardware */
    ULONG EmptyTransfers;
    BOOLEAN Broken;          /* it has no transaction any more: no request is for it */
    BOOLEAN Reserved;        /* its map registers are reserved */
    BOOLEAN Immediate;       /* it does not wait for map registers */
    BOOLEAN CancelRequested; /* it ends when its registers come */
} DMA_SLOT, *PDMA_SLOT;

/* What each driver does in its own way. */
typedef struct _DMA_ROUTINES {
    VOID (*Begin)(PDMA_SLOT Slot); /* its request and shape are there */
    /* The hardware is at rest. [Status] as wdfdma_hardware_get_result has it. */
    VOID (*TransferEnded)(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status);
    VOID (*Cancel)(PDMA_SLOT Slot);  /* asks for the early end of its request */
    VOID (*Release)(PDMA_SLOT Slot); /* gives back what its transaction holds */
} DMA_ROUTINES;

typedef struct _DMA_DEVICE {
    WDFDEVICE Device;
    WDFDMAENABLER Enabler;
    const DMA_ROUTINES *Routines;
    REQUEST_QUEUE Queue;
    DMA_SLOT Slots[SLOTS_MAXIMUM];
    ULONG SlotCount;
    ULONG Revision; /* of the hardware */
    ULONG Bugs;
    BOOLEAN Powered;
    BOOLEAN Starting;
} DMA_DEVICE, *PDMA_DEVICE;

/* How many slots there are is left to the driver. */
VOID DeviceInitialize(PDMA_DEVICE Device, WDFDEVICE Handle, const DMA_ROUTINES *Routines,
                      ULONG Bugs);
/* Makes the enabler, which starts the queue in D0 and calls [Stop] when D0 is left. */
NTSTATUS DeviceCreateEnabler(PDMA_DEVICE Device, WDF_DMA_ENABLER_CONFIG *Config,
                             EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP *Stop);
PDMA_DEVICE DeviceOfEnabler(WDFDMAENABLER Enabler);
/* Leaves D0: [Stop] ends what a slot's transaction does, of those that wait first. TRUE: it has ended, and its
 * request begins anew in D0. */
VOID DeviceStop(PDMA_DEVICE Device, BOOLEAN (*Stop)(PDMA_SLOT Slot));

/* A wdfdma_driver's routines. */
VOID DeviceStartRequest(void *Context, WDFREQUEST Request);
VOID DeviceCancelRequest(void *Context, WDFREQUEST Request);
VOID DeviceInterrupt(void *Context);
VOID DeviceRemove(void *Context);

/* Completes the transaction for good, after [Bytes] more; returns how it has ended. */
NTSTATUS SlotEnd(PDMA_SLOT Slot, size_t Bytes, NTSTATUS Status);
/* Completes the request, of a transaction that is over; the slot is free for the next one. */
VOID SlotFinish(PDMA_SLOT Slot, NTSTATUS Status);
/* The request begins anew when the device is back in D0. */
VOID SlotPutBack(PDMA_SLOT Slot);
/* TRUE where this transfer is the last, whatever is left: *Status is how the request ends. */
BOOLEAN SlotIsLastTransfer(PDMA_SLOT Slot, size_t Bytes, NTSTATUS *Status);
/* Completes a transfer of [Bytes]; the next one may begin inside. TRUE: the transaction is over, with *Status. */
BOOLEAN SlotCompleteTransfer(PDMA_SLOT Slot, size_t Bytes, NTSTATUS *Status);

/* Each driver with its faulty variants, the correct one first. */
extern const wdfdma_driver PacketDrivers[];
extern const ULONG PacketDriverCount;
extern const wdfdma_driver ScatterGatherDrivers[];
extern const ULONG ScatterGatherDriverCount;
extern const wdfdma_driver SystemDrivers[];
extern const ULONG SystemDriverCount;

/* AddDevice of a driver, or of a variant of it: [Add] with these bugs. */
#define DRIVER_ADD_DEVICE(AddDevice, Add, Bugs) \
    static NTSTATUS AddDevice(WDFDEVICE Device, void *Context) { \
        return Add(Device, Context, Bugs); \
    }

#define DRIVER_ENTRY(Name, Fault, ContextType, AddDevice, Interrupt) \
    {sizeof(wdfdma_driver), Name,      Fault, \
     sizeof(ContextType),   AddDevice, DeviceStartRequest, \
     DeviceCancelRequest,   Interrupt, DeviceRemove}

#endif
