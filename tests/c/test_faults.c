/* Injected faults: what may be planned, that the plan is part of the machine's value, and a driver that
 * heeds what it is told. */
#include "fault_plan.h"

/* ---- The plan ---- */

TEST(only_what_an_op_documents_is_taken) {
    wdfdma_machine *machine = harness_machine(NULL);
    static const uint32_t ops[] = {WDFDMA_OP_CREATE,         WDFDMA_OP_INITIALIZE,
                                   WDFDMA_OP_EXECUTE,        WDFDMA_OP_ALLOCATE_RESOURCES,
                                   WDFDMA_OP_ENABLER_CREATE, WDFDMA_OP_COMMON_BUFFER_CREATE};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t count = 0;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(ops[i], &count);
        REQUIRE(statuses != NULL && count > 0);
        for (size_t at = 0; at < count; at++) {
            plan_call(machine, ops[i], 1, statuses[at]);
        }
        const wdfdma_fault other = {.op = ops[i], .nth = 1, .status = STATUS_CANCELLED};
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &other), STATUS_INVALID_PARAMETER);
    }
    for (uint32_t op = 0; op < 100; op++) {
        size_t count = 7;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
        const wdfdma_fault fault = {.op = op, .nth = 1, .status = NO_RESOURCES};
        CHECK_EQUAL(count == 0, statuses == NULL);
        CHECK(count != 0 || wdfdma_machine_add_fault(machine, &fault) == STATUS_INVALID_PARAMETER);
    }
}

TEST(what_is_no_fault_is_refused) {
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_fault wrong[] = {
        {.kind = WDFDMA_FAULT_KIND_COUNT, .nth = 1},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .op = WDFDMA_OP_EXECUTE},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .status = STATUS_INSUFFICIENT_RESOURCES},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .per_mille = 1},
        {.kind = WDFDMA_FAULT_GRANT, .per_mille = 1001},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &wrong[i]), STATUS_INVALID_PARAMETER);
    }
    size_t count = 1;
    CHECK_STATUS(wdfdma_machine_add_fault(NULL, &wrong[0]), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_add_fault(machine, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_clear_faults(NULL), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_faults(NULL, &count) == NULL);
    CHECK(wdfdma_machine_get_faults(machine, NULL) == NULL);
    CHECK(wdfdma_fault_get_statuses(WDFDMA_OP_EXECUTE, NULL) == NULL);
    wdfdma_machine_get_faults(machine, &count);
    CHECK_EQUAL(count, 0);
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    const wdfdma_fault good = {.kind = WDFDMA_FAULT_GRANT, .nth = 1};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &good), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_clear_faults(machine), STATUS_UNSUCCESSFUL);
}

/* Which of 64 creations a chance hits, as bits. */
static uint64_t chance_draw(world made, uint64_t seed, uint32_t per_mille) {
    const wdfdma_fault fault = {
        .op = WDFDMA_OP_CREATE, .per_mille = per_mille, .seed = seed, .status = NO_RESOURCES};
    uint64_t hit = 0;
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    for (int i = 0; i < 64; i++) {
        WDFDMATRANSACTION transaction = NULL;
        NTSTATUS status = WdfDmaTransactionCreate(made.enabler, NULL, &transaction);
        CHECK(status == STATUS_SUCCESS || status == NO_RESOURCES);
        hit = hit << 1 | (status == NO_RESOURCES);
    }
    CHECK_EQUAL(plan_get(made.machine, 0).met, 64);
    wdfdma_machine_clear_faults(made.machine);
    return hit;
}

TEST(chance_is_its_seed) {
    world made = packet_open();
    uint64_t first = chance_draw(made, 5, 500);
    CHECK_EQUAL(chance_draw(made, 5, 500), first);
    CHECK(chance_draw(made, 6, 500) != first);
    CHECK(first != 0 && first != UINT64_MAX);
    CHECK_EQUAL(chance_draw(made, 5, 0), 0);
    CHECK_EQUAL(chance_draw(made, 5, 1000), UINT64_MAX);
}

TEST(a_restore_takes_the_plan_back) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = NULL;
    plan_call(made.machine, WDFDMA_OP_CREATE, 2, NO_RESOURCES);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
    wdfdma_snapshot *snapshot = world_snapshot(made.machine);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), NO_RESOURCES);
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
        CHECK_EQUAL(plan_get(made.machine, 0).hits, 1);
        wdfdma_machine_clear_faults(made.machine);
        wdfdma_machine_restore(made.machine, snapshot);
        CHECK_EQUAL(plan_get(made.machine, 0).hits, 0);
        CHECK_EQUAL(plan_get(made.machine, 0).met, 1);
    }
    wdfdma_snapshot_destroy(snapshot);
}

TEST(the_log_is_none_of_the_plans) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = NULL;
    plan_call(made.machine, WDFDMA_OP_CREATE, 1, NO_RESOURCES);
    wdfdma_log_configure(made.machine, 16);
    wdfdma_log_configure(made.machine, 0);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), NO_RESOURCES);
    wdfdma_log_configure(made.machine, 16);
    wdfdma_machine_clear_faults(made.machine);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &view), STATUS_SUCCESS);
    CHECK_EQUAL(view.first_count, 1);
}

TEST(the_first_of_two_gives_the_status) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_INITIALIZE, 1, STATUS_WDF_TOO_FRAGMENTED);
    plan_call(made.machine, WDFDMA_OP_INITIALIZE, 1, NO_RESOURCES);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_WDF_TOO_FRAGMENTED);
    CHECK_EQUAL(plan_get(made.machine, 0).hits, 1);
    CHECK_EQUAL(plan_get(made.machine, 1).hits, 1);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_SUCCESS);
}

/* ---- A driver that heeds what it is told ---- */

enum {
    ACTORS = 6,
    ROUNDS = 20000
};

static void plan_everything(wdfdma_machine *machine, uint32_t per_mille) {
    for (uint32_t op = 0; op < WDFDMA_OP_CONTROL; op++) {
        size_t count;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
        for (size_t i = 0; i < count; i++) {
            const wdfdma_fault fault = {
                .op = op, .per_mille = per_mille, .seed = op + i, .status = statuses[i]};
            CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
        }
    }
    const wdfdma_fault grant = {.kind = WDFDMA_FAULT_GRANT, .per_mille = per_mille};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &grant), STATUS_SUCCESS);
}

/* The next legal thing to do with one transaction. */
static void actor_step(WDFDMATRANSACTION of, PMDL mdl, uint64_t *random) {
    wdfdma_transaction_info info = world_info(of);
    NTSTATUS status;
    switch (info.state) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
        WdfDmaTransactionSetImmediateExecution(of, (BOOLEAN)world_random_below(random, 2));
        read_initialize(of, mdl, 1 + world_random_below(random, 16 * WORLD_PAGE));
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(of, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        if (info.waiting == WDFDMA_WAITING_NOT) {
            WdfDmaTransactionDmaCompleted(of, &status);
        } else if (world_random_below(random, 4) == 0) {
            WdfDmaTransactionCancel(of);
        }
        break;
    default:
        WdfDmaTransactionRelease(of);
        break;
    }
}

TEST(a_driver_that_heeds_them_is_never_stopped) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (int kind = 0; kind < 2; kind++) {
        wdfdma_machine_config config = world_config(24);
        world made = world_open(&config, (world_profile){.profile = profiles[kind],
                                                         .maximum_length = 8 * WORLD_PAGE,
                                                         .version = 3});
        WDFDMATRANSACTION actors[ACTORS];
        PMDL mdls[ACTORS];
        uint64_t random = (uint64_t)kind + 1;
        for (int i = 0; i < ACTORS; i++) {
            actors[i] = world_transaction(made.enabler);
            mdls[i] = world_mdl(made.machine, 0, 16 * WORLD_PAGE, NULL);
        }
        plan_everything(made.machine, 30);
        for (int round = 0; round < ROUNDS; round++) {
            uint32_t i = world_random_below(&random, ACTORS);
            actor_step(actors[i], mdls[i], &random);
            REQUIRE(wdfdma_machine_get_bugcheck(made.machine) == NULL);
            CHECK_MACHINE(made.machine);
        }
        uint64_t hits = 0;
        size_t count = 0;
        const wdfdma_fault *faults = wdfdma_machine_get_faults(made.machine, &count);
        for (size_t i = 0; i < count; i++) {
            hits += faults[i].hits;
        }
        CHECK(hits > 100);
    }
}

HARNESS_MAIN(ENTRY(only_what_an_op_documents_is_taken), ENTRY(what_is_no_fault_is_refused),
             ENTRY(chance_is_its_seed), ENTRY(a_restore_takes_the_plan_back),
             ENTRY(the_log_is_none_of_the_plans), ENTRY(the_first_of_two_gives_the_status),
             ENTRY(a_driver_that_heeds_them_is_never_stopped))
