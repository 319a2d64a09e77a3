/* What the measuring programs share: a clock, medians, and lanes.
 *
 * A lane is one machine with one transaction that goes round and round. Lanes that are to be compared are
 * measured in turn within each round, so that whatever else the computer does meets all of them; a ratio is the
 * median of the rounds' ratios. */
#ifndef BENCH_H
#define BENCH_H

#include "wdfdma.h"

enum {
    BENCH_PAGE_BYTES = 4096,
    BENCH_MAXIMUM_LANES = 8
};

/* ---- Clock, numbers, output ---- */
uint64_t bench_now_ns(void);
/* Sorts [values]. */
double bench_median(double *values, size_t count);
/* Of sorted values: the one that a tenth of them does not exceed, as on a computer with nothing else to do. */
double bench_quiet(const double *sorted, size_t count);
/* One result on the standard output: its name and its value, a tab between them. */
void bench_report(const char *name, double value);
void bench_report_for(const char *name, uint64_t size, const char *what, double value);
/* Ends the program where [condition] does not hold: what is measured is not what it should be. */
void bench_require(bool condition, const char *what);
/* Memory that has been written to. */
void *bench_allocate(size_t bytes);

/* ---- Lanes ---- */
typedef struct lane_config {
    WDF_DMA_PROFILE profile;
    WDF_DMA_DIRECTION direction;
    uint32_t version;       /* 2 or 3 */
    uint32_t map_registers; /* in the pool */
    uint32_t length_bytes;  /* of the buffer, page by page from a page's start; one transfer */
    bool bounces;
    bool unwatched; /* the verifier off, and every rule ignored */
} lane_config;

typedef struct lane {
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMAENABLER enabler;
    WDFDMATRANSACTION transaction;
    PMDL mdl;
    void *address;
    size_t length_bytes;
    WDF_DMA_DIRECTION direction;
} lane;

/* A two-page read through a packet profile of version 3, in a pool of 64. */
void lane_config_init(lane_config *config);
void lane_open(lane *of, const lane_config *config);
void lane_close(lane *of);
WDFDMAENABLER lane_add_enabler(const lane *of, const lane_config *config);
WDFDMATRANSACTION lane_add_transaction(WDFDMAENABLER enabler);
void lane_initialize(const lane *of, WDFDMATRANSACTION transaction);

/* ---- Cycles: [repeats] times around ---- */
typedef void (*cycle_routine)(const lane *of, uint32_t repeats);
/* Initialize, execute, complete, release. */
void cycle_run(const lane *of, uint32_t repeats);
/* Nanoseconds for one time around. */
double cycle_measure(cycle_routine routine, const lane *of, uint32_t repeats);

/* The EvtProgramDma of every lane: a device that completes later. */
BOOLEAN program_nothing(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                        WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list);

#endif
