/* Programs cut short, changed, and made at random: whatever runs runs the same each time. */
#include "program_runner.h"

enum {
    RANDOM_PROGRAMS = 20000,
    STEPS_MOST = 2000
};

static bool is_an_end(const program *made, size_t size) {
    for (size_t i = 0; i < made->end_count; i++) {
        if (made->ends[i] == size) {
            return true;
        }
    }
    return false;
}

TEST(every_prefix) {
    static program made;
    put_valid(&made);
    runner_open();
    for (size_t size = 0; size <= made.size; size++) {
        wdfdma_program_result result = {0};
        /* On the heap, so that a read past the end is seen. */
        uint8_t *copy = malloc(size == 0 ? 1 : size);
        REQUIRE(copy != NULL);
        memcpy(copy, made.bytes, size);
        bool valid = wdfdma_program_check(copy, size, &result);
        CHECK_EQUAL(valid, is_an_end(&made, size));
        if (!valid) {
            CHECK(result.rule == WDFDMA_PROGRAM_TRUNCATED || size < 4);
            CHECK(result.offset <= size);
        }
        wdfdma_program_result ran = run(copy, size, UINT64_MAX);
        CHECK_EQUAL(ran.rule, result.rule);
        CHECK_EQUAL(ran.offset, result.offset);
        CHECK_MACHINE(runner);
        free(copy);
    }
    runner_close();
}

/* Runs what may be no program; whatever comes of it, it comes again. */
static void run_twice(const uint8_t *bytes, size_t size) {
    wdfdma_program_result checked = {0};
    bool valid = wdfdma_program_check(bytes, size, &checked);
    wdfdma_program_result first = run(bytes, size, STEPS_MOST);
    size_t log_size, again;
    log_bytes(&log_size);
    CHECK_MACHINE(runner);
    if (!valid) {
        CHECK_EQUAL(first.rule, checked.rule);
        CHECK_EQUAL(first.steps + first.nested, 0);
        CHECK(checked.offset <= size);
        return;
    }
    wdfdma_program_result second = run(bytes, size, STEPS_MOST);
    log_bytes(&again);
    CHECK_EQUAL(again, log_size);
    CHECK_EQUAL(memcmp(&first, &second, sizeof first), 0);
}

TEST(every_mutation_of_one_byte) {
    static program made;
    put_valid(&made);
    runner_open();
    for (size_t at = 0; at < made.size && harness.failures == 0; at++) {
        uint8_t kept = made.bytes[at];
        for (int value = 0; value < 256; value++) {
            made.bytes[at] = (uint8_t)value;
            run_twice(made.bytes, made.size);
        }
        made.bytes[at] = kept;
    }
    runner_close();
}

TEST(random_bytes) {
    static program made;
    uint64_t random = 9;
    runner_open();
    for (int i = 0; i < RANDOM_PROGRAMS && harness.failures == 0; i++) {
        uint32_t kind = world_random_below(&random, 3);
        put_valid(&made);
        made.size = kind == 0 ? 0 : (kind == 1 ? made.ends[0] : made.ends[6]);
        uint32_t count = 1 + world_random_below(&random, 60);
        for (uint32_t byte = 0; byte < count; byte++) {
            uint32_t bound = world_random_below(&random, 4) == 0 ? 256 : 24;
            put_byte(&made, world_random_below(&random, bound));
        }
        run_twice(made.bytes, made.size);
    }
    runner_close();
}

static void put_operand(program *to, const wdfdma_operand *operand, uint64_t *random) {
    static const uint64_t names[] = {0, 300, 2};
    static const uint8_t inside[] = {WDFDMA_OP_DMA_COMPLETED, WDFDMA_OP_RELEASE, WDFDMA_OP_EXECUTE,
                                     WDFDMA_OP_CANCEL};
    switch (operand->kind) {
    case WDFDMA_OPERAND_TRANSACTION:
        put_number(to, names[world_random_below(random, 3)]);
        break;
    case WDFDMA_OPERAND_ENABLER:
        put_number(to, world_random_below(random, 3));
        break;
    case WDFDMA_OPERAND_BUFFER:
        put_number(to, world_random_below(random, 2));
        break;
    case WDFDMA_OPERAND_STEPS:
        PUT(to, 2, inside[world_random_below(random, 4)], world_random_below(random, 2) * 2);
        break;
    default:
        put_number(
            to, world_random_below(random, operand->maximum < 9000 ? operand->maximum + 1 : 9000));
        break;
    }
}

/* Steps that are well formed, in any order, with reactions: programs that get far. */
TEST(random_steps) {
    static program made;
    uint64_t random = 10;
    runner_open();
    for (int i = 0; i < RANDOM_PROGRAMS && harness.failures == 0; i++) {
        put_valid(&made);
        made.size = made.ends[6];
        for (int step = 0; step < 30; step++) {
            uint32_t op = 2 + world_random_below(&random, WDFDMA_OP_PROGRAM_COUNT - 2);
            const wdfdma_operation *operation = wdfdma_program_get_operation(op);
            REQUIRE(operation != NULL);
            put_byte(&made, op);
            for (uint32_t operand = 0; operand < operation->operand_count; operand++) {
                put_operand(&made, &operation->operands[operand], &random);
            }
        }
        run_twice(made.bytes, made.size);
    }
    runner_close();
}

HARNESS_MAIN(ENTRY(every_prefix), ENTRY(every_mutation_of_one_byte), ENTRY(random_bytes),
             ENTRY(random_steps))
