/* A queue of requests, and what one asks for. */
#include "drivers.h"

BOOLEAN QueueAppend(PREQUEST_QUEUE Queue, WDFREQUEST Request) {
    if (Queue->Count == QUEUE_REQUESTS) {
        return FALSE;
    }
    Queue->Requests[Queue->Count++] = Request;
    return TRUE;
}

BOOLEAN QueuePrepend(PREQUEST_QUEUE Queue, WDFREQUEST Request) {
    if (Queue->Count == QUEUE_REQUESTS) {
        return FALSE;
    }
    RtlMoveMemory(Queue->Requests + 1, Queue->Requests, Queue->Count * sizeof(WDFREQUEST));
    Queue->Requests[0] = Request;
    Queue->Count++;
    return TRUE;
}

WDFREQUEST QueueTakeFirst(PREQUEST_QUEUE Queue) {
    if (Queue->Count == 0) {
        return NULL;
    }
    WDFREQUEST first = Queue->Requests[0];
    (VOID) QueueRemove(Queue, first);
    return first;
}

BOOLEAN QueueRemove(PREQUEST_QUEUE Queue, WDFREQUEST Request) {
    ULONG i;

    for (i = 0; i < Queue->Count; i++) {
        if (Queue->Requests[i] == Request) {
            Queue->Count--;
            RtlMoveMemory(Queue->Requests + i, Queue->Requests + i + 1,
                          (Queue->Count - i) * sizeof(WDFREQUEST));
            return TRUE;
        }
    }
    return FALSE;
}

REQUEST_SHAPE RequestGetShape(WDFREQUEST Request) {
    REQUEST_SHAPE shape = {.Direction = WdfDmaDirectionReadFromDevice};
    WDF_REQUEST_PARAMETERS parameters;

    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(Request, &parameters);
    if (parameters.Type == WdfRequestTypeWrite) {
        shape.Direction = WdfDmaDirectionWriteToDevice;
        shape.Length = parameters.Parameters.Write.Length;
        shape.Position = (ULONGLONG)parameters.Parameters.Write.DeviceOffset;
    } else {
        shape.Length = parameters.Parameters.Read.Length;
        shape.Position = (ULONGLONG)parameters.Parameters.Read.DeviceOffset;
    }
    return shape;
}
