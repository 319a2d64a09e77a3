/* DMA transactions: one buffer on its way to or from a device, in as many transfers as it takes. */
#ifndef WDFDMA_WDK_WDFDMATRANSACTION_H
#define WDFDMA_WDK_WDFDMATRANSACTION_H

#include "wdfdmaenabler.h"
#include "wdfrequest.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
/* Starts the device on one transfer, at DISPATCH_LEVEL. The driver may complete, delete or execute
 * the transaction inside.
 * Models: EvtProgramDma. Source: EVT_WDF_PROGRAM_DMA callback function (wdfdmatransaction.h).
 * [SgList] owned by the machine, valid until the transfer is completed. [Context] is what Execute
 * was given. What it returns is not looked at. */
typedef BOOLEAN EVT_WDF_PROGRAM_DMA(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                    WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                    PSCATTER_GATHER_LIST SgList);
typedef EVT_WDF_PROGRAM_DMA *PFN_WDF_PROGRAM_DMA;

/* The map registers of WdfDmaTransactionAllocateResources are there. At DISPATCH_LEVEL.
 * Models: EvtReserveDma. Source: EVT_WDF_RESERVE_DMA callback function (wdfdmatransaction.h).
 * The buffer is to be given now, by WdfDmaTransactionInitialize. [Context] is what
 * AllocateResources was given. */
typedef void EVT_WDF_RESERVE_DMA(WDFDMATRANSACTION DmaTransaction, PVOID Context);
typedef EVT_WDF_RESERVE_DMA *PFN_WDF_RESERVE_DMA;

/* A transfer of a system profile is about to be mapped. At DISPATCH_LEVEL. FALSE keeps the
 * framework from it: the transaction stays as it is, holding its channel, unless the driver
 * completes it.
 * Models: EvtDmaTransactionConfigureDmaChannel.
 * Source: EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL callback function (wdfdmatransaction.h).
 * [Offset] and [Length] in bytes of the chain [Mdl], borrowed. [Context] is what the callback was
 * set with. */
typedef BOOLEAN EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL(WDFDMATRANSACTION Transaction,
                                                              WDFDEVICE Device, PVOID Context,
                                                              PMDL Mdl, size_t Offset,
                                                              size_t Length);
typedef EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL
    *PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL;

/* The controller has finished a transfer of a system profile, or it was stopped, or could not be
 * started. At DISPATCH_LEVEL. The driver answers with a WdfDmaTransactionDmaCompleted function, now
 * or later.
 * Models: EvtDmaTransactionDmaTransferComplete.
 * Source: EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE callback function (wdfdmatransaction.h).
 * [Context] is what the callback was set with. */
typedef void EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE(WDFDMATRANSACTION Transaction,
                                                           WDFDEVICE Device, WDFCONTEXT Context,
                                                           WDF_DMA_DIRECTION Direction,
                                                           DMA_COMPLETION_STATUS Status);
typedef EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE
    *PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE;

/* Makes a transaction of the kind that the enabler's profile says. State afterwards: created.
 * Models: WdfDmaTransactionCreate. Source: WdfDmaTransactionCreate function (wdfdmatransaction.h).
 * [Attributes] copied, may be NULL. [DmaTransaction] written only on success; owned by the caller,
 * release with WdfObjectDelete (in transfer: a bug check if the verifier is on); its enabler
 * deletes it at the latest.
 * Errors: STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS WdfDmaTransactionCreate(WDFDMAENABLER DmaEnabler,
                                            PWDF_OBJECT_ATTRIBUTES Attributes,
                                            WDFDMATRANSACTION *DmaTransaction);

/* Gives the transaction the buffer of [Request], from its first byte on, and remembers the request.
 * Models: WdfDmaTransactionInitializeUsingRequest.
 * Source: WdfDmaTransactionInitializeUsingRequest function (wdfdmatransaction.h).
 * [Request] borrowed until the transaction is released or deleted; from Execute until the
 * transaction is over it must not be completed.
 * Errors: STATUS_INVALID_PARAMETER for a bad direction, or for a version 2 packet profile a buffer
 * longer than its first MDL; STATUS_INVALID_DEVICE_REQUEST where the request's type or method does
 * not go with the direction (with a break for METHOD_NEITHER) or its length is 0; as
 * WdfDmaTransactionInitialize.
 * Legal states: created, reserved, released; otherwise a bug check. */
WDFDMA_API NTSTATUS WdfDmaTransactionInitializeUsingRequest(
    WDFDMATRANSACTION DmaTransaction, WDFREQUEST Request, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
    WDF_DMA_DIRECTION DmaDirection);

/* Gives the transaction [Length] bytes of a chain, from [VirtualAddress] in the first MDL on. State
 * afterwards: initialized.
 * Models: WdfDmaTransactionInitialize.
 * Source: WdfDmaTransactionInitialize function (wdfdmatransaction.h).
 * [Mdl] borrowed until the transaction is released or deleted.
 * Errors: STATUS_INVALID_PARAMETER for a length of 0, a bad direction, an address outside the first
 * MDL, or for a version 2 packet profile a range past it; STATUS_WDF_TOO_FRAGMENTED where a
 * transfer needs more pages than the element limit, or under a single-transfer requirement more
 * elements; STATUS_BUFFER_TOO_SMALL and a break for a scatter-gather range far past the chain;
 * under a single-transfer requirement also STATUS_WDF_TOO_MANY_TRANSFERS,
 * STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS, STATUS_INSUFFICIENT_RESOURCES. An error found after the
 * arguments' checks leaves the state released.
 * Legal states: created, reserved, released; otherwise a bug check. */
WDFDMA_API NTSTATUS WdfDmaTransactionInitialize(WDFDMATRANSACTION DmaTransaction,
                                                PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                                WDF_DMA_DIRECTION DmaDirection, PMDL Mdl,
                                                PVOID VirtualAddress, size_t Length);

/* As WdfDmaTransactionInitialize, the start given as [Offset] bytes from the start of the first
 * MDL.
 * Models: WdfDmaTransactionInitializeUsingOffset.
 * Source: WdfDmaTransactionInitializeUsingOffset function (wdfdmatransaction.h).
 * [Mdl] borrowed until the transaction is released or deleted.
 * Errors: as WdfDmaTransactionInitialize.
 * Legal states: created, reserved, released; otherwise a bug check. */
WDFDMA_API NTSTATUS WdfDmaTransactionInitializeUsingOffset(
    WDFDMATRANSACTION DmaTransaction, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
    WDF_DMA_DIRECTION DmaDirection, PMDL Mdl, size_t Offset, size_t Length);

/* Starts the first transfer: at once, or when the map registers for it come. State afterwards:
 * transfer.
 * Models: WdfDmaTransactionExecute.
 * Source: WdfDmaTransactionExecute function (wdfdmatransaction.h).
 * [Context] borrowed: handed to the callbacks as it is.
 * Errors, after which the state is transfer_failed and the driver must release: STATUS_WDF_BUSY and
 * a break while another version 2 packet transaction of the device is under way;
 * STATUS_INSUFFICIENT_RESOURCES; STATUS_WDF_TOO_FRAGMENTED; STATUS_BUFFER_TOO_SMALL for a list over
 * a range past the chain.
 * Legal states: initialized; otherwise a bug check. */
WDFDMA_API NTSTATUS WdfDmaTransactionExecute(WDFDMATRANSACTION DmaTransaction, WDFCONTEXT Context);

/* Gives back what the transaction holds but for a reservation, forgets its buffer, and makes it
 * ready to be initialized again. State afterwards: released.
 * Models: WdfDmaTransactionRelease.
 * Source: WdfDmaTransactionRelease function (wdfdmatransaction.h).
 * Returns STATUS_SUCCESS; in released too, where nothing is done.
 * Legal states: all but transfer, which is a bug check if the verifier is on. */
WDFDMA_API NTSTATUS WdfDmaTransactionRelease(WDFDMATRANSACTION DmaTransaction);

/* The device has transferred all of the current transfer: the next one is started, if there is
 * more.
 * Models: WdfDmaTransactionDmaCompleted.
 * Source: WdfDmaTransactionDmaCompleted function (wdfdmatransaction.h).
 * [Status] is written always. FALSE with STATUS_MORE_PROCESSING_REQUIRED: the next transfer is on
 * its way. TRUE: the transaction is over, with STATUS_SUCCESS (transfer_completed) or an error
 * (transfer_failed); what it held is given back, but for a reservation.
 * Legal states: transfer; otherwise a bug check. */
WDFDMA_API BOOLEAN WdfDmaTransactionDmaCompleted(WDFDMATRANSACTION DmaTransaction,
                                                 NTSTATUS *Status);

/* As WdfDmaTransactionDmaCompleted, the device having transferred [TransferredLength] bytes; the
 * rest of the transfer is tried again with the next.
 * Models: WdfDmaTransactionDmaCompletedWithLength.
 * Source: WdfDmaTransactionDmaCompletedWithLength function (wdfdmatransaction.h).
 * Errors: TRUE with STATUS_INVALID_PARAMETER and a break for more bytes than the transfer has; TRUE
 * with STATUS_WDF_TOO_MANY_TRANSFERS where a single-transfer requirement leaves bytes over.
 * Legal states: transfer; otherwise a bug check. */
WDFDMA_API BOOLEAN WdfDmaTransactionDmaCompletedWithLength(WDFDMATRANSACTION DmaTransaction,
                                                           size_t TransferredLength,
                                                           NTSTATUS *Status);

/* As WdfDmaTransactionDmaCompletedWithLength, and the transaction is over, whatever is left of the
 * buffer.
 * Models: WdfDmaTransactionDmaCompletedFinal.
 * Source: WdfDmaTransactionDmaCompletedFinal function (wdfdmatransaction.h).
 * Returns TRUE.
 * Errors: as WdfDmaTransactionDmaCompletedWithLength.
 * Legal states: transfer; otherwise a bug check. */
WDFDMA_API BOOLEAN WdfDmaTransactionDmaCompletedFinal(WDFDMATRANSACTION DmaTransaction,
                                                      size_t FinalTransferredLength,
                                                      NTSTATUS *Status);

/* The bytes completed so far.
 * Models: WdfDmaTransactionGetBytesTransferred.
 * Source: WdfDmaTransactionGetBytesTransferred function (wdfdmatransaction.h). */
WDFDMA_API size_t WdfDmaTransactionGetBytesTransferred(WDFDMATRANSACTION DmaTransaction);

/* Limits the bytes of each transfer of this transaction, where that is below the adapter's fragment
 * length.
 * Models: WdfDmaTransactionSetMaximumLength.
 * Source: WdfDmaTransactionSetMaximumLength function (wdfdmatransaction.h).
 * Legal states: those with an adapter: after initialization or allocation, until what is held is
 * given back. */
WDFDMA_API void WdfDmaTransactionSetMaximumLength(WDFDMATRANSACTION DmaTransaction,
                                                  size_t MaximumLength);

/* Requires that the buffer goes in one transfer, or else Initialize fails. Release brings the
 * enabler's setting back.
 * Models: WdfDmaTransactionSetSingleTransferRequirement.
 * Source: WdfDmaTransactionSetSingleTransferRequirement function (wdfdmatransaction.h).
 * Errors: without version 3 a break and nothing.
 * Legal states: created, released, reserved; otherwise a break, nothing. */
WDFDMA_API void WdfDmaTransactionSetSingleTransferRequirement(WDFDMATRANSACTION DmaTransaction,
                                                              BOOLEAN RequireSingleTransfer);

/* The request that the transaction was initialized with, or NULL.
 * Models: WdfDmaTransactionGetRequest.
 * Source: WdfDmaTransactionGetRequest function (wdfdmatransaction.h). */
WDFDMA_API WDFREQUEST WdfDmaTransactionGetRequest(WDFDMATRANSACTION DmaTransaction);

/* The bytes of the current transfer: set when it starts, before any wait; 0 once the transaction is
 * over, but kept by a failed Execute and a Cancel that succeeded.
 * Models: WdfDmaTransactionGetCurrentDmaTransferLength.
 * Source: WdfDmaTransactionGetCurrentDmaTransferLength function (wdfdmatransaction.h). */
WDFDMA_API size_t WdfDmaTransactionGetCurrentDmaTransferLength(WDFDMATRANSACTION DmaTransaction);

/* The device whose enabler the transaction belongs to.
 * Models: WdfDmaTransactionGetDevice.
 * Source: WdfDmaTransactionGetDevice function (wdfdmatransaction.h). */
WDFDMA_API WDFDEVICE WdfDmaTransactionGetDevice(WDFDMATRANSACTION DmaTransaction);

/* What the initialized buffer would take in one transfer. Either output may be NULL.
 * Models: WdfDmaTransactionGetTransferInfo.
 * Source: WdfDmaTransactionGetTransferInfo function (wdfdmatransaction.h).
 * In version 3 the adapter is asked, and 0 and 0 stand for a range past the chain; in version 2
 * both numbers are one sum of pages.
 * Legal states: initialized; otherwise a bug check. */
WDFDMA_API void WdfDmaTransactionGetTransferInfo(WDFDMATRANSACTION DmaTransaction,
                                                 ULONG *MapRegisterCount,
                                                 ULONG *ScatterGatherElementCount);

/* Sets or clears (NULL) what is called before each transfer of a system profile is mapped. It
 * survives Release.
 * Models: WdfDmaTransactionSetChannelConfigurationCallback.
 * Source: WdfDmaTransactionSetChannelConfigurationCallback function (wdfdmatransaction.h).
 * [ConfigureContext] borrowed: handed on as it is.
 * Errors: on another profile a break and nothing. */
WDFDMA_API void WdfDmaTransactionSetChannelConfigurationCallback(
    WDFDMATRANSACTION DmaTransaction,
    PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL ConfigureRoutine, PVOID ConfigureContext);

/* Sets or clears (NULL) what is called when the controller has finished a transfer. It survives
 * Release.
 * Models: WdfDmaTransactionSetTransferCompleteCallback.
 * Source: WdfDmaTransactionSetTransferCompleteCallback function (wdfdmatransaction.h).
 * [DmaCompletionContext] borrowed: handed on as it is.
 * Errors: on another profile a break and nothing. */
WDFDMA_API void WdfDmaTransactionSetTransferCompleteCallback(
    WDFDMATRANSACTION DmaTransaction,
    PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE DmaCompletionRoutine, PVOID DmaCompletionContext);

/* Makes the transaction fail with STATUS_INSUFFICIENT_RESOURCES where it would wait for map
 * registers. Release clears it.
 * Models: WdfDmaTransactionSetImmediateExecution.
 * Source: WdfDmaTransactionSetImmediateExecution function (wdfdmatransaction.h).
 * Errors: without version 3 a break and nothing.
 * Legal states: created, initialized, released; otherwise a break, and it is applied still. */
WDFDMA_API void WdfDmaTransactionSetImmediateExecution(WDFDMATRANSACTION DmaTransaction,
                                                       BOOLEAN UseImmediateExecution);

/* Asks for map registers ahead of a buffer; [EvtReserveDmaFunction] runs when they are there,
 * inside the call if they are free. They stay until WdfDmaTransactionFreeResources. State
 * afterwards: reserved; a buffer given before is forgotten.
 * Models: WdfDmaTransactionAllocateResources.
 * Source: WdfDmaTransactionAllocateResources function (wdfdmatransaction.h).
 * [RequiredMapRegisters] 0: all of a system adapter's, or what the initialized buffer needs.
 * [EvtReserveDmaContext] borrowed: handed on as it is.
 * Errors: STATUS_INVALID_DEVICE_REQUEST and a break without version 3 or for a scatter-gather
 * profile; STATUS_INVALID_PARAMETER and a break for a bad direction; STATUS_INSUFFICIENT_RESOURCES;
 * STATUS_BUFFER_TOO_SMALL for a buffer past its chain. Failed allocation leaves transfer_failed:
 * release first.
 * Legal states: initialized for 0, otherwise created, initialized, released, and nothing reserved;
 * else a bug check. */
WDFDMA_API NTSTATUS WdfDmaTransactionAllocateResources(WDFDMATRANSACTION DmaTransaction,
                                                       WDF_DMA_DIRECTION DmaDirection,
                                                       ULONG RequiredMapRegisters,
                                                       PFN_WDF_RESERVE_DMA EvtReserveDmaFunction,
                                                       PVOID EvtReserveDmaContext);

/* Where in the device's port range each transfer of a system profile begins, in bytes. Initialize
 * sets it back to 0.
 * Models: WdfDmaTransactionSetDeviceAddressOffset.
 * Source: WdfDmaTransactionSetDeviceAddressOffset function (wdfdmatransaction.h).
 * Errors: on another profile a break and nothing. */
WDFDMA_API void WdfDmaTransactionSetDeviceAddressOffset(WDFDMATRANSACTION DmaTransaction,
                                                        ULONG Offset);

/* Gives back what WdfDmaTransactionAllocateResources took. State afterwards: released.
 * Models: WdfDmaTransactionFreeResources.
 * Source: WdfDmaTransactionFreeResources function (wdfdmatransaction.h).
 * Errors: without version 3 or for a scatter-gather profile a break and nothing.
 * Legal states: all but created and transfer; those are a bug check. */
WDFDMA_API void WdfDmaTransactionFreeResources(WDFDMATRANSACTION DmaTransaction);

/* Takes back a transaction that still waits for map registers. TRUE: it will not run, and its state
 * is transfer_failed. FALSE: it was not waiting, and nothing has changed.
 * Models: WdfDmaTransactionCancel. Source: WdfDmaTransactionCancel function (wdfdmatransaction.h).
 * Errors: without version 3 a break and FALSE.
 * Legal states: all but created and released; those are a bug check. */
WDFDMA_API BOOLEAN WdfDmaTransactionCancel(WDFDMATRANSACTION DmaTransaction);

/* The transfer context that the transaction's adapter calls are made with:
 * DMA_TRANSFER_CONTEXT_SIZE_V1 bytes.
 * Models: WdfDmaTransactionWdmGetTransferContext.
 * Source: WdfDmaTransactionWdmGetTransferContext function (wdfdmatransaction.h).
 * Owned by the machine, valid until the transaction goes.
 * Errors: without version 3 a break and NULL.
 * Legal states: all but created and released; those are a break and NULL. */
WDFDMA_API PVOID WdfDmaTransactionWdmGetTransferContext(WDFDMATRANSACTION DmaTransaction);

/* Stops a transfer of the system's controller; EvtDmaTransactionDmaTransferComplete is told
 * DmaCancelled inside the call. The driver completes the transaction then as ever.
 * Models: WdfDmaTransactionStopSystemTransfer.
 * Source: WdfDmaTransactionStopSystemTransfer function (wdfdmatransaction.h).
 * Errors: on another profile a break and nothing; a transfer stopped before is a bug check if the
 * verifier is on. */
WDFDMA_API void WdfDmaTransactionStopSystemTransfer(WDFDMATRANSACTION DmaTransaction);
/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
