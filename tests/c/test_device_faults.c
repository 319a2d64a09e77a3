/* A device's accesses that are short, silent, late, twice or wrong. */
#include "fault_plan.h"

enum {
    BYTES = 64
};

/* A transaction that is programmed, and where. */
typedef struct transfer {
    world world;
    WDFDMATRANSACTION transaction;
    PMDL mdl;
    uint64_t address;
} transfer;

static transfer transfer_open(WDF_DMA_DIRECTION direction) {
    transfer made = {
        .world = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3})};
    world_seen seen = {0};
    made.mdl = world_mdl(made.world.machine, 0, WORLD_PAGE, NULL);
    made.transaction = world_transaction(made.world.enabler);
    CHECK_STATUS(world_initialize(made.transaction, direction, made.mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(made.transaction, &seen), STATUS_SUCCESS);
    made.address = (uint64_t)seen.list[0].Address.QuadPart;
    return made;
}

static NTSTATUS device_fill(const transfer *of, const uint8_t *bytes) {
    return wdfdma_device_write(of->world.machine, of->address, bytes, BYTES);
}

/* What lies in the buffer. */
static void check_buffer(const transfer *of, const uint8_t *expected, size_t bytes) {
    uint8_t found[BYTES];
    static const uint8_t zeros[BYTES];
    WdfDmaEnablerGetMaximumLength(of->world.enabler);
    memcpy(found, wdfdma_mdl_get_bytes(of->world.machine, of->mdl), sizeof found);
    CHECK_BYTES(found, expected, bytes);
    CHECK_BYTES(found + bytes, zeros, BYTES - bytes);
}

/* ---- The plan ---- */

TEST(what_is_no_fault_of_a_device_is_refused) {
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_fault wrong[] = {
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = WDFDMA_DEVICE_BEHAVIOUR_COUNT},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = UINT32_MAX},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = 1, .op = WDFDMA_OP_EXECUTE},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = 1, .op = UINT32_MAX},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = 1, .status = STATUS_UNSUCCESSFUL},
        {.kind = WDFDMA_FAULT_DEVICE, .nth = 1, .behaviour = 1, .routine = 1},
        {.kind = WDFDMA_FAULT_DEVICE, .per_mille = 1001, .behaviour = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &wrong[i]), STATUS_INVALID_PARAMETER);
    }
    CHECK_EQUAL(wdfdma_machine_count_late(NULL), 0);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
}

/* ---- Accesses ---- */

TEST(a_write_is_short_silent_twice_or_wrong) {
    static const size_t lengths[] = {BYTES, BYTES / 2, 0, 0, BYTES, BYTES};
    for (uint32_t behaviour = 0; behaviour < WDFDMA_DEVICE_BEHAVIOUR_COUNT; behaviour++) {
        if (behaviour == WDFDMA_DEVICE_LATE) {
            continue;
        }
        transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
        uint8_t bytes[BYTES];
        world_fill(bytes, BYTES, 1);
        if (behaviour != WDFDMA_DEVICE_OBEYS) {
            plan_device(of.world.machine, behaviour, WDFDMA_OP_DEVICE_WRITE, 1);
        }
        CHECK_STATUS(device_fill(&of, bytes), STATUS_SUCCESS);
        for (size_t i = 0; i < BYTES && behaviour == WDFDMA_DEVICE_WRONG; i++) {
            bytes[i] = (uint8_t)~bytes[i];
        }
        CHECK_EQUAL(wdfdma_machine_count_late(of.world.machine), behaviour == WDFDMA_DEVICE_TWICE);
        check_buffer(&of, bytes, lengths[behaviour]);
        CHECK_EQUAL(wdfdma_machine_count_late(of.world.machine), 0);
        CHECK_MACHINE(of.world.machine);
    }
}

TEST(a_long_write_is_wrong_to_its_end) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    uint8_t bytes[WORLD_PAGE];
    world_fill(bytes, WORLD_PAGE, 3);
    plan_device(of.world.machine, WDFDMA_DEVICE_WRONG, 0, 1);
    CHECK_STATUS(wdfdma_device_write(of.world.machine, of.address, bytes, WORLD_PAGE),
                 STATUS_SUCCESS);
    const uint8_t *found = wdfdma_mdl_get_bytes(of.world.machine, of.mdl);
    for (size_t i = 0; i < WORLD_PAGE; i++) {
        REQUIRE((found[i] ^ bytes[i]) == 0xFF);
    }
}

TEST(a_read_is_short_silent_late_or_wrong) {
    for (uint32_t behaviour = 1; behaviour < WDFDMA_DEVICE_BEHAVIOUR_COUNT; behaviour++) {
        transfer of = transfer_open(WdfDmaDirectionWriteToDevice);
        uint8_t *buffer = wdfdma_mdl_get_bytes(of.world.machine, of.mdl);
        uint8_t out[BYTES];
        uint8_t expected[BYTES];
        memset(buffer, 0x35, BYTES);
        memset(out, 7, sizeof out);
        memset(expected, behaviour == WDFDMA_DEVICE_WRONG ? 0xCA : 0x35, sizeof expected);
        if (behaviour == WDFDMA_DEVICE_SHORT) {
            memset(expected + BYTES / 2, 7, BYTES / 2);
        } else if (behaviour == WDFDMA_DEVICE_SILENT || behaviour == WDFDMA_DEVICE_LATE) {
            memset(expected, 7, sizeof expected);
        }
        plan_device(of.world.machine, behaviour, WDFDMA_OP_DEVICE_READ, 1);
        CHECK_STATUS(wdfdma_device_read(of.world.machine, of.address, out, BYTES), STATUS_SUCCESS);
        CHECK_BYTES(out, expected, BYTES);
        WdfDmaEnablerGetMaximumLength(of.world.enabler);
        CHECK_BYTES(out, expected, BYTES);
    }
}

/* One byte has no half. */
TEST(what_cannot_be_short_is_not_counted) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    const uint8_t bytes[BYTES] = {1, 2};
    plan_device(of.world.machine, WDFDMA_DEVICE_SHORT, 0, 1);
    CHECK_STATUS(wdfdma_device_write(of.world.machine, of.address, bytes, 1), STATUS_SUCCESS);
    CHECK_EQUAL(plan_get(of.world.machine, 0).met, 0);
    CHECK_STATUS(wdfdma_device_write(of.world.machine, of.address, bytes, 2), STATUS_SUCCESS);
    CHECK_EQUAL(plan_get(of.world.machine, 0).hits, 1);
    check_buffer(&of, bytes, 1);
}

/* What no mapping allows is the violation that it was. */
TEST(an_access_that_is_not_allowed_is_not_counted) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    const uint8_t bytes[BYTES] = {1};
    plan_device(of.world.machine, WDFDMA_DEVICE_SILENT, 0, 1);
    CHECK_STATUS(wdfdma_device_write(of.world.machine, of.address + WORLD_PAGE, bytes, BYTES),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(plan_get(of.world.machine, 0).met, 0);
    CHECK(wdfdma_machine_get_state(of.world.machine)->halted);
}

TEST(a_late_write_comes_at_the_end_of_the_next_call) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    wdfdma_machine *machine = of.world.machine;
    uint8_t bytes[BYTES];
    const uint8_t *buffer = wdfdma_mdl_get_bytes(machine, of.mdl);
    world_fill(bytes, BYTES, 9);
    plan_device(machine, WDFDMA_DEVICE_LATE, 0, 1);
    CHECK_STATUS(device_fill(&of, bytes), STATUS_SUCCESS);
    CHECK_EQUAL(buffer[1], 0);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 1);
    uint64_t step = wdfdma_machine_get_state(machine)->step;
    wdfdma_machine_clear_faults(machine);
    world_fill(bytes, BYTES, 10); /* copied */
    WdfDmaEnablerGetMaximumLength(of.world.enabler);
    world_fill(bytes, BYTES, 9);
    CHECK_BYTES(buffer, bytes, BYTES);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->step, step + 1);
    CHECK_MACHINE(machine);
}

/* Its buffer is the driver's again by then: an IOMMU sees it. */
TEST(a_late_write_meets_a_transfer_that_is_over) {
    for (uint32_t behaviour = WDFDMA_DEVICE_LATE; behaviour <= WDFDMA_DEVICE_TWICE; behaviour++) {
        transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
        const uint8_t bytes[BYTES] = {1};
        NTSTATUS status;
        plan_device(of.world.machine, behaviour, 0, 1);
        CHECK_STATUS(device_fill(&of, bytes), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(of.transaction, &status));
        CHECK_BUGCHECK(of.world.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
        CHECK_EQUAL(world_parameter(of.world.machine, 0), 0x26);
        CHECK_MACHINE(of.world.machine);
    }
}

/* Where no IOMMU is there to see it, what comes late goes where the device was told. */
TEST(a_late_access_without_an_iommu_is_harmless) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    for (int writes = 0; writes < 2; writes++) {
        world made =
            world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        WDF_DMA_DIRECTION direction =
            writes ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice;
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        world_seen seen = {0};
        uint8_t bytes[BYTES] = {0};
        NTSTATUS status;
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE);
        CHECK_STATUS(world_initialize(transaction, direction, mdl, 0, WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_SUCCESS);
        uint64_t address = (uint64_t)seen.list[0].Address.QuadPart;
        plan_device(made.machine, WDFDMA_DEVICE_LATE, 0, 1);
        CHECK_STATUS(writes ? wdfdma_device_write(made.machine, address, bytes, BYTES)
                            : wdfdma_device_read(made.machine, address, bytes, BYTES),
                     STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_EQUAL(wdfdma_machine_count_late(made.machine), 0);
        CHECK(!wdfdma_machine_get_state(made.machine)->halted);
        CHECK_MACHINE(made.machine);
    }
}

TEST(late_writes_keep_their_order) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    wdfdma_machine *machine = of.world.machine;
    const wdfdma_fault always = {
        .kind = WDFDMA_FAULT_DEVICE, .behaviour = WDFDMA_DEVICE_LATE, .per_mille = 1000};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &always), STATUS_SUCCESS);
    uint8_t bytes[BYTES];
    const uint8_t *buffer = wdfdma_mdl_get_bytes(machine, of.mdl);
    /* Each call makes what the one before put off. */
    for (uint32_t round = 1; round <= 3; round++) {
        memset(bytes, (int)round, sizeof bytes);
        CHECK_STATUS(device_fill(&of, bytes), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_machine_count_late(machine), 1);
        CHECK_EQUAL(buffer[0], round - 1);
    }
    WdfDmaEnablerGetMaximumLength(of.world.enabler);
    CHECK_EQUAL(buffer[0], 3);
}

TEST(a_restore_takes_what_is_late_back) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    wdfdma_machine *machine = of.world.machine;
    uint8_t bytes[BYTES];
    world_fill(bytes, BYTES, 5);
    plan_device(machine, WDFDMA_DEVICE_LATE, 0, 1);
    wdfdma_snapshot *before = world_snapshot(machine);
    CHECK_STATUS(device_fill(&of, bytes), STATUS_SUCCESS);
    wdfdma_snapshot *between = world_snapshot(machine);
    for (int round = 0; round < 2; round++) {
        check_buffer(&of, bytes, BYTES);
        CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
        wdfdma_machine_restore(machine, between);
        CHECK_EQUAL(wdfdma_machine_count_late(machine), 1);
        CHECK_EQUAL(*(const uint8_t *)wdfdma_mdl_get_bytes(machine, of.mdl), 0);
    }
    wdfdma_machine_restore(machine, before);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    WdfDmaEnablerGetMaximumLength(of.world.enabler);
    CHECK_EQUAL(*(const uint8_t *)wdfdma_mdl_get_bytes(machine, of.mdl), 0);
    wdfdma_snapshot_destroy(before);
    wdfdma_snapshot_destroy(between);
}

/* Which of 64 writes a chance makes silent, as bits. */
static uint64_t chance_draw(const transfer *of, uint64_t seed) {
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_DEVICE,
                                .behaviour = WDFDMA_DEVICE_SILENT,
                                .per_mille = 400,
                                .seed = seed};
    uint8_t *buffer = wdfdma_mdl_get_bytes(of->world.machine, of->mdl);
    uint64_t hit = 0;
    CHECK_STATUS(wdfdma_machine_add_fault(of->world.machine, &fault), STATUS_SUCCESS);
    for (int i = 0; i < 64; i++) {
        const uint8_t byte = 1;
        buffer[0] = 0;
        CHECK_STATUS(wdfdma_device_write(of->world.machine, of->address, &byte, 1), STATUS_SUCCESS);
        hit = hit << 1 | (buffer[0] == 0);
    }
    wdfdma_machine_clear_faults(of->world.machine);
    return hit;
}

TEST(the_same_seed_hits_the_same_moves) {
    transfer of = transfer_open(WdfDmaDirectionReadFromDevice);
    uint64_t first = chance_draw(&of, 11);
    CHECK(first != 0 && first != UINT64_MAX);
    CHECK_EQUAL(chance_draw(&of, 11), first);
    CHECK(chance_draw(&of, 12) != first);
}

HARNESS_MAIN(ENTRY(what_is_no_fault_of_a_device_is_refused),
             ENTRY(a_write_is_short_silent_twice_or_wrong), ENTRY(a_long_write_is_wrong_to_its_end),
             ENTRY(a_read_is_short_silent_late_or_wrong),
             ENTRY(what_cannot_be_short_is_not_counted),
             ENTRY(an_access_that_is_not_allowed_is_not_counted),
             ENTRY(a_late_write_comes_at_the_end_of_the_next_call),
             ENTRY(a_late_write_meets_a_transfer_that_is_over),
             ENTRY(a_late_access_without_an_iommu_is_harmless), ENTRY(late_writes_keep_their_order),
             ENTRY(a_restore_takes_what_is_late_back), ENTRY(the_same_seed_hits_the_same_moves))
