/* The hardware: a bus master with channels. What a driver programs lies still until a move of the case
 * makes it go on. */
#include "workload.h"

#include <string.h>

static workload *workload_of(WDFDEVICE device) {
    wdfdma_machine *machine = wdfdma_object_get_machine((WDFOBJECT)device);
    workload *run = machine == NULL ? NULL : machine->workload;
    return run != NULL && run->device == device ? run : NULL;
}

uint32_t wdfdma_hardware_get_revision(WDFDEVICE device) {
    const workload *run = workload_of(device);
    return run == NULL ? 0 : run->revision;
}

NTSTATUS wdfdma_hardware_attach(WDFDEVICE device, uint32_t channel, WDFDMAENABLER enabler,
                                WDF_DMA_DIRECTION direction) {
    workload *run = workload_of(device);
    if (run == NULL) {
        return STATUS_NO_SUCH_DEVICE;
    }
    if (channel >= WDFDMA_HARDWARE_CHANNELS || enabler == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    run->channels[channel].enabler = enabler;
    run->channels[channel].direction = direction;
    return STATUS_SUCCESS;
}

static bool elements_copy(workload *run, work_channel *to, const SCATTER_GATHER_LIST *list) {
    uint32_t count = list->NumberOfElements;
    if (count > to->capacity) {
        data_free(run->machine, to->elements);
        to->capacity = 0;
        to->elements = data_allocate(run->machine, count * sizeof *to->elements, NULL);
        if (to->elements == NULL) {
            return false;
        }
        to->capacity = count;
    }
    to->total = 0;
    to->element_count = count;
    for (uint32_t i = 0; i < count; i++) {
        to->elements[i] = list->Elements[i];
        to->total += list->Elements[i].Length;
    }
    return true;
}

/* What is wrong with a command, as its status; a driver that sends one has failed. */
static NTSTATUS command_check(workload *run, work_channel *to, uint64_t position, bool is_write) {
    if (!run->powered) {
        return STATUS_DEVICE_NOT_READY;
    }
    to->request = request_at(run, position, to->total, is_write);
    return to->request == NULL ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

static void command_begin(workload *run, work_channel *to, uint64_t position, bool is_write) {
    to->busy = true;
    to->done = false;
    to->is_write = is_write;
    to->position = position;
    to->moved = 0;
    to->element = 0;
    to->element_moved = 0;
    run_note(run, to->element_count > 1 ? FEATURE_SEVERAL_ELEMENTS : FEATURE_SUCCEEDED);
    if (to->request->starts++ != 0) {
        run_note(run, FEATURE_SEVERAL_TRANSFERS);
    }
    for (uint32_t i = 0; i < WDFDMA_HARDWARE_CHANNELS; i++) {
        if (run->channels[i].busy && &run->channels[i] != to) {
            run_note(run, FEATURE_TWO_BUSY);
        }
    }
    if (run->fast && !run->in_fast && to->enabler == NULL) {
        run->fast = false;
        run->in_fast = true;
        run_note(run, FEATURE_FAST_USED);
        channel_finish(run, to, WDFDMA_END_RIGHT, 0);
        run->in_fast = false;
    }
}

NTSTATUS wdfdma_hardware_start(WDFDEVICE device, uint32_t channel, uint64_t position,
                               const SCATTER_GATHER_LIST *list, WDF_DMA_DIRECTION direction) {
    workload *run = workload_of(device);
    if (run == NULL) {
        return STATUS_NO_SUCH_DEVICE;
    }
    if (channel >= WDFDMA_HARDWARE_CHANNELS || list == NULL || run->machine->state.halted) {
        return STATUS_INVALID_PARAMETER;
    }
    work_channel *to = &run->channels[channel];
    bool is_write = direction == WdfDmaDirectionWriteToDevice;
    if (++run->result.starts > STARTS_MAXIMUM) {
        run_fail(run, WDFDMA_FAILURE_LIVELOCK, NULL, STARTS_MAXIMUM, run->result.starts);
        wdfdma_machine_halt(run->machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
        return STATUS_DEVICE_BUSY;
    }
    if (to->busy) {
        run_fail(run, WDFDMA_FAILURE_HARDWARE, NULL, 0, (uint32_t)STATUS_DEVICE_BUSY);
        return STATUS_DEVICE_BUSY;
    }
    if (!elements_copy(run, to, list)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = command_check(run, to, position, is_write);
    if (!NT_SUCCESS(status)) {
        run_fail(run, WDFDMA_FAILURE_HARDWARE, NULL, 0, (uint32_t)status);
        return status;
    }
    command_begin(run, to, position, is_write);
    return STATUS_SUCCESS;
}

void wdfdma_hardware_stop(WDFDEVICE device, uint32_t channel) {
    workload *run = workload_of(device);
    if (run != NULL && channel < WDFDMA_HARDWARE_CHANNELS) {
        run->channels[channel].busy = false;
        run->channels[channel].done = false;
        run_note(run, FEATURE_STOPPED);
    }
}

bool wdfdma_hardware_get_result(WDFDEVICE device, uint32_t channel, uint64_t *bytes,
                                NTSTATUS *status) {
    workload *run = workload_of(device);
    if (run == NULL || channel >= WDFDMA_HARDWARE_CHANNELS || bytes == NULL || status == NULL ||
        !run->channels[channel].done || !run->powered) {
        return false;
    }
    run->channels[channel].done = false;
    *bytes = run->channels[channel].moved;
    *status = run->channels[channel].status;
    return true;
}

work_channel *channel_pick(workload *run, uint32_t index) {
    uint32_t busy = 0;
    for (uint32_t i = 0; i < WDFDMA_HARDWARE_CHANNELS; i++) {
        busy += run->channels[i].busy;
    }
    if (busy == 0) {
        return NULL;
    }
    index %= busy;
    for (uint32_t i = 0; i < WDFDMA_HARDWARE_CHANNELS; i++) {
        if (run->channels[i].busy && index-- == 0) {
            return &run->channels[i];
        }
    }
    return NULL;
}

void hardware_interrupt(workload *run) {
    if (!run->powered || run_is_over(run)) {
        return;
    }
    uint32_t irql = run->machine->state.irql;
    wdfdma_machine_set_irql(run->machine, DISPATCH_LEVEL);
    driver_note(run, DRIVER_INTERRUPT);
    run->driver->interrupt(run->context);
    wdfdma_machine_set_irql(run->machine, irql);
}

/* At most a chunk of the current element; false where the bus refuses it. */
static bool chunk_move(workload *run, work_channel *of, uint64_t bytes) {
    uint8_t chunk[CHUNK_BYTES];
    const SCATTER_GATHER_ELEMENT *element = &of->elements[of->element];
    uint64_t address = (uint64_t)element->Address.QuadPart + of->element_moved;
    uint64_t position = of->position + of->moved;
    NTSTATUS status;
    if (of->is_write) {
        uint64_t at = position & ((1ull << REQUEST_POSITION_SHIFT) - 1);
        status = wdfdma_device_read(run->machine, address, chunk, (size_t)bytes);
        if (NT_SUCCESS(status)) {
            memcpy(of->request->received + at, chunk, (size_t)bytes);
        }
    } else {
        pattern_fill(position, chunk, (size_t)bytes);
        status = wdfdma_device_write(run->machine, address, chunk, (size_t)bytes);
    }
    of->moved += bytes;
    of->element_moved += bytes;
    return NT_SUCCESS(status);
}

/* Moves bytes until [target] of the command are moved. */
static bool channel_move(workload *run, work_channel *of, uint64_t target) {
    while (of->moved < target && of->busy) {
        uint64_t left = of->elements[of->element].Length - of->element_moved;
        uint64_t bytes = target - of->moved < left ? target - of->moved : left;
        bytes = bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
        if (!chunk_move(run, of, bytes)) {
            return false;
        }
        if (of->element_moved == of->elements[of->element].Length) {
            of->element++;
            of->element_moved = 0;
        }
    }
    return true;
}

static void request_note_end(work_channel *of, uint32_t ending) {
    work_request *request = of->request;
    uint64_t at = of->position & ((1ull << REQUEST_POSITION_SHIFT) - 1);
    if (ending == WDFDMA_END_NO_MORE) {
        request->ended = true;
        request->end = at + of->moved;
    } else if (ending == WDFDMA_END_FAILED || of->moved == 0) {
        request->troubled = true;
    }
}

/* The controller tells the framework; the plan of faults makes it go wrong. */
static void controller_end(workload *run, const work_channel *of, uint32_t ending) {
    static const uint32_t BEHAVIOURS[WDFDMA_END_COUNT] = {
        [WDFDMA_END_SHORT] = WDFDMA_DEVICE_SHORT,
        [WDFDMA_END_NO_MORE] = WDFDMA_DEVICE_SHORT,
        [WDFDMA_END_FAILED] = WDFDMA_DEVICE_WRONG,
    };
    if (BEHAVIOURS[ending] != WDFDMA_DEVICE_OBEYS) {
        wdfdma_fault fault = {.kind = WDFDMA_FAULT_DEVICE,
                              .op = WDFDMA_OP_COMPLETE_TRANSFER,
                              .behaviour = BEHAVIOURS[ending],
                              .nth = 1};
        wdfdma_machine_add_fault(run->machine, &fault);
    }
    wdfdma_enabler_complete_transfer(of->enabler, of->direction);
}

static void channel_tell(workload *run, work_channel *of, uint32_t ending) {
    static const NTSTATUS STATUSES[WDFDMA_END_COUNT] = {
        [WDFDMA_END_NO_MORE] = STATUS_NO_MORE_ENTRIES,
        [WDFDMA_END_FAILED] = STATUS_IO_DEVICE_ERROR,
    };
    of->busy = false;
    of->done = true;
    of->status = STATUSES[ending];
    request_note_end(of, ending);
    if (of->enabler != NULL) {
        controller_end(run, of, ending);
        return;
    }
    if (ending != WDFDMA_END_SILENT) {
        hardware_interrupt(run);
    }
    if (ending == WDFDMA_END_TWICE) {
        hardware_interrupt(run);
    }
}

void channel_finish(workload *run, work_channel *of, uint32_t ending, uint32_t of_256) {
    bool is_part = ending == WDFDMA_END_SHORT || ending == WDFDMA_END_NO_MORE ||
                   ending == WDFDMA_END_FAILED || ending == WDFDMA_END_NOT_YET;
    uint64_t target = is_part ? of->total * of_256 / 256 : of->total;
    run_note(run, FEATURE_ENDING_FIRST + ending);
    if (!channel_move(run, of, target) || run_is_over(run) || !of->busy) {
        return;
    }
    if (ending != WDFDMA_END_NOT_YET) {
        channel_tell(run, of, ending);
    }
}
