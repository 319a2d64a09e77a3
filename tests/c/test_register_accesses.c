/* Map registers as a device that no IOMMU stops reaches them: which, and at what cost. */
#include "bounce_world.h"

/* Each costs a page from the first use on, and those before it. */
TEST(a_register_costs_a_page) {
    for (ULONG pages = 1; pages <= 3; pages++) {
        bounced of = bounced_open(PACKET, true);
        of.mdl = world_mdl(of.machine, 0, pages * WORLD_PAGE, NULL);
        size_t before = wdfdma_machine_get_used_bytes(of.machine);
        bounced_start(&of, WRITE, pages * WORLD_PAGE);
        CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), before + pages * WORLD_PAGE);
        bounced_finish(&of);
        CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), before + pages * WORLD_PAGE);
        of.mdl = world_mdl(of.machine, 0, 5 * WORLD_PAGE, NULL);
        before = wdfdma_machine_get_used_bytes(of.machine);
        bounced_start(&of, WRITE, 5 * WORLD_PAGE); /* the first of them are there */
        CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), before + (5 - pages) * WORLD_PAGE);
        harness_machine_end(of.machine);
    }
    for (uint64_t first = 0; first < 3; first++) {
        bounced of = bounced_open(PACKET, true);
        uint8_t bytes[2 * WORLD_PAGE] = {0};
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
        uint64_t address = WORLD_REGISTERS_ADDRESS + first * WORLD_PAGE;
        size_t before = wdfdma_machine_get_used_bytes(of.machine);
        CHECK_STATUS(wdfdma_device_write(of.machine, address, bytes, WORLD_PAGE + 1),
                     STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), before + (first + 2) * WORLD_PAGE);
        harness_machine_end(of.machine);
    }
}

/* Those that an access meets are filled, and none behind them. */
TEST(no_register_is_filled_before_its_use) {
    for (uint64_t count = 1; count < REGISTERS; count++) {
        bounced of = bounced_open(PACKET, true);
        uint8_t bytes[REGISTERS * WORLD_PAGE];
        of.address = WORLD_REGISTERS_ADDRESS;
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
        device_write(&of, 0, sizeof bytes, 0x55);
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
        bytes_read(&of, 0, bytes, count * WORLD_PAGE);
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
        bytes_read(&of, 0, bytes, sizeof bytes);
        for (size_t i = 0; i < REGISTERS; i++) {
            CHECK_EQUAL(bytes[i * WORLD_PAGE], i < count ? 0x0F : 0x55);
            CHECK_EQUAL(bytes[(i + 1) * WORLD_PAGE - 1], i < count ? 0x0F : 0x55);
        }
        harness_machine_end(of.machine);
    }
}

/* What a transfer leaves of its last register is filled, and not the register behind it. */
TEST(a_filling_ends_with_its_register) {
    bounced of = bounced_open(PACKET, true);
    uint8_t bytes[WORLD_PAGE];
    of.address = WORLD_REGISTERS_ADDRESS;
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
    device_write(&of, 0, 4 * WORLD_PAGE, 0x55);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_COLLECT);
    bounced_start(&of, WRITE, LENGTH);
    bytes_read(&of, LENGTH, bytes, 10); /* of the second register */
    CHECK_EQUAL(bytes[0], 0x0F);
    rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
    bytes_read(&of, 2 * WORLD_PAGE - OFFSET, bytes, WORLD_PAGE);
    for (size_t i = 0; i < WORLD_PAGE; i++) {
        REQUIRE(bytes[i] == 0x55);
    }
}

/* One rule that is heeded is enough. */
TEST(each_of_the_rules_has_registers_filled) {
    for (uint32_t rule = WDFDMA_RULE_DMA_0F_3; rule <= WDFDMA_RULE_DMA_0F_5 + 1; rule++) {
        bounced of = bounced_open(PACKET, true);
        bool heeded = rule <= WDFDMA_RULE_DMA_0F_5;
        uint8_t byte = 0;
        rules_set(of.machine, WDFDMA_RULE_DMA_0F_3, WDFDMA_RULE_DMA_0F_5, WDFDMA_MODE_IGNORE);
        if (heeded) {
            rules_set(of.machine, rule, rule, WDFDMA_MODE_COLLECT);
        }
        of.address = WORLD_REGISTERS_ADDRESS;
        bytes_read(&of, 0, &byte, 1);
        CHECK_EQUAL(byte, heeded ? 0x0F : 0);
        harness_machine_end(of.machine);
    }
}

/* Without an IOMMU: all of the registers, and nothing beside them. */
TEST(a_device_reaches_registers_alone) {
    static uint8_t bytes[(REGISTERS + 1) * WORLD_PAGE];
    const size_t all = REGISTERS * WORLD_PAGE;
    const struct {
        uint64_t at;
        size_t count;
        bool lands;
    } rows[] = {{0, all, true},
                {0, all + 1, false},
                {1, all, false},
                {all - 1, 1, true},
                {all - 1, 2, false},
                {all - WORLD_PAGE, WORLD_PAGE + 1, false},
                {all - WORLD_PAGE - 5, WORLD_PAGE + 5, true},
                {all, 1, false},
                {all + WORLD_PAGE, 1, false},
                {UINT64_MAX, 1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bounced of = bounced_open(PACKET, true);
        uint8_t back = 0;
        memset(bytes, 0x5A, sizeof bytes);
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.mdl), STATUS_SUCCESS); /* it lay behind */
        uint64_t address = WORLD_REGISTERS_ADDRESS + rows[i].at;
        NTSTATUS expected = rows[i].lands ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
        CHECK_STATUS(wdfdma_device_write(of.machine, address, bytes, rows[i].count), expected);
        CHECK_STATUS(wdfdma_device_read(of.machine, address, bytes, rows[i].count), expected);
        if (rows[i].lands) {
            CHECK_STATUS(wdfdma_device_read(of.machine, address + rows[i].count - 1, &back, 1),
                         STATUS_SUCCESS);
            CHECK_EQUAL(back, 0x5A);
        }
        CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
        harness_machine_end(of.machine);
    }
}

/* Where a page of memory has a register's address, it is left alone, wherever in the access it lies. */
TEST(memory_at_a_registers_address_is_not_harmed) {
    for (uint64_t page = 0; page < REGISTERS; page++) {
        bounced of = bounced_open(PACKET, true);
        static const uint8_t bytes[3 * WORLD_PAGE];
        const uint64_t frame = WORLD_REGISTERS_ADDRESS / WORLD_PAGE + page;
        PMDL memory = world_mdl(of.machine, 0, WORLD_PAGE, &frame);
        memset(wdfdma_mdl_get_bytes(of.machine, memory), 0x77, WORLD_PAGE);
        for (uint64_t first = 0; first + 3 <= REGISTERS; first++) {
            for (uint64_t count = 1; count <= 3; count++) {
                bool meets = page >= first && page < first + count;
                CHECK_STATUS(wdfdma_device_write(of.machine,
                                                 WORLD_REGISTERS_ADDRESS + first * WORLD_PAGE,
                                                 bytes, count * WORLD_PAGE),
                             meets ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
            }
        }
        const uint8_t *left = wdfdma_mdl_get_bytes(of.machine, memory);
        CHECK_EQUAL(left[0], 0x77);
        CHECK_EQUAL(left[WORLD_PAGE - 1], 0x77);
        harness_machine_end(of.machine);
    }
}

HARNESS_MAIN(ENTRY(a_register_costs_a_page), ENTRY(no_register_is_filled_before_its_use),
             ENTRY(a_filling_ends_with_its_register), ENTRY(each_of_the_rules_has_registers_filled),
             ENTRY(a_device_reaches_registers_alone),
             ENTRY(memory_at_a_registers_address_is_not_harmed))
