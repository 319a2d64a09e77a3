/* Steps of the world around the driver: the device's power and its removal, the IRQL that an
 * interrupt brings, and the look for what is still held. */
#include "program.h"

static const wdfdma_operation operations[] = {
    {"enter_d0", 0, WDFDMA_RESULT_STATUS, {{0}}},
    {"leave_d0", 0, WDFDMA_RESULT_STATUS, {{0}}},
    {"remove_device", 0, 0, {{0}}},
    {"set_irql", 1, 0, {{"irql", WDFDMA_OPERAND_IRQL, HIGH_LEVEL}}},
    {"check_leaks", 0, WDFDMA_RESULT_NUMBER, {{0}}},
};

static void world_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    NTSTATUS status = STATUS_SUCCESS;
    size_t leaks = 0;
    switch (step->op) {
    case WDFDMA_OP_ENTER_D0:
        status = wdfdma_device_enter_d0(run->device, WdfPowerDeviceD3Final);
        break;
    case WDFDMA_OP_LEAVE_D0:
        status = wdfdma_device_leave_d0(run->device, WdfPowerDeviceD3);
        break;
    case WDFDMA_OP_REMOVE_DEVICE:
        run->keeps_deleted = true;
        wdfdma_device_destroy(run->device);
        break;
    case WDFDMA_OP_SET_IRQL:
        wdfdma_machine_set_irql(machine, (uint32_t)step->values[0]);
        break;
    default:
        wdfdma_machine_check_leaks(machine, NULL, &leaks);
        break;
    }
    wdfdma_log_record *record = step_record(machine, step, 0);
    if (record != NULL) {
        record->status = status;
        record->values[0] = leaks;
    }
}

const step_family world_steps = {.first = WDFDMA_OP_ENTER_D0,
                                 .count = sizeof operations / sizeof *operations,
                                 .operations = operations,
                                 .run = world_step_run};
