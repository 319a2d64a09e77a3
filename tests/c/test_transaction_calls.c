/* Every call of a transaction: what it writes into the journal and into the log, and what it answers on a
 * machine that has halted. */
#include "journal_file.h"
#include "world.h"

static const char PATH[] = "test_transaction_calls.wdj";

enum {
    VALUES = 8,
    LENGTH = 5000,
    MOST = 4000
};

static BOOLEAN configure_answer = TRUE;

/* Calls, in an order in which each is allowed. */
enum {
    SINGLE,
    SINGLE_NOT,
    IMMEDIATE,
    IMMEDIATE_NOT,
    END_SET,
    END_UNSET,
    CONFIGURE_SET,
    CONFIGURE_UNSET,
    RESERVE,
    FREE,
    INFORMATION,
    MAXIMUM,
    OFFSET,
    EXECUTE,
    BYTES,
    CURRENT,
    CONTROLLER,
    PARTIAL,
    FULL,
    FINAL,
    CANCEL,
    STOP,
    RELEASE,
    CALLS
};

typedef struct call_row {
    wdfdma_op op;
    size_t operands; /* behind the handle */
    uint64_t operand[3];
    uint64_t values[2]; /* of its record */
    NTSTATUS status;
} call_row;

static const call_row rows[CALLS] = {
    [SINGLE] = {WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT, 1, {TRUE}, {0}, 0},
    [SINGLE_NOT] = {WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT, 1, {FALSE}, {0}, 0},
    [IMMEDIATE] = {WDFDMA_OP_SET_IMMEDIATE_EXECUTION, 1, {TRUE}, {0}, 0},
    [IMMEDIATE_NOT] = {WDFDMA_OP_SET_IMMEDIATE_EXECUTION, 1, {FALSE}, {0}, 0},
    [END_SET] = {WDFDMA_OP_SET_CALLBACK, 2, {WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, TRUE}, {0}, 0},
    [END_UNSET] = {WDFDMA_OP_SET_CALLBACK, 2, {WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, FALSE}, {0}, 0},
    [CONFIGURE_SET] =
        {WDFDMA_OP_SET_CALLBACK, 2, {WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL, TRUE}, {0}, 0},
    [CONFIGURE_UNSET] =
        {WDFDMA_OP_SET_CALLBACK, 2, {WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL, FALSE}, {0}, 0},
    [RESERVE] = {WDFDMA_OP_ALLOCATE_RESOURCES,
                 3,
                 {WdfDmaDirectionWriteToDevice, 2, TRUE},
                 {0},
                 STATUS_SUCCESS},
    [FREE] = {WDFDMA_OP_FREE_RESOURCES, 0, {0}, {0}, 0},
    [INFORMATION] = {WDFDMA_OP_GET_TRANSFER_INFO, 0, {0}, {2, 1}, 0},
    [MAXIMUM] = {WDFDMA_OP_SET_MAXIMUM_LENGTH, 1, {MOST}, {0}, 0},
    [OFFSET] = {WDFDMA_OP_SET_DEVICE_ADDRESS_OFFSET, 1, {8}, {0}, 0},
    [EXECUTE] = {WDFDMA_OP_EXECUTE, 0, {0}, {0}, STATUS_SUCCESS},
    [BYTES] = {WDFDMA_OP_GET_BYTES_TRANSFERRED, 0, {0}, {0}, 0},
    [CURRENT] = {WDFDMA_OP_GET_CURRENT_DMA_TRANSFER_LENGTH, 0, {0}, {MOST}, 0},
    [CONTROLLER] = {WDFDMA_OP_COMPLETE_TRANSFER,
                    1,
                    {WdfDmaDirectionWriteToDevice},
                    {TRUE, WdfDmaDirectionWriteToDevice},
                    0},
    [PARTIAL] =
        {WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH, 1, {100}, {FALSE}, STATUS_MORE_PROCESSING_REQUIRED},
    [FULL] = {WDFDMA_OP_DMA_COMPLETED, 1, {0}, {FALSE}, STATUS_MORE_PROCESSING_REQUIRED},
    [FINAL] = {WDFDMA_OP_DMA_COMPLETED_FINAL, 1, {300}, {TRUE}, STATUS_SUCCESS},
    [CANCEL] = {WDFDMA_OP_CANCEL, 0, {0}, {FALSE}, 0},
    [STOP] = {WDFDMA_OP_STOP_SYSTEM_TRANSFER, 0, {0}, {0}, 0},
    [RELEASE] = {WDFDMA_OP_RELEASE, 0, {0}, {0}, STATUS_SUCCESS},
};

/* What the call answers; 0 for one that answers nothing, or NULL. */
static uint64_t call_make(const world *of, WDFDMATRANSACTION transaction, int call,
                          NTSTATUS *status) {
    ULONG registers = 0;
    ULONG elements = 0;
    switch (call) {
    case SINGLE:
    case SINGLE_NOT:
        WdfDmaTransactionSetSingleTransferRequirement(transaction, call == SINGLE ? 2 : FALSE);
        return 0;
    case IMMEDIATE:
    case IMMEDIATE_NOT:
        WdfDmaTransactionSetImmediateExecution(transaction, call == IMMEDIATE ? 2 : FALSE);
        return 0;
    case END_SET:
    case END_UNSET:
        WdfDmaTransactionSetTransferCompleteCallback(transaction,
                                                     call == END_SET ? world_on_end : NULL, NULL);
        return 0;
    case CONFIGURE_SET:
    case CONFIGURE_UNSET:
        WdfDmaTransactionSetChannelConfigurationCallback(
            transaction, call == CONFIGURE_SET ? world_configure_channel : NULL, NULL);
        return 0;
    case RESERVE:
        *status = WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionWriteToDevice, 2,
                                                     world_reserve_dma, NULL);
        return 0;
    case FREE:
        WdfDmaTransactionFreeResources(transaction);
        return 0;
    case INFORMATION:
        WdfDmaTransactionGetTransferInfo(transaction, &registers, &elements);
        return registers | (uint64_t)elements << 32;
    case MAXIMUM:
        WdfDmaTransactionSetMaximumLength(transaction, MOST);
        return 0;
    case OFFSET:
        WdfDmaTransactionSetDeviceAddressOffset(transaction, 8);
        return 0;
    case EXECUTE:
        *status = WdfDmaTransactionExecute(transaction, NULL);
        return 0;
    case BYTES:
        return WdfDmaTransactionGetBytesTransferred(transaction);
    case CURRENT:
        return WdfDmaTransactionGetCurrentDmaTransferLength(transaction);
    case CONTROLLER:
        return wdfdma_enabler_complete_transfer(of->enabler, WdfDmaDirectionWriteToDevice);
    case PARTIAL:
        return WdfDmaTransactionDmaCompletedWithLength(transaction, 100, status);
    case FULL:
        return WdfDmaTransactionDmaCompleted(transaction, status);
    case FINAL:
        return WdfDmaTransactionDmaCompletedFinal(transaction, 300, status);
    case CANCEL:
        return WdfDmaTransactionCancel(transaction);
    case STOP:
        WdfDmaTransactionStopSystemTransfer(transaction);
        return 0;
    default:
        *status = WdfDmaTransactionRelease(transaction);
        return 0;
    }
}

static bool has_status(int call) {
    return call == RESERVE || call == EXECUTE || call == PARTIAL || call == FULL || call == FINAL ||
           call == RELEASE;
}

static void journal_check(const world *of, WDFDMATRANSACTION transaction, int call, uint64_t at) {
    const call_row *row = &rows[call];
    uint64_t values[VALUES] = {0};
    uint8_t code = 0;
    uint64_t handle = call == CONTROLLER ? (uintptr_t)of->enabler : (uintptr_t)transaction;
    CHECK_EQUAL(journal_read_entry(PATH, at, &code, values, VALUES), 1 + row->operands);
    CHECK_EQUAL(code, row->op);
    CHECK_EQUAL(values[0], wdfdma_machine_localize(of->machine, handle));
    for (size_t i = 0; i < row->operands; i++) {
        CHECK_EQUAL(values[1 + i], row->operand[i]);
    }
}

/* A ring of one record has the last call's. */
static void record_check(const wdfdma_machine *machine, int call) {
    const call_row *row = &rows[call];
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_get_view(machine, &view), STATUS_SUCCESS);
    if (CHECK_EQUAL(view.first_count, 1)) {
        CHECK_EQUAL(view.first->kind, WDFDMA_RECORD_OP);
        CHECK_EQUAL(view.first->code, row->op);
        CHECK_STATUS(view.first->status, row->status);
        CHECK_EQUAL(view.first->values[0], row->values[0]);
        CHECK_EQUAL(view.first->values[1], row->values[1]);
    }
}

static world open_world(void) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    CHECK_STATUS(wdfdma_log_configure(made.machine, 1), STATUS_SUCCESS);
    return made;
}

TEST(each_call_is_written) {
    world made = open_world();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    for (int call = 0; call < CALLS; call++) {
        NTSTATUS status = STATUS_SUCCESS;
        if (call == INFORMATION) {
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, LENGTH),
                STATUS_SUCCESS);
        } else if (call == STOP) {
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, LENGTH),
                STATUS_SUCCESS);
        } else if (call == CANCEL) {
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, LENGTH),
                STATUS_SUCCESS);
        }
        uint64_t at = wdfdma_journal_get_bytes(made.machine, NULL);
        uint64_t answer = call_make(&made, transaction, call, &status);
        journal_check(&made, transaction, call, at);
        record_check(made.machine, call);
        CHECK_STATUS(status, rows[call].status);
        CHECK_EQUAL(answer, call == INFORMATION ? 2 | 1ull << 32 : rows[call].values[0]);
        if (harness.failures > 0) {
            printf("    at call %d\n", call);
            break;
        }
    }
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* Only a refusal is an answer that is written. */
TEST(a_refused_channel_is_written) {
    world made = open_world();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, world_configure_channel,
                                                     &configure_answer);
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    for (int turn = 0; turn < 4; turn++) {
        static const uint8_t refused[] = {WDFDMA_JOURNAL_ANSWER, 2, 0, 0};
        static uint8_t bytes[1 << 16];
        NTSTATUS status;
        configure_answer = turn % 2 != 0;
        CHECK_STATUS(
            world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, WORLD_PAGE),
            STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        uint64_t end = wdfdma_journal_get_bytes(made.machine, NULL);
        REQUIRE(end > sizeof refused && journal_read(PATH, bytes, sizeof bytes) >= end);
        CHECK_EQUAL(memcmp(bytes + end - sizeof refused, refused, sizeof refused) == 0,
                    configure_answer == FALSE);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    configure_answer = TRUE;
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* Each callback is written between the call that it is made in and what it calls. */
TEST(each_callback_is_written) {
    static const struct {
        int call;
        wdfdma_event event;
    } made_in[] = {{RESERVE, WDFDMA_EVENT_RESERVE_DMA},
                   {EXECUTE, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL},
                   {CONTROLLER, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE}};
    world made = open_world();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WdfDmaTransactionSetChannelConfigurationCallback(transaction, world_configure_channel,
                                                     &configure_answer);
    WdfDmaTransactionSetTransferCompleteCallback(transaction, world_on_end, NULL);
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    for (int i = 0; i < 3; i++) {
        NTSTATUS status = STATUS_SUCCESS;
        uint64_t values[VALUES] = {0};
        uint8_t code = 0;
        if (made_in[i].call == EXECUTE) {
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, WORLD_PAGE),
                STATUS_SUCCESS);
        }
        uint64_t at = wdfdma_journal_get_bytes(made.machine, NULL);
        call_make(&made, transaction, made_in[i].call, &status);
        CHECK_STATUS(status, STATUS_SUCCESS);
        size_t count = journal_read_entry(PATH, at, &code, values, VALUES);
        for (at += 2; count != 0; count--) {
            uint64_t left = values[0];
            memmove(values, values + 1, sizeof values - sizeof *values);
            do {
                at++;
                left >>= 7;
            } while (left != 0);
        }
        CHECK_EQUAL(journal_read_entry(PATH, at, &code, values, VALUES), 2);
        CHECK_EQUAL(code, WDFDMA_JOURNAL_ENTER);
        CHECK_EQUAL(values[0], made_in[i].event);
        CHECK_EQUAL(values[1], wdfdma_object_get_label(transaction));
    }
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* A machine that has halted, by the call itself or before, answers nothing. */
TEST(a_halted_machine_answers_nothing) {
    for (int call = 0; call < CALLS; call++) {
        world made = open_world();
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        WdfObjectDelete(transaction);
        for (int turn = 0; turn < 2; turn++) {
            NTSTATUS status = STATUS_SUCCESS;
            CHECK_EQUAL(call_make(&made, transaction, call, &status), 0);
            CHECK_STATUS(status, has_status(call) ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
            if (call != CONTROLLER) {
                CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_WDF_INVALID_HANDLE);
            }
        }
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(each_call_is_written), ENTRY(a_refused_channel_is_written),
             ENTRY(a_halted_machine_answers_nothing), ENTRY(each_callback_is_written))
