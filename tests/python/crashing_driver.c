/* The shipped packet driver with a cancel that ends or stops the process, where the request is long. */
#include <stdlib.h>

#include "drivers.h"

static BOOLEAN IsLong(WDFREQUEST Request) {
    return RequestGetShape(Request).Length > 5000;
}

static NTSTATUS AddDevice(WDFDEVICE Device, void *Context) {
    return PacketDrivers[0].add_device(Device, Context);
}

static VOID StartRequest(void *Context, WDFREQUEST Request) {
    PacketDrivers[0].start_request(Context, Request);
}

static VOID Interrupt(void *Context) {
    PacketDrivers[0].interrupt(Context);
}

static VOID RemoveDevice(void *Context) {
    PacketDrivers[0].remove_device(Context);
}

static VOID CancelNull(void *Context, WDFREQUEST Request) {
    if (IsLong(Request)) {
        volatile int *Nothing = NULL;
        *Nothing = 1;
    }
    PacketDrivers[0].cancel_request(Context, Request);
}

static VOID CancelForEver(void *Context, WDFREQUEST Request) {
    volatile int Rounds = 0;

    while (IsLong(Request)) {
        Rounds = !Rounds;
    }
    PacketDrivers[0].cancel_request(Context, Request);
}

static VOID CancelAbort(void *Context, WDFREQUEST Request) {
    if (IsLong(Request)) {
        abort();
    }
    PacketDrivers[0].cancel_request(Context, Request);
}

static VOID CancelExit(void *Context, WDFREQUEST Request) {
    if (IsLong(Request)) {
        exit(3);
    }
    PacketDrivers[0].cancel_request(Context, Request);
}

/* Room for the packet driver's own context, which it alone knows. */
#define CRASHING_DRIVER(Name, Cancel) \
    {sizeof(wdfdma_driver), Name,   NULL,      8192,        AddDevice, \
     StartRequest,          Cancel, Interrupt, RemoveDevice}

static const wdfdma_driver Drivers[] = {
    CRASHING_DRIVER("null", CancelNull),
    CRASHING_DRIVER("for-ever", CancelForEver),
    CRASHING_DRIVER("abort", CancelAbort),
    CRASHING_DRIVER("exit", CancelExit),
};

WDFDMA_DRIVER_EXPORT const wdfdma_driver *wdfdma_driver_get(uint32_t index);

const wdfdma_driver *wdfdma_driver_get(uint32_t index) {
    return index < sizeof(Drivers) / sizeof(Drivers[0]) ? &Drivers[index] : NULL;
}
