/* The interpreter: one call runs a whole program, nested reactions included. It plays the driver
 * through the DDIs as any driver would; the framework records what it does, and a snapshot
 * follows each outermost step. */
#include "program.h"

#include <string.h>

static const uint64_t FORGED_HANDLE = 0x5A5A5A5A;

static interpreter *run_of(WDFDMATRANSACTION handle, actor **who) {
    wdfdma_machine *machine = wdfdma_object_get_machine((WDFOBJECT)handle);
    interpreter *run = machine == NULL ? NULL : machine->interpreter;
    uint32_t number = wdfdma_object_get_label((WDFOBJECT)handle);
    const uint64_t *found = run == NULL ? NULL : table_find(&run->actors, number);
    *who = found == NULL ? NULL : (actor *)(uintptr_t)*found;
    return run;
}

/* Takes the oldest reaction to [event] and runs it; what the callback is to return. [list] is what
 * a device is programmed with, or NULL. */
static BOOLEAN react(WDFDMATRANSACTION handle, wdfdma_event event,
                     const SCATTER_GATHER_LIST *list) {
    actor *who;
    interpreter *run = run_of(handle, &who);
    if (who != NULL && list != NULL && run->limits.uses_elements) {
        actor_remember(wdfdma_object_get_machine((WDFOBJECT)handle), run, who, list);
    }
    if (who == NULL || who->first[event] == NULL) {
        return TRUE;
    }
    wdfdma_machine *machine = wdfdma_object_get_machine((WDFOBJECT)handle);
    reaction taken = *who->first[event];
    data_free(machine, who->first[event]);
    who->first[event] = taken.next;
    if (taken.next == NULL) {
        who->last[event] = NULL;
    }
    program_steps_run(machine, run, taken.begin, taken.end);
    return taken.returns;
}

BOOLEAN actor_program_dma(WDFDMATRANSACTION transaction_handle, WDFDEVICE device_handle,
                          WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                          PSCATTER_GATHER_LIST list) {
    (void)device_handle;
    (void)context;
    (void)direction;
    return react(transaction_handle, WDFDMA_EVENT_PROGRAM_DMA, list);
}

static void on_reserve_dma(WDFDMATRANSACTION transaction_handle, PVOID context) {
    (void)context;
    react(transaction_handle, WDFDMA_EVENT_RESERVE_DMA, NULL);
}

static BOOLEAN on_configure_dma_channel(WDFDMATRANSACTION transaction_handle,
                                        WDFDEVICE device_handle, PVOID context, PMDL mdl,
                                        size_t offset, size_t length) {
    (void)device_handle;
    (void)context;
    (void)mdl;
    (void)offset;
    (void)length;
    return react(transaction_handle, WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL, NULL);
}

static void on_dma_transfer_complete(WDFDMATRANSACTION transaction_handle, WDFDEVICE device_handle,
                                     WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                     DMA_COMPLETION_STATUS status) {
    (void)device_handle;
    (void)context;
    (void)direction;
    (void)status;
    react(transaction_handle, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, NULL);
}

void program_fail(interpreter *run, wdfdma_program_rule rule, uint64_t offset, uint64_t value) {
    if (run->result.rule == WDFDMA_PROGRAM_OK) {
        run->result.rule = rule;
        run->result.offset = offset;
        run->result.value = (int64_t)value;
    }
}

wdfdma_log_record *step_record(wdfdma_machine *machine, const program_step *step, uint32_t label) {
    return machine->state.halted ? NULL : log_append(machine, WDFDMA_RECORD_OP, step->op, label);
}

static void actor_add(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    uint32_t number = (uint32_t)step->values[0];
    if (table_find(&run->actors, number) != NULL) {
        program_fail(run, WDFDMA_PROGRAM_CREATED_TWICE, step->offsets[0], number);
        return;
    }
    actor *made = data_allocate(machine, sizeof *made, NULL);
    if (made == NULL || !table_put(machine, &run->actors, number, (uint64_t)(uintptr_t)made)) {
        data_free(machine, made);
        program_fail(run, WDFDMA_PROGRAM_NO_MEMORY, step->offset, 0);
        return;
    }
    made->number = number;
    machine->next_label = number;
    machine->label_given = true;
    NTSTATUS status = WdfDmaTransactionCreate(run->enablers[step->values[1]],
                                              WDF_NO_OBJECT_ATTRIBUTES, &made->handle);
    machine->label_given = false;
    if (!NT_SUCCESS(status)) {
        table_remove(&run->actors, number);
        data_free(machine, made);
        return;
    }
    made->previous = run->last_actor;
    if (run->last_actor == NULL) {
        run->first_actor = made;
    } else {
        run->last_actor->next = made;
    }
    run->last_actor = made;
}

static void actor_remove(wdfdma_machine *machine, interpreter *run, actor *gone) {
    table_remove(&run->actors, gone->number);
    if (gone->previous == NULL) {
        run->first_actor = gone->next;
    } else {
        gone->previous->next = gone->next;
    }
    if (gone->next == NULL) {
        run->last_actor = gone->previous;
    } else {
        gone->next->previous = gone->previous;
    }
    for (int event = 0; event < WDFDMA_EVENT_COUNT; event++) {
        while (gone->first[event] != NULL) {
            reaction *first = gone->first[event];
            gone->first[event] = first->next;
            data_free(machine, first);
        }
    }
    data_free(machine, gone->elements);
    data_free(machine, gone);
}

actor *actor_find(interpreter *run, const program_step *step) {
    const uint64_t *found = table_find(&run->actors, step->values[0]);
    if (found == NULL) {
        program_fail(run, WDFDMA_PROGRAM_NOT_CREATED, step->offsets[0], step->values[0]);
        return NULL;
    }
    return (actor *)(uintptr_t)*found;
}

uint32_t actor_take_wrong(actor *who) {
    uint32_t argument = who->wrong;
    who->wrong = WDFDMA_ARGUMENT_RIGHT;
    return argument;
}

WDFDMATRANSACTION actor_get_handle(const interpreter *run, const actor *who, uint32_t argument) {
    switch (argument) {
    case WDFDMA_ARGUMENT_NULL_HANDLE:
        return NULL;
    case WDFDMA_ARGUMENT_FORGED_HANDLE:
        return (WDFDMATRANSACTION)(uintptr_t)FORGED_HANDLE;
    case WDFDMA_ARGUMENT_OTHER_HANDLE:
        return (WDFDMATRANSACTION)(void *)run->device;
    default:
        return who->handle;
    }
}

static void reaction_add(wdfdma_machine *machine, interpreter *run, actor *who,
                         const program_step *step) {
    uint64_t event = step->values[1];
    reaction *made = data_allocate(machine, sizeof *made, NULL);
    if (made == NULL) {
        program_fail(run, WDFDMA_PROGRAM_NO_MEMORY, step->offset, 0);
        return;
    }
    made->returns = step->values[2] != 0;
    made->begin = step->body_begin;
    made->end = step->body_end;
    if (who->last[event] == NULL) {
        who->first[event] = made;
    } else {
        who->last[event]->next = made;
    }
    who->last[event] = made;
}

static void callback_set(WDFDMATRANSACTION handle, uint64_t event, bool value) {
    if (event == WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL) {
        WdfDmaTransactionSetChannelConfigurationCallback(
            handle, value ? on_configure_dma_channel : NULL, NULL);
    } else {
        WdfDmaTransactionSetTransferCompleteCallback(handle,
                                                     value ? on_dma_transfer_complete : NULL, NULL);
    }
}

static WDF_DMA_DIRECTION direction_of(uint64_t value) {
    return value == 0 ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice;
}

/* The operations on a transaction that exists. */
static void actor_do(wdfdma_machine *machine, interpreter *run, actor *who,
                     const program_step *step) {
    bool is_call = step->op != WDFDMA_OP_ON;
    uint32_t argument = is_call ? actor_take_wrong(who) : WDFDMA_ARGUMENT_RIGHT;
    WDFDMATRANSACTION handle = actor_get_handle(run, who, argument);
    PFN_WDF_PROGRAM_DMA program_dma =
        argument == WDFDMA_ARGUMENT_NULL_CALLBACK ? NULL : actor_program_dma;
    const uint64_t *values = step->values;
    ULONG registers;
    ULONG elements;
    switch (step->op) {
    case WDFDMA_OP_DELETE:
        /* What the delete lets through may still name the transaction. */
        WdfObjectDelete((WDFOBJECT)handle);
        if (!machine->state.halted) {
            actor_remove(machine, run, who);
        }
        break;
    case WDFDMA_OP_INITIALIZE:
        WdfDmaTransactionInitializeUsingOffset(
            handle, program_dma, direction_of(values[4]),
            argument == WDFDMA_ARGUMENT_NULL_MDL ? NULL : run->buffers[values[1]],
            (size_t)values[2], (size_t)values[3]);
        break;
    case WDFDMA_OP_EXECUTE:
        WdfDmaTransactionExecute(handle, NULL);
        break;
    case WDFDMA_OP_ALLOCATE_RESOURCES:
        WdfDmaTransactionAllocateResources(handle, direction_of(values[1]), (ULONG)values[2],
                                           program_dma == NULL ? NULL : on_reserve_dma, NULL);
        break;
    case WDFDMA_OP_FREE_RESOURCES:
        WdfDmaTransactionFreeResources(handle);
        break;
    case WDFDMA_OP_SET_IMMEDIATE_EXECUTION:
        WdfDmaTransactionSetImmediateExecution(handle, (BOOLEAN)values[1]);
        break;
    case WDFDMA_OP_SET_MAXIMUM_LENGTH:
        WdfDmaTransactionSetMaximumLength(handle, (size_t)values[1]);
        break;
    case WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT:
        WdfDmaTransactionSetSingleTransferRequirement(handle, (BOOLEAN)values[1]);
        break;
    case WDFDMA_OP_SET_DEVICE_ADDRESS_OFFSET:
        WdfDmaTransactionSetDeviceAddressOffset(handle, (ULONG)values[1]);
        break;
    case WDFDMA_OP_GET_TRANSFER_INFO:
        WdfDmaTransactionGetTransferInfo(handle, &registers, &elements);
        break;
    case WDFDMA_OP_GET_BYTES_TRANSFERRED:
        WdfDmaTransactionGetBytesTransferred(handle);
        break;
    case WDFDMA_OP_GET_CURRENT_DMA_TRANSFER_LENGTH:
        WdfDmaTransactionGetCurrentDmaTransferLength(handle);
        break;
    case WDFDMA_OP_DMA_COMPLETED:
    case WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH:
    case WDFDMA_OP_DMA_COMPLETED_FINAL:
        completion_step(machine, who, handle, step);
        break;
    case WDFDMA_OP_RELEASE:
        WdfDmaTransactionRelease(handle);
        break;
    case WDFDMA_OP_CANCEL:
        WdfDmaTransactionCancel(handle);
        break;
    case WDFDMA_OP_STOP_SYSTEM_TRANSFER:
        WdfDmaTransactionStopSystemTransfer(handle);
        break;
    case WDFDMA_OP_SET_CALLBACK:
        callback_set(handle, values[1], values[2] != 0);
        break;
    default:
        reaction_add(machine, run, who, step);
        break;
    }
}

static void step_do(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    switch (step->op) {
    case WDFDMA_OP_CREATE:
        actor_add(machine, run, step);
        return;
    case WDFDMA_OP_GET_FRAGMENT_LENGTH:
        WdfDmaEnablerGetFragmentLength(run->enablers[step->values[0]],
                                       direction_of(step->values[1]));
        return;
    case WDFDMA_OP_COMPLETE_TRANSFER:
        wdfdma_enabler_complete_transfer(run->enablers[step->values[0]],
                                         direction_of(step->values[1]));
        return;
    default:
        break;
    }
    if (step->family != NULL) {
        step->family->run(machine, run, step);
        return;
    }
    actor *who = actor_find(run, step);
    if (who != NULL) {
        actor_do(machine, run, who, step);
    }
}

static void step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    uint64_t outer = run->at;
    run->at = step->offset;
    step_do(machine, run, step);
    run->at = outer;
}

static bool run_goes_on(const wdfdma_machine *machine, const interpreter *run) {
    return !machine->state.halted && run->result.rule == WDFDMA_PROGRAM_OK;
}

void program_steps_run(wdfdma_machine *machine, interpreter *run, uint64_t begin, uint64_t end) {
    program_reader reader = {.bytes = run->bytes, .size = end, .at = begin, .result = &run->result};
    program_step step;
    while (reader.at < end && run_goes_on(machine, run) &&
           reader_step(&reader, &run->limits, &step)) {
        run->result.nested++;
        step_run(machine, run, &step);
    }
}

/* The transaction, or NULL where it is deleted and the driver goes on with its handle. */
static const transaction *actor_get_transaction(const wdfdma_machine *machine, const actor *who) {
    const object *found = object_find(machine, (uint64_t)(uintptr_t)who->handle);
    return found == NULL || found->kind != 0 ? NULL : (const transaction *)found;
}

static uint64_t actors_count(const wdfdma_machine *machine, const interpreter *run) {
    if (!run->keeps_deleted) {
        return run->actors.count;
    }
    uint64_t count = 0;
    for (const actor *at = run->first_actor; at != NULL; at = at->next) {
        count += actor_get_transaction(machine, at) != NULL;
    }
    return count;
}

static void snapshot_record(wdfdma_machine *machine, const interpreter *run) {
    wdfdma_log_record *record = log_append(machine, WDFDMA_RECORD_SNAPSHOT, 0, 0);
    if (record == NULL) {
        return;
    }
    record->values[0] = machine->state.free_registers;
    record->values[1] = actors_count(machine, run);
    for (const actor *at = run->first_actor; at != NULL; at = at->next) {
        const transaction *item = actor_get_transaction(machine, at);
        if (item == NULL) {
            continue;
        }
        record = log_append(machine, WDFDMA_RECORD_STATE, item->state, at->number);
        if (record != NULL) {
            record->values[0] = item->transferred;
            record->values[1] = item->fragment;
        }
    }
}

static void outermost_steps_run(wdfdma_machine *machine, interpreter *run, uint64_t begin,
                                uint64_t steps) {
    program_reader reader = {
        .bytes = run->bytes, .size = run->size, .at = begin, .result = &run->result};
    program_step step;
    machine->counts_steps = 0;
    while (steps > 0 && reader.at < run->size && run_goes_on(machine, run) &&
           reader_step(&reader, &run->limits, &step)) {
        machine->state.step = run->result.steps;
        step_run(machine, run, &step);
        if (UNLIKELY((machine->attention & ATTENTION_LATE) != 0)) {
            late_run(machine);
        }
        run->result.steps++;
        steps--;
        if (run_goes_on(machine, run)) {
            snapshot_record(machine, run);
        }
    }
    machine->counts_steps = 1;
}

static bool machine_is_fresh(const wdfdma_machine *machine) {
    bool fresh = machine->interpreter == NULL && !machine->state.halted;
    for (int type = 0; type < WDFDMA_OBJECT_TYPE_COUNT; type++) {
        fresh = fresh && machine->slots[type].next_label == 0;
    }
    return fresh;
}

static interpreter *run_create(wdfdma_machine *machine, const uint8_t *program, size_t bytes) {
    interpreter *run = data_allocate(machine, sizeof *run, NULL);
    uint8_t *copy = run == NULL ? NULL : data_allocate(machine, bytes, NULL);
    if (copy == NULL) {
        data_free(machine, run);
        return NULL;
    }
    memcpy(copy, program, bytes);
    run->bytes = copy;
    run->size = bytes;
    machine->interpreter = run;
    return run;
}

static bool program_begin(wdfdma_machine *machine, const uint8_t *program, size_t bytes,
                          wdfdma_program_result *result, uint64_t *first_step) {
    program_reader reader = {.bytes = program, .size = bytes, .result = result};
    program_head head;
    program_limits limits;
    if (!program_check(program, bytes, &limits, result)) {
        return false;
    }
    if (!machine_is_fresh(machine)) {
        return reader_fail(&reader, WDFDMA_PROGRAM_MACHINE_IN_USE, 0, 0);
    }
    interpreter *run = run_create(machine, program, bytes);
    if (run == NULL) {
        return reader_fail(&reader, WDFDMA_PROGRAM_NO_MEMORY, 0, 0);
    }
    reader_head(&reader, &head);
    run->limits =
        (program_limits){.enablers = head.enabler_count, .uses_elements = limits.uses_elements};
    bool made = program_set_up(machine, run, &reader);
    *first_step = reader.at;
    return made;
}

uint64_t wdfdma_program_get_offset(const wdfdma_machine *machine) {
    return machine == NULL || machine->interpreter == NULL ? 0 : machine->interpreter->at;
}

bool wdfdma_program_run(wdfdma_machine *machine, const uint8_t *program, size_t bytes,
                        uint64_t steps, wdfdma_program_result *out) {
    wdfdma_program_result unwanted;
    wdfdma_program_result *result = out == NULL ? &unwanted : out;
    uint64_t first_step = 0;
    *result = (wdfdma_program_result){.rule = WDFDMA_PROGRAM_OK};
    if (machine == NULL) {
        result->rule = WDFDMA_PROGRAM_MACHINE_IN_USE;
        return false;
    }
    wdfdma_machine *before = wdfdma_machine_use(machine);
    if (program_begin(machine, program, bytes, result, &first_step)) {
        outermost_steps_run(machine, machine->interpreter, first_step, steps);
        *result = machine->interpreter->result;
    }
    wdfdma_machine_use(before);
    return result->rule == WDFDMA_PROGRAM_OK;
}
