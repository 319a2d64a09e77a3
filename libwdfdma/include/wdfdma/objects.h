/* What the world hands a driver: devices, their power, requests. */
#ifndef WDFDMA_CONTROL_OBJECTS_H
#define WDFDMA_CONTROL_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Makes a device, which owns enablers. [out] owned by the caller, release with
 * wdfdma_device_destroy (or with the machine). [attributes] copied, may be NULL. Errors:
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_device_create(wdfdma_machine *machine, PWDF_OBJECT_ATTRIBUTES attributes,
                                         WDFDEVICE *out);

/* Removes [device] and its children, as the framework does when a device goes. A stale handle is
 * a bug check. */
WDFDMA_API void wdfdma_device_destroy(WDFDEVICE device);

/* Enters D0, as a device that starts or resumes: for each enabler in the order of their making, its
 * callbacks Fill (PASSIVE_LEVEL), Enable (DISPATCH_LEVEL) and SelfManagedIoStart (PASSIVE_LEVEL), up
 * to the first that fails, whose status is returned. [previous] is for who calls only. Models: the
 * power-up of WDF_DMA_ENABLER_CONFIG. Errors: that status; STATUS_UNSUCCESSFUL on a halted machine.
 * A stale handle is a bug check. */
WDFDMA_API NTSTATUS wdfdma_device_enter_d0(WDFDEVICE device, WDF_POWER_DEVICE_STATE previous);

/* Leaves D0: for each enabler in the order of their making, its callbacks SelfManagedIoStop, Disable
 * and Flush, each whatever the others returned, but for those that a failure on the way up has left
 * out. Returns the first failing status. [target] is for who calls only. Models: the power-down of
 * WDF_DMA_ENABLER_CONFIG. Errors: that status; STATUS_UNSUCCESSFUL on a halted machine. A stale
 * handle is a bug check. */
WDFDMA_API NTSTATUS wdfdma_device_leave_d0(WDFDEVICE device, WDF_POWER_DEVICE_STATE target);

/* What a dispatcher hands a driver. */
typedef struct wdfdma_request_config {
    uint32_t type;            /* WDF_REQUEST_TYPE: read, write or device control */
    uint32_t io_control_code; /* device control only */
    /* borrowed: the chain of a write, or of a control's input; may be NULL */
    PMDL input;
    /* borrowed: the chain of a read, or of a control's output; may be NULL */
    PMDL output;
    uint64_t input_length;  /* bytes */
    uint64_t output_length; /* bytes */
    int64_t device_offset;  /* bytes: where in the device a read or write begins */
} wdfdma_request_config;

/* How a request stands. */
typedef struct wdfdma_request_info {
    bool completed;
    NTSTATUS status;      /* once completed */
    uint64_t information; /* bytes, once completed */
    uint32_t references;  /* held by transactions in progress */
    uint32_t label;
} wdfdma_request_info;

/* Makes a request, owned by the driver until it completes it. [config] copied. [out] owned by
 * the caller, release with wdfdma_request_destroy. Errors: STATUS_INVALID_PARAMETER;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_request_create(WDFDEVICE device, const wdfdma_request_config *config,
                                          WDFREQUEST *out);

/* Ends [request], completed or not, as the dispatcher that made it. One that a transaction in
 * progress holds, and a stale handle, is a bug check. */
WDFDMA_API void wdfdma_request_destroy(WDFREQUEST request);

/* How [request] stands, into [out], on a halted machine too. Errors: STATUS_INVALID_PARAMETER where
 * [out] is NULL; STATUS_INVALID_HANDLE where the handle is no live request's, without a bug check.
 * O(1). */
WDFDMA_API NTSTATUS wdfdma_request_get_info(WDFREQUEST request, wdfdma_request_info *out);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
