/* Requests as a DMA driver meets them: what they ask for, their buffers, and how they end. */
#ifndef WDFDMA_WDK_WDFREQUEST_H
#define WDFDMA_WDK_WDFREQUEST_H

#include "wdfobject.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef enum _WDF_REQUEST_TYPE {
    WdfRequestTypeCreate = 0x0,
    WdfRequestTypeCreateNamedPipe = 0x1,
    WdfRequestTypeClose = 0x2,
    WdfRequestTypeRead = 0x3,
    WdfRequestTypeWrite = 0x4,
    WdfRequestTypeQueryInformation = 0x5,
    WdfRequestTypeSetInformation = 0x6,
    WdfRequestTypeQueryEA = 0x7,
    WdfRequestTypeSetEA = 0x8,
    WdfRequestTypeFlushBuffers = 0x9,
    WdfRequestTypeQueryVolumeInformation = 0xa,
    WdfRequestTypeSetVolumeInformation = 0xb,
    WdfRequestTypeDirectoryControl = 0xc,
    WdfRequestTypeFileSystemControl = 0xd,
    WdfRequestTypeDeviceControl = 0xe,
    WdfRequestTypeDeviceControlInternal = 0xf,
    WdfRequestTypeShutdown = 0x10,
    WdfRequestTypeLockControl = 0x11,
    WdfRequestTypeCleanup = 0x12,
    WdfRequestTypeCreateMailSlot = 0x13,
    WdfRequestTypeQuerySecurity = 0x14,
    WdfRequestTypeSetSecurity = 0x15,
    WdfRequestTypePower = 0x16,
    WdfRequestTypeSystemControl = 0x17,
    WdfRequestTypeDeviceChange = 0x18,
    WdfRequestTypeQueryQuota = 0x19,
    WdfRequestTypeSetQuota = 0x1a,
    WdfRequestTypePnp = 0x1b,
    WdfRequestTypeOther = 0x1c,
    WdfRequestTypeUsb = 0x40,
    WdfRequestTypeNoFormat = 0xff,
    WdfRequestTypeMax = 0x100
} WDF_REQUEST_TYPE;

typedef struct _WDF_REQUEST_PARAMETERS {
    USHORT Size;
    UCHAR MinorFunction;
    WDF_REQUEST_TYPE Type; /* says which part of [Parameters] is filled in */
    union {
        struct {
            size_t Length; /* bytes */
            ULONG Key;
            LONGLONG DeviceOffset;
        } Read;
        struct {
            size_t Length; /* bytes */
            ULONG Key;
            LONGLONG DeviceOffset;
        } Write;
        struct {
            size_t OutputBufferLength; /* bytes */
            size_t InputBufferLength;  /* bytes */
            ULONG IoControlCode;
            PVOID Type3InputBuffer; /* of METHOD_NEITHER */
        } DeviceIoControl;
    } Parameters;
} WDF_REQUEST_PARAMETERS, *PWDF_REQUEST_PARAMETERS;

/* What [Request] asks for.
 * Models: WdfRequestGetParameters. Source: WdfRequestGetParameters function (wdfrequest.h).
 * [Parameters] borrowed, made ready with WDF_REQUEST_PARAMETERS_INIT; written: the type, and the
 * part of the union that the type names.
 * Legal states: owned by the driver, not completed. */
WDFDMA_API void WdfRequestGetParameters(WDFREQUEST Request, PWDF_REQUEST_PARAMETERS Parameters);

/* The MDL chain of what the request brings: a write's buffer, or the input of a device control.
 * Models: WdfRequestRetrieveInputWdmMdl.
 * Source: WdfRequestRetrieveInputWdmMdl function (wdfrequest.h).
 * [Mdl] written only on success; owned by the machine, valid until the request is completed.
 * Errors: STATUS_INVALID_DEVICE_REQUEST where the type has no input or the method is
 * METHOD_NEITHER; STATUS_BUFFER_TOO_SMALL for a length of 0; STATUS_INTERNAL_ERROR for a request
 * completed already. */
WDFDMA_API NTSTATUS WdfRequestRetrieveInputWdmMdl(WDFREQUEST Request, PMDL *Mdl);

/* The MDL chain of what the request is to take home: a read's buffer, or the output of a device
 * control.
 * Models: WdfRequestRetrieveOutputWdmMdl.
 * Source: WdfRequestRetrieveOutputWdmMdl function (wdfrequest.h).
 * [Mdl] written only on success; owned by the machine, valid until the request is completed.
 * Errors: STATUS_INVALID_DEVICE_REQUEST where the type has no output or the method is
 * METHOD_NEITHER; STATUS_BUFFER_TOO_SMALL for a length of 0; STATUS_INTERNAL_ERROR for a request
 * completed already. */
WDFDMA_API NTSTATUS WdfRequestRetrieveOutputWdmMdl(WDFREQUEST Request, PMDL *Mdl);

/* The number of bytes that the request will report as transferred.
 * Models: WdfRequestGetInformation. Source: WdfRequestGetInformation function (wdfrequest.h). */
WDFDMA_API ULONG_PTR WdfRequestGetInformation(WDFREQUEST Request);

/* Sets the number of bytes that the request will report as transferred.
 * Models: WdfRequestSetInformation. Source: WdfRequestSetInformation function (wdfrequest.h).
 * Legal states: owned by the driver, not completed. */
WDFDMA_API void WdfRequestSetInformation(WDFREQUEST Request, ULONG_PTR Information);

/* Ends [Request] with [Status] and gives it back to who sent it.
 * Models: WdfRequestComplete. Source: WdfRequestComplete function (wdfrequest.h).
 * The driver owns the request no longer; its MDLs are not the driver's to look at.
 * Errors: bug check 0x10D with parameter 1 = 3, the request and the number of references while a
 * transaction holds one, from Execute until it is over; with parameter 1 = 6 for a request
 * completed before, or for more information than its buffer has bytes.
 * Legal states: owned by the driver, not completed. */
WDFDMA_API void WdfRequestComplete(WDFREQUEST Request, NTSTATUS Status);

/* WdfRequestSetInformation and WdfRequestComplete in one.
 * Models: WdfRequestCompleteWithInformation.
 * Source: WdfRequestCompleteWithInformation function (wdfrequest.h).
 * Errors: as WdfRequestComplete.
 * Legal states: owned by the driver, not completed. */
WDFDMA_API void WdfRequestCompleteWithInformation(WDFREQUEST Request, NTSTATUS Status,
                                                  ULONG_PTR Information);
/* cffi: end */

#ifdef __cplusplus
}
#endif

/* Makes [Parameters] ready for WdfRequestGetParameters: its size set, all else 0.
 * Models: WDF_REQUEST_PARAMETERS_INIT. Source: WDF_REQUEST_PARAMETERS_INIT function (wdfrequest.h).
 * [Parameters] owned by the caller. */
static inline void WDF_REQUEST_PARAMETERS_INIT(PWDF_REQUEST_PARAMETERS Parameters) {
    memset(Parameters, 0, sizeof(*Parameters));
    Parameters->Size = (USHORT)sizeof(*Parameters);
}

#endif
