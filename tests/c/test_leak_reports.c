/* How a leak is told: where one looks, when a deletion or the machine's end tells of itself, once, and in each mode. */
#include "leaks.h"

static BOOLEAN look_around(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                           WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    (void)list;
    wdfdma_machine *machine = wdfdma_object_get_machine((WDFOBJECT)transaction);
    CHECK_LEAKS(machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_CHANNEL);
    CHECK_EQUAL(last_of(machine).depth, 1);
    CHECK_EQUAL(last_of(machine).frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
    return TRUE;
}

TEST(a_look_from_inside_a_callback) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, LENGTH, NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                     transaction, look_around, WdfDmaDirectionReadFromDevice, mdl, 0, LENGTH),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(count_violations(made.machine), 2);
}

TEST(a_deletion_tells_first) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    complete(start(&made));
    WdfObjectDelete(made.enabler);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_EQUAL(last_of(made.machine).rule, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(last_of(made.machine).op, WDFDMA_OP_DELETE);
    CHECK_CLEAN(made.machine);
    wdfdma_machine_clear_violations(made.machine);
    made.enabler = world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    begin(&made);
    wdfdma_device_destroy(made.device);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_EQUAL(last_of(made.machine).rule, WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_CLEAN(made.machine);
    wdfdma_machine_clear_violations(made.machine);
    made.device = world_device(made.machine);
    made.enabler = world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = start(&made);
    complete(transaction);
    release(transaction);
    wdfdma_device_destroy(made.device);
    CHECK_EQUAL(count_violations(made.machine), 0);
}

TEST(a_rule_stops_at_the_first) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION first = begin(&made);
    begin(&made);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_STOP),
        STATUS_SUCCESS);
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count, 12345);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_LEAK_TRANSACTION);
    CHECK_EQUAL(world_parameter(made.machine, 1), number_of(first));
    CHECK_EQUAL(world_parameter(made.machine, 2), WDFDMA_STATE_INITIALIZED);
    CHECK_EQUAL(count_violations(made.machine), 1);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(made.machine), 1);
}

TEST(a_deletion_that_a_rule_stops_deletes_nothing) {
    for (int i = 0; i < 2; i++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        WDFDMATRANSACTION transaction = begin(&made);
        CHECK_STATUS(wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION,
                                                  WDFDMA_MODE_STOP),
                     STATUS_SUCCESS);
        if (i == 0) {
            WdfObjectDelete(made.enabler);
        } else {
            wdfdma_device_destroy(made.device);
        }
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_LEAK_TRANSACTION);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_INITIALIZED);
        CHECK_EQUAL(wdfdma_object_get_type(made.enabler), WDFDMA_OBJECT_ENABLER);
    }
}

TEST(an_ignored_rule_is_not_counted) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    start(&made);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_LIST, WDFDMA_MODE_IGNORE),
        STATUS_SUCCESS);
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED);
}

TEST(nothing_else_changes) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    begin(&made);
    wdfdma_log_view before, after;
    wdfdma_machine_state state = *wdfdma_machine_get_state(made.machine);
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &before), STATUS_SUCCESS);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 1);
    CHECK_STATUS(wdfdma_log_get_view(made.machine, &after), STATUS_SUCCESS);
    CHECK_EQUAL(after.first_count, before.first_count);
    CHECK_BYTES(wdfdma_machine_get_state(made.machine), &state, sizeof state);
}

TEST(wrong_arguments) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    world other = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = begin(&made);
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(NULL, NULL, &count), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, NULL), STATUS_INVALID_PARAMETER);
    void *const wrong[] = {transaction, other.enabler, (void *)(uintptr_t)1,
                           (void *)(uintptr_t)UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, (WDFOBJECT)wrong[i], &count),
                     STATUS_INVALID_HANDLE);
    }
    WdfObjectDelete(transaction);
    WdfObjectReference(made.enabler);
    WdfObjectDelete(made.enabler);
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, (WDFOBJECT)made.enabler, &count),
                 STATUS_INVALID_HANDLE);
    CHECK_EQUAL(count, 12345);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

TEST(a_leak_is_told_once) {
    wdm made = wdm_open(false, false);
    PHYSICAL_ADDRESS logical;
    world of = {.machine = made.machine,
                .enabler = world_enabler(
                    made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3})};
    WDFDMATRANSACTION leaked = begin(&of);
    for (int i = 0; i < 2; i++) { /* two that look alike */
        CHECK(made.ops->AllocateCommonBuffer(made.adapter, 100, &logical, TRUE) != NULL);
    }
    CHECK_LEAKS(made.machine, NULL, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_RULE_LEAK_COMMON_BUFFER,
                WDFDMA_RULE_LEAK_COMMON_BUFFER, WDFDMA_RULE_LEAK_ADAPTER);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 4);
    CHECK_EQUAL(count_violations(made.machine), 4);
    WdfDmaTransactionExecute(leaked, NULL); /* held on, in another state and of another rule */
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, 100, &logical, TRUE) != NULL);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 5);
    CHECK_EQUAL(count_violations(made.machine), 6);
    CHECK_EQUAL(count_leaks(made.machine, of.enabler), 1);
    CHECK_EQUAL(count_violations(made.machine), 6);
    complete(leaked);
    WdfObjectDelete(of.enabler); /* its transaction was told of */
    CHECK_EQUAL(count_violations(made.machine), 6);
    wdfdma_machine_clear_violations(made.machine);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 4);
    CHECK_EQUAL(count_violations(made.machine), 4);
    CHECK_MACHINE(made.machine);
}

/* Told before is no reason to go on where the rule stops. */
TEST(a_leak_that_was_told_stops) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    begin(&made);
    CHECK_EQUAL(count_leaks(made.machine, NULL), 1);
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_STOP);
    size_t count = 0;
    CHECK_STATUS(wdfdma_machine_check_leaks(made.machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
}

/* What a machine's handler heard. */
typedef struct heard {
    size_t calls;
    size_t count;
    uint32_t rules[4];
} heard;

static void leaks_hear(wdfdma_machine *machine, const wdfdma_violation *leaks, size_t count,
                       void *context) {
    heard *of = context;
    of->calls++;
    of->count = count;
    for (size_t i = 0; i < count && i < 4; i++) {
        of->rules[i] = leaks[i].rule;
    }
    CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_INVALID_DEVICE_STATE);
    CHECK(!leaks[0].stopped);
}

static heard end_and_hear(bool leaks, bool halts, uint32_t mode) {
    heard told = {0};
    wdfdma_machine_config config = world_config(8);
    config.leak_handler = leaks_hear;
    config.leak_context = &told;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, mode);
    WDFDMATRANSACTION transaction = begin(&made);
    if (!leaks) {
        release(transaction);
    } else if (mode != WDFDMA_MODE_STOP) {
        count_leaks(made.machine, NULL); /* told before, which is no reason */
    }
    if (halts) {
        wdfdma_machine_halt(made.machine, 1, 0);
    }
    harness_machine_end(made.machine);
    return told;
}

TEST(the_end_of_a_machine_tells) {
    static const uint32_t modes[] = {WDFDMA_MODE_DEFAULT, WDFDMA_MODE_COLLECT, WDFDMA_MODE_STOP};
    for (int i = 0; i < 3; i++) {
        heard told = end_and_hear(true, false, modes[i]);
        CHECK_EQUAL(told.calls, 1);
        CHECK_EQUAL(told.count, 1);
        CHECK_EQUAL(told.rules[0], WDFDMA_RULE_LEAK_TRANSACTION);
        CHECK_EQUAL(end_and_hear(false, false, modes[i]).calls, 0);
    }
    CHECK_EQUAL(end_and_hear(true, true, WDFDMA_MODE_DEFAULT).calls, 0);
    CHECK_EQUAL(end_and_hear(true, false, WDFDMA_MODE_IGNORE).calls, 0);
}

TEST(leaks_are_taken) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    size_t count = 12345;
    CHECK(wdfdma_machine_take_leaks(NULL, &count) == NULL);
    CHECK(wdfdma_machine_take_leaks(made.machine, NULL) == NULL);
    begin(&made);
    for (int i = 0; i < 2; i++) {
        const wdfdma_violation *taken = wdfdma_machine_take_leaks(made.machine, &count);
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(taken[0].rule, WDFDMA_RULE_LEAK_TRANSACTION);
    }
    wdfdma_machine_halt(made.machine, 1, 0);
    CHECK(wdfdma_machine_take_leaks(made.machine, &count) == NULL);
    CHECK_EQUAL(count, 0);
}

HARNESS_MAIN(ENTRY(a_look_from_inside_a_callback), ENTRY(a_deletion_tells_first),
             ENTRY(a_rule_stops_at_the_first), ENTRY(a_deletion_that_a_rule_stops_deletes_nothing),
             ENTRY(an_ignored_rule_is_not_counted), ENTRY(nothing_else_changes),
             ENTRY(wrong_arguments), ENTRY(a_leak_is_told_once), ENTRY(a_leak_that_was_told_stops),
             ENTRY(the_end_of_a_machine_tells), ENTRY(leaks_are_taken))
