/* A small driver, as its own sources would be: it includes the WDK's headers and nothing else. Its
 * device reads descriptors from a common buffer and moves the data that they name. */
#ifndef DRIVER_SAMPLE_H
#define DRIVER_SAMPLE_H

#include <ntddk.h>
#include <wdf.h>

#define SAMPLE_MAXIMUM_LENGTH 0x8000
#define SAMPLE_DESCRIPTORS 16
#define SAMPLE_RESERVED_REGISTERS 3

/* What the device reads from the common buffer. */
typedef struct _SAMPLE_DESCRIPTOR {
    ULONGLONG Address;
    ULONG Length;
    ULONG ToDevice;
} SAMPLE_DESCRIPTOR, *PSAMPLE_DESCRIPTOR;

/* The device's registers. */
typedef struct _SAMPLE_REGISTERS {
    volatile ULONG Doorbell;   /* descriptors to be worked on */
    volatile ULONG BytesMoved; /* of the last doorbell */
    volatile ULONG Error;
} SAMPLE_REGISTERS, *PSAMPLE_REGISTERS;

typedef struct _SAMPLE_DEVICE_CONTEXT {
    PSAMPLE_REGISTERS Registers;
    WDFDMAENABLER Enabler;
    WDFDMATRANSACTION Transaction;
    WDFCOMMONBUFFER Descriptors;
    PSAMPLE_DESCRIPTOR DescriptorsBase;
    PHYSICAL_ADDRESS DescriptorsLogical;
    ULONG Reservations; /* calls of EvtReserveDma */
} SAMPLE_DEVICE_CONTEXT, *PSAMPLE_DEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SAMPLE_DEVICE_CONTEXT, SampleGetDeviceContext)

typedef struct _SAMPLE_TRANSACTION_CONTEXT {
    WDFREQUEST Request;
    ULONG Transfers; /* calls of EvtProgramDma for this request */
    BOOLEAN Final;   /* the device is expected to end early */
} SAMPLE_TRANSACTION_CONTEXT, *PSAMPLE_TRANSACTION_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SAMPLE_TRANSACTION_CONTEXT, SampleGetTransactionContext)

/* What EvtDriverDeviceAdd and EvtDevicePrepareHardware would do. */
NTSTATUS SamplePrepareHardware(WDFDEVICE Device, WDF_DMA_PROFILE Profile,
                               PSAMPLE_REGISTERS Registers);
VOID SampleReleaseHardware(WDFDEVICE Device);

/* EvtIoRead and EvtIoWrite. */
VOID SampleStartRequest(WDFDEVICE Device, WDFREQUEST Request, WDF_DMA_DIRECTION Direction);
/* The same, with map registers reserved ahead. */
VOID SampleStartReservedRequest(WDFDEVICE Device, WDFREQUEST Request, WDF_DMA_DIRECTION Direction);
VOID SampleFreeReservation(WDFDEVICE Device);

/* EvtInterruptDpc. */
VOID SampleInterruptDpc(WDFDEVICE Device);

EVT_WDF_PROGRAM_DMA SampleEvtProgramDma;
EVT_WDF_RESERVE_DMA SampleEvtReserveDma;
EVT_WDF_OBJECT_CONTEXT_CLEANUP SampleEvtTransactionCleanup;

/* For who looks on: cleanup callbacks that ran. */
extern ULONG SampleCleanups;

#endif
