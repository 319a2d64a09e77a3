/* What is bound by memory: snapshots, restores and bounced bytes against memcpy, the size of an idle transaction, and
 * the making of a machine. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 51,
    WARM_UP = 3
};
static const double BLOCK_BYTES = 64e6; /* a block copies about so many, at least one repeat */

static uint32_t repeats_for(size_t bytes) {
    double repeats = BLOCK_BYTES / (double)bytes;
    return repeats < 1 ? 1 : repeats > 2000 ? 2000 : (uint32_t)repeats;
}

/* A call that the compiler cannot leave out. */
static void *(*volatile copy)(void *to, const void *from, size_t bytes) = memcpy;

static double copy_measure(void *to, const void *from, size_t bytes, uint32_t repeats) {
    uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < repeats; i++) {
        copy(to, from, bytes);
    }
    return (double)(bench_now_ns() - start) / repeats;
}

/* ---- Snapshots ---- */

static double restore_measure(wdfdma_machine *machine, const wdfdma_snapshot *snapshot,
                              uint32_t repeats) {
    bool all_well = true;
    uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < repeats; i++) {
        all_well &= wdfdma_machine_restore(machine, snapshot) == STATUS_SUCCESS;
    }
    uint64_t end = bench_now_ns();
    bench_require(all_well, "a machine is restored");
    return (double)(end - start) / repeats;
}

static double snapshot_measure(wdfdma_machine *machine, uint32_t repeats) {
    bool all_well = true;
    uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < repeats; i++) {
        wdfdma_snapshot *made = NULL;
        all_well &= wdfdma_snapshot_create(machine, &made) == STATUS_SUCCESS;
        wdfdma_snapshot_destroy(made);
    }
    uint64_t end = bench_now_ns();
    bench_require(all_well, "a snapshot is made");
    return (double)(end - start) / repeats;
}

/* The used bytes of a machine with [transactions] initialized ones. */
static void snapshot_run(uint32_t transactions) {
    static double copies[ROUNDS];
    static double restores[ROUNDS];
    static double snapshots[ROUNDS];
    lane of;
    lane_config config;
    wdfdma_snapshot *kept = NULL;
    lane_config_init(&config);
    lane_open(&of, &config);
    for (uint32_t i = 0; i < transactions; i++) {
        lane_initialize(&of, lane_add_transaction(of.enabler));
    }
    size_t bytes = wdfdma_machine_get_used_bytes(of.machine);
    void *from = bench_allocate(bytes);
    void *to = bench_allocate(bytes);
    bench_require(wdfdma_snapshot_create(of.machine, &kept) == STATUS_SUCCESS, "a snapshot");
    uint32_t repeats = repeats_for(bytes);
    for (int round = -WARM_UP; round < ROUNDS; round++) {
        int at = round < 0 ? 0 : round;
        double copied = copy_measure(to, from, bytes, repeats);
        restores[at] = restore_measure(of.machine, kept, repeats) / copied;
        snapshots[at] = snapshot_measure(of.machine, repeats) / copied;
        copies[at] = copied;
    }
    bench_report_for("snapshot", transactions, "bytes", (double)bytes);
    bench_report_for("snapshot", transactions, "memcpy_us", bench_median(copies, ROUNDS) / 1e3);
    bench_report_for("snapshot", transactions, "restore_memcpys", bench_median(restores, ROUNDS));
    bench_report_for("snapshot", transactions, "create_memcpys", bench_median(snapshots, ROUNDS));
    wdfdma_snapshot_destroy(kept);
    lane_close(&of);
    free(from);
    free(to);
}

/* ---- Bounced bytes ---- */

/* A lane whose every transfer bounces, and the two buffers that memcpy is measured between. */
typedef struct bouncing {
    lane of;
    uint8_t *from;
    uint8_t *to;
} bouncing;

static void bouncing_open(bouncing *out, const lane_config *config) {
    lane_open(&out->of, config);
    PMDL other = NULL;
    const wdfdma_mdl_config buffer = {.byte_count = config->length_bytes};
    bench_require(wdfdma_mdl_create(out->of.machine, &buffer, &other) == STATUS_SUCCESS, "an MDL");
    out->from = wdfdma_mdl_get_bytes(out->of.machine, out->of.mdl);
    out->to = wdfdma_mdl_get_bytes(out->of.machine, other);
    bench_require(out->from != NULL && out->to != NULL, "a buffer's pages follow one another");
    /* The pages behind the map registers are written to by transfers to the device only. */
    lane warm = out->of;
    warm.direction = WdfDmaDirectionWriteToDevice;
    cycle_run(&warm, 1);
    memset(out->from, 1, config->length_bytes);
    memset(out->to, 2, config->length_bytes);
}

/* One transfer of [pages], all of it through the map registers; against memcpy between two such buffers of the
 * same machine. Where the host's pages lie in its caches is luck that differs by a tenth from buffer to buffer: so
 * several machines are measured. */
static void bounce_run(const char *name, WDF_DMA_PROFILE profile, WDF_DMA_DIRECTION direction,
                       uint32_t pages) {
    enum {
        MACHINES = 7
    };
    static double speeds[ROUNDS * MACHINES];
    static double shares[ROUNDS * MACHINES];
    char line[64];
    bouncing all[MACHINES];
    lane_config config;
    lane_config_init(&config);
    config.profile = profile;
    config.direction = direction;
    config.bounces = true;
    config.map_registers = pages + 1;
    config.length_bytes = pages * BENCH_PAGE_BYTES;
    for (int i = 0; i < MACHINES; i++) {
        bouncing_open(&all[i], &config);
    }
    uint32_t repeats = (repeats_for(config.length_bytes) + MACHINES - 1) / MACHINES;
    for (int round = -WARM_UP; round < ROUNDS; round++) {
        int at = (round < 0 ? 0 : round) * MACHINES;
        for (int i = 0; i < MACHINES; i++) {
            /* In turn, and each finds its own pages in the caches. */
            copy_measure(all[i].to, all[i].from, config.length_bytes, 1);
            double copied = copy_measure(all[i].to, all[i].from, config.length_bytes, repeats);
            cycle_run(&all[i].of, 1);
            double cycled = cycle_measure(cycle_run, &all[i].of, repeats);
            speeds[at + i] = (double)config.length_bytes / cycled;
            shares[at + i] = copied / cycled;
        }
    }
    snprintf(line, sizeof line, "bounce_%s_%s", name,
             direction == WdfDmaDirectionWriteToDevice ? "write" : "read");
    bench_report_for(line, pages, "gb_per_s", bench_median(speeds, ROUNDS * MACHINES));
    bench_report_for(line, pages, "of_memcpy", bench_median(shares, ROUNDS * MACHINES));
    for (int i = 0; i < MACHINES; i++) {
        lane_close(&all[i].of);
    }
}

/* ---- Machines and idle transactions ---- */

static void machine_run(uint32_t map_registers) {
    enum {
        MACHINES = 100
    };
    static double costs[ROUNDS];
    wdfdma_machine_config config;
    wdfdma_machine_config_init(&config);
    config.map_registers = map_registers;
    for (int round = 0; round < ROUNDS; round++) {
        bool all_well = true;
        uint64_t start = bench_now_ns();
        for (int i = 0; i < MACHINES; i++) {
            wdfdma_machine *made = NULL;
            all_well &= wdfdma_machine_create(&config, &made) == STATUS_SUCCESS;
            all_well &= wdfdma_machine_destroy(made) == STATUS_SUCCESS;
        }
        costs[round] = (double)(bench_now_ns() - start) / MACHINES / 1e3;
        bench_require(all_well, "a machine is created and destroyed");
    }
    bench_report_for("machine", map_registers, "us", bench_median(costs, ROUNDS));
}

static void idle_run(const char *name, WDF_DMA_PROFILE profile, uint32_t count) {
    char line[64];
    lane of;
    lane_config config;
    lane_config_init(&config);
    config.profile = profile;
    lane_open(&of, &config);
    size_t before = wdfdma_machine_get_used_bytes(of.machine);
    uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        lane_add_transaction(of.enabler);
    }
    uint64_t end = bench_now_ns();
    size_t after = wdfdma_machine_get_used_bytes(of.machine);
    snprintf(line, sizeof line, "idle_%s", name);
    bench_report_for(line, count, "bytes", (double)(after - before) / count);
    bench_report_for(line, count, "create_ns", (double)(end - start) / count);
    lane_close(&of);
}

int main(void) {
    static const uint32_t sizes[] = {64, 256, 1024};
    /* First, while the process has had little memory: what it gave back comes in worse order. */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bounce_run("packet", WdfDmaProfilePacket, WdfDmaDirectionReadFromDevice, sizes[i]);
        bounce_run("packet", WdfDmaProfilePacket, WdfDmaDirectionWriteToDevice, sizes[i]);
        bounce_run("scatter_gather", WdfDmaProfileScatterGather, WdfDmaDirectionReadFromDevice,
                   sizes[i]);
        bounce_run("scatter_gather", WdfDmaProfileScatterGather, WdfDmaDirectionWriteToDevice,
                   sizes[i]);
    }
    snapshot_run(0);
    snapshot_run(1000);
    snapshot_run(10000);
    snapshot_run(100000);
    machine_run(64);
    machine_run(1048576);
    idle_run("packet", WdfDmaProfilePacket, 100000);
    idle_run("packet", WdfDmaProfilePacket, 1000000);
    idle_run("scatter_gather", WdfDmaProfileScatterGather, 100000);
    idle_run("system", WdfDmaProfileSystem, 100000);
    return 0;
}
