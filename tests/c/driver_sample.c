/* The driver of driver_sample.h. */
#include "driver_sample.h"

ULONG SampleCleanups;

static NTSTATUS SampleCreateEnabler(WDFDEVICE Device, WDF_DMA_PROFILE Profile) {
    PSAMPLE_DEVICE_CONTEXT context = SampleGetDeviceContext(Device);
    WDF_DMA_ENABLER_CONFIG config;

    WDF_DMA_ENABLER_CONFIG_INIT(&config, Profile, SAMPLE_MAXIMUM_LENGTH);
    config.WdmDmaVersionOverride = 3;
    WdfDeviceSetAlignmentRequirement(Device, FILE_OCTA_ALIGNMENT);
    return WdfDmaEnablerCreate(Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &context->Enabler);
}

static NTSTATUS SampleCreateTransaction(PSAMPLE_DEVICE_CONTEXT Context) {
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SAMPLE_TRANSACTION_CONTEXT);
    attributes.EvtCleanupCallback = SampleEvtTransactionCleanup;
    return WdfDmaTransactionCreate(Context->Enabler, &attributes, &Context->Transaction);
}

static NTSTATUS SampleCreateDescriptors(PSAMPLE_DEVICE_CONTEXT Context) {
    NTSTATUS status;

    status = WdfCommonBufferCreate(Context->Enabler, SAMPLE_DESCRIPTORS * sizeof(SAMPLE_DESCRIPTOR),
                                   WDF_NO_OBJECT_ATTRIBUTES, &Context->Descriptors);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    Context->DescriptorsBase =
        (PSAMPLE_DESCRIPTOR)WdfCommonBufferGetAlignedVirtualAddress(Context->Descriptors);
    Context->DescriptorsLogical = WdfCommonBufferGetAlignedLogicalAddress(Context->Descriptors);
    RtlZeroMemory(Context->DescriptorsBase, WdfCommonBufferGetLength(Context->Descriptors));
    return STATUS_SUCCESS;
}

NTSTATUS SamplePrepareHardware(_In_ WDFDEVICE Device, _In_ WDF_DMA_PROFILE Profile,
                               _In_ PSAMPLE_REGISTERS Registers) {
    PSAMPLE_DEVICE_CONTEXT context = SampleGetDeviceContext(Device);
    NTSTATUS status;

    PAGED_CODE();
    context->Registers = Registers;
    status = SampleCreateEnabler(Device, Profile);
    if (!NT_SUCCESS(status)) {
        KdPrint(("WdfDmaEnablerCreate failed: 0x%x\n", status));
        return status;
    }
    status = SampleCreateTransaction(context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    return SampleCreateDescriptors(context);
}

VOID SampleReleaseHardware(_In_ WDFDEVICE Device) {
    PSAMPLE_DEVICE_CONTEXT context = SampleGetDeviceContext(Device);

    WdfObjectDelete(context->Enabler);
    context->Enabler = NULL;
    context->Transaction = NULL;
    context->Descriptors = NULL;
}

static VOID SampleCompleteRequest(WDFDMATRANSACTION Transaction, NTSTATUS Status) {
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(Transaction);
    WDFREQUEST request = context->Request;
    size_t transferred = WdfDmaTransactionGetBytesTransferred(Transaction);

    context->Request = NULL;
    (VOID) WdfDmaTransactionRelease(Transaction);
    WdfRequestCompleteWithInformation(request, Status, NT_SUCCESS(Status) ? transferred : 0);
}

static VOID SampleExecute(WDFDMATRANSACTION Transaction, WDF_DMA_DIRECTION Direction) {
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(Transaction);
    NTSTATUS status;

    status = WdfDmaTransactionInitializeUsingRequest(Transaction, context->Request,
                                                     SampleEvtProgramDma, Direction);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionExecute(Transaction, context);
    }
    if (!NT_SUCCESS(status)) {
        SampleCompleteRequest(Transaction, status);
    }
}

VOID SampleStartRequest(_In_ WDFDEVICE Device, _In_ WDFREQUEST Request,
                        _In_ WDF_DMA_DIRECTION Direction) {
    PSAMPLE_DEVICE_CONTEXT device = SampleGetDeviceContext(Device);
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(device->Transaction);

    context->Request = Request;
    context->Transfers = 0;
    SampleExecute(device->Transaction, Direction);
}

VOID SampleStartReservedRequest(_In_ WDFDEVICE Device, _In_ WDFREQUEST Request,
                                _In_ WDF_DMA_DIRECTION Direction) {
    PSAMPLE_DEVICE_CONTEXT device = SampleGetDeviceContext(Device);
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(device->Transaction);
    NTSTATUS status;

    context->Request = Request;
    context->Transfers = 0;
    status = WdfDmaTransactionAllocateResources(
        device->Transaction, Direction, SAMPLE_RESERVED_REGISTERS, SampleEvtReserveDma, device);
    if (!NT_SUCCESS(status)) {
        SampleCompleteRequest(device->Transaction, status);
    }
}

VOID SampleEvtReserveDma(_In_ WDFDMATRANSACTION DmaTransaction, _In_ PVOID Context) {
    PSAMPLE_DEVICE_CONTEXT device = (PSAMPLE_DEVICE_CONTEXT)Context;
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(DmaTransaction);
    WDF_REQUEST_PARAMETERS parameters;

    device->Reservations++;
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(context->Request, &parameters);
    SampleExecute(DmaTransaction, parameters.Type == WdfRequestTypeWrite
                                      ? WdfDmaDirectionWriteToDevice
                                      : WdfDmaDirectionReadFromDevice);
}

VOID SampleFreeReservation(_In_ WDFDEVICE Device) {
    WdfDmaTransactionFreeResources(SampleGetDeviceContext(Device)->Transaction);
}

BOOLEAN SampleEvtProgramDma(_In_ WDFDMATRANSACTION Transaction, _In_ WDFDEVICE Device,
                            _In_ WDFCONTEXT Context, _In_ WDF_DMA_DIRECTION Direction,
                            _In_ PSCATTER_GATHER_LIST SgList) {
    PSAMPLE_DEVICE_CONTEXT device = SampleGetDeviceContext(Device);
    PSAMPLE_TRANSACTION_CONTEXT context = (PSAMPLE_TRANSACTION_CONTEXT)Context;
    ULONG i;

    UNREFERENCED_PARAMETER(Transaction);
    ASSERT(SgList->NumberOfElements <= SAMPLE_DESCRIPTORS);
    context->Transfers++;
    for (i = 0; i < SgList->NumberOfElements; i++) {
        PSAMPLE_DESCRIPTOR descriptor = &device->DescriptorsBase[i];
        descriptor->Address = (ULONGLONG)SgList->Elements[i].Address.QuadPart;
        descriptor->Length = SgList->Elements[i].Length;
        descriptor->ToDevice = Direction == WdfDmaDirectionWriteToDevice;
    }
    WRITE_REGISTER_ULONG(&device->Registers->Doorbell, SgList->NumberOfElements);
    return TRUE;
}

VOID SampleInterruptDpc(_In_ WDFDEVICE Device) {
    PSAMPLE_DEVICE_CONTEXT device = SampleGetDeviceContext(Device);
    WDFDMATRANSACTION transaction = device->Transaction;
    PSAMPLE_TRANSACTION_CONTEXT context = SampleGetTransactionContext(transaction);
    size_t moved = READ_REGISTER_ULONG(&device->Registers->BytesMoved);
    BOOLEAN completed;
    NTSTATUS status;

    if (READ_REGISTER_ULONG(&device->Registers->Error) != 0) {
        completed = WdfDmaTransactionDmaCompletedFinal(transaction, moved, &status);
        status = STATUS_DEVICE_DATA_ERROR;
    } else if (context->Final) {
        completed = WdfDmaTransactionDmaCompletedFinal(transaction, moved, &status);
    } else if (moved == WdfDmaTransactionGetCurrentDmaTransferLength(transaction)) {
        completed = WdfDmaTransactionDmaCompleted(transaction, &status);
    } else {
        completed = WdfDmaTransactionDmaCompletedWithLength(transaction, moved, &status);
    }
    if (completed) {
        SampleCompleteRequest(transaction, status);
    }
}

VOID SampleEvtTransactionCleanup(_In_ WDFOBJECT Object) {
    if (SampleGetTransactionContext(Object)->Request == NULL) {
        SampleCleanups++;
    }
}
