/* Bug check 0xE6, 0x0F/4 and 5, of what the framework's transactions and a WDM driver's lists bounce: the
 * filling around it. */
#include "bounce_world.h"

/* The device writes one byte at [at]; what moved is what should have. */
static void stray_run(way by, WDF_DMA_DIRECTION direction, int64_t at, uint32_t rule,
                      uint32_t mode) {
    static uint8_t data[LENGTH], back[LENGTH];
    bounced of = bounced_open(by, true);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, mode);
    world_fill(data, sizeof data, 3);
    if (direction == WRITE) {
        CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 0, data, sizeof data), STATUS_SUCCESS);
    }
    bounced_start(&of, direction, LENGTH);
    CHECK_EQUAL(of.address, WORLD_REGISTERS_ADDRESS + OFFSET);
    if (direction == READ) {
        CHECK_STATUS(wdfdma_device_write(of.machine, of.address, data, sizeof data),
                     STATUS_SUCCESS);
    }
    device_write(&of, at, 1, direction == READ && at >= 0 && at < LENGTH ? data[at] : 0x77);
    if (direction == WRITE) {
        CHECK_STATUS(wdfdma_device_read(of.machine, of.address, back, sizeof back), STATUS_SUCCESS);
        CHECK_EQUAL(memcmp(back, data, sizeof data) == 0, at < 0 || at >= LENGTH);
    }
    CHECK_EQUAL(violations_count(&of), 0);
    bounced_finish(&of);
    found_check(&of, rule, mode, address_number(MmGetMdlVirtualAddress(of.mdl)),
                of.address + (uint64_t)at);
    if (wdfdma_machine_get_bugcheck(of.machine) == NULL) {
        CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 0, back, sizeof back), STATUS_SUCCESS);
        CHECK_BYTES(back, data, sizeof data);
        after_check(&of);
    }
    harness_machine_end(of.machine);
}

TEST(what_bounces_has_guards) {
    const int64_t end_of_page = 2 * WORLD_PAGE - OFFSET - 1;
    for (int which = 0; which < WAYS * DIRECTIONS; which++) {
        way by = (way)(which / DIRECTIONS);
        WDF_DMA_DIRECTION direction = which % DIRECTIONS == 0 ? READ : WRITE;
        for (int i = 0; i < 3; i++) {
            stray_run(by, direction, -1, WDFDMA_RULE_DMA_0F_4, MODES[i]);
            stray_run(by, direction, -OFFSET, WDFDMA_RULE_DMA_0F_4, MODES[i]);
            stray_run(by, direction, LENGTH, WDFDMA_RULE_DMA_0F_5, MODES[i]);
            stray_run(by, direction, end_of_page, WDFDMA_RULE_DMA_0F_5, MODES[i]);
        }
        stray_run(by, direction, 0, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
        stray_run(by, direction, LENGTH - 1, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
    }
}

/* A system transfer has all registers of its adapter, a reservation may have more than the transfer. */
TEST(the_rest_of_the_run_is_a_guard) {
    const int64_t next = TRANSFER_REGISTERS * WORLD_PAGE - OFFSET;
    for (int i = 0; i < 3; i++) {
        stray_run(SYSTEM, READ, next, WDFDMA_RULE_DMA_0F_5, MODES[i]);
        stray_run(SYSTEM, WRITE, next + WORLD_PAGE, WDFDMA_RULE_DMA_0F_5, MODES[i]);
    }
}
/* Over three registers; what lies behind the reservation is somebody else's affair. */
TEST(a_long_overrun_is_told_once) {
    bounced of = bounced_open(PACKET, true);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
    reservation_make(&of, 4);
    bounced_start(&of, READ, LENGTH);
    device_write(&of, 0, 4 * WORLD_PAGE, 0x77);
    bounced_complete(&of);
    REQUIRE(CHECK_EQUAL(violations_count(&of), 1));
    violation_check(&of, 0, WDFDMA_RULE_DMA_0F_5, address_number(MmGetMdlVirtualAddress(of.mdl)),
                    of.address + LENGTH);
    WdfDmaTransactionFreeResources(of.transaction);
    CHECK_EQUAL(violations_count(&of), 1);
    CHECK_STATUS(WdfDmaTransactionRelease(of.transaction), STATUS_SUCCESS);
    bounced_start(&of, READ, LENGTH);
    CHECK_EQUAL(violations_count(&of), 1);
    /* The first byte of the first register behind the reservation was overrun too. */
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    bounced next = {.transaction = world_transaction(world_enabler(of.device, &profile))};
    reservation_make(&next, 3);
    REQUIRE(CHECK_EQUAL(violations_count(&of), 2));
    violation_check(&of, 1, WDFDMA_RULE_DMA_0F_3, WORLD_REGISTERS_ADDRESS + 4 * WORLD_PAGE, 0);
}

/* ---- Chains: what each MDL has of a list has guards of its own ---- */

enum {
    SECOND_OFFSET = 300,
    FIRST_LENGTH = 200,
    SECOND_LENGTH = 500
};

static void chain_run(way by, WDF_DMA_DIRECTION direction, uint64_t in_registers, int64_t at,
                      uint32_t rule, bool second) {
    bounced of = bounced_open(by, true);
    PMDL mdls[2] = {world_mdl(of.machine, OFFSET, FIRST_LENGTH, NULL),
                    world_mdl(of.machine, SECOND_OFFSET, SECOND_LENGTH, NULL)};
    mdls[0]->Next = mdls[1];
    of.mdl = mdls[0];
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
    bounced_start(&of, direction, FIRST_LENGTH + SECOND_LENGTH);
    of.address = WORLD_REGISTERS_ADDRESS + in_registers;
    device_write(&of, at, 1, 0x77);
    bounced_finish(&of);
    found_check(&of, rule, WDFDMA_MODE_COLLECT,
                address_number(MmGetMdlVirtualAddress(mdls[second])), of.address + (uint64_t)at);
    harness_machine_end(of.machine);
}

TEST(each_part_of_a_list_has_guards) {
    const uint64_t second = WORLD_PAGE + SECOND_OFFSET;
    for (int which = 0; which < 2 * DIRECTIONS; which++) {
        way by = which / DIRECTIONS == 0 ? GATHER : WDM_LIST;
        WDF_DMA_DIRECTION direction = which % DIRECTIONS == 0 ? READ : WRITE;
        chain_run(by, direction, OFFSET, -1, WDFDMA_RULE_DMA_0F_4, false);
        chain_run(by, direction, OFFSET, 0, WDFDMA_RULE_NONE, false);
        chain_run(by, direction, OFFSET, FIRST_LENGTH - 1, WDFDMA_RULE_NONE, false);
        chain_run(by, direction, OFFSET, FIRST_LENGTH, WDFDMA_RULE_DMA_0F_5, false);
        chain_run(by, direction, second, -1, WDFDMA_RULE_DMA_0F_4, true);
        chain_run(by, direction, second, 0, WDFDMA_RULE_NONE, true);
        chain_run(by, direction, second, SECOND_LENGTH, WDFDMA_RULE_DMA_0F_5, true);
    }
}

/* Each part is overrun, and where [step] is 1 written before as well. */
static void parts_run(int first, int step) {
    bounced of = bounced_open(GATHER, true);
    of.mdl = world_mdl(of.machine, OFFSET, FIRST_LENGTH, NULL);
    of.mdl->Next = world_mdl(of.machine, SECOND_OFFSET, SECOND_LENGTH, NULL);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
    bounced_start(&of, READ, FIRST_LENGTH + SECOND_LENGTH);
    const uint64_t second = of.address - OFFSET + WORLD_PAGE + SECOND_OFFSET;
    const uint64_t wrong[] = {of.address - 2, of.address + FIRST_LENGTH, second - 2,
                              second + SECOND_LENGTH};
    for (int i = first; i < 4; i += step) {
        device_write(&of, (int64_t)(wrong[i] - of.address), 2, 0x77);
    }
    bounced_finish(&of);
    REQUIRE(CHECK_EQUAL(violations_count(&of), 4 / step));
    for (int i = first; i < 4; i += step) {
        const MDL *mdl = i < 2 ? of.mdl : of.mdl->Next;
        violation_check(&of, (size_t)((i - first) / step),
                        i % 2 == 0 ? WDFDMA_RULE_DMA_0F_4 : WDFDMA_RULE_DMA_0F_5,
                        address_number(MmGetMdlVirtualAddress(mdl)), wrong[i]);
    }
}

TEST(each_part_is_told_of) {
    parts_run(0, 1);
    parts_run(1, 2);
}

/* Two mappings in one run of a WDM driver's: each is told of what is around itself, when it is
 * flushed. */
TEST(each_mapping_of_a_run_has_guards) {
    bounced of = {.wdm = wdm_open(false, true)};
    enum {
        PART = 50
    };
    ULONG length = PART;
    seen got;
    of.machine = of.wdm.machine;
    iommu_remove(of.machine);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
    PVOID base = channel_get(&of.wdm, 4, DeallocateObjectKeepRegisters, &got);
    char *start = MmGetMdlVirtualAddress(of.wdm.mdl);
    of.wdm.ops->MapTransfer(of.wdm.adapter, of.wdm.mdl, base, start, &length, FALSE);
    of.address = (uint64_t)of.wdm.ops
                     ->MapTransfer(of.wdm.adapter, of.wdm.mdl, base, start + PART, &length, FALSE)
                     .QuadPart;
    CHECK_EQUAL(of.address, WORLD_REGISTERS_ADDRESS + WORLD_PAGE + OFFSET + PART);
    device_write(&of, -1, 1 + PART + 1, 0x77);
    of.wdm.ops->FlushAdapterBuffers(of.wdm.adapter, of.wdm.mdl, base, start, PART, FALSE);
    CHECK_EQUAL(violations_count(&of), 0);
    of.wdm.ops->FlushAdapterBuffers(of.wdm.adapter, of.wdm.mdl, base, start + PART, PART, FALSE);
    REQUIRE(CHECK_EQUAL(violations_count(&of), 2));
    violation_check(&of, 0, WDFDMA_RULE_DMA_0F_4, address_number(start + PART), of.address - 1);
    violation_check(&of, 1, WDFDMA_RULE_DMA_0F_5, address_number(start + PART), of.address + PART);
}

/* ---- Where guards end ---- */

/* A grant is told of its own registers, and of none behind them. */
TEST(the_register_behind_a_grant_is_not_looked_at) {
    for (ULONG registers = 1; registers < 5; registers++) {
        bounced of = bounced_open(PACKET, true);
        const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
        bounced next = {.transaction = world_transaction(world_enabler(of.device, &profile))};
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
        of.address = WORLD_REGISTERS_ADDRESS + registers * WORLD_PAGE;
        device_write(&of, 0, 1, 0x77);
        reservation_make(&of, registers);
        CHECK_EQUAL(violations_count(&of), 0);
        reservation_make(&next, 1);
        REQUIRE(CHECK_EQUAL(violations_count(&of), 1));
        violation_check(&of, 0, WDFDMA_RULE_DMA_0F_3, of.address, 0);
        harness_machine_end(of.machine);
    }
}

/* Up to the last byte of the last register, and no further. */
TEST(the_last_register_is_checked_whole) {
    static const uint32_t pools[] = {1, 2, 15, 16, 17, 32};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        wdfdma_machine_config config = world_config(pools[i]);
        bounced of = {.machine = harness_machine(&config)};
        uint8_t byte = 0;
        size_t count = 7;
        iommu_remove(of.machine);
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
        of.address = WORLD_REGISTERS_ADDRESS + pools[i] * (uint64_t)WORLD_PAGE - 1;
        bytes_read(&of, 0, &byte, 1);
        CHECK_EQUAL(byte, 0x0F);
        CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_SUCCESS);
        CHECK_EQUAL(count, 0);
        device_write(&of, 0, 1, 0x77);
        CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &count), STATUS_SUCCESS);
        CHECK_EQUAL(count, 1);
        violation_check(&of, 0, WDFDMA_RULE_DMA_0F_3, of.address, 0);
        harness_machine_end(of.machine);
    }
}

/* The part that a change is told of is found from the transfer's first register on, wherever that is. */
TEST(parts_are_found_behind_other_registers) {
    for (ULONG others = 0; others < 4; others++) {
        for (size_t part = 0; part < 2; part++) {
            bounced of = bounced_open(GATHER, true);
            const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
            bounced before = {.transaction = world_transaction(world_enabler(of.device, &profile))};
            PMDL mdls[2] = {world_mdl(of.machine, OFFSET, FIRST_LENGTH, NULL),
                            world_mdl(of.machine, SECOND_OFFSET, SECOND_LENGTH, NULL)};
            mdls[0]->Next = mdls[1];
            of.mdl = mdls[0];
            rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
            if (others != 0) {
                reservation_make(&before, others);
            }
            bounced_start(&of, READ, FIRST_LENGTH + SECOND_LENGTH);
            CHECK_EQUAL(of.address, WORLD_REGISTERS_ADDRESS + others * WORLD_PAGE + OFFSET);
            of.address += part * WORLD_PAGE - OFFSET;
            device_write(&of, 3, 1, 0x77);
            bounced_finish(&of);
            found_check(&of, WDFDMA_RULE_DMA_0F_4, WDFDMA_MODE_COLLECT,
                        address_number(MmGetMdlVirtualAddress(mdls[part])), of.address + 3);
            harness_machine_end(of.machine);
        }
    }
}

/* Where a change stops the machine, the buffer is as it was. */
TEST(what_stops_is_not_copied) {
    for (way by = 0; by < WAYS; by++) {
        bounced of = bounced_open(by, true);
        uint8_t byte = 1;
        bounced_start(&of, READ, LENGTH);
        device_write(&of, 0, LENGTH + 1, 0x77);
        bounced_complete(&of);
        CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_DMA_0F_5);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 0, &byte, 1), STATUS_SUCCESS);
        CHECK_EQUAL(byte, 0);
        harness_machine_end(of.machine);
    }
}

/* What is no more has no address. */
TEST(a_change_around_a_buffer_that_is_gone) {
    for (int looked = 0; looked < 2; looked++) {
        bounced of = bounced_open(PACKET, true);
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
        rules_set(of.machine, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                  WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED, WDFDMA_MODE_IGNORE);
        bounced_start(&of, READ, LENGTH);
        if (looked != 0) {
            device_write(&of, -1, 1, 0x77);
        }
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.mdl), STATUS_SUCCESS);
        device_write(&of, -1, 1, 0x77); /* where nobody looked before, nothing is the buffer's */
        bounced_finish(&of);
        REQUIRE(CHECK_EQUAL(violations_count(&of), 1));
        violation_check(&of, 0, looked != 0 ? WDFDMA_RULE_DMA_0F_4 : WDFDMA_RULE_DMA_0F_5, 0,
                        of.address - 1);
        harness_machine_end(of.machine);
    }
}

HARNESS_MAIN(ENTRY(what_bounces_has_guards), ENTRY(the_rest_of_the_run_is_a_guard),
             ENTRY(a_long_overrun_is_told_once), ENTRY(each_part_of_a_list_has_guards),
             ENTRY(each_part_is_told_of), ENTRY(each_mapping_of_a_run_has_guards),
             ENTRY(the_register_behind_a_grant_is_not_looked_at),
             ENTRY(the_last_register_is_checked_whole),
             ENTRY(parts_are_found_behind_other_registers), ENTRY(what_stops_is_not_copied),
             ENTRY(a_change_around_a_buffer_that_is_gone))
