/* Rules of buffers that a device has: who else maps, touches or frees them, and where a device may go. */
#include "rule_world.h"

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

HARNESS_MAIN(ENTRY(buffer_shared), ENTRY(many_mappings_end_in_any_order),
             ENTRY(a_chain_is_owned_whole), ENTRY(a_chain_is_freed_while_mapped),
             ENTRY(a_chains_notes_meet_no_failure), ENTRY(a_stopped_transfer_has_not_begun),
             ENTRY(two_devices_may_read_one_buffer), ENTRY(buffer_touched),
             ENTRY(buffer_freed_while_mapped), ENTRY(a_device_goes_astray))
