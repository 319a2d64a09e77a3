/* Snapshots and restores: any number, in any order, after anything; the same calls give the same
 * log. */
#include "world.h"

enum {
    BUFFER_BYTES = 3 * WORLD_PAGE + 100,
    SNAPSHOTS = 20
};

typedef struct stage {
    world world;
    PMDL mdl;
    WDFDMATRANSACTION transactions[4];
} stage;

static void stage_open(stage *out) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    config.seed = 5;
    out->world = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                     .version = 3,
                                                     .maximum_length = BUFFER_BYTES});
    out->mdl = world_mdl(out->world.machine, 60, BUFFER_BYTES, NULL);
    for (int i = 0; i < 4; i++) {
        out->transactions[i] = world_transaction(out->world.enabler);
    }
}

static BOOLEAN play_program_dma(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)context;
    uint8_t bytes[64];
    wdfdma_machine *machine = wdfdma_object_get_machine(device);
    uint64_t address = (uint64_t)list->Elements[0].Address.QuadPart;
    size_t count =
        list->Elements[0].Length < sizeof bytes ? list->Elements[0].Length : sizeof bytes;
    memset(bytes, (int)(wdfdma_machine_random(machine) & 0xFF), sizeof bytes);
    if (direction == WdfDmaDirectionReadFromDevice) {
        CHECK_STATUS(wdfdma_device_write(machine, address, bytes, count), STATUS_SUCCESS);
    } else {
        CHECK_STATUS(wdfdma_device_read(machine, address, bytes, count), STATUS_SUCCESS);
    }
    return TRUE;
}

/* One move of one transaction: whatever its state allows, by the machine's own generator. */
static void play_step(stage *of) {
    wdfdma_machine *machine = of->world.machine;
    uint64_t random = wdfdma_machine_random(machine);
    WDFDMATRANSACTION chosen = of->transactions[random % 4];
    size_t length = 1 + (size_t)(random >> 8) % BUFFER_BYTES;
    wdfdma_transaction_info info = world_info(chosen);
    NTSTATUS status;
    CHECK_STATUS(wdfdma_machine_advance(machine, random % 1000), STATUS_SUCCESS);
    if (info.state == WDFDMA_STATE_CREATED || info.state == WDFDMA_STATE_RELEASED) {
        WdfDmaTransactionInitializeUsingOffset(
            chosen, play_program_dma, (WDF_DMA_DIRECTION)((random >> 40) & 1), of->mdl, 0, length);
    } else if (info.state == WDFDMA_STATE_INITIALIZED) {
        WdfDmaTransactionExecute(chosen, NULL);
    } else if (info.state == WDFDMA_STATE_TRANSFER && info.waiting == WDFDMA_WAITING_NOT) {
        WdfDmaTransactionDmaCompletedWithLength(chosen, (size_t)(info.transfer_length + 1) / 2,
                                                &status);
    } else if (info.state != WDFDMA_STATE_TRANSFER) {
        WdfDmaTransactionRelease(chosen);
    }
}

static void play(stage *of, uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++) {
        play_step(of);
    }
}

/* All of the log, in one sum. */
static uint64_t log_sum(const wdfdma_machine *machine, uint64_t *count) {
    wdfdma_log_view view;
    uint64_t sum = 14695981039346656037u;
    CHECK_STATUS(wdfdma_log_get_view(machine, &view), STATUS_SUCCESS);
    *count = view.first_count;
    CHECK_EQUAL(view.second_count, 0);
    const uint8_t *bytes = (const uint8_t *)view.first;
    for (size_t i = 0; i < view.first_count * sizeof *view.first; i++) {
        sum = (sum ^ bytes[i]) * 1099511628211u;
    }
    return sum;
}

TEST(the_same_calls_give_the_same_log) {
    stage made;
    uint64_t count, again;
    stage_open(&made);
    wdfdma_machine *machine = made.world.machine;
    play(&made, 100);
    wdfdma_snapshot *snapshot = world_snapshot(machine);
    play(&made, 1000);
    uint64_t sum = log_sum(machine, &count);
    CHECK(count > 1000);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(wdfdma_machine_restore(machine, snapshot), STATUS_SUCCESS);
        CHECK_MACHINE(machine);
        play(&made, 1000);
        CHECK_EQUAL(log_sum(machine, &again), sum);
        CHECK_EQUAL(again, count);
        CHECK_MACHINE(machine);
    }
    wdfdma_snapshot_destroy(snapshot);
}

/* Not quite the bytes: labels, times and values, with no address in them. */
TEST(two_machines_give_the_same_log) {
    stage first, second;
    uint64_t count, again;
    stage_open(&first);
    stage_open(&second);
    for (int i = 0; i < 500; i++) {
        play_step(&first);
        play_step(&second);
    }
    CHECK_EQUAL(log_sum(first.world.machine, &count), log_sum(second.world.machine, &again));
    CHECK_EQUAL(count, again);
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(first.world.machine),
                wdfdma_machine_get_used_bytes(second.world.machine));
}

TEST(any_order) {
    static wdfdma_snapshot *snapshots[SNAPSHOTS];
    static wdfdma_machine_state states[SNAPSHOTS];
    stage made;
    uint64_t random = 3;
    stage_open(&made);
    wdfdma_machine *machine = made.world.machine;
    for (int i = 0; i < SNAPSHOTS; i++) {
        play(&made, 37);
        snapshots[i] = world_snapshot(machine);
        CHECK_EQUAL(wdfdma_snapshot_get_bytes(snapshots[i]),
                    wdfdma_machine_get_used_bytes(machine));
        states[i] = *wdfdma_machine_get_state(machine);
    }
    for (int round = 0; round < 200; round++) {
        uint32_t i = world_random_below(&random, SNAPSHOTS);
        CHECK_STATUS(wdfdma_machine_restore(machine, snapshots[i]), STATUS_SUCCESS);
        CHECK_EQUAL(memcmp(&states[i], wdfdma_machine_get_state(machine), sizeof states[i]), 0);
        CHECK_MACHINE(machine);
        play(&made, world_random_below(&random, 50));
        CHECK_MACHINE(machine);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        wdfdma_snapshot_destroy(snapshots[i]);
    }
}

TEST(a_halt_is_undone) {
    stage made;
    stage_open(&made);
    wdfdma_machine *machine = made.world.machine;
    wdfdma_snapshot *before = world_snapshot(machine);
    wdfdma_machine_halt(machine, 0xE2, 7);
    wdfdma_snapshot *halted = world_snapshot(machine);
    CHECK_STATUS(wdfdma_machine_restore(machine, before), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    play(&made, 50);
    CHECK_STATUS(wdfdma_machine_restore(machine, halted), STATUS_SUCCESS);
    CHECK_BUGCHECK(machine, 0xE2);
    CHECK_EQUAL(world_parameter(machine, 0), 7);
    CHECK_STATUS(wdfdma_machine_restore(machine, before), STATUS_SUCCESS);
    play(&made, 50);
    wdfdma_snapshot_destroy(before);
    wdfdma_snapshot_destroy(halted);
}

/* Back into the middle of a transfer that bounces: registers, mapping and bytes are there again. */
TEST(a_transfer_goes_on_after_a_restore) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 8, BUFFER_BYTES, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    world_seen seen = {0};
    static uint8_t data[BUFFER_BYTES], back[BUFFER_BYTES];
    NTSTATUS status;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, BUFFER_BYTES),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_SUCCESS);
    uint64_t address = (uint64_t)seen.list[0].Address.QuadPart;
    world_fill(data, sizeof data, 1);
    CHECK_STATUS(wdfdma_device_write(made.machine, address, data, 5000), STATUS_SUCCESS);
    wdfdma_snapshot *middle = world_snapshot(made.machine);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(
            wdfdma_device_write(made.machine, address + 5000, data + 5000, sizeof data - 5000),
            STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, 0, back, sizeof back), STATUS_SUCCESS);
        CHECK_BYTES(back, data, sizeof data);
        CHECK_STATUS(wdfdma_device_write(made.machine, address, data, 1), STATUS_UNSUCCESSFUL);
        CHECK_STATUS(wdfdma_machine_restore(made.machine, middle), STATUS_SUCCESS);
        CHECK_EQUAL(world_free_registers(made.machine), 4);
        CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, 0, back, 1), STATUS_SUCCESS);
        CHECK_EQUAL(back[0], 0);
    }
    wdfdma_snapshot_destroy(middle);
}

/* What is made after a restore lies where other things lay, and is zero all the same. */
TEST(memory_after_a_restore_is_zero) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    wdfdma_snapshot *before = world_snapshot(made.machine);
    static uint8_t data[40 * WORLD_PAGE], zero[40 * WORLD_PAGE];
    memset(data, 0x5A, sizeof data);
    PMDL mdl = world_mdl(made.machine, 0, sizeof data, NULL);
    CHECK_STATUS(wdfdma_mdl_write(made.machine, mdl, 0, data, sizeof data), STATUS_SUCCESS);
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 8192, NULL, &buffer), STATUS_SUCCESS);
    memset(WdfCommonBufferGetAlignedVirtualAddress(buffer), 0x5A, 8192);
    CHECK_STATUS(wdfdma_machine_restore(made.machine, before), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_object_get_type(buffer), WDFDMA_OBJECT_NONE);
    CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, 0, data, 1), STATUS_INVALID_PARAMETER);
    mdl = world_mdl(made.machine, 0, sizeof data, NULL);
    CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, 0, data, sizeof data), STATUS_SUCCESS);
    CHECK_BYTES(data, zero, sizeof data);
    wdfdma_snapshot_destroy(before);
}

TEST(a_snapshot_belongs_to_its_machine) {
    wdfdma_machine *first = harness_machine(NULL);
    wdfdma_machine *second = harness_machine(NULL);
    wdfdma_snapshot *snapshot = world_snapshot(first);
    CHECK_STATUS(wdfdma_machine_restore(second, snapshot), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_restore(first, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_snapshot_create(first, NULL), STATUS_INVALID_PARAMETER);
    harness_machine_end(first);
    CHECK(wdfdma_snapshot_get_bytes(snapshot) > 0);
    wdfdma_machine *third = harness_machine(NULL);
    CHECK_STATUS(wdfdma_machine_restore(third, snapshot), STATUS_INVALID_PARAMETER);
    wdfdma_snapshot_destroy(snapshot);
}

static wdfdma_snapshot *outside;

static void inside_reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    uint32_t *calls = context;
    wdfdma_machine *machine = wdfdma_object_get_machine(transaction);
    wdfdma_snapshot *snapshot = NULL;
    ++*calls;
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->depth, 1);
    CHECK_STATUS(wdfdma_snapshot_create(machine, &snapshot), STATUS_INVALID_DEVICE_STATE);
    CHECK(snapshot == NULL);
    CHECK_STATUS(wdfdma_machine_restore(machine, outside), STATUS_INVALID_DEVICE_STATE);
    CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_INVALID_DEVICE_STATE);
}

TEST(callbacks_cannot_replace_the_world) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    uint32_t calls = 0;
    outside = world_snapshot(made.machine);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 2,
                                                    inside_reserve_dma, &calls),
                 STATUS_SUCCESS);
    CHECK_EQUAL(calls, 1);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RESERVED);
    CHECK_STATUS(wdfdma_machine_restore(made.machine, outside), STATUS_SUCCESS);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_CREATED);
    wdfdma_snapshot_destroy(outside);
}

/* The log, the counters and the failing allocation come back as well. */
TEST(everything_comes_back) {
    wdfdma_machine_config config = world_config(64);
    config.log_records = 3;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = NULL;
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_machine_fail_allocation(made.machine, 1), STATUS_SUCCESS);
    wdfdma_snapshot *armed = world_snapshot(made.machine);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction),
                     STATUS_INSUFFICIENT_RESOURCES);
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_object_get_label(transaction), 0);
        CHECK_STATUS(wdfdma_log_configure(made.machine, 100), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_restore(made.machine, armed), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_log_get_view(made.machine, &view), STATUS_SUCCESS);
        CHECK_EQUAL(view.first_count + view.second_count, 0);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
    }
    wdfdma_snapshot_destroy(armed);
}

HARNESS_MAIN(ENTRY(the_same_calls_give_the_same_log), ENTRY(two_machines_give_the_same_log),
             ENTRY(any_order), ENTRY(a_halt_is_undone), ENTRY(a_transfer_goes_on_after_a_restore),
             ENTRY(memory_after_a_restore_is_zero), ENTRY(a_snapshot_belongs_to_its_machine),
             ENTRY(callbacks_cannot_replace_the_world), ENTRY(everything_comes_back))
