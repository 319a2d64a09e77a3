/* The clock, the numbers, and lanes: see bench.h. */
#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L
#endif
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <profileapi.h>
uint64_t bench_now_ns(void) {
    LARGE_INTEGER ticks;
    LARGE_INTEGER frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (uint64_t)((double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart);
}
#else
#include <time.h>
uint64_t bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double bench_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double bench_quiet(const double *sorted, size_t count) {
    return sorted[count / 10];
}

void bench_report(const char *name, double value) {
    printf("%s\t%.6g\n", name, value);
    fflush(stdout);
}

void bench_report_for(const char *name, uint64_t size, const char *what, double value) {
    printf("%s.%" PRIu64 ".%s\t%.6g\n", name, size, what, value);
    fflush(stdout);
}

void bench_require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "not as it should be: %s\n", what);
        exit(1);
    }
}

void *bench_allocate(size_t bytes) {
    void *made = malloc(bytes);
    bench_require(made != NULL, "memory");
    memset(made, 1, bytes);
    return made;
}

void lane_config_init(lane_config *config) {
    *config = (lane_config){.profile = WdfDmaProfilePacket,
                            .direction = WdfDmaDirectionReadFromDevice,
                            .version = 3,
                            .map_registers = 64,
                            .length_bytes = 2 * BENCH_PAGE_BYTES};
}

WDFDMAENABLER lane_add_enabler(const lane *of, const lane_config *config) {
    WDF_DMA_ENABLER_CONFIG settings;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&settings, config->profile, config->length_bytes);
    settings.WdmDmaVersionOverride = config->version;
    NTSTATUS status = WdfDmaEnablerCreate(of->device, &settings, WDF_NO_OBJECT_ATTRIBUTES, &made);
    bench_require(status == STATUS_SUCCESS, "an enabler is created");
    if (config->profile == WdfDmaProfileSystem) {
        CM_PARTIAL_RESOURCE_DESCRIPTOR resource = {0};
        PHYSICAL_ADDRESS port = {0};
        WDF_DMA_SYSTEM_PROFILE_CONFIG system;
        WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&system, port, Width32Bits, &resource);
        status = WdfDmaEnablerConfigureSystemProfile(made, &system, config->direction);
        bench_require(status == STATUS_SUCCESS, "a system profile is configured");
    }
    return made;
}

WDFDMATRANSACTION lane_add_transaction(WDFDMAENABLER enabler) {
    WDFDMATRANSACTION made = NULL;
    NTSTATUS status = WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &made);
    bench_require(status == STATUS_SUCCESS, "a transaction is created");
    return made;
}

void lane_open(lane *of, const lane_config *config) {
    /* In the reach of 32 bits, however many addresses the registers take: what is to bounce is told to. */
    static const uint64_t low_frames[] = {16, 17};
    wdfdma_mdl_config buffer = {.byte_count = config->length_bytes};
    if (config->length_bytes == sizeof low_frames / sizeof *low_frames * BENCH_PAGE_BYTES) {
        buffer.pfns = low_frames;
        buffer.pfn_count = sizeof low_frames / sizeof *low_frames;
    }
    wdfdma_machine_config settings;
    wdfdma_machine_config_init(&settings);
    settings.map_registers = config->map_registers;
    settings.force_map_registers = config->bounces;
    settings.verifier = !config->unwatched;
    NTSTATUS status = wdfdma_machine_create(&settings, &of->machine);
    bench_require(status == STATUS_SUCCESS, "a machine is created");
    uint32_t mode = config->unwatched ? WDFDMA_MODE_IGNORE : WDFDMA_MODE_DEFAULT;
    status = wdfdma_machine_set_rule_mode(of->machine, WDFDMA_RULE_NONE, mode);
    bench_require(status == STATUS_SUCCESS, "a mode is set");
    status = wdfdma_device_create(of->machine, WDF_NO_OBJECT_ATTRIBUTES, &of->device);
    bench_require(status == STATUS_SUCCESS, "a device is created");
    status = wdfdma_mdl_create(of->machine, &buffer, &of->mdl);
    bench_require(status == STATUS_SUCCESS, "an MDL is created");
    of->address = MmGetMdlVirtualAddress(of->mdl);
    of->length_bytes = config->length_bytes;
    of->direction = config->direction;
    of->enabler = lane_add_enabler(of, config);
    of->transaction = lane_add_transaction(of->enabler);
}

void lane_close(lane *of) {
    wdfdma_check_failure failure;
    bench_require(wdfdma_machine_check(of->machine, &failure), "the machine's invariants hold");
    bench_require(wdfdma_machine_destroy(of->machine) == STATUS_SUCCESS, "a machine is destroyed");
}

BOOLEAN program_nothing(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                        WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    (void)list;
    return TRUE;
}

void lane_initialize(const lane *of, WDFDMATRANSACTION transaction) {
    NTSTATUS status = WdfDmaTransactionInitialize(transaction, program_nothing, of->direction,
                                                  of->mdl, of->address, of->length_bytes);
    bench_require(status == STATUS_SUCCESS, "a transaction is initialized");
}

void cycle_run(const lane *of, uint32_t repeats) {
    WDFDMATRANSACTION transaction = of->transaction;
    bool all_well = true;
    for (uint32_t i = 0; i < repeats; i++) {
        NTSTATUS completion;
        NTSTATUS status = WdfDmaTransactionInitialize(transaction, program_nothing, of->direction,
                                                      of->mdl, of->address, of->length_bytes);
        status |= WdfDmaTransactionExecute(transaction, NULL);
        all_well &= WdfDmaTransactionDmaCompleted(transaction, &completion) != FALSE;
        status |= completion | WdfDmaTransactionRelease(transaction);
        all_well &= status == STATUS_SUCCESS;
    }
    bench_require(all_well, "every call of a cycle succeeds");
}

double cycle_measure(cycle_routine routine, const lane *of, uint32_t repeats) {
    uint64_t start = bench_now_ns();
    routine(of, repeats);
    return (double)(bench_now_ns() - start) / repeats;
}
