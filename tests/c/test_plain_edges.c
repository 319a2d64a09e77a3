/* The calls of a transaction's cycle at their edges, each on a machine that keeps a log and on one that
 * keeps none: there, after a first transfer, they go the plain ways of cycle.c. */
#include "world.h"

/* What EvtProgramDma saw and is to do, and who called what when. */
static struct {
    WDFDMAENABLER enabler;
    void (*act)(WDFDMATRANSACTION transaction); /* inside EvtProgramDma, once; NULL: nothing */
    uint32_t programmed;
    uint32_t inside; /* calls of EvtProgramDma that have not returned */
    uint32_t inside_most;
    KIRQL irql;
    uint32_t configured;
    BOOLEAN configure_answer;
    uint32_t ends;
    uint32_t ends_inside;
    DMA_COMPLETION_STATUS end;
    WDFDMATRANSACTION other;
    uint64_t address;
    PVOID context; /* of the last callback that is not EvtProgramDma */
    WDFCONTEXT program_context;
    const wdfdma_machine_state *state; /* of the machine, or NULL: not looked at */
} seen;

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                       WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    seen.programmed++;
    seen.program_context = context;
    seen.irql = KeGetCurrentIrql();
    seen.address = (uint64_t)list->Elements[0].Address.QuadPart;
    if (seen.state != NULL) {
        CHECK_EQUAL(seen.state->depth, 1);
        CHECK_EQUAL(seen.state->op, WDFDMA_OP_EXECUTE);
    }
    seen.inside++;
    seen.inside_most = seen.inside > seen.inside_most ? seen.inside : seen.inside_most;
    if (seen.act != NULL) {
        void (*act)(WDFDMATRANSACTION) = seen.act;
        seen.act = NULL;
        act(transaction);
    }
    seen.inside--;
    return TRUE;
}

static BOOLEAN configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context, PMDL mdl,
                         size_t offset, size_t length) {
    (void)transaction;
    (void)device;
    (void)mdl;
    (void)offset;
    (void)length;
    seen.context = context;
    seen.configured++;
    return seen.configure_answer;
}

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)transaction;
    (void)device;
    (void)direction;
    seen.context = context;
    seen.ends++;
    seen.ends_inside += seen.inside != 0;
    seen.end = status;
}

/* By an address and by an offset, in turn. */
static NTSTATUS initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset, size_t length) {
    static uint32_t turn;
    if (turn++ % 2 == 0) {
        return WdfDmaTransactionInitialize(transaction, program, WdfDmaDirectionReadFromDevice, mdl,
                                           (uint8_t *)MmGetMdlVirtualAddress(mdl) + offset, length);
    }
    return WdfDmaTransactionInitializeUsingOffset(
        transaction, program, WdfDmaDirectionReadFromDevice, mdl, offset, length);
}

static void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

/* A cycle that nothing hinders. */
static void transfer(WDFDMATRANSACTION transaction, PMDL mdl) {
    CHECK_STATUS(initialize(transaction, mdl, 0, mdl->ByteCount), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    complete(transaction);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

static world open_with(const wdfdma_machine_config *config, world_profile profile, bool keeps_log) {
    world made = world_open(config, profile);
    memset(&seen, 0, sizeof seen);
    seen.enabler = made.enabler;
    CHECK_STATUS(wdfdma_log_configure(made.machine, keeps_log ? 16 : 0), STATUS_SUCCESS);
    return made;
}

static world open_world(WDF_DMA_PROFILE profile, bool keeps_log) {
    return open_with(NULL, (world_profile){.profile = profile, .version = 3}, keeps_log);
}

static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileSystem,
                                           WdfDmaProfileScatterGather};
enum {
    PROFILES = sizeof profiles / sizeof *profiles
};

/* The list is the driver's while EvtProgramDma runs, and all of it is made anew for the next one. */
static BOOLEAN scribble(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                        WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)direction;
    const PMDL mdl = context;
    CHECK_EQUAL(list->NumberOfElements, 1);
    CHECK_EQUAL(list->Reserved, 0);
    CHECK_EQUAL(list->Elements[0].Address.QuadPart, MmGetMdlPfnArray(mdl)[0] * WORLD_PAGE);
    CHECK_EQUAL(list->Elements[0].Length, WORLD_PAGE);
    CHECK_EQUAL(list->Elements[0].Reserved, 0);
    memset(list, 0xA5, sizeof *list + sizeof *list->Elements);
    list->NumberOfElements = 1;
    seen.programmed++;
    return TRUE;
}

TEST(a_list_is_made_anew) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        for (int turn = 0; turn < 3; turn++) {
            CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, scribble,
                                                                WdfDmaDirectionReadFromDevice, mdl,
                                                                0, WORLD_PAGE),
                         STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, mdl), STATUS_SUCCESS);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        CHECK_EQUAL(seen.programmed, 3);
        harness_machine_end(made.machine);
    }
}

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

/* What a transfer leaves: its bytes, the length of what is under way, and nothing held. */
TEST(a_transfer_is_counted) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        for (int turn = 0; turn < 2; turn++) {
            CHECK_STATUS(initialize(transaction, mdl, 96, 1000), STATUS_SUCCESS);
            CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), 0);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            CHECK_EQUAL(seen.address, MmGetMdlPfnArray(mdl)[0] * WORLD_PAGE + 96);
            CHECK_EQUAL(WdfDmaTransactionGetCurrentDmaTransferLength(transaction), 1000);
            CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 1);
            complete(transaction);
            CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
            CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), 1000);
            CHECK_EQUAL(WdfDmaTransactionGetCurrentDmaTransferLength(transaction), 0);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), 0);
            CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
        }
        harness_machine_end(made.machine);
    }
}

/* A list may have no registers: where the device reaches all of memory, nothing of the pool is held. */
TEST(a_null_base_has_no_registers) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(WdfDmaProfileScatterGather64, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        uint32_t registers = world_free_registers(made.machine);
        for (int turn = 0; turn < 2; turn++) {
            CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            wdfdma_transaction_info info = world_info(transaction);
            CHECK(info.holds_base);
            CHECK_EQUAL(info.first_register, UINT32_MAX);
            CHECK_EQUAL(info.registers, 0);
            CHECK_EQUAL(world_free_registers(made.machine), registers);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        CHECK_EQUAL(seen.programmed, 2);
        harness_machine_end(made.machine);
    }
}

/* States */

static const wdfdma_transaction_info *bring(WDFDMATRANSACTION transaction, PMDL mdl,
                                            uint32_t state) {
    static wdfdma_transaction_info info;
    NTSTATUS status;
    if (state == WDFDMA_STATE_RESERVED) {
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        2, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    } else if (state != WDFDMA_STATE_CREATED) {
        CHECK_STATUS(initialize(transaction, mdl, 96, 1000), STATUS_SUCCESS);
    }
    if (state > WDFDMA_STATE_INITIALIZED) {
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    }
    if (state == WDFDMA_STATE_TRANSFER_FAILED) {
        CHECK(WdfDmaTransactionDmaCompletedWithLength(transaction, 1001, &status));
        CHECK_STATUS(status, STATUS_INVALID_PARAMETER);
    } else if (state > WDFDMA_STATE_TRANSFER) {
        complete(transaction);
    }
    if (state == WDFDMA_STATE_RELEASED) {
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    wdfdma_transaction_get_info(transaction, &info);
    CHECK_EQUAL(info.state, state);
    return &info;
}

static void call_check(const world *of, WDFDMATRANSACTION transaction, PMDL mdl, uint32_t state,
                       int call) {
    NTSTATUS status = STATUS_SUCCESS;
    bool rests = state == WDFDMA_STATE_CREATED || state == WDFDMA_STATE_RESERVED ||
                 state == WDFDMA_STATE_RELEASED;
    bool allowed = call == 0   ? rests
                   : call == 1 ? state == WDFDMA_STATE_INITIALIZED
                   : call == 2 ? state == WDFDMA_STATE_TRANSFER
                               : state != WDFDMA_STATE_TRANSFER;
    uint32_t programmed = seen.programmed;
    if (call == 0) {
        status = initialize(transaction, mdl, 96, 1000);
    } else if (call == 1) {
        status = WdfDmaTransactionExecute(transaction, NULL);
    } else if (call == 2) {
        CHECK_EQUAL(WdfDmaTransactionDmaCompleted(transaction, &status), allowed);
    } else {
        status = WdfDmaTransactionRelease(transaction);
    }
    CHECK_STATUS(status, allowed ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(seen.programmed - programmed, call == 1 && allowed);
    CHECK_EQUAL(world_rule(of->machine),
                allowed ? WDFDMA_RULE_NONE : WDFDMA_RULE_WDF_DMA_FATAL_ERROR);
    CHECK_EQUAL(world_parameter(of->machine, 2), allowed ? 0 : state);
}

/* Each of the cycle's calls in each state, with a reservation and without. */
TEST(a_state_allows_what_it_allows) {
    for (int way = 0; way < 4; way++) {
        for (uint32_t state = WDFDMA_STATE_CREATED; state <= WDFDMA_STATE_RELEASED; state++) {
            for (int call = 0; call < 4; call++) {
                world made = open_world(WdfDmaProfilePacket, way % 2 != 0);
                WDFDMATRANSACTION transaction = world_transaction(made.enabler);
                PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
                wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_STATUS_IGNORED,
                                             WDFDMA_MODE_IGNORE);
                if (way / 2 != 0 && state > WDFDMA_STATE_RESERVED) {
                    bring(transaction, mdl, WDFDMA_STATE_RESERVED);
                }
                bring(transaction, mdl, state);
                call_check(&made, transaction, mdl, state, call);
                harness_machine_end(made.machine);
            }
        }
    }
}

/* A range of no bytes is none. */
TEST(an_empty_range_is_refused) {
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        world made = open_world(profiles[way / 2], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 96, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        CHECK_STATUS(initialize(transaction, mdl, 100, 0), STATUS_INVALID_PARAMETER);
        CHECK_STATUS(initialize(transaction, mdl, WORLD_PAGE, 1), STATUS_INVALID_PARAMETER);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
        harness_machine_end(made.machine);
    }
}

/* How many elements a list may have is asked of each range anew. */
TEST(a_limit_of_elements_holds_at_each_offset) {
    static const struct {
        uint32_t in_page; /* of the MDL */
        size_t offset;
        size_t length;
        bool fits;
    } rows[] = {
        {0, 0, 4096, true},    {0, 1, 4096, false},   {0, 4095, 1, true},
        {0, 4095, 2, false},   {100, 0, 4096, false}, {100, 3996, 100, true},
        {100, 3995, 2, false}, {100, 0, 3996, true},  {100, 100, 3897, false},
    };
    for (int keeps_log = 0; keeps_log < 2; keeps_log++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            world made = open_world(WdfDmaProfileScatterGather, keeps_log != 0);
            WDFDMATRANSACTION transaction = world_transaction(made.enabler);
            transfer(transaction, world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL));
            WdfDmaEnablerSetMaximumScatterGatherElements(made.enabler, 1);
            PMDL mdl = world_mdl(made.machine, rows[i].in_page, 2 * WORLD_PAGE, NULL);
            CHECK_STATUS(initialize(transaction, mdl, rows[i].offset, rows[i].length),
                         rows[i].fits ? STATUS_SUCCESS : STATUS_WDF_TOO_FRAGMENTED);
            harness_machine_end(made.machine);
        }
    }
}

/* Just the bytes of the transfer are the device's while it is under way. */
TEST(a_transfer_owns_its_bytes) {
    static const struct {
        size_t at;
        bool is_owned;
    } rows[] = {{0, false}, {1999, false}, {2000, true}, {2999, true}, {3000, false}};
    for (uint32_t way = 0; way < 2 * PROFILES; way++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            world made = open_world(profiles[way / 2], way % 2 != 0);
            WDFDMATRANSACTION transaction = world_transaction(made.enabler);
            PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
            uint8_t byte = 0;
            size_t told = 0;
            CHECK_STATUS(initialize(transaction, mdl, 0, 1000), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            CHECK_STATUS(initialize(transaction, mdl, 2000, 1000), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, rows[i].at, &byte, 1), STATUS_SUCCESS);
            wdfdma_machine_get_violations(made.machine, &told);
            CHECK_EQUAL(told, rows[i].is_owned);
            complete(transaction);
            CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, rows[i].at, &byte, 1), STATUS_SUCCESS);
            wdfdma_machine_get_violations(made.machine, &told);
            CHECK_EQUAL(told, rows[i].is_owned);
            harness_machine_end(made.machine);
        }
    }
}

/* What happens inside EvtProgramDma */

static void complete_half(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, WORLD_PAGE / 2, &status));
    CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
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

/* One byte that is left is a transfer of its own. */
TEST(a_byte_is_left) {
    for (int way = 0; way < 4; way++) {
        const world_profile profile = {.profile = way / 2 == 0 ? WdfDmaProfilePacket
                                                               : WdfDmaProfileScatterGather,
                                       .version = 3,
                                       .maximum_length = WORLD_PAGE};
        world made = open_with(NULL, profile, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        for (int turn = 0; turn < 2; turn++) {
            NTSTATUS status = STATUS_SUCCESS;
            CHECK_STATUS(initialize(transaction, mdl, 0, WORLD_PAGE + 1), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
            CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
            CHECK_EQUAL(world_info(transaction).transfer_length, 1);
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        }
        CHECK_EQUAL(seen.programmed, 4);
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

/* A mapping that a failed transfer left with its reservation ends when the next one begins. */
TEST(a_mapping_that_was_left_ends) {
    for (int way = 0; way < 2; way++) {
        world made = open_world(WdfDmaProfilePacket, way != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        PMDL other = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
        bring(transaction, mdl, WDFDMA_STATE_RESERVED);
        bring(transaction, mdl, WDFDMA_STATE_TRANSFER_FAILED);
        CHECK_EQUAL(state->mappings, 1);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK_STATUS(initialize(transaction, other, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(state->mappings, 1);
        complete(transaction);
        CHECK_EQUAL(state->mappings, 0);
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

/* A channel that was reserved is of one direction. */
TEST(a_reserved_channel_has_a_direction) {
    for (int way = 0; way < 4; way++) {
        WDF_DMA_DIRECTION direction =
            way / 2 == 0 ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice;
        world made = open_world(WdfDmaProfileSystemDuplex, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        transfer(transaction, mdl);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionWriteToDevice,
                                                        2, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).direction, WdfDmaDirectionWriteToDevice);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program, direction, mdl, 0,
                                                            WORLD_PAGE),
                     way / 2 == 0 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
        CHECK_EQUAL(world_rule(made.machine),
                    way / 2 == 0 ? WDFDMA_RULE_RESERVED_OTHER_DIRECTION : WDFDMA_RULE_NONE);
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

/* Of version 2, one packet transaction of a device is under way at a time. */
TEST(a_device_of_version_2_is_busy) {
    for (int way = 0; way < 2; way++) {
        world made = open_with(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 2},
                               way % 2 != 0);
        WDFDMATRANSACTION pair[] = {world_transaction(made.enabler),
                                    world_transaction(made.enabler)};
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        PMDL other = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        for (int turn = 0; turn < 3; turn++) {
            CHECK_STATUS(initialize(pair[0], mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(initialize(pair[1], other, 0, WORLD_PAGE), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(pair[0], NULL), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(pair[1], NULL), STATUS_WDF_BUSY);
            complete(pair[0]);
            CHECK_STATUS(WdfDmaTransactionRelease(pair[0]), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionRelease(pair[1]), STATUS_SUCCESS);
            transfer(pair[1], other);
        }
        harness_machine_end(made.machine);
    }
}

/* A request that a transaction moves the data of is not the driver's to complete, and is afterwards. */
TEST(a_request_is_held) {
    for (uint32_t way = 0; way < 4 * PROFILES; way++) {
        world made = open_world(profiles[way / 4], way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        const wdfdma_request_config config = {
            .type = WdfRequestTypeRead, .output = mdl, .output_length = WORLD_PAGE};
        WDFREQUEST request = NULL;
        bool is_early = way / 2 % 2 == 0;
        transfer(transaction, mdl);
        CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(transaction, request, program,
                                                             WdfDmaDirectionReadFromDevice),
                     STATUS_SUCCESS);
        CHECK(WdfDmaTransactionGetRequest(transaction) == request);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        if (!is_early) {
            complete(transaction);
            CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
            CHECK(WdfDmaTransactionGetRequest(transaction) == NULL);
        }
        WdfRequestComplete(request, STATUS_SUCCESS);
        CHECK_EQUAL(world_rule(made.machine),
                    is_early ? WDFDMA_RULE_WDF_VERIFIER_FATAL_ERROR : WDFDMA_RULE_NONE);
        harness_machine_end(made.machine);
    }
}

static void complete_twice(WDFDMATRANSACTION transaction) {
    for (int i = 0; i < 2; i++) {
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
    }
}

/* One of three transfers counts twice: the last one comes to more than there was. */
TEST(bytes_counted_twice_are_told) {
    for (int way = 0; way < 2; way++) {
        const world_profile profile = {
            .profile = WdfDmaProfilePacket, .version = 3, .maximum_length = WORLD_PAGE};
        world made = open_with(NULL, profile, way % 2 != 0);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, 5 * WORLD_PAGE, NULL);
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        seen.act = complete_twice;
        CHECK_STATUS(initialize(transaction, mdl, 0, 3 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, 2);
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
        CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_COMPLETED_TWICE);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_list_is_made_anew), ENTRY(a_callback_keeps_the_level),
             ENTRY(a_transfer_is_counted), ENTRY(a_null_base_has_no_registers),
             ENTRY(a_state_allows_what_it_allows), ENTRY(an_empty_range_is_refused),
             ENTRY(a_limit_of_elements_holds_at_each_offset), ENTRY(a_transfer_owns_its_bytes),
             ENTRY(a_transfer_completed_inside_goes_on_outside), ENTRY(the_end_is_told_outside),
             ENTRY(a_channel_is_configured_each_time), ENTRY(a_reserved_channel_has_a_direction),
             ENTRY(the_channel_is_given_on), ENTRY(a_device_of_version_2_is_busy),
             ENTRY(bytes_counted_twice_are_told), ENTRY(a_log_may_begin_inside),
             ENTRY(each_transfer_has_the_context), ENTRY(a_byte_is_left),
             ENTRY(who_waits_comes_next), ENTRY(a_mapping_that_was_left_ends),
             ENTRY(a_call_is_of_its_machine), ENTRY(a_call_inside_leaves_the_current_machine),
             ENTRY(a_violation_has_its_callback), ENTRY(a_request_is_held))
