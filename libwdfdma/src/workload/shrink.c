/* A failing case made short: moves are left out while its signature stays, then its numbers lessened,
 * and both again until nothing helps. */
#include "workload.h"

#include <string.h>

typedef struct shrinking {
    const wdfdma_case_target *target;
    machine_shelf shelf;
    wdfdma_workload_result result; /* of [bytes]; its signature is the one to keep */
    uint8_t bytes[WDFDMA_CASE_BYTES];
    size_t size;
    uint64_t runs_left;
} shrinking;

/* Takes [bytes] where it fails alike. */
static bool case_try(shrinking *at, const uint8_t *bytes, size_t size) {
    wdfdma_workload_result result;
    if (at->runs_left == 0) {
        return false;
    }
    at->runs_left--;
    if (!NT_SUCCESS(shelf_run(&at->shelf, at->target, bytes, size, &result)) ||
        !result_is_same(&result, &at->result)) {
        return false;
    }
    at->result = result;
    memmove(at->bytes, bytes, size);
    at->size = size;
    return true;
}

static bool moves_remove(shrinking *at, uint32_t first, uint32_t count) {
    uint8_t bytes[WDFDMA_CASE_BYTES];
    size_t begin = (size_t)(first + 1) * WDFDMA_CASE_STRIDE;
    size_t end = begin + (size_t)count * WDFDMA_CASE_STRIDE;
    memcpy(bytes, at->bytes, begin);
    memcpy(bytes + begin, at->bytes + end, at->size - end);
    return case_try(at, bytes, at->size - (end - begin));
}

static bool moves_shrink(shrinking *at) {
    bool changed = false;
    for (uint32_t count = WDFDMA_CASE_MOVES / 2; count != 0; count /= 2) {
        uint32_t first = wdfdma_workload_count_moves(at->bytes, at->size);
        while (first-- != 0) {
            uint32_t moves = wdfdma_workload_count_moves(at->bytes, at->size);
            if (first + count <= moves && moves_remove(at, first, count)) {
                changed = true;
            }
        }
    }
    return changed;
}

static bool byte_set(shrinking *at, size_t index, uint8_t value) {
    uint8_t bytes[WDFDMA_CASE_BYTES];
    if (value >= at->bytes[index]) {
        return false;
    }
    memcpy(bytes, at->bytes, at->size);
    bytes[index] = value;
    return case_try(at, bytes, at->size);
}

static bool byte_shrink(shrinking *at, size_t index) {
    bool changed = byte_set(at, index, 0);
    while (at->bytes[index] != 0 && byte_set(at, index, at->bytes[index] / 2)) {
        changed = true;
    }
    for (uint32_t bit = 128; bit != 0; bit /= 2) {
        if ((at->bytes[index] & bit) != 0) {
            changed = byte_set(at, index, (uint8_t)(at->bytes[index] & ~bit)) || changed;
        }
    }
    while (at->bytes[index] != 0 && byte_set(at, index, (uint8_t)(at->bytes[index] - 1))) {
        changed = true;
    }
    return changed;
}

/* A byte of 200 says what 200 modulo the number of moves says. */
static bool kind_shrink(shrinking *at, size_t index) {
    uint8_t kind = at->bytes[index] % WDFDMA_MOVE_COUNT;
    return byte_set(at, index, kind);
}

static bool bytes_shrink(shrinking *at) {
    bool changed = false;
    for (size_t i = 0; i < at->size; i++) {
        if (i >= WDFDMA_CASE_STRIDE && i % WDFDMA_CASE_STRIDE == 0) {
            changed = kind_shrink(at, i) || changed;
        }
        if (i < at->size && at->bytes[i] != 0) {
            changed = byte_shrink(at, i) || changed;
        }
    }
    return changed;
}

NTSTATUS wdfdma_workload_shrink(const wdfdma_case_target *target, uint8_t *bytes, size_t *size,
                                uint64_t runs, wdfdma_workload_result *out) {
    shrinking at = {.target = target, .runs_left = runs == 0 ? UINT64_MAX : runs};
    if (target == NULL || bytes == NULL || size == NULL || out == NULL ||
        *size > WDFDMA_CASE_BYTES) {
        return STATUS_INVALID_PARAMETER;
    }
    memcpy(at.bytes, bytes, *size);
    at.size = *size;
    NTSTATUS status = shelf_run(&at.shelf, target, bytes, *size, &at.result);
    if (NT_SUCCESS(status) && at.result.failure == WDFDMA_FAILURE_NONE) {
        status = STATUS_INVALID_PARAMETER;
    }
    bool changed = NT_SUCCESS(status);
    while (changed && at.runs_left != 0) {
        changed = moves_shrink(&at);
        changed = bytes_shrink(&at) || changed;
    }
    shelf_end(&at.shelf);
    if (NT_SUCCESS(status)) {
        memcpy(bytes, at.bytes, at.size);
        *size = at.size;
        *out = at.result;
    }
    return status;
}
