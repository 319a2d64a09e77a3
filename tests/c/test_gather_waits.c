/* Lists that wait: further ones of a transaction whose first has not come, in which order they wait and are
 * cancelled, what comes of those that fail, of a deletion, of a put. */
#include "world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

/* One world in which the first list of a transaction waits for registers that two others hold. */
typedef struct waiting_world {
    world of;
    WDFDMATRANSACTION held[2];
    WDFDMATRANSACTION item;
    PMDL mdl;
    size_t length;
    world_seen seen;
} waiting_world;

static void waiting_open(waiting_world *made) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    *made = (waiting_world){
        .length = 20 * WORLD_PAGE,
        .of = world_open(&config,
                         (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3})};
    WDFDMAENABLER packet = world_enabler(
        made->of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made->of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
        STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        made->held[i] = world_transaction(packet);
        CHECK_STATUS(
            WdfDmaTransactionAllocateResources(made->held[i], READ, 4, world_reserve_dma, NULL),
            STATUS_SUCCESS);
    }
    made->item = world_transaction(made->of.enabler);
    made->mdl = world_mdl(made->of.machine, 0, 20 * WORLD_PAGE, NULL);
}

/* Fills the transaction, and asks for lists of these many pages, one before the other has come. */
static void lists_ask(waiting_world *of, const uint32_t *pages, int count) {
    NTSTATUS status;
    CHECK_STATUS(world_initialize(of->item, READ, of->mdl, 0, of->length), STATUS_SUCCESS);
    for (int i = 0; i < count; i++) {
        WdfDmaTransactionSetMaximumLength(of->item, pages[i] * (size_t)WORLD_PAGE);
        if (i == 0) {
            CHECK_STATUS(WdfDmaTransactionExecute(of->item, &of->seen), STATUS_SUCCESS);
        } else {
            CHECK(!WdfDmaTransactionDmaCompleted(of->item, &status));
            CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
        }
    }
}

/* All requests of the transaction that wait: for registers first, then for the channel. */
static void waiting_expect(const waiting_world *of, const uint32_t *pages, size_t count) {
    wdfdma_waiter_info found[8];
    WDFOBJECT adapter = wdfdma_enabler_get_adapter(of->of.enabler, READ);
    size_t all = wdfdma_pool_copy_requests(of->of.machine, found, 8);
    all += wdfdma_adapter_copy_waiters(adapter, found + all, 8 - all);
    CHECK_EQUAL(all, count);
    for (size_t i = 0; i < all && i < count; i++) {
        CHECK_EQUAL(found[i].registers, pages[i]);
        CHECK(found[i].transaction == of->item);
    }
    CHECK_MACHINE(of->of.machine);
}

/* They wait in the order in which they were asked for, and a Cancel takes the oldest. */
TEST(further_lists_are_cancelled_oldest_first) {
    static const uint32_t pages[] = {5, 4, 3, 2};
    waiting_world of;
    waiting_open(&of);
    size_t used = 0;
    for (int turn = 0; turn < 4; turn++) {
        lists_ask(&of, pages, 4);
        for (size_t gone = 0; gone < 4; gone++) {
            waiting_expect(&of, pages + gone, 4 - gone);
            CHECK(WdfDmaTransactionCancel(of.item));
        }
        waiting_expect(&of, NULL, 0);
        CHECK(!WdfDmaTransactionCancel(of.item));
        CHECK_STATUS(WdfDmaTransactionRelease(of.item), STATUS_SUCCESS);
        CHECK(turn < 2 || wdfdma_machine_get_used_bytes(of.of.machine) == used);
        used = wdfdma_machine_get_used_bytes(of.of.machine);
    }
    CHECK(wdfdma_machine_get_bugcheck(of.of.machine) == NULL);
}

/* The transaction's own request is free again once its list has come: it may be the youngest then. */
TEST(the_own_request_may_be_the_youngest) {
    static const uint32_t pages[] = {4, 5, 6};
    static const uint32_t after[] = {5, 6, 5}; /* what is left */
    waiting_world of;
    NTSTATUS status;
    waiting_open(&of);
    lists_ask(&of, pages, 3);
    waiting_expect(&of, pages, 3);
    WdfDmaTransactionFreeResources(of.held[0]);
    CHECK_EQUAL(of.seen.programmed, 1);
    waiting_expect(&of, pages + 1, 2);
    WdfDmaTransactionSetMaximumLength(of.item, 7 * WORLD_PAGE);
    CHECK(!WdfDmaTransactionDmaCompleted(of.item, &status));
    waiting_expect(&of, after, 3);
    for (size_t gone = 0; gone < 3; gone++) {
        CHECK(WdfDmaTransactionCancel(of.item));
        waiting_expect(&of, after + gone + 1, 2 - gone);
    }
}

/* A further list that cannot be had: not for memory, not at once, not past the buffer. The first one still
 * comes. */
TEST(a_further_list_may_fail) {
    static const uint32_t pages[] = {5, 4};
    static const NTSTATUS expected[] = {STATUS_INSUFFICIENT_RESOURCES,
                                        STATUS_INSUFFICIENT_RESOURCES, STATUS_BUFFER_TOO_SMALL};
    for (int way = 0; way < 3; way++) {
        waiting_world of;
        NTSTATUS status = STATUS_SUCCESS;
        waiting_open(&of);
        if (way == 2) { /* the last bytes are none of the buffer's */
            of.mdl = world_mdl(of.of.machine, 0, 10 * WORLD_PAGE, NULL);
            of.length = 10 * WORLD_PAGE + 100;
        }
        lists_ask(&of, pages, 2);
        uint64_t remaining = world_info(of.item).remaining;
        if (way == 0) {
            CHECK_STATUS(wdfdma_machine_fail_allocation(of.of.machine, 1), STATUS_SUCCESS);
        } else if (way == 1) {
            WdfDmaTransactionSetImmediateExecution(of.item, TRUE);
        }
        CHECK(WdfDmaTransactionDmaCompleted(of.item, &status));
        CHECK_STATUS(status, expected[way]);
        CHECK_EQUAL(world_state(of.item), WDFDMA_STATE_TRANSFER_FAILED);
        CHECK_EQUAL(world_info(of.item).remaining, remaining);
        waiting_expect(&of, pages, 2);
        WdfDmaTransactionFreeResources(of.held[0]);
        WdfDmaTransactionFreeResources(of.held[1]);
        waiting_expect(&of, pages + 1, 1); /* of which there are three */
        CHECK_EQUAL(of.seen.programmed, 1);
    }
}

/* A Cancel of the further list, which waits: the first one is held until Release. */
TEST(a_further_list_is_cancelled_behind_the_first) {
    static const uint32_t pages[] = {4, 5};
    waiting_world of;
    size_t used = 0;
    waiting_open(&of);
    of.length = 9 * WORLD_PAGE;
    for (uint32_t turn = 0; turn < 5; turn++) {
        lists_ask(&of, pages, 2);
        WdfDmaTransactionFreeResources(of.held[0]);
        CHECK_EQUAL(of.seen.programmed, turn + 1);
        WdfDmaTransactionFreeResources(of.held[1]);
        waiting_expect(&of, pages + 1, 1);
        CHECK(WdfDmaTransactionCancel(of.item));
        waiting_expect(&of, NULL, 0);
        CHECK_EQUAL(world_state(of.item), WDFDMA_STATE_TRANSFER_FAILED);
        CHECK_STATUS(WdfDmaTransactionRelease(of.item), STATUS_SUCCESS);
        CHECK_EQUAL(world_free_registers(of.of.machine), 8);
        for (int i = 0; i < 2; i++) {
            CHECK_STATUS(
                WdfDmaTransactionAllocateResources(of.held[i], READ, 4, world_reserve_dma, NULL),
                STATUS_SUCCESS);
        }
        wdfdma_machine_clear_violations(of.of.machine);
        CHECK(turn < 2 || wdfdma_machine_get_used_bytes(of.of.machine) == used);
        used = wdfdma_machine_get_used_bytes(of.of.machine);
    }
    CHECK(wdfdma_machine_get_bugcheck(of.of.machine) == NULL);
}

/* A transfer that waits is deleted where the verifier looks away: its memory stays as long as its requests. */
TEST(a_deleted_list_is_wanted) {
    static const uint32_t pages[] = {4, 5};
    for (int further = 0; further < 2; further++) {
        wdfdma_machine_config config = world_config(8);
        config.force_map_registers = true;
        config.verifier = false;
        world of = world_open(&config,
                              (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
        WDFDMAENABLER packet = world_enabler(
            of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        waiting_world made = {.of = of, .length = 9 * WORLD_PAGE};
        wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
        for (int i = 0; i < 2; i++) {
            made.held[i] = world_transaction(packet);
            CHECK_STATUS(
                WdfDmaTransactionAllocateResources(made.held[i], READ, 4, world_reserve_dma, NULL),
                STATUS_SUCCESS);
        }
        made.item = world_transaction(of.enabler);
        made.mdl = world_mdl(of.machine, 0, 9 * WORLD_PAGE, NULL);
        lists_ask(&made, pages, 2);
        if (further != 0) { /* its own has come: the further one alone waits */
            WdfDmaTransactionFreeResources(made.held[0]);
        }
        WdfObjectDelete(made.item);
        CHECK(wdfdma_object_get_machine(made.item) == NULL);
        for (int i = 0; i < 4; i++) {
            world_transaction(of.enabler);
        }
        CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 6);
        CHECK_MACHINE(of.machine);
        CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
        WdfDmaTransactionFreeResources(made.held[1]);
        CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_PENDING_RESERVATION_DISTURBED);
        CHECK_EQUAL(wdfdma_machine_get_bugcheck(of.machine)->handle, 0);
    }
}

static WDFDMATRANSACTION completed_again;

static void reserve_and_complete(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    (void)context;
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(completed_again, &status);
}

/* Completed again by whom its registers let through, a list is put twice: the second time halts, and gives
 * nothing back. */
TEST(a_list_is_put_once) {
    waiting_world of;
    NTSTATUS status;
    waiting_open(&of);
    WdfDmaTransactionFreeResources(of.held[0]);
    lists_ask(&of, (const uint32_t[]){4}, 1);
    CHECK_EQUAL(of.seen.programmed, 1);
    completed_again = of.item;
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(of.held[0], READ, 4, reserve_and_complete, NULL),
        STATUS_SUCCESS);
    WdfDmaTransactionDmaCompleted(of.item, &status);
    CHECK_EQUAL(world_rule(of.of.machine), WDFDMA_RULE_LIST_PUT_TWICE);
    CHECK_EQUAL(world_free_registers(of.of.machine), 0);
}

/* A put that lets the next list of the same transaction through: that one is forgotten, no device uses it. */
TEST(a_list_that_came_meanwhile_is_forgotten) {
    static const uint32_t pages[] = {4, 4};
    waiting_world of;
    NTSTATUS status = STATUS_SUCCESS;
    const uint8_t byte = 1;
    waiting_open(&of);
    lists_ask(&of, pages, 2);
    WdfDmaTransactionFreeResources(of.held[0]);
    CHECK_EQUAL(of.seen.programmed, 1);
    CHECK_EQUAL(wdfdma_machine_get_state(of.of.machine)->mappings, 1);
    WdfDmaTransactionSetMaximumLength(of.item, 5 * WORLD_PAGE);
    CHECK(!WdfDmaTransactionDmaCompleted(of.item, &status));
    CHECK_EQUAL(of.seen.programmed, 2);
    CHECK_EQUAL(wdfdma_machine_get_state(of.of.machine)->mappings, 0);
    CHECK(!NT_SUCCESS(
        wdfdma_device_write(of.of.machine, (uint64_t)of.seen.list[0].Address.QuadPart, &byte, 1)));
    CHECK(!world_info(of.item).holds_base);
    waiting_expect(&of, (const uint32_t[]){5}, 1);
    CHECK(WdfDmaTransactionCancel(of.item));
    waiting_expect(&of, NULL, 0);
    CHECK(!WdfDmaTransactionCancel(of.item));
}

HARNESS_MAIN(ENTRY(further_lists_are_cancelled_oldest_first),
             ENTRY(the_own_request_may_be_the_youngest), ENTRY(a_further_list_may_fail),
             ENTRY(a_further_list_is_cancelled_behind_the_first), ENTRY(a_deleted_list_is_wanted),
             ENTRY(a_list_is_put_once), ENTRY(a_list_that_came_meanwhile_is_forgotten))
