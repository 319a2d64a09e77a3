/* The framework at its edges: a log of one record, contexts of any size, what the debugger is told of a
 * refused request. */
#include "world.h"

typedef struct EDGE_CONTEXT {
    uint64_t Value;
} EDGE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDGE_CONTEXT, GetEdge)

/* A ring of one record has the last call's. */
TEST(a_log_of_one_record_has_a_completion) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    wdfdma_log_view view;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_log_configure(made.machine, 1), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &view), STATUS_SUCCESS);
    CHECK_EQUAL(view.first_count + view.second_count, 1);
    REQUIRE(view.first_count == 1);
    CHECK_EQUAL(view.first[0].kind, WDFDMA_RECORD_OP);
    CHECK_EQUAL(view.first[0].code, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(view.first[0].values[0], TRUE);
}

/* What is added to the size of a context may not run over. */
TEST(no_context_is_nearly_all_of_memory) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    for (size_t less = 0; less <= 256; less++) {
        WDF_OBJECT_ATTRIBUTES attributes;
        WDFDMAENABLER enabler = NULL;
        WDF_DMA_ENABLER_CONFIG config;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, WORLD_PAGE);
        WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDGE_CONTEXT);
        bool fits = less == 256;
        attributes.ContextSizeOverride = fits ? sizeof(EDGE_CONTEXT) : SIZE_MAX - less;
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, &attributes, &enabler),
                     fits ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
        CHECK((enabler != NULL) == fits);
        CHECK(!fits || GetEdge(enabler) != NULL);
    }
}

TEST(a_buffer_of_the_wrong_kind_is_a_break) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    for (int way = 0; way < 2; way++) {
        const wdfdma_request_config config = {.type = way == 0 ? WdfRequestTypeRead
                                                               : WdfRequestTypeWrite,
                                              .input = mdl,
                                              .output = mdl,
                                              .input_length = WORLD_PAGE,
                                              .output_length = WORLD_PAGE};
        WDFREQUEST request = NULL;
        PMDL found = NULL;
        CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
        uint64_t breaks = wdfdma_machine_get_state(made.machine)->breaks;
        CHECK_STATUS(way == 0 ? WdfRequestRetrieveInputWdmMdl(request, &found)
                              : WdfRequestRetrieveOutputWdmMdl(request, &found),
                     STATUS_INVALID_DEVICE_REQUEST);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks - breaks, 1);
        CHECK_STATUS(way == 0 ? WdfRequestRetrieveOutputWdmMdl(request, &found)
                              : WdfRequestRetrieveInputWdmMdl(request, &found),
                     STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks - breaks, 1);
    }
}

static NTSTATUS create_below(WDFDMAENABLER enabler, WDFOBJECT parent) {
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDMATRANSACTION transaction = NULL;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = parent;
    return WdfDmaTransactionCreate(enabler, &attributes, &transaction);
}

TEST(a_transaction_lies_below_its_enabler) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    CHECK_STATUS(create_below(made.enabler, NULL), STATUS_SUCCESS);
    CHECK_STATUS(create_below(made.enabler, made.enabler), STATUS_SUCCESS);
    CHECK_STATUS(create_below(made.enabler, made.device), STATUS_INVALID_DEVICE_REQUEST);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* What IoGetDmaAdapter and the inspection say of an adapter of either version. */
TEST(an_adapter_has_its_enablers_version) {
    for (uint32_t version = 2; version <= 3; version++) {
        world made =
            world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = version});
        wdfdma_adapter_info info;
        WDFOBJECT adapter = wdfdma_enabler_get_adapter(made.enabler, WdfDmaDirectionReadFromDevice);
        PDMA_ADAPTER shown =
            WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
        CHECK_STATUS(wdfdma_adapter_get_info(adapter, &info), STATUS_SUCCESS);
        CHECK_EQUAL(info.version, version);
        REQUIRE(shown != NULL);
        CHECK_EQUAL(shown->Version, version);
        CHECK_EQUAL(shown->Size, sizeof *shown);
    }
}

/* An adapter has two registers at least: any buffer of a page may need them. */
TEST(one_register_makes_no_adapter) {
    for (uint32_t registers = 1; registers <= 2; registers++) {
        for (int way = 0; way < 2; way++) {
            wdfdma_machine_config config = world_config(way == 0 ? registers : 8);
            config.registers_per_adapter = registers;
            WDFDEVICE device = world_device(harness_machine(&config));
            WDFDMAENABLER enabler = NULL;
            CHECK_STATUS(world_enabler_try(device, &(world_profile){.profile = WdfDmaProfilePacket},
                                           &enabler),
                         registers < 2 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
        }
    }
}

/* Each leak names what is held and how much of it; the parameters left over are 0. */
TEST(a_leak_has_all_its_parameters) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = NULL;
    size_t count = 0;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 1);
    const wdfdma_violation *told = wdfdma_machine_get_violations(made.machine, &count);
    REQUIRE(count == 1);
    CHECK_EQUAL(told->rule, WDFDMA_RULE_LEAK_COMMON_BUFFER);
    CHECK_EQUAL(told->parameters[1], (uintptr_t)buffer);
    CHECK_EQUAL(told->parameters[2], 5000);
    CHECK_EQUAL(told->parameters[3], 0);
}

TEST(a_buffer_that_is_gone_has_no_address) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    WdfObjectDelete(buffer);
    CHECK_EQUAL(WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart, 0);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart, 0);
    CHECK(WdfCommonBufferGetAlignedVirtualAddress(buffer) == NULL);
    CHECK_EQUAL(WdfCommonBufferGetLength(buffer), 0);
}

/* Pages go one by one: the addresses of those that stay keep their frames, and what is gone has none. */
TEST(addresses_are_forgotten_with_their_pages) {
    enum {
        BUFFERS = 4
    };
    for (int gone = 0; gone < BUFFERS; gone++) {
        wdfdma_machine *machine = harness_machine(NULL);
        PMDL mdls[BUFFERS];
        char *bytes[BUFFERS];
        for (int i = 0; i < BUFFERS; i++) {
            mdls[i] = world_mdl(machine, 0, WORLD_PAGE, NULL);
            bytes[i] = MmGetSystemAddressForMdlSafe(mdls[i], NormalPagePriority);
        }
        CHECK_STATUS(wdfdma_mdl_destroy(machine, mdls[gone]), STATUS_SUCCESS);
        for (int i = 0; i < BUFFERS; i++) {
            PMDL over = IoAllocateMdl(bytes[i], WORLD_PAGE, FALSE, FALSE, NULL);
            REQUIRE(over != NULL);
            if (i != gone) {
                MmBuildMdlForNonPagedPool(over);
                CHECK_EQUAL(MmGetMdlPfnArray(over)[0], MmGetMdlPfnArray(mdls[i])[0]);
            }
        }
        CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
        MmBuildMdlForNonPagedPool(IoAllocateMdl(bytes[gone], WORLD_PAGE, FALSE, FALSE, NULL));
        CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_INVALID_MDL);
        harness_machine_end(machine);
    }
}

/* A transfer that was stopped before it began: the next one knows nothing of that. */
TEST(a_stopped_transfer_is_over_when_it_is_released) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    for (uint32_t turn = 0; turn < 3; turn++) {
        world_seen seen = {0};
        CHECK_STATUS(
            world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
            STATUS_SUCCESS);
        if (turn == 1) {
            WdfDmaTransactionStopSystemTransfer(transaction);
        } else {
            NTSTATUS status;
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_SUCCESS);
            CHECK_EQUAL(seen.programmed, 1);
            CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        }
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* All of the parameters are written, whatever was there. */
TEST(parameters_are_written_in_full) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    static const WDF_REQUEST_TYPE types[] = {WdfRequestTypeRead, WdfRequestTypeWrite,
                                             WdfRequestTypeDeviceControl};
    for (int i = 0; i < 3; i++) {
        const wdfdma_request_config config = {.type = types[i]};
        WDFREQUEST request = NULL;
        WDF_REQUEST_PARAMETERS found;
        memset(&found, 0xFF, sizeof found);
        CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
        WdfRequestGetParameters(request, &found);
        CHECK_EQUAL(found.Size, sizeof found);
        CHECK_EQUAL(found.MinorFunction, 0);
        CHECK_EQUAL(found.Type, types[i]);
        CHECK_EQUAL(i < 2 ? found.Parameters.Read.Key : 0, 0);
    }
}

/* However many transactions hold registers, each run is known as one's own, and no leak by itself. */
TEST(many_reservations_leak_no_registers) {
    enum {
        TRANSACTIONS = 150
    };
    wdfdma_machine_config config = world_config(2 * TRANSACTIONS);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    size_t leaks = 0;
    for (int i = 0; i < TRANSACTIONS; i++) {
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        1, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    }
    CHECK_EQUAL(world_free_registers(made.machine), TRANSACTIONS);
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_IGNORE);
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_RESERVATION, WDFDMA_MODE_IGNORE);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &leaks), STATUS_SUCCESS);
    CHECK_EQUAL(leaks, 0);
}

/* Registers of [of]'s reservation, freed behind the framework's back, as a WDM driver would. */
static void free_behind(const world *of, WDFDMATRANSACTION reserved, bool only_the_channel) {
    wdfdma_transaction_info info = world_info(reserved);
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(of->enabler, WdfDmaDirectionReadFromDevice);
    uint64_t base = WORLD_REGISTERS_ADDRESS + (uint64_t)info.first_register * WORLD_PAGE;
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    if (only_the_channel) {
        adapter->DmaOperations->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
    } else {
        adapter->DmaOperations->FreeMapRegisters(adapter, (PVOID)(uintptr_t)base, info.registers);
    }
    KeLowerIrql(before);
    CHECK(wdfdma_machine_get_bugcheck(of->machine) == NULL);
}

/* A reservation without its registers, or without its channel, carries no transfer. */
TEST(a_reservation_that_was_freed_is_not_used) {
    for (int is_system = 0; is_system < 2; is_system++) {
        WDF_DMA_PROFILE profile = is_system ? WdfDmaProfileSystem : WdfDmaProfilePacket;
        world made = world_open(NULL, (world_profile){.profile = profile, .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        world_seen seen = {0};
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        2, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
        free_behind(&made, transaction, is_system != 0);
        CHECK_STATUS(
            world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(seen.programmed, 0);
        CHECK_EQUAL(world_rule(made.machine), is_system ? WDFDMA_RULE_CHANNEL_NOT_OWNED
                                                        : WDFDMA_RULE_CANCELLED_RESERVATION_USED);
        harness_machine_end(made.machine);
    }
}

static uint32_t transfer_ends;
static DMA_COMPLETION_STATUS transfer_end;

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    transfer_ends++;
    transfer_end = status;
}

/* The adapter knows a transaction's transfer by its context, and by no other. */
TEST(a_transfer_is_cancelled_by_its_context) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    uint8_t other[DMA_TRANSFER_CONTEXT_SIZE_V1] = {0};
    transfer_ends = 0;
    WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, NULL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    PVOID context = WdfDmaTransactionWdmGetTransferContext(transaction);
    REQUIRE(context != NULL);
    CHECK_STATUS(adapter->DmaOperations->CancelMappedTransfer(adapter, other), STATUS_SUCCESS);
    CHECK_EQUAL(transfer_ends, 0);
    CHECK_STATUS(adapter->DmaOperations->CancelMappedTransfer(adapter, context), STATUS_SUCCESS);
    CHECK_EQUAL(transfer_ends, 1);
    CHECK_EQUAL(transfer_end, DmaCancelled);
}

/* Memory of a buffer that is gone is used again; its frames not at once. */
TEST(large_buffers_come_and_go) {
    enum {
        TURNS = 4000,
        PAGES = 512
    };
    wdfdma_machine_config config = world_config(8);
    config.reserve_bytes = 16u << 20;
    wdfdma_machine *machine = harness_machine(&config);
    uint64_t last = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        PMDL mdl = world_mdl(machine, 0, PAGES * WORLD_PAGE, NULL);
        REQUIRE(mdl != NULL);
        CHECK(turn != 1 || MmGetMdlPfnArray(mdl)[0] == last + PAGES);
        last = MmGetMdlPfnArray(mdl)[0];
        CHECK_STATUS(wdfdma_mdl_destroy(machine, mdl), STATUS_SUCCESS);
    }
}

/* What is missing from a call is told alone. */
TEST(a_parameter_that_is_missing_is_told) {
    for (int way = 0; way < 4; way++) {
        world made =
            world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        const wdfdma_request_config config = {.type = WdfRequestTypeRead};
        WDFREQUEST request = NULL;
        if (way == 0) {
            CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
            WdfRequestGetParameters(request, NULL);
        } else if (way == 1) {
            CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                             transaction, NULL, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                         STATUS_UNSUCCESSFUL);
        } else if (way == 2) {
            CHECK_STATUS(WdfDmaTransactionAllocateResources(
                             transaction, WdfDmaDirectionReadFromDevice, 1, NULL, NULL),
                         STATUS_UNSUCCESSFUL);
        } else {
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            WdfDmaTransactionDmaCompleted(transaction, NULL);
        }
        CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
        CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
        for (int i = 1; i < 4; i++) {
            CHECK_EQUAL(world_parameter(made.machine, i), 0);
        }
        harness_machine_end(made.machine);
    }
}

static NTSTATUS transfer_once(WDFDMATRANSACTION transaction, PMDL mdl) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    return status;
}

/* A buffer that goes between Initialize and Execute is missed, also where another is in its place now. */
TEST(a_buffer_that_went_is_missed) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileSystem,
                                               WdfDmaProfileScatterGather};
    for (int turn = 0; turn < 12; turn++) {
        int way = turn % 6;
        world made = world_open(NULL, (world_profile){.profile = profiles[way / 2], .version = 3});
        if (turn >= 6) { /* without a log, a transfer after another goes the plain way */
            CHECK_STATUS(wdfdma_log_configure(made.machine, 0), STATUS_SUCCESS);
        }
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        world_seen seen = {0};
        NTSTATUS status = transfer_once(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL));
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_STATUS(
            world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
        CHECK(way % 2 == 0 || world_mdl(made.machine, 0, WORLD_PAGE, NULL) == mdl);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(seen.programmed, 0);
        harness_machine_end(made.machine);
    }
}

/* A single transfer asks for its registers without a look at its chain: the grant looks. */
TEST(another_buffer_in_its_place_is_no_single_transfer) {
    world made =
        world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    world_seen seen = {0};
    WdfDmaTransactionSetSingleTransferRequirement(transaction, TRUE);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
    CHECK(world_mdl(made.machine, 0, WORLD_PAGE, NULL) == mdl);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    CHECK_EQUAL(seen.programmed, 0);
}

/* Its buffer is the driver's no more. */
TEST(a_completed_request_initializes_nothing) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    for (int way = 0; way < 2; way++) {
        const wdfdma_request_config config = {
            .type = WdfRequestTypeRead,
            .output = way == 0 ? world_mdl(made.machine, 0, 100, NULL) : NULL,
            .output_length = way == 0 ? 100 : 0};
        WDFREQUEST request = NULL;
        CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
        WdfObjectReference(request);
        if (way == 0) {
            WdfRequestComplete(request, STATUS_SUCCESS);
        }
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(
                         transaction, request, world_program_dma, WdfDmaDirectionReadFromDevice),
                     STATUS_INVALID_DEVICE_REQUEST);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
    }
}

HARNESS_MAIN(
    ENTRY(a_log_of_one_record_has_a_completion), ENTRY(no_context_is_nearly_all_of_memory),
    ENTRY(a_buffer_of_the_wrong_kind_is_a_break), ENTRY(a_transaction_lies_below_its_enabler),
    ENTRY(an_adapter_has_its_enablers_version), ENTRY(a_leak_has_all_its_parameters),
    ENTRY(a_buffer_that_is_gone_has_no_address), ENTRY(addresses_are_forgotten_with_their_pages),
    ENTRY(a_stopped_transfer_is_over_when_it_is_released), ENTRY(parameters_are_written_in_full),
    ENTRY(many_reservations_leak_no_registers), ENTRY(one_register_makes_no_adapter),
    ENTRY(a_transfer_is_cancelled_by_its_context), ENTRY(large_buffers_come_and_go),
    ENTRY(a_parameter_that_is_missing_is_told), ENTRY(a_buffer_that_went_is_missed),
    ENTRY(another_buffer_in_its_place_is_no_single_transfer),
    ENTRY(a_completed_request_initializes_nothing), ENTRY(a_reservation_that_was_freed_is_not_used))
