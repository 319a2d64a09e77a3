/* In which cell a call counts that fails, breaks a rule, is made on nothing or inside another. */
#include "coverage_world.h"

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
    CHECK_EQUAL(cell_count(map, expected.operation, expected.standing, expected.outcome), hits);
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
        CHECK_EQUAL(cell_count(map,
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
    CHECK_EQUAL(cell_count(map, "create", "no transaction", "another status"), 1);
    collect(of.machine);
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    WDFDMATRANSACTION waits = world_transaction(packet_enabler(&of));
    reserve(held, 8);
    reserve(waits, 4);
    CHECK_STATUS(world_initialize(waits, READ, mdl, 0, 100), STATUS_SUCCESS);
    WdfDmaTransactionGetBytesTransferred(waits);
    const char *disturbed = "moved on while its request waits";
    CHECK_EQUAL(cell_count(map, "get_bytes_transferred", disturbed, "returned"), 1);
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

HARNESS_MAIN(ENTRY(a_failure_counts_by_its_status), ENTRY(a_mistake_counts_by_its_status),
             ENTRY(a_call_answers_for_itself), ENTRY(a_call_on_no_transaction_has_a_cell),
             ENTRY(other_statuses_and_standings_have_cells), ENTRY(a_pool_of_none_is_not_empty))
