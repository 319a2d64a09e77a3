/* The world of a case: how the driver's device comes, changes its power and goes. */
#include "workload.h"

static const uint32_t ROUNDS_MAXIMUM = 4096;

NTSTATUS world_create(workload *run) {
    wdfdma_machine *machine = run->machine;
    if (run->driver->context_bytes != 0) {
        run->context = data_allocate(machine, run->driver->context_bytes, NULL);
        if (run->context == NULL) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    NTSTATUS status = wdfdma_device_create(machine, WDF_NO_OBJECT_ATTRIBUTES, &run->device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!traffic_create(run)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    driver_note(run, DRIVER_ADD_DEVICE);
    status = run->driver->add_device(run->device, run->context);
    if (!NT_SUCCESS(status)) {
        run_fail(run, WDFDMA_FAILURE_ADD_DEVICE, NULL, 0, (uint32_t)status);
        return STATUS_SUCCESS;
    }
    world_power(run);
    return STATUS_SUCCESS;
}

static void power_note(workload *run) {
    const wdfdma_machine_state *state = &run->machine->state;
    for (uint32_t i = 0; i < run->result.requests; i++) {
        if (run->requests[i].pending) {
            run->requests[i].troubled = true;
            run_note(run, FEATURE_POWER_PENDING);
        }
    }
    if (channel_pick(run, 0) != NULL) {
        run_note(run, FEATURE_POWER_BUSY);
    }
    if (state->waiting_pool + state->waiting_channel != 0) {
        run_note(run, FEATURE_POWER_WAITING);
    }
}

/* Hardware that is at work when power goes was left so by its driver. */
void world_power(workload *run) {
    if (!run->powered) {
        run->powered = true;
        if (!NT_SUCCESS(wdfdma_device_enter_d0(run->device, WdfPowerDeviceD3Final)) &&
            !run->faulted) {
            run_fail(run, WDFDMA_FAILURE_WRONG_STATUS, NULL, 0, 0);
        }
        return;
    }
    power_note(run);
    wdfdma_device_leave_d0(run->device, WdfPowerDeviceD3);
    run->powered = false;
    for (uint32_t i = 0; i < WDFDMA_HARDWARE_CHANNELS; i++) {
        if (run->channels[i].busy && !run->machine->state.halted) {
            run_fail(run, WDFDMA_FAILURE_HARDWARE, NULL, 0, (uint32_t)STATUS_DEVICE_NOT_READY);
        }
        run->channels[i].busy = false;
        run->channels[i].done = false;
    }
}

static bool step_ends(workload *run) {
    run_look(run);
    requests_judge(run);
    run_look(run);
    return run_is_over(run);
}

/* Until all requests are completed and the hardware lies still, or nothing happens any more. */
static void world_settle(workload *run) {
    for (uint32_t round = 0; round < ROUNDS_MAXIMUM && !run_is_over(run); round++) {
        work_channel *busy = channel_pick(run, 0);
        uint32_t before = run->pending;
        if (busy != NULL) {
            channel_finish(run, busy, WDFDMA_END_RIGHT, 0);
        } else {
            hardware_interrupt(run);
        }
        if (step_ends(run) ||
            (busy == NULL && run->pending == before && channel_pick(run, 0) == NULL)) {
            return;
        }
    }
}

static void requests_expect_none(workload *run) {
    for (uint32_t i = 0; i < run->result.requests && !run_is_over(run); i++) {
        if (run->requests[i].pending) {
            run_fail(run, WDFDMA_FAILURE_NEVER_COMPLETED, &run->requests[i], 0, 0);
        }
    }
}

static void world_remove(workload *run) {
    if (run->powered) {
        world_power(run);
    }
    if (!step_ends(run)) {
        driver_note(run, DRIVER_REMOVE_DEVICE);
        run->driver->remove_device(run->context);
    }
    run_look(run);
    if (!run_is_over(run)) {
        wdfdma_device_destroy(run->device);
    }
    if (!run->machine->state.halted) {
        wdfdma_device_destroy(run->traffic.device);
    }
    if (!run->machine->state.halted) {
        size_t leaks;
        wdfdma_machine_check_leaks(run->machine, NULL, &leaks);
    }
    run_look(run);
}

void world_end(workload *run) {
    wdfdma_machine_clear_faults(run->machine);
    run->fast = false;
    /* Registers that are given back let through whom a fault denied them. */
    traffic_take(run, 1);
    traffic_give(run);
    if (!step_ends(run) && !run->powered) {
        world_power(run);
    }
    world_settle(run);
    requests_expect_none(run);
    if (!run_is_over(run)) {
        world_remove(run);
    }
}
