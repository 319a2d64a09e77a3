/* Which cells and which goals whole sequences meet, all of them: queues, completions, requests, callbacks in
 * callbacks, bounces. */
#include "coverage_world.h"

static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;

/* The system adapter has all registers, and its channel: five wait, in both queues. */
TEST(who_waits_for_what_is_told_apart) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMAENABLER packet = packet_enabler(&of);
    PMDL mdl = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION first = world_transaction(of.enabler);
    WDFDMATRANSACTION in_turn[2] = {world_transaction(of.enabler), world_transaction(of.enabler)};
    WDFDMATRANSACTION reserved = world_transaction(of.enabler);
    WDFDMATRANSACTION for_registers[2] = {world_transaction(packet), world_transaction(packet)};
    start(first, mdl, WORLD_PAGE, NULL);
    start(in_turn[0], mdl, WORLD_PAGE, NULL);
    start(in_turn[1], mdl, WORLD_PAGE, NULL);
    reserve(reserved, 4);
    start(for_registers[0], mdl, WORLD_PAGE, NULL);
    start(for_registers[1], mdl, WORLD_PAGE, NULL);
    CHECK(WdfDmaTransactionCancel(reserved));
    CHECK(!WdfDmaTransactionCancel(first));
    CHECK(WdfDmaTransactionCancel(for_registers[1]));
    CHECK(wdfdma_enabler_complete_transfer(of.enabler, READ));
    CHECK(complete(first, STATUS_SUCCESS));
    CHECK(WdfDmaTransactionCancel(in_turn[1]));
    CHECK(complete(for_registers[0], STATUS_SUCCESS));
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 6},
                 {"initialize", "created", "STATUS_SUCCESS", 5},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 4},
                 {"dma_completed", "transfer", "STATUS_SUCCESS, others were let through", 2},
                 {"cancel", "reserved, waits for the channel", "TRUE", 1},
                 {"cancel", "transfer", "FALSE", 1},
                 {"cancel", "transfer, waits for the channel", "TRUE", 2},
                 {"complete_transfer", "no transaction", "TRUE", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1},
                 {"program_dma", "transfer", "called in a call on another", 2});
    GOALS_EXPECT(map, {"cancel_while_two_wait", 3}, {"cancel_too_late", 1},
                 {"cancel_reservation", 1}, {"both_queues", 8}, {"five_wait", 1},
                 {"pool_empty", 15}, {"profile_packet", 1}, {"profile_system", 2});
    wdfdma_coverage_destroy(map);
}

/* A large reservation holds back three small ones; cancelled, it lets them through. */
TEST(a_cancel_lets_others_through) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    WDFDMATRANSACTION large = world_transaction(packet_enabler(&of));
    WDFDMATRANSACTION small[3];
    reserve(held, 2);
    reserve(large, 8);
    for (int i = 0; i < 3; i++) {
        small[i] = world_transaction(packet_enabler(&of));
        if (i == 0) {
            start(small[i], mdl, 100, NULL);
        } else {
            reserve(small[i], 2);
        }
    }
    CHECK(WdfDmaTransactionCancel(large));
    CHECK(!WdfDmaTransactionCancel(small[0]));
    CHECK(complete(small[0], STATUS_SUCCESS));
    WdfDmaTransactionFreeResources(held);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 5},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 3},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
                 {"cancel", "reserved, waits for registers", "TRUE, others were let through", 1},
                 {"cancel", "transfer", "FALSE", 1}, {"free_resources", "reserved", "returned", 1},
                 {"program_dma", "transfer", "called in a call on another", 1},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1},
                 {"reserve_dma", "reserved", "called in a call on another", 2});
    GOALS_EXPECT(map, {"cancel_while_two_wait", 1}, {"cancel_lets_through", 1},
                 {"cancel_too_late", 1}, {"cancel_reservation", 1}, {"reservation_behind_three", 1},
                 {"three_let_through", 1}, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

/* On a reservation, in pieces: no byte, some, the rest; once more on what a Release has left. */
TEST(a_reservation_carries_two_transactions) {
    wdfdma_machine_config config = world_config(16);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    NTSTATUS status;
    reserve(item, 2);
    fill(item, mdl, 3 * WORLD_PAGE);
    CHECK(!WdfDmaTransactionCancel(item));
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK(!WdfDmaTransactionCancel(item));
    complete_some(item, 0, STATUS_MORE_PROCESSING_REQUIRED);
    complete_some(item, 1000, STATUS_MORE_PROCESSING_REQUIRED);
    complete_some(item, 500, STATUS_MORE_PROCESSING_REQUIRED);
    CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    WdfDmaTransactionDmaCompletedFinal(item, 500, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(!WdfDmaTransactionCancel(item));
    CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(item, program, READ, mdl, 0, 0),
                 STATUS_INVALID_PARAMETER);
    start(item, mdl, 100, NULL);
    WdfDmaTransactionDmaCompletedFinal(item, 100, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
    WdfDmaTransactionFreeResources(item);
    WdfObjectDelete(item);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 1},
        {"initialize", "reserved", "STATUS_SUCCESS", 1},
        {"initialize", "released, with a reservation", "STATUS_SUCCESS", 1},
        {"initialize", "released, with a reservation", "STATUS_INVALID_PARAMETER", 1},
        {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
        {"execute", "initialized, with a reservation", "STATUS_SUCCESS, called back inside", 2},
        {"dma_completed", "transfer, with a reservation",
         "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 1},
        {"dma_completed_with_length", "transfer, with a reservation",
         "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 3},
        {"dma_completed_final", "transfer, with a reservation", "STATUS_SUCCESS", 2},
        {"cancel", "initialized, with a reservation", "FALSE", 1},
        {"cancel", "transfer, with a reservation", "FALSE", 1},
        {"cancel", "transfer_completed, with a reservation", "FALSE", 1},
        {"release", "transfer_completed, with a reservation", "STATUS_SUCCESS", 2},
        {"free_resources", "released, with a reservation", "returned", 1},
        {"delete", "released", "returned", 1},
        {"program_dma", "transfer, with a reservation", "called in a call on this transaction", 6},
        {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"cancel_too_late", 1}, {"reservation_kept", 1}, {"partial_then_bounce", 2},
                 {"bounce_forced", 6}, {"zero_length", 1}, {"final_with_rest", 1},
                 {"profile_packet", 6});
    wdfdma_coverage_destroy(map);
}

/* Of equal fragments, the third is in the third transfer; nothing of the second one was left. */
TEST(transfers_are_counted_by_their_bytes) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    for (size_t pages = 2; pages <= 4; pages++) {
        wdfdma_coverage *map = coverage_of(of.machine);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        fill(item, mdl, pages * WORLD_PAGE);
        WdfDmaTransactionSetMaximumLength(item, WORLD_PAGE);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        for (size_t page = 1; page < pages; page++) {
            CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
        }
        CHECK(complete(item, STATUS_SUCCESS));
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "three_transfers"), pages - 2);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "partial_then_bounce"), 0);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "bounce_forced"), 0);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "bounce_out_of_reach"), 0);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "zero_length"), 0);
        wdfdma_coverage_destroy(map);
    }
}

/* A byte at a time: the third transfer is as short as the first two. */
TEST(transfers_of_one_byte_are_counted) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    fill(item, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 5);
    WdfDmaTransactionSetMaximumLength(item, 1);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    for (int byte = 1; byte < 5; byte++) {
        CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    }
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "three_transfers"), 3);
    wdfdma_coverage_destroy(map);
}

/* The first page lies where the device reaches it, the second does not. */
TEST(a_bounce_has_its_reason) {
    static const uint64_t pfns[] = {0x100, 0x300000};
    wdfdma_machine_config config = world_config(16);
    config.physical_address_bits = 40;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 2 * WORLD_PAGE, pfns);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    fill(item, mdl, 2 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(item, WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "bounce_out_of_reach"), 0);
    complete_some(item, WORLD_PAGE - 50, STATUS_MORE_PROCESSING_REQUIRED);
    CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    CHECK(complete(item, STATUS_SUCCESS));
    CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
    fill(item, mdl, 2 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(item, WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    complete_some(item, 50, STATUS_MORE_PROCESSING_REQUIRED);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 1},
        {"initialize", "created", "STATUS_SUCCESS", 1},
        {"initialize", "released", "STATUS_SUCCESS", 1},
        {"execute", "initialized", "STATUS_SUCCESS, called back inside", 2},
        {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
        {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 2},
        {"dma_completed_with_length", "transfer",
         "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 2},
        {"release", "transfer_completed", "STATUS_SUCCESS", 1},
        {"set_maximum_length", "initialized", "returned", 2},
        {"program_dma", "transfer", "called in a call on this transaction", 6});
    GOALS_EXPECT(map, {"partial_then_bounce", 2}, {"bounce_out_of_reach", 4},
                 {"profile_packet", 6});
    wdfdma_coverage_destroy(map);
}

/* Granted while another waits for its channel, and refused while some registers are free, and none. */
TEST(immediate_executions_are_granted_and_denied) {
    wdfdma_machine_config config = world_config(8);
    config.registers_per_adapter = 4;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    WDFDMAENABLER packet = packet_enabler(&of);
    wdfdma_coverage *map = coverage_of(of.machine);
    for (int turn = 0; turn < 4; turn++) {
        WDFDMATRANSACTION quick = world_transaction(packet);
        fill(quick, mdl, 100);
        WdfDmaTransactionSetImmediateExecution(quick, TRUE);
        CHECK_STATUS(WdfDmaTransactionExecute(quick, NULL),
                     turn < 2 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
        if (turn < 2) { /* alone, then while one waits */
            CHECK(complete(quick, STATUS_SUCCESS));
            start(world_transaction(of.enabler), mdl, 100, NULL);
            start(world_transaction(of.enabler), mdl, 100, NULL);
        }
        if (turn > 0) {
            reserve(world_transaction(packet_enabler(&of)), turn == 1 ? 3 : 1);
            reserve(world_transaction(packet_enabler(&of)), turn == 1 ? 2 : 1);
        }
    }
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 14},
                 {"initialize", "created", "STATUS_SUCCESS", 8},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 5},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 3},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 3},
                 {"execute", "initialized", "STATUS_INSUFFICIENT_RESOURCES", 2},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 2},
                 {"set_immediate_execution", "initialized", "returned", 4},
                 {"program_dma", "transfer", "called in a call on this transaction", 3},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"immediate_denied", 2}, {"immediate_granted", 1}, {"both_queues", 17},
                 {"five_wait", 11}, {"profile_packet", 2}, {"profile_system", 1});
    wdfdma_coverage_destroy(map);
}

/* A single transfer takes its whole length at once, or is none; version 2 knows of no such thing. */
TEST(single_transfers_are_executed) {
    world of =
        world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    for (int single = 0; single < 2; single++) {
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        WdfDmaTransactionSetSingleTransferRequirement(item, (BOOLEAN)single);
        start(item, mdl, 100, NULL);
        CHECK(complete(item, STATUS_SUCCESS));
    }
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 2},
                 {"initialize", "created", "STATUS_SUCCESS", 2},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 2},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 2},
                 {"set_single_transfer_requirement", "created", "returned", 2},
                 {"program_dma", "transfer", "called in a call on this transaction", 2});
    GOALS_EXPECT(map, {"single_transfer_executed", 1}, {"profile_scatter_gather", 2});
    wdfdma_coverage_destroy(map);
}

/* One packet transaction of version 2 at a time for the device; without the verifier that is no break. */
TEST(a_busy_device_is_met) {
    for (int verifier = 0; verifier < 2; verifier++) {
        wdfdma_machine_config config = world_config(8);
        config.verifier = verifier != 0;
        world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        wdfdma_coverage *map = coverage_of(of.machine);
        WDFDMATRANSACTION first = world_transaction(of.enabler);
        WDFDMATRANSACTION second = world_transaction(of.enabler);
        start(first, mdl, 100, NULL);
        fill(second, mdl, 100);
        CHECK_STATUS(WdfDmaTransactionExecute(second, NULL), STATUS_WDF_BUSY);
        CHECK_EQUAL(wdfdma_coverage_get_count(map, "execute", "initialized",
                                              verifier ? "a break of the framework's verifier"
                                                       : "STATUS_WDF_BUSY"),
                    1);
        GOALS_EXPECT(map, {"version_2_busy", 1}, {"profile_packet", 1});
        wdfdma_coverage_destroy(map);
    }
}

/* Both directions at once: by lists that are held, or by channels. */
TEST(a_duplex_device_goes_both_ways) {
    static const WDF_DMA_PROFILE profiles[] = {
        WdfDmaProfileScatterGatherDuplex, WdfDmaProfileScatterGather64Duplex,
        WdfDmaProfileSystemDuplex,        WdfDmaProfileScatterGather,
        WdfDmaProfileScatterGather64,     WdfDmaProfilePacket64};
    static const char *const goals[] = {
        "profile_scatter_gather_duplex", "profile_scatter_gather_64_duplex",
        "profile_system_duplex",         "profile_scatter_gather",
        "profile_scatter_gather_64",     "profile_packet_64"};
    for (int i = 0; i < 6; i++) {
        for (int first = 0; first < 2; first++) {
            wdfdma_machine_config config = world_config(16);
            config.registers_per_adapter = 4;
            world of = world_open(&config, (world_profile){.profile = profiles[i], .version = 3});
            PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
            wdfdma_coverage *map = coverage_of(of.machine);
            for (int turn = 0; turn < 2; turn++) {
                WDFDMATRANSACTION item = world_transaction(of.enabler);
                CHECK_EQUAL(wdfdma_coverage_get_goal(map, "duplex_both_ways"), 0);
                CHECK_STATUS(world_initialize(item, turn == first ? READ : WRITE, mdl, 0, 100),
                             STATUS_SUCCESS);
                CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
            }
            CHECK_EQUAL(wdfdma_coverage_get_goal(map, "duplex_both_ways"), i < 3);
            CHECK_EQUAL(wdfdma_coverage_get_goal(map, goals[i]), 2);
            wdfdma_coverage_destroy(map);
            harness_machine_end(of.machine);
        }
    }
}

static PMDL chain_of(wdfdma_machine *machine, int mdls) {
    PMDL first = NULL;
    while (mdls-- > 0) {
        PMDL mdl = world_mdl(machine, 0, WORLD_PAGE, NULL);
        mdl->Next = first;
        first = mdl;
    }
    return first;
}

static WDFREQUEST request_of(WDFDEVICE device, PMDL mdl, uint64_t length) {
    const wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = mdl, .output_length = length};
    WDFREQUEST made = NULL;
    CHECK_STATUS(wdfdma_request_create(device, &config, &made), STATUS_SUCCESS);
    return made;
}

/* With a request: granted at once, granted later, refused. A chain is a chain where it is taken. */
TEST(requests_are_executed) {
    wdfdma_machine_config config = world_config(4);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = chain_of(of.machine, 1);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION items[4];
    for (int i = 0; i < 4; i++) {
        items[i] = world_transaction(of.enabler);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(
                         items[i], request_of(of.device, mdl, 100), program, READ),
                     STATUS_SUCCESS);
        if (i == 1) {
            reserve(world_transaction(packet_enabler(&of)), 3);
        }
        if (i >= 2) {
            WdfDmaTransactionSetImmediateExecution(items[i], TRUE);
        }
        CHECK_STATUS(WdfDmaTransactionExecute(items[i], NULL),
                     i >= 2 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
    }
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 5},
                 {"initialize_using_request", "created", "STATUS_SUCCESS", 4},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"execute", "initialized", "STATUS_INSUFFICIENT_RESOURCES", 2},
                 {"set_immediate_execution", "initialized", "returned", 2},
                 {"program_dma", "transfer", "called in a call on this transaction", 1},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"pool_empty", 10}, {"request_executed", 2}, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

TEST(chains_are_met_where_they_are_taken) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    for (int mdls = 1; mdls <= 2; mdls++) {
        for (int way = 0; way < 3; way++) {
            PMDL mdl = chain_of(of.machine, mdls);
            wdfdma_coverage *map = coverage_of(of.machine);
            WDFDMATRANSACTION item = world_transaction(of.enabler);
            if (way == 0) {
                fill(item, mdl, 100);
            } else if (way == 1) {
                CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(
                                 item, request_of(of.device, mdl, 100), program, READ),
                             STATUS_SUCCESS);
            } else {
                CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(item, program, READ, mdl, 0, 0),
                             STATUS_INVALID_PARAMETER);
            }
            if (way < 2) { /* nor are the calls after it */
                CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
                CHECK(complete(item, STATUS_SUCCESS));
            }
            CHECK_EQUAL(wdfdma_coverage_get_goal(map, "chain"), mdls == 2 && way < 2);
            CHECK_EQUAL(wdfdma_coverage_get_goal(map, "reservation_kept"), 0);
            wdfdma_coverage_destroy(map);
        }
    }
}

HARNESS_MAIN(ENTRY(who_waits_for_what_is_told_apart), ENTRY(a_cancel_lets_others_through),
             ENTRY(a_reservation_carries_two_transactions),
             ENTRY(transfers_are_counted_by_their_bytes), ENTRY(transfers_of_one_byte_are_counted),
             ENTRY(a_bounce_has_its_reason), ENTRY(immediate_executions_are_granted_and_denied),
             ENTRY(single_transfers_are_executed), ENTRY(a_busy_device_is_met),
             ENTRY(a_duplex_device_goes_both_ways), ENTRY(requests_are_executed),
             ENTRY(chains_are_met_where_they_are_taken))
