/* A device that is short, silent, late, twice or wrong: its accesses, the system DMA controller, and
 * the completions of a program. */
#include "world.h"

enum {
    BYTES = 64
};

static void plan_device(wdfdma_machine *machine, uint32_t behaviour, uint32_t op, uint32_t nth) {
    const wdfdma_fault fault = {
        .kind = WDFDMA_FAULT_DEVICE, .op = op, .behaviour = behaviour, .nth = nth};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static wdfdma_fault plan_get(const wdfdma_machine *machine, size_t index) {
    size_t count = 0;
    const wdfdma_fault *faults = wdfdma_machine_get_faults(machine, &count);
    return CHECK(index < count) ? faults[index] : (wdfdma_fault){0};
}

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

/* ---- The system DMA controller ---- */

typedef struct controller {
    world world;
    WDFDMATRANSACTION transaction;
} controller;

static DMA_COMPLETION_STATUS completions[8];
static uint32_t completion_count;
static bool completion_completes;
static WDFDMAENABLER completion_deletes;

static void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                   WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    NTSTATUS unwanted;
    completions[completion_count++ % 8] = status;
    if (completion_completes) {
        WdfDmaTransactionDmaCompleted(transaction, &unwanted);
    }
    if (completion_deletes != NULL) {
        WdfObjectDelete((WDFOBJECT)completion_deletes);
    }
}

/* Two transfers to run. */
static controller controller_open(void) {
    controller made = {.world = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem,
                                                                 .maximum_length = WORLD_PAGE})};
    PMDL mdl = world_mdl(made.world.machine, 0, 2 * WORLD_PAGE, NULL);
    completion_count = 0;
    completion_completes = true;
    completion_deletes = NULL;
    made.transaction = world_transaction(made.world.enabler);
    WdfDmaTransactionSetTransferCompleteCallback(made.transaction, on_end, NULL);
    CHECK_STATUS(
        world_initialize(made.transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(made.transaction, NULL), STATUS_SUCCESS);
    return made;
}

static bool controller_end(const controller *of) {
    return wdfdma_enabler_complete_transfer(of->world.enabler, WdfDmaDirectionReadFromDevice);
}

TEST(a_controller_ends_short_or_wrong) {
    static const struct {
        uint32_t behaviour;
        DMA_COMPLETION_STATUS status;
    } ends[] = {{WDFDMA_DEVICE_SHORT, DmaAborted}, {WDFDMA_DEVICE_WRONG, DmaError}};
    for (size_t i = 0; i < 2; i++) {
        controller of = controller_open();
        plan_device(of.world.machine, ends[i].behaviour, WDFDMA_OP_COMPLETE_TRANSFER, 1);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, 1);
        CHECK_EQUAL(completions[0], ends[i].status);
        CHECK_EQUAL(plan_get(of.world.machine, 0).hit_op, WDFDMA_OP_COMPLETE_TRANSFER);
        CHECK_MACHINE(of.world.machine);
    }
}

TEST(a_controller_is_silent_or_late) {
    for (uint32_t behaviour = WDFDMA_DEVICE_SILENT; behaviour <= WDFDMA_DEVICE_LATE; behaviour++) {
        controller of = controller_open();
        plan_device(of.world.machine, behaviour, 0, 1);
        CHECK(!controller_end(&of));
        CHECK_EQUAL(completion_count, 0);
        WdfDmaEnablerGetMaximumLength(of.world.enabler);
        CHECK_EQUAL(completion_count, behaviour == WDFDMA_DEVICE_LATE);
        WdfDmaEnablerGetMaximumLength(of.world.enabler);
        CHECK_EQUAL(completion_count, behaviour == WDFDMA_DEVICE_LATE);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, 1 + (behaviour == WDFDMA_DEVICE_LATE));
        CHECK_MACHINE(of.world.machine);
    }
}

/* The second end is the next transfer's, where the callback started one. */
TEST(a_controller_ends_twice) {
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        controller of = controller_open();
        completion_completes = goes_on != 0;
        plan_device(of.world.machine, WDFDMA_DEVICE_TWICE, 0, 1);
        CHECK(controller_end(&of));
        CHECK_EQUAL(completion_count, goes_on ? 2 : 1);
        CHECK_EQUAL(world_state(of.transaction),
                    goes_on ? WDFDMA_STATE_TRANSFER_COMPLETED : WDFDMA_STATE_TRANSFER);
        CHECK_MACHINE(of.world.machine);
    }
}

TEST(a_controller_without_a_transfer_is_not_counted) {
    controller of = controller_open();
    CHECK(controller_end(&of));
    CHECK(controller_end(&of));
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 1);
    CHECK(!controller_end(&of));
    CHECK_EQUAL(plan_get(of.world.machine, 0).met, 0);
}

/* Whoever it was late for is gone, in the call at whose end it comes. */
TEST(a_late_end_finds_nobody) {
    controller of = controller_open();
    NTSTATUS status;
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 1);
    CHECK(!controller_end(&of));
    wdfdma_machine *machine = of.world.machine;
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 1);
    WdfDmaTransactionDmaCompletedFinal(of.transaction, 0, &status);
    CHECK_EQUAL(completion_count, 0);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    CHECK_MACHINE(machine);
}

/* A late end may run a callback that deletes what the call at whose end it comes was made on. */
TEST(a_late_end_deletes_the_enabler) {
    controller of = controller_open();
    completion_completes = true;
    plan_device(of.world.machine, WDFDMA_DEVICE_LATE, 0, 2);
    CHECK(controller_end(&of));
    CHECK(!controller_end(&of));
    completion_deletes = of.world.enabler;
    CHECK(WdfDmaEnablerWdmGetDmaAdapter(of.world.enabler, WdfDmaDirectionReadFromDevice) != NULL);
    CHECK_EQUAL(completion_count, 2);
    CHECK_EQUAL(wdfdma_machine_get_state(of.world.machine)->objects[WDFDMA_OBJECT_ENABLER], 0);
    CHECK_MACHINE(of.world.machine);
}

/* ---- The completions of a program ---- */

/* A machine, a packet enabler of version 3, a buffer of a page; then, step by step: create, initialize
 * of 100 bytes, execute, dma_completed, get_bytes_transferred, release. */
static const char program[] = "WDP\x01\x08\x08\x24\x02"
                              "\x01\x01\x80\x80\x04\x03\x00\x00\x00"
                              "\x01\x01\x00\x64\x05"
                              "\x01\x00\x00"
                              "\x03\x00\x00\x00\x64\x00"
                              "\x04\x00"
                              "\x0F\x00"
                              "\x0C\x00"
                              "\x12\x00";

typedef struct completion {
    uint32_t op;
    uint32_t step;
    NTSTATUS status;
} completion;

/* Runs the program with its one completion as [behaviour] says; the completions that came. */
static size_t program_run(uint32_t behaviour, completion out[4]) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    wdfdma_machine *machine = harness_machine(&config);
    wdfdma_log_view view;
    size_t count = 0;
    uint32_t step = 0;
    plan_device(machine, behaviour, 0, 1);
    CHECK(wdfdma_program_run(machine, (const uint8_t *)program, sizeof program - 1, UINT64_MAX,
                             NULL));
    CHECK_EQUAL(plan_get(machine, 0).hits, 1);
    CHECK_EQUAL(plan_get(machine, 0).hit_op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(plan_get(machine, 0).hit_step, 3);
    CHECK_EQUAL(wdfdma_machine_count_late(machine), 0);
    bool halts = behaviour == WDFDMA_DEVICE_TWICE || behaviour == WDFDMA_DEVICE_SILENT ||
                 behaviour == WDFDMA_DEVICE_SHORT;
    CHECK_EQUAL(wdfdma_machine_get_bugcheck(machine) != NULL, halts);
    CHECK_STATUS(wdfdma_log_get_view(machine, &view), STATUS_SUCCESS);
    for (uint64_t i = 0; i < view.first_count && count < 4; i++) {
        const wdfdma_log_record *record = &view.first[i];
        step += record->kind == WDFDMA_RECORD_SNAPSHOT;
        bool completes = record->kind == WDFDMA_RECORD_OP &&
                         record->code >= WDFDMA_OP_DMA_COMPLETED &&
                         record->code <= WDFDMA_OP_DMA_COMPLETED_FINAL;
        if (completes) {
            out[count++] = (completion){record->code, step, record->status};
        }
    }
    CHECK_MACHINE(machine);
    return count;
}

TEST(a_program_meets_a_device_that_is_wrong) {
    completion came[4];
    REQUIRE(program_run(WDFDMA_DEVICE_SHORT, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH);
    CHECK_STATUS(came[0].status, STATUS_MORE_PROCESSING_REQUIRED);
    REQUIRE(program_run(WDFDMA_DEVICE_WRONG, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH);
    CHECK_STATUS(came[0].status, STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(program_run(WDFDMA_DEVICE_SILENT, came), 0);
}

/* The second one finds the transfer over, which ends the program unlogged. */
TEST(a_program_meets_a_device_that_is_twice_or_late) {
    completion came[4];
    REQUIRE(program_run(WDFDMA_DEVICE_TWICE, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(came[0].step, 3);
    REQUIRE(program_run(WDFDMA_DEVICE_LATE, came) == 1);
    CHECK_EQUAL(came[0].op, WDFDMA_OP_DMA_COMPLETED);
    CHECK_EQUAL(came[0].step, 4);
    CHECK_STATUS(came[0].status, STATUS_SUCCESS);
}

/* ---- Whatever a plan says ---- */

enum {
    ROUNDS = 20000,
    MOST_PLANNED = 12
};

/* Any fault, most of them none; what is taken has a chance, or a place soon to come. */
static void plan_anything(wdfdma_machine *machine, uint64_t *random) {
    static const uint32_t ops[] = {0, 4, 15, 23, 44, 45, 46, UINT32_MAX};
    static const uint32_t chances[] = {1, 50, 300, 1000, 1001, UINT32_MAX};
    uint32_t drawn = world_random_below(random, 2 * WDFDMA_FAULT_KIND_COUNT);
    uint32_t kind = drawn > WDFDMA_FAULT_KIND_COUNT ? (uint32_t)WDFDMA_FAULT_DEVICE : drawn;
    bool by_chance = world_random_below(random, 2) == 0;
    const wdfdma_fault fault = {
        .kind = kind,
        .op = kind == WDFDMA_FAULT_MAP
                  ? 0
                  : ops[world_random_below(random, 2) * world_random_below(random, 8)],
        .routine = world_random_below(random, 4) == 0 ? world_random_below(random, 30) : 0,
        .behaviour = kind == WDFDMA_FAULT_DEVICE ? world_random_below(random, 7) : 0,
        .nth = by_chance ? 0 : 1 + world_random_below(random, 20),
        .per_mille = by_chance ? chances[world_random_below(random, 6)] : 0,
        .seed = world_random(random),
        .status = kind == WDFDMA_FAULT_CALL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS,
        .hits = UINT64_MAX,
        .met = UINT64_MAX};
    NTSTATUS status = wdfdma_machine_add_fault(machine, &fault);
    CHECK(status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER);
}

/* One thing that a device or its driver does. */
static void anything_do(const controller *of, PMDL mdl, uint64_t *random) {
    uint8_t bytes[300];
    NTSTATUS status;
    uint64_t address = WORLD_REGISTERS_ADDRESS + world_random_below(random, 3 * WORLD_PAGE);
    size_t length = world_random_below(random, sizeof bytes);
    switch (world_random_below(random, 4)) {
    case 0:
        memset(bytes, 0x5A, sizeof bytes);
        wdfdma_device_write(of->world.machine, address, bytes, length);
        return;
    case 1:
        wdfdma_device_read(of->world.machine, address, bytes, length);
        return;
    case 2:
        controller_end(of);
        return;
    default:
        break;
    }
    switch (world_state(of->transaction)) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
        world_initialize(of->transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE);
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(of->transaction, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        WdfDmaTransactionDmaCompleted(of->transaction, &status);
        break;
    default:
        WdfDmaTransactionRelease(of->transaction);
        break;
    }
}

TEST(the_machine_holds_whatever_is_planned) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    controller of = {.world = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem,
                                                                  .maximum_length = WORLD_PAGE})};
    wdfdma_machine *machine = of.world.machine;
    PMDL mdl = world_mdl(machine, 0, 2 * WORLD_PAGE, NULL);
    uint64_t random = 77;
    uint64_t late = 0;
    uint64_t hits = 0;
    completion_completes = true;
    completion_deletes = NULL;
    of.transaction = world_transaction(of.world.enabler);
    WdfDmaTransactionSetTransferCompleteCallback(of.transaction, on_end, NULL);
    wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    wdfdma_snapshot *start = world_snapshot(machine);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count;
        const wdfdma_fault *faults = wdfdma_machine_get_faults(machine, &count);
        for (size_t i = 0; i < count; i++) {
            hits += faults[i].hits;
        }
        if (wdfdma_machine_get_state(machine)->halted || world_random_below(&random, 100) == 0) {
            CHECK_STATUS(wdfdma_machine_restore(machine, start), STATUS_SUCCESS);
        } else if (count < MOST_PLANNED) {
            plan_anything(machine, &random);
        }
        anything_do(&of, mdl, &random);
        late += wdfdma_machine_count_late(machine);
    }
    printf("%llu %llu\n", (unsigned long long)hits, (unsigned long long)late);
    CHECK(hits > 1000 && late > 100);
    wdfdma_snapshot_destroy(start);
}

HARNESS_MAIN(ENTRY(what_is_no_fault_of_a_device_is_refused),
             ENTRY(a_write_is_short_silent_twice_or_wrong), ENTRY(a_long_write_is_wrong_to_its_end),
             ENTRY(a_read_is_short_silent_late_or_wrong),
             ENTRY(what_cannot_be_short_is_not_counted),
             ENTRY(an_access_that_is_not_allowed_is_not_counted),
             ENTRY(a_late_write_comes_at_the_end_of_the_next_call),
             ENTRY(a_late_write_meets_a_transfer_that_is_over),
             ENTRY(a_late_access_without_an_iommu_is_harmless), ENTRY(late_writes_keep_their_order),
             ENTRY(a_restore_takes_what_is_late_back), ENTRY(the_same_seed_hits_the_same_moves),
             ENTRY(a_controller_ends_short_or_wrong), ENTRY(a_controller_is_silent_or_late),
             ENTRY(a_controller_ends_twice), ENTRY(a_controller_without_a_transfer_is_not_counted),
             ENTRY(a_late_end_finds_nobody), ENTRY(a_late_end_deletes_the_enabler),
             ENTRY(a_program_meets_a_device_that_is_wrong),
             ENTRY(a_program_meets_a_device_that_is_twice_or_late),
             ENTRY(the_machine_holds_whatever_is_planned))
