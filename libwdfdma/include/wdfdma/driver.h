/* Drivers under test: what one answers, and the hardware that it programs. */
#ifndef WDFDMA_CONTROL_DRIVER_H
#define WDFDMA_CONTROL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"

/* Marks wdfdma_driver_get in a driver's shared object. */
#if defined(_WIN32)
#define WDFDMA_DRIVER_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define WDFDMA_DRIVER_EXPORT __attribute__((visibility("default")))
#else
#define WDFDMA_DRIVER_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

typedef NTSTATUS (*wdfdma_driver_add)(WDFDEVICE device, void *context);
typedef void (*wdfdma_driver_take)(void *context, WDFREQUEST request);
typedef void (*wdfdma_driver_tell)(void *context);

/* What a driver's DMA logic answers. A workload (wdfdma/workload.h) plays the dispatcher and the
 * device: it makes a device, calls [add_device], enters D0, and then as a case has it. Each call
 * comes alone, at PASSIVE_LEVEL but for [interrupt]; the driver's own calls may bring the next one
 * before they return, as hardware that is fast does with an interrupt in EvtProgramDma. */
typedef struct wdfdma_driver {
    uint32_t size;     /* sizeof(wdfdma_driver) */
    const char *name;  /* such as "packet", "packet/released-in-transfer" */
    const char *fault; /* of one that is faulty on purpose: its bug, in a sentence; NULL: none */
    uint32_t context_bytes; /* of the device's context: zeroed, part of the machine */
    /* Makes enablers and transactions. What fails here fails for good: no other call follows. */
    wdfdma_driver_add add_device;
    /* [request], a read or a write, is the driver's until it completes it. Comes in D0 only. */
    wdfdma_driver_take start_request;
    /* Asks for an early end of [request], which is not completed yet; the driver completes it, sooner
     * or later, with STATUS_CANCELLED or as it has ended. In any state of power. */
    wdfdma_driver_take cancel_request;
    /* Of the device, at DISPATCH_LEVEL, in D0 only; now and then for no reason. */
    wdfdma_driver_tell interrupt;
    /* All requests are completed, the device has left D0. What the driver made goes by itself. */
    wdfdma_driver_tell remove_device;
} wdfdma_driver;

/* What the shared object of a driver exports as wdfdma_driver_get: its drivers by index, NULL past
 * the last one. Owned by the shared object, static. */
typedef const wdfdma_driver *(*wdfdma_driver_getter)(uint32_t index);

/* The hardware: a bus master with some channels, each with a queue of one command, and a memory of
 * its own that requests read and write. On a device that no workload made: STATUS_NO_SUCH_DEVICE,
 * and false. */
enum {
    WDFDMA_HARDWARE_CHANNELS = 8
};

/* Programs [channel] to move the bytes that [list] names, one after another, from or to the
 * hardware's memory at [position]: the DeviceOffset of the request's parameters, and as much further
 * on as the request has come. [list] copied. Wrong, and found to be: a channel that is at work, no
 * power, a position that is not of a request that the driver has. Errors: STATUS_INVALID_PARAMETER
 * for no such channel, list or position; STATUS_DEVICE_BUSY; STATUS_DEVICE_NOT_READY without
 * power; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_hardware_start(WDFDEVICE device, uint32_t channel, uint64_t position,
                                          const SCATTER_GATHER_LIST *list,
                                          WDF_DMA_DIRECTION direction);

/* Stops [channel], whose command and result are lost. What it has moved stays moved. */
WDFDMA_API void wdfdma_hardware_stop(WDFDEVICE device, uint32_t channel);

/* True where [channel] has come to an end since it was asked last. [bytes]: how many it moved.
 * [status]: STATUS_SUCCESS, where it may be fewer than programmed and the rest is to be asked for
 * again; STATUS_NO_MORE_ENTRIES, where the device has no more for this request;
 * STATUS_IO_DEVICE_ERROR. */
WDFDMA_API bool wdfdma_hardware_get_result(WDFDEVICE device, uint32_t channel, uint64_t *bytes,
                                           NTSTATUS *status);

/* Ties [channel] to the request line of the system DMA controller: its end is the controller's, for
 * [enabler] in [direction], and no interrupt. [enabler] borrowed while the device lives. */
WDFDMA_API NTSTATUS wdfdma_hardware_attach(WDFDEVICE device, uint32_t channel,
                                           WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction);

/* Which make of the hardware it is, 0 to 255: for a driver that serves several, and sets its limits by
 * it. What the bits mean is the driver's to say. */
WDFDMA_API uint32_t wdfdma_hardware_get_revision(WDFDEVICE device);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
