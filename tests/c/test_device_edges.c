/* A device at the edges: what is said of an address that it may use no more, what is left of several mappings
 * of a page, what of an access is written in the journal. */
#include "bounce_world.h"
#include "fault_plan.h"
#include "journal_file.h"

static const char PATH[] = "test_device_edges.wdj";

/* What an access is refused with: our rule, and who it names. */
typedef struct refusal {
    uint32_t rule;
    const void *owner;
    uint64_t mdl;
} refusal;

static uint64_t mdl_handle(const wdfdma_machine *machine, size_t index) {
    WDFOBJECT handles[8] = {0};
    CHECK(wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_MDL, handles, 8) > index);
    return (uint64_t)(uintptr_t)handles[index];
}

static void check_refusal(wdfdma_machine *machine, uint64_t address, const refusal *expected) {
    wdfdma_snapshot *before = world_snapshot(machine);
    uint8_t bytes[3] = {0};
    size_t count = 0;
    CHECK_STATUS(wdfdma_device_write(machine, address, bytes, 3), STATUS_UNSUCCESSFUL);
    const wdfdma_violation *found = wdfdma_machine_get_violations(machine, &count);
    if (CHECK_EQUAL(count, 2)) {
        CHECK_EQUAL(found->rule, expected->rule);
        CHECK_EQUAL(found->parameters[1], (uintptr_t)expected->owner);
        CHECK_EQUAL(found->parameters[2], address);
        CHECK_EQUAL(found->parameters[3], 3);
        CHECK_EQUAL(found->handle, (uintptr_t)expected->owner);
        CHECK_EQUAL(found->others[0].handle, expected->mdl);
        CHECK_EQUAL(found->others[1].handle, 0);
        CHECK_EQUAL(found[1].rule, WDFDMA_RULE_DMA_26);
    }
    CHECK_STATUS(wdfdma_machine_restore(machine, before), STATUS_SUCCESS);
    wdfdma_snapshot_destroy(before);
}

static const refusal outside = {.rule = WDFDMA_RULE_DEVICE_OUTSIDE_LIST};

/* ---- What is said of what has ended ---- */

static void keep(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

/* A transfer of [length] bytes that the device writes to, whole. */
static uint64_t transfer_make(wdfdma_machine *machine, WDFDMATRANSACTION transaction, PMDL mdl,
                              size_t length) {
    static const uint8_t bytes[4 * WORLD_PAGE];
    world_seen told = {0};
    CHECK_STATUS(world_initialize(transaction, READ, mdl, 0, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
    uint64_t address = (uint64_t)told.list[0].Address.QuadPart;
    CHECK_STATUS(wdfdma_device_write(machine, address, bytes, length), STATUS_SUCCESS);
    return address;
}

static void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
}

/* Registers anywhere in the pool, with others held or free around them. */
TEST(it_matters_who_has_the_register_now) {
    static const struct {
        ULONG before,
            between; /* registers that others have before the transfer's; the second goes */
    } rows[] = {{1, 1}, {63, 1}, {64, 6}, {60, 4}, {127, 1}, {100, 70}, {100, 26}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdfdma_machine_config config = world_config(256);
        config.force_map_registers = true;
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDFDMATRANSACTION lanes[4];
        for (int lane = 0; lane < 4; lane++) {
            WDFDMAENABLER own = world_enabler(
                made.device, &(world_profile){WdfDmaProfilePacket, 300 * WORLD_PAGE, .version = 3});
            lanes[lane] = world_transaction(own);
        }
        PMDL mdl = world_mdl(made.machine, 50, WORLD_PAGE, NULL);
        keep(lanes[0], rows[i].before);
        keep(lanes[1], rows[i].between);
        keep(lanes[2], 2);
        keep(lanes[3], 1);
        uint64_t address = transfer_make(made.machine, lanes[2], mdl, WORLD_PAGE);
        CHECK_EQUAL(address,
                    WORLD_REGISTERS_ADDRESS + (rows[i].before + rows[i].between) * WORLD_PAGE + 50);
        complete(lanes[2]);
        WdfDmaTransactionFreeResources(lanes[1]);
        WdfDmaTransactionFreeResources(lanes[3]); /* its neighbours on both sides */
        refusal expected = {WDFDMA_RULE_DEVICE_AFTER_COMPLETION, lanes[2],
                            mdl_handle(made.machine, 0)};
        CHECK_STATUS(WdfDmaTransactionRelease(lanes[2]), STATUS_SUCCESS);
        for (uint64_t at = 0; at <= WORLD_PAGE - 1; at += WORLD_PAGE - 51) {
            check_refusal(made.machine, address + at, &expected);
        }
        check_refusal(made.machine, address + WORLD_PAGE, &outside);
        check_refusal(made.machine, address - 1, &outside);
        WdfDmaTransactionFreeResources(lanes[0]);
        check_refusal(made.machine, address, &expected);
        WdfDmaTransactionFreeResources(lanes[2]);
        expected.rule = WDFDMA_RULE_DEVICE_AFTER_FREE;
        check_refusal(made.machine, address, &expected);
        keep(lanes[1], rows[i].before + rows[i].between + 2); /* somebody has it again */
        check_refusal(made.machine, address, &expected);
        check_refusal(made.machine, address + WORLD_PAGE - 1, &expected);
        harness_machine_end(made.machine);
    }
}

/* A transfer that does not bounce ends in one that did, and its registers go the shortest way. */
TEST(registers_go_with_a_transfer_that_does_not_use_them) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL chain = world_mdl(made.machine, 0, 100, (const uint64_t[]){1 << 20});
    chain->Next = world_mdl(made.machine, 0, 100, (const uint64_t[]){77});
    world_seen told = {0};
    NTSTATUS status;
    CHECK_STATUS(world_initialize(transaction, READ, chain, 0, 200), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
    CHECK_EQUAL(told.list[0].Address.QuadPart, WORLD_REGISTERS_ADDRESS);
    CHECK_STATUS(wdfdma_device_write(made.machine, WORLD_REGISTERS_ADDRESS, "abc", 3),
                 STATUS_SUCCESS);
    CHECK(!WdfDmaTransactionDmaCompleted(transaction, &status));
    const refusal held = {WDFDMA_RULE_DEVICE_AFTER_COMPLETION, transaction,
                          mdl_handle(made.machine, 0)};
    const refusal freed = {WDFDMA_RULE_DEVICE_AFTER_FREE, transaction, held.mdl};
    wdfdma_snapshot *before = world_snapshot(made.machine);
    CHECK(world_free_registers(made.machine) < 64);
    check_refusal(made.machine, WORLD_REGISTERS_ADDRESS, &held);
    CHECK_STATUS(wdfdma_machine_restore(made.machine, before), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_EQUAL(world_free_registers(made.machine), 64);
    check_refusal(made.machine, WORLD_REGISTERS_ADDRESS, &freed);
    wdfdma_snapshot_destroy(before);
}

/* Pages of the buffer's own, each told as long as it is remembered. */
TEST(the_last_pages_are_remembered) {
    enum {
        REMEMBERED = 64
    };
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
    uint64_t addresses[REMEMBERED + 1];
    refusal expected = {WDFDMA_RULE_DEVICE_AFTER_COMPLETION, transaction, 0};
    for (size_t i = 0; i <= REMEMBERED; i++) {
        PMDL page = world_mdl(made.machine, 7, 100, (const uint64_t[]){1000 + i});
        addresses[i] = transfer_make(made.machine, transaction, page, 100);
        complete(transaction);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_destroy(made.machine, page), STATUS_SUCCESS);
        if (i == 1) {
            check_refusal(made.machine, addresses[0], &expected);
            check_refusal(made.machine, addresses[1], &expected);
        }
    }
    check_refusal(made.machine, addresses[0], &outside); /* the oldest is forgotten */
    for (size_t i = 1; i <= REMEMBERED; i += 21) {
        check_refusal(made.machine, addresses[i] + 99, &expected);
        check_refusal(made.machine, addresses[i] + 100, &outside);
        check_refusal(made.machine, addresses[i] - 1, &outside);
    }
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
}

/* Who had a page last is told, though somebody else's end of it is remembered as well. */
TEST(the_last_of_a_pages_ends_is_told) {
    enum {
        REMEMBERED = 64
    };
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION first = world_transaction(made.enabler), last = NULL;
    PMDL page = world_mdl(made.machine, 0, 100, (const uint64_t[]){1000});
    PMDL other = world_mdl(made.machine, 0, 100, (const uint64_t[]){2000});
    uint64_t address = 0;
    last = world_transaction(made.enabler);
    for (int i = 0; i < REMEMBERED; i++) {
        WDFDMATRANSACTION by = i == 0 ? first : last;
        bool ends = i == 0 || i == REMEMBERED - 1;
        address = transfer_make(made.machine, by, ends ? page : other, 100);
        complete(by);
        CHECK_STATUS(WdfDmaTransactionRelease(by), STATUS_SUCCESS);
    }
    const refusal expected = {WDFDMA_RULE_DEVICE_AFTER_COMPLETION, last,
                              mdl_handle(made.machine, 0)};
    check_refusal(made.machine, address, &expected);
}

/* It is no MDL's, and its owner is gone. */
TEST(a_common_buffer_that_is_gone) {
    world made = {.machine = harness_machine(NULL)};
    PMDL mdl = world_mdl(made.machine, 0, 100, NULL); /* the machine's first object */
    made.device = world_device(made.machine);
    made.enabler = world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    uint64_t address = (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart;
    CHECK_STATUS(wdfdma_device_write(made.machine, address, "x", 1), STATUS_SUCCESS);
    WdfObjectDelete(buffer);
    wdfdma_snapshot *before = world_snapshot(made.machine);
    size_t count = 0;
    CHECK_STATUS(wdfdma_device_write(made.machine, address, "x", 1), STATUS_UNSUCCESSFUL);
    const wdfdma_violation *found = wdfdma_machine_get_violations(made.machine, &count);
    REQUIRE(count == 2);
    CHECK_EQUAL(found->rule, WDFDMA_RULE_DEVICE_AFTER_COMPLETION);
    CHECK_EQUAL(found->parameters[1], (uintptr_t)buffer);
    CHECK_EQUAL(found->handle, 0);
    CHECK_EQUAL(found->others[0].handle, 0);
    CHECK_EQUAL(found->others[1].handle, 0);
    CHECK_STATUS(wdfdma_machine_restore(made.machine, before), STATUS_SUCCESS);
    wdfdma_snapshot_destroy(before);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
}

/* ---- Several mappings of one page ---- */

TEST(one_of_three_mappings_of_a_page_ends) {
    for (size_t ends = 0; ends < 3; ends++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather64});
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, (const uint64_t[]){0x55});
        WDFDMATRANSACTION lanes[3];
        for (size_t lane = 0; lane < 3; lane++) {
            lanes[lane] = world_transaction(made.enabler);
            CHECK_STATUS(world_initialize(lanes[lane], READ, mdl, 1000 * lane, 1000),
                         STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(lanes[lane], NULL), STATUS_SUCCESS);
        }
        for (size_t lane = 0; lane < 3; lane++) {
            CHECK_STATUS(wdfdma_device_write(made.machine, 0x55000 + 1000 * lane, "x", 1),
                         STATUS_SUCCESS);
        }
        complete(lanes[ends]);
        world_mdl(made.machine, 0, 10, NULL); /* who knows what has the memory now */
        const refusal expected = {WDFDMA_RULE_DEVICE_AFTER_COMPLETION, lanes[ends],
                                  mdl_handle(made.machine, 0)};
        for (size_t lane = 0; lane < 3; lane++) {
            uint64_t address = 0x55000 + 1000 * lane + 500;
            if (lane == ends) {
                check_refusal(made.machine, address, &expected);
            } else {
                CHECK_STATUS(wdfdma_device_write(made.machine, address, "x", 1), STATUS_SUCCESS);
            }
        }
        complete(lanes[(ends + 1) % 3]);
        CHECK_STATUS(wdfdma_device_write(made.machine, 0x55000 + 1000 * ((ends + 2) % 3), "x", 1),
                     STATUS_SUCCESS);
        harness_machine_end(made.machine);
    }
}

/* A driver whose chain grows while it is mapped: what has no register is not the device's. */
TEST(a_chain_that_grew_ends_with_its_registers) {
    bounced of = bounced_open(GATHER, true);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT),
                 STATUS_SUCCESS);
    PMDL chain = world_mdl(of.machine, 0, 100, NULL);
    chain->Next = world_mdl(of.machine, 0, 100, NULL);
    chain->Next->Next = world_mdl(of.machine, 0, 100, NULL);
    of.mdl = chain;
    bounced_start(&of, READ, 200);
    CHECK_EQUAL(of.seen.elements, 2);
    chain->Next->ByteCount = 50;
    CHECK_STATUS(wdfdma_device_write(of.machine, of.address, "x", 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(of.machine, of.address + WORLD_PAGE + 49, "x", 1),
                 STATUS_SUCCESS);
    check_refusal(of.machine, of.address + 2 * WORLD_PAGE, &outside);
}

/* What has no register is not copied either: the machine stops, and the buffer is as it was. */
TEST(a_chain_that_grew_is_not_copied) {
    bounced of = bounced_open(GATHER, true);
    uint8_t bytes[50] = {0};
    PMDL chain = world_mdl(of.machine, 0, 100, NULL);
    chain->Next = world_mdl(of.machine, 0, 100, NULL);
    chain->Next->Next = world_mdl(of.machine, 0, 100, NULL);
    of.mdl = chain;
    bounced_start(&of, READ, 200);
    device_write(&of, 0, 3 * WORLD_PAGE, 0x77);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
    chain->Next->ByteCount = 50;
    bounced_complete(&of);
    CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_INVALID_MDL);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain, 0, bytes, 1), STATUS_SUCCESS);
    CHECK_EQUAL(bytes[0], 0x77);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain->Next->Next, 0, bytes, 50), STATUS_SUCCESS);
    CHECK(bytes[0] == 0 && bytes[49] == 0);
}

/* Memory runs out in a first look: what it had made is given back, each time. */
TEST(a_look_that_fails_costs_nothing) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, NULL);
    world_seen told = {0};
    CHECK_STATUS(world_initialize(transaction, READ, mdl, 0, 3 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
    uint64_t address = (uint64_t)told.list[0].Address.QuadPart;
    size_t used = 0;
    for (uint64_t turn = 0; turn < 300; turn++) {
        CHECK_STATUS(wdfdma_machine_fail_allocation(made.machine, 2), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_device_write(made.machine, address, "x", 1),
                     STATUS_INSUFFICIENT_RESOURCES);
        used = turn == 0 ? wdfdma_machine_get_used_bytes(made.machine) : used;
    }
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(made.machine), used);
    CHECK_STATUS(wdfdma_device_write(made.machine, address + WORLD_PAGE, "x", 1), STATUS_SUCCESS);
}

/* What a look has made goes with the transfer. */
TEST(looks_cost_nothing_in_the_end) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, NULL);
    size_t used = 0;
    for (int turn = 0; turn < 300; turn++) {
        transfer_make(made.machine, transaction, mdl, 3 * WORLD_PAGE);
        complete(transaction);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        used = turn == 0 ? wdfdma_machine_get_used_bytes(made.machine) : used;
    }
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(made.machine), used);
}

/* ---- The journal ---- */

TEST(accesses_are_written) {
    bounced of = bounced_open(PACKET, true);
    wdfdma_machine *machine = of.machine;
    uint8_t bytes[3] = {99, 7, 7};
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(machine, PATH, 0)));
    /* 0x100001, seven bits at a time */
    const uint8_t wrote[] = {WDFDMA_OP_DEVICE_WRITE_ADDRESS, 3, 0x81, 0x80, 0x40, 3, 99};
    const uint8_t one[] = {WDFDMA_OP_DEVICE_WRITE_ADDRESS, 3, 0x81, 0x80, 0x40, 1, 99};
    const uint8_t looked[] = {WDFDMA_OP_DEVICE_READ_ADDRESS, 3, 0x81, 0x80, 0x40, 2, 0};
    uint64_t at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_device_write(machine, 0x100001, bytes, 3), STATUS_SUCCESS);
    journal_check_end(machine, PATH, at, wrote, sizeof wrote);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_device_write(machine, 0x100001, bytes, 1), STATUS_SUCCESS);
    journal_check_end(machine, PATH, at, one, sizeof one);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_device_read(machine, 0x100001, bytes, 2), STATUS_SUCCESS);
    journal_check_end(machine, PATH, at, looked, sizeof looked);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_device_read(machine, 0x100001, bytes, 0), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_journal_get_bytes(machine, NULL), at);
    wdfdma_journal_end(machine);
    remove(PATH);
}

/* ---- Faults ---- */

/* A wrong write ends where it was to end, however long. */
TEST(a_wrong_write_ends_where_it_was_to) {
    static const size_t lengths[] = {1, 2, 255, 256, 257, 300, 512, 513, 3000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        world made = packet_open();
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        uint8_t *found = wdfdma_mdl_get_bytes(made.machine, mdl);
        uint8_t data[WORLD_PAGE];
        uint64_t address = transfer_make(made.machine, transaction, mdl, WORLD_PAGE);
        memset(found, 0x11, WORLD_PAGE);
        world_fill(data, sizeof data, 4);
        plan_device(made.machine, WDFDMA_DEVICE_WRONG, WDFDMA_OP_DEVICE_WRITE, 1);
        CHECK_STATUS(wdfdma_device_write(made.machine, address, data, lengths[i]), STATUS_SUCCESS);
        for (size_t at = 0; at < WORLD_PAGE; at++) {
            REQUIRE(found[at] == (at < lengths[i] ? (uint8_t)~data[at] : 0x11));
        }
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(it_matters_who_has_the_register_now),
             ENTRY(registers_go_with_a_transfer_that_does_not_use_them),
             ENTRY(the_last_pages_are_remembered), ENTRY(the_last_of_a_pages_ends_is_told),
             ENTRY(a_common_buffer_that_is_gone), ENTRY(one_of_three_mappings_of_a_page_ends),
             ENTRY(a_chain_that_grew_ends_with_its_registers),
             ENTRY(a_chain_that_grew_is_not_copied), ENTRY(a_look_that_fails_costs_nothing),
             ENTRY(looks_cost_nothing_in_the_end), ENTRY(accesses_are_written),
             ENTRY(a_wrong_write_ends_where_it_was_to))
