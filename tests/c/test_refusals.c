/* Calls that are refused: with a handle that is none any more, without what they need, on an object whose time
 * is over. What each answers, and all that the halt says. */
#include "wdm_world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const uint64_t FAILED = (uint32_t)STATUS_UNSUCCESSFUL;

typedef struct EDGE_CONTEXT {
    uint64_t Value;
} EDGE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDGE_CONTEXT, GetEdge)

/* The machine has halted with 0x10D and these parameters; no object is concerned where [handle] is 0. */
static void halt_expect(const wdfdma_machine *machine, uint64_t first, uint64_t second,
                        uint64_t third, uint64_t handle) {
    const uint64_t expected[4] = {first, second, third, 0};
    REQUIRE(CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_WDF_VIOLATION));
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(world_parameter(machine, i), expected[i]);
    }
    CHECK_EQUAL(wdfdma_machine_get_bugcheck(machine)->handle, handle);
}

static uint64_t number(const void *handle) {
    return (uint64_t)(uintptr_t)handle;
}

/* Calls by handle. What has no answer answers 0. */

static uint64_t device_destroy(void *handle) {
    wdfdma_device_destroy(handle);
    return 0;
}
static uint64_t device_set_alignment(void *handle) {
    WdfDeviceSetAlignmentRequirement(handle, 1);
    return 0;
}
static uint64_t device_get_alignment(void *handle) {
    return WdfDeviceGetAlignmentRequirement(handle);
}
static uint64_t device_get_object(void *handle) {
    return number(WdfDeviceWdmGetDeviceObject(handle));
}
static uint64_t device_get_physical(void *handle) {
    return number(WdfDeviceWdmGetPhysicalDevice(handle));
}
static uint64_t device_enter_d0(void *handle) {
    return (uint32_t)wdfdma_device_enter_d0(handle, WdfPowerDeviceD3);
}
static uint64_t device_leave_d0(void *handle) {
    return (uint32_t)wdfdma_device_leave_d0(handle, WdfPowerDeviceD3);
}
static uint64_t device_create_enabler(void *handle) {
    WDFDMAENABLER made = NULL;
    uint64_t status = (uint32_t)world_enabler_try(
        handle, &(world_profile){.profile = WdfDmaProfilePacket}, &made);
    CHECK(made == NULL);
    return status;
}
static uint64_t device_create_request(void *handle) {
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST made = NULL;
    uint64_t status = (uint32_t)wdfdma_request_create(handle, &config, &made);
    CHECK(made == NULL);
    return status;
}

static uint64_t enabler_get_length(void *handle) {
    return WdfDmaEnablerGetMaximumLength(handle);
}
static uint64_t enabler_get_elements(void *handle) {
    return WdfDmaEnablerGetMaximumScatterGatherElements(handle);
}
static uint64_t enabler_set_elements(void *handle) {
    WdfDmaEnablerSetMaximumScatterGatherElements(handle, 1);
    return 0;
}
static uint64_t enabler_get_fragment(void *handle) {
    return WdfDmaEnablerGetFragmentLength(handle, READ);
}
static uint64_t enabler_get_adapter(void *handle) {
    return number(WdfDmaEnablerWdmGetDmaAdapter(handle, READ));
}
static uint64_t enabler_configure(void *handle) {
    return (uint32_t)world_configure(handle, READ);
}
static uint64_t enabler_create_buffer(void *handle) {
    WDFCOMMONBUFFER made = NULL;
    uint64_t status = (uint32_t)WdfCommonBufferCreate(handle, 100, WDF_NO_OBJECT_ATTRIBUTES, &made);
    CHECK(made == NULL);
    return status;
}
static uint64_t enabler_create_transaction(void *handle) {
    WDFDMATRANSACTION made = NULL;
    uint64_t status = (uint32_t)WdfDmaTransactionCreate(handle, WDF_NO_OBJECT_ATTRIBUTES, &made);
    CHECK(made == NULL);
    return status;
}

static uint64_t buffer_get_bytes(void *handle) {
    return number(WdfCommonBufferGetAlignedVirtualAddress(handle));
}
static uint64_t buffer_get_address(void *handle) {
    return (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(handle).QuadPart;
}
static uint64_t buffer_get_length(void *handle) {
    return WdfCommonBufferGetLength(handle);
}

static uint64_t request_destroy(void *handle) {
    wdfdma_request_destroy(handle);
    return 0;
}
static uint64_t request_get_parameters(void *handle) {
    WDF_REQUEST_PARAMETERS parameters;
    WdfRequestGetParameters(handle, &parameters);
    return 0;
}
static uint64_t request_get_input(void *handle) {
    PMDL mdl = NULL;
    return (uint32_t)WdfRequestRetrieveInputWdmMdl(handle, &mdl);
}
static uint64_t request_get_output(void *handle) {
    PMDL mdl = NULL;
    return (uint32_t)WdfRequestRetrieveOutputWdmMdl(handle, &mdl);
}
static uint64_t request_get_information(void *handle) {
    return WdfRequestGetInformation(handle);
}
static uint64_t request_set_information(void *handle) {
    WdfRequestSetInformation(handle, 7);
    return 0;
}
static uint64_t request_complete(void *handle) {
    WdfRequestComplete(handle, STATUS_SUCCESS);
    return 0;
}
static uint64_t request_complete_with(void *handle) {
    WdfRequestCompleteWithInformation(handle, STATUS_SUCCESS, 7);
    return 0;
}

static uint64_t object_delete(void *handle) {
    WdfObjectDelete(handle);
    return 0;
}
static uint64_t object_reference(void *handle) {
    WdfObjectReference(handle);
    return 0;
}
static uint64_t object_dereference(void *handle) {
    WdfObjectDereference(handle);
    return 0;
}
static uint64_t object_get_context(void *handle) {
    return number(GetEdge(handle));
}
static uint64_t object_allocate_context(void *handle) {
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDGE_CONTEXT);
    return (uint32_t)WdfObjectAllocateContext(handle, &attributes, NULL);
}

static uint64_t transaction_by_request(void *handle) {
    return (uint32_t)WdfDmaTransactionInitializeUsingRequest(handle, NULL, world_program_dma, READ);
}
static uint64_t transaction_initialize(void *handle) {
    return (uint32_t)world_initialize(handle, READ, NULL, 0, 1);
}
static uint64_t transaction_execute(void *handle) {
    return (uint32_t)WdfDmaTransactionExecute(handle, NULL);
}
static uint64_t transaction_release(void *handle) {
    return (uint32_t)WdfDmaTransactionRelease(handle);
}
static uint64_t transaction_cancel(void *handle) {
    return WdfDmaTransactionCancel(handle);
}
static uint64_t transaction_get_bytes(void *handle) {
    return WdfDmaTransactionGetBytesTransferred(handle);
}

typedef struct refused {
    uint32_t type; /* wdfdma_object_type that it is for */
    uint64_t (*call)(void *handle);
    bool fails; /* with a status */
} refused;

static const refused calls[] = {
    {WDFDMA_OBJECT_DEVICE, device_destroy, false},
    {WDFDMA_OBJECT_DEVICE, device_set_alignment, false},
    {WDFDMA_OBJECT_DEVICE, device_get_alignment, false},
    {WDFDMA_OBJECT_DEVICE, device_get_object, false},
    {WDFDMA_OBJECT_DEVICE, device_get_physical, false},
    {WDFDMA_OBJECT_DEVICE, device_enter_d0, true},
    {WDFDMA_OBJECT_DEVICE, device_leave_d0, true},
    {WDFDMA_OBJECT_DEVICE, device_create_enabler, true},
    {WDFDMA_OBJECT_DEVICE, device_create_request, true},
    {WDFDMA_OBJECT_ENABLER, enabler_get_length, false},
    {WDFDMA_OBJECT_ENABLER, enabler_get_elements, false},
    {WDFDMA_OBJECT_ENABLER, enabler_set_elements, false},
    {WDFDMA_OBJECT_ENABLER, enabler_get_fragment, false},
    {WDFDMA_OBJECT_ENABLER, enabler_get_adapter, false},
    {WDFDMA_OBJECT_ENABLER, enabler_configure, true},
    {WDFDMA_OBJECT_ENABLER, enabler_create_buffer, true},
    {WDFDMA_OBJECT_ENABLER, enabler_create_transaction, true},
    {WDFDMA_OBJECT_COMMON_BUFFER, buffer_get_bytes, false},
    {WDFDMA_OBJECT_COMMON_BUFFER, buffer_get_address, false},
    {WDFDMA_OBJECT_COMMON_BUFFER, buffer_get_length, false},
    {WDFDMA_OBJECT_REQUEST, request_destroy, false},
    {WDFDMA_OBJECT_REQUEST, request_get_parameters, false},
    {WDFDMA_OBJECT_REQUEST, request_get_input, true},
    {WDFDMA_OBJECT_REQUEST, request_get_output, true},
    {WDFDMA_OBJECT_REQUEST, request_get_information, false},
    {WDFDMA_OBJECT_REQUEST, request_set_information, false},
    {WDFDMA_OBJECT_REQUEST, request_complete, false},
    {WDFDMA_OBJECT_REQUEST, request_complete_with, false},
    {WDFDMA_OBJECT_TRANSACTION, object_delete, false},
    {WDFDMA_OBJECT_TRANSACTION, object_reference, false},
    {WDFDMA_OBJECT_TRANSACTION, object_dereference, false},
    {WDFDMA_OBJECT_TRANSACTION, object_get_context, false},
    {WDFDMA_OBJECT_TRANSACTION, object_allocate_context, true},
    {WDFDMA_OBJECT_TRANSACTION, transaction_by_request, true},
    {WDFDMA_OBJECT_TRANSACTION, transaction_initialize, true},
    {WDFDMA_OBJECT_TRANSACTION, transaction_execute, true},
    {WDFDMA_OBJECT_TRANSACTION, transaction_release, true},
    {WDFDMA_OBJECT_TRANSACTION, transaction_cancel, false},
    {WDFDMA_OBJECT_TRANSACTION, transaction_get_bytes, false},
};

/* A handle of [type], whose object is gone, with all below it. */
static void *handle_of_gone(const world *of, uint32_t type) {
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST request = NULL;
    WDFCOMMONBUFFER buffer = NULL;
    void *handle = NULL;
    CHECK_STATUS(wdfdma_request_create(of->device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreate(of->enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    switch (type) {
    case WDFDMA_OBJECT_DEVICE:
        handle = world_device(of->machine);
        wdfdma_device_destroy(handle);
        break;
    case WDFDMA_OBJECT_REQUEST:
        handle = request;
        wdfdma_request_destroy(handle);
        break;
    case WDFDMA_OBJECT_TRANSACTION:
        handle = world_transaction(of->enabler);
        WdfObjectDelete(handle);
        break;
    case WDFDMA_OBJECT_ENABLER:
        handle = of->enabler;
        WdfObjectDelete(buffer);
        WdfObjectDelete(handle);
        break;
    default:
        handle = buffer;
        WdfObjectDelete(handle);
        break;
    }
    return handle;
}

/* The first call halts the machine; after that, each says the same and nothing is added. */
TEST(a_handle_of_what_is_gone_halts) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        void *handle = handle_of_gone(&of, calls[i].type);
        CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
        uint64_t expected = calls[i].fails ? FAILED : 0;
        CHECK_EQUAL(calls[i].call(handle), expected);
        halt_expect(of.machine, WDFDMA_WDF_INVALID_HANDLE, number(handle), 0, 0);
        CHECK_EQUAL(calls[i].call(handle), expected);
        CHECK_EQUAL(wdfdma_object_get_type(handle), WDFDMA_OBJECT_NONE);
        CHECK_EQUAL(wdfdma_object_get_label(handle), 0);
        CHECK(wdfdma_object_get_machine(handle) == NULL);
        size_t count = 0;
        wdfdma_machine_get_violations(of.machine, &count);
        CHECK_EQUAL(count, 1);
        harness_machine_end(of.machine);
        wdfdma_machine_use(NULL); /* there is no machine at all any more */
        CHECK_EQUAL(calls[i].call(handle), expected);
    }
}

static void request_by_null(const world *of, WDFREQUEST request) {
    WDFDMATRANSACTION item = world_transaction(of->enabler);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(item, request, NULL, READ),
                 STATUS_UNSUCCESSFUL);
    halt_expect(of->machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, number(item));
}

/* Everything that a call cannot do without. */
TEST(what_is_missing_halts) {
    for (int way = 0; way < 8; way++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        const wdfdma_request_config config = {.type = WdfRequestTypeRead,
                                              .output = world_mdl(of.machine, 0, WORLD_PAGE, NULL),
                                              .output_length = 100};
        WDF_DMA_ENABLER_CONFIG profile;
        WDFDMAENABLER enabler = NULL;
        WDFCOMMONBUFFER buffer = NULL;
        WDFREQUEST request = NULL;
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        WDF_DMA_ENABLER_CONFIG_INIT(&profile, WdfDmaProfilePacket, WORLD_PAGE);
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        switch (way) {
        case 0:
            status = WdfDmaEnablerCreate(of.device, NULL, WDF_NO_OBJECT_ATTRIBUTES, &enabler);
            break;
        case 1:
            status = WdfDmaEnablerCreate(of.device, &profile, WDF_NO_OBJECT_ATTRIBUTES, NULL);
            break;
        case 2:
            status = WdfCommonBufferCreate(of.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, NULL);
            break;
        case 3:
            status = WdfCommonBufferCreateWithConfig(of.enabler, 100, NULL,
                                                     WDF_NO_OBJECT_ATTRIBUTES, &buffer);
            break;
        case 4:
            status = WdfRequestRetrieveInputWdmMdl(request, NULL);
            break;
        case 5:
            status = WdfRequestRetrieveOutputWdmMdl(request, NULL);
            break;
        case 6:
            status = WdfDmaTransactionCreate(of.enabler, WDF_NO_OBJECT_ATTRIBUTES, NULL);
            break;
        default:
            WdfRequestGetParameters(request, NULL);
            break;
        }
        CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
        halt_expect(of.machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, 0);
        harness_machine_end(of.machine);
        of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        CHECK_STATUS(wdfdma_request_create(of.device, &(wdfdma_request_config){.type = config.type},
                                           &request),
                     STATUS_SUCCESS);
        request_by_null(&of, request);
    }
}

/* A request that is no request, or is gone. */
TEST(another_handle_is_no_request) {
    for (int way = 0; way < 4; way++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        void *handle = way == 0 ? NULL : (void *)of.enabler;
        if (way >= 2) {
            const wdfdma_request_config config = {.type = WdfRequestTypeRead};
            WDFREQUEST request = NULL;
            CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
            if (way == 3) {
                WdfObjectReference(request);
            }
            wdfdma_request_destroy(request);
            handle = request;
        }
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(item, handle, world_program_dma, READ),
                     STATUS_UNSUCCESSFUL);
        halt_expect(of.machine, WDFDMA_WDF_INVALID_HANDLE, number(handle), 0, 0);
        harness_machine_end(of.machine);
    }
}

/* A request is completed once, with no more than its buffer holds, and not while a transaction has it. */
TEST(a_request_is_completed_rightly) {
    for (int way = 0; way < 4; way++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        const wdfdma_request_config config = {
            .type = WdfRequestTypeRead, .output = mdl, .output_length = 100};
        WDFREQUEST request = NULL;
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        WdfObjectReference(request);
        if (way == 0) { /* twice, with another information that stays away */
            WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, 100);
            WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, 50);
            CHECK_EQUAL(world_parameter(of.machine, 1), 1);
        } else if (way == 1) {
            WdfRequestCompleteWithInformation(request, STATUS_CANCELLED, 101);
            CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
            continue;
        } else if (way == 2) {
            WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, 101);
        } else {
            WDFDMATRANSACTION item = world_transaction(of.enabler);
            wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER,
                                         WDFDMA_MODE_IGNORE);
            CHECK_STATUS(
                WdfDmaTransactionInitializeUsingRequest(item, request, world_program_dma, READ),
                STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
            wdfdma_request_destroy(request);
            halt_expect(of.machine, WDFDMA_WDF_VERIFIER_FATAL_ERROR, number(request), 1,
                        number(request));
            continue;
        }
        halt_expect(of.machine, WDFDMA_WDF_REQUEST_FATAL_ERROR, way == 0 ? 1 : 2, number(request),
                    number(request));
    }
}

static WDFDEVICE device_to_end;

static VOID end_device_again(WDFOBJECT item) {
    (void)item;
    wdfdma_device_destroy(device_to_end);
}

static VOID reference_again(WDFOBJECT item) {
    WdfObjectReference(item);
}

static VOID dereference_again(WDFOBJECT item) {
    WdfObjectDereference(item);
}

/* What the framework owns, what is going already, what has no reference left. */
TEST(an_object_goes_once) {
    for (int way = 0; way < 7; way++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        const wdfdma_request_config config = {.type = WdfRequestTypeRead};
        WDFREQUEST request = NULL;
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        WDF_OBJECT_ATTRIBUTES attributes;
        WDFDMATRANSACTION item = NULL;
        WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
        attributes.EvtCleanupCallback = way == 0 ? end_device_again : NULL;
        attributes.EvtDestroyCallback =
            way == 1 ? reference_again : (way == 2 ? dereference_again : NULL);
        CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
        WdfObjectReference(item);
        void *concerned = item;
        device_to_end = of.device;
        if (way == 0) {
            wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE);
            wdfdma_device_destroy(of.device);
            concerned = of.device;
        } else if (way < 3) {
            WdfObjectDereference(item);
            WdfObjectDelete(item);
        } else if (way == 3) {
            WdfObjectDelete(of.device);
            concerned = of.device;
        } else if (way == 4) {
            WdfObjectDelete(request);
            concerned = request;
        } else if (way == 5) {
            WdfObjectDelete(item);
            WdfObjectDelete(item);
        } else {
            WdfObjectDereference(item);
            CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
            WdfObjectDereference(item);
        }
        halt_expect(of.machine, WDFDMA_WDF_OBJECT_ERROR, number(concerned), 0, number(concerned));
    }
}

HARNESS_MAIN(ENTRY(a_handle_of_what_is_gone_halts), ENTRY(what_is_missing_halts),
             ENTRY(another_handle_is_no_request), ENTRY(a_request_is_completed_rightly),
             ENTRY(an_object_goes_once))
