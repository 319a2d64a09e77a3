/* In which cell a call counts that fails, breaks a rule, is made on nothing or inside another. */
#include "coverage_world.h"

static uint64_t count(const wdfdma_coverage *map, const char *operation, const char *standing,
                      const char *outcome) {
    return wdfdma_coverage_get_count(map, operation, standing, outcome);
}

static world packet_world(uint32_t registers) {
    wdfdma_machine_config config = world_config(registers);
    return world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

static void collect(wdfdma_machine *machine) {
    CHECK_STATUS(wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
}

/* Has [op] fail with [status], which then counts in [expected]; 0 where nothing so can fail in that world. */
static uint64_t call_fails(const world_profile *profile, uint32_t op, NTSTATUS status,
                           met expected) {
    world of = world_open(NULL, *profile);
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL, .op = op, .nth = 1, .status = status};
    CHECK_STATUS(wdfdma_machine_add_fault(of.machine, &fault), STATUS_SUCCESS);
    wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_VERIFIER_BREAK, WDFDMA_MODE_IGNORE);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = NULL;
    WdfDmaTransactionCreate(of.enabler, WDF_NO_OBJECT_ATTRIBUTES, &item);
    if (item != NULL && NT_SUCCESS(world_initialize(item, READ, mdl, 0, 100))) {
        WdfDmaTransactionExecute(item, NULL);
    }
    size_t faults = 0;
    uint64_t hits = wdfdma_machine_get_faults(of.machine, &faults)->hits;
    CHECK_EQUAL(count(map, expected.operation, expected.standing, expected.outcome), hits);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "version_2_busy"), hits && status == STATUS_WDF_BUSY);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "immediate_denied"), 0);
    wdfdma_coverage_destroy(map);
    harness_machine_end(of.machine);
    return hits;
}

/* Each status that a call may fail with has its cell, the rest share one. */
TEST(a_failure_counts_by_its_status) {
    static const struct {
        NTSTATUS status;
        const char *outcome;
    } known[] = {
        {STATUS_INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES"},
        {STATUS_WDF_TOO_FRAGMENTED, "STATUS_WDF_TOO_FRAGMENTED"},
        {STATUS_WDF_TOO_MANY_TRANSFERS, "STATUS_WDF_TOO_MANY_TRANSFERS"},
        {STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS, "STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS"},
        {STATUS_WDF_BUSY, "STATUS_WDF_BUSY"},
        {STATUS_INVALID_PARAMETER, "STATUS_INVALID_PARAMETER"},
        {STATUS_INVALID_DEVICE_REQUEST, "STATUS_INVALID_DEVICE_REQUEST"},
        {STATUS_BUFFER_TOO_SMALL, "STATUS_BUFFER_TOO_SMALL"},
    };
    static const uint32_t ops[] = {WDFDMA_OP_CREATE, WDFDMA_OP_INITIALIZE, WDFDMA_OP_EXECUTE};
    static const char *const cells[][2] = {
        {"create", "no transaction"}, {"initialize", "created"}, {"execute", "initialized"}};
    static const world_profile profiles[] = {
        {.profile = WdfDmaProfilePacket},
        {.profile = WdfDmaProfilePacket, .version = 3},
        {.profile = WdfDmaProfileScatterGather, .version = 3},
        {.profile = WdfDmaProfileScatterGather,
         .version = 3,
         .flags = WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER}};
    for (int op = 0; op < 3; op++) {
        size_t statuses = 0;
        const NTSTATUS *status = wdfdma_fault_get_statuses(ops[op], &statuses);
        CHECK(statuses != 0);
        for (size_t i = 0; i < statuses; i++) {
            uint64_t hits = 0;
            for (int profile = 0; profile < 4; profile++) {
                const char *outcome = "another status";
                for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
                    outcome = known[k].status == status[i] ? known[k].outcome : outcome;
                }
                hits += call_fails(&profiles[profile], ops[op], status[i],
                                   (met){cells[op][0], cells[op][1], outcome, 1});
            }
            CHECK(hits != 0);
        }
    }
}

/* Wrong arguments, each refused before anything is done. */
TEST(a_mistake_counts_by_its_status) {
    world of = packet_world(8);
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_VERIFIER_BREAK, WDFDMA_MODE_IGNORE);
    WDFDMAENABLER gathers = world_enabler(
        of.device, &(world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WDFDMATRANSACTION list = world_transaction(gathers);
    const wdfdma_request_config write = {
        .type = WdfRequestTypeWrite, .input = mdl, .input_length = 100};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(of.device, &write, &request), STATUS_SUCCESS);
    world_initialize(item, READ, mdl, 0, 0);
    WdfDmaTransactionInitializeUsingRequest(item, request, world_program_dma, READ);
    WdfDmaTransactionAllocateResources(list, READ, 2, world_reserve_dma, NULL);
    WdfDmaTransactionAllocateResources(item, (WDF_DMA_DIRECTION)7, 2, world_reserve_dma, NULL);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 2},
                 {"initialize", "created", "STATUS_INVALID_PARAMETER", 1},
                 {"initialize_using_request", "created", "STATUS_INVALID_DEVICE_REQUEST", 1},
                 {"allocate_resources", "created", "STATUS_INVALID_PARAMETER", 1},
                 {"allocate_resources", "created", "STATUS_INVALID_DEVICE_REQUEST", 1});
    goals_expect(map, NULL, 0);
    wdfdma_coverage_destroy(map);
}

static void release_other(script *of, WDFDMATRANSACTION own) {
    (void)own;
    WdfDmaTransactionRelease(of->other);
}

/* What was broken before, or in a callback inside, is not the call's; nor is advice. */
TEST(a_call_answers_for_itself) {
    wdfdma_machine_config config = world_config(8);
    config.verifier = false;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    collect(of.machine);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION first = world_transaction(of.enabler);
    WDFDMATRANSACTION second = world_transaction(of.enabler);
    WDFDMATRANSACTION outer = world_transaction(of.enabler);
    script inside = {.run = release_other, .other = second};
    start(first, mdl, 100, NULL);
    WdfDmaTransactionRelease(first);
    WdfDmaTransactionGetBytesTransferred(first);
    start(second, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, NULL);
    start(outer, world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, &inside);
    CHECK(complete(outer, STATUS_SUCCESS));
    start(first, mdl, 100, NULL);
    start(second, mdl, 100, NULL); /* advice: they share a buffer */
    wdfdma_machine_clear_violations(of.machine);
    CHECK(complete(second, STATUS_SUCCESS));
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                 {"initialize", "created", "STATUS_SUCCESS", 3},
                 {"initialize", "released", "STATUS_SUCCESS", 2},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 5},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 2},
                 {"release", "transfer", "a rule of the simulator is broken", 2},
                 {"get_bytes_transferred", "released", "returned", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 5});
    GOALS_EXPECT(map, {"profile_packet", 5});
    wdfdma_coverage_destroy(map);
}

/* On nothing, on what is deleted but still referenced, on an object of another kind. */
TEST(a_call_on_no_transaction_has_a_cell) {
    for (int way = 0; way < 5; way++) {
        world of = packet_world(8);
        wdfdma_coverage *map = coverage_of(of.machine);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        WDFDMATRANSACTION made = NULL;
        if (way < 2) {
            if (way == 1) {
                WdfObjectReference(item);
            }
            WdfObjectDelete(item);
            WdfDmaTransactionExecute(item, NULL);
        } else if (way == 2) {
            WdfDmaTransactionExecute((WDFDMATRANSACTION)of.enabler, NULL);
        } else if (way == 3) {
            WdfDmaTransactionCreate((WDFDMAENABLER)item, WDF_NO_OBJECT_ATTRIBUTES, &made);
        } else {
            WdfObjectReference(item);
            WdfObjectDelete(item);
            WdfObjectDelete(item);
        }
        CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
        CHECK_EQUAL(count(map,
                          way == 3   ? "create"
                          : way == 4 ? "delete"
                                     : "execute",
                          way == 1 || way == 4 ? "deleted" : "no transaction", "a bug check"),
                    1);
        goals_expect(map, NULL, 0);
        wdfdma_coverage_destroy(map);
    }
}

/* A status that no cell is named for, and what stands with a request of another time. */
TEST(other_statuses_and_standings_have_cells) {
    wdfdma_machine_config config = world_config(8);
    config.verifier = false;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDMATRANSACTION made = NULL;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.Size--;
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &made),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_EQUAL(count(map, "create", "no transaction", "another status"), 1);
    collect(of.machine);
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    WDFDMATRANSACTION waits = world_transaction(packet_enabler(&of));
    reserve(held, 8);
    reserve(waits, 4);
    CHECK_STATUS(world_initialize(waits, READ, mdl, 0, 100), STATUS_SUCCESS);
    WdfDmaTransactionGetBytesTransferred(waits);
    const char *disturbed = "moved on while its request waits";
    CHECK_EQUAL(count(map, "get_bytes_transferred", disturbed, "returned"), 1);
    wdfdma_coverage_destroy(map);
}

/* A pool without registers is not empty: there is nothing to take. */
TEST(a_pool_of_none_is_not_empty) {
    wdfdma_machine_config config = world_config(0);
    wdfdma_machine *machine = harness_machine(&config);
    WDF_DMA_ENABLER_CONFIG system;
    WDFDMAENABLER enabler = NULL;
    wdfdma_coverage *map = coverage_of(machine);
    WDF_DMA_ENABLER_CONFIG_INIT(&system, WdfDmaProfileSystem, WORLD_PAGE);
    CHECK_STATUS(
        WdfDmaEnablerCreate(world_device(machine), &system, WDF_NO_OBJECT_ATTRIBUTES, &enabler),
        STATUS_SUCCESS);
    world_transaction(enabler);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1});
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "pool_empty"), 0);
    wdfdma_coverage_destroy(map);
}

static DMA_COMPLETION_STATUS ended;
static script *at_end; /* what the next end of a transfer does */

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    ended = status;
    if (at_end != NULL) {
        at_end->run(at_end, transaction);
    }
}

/* A stopped transfer is over, whatever is left, or was moved. */
TEST(a_stopped_transfer_is_cancelled) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    for (int way = 0; way < 4; way++) { /* the last ends by the controller */
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        at_end = NULL;
        WdfDmaTransactionSetDeviceAddressOffset(item, 16);
        WdfDmaTransactionSetTransferCompleteCallback(item, on_end, NULL);
        CHECK_STATUS(world_initialize(item, READ, mdl, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
        WdfDmaTransactionSetMaximumLength(item, WORLD_PAGE);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        if (way < 3) {
            WdfDmaTransactionStopSystemTransfer(item);
        } else {
            CHECK(wdfdma_enabler_complete_transfer(of.enabler, READ));
        }
        if (way == 0) {
            CHECK(complete(item, STATUS_CANCELLED));
        } else if (way < 3) {
            complete_some(item, way == 1 ? 0 : 10, STATUS_CANCELLED);
        } else {
            CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
            CHECK(complete(item, STATUS_SUCCESS));
        }
        CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
    }
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 4},
        {"initialize", "created", "STATUS_SUCCESS", 4},
        {"execute", "initialized", "STATUS_SUCCESS, called back inside", 4},
        {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
        {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 1},
        {"dma_completed", "transfer", "STATUS_CANCELLED", 1},
        {"dma_completed_with_length", "transfer", "STATUS_CANCELLED", 2},
        {"stop_system_transfer", "transfer", "returned", 3},
        {"release", "transfer_completed", "STATUS_SUCCESS", 1},
        {"release", "transfer_failed", "STATUS_SUCCESS", 3},
        {"set_maximum_length", "initialized", "returned", 4},
        {"set_device_address_offset", "created", "returned", 4},
        {"set_callback", "created", "returned", 4},
        {"complete_transfer", "no transaction", "TRUE, others were let through", 1},
        {"program_dma", "transfer", "called in a call on this transaction", 5},
        {"dma_transfer_complete", "transfer", "called in a call on this transaction", 3},
        {"dma_transfer_complete", "transfer", "called as the device tells", 1});
    GOALS_EXPECT(map, {"stopped_before_next", 3}, {"profile_system", 5});
    wdfdma_coverage_destroy(map);
}

static void delete_at_end(script *of, WDFDMATRANSACTION own) {
    NTSTATUS status;
    of->number++;
    WdfDmaTransactionDmaCompleted(own, &status);
    WdfObjectDelete(own);
}

/* In the callback that tells the end of its transfer. */
TEST(a_transaction_is_deleted_at_its_end) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    script deletes = {.run = delete_at_end};
    at_end = &deletes;
    WdfDmaTransactionSetTransferCompleteCallback(item, on_end, NULL);
    start(item, mdl, 100, NULL);
    CHECK(wdfdma_enabler_complete_transfer(of.enabler, READ));
    at_end = NULL;
    CHECK_EQUAL(deletes.number, 1);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
                 {"delete", "transfer_completed", "returned", 1},
                 {"set_callback", "created", "returned", 1},
                 {"complete_transfer", "no transaction", "TRUE, others were let through", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1},
                 {"dma_transfer_complete", "transfer", "called as the device tells", 1});
    GOALS_EXPECT(map, {"deleted_in_own_callback", 1}, {"profile_system", 1});
    wdfdma_coverage_destroy(map);
}

static PMDL reserved_mdl;

static void on_reserved(WDFDMATRANSACTION transaction, PVOID context) {
    (void)context;
    start(transaction, reserved_mdl, 100, NULL);
    CHECK(complete(transaction, STATUS_SUCCESS));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

/* In EvtReserveDma, which is its own callback, but not EvtProgramDma. */
TEST(a_transfer_is_over_in_its_reservation) {
    world of = packet_world(8);
    reserved_mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(item, READ, 2, on_reserved, NULL),
                 STATUS_SUCCESS);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 1},
        {"initialize", "reserved", "STATUS_SUCCESS", 1},
        {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
        {"execute", "initialized, with a reservation", "STATUS_SUCCESS, called back inside", 1},
        {"dma_completed", "transfer, with a reservation", "STATUS_SUCCESS", 1},
        {"release", "transfer_completed, with a reservation", "STATUS_SUCCESS", 1},
        {"program_dma", "transfer, with a reservation", "called in a call on this transaction", 1},
        {"reserve_dma", "reserved", "called in a call on this transaction", 1});
    GOALS_EXPECT(map, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

/* Of a list: the next one is refused, waits, or is let through. */
TEST(the_next_list_may_fail_or_wait) {
    static const NTSTATUS expected[] = {STATUS_INSUFFICIENT_RESOURCES, STATUS_WDF_TOO_FRAGMENTED,
                                        STATUS_MORE_PROCESSING_REQUIRED};
    for (int way = 0; way < 3; way++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = true;
        world of = world_open(&config,
                              (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
        PMDL mdl = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
        wdfdma_coverage *map = coverage_of(of.machine);
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        WDFDMATRANSACTION held = world_transaction(packet_enabler(&of));
        WDFDMATRANSACTION large = world_transaction(packet_enabler(&of));
        fill(item, mdl, 4 * WORLD_PAGE);
        WdfDmaTransactionSetMaximumLength(item, 2 * WORLD_PAGE);
        WdfDmaTransactionSetImmediateExecution(item, way == 0);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        if (way != 1) { /* what the list gives back goes to another */
            reserve(held, 5);
            reserve(large, 3);
        } else {
            WdfDmaEnablerSetMaximumScatterGatherElements(of.enabler, 1);
        }
        CHECK_EQUAL(complete(item, expected[way]), way != 2);
        if (way == 0) {
            CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                         {"initialize", "created", "STATUS_SUCCESS", 1},
                         {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                         {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                         {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                         {"dma_completed", "transfer", "STATUS_INSUFFICIENT_RESOURCES", 1},
                         {"set_immediate_execution", "initialized", "returned", 1},
                         {"set_maximum_length", "initialized", "returned", 1},
                         {"program_dma", "transfer", "called in a call on this transaction", 1},
                         {"reserve_dma", "reserved", "called in a call on this transaction", 1});
            GOALS_EXPECT(map, {"bounce_forced", 1}, {"next_transfer_failed", 1},
                         {"profile_scatter_gather", 1});
        } else if (way == 1) {
            CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                         {"initialize", "created", "STATUS_SUCCESS", 1},
                         {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                         {"dma_completed", "transfer", "STATUS_WDF_TOO_FRAGMENTED", 1},
                         {"set_immediate_execution", "initialized", "returned", 1},
                         {"set_maximum_length", "initialized", "returned", 1},
                         {"program_dma", "transfer", "called in a call on this transaction", 1});
            GOALS_EXPECT(map, {"bounce_forced", 1}, {"next_transfer_failed", 1},
                         {"profile_scatter_gather", 1});
        } else {
            WdfDmaTransactionFreeResources(held);
            CHECK(complete(item, STATUS_SUCCESS));
            CELLS_EXPECT(
                map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                {"initialize", "created", "STATUS_SUCCESS", 1},
                {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
                {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                {"dma_completed", "transfer", "STATUS_SUCCESS", 1},
                {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, it waits", 1},
                {"free_resources", "reserved", "returned, others were let through", 1},
                {"set_immediate_execution", "initialized", "returned", 1},
                {"set_maximum_length", "initialized", "returned", 1},
                {"program_dma", "transfer", "called in a call on this transaction", 1},
                {"program_dma", "transfer", "called in a call on another", 1},
                {"reserve_dma", "reserved", "called in a call on this transaction", 1},
                {"reserve_dma", "reserved", "called in a call on another", 1});
            GOALS_EXPECT(map, {"bounce_forced", 2}, {"profile_scatter_gather", 2});
        }
        wdfdma_coverage_destroy(map);
    }
}

/* Completed too early, again and again, a list has further requests, which wait behind its own. */
TEST(further_lists_wait_behind_the_first) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world of =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, 8 * WORLD_PAGE, NULL);
    collect(of.machine);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WDFDMATRANSACTION held[2] = {world_transaction(packet_enabler(&of)),
                                 world_transaction(packet_enabler(&of))};
    reserve(held[0], 4);
    reserve(held[1], 4);
    fill(item, mdl, 8 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(item, 4 * WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
    CHECK(!complete(item, STATUS_MORE_PROCESSING_REQUIRED));
    WdfDmaTransactionGetBytesTransferred(item);
    WdfDmaTransactionFreeResources(held[0]);
    WdfDmaTransactionGetBytesTransferred(item);
    WdfDmaTransactionFreeResources(held[1]);
    WdfDmaTransactionGetBytesTransferred(item);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 3},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 2},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"dma_completed", "transfer, waits for a list",
                  "STATUS_MORE_PROCESSING_REQUIRED, it waits", 1},
                 {"free_resources", "reserved", "returned, others were let through", 1},
                 {"free_resources", "reserved", "a rule of the simulator is broken", 1},
                 {"set_maximum_length", "initialized", "returned", 1},
                 {"get_bytes_transferred", "transfer, waits for a list", "returned", 2},
                 {"program_dma", "transfer, waits for a list", "called in a call on another", 1},
                 {"reserve_dma", "reserved", "called in a call on this transaction", 2});
    GOALS_EXPECT(map, {"channel_in_turn", 1}, {"both_queues", 2}, {"pool_empty", 8},
                 {"bounce_forced", 1}, {"profile_scatter_gather", 1});
    wdfdma_coverage_destroy(map);
}

static void call_wdm(script *of, WDFDMATRANSACTION own) {
    (void)own;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    CHECK_STATUS(of->adapter->DmaOperations->InitializeDmaTransferContext(of->adapter, context),
                 STATUS_SUCCESS);
}

/* What no map counts, as a routine of the adapter, takes nothing away from the call around it. */
TEST(a_call_that_is_not_counted_leaves_the_others) {
    world of = packet_world(8);
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    script calls = {.run = call_wdm, .adapter = WdfDmaEnablerWdmGetDmaAdapter(of.enabler, READ)};
    start(item, mdl, 100, &calls);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 1},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
                 {"program_dma", "transfer", "called in a call on this transaction", 1});
    wdfdma_coverage_destroy(map);
}

static IO_ALLOCATION_ACTION on_wdm_channel(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                           PVOID context) {
    (void)device;
    (void)irp;
    *(PVOID *)context = base;
    return DeallocateObjectKeepRegisters;
}

/* Registers that a WDM driver gives back let through who waits: within no call that is counted. */
TEST(a_routine_of_the_adapter_lets_others_through) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    wdfdma_coverage *map = coverage_of(of.machine);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(of.enabler, READ);
    PVOID base = NULL;
    WDFDMATRANSACTION waiting[2] = {world_transaction(packet_enabler(&of)),
                                    world_transaction(packet_enabler(&of))};
    PDEVICE_OBJECT device = WdfDeviceWdmGetDeviceObject(of.device);
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK_STATUS(
        adapter->DmaOperations->AllocateAdapterChannel(adapter, device, 8, on_wdm_channel, &base),
        STATUS_SUCCESS);
    start(waiting[0], mdl, 100, NULL);
    reserve(waiting[1], 2);
    adapter->DmaOperations->FreeMapRegisters(adapter, base, 8);
    KeLowerIrql(before);
    CELLS_EXPECT(map, {"create", "no transaction", "STATUS_SUCCESS", 2},
                 {"initialize", "created", "STATUS_SUCCESS", 1},
                 {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
                 {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
                 {"program_dma", "transfer", "called in a call on another", 1},
                 {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"pool_empty", 3}, {"bounce_forced", 1}, {"profile_packet", 1});
    wdfdma_coverage_destroy(map);
}

static void serve_and_complete(script *of, WDFDMATRANSACTION own) {
    (void)own;
    reserve(of->waiters[1], 6);
    fill(of->waiters[0], of->mdl, 2 * WORLD_PAGE);
    WdfDmaTransactionSetMaximumLength(of->waiters[0], WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(of->waiters[0], NULL), STATUS_SUCCESS);
    WdfDmaTransactionFreeResources(of->other);
    WdfDmaTransactionFreeResources(of->waiters[1]);
    CHECK(!complete(of->waiters[0], STATUS_MORE_PROCESSING_REQUIRED));
}

/* Its second transfer waited for nothing. */
TEST(a_wait_is_over_once) {
    world of = packet_world(8);
    wdfdma_coverage *map = coverage_of(of.machine);
    script serves = {.run = serve_and_complete,
                     .mdl = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL),
                     .other = world_transaction(of.enabler)};
    for (int i = 0; i < 2; i++) {
        serves.waiters[i] = world_transaction(packet_enabler(&of));
    }
    reserve(serves.other, 6);
    start(world_transaction(packet_enabler(&of)), serves.mdl, 100, &serves);
    CELLS_EXPECT(
        map, {"create", "no transaction", "STATUS_SUCCESS", 4},
        {"initialize", "created", "STATUS_SUCCESS", 2},
        {"allocate_resources", "created", "STATUS_SUCCESS, called back inside", 1},
        {"allocate_resources", "created", "STATUS_SUCCESS, it waits", 1},
        {"execute", "initialized", "STATUS_SUCCESS, called back inside", 1},
        {"execute", "initialized", "STATUS_SUCCESS, it waits", 1},
        {"dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside", 1},
        {"free_resources", "reserved", "returned, others were let through", 2},
        {"set_maximum_length", "initialized", "returned", 1},
        {"program_dma", "transfer", "called in a call on this transaction", 2},
        {"program_dma", "transfer", "called in a call on another", 1},
        {"reserve_dma", "reserved", "called in a call on this transaction", 1},
        {"reserve_dma", "reserved", "called in a call on another", 1});
    GOALS_EXPECT(map, {"last_waiter_in_callback", 1}, {"profile_packet", 3});
    wdfdma_coverage_destroy(map);
}

HARNESS_MAIN(ENTRY(a_failure_counts_by_its_status), ENTRY(a_mistake_counts_by_its_status),
             ENTRY(a_call_answers_for_itself), ENTRY(a_call_on_no_transaction_has_a_cell),
             ENTRY(other_statuses_and_standings_have_cells), ENTRY(a_pool_of_none_is_not_empty),
             ENTRY(a_stopped_transfer_is_cancelled), ENTRY(a_transaction_is_deleted_at_its_end),
             ENTRY(a_transfer_is_over_in_its_reservation), ENTRY(the_next_list_may_fail_or_wait),
             ENTRY(further_lists_wait_behind_the_first),
             ENTRY(a_call_that_is_not_counted_leaves_the_others),
             ENTRY(a_routine_of_the_adapter_lets_others_through), ENTRY(a_wait_is_over_once))
