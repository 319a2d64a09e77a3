/* Injected faults: what each may fail with, what it leaves behind, and that the plan is part of the
 * machine's value. */
#include "world.h"

static const NTSTATUS NO_RESOURCES = STATUS_INSUFFICIENT_RESOURCES;

static void plan_call(wdfdma_machine *machine, uint32_t op, uint32_t nth, NTSTATUS status) {
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL, .op = op, .nth = nth, .status = status};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static void plan_below(wdfdma_machine *machine, wdfdma_fault_kind kind, uint32_t nth) {
    const wdfdma_fault fault = {.kind = kind, .nth = nth};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
}

static wdfdma_fault plan_get(const wdfdma_machine *machine, size_t index) {
    size_t count = 0;
    const wdfdma_fault *faults = wdfdma_machine_get_faults(machine, &count);
    return CHECK(index < count) ? faults[index] : (wdfdma_fault){0};
}

static NTSTATUS read_initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    return world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, length);
}

static world packet_open(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

/* ---- The plan ---- */

TEST(only_what_an_op_documents_is_taken) {
    wdfdma_machine *machine = harness_machine(NULL);
    static const uint32_t ops[] = {WDFDMA_OP_CREATE,         WDFDMA_OP_INITIALIZE,
                                   WDFDMA_OP_EXECUTE,        WDFDMA_OP_ALLOCATE_RESOURCES,
                                   WDFDMA_OP_ENABLER_CREATE, WDFDMA_OP_COMMON_BUFFER_CREATE};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t count = 0;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(ops[i], &count);
        REQUIRE(statuses != NULL && count > 0);
        for (size_t at = 0; at < count; at++) {
            plan_call(machine, ops[i], 1, statuses[at]);
        }
        const wdfdma_fault other = {.op = ops[i], .nth = 1, .status = STATUS_CANCELLED};
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &other), STATUS_INVALID_PARAMETER);
    }
    for (uint32_t op = 0; op < 100; op++) {
        size_t count = 7;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
        const wdfdma_fault fault = {.op = op, .nth = 1, .status = NO_RESOURCES};
        CHECK_EQUAL(count == 0, statuses == NULL);
        CHECK(count != 0 || wdfdma_machine_add_fault(machine, &fault) == STATUS_INVALID_PARAMETER);
    }
}

TEST(what_is_no_fault_is_refused) {
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_fault wrong[] = {
        {.kind = WDFDMA_FAULT_KIND_COUNT, .nth = 1},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .op = WDFDMA_OP_EXECUTE},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .status = STATUS_INSUFFICIENT_RESOURCES},
        {.kind = WDFDMA_FAULT_GRANT, .nth = 1, .per_mille = 1},
        {.kind = WDFDMA_FAULT_GRANT, .per_mille = 1001},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(wdfdma_machine_add_fault(machine, &wrong[i]), STATUS_INVALID_PARAMETER);
    }
    size_t count = 1;
    CHECK_STATUS(wdfdma_machine_add_fault(NULL, &wrong[0]), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_add_fault(machine, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_clear_faults(NULL), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_faults(NULL, &count) == NULL);
    CHECK(wdfdma_machine_get_faults(machine, NULL) == NULL);
    CHECK(wdfdma_fault_get_statuses(WDFDMA_OP_EXECUTE, NULL) == NULL);
    wdfdma_machine_get_faults(machine, &count);
    CHECK_EQUAL(count, 0);
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    const wdfdma_fault good = {.kind = WDFDMA_FAULT_GRANT, .nth = 1};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &good), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_clear_faults(machine), STATUS_UNSUCCESSFUL);
}

/* Which of 64 creations a chance hits, as bits. */
static uint64_t chance_draw(world made, uint64_t seed, uint32_t per_mille) {
    const wdfdma_fault fault = {
        .op = WDFDMA_OP_CREATE, .per_mille = per_mille, .seed = seed, .status = NO_RESOURCES};
    uint64_t hit = 0;
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    for (int i = 0; i < 64; i++) {
        WDFDMATRANSACTION transaction = NULL;
        NTSTATUS status = WdfDmaTransactionCreate(made.enabler, NULL, &transaction);
        CHECK(status == STATUS_SUCCESS || status == NO_RESOURCES);
        hit = hit << 1 | (status == NO_RESOURCES);
    }
    CHECK_EQUAL(plan_get(made.machine, 0).met, 64);
    wdfdma_machine_clear_faults(made.machine);
    return hit;
}

TEST(chance_is_its_seed) {
    world made = packet_open();
    uint64_t first = chance_draw(made, 5, 500);
    CHECK_EQUAL(chance_draw(made, 5, 500), first);
    CHECK(chance_draw(made, 6, 500) != first);
    CHECK(first != 0 && first != UINT64_MAX);
    CHECK_EQUAL(chance_draw(made, 5, 0), 0);
    CHECK_EQUAL(chance_draw(made, 5, 1000), UINT64_MAX);
}

TEST(a_restore_takes_the_plan_back) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = NULL;
    plan_call(made.machine, WDFDMA_OP_CREATE, 2, NO_RESOURCES);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
    wdfdma_snapshot *snapshot = world_snapshot(made.machine);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), NO_RESOURCES);
        CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
        CHECK_EQUAL(plan_get(made.machine, 0).hits, 1);
        wdfdma_machine_clear_faults(made.machine);
        wdfdma_machine_restore(made.machine, snapshot);
        CHECK_EQUAL(plan_get(made.machine, 0).hits, 0);
        CHECK_EQUAL(plan_get(made.machine, 0).met, 1);
    }
    wdfdma_snapshot_destroy(snapshot);
}

TEST(the_log_is_none_of_the_plans) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = NULL;
    plan_call(made.machine, WDFDMA_OP_CREATE, 1, NO_RESOURCES);
    wdfdma_log_configure(made.machine, 16);
    wdfdma_log_configure(made.machine, 0);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), NO_RESOURCES);
    wdfdma_log_configure(made.machine, 16);
    wdfdma_machine_clear_faults(made.machine);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &view), STATUS_SUCCESS);
    CHECK_EQUAL(view.first_count, 1);
}

TEST(the_first_of_two_gives_the_status) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_INITIALIZE, 1, STATUS_WDF_TOO_FRAGMENTED);
    plan_call(made.machine, WDFDMA_OP_INITIALIZE, 1, NO_RESOURCES);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_WDF_TOO_FRAGMENTED);
    CHECK_EQUAL(plan_get(made.machine, 0).hits, 1);
    CHECK_EQUAL(plan_get(made.machine, 1).hits, 1);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_SUCCESS);
}

/* ---- What a failure leaves ---- */

TEST(execute_fails) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    world_seen seen = {0};
    NTSTATUS status;
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 2, NO_RESOURCES);
    for (uint32_t round = 1; round <= 3; round++) {
        CHECK_STATUS(read_initialize(transaction, mdl, 5000), STATUS_SUCCESS);
        status = WdfDmaTransactionExecute(transaction, &seen);
        CHECK_MACHINE(made.machine);
        if (round == 2) {
            CHECK_STATUS(status, NO_RESOURCES);
            CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
            CHECK_EQUAL(world_info(transaction).transfer_length, 5000);
            CHECK_EQUAL(world_info(transaction).remaining, 5000);
        } else {
            CHECK_STATUS(status, STATUS_SUCCESS);
            CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        }
        CHECK_EQUAL(world_free_registers(made.machine), 64);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    CHECK_EQUAL(seen.programmed, 2);
    wdfdma_fault fault = plan_get(made.machine, 0);
    CHECK_EQUAL(fault.met, 3);
    CHECK_EQUAL(fault.hits, 1);
    CHECK_EQUAL(fault.hit_op, WDFDMA_OP_EXECUTE);
    CHECK(fault.hit_step > 0);
}

TEST(an_ignored_failure_is_named) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, NO_RESOURCES);
    CHECK_STATUS(read_initialize(transaction, mdl, WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), NO_RESOURCES);
    WdfDmaTransactionExecute(transaction, NULL);
    size_t count = 0;
    const wdfdma_violation *violations = wdfdma_machine_get_violations(made.machine, &count);
    REQUIRE(count > 0);
    CHECK_EQUAL(violations[0].rule, WDFDMA_RULE_STATUS_IGNORED);
}

TEST(execute_is_busy_in_version_2_only) {
    for (ULONG version = 2; version <= 3; version++) {
        world made =
            world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = version});
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, STATUS_WDF_BUSY);
        plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, STATUS_WDF_TOO_FRAGMENTED);
        CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL),
                     version == 2 ? STATUS_WDF_BUSY : STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).transfer_length, version == 2 ? 0 : 100);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->breaks, version == 2 ? 1 : 0);
        CHECK_EQUAL(plan_get(made.machine, 0).met, version == 2 ? 1 : 0);
        CHECK_EQUAL(plan_get(made.machine, 1).met, 0);
    }
}

TEST(initialize_fails_as_release) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    for (uint32_t nth = 1; nth <= 3; nth++) {
        plan_call(made.machine, WDFDMA_OP_INITIALIZE, nth, NO_RESOURCES);
    }
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(read_initialize(transaction, mdl, 0), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
    CHECK(!world_info(transaction).immediate_execution);
    /* From released nothing is reset. */
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK(world_info(transaction).immediate_execution);
    /* A reservation stays. */
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
    CHECK_EQUAL(world_info(transaction).reserved, 4);
    CHECK_EQUAL(world_free_registers(made.machine), 60);
    CHECK_MACHINE(made.machine);
}

TEST(a_reservation_fails) {
    world made = packet_open();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_call(made.machine, WDFDMA_OP_ALLOCATE_RESOURCES, 1, NO_RESOURCES);
    for (int round = 0; round < 2; round++) {
        world_seen seen = {0};
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        4, world_reserve_dma, &seen),
                     round == 0 ? NO_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(seen.reserved, round);
        CHECK_EQUAL(world_info(transaction).reserved, round == 0 ? 0 : 4);
        CHECK_EQUAL(world_state(transaction),
                    round == 0 ? WDFDMA_STATE_TRANSFER_FAILED : WDFDMA_STATE_RESERVED);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    WdfDmaTransactionFreeResources(transaction);
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

/* Execute of a transaction whose registers are reserved asks nobody for anything. */
TEST(with_a_reservation_nothing_fails) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    plan_call(made.machine, WDFDMA_OP_EXECUTE, 1, NO_RESOURCES);
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 1);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(plan_get(made.machine, 0).met, 0);
    CHECK_EQUAL(plan_get(made.machine, 1).met, 0);
}

TEST(the_next_transfer_fails) {
    world made = world_open(
        NULL, (world_profile){.profile = WdfDmaProfileScatterGather, .maximum_length = WORLD_PAGE});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    NTSTATUS status = STATUS_SUCCESS;
    plan_call(made.machine, WDFDMA_OP_DMA_COMPLETED, 1, STATUS_WDF_TOO_FRAGMENTED);
    CHECK_STATUS(read_initialize(transaction, mdl, 2 * WORLD_PAGE), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_WDF_TOO_FRAGMENTED);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
    CHECK_EQUAL(world_info(transaction).bytes_transferred, WORLD_PAGE);
    CHECK_EQUAL(world_free_registers(made.machine), 64);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

TEST(what_is_not_made_is_not_there) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    const world_profile profile = {.profile = WdfDmaProfileSystem};
    const uint64_t *objects = wdfdma_machine_get_state(machine)->objects;
    WDFDMAENABLER enabler = NULL;
    WDFCOMMONBUFFER buffer = NULL;
    plan_call(machine, WDFDMA_OP_ENABLER_CREATE, 1, STATUS_NOT_SUPPORTED);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_NOT_SUPPORTED);
    CHECK(enabler == NULL && objects[WDFDMA_OBJECT_ENABLER] == 0);
    plan_call(machine, WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE, 1, STATUS_NOT_SUPPORTED);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_NOT_SUPPORTED);
    CHECK_EQUAL(objects[WDFDMA_OBJECT_ADAPTER], 0);
    CHECK_STATUS(world_configure(enabler, WdfDmaDirectionReadFromDevice), STATUS_SUCCESS);
    plan_call(machine, WDFDMA_OP_COMMON_BUFFER_CREATE, 1, NO_RESOURCES);
    CHECK_STATUS(WdfCommonBufferCreate(enabler, 100, NULL, &buffer), NO_RESOURCES);
    CHECK_EQUAL(objects[WDFDMA_OBJECT_COMMON_BUFFER], 0);
    CHECK_STATUS(WdfCommonBufferCreate(enabler, 100, NULL, &buffer), STATUS_SUCCESS);
    CHECK_MACHINE(machine);
}

TEST(there_is_no_adapter) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    const world_profile profile = {.profile = WdfDmaProfileScatterGatherDuplex};
    WDFDMAENABLER enabler = NULL;
    plan_below(machine, WDFDMA_FAULT_ADAPTER, 2);
    CHECK_STATUS(world_enabler_try(device, &profile, &enabler), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .DmaAddressWidth = 32,
                                      .MaximumLength = 65536};
    ULONG registers = 0;
    plan_below(machine, WDFDMA_FAULT_ADAPTER, 1);
    PDEVICE_OBJECT object = WdfDeviceWdmGetPhysicalDevice(device);
    CHECK(IoGetDmaAdapter(object, &description, &registers) == NULL);
    PDMA_ADAPTER adapter = IoGetDmaAdapter(object, &description, &registers);
    CHECK(adapter != NULL && registers == 17);
}

static IO_ALLOCATION_ACTION control_count(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                          PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    ++*(uint32_t *)context;
    return DeallocateObject;
}

TEST(a_channel_is_not_given) {
    world made = packet_open();
    PDMA_ADAPTER adapter =
        WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    PDEVICE_OBJECT object = WdfDeviceWdmGetDeviceObject(made.device);
    uint32_t calls = 0;
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, DISPATCH_LEVEL), STATUS_SUCCESS);
    plan_call(made.machine, WDFDMA_OP_ADAPTER_CALL, 1, NO_RESOURCES);
    for (int round = 0; round < 2; round++) {
        CHECK_STATUS(adapter->DmaOperations->AllocateAdapterChannel(adapter, object, 4,
                                                                    control_count, &calls),
                     round == 0 ? NO_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(calls, round);
        CHECK_MACHINE(made.machine);
    }
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

/* ---- No registers ---- */

TEST(a_denied_grant_waits_for_the_next_release) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION first = world_transaction(made.enabler);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    world_seen seen = {0};
    NTSTATUS status;
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 2);
    CHECK_STATUS(read_initialize(first, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(second, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(second, &seen), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_POOL);
    CHECK_EQUAL(seen.programmed, 0);
    CHECK_MACHINE(made.machine);
    CHECK(WdfDmaTransactionDmaCompleted(first, &status));
    CHECK_EQUAL(seen.programmed, 1);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_NOT);
    CHECK(WdfDmaTransactionDmaCompleted(second, &status));
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

TEST(a_denied_grant_can_be_cancelled) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 1);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(transaction));
    CHECK_MACHINE(made.machine);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_free_registers(made.machine), 63);
}

TEST(a_denied_grant_fails_where_it_is_synchronous) {
    world made = packet_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    plan_below(made.machine, WDFDMA_FAULT_GRANT, 1);
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    CHECK_STATUS(read_initialize(transaction, mdl, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), NO_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
    CHECK_MACHINE(made.machine);
}

/* ---- A driver that heeds what it is told ---- */

enum {
    ACTORS = 6,
    ROUNDS = 20000
};

static void plan_everything(wdfdma_machine *machine, uint32_t per_mille) {
    for (uint32_t op = 0; op < WDFDMA_OP_CONTROL; op++) {
        size_t count;
        const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
        for (size_t i = 0; i < count; i++) {
            const wdfdma_fault fault = {
                .op = op, .per_mille = per_mille, .seed = op + i, .status = statuses[i]};
            CHECK_STATUS(wdfdma_machine_add_fault(machine, &fault), STATUS_SUCCESS);
        }
    }
    const wdfdma_fault grant = {.kind = WDFDMA_FAULT_GRANT, .per_mille = per_mille};
    CHECK_STATUS(wdfdma_machine_add_fault(machine, &grant), STATUS_SUCCESS);
}

/* The next legal thing to do with one transaction. */
static void actor_step(WDFDMATRANSACTION of, PMDL mdl, uint64_t *random) {
    wdfdma_transaction_info info = world_info(of);
    NTSTATUS status;
    switch (info.state) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
        WdfDmaTransactionSetImmediateExecution(of, (BOOLEAN)world_random_below(random, 2));
        read_initialize(of, mdl, 1 + world_random_below(random, 16 * WORLD_PAGE));
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(of, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        if (info.waiting == WDFDMA_WAITING_NOT) {
            WdfDmaTransactionDmaCompleted(of, &status);
        } else if (world_random_below(random, 4) == 0) {
            WdfDmaTransactionCancel(of);
        }
        break;
    default:
        WdfDmaTransactionRelease(of);
        break;
    }
}

TEST(a_driver_that_heeds_them_is_never_stopped) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (int kind = 0; kind < 2; kind++) {
        wdfdma_machine_config config = world_config(24);
        world made = world_open(&config, (world_profile){.profile = profiles[kind],
                                                         .maximum_length = 8 * WORLD_PAGE,
                                                         .version = 3});
        WDFDMATRANSACTION actors[ACTORS];
        PMDL mdls[ACTORS];
        uint64_t random = (uint64_t)kind + 1;
        for (int i = 0; i < ACTORS; i++) {
            actors[i] = world_transaction(made.enabler);
            mdls[i] = world_mdl(made.machine, 0, 16 * WORLD_PAGE, NULL);
        }
        plan_everything(made.machine, 30);
        for (int round = 0; round < ROUNDS; round++) {
            uint32_t i = world_random_below(&random, ACTORS);
            actor_step(actors[i], mdls[i], &random);
            REQUIRE(wdfdma_machine_get_bugcheck(made.machine) == NULL);
            CHECK_MACHINE(made.machine);
        }
        uint64_t hits = 0;
        size_t count = 0;
        const wdfdma_fault *faults = wdfdma_machine_get_faults(made.machine, &count);
        for (size_t i = 0; i < count; i++) {
            hits += faults[i].hits;
        }
        CHECK(hits > 100);
    }
}

HARNESS_MAIN(ENTRY(only_what_an_op_documents_is_taken), ENTRY(what_is_no_fault_is_refused),
             ENTRY(chance_is_its_seed), ENTRY(a_restore_takes_the_plan_back),
             ENTRY(the_log_is_none_of_the_plans), ENTRY(the_first_of_two_gives_the_status),
             ENTRY(execute_fails), ENTRY(an_ignored_failure_is_named),
             ENTRY(execute_is_busy_in_version_2_only), ENTRY(initialize_fails_as_release),
             ENTRY(a_reservation_fails), ENTRY(with_a_reservation_nothing_fails),
             ENTRY(the_next_transfer_fails), ENTRY(what_is_not_made_is_not_there),
             ENTRY(there_is_no_adapter), ENTRY(a_channel_is_not_given),
             ENTRY(a_denied_grant_waits_for_the_next_release),
             ENTRY(a_denied_grant_can_be_cancelled),
             ENTRY(a_denied_grant_fails_where_it_is_synchronous),
             ENTRY(a_driver_that_heeds_them_is_never_stopped))
