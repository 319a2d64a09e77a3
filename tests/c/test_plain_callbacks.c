/* Callbacks of a cycle, on a machine that keeps a log and on one that keeps none: what they are told, and what
 * comes of what they do. */
#include "plain_world.h"

/* EvtProgramDma runs at DISPATCH_LEVEL, or above it where its caller does. */
TEST(a_callback_keeps_the_level) {
    static const KIRQL levels[] = {PASSIVE_LEVEL, DISPATCH_LEVEL, DISPATCH_LEVEL + 3};
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        seen.state = wdfdma_machine_get_state(made.machine);
        for (int i = 0; i < 3; i++) {
            KIRQL before = KfRaiseIrql(levels[i]);
            transfer(transaction, mdl);
            CHECK_EQUAL(seen.irql, levels[i] < DISPATCH_LEVEL ? DISPATCH_LEVEL : levels[i]);
            CHECK_EQUAL(KeGetCurrentIrql(), levels[i]);
            CHECK_EQUAL(seen.state->depth, 0);
            CHECK_EQUAL(seen.state->op, WDFDMA_OP_NONE);
            KeLowerIrql(before);
        }
        harness_machine_end(made.machine);
    }
}

static void refuse_other(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(WdfDmaTransactionExecute(seen.other, NULL), STATUS_UNSUCCESSFUL);
}

/* Execute's context is for each EvtProgramDma of the transaction. */
TEST(each_transfer_has_the_context) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &made), STATUS_SUCCESS);
        CHECK(seen.program_context == &made);
        seen.program_context = NULL;
        complete_half(transaction);
        CHECK(seen.program_context == &made);
        complete(transaction);
        harness_machine_end(made.machine);
    }
}

/* Who waits for what a transaction holds comes next when it is complete. */
TEST(who_waits_comes_next) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        wdfdma_machine_config config = world_config(4);
        world made = open_with(&config, (world_profile){.profile = profiles[way / 2], .version = 3},
                               way % 2 != 0);
        WDFDMATRANSACTION pair[] = {world_transaction(made.enabler),
                                    world_transaction(made.enabler)};
        PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, NULL);
        PMDL other = world_mdl(made.machine, 0, 3 * WORLD_PAGE, NULL);
        transfer(pair[0], mdl);
        transfer(pair[1], other);
        for (uint32_t turn = 0; turn < 3; turn++) {
            seen.programmed = 0;
            CHECK_STATUS(initialize(pair[0], mdl, 0, 3 * WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(initialize(pair[1], other, 0, 3 * WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(pair[0], NULL), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(pair[1], NULL), STATUS_SUCCESS);
            CHECK_EQUAL(seen.programmed, 1);
            CHECK(world_info(pair[1]).waiting != WDFDMA_WAITING_NOT);
            complete(pair[0]);
            CHECK_EQUAL(seen.programmed, 2);
            CHECK_EQUAL(world_info(pair[0]).registers, 0);
            complete(pair[1]);
            CHECK_EQUAL(world_free_registers(made.machine), 4);
            CHECK_STATUS(WdfDmaTransactionRelease(pair[0]), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionRelease(pair[1]), STATUS_SUCCESS);
        }
        harness_machine_end(made.machine);
    }
}

/* A call makes its machine the current one, and one inside a callback of another machine is none. */
TEST(a_call_is_of_its_machine) {
    for (int way = 0; way < 2; way++) {
        world other = open_world(WdfDmaProfilePacket, way != 0);
        seen.other = world_transaction(other.enabler);
        PMDL foreign = world_mdl(other.machine, 0, WORLD_PAGE, NULL);
        WDFDMATRANSACTION waiting = seen.other;
        world made = open_world(WdfDmaProfilePacket, way != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        transfer(waiting, foreign);
        CHECK(wdfdma_machine_current() == other.machine);
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK(wdfdma_machine_current() == made.machine);
        CHECK_STATUS(initialize(waiting, foreign, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK(wdfdma_machine_current() == other.machine);
        seen.other = waiting;
        seen.act = refuse_other;
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_WDF_INVALID_HANDLE);
        CHECK(wdfdma_machine_get_bugcheck(other.machine) == NULL);
        CHECK_EQUAL(world_state(waiting), WDFDMA_STATE_INITIALIZED);
        harness_machine_end(made.machine);
        harness_machine_end(other.machine);
    }
}

static void ask_without_a_machine(WDFDMATRANSACTION transaction) {
    wdfdma_machine *machine = wdfdma_machine_use(NULL);
    CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), 0);
    CHECK(wdfdma_machine_current() == NULL);
    CHECK(wdfdma_machine_use(machine) == NULL);
}

/* A call inside a callback is of its machine without making it the current one. */
TEST(a_call_inside_leaves_the_current_machine) {
    world made = open_world(WdfDmaProfilePacket, false);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    seen.act = ask_without_a_machine;
    transfer(transaction, world_mdl(made.machine, 0, WORLD_PAGE, NULL));
    CHECK_EQUAL(seen.programmed, 1);
    CHECK(wdfdma_machine_current() == made.machine);
}

static void misuse(WDFDMATRANSACTION transaction) {
    WdfDmaTransactionSetSingleTransferRequirement(transaction, TRUE);
}

/* A violation inside EvtProgramDma is told with it. */
TEST(a_violation_has_its_callback) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        size_t told = 0;
        seen.act = misuse;
        transfer(transaction, mdl);
        const wdfdma_violation *violation = wdfdma_machine_get_violations(made.machine, &told);
        REQUIRE(told == 1);
        CHECK_EQUAL(violation->rule, WDFDMA_RULE_VERIFIER_BREAK);
        CHECK_EQUAL(violation->depth, 1);
        CHECK_EQUAL(violation->frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
        CHECK_EQUAL(violation->frames[0].object, wdfdma_object_get_label(transaction));
        harness_machine_end(made.machine);
    }
}

/* The next transfer of a packet waits until EvtProgramDma of this one has returned. */
TEST(a_transfer_completed_inside_goes_on_outside) {
    for (int way = 0; way < 4; way++) {
        world made =
            open_world(way / 2 == 0 ? WdfDmaProfilePacket : WdfDmaProfileSystem, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        for (int turn = 0; turn < 3; turn++) {
            seen.programmed = 0;
            seen.act = complete_half;
            CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            CHECK_EQUAL(seen.programmed, 2);
            CHECK_EQUAL(seen.inside_most, 1);
            CHECK_EQUAL(seen.address, MmGetMdlPfnArray(mdl)[0] * WORLD_PAGE + WORLD_PAGE / 2);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        harness_machine_end(made.machine);
    }
}

static void controller_end(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK(wdfdma_enabler_complete_transfer(seen.enabler, WdfDmaDirectionReadFromDevice));
    CHECK(!wdfdma_enabler_complete_transfer(seen.enabler, WdfDmaDirectionReadFromDevice));
}

static void stop(WDFDMATRANSACTION transaction) {
    complete_half(transaction);
    WdfDmaTransactionStopSystemTransfer(transaction);
}

/* The controller's end is told after EvtProgramDma, once, whenever it comes; so is a stop. */
TEST(the_end_is_told_outside) {
    for (int way = 0; way < 6; way++) {
        world made = open_world(WdfDmaProfileSystem, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, &made);
        for (uint32_t turn = 1; turn <= 3; turn++) {
            seen.programmed = 0;
            seen.act = way / 2 == 0 ? controller_end : way / 2 == 1 ? stop : NULL;
            CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            if (way / 2 == 2) {
                CHECK_EQUAL(seen.ends, turn - 1);
                controller_end(transaction);
            }
            CHECK_EQUAL(seen.programmed, 1);
            CHECK_EQUAL(seen.ends, turn);
            CHECK_EQUAL(seen.ends_inside, 0);
            CHECK(seen.context == &made);
            CHECK_EQUAL(seen.end, way / 2 == 1 ? DmaCancelled : DmaComplete);
            if (way / 2 == 1) {
                NTSTATUS status;
                WdfDmaTransactionDmaCompletedFinal(transaction, 0, &status);
            } else {
                complete(transaction);
            }
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        harness_machine_end(made.machine);
    }
}

static void log_begin(WDFDMATRANSACTION transaction) {
    (void)transaction;
    CHECK_STATUS(wdfdma_log_configure(wdfdma_machine_current(), 16), STATUS_SUCCESS);
}

/* A log that is asked for inside EvtProgramDma changes nothing of the transfer. */
TEST(a_log_may_begin_inside) {
    world made = open_world(WdfDmaProfileSystem, false);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    transfer(transaction, mdl);
    WdfDmaTransactionSetTransferCompleteCallback(transaction, on_end, &made);
    seen.programmed = 0;
    seen.act = log_begin;
    CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(seen.programmed, 1);
    CHECK_EQUAL(seen.ends, 0);
    controller_end(transaction);
    CHECK_EQUAL(seen.ends, 1);
    complete(transaction);
}

/* The channel is configured for each transfer, and what is refused is not programmed. */
TEST(a_channel_is_configured_each_time) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(WdfDmaProfileSystem, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        WdfDmaTransactionSetChannelConfigurationCallback(transaction, configure, &made);
        for (uint32_t turn = 1; turn <= 4; turn++) {
            seen.configure_answer = turn % 2 != 0;
            seen.programmed = 0;
            CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            CHECK_EQUAL(seen.configured, turn);
            CHECK(seen.context == &made);
            CHECK_EQUAL(seen.programmed, turn % 2);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        harness_machine_end(made.machine);
    }
}

static void execute_other(WDFDMATRANSACTION transaction) {
    (void)transaction;
    uint32_t programmed = seen.programmed;
    CHECK_STATUS(WdfDmaTransactionExecute(seen.other, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(seen.programmed, programmed);
}

/* Who comes to wait for the channel while EvtProgramDma runs has it afterwards. */
TEST(the_channel_is_given_on) {
    for (int way = 0; way < 4; way++) {
        world made = open_world(way / 2 == 0 ? WdfDmaProfilePacket : WdfDmaProfileScatterGather,
                                way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        seen.other = world_transaction(made.enabler);
        CHECK_STATUS(
            initialize(seen.other, world_mdl(made.machine, 0, WORLD_PAGE, NULL), 0, WORLD_PAGE),
            STATUS_SUCCESS);
        seen.programmed = 0;
        seen.act = execute_other;
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 2);
        complete(transaction);
        complete(seen.other);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_callback_keeps_the_level), ENTRY(each_transfer_has_the_context),
             ENTRY(who_waits_comes_next), ENTRY(a_call_is_of_its_machine),
             ENTRY(a_call_inside_leaves_the_current_machine), ENTRY(a_violation_has_its_callback),
             ENTRY(a_transfer_completed_inside_goes_on_outside), ENTRY(the_end_is_told_outside),
             ENTRY(a_log_may_begin_inside), ENTRY(a_channel_is_configured_each_time),
             ENTRY(the_channel_is_given_on))
