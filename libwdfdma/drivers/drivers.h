/* What the drivers share: a queue of requests, and how a table names one. They are drivers as any other:
 * they know wdf.h and their hardware, and nothing else of the simulation. */
#ifndef WDFDMA_DRIVERS_H
#define WDFDMA_DRIVERS_H

#include <wdf.h>
#include <wdfdma/driver.h>

enum {
    QUEUE_REQUESTS = 64,
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

/* Each driver with its faulty variants, the correct one first. */
extern const wdfdma_driver PacketDrivers[];
extern const ULONG PacketDriverCount;
extern const wdfdma_driver ScatterGatherDrivers[];
extern const ULONG ScatterGatherDriverCount;
extern const wdfdma_driver SystemDrivers[];
extern const ULONG SystemDriverCount;

#endif
