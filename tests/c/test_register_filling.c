/* Bug check 0xE6, 0x0F/3: map registers that nothing is mapped through, and what lies in them and around
 * transfers; as a part of the machine's value. */
#include "bounce_world.h"

/* ---- Registers that nothing is mapped through ---- */

/* The device writes [value] after its transfer; what is found when the registers are used again. */
static void late_run(way by, int value, uint32_t rule, uint32_t mode) {
    bounced of = bounced_open(by, true);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, mode);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, 0, LENGTH, 0x55);
    bounced_finish(&of);
    if (value >= 0) {
        device_write(&of, 7, 1, value);
    }
    CHECK_EQUAL(violations_count(&of), 0);
    uint64_t wrong = of.address + 7;
    bounced_start(&of, WRITE, LENGTH);
    found_check(&of, rule, mode, wrong, 0);
    if (wdfdma_machine_get_bugcheck(of.machine) == NULL) {
        bounced_finish(&of);
        after_check(&of);
    }
    harness_machine_end(of.machine);
}

TEST(freed_registers_are_filled) {
    for (way by = 0; by < WAYS; by++) {
        for (int i = 0; i < 3; i++) {
            late_run(by, 0x77, WDFDMA_RULE_DMA_0F_3, MODES[i]);
        }
        late_run(by, -1, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
        late_run(by, 0x0F, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
    }
}

/* Registers that a transaction keeps are nobody's between its transfers. */
TEST(kept_registers_are_filled_between_transfers) {
    for (int late = 0; late < 2; late++) {
        bounced of = bounced_open(PACKET, true);
        reservation_make(&of, TRANSFER_REGISTERS);
        bounced_start(&of, READ, LENGTH);
        device_write(&of, 0, LENGTH, 0x55);
        bounced_finish(&of);
        if (late != 0) {
            device_write(&of, LENGTH - 1, 1, 0x77);
        }
        bounced_start(&of, READ, LENGTH);
        found_check(&of, late != 0 ? WDFDMA_RULE_DMA_0F_3 : WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT,
                    of.address + LENGTH - 1, 0);
        CHECK_EQUAL(of.seen.programmed, late != 0 ? 1 : 2);
        CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->mappings, late != 0 ? 0 : 1);
    }
}

TEST(leaks_are_checked_for_changes_too) {
    bounced of = bounced_open(PACKET, true);
    size_t count = 7;
    bounced_start(&of, READ, LENGTH);
    bounced_finish(&of);
    device_write(&of, 0, 1, 0x77);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, of.device, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 0);
    wdfdma_snapshot *before = world_snapshot(of.machine);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_DMA_0F_3);
    CHECK_STATUS(wdfdma_machine_restore(of.machine, before), STATUS_SUCCESS);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_3, WDFDMA_MODE_COLLECT);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 1);
    violation_check(&of, 0, WDFDMA_RULE_DMA_0F_3, of.address, 0);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 0);
    after_check(&of);
    wdfdma_snapshot_destroy(before);
}

/* What is around a transfer is told of when that one is flushed, and by nobody else. */
TEST(a_leak_check_leaves_transfers_alone) {
    bounced of = bounced_open(PACKET, true);
    size_t count = 7;
    rules_set(of.machine, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_NEVER_COMPLETED,
              WDFDMA_MODE_IGNORE);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, LENGTH, 1, 0x77);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 0);
    bounced_finish(&of);
    found_check(&of, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT,
                address_number(MmGetMdlVirtualAddress(of.mdl)), of.address + LENGTH);
}

/* A grant that takes the shortest way, to a transfer that does not bounce. */
TEST(every_grant_is_checked) {
    for (int astray = 0; astray < 2; astray++) {
        const uint64_t frames[] = {16, 17};
        wdfdma_machine_config config = world_config(REGISTERS);
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        bounced of = {.machine = made.machine};
        of.mdl = world_mdl(of.machine, OFFSET, LENGTH, frames);
        of.transaction = world_transaction(made.enabler);
        iommu_remove(of.machine);
        bounced_start(&of, READ, LENGTH);
        bounced_finish(&of);
        of.address = WORLD_REGISTERS_ADDRESS;
        if (astray != 0) {
            device_write(&of, WORLD_PAGE, 1, 0x77);
        }
        bounced_start(&of, READ, LENGTH);
        found_check(&of, astray != 0 ? WDFDMA_RULE_DMA_0F_3 : WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT,
                    WORLD_REGISTERS_ADDRESS + WORLD_PAGE, 0);
    }
}

/* A driver frees the registers of its transaction's behind the framework's back: two transfers go through
 * one, and the filling leaves the bytes of both alone. */
TEST(two_transfers_in_one_register_keep_their_bytes) {
    enum {
        FIRST_AT = 50,
        EACH = 100
    };
    uint8_t data[FIRST_AT + EACH], read[FIRST_AT + EACH];
    bounced of = bounced_open(PACKET, true);
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    WDFDMAENABLER enabler = world_enabler(of.device, &profile);
    WDFDMATRANSACTION first = world_transaction(enabler);
    WDFDMATRANSACTION second = world_transaction(enabler);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(enabler, WRITE);
    const DMA_OPERATIONS *ops = wdm_operations_raised(adapter->DmaOperations);
    world_fill(data, sizeof data, 5);
    CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 0, data, sizeof data), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(first, WRITE, of.mdl, FIRST_AT, EACH), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(first, &of.seen), STATUS_SUCCESS);
    of.address = (uint64_t)of.seen.list[0].Address.QuadPart - FIRST_AT;
    ops->FreeMapRegisters(adapter, (PVOID)(uintptr_t)(of.address - OFFSET), 1);
    CHECK_EQUAL(world_free_registers(of.machine), REGISTERS);
    CHECK_STATUS(world_initialize(second, WRITE, of.mdl, 0, EACH), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(second, &of.seen), STATUS_SUCCESS);
    CHECK_EQUAL(of.seen.list[0].Address.QuadPart, of.address);
    device_write(&of, -1, 1, 0x77);
    bytes_read(&of, 0, read, sizeof read);
    CHECK_BYTES(read, data, sizeof data);
    CHECK_MACHINE(of.machine);
}

/* What a transfer leaves in its registers when it is not flushed is no change. */
TEST(a_transfer_that_is_not_flushed_is_not_checked) {
    bounced of = bounced_open(PACKET, false);
    rules_set(of.machine, WDFDMA_RULE_RELEASED_IN_TRANSFER, WDFDMA_RULE_RELEASED_IN_TRANSFER,
              WDFDMA_MODE_IGNORE);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, -1, LENGTH + 2, 0x77);
    CHECK_STATUS(WdfDmaTransactionRelease(of.transaction), STATUS_SUCCESS);
    CHECK_EQUAL(world_free_registers(of.machine), REGISTERS);
    after_check(&of);
    CHECK_EQUAL(violations_count(&of), 0);
}

/* ---- What lies there ---- */

/* Without an IOMMU a device reads the filling; where all three rules are ignored there is none. */
TEST(a_device_reads_the_filling) {
    enum {
        AROUND = 10
    };
    uint8_t read[LENGTH + 2 * AROUND];
    uint8_t filling[AROUND], old[AROUND], data[LENGTH];
    memset(filling, 0x0F, sizeof filling);
    memset(old, 0x55, sizeof old);
    world_fill(data, sizeof data, 9);
    for (int ignored = 0; ignored < 2; ignored++) {
        bounced of = bounced_open(PACKET, true);
        uint32_t mode = ignored != 0 ? WDFDMA_MODE_IGNORE : WDFDMA_MODE_DEFAULT;
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, mode);
        bounced_start(&of, READ, LENGTH);
        device_write(&of, 0, LENGTH, 0x55);
        bounced_finish(&of);
        bytes_read(&of, 0, read, AROUND);
        CHECK_BYTES(read, ignored != 0 ? old : filling, AROUND);
        CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 0, data, LENGTH), STATUS_SUCCESS);
        bounced_start(&of, WRITE, LENGTH);
        bytes_read(&of, -AROUND, read, sizeof read);
        if (ignored == 0) {
            CHECK_BYTES(read, filling, AROUND);
            CHECK_BYTES(read + AROUND + LENGTH, filling, AROUND);
        }
        CHECK_BYTES(read + AROUND, data, LENGTH);
        bounced_finish(&of);
        CHECK_EQUAL(violations_count(&of), 0);
    }
}

/* Nothing was filled, so there is nothing to be found once the rules are heeded again. */
TEST(ignored_rules_fill_nothing) {
    bounced of = bounced_open(GATHER, true);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, -1, LENGTH + 2, 0x77);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT);
    bounced_finish(&of);
    after_check(&of);
    CHECK_EQUAL(violations_count(&of), 0);
}

/* With an IOMMU the write is stopped, whatever the mode, and no guard is harmed. */
TEST(an_iommu_guards_the_guards) {
    bounced of = bounced_open(PACKET, true);
    uint8_t byte = 0x77;
    rules_set(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT);
    bounced_start(&of, READ, LENGTH);
    CHECK_STATUS(wdfdma_device_write(of.machine, of.address + LENGTH, &byte, 1),
                 STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_device_read(of.machine, of.address + LENGTH, &byte, 1),
                 STATUS_UNSUCCESSFUL);
    bounced_finish(&of);
    CHECK_EQUAL(violations_count(&of), 2);
    after_check(&of);
}

/* ---- A machine's value ---- */

TEST(a_restore_takes_the_change_back) {
    for (way by = 0; by < WAYS; by++) {
        bounced of = bounced_open(by, true);
        uint64_t start = address_number(MmGetMdlVirtualAddress(of.mdl));
        bounced_start(&of, READ, LENGTH);
        wdfdma_snapshot *whole = world_snapshot(of.machine);
        device_write(&of, LENGTH, 1, 0x77);
        wdfdma_snapshot *changed = world_snapshot(of.machine);
        bounced_finish(&of);
        found_check(&of, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT, start, of.address + LENGTH);
        CHECK_STATUS(wdfdma_machine_restore(of.machine, whole), STATUS_SUCCESS);
        bounced_finish(&of);
        found_check(&of, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT, 0, 0);
        CHECK_STATUS(wdfdma_machine_restore(of.machine, changed), STATUS_SUCCESS);
        bounced_finish(&of);
        found_check(&of, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT, start, of.address + LENGTH);
        wdfdma_snapshot_destroy(whole);
        wdfdma_snapshot_destroy(changed);
    }
}

/* What is filled is not filled again over the evidence. */
TEST(a_change_stays) {
    uint8_t byte = 0;
    bounced of = bounced_open(PACKET, true);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, LENGTH, 1, 0x77);
    bytes_read(&of, LENGTH + 1, &byte, 1);
    CHECK_EQUAL(byte, 0x0F);
    bytes_read(&of, LENGTH, &byte, 1);
    CHECK_EQUAL(byte, 0x77);
    bounced_finish(&of);
    found_check(&of, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT,
                address_number(MmGetMdlVirtualAddress(of.mdl)), of.address + LENGTH);
}

/* The noting of a fill is not the driver's memory. */
TEST(a_filling_meets_no_injected_failure) {
    bounced of = bounced_open(PACKET, true);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, 0, 1, 0x55); /* the mapping is indexed */
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
    device_write(&of, LENGTH, 1, 0x77);
    CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 1);
    bounced_finish(&of);
    found_check(&of, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_DEFAULT,
                address_number(MmGetMdlVirtualAddress(of.mdl)), of.address + LENGTH);
}

/* Two machines do the same at random; on one of them a device goes astray, between transfers and around
 * them, and everything else is equal. */
static void twin_run(way by, uint64_t seed) {
    static uint8_t data[LENGTH], back[2][LENGTH];
    bounced twins[2] = {bounced_open(by, true), bounced_open(by, true)};
    uint64_t random = seed;
    for (int round = 0; round < 40; round++) {
        WDF_DMA_DIRECTION direction = world_random_below(&random, 2) == 0 ? READ : WRITE;
        int64_t at = (int64_t)world_random_below(&random, 3 * WORLD_PAGE) - OFFSET;
        uint32_t when = world_random_below(&random, 3);
        world_fill(data, sizeof data, (uint32_t)round);
        for (int i = 0; i < 2; i++) {
            bounced *of = &twins[i];
            bool astray = i == 1 && (at < 0 || at >= LENGTH);
            wdfdma_machine_use(of->machine);
            rules_set(of->machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
            if (direction == WRITE) {
                CHECK_STATUS(wdfdma_mdl_write(of->machine, of->mdl, 0, data, LENGTH),
                             STATUS_SUCCESS);
            }
            bounced_start(of, direction, LENGTH);
            if (astray && when == 0) {
                device_write(of, at, 1, 0x77);
            }
            if (direction == READ) {
                CHECK_STATUS(wdfdma_device_write(of->machine, of->address, data, LENGTH),
                             STATUS_SUCCESS);
            } else {
                bytes_read(of, 0, back[i], LENGTH);
                CHECK_BYTES(back[i], data, LENGTH);
            }
            bounced_finish(of);
            if (astray && when == 1) {
                device_write(of, at, 1, 0x77);
            }
            CHECK_STATUS(wdfdma_mdl_read(of->machine, of->mdl, 0, back[i], LENGTH), STATUS_SUCCESS);
            CHECK_BYTES(back[i], data, LENGTH);
            CHECK_EQUAL(world_free_registers(of->machine), REGISTERS);
        }
        CHECK_EQUAL(twins[0].address, twins[1].address);
    }
    CHECK_EQUAL(violations_count(&twins[0]), 0);
    CHECK(violations_count(&twins[1]) > 0);
    harness_machine_end(twins[0].machine);
    harness_machine_end(twins[1].machine);
}

TEST(everything_else_is_as_without) {
    for (way by = 0; by < WAYS; by++) {
        twin_run(by, 11 + (uint64_t)by);
    }
}

HARNESS_MAIN(ENTRY(freed_registers_are_filled), ENTRY(kept_registers_are_filled_between_transfers),
             ENTRY(leaks_are_checked_for_changes_too), ENTRY(a_leak_check_leaves_transfers_alone),
             ENTRY(every_grant_is_checked), ENTRY(two_transfers_in_one_register_keep_their_bytes),
             ENTRY(a_transfer_that_is_not_flushed_is_not_checked),
             ENTRY(a_device_reads_the_filling), ENTRY(ignored_rules_fill_nothing),
             ENTRY(an_iommu_guards_the_guards), ENTRY(a_restore_takes_the_change_back),
             ENTRY(a_change_stays), ENTRY(a_filling_meets_no_injected_failure),
             ENTRY(everything_else_is_as_without))
