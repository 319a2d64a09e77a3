/* Programs that run: the same log each time, as many steps as were asked for, and operations that describe
 * themselves. */
#include "program_runner.h"

TEST(a_valid_program_runs) {
    static program made;
    put_valid(&made);
    runner_open();
    wdfdma_program_result result = {0};
    CHECK(wdfdma_program_check(made.bytes, made.size, &result));
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
    CHECK(wdfdma_program_check(made.bytes, made.size, NULL));
    result = run(made.bytes, made.size, UINT64_MAX);
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
    CHECK_EQUAL(result.steps, made.end_count - 1);
    CHECK_EQUAL(result.nested, 1);
    CHECK(wdfdma_machine_get_bugcheck(runner) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(runner)->objects[WDFDMA_OBJECT_TRANSACTION], 2);
    wdfdma_machine_config config = world_config(1);
    CHECK(wdfdma_program_get_config(made.bytes, made.size, &config));
    CHECK_EQUAL(config.map_registers, 8);
    CHECK_EQUAL(config.physical_address_bits, 36);
    CHECK(config.verifier && !config.force_map_registers);
    CHECK(!wdfdma_program_get_config(made.bytes, 3, &config));
    CHECK(!wdfdma_program_get_config(made.bytes, made.size, NULL));
    runner_close();
}

TEST(the_same_program_gives_the_same_log) {
    static program made;
    static uint8_t first[1 << 18];
    size_t size, again;
    put_valid(&made);
    runner_open();
    run(made.bytes, made.size, UINT64_MAX);
    const void *log = log_bytes(&size);
    REQUIRE(size > 0 && size <= sizeof first);
    memcpy(first, log, size);
    for (int i = 0; i < 3; i++) {
        run(made.bytes, made.size, UINT64_MAX);
        log = log_bytes(&again);
        CHECK_EQUAL(again, size);
        CHECK_BYTES(log, first, size);
    }
    wdfdma_machine *keep = runner;
    wdfdma_snapshot *keep_fresh = fresh;
    runner_open();
    run(made.bytes, made.size, UINT64_MAX);
    log = log_bytes(&again);
    CHECK_EQUAL(again, size);
    CHECK_BYTES(log, first, size);
    runner_close();
    runner = keep;
    fresh = keep_fresh;
    runner_close();
}

/* Fewer steps give the beginning of the same log. */
TEST(steps_are_limited) {
    static program made;
    static uint8_t whole[1 << 18];
    size_t size, part;
    put_valid(&made);
    runner_open();
    run(made.bytes, made.size, UINT64_MAX);
    const void *log = log_bytes(&size);
    REQUIRE(size <= sizeof whole);
    memcpy(whole, log, size);
    size_t before = 0;
    for (uint64_t steps = 0; steps < made.end_count; steps++) {
        wdfdma_program_result result = run(made.bytes, made.size, steps);
        CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
        CHECK_EQUAL(result.steps, steps);
        log = log_bytes(&part);
        CHECK(part >= before && part <= size);
        CHECK_BYTES(log, whole, part);
        before = part;
    }
    CHECK_EQUAL(before, size);
    runner_close();
}

TEST(operations_describe_themselves) {
    uint32_t known = 0;
    for (uint32_t op = 0; op < 300; op++) {
        const wdfdma_operation *operation = wdfdma_program_get_operation(op);
        known += operation != NULL;
        CHECK(op >= WDFDMA_OP_PROGRAM_COUNT || (operation != NULL) == (op >= 1));
        for (uint32_t i = 0; operation != NULL && i < operation->operand_count; i++) {
            const wdfdma_operand *operand = &operation->operands[i];
            CHECK(operand->name != NULL && operand->maximum > 0);
            CHECK(operand->kind != WDFDMA_OPERAND_STEPS || i + 1 == operation->operand_count);
        }
    }
    /* Between the groups there are gaps. */
    CHECK(wdfdma_program_get_operation(WDFDMA_OP_RAISE_IRQL) != NULL);
    CHECK(wdfdma_program_get_operation(WDFDMA_OP_CONTROL) == NULL);
    CHECK(wdfdma_program_get_operation(WDFDMA_OP_RAISE_IRQL - 1) == NULL);
    CHECK(wdfdma_program_get_operation(UINT32_MAX) == NULL);
    CHECK(known > WDFDMA_OP_PROGRAM_COUNT && known < 256);
    CHECK(wdfdma_rule_get_name(WDFDMA_RULE_COUNT) == NULL);
    CHECK(wdfdma_rule_get_name(UINT32_MAX) == NULL);
    for (uint32_t rule = 0; rule < WDFDMA_RULE_COUNT; rule++) {
        CHECK(wdfdma_rule_get_name(rule) != NULL);
    }
}

HARNESS_MAIN(ENTRY(a_valid_program_runs), ENTRY(the_same_program_gives_the_same_log),
             ENTRY(steps_are_limited), ENTRY(operations_describe_themselves))
