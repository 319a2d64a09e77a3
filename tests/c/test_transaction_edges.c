/* Transactions at their edges: what their calls leave, count and tell, of either log. */
#include "edge_world.h"

/* Only completions of no bytes that follow one another are a livelock. */
TEST(a_completion_of_bytes_begins_a_new_count) {
    for (int way = 0; way < 3; way++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket,
                                                      .version = 3,
                                                      .maximum_length = WORLD_PAGE});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
        NTSTATUS status;
        CHECK_STATUS(initialize(transaction, mdl, 0, 4 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
        for (int turn = 0; turn < 2; turn++) {
            for (int i = 0; i < 2; i++) {
                CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, 0, &status));
            }
            if (way == 0) {
                CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
            } else if (way == 1) {
                CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, 1, &status));
            }
        }
        const wdfdma_violation *told = told_last(made.machine, way == 2);
        if (way == 2) {
            CHECK_EQUAL(told->rule, WDFDMA_RULE_ZERO_LENGTH_LIVELOCK);
            CHECK_EQUAL(told->parameters[2], 3);
            CHECK_EQUAL(told->parameters[3], 0);
        }
        harness_machine_end(made.machine);
    }
}

/* A cycle counts its own completions of no bytes. */
TEST(a_cycle_counts_anew) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    for (int turn = 0; turn < 3; turn++) {
        NTSTATUS status;
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
        for (int i = 0; i < 2; i++) {
            CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, 0, &status));
        }
        CHECK(WdfDmaTransactionDmaCompletedWithLength(transaction, WORLD_PAGE + 1, &status));
        CHECK_STATUS(status, STATUS_INVALID_PARAMETER);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    const wdfdma_violation *told = told_last(made.machine, 3);
    CHECK_EQUAL(told->rule, WDFDMA_RULE_VERIFIER_BREAK);
}

/* Where a release in transfer is to stop the machine, nothing is given back. */
TEST(a_stop_gives_nothing_back) {
    for (int way = 0; way < 2; way++) {
        wdfdma_machine_config config = world_config(8);
        config.verifier = false;
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_RELEASED_IN_TRANSFER,
                                     WDFDMA_MODE_STOP);
        CHECK_STATUS(
            initialize(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), 0, WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
        uint32_t registers = world_free_registers(made.machine);
        if (way == 0) {
            WdfObjectDelete(transaction);
        } else {
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_UNSUCCESSFUL);
        }
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_RELEASED_IN_TRANSFER);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER);
        CHECK_EQUAL(world_free_registers(made.machine), registers);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 1);
        harness_machine_end(made.machine);
    }
}

/* A release leaves nothing of a cycle, however it ended. */
TEST(a_release_forgets_the_cycle) {
    for (int way = 0; way < 8; way++) {
        WDF_DMA_PROFILE profile = way / 4 == 0 ? WdfDmaProfilePacket : WdfDmaProfileScatterGather;
        world made = world_open(NULL, (world_profile){.profile = profile, .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(wdfdma_log_configure(made.machine, way % 2 != 0), STATUS_SUCCESS);
        for (int turn = 0; turn < 2; turn++) {
            NTSTATUS status;
            CHECK_STATUS(initialize(transaction, mdl, 100, 1000), STATUS_SUCCESS);
            CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
            CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, way / 2 % 2 == 0 ? 900 : 1001,
                                                     &status));
            CHECK_STATUS(status, way / 2 % 2 == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            wdfdma_transaction_info info = world_info(transaction);
            CHECK_EQUAL(info.length, 0);
            CHECK_EQUAL(info.remaining, 0);
            CHECK_EQUAL(info.transfer_length, 0);
            CHECK_EQUAL(info.bytes_transferred, 0);
            CHECK_EQUAL(info.maximum_fragment, 0);
            CHECK_EQUAL(info.holds_base, false);
            CHECK_EQUAL(info.registers, 0);
            CHECK_EQUAL(info.first_register, UINT32_MAX);
            CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
        }
        harness_machine_end(made.machine);
    }
}

/* A maximum length only takes away: the adapter's own changes nothing. */
TEST(a_maximum_length_only_takes_away) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    size_t most = WdfDmaEnablerGetFragmentLength(made.enabler, WdfDmaDirectionReadFromDevice);
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    static const uint64_t less[] = {0, 1, 2};
    for (int i = 0; i < 3; i++) {
        WdfDmaTransactionSetMaximumLength(transaction, most - less[i]);
        CHECK_EQUAL(world_info(transaction).maximum_fragment, most - less[i]);
    }
    WdfDmaTransactionSetMaximumLength(transaction, most - 1);
    for (size_t more = 0; more < 2; more++) {
        WdfDmaTransactionSetMaximumLength(transaction, most + more);
        CHECK_EQUAL(world_info(transaction).maximum_fragment, most - 1);
    }
}

/* Version 2 counts each MDL, as many as there are and one more, with the offset taken off each of those
 * that it passes. */
TEST(version_2_counts_each_mdl) {
    static const struct {
        size_t offset;
        uint32_t first; /* bytes, as the driver leaves them after Initialize */
        uint32_t second;
        int next; /* of the second: -1 none, else that one */
        ULONG registers;
    } rows[] = {
        {0, 8192, 4096, -1, 2},  {100, 8192, 4096, -1, 3},  {0, 4096, 4096, -1, 2},
        {0, 4096, 100, -1, 2},   {100, 4096, 4096, -1, 2},  {100, 50, 4096, -1, 1},
        {100, 100, 4096, -1, 1}, {100, 101, 4096, -1, 2},   {0, 1, 1, 0, 4},
        {0, 1, 1, 1, 4},         {5000, 4096, 4096, -1, 1}, {4096, 4096, 4096, -1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world made = open_packet(2);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdls[] = {world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL),
                       world_mdl(made.machine, 0, WORLD_PAGE, NULL)};
        ULONG registers = 0;
        ULONG elements = 0;
        CHECK_STATUS(initialize(transaction, mdls[0], rows[i].offset, 2 * WORLD_PAGE),
                     STATUS_SUCCESS);
        mdls[0]->ByteCount = rows[i].first;
        mdls[0]->Next = mdls[1];
        mdls[1]->ByteCount = rows[i].second;
        mdls[1]->Next = rows[i].next < 0 ? NULL : mdls[rows[i].next];
        WdfDmaTransactionGetTransferInfo(transaction, &registers, &elements);
        if (!CHECK_EQUAL(registers, rows[i].registers)) {
            printf("    in row %zu\n", i);
        }
        CHECK_EQUAL(elements, registers);
        registers = 0;
        WdfDmaTransactionGetTransferInfo(transaction, &registers, NULL);
        CHECK_EQUAL(registers, elements);
        elements = 0;
        WdfDmaTransactionGetTransferInfo(transaction, NULL, &elements);
        CHECK_EQUAL(registers, elements);
        harness_machine_end(made.machine);
    }
}

/* One that is gone further on in the chain is missed, too. */
TEST(a_chain_has_no_gap) {
    for (int way = 0; way < 3; way++) {
        world made =
            world_open(NULL, (world_profile){.profile = way == 0 ? WdfDmaProfilePacket
                                                                 : WdfDmaProfileScatterGather,
                                             .version = 3});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        mdl->Next = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl->Next), STATUS_SUCCESS);
        if (way == 1) {
            WdfDmaTransactionSetSingleTransferRequirement(transaction, TRUE);
        }
        NTSTATUS status = initialize(transaction, mdl, 0, WORLD_PAGE + 100);
        if (way == 0) {
            CHECK_STATUS(status, STATUS_SUCCESS);
            status = reserve(transaction, WdfDmaDirectionReadFromDevice, 0);
        }
        CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
        harness_machine_end(made.machine);
    }
}

/* A system profile has the directions that it was configured for. */
TEST(a_direction_is_configured) {
    for (int way = 0; way < 2; way++) {
        WDFDEVICE device = world_device(harness_machine(NULL));
        WDF_DMA_ENABLER_CONFIG config;
        WDFDMAENABLER enabler = NULL;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileSystemDuplex, WORLD_PAGE);
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &enabler),
                     STATUS_SUCCESS);
        CHECK_STATUS(world_configure(enabler, WdfDmaDirectionWriteToDevice), STATUS_SUCCESS);
        wdfdma_machine *machine = wdfdma_machine_current();
        WDFDMATRANSACTION transaction = world_transaction(enabler);
        PMDL mdl = world_mdl(machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(way == 0 ? initialize(transaction, mdl, 0, WORLD_PAGE)
                              : reserve(transaction, WdfDmaDirectionReadFromDevice, 2),
                     STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_NOT_CONFIGURED);
        harness_machine_end(machine);
    }
}

/* A parent that is no object of the machine. */
TEST(a_parent_that_is_gone_is_told) {
    for (int way = 0; way < 3; way++) {
        world made = open_packet(3);
        WDFDMATRANSACTION gone = world_transaction(made.enabler);
        WDFDMATRANSACTION transaction = NULL;
        WDF_OBJECT_ATTRIBUTES attributes;
        WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
        attributes.ParentObject = gone;
        if (way == 0) {
            WdfObjectReference(gone);
        }
        WdfObjectDelete(gone);
        CHECK_STATUS(
            WdfDmaTransactionCreate(made.enabler, &attributes, way == 2 ? NULL : &transaction),
            STATUS_UNSUCCESSFUL);
        CHECK(transaction == NULL);
        CHECK_EQUAL(world_rule(made.machine), way == 2 ? WDFDMA_RULE_WDF_REQUIRED_PARAMETER_IS_NULL
                                                       : WDFDMA_RULE_WDF_INVALID_HANDLE);
        CHECK_EQUAL(world_parameter(made.machine, 1), way == 2 ? 0 : (uintptr_t)gone);
        CHECK_EQUAL(world_parameter(made.machine, 2), 0);
        CHECK_EQUAL(world_parameter(made.machine, 3), 0);
        harness_machine_end(made.machine);
    }
}

/* A request that is gone is nobody's. */
TEST(a_request_that_is_gone_is_not_got) {
    world made = open_packet(3);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFREQUEST request = world_read_request(made.device, mdl, WORLD_PAGE);
    CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionGetRequest(transaction) == request);
    wdfdma_request_destroy(request);
    CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* The driver's transfer context goes with its transaction. */
TEST(transfer_contexts_come_and_go) {
    enum {
        TURNS = 80000
    };
    wdfdma_machine_config config = world_config(8);
    config.reserve_bytes = 16u << 20;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    for (int turn = 0; turn < TURNS; turn++) {
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        REQUIRE(transaction != NULL);
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        PVOID context = WdfDmaTransactionWdmGetTransferContext(transaction);
        REQUIRE(context != NULL);
        CHECK(WdfDmaTransactionWdmGetTransferContext(transaction) == context);
        WdfObjectDelete(transaction);
    }
}

/* So does a list's buffer, which is made for the most that its range could need. */
TEST(list_buffers_come_and_go) {
    enum {
        TURNS = 3000,
        PAGES = 256
    };
    wdfdma_machine_config config = world_config(512);
    config.reserve_bytes = 16u << 20;
    config.registers_per_adapter = 512;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                     .version = 3,
                                                     .maximum_length = PAGES * WORLD_PAGE});
    PMDL mdl = world_mdl(made.machine, 0, PAGES * WORLD_PAGE, NULL);
    for (int turn = 0; turn < TURNS; turn++) {
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        NTSTATUS status = initialize(transaction, mdl, 0, PAGES * WORLD_PAGE);
        CHECK_STATUS(status, STATUS_SUCCESS);
        REQUIRE(NT_SUCCESS(status));
        WdfObjectDelete(transaction);
    }
}

/* A channel that was refused is a goal of coverage. */
TEST(a_refused_channel_is_counted) {
    for (uint32_t way = 0; way < 2; way++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        BOOLEAN answer = way == 0;
        wdfdma_coverage *map = NULL;
        CHECK_STATUS(wdfdma_coverage_create(&map), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_set_coverage(made.machine, map), STATUS_SUCCESS);
        WdfDmaTransactionSetChannelConfigurationCallback(transaction, world_configure_channel,
                                                         &answer);
        CHECK_STATUS(initialize(transaction, world_mdl(made.machine, 0, 100, NULL), 0, 100),
                     STATUS_SUCCESS);
        CHECK_STATUS(execute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(programmed, 1 - way);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "configure_refused"), way);
        wdfdma_coverage_destroy(map);
        harness_machine_end(made.machine);
    }
}

/* EvtProgramDma is logged with its direction. */
TEST(a_program_is_logged_with_its_direction) {
    for (uint64_t way = 0; way < 2; way++) {
        world made = open_packet(3);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        wdfdma_log_view view;
        CHECK_STATUS(wdfdma_log_configure(made.machine, 8), STATUS_SUCCESS);
        CHECK_STATUS(world_initialize(transaction, (WDF_DMA_DIRECTION)way, mdl, 0, WORLD_PAGE),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_log_get_view(made.machine, &view), STATUS_SUCCESS);
        REQUIRE(view.first_count == 5);
        CHECK_EQUAL(view.first[1].kind, WDFDMA_RECORD_EVENT);
        CHECK_EQUAL(view.first[1].code, WDFDMA_EVENT_PROGRAM_DMA);
        CHECK_EQUAL(view.first[1].values[0], way);
        CHECK_EQUAL(view.first[1].values[1], 1);
        CHECK_EQUAL(view.first[2].kind, WDFDMA_RECORD_ELEMENT);
        CHECK_EQUAL(view.first[2].values[1], WORLD_PAGE);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_completion_of_bytes_begins_a_new_count), ENTRY(a_cycle_counts_anew),
             ENTRY(a_stop_gives_nothing_back), ENTRY(a_release_forgets_the_cycle),
             ENTRY(a_maximum_length_only_takes_away), ENTRY(version_2_counts_each_mdl),
             ENTRY(a_chain_has_no_gap), ENTRY(a_direction_is_configured),
             ENTRY(a_parent_that_is_gone_is_told), ENTRY(a_request_that_is_gone_is_not_got),
             ENTRY(transfer_contexts_come_and_go), ENTRY(list_buffers_come_and_go),
             ENTRY(a_refused_channel_is_counted), ENTRY(a_program_is_logged_with_its_direction))
