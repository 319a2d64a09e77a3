/* DMA enablers: what a device can do, decided once for all of its transactions. */
#ifndef WDFDMA_WDK_WDFDMAENABLER_H
#define WDFDMA_WDK_WDFDMAENABLER_H

#include "wdfdevice.h"

/* The default limit on the elements of a list. */
#define WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS ((ULONG)0xFFFFFFFF)

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef enum _WDF_DMA_PROFILE {
    WdfDmaProfileInvalid = 0,
    WdfDmaProfilePacket = 1,
    WdfDmaProfileScatterGather = 2,
    WdfDmaProfilePacket64 = 3,
    WdfDmaProfileScatterGather64 = 4,
    WdfDmaProfileScatterGatherDuplex = 5,
    WdfDmaProfileScatterGather64Duplex = 6,
    WdfDmaProfileSystem = 7,
    WdfDmaProfileSystemDuplex = 8
} WDF_DMA_PROFILE;

typedef enum _WDF_DMA_DIRECTION {
    WdfDmaDirectionReadFromDevice = 0,
    WdfDmaDirectionWriteToDevice = 1
} WDF_DMA_DIRECTION;

typedef enum _WDF_DMA_ENABLER_CONFIG_FLAGS {
    WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION = 1,
    WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER = 2
} WDF_DMA_ENABLER_CONFIG_FLAGS;

/* The callbacks of an enabler around its device's working state. Entering D0 calls Fill, Enable and
 * SelfManagedIoStart, and stops at the first that fails. Leaving D0 calls SelfManagedIoStop, then
 * Disable unless Fill had failed, then Flush unless Fill or Enable had failed; all of these are
 * called, and the first failing status is the result.
 * Models: EvtDmaEnablerFill and so on.
 * Source: EVT_WDF_DMA_ENABLER_FILL callback function and its kin (wdfdmaenabler.h). */
typedef NTSTATUS EVT_WDF_DMA_ENABLER_FILL(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_FILL *PFN_WDF_DMA_ENABLER_FILL;
typedef NTSTATUS EVT_WDF_DMA_ENABLER_FLUSH(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_FLUSH *PFN_WDF_DMA_ENABLER_FLUSH;
typedef NTSTATUS EVT_WDF_DMA_ENABLER_ENABLE(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_ENABLE *PFN_WDF_DMA_ENABLER_ENABLE;
typedef NTSTATUS EVT_WDF_DMA_ENABLER_DISABLE(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_DISABLE *PFN_WDF_DMA_ENABLER_DISABLE;
typedef NTSTATUS EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_START(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_START *PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START;
typedef NTSTATUS EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP(WDFDMAENABLER DmaEnabler);
typedef EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP *PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP;

typedef struct _WDF_DMA_ENABLER_CONFIG {
    ULONG Size;
    WDF_DMA_PROFILE Profile;
    size_t MaximumLength; /* of one transfer, in bytes */
    PFN_WDF_DMA_ENABLER_FILL EvtDmaEnablerFill;
    PFN_WDF_DMA_ENABLER_FLUSH EvtDmaEnablerFlush;
    PFN_WDF_DMA_ENABLER_DISABLE EvtDmaEnablerDisable;
    PFN_WDF_DMA_ENABLER_ENABLE EvtDmaEnablerEnable;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_START EvtDmaEnablerSelfManagedIoStart;
    PFN_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP EvtDmaEnablerSelfManagedIoStop;
    ULONG AddressWidthOverride;  /* bits, 0: by the profile */
    ULONG WdmDmaVersionOverride; /* 2 or 3, 0: what the rest needs */
    ULONG Flags;                 /* WDF_DMA_ENABLER_CONFIG_FLAGS, or'd */
} WDF_DMA_ENABLER_CONFIG, *PWDF_DMA_ENABLER_CONFIG;

typedef struct _WDF_DMA_SYSTEM_PROFILE_CONFIG {
    ULONG Size;
    BOOLEAN DemandMode;     /* the device's request line paces the transfer */
    BOOLEAN LoopedTransfer; /* begins again where the buffer is shorter than the transfer */
    DMA_WIDTH DmaWidth;     /* of the register at [DeviceAddress] */
    PHYSICAL_ADDRESS DeviceAddress;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR DmaDescriptor;
} WDF_DMA_SYSTEM_PROFILE_CONFIG, *PWDF_DMA_SYSTEM_PROFILE_CONFIG;

/* Makes an enabler of [Device]. A bus-master profile gets its adapters now, a system profile when
 * it is configured.
 * Models: WdfDmaEnablerCreate. Source: WdfDmaEnablerCreate function (wdfdmaenabler.h).
 * [Config] and [Attributes] copied; [Attributes] may be NULL. [DmaEnablerHandle] written only on
 * success; owned by the caller, release with WdfObjectDelete; its parent is its device, which
 * deletes it at the latest.
 * Errors: STATUS_INVALID_DEVICE_REQUEST and a break above PASSIVE_LEVEL;
 * STATUS_INFO_LENGTH_MISMATCH for a wrong Size; STATUS_INVALID_PARAMETER for an unknown profile or
 * a MaximumLength of 0, and with a break for overrides that do not fit the profile, or a
 * single-transfer requirement without version 3; STATUS_UNSUCCESSFUL without an adapter. */
WDFDMA_API NTSTATUS WdfDmaEnablerCreate(WDFDEVICE Device, PWDF_DMA_ENABLER_CONFIG Config,
                                        PWDF_OBJECT_ATTRIBUTES Attributes,
                                        WDFDMAENABLER *DmaEnablerHandle);

/* Gives a system profile its channel for [ConfigDirection]; a duplex one needs two calls.
 * Models: WdfDmaEnablerConfigureSystemProfile.
 * Source: WdfDmaEnablerConfigureSystemProfile function (wdfdmaenabler.h).
 * [ProfileConfig] copied; its DmaDescriptor borrowed.
 * Errors: STATUS_INVALID_PARAMETER and a break for a NULL config or descriptor, or a direction
 * configured before; STATUS_INFO_LENGTH_MISMATCH and a break for a wrong Size;
 * STATUS_INVALID_PARAMETER for a bad direction; STATUS_UNSUCCESSFUL without an adapter. */
WDFDMA_API NTSTATUS WdfDmaEnablerConfigureSystemProfile(
    WDFDMAENABLER DmaEnabler, PWDF_DMA_SYSTEM_PROFILE_CONFIG ProfileConfig,
    WDF_DMA_DIRECTION ConfigDirection);

/* The MaximumLength that the enabler was made with, in bytes.
 * Models: WdfDmaEnablerGetMaximumLength.
 * Source: WdfDmaEnablerGetMaximumLength function (wdfdmaenabler.h). */
WDFDMA_API size_t WdfDmaEnablerGetMaximumLength(WDFDMAENABLER DmaEnabler);

/* The limit on the elements of a list; 0xFFFFFFFF means none.
 * Models: WdfDmaEnablerGetMaximumScatterGatherElements.
 * Source: WdfDmaEnablerGetMaximumScatterGatherElements function (wdfdmaenabler.h). */
WDFDMA_API size_t WdfDmaEnablerGetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler);

/* Sets the limit on the elements of a list; 0 is ignored. What is counted against it are pages, but
 * for transactions under a single-transfer requirement.
 * Models: WdfDmaEnablerSetMaximumScatterGatherElements.
 * Source: WdfDmaEnablerSetMaximumScatterGatherElements function (wdfdmaenabler.h). */
WDFDMA_API void WdfDmaEnablerSetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler,
                                                             size_t MaximumFragments);

/* The most bytes that one transfer in [DmaDirection] can have: the maximum length, or what the
 * adapter's map registers carry at the worst alignment, (registers - 1) * 4096, if that is less.
 * Models: WdfDmaEnablerGetFragmentLength.
 * Source: WdfDmaEnablerGetFragmentLength function (wdfdmaenabler.h).
 * Errors: 0 for a bad direction. */
WDFDMA_API size_t WdfDmaEnablerGetFragmentLength(WDFDMAENABLER DmaEnabler,
                                                 WDF_DMA_DIRECTION DmaDirection);

/* The adapter for [DmaDirection]; a simplex profile has one for both.
 * Models: WdfDmaEnablerWdmGetDmaAdapter.
 * Source: WdfDmaEnablerWdmGetDmaAdapter function (wdfdmaenabler.h).
 * Owned by the machine, valid until the enabler goes: the driver never puts it. */
WDFDMA_API PDMA_ADAPTER WdfDmaEnablerWdmGetDmaAdapter(WDFDMAENABLER DmaEnabler,
                                                      WDF_DMA_DIRECTION DmaDirection);
/* cffi: end */

#ifdef __cplusplus
}
#endif

/* All defaults, with [Profile] and [MaximumLength] in bytes.
 * Models: WDF_DMA_ENABLER_CONFIG_INIT.
 * Source: WDF_DMA_ENABLER_CONFIG_INIT function (wdfdmaenabler.h).
 * [Config] owned by the caller. */
static inline void WDF_DMA_ENABLER_CONFIG_INIT(PWDF_DMA_ENABLER_CONFIG Config,
                                               WDF_DMA_PROFILE Profile, size_t MaximumLength) {
    memset(Config, 0, sizeof(*Config));
    Config->Size = (ULONG)sizeof(*Config);
    Config->Profile = Profile;
    Config->MaximumLength = MaximumLength;
}

/* All defaults, with where the device's port lies, how wide it is, and the resource that names its
 * request line.
 * Models: WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT.
 * Source: WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT function (wdfdmaenabler.h).
 * [DmaConfig] owned by the caller, [DmaDescriptor] borrowed until the enabler is configured. */
static inline void
WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(PWDF_DMA_SYSTEM_PROFILE_CONFIG DmaConfig,
                                   PHYSICAL_ADDRESS Address, DMA_WIDTH DmaWidth,
                                   PCM_PARTIAL_RESOURCE_DESCRIPTOR DmaDescriptor) {
    memset(DmaConfig, 0, sizeof(*DmaConfig));
    DmaConfig->Size = (ULONG)sizeof(*DmaConfig);
    DmaConfig->DeviceAddress = Address;
    DmaConfig->DmaWidth = DmaWidth;
    DmaConfig->DmaDescriptor = DmaDescriptor;
}

#endif
