/* What a map of coverage must hold after a sequence, cell by cell and goal by goal: nothing else was met. And
 * a driver whose callbacks do what a script says. */
#ifndef WDFDMA_TESTS_COVERAGE_WORLD_H
#define WDFDMA_TESTS_COVERAGE_WORLD_H

#include "world.h"

/* A cell that was met, in the order of the table. */
typedef struct met {
    const char *operation;
    const char *standing;
    const char *outcome;
    uint64_t count;
} met;

/* A goal that came about, in the order of the table. */
typedef struct come {
    const char *goal;
    uint64_t count;
} come;

static inline wdfdma_coverage *coverage_of(wdfdma_machine *machine) {
    wdfdma_coverage *made = NULL;
    CHECK_STATUS(wdfdma_coverage_create(&made), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_set_coverage(machine, made), STATUS_SUCCESS);
    return made;
}

static inline void cells_print(const wdfdma_coverage_cell *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        printf("    {\"%s\", \"%s\", \"%s\", %" PRIu64 "},\n", cells[i].operation,
               cells[i].standing, cells[i].outcome, cells[i].count);
    }
}

/* Exactly the [count] cells of [rows] were met. */
static inline void cells_expect(const wdfdma_coverage *map, const met *rows, size_t count) {
    enum {
        CELLS = 256
    };
    wdfdma_coverage_cell cells[CELLS];
    size_t found = wdfdma_coverage_copy_reached(map, cells, CELLS);
    bool same = found == count;
    for (size_t i = 0; same && i < count; i++) {
        same = strcmp(cells[i].operation, rows[i].operation) == 0 &&
               strcmp(cells[i].standing, rows[i].standing) == 0 &&
               strcmp(cells[i].outcome, rows[i].outcome) == 0 && cells[i].count == rows[i].count;
    }
    if (!CHECK(same)) {
        cells_print(cells, found < CELLS ? found : CELLS);
    }
}

/* Exactly the [count] goals of [rows] came about. */
static inline void goals_expect(const wdfdma_coverage *map, const come *rows, size_t count) {
    enum {
        GOALS = 64
    };
    wdfdma_goal goals[GOALS];
    size_t all = wdfdma_coverage_copy_goals(map, goals, GOALS);
    size_t found = 0;
    bool same = CHECK(all <= GOALS);
    for (size_t i = 0; same && i < all; i++) {
        if (goals[i].count != 0) {
            same = found < count && strcmp(goals[i].name, rows[found].goal) == 0 &&
                   goals[i].count == rows[found].count;
            found++;
        }
    }
    if (!CHECK(same && found == count)) {
        for (size_t i = 0; i < all && i < GOALS; i++) {
            if (goals[i].count != 0) {
                printf("    {\"%s\", %" PRIu64 "},\n", goals[i].name, goals[i].count);
            }
        }
    }
}

#define CELLS_EXPECT(map, ...) \
    do { \
        static const met rows[] = {__VA_ARGS__}; \
        cells_expect((map), rows, sizeof(rows) / sizeof(rows[0])); \
    } while (0)
#define GOALS_EXPECT(map, ...) \
    do { \
        static const come rows[] = {__VA_ARGS__}; \
        goals_expect((map), rows, sizeof(rows) / sizeof(rows[0])); \
    } while (0)

static inline uint64_t cell_count(const wdfdma_coverage *map, const char *operation,
                                  const char *standing, const char *outcome) {
    return wdfdma_coverage_get_count(map, operation, standing, outcome);
}

static inline world packet_world(uint32_t registers) {
    wdfdma_machine_config config = world_config(registers);
    return world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

static inline void collect(wdfdma_machine *machine) {
    CHECK_STATUS(wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT),
                 STATUS_SUCCESS);
}

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

/* What a callback does, once; the context of an Execute. */
typedef struct script {
    void (*run)(struct script *of, WDFDMATRANSACTION own);
    WDFDMATRANSACTION other;
    struct script *next; /* of [other]'s */
    WDFDMATRANSACTION waiters[3];
    uint64_t number; /* of [waiters] */
    PMDL mdl;
    PDMA_ADAPTER adapter;
    wdfdma_machine *machine;
} script;

static inline BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    (void)list;
    script *of = context;
    if (of != NULL && of->run != NULL) {
        void (*run)(script *, WDFDMATRANSACTION) = of->run;
        of->run = NULL;
        run(of, transaction);
    }
    return TRUE;
}

static inline void fill(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program, READ, mdl, 0, length),
                 STATUS_SUCCESS);
}

static inline void start(WDFDMATRANSACTION transaction, PMDL mdl, size_t length, script *context) {
    fill(transaction, mdl, length);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, context), STATUS_SUCCESS);
}

static inline void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

static inline bool complete(WDFDMATRANSACTION transaction, NTSTATUS expected) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    bool over = WdfDmaTransactionDmaCompleted(transaction, &status);
    CHECK_STATUS(status, expected);
    return over;
}

static inline void complete_some(WDFDMATRANSACTION transaction, size_t length, NTSTATUS expected) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    WdfDmaTransactionDmaCompletedWithLength(transaction, length, &status);
    CHECK_STATUS(status, expected);
}

static inline WDFDMAENABLER packet_enabler(const world *of) {
    return world_enabler(of->device,
                         &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

#endif
