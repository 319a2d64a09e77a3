/* What a DMA driver asks of its device. */
#ifndef WDFDMA_WDK_WDFDEVICE_H
#define WDFDMA_WDK_WDFDEVICE_H

#include "wdfobject.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef enum _WDF_POWER_DEVICE_STATE {
    WdfPowerDeviceInvalid = 0,
    WdfPowerDeviceD0 = 1,
    WdfPowerDeviceD1 = 2,
    WdfPowerDeviceD2 = 3,
    WdfPowerDeviceD3 = 4,
    WdfPowerDeviceD3Final = 5,
    WdfPowerDevicePrepareForHibernation = 6,
    WdfPowerDeviceMaximum = 7
} WDF_POWER_DEVICE_STATE, *PWDF_POWER_DEVICE_STATE;

/* Sets how the device wants its buffers aligned: a mask, one of FILE_..._ALIGNMENT. The default is
 * byte alignment.
 * Models: WdfDeviceSetAlignmentRequirement.
 * Source: WdfDeviceSetAlignmentRequirement function (wdfdevice.h).
 * What is made later sees it: a scatter-gather enabler's common buffers are aligned so. */
WDFDMA_API void WdfDeviceSetAlignmentRequirement(WDFDEVICE Device, ULONG AlignmentRequirement);

/* The mask that WdfDeviceSetAlignmentRequirement set.
 * Models: WdfDeviceGetAlignmentRequirement.
 * Source: WdfDeviceGetAlignmentRequirement function (wdfdevice.h). */
WDFDMA_API ULONG WdfDeviceGetAlignmentRequirement(WDFDEVICE Device);

/* The device object below the framework's device, as AllocateAdapterChannel and its kin ask for it.
 * Models: WdfDeviceWdmGetDeviceObject. Source: WdfDeviceWdmGetDeviceObject function (wdfdevice.h).
 * Owned by the machine, valid until the device goes. */
WDFDMA_API PDEVICE_OBJECT WdfDeviceWdmGetDeviceObject(WDFDEVICE Device);

/* The device object of the bus, as IoGetDmaAdapter asks for it.
 * Models: WdfDeviceWdmGetPhysicalDevice.
 * Source: WdfDeviceWdmGetPhysicalDevice function (wdfdevice.h).
 * Owned by the machine, valid until the device goes. */
WDFDMA_API PDEVICE_OBJECT WdfDeviceWdmGetPhysicalDevice(WDFDEVICE Device);
/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
