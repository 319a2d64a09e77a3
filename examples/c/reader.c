/* A driver's DMA source, as it would stand in the driver: it knows wdf.h and nothing of the simulation. */
#include "reader.h"

static EVT_WDF_PROGRAM_DMA ReaderEvtProgramDma;

NTSTATUS ReaderCreate(WDFDEVICE Device, size_t MaximumLength, READER *Reader) {
    WDF_DMA_ENABLER_CONFIG config;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather, MaximumLength);
    config.WdmDmaVersionOverride = 3;

    NTSTATUS status =
        WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Reader->Enabler);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionCreate(Reader->Enabler, WDF_NO_OBJECT_ATTRIBUTES,
                                         &Reader->Transaction);
    }
    return status;
}

NTSTATUS ReaderStart(READER *Reader, WDFREQUEST Request) {
    NTSTATUS status = WdfDmaTransactionInitializeUsingRequest(
        Reader->Transaction, Request, ReaderEvtProgramDma, WdfDmaDirectionReadFromDevice);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = WdfDmaTransactionExecute(Reader->Transaction, Reader);
    if (!NT_SUCCESS(status)) {
        WdfDmaTransactionRelease(Reader->Transaction);
    }
    return status;
}

static BOOLEAN ReaderEvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device,
                                   WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                                   PSCATTER_GATHER_LIST SgList) {
    UNREFERENCED_PARAMETER(Transaction);
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Direction);

    READER *reader = (READER *)Context;
    reader->Programmed = SgList;
    return TRUE;
}

VOID ReaderInterrupt(READER *Reader) {
    NTSTATUS status;
    if (!WdfDmaTransactionDmaCompleted(Reader->Transaction, &status)) {
        return; /* the next transfer has been programmed */
    }
    WDFREQUEST request = WdfDmaTransactionGetRequest(Reader->Transaction);
    size_t bytes = WdfDmaTransactionGetBytesTransferred(Reader->Transaction);
    WdfDmaTransactionRelease(Reader->Transaction);
    WdfRequestCompleteWithInformation(request, status, bytes);
}
