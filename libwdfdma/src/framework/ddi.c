/* The way into and out of every call. */
#include "coverage.h"

/* The machine that a bad handle halts: its own, or else the thread's current one. */
static wdfdma_machine *machine_concerned(uint64_t handle) {
    wdfdma_machine *current = registry_find(current_machine_id);
    wdfdma_machine *own = registry_find(handle);
    return own == NULL || (current != NULL && current->state.depth != 0) ? current : own;
}

static fx_object *handle_refuse(wdfdma_machine *machine, uint64_t handle, wdfdma_op op) {
    ddi_call call;
    ddi_begin(&call, machine, op);
    coverage_begin(&call, object_find(machine, handle));
    journal_mark(machine, WDFDMA_JOURNAL_WRONG, op, wdfdma_machine_localize(machine, handle));
    verifier_wdf_violation(machine, WDFDMA_WDF_INVALID_HANDLE, handle, 0, NULL);
    ddi_leave(&call);
    return NULL;
}

/* Everything that is not the plain case: no such machine, a halted one or one whose calls are counted,
 * the outermost call on another machine than the last one, a bad handle. */
fx_object *ddi_enter_slow(ddi_call *call, uint64_t handle, wdfdma_object_type type, wdfdma_op op) {
    wdfdma_machine *machine = machine_concerned(handle);
    if (machine == NULL || machine->state.halted) {
        return NULL;
    }
    object *found = object_find(machine, handle);
    if (found == NULL || found->type != (uint32_t)type || found->kind != 0) {
        return handle_refuse(machine, handle, op);
    }
    current_machine_id = machine->id;
    ddi_begin(call, machine, op);
    coverage_begin(call, found);
    return (fx_object *)found;
}

NTSTATUS ddi_leave_status_slow(const ddi_call *call, uint32_t label, NTSTATUS status) {
    wdfdma_machine *machine = call->machine;
    if (machine->state.halted) {
        status = STATUS_UNSUCCESSFUL;
    } else {
        wdfdma_log_record *record = log_append(machine, WDFDMA_RECORD_OP, machine->state.op, label);
        if (record != NULL) {
            record->status = status;
        }
    }
    coverage_answer(machine, (uint32_t)status);
    ddi_leave(call);
    return status;
}

static COLD void values_record(wdfdma_machine *machine, uint32_t label, uint64_t first,
                               uint64_t second) {
    coverage_answer(machine, first);
    wdfdma_log_record *record =
        machine->state.halted ? NULL
                              : log_append(machine, WDFDMA_RECORD_OP, machine->state.op, label);
    if (record != NULL) {
        record->values[0] = first;
        record->values[1] = second;
    }
}

void ddi_leave_values(const ddi_call *call, uint32_t label, uint64_t first, uint64_t second) {
    if (UNLIKELY(call->machine->attention != 0)) {
        values_record(call->machine, label, first, second);
    }
    ddi_leave(call);
}
