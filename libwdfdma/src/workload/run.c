/* A case, move by move, and the first thing that is wrong. */
#include "workload.h"

void run_fail(workload *run, uint32_t failure, const work_request *of, uint64_t expected,
              uint64_t actual) {
    if (run->result.failure != WDFDMA_FAILURE_NONE) {
        return;
    }
    run->result.failure = failure;
    run->result.move = run->move;
    run->result.request = of == NULL ? 0 : of->move;
    run->result.expected = expected;
    run->result.actual = actual;
}

static void violation_note(workload *run, const wdfdma_violation *told, uint32_t failure) {
    run_fail(run, failure, NULL, 0, 0);
    run->result.rule = told->rule;
    run->result.object_type = told->object_type;
    run->result.op = told->op;
}

static bool rule_is_leak(uint32_t rule) {
    return rule == WDFDMA_RULE_NEVER_COMPLETED ||
           (rule >= WDFDMA_RULE_LEAK_TRANSACTION && rule <= WDFDMA_RULE_LEAK_ADAPTER);
}

static void bugcheck_note(workload *run) {
    const wdfdma_bugcheck *why = wdfdma_machine_get_bugcheck(run->machine);
    run_fail(run, WDFDMA_FAILURE_BUGCHECK, NULL, 0, why->code);
    run->result.rule = why->rule;
    run->result.object_type = why->object_type;
    run->result.op = why->op;
}

void run_look(workload *run) {
    size_t count;
    const wdfdma_violation *told = wdfdma_machine_get_violations(run->machine, &count);
    if (run->result.failure == WDFDMA_FAILURE_NONE && run->machine->state.halted) {
        bugcheck_note(run);
    }
    for (; run->violations_seen < count; run->violations_seen++) {
        const wdfdma_violation *one = &told[run->violations_seen];
        const wdfdma_rule_info *info = wdfdma_rule_get_info(one->rule);
        bool is_advice = info != NULL && info->severity == WDFDMA_SEVERITY_ADVICE;
        if (run->result.failure == WDFDMA_FAILURE_NONE && !is_advice) {
            violation_note(
                run, one, rule_is_leak(one->rule) ? WDFDMA_FAILURE_LEAK : WDFDMA_FAILURE_VIOLATION);
        }
    }
}

static void move_make(workload *run, const case_move *move) {
    work_request *request;
    work_channel *channel;
    switch (move->kind) {
    case WDFDMA_MOVE_START:
        if (run->powered) {
            request_start(run, move);
        }
        break;
    case WDFDMA_MOVE_FINISH:
        channel = channel_pick(run, move->values[0]);
        if (channel != NULL) {
            channel_finish(run, channel, move->values[1] % WDFDMA_END_COUNT, move->values[2]);
        }
        break;
    case WDFDMA_MOVE_CANCEL:
        request = request_pick(run, move->values[0]);
        if (request != NULL) {
            request_cancel(run, request);
        }
        break;
    case WDFDMA_MOVE_INTERRUPT:
        hardware_interrupt(run);
        break;
    case WDFDMA_MOVE_TAKE:
        traffic_take(run, 1 + move->values[0] % 64u);
        break;
    case WDFDMA_MOVE_GIVE:
        traffic_give(run);
        break;
    case WDFDMA_MOVE_POWER:
        world_power(run);
        break;
    case WDFDMA_MOVE_FAULT:
        fault_inject(run, move);
        break;
    case WDFDMA_MOVE_FAST:
        run->fast = true;
        break;
    default:
        wdfdma_machine_advance(run->machine, (1 + (uint64_t)move->values[0]) * 1000000);
        break;
    }
}

static void state_note(workload *run) {
    const wdfdma_machine_state *state = &run->machine->state;
    if (state->waiting_pool != 0) {
        run_note(run, FEATURE_WAITED_POOL);
    }
    if (state->waiting_channel != 0) {
        run_note(run, FEATURE_WAITED_CHANNEL);
    }
}

static void moves_make(workload *run, const uint8_t *bytes, size_t size) {
    for (; run->move < run->result.moves && !run_is_over(run); run->move++) {
        case_move move = case_read_move(bytes, size, run->move);
        move_make(run, &move);
        run_look(run);
        requests_judge(run);
        run_look(run);
        if (run_is_over(run)) {
            return;
        }
        state_note(run);
    }
    if (!run_is_over(run)) {
        world_end(run);
    }
}

static workload *workload_create(wdfdma_machine *machine, const wdfdma_driver *driver,
                                 const uint8_t *bytes, size_t size) {
    workload *run = data_allocate(machine, sizeof *run, NULL);
    if (run != NULL) {
        case_world world = case_read_world(bytes, size);
        run->machine = machine;
        run->driver = driver;
        run->revision = world.revision;
        run->result.moves = wdfdma_workload_count_moves(bytes, size);
        run->result.features = (uint64_t)(world.revision & 15) << FEATURE_REVISION_FIRST |
                               (uint64_t)world.force_map_registers << FEATURE_FORCED;
        machine->workload = run;
    }
    return run;
}

static bool driver_is_right(const wdfdma_driver *driver) {
    return driver != NULL && driver->size == sizeof *driver && driver->add_device != NULL &&
           driver->start_request != NULL && driver->cancel_request != NULL &&
           driver->interrupt != NULL && driver->remove_device != NULL;
}

NTSTATUS wdfdma_workload_run(wdfdma_machine *machine, const wdfdma_driver *driver,
                             const uint8_t *bytes, size_t size, wdfdma_workload_result *out) {
    if (machine == NULL || !driver_is_right(driver) || (bytes == NULL && size != 0) ||
        out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->workload != NULL || machine->interpreter != NULL || machine->state.halted ||
        machine->state.objects[WDFDMA_OBJECT_DEVICE] != 0) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    workload *run = workload_create(machine, driver, bytes, size);
    if (run == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    wdfdma_machine *before = wdfdma_machine_use(machine);
    NTSTATUS status = world_create(run);
    run_look(run);
    if (NT_SUCCESS(status) && !run_is_over(run)) {
        moves_make(run, bytes, size);
    }
    run->result.steps = machine->state.step;
    *out = run->result;
    wdfdma_machine_use(before);
    return status;
}

NTSTATUS wdfdma_workload_run_case(const wdfdma_driver *driver, const uint8_t *bytes, size_t size,
                                  wdfdma_workload_result *out) {
    machine_shelf shelf = {0};
    const wdfdma_case_target target = {.driver = driver};
    NTSTATUS status = shelf_run(&shelf, &target, bytes, size, out);
    shelf_end(&shelf);
    return status;
}

bool result_is_same(const wdfdma_workload_result *one, const wdfdma_workload_result *other) {
    return one->failure == other->failure && one->rule == other->rule &&
           one->object_type == other->object_type && one->op == other->op;
}
