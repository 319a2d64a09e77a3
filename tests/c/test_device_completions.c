/* Completions that are short, silent, late, twice or wrong: of the system DMA controller, and of a program. */
#include "controller.h"

TEST(a_controller_ends_short_or_wrong) {
    static const struct {
        uint32_t behaviour;
        DMA_COMPLETION_STATUS status;
    } ends[] = {{WDFDMA_DEVICE_SHORT, DmaAborted}, {WDFDMA_DEVICE_WRONG, DmaError}};
    for (size_t i = 0; i < 2; i++) {
        controller of = controller_open();
        plan_device(of.world.machine, ends[i].behaviour, WDFDMA_OP_COMPLETE_TRANSFER, 1);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, 1);
        CHECK_EQUAL(completions[0], ends[i].status);
        CHECK_EQUAL(plan_get(of.world.machine, 0).hit_op, WDFDMA_OP_COMPLETE_TRANSFER);
        CHECK_MACHINE(of.world.machine);
    }
}

TEST(a_controller_is_silent_or_late) {
    for (uint32_t behaviour = WDFDMA_DEVICE_SILENT; behaviour <= WDFDMA_DEVICE_LATE; behaviour++) {
        controller of = controller_open();
        plan_device(of.world.machine, behaviour, 0, 1);
        CHECK(!controller_end(&of));
        CHECK_EQUAL(completion_count, 0);
        WdfDmaEnablerGetMaximumLength(of.world.enabler);
        CHECK_EQUAL(completion_count, behaviour == WDFDMA_DEVICE_LATE);
        WdfDmaEnablerGetMaximumLength(of.world.enabler);
        CHECK_EQUAL(completion_count, behaviour == WDFDMA_DEVICE_LATE);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, 1 + (behaviour == WDFDMA_DEVICE_LATE));
        CHECK_MACHINE(of.world.machine);
    }
}

/* The second end is the next transfer's, where the callback started one. */
TEST(a_controller_ends_twice) {
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        controller of = controller_open();
        completion_completes = goes_on != 0;
        plan_device(of.world.machine, WDFDMA_DEVICE_TWICE, 0, 1);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, goes_on ? 2 : 1);
        CHECK_EQUAL(world_state(of.transaction),
                    goes_on ? WDFDMA_STATE_TRANSFER_COMPLETED : WDFDMA_STATE_TRANSFER);
        CHECK_MACHINE(of.world.machine);
    }
}

/* What runs at a second end: in the slot of the first's adapter another transfer, or on a machine that has
 * halted the first's next. */
static const controller *twice_of;
static WDFDMATRANSACTION twice_next;
static bool twice_halts;

static void on_end_change(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                          WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    NTSTATUS unwanted;
    (void)context;
    (void)direction;
    (void)status;
    completion_count++;
    if (twice_halts) {
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &unwanted));
        KeLowerIrql(HIGH_LEVEL);
        return;
    }
    if (completion_count > 1) {
        return;
    }
    PMDL mdl = world_mdl(twice_of->world.machine, 0, WORLD_PAGE, NULL);
    CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 0, &unwanted));
    WdfObjectDelete(twice_of->world.enabler);
    KeLowerIrql(PASSIVE_LEVEL); /* where an enabler is made */
    WDFDMAENABLER next = world_enabler(device, &(world_profile){.profile = WdfDmaProfileSystem});
    twice_next = world_transaction(next);
    WdfDmaTransactionSetTransferCompleteCallback(twice_next, on_end_change, NULL);
    CHECK_STATUS(read_initialize(twice_next, mdl, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(twice_next, NULL), STATUS_SUCCESS);
    KfRaiseIrql(DISPATCH_LEVEL);
}

TEST(a_second_end_is_nobody_elses) {
    for (int halts = 0; halts < 2; halts++) {
        controller of = controller_open();
        twice_of = &of;
        twice_halts = halts != 0;
        WdfDmaTransactionSetTransferCompleteCallback(of.transaction, on_end_change, NULL);
        plan_device(of.world.machine, WDFDMA_DEVICE_TWICE, 0, 1);
        CHECK_EQUAL(controller_end(&of), halts == 0);
        CHECK_EQUAL(completion_count, 1);
        CHECK_EQUAL(wdfdma_machine_get_bugcheck(of.world.machine) != NULL, halts);
        CHECK_EQUAL(world_state(halts != 0 ? of.transaction : twice_next), WDFDMA_STATE_TRANSFER);
        CHECK_MACHINE(of.world.machine);
        harness_machine_end(of.world.machine);
    }
}

TEST(a_controller_without_a_transfer_is_not_counted) {
    controller of = controller_open();
    CHECK(controller_end(&of));
    CHECK(controller_end(&of));
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 1);
    CHECK(!controller_end(&of));
    CHECK_EQUAL(plan_get(of.world.machine, 0).met, 0);
}

/* Whoever it was late for is gone, in the call at whose end it comes. */
TEST(a_late_end_finds_nobody) {
    controller of = controller_open();
    NTSTATUS status;
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 1);
    CHECK(!controller_end(&of));
    wdfdma_machine *machine = of.world.machine;
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 1);
    WdfDmaTransactionDmaCompletedFinal(of.transaction, 0, &status);
    CHECK_EQUAL(completion_count, 0);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    CHECK_MACHINE(machine);
}

/* A late end may run a callback that deletes what the call at whose end it comes was made on. */
TEST(a_late_end_deletes_the_enabler) {
    controller of = controller_open();
    completion_completes = true;
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 2);
    CHECK(controller_end(&of));
    CHECK(!controller_end(&of));
    completion_deletes = of.world.enabler;
    CHECK(WdfDmaEnablerWdmGetDmaAdapter(of.world.enabler, WdfDmaDirectionReadFromDevice) != NULL);
    CHECK_EQUAL(completion_count, 2);
    CHECK_EQUAL(wdfdma_machine_get_state(of.world.machine)->objects[WDFDMA_OBJECT_ENABLER], 0);
    CHECK_MACHINE(of.world.machine);
}

/* ---- The completions of a program ---- */

/* A machine, a packet enabler of version 3, a buffer of a page; then, step by step: create, initialize
 * of 100 bytes, execute, dma_completed, get_bytes_transferred, release. */
static const char program[] = "WDP\x01\x08\x08\x24\x02"
                              "\x01\x01\x80\x80\x04\x03\x00\x00\x00"
                              "\x01\x01\x00\x64\x05"
                              "\x01\x00\x00"
                              "\x03\x00\x00\x00\x64\x00"
                              "\x04\x00"
                              "\x0F\x00"
                              "\x0C\x00"
                              "\x12\x00";

typedef struct completion {
    uint32_t op;
    uint32_t step;
    NTSTATUS status;
} completion;

/* Runs the program with its one completion as [behaviour] says; the completions that came. */
static size_t program_run(uint32_t behaviour, completion out[4]) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    wdfdma_machine *machine = harness_machine(&config);
    wdfdma_log_view view;
    size_t count = 0;
    uint32_t step = 0;
    plan_device(machine, behaviour, 0, 1);
    CHECK(wdfdma_program_run(machine, (const uint8_t *)program, sizeof program - 1, UINT64_MAX,
                             NULL));
    CHECK_EQUAL(plan_get(machine, 0).hits, 1);
    CHECK_EQUAL(plan_get(machine, 0).hit_op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(plan_get(machine, 0).hit_step, 3);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    bool halts = behaviour == WDFDMA_DEVICE_TWICE || behaviour == WDFDMA_DEVICE_SILENT ||
                 behaviour == WDFDMA_DEVICE_SHORT;
    CHECK_EQUAL(wdfdma_machine_get_bugcheck(machine) != NULL, halts);
    CHECK_STATUS(wdfdma_log_get_view(machine, &view), STATUS_SUCCESS);
    for (uint64_t i = 0; i < view.first_count && count < 4; i++) {
        const wdfdma_log_record *record = &view.first[i];
        step += record->kind == WDFDMA_RECORD_SNAPSHOT;
        bool completes = record->kind == WDFDMA_RECORD_OP &&
                         record->code >= WDFDMA_OP_DMA_COMPLETED &&
                         record->code <= WDFDMA_OP_DMA_COMPLETED_FINAL;
        if (completes) {
            out[count++] = (completion){record->code, step, record->status};
        }
    }
    CHECK_MACHINE(machine);
    return count;
}

TEST(a_program_meets_a_device_that_is_wrong) {
    completion came[4];
    REQUIRE(program_run(WDFDMA_DEVICE_SHORT, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH);
    CHECK_STATUS(came[0].status, STATUS_MORE_PROCESSING_REQUIRED);
    REQUIRE(program_run(WDFDMA_DEVICE_WRONG, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH);
    CHECK_STATUS(came[0].status, STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(program_run(WDFDMA_DEVICE_SILENT, came), 0);
}

/* The second one finds the transfer over, which ends the program unlogged. */
TEST(a_program_meets_a_device_that_is_twice_or_late) {
    completion came[4];
    REQUIRE(program_run(WDFDMA_DEVICE_TWICE, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(came[0].step, 3);
    REQUIRE(program_run(WDFDMA_DEVICE_LATE, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(came[0].step, 4);
    CHECK_STATUS(came[0].status, STATUS_SUCCESS);
}

HARNESS_MAIN(ENTRY(a_controller_ends_short_or_wrong), ENTRY(a_controller_is_silent_or_late),
             ENTRY(a_controller_ends_twice), ENTRY(a_second_end_is_nobody_elses),
             ENTRY(a_controller_without_a_transfer_is_not_counted), ENTRY(a_late_end_finds_nobody),
             ENTRY(a_late_end_deletes_the_enabler), ENTRY(a_program_meets_a_device_that_is_wrong),
             ENTRY(a_program_meets_a_device_that_is_twice_or_late))
