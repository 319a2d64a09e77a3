/* Programs that are refused: why, and where. */
#include "program_runner.h"

static void check_error(const program *made, wdfdma_program_rule rule, uint64_t offset,
                        int64_t value) {
    wdfdma_program_result result = run(made->bytes, made->size, UINT64_MAX);
    CHECK_EQUAL(result.rule, rule);
    CHECK_EQUAL(result.offset, offset);
    CHECK_EQUAL((uint64_t)result.value, (uint64_t)value);
}

TEST(errors_tell_their_place) {
    static program made;
    runner_open();
    put_world(&made);
    size_t at = made.size;
    PUT(&made, WDFDMA_OP_CONTROL);
    check_error(&made, WDFDMA_PROGRAM_UNKNOWN_OPERATION, at, WDFDMA_OP_CONTROL);
    made.size = at;
    PUT(&made, WDFDMA_OP_CREATE, 1, 3);
    check_error(&made, WDFDMA_PROGRAM_NO_SUCH_ENABLER, at + 2, 3);
    made.size = at;
    PUT(&made, WDFDMA_OP_CREATE, 1, 0, WDFDMA_OP_INITIALIZE, 1, 2, 0, 1, 0);
    check_error(&made, WDFDMA_PROGRAM_NO_SUCH_BUFFER, at + 5, 2);
    made.size = at;
    PUT(&made, WDFDMA_OP_EXECUTE, 500);
    check_error(&made, WDFDMA_PROGRAM_NOT_CREATED, at + 1, 500);
    made.size = at;
    PUT(&made, WDFDMA_OP_CREATE, 5, 0, WDFDMA_OP_CREATE, 5, 1);
    check_error(&made, WDFDMA_PROGRAM_CREATED_TWICE, at + 4, 5);
    made.size = at;
    PUT(&made, WDFDMA_OP_CREATE, 5, 0, WDFDMA_OP_INITIALIZE, 5, 0, 0, 1, 2);
    check_error(&made, WDFDMA_PROGRAM_OUT_OF_RANGE, at + 8, 2);
    made.size = at;
    PUT(&made, WDFDMA_OP_SET_CALLBACK, 5, WDFDMA_EVENT_PROGRAM_DMA, 1);
    check_error(&made, WDFDMA_PROGRAM_OUT_OF_RANGE, at + 2, WDFDMA_EVENT_PROGRAM_DMA);
    runner_close();
}

/* Operations beyond the first group, read and run as those in it. */
TEST(a_family_has_its_own_steps) {
    static program made;
    runner_open();
    put_world(&made);
    size_t at = made.size;
    PUT(&made, WDFDMA_OP_RAISE_IRQL, DISPATCH_LEVEL, WDFDMA_OP_RAISE_IRQL, HIGH_LEVEL);
    PUT(&made, WDFDMA_OP_LOWER_IRQL, APC_LEVEL);
    wdfdma_program_result result = run(made.bytes, made.size, UINT64_MAX);
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
    CHECK_EQUAL(result.steps, 3);
    CHECK_EQUAL(wdfdma_machine_get_state(runner)->irql, APC_LEVEL);
    PUT(&made, WDFDMA_OP_LOWER_IRQL, DISPATCH_LEVEL);
    run(made.bytes, made.size, UINT64_MAX);
    CHECK_BUGCHECK(runner, WDFDMA_BUGCHECK_IRQL_NOT_LESS_OR_EQUAL);
    made.size = at;
    PUT(&made, WDFDMA_OP_RAISE_IRQL, HIGH_LEVEL + 1);
    check_error(&made, WDFDMA_PROGRAM_OUT_OF_RANGE, at + 1, HIGH_LEVEL + 1);
    for (int op = WDFDMA_OP_PROGRAM_COUNT; op < 128; op++) {
        if (wdfdma_program_get_operation((uint32_t)op) == NULL) {
            made.size = at;
            PUT(&made, (uint64_t)op);
            check_error(&made, WDFDMA_PROGRAM_UNKNOWN_OPERATION, at, op);
        }
    }
    runner_close();
}

TEST(bad_heads_tell_their_place) {
    static program made;
    runner_open();
    put_world(&made);
    made.bytes[3] = 2;
    check_error(&made, WDFDMA_PROGRAM_NOT_A_PROGRAM, 3, 2);
    put_head(&made, (1u << 20) + 1);
    check_error(&made, WDFDMA_PROGRAM_OUT_OF_RANGE, 4, (1 << 20) + 1);
    put_world(&made);
    made.bytes[6] = 11;
    check_error(&made, WDFDMA_PROGRAM_OUT_OF_RANGE, 6, 11);
    put_head(&made, 8);
    put_number(&made, 1);
    size_t at = made.size;
    put_enabler(&made, (WDF_DMA_PROFILE)9, 4096, 0);
    put_number(&made, 0);
    check_error(&made, WDFDMA_PROGRAM_ENABLER_REFUSED, at, STATUS_INVALID_PARAMETER);
    runner_close();
}

TEST(nesting_ends_at_64) {
    static program made;
    runner_open();
    for (int levels = 60; levels <= 70; levels++) {
        uint8_t inner[PROGRAM_MOST];
        size_t size = 0;
        for (int level = 0; level < levels; level++) {
            uint8_t step[PROGRAM_MOST] = {WDFDMA_OP_ON, 1, 0, 1};
            size_t head = 4;
            for (size_t left = size; left >= 0x80; left >>= 7) {
                step[head++] = (uint8_t)((left & 0x7F) | 0x80);
            }
            step[head++] = (uint8_t)(size >= 0x80 ? size >> 7 : size);
            memcpy(step + head, inner, size);
            size += head;
            memcpy(inner, step, size);
        }
        put_world(&made);
        memcpy(made.bytes + made.size, inner, size);
        made.size += size;
        wdfdma_program_result result = {0};
        bool valid = wdfdma_program_check(made.bytes, made.size, &result);
        CHECK(valid || result.rule == WDFDMA_PROGRAM_NESTED_TOO_DEEP);
        CHECK(levels > 62 || valid);
        CHECK(levels < 66 || !valid);
    }
    runner_close();
}

TEST(a_machine_is_used_once) {
    static program made;
    wdfdma_program_result result = {0};
    put_valid(&made);
    runner_open();
    CHECK(wdfdma_program_run(runner, made.bytes, made.size, 3, &result));
    CHECK(!wdfdma_program_run(runner, made.bytes, made.size, 3, &result));
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_MACHINE_IN_USE);
    CHECK(!wdfdma_program_run(NULL, made.bytes, made.size, 3, NULL));
    CHECK(!wdfdma_program_check(NULL, 100, &result));
    CHECK_STATUS(wdfdma_machine_restore(runner, fresh), STATUS_SUCCESS);
    CHECK(!wdfdma_program_run(runner, NULL, 100, 3, &result));
    world_device(runner);
    CHECK(!wdfdma_program_run(runner, made.bytes, made.size, 3, &result));
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_MACHINE_IN_USE);
    runner_close();
}

HARNESS_MAIN(ENTRY(errors_tell_their_place), ENTRY(a_family_has_its_own_steps),
             ENTRY(bad_heads_tell_their_place), ENTRY(nesting_ends_at_64),
             ENTRY(a_machine_is_used_once))
