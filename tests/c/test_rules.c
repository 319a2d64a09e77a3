/* The modes of rules: stop, collect, ignore; and what a violation tells. */
#include "rule_world.h"

/* Collected, a device's access is refused and nothing else; ignored, nobody remembers it. */
TEST(the_modes) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    uint8_t byte = 1;
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(of.machine, WDFDMA_RULE_DMA_26), WDFDMA_MODE_DEFAULT);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(of.machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(of.machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count_violations(&of), 1);
    CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
    /* What is undefined afterwards stops in every mode. */
    CHECK(!WdfDmaTransactionCancel(of.first));
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(count_violations(&of), 2);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_STOP),
                 STATUS_UNSUCCESSFUL);
}

TEST(an_advice_may_stop) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(
        wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_MODE_STOP),
        STATUS_SUCCESS);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_STATUS(world_initialize(of.first, READ, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.first, NULL), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_IMMEDIATE_LOST);
    CHECK_EQUAL(world_free_registers(of.machine), REGISTERS);
}

TEST(modes_and_tables_refuse) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    size_t count = 7;
    CHECK_STATUS(wdfdma_machine_set_rule_mode(NULL, 1, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_COUNT, 1),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, UINT32_MAX, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, 1, 4), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(NULL, 1), WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(wdfdma_machine_get_rule_mode(of.machine, UINT32_MAX), WDFDMA_MODE_DEFAULT);
    CHECK(wdfdma_rule_get_info(WDFDMA_RULE_COUNT) == NULL);
    CHECK(wdfdma_rule_get_name(UINT32_MAX) == NULL);
    CHECK(wdfdma_machine_get_violations(NULL, &count) == NULL);
    CHECK(wdfdma_machine_get_violations(of.machine, NULL) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(NULL), 0);
    wdfdma_machine_clear_violations(NULL);
    for (uint32_t rule = 1; rule < WDFDMA_RULE_COUNT; rule++) {
        const wdfdma_rule_info *info = wdfdma_rule_get_info(rule);
        CHECK_EQUAL(info->rule, rule);
        CHECK(info->name != NULL && info->cause[0] != 0 && info->source[0] != 0);
        CHECK(info->severity >= WDFDMA_SEVERITY_BUGCHECK &&
              info->severity <= WDFDMA_SEVERITY_ADVICE);
    }
}

/* As many as there is room for; the others are counted. */
TEST(violations_without_end) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    uint8_t byte = 1;
    enum {
        ACCESSES = 40000,
        ROOM = 65536
    };
    CHECK_STATUS(wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
    for (int i = 0; i < ACCESSES; i++) {
        wdfdma_device_write(of.machine, 0x5000, &byte, 1);
    }
    CHECK_EQUAL(count_violations(&of), ROOM);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 2 * ACCESSES - ROOM);
    wdfdma_machine_clear_violations(of.machine);
    CHECK_EQUAL(count_violations(&of), 0);
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 0);
}

/* What the verifier notes is not the driver's memory. */
TEST(a_violation_meets_no_injected_failure) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    WdfDmaTransactionSetImmediateExecution(of.first, TRUE);
    start(&of, of.first, 100);
    finish(of.first);
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
    start(&of, of.first, 100);
    CHECK(was_broken(&of, WDFDMA_RULE_IMMEDIATE_LOST, WDFDMA_OP_EXECUTE));
    CHECK_EQUAL(wdfdma_machine_get_violations_lost(of.machine), 0);
    WDFDMATRANSACTION none = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, WDF_NO_OBJECT_ATTRIBUTES, &none),
                 STATUS_INSUFFICIENT_RESOURCES);
}

static BOOLEAN program_execute_next(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                    WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                    PSCATTER_GATHER_LIST list) {
    rule_world *of = context;
    uint8_t byte = 0;
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    CHECK_STATUS(wdfdma_device_read(of->machine, 0x5000, &byte, 1), STATUS_UNSUCCESSFUL);
    return TRUE;
}

TEST(a_violation_knows_where_it_was) {
    rule_world of = open_rules(WdfDmaProfilePacket);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(of.second, program_execute_next, READ,
                                                        of.mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, &of), STATUS_UNSUCCESSFUL);
    size_t count;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of.machine, &count);
    REQUIRE(CHECK_EQUAL(count, 2));
    CHECK_EQUAL(found[1].depth, 1);
    CHECK_EQUAL(found[1].op, WDFDMA_OP_DEVICE_READ);
    CHECK_EQUAL(found[1].frames[0].event, WDFDMA_EVENT_PROGRAM_DMA);
    CHECK_EQUAL(found[1].frames[0].object, 1);
}

HARNESS_MAIN(ENTRY(the_modes), ENTRY(an_advice_may_stop), ENTRY(modes_and_tables_refuse),
             ENTRY(violations_without_end), ENTRY(a_violation_meets_no_injected_failure),
             ENTRY(a_violation_knows_where_it_was))
