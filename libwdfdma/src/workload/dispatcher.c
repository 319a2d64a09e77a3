/* The dispatcher: it hands requests out, asks for their cancellation, and judges how they come back.
 *
 * Each request has its own part of the hardware's memory, whose bytes follow from their positions and are
 * never 0. A write's buffer holds these bytes, a read is to bring them. */
#include "workload.h"

#include <string.h>

/* Eight bytes at [index] of the hardware's memory; none of them is 0. */
static uint64_t pattern_word(uint64_t index) {
    uint64_t mixed = (index + 1) * 0x9E3779B97F4A7C15ull;
    return (mixed ^ mixed >> 29) | 0x0101010101010101ull;
}

static size_t pattern_fill_part(uint64_t position, uint8_t *out, size_t bytes) {
    uint8_t word[8];
    uint64_t value = pattern_word(position / 8);
    size_t first = (size_t)(position % 8);
    size_t count = bytes < 8 - first ? bytes : 8 - first;
    memcpy(word, &value, sizeof word);
    memcpy(out, word + first, count);
    return count;
}

void pattern_fill(uint64_t position, uint8_t *out, size_t bytes) {
    size_t done = position % 8 == 0 ? 0 : pattern_fill_part(position, out, bytes);
    for (; bytes - done >= 8; done += 8) {
        uint64_t value = pattern_word((position + done) / 8);
        memcpy(out + done, &value, sizeof value);
    }
    if (done < bytes) {
        pattern_fill_part(position + done, out + done, bytes - done);
    }
}

static uint64_t request_get_position(const work_request *of) {
    return (uint64_t)(of->move + 1) << REQUEST_POSITION_SHIFT;
}

/* The pages of part [part] of a request: the machine's choice, with gaps, above 4 GiB, or in turn. */
static void pages_choose(const case_request *wanted, uint32_t move, uint32_t part, uint64_t *pfns,
                         size_t count) {
    uint64_t first = 0x1000 + ((uint64_t)move * REQUEST_MDLS + part) * 64;
    for (size_t i = 0; i < count; i++) {
        bool is_high = wanted->layout == 2 || (wanted->layout == 3 && i % 2 == 0);
        pfns[i] = (is_high ? 0x100000 : 0) + first + (wanted->layout == 1 ? 2 * i : i);
    }
}

static NTSTATUS part_create(workload *run, work_request *made, const case_request *wanted,
                            uint32_t part, uint32_t bytes) {
    uint64_t pfns[(1u << 16) / PAGE_BYTES + 2];
    wdfdma_mdl_config config = {.byte_offset = (wanted->byte_offset + 512 * part) % PAGE_BYTES,
                                .byte_count = bytes};
    bool is_high = wanted->layout >= 2;
    if (wanted->layout != 0 && !(is_high && run->machine->config.physical_address_bits == 32)) {
        config.pfns = pfns;
        config.pfn_count = ADDRESS_AND_SIZE_TO_SPAN_PAGES(config.byte_offset, bytes);
        pages_choose(wanted, made->move, part, pfns, config.pfn_count);
    }
    NTSTATUS status = wdfdma_mdl_create(run->machine, &config, &made->mdls[part]);
    if (NT_SUCCESS(status)) {
        made->mdl_count = part + 1;
        made->mdls[part]->Next = NULL;
        if (part > 0) {
            made->mdls[part - 1]->Next = made->mdls[part];
        }
    }
    return status;
}

static NTSTATUS buffer_create(workload *run, work_request *made, const case_request *wanted) {
    uint64_t left = wanted->length;
    NTSTATUS status = STATUS_SUCCESS;
    for (uint32_t part = 0; part < wanted->mdls && left != 0 && NT_SUCCESS(status); part++) {
        uint64_t bytes = left / (wanted->mdls - part);
        status = part_create(run, made, wanted, part, (uint32_t)bytes);
        left -= bytes;
    }
    return status;
}

static NTSTATUS buffer_fill(workload *run, const work_request *made) {
    uint8_t chunk[CHUNK_BYTES];
    NTSTATUS status = STATUS_SUCCESS;
    uint64_t position = request_get_position(made);
    for (uint64_t at = 0; at < made->length && NT_SUCCESS(status); at += CHUNK_BYTES) {
        uint64_t bytes = made->length - at < CHUNK_BYTES ? made->length - at : CHUNK_BYTES;
        pattern_fill(position + at, chunk, (size_t)bytes);
        status = wdfdma_mdl_write(run->machine, made->mdls[0], at, chunk, (size_t)bytes);
    }
    return status;
}

static NTSTATUS request_create(workload *run, work_request *made, const case_request *wanted) {
    NTSTATUS status = buffer_create(run, made, wanted);
    if (NT_SUCCESS(status) && made->is_write && made->length != 0) {
        made->received = data_allocate(run->machine, (size_t)made->length, NULL);
        status = made->received == NULL ? STATUS_INSUFFICIENT_RESOURCES : buffer_fill(run, made);
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    wdfdma_request_config config = {
        .type = made->is_write ? WdfRequestTypeWrite : WdfRequestTypeRead,
        .device_offset = (int64_t)request_get_position(made),
    };
    if (made->is_write) {
        config.input = made->mdls[0];
        config.input_length = made->length;
    } else {
        config.output = made->mdls[0];
        config.output_length = made->length;
    }
    return wdfdma_request_create(run->device, &config, &made->handle);
}

bool request_start(workload *run, const case_move *move) {
    work_request *made = &run->requests[run->result.requests];
    case_request wanted = case_read_request(move);
    *made = (work_request){.move = run->move, .length = wanted.length, .is_write = wanted.is_write};
    if (!NT_SUCCESS(request_create(run, made, &wanted))) {
        return false;
    }
    run->result.requests++;
    made->pending = true;
    run->pending++;
    run_note(run, FEATURE_DIRECTION_FIRST + made->is_write);
    if (run->pending >= 2) {
        run_note(run, run->pending >= 4 ? FEATURE_FOUR_PENDING : FEATURE_TWO_PENDING);
    }
    if (wanted.mdls > 1) {
        run_note(run, FEATURE_CHAIN);
    }
    driver_note(run, DRIVER_START_REQUEST);
    run->driver->start_request(run->context, made->handle);
    return true;
}

static bool request_is_completed(const work_request *of) {
    wdfdma_request_info info;
    return !of->pending ||
           (NT_SUCCESS(wdfdma_request_get_info(of->handle, &info)) && info.completed);
}

work_request *request_pick(workload *run, uint32_t index) {
    if (run->pending == 0) {
        return NULL;
    }
    index %= run->pending;
    for (uint32_t i = 0; i < run->result.requests; i++) {
        if (run->requests[i].pending && index-- == 0) {
            return &run->requests[i];
        }
    }
    return NULL;
}

work_request *request_at(workload *run, uint64_t position, uint64_t length, bool is_write) {
    for (uint32_t i = 0; i < run->result.requests; i++) {
        work_request *of = &run->requests[i];
        uint64_t first = request_get_position(of);
        if (position >= first && position - first < 1ull << REQUEST_POSITION_SHIFT) {
            bool is_inside = position - first + length <= of->length;
            return is_inside && of->is_write == is_write && !request_is_completed(of) ? of : NULL;
        }
    }
    return NULL;
}

void request_cancel(workload *run, work_request *asked) {
    if (request_is_completed(asked)) {
        return;
    }
    asked->cancelled = true;
    for (uint32_t i = 0; i < WDFDMA_HARDWARE_CHANNELS; i++) {
        if (run->channels[i].busy && run->channels[i].request == asked) {
            run_note(run, FEATURE_CANCEL_BUSY);
        }
    }
    if (run->machine->state.waiting_pool + run->machine->state.waiting_channel != 0) {
        run_note(run, FEATURE_CANCEL_WAITING);
    }
    driver_note(run, DRIVER_CANCEL_REQUEST);
    run->driver->cancel_request(run->context, asked->handle);
}

/* The first byte of [bytes] that is not what it should be; [bytes]: none. */
static uint64_t data_find_difference(workload *run, const work_request *of, uint64_t bytes) {
    uint8_t chunk[CHUNK_BYTES];
    uint8_t expected[CHUNK_BYTES];
    uint64_t position = request_get_position(of);
    for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES) {
        uint64_t count = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        if (of->is_write) {
            memcpy(chunk, of->received + at, (size_t)count);
        } else if (!NT_SUCCESS(
                       wdfdma_mdl_read(run->machine, of->mdls[0], at, chunk, (size_t)count))) {
            return at;
        }
        pattern_fill(position + at, expected, (size_t)count);
        for (uint64_t i = 0; memcmp(chunk, expected, (size_t)count) != 0 && i < count; i++) {
            if (chunk[i] != expected[i]) {
                return at + i;
            }
        }
    }
    return bytes;
}

static void success_judge(workload *run, const work_request *of, uint64_t information) {
    uint64_t expected = of->ended ? of->end : of->length;
    run_note(run, information < of->length ? FEATURE_SHORT_INFORMATION : FEATURE_SUCCEEDED);
    if (information != expected) {
        run_fail(run, WDFDMA_FAILURE_WRONG_INFORMATION, of, expected, information);
        return;
    }
    uint64_t same = data_find_difference(run, of, information);
    if (same != information && !run->machine->state.halted) {
        run_fail(run, WDFDMA_FAILURE_WRONG_DATA, of, information, same);
    }
}

static bool failure_has_reason(const workload *run, const work_request *of, NTSTATUS status) {
    if (status == STATUS_CANCELLED) {
        return of->cancelled;
    }
    return status == STATUS_NOT_SUPPORTED || of->cancelled || of->troubled || of->length == 0 ||
           run->faulted;
}

static void request_judge(workload *run, work_request *of, const wdfdma_request_info *info) {
    of->pending = false;
    run->pending--;
    if (NT_SUCCESS(info->status)) {
        success_judge(run, of, info->information);
        return;
    }
    run_note(run, info->status == STATUS_CANCELLED       ? FEATURE_CANCELLED
                  : info->status == STATUS_NOT_SUPPORTED ? FEATURE_NOT_SUPPORTED
                                                         : FEATURE_FAILED);
    if (!failure_has_reason(run, of, info->status)) {
        run_fail(run, WDFDMA_FAILURE_WRONG_STATUS, of, 0, (uint32_t)info->status);
    }
}

/* The requester takes its buffer back. */
static void request_end(workload *run, work_request *of) {
    wdfdma_request_destroy(of->handle);
    for (uint32_t i = 0; i < of->mdl_count && !run->machine->state.halted; i++) {
        wdfdma_mdl_destroy(run->machine, of->mdls[i]);
    }
    of->mdl_count = 0;
}

void requests_judge(workload *run) {
    wdfdma_request_info info;
    for (uint32_t i = 0; i < run->result.requests && !run_is_over(run); i++) {
        work_request *of = &run->requests[i];
        if (of->pending && NT_SUCCESS(wdfdma_request_get_info(of->handle, &info)) &&
            info.completed) {
            request_judge(run, of, &info);
            if (!run_is_over(run)) {
                request_end(run, of);
            }
        }
    }
}

bool wdfdma_workload_get_byte(wdfdma_machine *machine, uint32_t move, uint64_t at,
                              wdfdma_workload_byte *out) {
    workload *run = machine == NULL || out == NULL ? NULL : machine->workload;
    for (uint32_t i = 0; run != NULL && i < run->result.requests; i++) {
        const work_request *of = &run->requests[i];
        if (of->move == move && !of->is_write && of->mdl_count != 0 && at < of->length) {
            out->label = wdfdma_object_get_label((WDFOBJECT)of->handle);
            pattern_fill(request_get_position(of) + at, &out->expected, 1);
            return NT_SUCCESS(wdfdma_mdl_read(machine, of->mdls[0], at, &out->actual, 1));
        }
    }
    return false;
}
