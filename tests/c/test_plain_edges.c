/* The calls of a transaction's cycle at their edges, each on a machine that keeps a log and on one that
 * keeps none: there, after a first transfer, they go the plain ways of cycle.c. */
#include "plain_world.h"

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

HARNESS_MAIN(ENTRY(a_list_is_made_anew), ENTRY(a_transfer_is_counted),
             ENTRY(a_null_base_has_no_registers), ENTRY(a_state_allows_what_it_allows),
             ENTRY(an_empty_range_is_refused), ENTRY(a_limit_of_elements_holds_at_each_offset),
             ENTRY(a_transfer_owns_its_bytes), ENTRY(a_byte_is_left),
             ENTRY(a_mapping_that_was_left_ends), ENTRY(a_reserved_channel_has_a_direction),
             ENTRY(a_device_of_version_2_is_busy), ENTRY(a_request_is_held),
             ENTRY(bytes_counted_twice_are_told))
