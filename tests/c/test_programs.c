/* Programs: what is read, what is refused and where, and that whatever runs runs the same each
 * time. */
#include "world.h"

enum {
    PROGRAM_MOST = 4096,
    RANDOM_PROGRAMS = 20000,
    STEPS_MOST = 2000
};

typedef struct program {
    uint8_t bytes[PROGRAM_MOST];
    size_t size;
    size_t ends[64]; /* where the head, and then each outermost step, ends */
    size_t end_count;
} program;

/* ---- Writing ---- */

static void put(program *to, uint64_t byte) {
    if (to->size < PROGRAM_MOST) {
        to->bytes[to->size++] = (uint8_t)byte;
    }
}

static void put_number(program *to, uint64_t value) {
    while (value >= 0x80) {
        put(to, (value & 0x7F) | 0x80);
        value >>= 7;
    }
    put(to, value);
}

static void put_numbers(program *to, const uint64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        put_number(to, values[i]);
    }
}

#define PUT(to, ...) \
    put_numbers((to), (const uint64_t[]){__VA_ARGS__}, \
                sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* An outermost step; all of its operands are numbers below 128, or LEB128. */
#define STEP(to, ...) \
    do { \
        PUT(to, __VA_ARGS__); \
        (to)->ends[(to)->end_count++] = (to)->size; \
    } while (0)

static void put_enabler(program *to, WDF_DMA_PROFILE profile, uint64_t length, uint64_t version) {
    put(to, (uint64_t)profile);
    put_number(to, length);
    put(to, version);
    put(to, 0); /* address width */
    put_number(to, 0);
    put(to, 0);
}

static void put_head(program *to, uint64_t map_registers) {
    static const uint8_t magic[] = {'W', 'D', 'P', 1};
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < sizeof magic; i++) {
        put(to, magic[i]);
    }
    PUT(to, map_registers, map_registers, 36);
    put(to, 2);
}

/* Three enablers, two buffers, and no step yet. */
static void put_world(program *to) {
    put_head(to, 8);
    put_number(to, 3);
    put_enabler(to, WdfDmaProfilePacket, 12288, 3);
    put_enabler(to, WdfDmaProfileScatterGather, 12288, 2);
    put_enabler(to, WdfDmaProfileSystemDuplex, 8192, 3);
    PUT(to, 2);
    PUT(to, 1, 100, 9000, 5, 6, 300);
    PUT(to, 2, 0, 4096, 77, 4000, 200, 80, 90);
    to->ends[to->end_count++] = to->size;
}

static void put_valid(program *to) {
    put_world(to);
    STEP(to, WDFDMA_OP_CREATE, 0, 0);
    STEP(to, WDFDMA_OP_CREATE, 300, 1);
    STEP(to, WDFDMA_OP_CREATE, 2, 2);
    STEP(to, WDFDMA_OP_INITIALIZE, 0, 0, 10, 5000, 0);
    STEP(to, WDFDMA_OP_INITIALIZE, 300, 1, 0, 4296, 1);
    STEP(to, WDFDMA_OP_INITIALIZE, 2, 0, 0, 8000, 1);
    STEP(to, WDFDMA_OP_SET_CALLBACK, 2, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, 1);
    STEP(to, WDFDMA_OP_ON, 0, WDFDMA_EVENT_PROGRAM_DMA, 1, 2, WDFDMA_OP_GET_BYTES_TRANSFERRED, 0);
    STEP(to, WDFDMA_OP_EXECUTE, 0);
    STEP(to, WDFDMA_OP_EXECUTE, 300);
    STEP(to, WDFDMA_OP_EXECUTE, 2);
    STEP(to, WDFDMA_OP_GET_FRAGMENT_LENGTH, 1, 0);
    STEP(to, WDFDMA_OP_COMPLETE_TRANSFER, 2, 1);
    STEP(to, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH, 0, 1000);
    STEP(to, WDFDMA_OP_DMA_COMPLETED, 300);
    STEP(to, WDFDMA_OP_DMA_COMPLETED_FINAL, 0, 100);
    STEP(to, WDFDMA_OP_RELEASE, 0);
    STEP(to, WDFDMA_OP_ALLOCATE_RESOURCES, 0, 1, 2);
    STEP(to, WDFDMA_OP_FREE_RESOURCES, 0);
    STEP(to, WDFDMA_OP_DELETE, 300);
}

/* ---- Running ---- */

static wdfdma_machine *runner;
static wdfdma_snapshot *fresh;

static void runner_open(void) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    runner = harness_machine(&config);
    fresh = world_snapshot(runner);
}

static void runner_close(void) {
    wdfdma_snapshot_destroy(fresh);
    harness_machine_end(runner);
}

static wdfdma_program_result run(const uint8_t *bytes, size_t size, uint64_t steps) {
    wdfdma_program_result result = {.rule = UINT32_MAX};
    CHECK_STATUS(wdfdma_machine_restore(runner, fresh), STATUS_SUCCESS);
    bool ran = wdfdma_program_run(runner, bytes, size, steps, &result);
    CHECK_EQUAL(ran, result.rule == WDFDMA_PROGRAM_OK);
    return result;
}

/* The bytes of the log, in place. */
static const void *log_bytes(size_t *size) {
    wdfdma_log_view view = {0};
    CHECK_STATUS(wdfdma_log_get_view(runner, &view), STATUS_SUCCESS);
    *size = (size_t)view.first_count * sizeof(wdfdma_log_record);
    return view.first;
}

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
            put(&made, world_random_below(&random, bound));
        }
        run_twice(made.bytes, made.size);
    }
    runner_close();
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
            put(&made, op);
            for (uint32_t operand = 0; operand < operation->operand_count; operand++) {
                static const uint64_t names[] = {0, 300, 2};
                uint64_t bound = operation->operands[operand].maximum;
                bound = bound < 9000 ? bound + 1 : 9000;
                switch (operation->operands[operand].kind) {
                case WDFDMA_OPERAND_TRANSACTION:
                    put_number(&made, names[world_random_below(&random, 3)]);
                    break;
                case WDFDMA_OPERAND_ENABLER:
                    put_number(&made, world_random_below(&random, 3));
                    break;
                case WDFDMA_OPERAND_BUFFER:
                    put_number(&made, world_random_below(&random, 2));
                    break;
                case WDFDMA_OPERAND_STEPS: {
                    static const uint8_t inside[] = {WDFDMA_OP_DMA_COMPLETED, WDFDMA_OP_RELEASE,
                                                     WDFDMA_OP_EXECUTE, WDFDMA_OP_CANCEL};
                    PUT(&made, 2, inside[world_random_below(&random, 4)],
                        world_random_below(&random, 2) * 2);
                    break;
                }
                default:
                    put_number(&made, world_random_below(&random, bound));
                    break;
                }
            }
        }
        run_twice(made.bytes, made.size);
    }
    runner_close();
}

/* ---- Errors and their places ---- */

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
             ENTRY(steps_are_limited), ENTRY(every_prefix), ENTRY(every_mutation_of_one_byte),
             ENTRY(random_bytes), ENTRY(random_steps), ENTRY(errors_tell_their_place),
             ENTRY(a_family_has_its_own_steps), ENTRY(bad_heads_tell_their_place),
             ENTRY(nesting_ends_at_64), ENTRY(a_machine_is_used_once),
             ENTRY(operations_describe_themselves))
