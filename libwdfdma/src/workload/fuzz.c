/* The loop: cases by chance, and changed ones of those that showed something new. */
#include "workload.h"

#include <string.h>

enum {
    KEPT_CASES = 16,
    FEATURE_SETS = 4096
};

void wdfdma_fuzz_init(wdfdma_fuzz *fuzz, uint64_t seed, wdfdma_finding *findings,
                      uint32_t capacity) {
    if (fuzz != NULL) {
        memset(fuzz, 0, sizeof *fuzz);
        fuzz->size = sizeof *fuzz;
        fuzz->seed = seed;
        fuzz->findings = findings;
        fuzz->capacity = capacity;
    }
}

/* True for a set of features that was not seen before. */
static bool features_are_new(wdfdma_fuzz *fuzz, uint64_t features) {
    uint64_t state = features;
    uint64_t hash = mix_next(&state) | 1;
    if (fuzz->feature_sets >= FEATURE_SETS / 2) {
        return false;
    }
    for (uint64_t i = hash >> 32;; i++) {
        uint64_t *place = &fuzz->seen[i % FEATURE_SETS];
        if (*place == hash) {
            return false;
        }
        if (*place == 0) {
            *place = hash;
            fuzz->feature_sets++;
            return true;
        }
    }
}

static void case_keep(wdfdma_fuzz *fuzz, const uint8_t *bytes, size_t size) {
    uint32_t place = fuzz->kept++ % KEPT_CASES;
    memcpy(fuzz->cases[place], bytes, size);
    fuzz->case_sizes[place] = (uint32_t)size;
}

/* Without the moves that are to be left out. */
static size_t case_filter(uint32_t left_out, uint8_t *bytes, size_t size) {
    size_t kept = WDFDMA_CASE_STRIDE;
    for (size_t at = WDFDMA_CASE_STRIDE; at < size; at += WDFDMA_CASE_STRIDE) {
        if ((left_out >> bytes[at] % WDFDMA_MOVE_COUNT & 1) == 0) {
            memmove(bytes + kept, bytes + at, WDFDMA_CASE_STRIDE);
            kept += WDFDMA_CASE_STRIDE;
        }
    }
    return kept;
}

/* One case in three is a changed one. */
static size_t case_choose(const wdfdma_fuzz *fuzz, uint8_t *bytes) {
    uint64_t state = fuzz->seed * 0x9E3779B97F4A7C15ull ^ fuzz->runs;
    uint64_t chance = mix_next(&state);
    uint64_t seed = mix_next(&state);
    if (fuzz->kept == 0 || chance % 3 != 0) {
        return wdfdma_workload_generate(seed, bytes);
    }
    uint32_t kept = fuzz->kept < KEPT_CASES ? fuzz->kept : KEPT_CASES;
    uint32_t place = (uint32_t)(chance / 3 % kept);
    memcpy(bytes, fuzz->cases[place], fuzz->case_sizes[place]);
    return wdfdma_workload_mutate(seed, bytes, fuzz->case_sizes[place]);
}

/* True for the first of its signature. */
static bool finding_note(wdfdma_fuzz *fuzz, const wdfdma_workload_result *result,
                         const uint8_t *bytes, size_t size) {
    for (uint32_t i = 0; i < fuzz->finding_count; i++) {
        if (result_is_same(&fuzz->findings[i].result, result)) {
            fuzz->findings[i].hits++;
            return false;
        }
    }
    if (fuzz->finding_count >= fuzz->capacity) {
        return false;
    }
    wdfdma_finding *made = &fuzz->findings[fuzz->finding_count++];
    *made =
        (wdfdma_finding){.result = *result, .run = fuzz->runs, .hits = 1, .size = (uint32_t)size};
    memcpy(made->bytes, bytes, size);
    return true;
}

/* True for the first of a signature. */
static bool run_count(wdfdma_fuzz *fuzz, const wdfdma_workload_result *result, const uint8_t *bytes,
                      size_t size) {
    bool is_new = false;
    fuzz->moves += result->moves;
    fuzz->steps += result->steps;
    fuzz->requests += result->requests;
    fuzz->features |= result->features;
    if (result->failure != WDFDMA_FAILURE_NONE) {
        fuzz->failures++;
        is_new = finding_note(fuzz, result, bytes, size);
    } else if (features_are_new(fuzz, result->features) || fuzz->runs % 64 == 0) {
        case_keep(fuzz, bytes, size);
    }
    fuzz->runs++;
    return is_new;
}

static size_t case_next(const wdfdma_fuzz *fuzz, uint8_t *bytes) {
    return case_filter(fuzz->left_out, bytes, case_choose(fuzz, bytes));
}

size_t wdfdma_fuzz_get_next(const wdfdma_fuzz *fuzz, uint8_t *out) {
    return fuzz == NULL || out == NULL ? 0 : case_next(fuzz, out);
}

void wdfdma_fuzz_count(wdfdma_fuzz *fuzz, const wdfdma_workload_result *result) {
    if (fuzz != NULL && result != NULL) {
        uint8_t bytes[WDFDMA_CASE_BYTES];
        run_count(fuzz, result, bytes, case_next(fuzz, bytes));
    }
}

NTSTATUS wdfdma_workload_fuzz(wdfdma_fuzz *fuzz, const wdfdma_case_target *target, uint64_t runs,
                              bool until_found) {
    if (fuzz == NULL || target == NULL || fuzz->size != sizeof *fuzz ||
        (fuzz->findings == NULL && fuzz->capacity != 0)) {
        return STATUS_INVALID_PARAMETER;
    }
    machine_shelf shelf = {0};
    NTSTATUS status = STATUS_SUCCESS;
    bool found = false;
    for (uint64_t i = 0; i < runs && NT_SUCCESS(status) && !(found && until_found); i++) {
        uint8_t bytes[WDFDMA_CASE_BYTES];
        wdfdma_workload_result result;
        size_t size = case_next(fuzz, bytes);
        status = shelf_run(&shelf, target, bytes, size, &result);
        if (NT_SUCCESS(status)) {
            found = run_count(fuzz, &result, bytes, size) || found;
        }
    }
    shelf_end(&shelf);
    return status;
}
