/* The steps of a WDM driver in programs: what they record, what they refuse, and that no program
 * made of them harms the machine, whatever is stale, missing or out of bounds. */
#include "program_bytes.h"

enum {
    PROGRAMS = 20000,
    STEPS = 40,
    NAMES = 3,
    MAP_REGISTERS = 8,
    READ = 0,
    KEEP_REGISTERS = DeallocateObjectKeepRegisters - 1,
    PAGE_BEFORE = 2 * WORLD_PAGE - 1 /* how -WORLD_PAGE is written */
};

/* A packet enabler, one with the system's channels, a buffer of one MDL, and one of two. */
static void put_world(program *to, bool force) {
    to->size = 0;
    PUT(to, 'W', 'D', 'P', 1, MAP_REGISTERS, MAP_REGISTERS, 36);
    put_byte(to, force ? 3 : 2);
    PUT(to, 2);
    PUT(to, WdfDmaProfilePacket, 12288, 3, 0, 0, 0);
    PUT(to, WdfDmaProfileSystemDuplex, 12288, 3, 0, 0, 0);
    PUT(to, 2, 1, 100, 9000, 5, 6, 300, 2, 0, 4096, 77, 4000, 200, 80, 90);
}

static void put_adapters(program *to) {
    PUT(to, WDFDMA_OP_IO_GET_DMA_ADAPTER, 0, 0, 65536, 32, 3);
    PUT(to, WDFDMA_OP_IO_GET_DMA_ADAPTER, 1, 1, 65536, 32, 3);
    PUT(to, WDFDMA_OP_WDM_GET_DMA_ADAPTER, 2, 1, READ);
    PUT(to, WDFDMA_OP_RAISE_IRQL, DISPATCH_LEVEL);
}

/* ---- Running ---- */

typedef struct runner {
    wdfdma_machine *machine;
    wdfdma_snapshot *fresh;
} runner;

static runner runner_open(void) {
    wdfdma_machine_config config = world_config(MAP_REGISTERS);
    config.log_records = WDFDMA_LOG_GROWS;
    runner made = {.machine = harness_machine(&config)};
    made.fresh = world_snapshot(made.machine);
    return made;
}

static void runner_close(runner *of) {
    wdfdma_snapshot_destroy(of->fresh);
    harness_machine_end(of->machine);
}

static wdfdma_program_result run(const runner *on, const program *made, uint32_t mode) {
    wdfdma_program_result result = {.rule = UINT32_MAX};
    CHECK_STATUS(wdfdma_machine_restore(on->machine, on->fresh), STATUS_SUCCESS);
    wdfdma_machine_set_rule_mode(on->machine, WDFDMA_RULE_NONE, mode);
    wdfdma_program_run(on->machine, made->bytes, made->size, UINT64_MAX, &result);
    return result;
}

static const wdfdma_log_record *log_get(const runner *on, uint64_t *count) {
    wdfdma_log_view view = {0};
    CHECK_STATUS(wdfdma_log_get_view(on->machine, &view), STATUS_SUCCESS);
    *count = view.first_count;
    return view.first;
}

/* The record of the last step that was run. */
static wdfdma_log_record last_op(const runner *on) {
    uint64_t count;
    const wdfdma_log_record *records = log_get(on, &count);
    while (count > 0 && records[count - 1].kind != WDFDMA_RECORD_OP) {
        count--;
    }
    return count == 0 ? (wdfdma_log_record){.code = UINT16_MAX} : records[count - 1];
}

static void check_result(const runner *on, const program *made, wdfdma_program_rule rule,
                         uint64_t offset, uint64_t value) {
    wdfdma_program_result result = run(on, made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(result.rule, rule);
    CHECK_EQUAL(result.offset, offset);
    CHECK_EQUAL((uint64_t)result.value, value);
}

/* ---- What the steps do ---- */

/* AdapterControl maps in its body; its base is known there, and afterwards. */
TEST(a_body_runs_in_the_routine) {
    static program made, body;
    runner on = runner_open();
    put_world(&made, false);
    put_adapters(&made);
    body.size = 0;
    PUT(&body, WDFDMA_OP_MAP_TRANSFER, 0, 7, 0, 2 * 10, 100, READ);
    PUT(&made, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, 0, 7, 2, KEEP_REGISTERS);
    put_body(&made, &body);
    wdfdma_program_result result = run(&on, &made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
    CHECK_EQUAL(result.nested, 1);
    uint64_t count;
    const wdfdma_log_record *records = log_get(&on, &count);
    REQUIRE(CHECK(count >= 3));
    CHECK_EQUAL(records[count - 3].code, WDFDMA_OP_MAP_TRANSFER);
    CHECK_EQUAL(records[count - 3].values[0], 5 * WORLD_PAGE + 110);
    CHECK_EQUAL(records[count - 3].values[1], 100);
    CHECK_EQUAL(last_op(&on).code, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL);
    CHECK_STATUS(last_op(&on).status, STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(on.machine)->free_registers, MAP_REGISTERS - 2);
    PUT(&made, WDFDMA_OP_FLUSH_ADAPTER_BUFFERS, 0, 7, 0, 2 * 10, 100, READ);
    PUT(&made, WDFDMA_OP_FREE_MAP_REGISTERS, 0, 7, 2);
    CHECK_EQUAL(run(&on, &made, WDFDMA_MODE_DEFAULT).rule, WDFDMA_PROGRAM_OK);
    CHECK(wdfdma_machine_get_bugcheck(on.machine) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(on.machine)->free_registers, MAP_REGISTERS);
    runner_close(&on);
}

/* A request that waits runs its body when it is granted; one that is cancelled never does. */
TEST(a_body_waits_with_its_request) {
    static program made, body;
    runner on = runner_open();
    for (uint64_t cancels = 0; cancels < 2; cancels++) {
        put_world(&made, false);
        put_adapters(&made);
        body.size = 0;
        PUT(&made, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, 0, 0, MAP_REGISTERS, KEEP_REGISTERS, 0);
        PUT(&body, WDFDMA_OP_GET_DMA_ALIGNMENT, 0);
        PUT(&made, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL_EX, 1, 1, 1, 5, 0, KEEP_REGISTERS);
        put_body(&made, &body);
        if (cancels != 0) {
            PUT(&made, WDFDMA_OP_CANCEL_ADAPTER_CHANNEL, 1, 5);
        }
        PUT(&made, WDFDMA_OP_FREE_MAP_REGISTERS, 0, 0, MAP_REGISTERS);
        wdfdma_machine_set_rule_mode(on.machine, WDFDMA_RULE_DMA_13, WDFDMA_MODE_IGNORE);
        wdfdma_program_result result = run(&on, &made, WDFDMA_MODE_IGNORE);
        CHECK_EQUAL(result.rule, WDFDMA_PROGRAM_OK);
        CHECK_EQUAL(result.nested, 1 - cancels);
        CHECK_EQUAL(wdfdma_machine_get_state(on.machine)->free_registers,
                    MAP_REGISTERS - 1 + cancels);
    }
    runner_close(&on);
}

/* A list is built in the driver's buffer; a name that grows gets another one. */
TEST(a_list_is_built_and_put_by_its_name) {
    static program made;
    runner on = runner_open();
    put_world(&made, false);
    put_adapters(&made);
    for (uint64_t room = 100; room <= 200; room += 50) {
        PUT(&made, WDFDMA_OP_BUILD_SCATTER_GATHER_LIST, 1, 4, 1, 0, 4296, READ, room, 0);
        PUT(&made, WDFDMA_OP_PUT_SCATTER_GATHER_LIST, 1, 4, READ);
    }
    PUT(&made, WDFDMA_OP_BUILD_SCATTER_GATHER_LIST, 1, 4, 1, 0, 4296, READ, 87, 0);
    CHECK_EQUAL(run(&on, &made, WDFDMA_MODE_DEFAULT).rule, WDFDMA_PROGRAM_OK);
    CHECK_STATUS(last_op(&on).status, STATUS_BUFFER_TOO_SMALL);
    PUT(&made, WDFDMA_OP_CALCULATE_SCATTER_GATHER_LIST, 1, 1, 0, 4296);
    run(&on, &made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(last_op(&on).values[0],
                sizeof(SCATTER_GATHER_LIST) + 3 * sizeof(SCATTER_GATHER_ELEMENT));
    PUT(&made, WDFDMA_OP_PUT_SCATTER_GATHER_LIST, 1, 4, READ);
    run(&on, &made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(world_rule(on.machine), WDFDMA_RULE_DMA_06);
    runner_close(&on);
}

TEST(a_system_transfer_completes_in_its_body) {
    static program made, body;
    runner on = runner_open();
    put_world(&made, false);
    put_adapters(&made);
    body.size = 0;
    PUT(&body, WDFDMA_OP_FLUSH_ADAPTER_BUFFERS_EX, 2, 0, 0, 0, 100, READ);
    PUT(&body, WDFDMA_OP_FREE_ADAPTER_CHANNEL, 2);
    PUT(&made, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL_EX, 2, 0, 2, 9, 0, KeepObject - 1, 0);
    PUT(&made, WDFDMA_OP_MAP_TRANSFER_EX, 2, 0, 0, 0, 100, READ);
    put_body(&made, &body);
    PUT(&made, WDFDMA_OP_READ_DMA_COUNTER, 2);
    run(&on, &made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(last_op(&on).values[0], 100);
    PUT(&made, WDFDMA_OP_COMPLETE_TRANSFER, 1, READ);
    wdfdma_program_result result = run(&on, &made, WDFDMA_MODE_DEFAULT);
    CHECK_EQUAL(result.nested, 2);
    CHECK(wdfdma_machine_get_bugcheck(on.machine) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(on.machine)->free_registers, MAP_REGISTERS);
    runner_close(&on);
}

/* A routine that frees its channel answers KeepObject; the channel of a list is nobody's to free. */
TEST(a_channel_is_freed_once) {
    static const struct {
        uint64_t op, action;
        uint32_t rule;
    } rows[] = {
        {WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, KeepObject - 1, WDFDMA_RULE_NONE},
        {WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, DeallocateObject - 1, WDFDMA_RULE_DMA_04},
        {WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, KEEP_REGISTERS, WDFDMA_RULE_DMA_04},
        {WDFDMA_OP_GET_SCATTER_GATHER_LIST, 0, WDFDMA_RULE_DMA_04},
    };
    static program made, body;
    runner on = runner_open();
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        bool collects = (i & 1) != 0;
        put_world(&made, false);
        put_adapters(&made);
        body.size = 0;
        PUT(&body, WDFDMA_OP_FREE_ADAPTER_CHANNEL, 1);
        if (rows[i / 2].op == WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL) {
            PUT(&made, rows[i / 2].op, 1, 1, 2, rows[i / 2].action);
        } else {
            PUT(&made, rows[i / 2].op, 1, 1, 0, 0, 100, READ);
        }
        put_body(&made, &body);
        PUT(&made, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, 1, 2, 7, DeallocateObject - 1, 0);
        run(&on, &made, collects ? WDFDMA_MODE_COLLECT : WDFDMA_MODE_DEFAULT);
        size_t count = 0;
        wdfdma_machine_get_violations(on.machine, &count);
        CHECK_EQUAL(world_rule(on.machine), collects ? WDFDMA_RULE_NONE : rows[i / 2].rule);
        CHECK_EQUAL(count, rows[i / 2].rule != WDFDMA_RULE_NONE);
        CHECK_MACHINE(on.machine);
    }
    runner_close(&on);
}

/* ---- What is refused ---- */

TEST(names_must_be_made) {
    static program made;
    static const uint64_t steps[][7] = {
        {WDFDMA_OP_PUT_DMA_ADAPTER, 9},
        {WDFDMA_OP_FREE_MAP_REGISTERS, 0, 9, 2},
        {WDFDMA_OP_MAP_TRANSFER, 0, 9, 0, 0, 1, READ},
        {WDFDMA_OP_PUT_SCATTER_GATHER_LIST, 0, 9, READ},
        {WDFDMA_OP_FREE_COMMON_BUFFER, 0, 9, 100},
        {WDFDMA_OP_WRITE_COMMON_BUFFER, 9, 0, 1},
    };
    runner on = runner_open();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        put_world(&made, false);
        put_adapters(&made);
        size_t at = made.size;
        const wdfdma_operation *operation = wdfdma_program_get_operation((uint32_t)steps[i][0]);
        put_numbers(&made, steps[i], 1 + operation->operand_count);
        check_result(&on, &made, WDFDMA_PROGRAM_NOT_CREATED, at + (steps[i][1] == 9 ? 1 : 2), 9);
    }
    put_world(&made, false);
    put_adapters(&made);
    size_t at = made.size;
    PUT(&made, WDFDMA_OP_IO_GET_DMA_ADAPTER, 2, 0, 65536, 32, 3);
    check_result(&on, &made, WDFDMA_PROGRAM_CREATED_TWICE, at + 1, 2);
    runner_close(&on);
}

/* The driver writes in its common buffer and right beside it, and nowhere else. */
TEST(a_driver_writes_near_its_common_buffer) {
    static program made;
    static const struct {
        uint64_t offset, length; /* the offset as it is written */
        bool fits;
    } rows[] = {{0, 100, true},
                {2 * 92, 16, true},
                {2 * 92, 17, false},
                {PAGE_BEFORE, 1, true},
                {PAGE_BEFORE + 2, 1, false},
                {2 * 108, 0, true},
                {2 * 109, 0, false},
                {0, UINT32_MAX, false},
                {2ull * UINT32_MAX, 1, false},
                {2ull * UINT32_MAX - 1, UINT32_MAX, false}};
    runner on = runner_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_world(&made, false);
        PUT(&made, WDFDMA_OP_IO_GET_DMA_ADAPTER, 0, 0, 65536, 32, 3);
        PUT(&made, WDFDMA_OP_ALLOCATE_COMMON_BUFFER, 0, 1, 100);
        PUT(&made, WDFDMA_OP_WRITE_COMMON_BUFFER, 1, rows[i].offset, rows[i].length);
        wdfdma_program_result result = run(&on, &made, WDFDMA_MODE_DEFAULT);
        CHECK_EQUAL(result.rule, rows[i].fits ? WDFDMA_PROGRAM_OK : WDFDMA_PROGRAM_OUT_OF_RANGE);
    }
    put_world(&made, false);
    PUT(&made, WDFDMA_OP_IO_GET_DMA_ADAPTER, 0, 0, 65536, 32, 3);
    PUT(&made, WDFDMA_OP_ALLOCATE_COMMON_BUFFER, 0, 1, 100);
    PUT(&made, WDFDMA_OP_FREE_COMMON_BUFFER, 0, 1, 100);
    size_t at = made.size;
    PUT(&made, WDFDMA_OP_WRITE_COMMON_BUFFER, 1, 0, 1);
    check_result(&on, &made, WDFDMA_PROGRAM_NOT_CREATED, at + 1, 1);
    runner_close(&on);
}

/* ---- Programs at random ---- */

static uint64_t choose_number(uint64_t most, uint64_t *random) {
    static const uint64_t numbers[] = {0, 1, 2, 3, 8, 100, 4096, 4097, 9000, UINT64_MAX};
    uint64_t number = numbers[world_random_below(random, 10)];
    return number < most ? number : most;
}

static uint64_t choose_operand(const wdfdma_operand *operand, uint64_t *random) {
    switch (operand->kind) {
    case WDFDMA_OPERAND_NAMED:
    case WDFDMA_OPERAND_TRANSACTION:
        return world_random_below(random, NAMES);
    case WDFDMA_OPERAND_ENABLER:
    case WDFDMA_OPERAND_BUFFER:
        return world_random_below(random, 2);
    case WDFDMA_OPERAND_SIGNED:
        return world_random_below(random, 4) == 0
                   ? choose_number(2 * operand->maximum, random)
                   : 2 * (uint64_t)world_random_below(random, 3) * 1000;
    case WDFDMA_OPERAND_NUMBER:
        return choose_number(operand->maximum, random);
    default:
        return world_random_below(random, (uint32_t)operand->maximum + 1);
    }
}

/* [mixed]: half of them are any operation that a program may have. */
static uint32_t choose_op(bool mixed, uint64_t *random) {
    uint32_t count = WDFDMA_OP_UNLOCK_PAGES - WDFDMA_OP_PUT_DMA_ADAPTER + 1;
    uint32_t op = WDFDMA_OP_PUT_DMA_ADAPTER + world_random_below(random, count);
    op = world_random_below(random, 12) == 0 ? (uint32_t)WDFDMA_OP_COMPLETE_TRANSFER : op;
    if (mixed && world_random_below(random, 2) == 0) {
        do {
            op = world_random_below(random, 256);
        } while (wdfdma_program_get_operation(op) == NULL || op == WDFDMA_OP_CREATE);
    }
    return op;
}

static void put_random_step(program *to, bool mixed, uint64_t *random, int depth) {
    static program bodies[3];
    uint32_t op = choose_op(mixed, random);
    const wdfdma_operation *operation = wdfdma_program_get_operation(op);
    REQUIRE(operation != NULL);
    put_byte(to, op);
    for (uint32_t i = 0; i < operation->operand_count; i++) {
        if (operation->operands[i].kind != WDFDMA_OPERAND_STEPS) {
            put_number(to, choose_operand(&operation->operands[i], random));
            continue;
        }
        program *body = &bodies[depth];
        body->size = 0;
        for (uint32_t left = depth < 2 ? world_random_below(random, 3) : 0; left > 0; left--) {
            put_random_step(body, mixed, random, depth + 1);
        }
        put_body(to, body);
    }
}

/* Names for everything, so that few programs end early for want of one. */
static void put_names(program *to) {
    for (uint64_t name = 0; name < NAMES; name++) {
        PUT(to, WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL, name, name, 2, KEEP_REGISTERS, 0);
        PUT(to, WDFDMA_OP_GET_SCATTER_GATHER_LIST, name, name, 0, 0, 100, READ, 0);
    }
    PUT(to, WDFDMA_OP_LOWER_IRQL, PASSIVE_LEVEL);
    for (uint64_t name = 0; name < NAMES; name++) {
        PUT(to, WDFDMA_OP_ALLOCATE_COMMON_BUFFER, name, name, 100);
    }
    PUT(to, WDFDMA_OP_RAISE_IRQL, DISPATCH_LEVEL);
}

/* Whatever comes of a program, it comes again, on another machine too. */
static void run_both(const runner *first, const runner *second, const program *made,
                     uint32_t mode) {
    wdfdma_program_result one = run(first, made, mode);
    wdfdma_program_result other = run(second, made, mode);
    uint64_t count, again;
    const wdfdma_log_record *records = log_get(first, &count);
    const wdfdma_log_record *others = log_get(second, &again);
    CHECK_MACHINE(first->machine);
    CHECK_EQUAL(memcmp(&one, &other, sizeof one), 0);
    if (CHECK_EQUAL(count, again)) {
        CHECK_BYTES(records, others, count * sizeof *records);
    }
}

TEST(random_programs_harm_nothing) {
    static program made;
    uint64_t random = 11, ran = 0;
    runner first = runner_open(), second = runner_open();
    for (uint32_t i = 0; i < PROGRAMS && harness.failures == 0; i++) {
        put_world(&made, (i & 1) != 0);
        put_adapters(&made);
        put_names(&made);
        for (int step = 0; step < STEPS && made.size < PROGRAM_MOST / 2; step++) {
            put_random_step(&made, false, &random, 0);
        }
        static const uint32_t modes[] = {WDFDMA_MODE_DEFAULT, WDFDMA_MODE_COLLECT,
                                         WDFDMA_MODE_IGNORE};
        run_both(&first, &second, &made, modes[i % 3]);
        uint64_t count;
        log_get(&first, &count);
        ran += count;
    }
    CHECK(ran > 20 * PROGRAMS);
    runner_close(&first);
    runner_close(&second);
}

/* A framework's driver that also calls its enablers' adapters. */
static void put_mixed_world(program *to, bool force) {
    put_world(to, force);
    PUT(to, WDFDMA_OP_IO_GET_DMA_ADAPTER, 0, 0, 65536, 32, 3);
    PUT(to, WDFDMA_OP_WDM_GET_DMA_ADAPTER, 1, 0, READ);
    PUT(to, WDFDMA_OP_WDM_GET_DMA_ADAPTER, 2, 1, READ);
    PUT(to, WDFDMA_OP_RAISE_IRQL, DISPATCH_LEVEL);
    put_names(to);
    for (uint64_t name = 0; name < NAMES; name++) {
        PUT(to, WDFDMA_OP_CREATE, name, name % 2);
        PUT(to, WDFDMA_OP_INITIALIZE, name, name % 2, 0, 4000, READ);
    }
}

TEST(random_steps_of_both_drivers_harm_nothing) {
    static program made;
    uint64_t random = 13;
    runner first = runner_open(), second = runner_open();
    for (uint32_t i = 0; i < PROGRAMS && harness.failures == 0; i++) {
        put_mixed_world(&made, (i & 1) != 0);
        for (int step = 0; step < STEPS && made.size < PROGRAM_MOST / 2; step++) {
            put_random_step(&made, true, &random, 0);
        }
        run_both(&first, &second, &made, i % 3 == 0 ? WDFDMA_MODE_COLLECT : WDFDMA_MODE_IGNORE);
    }
    runner_close(&first);
    runner_close(&second);
}

TEST(random_bytes_harm_nothing) {
    static program made;
    uint64_t random = 12;
    runner first = runner_open(), second = runner_open();
    for (uint32_t i = 0; i < PROGRAMS && harness.failures == 0; i++) {
        put_world(&made, (i & 1) != 0);
        put_adapters(&made);
        size_t valid = made.size;
        put_names(&made);
        for (int step = 0; step < 10; step++) {
            put_random_step(&made, false, &random, 0);
        }
        for (int changed = 0; changed < 3; changed++) {
            uint32_t at = world_random_below(&random, (uint32_t)(made.size - valid));
            made.bytes[valid + at] = (uint8_t)world_random_below(&random, 256);
        }
        run_both(&first, &second, &made, WDFDMA_MODE_IGNORE);
    }
    runner_close(&first);
    runner_close(&second);
}

HARNESS_MAIN(ENTRY(a_body_runs_in_the_routine), ENTRY(a_body_waits_with_its_request),
             ENTRY(a_list_is_built_and_put_by_its_name),
             ENTRY(a_system_transfer_completes_in_its_body), ENTRY(a_channel_is_freed_once),
             ENTRY(names_must_be_made), ENTRY(a_driver_writes_near_its_common_buffer),
             ENTRY(random_programs_harm_nothing), ENTRY(random_steps_of_both_drivers_harm_nothing),
             ENTRY(random_bytes_harm_nothing))
