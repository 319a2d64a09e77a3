/* A machine from its making to its end, and the look at all of it: what concerns every floor at
 * once. */
#include "coverage.h"

NTSTATUS wdfdma_machine_create(const wdfdma_machine_config *config, wdfdma_machine **out) {
    wdfdma_machine_config settings;
    if (out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = machine_config_validate(config, &settings);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    size_t bytes = MACHINE_BYTES + hal_get_bytes(&settings);
    wdfdma_machine *made = arena_create(&settings, bytes);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->regions[REGION_MACHINE].used_bytes = bytes;
    made->config = settings;
    made->counts_steps = 1;
    made->fail_countdown = settings.fail_allocation;
    made->describe = object_describe;
    made->count_call = coverage_count_call;
    machine_seed(made, settings.seed);
    hal_open(made);
    status = wdfdma_log_configure(made, settings.log_records);
    if (NT_SUCCESS(status) && !registry_add(made)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(status)) {
        arena_destroy(made);
        return status;
    }
    current_machine_id = made->id;
    *out = made;
    return STATUS_SUCCESS;
}

/* Inside a call: the handler cannot end the machine. */
static void leaks_tell(wdfdma_machine *machine) {
    size_t count = 0;
    const wdfdma_violation *leaks = wdfdma_machine_take_leaks(machine, &count);
    if (count != 0) {
        machine->state.op = WDFDMA_OP_CONTROL;
        machine->config.leak_handler(machine, leaks, count, machine->config.leak_context);
    }
}

NTSTATUS wdfdma_machine_destroy(wdfdma_machine *machine) {
    if (machine == NULL) {
        return STATUS_SUCCESS;
    }
    if (machine->state.op != WDFDMA_OP_NONE || machine->state.depth != 0) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    sites_end(machine);
    wdfdma_journal_end(machine);
    coverage_end(machine);
    if (machine->config.leak_handler != NULL) {
        leaks_tell(machine);
    }
    registry_remove(machine);
    arena_destroy(machine);
    return STATUS_SUCCESS;
}

bool wdfdma_machine_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    return machine != NULL && machine_check_memory(machine, out) && hal_check(machine, out) &&
           fx_check(machine, out);
}
