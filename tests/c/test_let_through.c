/* What comes of a transaction while its registers are given back: the callbacks of others run in the middle of
 * its calls. */
#include "callback_world.h"

/* A list that was waited for when its transfer was completed comes all the same, and cannot be given
 * back. */
TEST(a_list_comes_after_the_end) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(4, WdfDmaProfileScatterGather, true, way != 0);
        WDFDMATRANSACTION holder = world_transaction(open_other(&made));
        WDFDMATRANSACTION late = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        CHECK_STATUS(start(late, mdl, WORLD_PAGE), STATUS_SUCCESS);
        complete(late);
        CHECK_STATUS(WdfDmaTransactionRelease(late), STATUS_SUCCESS);
        CHECK_STATUS(reserve(holder, 3), STATUS_SUCCESS);
        CHECK_STATUS(start(late, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 1);
        complete(late);
        WdfDmaTransactionFreeResources(holder);
        CHECK_EQUAL(seen.programmed, 2);
        CHECK_EQUAL(world_info(late).registers, 2);
        CHECK_STATUS(WdfDmaTransactionRelease(late), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_COMPLETED_TWICE);
        harness_machine_end(made.machine);
    }
}

static void release_and_initialize(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(WdfDmaTransactionRelease(seen.first), STATUS_SUCCESS);
    CHECK_STATUS(initialize(seen.first, seen.mdl, WORLD_PAGE), STATUS_SUCCESS);
}

static void release_and_reserve(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(WdfDmaTransactionRelease(seen.first), STATUS_SUCCESS);
    CHECK_STATUS(reserve(seen.first, 3), STATUS_SUCCESS);
    CHECK_EQUAL(seen.reserved, 1);
}

/* [first] completes, and its registers let another one of its adapter through, which calls [act]. */
static world complete_into(void (*act)(WDFDMATRANSACTION), bool keeps_log,
                           WDFDMATRANSACTION *holder) {
    world made = open_world(4, WdfDmaProfilePacket, true, keeps_log);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    *holder = world_transaction(open_other(&made));
    seen.first = world_transaction(made.enabler);
    seen.mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
    CHECK_STATUS(reserve(*holder, 2), STATUS_SUCCESS);
    CHECK_STATUS(start(seen.first, seen.mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(start(second, world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL), 2 * WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_EQUAL(seen.programmed, 1);
    seen.act = act;
    complete(seen.first);
    CHECK_EQUAL(seen.programmed, 2);
    return made;
}

/* Initialized by what its own completion let through, it has a buffer, and no adapter. */
TEST(initialized_too_early) {
    for (int way = 0; way < 4; way++) {
        WDFDMATRANSACTION holder;
        world made = complete_into(release_and_initialize, way % 2 != 0, &holder);
        CHECK_EQUAL(world_state(seen.first), WDFDMA_STATE_INITIALIZED);
        if (way / 2 == 0) {
            CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_UNSUCCESSFUL);
        } else {
            ULONG registers = 7;
            WdfDmaTransactionGetTransferInfo(seen.first, &registers, NULL);
            CHECK_EQUAL(registers, 7);
        }
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_NO_ADAPTER);
        CHECK_EQUAL(seen.programmed, 2);
        harness_machine_end(made.machine);
    }
}

/* Reserved by it, it comes to registers without an adapter to give them back to. */
TEST(reserved_too_early) {
    for (int way = 0; way < 2; way++) {
        WDFDMATRANSACTION holder;
        world made = complete_into(release_and_reserve, way != 0, &holder);
        CHECK_EQUAL(world_info(seen.first).waiting, WDFDMA_WAITING_POOL);
        WdfDmaTransactionFreeResources(holder);
        CHECK_EQUAL(seen.reserved, 2);
        CHECK_EQUAL(world_state(seen.first), WDFDMA_STATE_RESERVED);
        CHECK(world_info(seen.first).holds_base);
        uint32_t registers = world_free_registers(made.machine);
        WdfDmaTransactionFreeResources(seen.first);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_COMPLETED_TWICE);
        CHECK_EQUAL(world_free_registers(made.machine), registers);
        harness_machine_end(made.machine);
    }
}

static void initialize_and_execute(WDFDMATRANSACTION transaction) {
    CHECK_STATUS(initialize(seen.first, seen.mdl, WORLD_PAGE), STATUS_SUCCESS);
    seen.inside = world_info(seen.first);
    /* With a log from here on, Execute looks for the first byte anew. */
    CHECK_STATUS(wdfdma_log_configure(wdfdma_machine_current(), 16), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_SUCCESS);
    (void)transaction;
}

/* Initialize begins anew, also where FreeResources has not yet forgotten the last range. */
TEST(a_range_begins_anew) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(2, WdfDmaProfilePacket, true, way != 0);
        WDFDMATRANSACTION second = world_transaction(open_other(&made));
        NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;
        seen.first = world_transaction(made.enabler);
        seen.mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        seen.mdl->Next = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK_STATUS(reserve(seen.first, 2), STATUS_SUCCESS);
        CHECK_STATUS(initialize(seen.first, seen.mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
        WdfDmaTransactionSetMaximumLength(seen.first, WORLD_PAGE / 2);
        CHECK_STATUS(WdfDmaTransactionExecute(seen.first, NULL), STATUS_SUCCESS);
        for (int i = 0; i < 4; i++) {
            CHECK_EQUAL(WdfDmaTransactionDmaCompleted(seen.first, &status), i == 3);
        }
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_STATUS(
            start(second, world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL), 2 * WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 4);
        seen.act = initialize_and_execute;
        WdfDmaTransactionFreeResources(seen.first);
        CHECK_EQUAL(seen.programmed, 6);
        CHECK_EQUAL(seen.inside.bytes_transferred, 0);
        CHECK_EQUAL(seen.inside.length, WORLD_PAGE);
        CHECK_EQUAL(seen.inside.remaining, WORLD_PAGE);
        harness_machine_end(made.machine);
    }
}

static void half_and_release(WDFDMATRANSACTION transaction) {
    complete_half(transaction);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

static void half_and_final(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    complete_half(transaction);
    CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 0, &status));
}

static void half_and_end(WDFDMATRANSACTION transaction) {
    CHECK(wdfdma_enabler_complete_transfer(world_info(transaction).enabler,
                                           WdfDmaDirectionReadFromDevice));
    complete_half(transaction);
    seen.inside = world_info(transaction);
}

static void half_and_halt(WDFDMATRANSACTION transaction) {
    complete_half(transaction);
    wdfdma_machine_halt(wdfdma_machine_current(), WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    seen.inside = world_info(transaction);
}

/* What a callback did to its own transaction is met by the stage that goes on after it, and told by its
 * own rule; nothing is programmed any more. */
TEST(a_stage_meets_what_its_callback_did) {
    static const struct {
        WDF_DMA_PROFILE profile;
        bool configures; /* and [act] is EvtDmaTransactionConfigureDmaChannel's */
        bool verifier;
        void (*act)(WDFDMATRANSACTION);
        uint32_t rule;
    } rows[] = {
        {WdfDmaProfilePacket, false, false, half_and_release, WDFDMA_RULE_FREED_WHILE_TRANSFERRING},
        {WdfDmaProfileSystem, false, false, half_and_release, WDFDMA_RULE_FREED_WHILE_TRANSFERRING},
        {WdfDmaProfilePacket, false, true, half_and_final, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfileSystem, false, true, half_and_final, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfileSystem, true, true, half_and_final, WDFDMA_RULE_COMPLETED_WHILE_CONFIGURING},
        {WdfDmaProfileSystem, false, true, half_and_end, WDFDMA_RULE_COMPLETED_TWICE},
        {WdfDmaProfilePacket, false, true, half_and_halt, WDFDMA_RULE_NONE},
        {WdfDmaProfileSystem, true, true, half_and_halt, WDFDMA_RULE_NONE},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        size_t row = i / 2;
        world made = open_world(8, rows[row].profile, rows[row].verifier, i % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        if (world_profile_is_system(rows[row].profile)) {
            WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, NULL);
        }
        if (rows[row].configures) {
            WdfDmaTransactionSetChannelConfigurationCallback(transaction, configure, NULL);
        }
        seen.act = rows[row].act;
        CHECK_STATUS(start(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL), WORLD_PAGE),
                     STATUS_UNSUCCESSFUL);
        bool right = CHECK_EQUAL(world_rule(made.machine), rows[row].rule);
        right = CHECK(wdfdma_machine_get_bugcheck(made.machine) != NULL) && right;
        right = CHECK_EQUAL(seen.programmed, !rows[row].configures) && right;
        right = CHECK_EQUAL(seen.configured, rows[row].configures) && right;
        right = CHECK_EQUAL(seen.ends, 0) && right;
        right = CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0) && right;
        if (seen.inside.length != 0) {
            wdfdma_transaction_info info = world_info(transaction);
            right = CHECK_EQUAL(info.remaining, seen.inside.remaining) && right;
            right = CHECK_EQUAL(info.transfer_length, seen.inside.transfer_length) && right;
        }
        if (!right) {
            printf("    in row %zu\n", row);
        }
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_list_comes_after_the_end), ENTRY(initialized_too_early),
             ENTRY(reserved_too_early), ENTRY(a_range_begins_anew),
             ENTRY(a_stage_meets_what_its_callback_did))
