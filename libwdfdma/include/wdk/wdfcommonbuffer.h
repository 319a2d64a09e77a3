/* Common buffers: memory that driver and device see at once, for as long as it lives. */
#ifndef WDFDMA_WDK_WDFCOMMONBUFFER_H
#define WDFDMA_WDK_WDFCOMMONBUFFER_H

#include "wdfdmaenabler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef struct _WDF_COMMON_BUFFER_CONFIG {
    ULONG Size;
    ULONG AlignmentRequirement; /* a mask, one of FILE_..._ALIGNMENT */
} WDF_COMMON_BUFFER_CONFIG, *PWDF_COMMON_BUFFER_CONFIG;

/* Makes a common buffer of [Length] bytes, aligned as its enabler wants it: for a scatter-gather
 * profile by the device's alignment requirement, otherwise not. Physically contiguous, at least a
 * page, and within the adapter's reach.
 * Models: WdfCommonBufferCreate. Source: WdfCommonBufferCreate function (wdfcommonbuffer.h).
 * [Attributes] copied, may be NULL. [CommonBuffer] written only on success; owned by the caller,
 * release with WdfObjectDelete; its parent is its enabler, which deletes it at the latest. It takes
 * no map registers.
 * Errors: STATUS_INVALID_DEVICE_REQUEST and a break above PASSIVE_LEVEL; STATUS_INVALID_PARAMETER
 * for a length of 0; STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED for attributes with a parent;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS WdfCommonBufferCreate(WDFDMAENABLER DmaEnabler, size_t Length,
                                          PWDF_OBJECT_ATTRIBUTES Attributes,
                                          WDFCOMMONBUFFER *CommonBuffer);

/* As WdfCommonBufferCreate, aligned as [Config] says. A mask above 4095 costs mask bytes more.
 * Models: WdfCommonBufferCreateWithConfig.
 * Source: WdfCommonBufferCreateWithConfig function (wdfcommonbuffer.h).
 * [Config] copied.
 * Errors: as WdfCommonBufferCreate; STATUS_INFO_LENGTH_MISMATCH for a wrong Size of [Config]. */
WDFDMA_API NTSTATUS WdfCommonBufferCreateWithConfig(WDFDMAENABLER DmaEnabler, size_t Length,
                                                    PWDF_COMMON_BUFFER_CONFIG Config,
                                                    PWDF_OBJECT_ATTRIBUTES Attributes,
                                                    WDFCOMMONBUFFER *CommonBuffer);

/* Where the driver sees the buffer.
 * Models: WdfCommonBufferGetAlignedVirtualAddress.
 * Source: WdfCommonBufferGetAlignedVirtualAddress function (wdfcommonbuffer.h).
 * Owned by the machine, valid until the common buffer goes. */
WDFDMA_API PVOID WdfCommonBufferGetAlignedVirtualAddress(WDFCOMMONBUFFER CommonBuffer);

/* Where the device sees the buffer, aligned as asked.
 * Models: WdfCommonBufferGetAlignedLogicalAddress.
 * Source: WdfCommonBufferGetAlignedLogicalAddress function (wdfcommonbuffer.h). */
WDFDMA_API PHYSICAL_ADDRESS WdfCommonBufferGetAlignedLogicalAddress(WDFCOMMONBUFFER CommonBuffer);

/* The length asked for, in bytes.
 * Models: WdfCommonBufferGetLength. Source: WdfCommonBufferGetLength function
 * (wdfcommonbuffer.h). */
WDFDMA_API size_t WdfCommonBufferGetLength(WDFCOMMONBUFFER CommonBuffer);
/* cffi: end */

#ifdef __cplusplus
}
#endif

/* All defaults, with [AlignmentRequirement].
 * Models: WDF_COMMON_BUFFER_CONFIG_INIT.
 * Source: WDF_COMMON_BUFFER_CONFIG_INIT function (wdfcommonbuffer.h).
 * [Config] owned by the caller. */
static inline void WDF_COMMON_BUFFER_CONFIG_INIT(PWDF_COMMON_BUFFER_CONFIG Config,
                                                 ULONG AlignmentRequirement) {
    memset(Config, 0, sizeof(*Config));
    Config->Size = (ULONG)sizeof(*Config);
    Config->AlignmentRequirement = AlignmentRequirement;
}

#endif
