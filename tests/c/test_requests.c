/* Requests: what they offer a driver, who may take their buffer, and how they end. */
#include "world.h"

enum {
    INPUT_BYTES = 5000,
    OUTPUT_BYTES = 3000
};

typedef struct desk {
    world world;
    PMDL input;
    PMDL output;
} desk;

static void desk_open(desk *out) {
    out->world = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    out->input = world_mdl(out->world.machine, 0, INPUT_BYTES, NULL);
    out->output = world_mdl(out->world.machine, 0, OUTPUT_BYTES, NULL);
}

static WDFREQUEST request_make(const desk *of, WDF_REQUEST_TYPE type, ULONG method) {
    const wdfdma_request_config config = {
        .type = type,
        .io_control_code = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, method, FILE_ANY_ACCESS),
        .input = of->input,
        .output = of->output,
        .input_length = INPUT_BYTES,
        .output_length = OUTPUT_BYTES};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(of->world.device, &config, &request), STATUS_SUCCESS);
    return request;
}

static wdfdma_request_info request_info(WDFREQUEST request) {
    wdfdma_request_info info = {0};
    CHECK_STATUS(wdfdma_request_get_info(request, &info), STATUS_SUCCESS);
    return info;
}

static void check_violation(const wdfdma_machine *machine, uint32_t violation, WDFREQUEST request,
                            int parameter) {
    CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(world_parameter(machine, 0), violation);
    CHECK_EQUAL(world_parameter(machine, parameter), (uintptr_t)request);
}

TEST(a_request_tells_what_it_is) {
    desk made;
    desk_open(&made);
    WDF_REQUEST_PARAMETERS parameters;
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(request_make(&made, WdfRequestTypeRead, 0), &parameters);
    CHECK_EQUAL(parameters.Type, WdfRequestTypeRead);
    CHECK_EQUAL(parameters.Parameters.Read.Length, OUTPUT_BYTES);
    WdfRequestGetParameters(request_make(&made, WdfRequestTypeWrite, 0), &parameters);
    CHECK_EQUAL(parameters.Type, WdfRequestTypeWrite);
    CHECK_EQUAL(parameters.Parameters.Write.Length, INPUT_BYTES);
    WdfRequestGetParameters(request_make(&made, WdfRequestTypeDeviceControl, METHOD_OUT_DIRECT),
                            &parameters);
    CHECK_EQUAL(parameters.Type, WdfRequestTypeDeviceControl);
    CHECK_EQUAL(parameters.Parameters.DeviceIoControl.OutputBufferLength, OUTPUT_BYTES);
    CHECK_EQUAL(parameters.Parameters.DeviceIoControl.InputBufferLength, INPUT_BYTES);
    CHECK_EQUAL(METHOD_FROM_CTL_CODE(parameters.Parameters.DeviceIoControl.IoControlCode),
                METHOD_OUT_DIRECT);
    WdfRequestGetParameters(request_make(&made, WdfRequestTypeRead, 0), NULL);
    CHECK_EQUAL(world_parameter(made.world.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
}

TEST(bad_requests_are_not_made) {
    desk made;
    desk_open(&made);
    wdfdma_request_config config = {.type = WdfRequestTypeCreate};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(made.world.device, &config, &request),
                 STATUS_INVALID_PARAMETER);
    config.type = WdfRequestTypeRead;
    CHECK_STATUS(wdfdma_request_create(made.world.device, &config, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_request_create(made.world.device, NULL, &request),
                 STATUS_INVALID_PARAMETER);
    MDL forged = *made.output;
    config.output = &forged;
    CHECK_STATUS(wdfdma_request_create(made.world.device, &config, &request),
                 STATUS_INVALID_PARAMETER);
    CHECK(request == NULL);
    CHECK(wdfdma_machine_get_bugcheck(made.world.machine) == NULL);
    CHECK_STATUS(wdfdma_request_get_info(NULL, &(wdfdma_request_info){0}), STATUS_INVALID_HANDLE);
    CHECK_STATUS(wdfdma_request_get_info(NULL, NULL), STATUS_INVALID_PARAMETER);
}

static void retrieve(WDF_REQUEST_TYPE type, ULONG method, NTSTATUS input, NTSTATUS output) {
    desk made;
    desk_open(&made);
    PMDL mdl = NULL;
    WDFREQUEST request = request_make(&made, type, method);
    CHECK_STATUS(WdfRequestRetrieveInputWdmMdl(request, &mdl), input);
    CHECK(mdl == (NT_SUCCESS(input) ? made.input : NULL));
    mdl = NULL;
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &mdl), output);
    CHECK(mdl == (NT_SUCCESS(output) ? made.output : NULL));
    WdfRequestComplete(request, STATUS_CANCELLED);
    CHECK_STATUS(WdfRequestRetrieveInputWdmMdl(request, &mdl), STATUS_INTERNAL_ERROR);
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &mdl), STATUS_INTERNAL_ERROR);
    harness_machine_end(made.world.machine);
}

TEST(buffers_are_retrieved) {
    retrieve(WdfRequestTypeRead, 0, STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS);
    retrieve(WdfRequestTypeWrite, 0, STATUS_SUCCESS, STATUS_INVALID_DEVICE_REQUEST);
    retrieve(WdfRequestTypeDeviceControl, METHOD_BUFFERED, STATUS_SUCCESS, STATUS_SUCCESS);
    retrieve(WdfRequestTypeDeviceControl, METHOD_IN_DIRECT, STATUS_SUCCESS, STATUS_SUCCESS);
    retrieve(WdfRequestTypeDeviceControl, METHOD_OUT_DIRECT, STATUS_SUCCESS, STATUS_SUCCESS);
}

TEST(method_neither_has_no_mdl) {
    retrieve(WdfRequestTypeDeviceControl, METHOD_NEITHER, STATUS_INVALID_DEVICE_REQUEST,
             STATUS_INVALID_DEVICE_REQUEST);
}

TEST(an_empty_buffer_is_too_small) {
    desk made;
    desk_open(&made);
    const wdfdma_request_config config = {.type = WdfRequestTypeRead, .output = made.output};
    WDFREQUEST request = NULL;
    PMDL mdl = NULL;
    CHECK_STATUS(wdfdma_request_create(made.world.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &mdl), STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, NULL), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_parameter(made.world.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
}

/* ---- The end of a request ---- */

TEST(a_request_is_completed) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, WdfRequestTypeRead, 0);
    CHECK(!request_info(request).completed);
    WdfRequestSetInformation(request, 7);
    CHECK_EQUAL(WdfRequestGetInformation(request), 7);
    WdfRequestComplete(request, STATUS_IO_DEVICE_ERROR);
    CHECK(request_info(request).completed);
    CHECK_STATUS(request_info(request).status, STATUS_IO_DEVICE_ERROR);
    CHECK_EQUAL(request_info(request).information, 7);
    request = request_make(&made, WdfRequestTypeWrite, 0);
    CHECK_EQUAL(request_info(request).label, 1);
    WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, INPUT_BYTES);
    CHECK_EQUAL(request_info(request).information, INPUT_BYTES);
    CHECK(wdfdma_machine_get_bugcheck(made.world.machine) == NULL);
    wdfdma_request_destroy(request);
    CHECK_STATUS(wdfdma_request_get_info(request, &(wdfdma_request_info){0}),
                 STATUS_INVALID_HANDLE);
}

TEST(a_request_is_not_completed_twice) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, WdfRequestTypeRead, 0);
    WdfRequestComplete(request, STATUS_SUCCESS);
    WdfRequestComplete(request, STATUS_SUCCESS);
    check_violation(made.world.machine, WDFDMA_WDF_REQUEST_FATAL_ERROR, request, 2);
}

TEST(information_is_no_more_than_the_buffer) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, WdfRequestTypeRead, 0);
    WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, OUTPUT_BYTES + 1);
    check_violation(made.world.machine, WDFDMA_WDF_REQUEST_FATAL_ERROR, request, 2);
    CHECK(!request_info(request).completed);
}

/* ---- WdfDmaTransactionInitializeUsingRequest ---- */

static void initialize(WDF_REQUEST_TYPE type, ULONG method, WDF_DMA_DIRECTION direction,
                       NTSTATUS expected, uint64_t length) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, type, method);
    WDFDMATRANSACTION transaction = world_transaction(made.world.enabler);
    uint64_t breaks = wdfdma_machine_get_state(made.world.machine)->breaks;
    CHECK_STATUS(
        WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma, direction),
        expected);
    CHECK(WdfDmaTransactionGetRequest(transaction) == (NT_SUCCESS(expected) ? request : NULL));
    CHECK_EQUAL(world_info(transaction).length, NT_SUCCESS(expected) ? length : 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.world.machine)->breaks - breaks,
                method == METHOD_NEITHER && type == WdfRequestTypeDeviceControl);
    if (NT_SUCCESS(expected)) {
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
    }
    harness_machine_end(made.world.machine);
}

TEST(types_go_with_directions) {
    const WDF_DMA_DIRECTION read = WdfDmaDirectionReadFromDevice,
                            write = WdfDmaDirectionWriteToDevice;
    const NTSTATUS bad = STATUS_INVALID_DEVICE_REQUEST;
    const WDF_REQUEST_TYPE control = WdfRequestTypeDeviceControl;
    initialize(WdfRequestTypeRead, 0, read, STATUS_SUCCESS, OUTPUT_BYTES);
    initialize(WdfRequestTypeRead, 0, write, bad, 0);
    initialize(WdfRequestTypeWrite, 0, write, STATUS_SUCCESS, INPUT_BYTES);
    initialize(WdfRequestTypeWrite, 0, read, bad, 0);
    initialize(control, METHOD_BUFFERED, read, STATUS_SUCCESS, OUTPUT_BYTES);
    initialize(control, METHOD_BUFFERED, write, STATUS_SUCCESS, INPUT_BYTES);
    initialize(control, METHOD_IN_DIRECT, write, STATUS_SUCCESS, OUTPUT_BYTES);
    initialize(control, METHOD_IN_DIRECT, read, bad, 0);
    initialize(control, METHOD_OUT_DIRECT, read, STATUS_SUCCESS, OUTPUT_BYTES);
    initialize(control, METHOD_OUT_DIRECT, write, bad, 0);
    initialize(control, METHOD_NEITHER, read, bad, 0);
    initialize(control, METHOD_NEITHER, write, bad, 0);
    initialize(WdfRequestTypeRead, 0, (WDF_DMA_DIRECTION)2, STATUS_INVALID_PARAMETER, 0);
    initialize(WdfRequestTypeRead, 0, (WDF_DMA_DIRECTION)-1, STATUS_INVALID_PARAMETER, 0);
}

TEST(a_missing_function_is_seen_first) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, WdfRequestTypeRead, 0);
    WdfDmaTransactionInitializeUsingRequest(world_transaction(made.world.enabler), request, NULL,
                                            (WDF_DMA_DIRECTION)9);
    CHECK_EQUAL(world_parameter(made.world.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
}

TEST(a_version_2_packet_takes_one_mdl) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PMDL first = world_mdl(made.machine, 0, 100, NULL);
    first->Next = world_mdl(made.machine, 0, 100, NULL);
    wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = first, .output_length = 101};
    WDFREQUEST request = NULL;
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_INVALID_PARAMETER);
    config.output_length = 0;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- References ---- */

typedef enum ending {
    ENDS_COMPLETED,
    ENDS_FINAL,
    ENDS_BAD_LENGTH,
    ENDS_CANCELLED,
    ENDING_COUNT
} ending;

/* Registers are all held by another, so that a cancel has something to do. */
static void hold_registers(const desk *of, uint32_t count) {
    WDFDMAENABLER other =
        world_enabler(of->world.device, &(world_profile){.profile = WdfDmaProfilePacket,
                                                         .version = 3,
                                                         .maximum_length = 64 * WORLD_PAGE});
    CHECK_STATUS(WdfDmaTransactionAllocateResources(world_transaction(other),
                                                    WdfDmaDirectionReadFromDevice, count,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
}

static void transfer_end(WDFDMATRANSACTION transaction, ending how) {
    NTSTATUS status;
    switch (how) {
    case ENDS_COMPLETED:
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        break;
    case ENDS_FINAL:
        CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 1, &status));
        break;
    case ENDS_BAD_LENGTH:
        CHECK(WdfDmaTransactionDmaCompletedWithLength(transaction, INPUT_BYTES + 1, &status));
        break;
    default:
        CHECK(WdfDmaTransactionCancel(transaction));
        break;
    }
}

TEST(a_transfer_holds_its_request) {
    for (int how = 0; how < ENDING_COUNT; how++) {
        desk made;
        desk_open(&made);
        WDFREQUEST request = request_make(&made, WdfRequestTypeWrite, 0);
        WDFDMATRANSACTION transaction = world_transaction(made.world.enabler);
        if (how == ENDS_CANCELLED) {
            hold_registers(&made, 64);
        }
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(
                         transaction, request, world_program_dma, WdfDmaDirectionWriteToDevice),
                     STATUS_SUCCESS);
        CHECK_EQUAL(request_info(request).references, 0);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(request_info(request).references, 1);
        transfer_end(transaction, (ending)how);
        CHECK_EQUAL(request_info(request).references, 0);
        CHECK(WdfDmaTransactionGetRequest(transaction) == request);
        WdfRequestComplete(request, STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
        CHECK(wdfdma_machine_get_bugcheck(made.world.machine) == NULL);
    }
}

TEST(a_failed_execute_lets_go) {
    desk made;
    desk_open(&made);
    WDFREQUEST request = request_make(&made, WdfRequestTypeWrite, 0);
    WDFDMATRANSACTION transaction = world_transaction(made.world.enabler);
    hold_registers(&made, 64);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionWriteToDevice),
                 STATUS_SUCCESS);
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(request_info(request).references, 0);
    WdfRequestComplete(request, STATUS_INSUFFICIENT_RESOURCES);
    CHECK(wdfdma_machine_get_bugcheck(made.world.machine) == NULL);
}

static WDFREQUEST request_in_transfer(desk *made) {
    desk_open(made);
    WDFREQUEST request = request_make(made, WdfRequestTypeWrite, 0);
    WDFDMATRANSACTION transaction = world_transaction(made->world.enabler);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionWriteToDevice),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    return request;
}

TEST(a_held_request_is_not_completed) {
    desk made;
    WDFREQUEST request = request_in_transfer(&made);
    WdfRequestComplete(request, STATUS_SUCCESS);
    check_violation(made.world.machine, WDFDMA_WDF_VERIFIER_FATAL_ERROR, request, 1);
    CHECK_EQUAL(world_parameter(made.world.machine, 2), 1);
    request = request_in_transfer(&made);
    wdfdma_request_destroy(request);
    check_violation(made.world.machine, WDFDMA_WDF_VERIFIER_FATAL_ERROR, request, 1);
}

HARNESS_MAIN(ENTRY(a_request_tells_what_it_is), ENTRY(bad_requests_are_not_made),
             ENTRY(buffers_are_retrieved), ENTRY(method_neither_has_no_mdl),
             ENTRY(an_empty_buffer_is_too_small), ENTRY(a_request_is_completed),
             ENTRY(a_request_is_not_completed_twice), ENTRY(information_is_no_more_than_the_buffer),
             ENTRY(types_go_with_directions), ENTRY(a_missing_function_is_seen_first),
             ENTRY(a_version_2_packet_takes_one_mdl), ENTRY(a_transfer_holds_its_request),
             ENTRY(a_failed_execute_lets_go), ENTRY(a_held_request_is_not_completed))
