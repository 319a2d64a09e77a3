/* What a DMA driver uses of the kernel below the framework: MDLs, IRQL, adapters.
 *
 * A routine that names no object of a machine (IoAllocateMdl, KeRaiseIrql) concerns the machine in
 * whose callback the calling thread is, or, outside of callbacks, the thread's current machine. The
 * functions of a DMA_OPERATIONS table are reached through an adapter only, as on Windows. */
#ifndef WDFDMA_WDK_WDM_H
#define WDFDMA_WDK_WDM_H

#include <string.h>

#include "ntdef.h"
#include "ntstatus.h"

/* Pages. */
#define PAGE_SHIFT 12
#define PAGE_SIZE 0x1000
#define BYTE_OFFSET(Va) ((ULONG)((ULONG_PTR)(Va) & (PAGE_SIZE - 1)))
#define PAGE_ALIGN(Va) ((PVOID)((ULONG_PTR)(Va) & ~(ULONG_PTR)(PAGE_SIZE - 1)))
#define BYTES_TO_PAGES(Size) \
    ((ULONG)((Size) / PAGE_SIZE) + (ULONG)(((Size) & (PAGE_SIZE - 1)) != 0 ? 1 : 0))
#define ROUND_TO_PAGES(Size) (((ULONG_PTR)(Size) + PAGE_SIZE - 1) & ~(ULONG_PTR)(PAGE_SIZE - 1))
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Size) \
    ((ULONG)(((SIZE_T)BYTE_OFFSET(Va) + (SIZE_T)(Size) + (PAGE_SIZE - 1)) >> PAGE_SHIFT))

/* IRQL, as on x64. */
#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define CMCI_LEVEL 5
#define CLOCK_LEVEL 13
#define IPI_LEVEL 14
#define DRS_LEVEL 14
#define POWER_LEVEL 14
#define PROFILE_LEVEL 15
#define HIGH_LEVEL 15

/* MDL.MdlFlags. */
#define MDL_MAPPED_TO_SYSTEM_VA 0x0001
#define MDL_PAGES_LOCKED 0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_ALLOCATED_FIXED_SIZE 0x0008
#define MDL_PARTIAL 0x0010
#define MDL_PARTIAL_HAS_BEEN_MAPPED 0x0020
#define MDL_IO_PAGE_READ 0x0040
#define MDL_WRITE_OPERATION 0x0080
#define MDL_LOCKED_PAGE_TABLES 0x0100
#define MDL_PARENT_MAPPED_SYSTEM_VA MDL_LOCKED_PAGE_TABLES
#define MDL_FREE_EXTRA_PTES 0x0200
#define MDL_DESCRIBES_AWE 0x0400
#define MDL_IO_SPACE 0x0800
#define MDL_NETWORK_HEADER 0x1000
#define MDL_MAPPING_CAN_FAIL 0x2000
#define MDL_PAGE_CONTENTS_INVARIANT 0x4000
#define MDL_ALLOCATED_MUST_SUCCEED MDL_PAGE_CONTENTS_INVARIANT
#define MDL_INTERNAL 0x8000

/* The last argument of MmGetSystemAddressForMdlSafe: a priority, or'd with how to map. */
#define MdlMappingNoWrite 0x80000000u
#define MdlMappingNoExecute 0x40000000u

/* DEVICE_DESCRIPTION.Version. */
#define DEVICE_DESCRIPTION_VERSION 0
#define DEVICE_DESCRIPTION_VERSION1 1
#define DEVICE_DESCRIPTION_VERSION2 2
#define DEVICE_DESCRIPTION_VERSION3 3

#define DMA_ADAPTER_INFO_VERSION1 1
#define DMA_TRANSFER_INFO_VERSION1 1
#define DMA_TRANSFER_INFO_VERSION2 2

/* The Flags of AllocateAdapterChannelEx, GetScatterGatherListEx and BuildScatterGatherListEx. */
#define DMA_SYNCHRONOUS_CALLBACK 0x01

/* The memory that InitializeDmaTransferContext wants. */
#define DMA_TRANSFER_CONTEXT_VERSION1 1
#define DMA_TRANSFER_CONTEXT_SIZE_V1 128

/* CM_PARTIAL_RESOURCE_DESCRIPTOR.Type and .Flags, as far as DMA goes. */
#define CmResourceTypeNull 0
#define CmResourceTypePort 1
#define CmResourceTypeInterrupt 2
#define CmResourceTypeMemory 3
#define CmResourceTypeDma 4
#define CM_RESOURCE_DMA_8 0x0000
#define CM_RESOURCE_DMA_16 0x0001
#define CM_RESOURCE_DMA_32 0x0002
#define CM_RESOURCE_DMA_8_AND_16 0x0004
#define CM_RESOURCE_DMA_BUS_MASTER 0x0008
#define CM_RESOURCE_DMA_TYPE_A 0x0010
#define CM_RESOURCE_DMA_TYPE_B 0x0020
#define CM_RESOURCE_DMA_TYPE_F 0x0040
#define CM_RESOURCE_DMA_V3 0x0080

/* Alignments are masks: one less than the power of two. */
#define FILE_BYTE_ALIGNMENT 0x00000000
#define FILE_WORD_ALIGNMENT 0x00000001
#define FILE_LONG_ALIGNMENT 0x00000003
#define FILE_QUAD_ALIGNMENT 0x00000007
#define FILE_OCTA_ALIGNMENT 0x0000000F
#define FILE_32_BYTE_ALIGNMENT 0x0000001F
#define FILE_64_BYTE_ALIGNMENT 0x0000003F
#define FILE_128_BYTE_ALIGNMENT 0x0000007F
#define FILE_256_BYTE_ALIGNMENT 0x000000FF
#define FILE_512_BYTE_ALIGNMENT 0x000001FF

/* Control codes. */
#define FILE_DEVICE_CONTROLLER 0x00000004
#define FILE_DEVICE_DISK 0x00000007
#define FILE_DEVICE_NETWORK 0x00000012
#define FILE_DEVICE_UNKNOWN 0x00000022
#define METHOD_BUFFERED 0
#define METHOD_IN_DIRECT 1
#define METHOD_OUT_DIRECT 2
#define METHOD_NEITHER 3
#define METHOD_DIRECT_TO_HARDWARE METHOD_IN_DIRECT
#define METHOD_DIRECT_FROM_HARDWARE METHOD_OUT_DIRECT
#define FILE_ANY_ACCESS 0
#define FILE_SPECIAL_ACCESS FILE_ANY_ACCESS
#define FILE_READ_ACCESS 0x0001
#define FILE_WRITE_ACCESS 0x0002
#define FILE_READ_DATA 0x0001
#define FILE_WRITE_DATA 0x0002
#define CTL_CODE(DeviceType, Function, Method, Access) \
    (((ULONG)(DeviceType) << 16) | ((ULONG)(Access) << 14) | ((ULONG)(Function) << 2) | \
     (ULONG)(Method))
#define DEVICE_TYPE_FROM_CTL_CODE(ControlCode) (((ULONG)(ControlCode) & 0xFFFF0000u) >> 16)
#define METHOD_FROM_CTL_CODE(ControlCode) ((ULONG)(ControlCode) & 3u)

/* The boost that a completion gives the waiting thread; here no thread waits. */
#define IO_NO_INCREMENT 0

/* Anonymous unions and trailing arrays without a length are C, but not C++. */
#if defined(__cplusplus) && (defined(__GNUC__) || defined(__clang__))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#elif defined(_MSC_VER)
#pragma warning(push)
#pragma warning(disable : 4200 4201)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef ULONG_PTR PFN_NUMBER, *PPFN_NUMBER;
typedef ULONG NODE_REQUIREMENT;

/* Opaque here: what an object of the kernel is made of is no part of its driver's DMA. */
typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT;
typedef struct _DRIVER_OBJECT DRIVER_OBJECT, *PDRIVER_OBJECT;
typedef struct _IRP IRP, *PIRP;
typedef struct _DMA_COMMON_BUFFER_VECTOR DMA_COMMON_BUFFER_VECTOR, *PDMA_COMMON_BUFFER_VECTOR;
typedef struct _DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION,
    *PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION;

typedef enum _MODE {
    KernelMode = 0,
    UserMode = 1,
    MaximumMode = 2
} MODE;

typedef enum _LOCK_OPERATION {
    IoReadAccess = 0,
    IoWriteAccess = 1,
    IoModifyAccess = 2
} LOCK_OPERATION;

typedef enum _MM_PAGE_PRIORITY {
    LowPagePriority = 0,
    NormalPagePriority = 16,
    HighPagePriority = 32
} MM_PAGE_PRIORITY;

typedef enum _MEMORY_CACHING_TYPE {
    MmNonCached = 0,
    MmCached = 1,
    MmWriteCombined = 2,
    MmHardwareCoherentCached = 3,
    MmNonCachedUnordered = 4,
    MmUSWCCached = 5,
    MmMaximumCacheType = 6,
    MmNotMapped = -1
} MEMORY_CACHING_TYPE;

typedef enum _INTERFACE_TYPE {
    InterfaceTypeUndefined = -1,
    Internal = 0,
    Isa = 1,
    Eisa = 2,
    MicroChannel = 3,
    TurboChannel = 4,
    PCIBus = 5,
    VMEBus = 6,
    NuBus = 7,
    PCMCIABus = 8,
    CBus = 9,
    MPIBus = 10,
    MPSABus = 11,
    ProcessorInternal = 12,
    InternalPowerBus = 13,
    PNPISABus = 14,
    PNPBus = 15,
    Vmcs = 16,
    ACPIBus = 17,
    MaximumInterfaceType = 18
} INTERFACE_TYPE, *PINTERFACE_TYPE;

typedef enum _DMA_WIDTH {
    Width8Bits = 0,
    Width16Bits = 1,
    Width32Bits = 2,
    Width64Bits = 3,
    WidthNoWrap = 4,
    MaximumDmaWidth = 5
} DMA_WIDTH, *PDMA_WIDTH;

typedef enum _DMA_SPEED {
    Compatible = 0,
    TypeA = 1,
    TypeB = 2,
    TypeC = 3,
    TypeF = 4,
    MaximumDmaSpeed = 5
} DMA_SPEED, *PDMA_SPEED;

typedef enum _DMA_COMPLETION_STATUS {
    DmaComplete = 0,
    DmaAborted = 1,
    DmaError = 2,
    DmaCancelled = 3
} DMA_COMPLETION_STATUS;

typedef enum _IO_ALLOCATION_ACTION {
    KeepObject = 1,
    DeallocateObject = 2,
    DeallocateObjectKeepRegisters = 3
} IO_ALLOCATION_ACTION, *PIO_ALLOCATION_ACTION;

/* A buffer, or one piece of a chain. As many PFN_NUMBERs as it has pages follow it in memory. */
typedef struct _MDL {
    struct _MDL *Next;
    CSHORT Size; /* of this header and its page frame numbers, in bytes */
    CSHORT MdlFlags;
    struct _EPROCESS *Process;
    PVOID MappedSystemVa;
    PVOID StartVa;    /* the page that the buffer begins in */
    ULONG ByteCount;  /* above 0 */
    ULONG ByteOffset; /* of the buffer in its first page, 0 to 4095 */
} MDL, *PMDL;

/* One run of consecutive logical addresses: 24 bytes. */
typedef struct _SCATTER_GATHER_ELEMENT {
    PHYSICAL_ADDRESS Address;
    ULONG Length;
    ULONG_PTR Reserved;
} SCATTER_GATHER_ELEMENT, *PSCATTER_GATHER_ELEMENT;

/* A header of 16 bytes, then the elements. */
typedef struct _SCATTER_GATHER_LIST {
    ULONG NumberOfElements;
    ULONG_PTR Reserved;
    SCATTER_GATHER_ELEMENT Elements[];
} SCATTER_GATHER_LIST, *PSCATTER_GATHER_LIST;

typedef struct _DEVICE_DESCRIPTION {
    ULONG Version;
    BOOLEAN Master;
    BOOLEAN ScatterGather;
    BOOLEAN DemandMode;
    BOOLEAN AutoInitialize;
    BOOLEAN Dma32BitAddresses;
    BOOLEAN IgnoreCount;
    BOOLEAN Reserved1;
    BOOLEAN Dma64BitAddresses;
    ULONG BusNumber;
    ULONG DmaChannel;
    INTERFACE_TYPE InterfaceType;
    DMA_WIDTH DmaWidth;
    DMA_SPEED DmaSpeed;
    ULONG MaximumLength; /* of one transfer, in bytes */
    ULONG DmaPort;
    /* From version 3 on. */
    ULONG DmaAddressWidth; /* in bits */
    ULONG DmaControllerInstance;
    ULONG DmaRequestLine;
    PHYSICAL_ADDRESS DeviceAddress;
} DEVICE_DESCRIPTION, *PDEVICE_DESCRIPTION;

/* What the hardware's side of a device was given.
 * Choice: members lie at their natural places, where Windows packs to four bytes, and only the
 * kinds that a DMA source looks at are there. */
typedef struct _CM_PARTIAL_RESOURCE_DESCRIPTOR {
    UCHAR Type;
    UCHAR ShareDisposition;
    USHORT Flags;
    union {
        struct {
            PHYSICAL_ADDRESS Start;
            ULONG Length;
        } Generic;
        struct {
            PHYSICAL_ADDRESS Start;
            ULONG Length;
        } Port;
        struct {
            PHYSICAL_ADDRESS Start;
            ULONG Length;
        } Memory;
        struct {
            ULONG Level;
            ULONG Vector;
            KAFFINITY Affinity;
        } Interrupt;
        struct {
            ULONG Channel;
            ULONG Port;
            ULONG Reserved1;
        } Dma;
        struct {
            ULONG Channel;
            ULONG RequestLine;
            UCHAR TransferWidth;
            UCHAR Reserved1;
            UCHAR Reserved2;
            UCHAR Reserved3;
        } DmaV3;
        struct {
            ULONG Data[3];
        } DevicePrivate;
    } u;
} CM_PARTIAL_RESOURCE_DESCRIPTOR, *PCM_PARTIAL_RESOURCE_DESCRIPTOR;

typedef struct _DMA_TRANSFER_INFO_V1 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize; /* bytes */
} DMA_TRANSFER_INFO_V1, *PDMA_TRANSFER_INFO_V1;

typedef struct _DMA_TRANSFER_INFO_V2 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize; /* bytes */
    ULONG LogicalPageCount;
} DMA_TRANSFER_INFO_V2, *PDMA_TRANSFER_INFO_V2;

typedef struct _DMA_TRANSFER_INFO {
    ULONG Version;
    union {
        DMA_TRANSFER_INFO_V1 V1;
        DMA_TRANSFER_INFO_V2 V2;
    };
} DMA_TRANSFER_INFO, *PDMA_TRANSFER_INFO;

typedef struct _DMA_ADAPTER_INFO_V1 {
    ULONG ReadDmaCounterAvailable;
    ULONG ScatterGatherLimit;
    ULONG DmaAddressWidth;     /* bits */
    ULONG Flags;               /* none are defined */
    ULONG MinimumTransferUnit; /* bytes */
} DMA_ADAPTER_INFO_V1, *PDMA_ADAPTER_INFO_V1;

typedef struct _DMA_ADAPTER_INFO {
    ULONG Version;
    union {
        DMA_ADAPTER_INFO_V1 V1;
    };
} DMA_ADAPTER_INFO, *PDMA_ADAPTER_INFO;

typedef struct _DMA_OPERATIONS DMA_OPERATIONS, *PDMA_OPERATIONS;

/* What a device masters the bus with, or its channel of the system's controller. */
typedef struct _DMA_ADAPTER {
    USHORT Version;
    USHORT Size;
    PDMA_OPERATIONS DmaOperations;
} DMA_ADAPTER, *PDMA_ADAPTER;

/* Three callbacks of a driver, each at DISPATCH_LEVEL. */

/* The adapter's channel and its map registers are there. What it returns says what stays held:
 * KeepObject the channel and the registers, DeallocateObjectKeepRegisters the registers,
 * DeallocateObject nothing.
 * Models: AdapterControl. Source: DRIVER_CONTROL callback function (wdm.h).
 * [MapRegisterBase] owned by the machine; NULL for an adapter that needs no registers. */
typedef IO_ALLOCATION_ACTION DRIVER_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp,
                                            PVOID MapRegisterBase, PVOID Context);
typedef DRIVER_CONTROL *PDRIVER_CONTROL;

/* A scatter/gather list is built.
 * Models: AdapterListControl. Source: DRIVER_LIST_CONTROL callback function (wdm.h).
 * [ScatterGather] owned by the machine, valid until PutScatterGatherList. */
typedef void DRIVER_LIST_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp,
                                 PSCATTER_GATHER_LIST ScatterGather, PVOID Context);
typedef DRIVER_LIST_CONTROL *PDRIVER_LIST_CONTROL;

/* The system's controller has finished a transfer, or CancelMappedTransfer has stopped it.
 * Models: DmaCompletionRoutine. Source: DMA_COMPLETION_ROUTINE callback function (wdm.h). */
typedef void DMA_COMPLETION_ROUTINE(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                    PVOID CompletionContext, DMA_COMPLETION_STATUS Status);
typedef DMA_COMPLETION_ROUTINE *PDMA_COMPLETION_ROUTINE;

/* The routines of DMA_OPERATIONS, which a driver reaches through its adapter's table.
 *
 * Models: the routine that a type is named after.
 * Source: the page of its pointer type (PPUT_DMA_ADAPTER callback function, and so on; wdm.h).
 * Unless a block says otherwise, MDLs and contexts are borrowed, adapters stay the caller's, and
 * [Offset] counts bytes from the first byte of the chain [Mdl]. What a real machine leaves
 * undefined halts this one. */

/* Gives the adapter back.
 * Errors: bug check 0xE6 for one that holds registers, lists, common buffers or its channel. */
typedef void PUT_DMA_ADAPTER(PDMA_ADAPTER DmaAdapter);
typedef PUT_DMA_ADAPTER *PPUT_DMA_ADAPTER;

/* Memory that processor and device see at once, physically contiguous, at least a page.
 * [LogicalAddress] written only on success. Owned by the caller, release with FreeCommonBuffer and
 * the same arguments.
 * Errors: NULL when there is none within the adapter's reach. */
typedef PVOID ALLOCATE_COMMON_BUFFER(PDMA_ADAPTER DmaAdapter, ULONG Length,
                                     PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled);
typedef ALLOCATE_COMMON_BUFFER *PALLOCATE_COMMON_BUFFER;

/* Releases what AllocateCommonBuffer gave. */
typedef void FREE_COMMON_BUFFER(PDMA_ADAPTER DmaAdapter, ULONG Length,
                                PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                                BOOLEAN CacheEnabled);
typedef FREE_COMMON_BUFFER *PFREE_COMMON_BUFFER;

/* Asks for the adapter's channel and [NumberOfMapRegisters] map registers, in arrival order;
 * [ExecutionRoutine] runs when both are there, inside the call if they are there already. [Context]
 * borrowed: handed on as it is.
 * Errors: STATUS_INSUFFICIENT_RESOURCES when more are wanted than the adapter was granted. O(log
 * pool). */
typedef NTSTATUS ALLOCATE_ADAPTER_CHANNEL(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                          ULONG NumberOfMapRegisters,
                                          PDRIVER_CONTROL ExecutionRoutine, PVOID Context);
typedef ALLOCATE_ADAPTER_CHANNEL *PALLOCATE_ADAPTER_CHANNEL;

/* Ends a mapping: what a device wrote through map registers is in the buffer afterwards. */
typedef BOOLEAN FLUSH_ADAPTER_BUFFERS(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      PVOID CurrentVa, ULONG Length, BOOLEAN WriteToDevice);
typedef FLUSH_ADAPTER_BUFFERS *PFLUSH_ADAPTER_BUFFERS;

/* Gives back the registers held with the channel, if any, then the channel; what waited for them
 * runs inside the call. */
typedef void FREE_ADAPTER_CHANNEL(PDMA_ADAPTER DmaAdapter);
typedef FREE_ADAPTER_CHANNEL *PFREE_ADAPTER_CHANNEL;

/* Gives back a run of registers; what waited for them runs inside the call.
 * Errors: bug check 0xE6 for a run freed before, or with another length than it was allocated
 * with. */
typedef void FREE_MAP_REGISTERS(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase,
                                ULONG NumberOfMapRegisters);
typedef FREE_MAP_REGISTERS *PFREE_MAP_REGISTERS;

/* Maps one run of consecutive addresses from [CurrentVa] on and returns where the device sees it;
 * [Length] becomes the bytes mapped. */
typedef PHYSICAL_ADDRESS MAP_TRANSFER(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      PVOID CurrentVa, PULONG Length, BOOLEAN WriteToDevice);
typedef MAP_TRANSFER *PMAP_TRANSFER;

/* The alignment, in bytes, that the adapter wants of its buffers. */
typedef ULONG GET_DMA_ALIGNMENT(PDMA_ADAPTER DmaAdapter);
typedef GET_DMA_ALIGNMENT *PGET_DMA_ALIGNMENT;

/* The bytes that a running system transfer has left. */
typedef ULONG READ_DMA_COUNTER(PDMA_ADAPTER DmaAdapter);
typedef READ_DMA_COUNTER *PREAD_DMA_COUNTER;

/* Asks for registers and a list over a whole range, in arrival order. The list is owned by the
 * machine, valid until PutScatterGatherList. [CurrentVa] lies in the first MDL.
 * Errors: STATUS_BUFFER_TOO_SMALL for a range past the chain; STATUS_INSUFFICIENT_RESOURCES when
 * more registers are wanted than the adapter was granted. */
typedef NTSTATUS GET_SCATTER_GATHER_LIST(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                         PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                         BOOLEAN WriteToDevice);
typedef GET_SCATTER_GATHER_LIST *PGET_SCATTER_GATHER_LIST;

/* Flushes the whole list, then frees its registers.
 * Errors: bug check 0xE6 for a list put before. */
typedef void PUT_SCATTER_GATHER_LIST(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                     BOOLEAN WriteToDevice);
typedef PUT_SCATTER_GATHER_LIST *PPUT_SCATTER_GATHER_LIST;

/* The bytes that a list over a range can take, and its map registers; for a NULL [Mdl] by the
 * length alone. [pNumberOfMapRegisters] may be NULL. */
typedef NTSTATUS CALCULATE_SCATTER_GATHER_LIST_SIZE(PDMA_ADAPTER DmaAdapter, PMDL Mdl,
                                                    PVOID CurrentVa, ULONG Length,
                                                    PULONG ScatterGatherListSize,
                                                    PULONG pNumberOfMapRegisters);
typedef CALCULATE_SCATTER_GATHER_LIST_SIZE *PCALCULATE_SCATTER_GATHER_LIST_SIZE;

/* As GetScatterGatherList; the list is built in [ScatterGatherBuffer], owned by the caller,
 * borrowed until PutScatterGatherList.
 * Errors besides: STATUS_BUFFER_TOO_SMALL for fewer bytes than CalculateScatterGatherList says. */
typedef NTSTATUS BUILD_SCATTER_GATHER_LIST(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                           PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                           PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                           BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                           ULONG ScatterGatherLength);
typedef BUILD_SCATTER_GATHER_LIST *PBUILD_SCATTER_GATHER_LIST;

/* Reserved for the system. */
typedef NTSTATUS BUILD_MDL_FROM_SCATTER_GATHER_LIST(PDMA_ADAPTER DmaAdapter,
                                                    PSCATTER_GATHER_LIST ScatterGather,
                                                    PMDL OriginalMdl, PMDL *TargetMdl);
typedef BUILD_MDL_FROM_SCATTER_GATHER_LIST *PBUILD_MDL_FROM_SCATTER_GATHER_LIST;

/* From version 3 on. */

/* What the adapter can do, into [AdapterInfo], whose Version the caller has set. */
typedef NTSTATUS GET_DMA_ADAPTER_INFO(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
typedef GET_DMA_ADAPTER_INFO *PGET_DMA_ADAPTER_INFO;

/* What mapping a range would take, into [TransferInfo], whose Version the caller has set; nothing
 * is taken.
 * Errors: STATUS_BUFFER_TOO_SMALL for a range past the chain. */
typedef NTSTATUS GET_DMA_TRANSFER_INFO(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset,
                                       ULONG Length, BOOLEAN WriteOnly,
                                       PDMA_TRANSFER_INFO TransferInfo);
typedef GET_DMA_TRANSFER_INFO *PGET_DMA_TRANSFER_INFO;

/* Makes a transfer context neither cancelled nor mapped. [DmaTransferContext] owned by the
 * caller, of DMA_TRANSFER_CONTEXT_SIZE_V1 bytes; borrowed as long as a request or a transfer
 * goes under it. */
typedef NTSTATUS INITIALIZE_DMA_TRANSFER_CONTEXT(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
typedef INITIALIZE_DMA_TRANSFER_CONTEXT *PINITIALIZE_DMA_TRANSFER_CONTEXT;

/* As AllocateCommonBuffer, below [MaximumAddress] unless that is NULL. */
typedef PVOID ALLOCATE_COMMON_BUFFER_EX(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress,
                                        ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                        BOOLEAN CacheEnabled, NODE_REQUIREMENT PreferredNode);
typedef ALLOCATE_COMMON_BUFFER_EX *PALLOCATE_COMMON_BUFFER_EX;

/* As AllocateAdapterChannel, under a transfer context by which CancelAdapterChannel finds it.
 * With DMA_SYNCHRONOUS_CALLBACK it never waits but answers STATUS_INSUFFICIENT_RESOURCES, and
 * may go without a routine: then [MapRegisterBase] is written, and FreeAdapterObject ends the
 * allocation. */
typedef NTSTATUS ALLOCATE_ADAPTER_CHANNEL_EX(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                             PVOID DmaTransferContext, ULONG NumberOfMapRegisters,
                                             ULONG Flags, PDRIVER_CONTROL ExecutionRoutine,
                                             PVOID ExecutionContext, PVOID *MapRegisterBase);
typedef ALLOCATE_ADAPTER_CHANNEL_EX *PALLOCATE_ADAPTER_CHANNEL_EX;

/* Sets a channel of the system's controller up as its maker defines. */
typedef NTSTATUS CONFIGURE_ADAPTER_CHANNEL(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber,
                                           PVOID Context);
typedef CONFIGURE_ADAPTER_CHANNEL *PCONFIGURE_ADAPTER_CHANNEL;

/* TRUE if a waiting request was taken back: its routine will not run. FALSE: none waited under the
 * context. */
typedef BOOLEAN CANCEL_ADAPTER_CHANNEL(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                       PVOID DmaTransferContext);
typedef CANCEL_ADAPTER_CHANNEL *PCANCEL_ADAPTER_CHANNEL;

/* Maps from [Offset] on, at most to the end of that MDL and to what the registers carry; [Length]
 * becomes the bytes mapped. A bus master gets one element, a system adapter as many as fit, and its
 * transfer starts. [ScatterGatherBuffer] owned by the caller, written; NULL only for a system
 * adapter. [DmaCompletionRoutine] may be NULL.
 * Errors: STATUS_CANCELLED under a cancelled context, nothing mapped; STATUS_INVALID_PARAMETER for
 * a buffer too small for one element. */
typedef NTSTATUS MAP_TRANSFER_EX(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                 ULONGLONG Offset, ULONG DeviceOffset, PULONG Length,
                                 BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer,
                                 ULONG ScatterGatherBufferLength,
                                 PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                 PVOID CompletionContext);
typedef MAP_TRANSFER_EX *PMAP_TRANSFER_EX;

/* As GetScatterGatherList, under a transfer context; with DMA_SYNCHRONOUS_CALLBACK as
 * AllocateAdapterChannelEx. [ScatterGatherList] may be NULL where a routine is given. The last two
 * arguments before it are not used. */
typedef NTSTATUS
GET_SCATTER_GATHER_LIST_EX(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                           PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                           ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                           BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                           PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList);
typedef GET_SCATTER_GATHER_LIST_EX *PGET_SCATTER_GATHER_LIST_EX;

/* As BuildScatterGatherList, under a transfer context; with DMA_SYNCHRONOUS_CALLBACK as
 * AllocateAdapterChannelEx. [ScatterGatherList] points to a PSCATTER_GATHER_LIST, or is NULL. */
typedef NTSTATUS BUILD_SCATTER_GATHER_LIST_EX(
    PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
    ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine,
    PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer, ULONG ScatterGatherLength,
    PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext, PVOID ScatterGatherList);
typedef BUILD_SCATTER_GATHER_LIST_EX *PBUILD_SCATTER_GATHER_LIST_EX;

/* As FlushAdapterBuffers; the transfer context under which the channel was allocated is neither
 * cancelled nor mapped afterwards, and a transfer still running stops. */
typedef NTSTATUS FLUSH_ADAPTER_BUFFERS_EX(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                          ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice);
typedef FLUSH_ADAPTER_BUFFERS_EX *PFLUSH_ADAPTER_BUFFERS_EX;

/* Ends an allocation that was made without a routine, by what a routine would have returned;
 * KeepObject does nothing. */
typedef void FREE_ADAPTER_OBJECT(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
typedef FREE_ADAPTER_OBJECT *PFREE_ADAPTER_OBJECT;

/* Marks a transfer context cancelled. A transfer running under it stops, and its completion routine
 * runs with DmaCancelled inside the call.
 * Errors: STATUS_UNSUCCESSFUL for a context already cancelled. */
typedef NTSTATUS CANCEL_MAPPED_TRANSFER(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
typedef CANCEL_MAPPED_TRANSFER *PCANCEL_MAPPED_TRANSFER;

/* Additions of Windows 10 and later: DMA domains, bounded common buffers, and vectors of them. */
typedef NTSTATUS ALLOCATE_DOMAIN_COMMON_BUFFER(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle,
                                               PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                               ULONG Flags, MEMORY_CACHING_TYPE *CacheType,
                                               NODE_REQUIREMENT PreferredNode,
                                               PPHYSICAL_ADDRESS LogicalAddress,
                                               PVOID *VirtualAddress);
typedef ALLOCATE_DOMAIN_COMMON_BUFFER *PALLOCATE_DOMAIN_COMMON_BUFFER;
typedef NTSTATUS FLUSH_DMA_BUFFER(PDMA_ADAPTER DmaAdapter, PMDL Mdl, BOOLEAN ReadOperation);
typedef FLUSH_DMA_BUFFER *PFLUSH_DMA_BUFFER;
typedef NTSTATUS JOIN_DMA_DOMAIN(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle);
typedef JOIN_DMA_DOMAIN *PJOIN_DMA_DOMAIN;
typedef NTSTATUS LEAVE_DMA_DOMAIN(PDMA_ADAPTER DmaAdapter);
typedef LEAVE_DMA_DOMAIN *PLEAVE_DMA_DOMAIN;
typedef HANDLE GET_DMA_DOMAIN(PDMA_ADAPTER DmaAdapter);
typedef GET_DMA_DOMAIN *PGET_DMA_DOMAIN;
typedef PVOID ALLOCATE_COMMON_BUFFER_WITH_BOUNDS(PDMA_ADAPTER DmaAdapter,
                                                 PPHYSICAL_ADDRESS MinimumAddress,
                                                 PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                                 ULONG Flags, MEMORY_CACHING_TYPE *CacheType,
                                                 NODE_REQUIREMENT PreferredNode,
                                                 PPHYSICAL_ADDRESS LogicalAddress);
typedef ALLOCATE_COMMON_BUFFER_WITH_BOUNDS *PALLOCATE_COMMON_BUFFER_WITH_BOUNDS;
typedef NTSTATUS ALLOCATE_COMMON_BUFFER_VECTOR(PDMA_ADAPTER DmaAdapter, PHYSICAL_ADDRESS LowAddress,
                                               PHYSICAL_ADDRESS HighAddress,
                                               MEMORY_CACHING_TYPE CacheType,
                                               NODE_REQUIREMENT IdealNode, ULONG Flags,
                                               ULONG NumberOfElements, ULONGLONG SizeOfElements,
                                               PDMA_COMMON_BUFFER_VECTOR *VectorOut);
typedef ALLOCATE_COMMON_BUFFER_VECTOR *PALLOCATE_COMMON_BUFFER_VECTOR;
typedef void GET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX(PDMA_ADAPTER DmaAdapter,
                                                    PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index,
                                                    PVOID *VirtualAddressOut,
                                                    PPHYSICAL_ADDRESS LogicalAddressOut);
typedef GET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX *PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX;
typedef void FREE_COMMON_BUFFER_FROM_VECTOR(PDMA_ADAPTER DmaAdapter,
                                            PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index);
typedef FREE_COMMON_BUFFER_FROM_VECTOR *PFREE_COMMON_BUFFER_FROM_VECTOR;
typedef void FREE_COMMON_BUFFER_VECTOR(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector);
typedef FREE_COMMON_BUFFER_VECTOR *PFREE_COMMON_BUFFER_VECTOR;
typedef NTSTATUS
CREATE_COMMON_BUFFER_FROM_MDL(PDMA_ADAPTER DmaAdapter, PMDL Mdl,
                              PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION ExtendedConfigs,
                              ULONG ExtendedConfigsCount, PPHYSICAL_ADDRESS LogicalAddress);
typedef CREATE_COMMON_BUFFER_FROM_MDL *PCREATE_COMMON_BUFFER_FROM_MDL;

/* The table of an adapter. [Size] says how far it goes.
 * Source: DMA_OPERATIONS structure (wdm.h), whose order this is. */
struct _DMA_OPERATIONS {
    ULONG Size;
    PPUT_DMA_ADAPTER PutDmaAdapter;
    PALLOCATE_COMMON_BUFFER AllocateCommonBuffer;
    PFREE_COMMON_BUFFER FreeCommonBuffer;
    PALLOCATE_ADAPTER_CHANNEL AllocateAdapterChannel;
    PFLUSH_ADAPTER_BUFFERS FlushAdapterBuffers;
    PFREE_ADAPTER_CHANNEL FreeAdapterChannel;
    PFREE_MAP_REGISTERS FreeMapRegisters;
    PMAP_TRANSFER MapTransfer;
    PGET_DMA_ALIGNMENT GetDmaAlignment;
    PREAD_DMA_COUNTER ReadDmaCounter;
    PGET_SCATTER_GATHER_LIST GetScatterGatherList;
    PPUT_SCATTER_GATHER_LIST PutScatterGatherList;
    PCALCULATE_SCATTER_GATHER_LIST_SIZE CalculateScatterGatherList;
    PBUILD_SCATTER_GATHER_LIST BuildScatterGatherList;
    PBUILD_MDL_FROM_SCATTER_GATHER_LIST BuildMdlFromScatterGatherList;
    PGET_DMA_ADAPTER_INFO GetDmaAdapterInfo;
    PGET_DMA_TRANSFER_INFO GetDmaTransferInfo;
    PINITIALIZE_DMA_TRANSFER_CONTEXT InitializeDmaTransferContext;
    PALLOCATE_COMMON_BUFFER_EX AllocateCommonBufferEx;
    PALLOCATE_ADAPTER_CHANNEL_EX AllocateAdapterChannelEx;
    PCONFIGURE_ADAPTER_CHANNEL ConfigureAdapterChannel;
    PCANCEL_ADAPTER_CHANNEL CancelAdapterChannel;
    PMAP_TRANSFER_EX MapTransferEx;
    PGET_SCATTER_GATHER_LIST_EX GetScatterGatherListEx;
    PBUILD_SCATTER_GATHER_LIST_EX BuildScatterGatherListEx;
    PFLUSH_ADAPTER_BUFFERS_EX FlushAdapterBuffersEx;
    PFREE_ADAPTER_OBJECT FreeAdapterObject;
    PCANCEL_MAPPED_TRANSFER CancelMappedTransfer;
    PALLOCATE_DOMAIN_COMMON_BUFFER AllocateDomainCommonBuffer;
    PFLUSH_DMA_BUFFER FlushDmaBuffer;
    PJOIN_DMA_DOMAIN JoinDmaDomain;
    PLEAVE_DMA_DOMAIN LeaveDmaDomain;
    PGET_DMA_DOMAIN GetDmaDomain;
    PALLOCATE_COMMON_BUFFER_WITH_BOUNDS AllocateCommonBufferWithBounds;
    PALLOCATE_COMMON_BUFFER_VECTOR AllocateCommonBufferVector;
    PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX GetCommonBufferFromVectorByIndex;
    PFREE_COMMON_BUFFER_FROM_VECTOR FreeCommonBufferFromVector;
    PFREE_COMMON_BUFFER_VECTOR FreeCommonBufferVector;
    PCREATE_COMMON_BUFFER_FROM_MDL CreateCommonBufferFromMdl;
};

/* Makes an adapter for the device described.
 * Models: IoGetDmaAdapter. Source: IoGetDmaAdapter function (wdm.h).
 * [PhysicalDeviceObject] borrowed, [DeviceDescription] copied. [NumberOfMapRegisters] written on
 * success: the most that one allocation is granted. The adapter is owned by the caller, release
 * with DmaOperations->PutDmaAdapter.
 * Errors: NULL where fewer than 2 map registers can be granted, or the width is none that an
 * adapter has. */
WDFDMA_API PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject,
                                        PDEVICE_DESCRIPTION DeviceDescription,
                                        PULONG NumberOfMapRegisters);

/* Makes an MDL with room for [Length] bytes at [VirtualAddress], its page frame numbers still to be
 * filled in.
 * Models: IoAllocateMdl. Source: IoAllocateMdl function (wdm.h).
 * [VirtualAddress] names the place, and nothing is read there. [Irp] borrowed, may be NULL. The MDL
 * is owned by the caller, release with IoFreeMdl.
 * Errors: NULL for a length of 0, or when memory has run out. */
WDFDMA_API PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer,
                              BOOLEAN ChargeQuota, PIRP Irp);

/* Frees [Mdl] alone: not those behind it in its chain, and not the buffer.
 * Models: IoFreeMdl. Source: IoFreeMdl function (wdm.h).
 * [Mdl] was owned by the caller. */
WDFDMA_API void IoFreeMdl(PMDL Mdl);

/* Makes [TargetMdl] describe a part of [SourceMdl]: [Length] bytes from [VirtualAddress] on, or for
 * 0 all to the end.
 * Models: IoBuildPartialMdl. Source: IoBuildPartialMdl function (wdm.h).
 * Both borrowed. The target shares the source's pages and must be freed before they go. */
WDFDMA_API void IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress,
                                  ULONG Length);

/* Fills in the page frame numbers of [Mdl], for a buffer that never leaves memory.
 * Models: MmBuildMdlForNonPagedPool. Source: MmBuildMdlForNonPagedPool function (wdm.h).
 * [Mdl] borrowed. */
WDFDMA_API void MmBuildMdlForNonPagedPool(PMDL Mdl);

/* Fills in the page frame numbers of [Mdl] and keeps its pages in memory until MmUnlockPages.
 * Models: MmProbeAndLockPages. Source: MmProbeAndLockPages function (wdm.h).
 * [MemoryDescriptorList] borrowed.
 * Choice: where the real routine raises an exception, this one halts the machine, for C has no
 * exceptions. */
WDFDMA_API void MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                    LOCK_OPERATION Operation);

/* Undoes MmProbeAndLockPages.
 * Models: MmUnlockPages. Source: MmUnlockPages function (wdm.h).
 * [MemoryDescriptorList] borrowed. */
WDFDMA_API void MmUnlockPages(PMDL MemoryDescriptorList);

/* An address at which the processor sees the buffer of one MDL in one piece. Drivers call it
 * through MmGetSystemAddressForMdlSafe.
 * Models: MmMapLockedPagesSpecifyCache. Source: MmMapLockedPagesSpecifyCache function (wdm.h).
 * [MemoryDescriptorList] borrowed. The address is owned by the machine, valid while the MDL's pages
 * are.
 * Errors: NULL where the pages do not lie one after another in the machine's own memory. */
WDFDMA_API PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                              MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress,
                                              ULONG BugCheckOnFailure, ULONG Priority);

/* Gives back the address that MmMapLockedPagesSpecifyCache returned.
 * Models: MmUnmapLockedPages. Source: MmUnmapLockedPages function (wdm.h).
 * [MemoryDescriptorList] borrowed. */
WDFDMA_API void MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList);

/* The IRQL at which the driver runs now.
 * Models: KeGetCurrentIrql. Source: KeGetCurrentIrql function (wdm.h).
 * PASSIVE_LEVEL where the thread has no machine. */
WDFDMA_API KIRQL KeGetCurrentIrql(void);

/* Raises the IRQL to [NewIrql] and returns the one before. Drivers call it through KeRaiseIrql.
 * Models: KeRaiseIrql. Source: KeRaiseIrql macro (wdm.h).
 * Errors: bug check 0x9 (IRQL_NOT_GREATER_OR_EQUAL) for an IRQL below the current one. */
WDFDMA_API KIRQL KfRaiseIrql(KIRQL NewIrql);

/* Goes back to the IRQL before KeRaiseIrql.
 * Models: KeLowerIrql. Source: KeLowerIrql function (wdm.h).
 * Errors: bug check 0xA (IRQL_NOT_LESS_OR_EQUAL) for an IRQL above the current one. */
WDFDMA_API void KeLowerIrql(KIRQL NewIrql);
/* cffi: end */

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus) && (defined(__GNUC__) || defined(__clang__))
#pragma GCC diagnostic pop
#elif defined(_MSC_VER)
#pragma warning(pop)
#endif

#define KeRaiseIrql(NewIrql, OldIrql) ((void)(*(OldIrql) = KfRaiseIrql(NewIrql)))

/* A coherent machine has nothing to flush. */
#define KeFlushIoBuffers(Mdl, ReadOperation, DmaOperation) \
    ((void)(Mdl), (void)(ReadOperation), (void)(DmaOperation))

/* Parts of an MDL. */
#define MmGetMdlByteCount(Mdl) ((Mdl)->ByteCount)
#define MmGetMdlByteOffset(Mdl) ((Mdl)->ByteOffset)
#define MmGetMdlBaseVa(Mdl) ((Mdl)->StartVa)
#define MmGetMdlVirtualAddress(Mdl) ((PVOID)((PCHAR)(Mdl)->StartVa + (Mdl)->ByteOffset))
#define MmGetMdlPfnArray(Mdl) ((PPFN_NUMBER)((Mdl) + 1))
#define MmGetSystemAddressForMdlSafe(Mdl, Priority) \
    (((Mdl)->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0 \
         ? (Mdl)->MappedSystemVa \
         : MmMapLockedPagesSpecifyCache((Mdl), KernelMode, MmCached, NULL, FALSE, \
                                        (ULONG)(Priority)))

/* Helpers. */
#define RtlZeroMemory(Destination, Length) ((void)memset((Destination), 0, (Length)))
#define RtlFillMemory(Destination, Length, Fill) ((void)memset((Destination), (Fill), (Length)))
#define RtlCopyMemory(Destination, Source, Length) ((void)memcpy((Destination), (Source), (Length)))
#define RtlMoveMemory(Destination, Source, Length) \
    ((void)memmove((Destination), (Source), (Length)))
#define RtlEqualMemory(Left, Right, Length) (memcmp((Left), (Right), (Length)) == 0)

/* Registers of a device that the driver has mapped: one access each, in order. */
static inline UCHAR READ_REGISTER_UCHAR(const volatile UCHAR *Register) {
    return *Register;
}

static inline USHORT READ_REGISTER_USHORT(const volatile USHORT *Register) {
    return *Register;
}

static inline ULONG READ_REGISTER_ULONG(const volatile ULONG *Register) {
    return *Register;
}

static inline ULONG64 READ_REGISTER_ULONG64(const volatile ULONG64 *Register) {
    return *Register;
}

static inline void WRITE_REGISTER_UCHAR(volatile UCHAR *Register, UCHAR Value) {
    *Register = Value;
}

static inline void WRITE_REGISTER_USHORT(volatile USHORT *Register, USHORT Value) {
    *Register = Value;
}

static inline void WRITE_REGISTER_ULONG(volatile ULONG *Register, ULONG Value) {
    *Register = Value;
}

static inline void WRITE_REGISTER_ULONG64(volatile ULONG64 *Register, ULONG64 Value) {
    *Register = Value;
}

/* Doubly linked lists: a head that points to itself is empty. */
static inline void InitializeListHead(PLIST_ENTRY ListHead) {
    ListHead->Flink = ListHead;
    ListHead->Blink = ListHead;
}

static inline BOOLEAN IsListEmpty(const LIST_ENTRY *ListHead) {
    return (BOOLEAN)(ListHead->Flink == ListHead);
}

/* Puts [Entry] between two neighbours. */
static inline void wdk_list_insert(PLIST_ENTRY Before, PLIST_ENTRY Entry, PLIST_ENTRY After) {
    Entry->Blink = Before;
    Entry->Flink = After;
    Before->Flink = Entry;
    After->Blink = Entry;
}

static inline void InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry) {
    wdk_list_insert(ListHead, Entry, ListHead->Flink);
}

static inline void InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry) {
    wdk_list_insert(ListHead->Blink, Entry, ListHead);
}

/* TRUE if the list is empty afterwards. */
static inline BOOLEAN RemoveEntryList(PLIST_ENTRY Entry) {
    PLIST_ENTRY before = Entry->Blink;
    PLIST_ENTRY after = Entry->Flink;
    before->Flink = after;
    after->Blink = before;
    return (BOOLEAN)(before == after);
}

static inline PLIST_ENTRY RemoveHeadList(PLIST_ENTRY ListHead) {
    PLIST_ENTRY entry = ListHead->Flink;
    (void)RemoveEntryList(entry);
    return entry;
}

static inline PLIST_ENTRY RemoveTailList(PLIST_ENTRY ListHead) {
    PLIST_ENTRY entry = ListHead->Blink;
    (void)RemoveEntryList(entry);
    return entry;
}

/* Printed to nobody. */
#define DbgPrint(...) ((void)0)
#define DbgPrintEx(...) ((void)0)
#define KdPrint(Arguments) ((void)0)
#define KdPrintEx(Arguments) ((void)0)
#define DbgBreakPoint() ((void)0)

/* As in a free build: not evaluated, but what they name is used. */
#ifndef ASSERT
#define ASSERT(Expression) ((void)sizeof(!(Expression)))
#endif
#ifndef ASSERTMSG
#define ASSERTMSG(Message, Expression) ((void)sizeof(!(Expression)))
#endif
#ifndef NT_ASSERT
#define NT_ASSERT(Expression) ((void)sizeof(!(Expression)))
#endif

#endif
