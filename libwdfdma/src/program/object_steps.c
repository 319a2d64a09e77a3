/* Steps on objects: requests, common buffers, references, and what a driver deletes while it keeps
 * the handle. */
#include "program.h"

#define TRANSACTION {"transaction", WDFDMA_OPERAND_TRANSACTION, UINT32_MAX}
#define ENABLER {"enabler", WDFDMA_OPERAND_ENABLER, UINT32_MAX}
#define BUFFER {"buffer", WDFDMA_OPERAND_BUFFER, UINT32_MAX}
#define DIRECTION {"direction", WDFDMA_OPERAND_DIRECTION, 1}
#define LENGTH {"length", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define REQUEST {"request", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define COMMON_BUFFER {"common_buffer", WDFDMA_OPERAND_NAMED, UINT32_MAX}
#define INFORMATION {"information", WDFDMA_OPERAND_NUMBER, UINT32_MAX}
#define ARGUMENT {"argument", WDFDMA_OPERAND_ARGUMENT, WDFDMA_ARGUMENT_COUNT - 1}

enum {
    OF_FRAMEWORK = WDFDMA_OP_INITIALIZE_USING_REQUEST
};

static const wdfdma_operation framework_operations[] = {
    [WDFDMA_OP_INITIALIZE_USING_REQUEST - OF_FRAMEWORK] = {"initialize_using_request",
                                                           3,
                                                           WDFDMA_RESULT_STATUS,
                                                           {TRANSACTION, REQUEST, DIRECTION}},
    [WDFDMA_OP_COMMON_BUFFER_CREATE - OF_FRAMEWORK] = {"common_buffer_create",
                                                       3,
                                                       WDFDMA_RESULT_STATUS,
                                                       {COMMON_BUFFER, ENABLER, LENGTH}},
    [WDFDMA_OP_REQUEST_COMPLETE - OF_FRAMEWORK] = {"request_complete", 1, 0, {REQUEST}},
};

static const wdfdma_operation object_operations[] = {
    {"request_create", 4, WDFDMA_RESULT_STATUS, {REQUEST, BUFFER, LENGTH, DIRECTION}},
    {"request_complete_with_information", 2, 0, {REQUEST, INFORMATION}},
    {"common_buffer_delete", 1, 0, {COMMON_BUFFER}},
    {"object_reference", 1, 0, {TRANSACTION}},
    {"object_dereference", 1, 0, {TRANSACTION}},
    {"object_delete", 1, WDFDMA_RESULT_NO_RECORD, {TRANSACTION}},
    {"delete_enabler", 1, 0, {ENABLER}},
    {"pass_wrong", 2, WDFDMA_RESULT_NO_RECORD, {TRANSACTION, ARGUMENT}},
};

/* A handle of the script's, by its number, or NULL. */
static void *handle_find(interpreter *run, const table *of, const program_step *step,
                         uint32_t operand) {
    const uint64_t *found = table_find(of, step->values[operand]);
    if (found == NULL) {
        program_fail(run, WDFDMA_PROGRAM_NOT_CREATED, step->offsets[operand],
                     step->values[operand]);
        return NULL;
    }
    return (void *)(uintptr_t)*found;
}

/* Room for a handle, with the label that logs will have for it. False where it has one. */
static bool handle_begin(wdfdma_machine *machine, interpreter *run, table *of,
                         const program_step *step) {
    if (table_find(of, step->values[0]) != NULL) {
        program_fail(run, WDFDMA_PROGRAM_CREATED_TWICE, step->offsets[0], step->values[0]);
        return false;
    }
    if (!table_put(machine, of, step->values[0], 0)) {
        program_fail(run, WDFDMA_PROGRAM_NO_MEMORY, step->offset, 0);
        return false;
    }
    machine->next_label = (uint32_t)step->values[0];
    machine->label_given = true;
    return true;
}

static void handle_end(wdfdma_machine *machine, table *of, const program_step *step,
                       NTSTATUS status, const void *made) {
    machine->label_given = false;
    if (NT_SUCCESS(status)) {
        *table_find(of, step->values[0]) = (uint64_t)(uintptr_t)made;
    } else {
        table_remove(of, step->values[0]);
    }
    wdfdma_log_record *record = step_record(machine, step, (uint32_t)step->values[0]);
    if (record != NULL) {
        record->status = status;
    }
}

static void request_make(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    bool is_write = step->values[3] != 0;
    PMDL mdl = run->buffers[step->values[1]];
    const wdfdma_request_config config = {.type = is_write ? (uint32_t)WdfRequestTypeWrite
                                                           : (uint32_t)WdfRequestTypeRead,
                                          .input = is_write ? mdl : NULL,
                                          .output = is_write ? NULL : mdl,
                                          .input_length = is_write ? step->values[2] : 0,
                                          .output_length = is_write ? 0 : step->values[2]};
    WDFREQUEST made = NULL;
    if (handle_begin(machine, run, &run->requests, step)) {
        NTSTATUS status = wdfdma_request_create(run->device, &config, &made);
        handle_end(machine, &run->requests, step, status, made);
    }
}

static void common_buffer_make(wdfdma_machine *machine, interpreter *run,
                               const program_step *step) {
    WDFCOMMONBUFFER made = NULL;
    if (handle_begin(machine, run, &run->common_buffers, step)) {
        NTSTATUS status =
            WdfCommonBufferCreate(run->enablers[step->values[1]], (size_t)step->values[2],
                                  WDF_NO_OBJECT_ATTRIBUTES, &made);
        handle_end(machine, &run->common_buffers, step, status, made);
    }
}

static void common_buffer_unmake(wdfdma_machine *machine, interpreter *run,
                                 const program_step *step) {
    void *handle = handle_find(run, &run->common_buffers, step, 0);
    if (handle != NULL) {
        WdfObjectDelete((WDFOBJECT)handle);
        table_remove(&run->common_buffers, step->values[0]);
        step_record(machine, step, (uint32_t)step->values[0]);
    }
}

static void request_end(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    WDFREQUEST handle = handle_find(run, &run->requests, step, 0);
    if (handle == NULL) {
        return;
    }
    if (step->op == WDFDMA_OP_REQUEST_COMPLETE) {
        WdfRequestComplete(handle, STATUS_SUCCESS);
    } else {
        WdfRequestCompleteWithInformation(handle, STATUS_SUCCESS, (ULONG_PTR)step->values[1]);
    }
    step_record(machine, step, (uint32_t)step->values[0]);
}

/* The framework records this one itself, as it does its other transaction calls. */
static void initialize_using_request(interpreter *run, const program_step *step) {
    actor *who = actor_find(run, step);
    WDFREQUEST request = who == NULL ? NULL : handle_find(run, &run->requests, step, 1);
    if (request != NULL) {
        uint32_t argument = actor_take_wrong(who);
        WdfDmaTransactionInitializeUsingRequest(
            actor_get_handle(run, who, argument), request,
            argument == WDFDMA_ARGUMENT_NULL_CALLBACK ? NULL : actor_program_dma,
            step->values[2] == 0 ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice);
    }
}

static void framework_step_run(wdfdma_machine *machine, interpreter *run,
                               const program_step *step) {
    switch (step->op) {
    case WDFDMA_OP_INITIALIZE_USING_REQUEST:
        initialize_using_request(run, step);
        break;
    case WDFDMA_OP_COMMON_BUFFER_CREATE:
        common_buffer_make(machine, run, step);
        break;
    default:
        request_end(machine, run, step);
        break;
    }
}

/* References, and deletion by a driver that goes on with the handle. */
static void reference_do(wdfdma_machine *machine, interpreter *run, actor *who,
                         const program_step *step) {
    if (step->op == WDFDMA_OP_PASS_WRONG) {
        who->wrong = (uint8_t)step->values[1];
        return;
    }
    WDFOBJECT handle = (WDFOBJECT)actor_get_handle(run, who, actor_take_wrong(who));
    if (step->op == WDFDMA_OP_OBJECT_REFERENCE) {
        WdfObjectReference(handle);
    } else if (step->op == WDFDMA_OP_OBJECT_DEREFERENCE) {
        WdfObjectDereference(handle);
    } else {
        /* Recorded by the framework, as any deletion of a transaction. */
        run->keeps_deleted = true;
        WdfObjectDelete(handle);
        return;
    }
    step_record(machine, step, (uint32_t)step->values[0]);
}

static void object_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    actor *who;
    switch (step->op) {
    case WDFDMA_OP_REQUEST_CREATE:
        request_make(machine, run, step);
        break;
    case WDFDMA_OP_REQUEST_COMPLETE_WITH_INFORMATION:
        request_end(machine, run, step);
        break;
    case WDFDMA_OP_COMMON_BUFFER_DELETE:
        common_buffer_unmake(machine, run, step);
        break;
    case WDFDMA_OP_DELETE_ENABLER:
        run->keeps_deleted = true;
        WdfObjectDelete((WDFOBJECT)run->enablers[step->values[0]]);
        step_record(machine, step, (uint32_t)step->values[0]);
        break;
    default:
        who = actor_find(run, step);
        if (who != NULL) {
            reference_do(machine, run, who, step);
        }
        break;
    }
}

const step_family framework_steps = {.first = OF_FRAMEWORK,
                                     .count =
                                         sizeof framework_operations / sizeof *framework_operations,
                                     .operations = framework_operations,
                                     .run = framework_step_run};

const step_family object_steps = {.first = WDFDMA_OP_REQUEST_CREATE,
                                  .count = sizeof object_operations / sizeof *object_operations,
                                  .operations = object_operations,
                                  .run = object_step_run};
