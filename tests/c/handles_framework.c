/* The framework's own calls, with handles and arguments of any kind. */
#include "handles.h"

typedef struct CALL_CONTEXT {
    uint64_t Value;
} CALL_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CALL_CONTEXT, GetCallContext)

static BOOLEAN on_program_dma(WDFDMATRANSACTION item, WDFDEVICE owner, WDFCONTEXT context,
                              WDF_DMA_DIRECTION way, PSCATTER_GATHER_LIST list) {
    (void)owner;
    (void)context;
    (void)way;
    (void)list;
    NTSTATUS status;
    if (pick(4) == 0) {
        call_any();
    } else if (pick(4) == 0) {
        WdfDmaTransactionDmaCompleted(item, &status);
    }
    return TRUE;
}

static void on_reserve_dma(WDFDMATRANSACTION item, PVOID context) {
    (void)item;
    (void)context;
    if (pick(4) == 0) {
        call_any();
    }
}

static BOOLEAN on_configure(WDFDMATRANSACTION item, WDFDEVICE owner, PVOID context, PMDL chain,
                            size_t offset, size_t length) {
    (void)item;
    (void)owner;
    (void)context;
    (void)chain;
    (void)offset;
    (void)length;
    if (pick(4) == 0) {
        call_any();
    }
    return pick(4) != 0;
}

static void on_transfer_complete(WDFDMATRANSACTION item, WDFDEVICE owner, WDFCONTEXT context,
                                 WDF_DMA_DIRECTION way, DMA_COMPLETION_STATUS result) {
    (void)item;
    (void)owner;
    (void)context;
    (void)way;
    (void)result;
    if (pick(4) == 0) {
        call_any();
    }
}

static void on_object(WDFOBJECT object) {
    (void)object;
    if (pick(4) == 0) {
        call_any();
    }
}

static PFN_WDF_PROGRAM_DMA program_dma(void) {
    return seldom() ? NULL : on_program_dma;
}

static PWDF_OBJECT_ATTRIBUTES attributes(void) {
    static WDF_OBJECT_ATTRIBUTES made;
    if (pick(2) == 0) {
        return NULL;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&made);
    if (pick(2) == 0) {
        WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&made, CALL_CONTEXT);
    }
    if (pick(4) == 0) {
        made.EvtCleanupCallback = on_object;
        made.EvtDestroyCallback = on_object;
    }
    switch (pick(8)) {
    case 0:
        made.Size = small_number();
        break;
    case 1:
        made.ParentObject = any_handle();
        break;
    case 2:
        made.ContextSizeOverride = UINT64_C(1) << pick(64);
        break;
    default:
        break;
    }
    return &made;
}

void call_transaction_step(void) {
    WDFDMATRANSACTION item = transaction();
    wdfdma_transaction_info info;
    NTSTATUS status;
    if (wdfdma_transaction_get_info(item, &info) != STATUS_SUCCESS) {
        return;
    }
    switch (info.state) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
    case WDFDMA_STATE_RESERVED:
        if (info.state != WDFDMA_STATE_RESERVED && info.reserved == 0 && pick(3) == 0) {
            WdfDmaTransactionAllocateResources(item, direction(), 1 + (ULONG)pick(5),
                                               on_reserve_dma, NULL);
        } else if (info.waiting == WDFDMA_WAITING_NOT) {
            WdfDmaTransactionInitializeUsingOffset(item, on_program_dma, direction(),
                                                   of.mdls[pick(4)], 0, 1 + (size_t)pick(12000));
        }
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(item, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        if (info.waiting != WDFDMA_WAITING_NOT) {
            WdfDmaTransactionCancel(item);
        } else if (pick(2) == 0) {
            wdfdma_enabler_complete_transfer(info.enabler, direction());
        } else {
            WdfDmaTransactionDmaCompletedWithLength(item, (size_t)pick(info.transfer_length + 1),
                                                    &status);
        }
        break;
    default:
        if (pick(2) == 0 && info.reserved != 0) {
            WdfDmaTransactionFreeResources(item);
        } else {
            WdfDmaTransactionRelease(item);
        }
        break;
    }
}

static void enabler_create(void) {
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, (WDF_DMA_PROFILE)pick(10), (size_t)number());
    config.Flags = (ULONG)pick(4);
    config.WdmDmaVersionOverride = (ULONG)pick(5);
    config.AddressWidthOverride = pick(4) == 0 ? (ULONG)pick(70) : 0;
    config.Size += pick(16) == 0;
    WdfDmaEnablerCreate(device(), seldom() ? NULL : &config, attributes(), seldom() ? NULL : &made);
    keep(made);
}

static void enabler_configure(void) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    PHYSICAL_ADDRESS port = {.QuadPart = 0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, port, (DMA_WIDTH)pick(6),
                                       pick(8) == 0 ? NULL : &descriptor);
    config.Size += pick(16) == 0;
    WdfDmaEnablerConfigureSystemProfile(enabler(), seldom() ? NULL : &config, direction());
}

static void enabler_ask(void) {
    WDFDMAENABLER asked = enabler();
    WdfDmaEnablerGetMaximumLength(asked);
    WdfDmaEnablerGetMaximumScatterGatherElements(asked);
    WdfDmaEnablerGetFragmentLength(asked, direction());
    WdfDmaEnablerWdmGetDmaAdapter(asked, direction());
}
static void enabler_limit(void) {
    WdfDmaEnablerSetMaximumScatterGatherElements(enabler(), (size_t)number());
}
static void enabler_complete(void) {
    wdfdma_enabler_complete_transfer(enabler(), direction());
}

static void transaction_create(void) {
    WDFDMATRANSACTION made = NULL;
    WdfDmaTransactionCreate(enabler(), attributes(), seldom() ? NULL : &made);
    keep(made);
}
static void initialize_offset(void) {
    WdfDmaTransactionInitializeUsingOffset(transaction(), program_dma(), direction(), mdl(),
                                           pick(4) == 0 ? (size_t)number() : 0, (size_t)number());
}
static void initialize_address(void) {
    PMDL chain = mdl();
    WdfDmaTransactionInitialize(transaction(), program_dma(), direction(), chain, address_in(chain),
                                (size_t)number());
}
static void initialize_request(void) {
    WdfDmaTransactionInitializeUsingRequest(transaction(), request(), program_dma(), direction());
}
static void transaction_execute(void) {
    WdfDmaTransactionExecute(transaction(), any_handle());
}
static void transaction_reserve(void) {
    WdfDmaTransactionAllocateResources(transaction(), direction(), small_number(),
                                       seldom() ? NULL : on_reserve_dma, any_handle());
}
static void transaction_free_resources(void) {
    WdfDmaTransactionFreeResources(transaction());
}
static void transaction_release(void) {
    WdfDmaTransactionRelease(transaction());
}
static void transaction_cancel(void) {
    WdfDmaTransactionCancel(transaction());
}
static void transaction_stop(void) {
    WdfDmaTransactionStopSystemTransfer(transaction());
}
static void completed(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(transaction(), seldom() ? NULL : &status);
}
static void completed_with_length(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedWithLength(transaction(), (size_t)number(),
                                            seldom() ? NULL : &status);
}
static void completed_final(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedFinal(transaction(), (size_t)number(), seldom() ? NULL : &status);
}
static void transaction_ask(void) {
    WDFDMATRANSACTION asked = transaction();
    ULONG registers, elements;
    WdfDmaTransactionGetBytesTransferred(asked);
    WdfDmaTransactionGetCurrentDmaTransferLength(asked);
    WdfDmaTransactionGetRequest(asked);
    WdfDmaTransactionGetDevice(asked);
    WdfDmaTransactionWdmGetTransferContext(asked);
    WdfDmaTransactionGetTransferInfo(asked, pick(2) == 0 ? NULL : &registers,
                                     pick(2) == 0 ? NULL : &elements);
}
static void transaction_set(void) {
    WDFDMATRANSACTION item = transaction();
    switch (pick(6)) {
    case 0:
        WdfDmaTransactionSetMaximumLength(item, (size_t)number());
        break;
    case 1:
        WdfDmaTransactionSetSingleTransferRequirement(item, (BOOLEAN)pick(256));
        break;
    case 2:
        WdfDmaTransactionSetImmediateExecution(item, (BOOLEAN)pick(256));
        break;
    case 3:
        WdfDmaTransactionSetDeviceAddressOffset(item, (ULONG)number());
        break;
    case 4:
        WdfDmaTransactionSetChannelConfigurationCallback(item, pick(2) == 0 ? NULL : on_configure,
                                                         NULL);
        break;
    default:
        WdfDmaTransactionSetTransferCompleteCallback(
            item, pick(2) == 0 ? NULL : on_transfer_complete, NULL);
        break;
    }
}

static void buffer_create(void) {
    WDF_COMMON_BUFFER_CONFIG config;
    WDFCOMMONBUFFER made = NULL;
    size_t length = pick(64) == 0 ? (size_t)number() : (size_t)pick(20000);
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, pick(16) == 0 ? (ULONG)number() : (ULONG)pick(2) * 4095);
    config.Size += pick(16) == 0;
    if (pick(2) == 0) {
        WdfCommonBufferCreate(enabler(), length, attributes(), seldom() ? NULL : &made);
    } else {
        WdfCommonBufferCreateWithConfig(enabler(), length, seldom() ? NULL : &config, attributes(),
                                        seldom() ? NULL : &made);
    }
    keep(made);
}
static void buffer_ask(void) {
    WDFCOMMONBUFFER asked = buffer();
    WdfCommonBufferGetAlignedVirtualAddress(asked);
    WdfCommonBufferGetAlignedLogicalAddress(asked);
    WdfCommonBufferGetLength(asked);
}

static void request_create(void) {
    const wdfdma_request_config config = {.type = (uint32_t)pick(16),
                                          .io_control_code = (uint32_t)pick(4),
                                          .input = mdl(),
                                          .output = mdl(),
                                          .input_length = number(),
                                          .output_length = number()};
    WDFREQUEST made = NULL;
    wdfdma_request_create(device(), seldom() ? NULL : &config, seldom() ? NULL : &made);
    keep(made);
}
static void request_ask(void) {
    WDFREQUEST asked = request();
    WDF_REQUEST_PARAMETERS parameters;
    wdfdma_request_info info;
    PMDL chain;
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(asked, seldom() ? NULL : &parameters);
    WdfRequestRetrieveInputWdmMdl(asked, seldom() ? NULL : &chain);
    WdfRequestRetrieveOutputWdmMdl(asked, seldom() ? NULL : &chain);
    WdfRequestGetInformation(asked);
    WdfRequestSetInformation(asked, number());
    wdfdma_request_get_info(asked, pick(4) == 0 ? NULL : &info);
}
static void request_end(void) {
    switch (pick(3)) {
    case 0:
        WdfRequestComplete(request(), (NTSTATUS)number());
        break;
    case 1:
        WdfRequestCompleteWithInformation(request(), (NTSTATUS)number(), number());
        break;
    default:
        wdfdma_request_destroy(request());
        break;
    }
}

static void object_delete(void) {
    WdfObjectDelete(any_handle());
}
static void object_reference(void) {
    void *object = any_handle();
    WdfObjectReference(object);
    if (pick(2) == 0) {
        WdfObjectDereference(object);
    }
}
static void object_dereference(void) {
    WdfObjectDereference(any_handle());
}
static void object_context(void) {
    WDFOBJECT object = any_handle();
    PVOID context = NULL;
    WdfObjectAllocateContext(object, attributes(), pick(2) == 0 ? NULL : &context);
    CALL_CONTEXT *found = GetCallContext(object);
    WdfObjectContextGetObject(pick(2) == 0 ? (PVOID)found
                                           : (PVOID)(uintptr_t)world_random(&of.random));
}

static void device_call(void) {
    WDFDEVICE asked = device();
    switch (pick(8)) {
    case 0:
        wdfdma_device_destroy(asked);
        break;
    case 1:
        wdfdma_device_enter_d0(asked, (WDF_POWER_DEVICE_STATE)pick(8));
        break;
    case 2:
        wdfdma_device_leave_d0(asked, (WDF_POWER_DEVICE_STATE)pick(8));
        break;
    default:
        WdfDeviceSetAlignmentRequirement(asked, (ULONG)pick(3) * 4095);
        WdfDeviceGetAlignmentRequirement(asked);
        WdfDeviceWdmGetDeviceObject(asked);
        WdfDeviceWdmGetPhysicalDevice(asked);
        break;
    }
}

static void object_look(void) {
    void *handle = any_handle();
    wdfdma_transaction_info info;
    wdfdma_enabler_info enabler_info;
    wdfdma_object_get_type(handle);
    wdfdma_object_get_label(handle);
    wdfdma_object_get_machine(handle);
    wdfdma_transaction_get_info(handle, pick(8) == 0 ? NULL : &info);
    wdfdma_enabler_get_info(handle, direction(), pick(8) == 0 ? NULL : &enabler_info);
}

static void leaks_look(void) {
    size_t count;
    wdfdma_machine *machine = of.machines[pick(2)];
    void *below = pick(4) == 0 ? NULL : any_handle();
    wdfdma_machine_check_leaks(machine, below, pick(8) == 0 ? NULL : &count);
    wdfdma_violation listed[2];
    wdfdma_machine_list_leaks(machine, below, listed, pick(3), pick(8) == 0 ? NULL : &count);
    if (pick(64) == 0) {
        wdfdma_machine_clear_violations(machine);
    }
}

const fuzz_call framework_calls[] = {enabler_create,        enabler_configure,
                                     enabler_ask,           enabler_limit,
                                     enabler_complete,      transaction_create,
                                     initialize_offset,     initialize_offset,
                                     initialize_address,    initialize_request,
                                     transaction_execute,   transaction_execute,
                                     transaction_reserve,   transaction_free_resources,
                                     transaction_release,   transaction_cancel,
                                     transaction_stop,      completed,
                                     completed_with_length, completed_final,
                                     transaction_ask,       transaction_set,
                                     buffer_create,         buffer_ask,
                                     request_create,        request_ask,
                                     request_end,           object_delete,
                                     object_reference,      object_dereference,
                                     object_context,        device_call,
                                     object_look,           leaks_look};
const size_t framework_call_count = sizeof framework_calls / sizeof framework_calls[0];
