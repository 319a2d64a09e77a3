/* Programs of a world with three enablers, and one machine that runs whatever it is given, anew each time. */
#ifndef WDFDMA_TESTS_PROGRAM_RUNNER_H
#define WDFDMA_TESTS_PROGRAM_RUNNER_H

#include "program_bytes.h"

/* An outermost step; all of its operands are numbers below 128, or LEB128. */
#define STEP(to, ...) \
    do { \
        PUT(to, __VA_ARGS__); \
        (to)->ends[(to)->end_count++] = (to)->size; \
    } while (0)

static inline void put_enabler(program *to, WDF_DMA_PROFILE profile, uint64_t length,
                               uint64_t version) {
    put_byte(to, (uint64_t)profile);
    put_number(to, length);
    put_byte(to, version);
    put_byte(to, 0); /* address width */
    put_number(to, 0);
    put_byte(to, 0);
}

static inline void put_head(program *to, uint64_t map_registers) {
    static const uint8_t magic[] = {'W', 'D', 'P', 1};
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < sizeof magic; i++) {
        put_byte(to, magic[i]);
    }
    PUT(to, map_registers, map_registers, 36);
    put_byte(to, 2);
}

/* Three enablers, two buffers, and no step yet. */
static inline void put_world(program *to) {
    put_head(to, 8);
    put_number(to, 3);
    put_enabler(to, WdfDmaProfilePacket, 12288, 3);
    put_enabler(to, WdfDmaProfileScatterGather, 12288, 2);
    put_enabler(to, WdfDmaProfileSystemDuplex, 8192, 3);
    PUT(to, 2);
    PUT(to, 1, 100, 9000, 5, 6, 300);
    PUT(to, 2, 0, 4096, 77, 4000, 200, 80, 90);
    to->ends[to->end_count++] = to->size;
}

static inline void put_valid(program *to) {
    put_world(to);
    STEP(to, WDFDMA_OP_CREATE, 0, 0);
    STEP(to, WDFDMA_OP_CREATE, 300, 1);
    STEP(to, WDFDMA_OP_CREATE, 2, 2);
    STEP(to, WDFDMA_OP_INITIALIZE, 0, 0, 10, 5000, 0);
    STEP(to, WDFDMA_OP_INITIALIZE, 300, 1, 0, 4296, 1);
    STEP(to, WDFDMA_OP_INITIALIZE, 2, 0, 0, 8000, 1);
    STEP(to, WDFDMA_OP_SET_CALLBACK, 2, WDFDMA_EVENT_DMA_TRANSFER_COMPLETE, 1);
    STEP(to, WDFDMA_OP_ON, 0, WDFDMA_EVENT_PROGRAM_DMA, 1, 2, WDFDMA_OP_GET_BYTES_TRANSFERRED, 0);
    STEP(to, WDFDMA_OP_EXECUTE, 0);
    STEP(to, WDFDMA_OP_EXECUTE, 300);
    STEP(to, WDFDMA_OP_EXECUTE, 2);
    STEP(to, WDFDMA_OP_GET_FRAGMENT_LENGTH, 1, 0);
    STEP(to, WDFDMA_OP_COMPLETE_TRANSFER, 2, 1);
    STEP(to, WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH, 0, 1000);
    STEP(to, WDFDMA_OP_DMA_COMPLETED, 300);
    STEP(to, WDFDMA_OP_DMA_COMPLETED_FINAL, 0, 100);
    STEP(to, WDFDMA_OP_RELEASE, 0);
    STEP(to, WDFDMA_OP_ALLOCATE_RESOURCES, 0, 1, 2);
    STEP(to, WDFDMA_OP_FREE_RESOURCES, 0);
    STEP(to, WDFDMA_OP_DELETE, 300);
}

static wdfdma_machine *runner;
static wdfdma_snapshot *fresh;

static inline void runner_open(void) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    runner = harness_machine(&config);
    fresh = world_snapshot(runner);
}

static inline void runner_close(void) {
    wdfdma_snapshot_destroy(fresh);
    harness_machine_end(runner);
}

static inline wdfdma_program_result run(const uint8_t *bytes, size_t size, uint64_t steps) {
    wdfdma_program_result result = {.rule = UINT32_MAX};
    CHECK_STATUS(wdfdma_machine_restore(runner, fresh), STATUS_SUCCESS);
    bool ran = wdfdma_program_run(runner, bytes, size, steps, &result);
    CHECK_EQUAL(ran, result.rule == WDFDMA_PROGRAM_OK);
    return result;
}

/* The bytes of the log, in place. */
static inline const void *log_bytes(size_t *size) {
    wdfdma_log_view view = {0};
    CHECK_STATUS(wdfdma_log_get_view(runner, &view), STATUS_SUCCESS);
    *size = (size_t)view.first_count * sizeof(wdfdma_log_record);
    return view.first;
}

#endif
