/* What the record of a broken rule and of a halt says beyond the rule: how the object stood, how the
 * machine stood, the callbacks around it by handle; and that it stays so when the machine goes on. */
#include "world.h"

enum {
    REGISTERS = 8
};

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

typedef struct record_world {
    wdfdma_machine *machine;
    WDFDMAENABLER enabler;
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
    PMDL mdl;
} record_world;

static record_world open_records(void) {
    wdfdma_machine_config config = world_config(REGISTERS);
    config.force_map_registers = true;
    config.log_records = WDFDMA_LOG_GROWS;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    return (record_world){made.machine, made.enabler, world_transaction(made.enabler),
                          world_transaction(made.enabler),
                          world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL)};
}

static void start(const record_world *of, WDFDMATRANSACTION transaction, size_t pages,
                  PFN_WDF_PROGRAM_DMA program_dma, void *context) {
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program_dma, READ, of->mdl, 0,
                                                        pages * WORLD_PAGE),
                 STATUS_SUCCESS);
    WdfDmaTransactionExecute(transaction, context);
}

static wdfdma_violation last_of(const wdfdma_machine *machine) {
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(machine, &count);
    return CHECK(count != 0) ? found[count - 1] : (wdfdma_violation){0};
}

static uint64_t to_number(const void *handle) {
    return (uint64_t)(uintptr_t)handle;
}

static uint64_t count_log(const wdfdma_machine *machine) {
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_get_view(machine, &view), STATUS_SUCCESS);
    CHECK_EQUAL(view.first_count + view.second_count, view.written);
    return view.written;
}

/* Three registers are held; a reservation of six waits, is cancelled, and is not freed. */
static void keep_cancelled(const record_world *of) {
    start(of, of->first, 3, world_program_dma, NULL);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of->second, READ, 6, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(of->second));
    CHECK_STATUS(WdfDmaTransactionRelease(of->second), STATUS_SUCCESS);
}

TEST(how_a_transaction_stood) {
    record_world of = open_records();
    start(&of, of.first, 3, world_program_dma, NULL);
    size_t leaks = 0;
    uint64_t before = count_log(of.machine);
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &leaks), STATUS_SUCCESS);
    size_t count = 0;
    wdfdma_violation found = wdfdma_machine_get_violations(of.machine, &count)[0];
    REQUIRE(CHECK_EQUAL(found.rule, WDFDMA_RULE_NEVER_COMPLETED));
    CHECK_EQUAL(found.handle, to_number(of.first));
    CHECK_EQUAL(found.state.state, WDFDMA_STATE_TRANSFER);
    CHECK_EQUAL(found.state.waiting, WDFDMA_WAITING_NOT);
    CHECK_EQUAL(found.state.first_register, 0);
    CHECK_EQUAL(found.state.registers, 3);
    CHECK_EQUAL(found.state.length, 3 * WORLD_PAGE);
    CHECK_EQUAL(found.state.transfer_length, 3 * WORLD_PAGE);
    CHECK_EQUAL(found.state.bytes_transferred, 0);
    CHECK_EQUAL(found.state.references, 1);
    CHECK_EQUAL(found.moment.free_registers, REGISTERS - 3);
    CHECK_EQUAL(found.moment.log_records, before);
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(of.first, &status));
    CHECK_EQUAL(wdfdma_machine_get_violations(of.machine, &count)[0].state.state,
                WDFDMA_STATE_TRANSFER);
}

TEST(how_one_that_waits_stood) {
    record_world of = open_records();
    start(&of, of.first, 3, world_program_dma, NULL);
    start(&of, of.second, 4, world_program_dma, NULL);
    WDFDMATRANSACTION third = world_transaction(of.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(third, READ, 6, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    size_t leaks = 0;
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &leaks), STATUS_SUCCESS);
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    bool seen = false;
    for (size_t i = 0; i < count; i++) {
        if (found[i].rule == WDFDMA_RULE_LEAK_RESERVATION) {
            seen = true;
            CHECK_EQUAL(found[i].handle, to_number(third));
            CHECK_EQUAL(found[i].state.waiting, WDFDMA_WAITING_POOL);
            CHECK_EQUAL(found[i].state.registers, 6);
            CHECK_EQUAL(found[i].state.reserved, 6);
            CHECK_EQUAL(found[i].state.first_register, UINT32_MAX);
            CHECK_EQUAL(found[i].moment.waiting_pool, 1);
        }
    }
    CHECK(seen);
}

TEST(how_others_stood) {
    record_world of = open_records();
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    WdfObjectReference(of.enabler);
    size_t leaks = 0;
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &leaks), STATUS_SUCCESS);
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[0].object_type, WDFDMA_OBJECT_COMMON_BUFFER);
    CHECK_EQUAL(found[0].state.length, 5000);
    CHECK_EQUAL(found[0].state.first_register, UINT32_MAX);
    CHECK_EQUAL(found[1].object_type, WDFDMA_OBJECT_ENABLER);
    CHECK_EQUAL(found[1].state.references, 2);
    CHECK_EQUAL(found[1].state.deleted, 0);
    WdfObjectDereference(of.enabler);
}

TEST(a_bug_check_says_the_same) {
    record_world of = open_records();
    start(&of, of.first, 3, world_program_dma, NULL);
    CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_UNSUCCESSFUL);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    wdfdma_violation found = last_of(of.machine);
    REQUIRE(CHECK(halt != NULL) && CHECK(found.stopped));
    CHECK_EQUAL(halt->handle, to_number(of.first));
    CHECK_EQUAL(halt->created_step, found.created_step);
    CHECK_EQUAL(halt->state.registers, 3);
    CHECK_EQUAL(halt->state.state, WDFDMA_STATE_TRANSFER);
    CHECK_BYTES(&halt->state, &found.state, sizeof found.state);
    CHECK_BYTES(&halt->moment, &found.moment, sizeof found.moment);
    CHECK_BYTES(halt->frames, found.frames, sizeof found.frames);
    CHECK_EQUAL(halt->moment.log_records, count_log(of.machine));
}

/* What a callback does, on the world that its context is. */
static BOOLEAN program_and_halt(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    record_world *of = context;
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    wdfdma_machine_halt(of->machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    return TRUE;
}

TEST(a_halt_without_a_rule_has_its_callbacks) {
    record_world of = open_records();
    start(&of, of.second, 1, program_and_halt, &of);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    REQUIRE(CHECK(halt != NULL));
    CHECK_EQUAL(halt->rule, WDFDMA_RULE_NONE);
    CHECK_EQUAL(halt->depth, 1);
    CHECK_EQUAL(halt->frames[0].handle, to_number(of.second));
    CHECK_EQUAL(halt->frames[0].object_type, WDFDMA_OBJECT_TRANSACTION);
    CHECK_EQUAL(halt->frames[0].object, 1);
    CHECK_EQUAL(halt->handle, 0);
    CHECK_EQUAL(halt->state.first_register, UINT32_MAX);
    CHECK_EQUAL(halt->moment.free_registers, REGISTERS - 1);
    CHECK_EQUAL(halt->moment.irql, DISPATCH_LEVEL);
}

TEST(callbacks_on_the_plain_way) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    record_world of = {.machine = made.machine,
                       .second = world_transaction(made.enabler),
                       .mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL)};
    start(&of, of.second, 1, program_and_halt, &of);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    REQUIRE(CHECK(halt != NULL));
    CHECK_EQUAL(halt->frames[0].handle, to_number(of.second));
    CHECK_EQUAL(halt->frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
    CHECK_EQUAL(halt->moment.log_records, 0);
}

/* Halts from a callback of the first, called from one of the second. */
static BOOLEAN program_the_first(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                 WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                 PSCATTER_GATHER_LIST list) {
    record_world *of = context;
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    start(of, of->first, 1, program_and_halt, of);
    return TRUE;
}

TEST(callbacks_in_one_another) {
    record_world of = open_records();
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    of.first = world_transaction(world_enabler(world_device(of.machine), &profile));
    start(&of, of.second, 1, program_the_first, &of);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    REQUIRE(CHECK(halt != NULL));
    CHECK_EQUAL(halt->depth, 2);
    CHECK_EQUAL(halt->frames[0].handle, to_number(of.first));
    CHECK_EQUAL(halt->frames[1].handle, to_number(of.second));
    CHECK_EQUAL(halt->frames[2].object_type, WDFDMA_OBJECT_NONE);
}

/* Deletes its own transaction, makes another one in its place, and halts. */
static void reserve_and_replace(WDFDMATRANSACTION transaction, PVOID context) {
    record_world *of = context;
    WdfDmaTransactionFreeResources(transaction);
    WdfObjectDelete(transaction);
    CHECK_EQUAL(wdfdma_object_get_label(world_transaction(of->enabler)), 2);
    wdfdma_machine_halt(of->machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
}

TEST(a_callback_of_what_is_gone) {
    record_world of = open_records();
    WdfDmaTransactionAllocateResources(of.second, READ, 2, reserve_and_replace, &of);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    REQUIRE(CHECK(halt != NULL));
    CHECK_EQUAL(halt->frames[0].event, WDFDMA_EVENT_RESERVE_DMA);
    CHECK_EQUAL(halt->frames[0].handle, 0);
    CHECK_EQUAL(halt->frames[0].object_type, WDFDMA_OBJECT_TRANSACTION);
    CHECK_EQUAL(halt->frames[0].object, 1);
}

static IO_ALLOCATION_ACTION control_and_halt(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                             PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    wdfdma_machine_halt(context, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    return DeallocateObject;
}

TEST(a_callback_of_a_wdm_driver_is_its_adapters) {
    record_world of = open_records();
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(of.enabler, READ);
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    adapter->DmaOperations->AllocateAdapterChannel(adapter, NULL, 1, control_and_halt, of.machine);
    KeLowerIrql(before);
    const wdfdma_bugcheck *halt = wdfdma_machine_get_bugcheck(of.machine);
    REQUIRE(CHECK(halt != NULL));
    CHECK_EQUAL(halt->frames[0].event, WDFDMA_EVENT_COUNT);
    CHECK_EQUAL(halt->frames[0].object_type, WDFDMA_OBJECT_ADAPTER);
    CHECK_EQUAL(halt->frames[0].handle, to_number(wdfdma_enabler_get_adapter(of.enabler, READ)));
}

TEST(a_place_in_the_log) {
    record_world of = open_records();
    CHECK_STATUS(wdfdma_log_configure(of.machine, 4), STATUS_SUCCESS);
    keep_cancelled(&of);
    wdfdma_violation found = last_of(of.machine);
    CHECK_EQUAL(found.rule, WDFDMA_RULE_CANCELLED_RESERVATION_KEPT);
    CHECK(found.moment.log_records >= 4);
    for (int i = 0; i < 6; i++) {
        WdfDmaTransactionSetMaximumLength(of.first, WORLD_PAGE);
    }
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_get_view(of.machine, &view), STATUS_SUCCESS);
    CHECK_EQUAL(view.first_count + view.second_count, 4);
    CHECK_EQUAL(view.lost, view.written - 4);
    CHECK(view.written >= found.moment.log_records + 6);
    CHECK_STATUS(wdfdma_log_configure(of.machine, WDFDMA_LOG_GROWS), STATUS_SUCCESS);
    CHECK_EQUAL(last_of(of.machine).moment.log_records, 0);
}

/* A leak does not halt, but where it is awaited: the machine then stands where it stood. */
TEST(stopped_at_the_nth) {
    for (uint64_t n = 0; n <= 4; n++) {
        record_world of = open_records();
        CHECK_STATUS(wdfdma_machine_stop_at_violation(of.machine, n), STATUS_SUCCESS);
        start(&of, of.first, 3, world_program_dma, NULL);
        uint64_t before = count_log(of.machine);
        size_t leaks = 0;
        wdfdma_machine_check_leaks(of.machine, NULL, &leaks);
        uint64_t before_second = count_log(of.machine);
        WdfDmaTransactionAllocateResources(of.second, READ, 1, world_reserve_dma, NULL);
        before += count_log(of.machine) - before_second;
        wdfdma_machine_check_leaks(of.machine, NULL, &leaks);
        size_t count = 0;
        const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
        bool halts = n >= 1 && n <= 3;
        REQUIRE(CHECK_EQUAL(count, halts ? n : 3));
        CHECK_EQUAL(wdfdma_machine_get_bugcheck(of.machine) != NULL, halts);
        CHECK_EQUAL(found[count - 1].stopped, halts);
        CHECK_EQUAL(count_log(of.machine), before + halts);
        NTSTATUS again = wdfdma_machine_stop_at_violation(of.machine, 1);
        CHECK_STATUS(again, halts ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
    }
    CHECK_STATUS(wdfdma_machine_stop_at_violation(NULL, 1), STATUS_INVALID_PARAMETER);
}

TEST(what_is_ignored_is_not_awaited) {
    record_world of = open_records();
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_MODE_IGNORE),
        STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_stop_at_violation(of.machine, 1), STATUS_SUCCESS);
    start(&of, of.first, 3, world_program_dma, NULL);
    size_t leaks = 0;
    CHECK_STATUS(wdfdma_machine_check_leaks(of.machine, NULL, &leaks), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
    wdfdma_snapshot *snapshot = world_snapshot(of.machine);
    for (int time = 0; time < 2; time++) {
        CHECK_STATUS(WdfDmaTransactionRelease(of.first), STATUS_UNSUCCESSFUL);
        CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
        CHECK_STATUS(wdfdma_machine_restore(of.machine, snapshot), STATUS_SUCCESS);
    }
    wdfdma_snapshot_destroy(snapshot);
}

TEST(numbers_as_logs_have_them) {
    record_world of = open_records();
    record_world other = open_records();
    CHECK(of.first != other.first);
    uint64_t handle = wdfdma_machine_localize(of.machine, to_number(of.first));
    CHECK_EQUAL(handle, wdfdma_machine_localize(other.machine, to_number(other.first)));
    CHECK_EQUAL(handle, to_number(of.first) & ((1ull << 36) - 1));
    CHECK_EQUAL(wdfdma_machine_localize(of.machine, to_number(other.first)),
                to_number(other.first));
    CHECK_EQUAL(wdfdma_machine_localize(of.machine, to_number(of.mdl)),
                wdfdma_machine_localize(other.machine, to_number(other.mdl)));
    CHECK_EQUAL(wdfdma_machine_localize(of.machine, 8), 8);
    CHECK_EQUAL(wdfdma_machine_localize(NULL, to_number(of.first)), to_number(of.first));
}

HARNESS_MAIN(ENTRY(how_a_transaction_stood), ENTRY(how_one_that_waits_stood),
             ENTRY(how_others_stood), ENTRY(a_bug_check_says_the_same),
             ENTRY(a_halt_without_a_rule_has_its_callbacks), ENTRY(callbacks_on_the_plain_way),
             ENTRY(callbacks_in_one_another), ENTRY(a_callback_of_what_is_gone),
             ENTRY(a_callback_of_a_wdm_driver_is_its_adapters), ENTRY(a_place_in_the_log),
             ENTRY(stopped_at_the_nth), ENTRY(what_is_ignored_is_not_awaited),
             ENTRY(numbers_as_logs_have_them))
