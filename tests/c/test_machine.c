/* A machine is a value: made, ended, copied, put back; its clock, its generator, its IRQL, its
 * log, its halt. */
#include "world.h"

enum {
    SHORT_LIVES = 10000,
    AT_ONCE = 1000,
    BUFFER_BYTES = 3 * WORLD_PAGE
};

static NTSTATUS create_and_end(const wdfdma_machine_config *config) {
    wdfdma_machine *machine = NULL;
    NTSTATUS status = wdfdma_machine_create(config, &machine);
    CHECK((status == STATUS_SUCCESS) == (machine != NULL));
    CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_SUCCESS);
    return status;
}

/* ---- Settings ---- */

TEST(defaults_are_what_the_header_says) {
    wdfdma_machine_config config;
    memset(&config, 0xAA, sizeof config);
    wdfdma_machine_config_init(&config);
    CHECK_EQUAL(config.size, sizeof config);
    CHECK_EQUAL(config.map_registers, 64);
    CHECK_EQUAL(config.registers_per_adapter, UINT32_MAX);
    CHECK_EQUAL(config.physical_address_bits, 36);
    CHECK(!config.force_map_registers && config.verifier);
    CHECK_EQUAL(config.maximum_depth, 256);
    CHECK_EQUAL(config.seed + config.log_records + config.fail_allocation, 0);
    CHECK_EQUAL(config.reserve_bytes, UINT64_C(4) << 30);
    CHECK(config.handler == NULL && config.handler_context == NULL);
    const wdfdma_machine_config *filled = wdfdma_machine_get_config(harness_machine(NULL));
    CHECK_EQUAL(filled->map_registers, 64);
    CHECK_EQUAL(filled->registers_per_adapter, 64);
}

TEST(settings_have_ranges) {
    static const struct {
        uint32_t registers, bits, depth;
        uint64_t reserve;
        bool valid;
    } rows[] = {
        {0, 36, 256, 16u << 20, true},
        {1u << 20, 36, 256, 64u << 20, true},
        {(1u << 20) + 1, 36, 256, 64u << 20, false},
        {UINT32_MAX, 36, 256, 64u << 20, false},
        {64, 13, 256, 16u << 20, true},
        {64, 52, 256, 16u << 20, true},
        {64, 53, 256, 16u << 20, false},
        {64, 0, 256, 16u << 20, false},
        {64, 11, 256, 16u << 20, false},
        {64, 36, 0, 16u << 20, false},
        {64, 36, 1, 16u << 20, true},
        {64, 36, 1024, 16u << 20, true},
        {64, 36, 1025, 16u << 20, false},
        {64, 36, 256, (16u << 20) - 1, false},
        {64, 36, 256, 0, false},
        {64, 36, 256, UINT64_MAX, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wdfdma_machine_config config = world_config(rows[i].registers);
        config.physical_address_bits = rows[i].bits;
        config.maximum_depth = rows[i].depth;
        config.reserve_bytes = rows[i].reserve;
        CHECK_STATUS(create_and_end(&config),
                     rows[i].valid ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
    }
}

TEST(a_wrong_size_is_refused) {
    wdfdma_machine_config config = world_config(64);
    config.size = 0;
    CHECK_STATUS(create_and_end(&config), STATUS_INVALID_PARAMETER);
    config.size = (uint32_t)sizeof config + 8;
    CHECK_STATUS(create_and_end(&config), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_create(NULL, NULL), STATUS_INVALID_PARAMETER);
    config.size = (uint32_t)sizeof config;
    config.log_records = UINT64_MAX - 1;
    CHECK_STATUS(create_and_end(&config), STATUS_INSUFFICIENT_RESOURCES);
}

TEST(no_machine_is_nothing) {
    wdfdma_log_view view;
    wdfdma_snapshot *snapshot = NULL;
    wdfdma_machine_config_init(NULL);
    CHECK_STATUS(wdfdma_machine_destroy(NULL), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_state(NULL) == NULL && wdfdma_machine_get_config(NULL) == NULL);
    CHECK(wdfdma_machine_get_bugcheck(NULL) == NULL && !wdfdma_machine_check(NULL, NULL));
    CHECK_STATUS(wdfdma_machine_advance(NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_irql(NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_fail_allocation(NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_log_configure(NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_log_get_view(NULL, &view), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_snapshot_create(NULL, &snapshot), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_restore(NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(wdfdma_machine_random(NULL), 0);
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(NULL) + wdfdma_snapshot_get_bytes(NULL), 0);
    wdfdma_machine_halt(NULL, 1, 2);
    wdfdma_snapshot_destroy(NULL);
}

/* ---- Many ---- */

TEST(ten_thousand_short_lives) {
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = 16u << 20;
    WDFDEVICE first = NULL;
    for (int i = 0; i < SHORT_LIVES && harness.failures == 0; i++) {
        wdfdma_machine *machine = NULL;
        WDFDEVICE device = NULL;
        REQUIRE(CHECK_STATUS(wdfdma_machine_create(&config, &machine), STATUS_SUCCESS));
        CHECK(wdfdma_machine_current() == machine);
        CHECK_STATUS(wdfdma_device_create(machine, NULL, &device), STATUS_SUCCESS);
        first = i == 0 ? device : first;
        CHECK(i == 0 || wdfdma_object_get_type(first) == WDFDMA_OBJECT_NONE);
        CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_SUCCESS);
        CHECK(wdfdma_machine_current() == NULL);
        CHECK_EQUAL(wdfdma_object_get_type(device), WDFDMA_OBJECT_NONE);
    }
}

TEST(many_at_once_share_nothing) {
    static wdfdma_machine *machines[AT_ONCE];
    static WDFDEVICE devices[AT_ONCE];
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = 16u << 20;
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        config.seed = i;
        REQUIRE(CHECK_STATUS(wdfdma_machine_create(&config, &machines[i]), STATUS_SUCCESS));
        devices[i] = world_device(machines[i]);
        CHECK_STATUS(wdfdma_machine_advance(machines[i], i), STATUS_SUCCESS);
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        CHECK(wdfdma_object_get_machine(devices[i]) == machines[i]);
        CHECK_EQUAL(wdfdma_machine_get_state(machines[i])->time_ns, i);
        CHECK(i == 0 || devices[i] != devices[i - 1]);
    }
    wdfdma_machine_halt(machines[500], 0xE2, 1);
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        CHECK_EQUAL(wdfdma_machine_get_state(machines[i])->halted, i == 500);
        CHECK_MACHINE(machines[i]);
        CHECK_STATUS(wdfdma_machine_destroy(machines[i]), STATUS_SUCCESS);
    }
}

TEST(a_thread_has_a_current_machine) {
    wdfdma_machine *first = harness_machine(NULL);
    wdfdma_machine *second = harness_machine(NULL);
    CHECK(wdfdma_machine_current() == second);
    CHECK(wdfdma_machine_use(first) == second);
    CHECK(wdfdma_machine_use(NULL) == first);
    CHECK(wdfdma_machine_current() == NULL);
    CHECK(wdfdma_machine_use(first) == NULL);
    CHECK_STATUS(wdfdma_machine_set_irql(first, DISPATCH_LEVEL), STATUS_SUCCESS);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    wdfdma_machine_use(second);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    wdfdma_machine_use(NULL);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    /* An outermost call makes its machine the current one. */
    CHECK(WdfDeviceGetAlignmentRequirement(world_device(second)) == 0);
    CHECK(wdfdma_machine_current() == second);
}

/* ---- Clock, generator, IRQL ---- */

TEST(time_only_moves_on) {
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_machine_state *state = wdfdma_machine_get_state(machine);
    CHECK_EQUAL(state->time_ns, 0);
    CHECK_STATUS(wdfdma_machine_advance(machine, 0), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_advance(machine, 1000), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_advance(machine, UINT64_MAX), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_advance(machine, UINT64_MAX - 999), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(state->time_ns, 1000);
    CHECK_STATUS(wdfdma_machine_advance(machine, UINT64_MAX - 1000), STATUS_SUCCESS);
    CHECK_EQUAL(state->time_ns, UINT64_MAX);
}

TEST(the_generator_is_seeded) {
    wdfdma_machine_config config = world_config(64);
    uint64_t of_seed[3];
    for (uint32_t i = 0; i < 3; i++) {
        config.seed = i == 2 ? 0 : i;
        of_seed[i] = wdfdma_machine_random(harness_machine(&config));
    }
    CHECK(of_seed[0] != of_seed[1]);
    CHECK_EQUAL(of_seed[0], of_seed[2]);
    wdfdma_machine *machine = harness_machine(NULL);
    uint64_t ones = 0;
    for (int i = 0; i < 10000; i++) {
        for (uint64_t value = wdfdma_machine_random(machine); value != 0; value &= value - 1) {
            ones++;
        }
    }
    CHECK(ones > 318000 && ones < 322000);
}

TEST(irql_goes_up_and_down) {
    wdfdma_machine *machine = harness_machine(NULL);
    KIRQL before = 77;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    CHECK_EQUAL(before, PASSIVE_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    CHECK_EQUAL(before, DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->irql, PASSIVE_LEVEL);
    CHECK_STATUS(wdfdma_machine_set_irql(machine, 16), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_irql(machine, HIGH_LEVEL), STATUS_SUCCESS);
    KeRaiseIrql(APC_LEVEL, &before);
    CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_IRQL_NOT_GREATER_OR_EQUAL);
    machine = harness_machine(NULL);
    KeLowerIrql(APC_LEVEL);
    CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_IRQL_NOT_LESS_OR_EQUAL);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

/* ---- The log ---- */

static uint64_t log_count(const wdfdma_machine *machine, wdfdma_log_view *view) {
    CHECK_STATUS(wdfdma_log_get_view(machine, view), STATUS_SUCCESS);
    return view->first_count + view->second_count;
}

/* The i-th record of a view. */
static const wdfdma_log_record *log_at(const wdfdma_log_view *view, uint64_t i) {
    return i < view->first_count ? &view->first[i] : &view->second[i - view->first_count];
}

/* One record each: transactions are made, with the time as a mark. */
static void log_write(world *of, uint32_t records) {
    for (uint32_t i = 0; i < records; i++) {
        CHECK_STATUS(wdfdma_machine_advance(of->machine, 1), STATUS_SUCCESS);
        WdfDmaEnablerGetFragmentLength(of->enabler, WdfDmaDirectionReadFromDevice);
    }
}

TEST(a_log_is_off_unless_asked_for) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    wdfdma_log_view view;
    log_write(&made, 10);
    CHECK_EQUAL(log_count(made.machine, &view), 0);
    CHECK_EQUAL(view.lost, 0);
}

TEST(a_ring_keeps_the_last) {
    wdfdma_machine_config config = world_config(64);
    config.log_records = 7;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    for (uint32_t written = 1; written < 40; written++) {
        wdfdma_log_view view;
        log_write(&made, 1);
        uint64_t kept = written < 7 ? written : 7;
        CHECK_EQUAL(log_count(made.machine, &view), kept);
        CHECK_EQUAL(view.lost, written - kept);
        for (uint64_t i = 0; i < kept; i++) {
            CHECK_EQUAL(log_at(&view, i)->time_ns, written - kept + 1 + i);
            CHECK_EQUAL(log_at(&view, i)->code, WDFDMA_OP_GET_FRAGMENT_LENGTH);
        }
    }
}

TEST(a_growing_log_keeps_all_in_place) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_configure(made.machine, WDFDMA_LOG_GROWS), STATUS_SUCCESS);
    log_write(&made, 1);
    CHECK_EQUAL(log_count(made.machine, &view), 1);
    const wdfdma_log_record *first = view.first;
    log_write(&made, 49999);
    CHECK_EQUAL(log_count(made.machine, &view), 50000);
    CHECK(view.first == first);
    CHECK_EQUAL(first->time_ns, 1);
    CHECK_EQUAL(log_at(&view, 49999)->time_ns, 50000);
    CHECK_STATUS(wdfdma_log_configure(made.machine, 3), STATUS_SUCCESS);
    CHECK_EQUAL(log_count(made.machine, &view), 0);
    log_write(&made, 5);
    CHECK_EQUAL(log_count(made.machine, &view), 3);
    CHECK_EQUAL(log_at(&view, 0)->time_ns, 50003);
    CHECK_STATUS(wdfdma_log_configure(made.machine, UINT64_MAX - 1), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(log_count(made.machine, &view), 3);
    CHECK_STATUS(wdfdma_log_configure(made.machine, 0), STATUS_SUCCESS);
    CHECK_EQUAL(log_count(made.machine, &view), 0);
    CHECK_STATUS(wdfdma_log_get_view(made.machine, NULL), STATUS_INVALID_PARAMETER);
}

TEST(a_full_growing_log_loses_what_is_new) {
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = 16u << 20;
    config.log_records = WDFDMA_LOG_GROWS;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    wdfdma_log_view view = {0};
    uint64_t written = 0;
    while (view.lost == 0 && written < 1000000) {
        log_write(&made, 1000);
        written += 1000;
        log_count(made.machine, &view);
    }
    CHECK(view.lost > 0);
    CHECK_EQUAL(view.first_count + view.second_count + view.lost, written);
    CHECK_EQUAL(log_at(&view, 0)->time_ns, 1);
}

/* ---- Labels, counters, steps ---- */

TEST(labels_count_from_zero_for_each_type) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    CHECK_EQUAL(wdfdma_object_get_label(made.device), 0);
    CHECK_EQUAL(wdfdma_object_get_label(world_device(made.machine)), 1);
    CHECK_EQUAL(wdfdma_object_get_label(made.enabler), 0);
    for (uint32_t i = 0; i < 5; i++) {
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_EQUAL(wdfdma_object_get_label(transaction), i);
        CHECK_EQUAL(world_info(transaction).label, i);
        if (i % 2 == 0) {
            WdfObjectDelete(transaction); /* a label is not given twice */
        }
    }
}

TEST(counters_follow_objects) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGatherDuplex});
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_DEVICE], 1);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ENABLER], 1);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ADAPTER], 2);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, BUFFER_BYTES, NULL);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_TRANSACTION], 1);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_MDL], 1);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    uint64_t step = state->step;
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(state->step, step + 1);
    CHECK_EQUAL(state->mappings, 1);
    CHECK_EQUAL(state->op, WDFDMA_OP_NONE);
    CHECK_EQUAL(state->depth, 0);
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_EQUAL(state->mappings, 0);
    wdfdma_device_destroy(made.device);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_SUCCESS);
    for (int type = 0; type <= WDFDMA_OBJECT_MDL; type++) {
        CHECK_EQUAL(state->objects[type], 0);
    }
}

/* ---- The halt ---- */

typedef struct halt_seen {
    uint32_t calls;
    uint32_t code;
    uint64_t parameter;
    uint32_t halted;
    NTSTATUS advanced;
    NTSTATUS destroyed;
} halt_seen;

static void on_halt(wdfdma_machine *machine, const wdfdma_bugcheck *bugcheck, void *context) {
    halt_seen *seen = context;
    seen->calls++;
    seen->code = bugcheck->code;
    seen->parameter = bugcheck->parameters[0];
    seen->halted = wdfdma_machine_get_state(machine)->halted;
    seen->advanced = wdfdma_machine_advance(machine, 1);
    CHECK(wdfdma_machine_get_bugcheck(machine) == bugcheck);
}

TEST(the_handler_is_called_once) {
    halt_seen seen = {0};
    wdfdma_machine_config config = world_config(64);
    config.handler = on_halt;
    config.handler_context = &seen;
    wdfdma_machine *machine = harness_machine(&config);
    CHECK_STATUS(wdfdma_machine_advance(machine, 5), STATUS_SUCCESS);
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0x1234);
    wdfdma_machine_halt(machine, 1, 2);
    KeLowerIrql(HIGH_LEVEL);
    CHECK_EQUAL(seen.calls, 1);
    CHECK_EQUAL(seen.code, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH);
    CHECK_EQUAL(seen.parameter, 0x1234);
    CHECK_EQUAL(seen.halted, 1);
    CHECK_STATUS(seen.advanced, STATUS_UNSUCCESSFUL);
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(machine);
    REQUIRE(bugcheck != NULL);
    CHECK_EQUAL(bugcheck->code, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH);
    CHECK_EQUAL(bugcheck->time_ns, 5);
    CHECK_EQUAL(bugcheck->object_type, WDFDMA_OBJECT_NONE);
}

TEST(a_bugcheck_tells_where) {
    wdfdma_machine_config config = world_config(64);
    config.log_records = 4;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    world_transaction(made.enabler);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_UNSUCCESSFUL);
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(made.machine);
    REQUIRE(bugcheck != NULL);
    CHECK_EQUAL(bugcheck->code, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(bugcheck->parameters[0], WDFDMA_WDF_DMA_FATAL_ERROR);
    CHECK_EQUAL(bugcheck->parameters[1], (uintptr_t)transaction);
    CHECK_EQUAL(bugcheck->parameters[2], WDFDMA_STATE_CREATED);
    CHECK_EQUAL(bugcheck->op, WDFDMA_OP_EXECUTE);
    CHECK_EQUAL(bugcheck->object_type, WDFDMA_OBJECT_TRANSACTION);
    CHECK_EQUAL(bugcheck->object, 1);
    wdfdma_log_view view;
    uint64_t count = log_count(made.machine, &view);
    REQUIRE(count > 0);
    const wdfdma_log_record *last = log_at(&view, count - 1);
    CHECK_EQUAL(last->kind, WDFDMA_RECORD_BUGCHECK);
    CHECK_EQUAL(last->status, WDFDMA_BUGCHECK_WDF_VIOLATION);
    /* A log has no handle of one machine in it: only what any machine would have given. */
    CHECK_EQUAL(last->values[1], (uintptr_t)transaction & ((UINT64_C(1) << 36) - 1));
}

TEST(a_halted_machine_does_nothing) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
    wdfdma_machine_halt(made.machine, 0xE2, 0);
    size_t used = wdfdma_machine_get_used_bytes(made.machine);
    wdfdma_machine_state before = *wdfdma_machine_get_state(made.machine);
    WDFDEVICE device = NULL;
    WDFDMATRANSACTION other = NULL;
    uint8_t byte = 1;
    CHECK_STATUS(wdfdma_device_create(made.machine, NULL, &device), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &other), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 1),
                 STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, 2), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_mdl_write(made.machine, mdl, 0, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_mdl_destroy(made.machine, mdl), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_device_read(made.machine, 0, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK(IoAllocateMdl(NULL, 100, FALSE, FALSE, NULL) == NULL);
    WdfObjectDelete(transaction);
    wdfdma_device_destroy(made.device);
    CHECK_STATUS(wdfdma_mdl_read(made.machine, mdl, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(byte, 0);
    CHECK_EQUAL(wdfdma_object_get_type(transaction), WDFDMA_OBJECT_TRANSACTION);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_CREATED);
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(made.machine), used);
    CHECK_EQUAL(memcmp(&before, wdfdma_machine_get_state(made.machine), sizeof before), 0);
}

/* What would change a halted machine is refused, by each function of the control plane. */
TEST(a_halted_machine_cannot_be_changed) {
    wdfdma_machine_config config = world_config(64);
    config.log_records = 8;
    wdfdma_machine *machine = harness_machine(&config);
    wdfdma_log_view view;
    wdfdma_machine_halt(machine, 0xE2, 0);
    CHECK_STATUS(wdfdma_log_configure(machine, 0), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(log_count(machine, &view), 1);
    CHECK_STATUS(wdfdma_machine_fail_allocation(machine, 1), STATUS_UNSUCCESSFUL);
}

static void on_halt_destroy(wdfdma_machine *machine, const wdfdma_bugcheck *bugcheck,
                            void *context) {
    halt_seen *seen = context;
    (void)bugcheck;
    seen->calls++;
    seen->destroyed = wdfdma_machine_destroy(machine);
}

/* The handler may only read, whether the machine halts inside a call or between two. */
TEST(the_handler_cannot_end_the_machine) {
    halt_seen seen = {0};
    uint8_t byte;
    wdfdma_machine_config config = world_config(64);
    config.handler = on_halt_destroy;
    config.handler_context = &seen;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    CHECK_STATUS(WdfDmaTransactionExecute(world_transaction(made.enabler), NULL),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(seen.calls, 1);
    CHECK_STATUS(seen.destroyed, STATUS_INVALID_DEVICE_STATE);
    wdfdma_machine *machine = NULL;
    REQUIRE(CHECK_STATUS(wdfdma_machine_create(&config, &machine), STATUS_SUCCESS));
    CHECK_STATUS(wdfdma_device_read(machine, 0, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(seen.calls, 2);
    if (CHECK_STATUS(seen.destroyed, STATUS_INVALID_DEVICE_STATE)) {
        CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_SUCCESS);
    }
}

HARNESS_MAIN(ENTRY(defaults_are_what_the_header_says), ENTRY(settings_have_ranges),
             ENTRY(a_wrong_size_is_refused), ENTRY(no_machine_is_nothing),
             ENTRY(ten_thousand_short_lives), ENTRY(many_at_once_share_nothing),
             ENTRY(a_thread_has_a_current_machine), ENTRY(time_only_moves_on),
             ENTRY(the_generator_is_seeded), ENTRY(irql_goes_up_and_down),
             ENTRY(a_log_is_off_unless_asked_for), ENTRY(a_ring_keeps_the_last),
             ENTRY(a_growing_log_keeps_all_in_place), ENTRY(a_full_growing_log_loses_what_is_new),
             ENTRY(labels_count_from_zero_for_each_type), ENTRY(counters_follow_objects),
             ENTRY(the_handler_is_called_once), ENTRY(a_bugcheck_tells_where),
             ENTRY(a_halted_machine_does_nothing), ENTRY(a_halted_machine_cannot_be_changed),
             ENTRY(the_handler_cannot_end_the_machine))
