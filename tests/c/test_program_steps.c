/* Every operation that a program may have, in any order, with any operands: nothing that a script
 * asks for harms the machine, and whatever comes of it, it comes again. */
#include "program_bytes.h"

enum {
    PROGRAMS = 6000,
    STEPS = 60,
    NAMES = 3,
    LOG_MOST = 1 << 20
};

/* Four enablers, the last without a channel; three buffers, two of which share pages. */
static void put_world(program *to) {
    to->size = 0;
    PUT(to, 'W', 'D', 'P', 1, 8, 8, 36, 2, 4);
    PUT(to, WdfDmaProfilePacket, 12288, 3, 0, 0, 0);
    PUT(to, WdfDmaProfileScatterGather, 12288, 3, 0, 0, 0);
    PUT(to, WdfDmaProfileSystemDuplex, 8192, 3, 0, 0, 0);
    PUT(to, WdfDmaProfileSystem, 8192, 3, 0, 0, 2);
    PUT(to, 3);
    PUT(to, 1, 100, 9000, 5, 6, 300);
    PUT(to, 2, 0, 4096, 77, 4000, 200, 80, 90);
    PUT(to, 1, 0, 4096, 77);
}

static void put_objects(program *to, uint64_t *random) {
    for (uint64_t name = 0; name < NAMES; name++) {
        PUT(to, WDFDMA_OP_CREATE, name, world_random_below(random, 8) % 3);
        PUT(to, WDFDMA_OP_INITIALIZE, name, world_random_below(random, 3), 0,
            world_random_below(random, 2) == 0 ? 4096 : 100, world_random_below(random, 2));
        PUT(to, WDFDMA_OP_EXECUTE, name);
        put_byte(to, WDFDMA_OP_REQUEST_CREATE);
        PUT(to, name, name, 4096, name % 2);
        PUT(to, WDFDMA_OP_COMMON_BUFFER_CREATE, name, world_random_below(random, 2), 5000);
    }
}

/* Mostly one that fits, now and then the most that may be. */
static uint64_t choose_operand(uint32_t op, const wdfdma_operand *operand, uint64_t *random) {
    uint64_t bound = NAMES;
    if (op == WDFDMA_OP_SET_CALLBACK && operand->kind == WDFDMA_OPERAND_EVENT) {
        return WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL + world_random_below(random, 2);
    }
    if (operand->kind == WDFDMA_OPERAND_NUMBER) {
        static const uint64_t numbers[] = {0, 0, 0, 0, 1, 16, 100, 4096, 9000, UINT64_MAX};
        uint64_t number = numbers[world_random_below(random, 10)];
        return number < operand->maximum ? number : operand->maximum;
    }
    if (operand->kind != WDFDMA_OPERAND_TRANSACTION && operand->kind != WDFDMA_OPERAND_NAMED) {
        bound = operand->maximum < NAMES ? operand->maximum + 1 : operand->maximum;
        bound = bound > 16 ? NAMES : bound;
    }
    return world_random_below(random, bound);
}

static void put_step(program *to, uint64_t *random, int depth) {
    const wdfdma_operation *operation = NULL;
    uint32_t op = 0;
    while (operation == NULL || op == WDFDMA_OP_DELETE) {
        op = world_random_below(random, 256);
        operation = wdfdma_program_get_operation(op);
    }
    put_byte(to, op);
    for (uint32_t i = 0; i < operation->operand_count; i++) {
        if (operation->operands[i].kind != WDFDMA_OPERAND_STEPS) {
            put_number(to, choose_operand(op, &operation->operands[i], random));
            continue;
        }
        program inside = {.size = 0};
        for (uint32_t left = depth == 0 ? 0 : world_random_below(random, 3); left > 0; left--) {
            put_step(&inside, random, depth - 1);
        }
        put_body(to, &inside);
    }
}

static wdfdma_machine *runner;
static wdfdma_snapshot *fresh;

static void runner_open(void) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    config.maximum_depth = 16;
    runner = harness_machine(&config);
    fresh = world_snapshot(runner);
}

static void runner_close(void) {
    wdfdma_snapshot_destroy(fresh);
    harness_machine_end(runner);
}

/* How far it came. Where rules are collected, it goes on past the driver's mistakes. */
static wdfdma_program_result run(const program *made, bool collects) {
    wdfdma_program_result result = {.rule = UINT32_MAX};
    CHECK_STATUS(wdfdma_machine_restore(runner, fresh), STATUS_SUCCESS);
    if (collects) {
        CHECK_STATUS(wdfdma_machine_set_rule_mode(runner, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
                     STATUS_SUCCESS);
    }
    wdfdma_program_run(runner, made->bytes, made->size, UINT64_MAX, &result);
    CHECK_MACHINE(runner);
    return result;
}

static size_t copy_log(uint8_t *into) {
    wdfdma_log_view view = {0};
    CHECK_STATUS(wdfdma_log_get_view(runner, &view), STATUS_SUCCESS);
    size_t size = (size_t)view.first_count * sizeof(wdfdma_log_record);
    size = size < LOG_MOST ? size : LOG_MOST;
    memcpy(into, view.first, size);
    return size;
}

/* A snapshot says how many states follow it. */
static void check_snapshots(const uint8_t *log, size_t size) {
    uint64_t due = 0;
    for (size_t at = 0; at + sizeof(wdfdma_log_record) <= size; at += sizeof(wdfdma_log_record)) {
        wdfdma_log_record record;
        memcpy(&record, log + at, sizeof record);
        if (record.kind == WDFDMA_RECORD_STATE) {
            CHECK(due > 0);
            due--;
        } else {
            CHECK_EQUAL(due, 0);
            due = record.kind == WDFDMA_RECORD_SNAPSHOT ? record.values[1] : 0;
        }
    }
    CHECK_EQUAL(due, 0);
}

TEST(random_operations) {
    static program made;
    static uint8_t first_log[LOG_MOST], second_log[LOG_MOST];
    uint64_t random = 31;
    uint64_t steps = 0;
    runner_open();
    for (int i = 0; i < PROGRAMS && harness.failures == 0; i++) {
        put_world(&made);
        put_objects(&made, &random);
        for (int step = 0; step < STEPS && made.size < PROGRAM_MOST / 2; step++) {
            put_step(&made, &random, 2);
        }
        bool collects = i % 2 == 0;
        wdfdma_program_result first = run(&made, collects);
        size_t size = copy_log(first_log);
        wdfdma_program_result second = run(&made, collects);
        CHECK_EQUAL(copy_log(second_log), size);
        CHECK_EQUAL(memcmp(&first, &second, sizeof first), 0);
        CHECK_BYTES(second_log, first_log, size);
        check_snapshots(first_log, size);
        CHECK(first.rule != WDFDMA_PROGRAM_TRUNCATED);
        steps += first.steps + first.nested;
    }
    CHECK(steps > 16 * (uint64_t)PROGRAMS); /* the transactions are made, and more follows */
    runner_close();
}

HARNESS_MAIN(ENTRY(random_operations))
