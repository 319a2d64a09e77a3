/* Rules that are collected: each is broken once, alone, by a driver that does just that, and kept by one
 * that nearly does. And the modes: stop, collect, ignore. */
#include "world.h"

enum {
    REGISTERS = 4
};

typedef struct rule_world {
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMAENABLER enabler;
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
    PMDL mdl;
} rule_world;

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;

static rule_world open_rules(WDF_DMA_PROFILE profile) {
    wdfdma_machine_config config = world_config(REGISTERS);
    world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
    return (rule_world){made.machine,
                        made.device,
                        made.enabler,
                        world_transaction(made.enabler),
                        world_transaction(made.enabler),
                        world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL)};
}

static size_t count_violations(const rule_world *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->machine, &count);
    return count;
}

/* True when exactly one rule was broken, [rule], in [op]. */
static bool was_broken(const rule_world *of, uint32_t rule, uint32_t op) {
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of->machine, &count);
    bool one = CHECK_EQUAL(count, 1);
    return one && CHECK_EQUAL(found[0].rule, rule) && CHECK_EQUAL(found[0].op, op) &&
           CHECK_EQUAL(found[0].parameters[0], rule) &&
           CHECK_EQUAL(found[0].code, WDFDMA_BUGCHECK_WDFDMA_VIOLATION) &&
           CHECK(wdfdma_machine_get_bugcheck(of->machine) == NULL);
}

static void start(const rule_world *of, WDFDMATRANSACTION transaction, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, of->mdl, 0, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

static void finish(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

TEST(status_ignored) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.second, TRUE);
    start(&of, of.first, 2 * WORLD_PAGE);
    WDFDMATRANSACTION third = world_transaction(of.enabler);
    start(&of, third, 2 * WORLD_PAGE);
    CHECK_STATUS(world_initialize(of.second, READ, of.mdl, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
    wdfdma_machine_clear_violations(of.machine); /* the buffer that these share */
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_UNSUCCESSFUL);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[0].rule, WDFDMA_RULE_STATUS_IGNORED);
    CHECK_EQUAL(found[1].rule, WDFDMA_RULE_WDF_DMA_FATAL_ERROR);
    CHECK(!found[0].stopped && found[1].stopped);
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
}

TEST(a_failure_that_is_released_is_heeded) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(of.first, READ, REGISTERS + 1, world_reserve_dma, NULL),
        STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 0);
}

TEST(immediate_lost) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 0);
    start(&of, of.first, 100);
    CHECK(was_broken(&of, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_OP_EXECUTE));
    finish(of.first);
    start(&of, of.first, 100);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
}

TEST(immediate_set_again_is_not_lost) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    for (int round = 0; round < 3; round++) {
        WdfDmaTransactionSetImmediateExecution(of.first, round < 2);
        start(&of, of.first, 100);
        finish(of.first);
    }
    CHECK_EQUAL(count_violations(&of), 0);
}

static void start_at(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, mdl, offset, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

TEST(reservation_kept) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.first, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    start(&of, of.first, 100);
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(of.first, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0); /* nobody waits */
    start(&of, of.first, 100);
    PMDL other = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL);
    start_at(of.second, other, 0, 2 * WORLD_PAGE); /* waits, for what is in use */
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_pool, 1);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_MACHINE(of.machine);
    CHECK(WdfDmaTransactionDmaCompleted(of.first, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_RELEASE));
    CHECK_EQUAL(wdfdma_machine_get_violations(of.machine, &(size_t){0})->parameters[2], 3);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
    WdfDmaTransactionFreeResources(of.first);
    CHECK_EQUAL(world_state(of.second), WDFDMA_STATE_TRANSFER);
}

static void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

/* [kept] reserves, transfers and is released, while nobody waits. */
static void reserve_and_use(const rule_world *of, WDFDMATRANSACTION kept, ULONG registers) {
    reserve(kept, registers);
    start(of, kept, 100);
    finish(kept);
    CHECK_EQUAL(count_violations(of), 0);
}

TEST(reservation_kept_before_others_wait) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    reserve_and_use(&of, of.first, 3);
    start(&of, of.second, 2 * WORLD_PAGE);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_EXECUTE));
    const wdfdma_violation *told = wdfdma_machine_get_violations(of.machine, &(size_t){0});
    CHECK_EQUAL(told->handle, (uintptr_t)of.first);
    CHECK_EQUAL(told->parameters[2], 3);
    CHECK_EQUAL(told->parameters[3], 1);
    start(&of, world_transaction(of.enabler), 2 * WORLD_PAGE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_EQUAL(count_violations(&of), 1); /* it is told once */
    WdfDmaTransactionFreeResources(of.first);
    finish(of.second);
    wdfdma_machine_clear_violations(of.machine);
    CHECK_MACHINE(of.machine);
}

/* Each of three kept reservations is told, in the order of their first Releases. */
TEST(reservations_kept_by_several) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WDFDMATRANSACTION kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = world_transaction(of.enabler);
        reserve_and_use(&of, kept[i], 1);
    }
    WdfDmaTransactionFreeResources(kept[0]); /* given back in time */
    reserve_and_use(&of, kept[0], 1);
    start(&of, kept[1], 100); /* in use, when the other comes */
    start(&of, of.second, 2 * WORLD_PAGE);
    size_t count = 0;
    const wdfdma_violation *told = wdfdma_machine_get_violations(of.machine, &count);
    if (CHECK_EQUAL(count, 2)) {
        CHECK_EQUAL(told[0].handle, (uintptr_t)kept[2]);
        CHECK_EQUAL(told[1].handle, (uintptr_t)kept[0]);
    }
    finish(kept[1]);
}

TEST(a_reservation_that_nobody_misses) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    reserve(of.first, 1);
    WdfDmaTransactionFreeResources(of.first);
    reserve_and_use(&of, of.first, 1);
    WdfObjectDelete(of.first);
    start(&of, of.second, 2 * WORLD_PAGE);
    PMDL other = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION third = world_transaction(of.enabler);
    start_at(third, other, 0, 4 * WORLD_PAGE);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_pool, 1);
    CHECK_EQUAL(count_violations(&of), 0);
}

/* The channel of a system profile is kept too. */
TEST(reservation_keeps_a_channel) {
    rule_world of = open_rules(WdfDmaProfileSystem);
    reserve_and_use(&of, of.first, 1);
    start(&of, of.second, 100);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->waiting_channel, 1);
    CHECK(was_broken(&of, WDFDMA_RULE_RESERVATION_KEPT, WDFDMA_OP_EXECUTE));
    CHECK_EQUAL(wdfdma_machine_get_violations(of.machine, &(size_t){0})->parameters[3], 1);
}

TEST(zero_length_livelock) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    NTSTATUS status;
    start(&of, of.first, 100);
    for (int time = 0; time < 2; time++) {
        CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    }
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 50, &status));
    for (int time = 0; time < 2; time++) {
        CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    }
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    CHECK(was_broken(&of, WDFDMA_RULE_ZERO_LENGTH_LIVELOCK, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH));
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(of.first, 0, &status));
    CHECK_EQUAL(count_violations(&of), 1);
}

TEST(cancelled_reservation_kept) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.first, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    start(&of, of.second, 2 * WORLD_PAGE);
    CHECK(WdfDmaTransactionCancel(of.second)); /* a transfer that waits may be cancelled */
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionRelease(of.second), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of.second, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(of.second));
    CHECK(was_broken(&of, WDFDMA_RULE_CANCELLED_RESERVATION_KEPT, WDFDMA_OP_CANCEL));
}

TEST(request_completed_in_transfer) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    const wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = of.mdl, .output_length = 100};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(
        WdfDmaTransactionInitializeUsingRequest(of.first, request, world_program_dma, READ),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    WdfRequestComplete(request, STATUS_SUCCESS);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[0].rule, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER);
    CHECK_EQUAL(found[0].object_type, WDFDMA_OBJECT_REQUEST);
    CHECK_EQUAL(found[1].rule, WDFDMA_RULE_WDF_VERIFIER_FATAL_ERROR);
}

TEST(a_request_that_is_not_the_drivers_any_more) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    const wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = of.mdl, .output_length = 100};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
    CHECK_STATUS(
        WdfDmaTransactionInitializeUsingRequest(of.first, request, world_program_dma, READ),
        STATUS_SUCCESS);
    WdfRequestComplete(request, STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER, WDFDMA_OP_EXECUTE));
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    CHECK_EQUAL(found[0].parameters[1], (uint64_t)(uintptr_t)request);
    CHECK_EQUAL(found[0].parameters[2], (uint64_t)(uintptr_t)of.first);
}

TEST(released_in_transfer) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.verifier = false;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    rule_world of = {.machine = made.machine, .mdl = world_mdl(made.machine, 0, 4096, NULL)};
    WDFDMATRANSACTION waiting = world_transaction(made.enabler);
    of.first = world_transaction(made.enabler);
    of.second = world_transaction(made.enabler);
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(of.second, READ, REGISTERS, world_reserve_dma, NULL),
        STATUS_SUCCESS);
    start(&of, waiting, 100);
    CHECK_STATUS(WdfDmaTransactionRelease(of.second), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 1); /* its reservation, which stays */
    wdfdma_machine_clear_violations(of.machine);
    WdfDmaTransactionFreeResources(of.second);
    finish(waiting);
    CHECK_EQUAL(count_violations(&of), 0);
    start(&of, of.first, 100);
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_RELEASED_IN_TRANSFER, WDFDMA_OP_RELEASE));
    start(&of, of.second, 100);
    WdfObjectDelete(of.second);
    CHECK_EQUAL(count_violations(&of), 2);
}

TEST(buffer_shared) {
    rule_world of = open_rules(WdfDmaProfileScatterGather);
    start(&of, of.first, 100);
    CHECK_STATUS(world_initialize(of.second, READ, of.mdl, 100, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0); /* side by side */
    finish(of.second);
    finish(of.first);
    start(&of, of.first, 100);
    CHECK_STATUS(world_initialize(of.second, READ, of.mdl, 99, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_BUFFER_SHARED, WDFDMA_OP_EXECUTE));
}

/* Three transfers live on one MDL, and end in each order there is: a fourth on the bytes of one of
 * them is told while that one lives, and not after. */
TEST(many_mappings_end_in_any_order) {
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int order = 0; order < 6; order++) {
        wdfdma_machine_config config = world_config(16);
        world made = world_open(
            &config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
        rule_world of = {.machine = made.machine,
                         .first = world_transaction(made.enabler),
                         .mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL)};
        WDFDMATRANSACTION lanes[3];
        bool live[3] = {true, true, true};
        for (size_t lane = 0; lane < 3; lane++) {
            lanes[lane] = world_transaction(made.enabler);
            start_at(lanes[lane], of.mdl, lane * 100, 100);
        }
        for (int ended = 0; ended < 3; ended++) {
            finish(lanes[orders[order][ended]]);
            live[orders[order][ended]] = false;
            for (size_t lane = 0; lane < 3; lane++) {
                uint8_t byte = 0;
                size_t before = count_violations(&of);
                start_at(of.first, of.mdl, lane * 100 + 50, 1);
                finish(of.first);
                CHECK_EQUAL(count_violations(&of), before + live[lane]);
                wdfdma_mdl_write(of.machine, of.mdl, lane * 100 + 99, &byte, 1);
                CHECK_EQUAL(count_violations(&of), before + 2u * live[lane]);
                CHECK_MACHINE(of.machine);
            }
        }
    }
}

/* A transfer over three MDLs owns all of them. */
static rule_world open_chain(PMDL chain[3]) {
    wdfdma_machine_config config = world_config(16);
    world made =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    for (int i = 0; i < 3; i++) {
        chain[i] = world_mdl(made.machine, 0, 200, NULL);
    }
    chain[0]->Next = chain[1];
    chain[1]->Next = chain[2];
    rule_world of = {.machine = made.machine,
                     .first = world_transaction(made.enabler),
                     .second = world_transaction(made.enabler),
                     .mdl = chain[0]};
    start_at(of.first, of.mdl, 100, 400); /* up to the middle of the last */
    return of;
}

TEST(a_chain_is_owned_whole) {
    PMDL chain[3];
    rule_world of = open_chain(chain);
    uint8_t byte = 0;
    CHECK_STATUS(wdfdma_mdl_write(of.machine, chain[0], 99, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_write(of.machine, chain[2], 100, &byte, 1), STATUS_SUCCESS);
    start_at(of.second, chain[2], 100, 100);
    finish(of.second);
    CHECK_EQUAL(count_violations(&of), 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK_STATUS(wdfdma_mdl_read(of.machine, chain[i], i == 0 ? 199 : 99, &byte, 1),
                     STATUS_SUCCESS);
        CHECK_EQUAL(count_violations(&of), 2 * i + 1);
        start_at(of.second, chain[i], i == 0 ? 199 : 99, 1);
        finish(of.second);
        CHECK_EQUAL(count_violations(&of), 2 * i + 2);
        CHECK_MACHINE(of.machine);
    }
    finish(of.first);
    start_at(of.second, chain[0], 0, 600);
    start_at(of.first, chain[1], 0, 400); /* shares two parts, which is told once */
    CHECK_EQUAL(count_violations(&of), 7);
    finish(of.second);
    finish(of.first);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, chain[i]), STATUS_SUCCESS);
    }
    CHECK_EQUAL(count_violations(&of), 7);
}

/* Each MDL of a chain is in use; the transfer's end finds those that are left. */
TEST(a_chain_is_freed_while_mapped) {
    for (int gone = 0; gone < 3; gone++) {
        PMDL chain[3];
        rule_world of = open_chain(chain);
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, chain[gone]), STATUS_SUCCESS);
        CHECK(was_broken(&of, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED, WDFDMA_OP_NONE));
        /* The next one takes its slot, and is nobody's. */
        PMDL next = world_mdl(of.machine, 0, 200, NULL);
        start_at(of.second, next, 0, 200);
        CHECK_EQUAL(count_violations(&of), 1);
        CHECK_MACHINE(of.machine);
        finish(of.first);
        finish(of.second);
        CHECK_EQUAL(count_violations(&of), 1);
        CHECK_MACHINE(of.machine);
    }
}

/* The parts of a chain are the machine's own notes: no injected failure meets them. */
TEST(a_chains_notes_meet_no_failure) {
    PMDL chain[3];
    rule_world of = open_chain(chain);
    finish(of.first);
    CHECK_STATUS(world_initialize(of.first, READ, of.mdl, 0, 600), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 1);
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 0), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, chain[2]), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED, WDFDMA_OP_NONE));
}

/* Where that stops the machine, the second transfer has not begun. */
TEST(a_stopped_transfer_has_not_begun) {
    for (int profile = 0; profile < 2; profile++) {
        rule_world of = open_rules(profile == 0 ? WdfDmaProfilePacket : WdfDmaProfileScatterGather);
        wdfdma_transaction_info info;
        CHECK_STATUS(
            wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_BUFFER_SHARED, WDFDMA_MODE_STOP),
            STATUS_SUCCESS);
        start(&of, of.first, 100);
        CHECK_STATUS(world_initialize(of.second, READ, of.mdl, 99, 100), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_UNSUCCESSFUL);
        CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
        CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->mappings, 1);
        CHECK_STATUS(wdfdma_transaction_get_info(of.second, &info), STATUS_SUCCESS);
        CHECK_EQUAL(info.transfer_length, 100);
        CHECK_MACHINE(of.machine);
    }
}

TEST(two_devices_may_read_one_buffer) {
    rule_world of = open_rules(WdfDmaProfileScatterGather);
    CHECK_STATUS(world_initialize(of.first, WRITE, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(of.second, WRITE, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0);
}

TEST(buffer_touched) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    uint8_t bytes[100] = {1};
    start(&of, of.first, 100);
    CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 100, bytes, 100), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0); /* beside the transfer */
    CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 50, bytes, 10), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_BUFFER_TOUCHED, WDFDMA_OP_NONE));
    finish(of.first);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 50, bytes, 10), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(of.first, WRITE, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 50, bytes, 10), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 1); /* both may read */
    CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 50, bytes, 10), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 2);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_BUFFER_TOUCHED, WDFDMA_MODE_STOP),
        STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 50, bytes, 10), STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
}

TEST(buffer_freed_while_mapped) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    start(&of, of.first, 100);
    finish(of.first);
    PMDL other = world_mdl(of.machine, 0, 100, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.mdl), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0);
    of.mdl = other;
    start(&of, of.first, 100);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.mdl), STATUS_SUCCESS);
    CHECK(was_broken(&of, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED, WDFDMA_OP_NONE));
    /* The next MDL takes the slot: the old mapping's end is not its own. */
    of.mdl = world_mdl(of.machine, 0, 100, NULL);
    start(&of, of.second, 100);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.mdl), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 2);
}

/* Where a device's access ends: its rule, then Windows' own. */
static void check_access(const rule_world *of, uint64_t address, uint32_t rule) {
    wdfdma_snapshot *before = world_snapshot(of->machine);
    uint8_t byte = 0;
    CHECK_STATUS(wdfdma_device_write(of->machine, address, &byte, 1), STATUS_UNSUCCESSFUL);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of->machine, &count);
    if (CHECK_EQUAL(count, 2)) {
        CHECK_EQUAL(found[0].rule, rule);
        CHECK_EQUAL(found[0].parameters[2], address);
        CHECK_EQUAL(found[1].rule, WDFDMA_RULE_DMA_26);
    }
    CHECK_BUGCHECK(of->machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK_STATUS(wdfdma_machine_restore(of->machine, before), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(of), 0);
    wdfdma_snapshot_destroy(before);
}

TEST(a_device_goes_astray) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.force_map_registers = true;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    rule_world of = {.machine = made.machine, .mdl = world_mdl(made.machine, 0, 4096, NULL)};
    world_seen seen = {0};
    uint8_t byte = 0;
    of.first = world_transaction(made.enabler);
    CHECK_STATUS(world_initialize(of.first, READ, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, &seen), STATUS_SUCCESS);
    uint64_t address = (uint64_t)seen.list[0].Address.QuadPart;
    CHECK_STATUS(wdfdma_device_write(of.machine, address + 99, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(&of), 0);
    check_access(&of, address + 100, WDFDMA_RULE_DEVICE_OUTSIDE_LIST);
    check_access(&of, 0x7000000000, WDFDMA_RULE_DEVICE_OUTSIDE_LIST);
    finish(of.first);
    check_access(&of, address, WDFDMA_RULE_DEVICE_AFTER_FREE);
    reserve(of.first, 2); /* somebody has the registers again */
    check_access(&of, address, WDFDMA_RULE_DEVICE_AFTER_FREE);
    start(&of, of.first, 100);
    CHECK_STATUS(wdfdma_device_write(of.machine, address, &byte, 1), STATUS_SUCCESS);
    finish(of.first); /* and keeps them */
    check_access(&of, address, WDFDMA_RULE_DEVICE_AFTER_COMPLETION);
    WdfDmaTransactionFreeResources(of.first);
    check_access(&of, address, WDFDMA_RULE_DEVICE_AFTER_FREE);
}

/* Collected, a device's access is refused and nothing else; ignored, nobody remembers it. */
TEST(the_modes) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    uint8_t byte = 1;
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(of.machine, WDFDMA_RULE_DMA_26), WDFDMA_MODE_DEFAULT);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(of.machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(of.machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(&of), 1);
    CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
    /* What is undefined afterwards stops in every mode. */
    CHECK(!WdfDmaTransactionCancel(of.first));
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(count_violations(&of), 2);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_STOP),
                 STATUS_UNSUCCESSFUL);
}

TEST(an_advice_may_stop) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_MODE_STOP),
        STATUS_SUCCESS);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_STATUS(world_initialize(of.first, READ, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_IMMEDIATE_LOST);
    CHECK_EQUAL(world_free_registers(of.machine), REGISTERS);
}

TEST(modes_and_tables_refuse) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    size_t count = 7;
    CHECK_STATUS(wdfdma_machine_set_rule_mode(NULL, 1, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_COUNT, 1),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, UINT32_MAX, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, 1, 4), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(NULL, 1), WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(of.machine, UINT32_MAX), WDFDMA_MODE_DEFAULT);
    CHECK(wdfdma_rule_get_info(WDFDMA_RULE_COUNT) == NULL);
    CHECK(wdfdma_rule_get_name(UINT32_MAX) == NULL);
    CHECK(wdfdma_machine_get_violations(NULL, &count) == NULL);
    CHECK(wdfdma_machine_get_violations(of.machine, NULL) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(NULL), 0);
    wdfdma_machine_clear_violations(NULL);
    for (uint32_t rule = 1; rule < WDFDMA_RULE_COUNT; rule++) {
        const wdfdma_rule_info *info = wdfdma_rule_get_info(rule);
        CHECK_EQUAL(info->rule, rule);
        CHECK(info->name != NULL && info->cause[0] != 0 && info->source[0] != 0);
        CHECK(info->severity >= WDFDMA_SEVERITY_BUGCHECK &&
              info->severity <= WDFDMA_SEVERITY_ADVICE);
    }
}

/* As many as there is room for; the others are counted. */
TEST(violations_without_end) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    uint8_t byte = 1;
    enum {
        ACCESSES = 40000,
        ROOM = 65536
    };
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    for (int i = 0; i < ACCESSES; i++) {
        wdfdma_device_write(of.machine, 0x5000, &byte, 1);
    }
    CHECK_EQUAL(count_violations(&of), ROOM);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 2 * ACCESSES - ROOM);
    wdfdma_machine_clear_violations(of.machine);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 0);
}

/* What the verifier notes is not the driver's memory. */
TEST(a_violation_meets_no_injected_failure) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
    start(&of, of.first, 100);
    CHECK(was_broken(&of, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_OP_EXECUTE));
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 0);
    WDFDMATRANSACTION none = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, WDF_NO_OBJECT_ATTRIBUTES, &none),
                 STATUS_INSUFFICIENT_RESOURCES);
}

static BOOLEAN program_execute_next(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                    WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                    PSCATTER_GATHER_LIST list) {
    rule_world *of = context;
    uint8_t byte = 0;
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    CHECK_STATUS(wdfdma_device_read(of->machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    return TRUE;
}

TEST(a_violation_knows_where_it_was) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(of.second, program_execute_next, READ,
                                                        of.mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, &of), STATUS_UNSUCCESSFUL);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[1].depth, 1);
    CHECK_EQUAL(found[1].op, WDFDMA_OP_DEVICE_READ);
    CHECK_EQUAL(found[1].frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
    CHECK_EQUAL(found[1].frames[0].object, 1);
}

HARNESS_MAIN(ENTRY(status_ignored), ENTRY(a_failure_that_is_released_is_heeded),
             ENTRY(immediate_lost), ENTRY(immediate_set_again_is_not_lost), ENTRY(reservation_kept),
             ENTRY(reservation_kept_before_others_wait), ENTRY(reservations_kept_by_several),
             ENTRY(a_reservation_that_nobody_misses), ENTRY(reservation_keeps_a_channel),
             ENTRY(zero_length_livelock), ENTRY(cancelled_reservation_kept),
             ENTRY(request_completed_in_transfer),
             ENTRY(a_request_that_is_not_the_drivers_any_more), ENTRY(released_in_transfer),
             ENTRY(buffer_shared), ENTRY(many_mappings_end_in_any_order),
             ENTRY(a_chain_is_owned_whole), ENTRY(a_chain_is_freed_while_mapped),
             ENTRY(a_chains_notes_meet_no_failure), ENTRY(a_stopped_transfer_has_not_begun),
             ENTRY(two_devices_may_read_one_buffer), ENTRY(buffer_touched),
             ENTRY(buffer_freed_while_mapped), ENTRY(a_device_goes_astray), ENTRY(the_modes),
             ENTRY(an_advice_may_stop), ENTRY(modes_and_tables_refuse),
             ENTRY(violations_without_end), ENTRY(a_violation_meets_no_injected_failure),
             ENTRY(a_violation_knows_where_it_was))
